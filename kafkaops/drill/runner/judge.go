package runner

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"kassa/kafkaops"
	"kassa/kafkaops/drill"
	"kassa/kafkaops/drill/scenario"
)

// result is all that was seen, without a verdict.
func (r *run) result() *drill.Result {
	s := r.cfg.Scenario
	res := &drill.Result{
		Drill: s.Name, About: s.About, Verdict: drill.NoVerdict, Checks: []drill.Check{}, Seed: r.cfg.Seed, Simulated: r.cfg.Simulated,
		Settings: r.cfg.Settings, Versions: r.cfg.Versions, Again: r.cfg.Again, Begun: r.begun, Samples: r.samples.all,
	}
	if !r.begun.IsZero() {
		res.Seconds = time.Since(r.begun).Seconds()
	}
	res.Faults, res.Recoveries = r.filed()
	res.Ack, res.Flow = r.cfg.Meter.totals()
	f := r.cfg.Shop.Figures()
	res.Accepted, res.Refused, res.Unknown = f.Accepted, f.Refused, f.Unknown // until an audit says it
	res.Complete, res.InFlight = f.Complete, f.InFlight
	res.NotOffered = f.Shed - r.base.Shed
	return res
}

// interrupted is the result of a drill that was told to end.
func (r *run) interrupted() *drill.Result {
	res := r.result()
	res.Reasons = []string{"it was interrupted, and the log was not audited"}
	return res
}

// verdict audits the log and judges.
func (r *run) verdict(ctx context.Context) *drill.Result {
	res := r.result()
	r.status.stage("auditing the log")
	figures := r.cfg.Shop.Figures()
	ctx, cancel := context.WithTimeoutCause(ctx, auditWithin, fmt.Errorf("it took longer than %s", auditWithin))
	defer cancel()
	audit, err := r.cfg.Auditor.Audit(ctx, r.status.now)
	switch {
	case errors.Is(err, context.Canceled):
		res.Reasons = []string{"it was interrupted, and the audit of the log did not finish"}
		return res
	case err != nil:
		if errors.Is(err, context.DeadlineExceeded) && context.Cause(ctx) != nil {
			err = context.Cause(ctx)
		}
		j := judge{res: res, none: append(r.reasons, "the audit of the log could not finish: "+err.Error())}
		res.Checks = append(res.Checks, r.failed...)
		j.end()
		return res
	}
	res.Audited, res.Counts, res.Findings, res.MoreOf = true, audit.Counts, audit.Findings, audit.More
	j := judge{res: res, none: r.reasons}
	if audit.Doubt != "" {
		j.none = append(j.none, audit.Doubt)
	}
	j.counts(r.cfg.Scenario.Expect.CountsFor(r.cfg.Delivery()), figures.DeadLetters-r.base.DeadLetters)
	all := append(append([]drill.FaultResult(nil), res.Faults...), res.Recoveries...)
	j.gaps("write gap", r.cfg.Scenario.Expect.WriteGap, all, drill.WriteGap)
	j.gaps("flow gap", r.cfg.Scenario.Expect.FlowGap, all, drill.FlowGap)
	if res.NotOffered > 0 && r.cfg.Scenario.Expect.AckP99 > 0 {
		j.none = append(j.none, fmt.Sprintf("the load fell behind and left %d checkouts out: those would have waited longest", res.NotOffered))
	}
	j.latency("acknowledgement p99", r.cfg.Scenario.Expect.AckP99, res.Ack)
	j.latency("payment to email p99", r.cfg.Scenario.Expect.FlowP99, res.Flow)
	res.Checks = append(res.Checks, r.failed...)
	j.end()
	return res
}

// judge holds a result against what is expected.
type judge struct {
	res  *drill.Result
	none []string // why there can be no pass, though nothing is against it
}

func (j *judge) check(ok bool, what, saw string) {
	j.res.Checks = append(j.res.Checks, drill.Check{What: what, OK: ok, Saw: saw})
}

// counts judges what the audit counted, and the dead letters, which are counted by the services: poison is no checkout's.
func (j *judge) counts(rules []scenario.CountRule, deadLetters int64) {
	c := j.res.Counts
	saw := map[string]struct {
		n    int64
		name string
	}{
		"lost": {c.Lost, "lost"}, "duplicated": {c.Duplicated, "duplicated"}, "repeated": {c.Repeated, "repeated"},
		"in-flight": {c.InFlight, "in flight"}, "dead-letters": {deadLetters, "dead letters"},
		"without-cause": {c.WithoutCause, "without a cause"}, "changed-amount": {c.ChangedAmount, "with a changed amount"},
		"out-of-order": {c.OutOfOrder, "out of order"}, "accepted": {c.Accepted, "accepted"}, "refused": {c.Refused, "refused"},
		"unknown": {c.Unknown, "unknown"}, "indeterminate": {c.Indeterminate, "indeterminate"}, "mailed-twice": {c.MailedTwice, "mailed twice"},
	}
	for _, rule := range rules {
		got := saw[rule.Name]
		j.check(rule.Holds(got.n), got.name+" "+rule.String(), fmt.Sprintf("%d %s", got.n, got.name))
	}
}

// gaps judges one kind of gap. A flow gap is told until the next act, whose own begins where it did; a write gap that was not over when measuring ended is only
// known to be at least so long.
func (j *judge) gaps(what string, rules []scenario.GapRule, all []drill.FaultResult, gap drill.GapOf) {
	writes := what == "write gap"
	for _, rule := range rules {
		of, name := all, what
		if rule.Kind != "any" {
			of = slices.DeleteFunc(slices.Clone(all), func(f drill.FaultResult) bool { return f.Kind != rule.Kind })
			name += " of " + rule.Kind
		}
		s := drill.SumGaps(rule.Kind, of, gap)
		if s.N+s.NotOver == 0 {
			if rule.Kind == "any" && writes {
				of = slices.DeleteFunc(slices.Clone(of), noneOfBrokers) // a write gap is not expected of a service
			}
			if len(of) > 0 {
				j.none = append(j.none, fmt.Sprintf("the %s was not measured, of %d", name, len(of)))
			}
			continue
		}
		if rule.Median > 0 {
			j.median("median "+name, rule.Median, of, gap)
		}
		if rule.Worst > 0 {
			j.worst(name, rule.Worst, s, writes)
		}
	}
}

// noneOfBrokers says that an act was to a service or to a topic.
func noneOfBrokers(f drill.FaultResult) bool { return f.Node == 0 && f.Kind != string(kafkaops.Elect) }

// worst judges the longest gap; strict that one that was not over makes a pass impossible.
func (j *judge) worst(name string, limit time.Duration, s drill.GapSummary, strict bool) {
	worst, at := s.Worst, ""
	if s.AtLeast > worst {
		worst, at = s.AtLeast, "at least "
	}
	if strict && s.NotOver > 0 && worst <= drill.Ms(limit) {
		j.none = append(j.none, fmt.Sprintf("it is not known whether the %s is ≤ %s: %d of %d were not over when measuring ended, the longest at least %s",
			name, limit, s.NotOver, s.N+s.NotOver, millis(s.AtLeast)))
		return
	}
	j.check(worst <= drill.Ms(limit), fmt.Sprintf("%s ≤ %s", name, limit), at+millis(worst))
}

// median judges the gap in the middle. One that was not over may be of any length from the known one on.
func (j *judge) median(name string, limit time.Duration, of []drill.FaultResult, gap drill.GapOf) {
	var least, most []float64
	open := 0
	for _, f := range of {
		ms, atLeast := gap(f)
		if ms == nil || f.Err != "" {
			continue
		}
		least = append(least, *ms)
		if atLeast {
			open++
			most = append(most, math.Inf(1))
		} else {
			most = append(most, *ms)
		}
	}
	slices.Sort(least)
	slices.Sort(most)
	low, high, what := drill.Median(least), drill.Median(most), fmt.Sprintf("%s ≤ %s", name, limit)
	switch {
	case low > drill.Ms(limit) && low < high:
		j.check(false, what, fmt.Sprintf("at least %s of %d", millis(low), len(least)))
	case low > drill.Ms(limit), high <= drill.Ms(limit):
		j.check(high <= drill.Ms(limit), what, fmt.Sprintf("%s of %d", millis(high), len(least)))
	default:
		j.none = append(j.none, fmt.Sprintf("it is not known whether the %s: %d of %d were not over", what, open, len(least)))
	}
}

func (j *judge) latency(what string, limit time.Duration, p drill.Percentiles) {
	if limit == 0 {
		return
	}
	if p.N == 0 {
		j.none = append(j.none, "nothing was measured of "+what)
		return
	}
	j.check(p.P99 <= drill.Ms(limit), fmt.Sprintf("%s ≤ %s", what, limit), millis(p.P99))
}

// end gives the verdict. What is bad is bad, also where not all could be done; a pass needs all.
func (j *judge) end() {
	for _, c := range j.res.Checks {
		if !c.OK {
			j.res.Reasons = append(j.res.Reasons, fmt.Sprintf("expected %s, and saw %s", c.What, c.Saw))
		}
	}
	bad := len(j.res.Reasons) > 0
	j.res.Reasons = append(j.res.Reasons, j.none...)
	switch {
	case bad:
		j.res.Verdict = drill.Fail
	case len(j.none) > 0:
		j.res.Verdict = drill.NoVerdict
	default:
		j.res.Verdict = drill.Pass
	}
}

func millis(ms float64) string { return fmt.Sprintf("%.0f ms", ms) }
