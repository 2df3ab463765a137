// Package latency counts durations and answers with percentiles. It keeps no durations, only counts in buckets
// (HdrHistogram), so it neither grows nor slows down.
package latency

import (
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Percentiles is a snapshot; all zero when nothing was recorded.
type Percentiles struct {
	Count         int64
	P50, P90, P99 time.Duration
	Max           time.Duration
}

// Histogram counts durations from 1 µs to 10 min to two digits. Use New. It may be used from several goroutines.
type Histogram struct {
	mu  sync.Mutex
	h   *hdrhistogram.Histogram
	sum time.Duration
}

const (
	longest = 10 * time.Minute
	digits  = 2
)

// New is an empty histogram of some 20 kB.
func New() *Histogram {
	return &Histogram{h: hdrhistogram.New(1, longest.Microseconds(), digits)}
}

// Record counts d. One that is out of range, as between two clocks that differ, counts as the nearest that is in it.
func (h *Histogram) Record(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	_ = h.h.RecordValue(value(d))
	h.sum += max(d, 0)
}

// Cumulative is how many durations there were, their sum, and how many of them were not longer than each bound, in seconds: to two digits, as all here.
func (h *Histogram) Cumulative(bounds []float64) (count int64, sum time.Duration, within map[float64]uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	within = make(map[float64]uint64, len(bounds))
	for _, b := range bounds {
		within[b] = 0
	}
	for _, bar := range h.h.Distribution() {
		for _, b := range bounds {
			if float64(bar.From)/1e6 <= b {
				within[b] += uint64(bar.Count)
			}
		}
	}
	return h.h.TotalCount(), h.sum, within
}

// Percentiles is what was recorded since New.
func (h *Histogram) Percentiles() Percentiles {
	h.mu.Lock()
	defer h.mu.Unlock()
	return percentiles(h.h)
}

// value is d in the unit and the range of the histograms.
func value(d time.Duration) int64 { return min(max(d.Microseconds(), 1), longest.Microseconds()) }

func percentiles(h *hdrhistogram.Histogram) Percentiles {
	if h.TotalCount() == 0 {
		return Percentiles{}
	}
	at := h.ValueAtPercentilesSlice([]float64{50, 90, 99})
	us := func(v int64) time.Duration { return time.Duration(v) * time.Microsecond }
	return Percentiles{Count: h.TotalCount(), P50: us(at[0]), P90: us(at[1]), P99: us(at[2]), Max: us(h.Max())}
}
