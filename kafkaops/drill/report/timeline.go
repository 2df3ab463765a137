package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"kassa/kafkaops/drill"
)

// faultRow is one fault and what followed.
type faultRow struct {
	N                string // "" for a recovery
	Name             string // "fault 3"
	Recovery         bool
	At, What, Target string
	Role             string // why it was this broker; "" where it was named
	Gap, All, Flow   string // empty where not measured
	AtLeast          bool
	Err              string
	Bar              *span // the time without acks, on the axis
	BarOpen          bool
	Phases           []phaseRow
	Open             bool // not folded
	Desc             string
}

type phaseRow struct {
	Name, After, X string
	Shape          string // the id of its sign
	LaneY          string // where the sign is on the one line of all phases
}

// shapes are the signs of phases on a timeline. Those that are not here have a plain one.
var shapes = map[drill.Mark]string{
	drill.ClientSaw: "saw", drill.ControllerElected: "elected", drill.LeadersMoved: "moved", drill.LeadersLost: "lostl", drill.ISRShrank: "shrank",
	drill.AcksResumed: "acks", drill.FlowResumed: "flow", drill.BrokerBack: "back", drill.ISRFull: "full",
}

// legend is the signs that occur, in the order in which a fault is mostly felt.
func legend(all []acted) []phaseRow {
	known := []drill.Mark{
		drill.ClientSaw, drill.QuorumLost, drill.ControllerElected, drill.QuorumBack, drill.LeadersLost, drill.LeadersMoved, drill.ISRShrank, drill.AcksResumed,
		drill.FlowResumed, drill.BrokerBack, drill.ISRFull, drill.PreferredBack,
	}
	var out []phaseRow
	var plain []string
	for _, m := range known {
		if !slices.ContainsFunc(all, func(f acted) bool { _, ok := f.Phases[string(m)]; return ok }) {
			continue
		}
		if shape := shapes[m]; shape != "" {
			out = append(out, phaseRow{Name: string(m), Shape: shape})
		} else {
			plain = append(plain, string(m))
		}
	}
	if len(plain) > 0 {
		out = append(out, phaseRow{Name: strings.Join(plain, ", "), Shape: "other"})
	}
	return out
}

func newFaultRow(r *drill.Result, f acted, lane scale, open bool) faultRow {
	row := faultRow{Name: f.name(), Recovery: f.recovery, What: safe(f.Kind), AtLeast: f.AtLeast, Err: safe(f.Err), Open: open}
	if !f.recovery {
		row.N = fmt.Sprint(f.n)
	}
	row.Target, row.Role = target(f.FaultResult)
	if at, ok := since(r, f.FaultResult); ok {
		row.At = after(at)
	}
	if f.WriteGapMs != nil {
		row.Gap = millis(*f.WriteGapMs)
	}
	if f.AllGapMs != nil {
		row.All = millis(*f.AllGapMs)
	}
	if f.FlowGapMs != nil {
		if row.Flow = millis(*f.FlowGapMs); f.FlowAtLeast {
			row.Flow = "≥ " + row.Flow
		}
	}
	row.Bar, row.BarOpen = gapBar(f.FaultResult, lane)
	var d []string
	for _, name := range sortedPhases(f.FaultResult) {
		ms := f.Phases[name]
		p := phaseRow{Name: safe(name), After: "+" + millis(ms), X: lane.pct(ms), Shape: cmp.Or(shapes[drill.Mark(name)], "other"), LaneY: laneY(name)}
		row.Phases = append(row.Phases, p)
		d = append(d, p.Name+" "+p.After)
	}
	row.Desc = strings.Join(d, ", ")
	return row
}

// laneY keeps apart what one change of the metadata does at the same moment.
func laneY(phase string) string {
	switch drill.Mark(phase) {
	case drill.ISRShrank, drill.ISRFull:
		return "5"
	case drill.LeadersMoved, drill.LeadersLost, drill.PreferredBack:
		return "21"
	}
	return "13"
}

// gapSpan is when no write was acknowledged in the worst partition, in ms from the fault: the gap ends where acks resumed, and one that was not over
// goes on from the fault as far as it is known. Not ok where it was so short that nobody noted where it was.
func gapSpan(f *drill.FaultResult) (from, to float64, ok bool) {
	switch end, resumed := f.Phases[string(drill.AcksResumed)]; {
	case f.WriteGapMs == nil || *f.WriteGapMs <= 0:
		return 0, 0, false
	case f.AtLeast:
		return 0, *f.WriteGapMs, true
	case resumed:
		return max(end-*f.WriteGapMs, 0), end, true
	}
	return 0, 0, false
}

func gapBar(f *drill.FaultResult, lane scale) (bar *span, open bool) {
	from, to, ok := gapSpan(f)
	if !ok {
		return nil, false
	}
	return &span{X: lane.pct(from), W: percent(lane.at(to) - lane.at(from))}, f.AtLeast
}

func sortedPhases(f *drill.FaultResult) []string {
	return slices.SortedFunc(maps.Keys(f.Phases), func(a, b string) int {
		return cmp.Or(cmp.Compare(f.Phases[a], f.Phases[b]), cmp.Compare(a, b))
	})
}

// laneScale is the axis that the timelines of all faults share. Phases are from milliseconds to a minute: mostly it is logarithmic.
func laneScale(all []acted) scale {
	least, most := 1000.0, 1.0
	for _, f := range all {
		for _, ms := range f.Phases {
			least, most = min(least, max(ms, 1)), max(most, ms)
		}
		if f.WriteGapMs != nil && f.AtLeast {
			most = max(most, *f.WriteGapMs)
		}
	}
	return scaleOf(least, most)
}

// gapScale is the axis of all write gaps. Faults say whether it is logarithmic: what brings a broker back mostly costs next to nothing.
func gapScale(all []acted) scale {
	least, most := 1e9, 1.0
	for _, f := range all {
		if g := f.WriteGapMs; g != nil {
			if most = max(most, *g); !f.recovery {
				least = min(least, max(*g, 1))
			}
		}
	}
	return scaleOf(least, most)
}

func scaleTicks(s scale) []tick {
	var out []tick
	for i, v := range s.ticks {
		out = append(out, tick{At: s.pct(v), Label: millisTick(v), Minor: i%2 == 1})
	}
	return out
}
