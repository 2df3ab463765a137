package services

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// atLeastOnce writes what follows from a batch with an idempotent producer, and commits the batch's offsets when that is
// acknowledged. A crash in between repeats the batch, with the same ids. A rebalance does not: it waits at the gate.
type atLeastOnce struct {
	gate
	cl          *kgo.Client
	end         context.CancelFunc
	group, name string
	writes      bool
	most        int           // records in a poll
	timeout     time.Duration // of each half of a commit
}

func openAtLeastOnce(svc Service, cfg Config, f *figures) (session, error) {
	ctx, end := context.WithCancel(context.Background())
	a := &atLeastOnce{end: end, group: svc.Name, name: memberName(svc, cfg), writes: svc.Output != "", most: svc.batch(), timeout: cmp.Or(cfg.commitTimeout, commitTimeout)}
	own := append(a.options(), kgo.WithContext(ctx), kgo.FetchMaxWait(longestFetch))
	if svc.Output == "" {
		// Nothing in the shop waits for such a service, so each broker may gather: 5 fetches a second and not one a record.
		own = append(own, kgo.FetchMinBytes(64<<10), kgo.FetchMaxWait(200*time.Millisecond))
	}
	var err error
	if a.cl, err = kgo.NewClient(options(svc, cfg, f, own...)...); err != nil {
		end()
		return nil, err
	}
	return a, nil
}

func (a *atLeastOnce) client() *kgo.Client { return a.cl }

// start ends the transaction that an exactly-once session of the slot may have left open when it crashed, or when no broker heard its end. Else the
// group's offsets, and every read_committed reader of its output, wait for that one's timeout.
func (a *atLeastOnce) start(ctx context.Context) error {
	if !a.writes {
		return nil
	}
	for n := 0; ; n++ {
		req := kmsg.NewPtrInitProducerIDRequest()
		req.TransactionalID, req.TransactionTimeoutMillis = &a.name, int32(transactionTimeout.Milliseconds())
		resp, err := req.RequestWith(ctx, a.cl)
		if err == nil {
			err = kerr.ErrorForCode(resp.ErrorCode)
		}
		switch {
		case err == nil, errors.Is(err, kerr.TransactionalIDAuthorizationFailed): // who may not have transactions left none
			return nil
		case !errors.Is(err, kerr.ConcurrentTransactions) || !pause(ctx, n, 10*time.Millisecond, 200*time.Millisecond):
			return fmt.Errorf("ending the transaction that may be open: %w", err)
		}
	}
}

func (a *atLeastOnce) rest() {
	a.open()
	a.cl.AllowRebalance()
}

func (a *atLeastOnce) poll(ctx context.Context) kgo.Fetches { return a.cl.PollRecords(ctx, a.most) }

func (a *atLeastOnce) commit(ctx context.Context, out []*kgo.Record) (bool, error) {
	if err := a.write(ctx, out); err != nil {
		return false, fmt.Errorf("writing: %w", err)
	}
	ctx, cancel := outlive(ctx, offsetsGrace, a.timeout)
	defer cancel()
	for n := 0; ; n++ {
		err := a.cl.CommitUncommittedOffsets(ctx)
		switch {
		case err == nil:
			return true, nil
		case errors.Is(err, kerr.RebalanceInProgress) && n < commitTries && pause(ctx, n, 10*time.Millisecond, 200*time.Millisecond):
			// The group is between two generations.
		case errors.Is(err, kerr.IllegalGeneration), errors.Is(err, kerr.UnknownMemberID), errors.Is(err, kerr.RebalanceInProgress):
			// The group has given this member up, for it was not heard of. Whoever has the partitions now repeats the batch; this one did handle it.
			return true, nil
		default:
			return false, fmt.Errorf("committing offsets: %w", err)
		}
	}
}

// commitTries is how often a group is offered offsets in about a second.
const commitTries = 8

func (a *atLeastOnce) write(ctx context.Context, out []*kgo.Record) error {
	ctx, cancel := outlive(ctx, commitGrace, a.timeout)
	defer cancel()
	var failed firstError
	for _, rec := range out {
		a.cl.Produce(context.Background(), rec, failed.promise)
	}
	return errors.Join(a.cl.Flush(ctx), failed.err())
}

func (a *atLeastOnce) close(p parting) { quit(a.cl, a.end, a.group, a.name, p) }
