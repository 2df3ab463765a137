package tui

import (
	"fmt"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"kassa/kafkaops/watch"
)

// timeline is what was done to the cluster and what was seen to follow, with the time from the act. It shows what the
// watcher saw and when, no more: the failover phases are measured by the drill.
type timeline struct {
	acts []act // oldest first
}

type act struct {
	what   string
	at     time.Time
	err    string
	phases []phase
}

// phase is one thing that was seen, once or several times in a row.
type phase struct {
	kind        string
	n           int
	text        string
	first, last time.Duration // from the act
}

const (
	maxActs = 200
	// grouped joins what is seen within this time: nine partitions whose leaders move are one phase.
	grouped = time.Second
	// related is how long after an act a change is still told with it.
	related = time.Minute
)

func (t *timeline) begin(what string, at time.Time) {
	t.acts = append(t.acts, act{what: what, at: at})
	if len(t.acts) > maxActs {
		t.acts = t.acts[1:]
	}
}

func (t *timeline) failed(at time.Time, err error) {
	for i := range t.acts {
		if t.acts[i].at.Equal(at) {
			t.acts[i].err = err.Error()
		}
	}
}

// observe files changes under the last act, or under a new one of their own when none is near.
func (t *timeline) observe(changes []watch.Change, at time.Time) {
	for _, c := range changes {
		kind, one, many := describe(c)
		if kind == "" {
			continue
		}
		if len(t.acts) == 0 || at.Sub(t.acts[len(t.acts)-1].at) > related {
			t.begin("seen: "+one, at)
			continue
		}
		a := &t.acts[len(t.acts)-1]
		a.add(kind, one, many, at.Sub(a.at))
	}
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

func (p phase) String() string { return p.text + " +" + age(p.last) }

func (m *Model) renderTimeline(w, h int) []string {
	s := m.styles
	if len(m.timeline.acts) == 0 {
		return []string{s.Dim.Render(" nothing has been done to the cluster yet: 5 goes to the brokers, K kills one")}
	}
	var lines []string
	from := max(0, len(m.timeline.acts)-m.timeAt-1)
	for i := from; i >= 0 && len(lines) < h; i-- {
		a := m.timeline.acts[i]
		line := " " + s.Dim.Render(a.at.Format("15:04:05.000")) + " " + s.Accent.Render(a.what)
		if a.err != "" {
			line += s.Bad.Render("  failed: " + safe(a.err))
		}
		indent := strings.Repeat(" ", 14)
		for _, p := range a.phases {
			text := s.Dim.Render(" │ ") + p.text + " " + s.Strong.Render("+"+age(p.last))
			if ansi.StringWidth(line)+ansi.StringWidth(text) > w && len(lines) < h-1 {
				lines = append(lines, line)
				line = indent
			}
			line += text
		}
		if len(lines) < h {
			lines = append(lines, line)
		}
	}
	return lines
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
	case watch.BrokerStarting:
		return fmt.Sprint("starting", c.Node), fmt.Sprintf("broker %d starting", c.Node), "times starting"
	case watch.BrokerSilent:
		return fmt.Sprint("silent", c.Node), fmt.Sprintf("broker %d silent", c.Node), "times silent"
	}
	return "", "", ""
}
