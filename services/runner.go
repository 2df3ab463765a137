package services

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
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
	// Delivery is what a service that writes begins with.
	Delivery Delivery
	// Gather is how long polling goes on after the first records before a batch begins; 0 means 10 ms. A transaction waits
	// for the markers of the one before, and records that come meanwhile wait a whole turn: gathering halves the latency.
	Gather time.Duration
	// Cycle is how far apart the batches of a service that writes begin at least; 0 means 100 ms. Less is for a cluster on which a transaction
	// costs next to nothing.
	Cycle time.Duration
	Log   *slog.Logger // nil means none

	letterBytes   *letterBytes        // the Runner's own
	skips         map[Partition]int64 // where a session begins at the earliest
	commitTimeout time.Duration       // 0 means commitTimeout; another is for tests
	largestBatch  int                 // 0 means largestBatch; another is for tests
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

// mendWithin is how long looking after the topics for dead letters may take. It is in the way of a session that failed before, and of no other.
const mendWithin = 5 * time.Second

// Runner runs one service: it polls, handles, commits, and begins anew with what was not committed.
type Runner struct {
	svc     Service
	cfg     Config
	log     *slog.Logger
	cycle   time.Duration // least time between the beginnings of two batches
	figures *figures
	// What the dead letters' topics take, and whether the last commit that was tried had any for them. Of the goroutine of Run.
	letterBytes *letterBytes
	buries      bool
	// Where to read on behind a batch that cannot be read, until something behind it has been committed: the group keeps no offset without a record. Of the
	// goroutine of Run, as Config's copy is of a session. A session that begins when this is lost buries that batch again.
	skips map[Partition]int64

	mu       sync.Mutex
	delivery Delivery
	shift    context.CancelFunc // ends the session, for one of another delivery; nil without a session
	crash    func()             // cuts the network and ends the run; nil without a run
}

// NewRunner is a Runner that does nothing before Run. A service that only reads runs at-least-once whatever Config says.
func NewRunner(svc Service, cfg Config) *Runner {
	cycle := writingCycle
	if cfg.Cycle > 0 {
		cycle = cfg.Cycle
	}
	if svc.Output == "" {
		cfg.Delivery, cycle = AtLeastOnce, readingCycle
	}
	if cfg.Gather == 0 {
		cfg.Gather = defaultGather
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	cfg.letterBytes = &letterBytes{}
	return &Runner{svc: svc, cfg: cfg, log: cfg.Log, cycle: cycle, figures: newFigures(svc.Name), letterBytes: cfg.letterBytes, delivery: cfg.Delivery}
}

// Stats is what the Runner does now; counts are over all its runs. It costs a lock and may be called at any time.
func (r *Runner) Stats() Stats { return r.figures.snapshot() }

// ErrCrashed is why a run ended that Crash ended.
var ErrCrashed = errors.New("crashed, as by kill -9")

// Crash ends Run as kill -9 of its process would: its connections are cut, so no commit, no end of a transaction and no goodbye to the group
// reaches a broker any more. Run returns ErrCrashed; without a run nothing happens.
func (r *Runner) Crash() {
	r.mu.Lock()
	crash := r.crash
	r.mu.Unlock()
	if crash != nil {
		crash()
	}
}

// SetDelivery has the Runner go on with another delivery: the batch under way is committed, the session ends, and one of the other kind takes
// its place in the group. That does not rebalance for it, unless it is the leader among several: franz-go then works the assignment out anew. It does
// not wait for any of that. A service that only reads has no choice.
func (r *Runner) SetDelivery(d Delivery) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.svc.Output == "" || r.delivery == d {
		return
	}
	r.delivery = d
	if r.shift != nil {
		r.shift()
	}
}

// Run runs the service until ctx ends, and returns within about 2 s of that, also without a broker; nil then. It may take 2 s more when the group
// cannot take the offsets of what was written at-least-once. No failure of Kafka ends it. An error means that the client could not be made of Config.Client, and will not be; or it is ErrCrashed, or the
// *PanicError of the handler. Run may be called again when it has returned.
func (r *Runner) Run(ctx context.Context) (err error) {
	r.figures.begun()
	r.skips = make(map[Partition]int64)
	defer func() { r.figures.ended(err) }()
	client, cut, err := Cuttable(r.cfg.Client)
	if err != nil {
		return fmt.Errorf("making the Kafka client of %s: %w", r.svc.Name, err)
	}
	cfg := r.cfg
	cfg.Client = client
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	r.mu.Lock()
	r.crash = func() { cut(); end(ErrCrashed) } // first the network, so that nothing that follows from the end is heard
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		r.crash, r.shift = nil, nil
		r.mu.Unlock()
	}()

	var last error // why the session before ended
	for failures := 0; ctx.Err() == nil; {
		shifted, open := r.next(ctx)
		r.figures.opening()
		cfg.skips = maps.Clone(r.skips)
		s, err := open(r.svc, cfg, r.figures)
		if err != nil {
			return fmt.Errorf("making the Kafka client of %s: %w", r.svc.Name, err)
		}
		r.figures.joining(s.client())
		if last != nil && r.buries {
			r.mendDeadLetters(shifted, s.client(), last)
		}
		commits, err := r.loop(ctx, shifted, s)
		jam, panicked := errors.AsType[*PanicError](err)
		switch {
		case errors.Is(context.Cause(ctx), ErrCrashed):
			s.close(cutOff)
			return ErrCrashed
		case ctx.Err() != nil:
			s.close(forGood)
			return nil
		case panicked:
			r.log.Error("the handler panicked", "service", r.svc.Name, "err", err, "stack", string(jam.Stack))
			s.close(comesBack)
			return err
		case shifted.Err() != nil:
			r.log.Info("changing the delivery", "service", r.svc.Name)
			s.close(comesBack)
			continue
		}
		last = err
		if errors.Is(err, kerr.UnknownTopicID) {
			clear(r.skips) // the offsets begin anew
		}
		r.figures.left(err)
		r.log.Warn("replacing the Kafka client", "service", r.svc.Name, "err", err)
		s.close(comesBack)
		if commits > 0 {
			failures = 0
		}
		pause(ctx, failures, rebuildPause, rebuildPauseMax)
		failures++
	}
	if errors.Is(context.Cause(ctx), ErrCrashed) {
		return ErrCrashed
	}
	return nil
}

type opener func(Service, Config, *figures) (session, error)

// next is the kind of the next session, and a context that ends when another kind is asked for.
func (r *Runner) next(ctx context.Context) (context.Context, opener) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.shift != nil {
		r.shift() // of the session before
	}
	ctx, r.shift = context.WithCancel(ctx)
	if r.delivery == AtLeastOnce {
		return ctx, openAtLeastOnce
	}
	return ctx, openExactlyOnce
}

// loop runs one session until it fails or shifted ends, and says how often it committed. What ends shifted alone lets a commit come to its end:
// the next session repeats a batch of which nobody knows the outcome.
func (r *Runner) loop(ctx, shifted context.Context, s session) (commits int, err error) {
	if err := r.start(shifted, s); err != nil {
		return 0, err
	}
	var begun time.Time
	for {
		records, stuck, err := r.gather(shifted, s, begun.Add(r.cycle))
		if err != nil {
			return commits, err
		}
		begun = time.Now()
		handling, done := s.handling(shifted)
		b, err := r.handle(handling, records)
		if cause := context.Cause(handling); err != nil && errors.Is(cause, errGaveWay) {
			err = cause
		}
		done()
		if err != nil {
			return commits, err
		}
		b.buryBatches(r.svc, stuck, r.cfg.largest(), r.letterBytes.get())
		r.buries = b.deadLetters > 0
		ok, err := s.commit(ctx, b.out)
		if err != nil {
			return commits, err
		}
		if !ok {
			r.figures.undone()
			r.log.Info("batch undone, reading it again", "service", r.svc.Name)
			if len(stuck) > 0 { // their partitions would stand still
				return commits, r.stuckError(stuck)
			}
			continue
		}
		commits++
		r.buries = false
		r.figures.committed(b)
		r.passed(records)
		if len(stuck) > 0 {
			for _, e := range stuck {
				r.skips[Partition{e.Topic, e.Partition}] = e.NextOffset
			}
			return commits, r.stuckError(stuck)
		}
	}
}

// mendDeadLetters looks after the topics for the dead letters, which a commit that failed was to write to: somebody may have deleted one, and a record for it is never
// given up, or made one that does not take what is written to it. What could not be mended is the next session's error again.
func (r *Runner) mendDeadLetters(ctx context.Context, cl *kgo.Client, last error) {
	var inputs []string
	for _, t := range r.svc.Inputs {
		if !slices.Contains(r.svc.Watched, t) {
			inputs = append(inputs, t)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, mendWithin)
	defer cancel()
	takes, mended, err := mendDeadLetters(ctx, kadm.NewClient(cl), inputs)
	if len(mended) > 0 {
		r.log.Warn("the topics for dead letters were not as they should be, and are now", "service", r.svc.Name, "topics", mended)
	}
	if takes == 0 && errors.Is(last, kerr.MessageTooLarge) {
		// Nobody says how much they take. It is less.
		takes = min(r.letterBytes.get()/2, 1_000_012)
	}
	if takes > 0 {
		r.letterBytes.less.Store(int32(max(takes, leastLetterBytes)))
	}
	if err != nil && ctx.Err() == nil {
		r.figures.troubled(fmt.Errorf("the topics for dead letters: %w", err))
		r.log.Warn("the topics for dead letters cannot be mended", "service", r.svc.Name, "err", err)
	}
}

func (r *Runner) start(ctx context.Context, s session) error {
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	return s.start(ctx)
}

// gather waits for records and then goes on polling for the gather time, and until earliest. stuck are partitions that cannot be read on by this session, because of
// a batch; there is no waiting then.
func (r *Runner) gather(ctx context.Context, s session, earliest time.Time) (records []*kgo.Record, stuck []*kgo.ErrDecompressTooLarge, err error) {
	var enough context.Context // ends when a batch may begin; nil until there is a record
	for failures := 0; len(records) < r.svc.batch(); {
		wait := enough
		if enough == nil {
			wait = ctx
			s.rest()
		}
		fetches := s.poll(wait)
		if ctx.Err() != nil {
			return nil, nil, ctx.Err()
		}
		if fetches.IsClientClosed() {
			return nil, nil, kgo.ErrClientClosed
		}
		if err := remade(fetches); err != nil { // also beside records: it is not said twice
			return nil, nil, err
		}
		n := len(records)
		records = r.take(records, fetches) // also when wait has just ended: what was polled will be committed
		if stuck = tooLarge(fetches); len(stuck) > 0 {
			return records, stuck, nil
		}
		switch {
		case wait.Err() != nil:
			return records, nil, nil
		case enough == nil && hasData(records):
			var cancel context.CancelFunc
			enough, cancel = context.WithDeadline(ctx, later(time.Now().Add(r.cfg.Gather), earliest))
			defer cancel()
		case len(records) == n: // an error and nothing else: the client goes on by itself, but not in a hot circle
			if pause(wait, failures, 10*time.Millisecond, time.Second); ctx.Err() != nil {
				return nil, nil, ctx.Err()
			}
			failures++
		}
	}
	return records, nil, nil
}

// remade says that a topic was deleted, and perhaps made again: another one of the same name, which a client that knows the old one never reads.
func remade(fetches kgo.Fetches) (err error) {
	fetches.EachError(func(topic string, partition int32, e error) {
		if errors.Is(e, kerr.UnknownTopicID) {
			err = fmt.Errorf("reading %s/%d: %w", topic, partition, e)
		}
	})
	return err
}

// tooLarge are the partitions that the client has given up, because a batch decompresses to more than largestBatch. Any other error it tries again by itself.
func tooLarge(fetches kgo.Fetches) (stuck []*kgo.ErrDecompressTooLarge) {
	fetches.EachError(func(_ string, _ int32, err error) {
		if e, ok := errors.AsType[*kgo.ErrDecompressTooLarge](err); ok {
			stuck = append(stuck, e)
		}
	})
	return stuck
}

// stuckError is why a session ends that cannot read on.
func (r *Runner) stuckError(stuck []*kgo.ErrDecompressTooLarge) error {
	var errs []error
	for _, e := range stuck {
		errs = append(errs, fmt.Errorf("reading %s/%d: %w: it is passed over", e.Topic, e.Partition, whyTooLarge(e, r.cfg.largest())))
	}
	return errors.Join(errs...)
}

func whyTooLarge(e *kgo.ErrDecompressTooLarge, largest int) error {
	return fmt.Errorf("the batch of offsets %d to %d decompresses to more than %d MiB", e.Offset, e.NextOffset-1, largest>>20)
}

// passed: what was polled is committed, so what lies before it needs no skipping any more.
func (r *Runner) passed(records []*kgo.Record) {
	if len(r.skips) == 0 {
		return
	}
	for _, rec := range records {
		p := Partition{rec.Topic, rec.Partition}
		if next, ok := r.skips[p]; ok && rec.Offset >= next {
			delete(r.skips, p)
		}
	}
}

// take appends the records of fetches and notes what else they say.
func (r *Runner) take(records []*kgo.Record, fetches kgo.Fetches) []*kgo.Record {
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		if p.Err != nil && !errors.Is(p.Err, context.DeadlineExceeded) && !errors.Is(p.Err, kgo.ErrMaxDecompress) { // the gather time is no failure
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
