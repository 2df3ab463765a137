//go:build e2e

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"kassa/kafkaops"
	"kassa/kafkaops/local"
	"kassa/kafkaops/watch"
	"kassa/services/events"
	"kassa/services/payment"
)

// guarded starts three brokers under the guard of the built binary: a test binary has no hidden commands.
func guarded(t testing.TB, cfg local.Config) *local.Cluster {
	t.Helper()
	cfg.Guard = []string{binary, local.GuardCommand}
	cfg.TempDir = t.TempDir()
	cluster, err := local.Start(t.Context(), cfg, func(kafkaops.Progress) {})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cluster.Close(); err != nil {
			t.Error(err)
		}
	})
	return cluster
}

// shopLog is the test's output with KASSA_LOG=1, else nowhere.
func shopLog(t testing.TB) *slog.Logger {
	if os.Getenv("KASSA_LOG") == "" {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(t.Output(), nil))
}

// At least 2,000 checkouts at 200/s while each broker in turn is killed and started again: each accepted one is once in all three
// topics, by a reader that shares no code with the services.
func TestE2ENoOrderIsLostOrDoubled(t *testing.T) {
	long(t)
	const (
		rate  = 200
		least = 2000
	)
	cluster := guarded(t, local.Config{})
	shop, err := openShop(t.Context(), cluster, shopLog(t), shopConfig{Products: events.DefaultCart()})
	if err != nil {
		t.Fatal(err)
	}
	defer shop.close(time.Second)

	var (
		mu       sync.Mutex
		accepted = map[string]bool{}
		offered  int
		failed   []error
	)
	submit := func() {
		offered++
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

	faults := make(chan error, 1)
	go func() { faults <- killEachInTurn(t, cluster, shop) }()
	load := time.NewTicker(time.Second / rate)
	defer load.Stop()
	for done := false; !done || offered < least; {
		select {
		case <-load.C:
			submit()
		case err := <-faults:
			if err != nil {
				t.Fatal(err)
			}
			done = true
		}
	}
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
	log := readCommitted(t, cluster.Bootstrap())
	for _, topic := range []string{"payment-successful", "order-successful", "email-successful"} {
		missing, doubled, strange := 0, 0, 0
		for id := range accepted {
			switch n := log[topic][id]; {
			case n == 0:
				missing++
			case n > 1:
				doubled++
			}
		}
		for id := range log[topic] {
			if !accepted[id] {
				strange++
			}
		}
		t.Logf("%s: %d accepted, %d missing, %d more than once, %d never accepted", topic, len(accepted), missing, doubled, strange)
		if missing > 0 || doubled > 0 || strange > 0 {
			t.Fail()
		}
	}
	totals := shop.analytics.Totals()
	if totals.Complete != int64(len(accepted)) || totals.InFlight != 0 {
		t.Errorf("the screen would say %d complete and %d in flight of %d", totals.Complete, totals.InFlight, len(accepted))
	}
	t.Logf("%d checkouts at %d/s, flow p50 %v p99 %v max %v", offered, rate, totals.PaymentToEmail.P50, totals.PaymentToEmail.P99, totals.PaymentToEmail.Max)
}

// killEachInTurn kills and starts broker after broker, each once the one before is back in every ISR.
func killEachInTurn(t testing.TB, cluster kafkaops.Cluster, shop *shop) error {
	whole := func() bool {
		st := shop.watcher.State()
		return st != nil && len(st.Partitions) == 9 && st.UnderReplicated() == 0 && st.Count(watch.Up) == 3
	}
	for _, id := range []int32{1, 2, 3} {
		if err := waitFor(whole); err != nil {
			return fmt.Errorf("before broker %d: %w", id, err)
		}
		if err := cluster.Do(t.Context(), kafkaops.Fault{Verb: kafkaops.Kill, Node: id}); err != nil {
			return err
		}
		gone := func() bool {
			st := shop.watcher.State()
			for _, p := range st.Partitions {
				if p.Leader == id || slices.Contains(p.ISR, id) {
					return false
				}
			}
			return true
		}
		if err := waitFor(gone); err != nil {
			return fmt.Errorf("after the death of broker %d: %w", id, err)
		}
		if err := cluster.Do(t.Context(), kafkaops.Fault{Verb: kafkaops.Start, Node: id}); err != nil {
			return err
		}
	}
	return waitFor(whole)
}

func waitFor(ok func() bool) error {
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			return fmt.Errorf("waited %s in vain", patience)
		}
	}
	return nil
}

// readCommitted counts the records of each checkout in each topic, from the beginning to the end of every partition, with a plain
// read_committed reader and a JSON decoder of its own.
func readCommitted(t testing.TB, bootstrap []string) map[string]map[string]int {
	t.Helper()
	topics := []string{"payment-successful", "order-successful", "email-successful"}
	cl, err := kgo.NewClient(kgo.SeedBrokers(bootstrap...), kgo.ConsumeTopics(topics...), kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ends, err := kadm.NewClient(cl).ListEndOffsets(ctx, topics...)
	if err != nil {
		t.Fatal(err)
	}
	count := map[string]map[string]int{}
	read := map[string]map[int32]int64{}
	for _, topic := range topics {
		count[topic], read[topic] = map[string]int{}, map[int32]int64{}
	}
	whole := func() bool {
		for topic, partitions := range ends {
			for p, end := range partitions {
				if end.Offset > read[topic][p] {
					return false
				}
			}
		}
		return true
	}
	for !whole() {
		fetches := cl.PollFetches(ctx)
		if ctx.Err() != nil {
			t.Fatalf("the reader reached %v of %v", read, ends)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			read[r.Topic][r.Partition] = r.Offset + 1
			if r.Attrs.IsControl() {
				return
			}
			var v struct {
				CheckoutID string `json:"checkoutId"`
			}
			if err := json.Unmarshal(r.Value, &v); err != nil {
				t.Errorf("%s/%d offset %d: %v", r.Topic, r.Partition, r.Offset, err)
			}
			count[r.Topic][v.CheckoutID]++
		})
	}
	return count
}
