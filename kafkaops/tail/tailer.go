package tail

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Config says what to read. Client and Topics are needed; zero elsewhere means the default.
type Config struct {
	Client []kgo.Opt // how to reach the cluster: kafkaops.ClientOptions, and TLS or SASL where they are needed
	Topics []string  // they may not exist yet
	From   From
	Keep   int           // records per topic in one Batch, the newest; 0 means 200
	Every  time.Duration // the least time between two batches; 0 means 66 ms
}

const (
	defaultKeep  = 200
	defaultEvery = 66 * time.Millisecond // 15 a second: as often as an eye can tell

	// errorLasts is how long an error stands that is not told again. Nothing tells that a quiet topic is well.
	errorLasts = 3 * time.Second
	// readdEvery is how often a topic that was deleted is looked for anew.
	readdEvery = time.Second
	pollLimit  = 500 * time.Millisecond
)

// Tailer reads topics until it is closed.
type Tailer struct {
	client *kgo.Client
	cfg    Config
	out    chan Batch
	cancel context.CancelFunc
	done   sync.WaitGroup
}

// Start begins to read. It fails only on a Config that makes no client; a cluster that cannot be reached is an error in the
// counts, until it can be.
func Start(cfg Config) (*Tailer, error) {
	if cfg.Keep <= 0 {
		cfg.Keep = defaultKeep
	}
	if cfg.Every <= 0 {
		cfg.Every = defaultEvery
	}
	client, err := kgo.NewClient(append(append([]kgo.Opt(nil), cfg.Client...), fetching()...)...)
	if err != nil {
		return nil, fmt.Errorf("tail: client: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	t := &Tailer{client: client, cfg: cfg, out: make(chan Batch, 1), cancel: cancel}
	t.done.Go(func() { t.run(ctx) })
	return t, nil
}

// fetching is how this reader fetches. It polls at its own pace, and franz-go asks a broker again only when what it fetched was
// polled, so there are at most 1/Every fetches a second and broker, however many records come: no time needs to be
// traded for CPU with FetchMinBytes.
func fetching() []kgo.Opt {
	return []kgo.Opt{
		// Where to begin otherwise, see begin.
		kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()),
		// After a loss of data go on at the time of the last record read; never read the log again from its start.
		kgo.ConsumeResetOffset(kgo.RewindOffset(0)),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		// Transaction markers take offsets. Without them a topic that was read to its end would look one behind.
		kgo.KeepControlRecords(),
		kgo.KeepRetryableFetchErrors(), // to tell of them
		// A broker that is paused is noticed after this and RequestTimeoutOverhead.
		kgo.FetchMaxWait(250 * time.Millisecond),
		// Bounds memory to about three times this on three brokers; 60 MB/s at 15 fetches a second.
		kgo.FetchMaxBytes(4 << 20),
		kgo.FetchMaxPartitionBytes(1 << 20),
	}
}

// Batches gives what has come, at most once every Config.Every. One batch waits to be taken; until it is, newer records push
// the oldest of their topic out of it, which Count.Skipped tells. A batch without records says that the reading has begun,
// or that an error came or went. It is closed by Close. It serves one reader.
func (t *Tailer) Batches() <-chan Batch { return t.out }

// Close ends the reading and waits for it. It may be called again.
func (t *Tailer) Close() {
	t.cancel()
	t.done.Wait()
}

func (t *Tailer) run(ctx context.Context) {
	defer close(t.out)
	defer t.client.Close()
	kept := newKeeper(t.cfg.Topics, t.cfg.Keep)
	begun := newBeginning(t.client, t.cfg)
	readded := make(map[string]time.Time)
	pace := time.NewTimer(0)
	defer pace.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-pace.C:
		}
		switch done, err := begun.try(ctx); {
		case err != nil:
			kept.failed("", err, time.Now())
		case done:
			kept.news = true
		}
		// The limit lets old errors lapse, and a beginning be tried again.
		poll, cancel := context.WithTimeout(ctx, pollLimit)
		fetches := t.client.PollFetches(poll)
		cancel()
		pace.Reset(t.cfg.Every)
		if ctx.Err() != nil || fetches.IsClientClosed() {
			return
		}
		now := time.Now()
		fetches.EachPartition(func(p kgo.FetchTopicPartition) { kept.take(p, now) })
		for _, topic := range gone(fetches) {
			if now.Sub(readded[topic]) >= readdEvery {
				readded[topic] = now
				t.client.PurgeTopicsFromConsuming(topic)
				t.client.AddConsumeTopics(topic)
				kept.restart(topic)
			}
		}
		kept.lapse(now.Add(-errorLasts))
		t.offer(kept, now)
	}
}

// gone lists the topics that were deleted, and perhaps made again under the same name. franz-go takes up a new topic of an old
// name only when it is told to.
func gone(fetches kgo.Fetches) []string {
	var out []string
	seen := make(map[string]bool)
	fetches.EachError(func(topic string, _ int32, err error) {
		if !seen[topic] && (errors.Is(err, kerr.UnknownTopicID) || errors.Is(err, kerr.UnknownTopicOrPartition)) {
			seen[topic] = true
			out = append(out, topic)
		}
	})
	return out
}

// offer puts what has come where the reader finds it, together with what it has not taken yet. Only run sends, so it never blocks.
func (t *Tailer) offer(kept *keeper, now time.Time) {
	if !kept.news {
		return
	}
	select {
	case untaken := <-t.out:
		kept.untaken(untaken.Records)
	default:
	}
	t.out <- kept.batch(now)
}
