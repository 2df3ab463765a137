package tui

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"kassa/kafkaops"
	"kassa/kafkaops/drill"
	"kassa/kafkaops/drill/runner"
)

// The drills: those that are built in, run on the cluster that is on the screen.

// Drills is what the screen asks of them.
type Drills interface {
	// List are those that are built in, in the order in which they are to be shown.
	List() []Drill
	// Run carries one out and returns when it is over, with what it saw; an error says why it did not begin. It tells how far it is, and is not
	// to be kept waiting for that. When ctx ends it brings back what it took away, and has no verdict.
	Run(ctx context.Context, name string, tell func(runner.Progress)) (*drill.Result, error)
}

// Drill is one of them.
type Drill struct {
	Name, About string
	Price       string // what it would do to this cluster and its load, in a sentence or two
	Refused     string // why it cannot be run here; empty if it can
}

type drillDoneMsg struct {
	run *drillRun
	err string
}

// drillState is the list of drills, where a person is in it, and the one that was begun last.
type drillState struct {
	overlay *overlay // the list or a run; another overlay, or nil: it is closed
	list    []Drill
	at      int
	asking  bool      // whether to run the selected one
	looking bool      // at the run
	run     *drillRun // nil: none was begun
}

// drillRun is a drill under way, or over. What tells of it is not the screen.
type drillRun struct {
	name string
	end  context.CancelFunc

	mu       sync.Mutex
	progress runner.Progress
	acts     []string // done and over, oldest first
	result   *drill.Result
	over     bool
}

// drillActs is how many acts of a run are kept.
const drillActs = 200

func (r *drillRun) tell(p runner.Progress) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p.Over != nil {
		if r.acts = append(r.acts, actLine(*p.Over, p.Begun)); len(r.acts) > drillActs {
			r.acts = r.acts[1:]
		}
	}
	p.Over = nil
	r.progress = p
}

func hasDrills(m *Model) bool { return m.backend != nil && m.backend.Drills != nil }

func (m *Model) openDrills() tea.Cmd {
	d := &m.drills
	d.list, d.asking = m.backend.Drills.List(), false
	d.at = max(0, min(d.at, len(d.list)-1))
	d.looking = d.run != nil && !d.run.isOver()
	d.overlay = &overlay{title: "drills", live: m.drillLines, press: m.drillKey}
	m.overlay = d.overlay
	return nil
}

func offerDrills(m *Model, before []string) (list []candidate) {
	if len(before) > 0 || !hasDrills(m) {
		return nil
	}
	for _, d := range m.backend.Drills.List() {
		note := d.About
		if d.Refused != "" {
			note = "not here: " + d.Refused
		}
		list = append(list, candidate{d.Name, note})
	}
	return list
}

// drillWord opens the list at a drill, with the question whether to run it.
func drillWord(m *Model, rest string) (tea.Cmd, error) {
	switch {
	case m.backend == nil:
		return nil, errNotReady
	case m.backend.Drills == nil:
		return nil, errors.New("no drill can be run from here")
	case m.drilling():
		return nil, errors.New(m.drills.run.name + " is under way: one at a time")
	}
	list := m.backend.Drills.List()
	at := slices.IndexFunc(list, func(d Drill) bool { return d.Name == rest })
	switch {
	case rest == "":
		return nil, errors.New("which drill? drills lists them")
	case at < 0:
		return nil, fmt.Errorf("there is no drill %q: drills lists what there is", rest)
	case list[at].Refused != "":
		return nil, errors.New(list[at].Refused)
	}
	cmd := m.openDrills()
	m.drills.at, m.drills.looking, m.drills.asking = at, false, true
	return cmd, nil
}

func (r *drillRun) isOver() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.over
}

// drilling says that a drill is under way on these brokers, and has the load.
func (m *Model) drilling() bool { return m.drills.run != nil && !m.drills.run.isOver() }

func (m *Model) drillKey(k tea.KeyPressMsg) (tea.Cmd, bool) {
	d := &m.drills
	switch {
	case d.asking:
		switch {
		case key.Matches(k, bind("y Y enter", "", "")):
			d.asking = false
			return m.beginDrill(), true
		case key.Matches(k, bind("n N esc q", "", "")):
			d.asking = false
			return nil, true
		}
		return nil, !key.Matches(k, bind("ctrl+c", "", ""))
	case d.looking:
		switch {
		case key.Matches(k, bind("x", "", "")) && !d.run.isOver():
			d.run.end()
			m.say(false, "the drill ends, and brings back what it took away")
			return nil, true
		case key.Matches(k, bind("enter", "", "")) && d.run.isOver():
			d.looking = false
			return nil, true
		}
		return nil, false
	}
	move := func(n int) { d.at = max(0, min(d.at+n, len(d.list)-1)) }
	switch {
	case key.Matches(k, bind("j down", "", "")):
		move(1)
	case key.Matches(k, bind("k up", "", "")):
		move(-1)
	case key.Matches(k, bind("g home", "", "")):
		d.at = 0
	case key.Matches(k, bind("G end", "", "")):
		move(len(d.list))
	case key.Matches(k, bind("v", "", "")) && d.run != nil:
		d.looking = true
	case key.Matches(k, bind("enter", "", "")):
		m.askDrill()
	default:
		return nil, false
	}
	return nil, true
}

// askDrill asks once, or says why not.
func (m *Model) askDrill() {
	d := &m.drills
	switch {
	case d.at >= len(d.list):
	case m.drilling():
		m.say(true, d.run.name+" is under way: one at a time")
	case d.list[d.at].Refused != "":
		m.say(true, d.list[d.at].Refused)
	default:
		d.asking = true
	}
}

func (m *Model) beginDrill() tea.Cmd {
	d := &m.drills
	ctx, cancel := context.WithCancel(m.ctx)
	run := &drillRun{name: d.list[d.at].Name, end: cancel}
	d.run, d.looking = run, true
	backend := m.backend.Drills
	return func() tea.Msg {
		defer cancel()
		res, err := backend.Run(ctx, run.name, run.tell)
		run.mu.Lock()
		defer run.mu.Unlock()
		run.result, run.over = res, true
		if err != nil {
			return drillDoneMsg{run, err.Error()}
		}
		return drillDoneMsg{run: run}
	}
}

// observeDrill takes the end of one.
func (m *Model) observeDrill(msg drillDoneMsg) {
	if msg.run != m.drills.run {
		return // it was on other brokers
	}
	m.applyLoad()
	name := msg.run.name
	if msg.err != "" {
		m.say(true, name+" did not begin: "+msg.err)
		m.drills.looking = false
		return
	}
	verdict := msg.run.result.Verdict
	m.say(verdict != drill.Pass, fmt.Sprintf("%s: %s; X shows what it saw", name, verdictText(verdict)))
}

func verdictText(v drill.Verdict) string {
	switch v {
	case drill.Pass:
		return "passed"
	case drill.Fail:
		return "FAILED"
	}
	return "no verdict"
}

// drillWide is how wide the overlay is where the screen is wider.
const drillWide = 124

// drillLines draws the list or a run for the screen as it is.
func (m *Model) drillLines() []string {
	s, d := m.styles, &m.drills
	w := min(m.width-6, drillWide)
	if d.looking {
		d.overlay.title = "drill " + d.run.name
		return d.run.lines(s, w, m.overlayRows())
	}
	d.overlay.title = "drills"
	room := m.overlayRows()
	about := []string{fit(s.Dim.Render("breaks this cluster under a load of its own, and judges from the log what became of every order"), w), ""}
	foot := append([]string{""}, m.drillFoot(w, room-2)...) // a row of the list is there too
	if room-len(about)-len(foot) < min(len(d.list), 4) {
		about, foot = nil, foot[1:]
	}
	lines, rows := about, max(room-len(about)-len(foot), 1)
	from, to := window(len(d.list), d.at, d.at-rows/2, rows)
	for i, one := range d.list[from:to] {
		about := one.About
		if one.Refused != "" {
			about = "not here: " + safe(one.Refused)
		}
		row := fit(fit(one.Name, 17)+about, w)
		switch {
		case from+i == d.at:
			row = s.Select.Render(row)
		case one.Refused != "":
			row = s.Dim.Render(row)
		}
		lines = append(lines, row)
	}
	return append(lines, foot...)
}

// drillFoot is what the selected drill would do, in at most so many lines, and below them the question or the keys.
func (m *Model) drillFoot(w, most int) (lines []string) {
	s, d := m.styles, &m.drills
	hint := s.Key.Render("j k") + s.Dim.Render(" select  ") + s.Key.Render("enter") + s.Dim.Render(" run")
	if d.run != nil {
		hint += "  " + s.Key.Render("v") + s.Dim.Render(" what "+d.run.name+" saw")
	}
	if d.at < len(d.list) {
		one := d.list[d.at]
		text := one.Price
		if one.Refused != "" {
			text = one.About + " Not here: " + one.Refused
		}
		price := strings.Split(ansi.Wordwrap(safe(text), w, ""), "\n")
		if len(price) > most {
			price = append(price[:max(most-1, 0)], "…")
		}
		for _, l := range price {
			lines = append(lines, fit(s.Warn.Render(l), w))
		}
		if d.asking {
			hint = s.Strong.Render("Run "+one.Name+"?") + "  " + s.Key.Render("y") + s.Dim.Render(" yes  ") + s.Key.Render("n") + s.Dim.Render(" no")
		}
	}
	return append(lines, fit(hint, w))
}

// lines draws a run.
func (r *drillRun) lines(s Styles, w, h int) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.progress
	var lines []string
	add := func(text string) { lines = append(lines, fit(text, w)) }
	switch {
	case r.over && r.result != nil:
		for _, l := range resultLines(r.result, s) {
			add(l)
		}
	default:
		add(s.Strong.Render(safe(p.Stage)) + s.Dim.Render(" "+clock(p.Elapsed)))
		add(safe(p.Now))
		text := fmt.Sprintf("%.0f/s accepted   %.0f/s complete   %s in flight", p.AcceptRate, p.CompleteRate, count(p.InFlight))
		if p.Of > 0 {
			text = fmt.Sprintf("fault %d of %d   ", p.Faults, p.Of) + text
		}
		if p.Left > 0 {
			text += "   about " + clock(p.Left) + " left"
		}
		add(text)
	}
	hint := s.Key.Render("x") + s.Dim.Render(" ends it  ") + s.Key.Render("esc") + s.Dim.Render(" closes this; the drill goes on")
	if r.over {
		hint = s.Key.Render("enter") + s.Dim.Render(" to the list")
	}
	lines = append(lines, "")
	room := max(h-len(lines)-2, 1)
	for _, l := range r.acts[max(len(r.acts)-room, 0):] {
		add(l)
	}
	return append(lines, "", fit(hint, w))
}

// actLine is an act and what followed.
func actLine(f drill.FaultResult, begun time.Time) string {
	who := safe(f.Target)
	if broker := fmt.Sprintf("broker %d", f.Node); f.Node != 0 && f.Target != broker {
		who = broker + " (" + who + ")"
	}
	what := f.Kind + " " + who
	if f.Kind == string(kafkaops.Elect) {
		what = kafkaops.Fault{Verb: kafkaops.Elect}.String()
	}
	text := clock(f.At.Sub(begun)) + "  " + fit(what, 50)
	for _, g := range []struct {
		name    string
		ms      *float64
		atLeast bool
	}{{"write gap", f.WriteGapMs, f.AtLeast}, {"flow gap", f.FlowGapMs, f.FlowAtLeast}} {
		if g.ms == nil {
			continue
		}
		text += "  " + g.name + " "
		if g.atLeast {
			text += "at least "
		}
		text += count(int64(*g.ms)) + " ms"
	}
	if f.Err != "" {
		text += "  " + safe(f.Err)
	}
	return text
}

func clock(d time.Duration) string {
	n := int(max(d, 0).Seconds())
	return fmt.Sprintf("%02d:%02d", n/60, n%60)
}

// resultLines is what a drill saw, and its verdict.
func resultLines(r *drill.Result, s Styles) []string {
	verdict := s.Good.Render("PASSED")
	switch r.Verdict {
	case drill.Fail:
		verdict = s.Bad.Render("FAILED")
	case drill.NoVerdict:
		verdict = s.Warn.Render("NO VERDICT")
	}
	took := clock(time.Duration(r.Seconds * float64(time.Second)))
	lines := []string{verdict + s.Dim.Render(fmt.Sprintf("  seed %d, %s, the audit is of every order since kassa started", r.Seed, took))}
	for _, why := range r.Reasons {
		lines = append(lines, s.Warn.Render(safe(why)))
	}
	if r.Audited {
		lines = append(lines, fmt.Sprintf("%s accepted, %s complete, %s in flight, %s lost, %s duplicated, %s repeated, %s indeterminate",
			count(r.Accepted), count(r.Complete), count(r.InFlight), count(r.Lost), count(r.Duplicated), count(r.Repeated), count(r.Indeterminate)))
	}
	for _, l := range []struct {
		name string
		p    drill.Percentiles
	}{{"acknowledged", r.Ack}, {"payment → email", r.Flow}} {
		if l.p.N > 0 {
			lines = append(lines, fmt.Sprintf("%s p50 %s ms, p99 %s ms, longest %s ms", l.name, count(int64(l.p.P50)), count(int64(l.p.P99)), count(int64(l.p.Max))))
		}
	}
	for i, f := range r.Findings {
		if i == 5 {
			lines = append(lines, s.Dim.Render(fmt.Sprintf("… and %s more", count(int64(len(r.Findings)-i)+r.MoreOf))))
			break
		}
		lines = append(lines, safe(fmt.Sprintf("%s  %s: %s (%s)", f.Kind, f.Checkout, f.Detail, strings.Join(f.Where, ", "))))
	}
	return lines
}
