package tui

import (
	"strings"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"
)

// edges are what a frame is made of: corners from the top left on, clockwise, then its lines.
type edges struct{ topLeft, topRight, bottomRight, bottomLeft, flat, upright string }

// The frame of the pane that has the keys is told from the others without a colour.
var (
	thinEdges  = edges{"╭", "╮", "╯", "╰", "─", "│"}
	heavyEdges = edges{"┏", "┓", "┛", "┗", "━", "┃"}
)

// box draws lines into a frame of exactly w by h cells. The title is on the left of the top border, status on its right. What is
// too much is cut, what is missing is blank.
func box(border ink, title, status string, lines []string, w, h int) []string {
	return framed(thinEdges, border, title, status, lines, w, h)
}

func framed(e edges, border ink, title, status string, lines []string, w, h int) []string {
	if w < 2 || h < 2 {
		return blank(w, h)
	}
	inner := w - 2
	out := make([]string, 0, h)
	out = append(out, topBorder(e, border, title, status, inner))
	side := border.Render(e.upright)
	for i := range h - 2 {
		text := ""
		if i < len(lines) {
			text = lines[i]
		}
		out = append(out, side+fit(text, inner)+side)
	}
	return append(out, border.Render(e.bottomLeft+strings.Repeat(e.flat, inner)+e.bottomRight))
}

func topBorder(e edges, border ink, title, status string, inner int) string {
	room := inner - 2
	if ansi.StringWidth(title) > room {
		title = ansi.Truncate(title, max(room, 0), "…")
	}
	room -= ansi.StringWidth(title) + 1
	if ansi.StringWidth(status) > room-1 {
		status = ansi.Truncate(status, max(room-1, 0), "…")
	}
	used := ansi.StringWidth(title) + ansi.StringWidth(status)
	if title != "" {
		title, used = " "+title+" ", used+2
	}
	if status != "" {
		status, used = " "+status+" ", used+2
	}
	line := max(inner-used, 0)
	return border.Render(e.topLeft) + title + border.Render(strings.Repeat(e.flat, line)) + status + border.Render(e.topRight)
}

func blank(w, h int) []string {
	out := make([]string, max(h, 0))
	for i := range out {
		out[i] = strings.Repeat(" ", max(w, 0))
	}
	return out
}

// onTop draws the block over the lines of a screen, in the middle of w by h cells.
func onTop(screen []string, block []string, w, h int) string {
	bw := 0
	for _, l := range block {
		bw = max(bw, ansi.StringWidth(l))
	}
	x, y := max((w-bw)/2, 0), max((h-len(block))/2, 0)
	canvas := lipgloss.NewCanvas(w, len(screen))
	canvas.Compose(lipgloss.NewCompositor(
		lipgloss.NewLayer(strings.Join(screen, "\n")),
		lipgloss.NewLayer(strings.Join(block, "\n")).X(x).Y(y).Z(1)))
	return canvas.Render()
}

// window is the part of n rows that shows the selected one in h lines, moved no further than needed from top.
func window(n, selected, top, h int) (from, to int) {
	if h <= 0 || n <= 0 {
		return 0, 0
	}
	top = min(top, selected)
	top = max(top, selected-h+1)
	top = max(0, min(top, n-h))
	return top, min(top+h, n)
}
