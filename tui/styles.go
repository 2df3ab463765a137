package tui

import (
	"image/color"

	"charm.land/lipgloss/v2"
)

// Styles is the one palette of the screen, named by meaning. No state is told by colour alone, so the screen also reads
// with none: Bubble Tea takes colours down to what the terminal has, and away for NO_COLOR.
type Styles struct {
	Text    lipgloss.Style // what is read
	Dim     lipgloss.Style // what is there when looked for: units, ids, times
	Strong  lipgloss.Style // the figure that matters in a line
	Good    lipgloss.Style // up, complete, in sync
	Warn    lipgloss.Style // under-replicated, paused, retrying, old
	Bad     lipgloss.Style // down, lost, refused
	Accent  lipgloss.Style // the controller, the leader that moved, a fault marker
	Key     lipgloss.Style // a key that can be pressed
	Select  lipgloss.Style // the row under the cursor
	Frame   lipgloss.Style // the border of a pane
	Focus   lipgloss.Style // the border of the pane that has the keys
	Brand   lipgloss.Style
	Overlay lipgloss.Style // the border of a question or a view on top
}

// newStyles makes the palette for a dark or a light background.
func newStyles(dark bool) Styles {
	pick := lipgloss.LightDark(dark)
	fg := func(light, dark string) lipgloss.Style {
		var c color.Color = pick(lipgloss.Color(light), lipgloss.Color(dark))
		return lipgloss.NewStyle().Foreground(c)
	}
	plain := lipgloss.NewStyle()
	return Styles{
		Text:    plain,
		Dim:     fg("#6b7280", "#7d8590"),
		Strong:  plain.Bold(true),
		Good:    fg("#15803d", "#3fb950"),
		Warn:    fg("#a16207", "#e3b341").Bold(true),
		Bad:     fg("#b91c1c", "#ff7b72").Bold(true),
		Accent:  fg("#7c3aed", "#bc8cff").Bold(true),
		Key:     fg("#0f62c9", "#58a6ff").Bold(true),
		Select:  plain.Reverse(true),
		Frame:   fg("#9ca3af", "#444c56"),
		Focus:   fg("#0f62c9", "#58a6ff"),
		Brand:   fg("#c2410c", "#ffa657").Bold(true),
		Overlay: fg("#7c3aed", "#bc8cff"),
	}
}
