package tui

import (
	"fmt"

	"github.com/charmbracelet/x/ansi"

	"kassa/kafkaops/tail"
)

// What the list takes of the screen besides its rows.
const (
	pickerSides = 6
	pickerWide  = 100
	pickerHead  = 3
	pickerFoot  = 2
)

func (m *Model) pickerRows() int { return m.overlayRows() - pickerHead - pickerFoot }

// pickerLines draws the list for the screen as it is.
func (m *Model) pickerLines() []string {
	s, p := m.styles, &m.picker
	w := min(m.width-pickerSides, pickerWide)
	list := m.pickable()
	p.at = max(0, min(p.at, len(list)-1))
	about := s.Dim.Render("reading …")
	switch {
	case p.err != "":
		about = s.Bad.Render("not read: " + safe(p.err))
		if !p.read.IsZero() {
			about += s.Warn.Render("; this is " + age(m.now().Sub(p.read)) + " old")
		}
	case !p.read.IsZero():
		about = s.Dim.Render(fmt.Sprintf("%s of %s", count(len(list)), plural(len(p.topics), "topic")))
	}
	lines := []string{fit(s.Key.Render("> ")+s.Strong.Render(p.filter)+s.Select.Render(" ")+"  "+about, w), "", m.topicRow(w, "topic", "partitions", "replicas", "", s.Dim)}
	rows := max(m.pickerRows(), 1)
	from, to := window(len(list), p.at, p.at-rows/2, rows)
	for i := from; i < to; i++ {
		t := list[i]
		style := s.Text
		if t.Internal {
			style = s.Dim
		}
		row := m.topicRow(w, safe(t.Name), count(t.Partitions), count(t.Replication), m.topicNote(t), style)
		if i == p.at {
			row = s.Select.Render(ansi.Strip(row))
		}
		lines = append(lines, row)
	}
	if len(list) == 0 && !p.read.IsZero() {
		lines = append(lines, fit(s.Dim.Render("no topic has that in its name; esc takes it back"), w))
	}
	hint := s.Dim.Render("type to filter  ") + s.Key.Render("↑ ↓") + s.Dim.Render(" select  ") + s.Key.Render("enter") + s.Dim.Render(" opens  ") + s.Key.Render("esc") + s.Dim.Render(" leaves")
	return append(lines, "", fit(hint, w))
}

// topicRow puts the columns of a topic into w cells.
func (m *Model) topicRow(w int, name, partitions, replicas, note string, style ink) string {
	const figures = 11
	notes := 0
	if w >= 70 {
		notes = 30
	}
	room := w - 2*figures - 2 - max(notes-2, 0)
	return fit(style.Render(fit(name, room))+right(partitions, figures)+right(replicas, figures)+"  "+note, w)
}

// topicNote is what is wrong with a topic, or where it is open.
func (m *Model) topicNote(t tail.Topic) string {
	s := m.styles
	switch {
	case t.Err != "":
		return s.Bad.Render(safe(t.Err))
	case t.Leaderless > 0:
		return s.Bad.Render(count(t.Leaderless) + " without a leader")
	case t.UnderReplicated > 0:
		return s.Warn.Render(count(t.UnderReplicated) + " under-replicated")
	}
	for _, p := range m.tailPanes() {
		if pane := m.tails[p]; pane.topic == t.Name {
			if p >= paneTopics {
				return s.Dim.Render("open (O)")
			}
			return s.Dim.Render(fmt.Sprintf("open (%d)", p))
		}
	}
	if t.Internal {
		return s.Dim.Render("Kafka's own")
	}
	return ""
}

// placeLines draws the menu of places.
func (m *Model) placeLines() []string {
	s, p := m.styles, &m.picker
	w := min(m.width-pickerSides, 60)
	lines := []string{fit(s.Dim.Render("where to begin:"), w)}
	for i, row := range places() {
		text := fmt.Sprintf("%d  %s%s", i+1, fit(row.name, 10), row.does)
		switch {
		case i == p.placeAt && p.typing:
			text = fmt.Sprintf("%d  %s%s", i+1, fit(row.name, 10), p.text) + s.Select.Render(" ")
		case i == p.placeAt:
			text = s.Select.Render(fit(text, w))
		}
		lines = append(lines, fit(text, w))
	}
	lines = append(lines, "")
	switch into := p.into[p.intoAt]; {
	case p.wrong != "":
		lines = append(lines, fit(s.Bad.Render(safe(p.wrong)), w))
	case len(p.into) == 1 && into == 0:
		lines = append(lines, fit(s.Dim.Render("in a pane of its own"), w))
	case len(p.into) == 1:
		lines = append(lines, fit(s.Dim.Render("in this pane"), w))
	case into == 0:
		lines = append(lines, fit(s.Dim.Render("in a pane of its own; ")+s.Key.Render("tab")+s.Dim.Render(" in place of "+p.instead), w))
	default:
		lines = append(lines, fit(s.Dim.Render("in place of ")+p.instead+s.Dim.Render("; ")+s.Key.Render("tab")+s.Dim.Render(" in a pane of its own"), w))
	}
	return append(lines, fit(s.Key.Render("1-4")+s.Dim.Render(" or ")+s.Key.Render("enter")+s.Dim.Render(" begins  ")+s.Key.Render("esc")+s.Dim.Render(" back"), w))
}
