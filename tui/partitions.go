package tui

import (
	"fmt"
	"slices"
	"strings"
	"time"

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
	c := newColumns(w)
	head := " " + fit("topic", c.name) + " # " + fit("leader", 7) + fit("pref", 5) + fit(c.heading, c.replicas) + fit("ISR", 8) + "epoch"
	lines := []string{s.Dim.Render(fit(head, w))}
	parts := m.state.Partitions
	from, to := window(len(parts), m.partAt, 0, h-1)
	for i := from; i < to; i++ {
		first := i == from || parts[i-1].Topic != parts[i].Topic
		lines = append(lines, m.partitionLine(parts[i], w, c, first, focused && i == m.partAt))
	}
	return lines
}

func (m *Model) partitionLine(p watch.Partition, w int, c columns, first, selected bool) string {
	s := m.styles
	now := m.now()
	topic := ""
	if first || selected {
		topic = p.Topic
		if len(topic) > c.name {
			topic = strings.TrimSuffix(topic, "-successful")
		}
	}
	leader, leaderStyle := fmt.Sprint(p.Leader), s.Strong
	moved := !p.Moved.IsZero() && now.Sub(p.Moved) < recently
	switch {
	case p.Leader < 0:
		leader, leaderStyle = "none", s.Bad
	case m.nodeGone(p.Leader): // before all else: what the metadata still says of a dead broker
		leader, leaderStyle = fmt.Sprintf("%d?", p.Leader), s.Bad
	case moved && p.From >= 0:
		leader, leaderStyle = fmt.Sprintf("%d→%d", p.From, p.Leader), s.Accent
	}
	pref := fmt.Sprint(p.Preferred())
	prefStyle := s.Dim
	if p.Leader >= 0 && p.Leader != p.Preferred() {
		prefStyle = s.Warn
		pref += "≠"
	}
	isr, isrStyle := m.isr(p), s.Good
	if p.UnderReplicated() {
		isrStyle = s.Warn
	}
	if p.UnderMinISR() {
		isrStyle = s.Bad
	}
	repl := ids(p.Replicas)
	epoch := fmt.Sprint(p.Epoch)
	if selected {
		return s.Select.Render(fit(" "+fit(topic, c.name)+" "+fmt.Sprint(p.ID)+" "+fit(leader, 7)+fit(pref, 5)+fit(repl, c.replicas)+fit(isr, 8)+epoch, w))
	}
	return " " + fit(topic, c.name) + " " + s.Dim.Render(fmt.Sprint(p.ID)) + " " + leaderStyle.Render(fit(leader, 7)) +
		prefStyle.Render(fit(pref, 5)) + s.Dim.Render(fit(repl, c.replicas)) + isrStyle.Render(fit(isr, 8)) + s.Dim.Render(epoch)
}

// columns are the widths that depend on the width of the pane, in cells; 0 leaves a column out. The ISR names missing
// replicas too, so a narrow pane loses nothing without the replicas.
type columns struct {
	name, replicas int
	heading        string // of the replicas
}

func newColumns(w int) columns {
	const rest = 1 + 3 + 7 + 5 + 8 + 5
	c := columns{replicas: 9, heading: "replicas"}
	if w-rest-c.replicas < 12 {
		c.replicas, c.heading = 6, "repl"
	}
	if w-rest-c.replicas < 8 {
		c.replicas = 0
	}
	c.name = max(7, min(20, w-rest-c.replicas))
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
