package tui

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"kassa/kafkaops/watch"
)

// The partition pane: leader, preferred leader, replicas, ISR and leader epoch of every partition of the flow.

// recently is how long a leader that moved is shown with where it came from.
const recently = 30 * time.Second

func (m *Model) renderPartitions(w, h int, focused bool) []string {
	s := m.styles
	if m.state == nil || len(m.state.Partitions) == 0 {
		return []string{s.Dim.Render(" no topic yet")}
	}
	parts := m.state.Partitions
	c := newColumns(w, parts)
	head := " " + fit("topic", c.name) + " # " + fit("leader", 7) + fit("pref", c.preferred) + fit(c.heading, c.replicas) + fit("ISR", 8) +
		right("epoch", c.epoch)
	lines := []string{s.Dim.Render(fit(head, w))}
	room := h - 1
	if h >= 6 {
		room-- // for the summary
	}
	from, to := window(len(parts), m.partAt, 0, room)
	for i := from; i < to; i++ {
		first := i == from || parts[i-1].Topic != parts[i].Topic
		lines = append(lines, m.partitionLine(parts[i], w, c, first, focused && i == m.partAt))
	}
	if h >= 6 {
		lines = append(lines, m.partitionSummary(w))
	}
	return lines
}

// partitionSummary is the partitions in a line: what is wrong, the worst first.
func (m *Model) partitionSummary(w int) string {
	s, st := m.styles, m.state
	parts := []string{s.Dim.Render(plural(len(st.Partitions), "partition"))}
	for _, c := range []struct {
		n     int
		words string
		style ink
	}{
		{st.Offline(), "offline", s.Bad},
		{st.UnderMinISR(), "below min ISR", s.Bad},
		{st.UnderReplicated(), "under-replicated", s.Warn},
	} {
		if c.n > 0 {
			parts = append(parts, c.style.Render(count(c.n)+" "+c.words))
		}
	}
	if len(parts) == 1 {
		parts = append(parts, s.Good.Render("all replicas in sync"))
	}
	line := func() string { return " " + strings.Join(parts, s.Dim.Render(" · ")) }
	if ansi.StringWidth(line()) > w { // how many there are matters least, and the header has what else does not fit
		parts = parts[1:]
	}
	for len(parts) > 1 && ansi.StringWidth(line()) > w {
		parts = parts[:len(parts)-1]
	}
	return line()
}

func (m *Model) partitionLine(p watch.Partition, w int, c columns, first, selected bool) string {
	s := m.styles
	topic := ""
	if first || selected {
		topic = p.Topic
		if len(topic) > c.name {
			topic = strings.TrimSuffix(topic, "-successful")
		}
	}
	pref := fmt.Sprint(p.Preferred())
	prefStyle := s.Dim
	if p.Leader >= 0 && p.Leader != p.Preferred() {
		prefStyle = s.Warn
		pref += "≠"
	}
	leader, leaderStyle := m.leader(p)
	lead := leaderStyle.Render(fit(leader, 7)) + prefStyle.Render(fit(pref, c.preferred))
	isrStyle := s.Good
	if p.UnderReplicated() {
		isrStyle = s.Warn
	}
	if p.UnderMinISR() {
		isrStyle = s.Bad
	}
	lead += s.Dim.Render(fit(ids(p.Replicas), c.replicas)) + isrStyle.Render(fit(m.isr(p), 8))
	if p.Leader < 0 { // the words need the room of what says little without a leader
		lead = leaderStyle.Render(fit(leader+" "+ids(p.ISR), 7+c.preferred+c.replicas+8))
	}
	line := " " + fit(safe(topic), c.name) + " " + s.Dim.Render(fmt.Sprint(p.ID)) + " " + lead + s.Dim.Render(right(fmt.Sprint(p.Epoch), c.epoch))
	if note := c.note(p); note != "" {
		line += s.Bad.Render(" " + note)
	}
	if selected {
		return s.Select.Render(fit(ansi.Strip(line), w))
	}
	return line
}

// leader is the leader in words that fit its column: none, dead, moved or just there.
func (m *Model) leader(p watch.Partition) (string, ink) {
	s := m.styles
	moved := !p.Moved.IsZero() && m.now().Sub(p.Moved) < recently
	switch {
	case p.Leader < 0:
		return "NO LEADER", s.Bad
	case m.nodeGone(p.Leader): // before all else: what the metadata still says of a dead broker
		return fmt.Sprintf("%d?", p.Leader), s.Bad
	case moved && p.From >= 0:
		return fmt.Sprintf("%d→%d", p.From, p.Leader), s.Accent
	}
	return fmt.Sprint(p.Leader), s.Strong
}

// columns are the widths that depend on the width of the pane, in cells; 0 leaves a column out. The ISR names missing
// replicas too, so a narrow pane loses nothing without the replicas.
type columns struct {
	name, replicas, preferred, epoch int

	heading string // of the replicas
	note    func(watch.Partition) string
}

// notes say what is wrong with a partition beyond its ISR, the most telling first. The first that has room for every partition is shown.
var notes = [...]func(watch.Partition) string{
	func(p watch.Partition) string { return noteOf(p, "below min ISR", p.ELR) },
	func(p watch.Partition) string { return noteOf(p, "< min ISR", p.ELR) },
	func(p watch.Partition) string { return noteOf(p, "< min ISR", nil) },
}

func noteOf(p watch.Partition, below string, elr []int32) string {
	var words []string
	if p.UnderMinISR() {
		words = append(words, below)
	}
	if len(elr) > 0 {
		words = append(words, "ELR "+ids(elr))
	}
	return strings.Join(words, " ")
}

func newColumns(w int, parts []watch.Partition) columns {
	c := columns{name: 7}
	free := w - c.name - 1 - 3 - 7 - 8
	for _, note := range notes {
		widest := 0
		for _, p := range parts {
			if n := ansi.StringWidth(note(p)); n > 0 {
				widest = max(widest, n+1)
			}
		}
		if c.note = note; widest <= free {
			free -= widest
			break
		}
	}
	if free >= 5 {
		c.preferred, free = 5, free-5
	}
	if free >= 5 {
		c.epoch, free = 5, free-5
	}
	switch {
	case free >= 14:
		c.replicas, c.heading = 9, "replicas"
	case free >= 7:
		c.replicas, c.heading = 6, "repl"
	}
	c.name = min(20, c.name+free-c.replicas)
	return c
}

// isr lists the replicas in sync; those that are missing stay in their place with a mark: "1 3 ·2".
func (m *Model) isr(p watch.Partition) string {
	text := ids(p.ISR)
	for _, r := range p.Replicas {
		if !slices.Contains(p.ISR, r) {
			text += fmt.Sprintf(" ·%d", r)
		}
	}
	return strings.TrimSpace(text)
}

func (m *Model) nodeGone(id int32) bool {
	n, ok := m.state.Node(id)
	return ok && n.Health == watch.Down
}

func ids(list []int32) string {
	sorted := slices.Clone(list)
	slices.Sort(sorted)
	text := make([]string, len(sorted))
	for i, id := range sorted {
		text[i] = fmt.Sprint(id)
	}
	return strings.Join(text, " ")
}

// inspectPartition opens what is known of the selected partition.
func (m *Model) inspectPartition() {
	parts := m.state.Partitions
	if len(parts) == 0 {
		return
	}
	p := parts[max(0, min(m.partAt, len(parts)-1))]
	m.overlay = &overlay{title: fmt.Sprintf("%s/%d", p.Topic, p.ID), live: func() []string {
		for _, now := range m.state.Partitions {
			if now.Topic == p.Topic && now.ID == p.ID {
				return m.partitionLines(now)
			}
		}
		return []string{m.styles.Warn.Render("the partition is gone")}
	}}
}

func (m *Model) partitionLines(p watch.Partition) []string {
	s, now := m.styles, m.now()
	field := func(name, value string) string { return s.Dim.Render(fit(name, 20)) + value }
	leader, style := m.leader(p)
	minISR := "not known"
	if p.MinISR > 0 {
		minISR = fmt.Sprint(p.MinISR)
	}
	if p.UnderMinISR() {
		minISR += s.Bad.Render(", and fewer are in sync: writes with acks=all are refused")
	}
	moved := "not seen since kassa started"
	if !p.Moved.IsZero() {
		moved = age(now.Sub(p.Moved)) + " ago"
	}
	return []string{
		field("leader", style.Render(leader)),
		field("preferred leader", fmt.Sprint(p.Preferred())),
		field("leader epoch", fmt.Sprint(p.Epoch)),
		field("leader moved", moved),
		field("replicas", ids(p.Replicas)),
		field("in sync (ISR)", ids(p.ISR)),
		field("min ISR", minISR),
		field("eligible (ELR)", orNone(ids(p.ELR))),
		field("offline replicas", orNone(ids(p.Offline))),
		field("last confirmed", age(now.Sub(p.Seen))+" ago"),
	}
}

func orNone(text string) string {
	if text == "" {
		return "none"
	}
	return text
}
