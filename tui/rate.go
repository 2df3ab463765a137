package tui

import (
	"fmt"
	"time"
)

// rate turns a growing total into a figure a second, over the last window of rateWindow.
type rate struct {
	samples []sample
}

type sample struct {
	at    time.Time
	total int64
}

const rateWindow = 2 * time.Second

func (r *rate) add(at time.Time, total int64) {
	// Ten samples a second say enough, and keep this short.
	if n := len(r.samples); n > 1 && at.Sub(r.samples[n-2].at) < 100*time.Millisecond {
		r.samples[n-1] = sample{at, total}
	} else {
		r.samples = append(r.samples, sample{at, total})
	}
	for len(r.samples) > 2 && at.Sub(r.samples[1].at) >= rateWindow {
		r.samples = r.samples[1:]
	}
}

// value is the rate now, in units a second. It falls to 0 when nothing has been added for the window.
func (r *rate) value(now time.Time) float64 {
	if len(r.samples) < 2 {
		return 0
	}
	first, last := r.samples[0], r.samples[len(r.samples)-1]
	span := max(now.Sub(first.at), last.at.Sub(first.at))
	if now.Sub(last.at) > rateWindow || span <= 0 {
		return 0
	}
	return float64(last.total-first.total) / span.Seconds()
}

func perSecond(v float64) string {
	if v > 0 && v < 9.95 {
		return fmt.Sprintf("%.1f/s", v)
	}
	return count(int64(v+0.5)) + "/s"
}
