//go:build e2e

package watch

import (
	"context"
	"fmt"
	"net"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"

	"kassa/kafkaops"
	"kassa/kafkaops/local"
)

// TestMain lets the test binary be the guard of the brokers that it starts.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == local.GuardCommand {
		os.Exit(local.RunGuard(os.Stdin, os.Stdout))
	}
	goleak.VerifyTestMain(m)
}

var shop = []string{"payment-successful", "order-successful", "email-successful"}

// bound is how late a new leader may be on the screen, counted from when a broker's metadata says so. The goal is 250 ms; the test
// leaves room for a machine that runs other things, and logs what it saw.
const bound = time.Second

// stage is three real brokers, a watcher, and an eye on the brokers' metadata that shares no code with the watcher.
type stage struct {
	*testing.T
	cluster *local.Cluster
	w       *Watcher
	eye     *eye
}

func setStage(t *testing.T) *stage {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	c, err := local.Start(ctx, local.Config{TempDir: t.TempDir()}, func(kafkaops.Progress) {})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	cl, err := kgo.NewClient(kafkaops.ClientOptions(c.Bootstrap())...)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	if resp, err := kadm.NewClient(cl).CreateTopics(ctx, 3, 3, nil, shop...); err != nil || resp.Error() != nil {
		t.Fatal(err, resp.Error())
	}
	s := &stage{T: t, cluster: c, w: watching(t, c, Config{Topics: shop}), eye: open(t, c)}
	s.until("all is well", well3)
	return s
}

func well3(s *State) bool {
	return s.Count(Up) == 3 && s.Quorum.Known && len(s.Partitions) == 9 && s.UnderReplicated() == 0 &&
		!slices.ContainsFunc(s.Partitions, func(p Partition) bool { return p.MinISR != 2 })
}

func (s *stage) until(what string, ok func(*State) bool) *State {
	s.Helper()
	start := time.Now()
	state := until(s.T, s.w, what, ok)
	s.Logf("%-48s after %v", what, time.Since(start).Round(time.Millisecond))
	return state
}

func (s *stage) do(v kafkaops.Verb, node int32) {
	s.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	s.Logf("--- %s: %s", kafkaops.Fault{Verb: v, Node: node}, PriceOf(s.w.State(), kafkaops.Fault{Verb: v, Node: node}).Sentence())
	if err := s.cluster.Do(ctx, kafkaops.Fault{Verb: v, Node: node}); err != nil {
		s.Fatal(err)
	}
}

func gone(id int32) func(*State) bool {
	return func(s *State) bool {
		return s.Quorum.Known && s.Quorum.Leader != id && !slices.ContainsFunc(s.Partitions, func(p Partition) bool {
			return p.Leader == id || p.Leader < 0 || slices.Contains(p.ISR, id)
		})
	}
}

func TestE2EThePictureStaysTrueWhileBrokersDie(t *testing.T) {
	s := setStage(t)
	controller := s.w.State().Quorum.Leader
	follower := controller%3 + 1

	s.do(kafkaops.Kill, follower)
	s.until("a killed follower is down", func(st *State) bool { n, _ := st.Node(follower); return n.Health == Down && n.Led == 3 })
	s.until("its leaders have moved", gone(follower))
	s.eye.compare(s.w.State())
	s.do(kafkaops.Start, follower)
	s.until("it is back", well3)

	s.do(kafkaops.Kill, controller)
	s.until("a killed controller is down", func(st *State) bool { n, _ := st.Node(controller); return n.Health == Down })
	s.until("another is elected and leaders have moved", gone(controller))
	s.eye.compare(s.w.State())
	s.do(kafkaops.Start, controller)
	s.until("it is back", well3)

	s.do(kafkaops.Stop, follower)
	s.until("a stopped broker is down, with what it led", func(st *State) bool { n, _ := st.Node(follower); return n.Health == Down && n.Led > 0 })
	s.do(kafkaops.Start, follower)
	s.until("it is back", well3)

	controller = s.w.State().Quorum.Leader
	s.do(kafkaops.Pause, controller)
	s.until("a paused controller is paused", func(st *State) bool { n, _ := st.Node(controller); return n.Health == Paused })
	s.until("another is elected while it hangs", gone(controller))
	s.do(kafkaops.Resume, controller)
	s.until("it is back", well3)

	last := s.w.State().Quorum.Leader%3 + 1
	first, second := last%3+1, (last+1)%3+1
	s.do(kafkaops.Kill, first)
	s.until("one of two is gone", gone(first))
	s.do(kafkaops.Kill, second)
	lost := s.until("the quorum is lost and one is up", func(st *State) bool { return !st.Quorum.Known && st.Count(Up) == 1 && st.Count(Down) == 2 })
	if lost.Quorum.Leader < 0 || len(lost.Partitions) != 9 {
		t.Errorf("what was last known is forgotten: %+v", lost.Quorum)
	}
	if p := PriceOf(lost, kafkaops.Fault{Verb: kafkaops.Start, Node: second}); !p.WritesGoOn() {
		t.Errorf("the way back is not seen: %s", p.Sentence())
	}
	s.until("the last one still answers", func(st *State) bool {
		n, _ := st.Node(last)
		return n.Seen.After(lost.At.Add(2*time.Second)) && n.Health == Up
	})

	s.do(kafkaops.Kill, last)
	s.until("all are down", func(st *State) bool { return st.Count(Down) == 3 && len(st.Partitions) == 9 })
	for id := range int32(3) {
		s.do(kafkaops.Start, id+1)
	}
	s.until("all is well", well3)
	s.eye.report()
}

func TestE2EAnAddressThatIsDeadIsNoHindrance(t *testing.T) {
	s := setStage(t)
	w := watching(t, &fixed{seeds: []string{"127.0.0.1:1", s.cluster.Bootstrap()[1]}}, Config{Topics: shop})
	until(t, w, "all is well", well3)
}

// eye asks each broker for its metadata as fast as it can and notes when one of them first told of a leader epoch.
type eye struct {
	t     *testing.T
	mu    sync.Mutex
	first map[string]time.Time // "topic/partition@epoch"
	late  []time.Duration
}

func open(t *testing.T, c *local.Cluster) *eye {
	e := &eye{t: t, first: map[string]time.Time{}}
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	for _, addr := range c.Bootstrap() {
		cl, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.RequestRetries(0), kgo.RequestTimeoutOverhead(300*time.Millisecond),
			kgo.Dialer(func(ctx context.Context, network, _ string) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, network, addr)
			}))
		if err != nil {
			t.Fatal(err)
		}
		done.Go(func() {
			defer cl.Close()
			for tick := time.NewTicker(20 * time.Millisecond); ; {
				e.look(ctx, cl)
				select {
				case <-ctx.Done():
					tick.Stop()
					return
				case <-tick.C:
				}
			}
		})
	}
	t.Cleanup(func() { cancel(); done.Wait() })
	return e
}

func (e *eye) look(ctx context.Context, cl *kgo.Client) {
	req := kmsg.NewPtrMetadataRequest()
	for _, name := range shop {
		topic := kmsg.NewMetadataRequestTopic()
		topic.Topic = &name
		req.Topics = append(req.Topics, topic)
	}
	resp, err := req.RequestWith(ctx, cl.SeedBrokers()[0])
	if err != nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	now := time.Now()
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if key := fmt.Sprintf("%s/%d@%d", *t.Topic, p.Partition, p.LeaderEpoch); e.first[key].IsZero() {
				e.first[key] = now
			}
		}
	}
}

// compare holds the moves that the watcher has just seen against when the metadata first told of them.
func (e *eye) compare(s *State) {
	e.t.Helper()
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, p := range s.Partitions {
		told, ok := e.first[fmt.Sprintf("%s/%d@%d", p.Topic, p.ID, p.Epoch)]
		if !ok || time.Since(p.Moved) > 10*time.Second {
			continue
		}
		late := p.Moved.Sub(told)
		e.late = append(e.late, late)
		if late > bound {
			e.t.Errorf("%s/%d: epoch %d was in the picture %v after the metadata had it", p.Topic, p.ID, p.Epoch, late)
		}
	}
}

func (e *eye) report() {
	if len(e.late) == 0 {
		e.t.Fatal("no move was compared")
	}
	slices.Sort(e.late)
	e.t.Logf("new leaders were in the picture %v (median), %v (worst) after the first broker's metadata had them; %d moves",
		e.late[len(e.late)/2], e.late[len(e.late)-1], len(e.late))
}
