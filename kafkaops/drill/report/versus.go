package report

import (
	"fmt"
	"slices"
	"strings"

	"kassa/kafkaops/drill"
	"kassa/kafkaops/drill/compare"
)

// WriteComparison writes a comparison and its runs as Write does.
func WriteComparison(path string, c *compare.Comparison) error {
	return write(path, documentOf(c))
}

func documentOf(c *compare.Comparison) Document {
	d := Document{Comparison: c, Results: []*drill.Result{}}
	for _, run := range c.Done {
		d.Results = append(d.Results, run.Result)
	}
	return d
}

// versusView is two settings side by side.
type versusView struct {
	Verdict     verdictView
	Drill       string
	About       string
	Names       [2]string
	Headline    []string
	Reasons     []string
	Notes       []string
	Simulated   bool
	Again       []string // its arguments: a line is broken between them
	Runs        int
	Settings    []versusSetting
	Times       []versusTime
	Counts      []versusCount
	Differences []compare.Difference
	Lost        []versusLost
	Order       []versusRun
}

type versusSetting struct {
	Name   string
	Values [2]string
	Differ bool
}

// versusTime is a row of times: the bars are on a scale of their own row.
type versusTime struct {
	Name, Ratio, Desc string
	Sides             [2]versusMeasure
}

type versusMeasure struct {
	Median, Worst string // "" where there is none
	MedianW       string
	WorstX        string
	AtLeast       bool
}

type versusCount struct {
	Name  string
	Sides [2]versusTally
}

type versusTally struct {
	N, Runs string
	Bad     bool
}

type versusLost struct {
	Side, Name string
	N          string
	Fold       bool
	Items      []versusFinding
}

type versusFinding struct {
	Run, Seed string
	drill.Finding
}

type versusRun struct {
	ID, Side, Name, N, Seed string
	Verdict                 verdictView
	Accepted, Lost, Gap     string
	LostBad                 bool
}

// label names a run of a comparison: "A, acks=1, run 2".
func label(c *compare.Comparison, d compare.Done) string {
	return fmt.Sprintf("%s, %s, run %d", d.Letter(), safe(c.Sides[d.Side].Name), d.N)
}

// runVerdict is a run's own, but that a loss which the settings allow is no pass to be glad of.
func runVerdict(c *compare.Comparison, d compare.Done) verdictView {
	if r := d.Result; r.Verdict == drill.Pass && !c.Sides[d.Side].Promises && r.Lost+r.Duplicated > 0 {
		return verdictView{"Loss allowed", "none", "!"}
	}
	return verdictOf(d.Result.Verdict)
}

func newVersus(c *compare.Comparison) *versusView {
	v := &versusView{
		Verdict: verdictView{"Compared", "plain", "⇄"}, Drill: safe(c.Drill), About: safe(c.About), Simulated: c.Simulated,
		Again: strings.Fields(safe(c.Again)), Runs: c.Runs,
		Names: [2]string{safe(c.Sides[0].Name), safe(c.Sides[1].Name)}, Differences: c.Differences,
	}
	switch c.Verdict {
	case drill.Pass:
	case drill.Fail:
		v.Verdict = verdictView{"Promise broken", "fail", "✗"}
	default:
		v.Verdict = verdictOf(c.Verdict)
	}
	for i, s := range c.Sides {
		v.Headline = append(v.Headline, sideHeadline(i, s, lostBy(c, i)))
	}
	for _, r := range c.Reasons {
		v.Reasons = append(v.Reasons, safe(r))
	}
	for _, n := range c.Notes {
		v.Notes = append(v.Notes, safe(n))
	}
	v.Settings = versusSettings(c)
	for _, row := range c.Times {
		v.Times = append(v.Times, newVersusTime(row))
	}
	for _, row := range c.Counts {
		one := versusCount{Name: row.Name}
		for i, n := range row.Sides {
			bad := n.N > 0 && (row.Name == "lost" || row.Name == "duplicated")
			one.Sides[i] = versusTally{N: count(n.N), Runs: fmt.Sprintf("%d of %d", n.Runs, c.Sides[i].Audited), Bad: bad}
		}
		v.Counts = append(v.Counts, one)
	}
	for i, s := range c.Sides {
		if lost := newVersusLost(i, s); lost != nil {
			v.Lost = append(v.Lost, *lost)
		}
	}
	for i, d := range c.Done {
		o := newOverviewRow(i, d.Result)
		v.Order = append(v.Order, versusRun{
			ID: o.ID, Side: d.Letter(), Name: v.Names[d.Side], N: fmt.Sprint(d.N), Seed: fmt.Sprint(d.Seed), Verdict: runVerdict(c, d),
			Accepted: o.Accepted, Lost: o.Lost, LostBad: o.LostBad, Gap: o.Gap,
		})
	}
	return v
}

// lostBy is how many orders a side lost; its list may be shorter.
func lostBy(c *compare.Comparison, side int) int64 {
	i := slices.IndexFunc(c.Counts, func(r compare.CountRow) bool { return r.Name == "lost" })
	if i < 0 {
		return 0
	}
	return c.Counts[i].Sides[side].N
}

func sideHeadline(i int, s compare.SideResult, n int64) string {
	who := fmt.Sprintf("%c (%s)", 'A'+i, safe(s.Name))
	promise := "as it promises"
	if !s.Promises {
		promise = "though it allows a loss"
	}
	switch {
	case s.Audited == 0:
		return who + ": the log of no run was audited."
	case n == 0:
		return fmt.Sprintf("%s: of %s accepted orders none was lost, %s.", who, count(s.Accepted), promise)
	case s.Promises:
		return fmt.Sprintf("%s: of %s accepted orders %s lost, and it promises that none is.", who, count(s.Accepted), were(n))
	default:
		return fmt.Sprintf("%s: of %s accepted orders %s lost, which it allows.", who, count(s.Accepted), were(n))
	}
}

// were is "1 was", "3 were".
func were(n int64) string {
	if n == 1 {
		return "1 was"
	}
	return count(n) + " were"
}

func versusSettings(c *compare.Comparison) []versusSetting {
	var out []versusSetting
	for i := range c.Sides {
		for _, n := range c.Sides[i].Settings {
			at := slices.IndexFunc(out, func(s versusSetting) bool { return s.Name == safe(n.Name) })
			if at < 0 {
				at = len(out)
				out = append(out, versusSetting{Name: safe(n.Name)})
			}
			out[at].Values[i] = safe(n.Value)
		}
	}
	for i := range out {
		out[i].Differ = out[i].Values[0] != out[i].Values[1]
	}
	return out
}

func newVersusTime(row compare.TimeRow) versusTime {
	v := versusTime{Name: row.Name}
	longest := 0.0
	for _, m := range row.Sides {
		longest = max(longest, m.Worst, m.AtLeast)
	}
	s := linearScale(longest, 4)
	s.hi = max(longest, 1e-9) // the longest fills the row
	var d []string
	for i, m := range row.Sides {
		side := &v.Sides[i]
		if m.N > 0 {
			side.Median, side.Worst, side.MedianW, side.WorstX = compare.Millis(m.Median), compare.Millis(m.Worst), s.pct(m.Median), s.pct(m.Worst)
		}
		if m.NotOver > 0 && (m.N == 0 || m.AtLeast > m.Worst) {
			side.Worst, side.WorstX, side.AtLeast = "≥ "+compare.Millis(m.AtLeast), s.pct(m.AtLeast), true
		}
		d = append(d, fmt.Sprintf("%c median %s, worst %s", 'A'+i, orNone(side.Median), orNone(side.Worst)))
	}
	v.Desc = strings.Join(d, "; ")
	if row.Ratio != nil {
		v.Ratio = compare.Ratio(*row.Ratio)
		if *row.Ratio < 0.995 {
			v.Ratio = fmt.Sprintf("%.2f", *row.Ratio)
		}
	}
	return v
}

func orNone(s string) string {
	if s == "" {
		return "not measured"
	}
	return s
}

func newVersusLost(i int, s compare.SideResult) *versusLost {
	if len(s.Lost) == 0 {
		return nil
	}
	v := &versusLost{Side: string(rune('A' + i)), Name: safe(s.Name), N: count(int64(len(s.Lost))), Fold: len(s.Lost) > 20}
	for _, f := range s.Lost {
		one := versusFinding{Run: fmt.Sprint(f.Run), Seed: fmt.Sprint(f.Seed), Finding: drill.Finding{Checkout: safe(f.Checkout), Detail: safe(f.Detail)}}
		for _, w := range f.Where {
			one.Where = append(one.Where, safe(w))
		}
		v.Items = append(v.Items, one)
	}
	return v
}

// versusSuite is the comparison as a testsuite: whether each side kept its promise.
func versusSuite(c *compare.Comparison) junitSuite {
	s := junitSuite{Name: fmt.Sprintf("compare %s %s: %s", safe(c.Sides[0].Name), safe(c.Sides[1].Name), safe(c.Drill)), Out: "run it again: " + safe(c.Again)}
	seconds := 0.0
	for _, d := range c.Done {
		seconds += d.Result.Seconds
	}
	s.Time = decimal(seconds)
	one := junitCase{Name: "verdict"}
	var lines []string
	for _, r := range c.Reasons {
		lines = append(lines, safe(r))
	}
	for _, d := range c.Differences {
		lines = append(lines, d.Text)
	}
	text := strings.Join(lines, "\n")
	switch c.Verdict {
	case drill.Pass:
		one.Out = text
	case drill.Fail:
		one.Failure = &junitFailure{Type: "promise broken", Message: safe(strings.Join(c.Reasons, " ")), Text: text}
	default:
		one.Error = &junitFailure{Type: "no verdict", Message: safe(strings.Join(c.Reasons, " ")), Text: text}
	}
	s.add(one)
	return s
}
