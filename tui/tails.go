package tui

import (
	"bytes"
	"encoding/json"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"kassa/kafkaops/tail"
	"kassa/services/events"
)

// tailPane shows one topic as it grows.
type tailPane struct {
	topic string
	ring  ring
	count tail.Count
	rate  rate

	// paused: what has come is kept and counted, and the view stays where it is. Moving the cursor away from the end does the same.
	paused bool
	still  *ring // what was there when it was paused; nil: the ring itself is in view, as where it grows only by pages that are asked for
	cursor int64 // sequence number of the selected row; meaningless while following

	own   *opened // nil: one of the flow's, which comes by itself
	beats int     // batches that had records

	needle []byte // what is searched for, in lower case; empty for nothing

	filter   string // shown rows contain this, in key or value, without regard to case
	filtered []int64
}

// add takes the records of a batch and what the tail counted.
func (t *tailPane) add(records []tail.Record, c tail.Count, at time.Time) {
	for _, r := range records {
		w := row{at: r.Time, record: r}
		w.hit = t.matches(&w)
		t.ring.push(w)
	}
	if c.Read != t.count.Read {
		t.beats++
	}
	t.count = c
	t.rate.add(at, c.Read)
}

// mark draws a line through the tail at this moment.
func (t *tailPane) mark(at time.Time, what string) { t.ring.push(row{at: at, mark: safe(what)}) }

// following says that the newest row is always in view.
func (t *tailPane) following() bool { return !t.paused }

func (t *tailPane) pause() {
	if !t.paused {
		t.paused, t.cursor = true, t.ring.next-1
		if t.own == nil || !t.own.paged {
			t.still = t.ring.still()
		}
	}
}

func (t *tailPane) follow() { t.paused, t.still = false, nil }

// shown is where the rows in view are.
func (t *tailPane) shown() *ring {
	if t.still != nil {
		return t.still
	}
	return &t.ring
}

// held are all rows, oldest first: those in view, and those that came since.
func (t *tailPane) held() iter.Seq[*row] {
	return func(yield func(*row) bool) {
		in := t.shown()
		for i := range in.rows {
			if !yield(&in.rows[i]) {
				return
			}
		}
		for seq := max(in.next, t.ring.first()); seq < t.ring.next; seq++ {
			if !yield(t.ring.at(seq)) {
				return
			}
		}
	}
}

// hits is how many of the rows hold what is searched for.
func (t *tailPane) hits() (n int) {
	if t.still == nil {
		return t.ring.hits
	}
	for r := range t.held() {
		if r.hit {
			n++
		}
	}
	return n
}

// visible lists the sequence numbers of the rows that pass the filter, oldest first, up to the end of the view.
func (t *tailPane) visible() []int64 {
	t.filtered = t.filtered[:0]
	needle := []byte(strings.ToLower(t.filter))
	in := t.shown()
	for seq := in.first(); seq < in.next; seq++ {
		r := in.at(seq)
		if len(needle) == 0 || r.mark != "" || holds(r.record.Value, needle) || holds(r.record.Key, needle) {
			t.filtered = append(t.filtered, seq)
		}
	}
	return t.filtered
}

func holds(text, lower []byte) bool { return bytes.Contains(bytes.ToLower(text), lower) }

// move shifts the cursor by n rows among those that pass the filter. Reaching the end does not resume following: f does.
func (t *tailPane) move(n int) {
	t.pause()
	seqs := t.visible()
	if len(seqs) == 0 {
		return
	}
	i := max(0, min(t.position(seqs)+n, len(seqs)-1))
	t.cursor = seqs[i]
}

// position is the index in seqs of the selected row, or of the nearest one before it.
func (t *tailPane) position(seqs []int64) int {
	if t.following() {
		return len(seqs) - 1
	}
	for i := len(seqs) - 1; i >= 0; i-- {
		if seqs[i] <= t.cursor {
			return i
		}
	}
	return 0
}

// selected is the record under the cursor, the newest one while following; nil if there is none.
func (t *tailPane) selected() *row {
	seqs := t.visible()
	for i := t.position(seqs); i >= 0 && i < len(seqs); i-- {
		if r := t.shown().at(seqs[i]); r.mark == "" {
			return r
		}
	}
	return nil
}

// render draws the rows into w by h cells, without the frame.
func (t *tailPane) render(s Styles, w, h int, focused, ready bool, now time.Time) []string {
	warnings := t.warnings(s, now, w)
	warnings = warnings[:min(len(warnings), max(h-1, 0))]
	h -= len(warnings)
	seqs := t.visible()
	if len(seqs) == 0 {
		text := "no record yet: press c"
		switch {
		case t.filter != "":
			text = "nothing matches; esc clears the filter"
		case !ready:
			text = "waiting for the cluster"
		case t.own != nil && t.own.paged:
			text = "reading …"
		case t.own != nil:
			text = "no record yet"
		}
		if len(text) >= w { // the mode in the frame says the rest
			text, _, _ = strings.Cut(text, " for ")
			text, _, _ = strings.Cut(text, ":")
		}
		return append(warnings, s.Dim.Render(" "+text))
	}
	at := t.position(seqs)
	from, to := window(len(seqs), at, len(seqs)-h, h)
	if t.following() {
		from, to = max(0, len(seqs)-h), len(seqs)
	}
	lines := append(make([]string, 0, h+len(warnings)), warnings...)
	for i := from; i < to; i++ {
		lines = append(lines, t.line(t.shown().at(seqs[i]), s, w, focused && t.paused && i == at))
	}
	return lines
}

// Columns of a row, each dropped when the pane is too narrow for it: time (12), partition, checkout, what happened.
func (t *tailPane) line(r *row, s Styles, w int, selected bool) string {
	if r.mark != "" {
		text := "── " + r.mark + " "
		if stamped := text + r.at.Format("15:04:05.000") + " "; ansi.StringWidth(stamped) <= w {
			text = stamped
		}
		if n := w - ansi.StringWidth(text); n > 0 {
			text += strings.Repeat("─", n)
		}
		return s.Accent.Render(ansi.Truncate(text, w, "…"))
	}
	if r.text == "" {
		r.text = summary(r.record)
	}
	part := fmt.Sprint(r.record.Partition)
	id := short(string(r.record.Key), 4)
	stamp := ""
	switch {
	case w >= 31:
		stamp = r.at.Format("15:04:05.000") + " "
	case w >= 28:
		stamp = r.at.Format("05.000") + " "
	}
	sign := " "
	if r.hit {
		sign = matchMark
	}
	if selected {
		return s.Select.Render(fit(stamp+part+sign+id+" "+r.text, w))
	}
	text, room := r.text, w-len(stamp)-len(part)-ansi.StringWidth(id)-2
	if _, alone, ok := strings.Cut(text, " "); ok && len(text) > room && len(alone) == 8 { // "order 19c2aaaa": the frame says which it is
		text = alone
	}
	if r.hit {
		return s.Dim.Render(stamp+part) + s.Accent.Render(sign) + lit(id, t.needle, s.ID, s.Select) + " " + litFit(text, room, t.needle, s.Text, s.Select)
	}
	return s.Dim.Render(stamp+part) + sign + s.ID.Render(id) + " " + fit(text, room)
}

// summary is a record in a few words: the amount, the order, the mail; else the beginning of its text.
func summary(r tail.Record) string {
	if r.Value == nil {
		return "(tombstone)"
	}
	if len(r.Value) == 0 {
		return "(empty)"
	}
	var v struct {
		Amount  *events.Money `json:"amount"`
		OrderID string        `json:"orderId"`
		EmailID string        `json:"emailId"`
	}
	if r.Size == len(r.Value) && json.Unmarshal(r.Value, &v) == nil {
		switch {
		case r.Topic == events.PaymentSuccessful && v.Amount != nil:
			return "Rs " + money(int64(*v.Amount))
		case r.Topic == events.OrderSuccessful && v.OrderID != "":
			return "order " + short(v.OrderID, 8)
		case r.Topic == events.EmailSuccessful && v.EmailID != "":
			return "email " + short(v.EmailID, 8)
		}
	}
	return safe(string(r.Value[:min(len(r.Value), 400)]))
}
