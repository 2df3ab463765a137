package report

import (
	"fmt"

	"kassa/kafkaops/drill"
)

// overview is what comes first where there are several results.
type overview struct {
	Headline  string
	Verdict   verdictView // the worst of all
	Simulated int
	Rows      []overviewRow
	Repeats   []repeatRow // drills that ran more than once
}

type overviewRow struct {
	ID, N, Drill                       string
	Verdict                            verdictView
	Accepted, Lost, Duplicated, Faults string // empty where there is no verdict
	LostBad, DuplicatedBad             bool
	Gap, Ack, Flow, Seed               string
	Simulated                          bool
}

// repeatRow sums up the runs of one drill.
type repeatRow struct {
	Drill          string
	N              int
	Gap, Ack, Flow sum
	NotOver        string // of the gaps, those that were not over
}

func newOverview(results []*drill.Result) *overview {
	o := &overview{Verdict: verdictOf(drill.Pass)}
	passed := 0
	var names []string
	runs := map[string][]*drill.Result{}
	for i, r := range results {
		switch r.Verdict {
		case drill.Pass:
			passed++
		case drill.Fail:
			o.Verdict = verdictOf(drill.Fail)
		default:
			if o.Verdict.Class == "pass" {
				o.Verdict = verdictOf(drill.NoVerdict)
			}
		}
		if r.Simulated {
			o.Simulated++
		}
		o.Rows = append(o.Rows, newOverviewRow(i, r))
		if runs[r.Drill] == nil {
			names = append(names, r.Drill)
		}
		runs[r.Drill] = append(runs[r.Drill], r)
	}
	o.Headline = fmt.Sprintf("%d of %s passed.", passed, plural(len(results), "drill"))
	if passed == len(results) {
		o.Headline = fmt.Sprintf("All %d drills passed.", passed)
	}
	if len(results) == 0 {
		o.Headline, o.Verdict = "There is no result to report: no drill ran.", verdictOf(drill.NoVerdict)
	}
	for _, name := range names {
		if all := runs[name]; len(all) > 1 {
			o.Repeats = append(o.Repeats, newRepeat(name, all))
		}
	}
	return o
}

func newOverviewRow(i int, r *drill.Result) overviewRow {
	row := overviewRow{ID: resultID(i), N: fmt.Sprint(i + 1), Drill: safe(r.Drill), Verdict: verdictOf(r.Verdict), Seed: fmt.Sprint(r.Seed), Simulated: r.Simulated}
	if counted(r) {
		row.Accepted = count(r.Accepted)
	}
	row.Faults = count(int64(len(r.Faults)))
	if r.Audited {
		row.Lost, row.LostBad = count(r.Lost), r.Lost > 0
		row.Duplicated, row.DuplicatedBad = count(r.Duplicated), r.Duplicated > 0
	}
	if ms, _, atLeast, ok := worstGap(r); ok {
		if row.Gap = millis(ms); atLeast {
			row.Gap = "≥ " + row.Gap
		}
	}
	if r.Ack.N > 0 {
		row.Ack = millis(r.Ack.P99)
	}
	if r.Flow.N > 0 {
		row.Flow = millis(r.Flow.P99)
	}
	return row
}

func newRepeat(name string, runs []*drill.Result) repeatRow {
	var gap, notOver, ack, flow []float64
	for _, r := range runs {
		switch ms, _, atLeast, ok := worstGap(r); {
		case ok && atLeast:
			notOver = append(notOver, ms)
		case ok:
			gap = append(gap, ms)
		}
		if r.Ack.N > 0 {
			ack = append(ack, r.Ack.P99)
		}
		if r.Flow.N > 0 {
			flow = append(flow, r.Flow.P99)
		}
	}
	row := repeatRow{Drill: safe(name), N: len(runs), Gap: sumOf(gap), Ack: sumOf(ack), Flow: sumOf(flow)}
	if n := len(notOver); n > 0 {
		row.NotOver = fmt.Sprintf("in %s the longest write gap was not over: at least %s", plural(n, "run"), millis(largest(notOver)))
	}
	return row
}

func resultID(i int) string { return fmt.Sprintf("drill-%d", i+1) }
