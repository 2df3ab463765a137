package tui

import (
	"errors"
	"fmt"
	"slices"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
)

// How the screen looks: theme, layout and hidden panes, the keys and the menu that change them, and that the choice is kept.

// Look is what a person has chosen about the screen. The zero value is what a newcomer sees.
type Look struct {
	Theme  Theme    `yaml:"theme,omitempty"`  // empty: auto
	Layout Layout   `yaml:"layout,omitempty"` // empty: auto
	Hidden []string `yaml:"hidden,omitempty"` // panes by name
}

// Checked is the look in its proper words, or says what of it cannot be understood.
func (l Look) Checked() (Look, error) {
	out := Look{Theme: ThemeAuto, Layout: LayoutAuto}
	var err error
	if l.Theme != "" {
		if out.Theme, err = ParseTheme(string(l.Theme)); err != nil {
			return Look{}, err
		}
	}
	if l.Layout != "" {
		if out.Layout, err = ParseLayout(string(l.Layout)); err != nil {
			return Look{}, err
		}
	}
	for _, name := range l.Hidden {
		if !slices.Contains(paneNames(), name) {
			return Look{}, fmt.Errorf("a hidden pane is %s, not %q", listed(paneNames()), name)
		}
		if !slices.Contains(out.Hidden, name) {
			out.Hidden = append(out.Hidden, name)
		}
	}
	if len(out.Hidden) == len(paneNames()) {
		return Look{}, fmt.Errorf("all panes are hidden: one has to be there")
	}
	return out, nil
}

// hides says that a pane is hidden.
func (l Look) hides(p paneID) bool { return slices.Contains(l.Hidden, p.String()) }

// toggled is the look with a pane hidden that was not, or shown that was hidden. The last one stays.
func (l Look) toggled(p paneID) Look {
	if l.hides(p) {
		l.Hidden = slices.DeleteFunc(slices.Clone(l.Hidden), func(name string) bool { return name == p.String() })
	} else if len(l.Hidden) < len(paneNames())-1 {
		l.Hidden = append(slices.Clone(l.Hidden), p.String())
	}
	return l
}

// lookBindings are the keys of this file.
func lookBindings() []action {
	return []action{
		{Binding: bind("w", "w", "next layout"), word: "layout", group: "View", do: func(m *Model) tea.Cmd { return m.turnLayout(1, true) }},
		{Binding: bind("H", "H", "hide this pane"), word: "hide", group: "View", do: (*Model).toggleHidden},
		{Binding: bind("V", "V", "look: theme, layout, panes"), word: "look", group: "View", do: (*Model).openLook},
	}
}

// keptMsg says how it went to keep a look.
type keptMsg struct{ err error }

// setLook changes how the screen looks, and has it kept.
func (m *Model) setLook(l Look) tea.Cmd {
	m.look = l
	m.restyle()
	m.relayout()
	keep := m.cfg.KeepLook
	if keep == nil {
		return nil
	}
	// Two writes could overtake each other: one follows the other, and only the newest is written.
	m.unkept++
	if m.unkept > 1 {
		return nil
	}
	return func() tea.Msg { return keptMsg{keep(l)} }
}

// kept writes what has been chosen in the meantime.
func (m *Model) kept(msg keptMsg) tea.Cmd {
	if msg.err != nil {
		m.say(true, "the choice is not kept: "+msg.err.Error())
	}
	more := m.unkept > 1 && msg.err == nil
	m.unkept = 0
	if !more {
		return nil
	}
	return m.setLook(m.look)
}

// restyle takes over the colours of the theme.
func (m *Model) restyle() {
	m.styles, m.background, m.foreground = m.look.Theme.styles(m.ground)
	m.dirtyAll()
}

// turn is the next or the one before of a list that closes to a ring.
func turn[T comparable](list []T, now T, by int) T {
	i := max(slices.Index(list, now), 0)
	return list[(i+by+len(list))%len(list)]
}

func (m *Model) turnLayout(by int, tell bool) tea.Cmd {
	l := m.look
	l.Layout = turn(Layouts(), l.Layout, by)
	m.zoomed, m.cameFrom = false, 0
	if tell {
		m.say(false, "layout "+string(l.Layout)+m.afterTheTour()+": "+l.Layout.words())
	}
	return m.setLook(l)
}

func (l Layout) words() string {
	return map[Layout]string{
		LayoutAuto: "what fits the screen", LayoutSide: "tails side by side", LayoutStack: "tails one above another",
		LayoutCharts: "how it went, large", LayoutCluster: "brokers and partitions",
	}[l]
}

// themeWords says what a theme is, and what becomes of it on this terminal.
func (m *Model) themeWords() string {
	t, shown := m.look.Theme, m.ground.within(m.look.Theme)
	switch {
	case shown == t && t == ThemeAuto && m.ground.dark:
		return "dark, as the terminal"
	case shown == t && t == ThemeAuto:
		return "light, as the terminal"
	case shown == ThemeNone && t != ThemeNone:
		return "the terminal has none"
	case shown == Theme16 && t != Theme16:
		return "the terminal has 16"
	}
	return map[Theme]string{Theme16: "the terminal's own", ThemeNone: "bold and words only", ThemeContrast: "7:1 and more"}[t]
}

func (m *Model) turnTheme(by int) tea.Cmd {
	l := m.look
	l.Theme = turn(Themes(), l.Theme, by)
	return m.setLook(l)
}

// toggleHidden hides the focused pane, or shows it again if it is a hidden one that was opened by its key.
func (m *Model) toggleHidden() tea.Cmd {
	p := m.focus
	if p >= paneTopics {
		m.say(true, "this topic was opened with t: x closes it")
		return nil
	}
	cmd, err := m.hide(p)
	if err != nil {
		m.say(true, err.Error())
	}
	return cmd
}

var errLastPane = errors.New("this is the last pane: it stays")

// hide hides a pane, or shows it again.
func (m *Model) hide(p paneID) (tea.Cmd, error) {
	l, ok := m.toggled(p)
	if !ok {
		return nil, errLastPane
	}
	if p == m.focus {
		m.zoomed, m.cameFrom = false, 0
	}
	if l.hides(p) {
		m.say(false, fmt.Sprintf("%s is hidden%s: %s opens it for now, V shows it again", p, m.afterTheTour(), p.key()))
	}
	return m.setLook(l), nil
}

// afterTheTour is what is to be added to a sentence about the layout: the tour speaks of panes that may be hidden, and has its own.
func (m *Model) afterTheTour() string {
	if m.tour.open {
		return " after the tour"
	}
	return ""
}

// toggled is the look with a pane hidden or shown; false if nothing would be left of the layout.
func (m *Model) toggled(p paneID) (Look, bool) {
	l := m.look.toggled(p)
	for p := range newLayout(m.width, m.height, l.Layout, l.hides, m.content, 0) {
		if !l.hides(p) {
			return l, len(l.Hidden) != len(m.look.Hidden)
		}
	}
	return m.look, false
}

// openLook is the menu of all that can be chosen; behind it the screen follows.
func (m *Model) openLook() tea.Cmd {
	m.overlay = &overlay{title: "look", live: m.lookLines, press: m.lookKey}
	return nil
}

// lookRow is a line of the menu.
type lookRow struct {
	name, value, words string
	turn               func(by int) tea.Cmd
}

func (m *Model) lookRows() []lookRow {
	out := []lookRow{
		{"theme", string(m.look.Theme), m.themeWords(), m.turnTheme},
		{"layout", string(m.look.Layout), m.look.Layout.words(), func(by int) tea.Cmd { return m.turnLayout(by, false) }},
	}
	for p := paneCheckout; p <= lastPane; p++ {
		value, words := "shown", ""
		if m.look.hides(p) {
			value = "hidden"
		} else if _, ok := m.placed()[p]; !ok {
			words = "no room: " + p.key() + " opens it"
		}
		out = append(out, lookRow{p.key() + " " + p.String(), value, words, func(int) tea.Cmd {
			if l, ok := m.toggled(p); ok {
				return m.setLook(l)
			}
			return nil
		}})
	}
	return out
}

func (m *Model) lookLines() []string {
	s := m.styles
	var lines []string
	list, room := m.lookRows(), m.overlayRows()-2 // the keys, and where it is kept
	airy := room >= len(list)+3
	from, to := window(len(list), m.lookAt, m.lookAt-room/2, room)
	for i, r := range list {
		if i < from || i >= to {
			continue
		}
		if i == 2 && airy {
			lines = append(lines, "")
		}
		if i == m.lookAt {
			lines = append(lines, s.Select.Render(fit("▶ "+fit(r.name, 12)+fit("◀ "+r.value+" ▶", 18)+r.words, lookWidth)))
			continue
		}
		style := s.Strong
		if r.value == "hidden" {
			style = s.Dim
		}
		lines = append(lines, fit("  "+s.Dim.Render(fit(r.name, 14))+style.Render(fit(r.value, 16))+s.Dim.Render(r.words), lookWidth))
	}
	hint := func(k, does string) string { return s.Key.Render(k) + " " + s.Dim.Render(does) }
	where := "the choice is not kept"
	if m.cfg.LookFile != "" {
		where = "kept in " + safe(m.cfg.LookFile)
		if over := ansi.StringWidth(where) - (m.width - 6); over > 0 { // its end says more than its beginning
			where = "kept in " + ansi.TruncateLeft(safe(m.cfg.LookFile), over+1, "…")
		}
	}
	if airy {
		lines = append(lines, "")
	}
	return append(lines, hint("j k", "select")+"   "+hint("← →", "change")+"   "+hint("esc", "back"), s.Dim.Render(where))
}

// lookWidth is what the menu has on the smallest screen.
const lookWidth = MinWidth - 6

func (m *Model) lookKey(k tea.KeyPressMsg) (tea.Cmd, bool) {
	list := m.lookRows()
	switch {
	case key.Matches(k, bind("j down tab", "", "")):
		m.lookAt = min(m.lookAt+1, len(list)-1)
	case key.Matches(k, bind("k up shift+tab", "", "")):
		m.lookAt = max(m.lookAt-1, 0)
	case key.Matches(k, bind("l right + = space", "", "")):
		return list[m.lookAt].turn(1), true
	case key.Matches(k, bind("h left - _", "", "")):
		return list[m.lookAt].turn(-1), true
	case key.Matches(k, bind("V w", "", "")):
		m.overlay = nil
	default:
		return nil, false
	}
	return nil, true
}

// placed is where the panes are when none is zoomed.
func (m *Model) placed() layout {
	return newLayout(m.width, m.height, m.look.Layout, m.look.hides, m.content, 0)
}
