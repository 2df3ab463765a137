//go:build e2e

package main

import (
	"context"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"kassa/kafkaops/local"
	"kassa/services"
)

// Two processes share order, under names that nobody takes over, and one is killed (SIGKILL) while orders come, three times with KASSA_E2E_CHECKOUTS: the other
// has its partitions within takenOver, as a read_committed reader sees it. Exactly-once that includes the transaction that the dead one left open.
func TestE2EAKilledProcessIsTakenOver(t *testing.T) {
	for _, delivery := range []services.Delivery{services.ExactlyOnce, services.AtLeastOnce} {
		t.Run(delivery.String(), func(t *testing.T) { killTheProcess(t, delivery) })
	}
}

func killTheProcess(t *testing.T, delivery services.Delivery) {
	const rate = 100
	kills, limit := 1, 2*takenOver // Kafka's own time-outs, 7.5 s and 1 s until they are looked at, leave a busy machine little of it
	if os.Getenv("KASSA_E2E_CHECKOUTS") != "" {
		kills, limit = 3, takenOver
	}
	cluster := guarded(t, local.Config{})
	boot := cluster.Bootstrap()
	_, url := paymentAlone(t, boot)
	work := func(name string) *process {
		return start(t, "service", name, "--brokers", strings.Join(boot, ","), "--delivery", delivery.String())
	}
	work("email")
	work("order")

	var (
		mu       sync.Mutex
		accepted = map[string]bool{}
		refused  []string
		wg       sync.WaitGroup
	)
	ctx, stop := context.WithCancel(t.Context())
	defer wg.Wait()
	defer stop()
	wg.Go(func() {
		client := &http.Client{Timeout: 20 * time.Second}
		defer client.CloseIdleConnections()
		var asked sync.WaitGroup
		defer asked.Wait()
		for load := time.NewTicker(time.Second / rate); ctx.Err() == nil; <-load.C {
			asked.Go(func() {
				resp, err := client.Post(url, "application/json", strings.NewReader(`{"cart":[{"id":1,"price":1}]}`))
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					refused = append(refused, err.Error())
					return
				}
				defer resp.Body.Close()
				if text, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != http.StatusOK {
					refused = append(refused, string(text))
					return
				}
				accepted[resp.Header.Get("Checkout-Id")] = true
			})
		}
	})

	last := map[int32]time.Time{}    // when an order of a partition was read
	gap := map[int32]time.Duration{} // the longest time between two since the last kill
	reader, err := kgo.NewClient(kgo.SeedBrokers(boot...), kgo.ConsumeTopics("order-successful"), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.MetadataMinAge(100*time.Millisecond), kgo.FetchMaxWait(100*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	admin := kadm.NewClient(reader)
	seen := 0
	wg.Go(func() {
		for ctx.Err() == nil {
			reader.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
				mu.Lock()
				defer mu.Unlock()
				now := time.Now()
				if at := last[r.Partition]; !at.IsZero() {
					gap[r.Partition] = max(gap[r.Partition], now.Sub(at))
				}
				last[r.Partition] = now
				seen++
			})
		}
	})
	flows := func(what string) { // on all partitions, with nothing left behind
		t.Helper()
		until(t, "orders flow "+what, func() bool {
			mu.Lock()
			defer mu.Unlock()
			for _, at := range last {
				if time.Since(at) > time.Second {
					return false
				}
			}
			return len(last) == 3 && len(accepted)-seen < rate
		})
	}
	flows("at first")

	for range kills {
		victim := work("order")
		until(t, "both processes have partitions", func() bool {
			groups, err := admin.DescribeGroups(t.Context(), "order")
			if err != nil || len(groups["order"].Members) != 2 || groups["order"].State != "Stable" {
				return false
			}
			for _, m := range groups["order"].Members {
				if a, ok := m.Assigned.AsConsumer(); !ok || len(a.Topics) == 0 {
					return false
				}
			}
			return true
		})
		flows("with two")
		mu.Lock()
		clear(gap)
		mu.Unlock()
		if err := victim.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		victim.wait()
		killed := time.Now()
		until(t, "the group has found out", func() bool { return time.Since(killed) > sessionIsOver })
		flows("after the kill")
		mu.Lock()
		worst := time.Duration(0)
		for _, g := range gap {
			worst = max(worst, g)
		}
		mu.Unlock()
		t.Logf("%s: a partition had no order for %v", delivery, worst.Round(10*time.Millisecond))
		if worst > limit {
			t.Errorf("that is longer than %v", limit)
		}
	}
	stop()
	wg.Wait()
	until(t, "every order has its mail", func() bool { return len(readCommitted(t, boot)["email-successful"]) >= len(accepted) })
	if len(refused) > 0 {
		t.Errorf("%d were refused, the first: %s", len(refused), refused[0])
	}
	if repeated := verdict(t, readAll(t, boot), accepted, nil); repeated > 0 && delivery == services.ExactlyOnce {
		t.Errorf("%d were repeated", repeated)
	}
}

// sessionIsOver is when the group has found out about a member that died.
const sessionIsOver = 7 * time.Second
