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
	// Page, if not 0, has one topic read by so many records at a time, in order of their timestamps over all partitions; More goes on. Where the log ends
	// this ends too, and what is written from then on comes by itself.
	Page int
	// Small takes half the memory, where there are many: 6 MB on three brokers, for 30 MB/s of each.
	Small bool
}

const (
	defaultKeep  = 200
	defaultEvery = 66 * time.Millisecond // 15 a second: as often as an eye can tell

	// errorLasts is how long an error stands that is not told again. Nothing tells that a quiet topic is well.
	errorLasts = 3 * time.Second
	// readdEvery is how often a topic that was deleted is looked for anew.
	readdEvery = time.Second
	// doubtFor is how long brokers must not know a topic before it is taken for deleted: one that is just starting knows of few, and to take up a topic anew
	// is to read all of it again. doubtEnds is when one that was doubted and is spoken of no more is believed to be there.
	doubtFor  = 500 * time.Millisecond
	doubtEnds = 10 * time.Second
	pollLimit = 500 * time.Millisecond
)

// Tailer reads topics until it is closed.
type Tailer struct {
	client *kgo.Client
	cfg    Config
	heard  *hearing
	out    chan Batch
	more   chan struct{}
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
	if cfg.Page > 0 {
		if len(cfg.Topics) != 1 {
			return nil, fmt.Errorf("tail: %d topics cannot be read by pages, one can", len(cfg.Topics))
		}
		cfg.Keep = max(cfg.Keep, 2*cfg.Page) // no row of a page is lost
	}
	heard := &hearing{last: make(map[int32]time.Time)}
	client, err := kgo.NewClient(append(append(append([]kgo.Opt(nil), cfg.Client...), fetching(cfg)...), kgo.WithHooks(heard))...)
	if err != nil {
		return nil, fmt.Errorf("tail: client: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	t := &Tailer{client: client, cfg: cfg, heard: heard, out: make(chan Batch, 1), more: make(chan struct{}, 1), cancel: cancel}
	t.done.Go(func() { t.run(ctx) })
	return t, nil
}

// fetching is how this reader fetches. It polls at its own pace, and franz-go asks a broker again only when what it fetched was
// polled, so there are at most 1/Every fetches a second and broker, however many records come: no time needs to be
// traded for CPU with FetchMinBytes.
func fetching(cfg Config) []kgo.Opt {
	most := int32(4 << 20)
	if cfg.Small {
		most = 2 << 20
	}
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
		// Bounds memory to about three times this on three brokers; 60 MB/s of each at 15 fetches a second.
		kgo.FetchMaxBytes(most),
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

// More has a tail that reads by pages read another one, once it has read the last. It never waits.
func (t *Tailer) More() {
	select {
	case t.more <- struct{}{}:
	default:
	}
}

// reading is a Tailer at work.
type reading struct {
	*Tailer
	kept     *keeper
	begun    *beginning
	listener *listener
	doubted  map[string]time.Time // topics that a broker did not know, and since when
	readded  map[string]time.Time
	pace     *time.Timer
}

func (t *Tailer) run(ctx context.Context) {
	defer close(t.out)
	defer t.client.Close()
	r := &reading{
		Tailer: t, kept: newKeeper(t.cfg.Topics, t.cfg.Keep), begun: newBeginning(t.client, t.cfg),
		listener: &listener{client: t.client, heard: t.heard, began: time.Now(), lost: make(map[string]map[int32]time.Time)},
		doubted:  make(map[string]time.Time), readded: make(map[string]time.Time), pace: time.NewTimer(0),
	}
	defer r.pace.Stop()
	if t.cfg.Page > 0 {
		r.runPages(ctx)
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.more: // all there is comes by itself
			continue
		case <-r.pace.C:
		}
		r.begin(ctx)
		fetches, open := r.poll(ctx)
		if !open {
			return
		}
		now := time.Now()
		fetches.EachPartition(func(p kgo.FetchTopicPartition) { r.kept.take(p, now) })
		r.again(fetches, now)
		r.listener.listen(r.kept, now)
		r.kept.lapse(now.Add(-errorLasts))
		r.offer(now)
	}
}

// begin begins wherever that was not possible so far.
func (r *reading) begin(ctx context.Context) {
	switch done, err := r.begun.try(ctx); {
	case err != nil:
		r.kept.failed("", err, time.Now())
	case done:
		r.kept.news = true
	}
}

// poll takes what was fetched; false when the client is closed. Its limit lets old errors lapse, and a beginning be tried again.
func (r *reading) poll(ctx context.Context) (kgo.Fetches, bool) {
	wait, cancel := context.WithTimeout(ctx, pollLimit)
	fetches := r.client.PollFetches(wait)
	cancel()
	r.pace.Reset(r.cfg.Every)
	return fetches, ctx.Err() == nil && !fetches.IsClientClosed()
}

// lost says that a topic is gone, and takes up a new one of its name.
func (r *reading) lost(topic string, now time.Time) {
	r.kept.gone(topic, now)
	if now.Sub(r.readded[topic]) >= readdEvery {
		r.readded[topic] = now
		r.client.PurgeTopicsFromConsuming(topic)
		r.client.AddConsumeTopics(topic)
		r.kept.restart(topic)
	}
}

// again looks for topics that were deleted under their old names, and says whether there was one.
func (r *reading) again(fetches kgo.Fetches, now time.Time) (found bool) {
	for _, topic := range gone(fetches) {
		if since, ok := r.doubted[topic]; !ok || now.Sub(since) > doubtEnds {
			r.doubted[topic] = now
		} else if now.Sub(since) > doubtFor {
			found = true
			r.lost(topic, now)
		}
	}
	for _, topic := range r.kept.order {
		if !r.kept.topics[topic].count.Gone.IsZero() && !found && there(r.client, topic) {
			r.kept.back(topic)
		}
	}
	return found
}

// gone lists the topics that were deleted, and perhaps made again under the same name. franz-go takes up a new topic of an old
// name only when it is told to.
func gone(fetches kgo.Fetches) []string {
	var out []string
	seen := make(map[string]bool)
	fetches.EachError(func(topic string, _ int32, err error) {
		if !seen[topic] && isUnknownTopic(err) {
			seen[topic] = true
			out = append(out, topic)
		}
	})
	return out
}

func isUnknownTopic(err error) bool {
	return errors.Is(err, kerr.UnknownTopicID) || errors.Is(err, kerr.UnknownTopicOrPartition)
}

// offer puts what has come where the reader finds it, together with what it has not taken yet. Only run sends, so it never blocks.
func (r *reading) offer(now time.Time) {
	t, kept := r.Tailer, r.kept
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
