package latency

import (
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Interval counts durations as a Histogram does until somebody takes them, and begins anew: what a chart draws of each second. Use NewInterval. It may
// be used from several goroutines; those who take share what there is.
type Interval struct {
	mu sync.Mutex
	h  *hdrhistogram.Histogram
}

// NewInterval is an empty interval of some 20 kB.
func NewInterval() *Interval {
	return &Interval{h: hdrhistogram.New(1, longest.Microseconds(), digits)}
}

// Record counts d.
func (i *Interval) Record(d time.Duration) {
	i.mu.Lock()
	defer i.mu.Unlock()
	_ = i.h.RecordValue(value(d))
}

// Take is what was recorded since the last Take.
func (i *Interval) Take() Percentiles {
	i.mu.Lock()
	defer i.mu.Unlock()
	p := percentiles(i.h)
	if p.Count > 0 {
		i.h.Reset()
	}
	return p
}
