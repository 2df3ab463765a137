package tui

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"kassa/services/load"
)

// The load: what the screen asks of the crowd of customers, a line of pane 1 about it, and the overlay that sets it.

// LoadControl is a load that can be set. Nothing in it waits.
type LoadControl interface {
	Set(p load.Plan)
	// Burst offers n checkouts at once, whatever the plan is.
	Burst(n int)
	// Figures is a snapshot; it is cheap and asked for several times a second.
	Figures() load.Figures
}

// What + and - go through. A value in between, from a flag, goes to the next of them.
var (
	rateSteps     = []int{1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, load.MaxRate}
	customerSteps = []int{1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, load.MaxCustomers}
	burstSteps    = []int{1, 10, 20, 50, 100, 200, 500, 1000, 2000, load.MaxBurst}
	thinkSteps    = []time.Duration{0, 100 * time.Millisecond, 200 * time.Millisecond, 500 * time.Millisecond, time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 30 * time.Second}
	rampSteps     = []time.Duration{5 * time.Second, 10 * time.Second, 20 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute, load.MaxRamp}
)

// step is the next of the steps above or below v, v itself when there is none.
func step[T cmp.Ordered](steps []T, v T, by int) T {
	for i := range steps {
		if s := steps[i]; by > 0 && s > v {
			return s
		}
		if s := steps[len(steps)-1-i]; by < 0 && s < v {
			return s
		}
	}
	return v
}

// loadState is what a person has set, and what the load has counted.
type loadState struct {
	plan    load.Plan
	burst   int
	target  int // of the next ramp, orders a second
	over    time.Duration
	row     int // of the overlay
	figures load.Figures
}

func newLoadState(rate int) loadState {
	return loadState{
		plan:  load.Plan{Rate: max(rate, 1), Customers: 20, Think: time.Second},
		burst: 100, target: 500, over: 30 * time.Second,
	}
}

func (m *Model) toggleLoad() tea.Cmd {
	m.load.plan.On = !m.load.plan.On
	m.load.plan.Over = 0
	return m.applyLoad()
}

// stepLoad is more or fewer customers: a rate of an open loop, people of a closed one. A ramp ends where it is.
func (m *Model) stepLoad(by int) tea.Cmd {
	p := &m.load.plan
	if p.Mode == load.Closed {
		p.Customers = step(customerSteps, p.Customers, by)
		return m.applyLoad()
	}
	if f := m.backend.Load.Figures(); f.Left > 0 {
		p.Rate = f.Rate
	}
	p.Rate, p.Over = step(rateSteps, p.Rate, by), 0
	return m.applyLoad()
}

// ramp goes from the rate of now to the target.
func (m *Model) ramp() tea.Cmd {
	p := &m.load.plan
	p.On, p.Mode, p.Rate, p.Over = true, load.Open, m.load.target, m.load.over
	return m.applyLoad()
}

func (m *Model) sendBurst() tea.Cmd {
	if m.drilling() {
		m.say(true, drillsLoad)
		return nil
	}
	m.backend.Load.Burst(m.load.burst)
	m.say(false, count(m.load.burst)+" orders at once")
	return nil
}

// drillsLoad is said of every change to the load while a drill has it.
const drillsLoad = "a drill is under way, with a load of its own: what you set comes after it"

func (m *Model) applyLoad() tea.Cmd {
	if m.drilling() {
		m.say(false, drillsLoad)
		return nil
	}
	m.backend.Load.Set(m.load.plan)
	m.load.figures = m.backend.Load.Figures()
	m.dirty(paneCheckout)
	return nil
}

// loadWords says in w cells or fewer, if it can be said so shortly, how customers come.
func (m *Model) loadWords(w int) string {
	p, f := m.load.plan, m.load.figures
	var ways []string
	switch {
	case p.Mode == load.Closed:
		people := plural(p.Customers, "customer")
		ways = []string{"closed " + people + ", think " + age(p.Think), "closed " + people, "closed " + count(p.Customers)}
	case p.On && f.Left > 0:
		from, left := count(f.Rate)+"→"+count(p.Rate)+"/s", fmt.Sprintf("%d s", (f.Left+time.Second-1)/time.Second)
		ways = []string{"ramp " + from + " " + left + " left", "ramp " + from + " " + left, from + " " + left, from}
	default:
		ways = []string{"open " + count(p.Rate) + "/s", count(p.Rate) + "/s"}
	}
	for _, text := range ways {
		if ansi.StringWidth(text) <= w {
			return text
		}
	}
	return ways[len(ways)-1]
}

// loadLine is the load in pane 1. The keys are shown while they act on it.
func (m *Model) loadLine(w int, mark string, keys bool) string {
	s := m.styles
	if m.drilling() {
		plan := m.load.figures.Plan
		text := " load off, by the drill"
		if plan.On {
			text = " load on, " + count(plan.Rate) + "/s by the drill"
		}
		return fit(mark+s.Key.Render("X")+s.Good.Render(text), w)
	}
	state, ink := "off, ", s.Dim
	if m.load.plan.On {
		state, ink = "on, ", s.Good
	}
	head := mark + s.Key.Render("b") + s.Dim.Render(" load ") + ink.Render(state)
	if w < 28 {
		head = mark + s.Key.Render("b") + " " + ink.Render(state)
	}
	text := head + ink.Render(m.loadWords(w-ansi.StringWidth(head)))
	if more := "  " + s.Key.Render("+ −"); keys && ansi.StringWidth(text+more) <= w {
		text += more
	}
	return fit(text, w)
}

// loadRow is a value of the overlay.
type loadRow struct {
	name  string
	value string
	keys  string // what else acts on it
	turn  func(by int)
}

func (m *Model) loadRows() []loadRow {
	l := &m.load
	mode := map[load.Mode]string{load.Open: "open loop: at a rate", load.Closed: "closed loop: after an answer"}
	set := func(change func()) func() {
		return func() { l.plan.Over = 0; change(); m.applyLoad() }
	}
	on := map[bool]string{true: "on: " + m.loadWords(28), false: "off"}
	return []loadRow{
		{"load", on[l.plan.On], "", func(int) { m.toggleLoad() }},
		{"customers come in", mode[l.plan.Mode], "", func(int) { set(func() { l.plan.Mode = load.Closed - l.plan.Mode })() }},
		{"open: rate", count(l.plan.Rate) + " orders/s", "", func(by int) { set(func() { l.plan.Rate = step(rateSteps, l.plan.Rate, by) })() }},
		{"closed: customers", count(l.plan.Customers), "", func(by int) { set(func() { l.plan.Customers = step(customerSteps, l.plan.Customers, by) })() }},
		{"closed: they think", age(l.plan.Think), "", func(by int) { set(func() { l.plan.Think = step(thinkSteps, l.plan.Think, by) })() }},
		{"burst", count(l.burst) + " at once", "B sends it", func(by int) { l.burst = step(burstSteps, l.burst, by) }},
		{"ramp to", count(l.target) + " orders/s", "r starts it", func(by int) { l.target = step(rateSteps, l.target, by) }},
		{"ramp over", age(l.over), "", func(by int) { l.over = step(rampSteps, l.over, by) }},
	}
}

// openLoad shows what can be set about the load, and what it has counted.
func (m *Model) openLoad() tea.Cmd {
	m.overlay = &overlay{title: "load", live: m.loadLines, press: m.loadKey}
	return nil
}

func (m *Model) loadKey(k tea.KeyPressMsg) (tea.Cmd, bool) {
	rows := m.loadRows()
	turn := func(by int) (tea.Cmd, bool) { rows[m.load.row].turn(by); return nil, true }
	switch {
	case key.Matches(k, bind("j down tab", "", "")):
		m.load.row = min(m.load.row+1, len(rows)-1)
	case key.Matches(k, bind("k up shift+tab", "", "")):
		m.load.row = max(m.load.row-1, 0)
	case key.Matches(k, bind("l right + = space", "", "")):
		return turn(1)
	case key.Matches(k, bind("h left - _", "", "")):
		return turn(-1)
	case key.Matches(k, bind("b", "", "")):
		return m.toggleLoad(), true
	case key.Matches(k, bind("B", "", "")):
		return m.sendBurst(), true
	case key.Matches(k, bind("r", "", "")):
		return m.ramp(), true
	case key.Matches(k, bind("o", "", "")):
		m.overlay = nil
	default:
		return nil, false
	}
	return nil, true
}

// loadWidth is what the overlay has on the smallest screen.
const loadWidth = MinWidth - 6

func (m *Model) loadLines() []string {
	s, f := m.styles, m.load.figures
	var lines []string
	for i, r := range m.loadRows() {
		if i == m.load.row {
			lines = append(lines, s.Select.Render(fit("▶ "+fit(r.name, 18)+"◀ "+r.value+" ▶  "+r.keys, loadWidth)))
			continue
		}
		lines = append(lines, fit("  "+s.Dim.Render(fit(r.name, 20))+r.value+"    "+s.Key.Render(r.keys), loadWidth))
	}
	figure := func(name string, n int64) string { return s.Dim.Render(name+" ") + count(n) + "  " }
	lines = append(lines, "",
		figure("offered", f.Offered)+figure("accepted", f.Accepted)+figure("pending", f.Pending),
		figure("refused", f.Refused)+figure("unknown", f.Unknown)+figure("not sent", f.Shed))
	if l := f.Latency; l.Count > 0 {
		lines = append(lines, s.Dim.Render("latency p50 ")+age(l.P50)+s.Dim.Render("  p99 ")+age(l.P99)+s.Dim.Render("  max ")+age(l.Max))
	} else {
		lines = append(lines, s.Dim.Render("latency –"))
	}
	hint := func(k, does string) string { return s.Key.Render(k) + " " + s.Dim.Render(does) }
	return append(lines, strings.Join([]string{hint("j k", "select"), hint("← →", "change"), hint("b", "on/off"), hint("B", "burst"), hint("r", "ramp")}, "   "))
}
