package tui

import (
	"fmt"
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"kassa/kafkaops/watch"
)

// The tour: eight steps from the first order to two brokers down. Each asks for something, sees by the state that it was done, however that came about,
// and then says what Kafka did, with the figures of this run (tourscript.go). It has lines of its own between the panes and the keys, so it covers nothing.

// tour is how far a person has come.
type tour struct {
	open  bool
	begun bool
	at    int // the step that is shown
	now   int // the step that is waited for: those before it were done or skipped
	base  tourBase
	facts [tourSteps]tourFacts

	// As they were while every broker was up: afterwards it is too late to ask.
	order stake // the one that the tour speaks of
	lead  int32 // who led its partition
	boss  int32 // who led the quorum
}

// tourBase is what there was when the step that is waited for began.
type tourBase struct {
	orders   int   // that were bought by hand
	accepted int64 // by the shop
}

// tourFacts is what is known of a step that was done, and will not be asked for again.
type tourFacts struct {
	done   bool
	order  stake
	copies int           // brokers that had the order
	took   time.Duration // of the last order that was acknowledged; 0 if there is none
	flow   time.Duration // of the order, from its payment to its email; 0 if that is not known
	lead   int32         // who led the order's partition
	boss   int32         // who led the quorum before
	fault  time.Time     // when the last fault was done; zero for none
	node   int32         // the broker that the step is about; 0 for none
	health watch.Health  // of it
}

// tourRows is how many lines the tour takes of a screen that is w wide: a title and the text. They do not depend on the text, so nothing jumps.
func tourRows(w int) int {
	switch {
	case w < 76:
		return 6
	case w < 110:
		return 5
	case w < 150:
		return 4
	}
	return 3
}

// tourHeight is how many lines of the screen the tour has.
func (m *Model) tourHeight() int {
	if !m.tour.open {
		return 0
	}
	return tourRows(m.width)
}

// toggleTour begins the tour, leaves it, or takes it up where it was left.
func (m *Model) toggleTour() tea.Cmd {
	t := &m.tour
	t.open = !t.open
	switch {
	case t.open && !t.begun:
		*t = tour{open: true, begun: true}
		m.rebaseTour()
	case !t.open:
		m.say(false, fmt.Sprintf("you have left the tour at step %d: T takes it up again", t.at+1))
	}
	m.relayout()
	return nil
}

// tourNext goes on, past the step that is shown whether it was done or not.
func (m *Model) tourNext() tea.Cmd {
	t := &m.tour
	m.closeForTour()
	if t.at == t.now {
		m.tourReached()
	}
	if t.at++; t.at >= tourSteps {
		*t = tour{}
		m.say(false, "that was the tour: enter in pane 7 shows what a fault cost, ? lists every key, T begins again")
		m.notice.until = m.now().Add(2 * noticeFor)
	}
	m.showTourOrder()
	m.relayout()
	return nil
}

// closeForTour takes away what is on top of the panes that the next step is about, and lets go on what opening it has stopped.
func (m *Model) closeForTour() {
	m.overlay = nil
	for _, t := range m.tails {
		if t.own == nil || !t.own.paged { // that one is where somebody reads
			t.follow()
		}
	}
}

// showTourOrder selects the partition of the order that the tour speaks of: on a small screen pane 6 shows only some.
func (m *Model) showTourOrder() {
	if p, ok := m.where(m.tour.order); ok && m.tour.open {
		m.view = viewPartitions
		m.partAt = slices.IndexFunc(m.state.Partitions, func(q watch.Partition) bool { return q.Topic == p.Topic && q.ID == p.ID })
	}
}

func (m *Model) tourBack() tea.Cmd {
	m.closeForTour()
	m.tour.at = max(m.tour.at-1, 0)
	m.relayout()
	return nil
}

// tourKey takes the tour's own keys, also while something is on top of the panes.
func (m *Model) tourKey(k tea.KeyPressMsg) (cmd tea.Cmd, done bool) {
	switch {
	case !m.tour.open:
	case k.String() == ">":
		return m.tourNext(), true
	case k.String() == "<":
		return m.tourBack(), true
	case k.String() == "T":
		return m.toggleTour(), true
	}
	return nil, false
}

// tourReached has the tour wait for the next step.
func (m *Model) tourReached() {
	m.tour.now++
	m.rebaseTour()
}

func (m *Model) rebaseTour() {
	m.tour.base = tourBase{orders: m.lastOrder.number, accepted: m.figures.Accepted}
}

// lookTour sees whether the step that is waited for is done. It is asked whenever something has changed.
func (m *Model) lookTour() {
	t := &m.tour
	if !t.open || m.backend == nil || m.state == nil || len(m.state.Nodes) == 0 {
		return
	}
	if m.allUp() {
		t.boss = m.state.Quorum.Leader
		if s := m.atStake(); t.order.topic == "" || t.now == 0 {
			t.order = s
		}
		if p, ok := m.where(t.order); ok && p.Leader > 0 {
			t.lead = p.Leader
		}
	}
	if t.now >= tourSteps || !tourStepAt(t.now).done(m) {
		return
	}
	t.facts[t.now] = m.tourFacts()
	m.tourReached()
	m.held = false
}

// allUp says that every broker is up and the quorum has a leader.
func (m *Model) allUp() bool {
	return m.state.Quorum.Known && m.state.Count(watch.Up) == len(m.state.Nodes)
}

// tourFacts gathers what a step that has just been done is about.
func (m *Model) tourFacts() tourFacts {
	t := &m.tour
	f := tourFacts{done: true, order: t.order, lead: t.lead, boss: t.boss}
	if t.now == 0 {
		f.order = m.atStake()
		t.order = f.order
		f.flow = m.flowOf(f.order)
	}
	if p, ok := m.where(f.order); ok {
		f.copies = len(p.ISR)
	}
	if l := m.lastOrder; l.done && l.err == nil {
		f.took = l.receipt.Took
	}
	if l := m.lastFault(); l != nil {
		f.fault, f.node = l.At, l.Fault.Node
	}
	for _, n := range m.state.Nodes {
		if n.Health == watch.Up {
			continue
		}
		if f.node == 0 { // it was not done from here
			f.node = n.ID
		}
		if n.ID == f.node {
			f.health = n.Health
		}
	}
	return f
}

// flowOf is how long an order took from its payment to its email, by their records; 0 if they are not in view.
func (m *Model) flowOf(s stake) time.Duration {
	t := m.flowing[2]
	for seq := t.ring.next - 1; s.topic != "" && seq >= t.ring.first(); seq-- {
		if r := t.ring.at(seq); r.mark == "" && string(r.record.Key) == s.id {
			return max(r.record.Time.Sub(s.at), 0)
		}
	}
	return 0
}

// renderTour is the tour's lines, of w cells each.
func (m *Model) renderTour(w int) []string {
	s, t := m.styles, &m.tour
	step, f := tourStepAt(t.at), t.facts[t.at]
	left := " " + s.Accent.Render(fmt.Sprintf("tour %d/%d", t.at+1, tourSteps)) + " " + s.Strong.Render(step.title)
	if f.done {
		left += s.Good.Render(" ✓")
	}
	if m.backend != nil && m.backend.Info.Simulated && w >= 70 {
		left += s.Warn.Render(" simulated")
	}
	key := func(k, does string) string { return s.Key.Render(k) + s.Dim.Render(" "+does) }
	var keys []string
	if t.at > 0 {
		keys = append(keys, key("<", "back"))
	}
	switch past := f.done || t.at < t.now; {
	case past && t.at == tourSteps-1:
		keys = append(keys, key(">", "end"))
	case past:
		keys = append(keys, key(">", "go on"))
	default:
		keys = append(keys, key(">", "skip"))
	}
	right := strings.Join(append(keys, key("T", "leave")), "  ")
	rule := max(w-ansi.StringWidth(left)-ansi.StringWidth(right)-3, 0)
	lines := []string{fit(left+" "+s.Overlay.Render(strings.Repeat("─", rule))+" "+right, w)}
	for _, l := range wrapKeys(m.tourText(), w-2, s) {
		lines = append(lines, fit(" "+l, w))
	}
	rows := tourRows(w)
	for len(lines) < rows {
		lines = append(lines, strings.Repeat(" ", w))
	}
	return lines[:rows]
}

// tourText is what the tour says now: what to do, or what was done.
func (m *Model) tourText() string {
	t := &m.tour
	step, f := tourStepAt(t.at), t.facts[t.at]
	switch {
	case m.backend == nil || m.state == nil:
		return "The cluster is on its way up; the tour goes on when it is there."
	case f.done:
		return step.told(m, f)
	}
	return step.ask(m)
}

// tourLayout is the panes that the step is about, where the screen has no room for the others beside the tour; nil where it has.
func (m *Model) tourLayout(body rect) layout {
	if !m.tour.open || body.h+2 >= MinHeight {
		return nil
	}
	l, panes := layout{}, tourStepAt(m.tour.at).panes
	row := func(h int) (r rect) {
		h = min(h, body.h)
		r = rect{body.x, body.y, body.w, h}
		body.y, body.h = body.y+h, body.h-h
		return r
	}
	const some = 5 // a frame and three lines
	for i, p := range panes {
		h := some
		if i == len(panes)-1 {
			h = body.h
		}
		if p.isTail() {
			l.thirds(row(h))
		} else {
			l[p] = row(h)
		}
	}
	return l
}

// wrapKeys breaks a text into lines of w cells, and draws what stands in backquotes as a key.
func wrapKeys(text string, w int, s Styles) (lines []string) {
	var line strings.Builder
	used := 0
	for _, word := range strings.Fields(text) {
		n := ansi.StringWidth(strings.ReplaceAll(word, "`", ""))
		if used > 0 && used+1+n > w {
			lines = append(lines, line.String())
			line.Reset()
			used = 0
		}
		if used > 0 {
			line.WriteByte(' ')
			used++
		}
		for i, piece := range strings.Split(word, "`") {
			style := s.Text
			if i%2 == 1 {
				style = s.Key
			}
			line.WriteString(style.Render(piece))
		}
		used += n
	}
	return append(lines, line.String())
}

// boughtSince says that somebody has bought something since the step began, and that it was acknowledged.
func (m *Model) boughtSince() bool {
	t, l := &m.tour, m.lastOrder
	if l.number > t.base.orders {
		return l.done && l.err == nil
	}
	return !m.load.plan.On && m.figures.Accepted > t.base.accepted // over HTTP, or a burst
}

// ledByTheDead says that a partition waits for a new leader.
func (m *Model) ledByTheDead() bool {
	return slices.ContainsFunc(m.state.Partitions, func(p watch.Partition) bool {
		n, ok := m.state.Node(p.Leader)
		return !ok || n.Health != watch.Up
	})
}
