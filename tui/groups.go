package tui

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"kassa/kafkaops/watch"
)

// The groups view: who reads, from whom, and how far behind.

// groupColumns are the widths that depend on the width of the pane, in cells; 0 leaves a column out.
type groupColumns struct{ name, state, kind, coordinator, members, lag, rebalances, age int }

func (m *Model) newGroupColumns(w int) groupColumns {
	c := groupColumns{name: 8, state: 11, members: 4, lag: 6}
	state := 0
	for _, g := range m.state.Groups {
		state = max(state, len(g.State)+1)
		if m.groupAge(g, 0) != "" {
			c.age = 6
		}
	}
	free := w - 1 - c.name - c.state - c.members - c.lag - c.age
	take := func(column *int, want int) {
		n := max(0, min(want-*column, free))
		*column, free = *column+n, free-n
	}
	whole := func(column *int, want int) { // all of it or nothing
		if free >= want-*column {
			take(column, want)
		}
	}
	take(&c.state, state)
	take(&c.name, 10)
	whole(&c.rebalances, 6)
	whole(&c.members, 8)
	whole(&c.coordinator, 6)
	if c.age > 0 {
		whole(&c.age, 11)
	}
	take(&c.lag, 10)
	if free >= 12 {
		take(&c.kind, 28)
	}
	take(&c.name, 24)
	return c
}

// groupAge says how old a group's description is in w cells, nothing while it is fresh.
func (m *Model) groupAge(g watch.Group, w int) string {
	switch d := m.now().Sub(g.Seen); {
	case g.Seen.IsZero():
		return "never"
	case d <= groupsOld:
		return ""
	case w > 6:
		return age(d) + " old"
	default:
		return age(d)
	}
}

func (m *Model) renderGroups(w, h int, focused bool) []string {
	s := m.styles
	if m.state == nil || len(m.state.Groups) == 0 {
		return []string{s.Dim.Render(" no group yet")}
	}
	groups := m.state.Groups
	c := m.newGroupColumns(w)
	members, coordinator, rebalances := "mem", "", ""
	if c.members >= 8 {
		members = "members"
	}
	if c.coordinator > 0 {
		coordinator = "coord"
	}
	if c.rebalances > 0 {
		rebalances = "rebal"
	}
	head := " " + fit("group", c.name) + fit("state", c.state) + fit("type/assignor", c.kind) + fit(coordinator, c.coordinator) +
		right(members, c.members) + right("lag", c.lag) + right(rebalances, c.rebalances) + right("age", c.age)
	lines := []string{s.Dim.Render(fit(head, w))}
	from, to := window(len(groups), m.groupAt, 0, h-1)
	for i := from; i < to; i++ {
		lines = append(lines, m.groupLine(groups[i], w, c, focused && i == m.groupAt))
	}
	if room := h - len(lines); room > 1 && w >= 44 {
		lines = append(lines, s.Dim.Render(" "+groupSummary(groups)))
	}
	return lines
}

func (m *Model) groupLine(g watch.Group, w int, c groupColumns, selected bool) string {
	s := m.styles
	state, style := g.State, s.Good
	switch {
	case state == "":
		state, style = "unknown", s.Warn
	case state == "Empty", state == "Dead":
		style = s.Dim
	case state != "Stable":
		style = s.Warn
	}
	lag, lagStyle := figure(g.TotalLag()), s.Strong
	if g.TotalLag() < 0 {
		lagStyle = s.Dim
	}
	name := " " + cell(safe(g.Name), c.name)
	rest := s.Dim.Render(cell(safe(kindOf(g)), c.kind)) + s.Dim.Render(fit(figure(g.Coordinator), c.coordinator)) +
		right(memberCount(g), c.members) + lagStyle.Render(right(lag, c.lag)) + s.Dim.Render(right(count(g.Rebalances), c.rebalances))
	line := name + style.Render(cell(safe(state), c.state)) + rest + s.Warn.Render(right(m.groupAge(g, c.age), c.age))
	if selected {
		return s.Select.Render(fit(ansi.Strip(line), w))
	}
	return line
}

// kindOf is what a group is and how it deals partitions out: "classic/range".
func kindOf(g watch.Group) string {
	if g.Protocol == "" {
		return g.Type
	}
	return g.Type + "/" + g.Protocol
}

func memberCount(g watch.Group) string {
	if g.Opaque || g.State == "" {
		return "–"
	}
	return count(len(g.Members))
}

// figure writes a number of which -1 means that it is not known.
func figure[T ~int32 | ~int64](n T) string {
	if n < 0 {
		return "–"
	}
	return count(n)
}

func groupSummary(groups []watch.Group) string {
	stable, rebalances := 0, 0
	for _, g := range groups {
		if g.State == "Stable" {
			stable++
		}
		rebalances += g.Rebalances
	}
	return fmt.Sprintf("%s, %d stable, %s seen", plural(len(groups), "group"), stable, plural(rebalances, "rebalance"))
}

// inspectGroup opens the selected group: its members and how far it is behind in each partition.
func (m *Model) inspectGroup() {
	if len(m.state.Groups) == 0 {
		return
	}
	name := m.state.Groups[m.groupAt].Name
	m.overlay = &overlay{title: "group " + name, live: func() []string {
		for _, g := range m.state.Groups {
			if g.Name == name {
				return m.groupLines(g)
			}
		}
		return []string{m.styles.Warn.Render("the group is gone")}
	}}
}

func (m *Model) groupLines(g watch.Group) []string {
	s, now := m.styles, m.now()
	field := func(name, value string) string { return s.Dim.Render(fit(name, 14)) + value }
	seen := "never"
	if !g.Seen.IsZero() {
		seen = age(now.Sub(g.Seen)) + " ago"
	}
	rebalances := "none seen since kassa started"
	if g.Rebalances > 0 {
		rebalances = fmt.Sprintf("%s seen, the last %s ago", count(g.Rebalances), age(now.Sub(g.Rebalanced)))
	}
	state := g.State
	if state == "" {
		state = "unknown"
	}
	lines := []string{
		field("state", safe(state)),
		field("type/assignor", safe(kindOf(g))),
		field("coordinator", "broker "+figure(g.Coordinator)),
		field("rebalances", rebalances),
		field("described", seen),
	}
	if g.Err != "" {
		lines = append(lines, field("last error", s.Warn.Render(safe(g.Err))))
	}
	lines = append(lines, "", s.Strong.Render("members"))
	switch {
	case g.Opaque:
		lines = append(lines, s.Dim.Render("kassa does not know how to ask a group of this type"))
	case len(g.Members) == 0:
		lines = append(lines, s.Dim.Render("none"))
	}
	for _, member := range g.Members {
		lines = append(lines, safe(member.ClientID)+s.Dim.Render(" at ")+safe(member.Host), s.Dim.Render("  "+safe(member.ID)))
		for _, t := range slices.Sorted(maps.Keys(member.Assigned)) {
			lines = append(lines, "  "+safe(t)+" "+ids(member.Assigned[t]))
		}
	}
	lines = append(lines, "", s.Strong.Render("lag"))
	if len(g.Lag) == 0 {
		return append(lines, s.Dim.Render("not known"))
	}
	width := 0
	for _, l := range g.Lag {
		width = max(width, len(safe(l.Topic)))
	}
	width = min(width, max(16, m.width-6-3-3*12))
	lines = append(lines, s.Dim.Render(fit("topic", width)+right("#", 4)+right("committed", 12)+right("end", 12)+right("lag", 10)))
	for _, l := range g.Lag {
		lines = append(lines, fit(safe(l.Topic), width)+right(figure(l.Partition), 4)+right(figure(l.Committed), 12)+
			right(figure(l.End), 12)+s.Strong.Render(right(figure(l.Lag), 10)))
	}
	return lines
}

// cell is fit with a space between it and the next.
func cell(text string, w int) string {
	if w <= 0 {
		return ""
	}
	return fit(text, w-1) + " "
}

// right puts text at the right edge of w cells.
func right(text string, w int) string {
	if n := len([]rune(text)); n < w {
		return strings.Repeat(" ", w-n) + text
	}
	return fit(text, w)
}
