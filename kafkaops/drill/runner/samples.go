package runner

import (
	"bytes"
	"os"
	"runtime/metrics"
	"strconv"
	"time"

	"kassa/kafkaops/drill"
)

// mostSamples bounds what a result keeps, however long a drill is.
const mostSamples = 2000

// sampler makes samples: one a second, or where that would be more than mostSamples, one of so many seconds. When a drill takes longer than was
// known, two at a time are made one.
type sampler struct {
	begun  time.Time
	every  time.Duration
	next   time.Time
	before Figures
	all    []drill.Sample
	heap   []metrics.Sample
}

func (s *sampler) begin(now time.Time, f Figures, length time.Duration) {
	s.begun, s.before, s.every = now, f, time.Second
	for length/s.every > mostSamples {
		s.every += time.Second
	}
	s.next = now.Add(s.every)
	s.heap = []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
}

// due says that a sample is to be taken. A ticker may be early by a little.
func (s *sampler) due(now time.Time) bool { return !now.Before(s.next.Add(-100 * time.Millisecond)) }

// take takes a sample if one is due.
func (s *sampler) take(now time.Time, f Figures, ack, flow slot) {
	if !s.due(now) {
		return
	}
	for !s.next.After(now.Add(100 * time.Millisecond)) {
		s.next = s.next.Add(s.every)
	}
	metrics.Read(s.heap)
	s.all = append(s.all, drill.Sample{
		At: now.Sub(s.begun).Seconds(), Accepted: f.Accepted - s.before.Accepted, Complete: f.Complete - s.before.Complete,
		AckP50: ack.P50, AckP99: ack.P99, FlowP50: flow.P50, FlowP99: flow.P99,
		HeapMB: float64(s.heap[0].Value.Uint64()) / 1e6, RSSMB: rss(),
	})
	s.before = f
	if len(s.all) > mostSamples {
		s.merge()
	}
}

// merge makes one sample of each two. Percentiles cannot be added up: of two the larger is kept, so that nothing looks better than it was.
func (s *sampler) merge() {
	larger := func(a, b *float64) *float64 {
		if a == nil || b != nil && *b > *a {
			return b
		}
		return a
	}
	half := s.all[:0]
	for i := 0; i+1 < len(s.all); i += 2 {
		a, b := s.all[i], s.all[i+1]
		half = append(half, drill.Sample{
			At: b.At, Accepted: a.Accepted + b.Accepted, Complete: a.Complete + b.Complete,
			AckP50: larger(a.AckP50, b.AckP50), AckP99: larger(a.AckP99, b.AckP99),
			FlowP50: larger(a.FlowP50, b.FlowP50), FlowP99: larger(a.FlowP99, b.FlowP99),
			HeapMB: max(a.HeapMB, b.HeapMB), RSSMB: max(a.RSSMB, b.RSSMB),
		})
	}
	if len(s.all)%2 == 1 {
		half = append(half, s.all[len(s.all)-1])
	}
	s.all = half
	s.every *= 2
}

// rss is the memory that this process has in use, in MB; 0 where the system does not tell (anything but Linux).
func rss() float64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := bytes.Fields(text) // proc(5): the second is the resident pages
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(string(fields[1]), 10, 64)
	if err != nil {
		return 0
	}
	return float64(pages*int64(os.Getpagesize())) / 1e6
}
