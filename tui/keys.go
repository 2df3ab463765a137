package tui

import (
	"strings"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"kassa/kafkaops"
)

// where says in which part of the screen a key works.
type where int

const (
	anywhere where = iota
	inTail
	inBrokers
	inCluster // brokers, and partitions: there an act hits the selected one's leader
	inTimeline
	inViews
)

// action is something that a key does. Every key of the screen is in bindings, which drives dispatch, hints and help.
type action struct {
	key.Binding
	in    where
	group string              // heading in the help
	when  func(m *Model) bool // nil: always. Hints show what works here and now.
	do    func(m *Model) tea.Cmd
	hint  bool // worth a place in the hints line
}

func bind(keys, shown, does string) key.Binding {
	return key.NewBinding(key.WithKeys(strings.Fields(keys)...), key.WithHelp(shown, does))
}

// bindings is the whole keyboard. The first entry that matches a key in the focused pane wins.
func bindings() []action {
	ready := func(m *Model) bool { return m.backend != nil }
	paused := func(m *Model) bool { t := m.tail(); return t != nil && t.paused }
	return []action{
		{Binding: bind("K", "K", "kill −9"), in: inCluster, group: "Brokers", hint: true, when: can(canKill), do: ask(killVerb)},
		{Binding: bind("S", "S", "start"), in: inBrokers, group: "Brokers", hint: true, when: can(canStart), do: ask(startVerb)},
		{Binding: bind("s", "s", "stop"), in: inCluster, group: "Brokers", hint: true, when: can(canStop), do: ask(stopVerb)},
		{Binding: bind("p", "p", "pause or resume"), in: inCluster, group: "Brokers", hint: true, when: can(canPause), do: ask(kafkaops.Pause)},
		{Binding: bind("r", "r", "restart"), in: inCluster, group: "Brokers", hint: true, when: can(canStop), do: ask(restartVerb)},

		{Binding: bind("enter", "enter", "measured"), in: inTimeline, group: "View", hint: true, do: (*Model).inspectFault},

		{Binding: bind("space", "space", "pause"), in: inTail, group: "Tails", hint: true, when: func(m *Model) bool { return !paused(m) }, do: (*Model).pauseTail},
		{Binding: bind("f", "f", "follow"), in: inTail, group: "Tails", hint: true, when: paused, do: (*Model).followTail},
		{Binding: bind("space", "space", "follow"), in: inTail, group: "Tails", when: paused, do: (*Model).followTail},
		{Binding: bind("/", "/", "filter"), in: inTail, group: "Tails", hint: true, do: (*Model).openFilter},
		{Binding: bind("enter", "enter", "open"), in: inTail, group: "Tails", hint: true, do: (*Model).inspect},
		{Binding: bind("enter", "enter", "details"), in: inBrokers, group: "Brokers", do: (*Model).inspectNode},
		{Binding: bind("v", "v", "next view"), in: inViews, group: "Cluster views", hint: true, do: (*Model).nextView},
		{Binding: bind("enter", "enter", "details"), in: inViews, group: "Cluster views", hint: true, when: showing(viewPartitions, viewGroups), do: (*Model).inspectRow},

		{Binding: bind("c", "c", "checkout"), group: "Shop", hint: true, when: ready, do: (*Model).checkout},
		{Binding: bind("b", "b", "load on/off"), group: "Shop", hint: true, when: ready, do: (*Model).toggleLoad},
		{Binding: bind("+ =", "+", "more load"), group: "Shop", when: ready, do: func(m *Model) tea.Cmd { return m.stepLoad(1) }},
		{Binding: bind("- _", "−", "less load"), group: "Shop", when: ready, do: func(m *Model) tea.Cmd { return m.stepLoad(-1) }},
		{Binding: bind("e", "e", "elect preferred"), in: inCluster, group: "Brokers", hint: true, when: hasQuorum, do: askAll(kafkaops.Elect)},
		{Binding: bind("R", "R", "rolling restart"), in: inCluster, group: "Brokers", hint: true, when: hasQuorum, do: askAll(kafkaops.Rolling)},
		{Binding: bind("C", "C", "the controller"), in: inBrokers, group: "Brokers", hint: true, when: hasQuorum, do: (*Model).pointToController},
		{Binding: bind(".", ".", "same fault again"), group: "Brokers", hint: true, when: func(m *Model) bool { return m.last.Verb != "" }, do: (*Model).repeat},

		{Binding: bind("K s p S r R e C", "5", "brokers: K kills one"), group: "Brokers", hint: true, when: notIn(paneBrokers), do: (*Model).pointToBrokers},
		{Binding: bind("j down", "j/↓", "down"), group: "Move", do: func(m *Model) tea.Cmd { return m.moveBy(1) }},
		{Binding: bind("k up", "k/↑", "up"), group: "Move", do: func(m *Model) tea.Cmd { return m.moveBy(-1) }},
		{Binding: bind("pgdown ctrl+f", "pgdn", "page down"), group: "Move", do: func(m *Model) tea.Cmd { return m.moveBy(m.page()) }},
		{Binding: bind("pgup ctrl+b", "pgup", "page up"), group: "Move", do: func(m *Model) tea.Cmd { return m.moveBy(-m.page()) }},
		{Binding: bind("g home", "g", "first"), group: "Move", do: func(m *Model) tea.Cmd { return m.moveBy(-1 << 30) }},
		{Binding: bind("G end", "G", "last"), group: "Move", do: func(m *Model) tea.Cmd { return m.moveBy(1 << 30) }},
		{Binding: bind("tab right l", "tab", "next pane"), group: "Move", do: func(m *Model) tea.Cmd { return m.nextPane(1) }},
		{Binding: bind("shift+tab left h", "shift+tab", "previous pane"), group: "Move", do: func(m *Model) tea.Cmd { return m.nextPane(-1) }},
		{Binding: bind("1 2 3 4 5 6 7", "1-7", "go to a pane"), group: "Move", do: nil},
		{Binding: bind("z", "z", "zoom"), group: "View", hint: true, do: (*Model).toggleZoom},
		{Binding: bind("L", "L", "kassa's log"), group: "View", do: (*Model).openLog},
		{Binding: bind("M", "M", "mouse on or off"), group: "View", do: (*Model).toggleMouse},
		{Binding: bind("y", "y", "copy the selected record"), in: inTail, group: "Tails", do: (*Model).copyRecord},
		{Binding: bind("esc", "esc", "back"), group: "View", do: (*Model).back},
		{Binding: bind("?", "?", "help"), group: "View", hint: true, do: (*Model).openHelp},
		{Binding: bind("ctrl+z", "ctrl+z", "to the shell; fg comes back"), group: "View", do: func(*Model) tea.Cmd { return tea.Suspend }},
		{Binding: bind("q ctrl+c", "q", "quit"), group: "View", hint: true, do: func(m *Model) tea.Cmd { return tea.Quit }},
	}
}

// here says that the action works in the focused pane, now.
func (a action) here(m *Model) bool {
	switch a.in {
	case inTail:
		if !m.focus.isTail() {
			return false
		}
	case inBrokers:
		if m.focus != paneBrokers {
			return false
		}
	case inCluster:
		if m.focus != paneBrokers && (m.focus != panePartitions || m.view != viewPartitions) {
			return false
		}
	case inTimeline:
		if m.focus != paneTimeline {
			return false
		}
	case inViews:
		if m.focus != panePartitions {
			return false
		}
	}
	return a.when == nil || a.when(m)
}

func notIn(p paneID) func(*Model) bool {
	return func(m *Model) bool { return m.focus != p && m.backend != nil }
}

// dispatch finds what a key does in the focused pane.
func (m *Model) dispatch(k tea.KeyPressMsg) tea.Cmd {
	if s := k.String(); len(s) == 1 && s[0] >= '1' && s[0] <= '0'+byte(lastPane) {
		m.focusOn(paneID(s[0] - '0'))
		return nil
	}
	for _, a := range m.keys {
		if a.do != nil && key.Matches(k, a.Binding) && a.here(m) {
			return a.do(m)
		}
	}
	return nil
}

// hints is the last line: the keys that work here and now, as many as fit, quit always among them.
func (m *Model) hints(w int) string {
	if m.filtering {
		return fit(" "+m.filter.View()+m.styles.Dim.Render("   enter keeps it, esc clears it"), w)
	}
	s := m.styles
	if m.notice.text != "" {
		style := s.Text
		if m.notice.bad {
			style = s.Bad
		}
		return fit(" "+style.Render(m.notice.text), w)
	}
	list := m.hintList()
	room := w - 1
	always := list[len(list)-2:] // help and quit
	for _, a := range always {
		room -= a.hintWidth()
	}
	var shown []string
	for _, a := range list[:len(list)-2] {
		if n := a.hintWidth(); n <= room {
			shown, room = append(shown, a.hintText(s)), room-n
		}
	}
	for _, a := range always {
		shown = append(shown, a.hintText(s))
	}
	return fit(" "+strings.Join(shown, "  "), w)
}

func (m *Model) hintList() []action {
	var list []action
	for _, a := range m.keys {
		if a.hint && a.here(m) {
			list = append(list, a)
		}
	}
	return list
}

func (a action) hintText(s Styles) string {
	h := a.Help()
	return s.Key.Render(h.Key) + " " + s.Dim.Render(h.Desc)
}

// hintWidth is what a hint takes, with the space before it.
func (a action) hintWidth() int { return ansi.StringWidth(a.Help().Key+" "+a.Help().Desc) + 2 }
