package tui

import (
	"bytes"
	"encoding/json"
	"fmt"
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
	frozen int64 // while paused: sequence number after the newest row in view
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
		t.paused, t.frozen = true, t.ring.next
		t.cursor = t.ring.next - 1
	}
}

func (t *tailPane) follow() { t.paused = false }

// visible lists the sequence numbers of the rows that pass the filter, oldest first, up to the end of the view.
func (t *tailPane) visible() []int64 {
	end := t.ring.next
	if t.paused {
		end = max(t.frozen, t.ring.first())
	}
	t.filtered = t.filtered[:0]
	needle := []byte(strings.ToLower(t.filter))
	for seq := t.ring.first(); seq < end; seq++ {
		r := t.ring.at(seq)
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
		if r := t.ring.at(seqs[i]); r.mark == "" {
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
		lines = append(lines, t.line(t.ring.at(seqs[i]), s, w, focused && t.paused && i == at))
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
