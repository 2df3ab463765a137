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
	read := cl.PollRecords(ctx, 3).Records()
	w := watching(t, sourceOf(addrs...), Config{Topics: []string{"a"}, Groups: []string{"g", "nobody"}, GroupsEvery: 50 * time.Millisecond})
	s := until(t, w, "a stable group without a commit", func(s *State) bool {
		return len(s.Groups) == 2 && s.Groups[0].State == "Stable" && len(s.Groups[0].Lag) == 2
	})
	if lag := s.Groups[0].TotalLag(); lag != -1 {
		t.Errorf("it lags %d, and what it starts with is its own affair", lag)
	}
	if err := cl.CommitRecords(ctx, read...); err != nil {
		t.Fatal(err)
	}
	s = until(t, w, "its lag", func(s *State) bool { return s.Groups[0].TotalLag() == int64(5-len(read)) })
	g := s.Groups[0]
	if len(g.Members) != 1 || len(g.Members[0].Assigned["a"]) != 2 || g.Coordinator < 0 || g.Err != "" || g.Seen.IsZero() {
		t.Errorf("group %+v", g)
	}
}

func TestAGroupThatCannotBeAskedKeepsWhatWasKnown(t *testing.T) {
	m := newModel(nil)
	at := time.Unix(1, 0)
	part := topicPartition{"a", 0}
	fine := toldGroup{group: Group{Name: "g", Type: classicGroup, State: "Stable"}}.behind(
		map[topicPartition]int64{part: 3}, kadm.ListedOffsets{"a": {0: {Topic: "a", Offset: 10}}}, nil)
	round := func(t toldGroup) groupRound { return groupRound{told: map[string]toldGroup{"g": t}} }
	m.grouped(round(fine), at)
	for _, c := range []struct {
		name  string
		round groupRound
		seen  time.Time
	}{
		{"the cluster is gone", groupRound{partial: errors.New("dial")}, at},
		{"the coordinator is gone", round(toldGroup{err: kerr.CoordinatorNotAvailable}), at},
		{"a leader is gone", round(toldGroup{group: fine.group}.behindNothing(part)), at.Add(time.Hour)},
		{"offsets cannot be had", round(toldGroup{group: Group{Name: "g", Type: classicGroup, State: "Stable"}, lagErr: kerr.RequestTimedOut}), at.Add(time.Hour)},
	} {
		m.grouped(c.round, at.Add(time.Hour))
		g := m.groups[0]
		if g.State != "Stable" || g.TotalLag() != 7 || g.Err == "" || !g.Seen.Equal(c.seen) {
			t.Errorf("%s: %+v", c.name, g)
		}
		m.groups[0].Seen = at
	}
	if m.grouped(round(fine), at); m.groups[0].Err != "" {
		t.Errorf("the error stayed: %+v", m.groups[0])
	}
	if m.grouped(groupRound{}, at); len(m.groups) != 0 {
		t.Errorf("a deleted group stayed: %+v", m.groups)
	}
}

// behindNothing is a group of which the end of one partition could not be had.
func (t toldGroup) behindNothing(tp topicPartition) toldGroup {
	t.group.Lag = nil
	return t.behind(map[topicPartition]int64{tp: 3}, nil, kerr.LeaderNotAvailable)
}

func TestRebalancesAreCounted(t *testing.T) {
	stable := func(epoch int32, members ...string) Group {
		g := Group{Name: "g", Type: classicGroup, State: "Stable", Epoch: epoch}
		if epoch > 0 {
			g.Type = consumerGroup
		}
		for _, id := range members {
			g.Members = append(g.Members, Member{ID: id})
		}
		return g
	}
	moving := func(state string) Group { return Group{Name: "g", Type: classicGroup, State: state} }
	for _, c := range []struct {
		name  string
		looks []Group
		want  int
	}{
		{"what was there before we looked is none", []Group{stable(0, "m1", "m2")}, 0},
		{"nothing happened", []Group{stable(0, "m1"), stable(0, "m1")}, 0},
		{"one seen in all its states is one", []Group{stable(0, "m1"), moving("PreparingRebalance"), moving("CompletingRebalance"), stable(0, "m1", "m2")}, 1},
		{"one between two looks", []Group{stable(0, "m1"), stable(0, "m2")}, 1},
		{"two", []Group{stable(0, "m1"), moving("PreparingRebalance"), stable(0, "m1"), moving("PreparingRebalance")}, 2},
		{"its epoch counts them with KIP-848", []Group{stable(4, "m1"), stable(7, "m1")}, 3},
		{"a member that reconciles is no other one", []Group{stable(4, "m1"), stable(4, "m1", "m2")}, 0},
	} {
		m := newModel(nil)
		for i, g := range c.looks {
			m.grouped(groupRound{told: map[string]toldGroup{"g": {group: g}}}, time.Unix(int64(i), 0))
		}
		if g := m.groups[0]; g.Rebalances != c.want || g.Rebalanced.IsZero() != (c.want == 0) {
			t.Errorf("%s: %d, last at %v, want %d", c.name, g.Rebalances, g.Rebalanced, c.want)
		}
	}
}

// A group of the newer type is not "Dead", and one of a type that nobody here can describe says what it is.
func TestGroupsOfEveryTypeAreTold(t *testing.T) {
	a := groupAsker{listed: map[string]listedGroup{"s": {"streams", "NotReady", 2}}}
	told := map[string]toldGroup{}
	a.describe(t.Context(), told)
	if g := told["s"].group; g.Type != "streams" || g.State != "NotReady" || g.Coordinator != 2 || !g.Opaque {
		t.Errorf("%+v", g)
	}
	got := map[string]kadm.DescribedConsumerGroup{"c": {
		Group: "c", State: "Assigning", AssignorName: "uniform", Epoch: 3, Coordinator: kadm.BrokerDetail{NodeID: 1},
		Members: []kadm.ConsumerGroupMember{{MemberID: "m", Assignment: kadm.TopicsSet{"a": {2: {}, 0: {}}}}},
	}, "gone": {Err: kerr.GroupIDNotFound}}
	describeAs(t.Context(), told, []string{"c", "gone", "unasked"}, func(context.Context, ...string) (map[string]kadm.DescribedConsumerGroup, error) {
		return got, nil
	}, consumer)
	describeAs(t.Context(), told, []string{"silent"}, func(context.Context, ...string) (kadm.DescribedConsumerGroups, error) {
		return nil, kerr.CoordinatorNotAvailable
	}, consumer)
	for name, want := range map[string]error{"c": nil, "gone": kerr.GroupIDNotFound, "unasked": errUndescribed, "silent": kerr.CoordinatorNotAvailable} {
		if !errors.Is(told[name].err, want) {
			t.Errorf("%s: %v, want %v", name, told[name].err, want)
		}
	}
	if g := told["c"].group; g.Type != "consumer" || g.State != "Assigning" || fmt.Sprint(g.Members[0].Assigned) != "map[a:[0 2]]" {
		t.Errorf("%+v", g)
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
