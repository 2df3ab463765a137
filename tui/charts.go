package tui

import (
	"fmt"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
)

// The charts pane: orders and latency of the last minutes with the faults marked in them, how far each service is behind, and who leads how many
// partitions. All of it is counted second by second; where nothing is known there is a gap.

// chartState is what a person has chosen about the charts.
type chartState struct {
	at   int // the first that is shown, where not all have room
	span int // of chartSpans
}

// chartSpans are how much time the charts show at least; a wide pane shows more.
var chartSpans = []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour}

// A chart is drawn into w by h cells.
type chart func(m *Model, w, h int) []string

func charts() []chart {
	return []chart{(*Model).ordersChart, (*Model).latencyChart, (*Model).lagChart, (*Model).leadersChart}
}

const (
	chartLeast = 7   // lines of a chart: a heading, the plot, the axis
	chartsPair = 100 // from so many cells on two charts are side by side
	axisWidth  = 7   // of the numbers beside a plot
)

// chartsBindings are the keys of the pane.
func chartsBindings() []action {
	return []action{{
		Binding: bind("v", "v", "more time"), in: inCharts, word: "span", group: "View", hint: true,
		do: func(m *Model) tea.Cmd { m.charts.span = (m.charts.span + 1) % len(chartSpans); return nil },
	}}
}

// chartGrid is how many charts stand side by side and one above the other.
func chartGrid(w, h int) (across, down int) {
	across = 1
	if w >= chartsPair {
		across = 2
	}
	n := len(charts())
	return across, max(1, min(h/chartLeast, (n+across-1)/across))
}

func (m *Model) renderCharts(w, h int) []string {
	s := m.styles
	switch {
	case m.backend == nil:
		return wrapped("the shop opens when the cluster is up", w, s.Dim)
	case m.past.newest == 0:
		return wrapped("the first second is not over yet", w, s.Dim)
	}
	all := charts()
	across, down := chartGrid(w, h)
	from := max(0, min(m.charts.at, len(all)-across*down))
	var lines []string
	for row := range down {
		tall := h*(row+1)/down - h*row/down
		if down > 1 && row < down-1 {
			tall-- // an empty line between two
		}
		var block []string
		for col := range across {
			i := from + row*across + col
			if i >= len(all) {
				continue
			}
			wide := (w - 2*(across-1)) / across
			drawn := all[i](m, wide, tall)
			for y := range tall {
				if col == 0 {
					block = append(block, fit(at(drawn, y), wide))
				} else {
					block[y] += "  " + fit(at(drawn, y), wide)
				}
			}
		}
		if lines = append(lines, block...); row < down-1 {
			lines = append(lines, "")
		}
	}
	return lines
}

// chartsStatus says how much time is shown, and which of the charts where there is no room for all.
func (m *Model) chartsStatus(w, h int) string {
	if m.backend == nil || m.past.newest == 0 {
		return ""
	}
	across, down := chartGrid(w, h)
	text := ""
	if n := len(charts()); across*down < n {
		from := max(0, min(m.charts.at, n-across*down))
		text = fmt.Sprintf("%d of %d", from+1, n)
		if across*down > 1 {
			text = fmt.Sprintf("%d-%d of %d", from+1, from+across*down, n)
		}
	}
	return m.styles.Dim.Render(text)
}

// axis is the time that the charts show in so many cells.
func (m *Model) axis(cells int) timeAxis {
	return newTimeAxis(max(cells, 1), chartSpans[m.charts.span], m.past.newest)
}

// marks are the columns in which something was done, the oldest first, and what.
func (m *Model) marks(a timeAxis) (cells []int, what []string) {
	for _, act := range m.acts() {
		if a.shows(act.at) {
			cells, what = append(cells, a.cell(act.at)), append(what, strings.TrimPrefix(act.what, "seen: "))
		}
	}
	return cells, what
}

// markLine writes what was done above the columns in which it was: the newest first, others where there is room left, in fewer words where there is less.
func (m *Model) markLine(w int, cells []int, what []string) string {
	line := []rune(strings.Repeat(" ", w))
	free := func(at int, text []rune) bool {
		return at >= 0 && at+len(text) <= w && strings.TrimSpace(string(line[at:at+len(text)])) == ""
	}
	for i := len(cells) - 1; i >= 0; i-- {
		words := strings.Fields(safe(what[i]))
		for n := len(words); n >= 0; n-- {
			if n > 0 && n < len(words) && words[n-1] == "broker" {
				continue // without its number it says nothing
			}
			text := strings.Join(words[:n], " ")
			if after := []rune(strings.TrimRight("▼ "+text, " ")); free(cells[i], after) {
				copy(line[cells[i]:], after)
				break
			}
			if before := []rune(" " + text + " ▼"); free(cells[i]-len(before)+1, before) { // the sign stays where it was done
				copy(line[cells[i]-len(before)+1:], before)
				break
			}
		}
	}
	return m.styles.Accent.Render(string(line))
}

// curve is a series of an xy chart.
type curve struct {
	track string
	name  string
	brief string // where there is less room
	sign  string // in the legend
	how   merge
	value func(v float64) string
}

// xy draws an area and a line over it.
func (m *Model) xy(w, h int, titles []string, area, line curve, scaled func(largest float64) scale) []string {
	s := m.styles
	a := m.axis(w - axisWidth - 1) // nothing touches the frame
	cells, what := m.marks(a)
	rows := h - 2
	var lines []string
	lines = append(lines, "")
	if rows >= 6 && len(cells) > 0 {
		rows--
		lines = append(lines, strings.Repeat(" ", axisWidth)+m.markLine(a.cells, cells, what))
	}
	rows = max(rows, 1)

	largest := 0.0
	values := func(c curve) ([]float64, []bool) {
		vs, oks := make([]float64, a.dots()), make([]bool, a.dots())
		for x := range vs {
			vs[x], oks[x] = m.past.over(c.track, a.first(x), a.step, c.how)
			if oks[x] {
				largest = max(largest, vs[x])
			}
		}
		return vs, oks
	}
	va, oka := values(area)
	vl, okl := values(line)
	y := scaled(largest)
	p := newPlot(a.cells, rows)
	// A line is as high as an area of the same value, and hidden behind it.
	height := func(v float64) int { return max(0, (y.at(v, 8*rows+1)+1)/2-1) }
	for x := range va {
		if oka[x] {
			p.area[x] = max(y.at(va[x], 8*rows+1), 1) // what is known to be nothing is not a gap
		}
	}
	for x := range vl {
		if !okl[x] {
			continue
		}
		to := height(vl[x])
		p.dot(x, to)
		if x == 0 || !okl[x-1] {
			continue
		}
		before := height(vl[x-1])
		for dot := min(before, to) + 1; dot < max(before, to); dot++ { // the line does not break where it is steep
			if before < to {
				p.dot(x, dot)
			} else {
				p.dot(x-1, dot)
			}
		}
	}
	empty := map[int]string{}
	for _, c := range cells {
		empty[c] = "┊"
	}
	labels := y.labels(rows)
	for row := range rows {
		lines = append(lines, s.Dim.Render(right(labels[row], axisWidth-1))+" "+p.row(row, s.Good, s.Strong, empty, s.Accent))
	}
	lines = append(lines, strings.Repeat(" ", axisWidth)+a.line(s, cells))
	lines[0] = m.legend(w, titles, largest, []curve{area, line}, []ink{s.Good, s.Strong})
	return lines
}

// legend is the heading of a chart: what it shows and what that is now, in the most words that fit. Titles go from the longest to the shortest.
func (m *Model) legend(w int, titles []string, largest float64, curves []curve, styles []ink) string {
	s := m.styles
	write := func(title, space string, name func(curve) string, curves ...curve) string {
		text := " " + s.Strong.Render(title)
		for i, c := range curves {
			v, ok := m.past.get(c.track, m.past.newest)
			value := "–"
			if ok {
				value = c.value(v)
			}
			text += space + styles[i].Render(c.sign) + " " + s.Dim.Render(name(c)) + value
		}
		return text
	}
	whole := func(c curve) string { return c.name + " " }
	brief := func(c curve) string { return c.brief + " " }
	none := func(curve) string { return "" }
	var ways []string
	for _, title := range titles {
		ways = append(ways, write(title, "  ", whole, curves...), write(title, " ", brief, curves...))
	}
	shortest := titles[len(titles)-1]
	ways = append(ways, write(shortest, " ", none, curves...), write(shortest, " ", none, curves[0]))
	text := ways[len(ways)-1]
	for _, way := range ways {
		if ansi.StringWidth(way) <= w {
			text = way
			break
		}
	}
	if largest > 0 {
		if part := s.Dim.Render("max ") + curves[0].value(largest) + " "; ansi.StringWidth(text)+ansi.StringWidth(part)+2 <= w {
			return sides(text, part, w)
		}
	}
	return fit(text, w)
}

func perSecondShort(v float64) string { return number(roundTo(v)) }

// roundTo is a figure to the tenth below ten, else to the whole.
func roundTo(v float64) float64 {
	if v < 9.95 {
		return float64(int(v*10+0.5)) / 10
	}
	return float64(int(v + 0.5))
}

func seconds(v float64) string { return age(time.Duration(v*1e6+0.5) * time.Microsecond) }

func (m *Model) ordersChart(w, h int) []string {
	return m.xy(w, h, []string{"orders/s"},
		curve{trackMailed, "mailed", "mail", "█", mean, perSecondShort},
		curve{trackAcked, "acked", "ack", "⠒", mean, perSecondShort},
		func(largest float64) scale { return newLinear(largest) })
}

func (m *Model) latencyChart(w, h int) []string {
	// The p99 of a column is the worst of its seconds, and so is its p50: what a fault did must not be averaged away.
	return m.xy(w, h, []string{"payment → email, log scale", "latency, log scale", "latency, log", "latency"},
		curve{trackFlow50, "p50", "p50", "█", most, seconds},
		curve{trackFlow99, "p99", "p99", "⠒", most, seconds},
		func(largest float64) scale { return newDecades(largest) })
}

// strip is a row of bars.
type strip struct {
	name  string
	track string
	how   merge
	value func(v float64, known bool) (string, ink)
	style ink
}

// strips draws rows of bars of the same scale.
func (m *Model) strips(w, h int, title, unit string, list []strip) []string {
	s := m.styles
	const name, value = 11, 7
	a := m.axis(w - name - value - 1)
	cells, _ := m.marks(a)
	marked := map[int]bool{}
	for _, c := range cells {
		marked[c] = true
	}
	largest := 0.0
	rows := make([][]float64, len(list))
	known := make([][]bool, len(list))
	for i, st := range list {
		rows[i], known[i] = make([]float64, a.cells), make([]bool, a.cells)
		for x := range a.cells {
			rows[i][x], known[i][x] = m.past.over(st.track, a.first(2*x), 2*a.step, st.how)
			largest = max(largest, rows[i][x])
		}
	}
	each := max(1, (h-2)/max(len(list), 1))
	tall := min(each, 6)
	if each >= 3 {
		tall = min(each-1, 5) // an empty line between two
	}
	head := " " + s.Strong.Render(title)
	if part := s.Dim.Render("max " + plural(int(largest), unit) + " "); ansi.StringWidth(head+part)+2 <= w {
		head = sides(head, part, w)
	}
	lines := []string{head}
	for i, st := range list {
		if each >= 3 && i > 0 {
			lines = append(lines, "")
		}
		if len(lines)+tall+1 > h {
			lines[len(lines)-1] = s.Dim.Render(fmt.Sprintf(" and %d more", len(list)-i+1))
			break
		}
		v, ok := m.past.get(st.track, m.past.newest)
		text, style := st.value(v, ok)
		for above := tall - 1; above >= 0; above-- {
			var b strings.Builder
			for x := range a.cells {
				switch {
				case !known[i][x] && marked[x]:
					b.WriteString(s.Accent.Render("┊"))
				case !known[i][x]:
					b.WriteByte(' ')
				case rows[i][x] < 0 && above == 0:
					b.WriteString(s.Bad.Render("×"))
				default:
					eighths := int(max(rows[i][x], 0)/max(largest, 1)*float64(8*tall) + 0.5)
					if rows[i][x] >= 0 {
						eighths = max(eighths, 1) // what is known to be nothing is not a gap
					}
					b.WriteString(st.style.Render(barCell(eighths, above)))
				}
			}
			left, rest := "", ""
			if above == 0 {
				left, rest = st.name, text
			}
			lines = append(lines, " "+fit(left, name-1)+b.String()+style.Render(right(rest, value)))
		}
	}
	return append(lines, strings.Repeat(" ", name)+a.line(s, cells))
}

func (m *Model) lagChart(w, h int) []string {
	s := m.styles
	var list []strip
	for _, svc := range m.figures.Services {
		list = append(list, strip{name: svc.Name, track: trackLag + svc.Name, how: most, style: s.ID, value: func(v float64, known bool) (string, ink) {
			if !known {
				return "–", s.Dim
			}
			return count(int64(v)), s.Text
		}})
	}
	return m.strips(w, h, "lag", "record", list)
}

func (m *Model) leadersChart(w, h int) []string {
	s := m.styles
	var list []strip
	if m.state != nil {
		for i, n := range m.state.Nodes {
			if i >= mostBrokers {
				break
			}
			list = append(list, strip{name: fmt.Sprint("broker ", n.ID), track: brokerTrack(n.ID), how: last, style: s.Good, value: func(v float64, known bool) (string, ink) {
				switch {
				case !known:
					return "–", s.Dim
				case v < 0:
					return "DOWN", s.Bad
				}
				return count(int64(v)), s.Text
			}})
		}
	}
	return m.strips(w, h, "leaders", "partition", list)
}
