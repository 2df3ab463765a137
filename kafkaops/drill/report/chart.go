package report

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"kassa/kafkaops/drill"
)

// chart is lines over the time of a drill. Across, everything is in percent, so that it fills whatever page it is on and its text keeps its size; down, it is
// in CSS pixels.
type chart struct {
	ID, Title string
	Desc      string // for those who cannot see it
	Note      string // what has to be known to read it
	Log       bool
	Plot      int // height of the plot, px
	Height    int // with the rail of faults above and the axis below
	Y, X      []tick
	Lines     []*line
	Still     []span // where nothing happened
	StillText string
	Marks     []mark
	Dense     bool // so many marks that their lines would hide the figure
}

// tick is a label on an axis: At is px for Y and percent for X.
type tick struct {
	At, Label string
	Minor     bool // can be left out where there is little room
}

type line struct {
	Class, Name string
	Path        string
	Dots        []dot // values with a gap on either side, which no line can show
	LabelY      string
	end         float64
}

type dot struct{ X, Y string }

// span is a stretch of time, in percent.
type span struct{ X, W string }

// mark is a fault on an axis of time.
type mark struct {
	X, Title string
	Label    string // its number, where there is room for it
}

const (
	rail       = 22 // px above a plot, for the marks of faults
	axis       = 26 // px below it
	plotHeight = 168
	plotWidth  = 1000 // units across in a path; it is stretched to the page
	denseFrom  = 40
	most       = 600 // points in a line: there are not many more pixels
)

// series is one figure of each sample; nil where there is none.
type series struct {
	class, name string
	values      []*float64              // one a sample
	join        func([]float64) float64 // how several samples become a point
}

// frame is what a plot is drawn in.
type frame struct {
	id, title string
	unit      func(float64) string // labels the axis
	linear    bool                 // never logarithmic
	seconds   float64
	faults    []mark
}

// plot draws series over time; nil where there is nothing to draw.
func plot(f frame, samples []drill.Sample, all ...series) *chart {
	c := &chart{ID: f.id, Title: f.title, Plot: plotHeight, Height: rail + plotHeight + axis, Marks: f.faults, Dense: len(f.faults) > denseFrom}
	per := max(1, int(math.Ceil(float64(len(samples))/most)))
	joined := make([][]point, len(all))
	least, highest := math.Inf(1), 0.0
	for i, s := range all {
		joined[i] = points(samples, per, s)
		for _, p := range joined[i] {
			if p.ok {
				highest = max(highest, p.y)
				if p.y > 0 {
					least = min(least, p.y)
				}
			}
		}
	}
	if math.IsInf(least, 1) { // nothing above zero
		if !slices.ContainsFunc(joined, func(ps []point) bool { return slices.ContainsFunc(ps, func(p point) bool { return p.ok }) }) {
			return nil
		}
		least = 0
	}
	y := scaleOf(least, highest)
	if f.linear {
		y = linearScale(highest, 5)
	}
	x := timeScale(f.seconds)
	c.Log = y.log
	for _, v := range y.ticks {
		c.Y = append(c.Y, tick{At: px(c.down(y, v)), Label: f.unit(v)})
	}
	for i, v := range x.ticks {
		c.X = append(c.X, tick{At: x.pct(v), Label: clockTick(v, f.seconds), Minor: i%2 == 1})
	}
	for i, s := range all {
		if l := c.draw(s, joined[i], x, y); l != nil {
			c.Lines = append(c.Lines, l)
		}
	}
	c.spread()
	if s := int(math.Round(float64(per) * usualWidth(samples))); s > 1 {
		c.Note = fmt.Sprintf("A point stands for %d seconds.", s)
	}
	return c
}

// point is one or more samples that are next to each other.
type point struct {
	x, y float64
	ok   bool // there was something to show
	jump bool // time passed before it of which nothing is known
}

func points(samples []drill.Sample, per int, s series) []point {
	var out []point
	last, width := math.Inf(-1), usualWidth(samples)
	for i := 0; i < len(samples); i += per {
		end := min(i+per, len(samples))
		var values []float64
		for _, v := range s.values[i:end] {
			if v != nil && !math.IsNaN(*v) && !math.IsInf(*v, 0) {
				values = append(values, *v)
			}
		}
		from, to := samples[i].At-width, samples[end-1].At
		p := point{x: max((from+to)/2, 0), ok: len(values) > 0, jump: from-last > width}
		if p.ok {
			p.y = s.join(values)
		}
		last = to
		out = append(out, p)
	}
	return out
}

// usualWidth is how many seconds a sample is of: 1, or more in a long drill.
func usualWidth(samples []drill.Sample) float64 {
	if len(samples) == 0 {
		return 1
	}
	widths := []float64{samples[0].At}
	for i := 1; i < len(samples); i++ {
		widths = append(widths, samples[i].At-samples[i-1].At)
	}
	if w := middle(widths); w > 0 {
		return w
	}
	return 1
}

// width is how many seconds sample i is of.
func width(samples []drill.Sample, i int) float64 {
	w := samples[i].At
	if i > 0 {
		w -= samples[i-1].At
	}
	if w <= 0 {
		return usualWidth(samples)
	}
	return w
}

func (c *chart) down(y scale, v float64) float64 { return float64(c.Plot) * (1 - y.at(v)) }

// draw makes the path of a series: where a value is missing the line ends, and begins anew.
func (c *chart) draw(s series, ps []point, x, y scale) *line {
	l := &line{Class: s.class, Name: s.name, end: -1}
	var path strings.Builder
	run := 0 // points since the pen was put down
	finish := func(before int) {
		if run == 1 {
			p := ps[before]
			l.Dots = append(l.Dots, dot{X: x.pct(p.x), Y: px(rail + c.down(y, p.y))})
		}
		run = 0
	}
	for i, p := range ps {
		if !p.ok || p.jump {
			finish(i - 1)
		}
		if !p.ok {
			continue
		}
		l.end = c.down(y, p.y)
		verb := "L"
		if run == 0 {
			verb = "M"
		}
		if verb == "M" || i+1 == len(ps) || !ps[i+1].ok || !flat(ps, i, y, c) { // what lies on a straight line need not be drawn
			fmt.Fprintf(&path, "%s%s %s", verb, px(x.at(p.x)*plotWidth), px(l.end))
		}
		run++
	}
	finish(len(ps) - 1)
	if l.end < 0 {
		return nil
	}
	l.Path = path.String()
	return l
}

// flat says that point i is as high as both its neighbours.
func flat(ps []point, i int, y scale, c *chart) bool {
	if i == 0 || i+1 >= len(ps) || !ps[i-1].ok || !ps[i+1].ok || ps[i+1].jump || ps[i].jump {
		return false
	}
	here := px(c.down(y, ps[i].y))
	return px(c.down(y, ps[i-1].y)) == here && px(c.down(y, ps[i+1].y)) == here
}

// spread places the names at the lines' ends so that they do not lie on each other.
func (c *chart) spread() {
	const apart = 14
	order := slices.Clone(c.Lines)
	slices.SortStableFunc(order, func(a, b *line) int { return int(a.end - b.end) })
	at := -math.MaxFloat64
	for i, l := range order {
		room := float64(c.Plot - apart*(len(order)-1-i))
		at = min(max(l.end, at+apart), room)
		l.LabelY = px(rail + at + 4)
	}
}

// still notes the time, between the first and the last sample in which something happened, in which nothing did, and says how many samples that were.
func (c *chart) still(samples []drill.Sample, seconds float64, text string, happened []*float64) (n int) {
	first, last := -1, -1
	for i, v := range happened {
		if v != nil {
			if last = i; first < 0 {
				first = i
			}
		}
	}
	if first < 0 {
		return 0
	}
	x := timeScale(seconds)
	begun := -1.0
	for i := first + 1; i <= last; i++ {
		switch quiet := happened[i] == nil; {
		case quiet:
			if n++; begun < 0 {
				begun = samples[i-1].At
			}
		case begun >= 0:
			end := samples[i-1].At
			c.Still = append(c.Still, span{X: x.pct(begun), W: percent(x.at(end) - x.at(begun))})
			begun = -1
		}
	}
	if n > 0 {
		c.StillText = text
	}
	return n
}

// clockTick labels an axis of time, in the unit that its length asks for.
func clockTick(v, whole float64) string {
	s := int64(v)
	switch {
	case s == 0:
		return "0"
	case whole < 120:
		return fmt.Sprintf("%d s", s)
	case whole < 3*3600:
		return fmt.Sprintf("%d:%02d", s/60, s%60)
	}
	return fmt.Sprintf("%d:%02d h", s/3600, s/60%60)
}

func largest(v []float64) float64 { return slices.Max(v) }

func middle(v []float64) float64 {
	s := slices.Clone(v)
	slices.Sort(s)
	return s[len(s)/2]
}

func mean(v []float64) float64 {
	sum := 0.0
	for _, x := range v {
		sum += x
	}
	return sum / float64(len(v))
}
