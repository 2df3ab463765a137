package drill

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
)

// Aggregate sums several runs of one drill up.
type Aggregate struct {
	Drill string `json:"drill"`
	Runs  int    `json:"runs"`
	// Verdict is fail if one run failed, else none if one has none, else pass.
	Verdict Verdict `json:"verdict"`
	Passed  int     `json:"passed"`
	Failed  int     `json:"failed"`
	None    int     `json:"none"`
	// Audited is how many runs had their log read to its end: the counts are of those together.
	Audited int `json:"audited"`
	Counts
	// RunsWithLoss is in how many runs an acknowledged checkout was lost.
	RunsWithLoss int          `json:"runsWithLoss"`
	WriteGaps    []GapSummary `json:"writeGaps"` // by kind, those first that cost the most
	FlowGaps     []GapSummary `json:"flowGaps"`
	AckP50       Spread       `json:"ackP50"` // of the runs' percentiles
	AckP99       Spread       `json:"ackP99"`
	FlowP50      Spread       `json:"flowP50"`
	FlowP99      Spread       `json:"flowP99"`
	Seeds        []uint64     `json:"seeds"`
	Settings     []NamedValue `json:"settings"` // of the first run
	Versions     []NamedValue `json:"versions"`
	Again        string       `json:"again"`
}

// GapSummary is the gaps of all acts of one kind in ms.
type GapSummary struct {
	Kind   string  `json:"kind"`
	N      int     `json:"n"` // measured and over
	Median float64 `json:"median"`
	Worst  float64 `json:"worst"`
	// NotOver is how many more were not over when measuring ended. The longest of them was AtLeast so long.
	NotOver int     `json:"notOver,omitempty"`
	AtLeast float64 `json:"atLeast,omitempty"`
}

// Spread is a figure over several runs, in ms.
type Spread struct {
	N      int     `json:"n"` // runs that have one
	Median float64 `json:"median"`
	Worst  float64 `json:"worst"`
}

// SumUp sums runs of the same drill up.
func SumUp(runs []*Result) *Aggregate {
	a := &Aggregate{Runs: len(runs), Verdict: Pass}
	var faults []FaultResult
	for i, r := range runs {
		if i == 0 {
			a.Drill, a.Settings, a.Versions, a.Again = r.Drill, r.Settings, r.Versions, r.Again
		}
		switch r.Verdict {
		case Pass:
			a.Passed++
		case Fail:
			a.Failed++
		default:
			a.None++
		}
		if r.Audited {
			a.Audited++
			a.add(r.Counts)
			if r.Lost > 0 {
				a.RunsWithLoss++
			}
		}
		a.Seeds = append(a.Seeds, r.Seed)
		faults = append(append(faults, r.Faults...), r.Recoveries...)
	}
	switch {
	case a.Failed > 0:
		a.Verdict = Fail
	case a.None > 0 || len(runs) == 0:
		a.Verdict = NoVerdict
	}
	a.WriteGaps = Gaps(faults, WriteGap)
	a.FlowGaps = Gaps(faults, FlowGap)
	a.AckP50 = spread(runs, func(r *Result) (Percentiles, float64) { return r.Ack, r.Ack.P50 })
	a.AckP99 = spread(runs, func(r *Result) (Percentiles, float64) { return r.Ack, r.Ack.P99 })
	a.FlowP50 = spread(runs, func(r *Result) (Percentiles, float64) { return r.Flow, r.Flow.P50 })
	a.FlowP99 = spread(runs, func(r *Result) (Percentiles, float64) { return r.Flow, r.Flow.P99 })
	return a
}

func (c *Counts) add(o Counts) {
	c.Accepted += o.Accepted
	c.Refused += o.Refused
	c.Unknown += o.Unknown
	c.Complete += o.Complete
	c.InFlight += o.InFlight
	c.Lost += o.Lost
	c.Duplicated += o.Duplicated
	c.Repeated += o.Repeated
	c.Indeterminate += o.Indeterminate
	c.DeadLettered += o.DeadLettered
	c.WithoutCause += o.WithoutCause
	c.ChangedAmount += o.ChangedAmount
	c.OutOfOrder += o.OutOfOrder
	c.MailedTwice += o.MailedTwice
}

func spread(runs []*Result, of func(*Result) (Percentiles, float64)) Spread {
	var all []float64
	for _, r := range runs {
		if p, v := of(r); p.N > 0 {
			all = append(all, v)
		}
	}
	if len(all) == 0 {
		return Spread{}
	}
	slices.Sort(all)
	return Spread{N: len(all), Median: Median(all), Worst: all[len(all)-1]}
}

// GapOf is one of the gaps of an act: in ms, nil where it was not measured, and whether it was not over when measuring ended.
type GapOf func(FaultResult) (ms *float64, atLeast bool)

// WriteGap is how long a partition took no write.
func WriteGap(f FaultResult) (*float64, bool) { return f.WriteGapMs, f.AtLeast }

// FlowGap is how long no checkout became complete.
func FlowGap(f FaultResult) (*float64, bool) { return f.FlowGapMs, f.FlowAtLeast }

// SumGaps sums the gaps of acts up, of whatever kind. What failed or was not measured is left out.
func SumGaps(kind string, acts []FaultResult, gap GapOf) GapSummary {
	s := GapSummary{Kind: kind}
	var all []float64
	for _, f := range acts {
		switch ms, atLeast := gap(f); {
		case ms == nil || f.Err != "":
		case atLeast:
			s.NotOver++
			s.AtLeast = max(s.AtLeast, *ms)
		default:
			all = append(all, *ms)
		}
	}
	if slices.Sort(all); len(all) > 0 {
		s.N, s.Median, s.Worst = len(all), Median(all), all[len(all)-1]
	}
	return s
}

// Gaps sums the gaps of acts up by kind, those first that cost the most. Kinds of which none was measured are left out.
func Gaps(acts []FaultResult, gap GapOf) []GapSummary {
	kinds := map[string][]FaultResult{}
	for _, f := range acts {
		kinds[f.Kind] = append(kinds[f.Kind], f)
	}
	out := []GapSummary{}
	for kind, acts := range kinds {
		if s := SumGaps(kind, acts, gap); s.N+s.NotOver > 0 {
			out = append(out, s)
		}
	}
	slices.SortFunc(out, func(a, b GapSummary) int {
		return cmp.Or(cmp.Compare(max(b.Median, b.AtLeast), max(a.Median, a.AtLeast)), cmp.Compare(a.Kind, b.Kind))
	})
	return out
}

// Median of a sorted slice that is not empty: of an even number the larger of the two in the middle.
func Median(sorted []float64) float64 { return sorted[len(sorted)/2] }

// JSON is the aggregate on one line.
func (a *Aggregate) JSON() ([]byte, error) {
	out, err := json.Marshal(a)
	if err != nil {
		return nil, fmt.Errorf("writing the aggregate: %w", err)
	}
	return out, nil
}
