package tui

import (
	"fmt"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"kassa/kafkaops/watch"
	"kassa/services"
)

// header is the first line: is the cluster well, and what flows. What does not fit is left out, the least important first.
func (m *Model) header(w int) string {
	s := m.styles
	type part struct {
		text string
		rank int // lower stays longer
	}
	parts := []part{{s.Brand.Render("kassa"), 2}}
	add := func(rank int, text string) { parts = append(parts, part{text, rank}) }
	dim := s.Dim.Render

	if m.backend == nil {
		text := "looking for a cluster"
		if m.boot.Step != "" {
			text = bootText(m.boot)
		}
		if m.clusters.failed != "" {
			add(1, s.Bad.Render("NO BROKERS"))
		} else {
			add(1, s.Warn.Render(m.spinner()+text))
		}
	} else {
		info := m.backend.Info
		if info.Simulated {
			add(-1, s.Warn.Render("SIMULATED")) // no figure is to be taken for a real one
		}
		add(3, info.Provider)
		if info.Version != "" {
			add(11, dim("Kafka ")+info.Version)
		}
		add(9, info.Profile)
	}
	if st := m.state; st != nil {
		up := st.Count(watch.Up)
		style := s.Good
		if up < len(st.Nodes) {
			style = s.Bad
		}
		add(0, style.Render(fmt.Sprintf("%d/%d up", up, len(st.Nodes))))
		switch q := st.Quorum; {
		case q.Seen.IsZero():
			add(5, dim("controller ?"))
		case q.Lost:
			add(0, s.Bad.Render("NO QUORUM"))
			add(9, dim("for "+age(m.now().Sub(q.Seen))))
		case !q.Known: // too many are silent to say
			add(0, s.Warn.Render("quorum ?"))
			add(9, dim("for "+age(m.now().Sub(q.Seen))))
		default:
			add(5, dim("controller ")+s.Accent.Render(fmt.Sprint(q.Leader))+dim(" epoch ")+fmt.Sprint(q.Epoch))
		}
		if m.stalled != "" {
			add(1, s.Bad.Render("WRITES WAIT"))
		}
		under := m.parts.sum.under
		rank := 6
		style = s.Good
		if under > 0 {
			rank, style = 1, s.Warn
		}
		add(rank, dim("under-replicated ")+style.Render(fmt.Sprint(under)))
		if n := m.parts.sum.leaderless; n > 0 {
			add(0, s.Bad.Render(fmt.Sprintf("offline %d", n)))
		}
		if n := m.parts.sum.below; n > 0 {
			add(0, s.Bad.Render(fmt.Sprintf("under-min-ISR %d", n)))
		}
		rank = 10
		if m.delivery() != services.ExactlyOnce.String() { // what is not as usual is said first
			rank = 4
		}
		add(rank, dim(m.delivery()))
		if a := m.backend.Acks; a != "" {
			add(1, s.Warn.Render(a))
		}
	}
	if m.backend != nil {
		f := m.figures
		add(2, s.Strong.Render(perSecond(m.of(payments).rate.value(m.now())))+dim(" orders"))
		if n := m.deadLetters(); n > 0 {
			add(3, s.Bad.Render(plural(int(n), "dead letter")))
		}
		add(7, s.Good.Render(count(f.Complete))+dim(" complete"))
		style := s.Text
		if f.InFlight+f.Pending > 0 {
			style = s.Warn
		}
		add(8, style.Render(count(f.InFlight+f.Pending))+dim(" in flight"))
	}

	for {
		texts := make([]string, len(parts))
		for i, p := range parts {
			texts[i] = p.text
		}
		line := " " + strings.Join(texts, "   ")
		if ansi.StringWidth(line) <= w || len(parts) == 1 {
			return fit(line, w)
		}
		worst := 0
		for i, p := range parts {
			if p.rank >= parts[worst].rank { // of equals the last goes first
				worst = i
			}
		}
		parts = append(parts[:worst], parts[worst+1:]...)
	}
}

// spinner shows that the start is alive; each step of it turns it, no timer does.
func (m *Model) spinner() string {
	return string([]rune("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")[m.turns%10]) + " "
}
