package main

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"kassa/kafkaops/embedded"
	"kassa/services"
	"kassa/services/events"
	"kassa/services/order"
	"kassa/services/payment"
)

// busyTill has accepted a number of orders.
type busyTill struct {
	till
	accepted int64
}

func (b busyTill) Stats() payment.Stats { return payment.Stats{Accepted: b.accepted} }

// The log of simulated brokers is too short for a verdict about many orders, and that is said before a drill and not after it.
func TestADrillIsRefusedThatSimulatedBrokersCouldNotProve(t *testing.T) {
	t.Parallel()
	c, err := embedded.Start(t.Context(), embedded.Config{Ports: freePorts(t, 3)})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s, err := openShop(t.Context(), c, slog.New(slog.DiscardHandler), shopConfig{Products: events.DefaultCart()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.close(5 * time.Second)
	refused := func(name string) string {
		t.Helper()
		for _, one := range (&screenDrills{shop: s, cluster: c}).List() {
			if one.Name == name {
				return one.Refused
			}
		}
		t.Fatalf("there is no %s", name)
		return ""
	}
	if why := refused("chaos"); !strings.Contains(why, "run `kassa drill chaos`") {
		t.Errorf("chaos: %q", why)
	}
	if why := refused("leader-kill"); why != "" {
		t.Errorf("leader-kill: %q", why)
	}
	all := s.payment
	s.payment = busyTill{all, 20_000}
	if why := refused("leader-kill"); !strings.Contains(why, "20000 of this session") {
		t.Errorf("leader-kill after 20,000 orders: %q", why)
	}
	s.payment = all
}

// Once there may have been repeats, an audit of the session has to expect them.
func TestRepeatsAreNotForgotten(t *testing.T) {
	s, err := newStaff(nil, "test", services.ExactlyOnce, pace{}, slog.New(slog.DiscardHandler), order.Service())
	if err != nil {
		t.Fatal(err)
	}
	if got := s.mayRepeat(); got != services.ExactlyOnce {
		t.Errorf("at first: %s", got)
	}
	s.SetDelivery(services.AtLeastOnce)
	s.SetDelivery(services.ExactlyOnce)
	if got := s.mayRepeat(); got != services.AtLeastOnce || s.Delivery() != services.ExactlyOnce {
		t.Errorf("after a while at-least-once: %s", got)
	}
}

// A drill that is interrupted is waited for, for it brings back what it has taken away.
func TestADrillIsWaitedFor(t *testing.T) {
	var slot drillSlot
	slot.end(time.Minute) // there is none
	ctx, over, err := slot.take(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := slot.take(t.Context()); err == nil {
		t.Error("there are two at once")
	}
	healed := false
	go func() {
		<-ctx.Done()
		healed = true
		over()
	}()
	slot.end(time.Minute)
	if !healed {
		t.Error("it was not waited for")
	}
	if _, over, err = slot.take(t.Context()); err != nil {
		t.Errorf("there is none any more: %v", err)
	}
	over()
}
