//go:build e2e

package drill

import (
	"context"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"kassa/kafkaops"
	"kassa/kafkaops/local"
	"kassa/kafkaops/watch"
)

// A broker that comes back leads a partition that nobody waits for, and takes writes there, before its own come back to it.
func TestE2EABrokerThatComesBackIsWarmBeforeItLeads(t *testing.T) {
	cluster, err := local.Start(t.Context(), local.Config{TempDir: t.TempDir(), Profile: kafkaops.FastFailover()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	client := kafkaops.ClientOptions(cluster.Bootstrap())
	w := watch.Start(cluster, watch.Config{Topics: []string{ProbeTopic}})
	defer w.Close()
	r, err := NewRecorder(Config{Cluster: cluster, Watcher: w, Producer: client})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	r.Arm()
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	until := func(what string, is func(*watch.State, *Probe) bool) {
		t.Helper()
		if err := r.await(ctx, 60*time.Second, is); err != nil {
			t.Fatalf("still not so: %s", what)
		}
	}
	until("the cluster is whole", func(s *watch.State, p *Probe) bool { return p != nil && whole(s) && len(s.Partitions) > 0 })
	if err := r.Do(ctx, kafkaops.Fault{Verb: kafkaops.Restart, Node: 2}); err != nil {
		t.Fatal(err)
	}
	until("broker 2 is back", func(s *watch.State, _ *Probe) bool { n, _ := s.Node(2); return n.Health == watch.Up && whole(s) })
	r.awaitWarm(ctx)
	own, err := r.warmer.own(ctx, 2)
	if err != nil {
		t.Fatal(err)
	}
	if own.Leader != 2 {
		t.Errorf("broker 2 does not lead partition %d", own.Partition)
	}
	cl, err := kgo.NewClient(client...)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	ends, err := kadm.NewClient(cl).ListEndOffsets(ctx, ProbeTopic)
	if err != nil {
		t.Fatal(err)
	}
	if end, _ := ends.Lookup(ProbeTopic, own.Partition); end.Offset == 0 {
		t.Error("it has taken no writes to warm up")
	}
	if err := r.Do(ctx, kafkaops.Fault{Verb: kafkaops.Elect}); err != nil {
		t.Fatal(err)
	}
	until("all lead what they prefer", func(s *watch.State, _ *Probe) bool { return astray(s) == 0 })
}
