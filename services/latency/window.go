package latency

import (
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Window counts durations as a Histogram does and forgets them after a while. Use NewWindow. It may be used from several goroutines.
type Window struct {
	mu    sync.Mutex
	h     *hdrhistogram.WindowedHistogram
	slot  time.Duration
	slots int64
	now   int64 // number of the slot that is being filled
}

// NewWindow is an empty window of this length, which moves on in so many steps. Each is a histogram of some 20 kB.
func NewWindow(length time.Duration, steps int) *Window {
	return &Window{
		h:    hdrhistogram.NewWindowed(steps, 1, longest.Microseconds(), digits),
		slot: length / time.Duration(steps), slots: int64(steps),
	}
}

// Record counts d at a time. A clock that goes back counts into the newest step.
func (w *Window) Record(now time.Time, d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.turn(now)
	_ = w.h.Current.RecordValue(value(d))
}

// Percentiles is what was recorded in the window that ends now. It adds up all steps: 0.3 ms when they are full of different values.
func (w *Window) Percentiles(now time.Time) Percentiles {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.turn(now)
	return percentiles(w.h.Merge())
}

func (w *Window) turn(now time.Time) {
	n := now.UnixNano() / int64(w.slot)
	for range min(n-w.now, w.slots) {
		w.h.Rotate()
	}
	w.now = max(w.now, n)
}
