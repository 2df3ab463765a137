package tui

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"
)

// How charts are drawn: areas in blocks, lines above them in braille dots, two by four a cell, and rows of bars. What is told by a colour is told by
// its shape, too: an area is solid, a line is dotted.

// timeAxis is the time that a plot shows, from left to right.
type timeAxis struct {
	cells int
	step  int   // seconds that a column of dots stands for; a cell has two
	end   int64 // the Unix second after the last
}

// newTimeAxis shows at least span in so many cells. Columns begin at multiples of their step, so that nothing flickers while time goes on.
func newTimeAxis(cells int, span time.Duration, newest int64) timeAxis {
	step := 60
	for _, s := range []int{1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30} {
		if time.Duration(2*cells*s)*time.Second >= span {
			step = s
			break
		}
	}
	wide := int64(2 * step)
	return timeAxis{cells: cells, step: step, end: (newest/wide + 1) * wide}
}

func (a timeAxis) span() time.Duration   { return time.Duration(2*a.cells*a.step) * time.Second }
func (a timeAxis) dots() int             { return 2 * a.cells }
func (a timeAxis) first(dot int) int64   { return a.end - int64((a.dots()-dot)*a.step) }
func (a timeAxis) cell(at time.Time) int { return int(at.Unix()-a.first(0)) / (2 * a.step) }

// shows says that a time is on the axis.
func (a timeAxis) shows(at time.Time) bool { return at.Unix() >= a.first(0) && at.Unix() < a.end }

// ago writes a time before now in few cells.
func ago(d time.Duration) string {
	s := int(d.Seconds())
	switch {
	case s < 120:
		return fmt.Sprintf("−%d s", s)
	case s%60 == 0:
		return fmt.Sprintf("−%d m", s/60)
	}
	return fmt.Sprintf("−%dm%02ds", s/60, s%60)
}

// line is the axis in words, with a mark under each column in which something was done.
func (a timeAxis) line(s Styles, marks []int) string {
	type part struct {
		at    int
		text  string
		style ink
	}
	left, right := ago(a.span()), "now"
	parts := []part{{0, left, s.Dim}}
	if mid := ago(a.span() / 2); a.cells > 3*len(left)+20 {
		parts = append(parts, part{a.cells/2 - len([]rune(mid))/2, mid, s.Dim})
	}
	parts = append(parts, part{a.cells - len(right), right, s.Dim})
	for _, c := range marks {
		free := true
		for _, p := range parts {
			free = free && (c < p.at || c >= p.at+len([]rune(p.text)))
		}
		if free {
			parts = append(parts, part{c, "▲", s.Accent})
		}
	}
	var b strings.Builder
	for x := 0; x < a.cells; {
		text, style := " ", s.Dim
		for _, p := range parts {
			if p.at == x {
				text, style = p.text, p.style
			}
		}
		b.WriteString(style.Render(text))
		x += ansi.StringWidth(text)
	}
	return b.String()
}

// plot is a field of cells in which an area stands on the floor, two columns a cell, and a line of dots goes where the area is not.
type plot struct {
	w, h int
	area []int // the height of each column, in eighths of a cell
	dots []uint8
}

func newPlot(w, h int) *plot {
	return &plot{w: w, h: h, area: make([]int, 2*w), dots: make([]uint8, w*h)}
}

// brailleDots are the dots of a cell from the top, left and right (Unicode 2800-28FF).
var brailleDots = [4][2]uint8{{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}}

// dot draws a dot of the line. y counts from the bottom.
func (p *plot) dot(x, y int) {
	row := 4*p.h - 1 - y
	if x >= 0 && x < 2*p.w && row >= 0 && row < 4*p.h {
		p.dots[row/4*p.w+x/2] |= brailleDots[row%4][x%2]
	}
}

// quarters are blocks by how many halves of the left and of the right column are filled.
var quarters = [3][3]string{{" ", "▗", "▐"}, {"▖", "▄", "▟"}, {"▌", "▙", "█"}}

// block is what the area fills of a cell; empty for nothing.
func (p *plot) block(x, above int) string {
	left, right := max(0, min(p.area[2*x]-8*above, 8)), max(0, min(p.area[2*x+1]-8*above, 8))
	switch d := left - right; {
	case left == 0 && right == 0:
		return ""
	case d >= -2 && d <= 2:
		return barCell((left+right+1)/2, 0)
	}
	half := func(eighths int) int { return min((eighths+3)/4, 2) }
	return quarters[half(left)][half(right)]
}

// row writes a line of the plot, counted from the top, with what else stands in cells that are empty.
func (p *plot) row(y int, area, line ink, empty map[int]string, other ink) string {
	var b, run strings.Builder
	plain := ink{}
	now := plain
	flush := func() {
		b.WriteString(now.Render(run.String()))
		run.Reset()
	}
	for x := range p.w {
		style, text := plain, " "
		if block := p.block(x, p.h-1-y); block != "" {
			style, text = area, block
		} else if dots := p.dots[y*p.w+x]; dots != 0 {
			style, text = line, string(rune(0x2800+int(dots)))
		} else if sign, ok := empty[x]; ok {
			style, text = other, sign
		}
		if style != now {
			flush()
			now = style
		}
		run.WriteString(text)
	}
	flush()
	return b.String()
}

// scale turns a value into a height.
type scale interface {
	// at is the height of a value among n dots, from 0 on.
	at(v float64, n int) int
	// labels are the texts beside a plot of h lines, the first at the top.
	labels(h int) []string
}

// linear goes from 0 to a round number.
type linear struct{ top float64 }

// newLinear has room for values up to this.
func newLinear(largest float64) linear {
	for unit := 1.0; ; unit *= 10 {
		for _, n := range []float64{1, 1.5, 2, 3, 4, 5, 6, 8} { // half of each is a round number, too
			if top := n * unit; top >= largest && top >= 1 && (n != 1.5 || unit > 1) {
				return linear{top}
			}
		}
	}
}

func (l linear) at(v float64, n int) int {
	return max(0, min(int(math.Round(v/l.top*float64(n-1))), n-1))
}

func (l linear) labels(h int) []string {
	out := make([]string, h)
	out[0], out[h-1] = number(l.top), "0"
	if half := l.top / 2; h >= 5 && h%2 == 1 {
		out[h/2] = number(half)
	}
	return out
}

// number writes a round number without a fraction that it does not have.
func number(v float64) string {
	if v != math.Trunc(v) {
		return fmt.Sprintf("%.1f", v)
	}
	return count(int64(v))
}

// decades is logarithmic, in seconds.
type decades struct{ low, high float64 }

// newDecades goes from 1 ms to the next power of ten above the largest, at least 100 ms.
func newDecades(largest float64) decades {
	d := decades{0.001, 0.1}
	for d.high < largest && d.high < 1000 {
		d.high *= 10
	}
	return d
}

func (d decades) at(v float64, n int) int {
	share := math.Log10(math.Max(v, d.low)/d.low) / math.Log10(d.high/d.low)
	return max(0, min(int(math.Round(share*float64(n-1))), n-1))
}

func (d decades) labels(h int) []string {
	out := make([]string, h)
	for v := d.low; v <= d.high*1.001; v *= 10 {
		row := h - 1 - d.at(v, 4*h)/4
		if out[row] == "" || v >= d.high*0.999 {
			out[row] = roundTime(v)
		}
	}
	return out
}

// roundTime writes a power of ten of seconds.
func roundTime(v float64) string {
	if v < 0.999 {
		return fmt.Sprintf("%.0f ms", v*1000)
	}
	return fmt.Sprintf("%.0f s", v)
}

// bars are the parts of a cell that a bar fills, in eighths.
const bars = " ▁▂▃▄▅▆▇█"

// barCell is what a bar of a height in eighths fills of the cell that is so many cells above the floor.
func barCell(eighths, above int) string {
	return string([]rune(bars)[max(0, min(eighths-8*above, 8))])
}
