package tui

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"kassa/kafkaops/watch"
	"kassa/services"
	"kassa/services/latency"
)

// A second that nobody looked at, or of which nothing is known, is a gap and not a zero; what is older than an hour is forgotten.
func TestHistoryHasGaps(t *testing.T) {
	var h history
	file := func(second int64, v float64) {
		h.begin(second)
		if !math.IsNaN(v) {
			h.set("x", v)
		}
	}
	file(1000, 5)
	file(1001, 0)
	file(1004, 7)
	file(1005, math.NaN())
	want := map[int64]string{999: "gap", 1000: "5", 1001: "0", 1002: "gap", 1003: "gap", 1004: "7", 1005: "gap", 1006: "gap"}
	text := func(v float64, ok bool) string {
		if !ok {
			return "gap"
		}
		return fmt.Sprint(v)
	}
	for second, w := range want {
		if got := text(h.get("x", second)); got != w {
			t.Errorf("second %d: %s, want %s", second, got, w)
		}
	}
	for _, c := range []struct {
		first int64
		n     int
		how   merge
		want  string
	}{{1000, 2, mean, "2.5"}, {1000, 5, mean, "4"}, {1000, 5, most, "7"}, {1000, 2, last, "0"}, {1002, 2, mean, "gap"}, {1005, 1, last, "gap"}} {
		if got := text(h.over("x", c.first, c.n, c.how)); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
	file(1000+historySeconds, 9)
	if got := text(h.get("x", 1000)); got != "gap" {
		t.Errorf("an hour later the first second is still %s", got)
	}
	if got := text(h.get("x", 1004)); got != "7" {
		t.Errorf("within the hour it is %s", got)
	}
	file(1000+10*historySeconds, 1)
	for second := h.newest - historySeconds; second < h.newest; second++ {
		if v, ok := h.get("x", second); ok {
			t.Fatalf("a night later second %d is %v", second, v)
		}
	}
}

// Columns stand for the same seconds while time goes on, and the axis says how many there are.
func TestTimeAxis(t *testing.T) {
	for _, c := range []struct {
		cells int
		span  time.Duration
		step  int
		shows string
	}{{22, time.Minute, 2, "−88 s"}, {60, time.Minute, 1, "−2 m"}, {22, 5 * time.Minute, 10, "−7m20s"}, {50, time.Hour, 60, "−100 m"}} {
		a := newTimeAxis(c.cells, c.span, 100_000)
		if a.step != c.step || ago(a.span()) != c.shows {
			t.Errorf("%d cells for %s: step %d, %s", c.cells, c.span, a.step, ago(a.span()))
		}
		if a.first(0)%int64(a.step) != 0 || a.first(a.dots()) != a.end || a.end <= 100_000 || a.end > 100_000+int64(2*a.step) {
			t.Errorf("%d cells for %s: from %d to %d", c.cells, c.span, a.first(0), a.end)
		}
		line := ansi.Strip(a.line(newStyles(true), []int{c.cells / 3}))
		if w := ansi.StringWidth(line); w != c.cells || !strings.HasPrefix(line, c.shows) || !strings.HasSuffix(line, "now") || !strings.Contains(line, "▲") {
			t.Errorf("%q has %d cells of %d", line, w, c.cells)
		}
		if at := time.Unix(99_990, 0); !a.shows(at) || a.cell(at) != int(99_990-a.first(0))/(2*a.step) {
			t.Errorf("10 s ago is in cell %d", a.cell(at))
		}
	}
}

// Scales end at round numbers that nothing exceeds, and give a height to every value.
func TestScales(t *testing.T) {
	for largest, top := range map[float64]string{0: "1", 0.4: "1", 1: "1", 1.1: "2", 49: "50", 50: "50", 51: "60", 120: "150", 4100: "5,000", 1.5: "2", 7: "8", 50_000: "50,000"} {
		l := newLinear(largest)
		if labels := l.labels(5); labels[0] != top || labels[4] != "0" {
			t.Errorf("up to %v: %q, want %s", largest, labels, top)
		}
		if l.at(0, 40) != 0 || l.at(l.top, 40) != 39 || l.at(2*l.top, 40) != 39 {
			t.Errorf("up to %v: heights %d %d", largest, l.at(0, 40), l.at(l.top, 40))
		}
	}
	d := newDecades(1.4)
	if got := strings.Join(d.labels(9), "|"); got != "10 s||1 s||100 ms||10 ms||1 ms" {
		t.Errorf("labels %s", got)
	}
	if got := []int{d.at(0.0001, 41), d.at(0.001, 41), d.at(0.1, 41), d.at(10, 41), d.at(99, 41)}; fmt.Sprint(got) != "[0 0 20 40 40]" {
		t.Errorf("heights %v", got)
	}
	if got := strings.Join(newDecades(0).labels(3), "|"); got != "100 ms|10 ms|1 ms" {
		t.Errorf("of nothing: %s", got)
	}
}

// An area is solid, with two columns a cell; a line is dotted, and where there is neither the mark of a fault shows.
func TestPlot(t *testing.T) {
	p := newPlot(6, 2)
	p.area = []int{1, 1, 8, 8, 16, 8, 0, 4, 0, 0, 0, 0}
	p.dot(8, 7)
	p.dot(9, 6)
	rows := []string{p.row(0, ink{}, ink{}, map[int]string{2: "┊", 4: "┊", 5: "┊"}, ink{}), p.row(1, ink{}, ink{}, map[int]string{5: "┊"}, ink{})}
	if got := strings.Join(rows, "|"); got != "  ▌ ⠑┊|▁██▗ ┊" {
		t.Errorf("%q", got)
	}
}

// lived is a screen after 100 s at 50 orders a second: 60 s in, broker 2 is killed, nothing is acknowledged for 2 s, and then what waited.
func (s *stage) lived() *stage {
	s.open()
	var recent Recent
	s.backend.Recent = func() Recent { r := recent; recent = Recent{}; return r }
	story := *newStage(s.t, 80, 24).story()
	s.figs = story.figs
	s.figs.Accepted, s.figs.Services[1].Handled = 0, 0
	s.clock = noon.Add(-100 * time.Second)
	for i := range 100 {
		s.clock = s.clock.Add(time.Second)
		rate, p50, p99 := int64(50), 9*time.Millisecond, time.Duration(30+i*7%20)*time.Millisecond
		st := s.cluster()
		switch {
		case i == 40:
			s.clock = s.clock.Add(3 * time.Second) // nobody looked: to the shell and back
		case i == 60:
			s.lines = story.lines
			s.lines[0].At = s.clock
			rate = 0
		case i == 61:
			rate = 0
		case i == 62:
			rate, p50, p99 = 140, 800*time.Millisecond, 2100*time.Millisecond
		}
		if i >= 60 {
			st = s.broken()
		}
		if i >= 62 {
			for k := range st.Partitions {
				if st.Partitions[k].Leader == 2 {
					st.Partitions[k].Leader = 3
				}
			}
			st.Nodes[2].Leads = 6
		}
		s.figs.Accepted += rate
		s.figs.Services[1].Handled += rate
		s.figs.Services[0].Lag, s.figs.Services[1].Lag = int64(i%3), rate/10
		if rate > 0 {
			recent = Recent{Ack: latency.Percentiles{Count: rate, P50: p50 / 2, P99: p99 / 2}, Flow: latency.Percentiles{Count: rate, P50: p50, P99: p99}}
		}
		for k := range st.Nodes {
			if st.Nodes[k].Health == watch.Up {
				st.Nodes[k].Seen = s.clock
			}
		}
		s.send(stateMsg{st})
		s.send(tickMsg(s.clock))
	}
	return s
}

// zoomTo gives a pane the whole screen.
func (s *stage) zoomTo(p paneID) {
	s.press(p.key())
	if !s.zoomed {
		s.press("z")
	}
}

// What a fault did is seen in the charts: the gap, what waited, who leads, and when.
func TestCharts(t *testing.T) {
	s := newStage(t, 120, 40).lived()
	s.zoomTo(paneCharts)
	for _, text := range []string{
		"orders/s  █ mailed 50  ⠒ acked 50", "max 140", "payment → email, log scale", "p50 9 ms",
		"▼ kill -9 broker 2", "▲", "−100 s", "now", "×××", "DOWN", "order", "broker 3", "max 6 partitions",
	} {
		s.has(text)
	}
	if v, ok := s.past.get(trackAcked, s.clock.Add(-39*time.Second).Unix()-1); !ok || v != 0 {
		t.Errorf("while nothing was acknowledged it is %v, %v", v, ok)
	}
	if _, ok := s.past.get(trackFlow50, s.clock.Add(-39*time.Second).Unix()-1); ok {
		t.Error("a second in which no mail was sent has a latency")
	}
	if _, ok := s.past.get(trackAcked, noon.Add(-58*time.Second).Unix()); ok {
		t.Error("a second that nobody looked at has a rate")
	}
	s.press("v")
	s.has("−5 m")
	s.send(tea.WindowSizeMsg{Width: 60, Height: 18})
	s.has("1-2 of 4")
	s.press("j", "j", "j")
	s.has("3-4 of 4")
	s.press("k")
	s.has("2-3 of 4")
}

// A clock that is put back begins the charts anew, and does not stop them.
func TestChartsSurviveTheClock(t *testing.T) {
	s := newStage(t, 120, 40).lived()
	s.clock = s.clock.Add(-time.Hour)
	for range 3 {
		s.send(tickMsg(s.clock))
		s.clock = s.clock.Add(time.Second)
	}
	if n := s.past.newest; n != s.clock.Unix()-2 {
		t.Errorf("the newest second is %d s ago", s.clock.Unix()-n)
	}
	s.zoomTo(paneCharts)
	s.has("orders/s")
}

// A rate of four characters has room in the narrowest checkout pane: the small chart goes before a figure is cut.
func TestARateIsNotCutOff(t *testing.T) {
	s := newStage(t, MinWidth, MinHeight).open()
	s.figs.Services = []services.Stats{{Name: "analytics", Status: services.Running}}
	for range 12 {
		s.clock = s.clock.Add(250 * time.Millisecond)
		s.figs.Services[0].Handled += 40
		s.send(tickMsg(s.clock))
	}
	s.has("analytics 160/s")
}
