package compare

import (
	"fmt"
	"slices"
	"strings"

	"kassa/kafkaops/drill"
	"kassa/kafkaops/drill/scenario"
)

// Comparison is what came of a drill under two settings.
type Comparison struct {
	Drill     string `json:"drill"`
	About     string `json:"about,omitempty"`
	Simulated bool   `json:"simulated,omitempty"`
	// Verdict is fail where a side that promises safety lost or doubled something, none where a run has no verdict; a loss that the settings allow is a
	// finding, and a pass.
	Verdict    drill.Verdict `json:"verdict"`
	Reasons    []string      `json:"reasons,omitempty"`    // why it is no pass, a sentence each
	Unfinished []string      `json:"unfinished,omitempty"` // why there are fewer runs than were asked for
	Notes      []string      `json:"notes,omitempty"`      // what was expected of a run and did not hold
	Seed       uint64        `json:"seed"`                 // of the first pair
	Runs       int           `json:"runs"`                 // asked for, of each side
	Sides      [2]SideResult `json:"sides"`
	Times      []TimeRow     `json:"times"`
	Counts     []CountRow    `json:"counts"`
	// Differences says what Kafka did and why, a sentence each.
	Differences []Difference `json:"differences"`
	Again       string       `json:"again,omitempty"`
	// Done are the runs in the order in which they were carried out.
	Done []Done `json:"-"`
}

// SideResult is one side.
type SideResult struct {
	Name     string             `json:"name"` // "profile=stock"
	Settings []drill.NamedValue `json:"settings,omitempty"`
	// Promises says that the settings promise that nothing is lost and nothing done twice.
	Promises bool         `json:"promisesSafety"`
	Runs     int          `json:"runs"`
	Audited  int          `json:"audited"` // of them: those whose log was read to its end, which all counts are of
	Accepted int64        `json:"accepted"`
	Lost     []RunFinding `json:"lost,omitempty"` // each that the audits name

	set scenario.Settings
	own []scenario.CountRule
}

// RunFinding is a finding of one run.
type RunFinding struct {
	Run  int    `json:"run"`
	Seed uint64 `json:"seed"`
	drill.Finding
}

// Done is a run and what came of it.
type Done struct {
	Turn
	Result *drill.Result
}

// Measure is a time in ms over all runs of a side. N is how many figures it is of; with 0 the others say nothing.
type Measure struct {
	N      int     `json:"n"`
	Median float64 `json:"median"`
	Worst  float64 `json:"worst"`
	// NotOver is how many gaps were not over when measuring ended, the longest of them AtLeast so long.
	NotOver int     `json:"notOver,omitempty"`
	AtLeast float64 `json:"atLeast,omitempty"`
}

// TimeRow is a time of both sides.
type TimeRow struct {
	Name  string     `json:"name"` // "write gap of kill"
	Sides [2]Measure `json:"sides"`
	// Ratio is A's median by B's; nil where one has none, or a gap was not over: nobody knows how long that would have been.
	Ratio *float64 `json:"ratio,omitempty"`
}

// Tally is a count over all runs of a side.
type Tally struct {
	N    int64 `json:"n"`
	Runs int   `json:"runs"` // in how many of them there was one
}

// CountRow is a count of both sides.
type CountRow struct {
	Name  string   `json:"name"`
	Sides [2]Tally `json:"sides"`
}

// of are the results of a side, in the order of its runs.
func (c *Comparison) of(side int) []Done {
	var out []Done
	for _, d := range c.Done {
		if d.Side == side {
			out = append(out, d)
		}
	}
	slices.SortStableFunc(out, func(a, b Done) int { return a.N - b.N })
	return out
}

// sumUp works all out from the runs.
func (c *Comparison) sumUp() {
	for i := range c.Sides {
		s := &c.Sides[i]
		for _, d := range c.of(i) {
			if s.Runs++; d.Result.Audited {
				s.Audited++
				s.Accepted += d.Result.Accepted
			}
			if s.Settings == nil {
				s.Settings = d.Result.Settings
			}
			for _, f := range d.Result.Findings {
				if f.Kind == "lost" {
					s.Lost = append(s.Lost, RunFinding{d.N, d.Seed, f})
				}
			}
		}
	}
	if len(c.Done) > 0 {
		r := c.Done[0].Result
		c.Drill, c.About, c.Simulated = r.Drill, r.About, r.Simulated
	}
	c.times()
	c.counts()
	c.judge()
	c.Differences = explain(c)
}

func (c *Comparison) times() {
	c.gaps("write gap of", drill.WriteGap)
	c.gaps("flow gap of", drill.FlowGap)
	c.percentile("acknowledged p50", func(r *drill.Result) (int64, float64) { return r.Ack.N, r.Ack.P50 })
	c.percentile("acknowledged p99", func(r *drill.Result) (int64, float64) { return r.Ack.N, r.Ack.P99 })
	c.percentile("payment → email p50", func(r *drill.Result) (int64, float64) { return r.Flow.N, r.Flow.P50 })
	c.percentile("payment → email p99", func(r *drill.Result) (int64, float64) { return r.Flow.N, r.Flow.P99 })
}

// acts are the faults of a side's runs, and after them what brought things back.
func (c *Comparison) acts(side int) (all []drill.FaultResult) {
	for _, d := range c.of(side) {
		all = append(all, d.Result.Faults...)
	}
	for _, d := range c.of(side) {
		all = append(all, d.Result.Recoveries...)
	}
	return all
}

// gaps adds a row for every kind of fault, in the order in which the drill does them, and then of what brought things back.
func (c *Comparison) gaps(name string, gap drill.GapOf) {
	var kinds []string
	var sums [2][]drill.GapSummary
	for i := range sums {
		all := c.acts(i)
		for _, f := range all {
			if !slices.Contains(kinds, f.Kind) {
				kinds = append(kinds, f.Kind)
			}
		}
		sums[i] = drill.Gaps(all, gap)
	}
	for _, kind := range kinds {
		row := TimeRow{Name: name + " " + kind}
		for i, all := range sums {
			if at := slices.IndexFunc(all, func(g drill.GapSummary) bool { return g.Kind == kind }); at >= 0 {
				g := all[at]
				row.Sides[i] = Measure{N: g.N, Median: g.Median, Worst: g.Worst, NotOver: g.NotOver, AtLeast: g.AtLeast}
			}
		}
		c.add(row)
	}
}

func (c *Comparison) percentile(name string, of func(*drill.Result) (int64, float64)) {
	row := TimeRow{Name: name}
	for i := range row.Sides {
		var all []float64
		for _, d := range c.of(i) {
			if n, v := of(d.Result); n > 0 {
				all = append(all, v)
			}
		}
		if len(all) > 0 {
			slices.Sort(all)
			row.Sides[i] = Measure{N: len(all), Median: drill.Median(all), Worst: all[len(all)-1]}
		}
	}
	c.add(row)
}

// add keeps a row if one of the sides has something to tell.
func (c *Comparison) add(row TimeRow) {
	a, b := row.Sides[0], row.Sides[1]
	if a.N+a.NotOver+b.N+b.NotOver == 0 {
		return
	}
	if a.N > 0 && b.N > 0 && b.Median > 0 && a.NotOver+b.NotOver == 0 {
		ratio := a.Median / b.Median
		row.Ratio = &ratio
	}
	c.Times = append(c.Times, row)
}

func (c *Comparison) counts() {
	for _, k := range []struct {
		name   string
		of     func(drill.Counts) int64
		always bool
	}{
		{"lost", func(n drill.Counts) int64 { return n.Lost }, true},
		{"duplicated", func(n drill.Counts) int64 { return n.Duplicated }, true},
		{"repeated", func(n drill.Counts) int64 { return n.Repeated }, true},
		{"unknown", func(n drill.Counts) int64 { return n.Unknown }, false},
		{"refused", func(n drill.Counts) int64 { return n.Refused }, false},
		{"without a cause", func(n drill.Counts) int64 { return n.WithoutCause }, false},
		{"in flight", func(n drill.Counts) int64 { return n.InFlight }, false},
	} {
		row := CountRow{Name: k.name}
		for _, d := range c.Done {
			if n := k.of(d.Result.Counts); n > 0 && d.Result.Audited {
				row.Sides[d.Side].N += n
				row.Sides[d.Side].Runs++
			}
		}
		if k.always || row.Sides[0].N+row.Sides[1].N > 0 {
			c.Counts = append(c.Counts, row)
		}
	}
}

// broken names what is never allowed under settings that promise safety, unless the scenario itself expects it; empty for nothing.
func (s *SideResult) broken(n drill.Counts) string {
	var out []string
	for _, k := range []struct {
		n    int64
		rule string
		name string
	}{
		{n.Lost, "lost", "lost"},
		{n.Duplicated, "duplicated", "duplicated"},
		{n.WithoutCause, "without-cause", "without a cause"},
		{n.ChangedAmount, "changed-amount", "with a changed amount"},
		{n.OutOfOrder, "out-of-order", "out of order"},
	} {
		rule := scenario.Rule{Op: "=", N: 0}
		if i := slices.IndexFunc(s.own, func(r scenario.CountRule) bool { return r.Name == k.rule }); i >= 0 {
			rule = s.own[i].Rule
		}
		if !rule.Holds(k.n) {
			out = append(out, fmt.Sprintf("%d %s", k.n, k.name))
		}
	}
	return strings.Join(out, ", ")
}

// loses says that the drill itself has orders lost, whatever the settings.
func (c *Comparison) loses() bool {
	return slices.ContainsFunc(c.Sides[0].own, func(r scenario.CountRule) bool { return r.Name == "lost" && r.Holds(1) })
}

func (c *Comparison) judge() {
	bad, none := false, len(c.Unfinished) > 0
	c.Reasons = append(c.Reasons, c.Unfinished...)
	for _, d := range c.Done {
		r, who := d.Result, fmt.Sprintf("%s, run %d (%s, seed %d)", d.Letter(), d.N, c.Sides[d.Side].Name, d.Seed)
		switch {
		case r.Verdict != drill.Pass && r.Verdict != drill.Fail || !r.Audited:
			none = true
			for _, why := range r.Reasons {
				c.Reasons = append(c.Reasons, who+" has no verdict: "+why)
			}
		case c.Sides[d.Side].Promises && c.Sides[d.Side].broken(r.Counts) != "":
			bad = true
			c.Reasons = append(c.Reasons, fmt.Sprintf("%s promises that nothing is lost and nothing done twice, and the audit found %s", who, c.Sides[d.Side].broken(r.Counts)))
		case r.Verdict == drill.Fail:
			for _, why := range r.Reasons {
				c.Notes = append(c.Notes, who+": "+why)
			}
		}
	}
	switch {
	case bad:
		c.Verdict = drill.Fail
	case none || len(c.Done) == 0:
		c.Verdict = drill.NoVerdict
	default:
		c.Verdict = drill.Pass
	}
}
