// Package conformance is what every provider of a cluster must do alike: start, say what it is, take and give records, suffer every fault, recover, and
// look to a client as Kafka does meanwhile. A provider's tests run Cases on it. The package knows no provider.
package conformance

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kassa/kafkaops"
	"kassa/kafkaops/watch"
)

// within is how long a condition may take; a stock session is 9 s. No case waits for it to pass.
const within = 60 * time.Second

// Subject is a cluster of three that is whole. A case leaves it whole.
type Subject struct {
	Cluster kafkaops.Cluster
	// Dial opens a connection; nil means TCP.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
}

// Case is one thing that a provider must do.
type Case struct {
	Name string
	Do   func(t *testing.T, s *Subject)
	// RealTime says that the case stands still on a clock of testing/synctest: kgo's group client holds a lock while it waits for a commit to be tried
	// again, and who waits for a lock keeps that clock from going on.
	RealTime bool
}

// Cases are all of them. Each can run on a cluster of its own, or all on one, one after the other.
func Cases() []Case {
	return []Case{
		{Name: "says what it is", Do: describes},
		{Name: "each broker tells the same", Do: tells},
		{Name: "what is produced is consumed", Do: consumes},
		{Name: "a transaction is seen whole or not at all", Do: transacts},
		{Name: "no acknowledged record is lost when a follower of the quorum is killed", Do: func(t *testing.T, s *Subject) { survives(t, s, kafkaops.Kill, false) }},
		{Name: "no acknowledged record is lost when the controller is killed", Do: func(t *testing.T, s *Subject) { survives(t, s, kafkaops.Kill, true) }},
		{Name: "no acknowledged record is lost when a broker is paused", Do: func(t *testing.T, s *Subject) { survives(t, s, kafkaops.Pause, false) }},
		{Name: "no acknowledged record is lost when the controller is paused", Do: func(t *testing.T, s *Subject) { survives(t, s, kafkaops.Pause, true) }},
		{Name: "no acknowledged record is lost when a broker is stopped", Do: func(t *testing.T, s *Subject) { survives(t, s, kafkaops.Stop, false) }},
		{Name: "no acknowledged record is lost when the controller is stopped", Do: func(t *testing.T, s *Subject) { survives(t, s, kafkaops.Stop, true) }},
		{Name: "no acknowledged record is lost when a broker restarts", Do: func(t *testing.T, s *Subject) { survives(t, s, kafkaops.Restart, false) }},
		{Name: "no acknowledged record is lost when a broker's network is cut", Do: func(t *testing.T, s *Subject) { cuts(t, s, false) }},
		{Name: "no acknowledged record is lost when the controller's network is cut", Do: func(t *testing.T, s *Subject) { cuts(t, s, true) }},
		{Name: "a broker that was killed while it was cut off comes back connected", Do: revives},
		{Name: "a killed broker refuses connections and a paused one keeps them", Do: connections},
		{Name: "below the minimum of replicas in sync writes are refused", Do: refusesBelowMinISR},
		{Name: "without a quorum nothing changes and writes time out", Do: freezes},
		{Name: "the preferred leaders lead again when asked", Do: elects},
		{Name: "what cannot be done is refused with a reason", Do: refuses},
		{Name: "a group goes on where it was when its coordinator is killed", Do: groups, RealTime: true},
	}
}

// ---- what cases are made of

// bench is a subject with a topic of its own, a watcher and clients.
type bench struct {
	t *testing.T
	*Subject
	topic   string
	watcher *watch.Watcher
	admin   *kadm.Client
}

func newBench(t *testing.T, s *Subject, topic string, config map[string]string) *bench {
	t.Helper()
	b := &bench{t: t, Subject: s, topic: topic}
	b.admin = kadm.NewClient(b.client())
	b.watcher = watch.Start(s.Cluster, watch.Config{Topics: []string{topic}, Dial: s.Dial})
	t.Cleanup(b.watcher.Close)
	settings := map[string]*string{"min.insync.replicas": kmsg.StringPtr("2")}
	for k, v := range config {
		settings[k] = &v
	}
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	_, err := b.admin.CreateTopic(ctx, 3, 3, settings, topic)
	if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
		t.Fatal(err)
	}
	b.whole()
	return b
}

func (b *bench) client(opts ...kgo.Opt) *kgo.Client {
	b.t.Helper()
	all := kafkaops.ClientOptions(b.Cluster.Bootstrap())
	if b.Dial != nil {
		all = append(all, kgo.Dialer(b.Dial))
	}
	c, err := kgo.NewClient(append(all, opts...)...)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(c.Close)
	return c
}

func (b *bench) await(what string, is func(s *watch.State) bool) {
	b.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(within); !is(b.watcher.State()); <-tick.C {
		if time.Now().After(deadline) {
			b.t.Fatalf("after %v still not so: %s\n%+v", within, what, *b.watcher.State())
		}
	}
}

// whole waits until three brokers are up, the quorum is known and nothing is under-replicated.
func (b *bench) whole() {
	b.t.Helper()
	b.await("the cluster is whole", func(s *watch.State) bool {
		return s.Quorum.Known && s.Count(watch.Up) == 3 && len(s.Partitions) == 3 && s.UnderReplicated() == 0 && s.Offline() == 0
	})
}

func (b *bench) do(v kafkaops.Verb, node int32) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), within)
	defer cancel()
	if err := b.Cluster.Do(ctx, kafkaops.Fault{Verb: v, Node: node}); err != nil {
		b.t.Fatal(err)
	}
}

// back undoes what a fault did.
func (b *bench) back(v kafkaops.Verb, node int32) {
	b.t.Helper()
	switch v {
	case kafkaops.Kill, kafkaops.Stop:
		b.do(kafkaops.Start, node)
	case kafkaops.Pause:
		b.do(kafkaops.Resume, node)
	case kafkaops.Cut:
		b.do(kafkaops.Reconnect, node)
	}
	b.whole()
}

// victim is the controller, or another broker.
func (b *bench) victim(controller bool) int32 {
	leader := b.watcher.State().Quorum.Leader
	if controller {
		return leader
	}
	return leader%3 + 1
}

// ledger is what a producer was promised.
type ledger struct {
	mu    sync.Mutex
	acked map[string]bool
	last  time.Time // of the last acknowledgement
}

// write produces a record every few milliseconds, without waiting for answers, until stop is called; that waits for what is pending.
func (b *bench) write() (l *ledger, stop func()) {
	l = &ledger{acked: map[string]bool{}}
	cl := b.client(kgo.DefaultProduceTopic(b.topic), kgo.RecordPartitioner(kgo.RoundRobinPartitioner()))
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for i := 0; ; i++ {
			id := fmt.Sprintf("%s-%d", b.t.Name(), i)
			cl.Produce(context.Background(), kgo.StringRecord(id), func(_ *kgo.Record, err error) {
				l.mu.Lock()
				defer l.mu.Unlock()
				if err == nil {
					l.acked[id], l.last = true, time.Now()
				}
			})
			select {
			case <-tick.C:
			case <-done:
				return
			}
		}
	})
	return l, sync.OnceFunc(func() {
		close(done)
		wg.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), within)
		defer cancel()
		if err := cl.Flush(ctx); err != nil {
			b.t.Errorf("some writes have no outcome: %v", err)
		}
	})
}

// flows waits for an acknowledgement of something that was written after this moment.
func (b *bench) flows(l *ledger) {
	b.t.Helper()
	since := time.Now()
	b.await("writes are acknowledged", func(*watch.State) bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.last.After(since)
	})
}

// quiet is how long a reader that has all it wants looks for more than that.
const quiet = 500 * time.Millisecond

// read returns how often each value is in the topic, of what is committed, as soon as all is there that is wanted, and nothing more comes.
func (b *bench) read(all func(got map[string]int) bool) map[string]int {
	b.t.Helper()
	cl := b.client(kgo.ConsumeTopics(b.topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.FetchMaxWait(100*time.Millisecond))
	got := map[string]int{}
	for limit := within; ; {
		ctx, cancel := context.WithTimeout(b.t.Context(), limit)
		fs := cl.PollFetches(ctx)
		over := ctx.Err() != nil
		cancel()
		fs.EachRecord(func(r *kgo.Record) { got[string(r.Value)]++ })
		if all(got) {
			limit = quiet
		}
		if over {
			return got
		}
	}
}

// follow reads the topic from now on, through all that happens. stop waits until everything acknowledged has come, and fails if anything came twice
// or if a new leader sent the reader back.
func (b *bench) follow(l *ledger) (stop func()) {
	b.t.Helper()
	cl := b.client(kgo.ConsumeTopics(b.topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(100*time.Millisecond))
	ctx, cancel := context.WithCancel(b.t.Context())
	b.t.Cleanup(cancel)
	var (
		mu   sync.Mutex
		got  = map[string]int{}
		done sync.WaitGroup
	)
	done.Go(func() {
		for ctx.Err() == nil {
			fs := cl.PollFetches(ctx)
			mu.Lock()
			fs.EachError(func(topic string, part int32, err error) {
				var lost *kgo.ErrDataLoss
				if errors.As(err, &lost) {
					b.t.Errorf("%s/%d: %v", topic, part, err)
				}
			})
			fs.EachRecord(func(r *kgo.Record) { got[string(r.Value)]++ })
			mu.Unlock()
		}
	})
	return func() {
		b.t.Helper()
		b.await("a reader that was there all the time has everything", func(*watch.State) bool {
			mu.Lock()
			defer mu.Unlock()
			l.mu.Lock()
			defer l.mu.Unlock()
			for id := range l.acked {
				if got[id] == 0 {
					return false
				}
			}
			return true
		})
		cancel()
		done.Wait()
		for id, n := range got {
			if n != 1 {
				b.t.Errorf("%s came %d times to a reader that was there all the time", id, n)
			}
		}
	}
}

// kept fails unless every acknowledged record is there once.
func (b *bench) kept(l *ledger) {
	b.t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.acked) == 0 {
		b.t.Fatal("nothing was acknowledged")
	}
	got := b.read(func(got map[string]int) bool {
		for id := range l.acked {
			if got[id] == 0 {
				return false
			}
		}
		return true
	})
	for id := range l.acked {
		if got[id] != 1 {
			b.t.Errorf("%s was acknowledged and is there %d times", id, got[id])
		}
	}
}

// ---- the cases

func describes(t *testing.T, s *Subject) {
	info := s.Cluster.Info()
	if info.Provider == "" || info.Why == "" {
		t.Errorf("info %+v", info)
	}
	nodes := s.Cluster.Nodes()
	if len(nodes) != 3 || len(s.Cluster.Bootstrap()) != 3 {
		t.Fatalf("nodes %+v, bootstrap %v", nodes, s.Cluster.Bootstrap())
	}
	for i, n := range nodes {
		if n.ID != int32(i+1) || n.Addr != s.Cluster.Bootstrap()[i] || n.Process != kafkaops.ProcessRunning {
			t.Errorf("node %+v", n)
		}
		for _, v := range []kafkaops.Verb{kafkaops.Kill, kafkaops.Stop, kafkaops.Pause, kafkaops.Resume, kafkaops.Start, kafkaops.Restart} {
			if !n.Supports(v) {
				t.Errorf("broker %d cannot %s", n.ID, v)
			}
		}
	}
}

func tells(t *testing.T, s *Subject) {
	b := newBench(t, s, "conformance-tells", nil)
	var first kadm.Metadata
	for i, addr := range s.Cluster.Bootstrap() {
		md, err := kadm.NewClient(b.client(kgo.SeedBrokers(addr))).Metadata(t.Context(), b.topic)
		if err != nil {
			t.Fatal(err)
		}
		if len(md.Brokers) != 3 {
			t.Errorf("%s knows %d brokers", addr, len(md.Brokers))
		}
		td := md.Topics[b.topic]
		if len(td.Partitions) != 3 || td.ID == (kadm.TopicID{}) {
			t.Fatalf("%s: %+v", addr, td)
		}
		for _, p := range td.Partitions.Sorted() {
			if len(p.Replicas) != 3 || len(p.ISR) != 3 || p.Leader != p.Replicas[0] || p.LeaderEpoch < 0 || len(p.OfflineReplicas) != 0 {
				t.Errorf("%s: %+v", addr, p)
			}
		}
		if i == 0 {
			first = md
		} else if first.Cluster != md.Cluster || first.Topics[b.topic].ID != td.ID {
			t.Errorf("%s tells of another cluster or topic", addr)
		}
	}
	q := b.watcher.State().Quorum
	if q.Leader < 1 || q.Leader > 3 || q.Epoch < 1 || len(q.Voters) != 3 {
		t.Errorf("quorum %+v", q)
	}
	b.await("voters near the end of the log", func(s *watch.State) bool {
		return !slices.ContainsFunc(s.Quorum.Voters, func(r watch.Replica) bool { return r.LogEnd <= 0 || r.Lag > 10 })
	})
	cluster := kmsg.NewPtrDescribeClusterRequest()
	cluster.IncludeFencedBrokers = true
	resp, err := cluster.RequestWith(t.Context(), b.client())
	if err != nil {
		t.Fatal(err)
	}
	for _, br := range resp.Brokers {
		if br.IsFenced {
			t.Errorf("broker %d is fenced", br.NodeID)
		}
	}
	b.await("min.insync.replicas", func(s *watch.State) bool { return s.Partitions[0].MinISR == 2 })
	configs, err := b.admin.DescribeBrokerConfigs(t.Context(), 2)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := configs.On("2", nil); err != nil {
		t.Errorf("settings of broker 2: %v", err)
	}
}

func consumes(t *testing.T, s *Subject) {
	b := newBench(t, s, "conformance-consumes", nil)
	cl := b.client(kgo.DefaultProduceTopic(b.topic), kgo.RecordPartitioner(kgo.RoundRobinPartitioner()))
	const n = 300
	for i := range n {
		cl.Produce(t.Context(), kgo.StringRecord(fmt.Sprint(i)), func(_ *kgo.Record, err error) {
			if err != nil {
				t.Error(err)
			}
		})
	}
	if err := cl.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	const group = "conformance-consumes"
	reader := b.client(kgo.ConsumerGroup(group), kgo.ConsumeTopics(b.topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DisableAutoCommit(),
		kgo.FetchMaxWait(100*time.Millisecond))
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	got := map[string]int{}
	for len(got) < n {
		fs := reader.PollFetches(ctx)
		if err := fs.Err0(); err != nil {
			t.Fatalf("read %d of %d: %v", len(got), n, err)
		}
		fs.EachRecord(func(r *kgo.Record) { got[string(r.Value)]++ })
	}
	if err := reader.CommitUncommittedOffsets(ctx); err != nil {
		t.Fatal(err)
	}
	lags, err := b.admin.Lag(ctx, group)
	if err != nil {
		t.Fatal(err)
	}
	lag := lags[group]
	if lag.Error() != nil || lag.Lag.Total() != 0 || lag.State != "Stable" {
		t.Errorf("the group's lag: %+v", lag)
	}
	b.await("the group in the picture, with its coordinator", func(s *watch.State) bool {
		return slices.ContainsFunc(s.Groups, func(g watch.Group) bool { return g.Name == group && g.Coordinator > 0 && g.TotalLag() == 0 })
	})
}

func transacts(t *testing.T, s *Subject) {
	b := newBench(t, s, "conformance-transacts", nil)
	cl := b.client(kgo.DefaultProduceTopic(b.topic), kgo.TransactionalID("conformance"), kgo.TransactionTimeout(10*time.Second))
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	for _, how := range []kgo.TransactionEndTry{kgo.TryCommit, kgo.TryAbort, kgo.TryCommit} {
		if err := cl.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		for i := range 10 {
			value := fmt.Sprintf("%v-%d", bool(how), i)
			if err := cl.ProduceSync(ctx, kgo.StringRecord(value)).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
		if err := cl.EndTransaction(ctx, how); err != nil {
			t.Fatal(err)
		}
	}
	got := b.read(func(got map[string]int) bool { return got["true-9"] == 2 })
	for i := range 10 {
		if got[fmt.Sprintf("true-%d", i)] != 2 || got[fmt.Sprintf("false-%d", i)] != 0 {
			t.Fatalf("seen %v", got)
		}
	}
}

func survives(t *testing.T, s *Subject, v kafkaops.Verb, controller bool) {
	b := newBench(t, s, "conformance-survives", nil)
	victim := b.victim(controller)
	before := b.watcher.State().Quorum
	l, stop := b.write()
	defer stop()
	followed := b.follow(l)
	b.flows(l)
	b.do(v, victim)
	if v != kafkaops.Restart {
		b.await("it leads nothing and is in no ISR", func(s *watch.State) bool {
			return !slices.ContainsFunc(s.Partitions, func(p watch.Partition) bool { return p.Leader == victim || slices.Contains(p.ISR, victim) })
		})
		b.await("it is seen as what it is", func(s *watch.State) bool {
			n, _ := s.Node(victim)
			return n.Health == map[kafkaops.Verb]watch.Health{kafkaops.Kill: watch.Down, kafkaops.Stop: watch.Down, kafkaops.Pause: watch.Paused, kafkaops.Cut: watch.Cut}[v]
		})
		b.flows(l)
		if controller {
			b.await("another controller, in a later epoch", func(s *watch.State) bool {
				return s.Quorum.Known && s.Quorum.Leader != victim && s.Quorum.Epoch > before.Epoch
			})
		}
	}
	b.back(v, victim)
	b.flows(l)
	stop()
	followed()
	b.kept(l)
}

// cuts is survives where brokers have networks of their own; elsewhere a cut must be refused.
func cuts(t *testing.T, s *Subject, controller bool) {
	if canCut(s) {
		survives(t, s, kafkaops.Cut, controller)
		return
	}
	for _, v := range []kafkaops.Verb{kafkaops.Cut, kafkaops.Reconnect} {
		var r *kafkaops.RefusedError
		if err := s.Cluster.Do(t.Context(), kafkaops.Fault{Verb: v, Node: 1}); !errors.As(err, &r) {
			t.Errorf("%s of a broker that has no network of its own: %v", v, err)
		}
	}
}

func canCut(s *Subject) bool {
	return !slices.ContainsFunc(s.Cluster.Nodes(), func(n kafkaops.Node) bool { return !n.Supports(kafkaops.Cut) || !n.Supports(kafkaops.Reconnect) })
}

func revives(t *testing.T, s *Subject) {
	if !canCut(s) {
		return // nothing is claimed
	}
	b := newBench(t, s, "conformance-revives", nil)
	victim := b.victim(false)
	var r *kafkaops.RefusedError
	if err := s.Cluster.Do(t.Context(), kafkaops.Fault{Verb: kafkaops.Reconnect, Node: victim}); !errors.As(err, &r) || r.Reason != "it is not cut off" {
		t.Errorf("reconnecting what is connected: %v", err)
	}
	b.do(kafkaops.Cut, victim)
	if err := s.Cluster.Do(t.Context(), kafkaops.Fault{Verb: kafkaops.Cut, Node: victim}); !errors.As(err, &r) || r.Reason != "it is already cut off" {
		t.Errorf("cutting what is cut off: %v", err)
	}
	b.do(kafkaops.Kill, victim)
	b.await("it is down", func(s *watch.State) bool { n, _ := s.Node(victim); return n.Health == watch.Down })
	b.back(kafkaops.Kill, victim)
}

func connections(t *testing.T, s *Subject) {
	b := newBench(t, s, "conformance-connections", nil)
	dial := s.Dial
	if dial == nil {
		dial = (&net.Dialer{Timeout: time.Second}).DialContext
	}
	victim := b.victim(false)
	addr := s.Cluster.Bootstrap()[victim-1]
	ask := func(c net.Conn) error {
		_ = c.SetDeadline(time.Now().Add(time.Second))
		req := kmsg.NewPtrApiVersionsRequest()
		req.SetVersion(0)
		if _, err := c.Write(kmsg.NewRequestFormatter().AppendRequest(nil, req, 1)); err != nil {
			return err
		}
		_, err := c.Read(make([]byte, 1<<16))
		return err
	}
	open := func() net.Conn {
		t.Helper()
		c, err := dial(t.Context(), "tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	c := open()
	if err := ask(c); err != nil {
		t.Fatal(err)
	}
	b.do(kafkaops.Pause, victim)
	var slow net.Error
	if err := ask(c); !errors.As(err, &slow) || !slow.Timeout() {
		t.Errorf("a paused broker on an old connection: %v", err)
	}
	if err := ask(open()); !errors.As(err, &slow) || !slow.Timeout() {
		t.Errorf("a paused broker on a new connection: %v", err)
	}
	b.back(kafkaops.Pause, victim)
	c = open()
	if err := ask(c); err != nil {
		t.Fatal(err)
	}
	b.do(kafkaops.Kill, victim)
	if err := ask(c); err == nil || errors.As(err, &slow) && slow.Timeout() {
		t.Errorf("a killed broker on an old connection: %v", err)
	}
	if c, err := dial(t.Context(), "tcp", addr); err == nil {
		c.Close()
		t.Error("a killed broker takes connections")
	}
	b.back(kafkaops.Kill, victim)
}

func refusesBelowMinISR(t *testing.T, s *Subject) {
	b := newBench(t, s, "conformance-min-isr", map[string]string{"min.insync.replicas": "3"})
	victim := b.victim(false)
	b.do(kafkaops.Kill, victim)
	b.await("two in sync of three that are asked for, and one eligible", func(s *watch.State) bool {
		return s.UnderMinISR() == 3 && !slices.ContainsFunc(s.Partitions, func(p watch.Partition) bool { return !slices.Equal(p.ELR, []int32{victim}) })
	})
	cl := b.client(kgo.DefaultProduceTopic(b.topic), kgo.RecordRetries(2))
	err := cl.ProduceSync(t.Context(), kgo.StringRecord("x")).FirstErr()
	if !errors.Is(err, kerr.NotEnoughReplicas) {
		t.Errorf("a write below min.insync.replicas: %v", err)
	}
	b.back(kafkaops.Kill, victim)
	if err := cl.ProduceSync(t.Context(), kgo.StringRecord("y")).FirstErr(); err != nil {
		t.Errorf("a write with all back: %v", err)
	}
}

func freezes(t *testing.T, s *Subject) {
	b := newBench(t, s, "conformance-freezes", nil)
	l, stop := b.write()
	defer stop()
	b.flows(l)
	first := b.victim(false)
	b.do(kafkaops.Kill, first)
	b.await("the first is out", func(s *watch.State) bool {
		return s.UnderReplicated() == 3 && !slices.ContainsFunc(s.Partitions, func(p watch.Partition) bool { return p.Leader == first })
	})
	b.flows(l)
	second := b.victim(true)
	last := 6 - first - second
	b.do(kafkaops.Kill, second)
	b.await("no quorum", func(s *watch.State) bool { return !s.Quorum.Known })
	for _, p := range b.watcher.State().Partitions {
		if !slices.Contains(p.ISR, second) {
			t.Errorf("the ISR has shrunk without a quorum: %+v", p)
		}
	}
	// A write to what the last one leads, with its own time-out.
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	md, err := b.admin.Metadata(ctx, b.topic)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range md.Topics[b.topic].Partitions.Sorted() {
		if p.Leader != last {
			continue
		}
		// Not idempotent: such a producer would never give up on a write of which it does not know the outcome.
		cl := b.client(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.RecordRetries(1), kgo.DisableIdempotentWrite())
		r := kgo.StringRecord("into the frozen")
		r.Topic, r.Partition = b.topic, p.Partition
		if err := cl.ProduceSync(ctx, r).FirstErr(); !errors.Is(err, kerr.RequestTimedOut) && !errors.Is(err, kgo.ErrRecordRetries) {
			t.Errorf("a write without a quorum: %v", err)
		}
		break
	}
	cancel()
	b.do(kafkaops.Start, second)
	b.await("a quorum", func(s *watch.State) bool { return s.Quorum.Known })
	b.flows(l)
	b.back(kafkaops.Kill, first)
	b.flows(l)
	stop()
	b.kept(l)
}

func elects(t *testing.T, s *Subject) {
	b := newBench(t, s, "conformance-elects", nil)
	elect := func() {
		t.Helper()
		results, err := b.admin.ElectLeaders(t.Context(), kadm.ElectPreferredReplica, nil)
		if err != nil {
			t.Fatal(err)
		}
		for topic, parts := range results {
			for part, r := range parts {
				if r.Err != nil && !errors.Is(r.Err, kerr.ElectionNotNeeded) {
					t.Errorf("%s/%d: %v", topic, part, r.Err)
				}
			}
		}
	}
	astray := func(s *watch.State) bool {
		return slices.ContainsFunc(s.Partitions, func(p watch.Partition) bool { return p.Leader != p.Preferred() })
	}
	elect()
	b.await("all leaders preferred", func(s *watch.State) bool { return !astray(s) })
	epochs := map[int32]int32{}
	for _, p := range b.watcher.State().Partitions {
		epochs[p.ID] = p.Epoch
	}
	victim := b.victim(false)
	b.do(kafkaops.Restart, victim)
	b.await("its leaderships moved", astray)
	b.whole()
	elect()
	b.await("all leaders preferred again", func(s *watch.State) bool { return !astray(s) })
	for _, p := range b.watcher.State().Partitions {
		if p.Preferred() == victim && p.Epoch < epochs[p.ID]+2 {
			t.Errorf("partition %d went away and came back, and its epoch from %d to %d", p.ID, epochs[p.ID], p.Epoch)
		}
	}
}

func refuses(t *testing.T, s *Subject) {
	b := newBench(t, s, "conformance-refuses", nil)
	refused := func(v kafkaops.Verb, node int32, reason string) {
		t.Helper()
		var r *kafkaops.RefusedError
		if err := s.Cluster.Do(t.Context(), kafkaops.Fault{Verb: v, Node: node}); !errors.As(err, &r) || r.Reason != reason {
			t.Errorf("%s broker %d: %v, want %q", v, node, err, reason)
		}
	}
	const node = 2
	refused(kafkaops.Kill, 4, "there is no such broker")
	refused(kafkaops.Start, node, "it is already up")
	refused(kafkaops.Resume, node, "it is not paused")
	b.do(kafkaops.Pause, node)
	refused(kafkaops.Pause, node, "it is already paused")
	refused(kafkaops.Stop, node, "it is paused and does not hear SIGTERM: resume it first")
	refused(kafkaops.Restart, node, "it is paused and does not hear SIGTERM: resume it first")
	b.do(kafkaops.Kill, node)
	for _, v := range []kafkaops.Verb{kafkaops.Kill, kafkaops.Stop, kafkaops.Pause, kafkaops.Resume, kafkaops.Restart} {
		refused(v, node, "it is already down")
	}
	b.back(kafkaops.Kill, node)
}

func groups(t *testing.T, s *Subject) {
	b := newBench(t, s, "conformance-groups", nil)
	const group = "conformance-groups"
	l, stop := b.write()
	defer stop()
	b.flows(l)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	reader := b.client(kgo.ConsumerGroup(group), kgo.ConsumeTopics(b.topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DisableAutoCommit(),
		kgo.SessionTimeout(6*time.Second), kgo.FetchMaxWait(100*time.Millisecond))
	var (
		mu    sync.Mutex
		last  time.Time
		reads sync.WaitGroup
	)
	reads.Go(func() {
		for ctx.Err() == nil {
			fs := reader.PollFetches(ctx)
			if fs.NumRecords() == 0 {
				continue
			}
			if reader.CommitUncommittedOffsets(ctx) == nil {
				mu.Lock()
				last = time.Now()
				mu.Unlock()
			}
		}
	})
	defer reads.Wait()
	defer cancel()
	commits := func() {
		t.Helper()
		since := time.Now()
		b.await("the group commits", func(*watch.State) bool { mu.Lock(); defer mu.Unlock(); return last.After(since) })
	}
	commits()
	var coordinator int32
	b.await("the group's coordinator", func(s *watch.State) bool {
		for _, g := range s.Groups {
			if g.Name == group && g.Coordinator > 0 {
				coordinator = g.Coordinator
			}
		}
		return coordinator > 0
	})
	b.do(kafkaops.Kill, coordinator)
	b.await("another coordinator", func(s *watch.State) bool {
		return slices.ContainsFunc(s.Groups, func(g watch.Group) bool { return g.Name == group && g.Coordinator > 0 && g.Coordinator != coordinator })
	})
	commits()
	b.back(kafkaops.Kill, coordinator)
	commits()
}
