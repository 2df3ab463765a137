package tui

import (
	"strings"

	"charm.land/lipgloss/v2"
)

// Styles is the one palette of the screen, named by meaning. No state is told by colour alone, so the screen also reads
// with none: Bubble Tea takes colours down to what the terminal has, and away for NO_COLOR.
type Styles struct {
	Text    ink // what is read
	Dim     ink // what is there when looked for: units, ids, times
	Strong  ink // the figure that matters in a line
	Good    ink // up, complete, in sync
	Warn    ink // under-replicated, paused, retrying, old
	Bad     ink // down, lost, refused
	Accent  ink // the controller, the leader that moved, a fault marker
	ID      ink // a checkout's id
	Key     ink // a key that can be pressed
	Select  ink // the row under the cursor
	Frame   ink // the border of a pane
	Focus   ink // the border of the pane that has the keys
	Brand   ink
	Overlay ink // the border of a question or a view on top
}

// ink is a style boiled down to what it writes before and after a text. A frame has hundreds of pieces, and lipgloss
// works a style out anew for each: that was a fifth of the time of a frame.
type ink struct{ on, off string }

// Render writes a text of one line in this style.
func (i ink) Render(text string) string {
	if text == "" {
		return ""
	}
	return i.on + text + i.off
}

func newInk(s lipgloss.Style) ink {
	const mark = "x"
	on, off, _ := strings.Cut(s.Render(mark), mark)
	return ink{on, off}
}

// newStyles makes the palette for a dark or a light background.
func newStyles(dark bool) Styles {
	pick := lipgloss.LightDark(dark)
	plain := lipgloss.NewStyle()
	fg := func(light, dark string) ink {
		return newInk(plain.Foreground(pick(lipgloss.Color(light), lipgloss.Color(dark))))
	}
	bold := func(light, dark string) ink {
		return newInk(plain.Foreground(pick(lipgloss.Color(light), lipgloss.Color(dark))).Bold(true))
	}
	return Styles{
		Text:    newInk(plain),
		Dim:     fg("#6b7280", "#7d8590"),
		Strong:  newInk(plain.Bold(true)),
		Good:    fg("#15803d", "#3fb950"),
		Warn:    bold("#a16207", "#e3b341"),
		Bad:     bold("#b91c1c", "#ff7b72"),
		Accent:  bold("#7c3aed", "#bc8cff"),
		ID:      fg("#7c3aed", "#bc8cff"),
		Key:     bold("#0f62c9", "#58a6ff"),
		Select:  newInk(plain.Reverse(true)),
		Frame:   fg("#9ca3af", "#444c56"),
		Focus:   fg("#0f62c9", "#58a6ff"),
		Brand:   bold("#c2410c", "#ffa657"),
		Overlay: fg("#7c3aed", "#bc8cff"),
	}
}
