package doctor

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"kassa/kafkaops"
)

func fake(t *testing.T, opts ...kfake.Opt) *kfake.Cluster {
	t.Helper()
	c, err := kfake.NewCluster(append(opts, kfake.NumBrokers(3), kfake.SeedTopics(3, "idempotent", "plain", "empty"))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func produce(t *testing.T, c *kfake.Cluster, topic string, opts ...kgo.Opt) {
	t.Helper()
	cl, err := kgo.NewClient(append(opts, kgo.SeedBrokers(c.ListenAddrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	for p := range int32(3) {
		if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Partition: p, Value: []byte("x")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
}

// silent is an address that takes connections and says nothing, as a stopped process does.
func silent(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().String()
}

func TestGatherDescribesWhatBrokersTell(t *testing.T) {
	f := fake(t)
	produce(t, f, "idempotent")
	produce(t, f, "plain", kgo.DisableIdempotentWrite(), kgo.RequiredAcks(kgo.LeaderAck()))
	c, err := gather(t.Context(), f.ListenAddrs()[:1], false)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Brokers) != 3 || !slices.IsSortedFunc(c.Brokers, func(a, b Broker) int { return int(a.ID - b.ID) }) {
		t.Errorf("brokers %+v", c.Brokers)
	}
	for _, b := range c.Brokers {
		if !b.Answers() || b.Fenced || number(b.Settings, keyCopies) < 1 {
			t.Errorf("broker %+v", b)
		}
	}
	for _, want := range []struct {
		topic         string
		recent, plain int
	}{{"idempotent", 3, 0}, {"plain", 3, 3}, {"empty", 0, 0}} {
		topic := c.topic(want.topic)
		if topic == nil || len(topic.Partitions) != 3 || topic.copies() != 3 || number(topic.Settings, keyMinISR) < 1 {
			t.Errorf("topic %+v", topic)
			continue
		}
		w := topic.writers()
		if w.Recent != want.recent || w.Plain != want.plain || (w.Last == nil) != (want.recent == 0) {
			t.Errorf("%s: %+v, want %d batches and %d without a producer id", want.topic, w, want.recent, want.plain)
		}
	}
	// kfake has no quorum to tell of, and says so at once: that is no lost quorum.
	if c.Quorum != nil || c.QuorumLost || len(c.Unseen) != 1 || c.Unseen[0].Subject != "quorum" {
		t.Errorf("quorum %+v, unseen %+v", c.Quorum, c.Unseen)
	}
}

// kfake takes no assignment and gives no append time: the probe itself is for real brokers. Without a time there is no clock, and no guess.
func TestWithoutAnAppendTimeThereIsNoClock(t *testing.T) {
	f := fake(t)
	a, err := newAsker(t.Context(), f.ListenAddrs()[f.LeaderFor("empty", 0)])
	if err != nil {
		t.Fatal(err)
	}
	defer a.client.Close()
	if k, err := a.clock(t.Context(), "empty", 0, 7); err == nil || !strings.Contains(err.Error(), "no append time") {
		t.Errorf("clock %+v, %v", k, err)
	}
}

func TestAClockIsComparedWithTheMiddleOfTheRoundTrip(t *testing.T) {
	sent := time.UnixMilli(1_000_000)
	if got := compare(2, 1_000_350, sent, sent.Add(100*time.Millisecond)); got != (Clock{Node: 2, Ahead: 300, Error: 51}) {
		t.Errorf("got %+v", got)
	}
}

// A bootstrap address that is silent, or refuses, costs a deadline and is named; the others tell the rest.
func TestAnAddressThatIsSilentIsAFinding(t *testing.T) {
	t.Parallel()
	f, dead := fake(t), silent(t)
	begun := time.Now()
	c, err := gather(t.Context(), []string{dead, "127.0.0.1:1", f.ListenAddrs()[0]}, false)
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begun); took > 2*answerWithin {
		t.Errorf("it took %s", took)
	}
	if len(c.Dead) != 2 || c.Dead[0] != (Silence{dead, "no answer in time"}) || c.Dead[1].Why != "connection refused" || len(c.Brokers) != 3 {
		t.Errorf("dead %+v, brokers %+v", c.Dead, c.Brokers)
	}
}

func TestWithoutAnAnswerThereIsOneSentence(t *testing.T) {
	t.Parallel()
	one, other := fake(t), fake(t, kfake.ClusterID("another"))
	for name, c := range map[string]struct {
		addrs []string
		words string
	}{
		"nobody":       {[]string{"127.0.0.1:1", silent(t)}, "no broker answers at --brokers (127.0.0.1:1: connection refused; "},
		"two clusters": {[]string{one.ListenAddrs()[0], other.ListenAddrs()[0]}, "different clusters"},
	} {
		t.Run(name, func(t *testing.T) {
			var user *kafkaops.UserError
			if _, err := gather(t.Context(), c.addrs, false); !errors.As(err, &user) || !strings.Contains(user.Message, c.words) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestGatherEndsWhenItIsToldTo(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	begun := time.Now()
	var user *kafkaops.UserError
	if _, err := gather(ctx, []string{silent(t)}, false); !errors.As(err, &user) {
		t.Errorf("got %v", err)
	}
	if took := time.Since(begun); took > answerWithin/2 {
		t.Errorf("it took %s", took)
	}
}
