package tui

import (
	"fmt"
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"kassa/kafkaops"
	"kassa/kafkaops/drill"
	"kassa/kafkaops/watch"
)

// The timeline pane: what was done to the cluster and what followed, as drill.Recorder measured it; and what happened to the cluster with nobody
// doing anything, as the watcher saw it.

// timeline is what was seen with no fault near.
type timeline struct {
	acts []act // oldest first
}

// act is one row of the pane.
type act struct {
	what   string
	at     time.Time
	err    string
	phases []phase         // of what was only seen
	fault  *drill.Timeline // nil for that
}

// phase is one thing that was seen, once or several times in a row.
type phase struct {
	kind        string
	n           int
	text        string
	brief       string        // the same without what it is about; empty for text
	first, last time.Duration // from the act
}

const (
	maxActs = 200
	// grouped joins what is seen within this time: nine partitions whose leaders move are one phase.
	grouped = time.Second
	// related is how long after an act a change is still told with it.
	related = time.Minute
)

// observe files changes under the last thing that was seen, or under a new one when none is near: begun is what that was, empty where there is none.
func (t *timeline) observe(changes []watch.Change, at time.Time) (begun string) {
	for _, c := range changes {
		kind, one, many := describe(c)
		if kind == "" {
			continue
		}
		if len(t.acts) == 0 || at.Sub(t.acts[len(t.acts)-1].at) > related {
			if t.acts = append(t.acts, act{what: "seen: " + one, at: at}); len(t.acts) > maxActs {
				t.acts = t.acts[1:]
			}
			begun = one
			continue
		}
		a := &t.acts[len(t.acts)-1]
		a.add(kind, one, many, at.Sub(a.at))
	}
	return begun
}

// observeChanges tells the timeline what has changed with nobody doing anything, and marks in the tails where that began.
func (m *Model) observeChanges(changes []watch.Change, at time.Time) {
	if len(changes) == 0 {
		return
	}
	m.refreshFaults() // one that a drill did may have begun since the screen last asked
	if m.near(at) {
		changes = m.unprompted(changes, at)
	}
	if begun := m.timeline.observe(changes, at); begun != "" {
		for _, t := range m.markable() {
			t.mark(at, begun)
		}
		m.dirty(m.tailPanes()...)
		m.dirty(paneTimeline)
	}
}

// unprompted are the changes near a fault that do not belong to it: a broker that goes by itself. What it takes along cannot be told from what the fault did.
func (m *Model) unprompted(changes []watch.Change, at time.Time) (list []watch.Change) {
	if m.acting > 0 || m.drilling() {
		return nil
	}
	hit := func(node int32) bool { // it was done to this one, or to one after the other
		return slices.ContainsFunc(m.faults, func(f drill.Timeline) bool {
			return (f.Open || at.Sub(f.At) < related) && (f.Fault.Node == node || f.Fault.Verb == kafkaops.Rolling || f.Of != "")
		})
	}
	for _, c := range changes {
		var node int32
		switch c := c.(type) {
		case watch.BrokerDown:
			node = c.Node
		case watch.BrokerPaused:
			node = c.Node
		case watch.BrokerCut:
			node = c.Node
		default:
			continue
		}
		if !hit(node) {
			list = append(list, c)
		}
	}
	return list
}

func (a *act) add(kind, one, many string, after time.Duration) {
	for i := len(a.phases) - 1; i >= 0; i-- {
		if p := &a.phases[i]; p.kind == kind && after-p.first < grouped {
			p.n++
			p.last = after
			p.text = fmt.Sprintf("%d %s", p.n, many)
			return
		}
	}
	a.phases = append(a.phases, phase{kind: kind, n: 1, text: one, first: after, last: after})
}

// refreshFaults takes over what the recorder has measured by now, and marks new faults in the tails: cause and effect line up there.
func (m *Model) refreshFaults() {
	if m.backend == nil || m.backend.Timelines == nil {
		return
	}
	m.faults = m.backend.Timelines()
	for _, f := range m.faults {
		if f.At.After(m.marked) {
			m.marked, m.staked = f.At, m.atStake()
			for _, t := range m.markable() {
				t.mark(f.At, f.Fault.String())
			}
			m.dirty(panePayment, paneOrder, paneEmail)
		}
	}
	if n := len(m.faults); n > 0 && (m.faults[n-1].Open || m.open) {
		m.open = m.faults[n-1].Open
		m.dirty(paneTimeline)
	}
}

// acts are the rows of the pane, oldest first.
func (m *Model) acts() []act {
	rows := slices.Concat(m.timeline.acts, m.staff.acts)
	for i := range m.faults {
		f := &m.faults[i]
		rows = append(rows, act{what: safe(f.Fault.String()), at: f.At, err: f.Err, fault: f})
	}
	slices.SortStableFunc(rows, func(a, b act) int { return a.at.Compare(b.at) })
	return rows
}

// actID tells rows apart.
type actID struct {
	what string
	at   time.Time
}

func (a act) is(id actID) bool { return a.what == id.what && a.at.Equal(id.at) }

// actAt is the place of the selected row among these, -1 if there is none. The newest stays selected when another one comes; any other selection stays with
// its row.
func (m *Model) actAt(acts []act) int {
	if m.timeAt > 0 {
		if i := slices.IndexFunc(acts, func(a act) bool { return a.is(m.timeOn) }); i >= 0 {
			m.timeAt = len(acts) - 1 - i
		}
	}
	m.timeAt = max(0, min(m.timeAt, len(acts)-1))
	return len(acts) - 1 - m.timeAt
}

// moveTime moves the selection by n rows towards older ones.
func (m *Model) moveTime(n int) {
	acts := m.acts()
	m.actAt(acts)
	if m.timeAt = max(0, min(m.timeAt+n, len(acts)-1)); len(acts) > 0 {
		a := acts[len(acts)-1-m.timeAt]
		m.timeOn = actID{a.what, a.at}
	}
}

// followed is what followed an act. Only rows that are drawn are asked: a session has hundreds.
func (a act) followed() []phase {
	if a.fault == nil {
		return a.phases
	}
	var out []phase
	for _, p := range a.fault.Phases {
		text := string(p.Mark)
		if p.Detail != "" {
			text += " (" + safe(p.Detail) + ")"
		}
		out = append(out, phase{text: text, brief: string(p.Mark), last: p.After})
	}
	return out
}

// gapOf is the write gap of a fault in words, or the stall that an earlier one began and that it came into.
func (m *Model) gapOf(t *drill.Timeline) string {
	if t.Stalled {
		for i := len(m.faults) - 1; i >= 0; i-- {
			l := &m.faults[i]
			switch {
			case !l.At.Before(t.At) || l.Stalled:
			case l.Outlasts:
				return "writes stalled for " + millis(l.Gap.Worst) + ", since " + safe(l.Fault.String())
			case l.Probed:
				return "writes were stalled, in all for " + millis(l.Gap.Worst) + ", since " + safe(l.Fault.String())
			}
		}
	}
	return gapText(t)
}

// gapText is the write gap in words; empty where there is nothing to tell yet.
func gapText(t *drill.Timeline) string {
	switch {
	case t.Stalled:
		return "writes were stalled already"
	case !t.Probed:
		return "write gap not measured"
	case t.AtLeast():
		return "write gap at least " + millis(t.Gap.Worst)
	case t.Gap.Open:
		return "writes stalled for " + millis(t.Gap.Worst)
	case t.Gap.Worst > 0:
		return "write gap " + millis(t.Gap.Worst)
	}
	return ""
}

// millis is a measured duration: to the millisecond, and to three digits where it is long.
func millis(d time.Duration) string {
	if d < 10*time.Second {
		return count(d.Milliseconds()) + " ms"
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

func (m *Model) renderTimeline(w, h int) []string {
	s := m.styles
	acts := m.acts()
	if len(acts) == 0 {
		text := " nothing has been done to the cluster yet: 5 goes to the brokers, K kills one"
		if len(text) > w {
			text = " nothing yet: 5 then K kills a broker"
		}
		return []string{s.Dim.Render(text)}
	}
	indent := 14 // below what was done
	if w < 80 {
		indent = 1
	}
	lines := m.timelineBars(acts, w, h)
	from := m.actAt(acts)
	if lines != nil {
		from--
	}
	for i := from; i >= 0 && len(lines) < h; i-- {
		a := acts[i]
		line := a.head(s)
		full := false // half a figure is worse than none, and enter shows all
		add := func(text string) {
			text = s.Dim.Render(" │ ") + text
			over := ansi.StringWidth(line)+ansi.StringWidth(text) > w
			if over && len(lines) < h-1 {
				lines = append(lines, line)
				line, over = strings.Repeat(" ", indent), false
			}
			if full = full || over; !full {
				line += text
			}
		}
		if a.fault != nil {
			if gap := m.gapOf(a.fault); gap != "" {
				style := s.Strong
				if a.fault.Gap.Open {
					style = s.Bad
				}
				add(style.Render(gap))
			}
		}
		for _, p := range a.followed() {
			after := " " + s.Strong.Render("+"+millis(p.last))
			if text := p.text + after; p.brief == "" || ansi.StringWidth(text)+indent+3 <= w {
				add(text)
			} else {
				add(p.brief + after)
			}
		}
		if len(lines) < h {
			lines = append(lines, line)
		}
	}
	return lines
}

// head is when an act was, what it was, and that it failed.
func (a act) head(s Styles) string {
	line := " " + s.Dim.Render(a.at.Format("15:04:05.000")) + " " + s.Accent.Render(a.what)
	if a.err != "" {
		line += "  " + a.failed(s)
	}
	return line
}

func (a act) failed(s Styles) string { return s.Bad.Render("failed: " + safe(a.err)) }

// timelineBars are the selected fault's phases as bars, below what it was, with older ones in the lines that are left. It is nil where there is no room
// for all of them, or nothing to draw.
func (m *Model) timelineBars(acts []act, w, h int) []string {
	s := m.styles
	at := m.actAt(acts)
	if at < 0 || acts[at].fault == nil || w < 90 {
		return nil
	}
	a := acts[at]
	drawn := m.barsIn(a, w-2)
	if len(a.followed()) == 0 || 1+len(drawn) > h {
		return nil
	}
	line := a.head(s)
	if gap := m.gapOf(a.fault); gap != "" {
		style := s.Strong
		if a.fault.Gap.Open {
			style = s.Bad
		}
		line += s.Dim.Render(" │ ") + style.Render(gap)
	}
	lines := []string{line}
	for _, bar := range drawn {
		lines = append(lines, "  "+bar)
	}
	return lines
}

// inspectFault opens the selected fault: its phases as bars, and how it compares with the others of the session. It is drawn anew with the screen: what
// follows is still to come.
func (m *Model) inspectFault() tea.Cmd {
	acts := m.acts()
	i := m.actAt(acts)
	if i < 0 {
		return nil
	}
	id := actID{acts[i].what, acts[i].at}
	m.overlay = &overlay{title: id.what, live: func() []string {
		for _, a := range m.acts() {
			if a.is(id) {
				return m.actLines(a)
			}
		}
		return []string{m.styles.Warn.Render("it was not done after all, or is too long ago")}
	}}
	return nil
}

func (m *Model) actLines(a act) []string {
	s := m.styles
	var lines []string
	if t := a.fault; t != nil {
		lines = append(lines, s.Dim.Render(a.at.Format("15:04:05.000")+"  "+whatItWas(t)))
		if a.err != "" {
			lines = append(lines, a.failed(s))
		}
		lines = append(lines, "")
	}
	lines = append(lines, m.bars(a)...)
	if t := a.fault; t != nil {
		gap := s.Strong.Render(m.gapOf(t))
		if t.AtLeast() {
			gap += s.Warn.Render(", not over when measuring ended")
		}
		lines = append(lines, "", gap)
		if t.Probed && t.Gap.Worst > 0 {
			lines = append(lines, s.Dim.Render(fmt.Sprintf("in partition %d of %s; no partition at all took a write for %s", t.Gap.Partition, drill.ProbeTopic, millis(t.Gap.All))))
		}
	}
	return append(lines, m.comparison()...)
}

// comparison sums up the write gaps of the session by kind of fault.
func (m *Model) comparison() []string {
	s := m.styles
	table := drill.Compare(m.faults)
	if len(table) == 0 {
		return nil
	}
	lines := []string{"", s.Strong.Render(fit("write gaps of this session", 36)) + s.Dim.Render("   n      median       worst")}
	for _, k := range table {
		median, worst := "–", "–"
		if k.N > 0 {
			median, worst = millis(k.Median), millis(k.Worst)
		}
		line := fit(k.Kind, 36) + fmt.Sprintf(" %3d", k.N) + right(median, 12) + right(worst, 12)
		if k.NotOver > 0 {
			line += s.Warn.Render(fmt.Sprintf("  and %d of at least %s", k.NotOver, millis(k.AtLeast)))
		}
		lines = append(lines, line)
	}
	return lines
}

func whatItWas(t *drill.Timeline) string {
	var parts []string
	if t.Controller {
		parts = append(parts, "it led the quorum")
	}
	if t.Fault.Node != 0 {
		parts = append(parts, "it led "+plural(t.Leads, "watched partition"))
	}
	if t.Of != "" {
		parts = append(parts, "a step of the "+t.Of)
	}
	if t.Took > 0 {
		parts = append(parts, "the act took "+millis(t.Took))
	}
	return strings.Join(parts, ", ")
}

// bars are the phases as lines in what an overlay has.
func (m *Model) bars(a act) []string { return m.barsIn(a, min(m.width-14, 113)) }

// barsIn draws each phase as a line from the fault to its time, and writes that are stalled as one without an end.
func (m *Model) barsIn(a act, w int) []string {
	s, phases := m.styles, a.followed()
	longest := time.Millisecond
	for _, p := range phases {
		longest = max(longest, p.last)
	}
	stalled := a.fault != nil && a.fault.Gap.Open
	if stalled {
		longest = max(longest, a.fault.Gap.Worst)
	}
	width := max(min(w-53, 90), 10)
	bar := func(text string, d time.Duration, style ink, end string) string {
		n := max(0, min(int(float64(width)*float64(d)/float64(longest)), width))
		return fit(text, 40) + fmt.Sprintf("%11s ", millis(d)) + style.Render(strings.Repeat("━", n)+end)
	}
	var lines []string
	for _, p := range phases {
		lines = append(lines, bar(p.text, p.last, s.Accent, "┫"))
	}
	if stalled {
		text := "writes stalled for"
		if a.fault.AtLeast() {
			text += " at least"
		}
		lines = append(lines, bar(text, a.fault.Gap.Worst, s.Bad, "▶"))
	}
	if len(lines) == 0 {
		lines = append(lines, s.Dim.Render("nothing has followed yet"))
	}
	return lines
}

// near says that a fault was done so lately that what is seen belongs to it.
func (m *Model) near(at time.Time) bool {
	n := len(m.faults)
	return m.acting > 0 || n > 0 && (m.faults[n-1].Open || at.Sub(m.faults[n-1].At) < related)
}

// describe puts a change into the words of the timeline; what it leaves out, the panes show.
func describe(c watch.Change) (kind, one, many string) {
	switch c := c.(type) {
	case watch.LeaderMoved:
		return "moved", "1 leader moved", "leaders moved"
	case watch.LeaderLost:
		return "lost", "1 partition without a leader", "partitions without a leader"
	case watch.ISRShrank:
		return "shrank", "1 ISR shrank", "ISRs shrank"
	case watch.ISRGrew:
		if c.Full {
			return "full", "1 ISR full", "ISRs full"
		}
		return "grew", "1 ISR grew", "ISRs grew"
	case watch.ControllerElected:
		return "controller", fmt.Sprintf("controller %d", c.Leader), "elections"
	case watch.QuorumLost:
		return "quorum lost", "quorum lost", "times quorum lost"
	case watch.QuorumBack:
		return "quorum back", "quorum back", "times quorum back"
	case watch.BrokerDown:
		return fmt.Sprint("down", c.Node), fmt.Sprintf("broker %d down", c.Node), "times down"
	case watch.BrokerUp:
		return fmt.Sprint("up", c.Node), fmt.Sprintf("broker %d up", c.Node), "times up"
	case watch.BrokerFenced:
		return fmt.Sprint("fenced", c.Node), fmt.Sprintf("broker %d fenced", c.Node), "times fenced"
	case watch.BrokerPaused:
		return fmt.Sprint("paused", c.Node), fmt.Sprintf("broker %d paused", c.Node), "times paused"
	case watch.BrokerCut:
		return fmt.Sprint("cut", c.Node), fmt.Sprintf("broker %d cut off", c.Node), "times cut off"
	case watch.BrokerStarting:
		return fmt.Sprint("starting", c.Node), fmt.Sprintf("broker %d starting", c.Node), "times starting"
	case watch.BrokerSilent:
		return fmt.Sprint("silent", c.Node), fmt.Sprintf("broker %d silent", c.Node), "times silent"
	}
	return "", "", ""
}

// askAbout opens the question about a fault, and has the probe write: by the time of the answer its acks are steady.
func (m *Model) askAbout(f kafkaops.Fault) tea.Cmd {
	if m.state != nil {
		resolved, err := m.state.Resolve(f)
		if err != nil {
			m.say(true, err.Error())
			return nil
		}
		f = resolved
	}
	m.question = &f
	if m.backend.Arm != nil {
		m.backend.Arm()
	}
	return nil
}
