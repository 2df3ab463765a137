//go:build e2e

package main

import (
	"slices"
	"sync"
	"testing"
	"time"

	"kassa/kafkaops/local"
	"kassa/services"
	"kassa/services/events"
	"kassa/services/payment"
)

// While orders come, the delivery is changed and changed back, and under both order works in one, three, six and again one instance: through what the
// screen uses. Nothing is lost or duplicated, each partition keeps its order, and a change that nobody forced repeats nothing either.
func TestE2EDeliveryAndScaleChangeWhileOrdersCome(t *testing.T) {
	const rate = 200
	cluster := guarded(t, local.Config{})
	shop, err := openShop(t.Context(), cluster, shopLog(t), shopConfig{Products: events.DefaultCart()})
	if err != nil {
		t.Fatal(err)
	}
	defer shop.close(5 * time.Second)
	running := func(name string, instances int) func() bool {
		return func() bool {
			return slices.ContainsFunc(shop.staff.all(), func(s services.Stats) bool {
				return s.Name == name && s.Status == services.Running && s.Live == instances
			})
		}
	}
	for _, name := range []string{"order", "email", "analytics"} {
		until(t, name+" has its partitions", running(name, 1))
	}

	var (
		mu       sync.Mutex
		accepted = map[string]bool{}
		failed   []error
		offered  int
	)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		load := time.NewTicker(10 * time.Millisecond)
		defer load.Stop()
		for begun := time.Now(); ; {
			select {
			case <-stop:
				return
			case <-load.C:
			}
			for offered < int(time.Since(begun).Seconds()*rate) {
				mu.Lock()
				offered++
				mu.Unlock()
				shop.payment.Submit(payment.Request{Cart: events.DefaultCart()}, func(r payment.Receipt, err error) {
					mu.Lock()
					defer mu.Unlock()
					if err != nil {
						failed = append(failed, err)
						return
					}
					accepted[r.CheckoutID] = true
				})
			}
		}
	}()
	flows := func(what string) { // all orders that were there, and three seconds' worth of those that come
		t.Helper()
		mu.Lock()
		from := int64(offered)
		mu.Unlock()
		until(t, "orders go on "+what, func() bool { return shop.analytics.Totals().Complete >= from+3*rate })
	}

	flows("exactly-once")
	shop.staff.SetDelivery(services.AtLeastOnce)
	flows("at-least-once")
	scale := func(n int) {
		t.Helper()
		if err := shop.staff.Control("order").Scale(n); err != nil {
			t.Fatal(err)
		}
		until(t, "order works in so many instances", running("order", n))
		flows("after order was scaled")
	}
	scale(3)
	scale(6)
	scale(1)
	scale(3)
	shop.staff.SetDelivery(services.ExactlyOnce)
	flows("exactly-once again")
	scale(6)
	scale(1)
	close(stop)
	<-stopped
	until(t, "every payment is answered", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(accepted)+len(failed) == offered
	})
	until(t, "every accepted checkout is complete", func() bool { return shop.analytics.Totals().Complete >= int64(len(accepted)) })
	mu.Lock()
	defer mu.Unlock()
	if len(failed) > 0 {
		t.Errorf("%d of %d checkouts were not accepted, the first: %v", len(failed), offered, failed[0])
	}
	log := readAll(t, cluster.Bootstrap())
	plain, transactional := 0, 0
	for _, r := range log {
		if r.topic != "order-successful" {
			continue
		}
		if r.transactional {
			transactional++
		} else {
			plain++
		}
	}
	if plain < rate || transactional < rate {
		t.Errorf("%d orders were written without a transaction and %d in one: there was no change", plain, transactional)
	}
	if repeated := verdict(t, log, accepted, nil); repeated > 0 {
		t.Errorf("%d were repeated", repeated)
	}
	t.Logf("%d checkouts, %d orders by transactions and %d without", offered, transactional, plain)
}
