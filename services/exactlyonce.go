package services

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// exactlyOnce writes what follows from a batch and the batch's offsets in one transaction (KIP-98, KIP-447).
type exactlyOnce struct {
	s           *kgo.GroupTransactSession
	end         context.CancelFunc
	group, name string
	most        int           // records in a poll
	timeout     time.Duration // of a commit
	open        bool          // a transaction has begun and has not ended
}

func openExactlyOnce(svc Service, cfg Config, f *figures) (session, error) {
	ctx, end := context.WithCancel(context.Background())
	s, err := kgo.NewGroupTransactSession(options(
		svc, cfg, f,
		kgo.WithContext(ctx),
		kgo.TransactionalID(memberName(svc, cfg)),
		kgo.TransactionTimeout(transactionTimeout),
		kgo.FetchMaxWait(longestFetch),
	)...)
	if err != nil {
		end()
		return nil, err
	}
	return &exactlyOnce{s: s, end: end, group: svc.Name, name: memberName(svc, cfg), most: svc.batch(), timeout: cmp.Or(cfg.commitTimeout, commitTimeout)}, nil
}

func (e *exactlyOnce) client() *kgo.Client { return e.s.Client() }

// start takes the transactional id over at once, as Java's initTransactions does, which aborts what its last owner left open.
// The client would do so with its first record; until then the group's offsets are held back by that open transaction, for
// up to its timeout.
func (e *exactlyOnce) start(ctx context.Context) error {
	if _, _, err := e.s.Client().ProducerID(ctx); err != nil {
		return fmt.Errorf("taking over the transactional id: %w", err)
	}
	return nil
}

// A batch whose partitions are taken away is undone with its transaction, so no rebalance waits for it.
func (e *exactlyOnce) rest() {}

func (e *exactlyOnce) handling(ctx context.Context) (context.Context, func()) { return ctx, func() {} }

func (e *exactlyOnce) poll(ctx context.Context) kgo.Fetches { return e.s.PollRecords(ctx, e.most) }

func (e *exactlyOnce) commit(ctx context.Context, out []*kgo.Record) (bool, error) {
	ctx, cancel := outlive(ctx, commitGrace, e.timeout)
	defer cancel()
	// Begin would do this too, if the last transaction cost the producer its id, and not end with ctx. An error that another id does away with is Begin's
	// to judge: it answers at once, and does not ask for one while ctx holds.
	if _, _, err := e.s.Client().ProducerID(ctx); err != nil {
		if k, ok := errors.AsType[*kerr.Error](err); !ok || k.Retriable || ctx.Err() != nil {
			return false, fmt.Errorf("beginning a transaction: %w", err)
		}
	}
	if err := e.s.Begin(); err != nil {
		return false, fmt.Errorf("beginning a transaction: %w", err)
	}
	e.open = true
	var failed firstError
	for _, rec := range out {
		// Not ctx: a record is not given up alone, the transaction is.
		e.s.Produce(context.Background(), rec, failed.promise)
	}
	if err := e.s.Client().Flush(ctx); err != nil {
		return false, fmt.Errorf("writing: %w", err)
	}
	// The client would commit what did get written, so it is told.
	committed, err := e.s.End(ctx, kgo.TransactionEndTry(failed.err() == nil))
	if err = errors.Join(failed.err(), err); err != nil {
		return false, fmt.Errorf("ending a transaction: %w", err)
	}
	e.open = false
	return committed, nil
}

func (e *exactlyOnce) close(p parting) {
	if e.open && p != cutOff {
		ctx, cancel := context.WithTimeout(context.Background(), abortGrace)
		_, _ = e.s.End(ctx, kgo.TryAbort) // else the broker does it, by the transaction timeout or the next client's epoch
		cancel()
	}
	quit(e.s.Client(), e.end, e.group, e.name, p)
}

// firstError keeps the first error of many promises.
type firstError struct {
	mu    sync.Mutex
	first error
}

func (f *firstError) promise(_ *kgo.Record, err error) {
	if err == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.first == nil {
		f.first = err
	}
}

func (f *firstError) err() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.first
}
