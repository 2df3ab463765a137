package tui

import (
	"fmt"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"kassa/kafkaops/tail"
	"kassa/services/email"
	"kassa/services/events"
)

// What the overlay takes of the width, and how wide it gets.
const (
	followSides  = 6
	followWide   = 110
	followNarrow = 70 // below it, names are short
	followChart  = 24 // cells of the waterfall
	followHop    = 10 // cells of a hop's name, with its mark
	hopLines     = 2
)

// followLines draws the checkout for the screen as it is. Each hop is two lines: when and where, and what it says.
func (m *Model) followLines() []string {
	s, f := m.styles, &m.follow
	w := min(m.width-followSides, followWide)
	lines := []string{m.followHead(w), ""}
	var before, first time.Time
	if len(f.hops) > 0 {
		first = f.hops[0].record.Time
	}
	last := first
	for _, h := range f.hops {
		if h.record.Time.After(last) {
			last = h.record.Time
		}
	}
	n := 0
	for _, topic := range events.Topics() {
		hops := f.of(topic)
		if len(hops) == 0 {
			lines = append(lines, m.missingLines(topic, w)...)
			continue
		}
		for i, h := range hops {
			after := ""
			if !before.IsZero() {
				after = signed(h.record.Time.Sub(before))
			}
			if f.at == n {
				f.line = len(lines)
			}
			lines = append(lines, m.followedLines(h, f.at == n, after, hopWords(hops, i, m), waterfall(before, h.record.Time, first, last), w)...)
			n++
		}
		before = hops[0].record.Time
	}
	lines = append(lines, m.mailLines(w)...)
	lines = append(lines, m.deadHopLines(w)...)
	lines = append(lines, "")
	for _, l := range m.lookedLines() {
		for _, l := range strings.Split(ansi.Wordwrap(l, w, ""), "\n") {
			lines = append(lines, s.Dim.Render(l))
		}
	}
	hint := s.Key.Render("j k") + s.Dim.Render(" select  ") + s.Key.Render("enter") + s.Dim.Render(" the record  ") + s.Key.Render("y") + s.Dim.Render(" copies the id")
	return append(lines, "", fit(hint, w))
}

// followHead is how far the checkout has come.
func (m *Model) followHead(w int) string {
	s, f := m.styles, &m.follow
	missing := f.missing()
	pay, done := f.of(events.PaymentSuccessful), f.of(events.EmailSuccessful)
	switch {
	case len(missing) == 0:
		text := s.Good.Render("COMPLETE ✓") + s.Dim.Render(" from payment to email ") + s.Strong.Render(age(done[0].record.Time.Sub(pay[0].record.Time)))
		return fit(text+s.Dim.Render(", by the records' timestamps"), w)
	case len(f.hops) == 0 && f.looking:
		return fit(s.Warn.Render("nothing of it is held here: looking in the log …"), w)
	case len(f.hops) == 0:
		return fit(s.Warn.Render("NOT FOUND")+s.Dim.Render(" in what was looked at"), w)
	}
	return fit(s.Warn.Render("ON ITS WAY …")+s.Dim.Render(fmt.Sprintf(" %d of %d events seen", len(events.Topics())-len(missing), len(events.Topics()))), w)
}

func hopName(topic string) string { return strings.TrimSuffix(topic, "-successful") }

// followedLines is one event.
func (m *Model) followedLines(h hop, selected bool, after, words, chart string, w int) []string {
	s, r := m.styles, h.record
	mark := "  "
	if selected {
		mark = "▶ "
	}
	where := fmt.Sprintf("%s/%d @ %s", r.Topic, r.Partition, count(r.Offset))
	by := s.Dim.Render(" · " + writtenBy(r))
	if w < followNarrow {
		where = fmt.Sprintf("%s/%d @ %s", hopName(r.Topic), r.Partition, count(r.Offset))
		by = ""
		if r.Transactional {
			where += " txn"
		}
	}
	name, stamp := fit(mark+hopName(r.Topic), followHop), r.Time.Format("15:04:05.000")
	line := s.Strong.Render(name) + " " + stamp + " " + s.Strong.Render(right(after, 10)) + "  " + where
	if room := w - ansi.StringWidth(line) - 2; room >= followChart {
		line += strings.Repeat(" ", room-followChart+2) + s.Accent.Render(chart)
	}
	if selected {
		line = s.Select.Render(fit(ansi.Strip(line), w))
	}
	from := ""
	if h.log {
		from = s.Dim.Render(" · looked up")
	}
	return []string{fit(line, w), fit(strings.Repeat(" ", followHop+1)+words+by+from, w)}
}

// writtenBy says what the log knows of the write.
func writtenBy(r tail.Record) string {
	switch {
	case r.Transactional:
		return "in a transaction"
	case r.ProducerID >= 0:
		return "idempotent, no transaction"
	}
	return "no transaction"
}

// hopWords is what an event says: the amount or the id; and whether there were others of its kind before it.
func hopWords(hops []hop, i int, m *Model) string {
	s, r := m.styles, hops[i].record
	if r.Size > len(r.Value) {
		return s.Dim.Render(count(r.Size) + " bytes: too large to be read here")
	}
	text := ""
	ev, err := events.Decode(r.Topic, r.Key, r.Value, nil)
	if err != nil {
		return s.Bad.Render("no service can read it: " + safe(err.Error()))
	}
	switch p := ev.Payload.(type) {
	case events.Payment:
		text = "Rs " + money(int64(p.Amount)) + s.Dim.Render(", "+plural(len(p.Cart), "item")+" for ") + safe(p.UserID)
	case events.Order:
		text = s.Dim.Render("order ") + safe(p.OrderID)
	case events.Email:
		text = s.Dim.Render("email ") + safe(p.EmailID)
	}
	for _, h := range hops[:i] { // see services.Delivery for the words
		first, err := events.Decode(h.record.Topic, h.record.Key, h.record.Value, nil)
		if err == nil && first.Payload.ID() != ev.Payload.ID() || h.record.Transactional && r.Transactional {
			return s.Bad.Render("DUPLICATED ") + text
		}
	}
	if i > 0 {
		return s.Warn.Render("repeated ") + text
	}
	return text
}

// missingLines is an event that was not seen.
func (m *Model) missingLines(topic string, w int) []string {
	s, f := m.styles, &m.follow
	text := "not seen yet"
	switch {
	case !f.looking && len(f.hops) == 0:
		text = "not found"
	case f.looking:
		text = "not held here: looking in the log …"
	}
	line := "  " + fit(hopName(topic), followHop-2) + " " + s.Warn.Render(text)
	if len(f.hops) > 0 && !f.looking {
		line += s.Dim.Render(", " + age(m.now().Sub(f.hops[len(f.hops)-1].record.Time)) + " after the last")
	}
	return []string{fit(line, w)}
}

// waterfall shows in cells when something came between the first and the last event.
func waterfall(before, at, first, last time.Time) string {
	whole := last.Sub(first)
	if whole <= 0 {
		return strings.Repeat(" ", followChart)
	}
	cell := func(t time.Time) int {
		return max(0, min(int(int64(followChart-1)*int64(t.Sub(first))/int64(whole)), followChart-1))
	}
	from := cell(at)
	if !before.IsZero() {
		from = min(cell(before), from)
	}
	return fit(strings.Repeat(" ", from)+strings.Repeat("━", cell(at)-from)+"●", followChart)
}

// signed is a time between two events: clocks may differ.
func signed(d time.Duration) string {
	if d < 0 {
		return "−" + age(-d)
	}
	return "+" + age(d)
}

func (m *Model) mailLines(w int) []string {
	s, f := m.styles, &m.follow
	name := "  " + fit("mail", followHop-2) + " "
	switch e := f.mail; {
	case e != nil:
		lines := []string{fit(name+e.At.Format("15:04:05.000")+"  "+s.Dim.Render("to ")+safe(e.To), w)}
		again := ""
		if e.Again {
			again = s.Warn.Render(" · sent again")
		}
		return append(lines, fit(strings.Repeat(" ", followHop+1)+safe(e.Subject)+s.Dim.Render(fmt.Sprintf(" · caught here, mail %s of the inbox (m)", count(e.Number)))+again, w))
	case !hasMail(m):
		return []string{fit(name+s.Dim.Render("nothing is known of mails here"), w)}
	case m.backend.Mail.Stats().Mode == email.None:
		return []string{fit(name+s.Dim.Render("none is made (--mail none)"), w)}
	case m.backend.Mail.Stats().Mode == email.SMTP:
		return []string{fit(name+s.Dim.Render("sent to "+safe(m.backend.Mail.Stats().Server)+", which has it: not known here"), w)}
	}
	return []string{fit(name+s.Dim.Render(fmt.Sprintf("not among the newest %d that are kept", email.Kept)), w)}
}

func (m *Model) deadHopLines(w int) []string {
	s, f := m.styles, &m.follow
	name := "  " + fit("dead", followHop-2) + " "
	switch {
	case f.deadErr != "":
		return []string{fit(name+s.Bad.Render("the dead letters were not read: "+safe(f.deadErr)), w)}
	case len(f.dead) == 0:
		return nil
	}
	var lines []string
	for _, l := range f.dead {
		lines = append(lines, fit(name+l.Time.Format("15:04:05.000")+"  "+s.Bad.Render(sourceText(l)+" died: "+whyOf(l)), w))
	}
	return lines
}

// lookedLines say where the picture comes from.
func (m *Model) lookedLines() []string {
	f := &m.follow
	if m.backend.Log == nil {
		return []string{"This is what the tails hold; the log cannot be asked from here."}
	}
	if f.looks == 0 {
		return []string{"All of it was held in the tails."}
	}
	var lines []string
	whole := map[string]int64{} // records of topics that were looked at in all partitions
	for _, l := range f.looked.Looked {
		whole[l.Topic] += l.Records
	}
	for _, l := range f.looked.Looked {
		if !l.Whole() || l.Partition < 0 || l.Records == 0 {
			delete(whole, l.Topic)
		}
	}
	told := map[string]bool{}
	for _, l := range f.looked.Looked {
		if n, ok := whole[l.Topic]; ok && len(f.hops) == 0 {
			if !told[l.Topic] {
				lines = append(lines, fmt.Sprintf("Looked at all %s of %s.", plural(int(n), "record"), safe(l.Topic)))
			}
			told[l.Topic] = true
			continue
		}
		at := fmt.Sprintf("%s/%d", safe(l.Topic), l.Partition)
		switch {
		case l.Records > 0 && l.Whole():
			lines = append(lines, fmt.Sprintf("Looked at all %s of %s.", plural(int(l.Records), "record"), at))
		case l.Records > 0:
			lines = append(lines, fmt.Sprintf("Looked at %s of %s: offsets %s to %s of %s to %s, written %s to %s.", plural(int(l.Records), "record"), at,
				count(l.From), count(l.To-1), count(l.Start), count(l.End-1), l.Oldest.Format("15:04:05"), l.Newest.Format("15:04:05")))
		case l.Err == "":
			lines = append(lines, "Nothing more is in "+at+" by now.")
		}
		if l.Err != "" {
			lines = append(lines, fmt.Sprintf("%s was not looked at to its end: %s.", at, safe(l.Err)))
		}
	}
	if f.err != "" {
		lines = append(lines, "The last look failed: "+safe(f.err)+".")
	}
	return lines
}
