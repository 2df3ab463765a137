package runner

import (
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"kassa/kafkaops/drill"
)

// Meter is told of every order and keeps no order, only counts in histograms and the longest silences, so that it does not grow. Its methods may be
// called from several goroutines.
type Meter struct {
	mu        sync.Mutex
	begun     time.Time // nothing before counts; zero: nothing counts yet
	ack, flow *hdrhistogram.Histogram
	slotAck   *hdrhistogram.Histogram // of the sample that is being filled
	slotFlow  *hdrhistogram.Histogram

	due     time.Time // of orders that are acknowledged: when the latest of them was due
	since   time.Time // what is asked of flowed
	resumed time.Time // when the first order that was paid after since was complete
	last    time.Time // when an order was complete
	silent  []silence // oldest first
}

type silence struct{ from, to time.Time }

const (
	longest = 10 * time.Minute // that a histogram tells apart
	digits  = 3
	// shortestSilence is what is kept: services commit some ten batches a second, so shorter ones are no news.
	shortestSilence = 150 * time.Millisecond
	silencesKept    = 4096 // since the act before the last
)

// NewMeter is a Meter that counts from Begin on.
func NewMeter() *Meter {
	hdr := func() *hdrhistogram.Histogram { return hdrhistogram.New(1, longest.Microseconds(), digits) }
	return &Meter{ack: hdr(), flow: hdr(), slotAck: hdr(), slotFlow: hdr()}
}

// Begin has everything count that was due or paid from now on.
func (m *Meter) Begin(now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, h := range []*hdrhistogram.Histogram{m.ack, m.flow, m.slotAck, m.slotFlow} {
		h.Reset()
	}
	m.begun, m.silent = now, nil
}

// Acked tells of an order that was due at due and is acknowledged now.
func (m *Meter) Acked(due, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if due.After(m.due) {
		m.due = due
	}
	if m.begun.IsZero() || due.Before(m.begun) {
		return
	}
	v := micros(now.Sub(due))
	_ = m.ack.RecordValue(v)
	_ = m.slotAck.RecordValue(v)
}

// Completed tells of an order that is complete: by the timestamps of its payment and its email, and when it was seen.
func (m *Meter) Completed(paid, emailed, seen time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.last.IsZero() && seen.Sub(m.last) >= shortestSilence {
		if m.silent = append(m.silent, silence{m.last, seen}); len(m.silent) > silencesKept {
			m.silent = m.silent[1:]
		}
	}
	if seen.After(m.last) {
		m.last = seen
	}
	if m.resumed.IsZero() && paid.After(m.since) {
		m.resumed = seen
	}
	if m.begun.IsZero() || paid.Before(m.begun) {
		return
	}
	v := micros(emailed.Sub(paid))
	_ = m.flow.RecordValue(v)
	_ = m.slotFlow.RecordValue(v)
}

// micros is d in the unit and the range of the histograms.
func micros(d time.Duration) int64 { return min(max(d.Microseconds(), 1), longest.Microseconds()) }

// mark begins to wait for an order that is paid after at.
func (m *Meter) mark(at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.since, m.resumed = at, time.Time{}
}

// forget drops what was over before at.
func (m *Meter) forget(at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for n < len(m.silent) && m.silent[n].to.Before(at) {
		n++
	}
	m.silent = append(m.silent[:0], m.silent[n:]...)
}

// AckedSince says whether an order that was due after at is acknowledged.
func (m *Meter) AckedSince(at time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.due.After(at)
}

// flowed is when the first order was complete that was paid after at, which is what mark was given last.
func (m *Meter) flowed(at time.Time) (time.Time, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.resumed, m.since.Equal(at) && !m.resumed.IsZero()
}

// FlowedSince says whether an order is complete that was paid after at, which is what mark was given last.
func (m *Meter) FlowedSince(at time.Time) bool {
	_, ok := m.flowed(at)
	return ok
}

// flowGap is the longest time without a complete order, in ms, that overlaps the time between two moments, as far as it had come at the second; open says
// that it was not over then. Nil if no order was ever complete.
func (m *Meter) flowGap(from, to time.Time) (gap *float64, open bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.last.IsZero() {
		return nil, false
	}
	worst := time.Duration(0)
	if m.last.Before(to) {
		worst = to.Sub(m.last)
		open = worst >= shortestSilence
	}
	for _, s := range m.silent {
		if !s.to.After(from) || !s.from.Before(to) {
			continue
		}
		end, cut := s.to, false
		if end.After(to) {
			end, cut = to, true
		}
		if d := end.Sub(s.from); d > worst {
			worst, open = d, cut
		}
	}
	ms := drill.Ms(worst)
	return &ms, open
}

// slot are the latencies of one sample.
type slot struct{ P50, P99 *float64 }

// turn gives the latencies since the last sample, and begins a new one where it is due.
func (m *Meter) turn(due bool) (ack, flow slot) {
	if !due {
		return slot{}, slot{}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	take := func(h *hdrhistogram.Histogram) slot {
		if h.TotalCount() == 0 {
			return slot{}
		}
		p50, p99 := ms(h.ValueAtQuantile(50)), ms(h.ValueAtQuantile(99))
		h.Reset()
		return slot{&p50, &p99}
	}
	return take(m.slotAck), take(m.slotFlow)
}

// totals are the latencies since Begin.
func (m *Meter) totals() (ack, flow drill.Percentiles) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return percentiles(m.ack), percentiles(m.flow)
}

func percentiles(h *hdrhistogram.Histogram) drill.Percentiles {
	if h.TotalCount() == 0 {
		return drill.Percentiles{}
	}
	return drill.Percentiles{
		N:   h.TotalCount(),
		P50: ms(h.ValueAtQuantile(50)), P90: ms(h.ValueAtQuantile(90)), P99: ms(h.ValueAtQuantile(99)), P999: ms(h.ValueAtQuantile(99.9)),
		Max: ms(h.Max()),
	}
}

func ms(micros int64) float64 { return float64(micros) / 1000 }
