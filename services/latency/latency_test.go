package latency_test

import (
	"testing"
	"time"

	"kassa/services/latency"
)

func TestPercentiles(t *testing.T) {
	h := latency.New()
	if p := h.Percentiles(); p != (latency.Percentiles{}) {
		t.Errorf("of nothing: %+v", p)
	}
	for i := range 100 {
		h.Record(time.Duration(i+1) * time.Millisecond)
	}
	p := h.Percentiles()
	if p.Count != 100 || p.P50 < 50*time.Millisecond || p.P50 > 51*time.Millisecond || p.P99 < 99*time.Millisecond || p.P99 > 101*time.Millisecond {
		t.Errorf("%+v", p)
	}
	h.Record(-time.Second) // clocks differ
	h.Record(time.Hour)
	if p := h.Percentiles(); p.Count != 102 || p.Max < 10*time.Minute || p.Max > 11*time.Minute {
		t.Errorf("out of range: %+v", p)
	}
}

// What is older than the window is forgotten, in steps, and a clock that goes back or leaps does no harm.
func TestWindow(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 0, 0, time.UTC)
	w := latency.NewWindow(time.Minute, 12)
	counts := func(want int64) {
		t.Helper()
		if got := w.Percentiles(now).Count; got != want {
			t.Errorf("%d in the window, want %d", got, want)
		}
	}
	counts(0)
	for range 30 { // one every 2 s
		w.Record(now, time.Millisecond)
		now = now.Add(2 * time.Second)
	}
	counts(27) // the step of the first 5 s has gone, with three
	now = now.Add(-30 * time.Second)
	w.Record(now, time.Second)
	counts(28)
	now = now.Add(84 * time.Second)
	counts(3) // two of the last 5 s, and the one that came when the clock had gone back
	now = now.Add(24 * time.Hour)
	counts(0)
	w.Record(now, time.Millisecond)
	counts(1)
}

// What is taken is gone, and the next begins with nothing.
func TestInterval(t *testing.T) {
	i := latency.NewInterval()
	if p := i.Take(); p != (latency.Percentiles{}) {
		t.Errorf("of nothing: %+v", p)
	}
	for range 99 {
		i.Record(time.Millisecond)
	}
	i.Record(time.Second)
	if p := i.Take(); p.Count != 100 || p.P50 > 2*time.Millisecond || p.Max < time.Second {
		t.Errorf("%+v", p)
	}
	i.Record(time.Second)
	if p := i.Take(); p.Count != 1 || p.P50 < time.Second {
		t.Errorf("what was taken is still there: %+v", p)
	}
}
