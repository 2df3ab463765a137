package tui

import (
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// The topics view: the partitions of each topic in a line, those in trouble first.

// topicColumn is a count of the view.
type topicColumn struct {
	heads []string // the same in less and less room
	of    func(partSum) int
	style func(Styles) ink
}

func topicColumns() []topicColumn {
	return []topicColumn{
		{[]string{"partitions", "parts"}, func(s partSum) int { return s.total }, func(s Styles) ink { return s.Text }},
		{[]string{"under-replicated", "under-repl", "under"}, func(s partSum) int { return s.under }, func(s Styles) ink { return s.Warn }},
		{[]string{"leaderless", "no lead"}, func(s partSum) int { return s.leaderless }, func(s Styles) ink { return s.Bad }},
		{[]string{"below min ISR", "< min ISR", "<min"}, func(s partSum) int { return s.below }, func(s Styles) ink { return s.Bad }},
		{[]string{"moved", "moved"}, func(s partSum) int { return s.moved }, func(s Styles) ink { return s.Accent }},
	}
}

func (m *Model) renderTopics(w, h int, focused bool) []string {
	s, l := m.styles, &m.parts
	if m.state == nil || l.count == 0 {
		return []string{s.Dim.Render(" no topic yet")}
	}
	lines := []string{m.partitionSummary(w)}
	const name = 16
	cols := topicColumns()
	widths, heads := make([]int, len(cols)), make([]string, len(cols))
	for size := 0; ; size++ { // the longest heads that leave room for the names
		room := w - 1
		for i, c := range cols {
			heads[i] = c.heads[min(size, len(c.heads)-1)]
			widths[i] = max(len(heads[i]), 5) + 2
			room -= widths[i]
		}
		if room >= name || size == 2 {
			for i := len(cols) - 1; room < 8 && i > 0; i-- { // no room at all: what matters least goes
				room, widths[i] = room+widths[i], 0
			}
			break
		}
	}
	room := w - 1
	for _, n := range widths {
		room -= n
	}
	room = min(room, 48)
	head := " " + fit("topic", room)
	for i := range cols {
		head += right(heads[i], widths[i])
	}
	lines = append(lines, s.Dim.Render(fit(head, w)))
	from, to := window(len(l.topics), m.topicAt, 0, h-len(lines))
	for i := from; i < to; i++ {
		t := l.topics[i]
		title := t.name
		if len(title) > room {
			title = strings.TrimSuffix(title, "-successful")
		}
		line := " " + fit(safe(title), room)
		for i, c := range cols {
			n, style := c.of(t.partSum), c.style(s)
			if n == 0 {
				style = s.Dim
			}
			line += style.Render(right(count(n), widths[i]))
		}
		if focused && i == m.topicAt {
			line = s.Select.Render(fit(ansi.Strip(line), w))
		}
		lines = append(lines, line)
	}
	if len(l.topics) == 0 {
		lines = append(lines, s.Dim.Render(" none of "+plural(l.count, "topic")+"; esc shows all"))
	}
	return lines
}

// openTopic shows the partitions of the selected topic.
func (m *Model) openTopic() {
	l := &m.parts
	if m.topicAt >= len(l.topics) {
		return
	}
	l.text, l.exact = l.topics[m.topicAt].name, true
	m.view, m.partAt = viewPartitions, 0
	m.refreshParts()
}
