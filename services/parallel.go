package services

import (
	"context"
	"fmt"
	"hash/maphash"
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

// outcome is what became of one record.
type outcome struct {
	out    []*kgo.Record
	err    error
	passed bool // there was nothing to do
}

// ends says that the batch is lost, and what comes after this record is not worth handling.
func (o outcome) ends() bool { return o.err != nil && !refused(o.err) }

// outcomes handles each record, in shards by key if the service may do several at once: so those of one key keep their order.
func (r *Runner) outcomes(ctx context.Context, records []*kgo.Record) []outcome {
	done := make([]outcome, len(records))
	shards := make([][]int, max(1, r.svc.Parallel))
	seed := maphash.MakeSeed()
	for i, rec := range records {
		shard := uint64(0)
		if len(shards) > 1 {
			shard = maphash.Bytes(seed, rec.Key) % uint64(len(shards))
		}
		shards[shard] = append(shards[shard], i)
	}
	if len(shards) == 1 || len(records) == 1 {
		for _, shard := range shards {
			r.shard(ctx, records, shard, done)
		}
		return done
	}
	var wg sync.WaitGroup
	for _, shard := range shards {
		wg.Go(func() { r.shard(ctx, records, shard, done) })
	}
	wg.Wait()
	return done
}

// shard handles those of records that have these indices, one after the other. What is put off comes again, with back-off, when the others have been handled;
// those of its key that are behind it wait for it.
func (r *Runner) shard(ctx context.Context, records []*kgo.Record, indices []int, done []outcome) {
	for n := 0; len(indices) > 0; n++ {
		var left []int
		var waits map[string]bool // keys; nil while nothing is put off
		for _, i := range indices {
			if waits[string(records[i].Key)] {
				left = append(left, i)
				continue
			}
			done[i] = r.one(ctx, records[i])
			switch {
			case putOff(done[i].err):
				left = append(left, i)
				if key := records[i].Key; key != nil { // records without a key have no order
					if waits == nil {
						waits = make(map[string]bool)
					}
					waits[string(key)] = true
				}
			case done[i].ends():
				for _, i := range left {
					done[i] = outcome{} // the batch is lost, and this record is why
				}
				return
			}
		}
		if len(left) == 0 {
			return
		}
		first := records[left[0]]
		r.log.Warn("events are put off, trying them again", "service", r.svc.Name, "events", len(left), "of", len(indices),
			"topic", first.Topic, "partition", first.Partition, "offset", first.Offset, "err", done[left[0]].err)
		if !pause(ctx, n, handlerPause, handlerPauseMax) {
			done[left[0]] = outcome{err: ctx.Err()}
			return
		}
		indices = left
	}
}

// one decodes and handles one record.
func (r *Runner) one(ctx context.Context, rec *kgo.Record) outcome {
	if rec.Attrs.IsControl() {
		return outcome{passed: true}
	}
	in, err := decode(rec)
	if err != nil {
		if slices.Contains(r.svc.Watched, rec.Topic) {
			return outcome{passed: true}
		}
		return outcome{err: Refuse(fmt.Errorf("cannot be read: %w", err))}
	}
	out, err := r.try(ctx, in)
	if refused(err) {
		err = Refuse(fmt.Errorf("refused: %w", err))
	}
	return outcome{out: out, err: err}
}
