package tui

import (
	"slices"
	"time"

	"kassa/kafkaops/tail"
)

// Bounds of what a tail keeps to scroll back through; older rows are dropped from view.
const (
	ringRows  = 2000
	ringBytes = 8 << 20
)

// row is a line of a tail: a record, or the mark of a fault that runs through every tail at the same moment.
type row struct {
	seq    int64 // grows by one a row, never reused
	at     time.Time
	mark   string // what was done; empty for a record
	record tail.Record
	text   string // the record in a few words, made when it is first drawn
	hit    bool   // it holds what is searched for
}

// ring keeps the newest rows within its bounds. Positions are given as sequence numbers, so they stay
// true while rows come and go.
type ring struct {
	rows  []row // oldest first; append moves it to new memory now and then, which frees what was dropped
	next  int64 // sequence number of the next row
	bytes int
	hits  int // rows that are hits
}

// first is the sequence number of the oldest row that is kept.
func (r *ring) first() int64 { return r.next - int64(len(r.rows)) }

// at returns the row with this sequence number, nil when it is gone or has not come yet.
func (r *ring) at(seq int64) *row {
	if seq < r.first() || seq >= r.next {
		return nil
	}
	return &r.rows[seq-r.first()]
}

// still is the ring as it is now: rows that are dropped later stay in it.
func (r *ring) still() *ring {
	c := *r
	c.rows = slices.Clone(r.rows)
	return &c
}

// mark says of each row anew whether it is a hit.
func (r *ring) mark(hit func(*row) bool) {
	r.hits = 0
	for i := range r.rows {
		w := &r.rows[i]
		if w.hit = hit(w); w.hit {
			r.hits++
		}
	}
}

// push adds a row and drops the oldest ones that no longer fit.
func (r *ring) push(w row) {
	w.seq = r.next
	size := weight(w)
	for len(r.rows) > 0 && (len(r.rows) >= ringRows || r.bytes+size > ringBytes) {
		r.bytes -= weight(r.rows[0])
		if r.rows[0].hit {
			r.hits--
		}
		r.rows[0] = row{}
		r.rows = r.rows[1:]
	}
	r.rows = append(r.rows, w)
	r.next++
	r.bytes += size
	if w.hit {
		r.hits++
	}
}

func weight(w row) int {
	return w.record.Bytes() + 64
}
