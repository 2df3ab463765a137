package tui

import (
	"strings"

	"charm.land/lipgloss/v2"
)

// Styles is how everything on the screen is written, named by meaning. No state is told by colour alone, so the screen also reads
// with none: what is drawn in one of them has words or signs of its own.
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

// newStyles is the styles of the theme for a dark or a light background.
func newStyles(dark bool) Styles {
	if dark {
		return darkPalette.styles()
	}
	return lightPalette.styles()
}

// styles writes in the colours of a palette. A colour that is empty is the terminal's own text.
func (p palette) styles() Styles {
	plain := lipgloss.NewStyle()
	fg := func(colour string) lipgloss.Style {
		if colour == "" {
			return plain
		}
		return plain.Foreground(lipgloss.Color(colour))
	}
	thin := func(colour string) ink { return newInk(fg(colour)) }
	bold := func(colour string) ink { return newInk(fg(colour).Bold(true)) }
	return Styles{
		Text:    newInk(plain),
		Dim:     thin(p.Dim),
		Strong:  newInk(plain.Bold(true)),
		Good:    thin(p.Good),
		Warn:    bold(p.Warn),
		Bad:     bold(p.Bad),
		Accent:  bold(p.Accent),
		ID:      thin(p.Accent),
		Key:     bold(p.Key),
		Select:  newInk(plain.Reverse(true)),
		Frame:   thin(p.Frame),
		Focus:   bold(p.Key),
		Brand:   bold(p.Brand),
		Overlay: bold(p.Accent),
	}
}

// plainStyles writes in no colour at all: bold is what matters, faint what does not, and bad news stand out in reverse.
func plainStyles() Styles {
	plain := lipgloss.NewStyle()
	text, bold, faint := newInk(plain), newInk(plain.Bold(true)), newInk(plain.Faint(true))
	return Styles{
		Text: text, Dim: faint, Strong: bold, Good: text, Warn: bold, Bad: newInk(plain.Bold(true).Reverse(true)), Accent: bold,
		ID: text, Key: bold, Select: newInk(plain.Reverse(true)), Frame: faint, Focus: bold, Brand: bold, Overlay: bold,
	}
}
