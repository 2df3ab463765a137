package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"kassa/kafkaops"
	"kassa/kafkaops/drill"
)

// faultsView is the faults of a drill: by kind, when, and each.
type faultsView struct {
	ID        string // of the result
	N         int
	Fold      bool // so many that each is folded
	Kinds     []*kindRow
	Strips    bool // a kind has more than one: worth a distribution
	StripAxis []tick
	StripLog  bool
	Each      []faultRow
	Legend    []phaseRow // the signs that occur
	Axis      []tick     // of the timelines, which all share it
	Log       bool
	Failed    int
}

// kindRow sums up the faults of one kind.
type kindRow struct {
	Kind        string
	Recovery    bool // what brought something back
	N           int
	Gap         sum
	Flow        sum
	NotOver     string // "and 2 of at least 3,000 ms": they have no length that could be compared
	FlowNotOver string
	Strip       []stripTick
	MedianX     string
	Unknown     int // whose write gap was not measured
	Failed      int
	Desc        string
	gaps        []float64
	flows       []float64
	flowNotOver []float64
	notOver     []float64
	When        []mark // on the axis of time
}

// sum is empty where nothing was measured.
type sum struct {
	N             int
	Median, Worst string
}

type stripTick struct {
	X       string
	AtLeast bool
	Title   string
}

// foldFrom is how many faults are so many that their timelines are folded.
const foldFrom = 9

// kindOf groups faults that can be compared, as drill.Timeline.Kind does.
func kindOf(f acted) string {
	kind := safe(f.Kind)
	if f.Controller {
		kind += " of the controller"
	} else if f.Node == 0 && f.Target != "" && f.Target != "cluster" {
		kind += " of " + safe(f.Target) // a service
	}
	return kind
}

// faultText is what was done to whom.
func faultText(f *drill.FaultResult) string { return safe(f.Kind) + " " + targetText(f) }

func targetText(f *drill.FaultResult) string {
	who, role := target(f)
	if role != "" {
		who += " (" + role + ")"
	}
	return who
}

// target is the broker or service that was hit, and why it was this one.
func target(f *drill.FaultResult) (who, role string) {
	node := fmt.Sprintf("broker %d", f.Node)
	switch {
	case f.Kind == string(kafkaops.Elect):
		return "preferred leaders", ""
	case f.Node == 0:
		return safe(f.Target), ""
	case f.Target == "" || f.Target == node:
		return node, ""
	}
	return node, safe(f.Target)
}

// acted is a fault, or an act that brought something back, with its place in the result.
type acted struct {
	*drill.FaultResult
	n        int // of the faults, from 1; 0 for a recovery
	recovery bool
}

// name is what a person calls it: "fault 3", "start".
func (a acted) name() string {
	if a.recovery {
		return safe(a.Kind)
	}
	return fmt.Sprintf("fault %d", a.n)
}

// acts are all of them in the order of their times.
func acts(r *drill.Result) []acted {
	var out []acted
	for i := range r.Faults {
		out = append(out, acted{FaultResult: &r.Faults[i], n: i + 1})
	}
	for i := range r.Recoveries {
		out = append(out, acted{FaultResult: &r.Recoveries[i], recovery: true})
	}
	slices.SortStableFunc(out, func(a, b acted) int { return a.At.Compare(b.At) })
	return out
}

func newFaults(id string, r *drill.Result) *faultsView {
	all := acts(r)
	if len(all) == 0 {
		return nil
	}
	v := &faultsView{ID: id, N: len(r.Faults), Fold: len(r.Faults) >= foldFrom}
	lane, gaps := laneScale(all), gapScale(all)
	v.Log, v.Axis = lane.log, scaleTicks(lane)
	v.StripLog, v.StripAxis = gaps.log, scaleTicks(gaps)
	v.Legend = legend(all)
	x := timeScale(r.Seconds)
	kinds := map[string]*kindRow{}
	for _, f := range all {
		v.Each = append(v.Each, newFaultRow(r, f, lane, !v.Fold && !f.recovery))
		name := kindOf(f)
		k := kinds[name]
		if k == nil {
			k = &kindRow{Kind: name, Recovery: f.recovery}
			kinds[name] = k
		}
		k.add(f, gaps)
		if at, ok := since(r, f.FaultResult); ok {
			k.When = append(k.When, mark{X: x.pct(at.Seconds()), Title: markTitle(f, at)})
		}
		if f.Err != "" && !f.recovery {
			v.Failed++
		}
	}
	v.Kinds = slices.Collect(maps.Values(kinds))
	for _, k := range v.Kinds {
		k.finish(gaps)
		v.Strips = v.Strips || k.N > 1 && !k.Recovery
	}
	// Those first that cost the most, as drill.Compare has them, and what brought things back last.
	slices.SortFunc(v.Kinds, func(a, b *kindRow) int {
		if a.Recovery != b.Recovery {
			if a.Recovery {
				return 1
			}
			return -1
		}
		return cmp.Or(cmp.Compare(b.cost(), a.cost()), cmp.Compare(a.Kind, b.Kind))
	})
	return v
}

// add counts a fault. One that failed counts in no median: what followed was not its doing.
func (k *kindRow) add(f acted, gaps scale) {
	k.N++
	if f.Err != "" {
		k.Failed++
		return
	}
	if f.FlowGapMs != nil && f.FlowAtLeast {
		k.flowNotOver = append(k.flowNotOver, *f.FlowGapMs)
	} else if f.FlowGapMs != nil {
		k.flows = append(k.flows, *f.FlowGapMs)
	}
	switch g := f.WriteGapMs; {
	case g == nil:
		k.Unknown++
	case f.AtLeast:
		k.notOver = append(k.notOver, *g)
		k.Strip = append(k.Strip, stripTick{X: gaps.pct(*g), AtLeast: true, Title: fmt.Sprintf("%s: at least %s", f.name(), millis(*g))})
	default:
		k.gaps = append(k.gaps, *g)
		k.Strip = append(k.Strip, stripTick{X: gaps.pct(*g), Title: fmt.Sprintf("%s: %s", f.name(), millis(*g))})
	}
}

func (k *kindRow) finish(gaps scale) {
	k.Gap, k.Flow = sumOf(k.gaps), sumOf(k.flows)
	if len(k.gaps) > 0 {
		k.MedianX = gaps.pct(middle(k.gaps))
	}
	if n := len(k.notOver); n > 0 {
		k.NotOver = fmt.Sprintf("%d not over: at least %s", n, millis(largest(k.notOver)))
	}
	if n := len(k.flowNotOver); n > 0 {
		k.FlowNotOver = fmt.Sprintf("%s not over: at least %s", plural(n, "flow gap"), millis(largest(k.flowNotOver)))
	}
	var d []string
	if k.Gap.N > 0 {
		d = append(d, fmt.Sprintf("%s from %s to %s, the median %s", plural(k.Gap.N, "write gap"), millis(slices.Min(k.gaps)), k.Gap.Worst, k.Gap.Median))
	}
	if k.NotOver != "" {
		d = append(d, k.NotOver)
	}
	k.Desc = strings.Join(d, "; ")
}

func (k *kindRow) cost() float64 {
	if len(k.gaps) > 0 {
		return middle(k.gaps)
	}
	if len(k.notOver) > 0 {
		return largest(k.notOver)
	}
	return -1
}

func sumOf(v []float64) sum {
	if len(v) == 0 {
		return sum{}
	}
	return sum{N: len(v), Median: millis(middle(v)), Worst: millis(largest(v))}
}
