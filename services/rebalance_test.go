package services_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kassa/services"
	"kassa/services/events"
	"kassa/services/order"
)

// At-least-once, a rebalance waits until the batch under way is written and its offsets are committed. Else the new owner of the partitions
// begins before them, and repeats what nobody interrupted.
func TestRebalanceWaitsForTheBatch(t *testing.T) {
	s := newShop(t).topics()
	svc := order.Service()
	handle := svc.Handle
	begun, goOn := make(chan struct{}), make(chan struct{})
	var first sync.Once
	svc.Handle = func(ctx context.Context, in events.Event) ([]events.Event, error) {
		first.Do(func() { close(begun); <-goOn })
		return handle(ctx, in)
	}
	c := s.crew(svc, 1, func(c *services.Config) { c.Delivery = services.AtLeastOnce })
	s.runs(c, 3)
	ids := s.checkouts(s.payment(), 60)
	<-begun
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	if err := c.Scale(3); err != nil {
		t.Fatal(err)
	}
	// The first instance hears of the rebalance with its next heartbeat, and keeps its place in the group with those that follow.
	told := s.c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, Group: "order", Observe: true, Count: -1, When: func(req kmsg.Request) bool {
		return *req.(*kmsg.HeartbeatRequest).InstanceID == "kassa.order.test.0"
	}})
	if err := told.Wait(ctx, 3); err != nil {
		t.Fatal(err)
	}
	close(goOn)
	s.shared(c, 3)
	ids = append(ids, s.checkouts(s.payment(), 60)...)
	s.read(events.OrderSuccessful, len(ids))
	if err := once(s.end(events.OrderSuccessful), ids, checkoutOf); err != nil {
		t.Error(err)
	}
}

// A batch that cannot be handled, as when the mail server is down, does not hold a rebalance up for good: it is given up before anything of it is
// written, and whoever has its partitions then does it again.
func TestRebalanceDoesNotWaitForAHandlerThatFails(t *testing.T) {
	s := newShop(t).topics()
	svc := order.Service()
	handle := svc.Handle
	var mended atomic.Bool
	svc.Handle = func(ctx context.Context, in events.Event) ([]events.Event, error) {
		if !mended.Load() {
			return nil, errors.New("not yet")
		}
		return handle(ctx, in)
	}
	c := s.crew(svc, 1, func(c *services.Config) { c.Delivery = services.AtLeastOnce })
	s.runs(c, 3)
	ids := s.checkouts(s.payment(), 60)
	if err := c.Scale(3); err != nil {
		t.Fatal(err)
	}
	s.shared(c, 3)
	mended.Store(true)
	s.read(events.OrderSuccessful, len(ids))
	if err := once(s.end(events.OrderSuccessful), ids, checkoutOf); err != nil {
		t.Error(err)
	}
}

// Offsets that the group does not take while it is between two generations are offered again.
func TestOffsetsAreCommittedAfterARebalance(t *testing.T) {
	s := newShop(t).topics()
	s.c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Group: "order", Err: kerr.RebalanceInProgress, Count: 3})
	c := s.crew(order.Service(), 1, func(c *services.Config) { c.Delivery = services.AtLeastOnce })
	ids := s.checkouts(s.payment(), 30)
	s.read(events.OrderSuccessful, 30)
	if err := c.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	s.runs(c, 3)
	ids = append(ids, s.checkouts(s.payment(), 30)...)
	s.read(events.OrderSuccessful, 60)
	if err := once(s.end(events.OrderSuccessful), ids, checkoutOf); err != nil {
		t.Error(err)
	}
}
