package tui

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"kassa/kafkaops"
	"kassa/kafkaops/watch"
)

// The broker pane: who is up, down or fenced, who leads the quorum, and what can be done to whom.

const (
	killVerb    = kafkaops.Kill
	startVerb   = kafkaops.Start
	stopVerb    = kafkaops.Stop
	restartVerb = kafkaops.Restart
)

// faultTimeout bounds an act: a controlled stop may wait for a quorum that is gone.
const (
	faultTimeout   = 40 * time.Second
	rollingTimeout = 5 * time.Minute
)

// node is the selected broker.
func (m *Model) node() (watch.Node, bool) {
	if m.state == nil || len(m.state.Nodes) == 0 {
		return watch.Node{}, false
	}
	return m.state.Nodes[max(0, min(m.nodeAt, len(m.state.Nodes)-1))], true
}

// partition is the selected partition.
func (m *Model) partition() (watch.Partition, bool) {
	if m.state == nil || m.partAt >= m.parts.len() {
		return watch.Partition{}, false
	}
	return *m.parts.at(m.partAt), true
}

// can makes a condition on the broker that an act would hit.
func can(fn func(watch.Node) bool) func(*Model) bool {
	return func(m *Model) bool {
		if m.backend == nil || m.state == nil {
			return false
		}
		f, ok := m.target()
		n, known := m.state.Node(f.Node)
		return ok && known && fn(n)
	}
}

// cannot says why that act cannot be done to that broker.
func cannot(v kafkaops.Verb, fn func(watch.Node) bool) func(*Model) error {
	return func(m *Model) error {
		if m.backend == nil || m.state == nil || len(m.state.Nodes) == 0 {
			return errNoPicture
		}
		if _, shown := m.partition(); m.focus == panePartitions && !shown {
			return errors.New("no partition is shown that this could be about: esc shows all")
		}
		f, ok := m.target()
		if _, known := m.state.Node(f.Node); !ok || !known {
			return errors.New("nobody leads this partition")
		}
		f.Verb = v
		return m.allowed(f, fn)
	}
}

// onlyBrokers says where the keys of the brokers work, in the pane where they might be taken for those of the services.
func onlyBrokers(m *Model) error {
	if m.backend == nil {
		return errNotReady
	}
	return fmt.Errorf("this works in %s", inCluster.words())
}

func hasQuorum(m *Model) bool { return m.backend != nil && m.state != nil && m.state.Quorum.Known }

func alive(n watch.Node) bool {
	return n.Process == kafkaops.ProcessRunning || n.Process == kafkaops.ProcessStarting
}

func canKill(n watch.Node) bool  { return canStop(n) || n.Process == kafkaops.ProcessPaused }
func canStop(n watch.Node) bool  { return alive(n) || n.Process == kafkaops.ProcessCut }
func canPause(n watch.Node) bool { return canKill(n) }
func canCut(n watch.Node) bool {
	return slices.Contains(n.Can, kafkaops.Cut) && (alive(n) || n.Process == kafkaops.ProcessCut)
}
func canStart(n watch.Node) bool { return n.Process == kafkaops.ProcessExited }

// ask opens the question that states the price of an act on the selected broker.
func ask(v kafkaops.Verb) func(*Model) tea.Cmd {
	return func(m *Model) tea.Cmd {
		f, ok := m.target()
		if !ok {
			return nil
		}
		f.Verb = v
		switch n, _ := m.state.Node(f.Node); {
		case v == kafkaops.Pause && n.Process == kafkaops.ProcessPaused:
			f.Verb = kafkaops.Resume
		case v == kafkaops.Cut && n.Process == kafkaops.ProcessCut:
			f.Verb = kafkaops.Reconnect
		}
		if !takesAway(f.Verb) {
			f.Role = "" // it is for this broker, which may be down because it led: nobody leads then, or another
		}
		return m.askAbout(f)
	}
}

// askAll is ask for what is done to the whole cluster.
func askAll(v kafkaops.Verb) func(*Model) tea.Cmd {
	return func(m *Model) tea.Cmd { return m.askAbout(kafkaops.Fault{Verb: v}) }
}

// target is whom an act would hit: in the broker pane the selected one, or whoever leads the quorum; in the partition pane the selected partition's
// leader. Its Verb is empty.
func (m *Model) target() (kafkaops.Fault, bool) {
	if m.focus == panePartitions {
		p, ok := m.partition()
		if !ok || p.Leader < 0 {
			return kafkaops.Fault{}, false
		}
		return kafkaops.Fault{Node: p.Leader, Role: kafkaops.LeaderOf(p.Topic, p.ID)}, true
	}
	n, ok := m.node()
	f := kafkaops.Fault{Node: n.ID}
	if ok && m.byRole && m.state.Quorum.Known && n.ID == m.state.Quorum.Leader {
		f.Role = kafkaops.Controller
	}
	return f, ok
}

// pointToController selects the broker that leads the quorum, for that: an act repeated hits whoever leads it then.
func (m *Model) pointToController() tea.Cmd {
	for i, n := range m.state.Nodes {
		if n.ID == m.state.Quorum.Leader {
			m.nodeAt, m.byRole = i, true
			m.say(false, fmt.Sprintf("broker %d leads the quorum: what you do now is done to the controller", n.ID))
		}
	}
	return nil
}

// faultDoneMsg says how an act ended.
type faultDoneMsg struct {
	fault kafkaops.Fault
	err   error
}

// commit carries the act out, away from the screen's goroutine.
func (m *Model) commit(f kafkaops.Fault) tea.Cmd {
	if m.state != nil { // the role may have passed on since the question
		resolved, err := m.state.Resolve(f)
		if err != nil {
			m.say(true, err.Error())
			return nil
		}
		f = resolved
	}
	m.last = f
	m.acting++
	do, limit := m.backend.Do, faultTimeout
	if f.Verb == kafkaops.Rolling {
		limit = rollingTimeout
		m.say(false, "rolling restart: one broker after the other, the controller last")
	}
	return func() tea.Msg {
		ctx, cancel := context.WithTimeout(m.ctx, limit)
		defer cancel()
		return faultDoneMsg{fault: f, err: do(ctx, f)}
	}
}

func (m *Model) faultDone(msg faultDoneMsg) {
	m.refreshFaults() // before acting ends, so that nothing is taken for unprompted in between
	m.acting--
	var refused *kafkaops.RefusedError
	switch {
	case msg.err == nil:
	case errors.As(msg.err, &refused):
		m.say(true, refused.Error())
	default:
		m.say(true, fmt.Sprintf("%s failed: %v", msg.fault, msg.err))
	}
}

// repeat does the last fault again without a question: to whoever plays its role now, else to the selected broker if the pane has the keys.
func (m *Model) repeat() tea.Cmd {
	f := m.last
	if n, ok := m.node(); ok && m.focus == paneBrokers && f.Role == "" && f.Node != 0 {
		f.Node = n.ID
	}
	return m.commit(f)
}

func (m *Model) pointToBrokers() tea.Cmd {
	m.focusOn(paneBrokers)
	m.say(false, "choose a broker with j and k, then K kills it, S starts it again")
	return nil
}

func (m *Model) renderBrokers(w, h int, focused bool) []string {
	if m.state == nil {
		return m.renderBoot(w)
	}
	nodes := m.state.Nodes
	from, to := window(len(nodes), m.nodeAt, 0, h)
	lines := make([]string, 0, h)
	for i := from; i < to; i++ {
		lines = append(lines, m.brokerLine(nodes[i], w, focused && i == m.nodeAt))
	}
	if room := h - len(lines); room > 1 {
		lines = append(lines, "")
		lines = append(lines, m.quorumLines(w, room-1)...)
	}
	if room := h - len(lines) - 1; room >= 2+len(nodes) && w >= 36 && m.past.newest > 0 {
		lines = append(lines, "")
		lines = append(lines, m.leadersChart(w, room)...)
	}
	return lines
}

// brokerLine: mark, id, state, what it leads, what is special about it. Every state has a word of its own.
func (m *Model) brokerLine(n watch.Node, w int, selected bool) string {
	s := m.styles
	now := m.now()
	word, style := n.Health.String(), s.Good
	since := ""
	switch n.Health {
	case watch.Down:
		word, style, since = "DOWN", s.Bad, age(now.Sub(n.Since))
	case watch.Fenced, watch.Paused, watch.Cut:
		word, style, since = strings.ToUpper(word), s.Warn, age(now.Sub(n.Since))
	case watch.Unknown:
		style, since = s.Warn, age(now.Sub(n.Since))
	case watch.Starting:
		style, since = s.Warn, age(now.Sub(n.Since))
	}
	leads := fmt.Sprintf("leads %d", n.Leads)
	if n.Health != watch.Up && n.Leads == 0 && n.Led > 0 {
		leads = fmt.Sprintf("led %d", n.Led)
	}
	role := ""
	if q := m.state.Quorum; q.Leader == n.ID {
		role = "controller"
		if !q.Known || n.Health != watch.Up {
			role = "controller?"
		}
	} else if n.Health == watch.Up && n.Lag > 0 && now.Sub(q.Seen) < 2*time.Second && n.Lag >= 100 {
		role = "metadata " + count(n.Lag) + " behind"
	}
	mark := "  "
	if selected {
		mark = "▶ "
	}
	id := fmt.Sprintf("%s%d ", mark, n.ID)
	room := 13
	if w < 38 { // the role matters more than the air
		room = 11
	}
	if len(word)+1+len(since) > room {
		since = "" // half a figure is worse than none
	}
	state := fit(strings.TrimSpace(word+" "+since), room)
	leads = " " + fit(leads, 8)
	addr := ""
	if w >= 60 {
		role, addr = fit(role, 14), "  "+safe(n.Addr)
	}
	if selected {
		return s.Select.Render(fit(id+state+leads+role+addr, w))
	}
	return s.Strong.Render(id) + style.Render(state) + leads + s.Accent.Render(role) + s.Dim.Render(addr)
}

// quorumLines say what the picture is worth: quorum, age, under-replicated partitions.
func (m *Model) quorumLines(w, h int) []string {
	s := m.styles
	q := m.state.Quorum
	now := m.now()
	var lines []string
	switch {
	case q.Seen.IsZero():
		lines = append(lines, s.Warn.Render(" quorum unknown yet"))
	case q.Lost:
		lines = append(lines, s.Bad.Render(fmt.Sprintf(" no quorum for %s", age(now.Sub(q.Seen)))),
			s.Dim.Render(" metadata is frozen: no leader moves"))
	case !q.Known:
		lines = append(lines, s.Warn.Render(fmt.Sprintf(" quorum not known for %s", age(now.Sub(q.Seen)))),
			s.Dim.Render(" too many brokers are silent"))
	default:
		mark := " high watermark "
		if w < 46 {
			mark = " hw "
		}
		lines = append(lines, s.Dim.Render(" quorum leader ")+fmt.Sprint(q.Leader)+s.Dim.Render(" epoch ")+fmt.Sprint(q.Epoch)+
			s.Dim.Render(mark)+count(q.HighWatermark))
	}
	if len(lines) > h {
		lines = lines[:h]
	}
	return lines
}

// renderBoot draws how far the cluster has come.
func (m *Model) renderBoot(w int) []string {
	s := m.styles
	if m.boot.Step == "" {
		return []string{s.Dim.Render(" looking for a cluster")}
	}
	lines := []string{" " + bootText(m.boot)}
	if m.boot.Total > 0 && m.boot.Nodes == nil {
		n := max(min(w-2, 40), 0)
		done := max(0, min(n*m.boot.Done/m.boot.Total, n))
		lines = append(lines, " "+s.Good.Render(strings.Repeat("━", done))+s.Dim.Render(strings.Repeat("─", n-done)))
	}
	for _, n := range m.boot.Nodes {
		lines = append(lines, fmt.Sprintf("   %d  ", n.ID)+s.Warn.Render(fit(n.Process.String(), 9))+s.Dim.Render(" "+safe(n.Addr)))
	}
	return lines
}

func bootText(p kafkaops.Progress) string {
	if p.Total > 0 {
		return fmt.Sprintf("%s %d/%d", safe(p.Step), p.Done, p.Total)
	}
	return safe(p.Step)
}
