package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"

	"kassa/kafkaops/drill"
	"kassa/kafkaops/drill/report"
)

// result writes what came of a run.
func (t *drillTeller) result(r *drill.Result) error {
	if t.plan.asJSON {
		line, err := r.JSON()
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(t.out, string(line))
		return err
	}
	t.end()
	var b strings.Builder
	writeResult(&b, r)
	_, err := lipgloss.Fprint(t.out, b.String()) // takes colours away where there are none
	return err
}

// aggregate writes what came of several runs.
func (t *drillTeller) aggregate(a *drill.Aggregate) error {
	if t.plan.asJSON {
		line, err := a.JSON()
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(t.out, string(line))
		return err
	}
	var b strings.Builder
	writeAggregate(&b, a)
	_, err := lipgloss.Fprint(t.out, b.String())
	return err
}

// verdictWord is a verdict in its colour.
func verdictWord(v drill.Verdict) string {
	style := lipgloss.NewStyle().Bold(true)
	switch v {
	case drill.Pass:
		return style.Foreground(lipgloss.Green).Render("PASS")
	case drill.Fail:
		return style.Foreground(lipgloss.Red).Render("FAIL")
	}
	return style.Foreground(lipgloss.Yellow).Render("NO VERDICT")
}

// plainly takes away what could draw on a terminal: ids and reasons may be what others wrote.
func plainly(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return -1
		}
		return r
	}, ansi.Strip(text))
}

// timelinesDrawn is how many faults are drawn on the terminal. More are for --report.
const timelinesDrawn = 20

func writeResult(w io.Writer, r *drill.Result) {
	took := clock(time.Duration(r.Seconds * float64(time.Second)))
	fmt.Fprintf(w, "\n%s  %s, %s in %s, seed %d\n", verdictWord(r.Verdict), r.Drill, counted(int64(len(r.Faults)), "fault"), took, r.Seed)
	for _, why := range r.Reasons {
		fmt.Fprintf(w, "  %s\n", plainly(why))
	}
	if r.Audited {
		writeCounts(w, r.Counts)
	} else {
		fmt.Fprintf(w, "  %-16s %s accepted, %s refused, %s unknown; the log was not audited\n", "orders", thousands(r.Accepted), thousands(r.Refused), thousands(r.Unknown))
	}
	if r.NotOffered > 0 {
		fmt.Fprintf(w, "  %-16s %s: the load fell behind, and these are in no other figure\n", "not offered", counted(r.NotOffered, "checkout"))
	}
	writeLatency(w, "acknowledged", r.Ack)
	writeLatency(w, "payment → email", r.Flow)
	writeGaps(w, "write gap", drill.Gaps(r.Faults, drill.WriteGap))
	writeGaps(w, "flow gap", drill.Gaps(r.Faults, drill.FlowGap))
	if len(r.Faults) <= timelinesDrawn {
		for _, line := range report.Timelines(r, outputWidth()-2) {
			fmt.Fprintln(w, "  "+line)
		}
	}
	if n := len(r.Samples); n > 1 {
		first, last := r.Samples[0], r.Samples[n-1]
		text := fmt.Sprintf("heap %.0f → %.0f MB", first.HeapMB, last.HeapMB)
		if first.RSSMB > 0 && last.RSSMB > 0 { // not every system tells
			text += fmt.Sprintf(", resident %.0f → %.0f MB", first.RSSMB, last.RSSMB)
		}
		fmt.Fprintf(w, "  %-16s %s\n", "memory", text)
	}
	const listed = 10
	for i, f := range r.Findings {
		if i == listed {
			fmt.Fprintf(w, "  … and %d more: --json lists %d of them\n", int64(len(r.Findings)-listed)+r.MoreOf, len(r.Findings)-listed)
			break
		}
		fmt.Fprintf(w, "  %s  %s: %s", plainly(f.Kind), plainly(f.Checkout), plainly(f.Detail))
		if len(f.Where) > 0 {
			fmt.Fprintf(w, " (%s)", plainly(strings.Join(f.Where, ", ")))
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "  %-16s %s\n", "again", r.Again)
}

func writeCounts(w io.Writer, c drill.Counts) {
	fmt.Fprintf(w, "  %-16s %s accepted, %s refused, %s unknown\n", "orders", thousands(c.Accepted), thousands(c.Refused), thousands(c.Unknown))
	fmt.Fprintf(w, "  %-16s %s complete, %s in flight, %s lost, %s duplicated, %s repeated, %s indeterminate, %s dead-lettered\n", "in the log",
		thousands(c.Complete), thousands(c.InFlight), thousands(c.Lost), thousands(c.Duplicated), thousands(c.Repeated),
		thousands(c.Indeterminate), thousands(c.DeadLettered))
}

func writeLatency(w io.Writer, name string, p drill.Percentiles) {
	if p.N > 0 {
		fmt.Fprintf(w, "  %-16s p50 %s ms, p99 %s ms, p99.9 %s ms, longest %s ms\n", name,
			thousands(int64(p.P50)), thousands(int64(p.P99)), thousands(int64(p.P999)), thousands(int64(p.Max)))
	}
}

func writeGaps(w io.Writer, name string, gaps []drill.GapSummary) {
	for _, g := range gaps {
		fmt.Fprintf(w, "  %-16s ", name)
		if g.N > 0 {
			fmt.Fprintf(w, "%s: median %s ms, worst %s ms, of %d", g.Kind, thousands(int64(g.Median)), thousands(int64(g.Worst)), g.N)
		} else {
			fmt.Fprintf(w, "%s:", g.Kind)
		}
		if g.NotOver > 0 {
			fmt.Fprintf(w, " (%d not over when another fault came, at least %s ms)", g.NotOver, thousands(int64(g.AtLeast)))
		}
		fmt.Fprintln(w)
	}
}

func writeAggregate(w io.Writer, a *drill.Aggregate) {
	fmt.Fprintf(w, "\n%s  %s, %d runs: %d pass, %d fail, %d without a verdict\n", verdictWord(a.Verdict), a.Drill, a.Runs, a.Passed, a.Failed, a.None)
	if a.Audited < a.Runs {
		fmt.Fprintf(w, "  %-16s %d of %d runs: what follows of orders is of these\n", "audited", a.Audited, a.Runs)
	}
	if a.Audited > 0 {
		writeCounts(w, a.Counts)
	}
	if a.RunsWithLoss > 0 {
		fmt.Fprintf(w, "  %-16s in %d of %d runs an acknowledged order was lost\n", "loss", a.RunsWithLoss, a.Audited)
	}
	for _, l := range []struct {
		name     string
		p50, p99 drill.Spread
	}{{"acknowledged", a.AckP50, a.AckP99}, {"payment → email", a.FlowP50, a.FlowP99}} {
		if l.p99.N > 0 {
			fmt.Fprintf(w, "  %-16s p50 median %s ms, worst %s ms; p99 median %s ms, worst %s ms\n", l.name,
				thousands(int64(l.p50.Median)), thousands(int64(l.p50.Worst)), thousands(int64(l.p99.Median)), thousands(int64(l.p99.Worst)))
		}
	}
	writeGaps(w, "write gap", a.WriteGaps)
	writeGaps(w, "flow gap", a.FlowGaps)
}

func counted(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return thousands(n) + " " + what + "s"
}
