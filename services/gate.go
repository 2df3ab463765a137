package services

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// giveWayAfter is how long a rebalance waits for the batch under way to be handled. It leaves a half of the rebalance timeout for what follows.
const giveWayAfter = rebalanceTimeout / 2

var errGaveWay = errors.New("a batch that could not be handled gave way to a rebalance")

// gate keeps the partitions of a batch from being given to another member before its offsets are committed, else that one would repeat it. The client
// does the keeping (BlockRebalanceOnPoll); the gate bounds it: a batch that is not handled in time, as when the mail server is down, is given
// up before anything of it is written.
type gate struct {
	mu     sync.Mutex
	cancel context.CancelCauseFunc // ends the handling of the batch; nil when none is being handled
	late   *time.Timer             // runs while a rebalance waits; nil else
}

func (g *gate) options() []kgo.Opt {
	return []kgo.Opt{
		kgo.BlockRebalanceOnPoll(),
		kgo.OnPartitionsCallbackBlocked(func(context.Context, *kgo.Client) { g.blocked() }),
	}
}

// blocked: a rebalance has begun to wait.
func (g *gate) blocked() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.late == nil {
		g.late = time.AfterFunc(giveWayAfter, g.giveWay)
	}
}

func (g *gate) giveWay() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.cancel != nil {
		g.cancel(errGaveWay)
	}
}

// open: nothing is under way, so nothing has to wait.
func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.late != nil {
		g.late.Stop()
		g.late = nil
	}
}

// handling is ctx for the handling of a batch, which ends with errGaveWay when that takes too long. Whoever called it calls done afterwards.
func (g *gate) handling(ctx context.Context) (_ context.Context, done func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.cancel = cancel
	return ctx, func() {
		g.mu.Lock()
		g.cancel = nil
		g.mu.Unlock()
		cancel(nil)
	}
}
