package tui

import (
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
)

// Pane 6 has four views of the same picture: what is stored where, who reads it, who decides, and the topics in sum.

type view int

const (
	viewPartitions view = iota
	viewGroups
	viewQuorum
	viewTopics
)

var viewNames = [...]string{"partitions", "groups", "quorum", "topics"}

// From when on a value says its age. Partitions and the quorum are asked for several times a second, groups once.
const (
	pictureOld = 1500 * time.Millisecond
	groupsOld  = 2500 * time.Millisecond
)

func (m *Model) nextView() tea.Cmd {
	m.view = (m.view + 1) % view(len(viewNames))
	return nil
}

// showing is a condition for keys: pane 6 has one of these views.
func showing(views ...view) func(*Model) bool {
	return func(m *Model) bool { return slices.Contains(views, m.view) }
}

// viewTitle names the views and marks the present one; where room is short, the present one alone.
func (m *Model) viewTitle(room int) string {
	s := m.styles
	var parts []string
	for v, name := range viewNames {
		if view(v) == m.view {
			parts = append(parts, s.Strong.Render("▸"+name))
		} else {
			parts = append(parts, s.Dim.Render(name))
		}
	}
	if title := strings.Join(parts, " "); ansi.StringWidth(title) <= room {
		return title
	}
	return parts[m.view]
}

func (m *Model) renderView(w, h int, focused bool) []string {
	switch m.view {
	case viewGroups:
		return m.renderGroups(w, h, focused)
	case viewQuorum:
		return m.renderQuorum(w, h)
	case viewTopics:
		return m.renderTopics(w, h, focused)
	}
	return m.renderPartitions(w, h, focused)
}

// viewStatus says how old what is shown is, once that is worth knowing.
func (m *Model) viewStatus() string {
	s, now := m.styles, m.now()
	if m.state == nil {
		return ""
	}
	q := m.state.Quorum
	switch {
	case m.view == viewGroups:
		return "" // each group has an age of its own
	case q.Lost && !q.Seen.IsZero():
		// A broker that still answers repeats what it knew: without a quorum nobody can change it.
		return s.Bad.Render("frozen for " + age(now.Sub(q.Seen)))
	case !q.Known && !q.Seen.IsZero():
		return s.Warn.Render("not known for " + age(now.Sub(q.Seen)))
	case m.view == viewQuorum:
		return m.ageOf(q.Seen, pictureOld)
	}
	if old := m.stateAge(); old != "" {
		return old
	}
	return m.partsStatus()
}

// ageOf is how old something is that was last seen then, empty while it is fresh.
func (m *Model) ageOf(seen time.Time, limit time.Duration) string {
	if seen.IsZero() {
		return ""
	}
	if d := m.now().Sub(seen); d > limit {
		return m.styles.Warn.Render(age(d) + " old")
	}
	return ""
}

// moveInView moves the selection of pane 6.
func (m *Model) moveInView(n int) {
	at, size := &m.partAt, m.parts.len()
	switch m.view {
	case viewTopics:
		at, size = &m.topicAt, len(m.parts.topics)
	case viewGroups:
		at, size = &m.groupAt, len(m.state.Groups)
	case viewQuorum:
		at, size = &m.voterAt, len(m.state.Quorum.Voters)+len(m.state.Quorum.Observers)
	}
	*at = max(0, min(*at+n, size-1))
}

// inspectRow opens the selected row of pane 6. The overlay is drawn anew with the screen: its ages and offsets move.
func (m *Model) inspectRow() tea.Cmd {
	if m.state == nil {
		return nil
	}
	switch m.view {
	case viewGroups:
		m.inspectGroup()
	case viewPartitions:
		return m.inspectPartition()
	case viewTopics:
		m.openTopic()
	}
	return nil
}
