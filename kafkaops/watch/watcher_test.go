package watch

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kassa/kafkaops"
)

// fixed is a Source that a test changes by hand.
type fixed struct {
	mu    sync.Mutex
	nodes []kafkaops.Node
	seeds []string
}

func (f *fixed) Nodes() []kafkaops.Node {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.nodes)
}

func (f *fixed) Bootstrap() []string { return f.seeds }

func (f *fixed) process(id int32, p kafkaops.Process) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.nodes[id].Process = p
}

func sourceOf(addrs ...string) *fixed {
	f := &fixed{seeds: addrs}
	for i, a := range addrs {
		f.nodes = append(f.nodes, kafkaops.Node{ID: int32(i), Addr: a})
	}
	return f
}

func fake(t *testing.T) *kfake.Cluster {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(3), kfake.SeedTopics(2, "a", "b"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// addresses lists a fake cluster's brokers in the order of their ids, which begin at 0.
func addresses(t *testing.T, c *kfake.Cluster) []string {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	brokers, err := kadm.NewClient(cl).ListBrokers(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	out := make([]string, len(brokers))
	for _, b := range brokers {
		out[b.NodeID] = fmt.Sprintf("%s:%d", b.Host, b.Port)
	}
	return out
}

func watching(t *testing.T, s Source, cfg Config) *Watcher {
	t.Helper()
	w := Start(s, cfg)
	t.Cleanup(w.Close)
	return w
}

// until waits for a state that is ok, and fails with the last one if none comes.
func until(t *testing.T, w *Watcher, what string, ok func(*State) bool) *State {
	t.Helper()
	for end := time.Now().Add(90 * time.Second); ; {
		s := w.State()
		if ok(s) {
			return s
		}
		if time.Now().After(end) {
			t.Fatalf("waited for %s in vain; last:\n%+v", what, s)
		}
		select {
		case <-w.States():
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func TestAPinnedClientAsksItsOwnBrokerOnlyAndEachTimeAnew(t *testing.T) {
	c := fake(t)
	var mu sync.Mutex
	asked := map[int32]int{}
	c.ControlKey(int16(kmsg.Metadata), func(kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		mu.Lock()
		defer mu.Unlock()
		asked[c.CurrentNode()]++
		return nil, nil, false
	})
	client, err := pinned(c.ListenAddrs()[1], (&net.Dialer{}).DialContext, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	const rounds = 20
	for range rounds {
		if _, err := kadm.NewClient(client).Metadata(context.Background(), "a"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(floor) // the cache of kadm is what is tested: no condition tells of it
	}
	mu.Lock()
	defer mu.Unlock()
	if len(asked) != 1 {
		t.Errorf("brokers asked, with counts: %v, want one", asked)
	}
	for id, n := range asked {
		if n < rounds {
			t.Errorf("broker %d was asked %d times, want %d: the rest came from a cache", id, n, rounds)
		}
	}
}

func TestABrokerThatHangsAndOneThatIsGoneDelayNobody(t *testing.T) {
	c := fake(t)
	addrs := addresses(t, c)
	hangs, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer hangs.Close()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	w := watching(t, sourceOf(addrs[0], hangs.Addr().String(), closed.Addr().String()), Config{Topics: []string{"b", "a"}})

	s := until(t, w, "one up, one unknown, one down", func(s *State) bool {
		return s.Nodes[0].Health == Up && s.Nodes[1].Health == Unknown && s.Nodes[1].Err != "" && s.Nodes[2].Health == Down
	})
	if s.Nodes[2].Err != "connection refused" || s.Nodes[1].Err != "no answer in time" {
		t.Errorf("reasons %q and %q", s.Nodes[1].Err, s.Nodes[2].Err)
	}
	var order []string
	for _, p := range s.Partitions {
		order = append(order, fmt.Sprint(p.Topic, p.ID))
	}
	if fmt.Sprint(order) != "[b0 b1 a0 a1]" {
		t.Errorf("partitions %v, want them in the order asked for", order)
	}
	until(t, w, "fresh answers of the one that lives", func(now *State) bool { return now.Nodes[0].Seen.After(s.Nodes[0].Seen) })
}

func TestDeadBootstrapAddressesAreNoHindrance(t *testing.T) {
	c := fake(t)
	w := watching(t, &fixed{seeds: append([]string{"127.0.0.1:1"}, addresses(t, c)[2])}, Config{})
	s := until(t, w, "three brokers up", func(s *State) bool { return s.Count(Up) == 3 })
	if len(s.Nodes) != 3 || len(s.Partitions) != 4 {
		t.Errorf("%d nodes, %d partitions", len(s.Nodes), len(s.Partitions))
	}
}

func TestASlowReaderGetsTheNewestState(t *testing.T) {
	c := fake(t)
	w := watching(t, sourceOf(addresses(t, c)...), Config{Topics: []string{"a"}})
	s := until(t, w, "partitions", func(s *State) bool { return len(s.Partitions) == 2 && s.Count(Up) == 3 })
	from := s.Partitions[0].Leader
	to := s.Nodes[0].ID
	if to == from {
		to = s.Nodes[1].ID
	}
	if err := c.MoveTopicPartition("a", 0, to); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(30 * time.Second); w.State().Partitions[0].Leader != to; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the move was not seen")
		}
	}
	got := <-w.States()
	if p := got.Partitions[0]; p.Leader != to || p.From != from || p.Moved.IsZero() {
		t.Errorf("the waiting state is an old one: %+v", p)
	}
}

func TestGroupsComeWithMembersAndLag(t *testing.T) {
	c := fake(t)
	addrs := addresses(t, c)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	cl, err := kgo.NewClient(kgo.SeedBrokers(addrs...), kgo.ConsumerGroup("g"), kgo.ConsumeTopics("a"), kgo.DisableAutoCommit())
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	for range 5 {
		if err := cl.ProduceSync(ctx, &kgo.Record{Topic: "a", Key: []byte("k")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	cl.PollFetches(ctx)
	w := watching(t, sourceOf(addrs...), Config{Topics: []string{"a"}, Groups: []string{"g", "nobody"}, GroupsEvery: 50 * time.Millisecond})
	s := until(t, w, "a stable group with its lag", func(s *State) bool {
		return len(s.Groups) == 2 && s.Groups[0].State == "Stable" && s.Groups[0].TotalLag() == 5
	})
	g := s.Groups[0]
	if len(g.Members) != 1 || len(g.Members[0].Assigned["a"]) != 2 || g.Coordinator < 0 || g.Err != "" || g.Seen.IsZero() {
		t.Errorf("group %+v", g)
	}
}

func TestAGroupThatCannotBeAskedKeepsWhatWasKnown(t *testing.T) {
	m := newModel(nil)
	at := time.Unix(1, 0)
	lag := func(err error) kadm.DescribedGroupLags {
		return kadm.DescribedGroupLags{"g": {Group: "g", State: "Stable", Lag: kadm.GroupLag{"a": {0: {
			Topic: "a", Lag: 7, Commit: kadm.Offset{At: 3}, End: kadm.ListedOffset{Offset: 10}, Err: err,
		}}}}}
	}
	m.grouped(nil, lag(nil), nil, at)
	for _, c := range []struct {
		name string
		lags kadm.DescribedGroupLags
		err  error
		seen time.Time
	}{
		{"the cluster is gone", nil, errors.New("dial"), at},
		{"the coordinator is gone", kadm.DescribedGroupLags{"g": {Group: "g", DescribeErr: kerr.CoordinatorNotAvailable}}, nil, at},
		{"a leader is gone", lag(kerr.LeaderNotAvailable), nil, at.Add(time.Hour)},
		{"offsets cannot be had", kadm.DescribedGroupLags{"g": {Group: "g", State: "Stable", FetchErr: kerr.RequestTimedOut}}, nil, at.Add(time.Hour)},
	} {
		m.grouped(nil, c.lags, c.err, at.Add(time.Hour))
		g := m.groups[0]
		if g.State != "Stable" || g.TotalLag() != 7 || g.Err == "" || !g.Seen.Equal(c.seen) {
			t.Errorf("%s: %+v", c.name, g)
		}
		m.groups[0].Seen = at
	}
	if m.grouped(nil, lag(nil), nil, at); m.groups[0].Err != "" {
		t.Errorf("the error stayed: %+v", m.groups[0])
	}
	if m.grouped(nil, kadm.DescribedGroupLags{}, nil, at); len(m.groups) != 0 {
		t.Errorf("a deleted group stayed: %+v", m.groups)
	}
}

func TestMinISRIsLearntFromTheTopic(t *testing.T) {
	c := fake(t)
	addrs := addresses(t, c)
	cl, err := kgo.NewClient(kgo.SeedBrokers(addrs...))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	two := "2"
	if _, err := kadm.NewClient(cl).CreateTopic(context.Background(), 1, 3, map[string]*string{"min.insync.replicas": &two}, "strict"); err != nil {
		t.Fatal(err)
	}
	w := watching(t, sourceOf(addrs...), Config{Topics: []string{"strict"}})
	until(t, w, "min ISR 2", func(s *State) bool { return len(s.Partitions) == 1 && s.Partitions[0].MinISR == 2 })
}

func TestTheEndOfAProcessIsSeenAtTheNextLookAndAQuietClusterTwiceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := sourceOf("b1:1", "b2:1", "b3:1")
		for id := range int32(3) {
			f.process(id, kafkaops.ProcessRunning)
		}
		w := Start(f, Config{Dial: func(context.Context, string, string) (net.Conn, error) { return nil, errRefused }})
		defer w.Close()
		time.Sleep(2 * time.Second)
		<-w.States()
		start := time.Now()
		for range 4 {
			if s := <-w.States(); s.Count(Starting) != 3 {
				t.Errorf("health %+v", s.Nodes)
			}
		}
		if took := time.Since(start); took < 3*publishEvery || took > 5*publishEvery {
			t.Errorf("four states of a quiet cluster took %v", took)
		}
		f.process(1, kafkaops.ProcessExited)
		start = time.Now()
		for s := range w.States() {
			if s.Nodes[1].Health == Down {
				break
			}
		}
		if took := time.Since(start); took > lookEvery {
			t.Errorf("the end of a process was seen after %v", took)
		}
	})
}

func TestARoundIsWokenButNeverBelowTheFloor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		woken := make(chan struct{}, 1)
		took := func() time.Duration {
			start := time.Now()
			sleep(t.Context(), start, time.Second, woken)
			return time.Since(start)
		}
		if got := took(); got != time.Second {
			t.Errorf("not woken it took %v", got)
		}
		wake(woken)
		wake(woken) // does not block
		if got := took(); got != floor {
			t.Errorf("woken it took %v, want %v", got, floor)
		}
	})
}
