package deadletters

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"kassa/services/events"
)

// patience is how long nothing may come before a read is given up: longer than the loss of a broker takes.
const patience = 15 * time.Second

// span is part of a partition: offsets from from, up to and without to.
type span struct{ from, to int64 }

type partition struct {
	topic string
	id    int32
}

// reader is one look at the log, with a client of its own.
type reader struct {
	cl  *kgo.Client
	adm *kadm.Client
	ids identifier

	patience time.Duration // tests have less than others
}

func (s *Store) open(ids identifier, own ...kgo.Opt) (*reader, error) {
	opts := append(append([]kgo.Opt(nil), s.client...),
		kgo.ClientID("kassa-dlq"),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), // they tell how far a partition was read
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		// Few at once: letters may be of a megabyte each, and nobody is in a hurry.
		kgo.FetchMaxBytes(8<<20),
		kgo.FetchMaxPartitionBytes(2<<20),
		kgo.MaxConcurrentFetches(1),
		kgo.FetchMaxWait(250*time.Millisecond),
		kgo.DisableClientMetrics(),
	)
	cl, err := kgo.NewClient(append(opts, own...)...)
	if err != nil {
		return nil, fmt.Errorf("make a client: %w", err)
	}
	return &reader{cl: cl, adm: kadm.NewClient(cl), ids: ids, patience: patience}, nil
}

func (r *reader) close() { r.cl.Close() }

// spans is all that there is in the dead letters of these source topics now. Topics that do not exist have none.
func (r *reader) spans(ctx context.Context, sources []string) (map[partition]span, error) {
	ctx, cancel := context.WithTimeout(ctx, r.patience)
	defer cancel()
	var topics []string
	for _, t := range sources {
		topics = append(topics, events.DeadLetters(t))
	}
	var last error
	for begun := time.Now(); ; {
		all, missing, err := r.trySpans(ctx, topics)
		if err == nil && (!missing || time.Since(begun) > newcomer) {
			return all, nil
		}
		if err == nil {
			err = errors.New("some topics are not there")
		}
		if last == nil || ctx.Err() == nil {
			last = err // what was wrong before time ran out says more
		}
		t := time.NewTimer(100 * time.Millisecond) // leaders move
		select {
		case <-ctx.Done():
			t.Stop()
			if errors.Is(ctx.Err(), context.Canceled) {
				return nil, ctx.Err()
			}
			return nil, fmt.Errorf("%w within %s: %w", ErrSilent, r.patience, last)
		case <-t.C:
		}
	}
}

// newcomer is for how long a topic is asked for that a broker does not know: one that is just starting does not know of all.
const newcomer = time.Second

// trySpans asks once; missing says that a topic is not known.
func (r *reader) trySpans(ctx context.Context, topics []string) (all map[partition]span, missing bool, _ error) {
	starts, err := r.adm.ListStartOffsets(ctx, topics...)
	if err != nil {
		return nil, false, fmt.Errorf("ask where the dead letters begin: %w", err)
	}
	ends, err := r.adm.ListCommittedOffsets(ctx, topics...)
	if err != nil {
		return nil, false, fmt.Errorf("ask where the dead letters end: %w", err)
	}
	all = make(map[partition]span)
	var failed error
	ends.Each(func(end kadm.ListedOffset) {
		start, ok := starts.Lookup(end.Topic, end.Partition)
		switch err := errors.Join(start.Err, end.Err); {
		case errors.Is(err, kerr.UnknownTopicOrPartition):
			missing = true
		case err != nil:
			failed = fmt.Errorf("%s/%d: %w", end.Topic, end.Partition, err)
		case !ok:
			failed = fmt.Errorf("%s/%d: no answer", end.Topic, end.Partition)
		default:
			all[partition{end.Topic, end.Partition}] = span{start.Offset, end.Offset}
		}
	})
	return all, missing, failed
}

// since moves the beginnings of spans to the first record that is as young as this.
func (r *reader) since(ctx context.Context, spans map[partition]span, at time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, r.patience)
	defer cancel()
	var topics []string
	seen := make(map[string]bool)
	for p := range spans {
		if !seen[p.topic] {
			topics, seen[p.topic] = append(topics, p.topic), true
		}
	}
	if len(topics) == 0 {
		return nil
	}
	listed, err := r.adm.ListOffsetsAfterMilli(ctx, at.UnixMilli(), topics...)
	if err != nil {
		return fmt.Errorf("ask for the dead letters since %s: %w", at.Format(time.RFC3339), err)
	}
	for p, sp := range spans {
		if o, ok := listed.Lookup(p.topic, p.id); ok && o.Err == nil && o.Offset > sp.from {
			spans[p] = span{min(o.Offset, sp.to), sp.to}
		}
	}
	return nil
}

// scan reads spans from their beginnings and hands out their records, those of a partition in order. A span whose end is held back by an
// open transaction may take until that ends, 8.5 s at most.
func (r *reader) scan(ctx context.Context, spans map[partition]span, visit func(*kgo.Record)) error {
	left := make(map[partition]int64, len(spans))
	begin := make(map[string]map[int32]kgo.Offset)
	for p, sp := range spans {
		if sp.from >= sp.to {
			continue
		}
		left[p] = sp.to
		if begin[p.topic] == nil {
			begin[p.topic] = make(map[int32]kgo.Offset)
		}
		begin[p.topic][p.id] = kgo.NewOffset().At(sp.from)
	}
	if len(left) == 0 {
		return nil
	}
	r.cl.AddConsumePartitions(begin)
	defer func() {
		for topic, ps := range begin {
			for id := range ps {
				r.cl.RemoveConsumePartitions(map[string][]int32{topic: {id}})
			}
		}
	}()
	var trouble error
	for last := time.Now(); len(left) > 0; { // when a record came
		wait, cancel := context.WithDeadline(ctx, last.Add(r.patience))
		fetches := r.cl.PollRecords(wait, 500)
		late := wait.Err() != nil
		cancel()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		came := false
		fetches.EachPartition(func(f kgo.FetchTopicPartition) {
			if f.Err != nil && !errors.Is(f.Err, context.DeadlineExceeded) {
				trouble = fmt.Errorf("read %s/%d: %w", f.Topic, f.Partition, f.Err)
			}
			at := partition{f.Topic, f.Partition}
			end, open := left[at]
			if !open {
				return
			}
			for _, rec := range f.Records {
				came = true
				if rec.Offset < end && !rec.Attrs.IsControl() {
					visit(rec)
				}
				if rec.Offset >= end-1 {
					delete(left, at)
					r.cl.RemoveConsumePartitions(map[string][]int32{at.topic: {at.id}})
					return
				}
			}
		})
		switch {
		case came:
			last = time.Now()
		case late:
			for p := range left {
				return errors.Join(fmt.Errorf("read %s/%d: %w within %s", p.topic, p.id, ErrSilent, r.patience), trouble)
			}
		default: // nothing but errors, of which the next poll has more
			breathe(ctx)
		}
	}
	return nil
}

// breathe is a short pause, unless ctx ends.
func breathe(ctx context.Context) {
	t := time.NewTimer(100 * time.Millisecond)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
