//go:build e2e

package main

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Run these with: go test -tags e2e -run '^$' -bench . -benchtime 1x ./cmd/kassa
// They are figures, not tests: on a busy machine they are what that machine gives.

// BenchmarkScreenUp is the time from the start of the program to its first frame, whatever the cluster does.
func BenchmarkScreenUp(b *testing.B) {
	var total time.Duration
	for b.Loop() {
		begun := time.Now()
		s := newTerminal(b, 120, 40, binary)
		s.see("1 checkout", "7 timeline")
		total += time.Since(begun)
		b.StopTimer()
		s.press("q")
		s.see("exit 0")
		b.StartTimer()
	}
	b.ReportMetric(float64(total.Milliseconds())/float64(b.N), "ms/screen")
}

// BenchmarkLeaderOnScreen is how long after the brokers' own metadata names a new leader the screen shows it, for a SIGKILL.
func BenchmarkLeaderOnScreen(b *testing.B) {
	s := newTerminal(b, 120, 40, binary)
	s.see("3/3 up", "under-replicated 0", "9 partitions")
	addrs := regexp.MustCompile(`127\.0\.0\.1:\d+`).FindAllString(s.boot(b), -1)
	s.press("5")
	var total, worst time.Duration
	for b.Loop() {
		screen := s.see("3/3 up", "under-replicated 0")
		old := regexp.MustCompile(`payment +0 (?:\d→)?(\d)`).FindStringSubmatch(screen)[1]
		victim, _ := strconv.Atoi(old)
		s.press("g")
		for range victim - 1 {
			s.press("j")
		}
		told := make(chan time.Time, 1)
		ctx, cancel := context.WithTimeout(b.Context(), patience)
		go metadataSays(ctx, addrs, victim, told)
		s.press("K", "y")
		var metadata, shown time.Time
		row := regexp.MustCompile(fmt.Sprintf(`payment +0 %s→[^%s]`, old, old))
		until(b, "the screen and the metadata show the new leader", func() bool {
			if shown.IsZero() && row.MatchString(s.screen()) {
				shown = time.Now()
			}
			if metadata.IsZero() {
				select {
				case metadata = <-told:
				default:
				}
			}
			return !shown.IsZero() && !metadata.IsZero()
		})
		cancel()
		late := shown.Sub(metadata)
		b.Logf("broker %d killed: on the screen %d ms after the metadata", victim, late.Milliseconds())
		total += late
		worst = max(worst, late)
		b.StopTimer()
		s.see("2/3 up")
		s.press("S", "y")
		s.see("3/3 up", "under-replicated 0")
		b.StartTimer()
	}
	b.ReportMetric(float64(total.Milliseconds())/float64(b.N), "ms/late")
	b.ReportMetric(float64(worst.Milliseconds()), "ms/worst")
}

// boot reads the brokers' addresses from their details.
func (s *terminal) boot(b *testing.B) string {
	s.press("5")
	var all strings.Builder
	for i := range 3 {
		if i > 0 {
			s.press("j")
		}
		s.press("Enter")
		all.WriteString(s.see("metadata log end"))
		s.press("Escape")
		s.until("the details are closed", func() bool { return !strings.Contains(s.screen(), "metadata log end") })
	}
	return all.String()
}

// metadataSays reports when any broker first names a leader other than the old one for payment-successful/0.
func metadataSays(ctx context.Context, addrs []string, old int, told chan<- time.Time) {
	seen := map[string]bool{}
	for _, addr := range addrs {
		if seen[addr] {
			continue
		}
		seen[addr] = true
		go func() {
			cl, err := kgo.NewClient(kgo.SeedBrokers(addrs...), kgo.MetadataMinAge(10*time.Millisecond))
			if err != nil {
				return
			}
			defer cl.Close()
			adm := kadm.NewClient(cl)
			for ctx.Err() == nil {
				ask, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
				m, err := adm.Metadata(ask, "payment-successful")
				cancel()
				if err == nil {
					if p, ok := m.Topics["payment-successful"].Partitions[0]; ok && p.Leader >= 0 && p.Leader != int32(old) {
						select {
						case told <- time.Now():
						default:
						}
						return
					}
				}
				time.Sleep(5 * time.Millisecond)
			}
		}()
	}
}

// BenchmarkCPU is what kassa itself takes of a core at 200 orders a second with every pane open (its brokers not counted).
func BenchmarkCPU(b *testing.B) {
	for _, rate := range []string{"0", "200"} {
		b.Run(rate+" orders a second", func(b *testing.B) {
			s := newTerminal(b, 120, 40, binary+" --rate 200")
			s.see("3/3 up", "under-replicated 0")
			if rate != "0" {
				s.press("b")
				s.see("load on", "200/s orders")
			}
			pid := s.kassa()
			time.Sleep(20 * time.Second) // warm up: young JVMs answer slowly
			const span = 20 * time.Second
			var share float64
			for b.Loop() {
				before := cpuTime(b, pid)
				time.Sleep(span)
				share += float64(cpuTime(b, pid)-before) / float64(span)
			}
			b.ReportMetric(100*share/float64(b.N), "%core")
			b.Log(strings.SplitN(s.screen(), "\n", 2)[0])
			s.press("q")
			s.see("exit 0")
		})
	}
}

// cpuTime is the processor time that a process has used.
func cpuTime(b *testing.B, pid int) time.Duration {
	b.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Skip("needs Linux's /proc: ", err)
	}
	// proc(5): the fields after the name in brackets; utime and stime are the 12th and 13th of them, in ticks of 10 ms.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}
