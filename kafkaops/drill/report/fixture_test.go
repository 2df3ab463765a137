package report

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"kassa/kafkaops/drill"
	"kassa/kafkaops/drill/compare"
	"kassa/kafkaops/drill/scenario"
)

// What these results say was made up for the tests; no drill ran.

var fixtureBegun = time.Date(2026, 11, 25, 17, 30, 0, 0, time.UTC)

func ptr(v float64) *float64 { return &v }

// fixture is a drill of so many kills, a fault every so many seconds.
func fixture(name string, faults int, every float64) *drill.Result {
	rng := rand.New(rand.NewPCG(42, uint64(faults)))
	r := &drill.Result{
		Drill: name, About: "The leader of order-successful/0 is killed, and comes back ten seconds later.", Verdict: drill.Pass, Audited: true,
		Begun: fixtureBegun, Seconds: 10 + float64(faults)*every, Seed: 8128,
		Again:    "kassa drill " + name + " --seed 8128 --rate 200",
		Settings: []drill.NamedValue{{Name: "cluster", Value: "local, 3 brokers"}, {Name: "profile", Value: "fast-failover"}, {Name: "delivery", Value: "exactly-once"}, {Name: "acks", Value: "all"}, {Name: "min.insync.replicas", Value: "2"}, {Name: "rate", Value: "200/s"}},
		Versions: []drill.NamedValue{{Name: "kassa", Value: "0.1.0-dev"}, {Name: "Kafka", Value: "4.3.1"}, {Name: "franz-go", Value: "1.22.2"}, {Name: "Java", Value: "17.0.13"}, {Name: "Go", Value: "1.26.8"}},
	}
	kinds := []struct {
		kind       string
		controller bool
		gap        float64
	}{{"kill", false, 1060}, {"kill", true, 1510}, {"stop", false, 240}, {"pause", false, 1550}, {"restart", false, 310}, {"pause", true, 3100}}
	stalls := map[int]float64{}
	for i := range faults {
		k := kinds[i%len(kinds)]
		node := int32(rng.IntN(3) + 1)
		at := 8 + float64(i)*every
		gap := k.gap * (0.9 + 0.35*rng.Float64())
		f := drill.FaultResult{Kind: k.kind, Target: "random", Node: node, Controller: k.controller, At: fixtureBegun.Add(time.Duration(at * float64(time.Second))), Phases: map[string]float64{}}
		if k.controller {
			f.Target = "controller"
			f.Phases[string(drill.ControllerElected)] = 348 * (0.8 + 0.5*rng.Float64())
		}
		if i%len(kinds) == 0 {
			f.Target = "leader of order-successful/0"
		}
		f.WriteGapMs, f.AllGapMs = ptr(gap), ptr(gap*0.8)
		f.FlowGapMs = ptr(gap + 310 + 200*rng.Float64())
		f.Phases[string(drill.ClientSaw)] = 12 + 20*rng.Float64()
		f.Phases[string(drill.LeadersMoved)] = gap * 0.93
		f.Phases[string(drill.ISRShrank)] = gap * 0.93
		if gap >= 100 {
			f.Phases[string(drill.AcksResumed)] = gap + 4
		}
		f.Phases[string(drill.FlowResumed)] = gap + 300 + 200*rng.Float64()
		if k.kind == "restart" {
			f.Phases[string(drill.BrokerBack)], f.Phases[string(drill.ISRFull)], f.Phases[string(drill.PreferredBack)] = 3400, 5200, 11800
		}
		if i == 5 {
			f.AtLeast = true
			delete(f.Phases, string(drill.AcksResumed))
		}
		if k.kind == "kill" {
			r.Recoveries = append(r.Recoveries, drill.FaultResult{
				Kind: "start", Target: fmt.Sprintf("broker %d", node), Node: node, At: f.At.Add(5 * time.Second), WriteGapMs: ptr(31 + 20*rng.Float64()),
				Phases: map[string]float64{string(drill.BrokerBack): 2100 + 300*rng.Float64(), string(drill.ISRFull): 3300 + 300*rng.Float64()},
			})
		}
		for s := int(at); s < int(at+gap/1000); s++ {
			stalls[s+1] = gap
		}
		stalls[int(at+gap/1000)+1] = -gap
		r.Faults = append(r.Faults, f)
	}
	for s := range int(r.Seconds) {
		one := drill.Sample{At: float64(s + 1), HeapMB: 21 + 6*rng.Float64(), RSSMB: 88 + 9*(1-math.Exp(-float64(s)/40)) + rng.Float64()}
		switch gap := stalls[s+1]; {
		case s < 1:
		case gap > 0:
		case gap < 0:
			one.Accepted, one.Complete = 380, 360
			one.AckP50, one.AckP99 = ptr(-gap*0.4), ptr(-gap)
			one.FlowP50, one.FlowP99 = ptr(-gap*0.6), ptr(-gap*1.3)
		default:
			one.Accepted, one.Complete = 200, int64(197+rng.IntN(6))
			one.AckP50, one.AckP99 = ptr(4+2*rng.Float64()), ptr(14+20*rng.Float64())
			one.FlowP50, one.FlowP99 = ptr(170+20*rng.Float64()), ptr(240+60*rng.Float64())
		}
		r.Accepted, r.Complete = r.Accepted+one.Accepted, r.Complete+one.Accepted
		r.Samples = append(r.Samples, one)
	}
	r.Unknown, r.Indeterminate = 12, 5
	r.Complete += 7
	r.Ack = drill.Percentiles{N: r.Accepted, P50: 4.8, P90: 11.2, P99: 1104, P999: 1498, Max: 1533}
	r.Flow = drill.Percentiles{N: r.Complete, P50: 181, P90: 240, P99: 1590, P999: 2010, Max: 2044}
	r.Checks = []drill.Check{{What: "lost = 0", OK: true, Saw: "0 lost"}, {What: "duplicated = 0", OK: true, Saw: "0 duplicated"}, {What: "write gap of kill ≤ 2,000 ms", OK: true, Saw: "1,498 ms", Fault: 1}}
	return r
}

// lossy is a drill that lost what it had acknowledged.
func lossy() *drill.Result {
	r := fixture("leader-kill", 3, 15)
	r.Verdict, r.Reasons = drill.Fail, []string{"3 acknowledged checkouts are not in the log."}
	r.Lost, r.Complete = 3, r.Complete-3
	r.Settings[3].Value = "1"
	r.Checks[0] = drill.Check{What: "lost = 0", Saw: "3 lost"}
	for i := range 3 {
		r.Findings = append(r.Findings, drill.Finding{
			Kind: "lost", Checkout: fmt.Sprintf("7f3a1c0e-5b1d-4c55-9a53-3f0c2b7d11e%d", i),
			Detail: "acknowledged at 17:30:08.012 for payment-successful/0@4711, and no record of it is in the log", Where: []string{fmt.Sprintf("payment-successful/0@%d", 4711+i)},
		})
	}
	r.MoreOf = 2
	return r
}

// comparison is of acks=1, which loses, against acks=all, which does not.
func comparison(t *testing.T) *compare.Comparison {
	t.Helper()
	sides := [2]compare.Side{
		{Name: "profile=stock,acks=1", Set: scenario.Settings{Profile: "stock", Acks: "1", MinISR: 2, Delivery: "exactly-once"}},
		{Name: "acks=all", Set: scenario.Settings{Profile: "fast-failover", Acks: "all", MinISR: 2, Delivery: "exactly-once"}},
	}
	c, err := compare.Run(t.Context(), sides, 2, 8128, func(_ context.Context, turn compare.Turn) (*drill.Result, error) {
		if turn.Side == 1 {
			return fixture("leader-kill", 2+turn.N, 15), nil
		}
		r := lossy()
		r.Verdict, r.Reasons, r.Checks = drill.Pass, nil, nil
		for i := range r.Faults {
			*r.Faults[i].WriteGapMs *= 7
		}
		return r, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	c.Again = "kassa compare profile=stock,acks=1 acks=all --runs 2 -- drill leader-kill --seed 8128"
	return c
}

// hostile is a result whose texts try to be more than text.
func hostile() *drill.Result {
	const evil = "</title></style><script>alert(1)</script>\"' onload=x \x1b[31m\u202egnp.exe\x00\xff ]]> {{.}} &amp; <!--"
	r := fixture("hostile", 2, 10)
	r.Drill, r.About, r.Again, r.Reasons, r.Verdict = evil, evil, evil, []string{evil}, drill.Fail
	r.Settings = append(r.Settings, drill.NamedValue{Name: evil, Value: evil})
	r.Versions = append(r.Versions, drill.NamedValue{Name: evil, Value: evil})
	r.Checks = append(r.Checks, drill.Check{What: evil, Saw: evil})
	r.Findings = []drill.Finding{{Kind: evil, Checkout: evil, Detail: evil, Where: []string{evil}}}
	r.Faults[0].Kind, r.Faults[0].Target, r.Faults[0].Err = evil, evil, evil
	r.Faults[0].Phases[evil] = 12
	return r
}
