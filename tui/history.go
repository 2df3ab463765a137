package tui

import (
	"fmt"
	"math"
	"time"

	"kassa/kafkaops/watch"
	"kassa/services"
)

// What the charts draw: figures of each second of the last hour. A second in which nobody looked, or of which nothing is known, is a gap, never a zero.

// historySeconds is how far back it goes. A track of it has 14 kB, and there is one for each figure, service and broker.
const historySeconds = 3600

// mostBrokers bounds the tracks of a cluster.
const mostBrokers = 32

// The tracks. Those of services and brokers have their name or number behind a colon.
const (
	trackAcked  = "acked"  // payments a second
	trackMailed = "mailed" // emails a second
	trackAck50  = "ack50"  // seconds
	trackAck99  = "ack99"
	trackFlow50 = "flow50"
	trackFlow99 = "flow99"
	trackLag    = "lag:"   // records
	trackLeads  = "leads:" // partitions; brokerDown for a broker that is down
)

const brokerDown = -1

// history is a ring of seconds.
type history struct {
	tracks map[string]*[historySeconds]float32 // NaN is a gap
	newest int64                               // the Unix second that was filed last; 0 for none

	at             time.Time // when the totals were read
	acked, emailed int64
}

// begin makes room for a second, with nothing known of it or of those that were left out since the last.
func (h *history) begin(second int64) {
	if h.newest == 0 {
		h.newest = second - 1
	}
	for s := max(h.newest+1, second-historySeconds+1); s <= second; s++ {
		for _, t := range h.tracks {
			t[s%historySeconds] = float32(math.NaN())
		}
	}
	h.newest = max(h.newest, second)
}

// set files what was so in the newest second.
func (h *history) set(track string, v float64) {
	t := h.tracks[track]
	if t == nil {
		if h.tracks == nil {
			h.tracks = map[string]*[historySeconds]float32{}
		}
		t = new([historySeconds]float32)
		for i := range t {
			t[i] = float32(math.NaN())
		}
		h.tracks[track] = t
	}
	t[h.newest%historySeconds] = float32(v)
}

// get is what was so in a second; false for a gap.
func (h *history) get(track string, second int64) (float64, bool) {
	t := h.tracks[track]
	if t == nil || second > h.newest || second <= h.newest-historySeconds || second <= 0 {
		return 0, false
	}
	v := float64(t[second%historySeconds])
	return v, !math.IsNaN(v)
}

// A merge makes one value of several seconds.
type merge int

const (
	mean merge = iota
	most
	last
)

// over is what was so in the n seconds from first on, gaps left out; false if all of it is a gap.
func (h *history) over(track string, first int64, n int, how merge) (float64, bool) {
	sum, known := 0.0, 0
	for s := first; s < first+int64(n); s++ {
		v, ok := h.get(track, s)
		if !ok {
			continue
		}
		known++
		switch how {
		case mean:
			sum += v
		case most:
			if known == 1 || v > sum {
				sum = v
			}
		case last:
			sum = v
		}
	}
	if how == mean && known > 0 {
		sum /= float64(known)
	}
	return sum, known > 0
}

// tooLong is from when on a rate would tell of a stretch that nobody looked at.
const tooLong = 2500 * time.Millisecond

// note files the second that has just ended. It reports whether there was one.
func (h *history) note(m *Model, now time.Time) bool {
	second := now.Unix() - 1
	if second <= h.newest && h.newest-second < 10 { // a clock that was put back far begins anew
		return false
	}
	if second < h.newest {
		*h = history{}
	}
	h.begin(second)
	f := m.figures
	emailed := int64(-1)
	for _, svc := range f.Services {
		if svc.Name == "email" {
			emailed = svc.Handled
		}
		if lag := m.lagOf(svc); lag >= 0 && svc.Status != services.Joining {
			h.set(trackLag+svc.Name, float64(lag))
		}
	}
	if d := now.Sub(h.at); !h.at.IsZero() && d > 0 && d < tooLong {
		h.set(trackAcked, math.Max(0, float64(f.Accepted-h.acked))/d.Seconds())
		if emailed >= 0 && h.emailed >= 0 {
			h.set(trackMailed, math.Max(0, float64(emailed-h.emailed))/d.Seconds())
		}
	}
	h.at, h.acked, h.emailed = now, f.Accepted, emailed
	if m.backend.Recent != nil {
		r := m.backend.Recent()
		if r.Ack.Count > 0 {
			h.set(trackAck50, r.Ack.P50.Seconds())
			h.set(trackAck99, r.Ack.P99.Seconds())
		}
		if r.Flow.Count > 0 {
			h.set(trackFlow50, r.Flow.P50.Seconds())
			h.set(trackFlow99, r.Flow.P99.Seconds())
		}
	}
	h.noteBrokers(m, now)
	return true
}

// noteBrokers files who leads how many, as far as somebody has said so lately.
func (h *history) noteBrokers(m *Model, now time.Time) {
	if m.state == nil || len(m.state.Partitions) == 0 {
		return
	}
	fresh := false
	for _, n := range m.state.Nodes {
		fresh = fresh || now.Sub(n.Seen) <= pictureOld
	}
	for i, n := range m.state.Nodes {
		switch {
		case i >= mostBrokers:
			return
		case n.Health == watch.Down:
			h.set(brokerTrack(n.ID), brokerDown)
		case fresh:
			h.set(brokerTrack(n.ID), float64(n.Leads))
		}
	}
}

func brokerTrack(id int32) string { return fmt.Sprint(trackLeads, id) }
