package drill

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"kassa/kafkaops/watch"
)

// A JVM that has just started interprets what it does for the first time, and Scala's lambdas are in no class archive (Java 17 keeps none that can be
// serialized): the first writes that a new leader takes wait for a third of a second of that. So a broker that comes back leads a
// partition of the probe's topic that nobody waits for, and is written to, before it is given those that matter.

const (
	warmWithin = 20 * time.Second // for a broker to be in sync, and warm
	warmFor    = 2 * time.Second  // of writes at the most, and
	warmWrites = 400              // at the most: C1 compiles what was called 200 times
)

// warmer writes to brokers that have come back.
type warmer struct {
	admin    *kadm.Client
	producer []kgo.Opt
	log      *slog.Logger
	busy     atomic.Int32
}

// idle says that no broker is being warmed.
func (w *warmer) idle() bool { return w.busy.Load() == 0 }

// begin is to be called before warm, by whoever starts a goroutine for it.
func (w *warmer) begin() { w.busy.Add(1) }

// warm returns when the broker is warm, or cannot be made so: a fault may have hit it again.
func (w *warmer) warm(ctx context.Context, node int32) {
	defer w.busy.Add(-1)
	ctx, cancel := context.WithTimeout(ctx, warmWithin)
	defer cancel()
	begun := time.Now()
	part, err := w.lead(ctx, node)
	if err == nil {
		err = w.write(ctx, part)
	}
	if err != nil {
		w.log.Info("broker not warmed", "node", node, "err", err)
		return
	}
	w.log.Info("broker warmed", "node", node, "took", time.Since(begun))
}

// lead waits until the broker is in sync in its own partition and has it lead that.
func (w *warmer) lead(ctx context.Context, node int32) (int32, error) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		p, err := w.own(ctx, node)
		switch {
		case err != nil:
		case p.Leader == node:
			return p.Partition, nil
		case slices.Contains(p.ISR, node):
			var set kadm.TopicsSet
			set.Add(p.Topic, p.Partition)
			_, err = w.admin.ElectLeaders(ctx, kadm.ElectPreferredReplica, set)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return 0, fmt.Errorf("it does not lead its partition: %w", errors.Join(context.Cause(ctx), err))
		}
	}
}

// own is the partition, beyond those that the probe writes to, whose preferred leader is this broker.
func (w *warmer) own(ctx context.Context, node int32) (kadm.PartitionDetail, error) {
	topics, err := w.admin.ListTopics(ctx, ProbeTopic)
	if err != nil {
		return kadm.PartitionDetail{}, err
	}
	for _, p := range topics[ProbeTopic].Partitions {
		if p.Partition >= probePartitions && len(p.Replicas) > 0 && p.Replicas[0] == node {
			return p, nil
		}
	}
	return kadm.PartitionDetail{}, fmt.Errorf("%s has no partition for broker %d", ProbeTopic, node)
}

func (w *warmer) write(ctx context.Context, part int32) error {
	client, err := kgo.NewClient(append(probeOptions(w.producer, ProbeTopic), kgo.WithContext(ctx), kgo.ClientID("kassa-warm"), kgo.AllowIdempotentProduceCancellation())...)
	if err != nil {
		return err
	}
	defer client.Close()
	end := time.Now().Add(warmFor)
	for n := 0; n < warmWrites && time.Now().Before(end); n++ {
		if err := client.ProduceSync(ctx, &kgo.Record{Partition: part, Value: []byte("warm")}).FirstErr(); err != nil {
			return err
		}
	}
	return nil
}

// warmPatience is how long an act that moves leaders waits for brokers to be warm.
const warmPatience = 5 * time.Second

func (r *Recorder) awaitWarm(ctx context.Context) {
	_ = r.await(ctx, warmPatience, func(*watch.State, *Probe) bool { return r.warmer.idle() })
}
