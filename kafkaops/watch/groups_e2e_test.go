//go:build e2e

package watch

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kassa/kafkaops"
)

// Groups of every type are told for what they are and stay in the picture while brokers hang and die, of a watcher too that knows nothing
// of processes and was given a dead address first. A broker that hangs is not down.
func TestE2EGroupsStayInThePicture(t *testing.T) {
	s := setStage(t)
	seed(t, s)
	join(t, s, kgo.ConsumerGroup("classic"))
	join(t, s, kgo.ConsumerGroup("newer"), kgo.ServerSideBalancer(), kgo.Balancers(kgo.RangeBalancer()))
	join(t, s, kgo.ShareGroup("shared"))
	w := watching(t, &fixed{seeds: append([]string{"127.0.0.1:1"}, s.cluster.Bootstrap()...)}, Config{Topics: shop})
	see := func(what string, ok func(*State) bool) *State {
		t.Helper()
		begun := time.Now()
		var wrong string
		st := until(t, w, what, func(st *State) bool {
			for _, g := range st.Groups {
				if g.State == "Dead" {
					wrong = g.Name + " is said to be dead"
				}
			}
			return wrong != "" || ok(st)
		})
		if wrong != "" {
			t.Fatalf("%s: %s\n%+v", what, wrong, st.Groups)
		}
		t.Logf("%-48s after %v", what, time.Since(begun).Round(time.Millisecond))
		return st
	}
	// the groups as they are, told after a moment
	stable := func(since time.Time) func(*State) bool {
		return func(st *State) bool {
			if len(st.Groups) != 3 || !well3(st) {
				return false
			}
			for _, g := range st.Groups {
				if g.State != "Stable" || len(g.Members) != 1 || g.Err != "" || !g.Seen.After(since) || g.Type != shareGroup && g.TotalLag() != 0 {
					return false
				}
			}
			return st.Groups[0].Type == classicGroup && st.Groups[1].Type == consumerGroup && st.Groups[2].Type == shareGroup
		}
	}
	st := see("three groups of three types", stable(time.Time{}))
	if g := st.Groups[1]; g.Protocol != "range" || g.Epoch == 0 || len(g.Members[0].Assigned) != len(shop) {
		t.Errorf("%+v", g)
	}

	hangs := st.Groups[1].Coordinator
	paused := time.Now()
	s.do(kafkaops.Pause, hangs)
	see("its coordinator hangs, and is not down", func(st *State) bool {
		n, _ := st.Node(hangs)
		if n.Health == Down {
			t.Errorf("broker %d hangs and is said to be down: %s", hangs, n.Err)
		}
		return n.Health == Fenced || n.Health == Unknown
	})
	see("another one tells of the group", func(st *State) bool {
		g := st.Groups[1]
		return len(st.Groups) == 3 && g.Coordinator != hangs && g.Seen.After(paused.Add(time.Second)) && g.Type == consumerGroup
	})
	s.do(kafkaops.Resume, hangs)
	see("all is well", stable(time.Now()))

	for id := range int32(3) {
		s.do(kafkaops.Kill, id+1)
	}
	killed := time.Now()
	st = see("all are down", func(st *State) bool { return st.Count(Down) == 3 && st.At.Sub(killed) > 3*time.Second })
	if len(st.Groups) != 3 || len(st.Partitions) != 9 {
		t.Errorf("%d groups and %d partitions are remembered", len(st.Groups), len(st.Partitions))
	}
	for _, g := range st.Groups {
		if g.State == "" || g.Err == "" || st.At.Sub(g.Seen) < 2*time.Second {
			t.Errorf("all are down, and the group does not say that it is old: %+v", g)
		}
	}
	for id := range int32(3) {
		s.do(kafkaops.Start, id+1)
	}
	see("all is well again", func(st *State) bool {
		for _, g := range st.Groups {
			if !g.Seen.After(killed.Add(3*time.Second)) || g.Err != "" {
				return false
			}
		}
		return well3(st) && len(st.Groups) == 3
	})
}

// seed writes a record to each partition, so that there is something to commit.
func seed(t *testing.T, s *stage) {
	t.Helper()
	cl, err := kgo.NewClient(append(kafkaops.ClientOptions(s.cluster.Bootstrap()), kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for _, topic := range shop {
		for p := range int32(3) {
			if err := cl.ProduceSync(ctx, &kgo.Record{Topic: topic, Partition: p, Value: []byte("x")}).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// join reads the shop's topics as the only member of a group until the test ends.
func join(t *testing.T, s *stage, group ...kgo.Opt) {
	t.Helper()
	opts := append(kafkaops.ClientOptions(s.cluster.Bootstrap()), kgo.ConsumeTopics(shop...),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.AutoCommitInterval(200*time.Millisecond))
	cl, err := kgo.NewClient(append(opts, group...)...)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		for ctx.Err() == nil {
			cl.PollFetches(ctx)
		}
	})
	t.Cleanup(func() { cancel(); done.Wait(); cl.Close() })
}
