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
