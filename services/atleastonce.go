package services

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// atLeastOnce writes what follows from a batch with an idempotent producer, and commits the batch's offsets when that is
// acknowledged. A crash in between repeats the batch, with the same ids.
type atLeastOnce struct {
	cl          *kgo.Client
	end         context.CancelFunc
	group, name string
}

func openAtLeastOnce(svc Service, cfg Config, assigned func(partitions int)) (session, error) {
	ctx, end := context.WithCancel(context.Background())
	own := []kgo.Opt{kgo.WithContext(ctx), kgo.FetchMaxWait(longestFetch)}
	if svc.Output == "" {
		// Nothing in the shop waits for such a service, so each broker may gather: 5 fetches a second and not one a record.
		own = append(own, kgo.FetchMinBytes(64<<10), kgo.FetchMaxWait(200*time.Millisecond))
	}
	cl, err := kgo.NewClient(options(svc, cfg, assigned, own...)...)
	if err != nil {
		end()
		return nil, err
	}
	return &atLeastOnce{cl: cl, end: end, group: svc.Name, name: memberName(svc, cfg)}, nil
}

func (a *atLeastOnce) client() *kgo.Client { return a.cl }

func (a *atLeastOnce) start(context.Context) error { return nil }

func (a *atLeastOnce) poll(ctx context.Context) kgo.Fetches { return a.cl.PollRecords(ctx, maxPoll) }

func (a *atLeastOnce) commit(ctx context.Context, out []*kgo.Record) (bool, error) {
	var failed firstError
	for _, rec := range out {
		a.cl.Produce(context.Background(), rec, failed.promise)
	}
	if err := errors.Join(a.cl.Flush(ctx), failed.err()); err != nil {
		return false, fmt.Errorf("writing: %w", err)
	}
	err := a.cl.CommitUncommittedOffsets(ctx)
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, kerr.IllegalGeneration), errors.Is(err, kerr.UnknownMemberID), errors.Is(err, kerr.RebalanceInProgress):
		return true, nil // the partitions are another's now, who will repeat the batch; this one did handle it
	}
	return false, fmt.Errorf("committing offsets: %w", err)
}

func (a *atLeastOnce) close(forGood bool) { quit(a.cl, a.end, a.group, a.name, forGood) }
