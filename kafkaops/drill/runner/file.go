package runner

import (
	"slices"
	"time"

	"kassa/kafkaops/drill"
	"kassa/kafkaops/drill/scenario"
)

// file takes into the result what is over: timelines that are closed, and acts that another ends now. At the end, all is over.
func (r *run) file(now time.Time, all bool) {
	load := now // until when there was a load
	if !r.quiet.IsZero() {
		load = r.quiet
	}
	for _, a := range r.acts {
		if !a.open {
			continue
		}
		a.open = false
		r.mu.Lock()
		a.FlowGapMs, a.FlowAtLeast = r.cfg.Meter.flowGap(a.At, load)
		if at, ok := r.cfg.Meter.flowed(a.At); ok {
			a.Phases[string(drill.FlowResumed)] = drill.Ms(at.Sub(a.At))
		}
		f := a.FaultResult
		r.mu.Unlock()
		r.status.over(f, a.harm)
	}
	lines := r.cfg.Cluster.Timelines()
	for i, t := range lines {
		if !t.At.After(r.upTo) {
			continue
		}
		if (t.Open || t.Outlasts) && !all {
			break
		}
		r.upTo = t.At
		end := load
		if i+1 < len(lines) {
			end = lines[i+1].At
		}
		for _, a := range r.acts { // those to the shop have no timeline
			if a.At.After(t.At) && a.At.Before(end) {
				end = a.At
			}
		}
		a := &act{FaultResult: drill.FaultResultOf(t), harm: scenario.Act{Verb: scenario.Verb(t.Fault.Verb)}.Harms()}
		a.AtLeast = a.AtLeast || t.Probed && t.Gap.Open // nobody looks at it any more
		a.FlowGapMs, a.FlowAtLeast = r.cfg.Meter.flowGap(t.At, end)
		r.acts = append(r.acts, a)
		r.status.over(a.FaultResult, a.harm)
	}
	r.cfg.Meter.forget(r.upTo)
}

// filed are the acts in the order of their times: those that took something away, and those that gave it back.
func (r *run) filed() (faults, recoveries []drill.FaultResult) {
	slices.SortStableFunc(r.acts, func(a, b *act) int { return a.At.Compare(b.At) })
	faults = []drill.FaultResult{}
	for _, a := range r.acts {
		if a.harm {
			faults = append(faults, a.FaultResult)
		} else {
			recoveries = append(recoveries, a.FaultResult)
		}
	}
	return faults, recoveries
}
