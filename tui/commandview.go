package tui

import (
	"fmt"
	"strings"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"
)

const (
	offerRows  = 8
	offerWidth = 76
)

// line is the command line in w cells, in the place of the hints.
func (c *commandLine) line(s Styles, w int) string {
	const note = "   tab completes, esc leaves"
	c.input.SetWidth(max(w-len(note)-3, 10))
	return fit(" "+c.input.View()+s.Dim.Render(note), w)
}

// block is what stands above the line: what went wrong, and what may be meant. Nil if there is nothing to say.
func (c *commandLine) block(s Styles, w, h int) []string {
	inner := min(w-4, offerWidth)
	var lines []string
	if c.err != "" {
		for _, l := range strings.Split(ansi.Wordwrap(c.err, inner, ""), "\n") {
			lines = append(lines, " "+s.Bad.Render(l))
		}
	}
	rows := min(offerRows, h-6-len(lines))
	from, to := window(len(c.offers), max(c.chosen, 0), 0, rows)
	name := 0
	for _, o := range c.offers {
		name = max(name, ansi.StringWidth(o.text))
	}
	name = min(name, inner*2/3)
	for i := from; i < to; i++ {
		o := c.offers[i]
		mark, text := "  ", s.Key.Render(fit(safe(o.text), name))
		if i == c.chosen {
			mark, text = "▶ ", s.Select.Render(fit(safe(o.text), name))
		}
		lines = append(lines, mark+text+"  "+s.Dim.Render(safe(o.note)))
	}
	if len(lines) == 0 {
		return nil
	}
	more := ""
	if n := len(c.offers); to-from < n {
		more = s.Dim.Render(fmt.Sprintf("%d-%d of %d", from+1, to, n))
	}
	return box(s.Overlay, "", more, lines, inner+4, len(lines)+2)
}

// above draws the block over the screen, from this line upwards.
func above(screen []string, block []string, w, h, bottom int) string {
	if len(block) == 0 {
		return strings.Join(screen, "\n")
	}
	canvas := lipgloss.NewCanvas(w, h)
	canvas.Compose(lipgloss.NewCompositor(
		lipgloss.NewLayer(strings.Join(screen, "\n")),
		lipgloss.NewLayer(strings.Join(block, "\n")).Y(max(bottom-len(block), 0)).Z(1)))
	return canvas.Render()
}
