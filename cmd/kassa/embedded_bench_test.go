package main

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"syscall"
	"testing"
	"time"

	"kassa/kafkaops"
	"kassa/kafkaops/embedded"
	"kassa/services/email"
	"kassa/services/events"
	"kassa/services/load"
)

// BenchmarkEmbedded is the whole shop on simulated brokers, but for the mails: how many checkouts pass all services in a second, and how long one takes at a given rate. It
// says what kassa costs without Kafka. Run it with: go test -run '^$' -bench Embedded -benchtime 1x ./cmd/kassa
func BenchmarkEmbedded(b *testing.B) {
	b.Run("bursts", func(b *testing.B) {
		s := embeddedShop(b)
		const n = load.MaxBurst
		s.bursts(b, 1) // the first one warms up
		begun, used := time.Now(), processorTime(b)
		for b.Loop() {
			s.bursts(b, 8)
		}
		all := float64(b.N) * 8 * n
		b.ReportMetric(all/time.Since(begun).Seconds(), "checkouts/s")
		b.ReportMetric(float64((processorTime(b)-used).Microseconds())/all, "cpu-µs/checkout")
	})
	for _, rate := range []int{200, 1000} {
		b.Run(fmt.Sprintf("%d a second", rate), func(b *testing.B) {
			s := embeddedShop(b)
			for b.Loop() {
				s.load.Set(load.Plan{On: true, Mode: load.Open, Rate: rate})
				hold(b, 10*time.Second)
				f := s.Figures()
				b.ReportMetric(float64(f.FlowP50.Microseconds())/1000, "p50-ms")
				b.ReportMetric(float64(f.FlowP99.Microseconds())/1000, "p99-ms")
				b.ReportMetric(float64(f.AckP99.Microseconds())/1000, "ack-p99-ms")
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				b.ReportMetric(float64(m.HeapAlloc)/1e6, "heap-MB")
			}
		})
	}
}

func embeddedShop(b *testing.B) *shop {
	b.Helper()
	cluster, err := embedded.Start(b.Context(), embedded.Config{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = cluster.Close() })
	s, err := openShop(context.Background(), kafkaops.Cluster(cluster), slog.New(slog.DiscardHandler), shopConfig{Products: events.DefaultCart(), Mail: email.Config{Mode: email.None}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.close(5 * time.Second) })
	return s
}

// bursts sends so many bursts of checkouts, the next one when two are on their way, and waits until all are complete. Analytics gathers for 200 ms, so a
// single burst would measure that.
func (s *shop) bursts(b *testing.B, n int64) {
	b.Helper()
	before := s.Figures().Complete
	begun := time.Now()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	await := func(bursts int64) {
		for s.Figures().Complete < before+bursts*load.MaxBurst {
			if time.Since(begun) > time.Minute {
				b.Fatalf("%d of %d are complete", s.Figures().Complete-before, n*load.MaxBurst)
			}
			<-tick.C
		}
	}
	for i := range n {
		await(i - 2)
		s.load.Burst(load.MaxBurst)
	}
	await(n)
}

// processorTime is what this process has used of all processors: of two figures on a busy machine the one that means something.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// hold lets what runs run for a while, which is what is measured.
func hold(b *testing.B, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-b.Context().Done():
	}
}
