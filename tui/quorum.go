package tui

import (
	"fmt"
	"time"

	"kassa/kafkaops/watch"
)

// The quorum view: who leads the brokers' own log, which voters and observers follow it, and how far behind they are.

// stale is from when on a replica of the metadata log counts as silent. A follower fetches at least twice a second.
const stale = 2 * time.Second

func (m *Model) renderQuorum(w, h int) []string {
	s := m.styles
	if m.state == nil || m.state.Quorum.Seen.IsZero() {
		return []string{s.Warn.Render(" quorum unknown yet")}
	}
	q := m.state.Quorum
	lines := []string{m.quorumHead(w)}
	wide := w >= 47
	head := " " + fit("#", 3) + fit("role", 9)
	if wide {
		head += right("log end", 11)
	}
	head += right("lag", 5) + right("fetched", 9)
	if w >= 58 {
		head += right("caught up", 11)
	}
	if h > 4 {
		lines = append(lines, s.Dim.Render(fit(head, w)))
	}
	type row struct {
		watch.Replica
		role string
	}
	var rows []row
	for _, v := range q.Voters {
		role := "voter"
		if v.ID == q.Leader {
			role = "leader"
			if !q.Known || m.nodeGone(v.ID) {
				role = "leader?"
			}
		}
		rows = append(rows, row{v, role})
	}
	for _, o := range q.Observers {
		rows = append(rows, row{o, "observer"})
	}
	from, to := window(len(rows), m.voterAt, 0, h-len(lines))
	for _, r := range rows[from:to] {
		line := " " + s.Strong.Render(fit(fmt.Sprint(r.ID), 3)) + m.role(r.role)
		if wide {
			line += s.Dim.Render(right(figure(r.LogEnd), 11))
		}
		line += s.Strong.Render(right(figure(r.Lag), 5)) + m.ago(r.LastFetch, 9)
		if w >= 58 {
			line += m.ago(r.LastCaughtUp, 11)
		}
		if n, ok := m.state.Node(r.ID); ok && n.Health != watch.Up {
			line += " " + s.Bad.Render(n.Health.String())
		}
		lines = append(lines, line)
	}
	if h-len(lines) > 1 && w >= 44 {
		lines = append(lines, s.Dim.Render(fmt.Sprintf(" %s, %s", plural(len(q.Voters), "voter"), plural(len(q.Observers), "observer"))))
	}
	return lines
}

// quorumHead is the quorum in a line, as much of it as fits.
func (m *Model) quorumHead(w int) string {
	s, q := m.styles, m.state.Quorum
	if last := "last known leader " + fmt.Sprint(q.Leader) + ", epoch " + fmt.Sprint(q.Epoch); q.Lost {
		return s.Bad.Render(fit(" NO QUORUM: "+last, w))
	} else if !q.Known {
		return s.Warn.Render(fit(" quorum ?: "+last, w))
	}
	line := s.Dim.Render(" leader ") + s.Accent.Render(fmt.Sprint(q.Leader)) + s.Dim.Render(" epoch ") + s.Strong.Render(fmt.Sprint(q.Epoch))
	if mark := " high watermark "; w >= 47 {
		return line + s.Dim.Render(mark) + count(q.HighWatermark)
	}
	return line + s.Dim.Render(" hw ") + count(q.HighWatermark)
}

func (m *Model) role(role string) string {
	style := m.styles.Text
	if role == "leader" {
		style = m.styles.Accent
	}
	return style.Render(fit(role, 9))
}

// ago is how long before the leader's answer something was: that the answer itself ages, the frame says.
func (m *Model) ago(t time.Time, w int) string {
	if t.IsZero() {
		return m.styles.Dim.Render(right("–", w))
	}
	d := m.now().Sub(t)
	text := right(age(d), w)
	if d > stale {
		return m.styles.Warn.Render(text)
	}
	return m.styles.Dim.Render(text)
}
