package embedded

import (
	"errors"
	"net"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"kassa/kafkaops"
)

// real is a cluster on real sockets.
func real(t *testing.T, cfg Config) *Cluster {
	t.Helper()
	c, err := Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// What other programs see: a client with nothing but its defaults writes and reads, and a broker that is killed resets and refuses.
func TestAnyClientOnLoopback(t *testing.T) {
	c := real(t, Config{})
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.Bootstrap()...), kgo.ConsumeTopics("made-by-asking"), kgo.DefaultProduceTopic("made-by-asking"),
		kgo.AllowAutoTopicCreation(), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	if err := cl.ProduceSync(t.Context(), kgo.StringRecord("hello")).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if got := cl.PollFetches(t.Context()).Records(); len(got) != 1 || string(got[0].Value) != "hello" {
		t.Fatalf("read %v", got)
	}
	configs, err := kadm.NewClient(cl).DescribeTopicConfigs(t.Context(), "made-by-asking")
	if err != nil {
		t.Fatal(err)
	}
	if v := configs[0].Configs; len(v) == 0 {
		t.Error("a topic without settings")
	}

	addr := c.Bootstrap()[1]
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := c.Do(t.Context(), kafkaops.Fault{Verb: kafkaops.Kill, Node: 2}); err != nil {
		t.Fatal(err)
	}
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("an old connection to a killed broker: %v", err)
	}
	if _, err := net.Dial("tcp", addr); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("a new connection to a killed broker: %v", err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	for _, addr := range c.Bootstrap() {
		if _, err := net.Dial("tcp", addr); err == nil {
			t.Errorf("%s takes connections after Close", addr)
		}
	}
	var refused *kafkaops.RefusedError
	if err := c.Do(t.Context(), kafkaops.Fault{Verb: kafkaops.Start, Node: 2}); !errors.As(err, &refused) {
		t.Errorf("start after Close: %v", err)
	}
	if err := c.Close(); err != nil {
		t.Errorf("closing it again: %v", err)
	}
}

// Anybody may connect to the port, and not all of them speak Kafka's protocol.
func TestGarbageEndsItsOwnConnectionOnly(t *testing.T) {
	c := real(t, Config{})
	for _, garbage := range []string{"GET / HTTP/1.1\r\n\r\n", "\x00\x00\x00\x02\x00\x00", "\x00\x00\x00\x08\x7f\xff\x00\x00\x00\x00\x00\x00", "\x00\x00\x00\x0a\x00\x03\x00\x0c\x00\x00\x00\x00\x00\x09", "\xff\xff\xff\xff"} {
		conn, err := net.Dial("tcp", c.Bootstrap()[0])
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		if _, err := conn.Write([]byte(garbage)); err != nil {
			t.Fatal(err)
		}
		if n, err := conn.Read(make([]byte, 100)); err == nil || errors.Is(err, syscall.ETIMEDOUT) {
			t.Errorf("%q was answered with %d bytes, %v", garbage, n, err)
		}
		conn.Close()
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.Bootstrap()...))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	if err := cl.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestAPortInUseIsSaid(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, text, _ := net.SplitHostPort(taken.Addr().String())
	port, _ := strconv.Atoi(text)
	var user *kafkaops.UserError
	if _, err := Start(t.Context(), Config{Ports: []int{port - 1, port, port + 1}}); !errors.As(err, &user) || !strings.Contains(user.Message, "--ports") {
		t.Errorf("got %v", err)
	}
	a, b := real(t, Config{}), real(t, Config{})
	for _, addr := range a.Bootstrap() {
		for _, other := range b.Bootstrap() {
			if addr == other {
				t.Errorf("two clusters on %s", addr)
			}
		}
	}
	if b.Info().Note == "" || !strings.Contains(b.Info().Why, "in use") {
		t.Errorf("other ports than usual, and nothing is said: %+v", b.Info())
	}
}

// A broker that was killed listens on nothing. Its port is still no other kassa's: the clients of this one would find the brokers of that one there.
func TestThePortOfABrokerThatIsDownStaysItsOwn(t *testing.T) {
	locks := t.TempDir()
	c := real(t, Config{Locks: locks})
	for id := range int32(nodeCount) {
		if err := c.Do(t.Context(), kafkaops.Fault{Verb: kafkaops.Kill, Node: id + 1}); err != nil {
			t.Fatal(err)
		}
	}
	other := real(t, Config{Locks: locks})
	for _, addr := range c.Bootstrap() {
		if slices.Contains(other.Bootstrap(), addr) {
			t.Errorf("%s is taken by another cluster", addr)
		}
	}
	_, text, _ := net.SplitHostPort(c.Bootstrap()[0])
	port, _ := strconv.Atoi(text)
	ports := []int{port, port + 1, port + 2}
	var user *kafkaops.UserError
	if _, err := Start(t.Context(), Config{Locks: locks, Ports: ports}); !errors.As(err, &user) || !errors.Is(err, kafkaops.ErrPortInUse) {
		t.Errorf("its ports, asked for by number: %v", err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if next, err := Start(t.Context(), Config{Locks: locks, Ports: ports}); errors.Is(err, kafkaops.ErrPortInUse) {
		t.Log("after its end another package's brokers, which know nothing of these locks, have its ports")
	} else if err != nil {
		t.Errorf("after its end: %v", err)
	} else {
		_ = next.Close()
	}
}
