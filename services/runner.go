package services

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Config is how a Runner reaches Kafka.
type Config struct {
	// Client has the bootstrap servers and the options tuned for failover. What delivery depends on is the Runner's own
	// and overrides it.
	Client []kgo.Opt
	// Instance and Slot make the transactional id kassa.<service>.<instance>.<slot>. No two Runners that are alive may share one:
	// they would fence each other. A Runner that takes over another's slot ends its open transaction at once.
	Instance string
	Slot     int
	// Gather is how long polling goes on after the first records before a batch begins; 0 means 10 ms. A transaction waits
	// for the markers of the one before, and records that come meanwhile wait a whole turn: gathering halves the latency.
	Gather time.Duration
	Log    *slog.Logger // nil means none
}

const (
	defaultGather = 10 * time.Millisecond
	// Batches begin at least this far apart. A transaction costs some ten requests, and a quiet machine would make 28 a second
	// in each of two services: at 200 events/s the shop then took 17 % of a core. An event that comes alone does not wait.
	writingCycle = 100 * time.Millisecond
	readingCycle = 200 * time.Millisecond
)

// Back-off of a session that failed.
const (
	rebuildPause    = 100 * time.Millisecond
	rebuildPauseMax = time.Second
)

// Runner runs one service: it polls, handles, commits, and begins anew with what was not committed.
type Runner struct {
	svc     Service
	cfg     Config
	log     *slog.Logger
	open    func(Service, Config, func(partitions int)) (session, error)
	cycle   time.Duration // least time between the beginnings of two batches
	figures *figures
}

// NewRunner is a Runner that does nothing before Run. A service that writes runs exactly-once; one that only reads, at-least-once.
func NewRunner(svc Service, cfg Config) *Runner {
	open, cycle := openExactlyOnce, writingCycle
	if svc.Output == "" {
		open, cycle = openAtLeastOnce, readingCycle
	}
	if cfg.Gather == 0 {
		cfg.Gather = defaultGather
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Runner{svc: svc, cfg: cfg, log: cfg.Log, open: open, cycle: cycle, figures: newFigures(svc.Name)}
}

// Stats is what the Runner does now. It costs a lock and may be called at any time.
func (r *Runner) Stats() Stats { return r.figures.snapshot() }

// Run runs the service until ctx ends, and returns within about 2 s of that, also without a broker; nil then. No failure of
// Kafka ends it. An error means that the client could not be made of Config.Client, and will not be.
func (r *Runner) Run(ctx context.Context) error {
	defer r.figures.left(nil)
	for failures := 0; ctx.Err() == nil; {
		s, err := r.open(r.svc, r.cfg, r.figures.assigned)
		if err != nil {
			return fmt.Errorf("making the Kafka client of %s: %w", r.svc.Name, err)
		}
		r.figures.joining(s.client())
		commits, err := r.loop(ctx, s)
		if ctx.Err() == nil {
			r.figures.left(err)
			r.log.Warn("replacing the Kafka client", "service", r.svc.Name, "err", err)
		}
		s.close(ctx.Err() != nil)
		if commits > 0 {
			failures = 0
		}
		pause(ctx, failures, rebuildPause, rebuildPauseMax)
		failures++
	}
	return nil
}

// loop runs one session until it fails or ctx ends, and says how often it committed.
func (r *Runner) loop(ctx context.Context, s session) (commits int, err error) {
	if err := r.start(ctx, s); err != nil {
		return 0, err
	}
	var begun time.Time
	for {
		records, err := r.gather(ctx, s, begun.Add(r.cycle))
		if err != nil {
			return commits, err
		}
		begun = time.Now()
		b, err := r.handle(ctx, records)
		if err != nil {
			return commits, err
		}
		ok, err := r.commit(ctx, s, b)
		if err != nil {
			return commits, err
		}
		if !ok {
			r.figures.retrying(errors.New("the batch was undone because the group changed"))
			r.log.Info("batch undone, reading it again", "service", r.svc.Name)
			continue
		}
		commits++
		r.figures.committed(b)
	}
}

func (r *Runner) start(ctx context.Context, s session) error {
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	return s.start(ctx)
}

// commit lets a commit that has begun come to its end when ctx does, for a little while: half a commit holds others back.
func (r *Runner) commit(ctx context.Context, s session, b batch) (bool, error) {
	ctx, cancel := outlive(ctx, commitGrace, commitTimeout)
	defer cancel()
	return s.commit(ctx, b.out)
}

// gather waits for records and then goes on polling for the gather time, and until earliest.
func (r *Runner) gather(ctx context.Context, s session, earliest time.Time) ([]*kgo.Record, error) {
	var records []*kgo.Record
	var enough context.Context // ends when a batch may begin; nil until there is a record
	for failures := 0; len(records) < maxPoll; {
		wait := ctx
		if enough != nil {
			wait = enough
		}
		fetches := s.poll(wait)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if fetches.IsClientClosed() {
			return nil, kgo.ErrClientClosed
		}
		n := len(records)
		records = r.take(records, fetches) // also when wait has just ended: what was polled will be committed
		switch {
		case wait.Err() != nil:
			return records, nil
		case enough == nil && hasData(records):
			var cancel context.CancelFunc
			enough, cancel = context.WithDeadline(ctx, later(time.Now().Add(r.cfg.Gather), earliest))
			defer cancel()
		case len(records) == n: // an error and nothing else: the client goes on by itself, but not in a hot circle
			if pause(wait, failures, 10*time.Millisecond, time.Second); ctx.Err() != nil {
				return nil, ctx.Err()
			}
			failures++
		}
	}
	return records, nil
}

// take appends the records of fetches and notes what else they say.
func (r *Runner) take(records []*kgo.Record, fetches kgo.Fetches) []*kgo.Record {
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		if p.Err != nil && !errors.Is(p.Err, context.DeadlineExceeded) { // the gather time is no failure
			err := p.Err
			if p.Topic != "" { // the group's own errors have none
				err = fmt.Errorf("reading %s/%d: %w", p.Topic, p.Partition, err)
			}
			r.figures.troubled(err)
			r.log.Warn("reading failed", "service", r.svc.Name, "err", err)
		}
		r.figures.fetched(p)
		records = append(records, p.Records...)
	})
	return records
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// hasData is false for commit markers alone, which are not worth a transaction.
func hasData(records []*kgo.Record) bool {
	for _, rec := range records {
		if !rec.Attrs.IsControl() {
			return true
		}
	}
	return false
}
