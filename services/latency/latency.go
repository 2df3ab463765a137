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
	Count    int64
	P50, P99 time.Duration
	Max      time.Duration
}

// Histogram counts durations from 1 µs to 10 min to two digits. Use New. It may be used from several goroutines.
type Histogram struct {
	mu sync.Mutex
	h  *hdrhistogram.Histogram
}

const longest = 10 * time.Minute

// New is an empty histogram of some 20 kB.
func New() *Histogram {
	return &Histogram{h: hdrhistogram.New(1, longest.Microseconds(), 2)}
}

// Record counts d. One that is out of range, as between two clocks that differ, counts as the nearest that is in it.
func (h *Histogram) Record(d time.Duration) {
	v := min(max(d.Microseconds(), 1), longest.Microseconds())
	h.mu.Lock()
	defer h.mu.Unlock()
	_ = h.h.RecordValue(v) // v is in range
}

// Percentiles is what was recorded since New.
func (h *Histogram) Percentiles() Percentiles {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.h.TotalCount() == 0 {
		return Percentiles{}
	}
	at := h.h.ValueAtPercentiles([]float64{50, 99})
	return Percentiles{
		Count: h.h.TotalCount(),
		P50:   time.Duration(at[50]) * time.Microsecond,
		P99:   time.Duration(at[99]) * time.Microsecond,
		Max:   time.Duration(h.h.Max()) * time.Microsecond,
	}
}
