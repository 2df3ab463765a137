package report

import (
	"fmt"
	"time"

	"kassa/kafkaops/drill"
)

// charts are what changed over the time of a drill, one below the other on the same axis of time.
func charts(id string, r *drill.Result) []*chart {
	marks := faultMarks(r)
	rate := func(v float64) string { return count(int64(v)) + "/s" }
	size := func(v float64) string { return count(int64(v)) + " MB" }
	known := func(v float64) *float64 {
		if v > 0 {
			return &v
		}
		return nil
	}
	draw := func(name, title string, unit func(float64) string, linear bool, all ...series) *chart {
		f := frame{id: id + "-" + name, title: title, unit: unit, linear: linear, seconds: r.Seconds, faults: marks}
		return plot(f, r.Samples, all...)
	}

	each := func(value func(i int, s drill.Sample) *float64) []*float64 {
		out := make([]*float64, len(r.Samples))
		for i, s := range r.Samples {
			out[i] = value(i, s)
		}
		return out
	}
	perSecond := func(n int64, i int) *float64 { v := float64(n) / width(r.Samples, i); return &v }
	acked := each(func(_ int, s drill.Sample) *float64 { return s.AckP50 })
	flowed := each(func(_ int, s drill.Sample) *float64 { return s.FlowP50 })

	acks := draw("ack", "Write latency: from when a checkout was due to its acknowledgement", millisTick, false,
		series{"worse", "p99", each(func(_ int, s drill.Sample) *float64 { return s.AckP99 }), largest}, series{"usual", "p50", acked, middle})
	flow := draw("flow", "End-to-end latency: from the payment's timestamp to the email's", millisTick, false,
		series{"worse", "p99", each(func(_ int, s drill.Sample) *float64 { return s.FlowP99 }), largest}, series{"usual", "p50", flowed, middle})
	through := draw("throughput", "Throughput: checkouts a second", rate, true,
		series{"worse", "accepted", each(func(i int, s drill.Sample) *float64 { return perSecond(s.Accepted, i) }), mean},
		series{"usual", "complete", each(func(i int, s drill.Sample) *float64 { return perSecond(s.Complete, i) }), mean})
	memory := draw("memory", "Memory of this process", size, true,
		series{"worse", "RSS", each(func(_ int, s drill.Sample) *float64 { return known(s.RSSMB) }), largest},
		series{"usual", "heap", each(func(_ int, s drill.Sample) *float64 { return known(s.HeapMB) }), largest})

	var out []*chart
	latency := func(c *chart, what string, happened []*float64, sum drill.Percentiles) {
		if c == nil {
			return
		}
		n := c.still(r.Samples, r.Seconds, "nothing "+what, happened)
		if c.Note != "" {
			c.Note += " p50 is the median of these seconds', p99 the worst."
		}
		c.Desc = fmt.Sprintf("p50 and p99 over time in ms%s. Over the whole drill %s. In %d of %s nothing was %s. %s.",
			logText(c.Log), percentileText(sum), n, plural(len(r.Samples), "sample"), what, marksText(len(marks)))
		out = append(out, c)
	}
	latency(acks, "acknowledged", acked, r.Ack)
	latency(flow, "completed", flowed, r.Flow)
	if through != nil {
		if through.Note != "" {
			through.Note += " It is the mean of these seconds."
		}
		through.Desc = fmt.Sprintf("Checkouts accepted and complete a second, over time. %s.", marksText(len(marks)))
		out = append(out, through)
	}
	if memory != nil {
		if memory.Note != "" {
			memory.Note += " It is the most of these seconds."
		}
		memory.Desc = fmt.Sprintf("Go heap and resident memory of the process that ran the drill, in MB. %s.", marksText(len(marks)))
		out = append(out, memory)
	}
	return out
}

func logText(log bool) string {
	if log {
		return ", on a logarithmic scale"
	}
	return ""
}

func percentileText(p drill.Percentiles) string {
	if p.N == 0 {
		return "there are none"
	}
	return fmt.Sprintf("p50 is %s, p99 %s and the longest %s", millis(p.P50), millis(p.P99), millis(p.Max))
}

func marksText(n int) string {
	if n == 0 {
		return "No fault is marked"
	}
	return plural(n, "fault") + " marked along the top"
}

// millisTick labels an axis of ms.
func millisTick(v float64) string {
	switch {
	case v == 0:
		return "0"
	case v >= 1000:
		return fmt.Sprintf("%g s", v/1000)
	}
	return fmt.Sprintf("%g ms", v)
}

// faultMarks are the faults on the axis of time, numbered where the numbers do not collide.
func faultMarks(r *drill.Result) []mark {
	const apart = 0.026 // of the width; a number of three digits is so wide on a page
	x := timeScale(r.Seconds)
	var out []mark
	labelled := -1.0
	for _, f := range acts(r) {
		at, ok := since(r, f.FaultResult)
		if !ok || f.recovery {
			continue
		}
		m := mark{X: x.pct(at.Seconds()), Title: markTitle(f, at)}
		if p := x.at(at.Seconds()); len(r.Faults) <= denseFrom && (labelled < 0 || p-labelled >= apart) {
			m.Label, labelled = fmt.Sprint(f.n), p
		}
		out = append(out, m)
	}
	return out
}

func markTitle(f acted, at time.Duration) string {
	return fmt.Sprintf("%s, %s: %s", f.name(), after(at), faultText(f.FaultResult))
}

// since is when in its drill a fault was; not ok where that is not known.
func since(r *drill.Result, f *drill.FaultResult) (time.Duration, bool) {
	if f.At.IsZero() || r.Begun.IsZero() {
		return 0, false
	}
	at := f.At.Sub(r.Begun)
	return at, at >= 0 && at.Seconds() <= r.Seconds+1
}
