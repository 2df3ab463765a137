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
	if r.svc.Parallel <= 1 || len(records) == 1 {
		for i, rec := range records {
			if done[i] = r.one(ctx, rec); done[i].ends() {
				break
			}
		}
		return done
	}
	shards := make([][]int, r.svc.Parallel)
	seed := maphash.MakeSeed()
	for i, rec := range records {
		shard := maphash.Bytes(seed, rec.Key) % uint64(len(shards))
		shards[shard] = append(shards[shard], i)
	}
	var wg sync.WaitGroup
	for _, shard := range shards {
		wg.Go(func() {
			for _, i := range shard {
				if done[i] = r.one(ctx, records[i]); done[i].ends() {
					break
				}
			}
		})
	}
	wg.Wait()
	return done
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
