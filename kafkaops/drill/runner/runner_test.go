package runner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"kassa/kafkaops"
	"kassa/kafkaops/drill"
	"kassa/kafkaops/drill/scenario"
)

func parse(t *testing.T, text string) *scenario.Scenario {
	t.Helper()
	s, err := scenario.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func config(w *world, s *scenario.Scenario) Config {
	return Config{Scenario: s, Seed: 1, Delivery: func() string { return "exactly-once" }, Cluster: w, Shop: w, Auditor: w.audit(drill.Counts{}), Meter: w.meter, WarmUp: 2 * time.Second}
}

// carry runs a drill in a bubble, where minutes take milliseconds.
func carry(t *testing.T, text string, with func(w *world, cfg *Config), then func(w *world, r *drill.Result, err error)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		defer w.close()
		cfg := config(w, parse(t, text))
		if with != nil {
			with(w, &cfg)
		}
		r, err := Run(t.Context(), cfg)
		then(w, r, err)
	})
}

const leaderKill = `
name: leader-kill
load: {rate: 200}
steps:
- at: 3s
  kill: leader of payment-successful/0
- after: writes go on
  wait: 2s
  start: same
- after: ISR full
  elect: preferred
- after: settled
expect:
  write-gap: {kill: {median: 1600ms, worst: 2s}}
  flow-gap: 2s
`

func TestALeaderIsKilledAndTheDrillPasses(t *testing.T) {
	carry(t, leaderKill, nil, func(w *world, r *drill.Result, err error) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Verdict != drill.Pass {
			t.Errorf("the verdict is %s: %q", r.Verdict, r.Reasons)
		}
		want := []string{"kill -9 broker 1, leader of payment-successful/0", "start broker 1", "elect preferred leaders"}
		if got := w.saw(); !slices.Equal(got, want) {
			t.Errorf("it did %q, want %q", got, want)
		}
		if len(r.Faults) != 1 || len(r.Recoveries) != 2 {
			t.Fatalf("faults %+v\nrecoveries %+v", r.Faults, r.Recoveries)
		}
		f := r.Faults[0]
		if f.Kind != "kill" || f.Node != 1 || f.Target != "leader of payment-successful/0" ||
			f.At.Sub(r.Begun) < 3*time.Second || f.At.Sub(r.Begun) > 3100*time.Millisecond {
			t.Errorf("%+v, %s after the begin", f, f.At.Sub(r.Begun))
		}
		if f.WriteGapMs == nil || *f.WriteGapMs < 1400 || *f.WriteGapMs > 1600 || f.FlowGapMs == nil || *f.FlowGapMs < 1400 || *f.FlowGapMs > 1600 {
			t.Errorf("its gaps: %v, %v", f.WriteGapMs, f.FlowGapMs)
		}
		// Writes go on 1.5 s after the kill, which is believed a second later; then it waits 2 s, and a broker takes 2 s to come up.
		if d := r.Recoveries[0].At.Sub(f.At); d < 4400*time.Millisecond || d > 4700*time.Millisecond {
			t.Errorf("the broker was started %s after it was killed", d)
		}
		if r.Ack.N == 0 || r.Ack.Max < 1400 || r.Ack.P50 > 20 || r.Flow.N == 0 {
			t.Errorf("latencies %+v %+v", r.Ack, r.Flow)
		}
		var accepted int64
		for _, s := range r.Samples {
			accepted += s.Accepted
		}
		if n := len(r.Samples); n < 8 || n > 20 || accepted == 0 || r.Samples[0].At < 0.99 || r.Samples[0].At > 1.01 {
			t.Errorf("%d samples of %d orders, the first at %v", n, accepted, r.Samples[0].At)
		}
		if w.figures.Offered != w.figures.Accepted || w.on {
			t.Errorf("at the end %+v", w.figures)
		}
		for _, what := range []string{"lost = 0", "repeated = 0", "in flight = 0", "median write gap of kill ≤ 1.6s", "write gap of kill ≤ 2s", "flow gap ≤ 2s"} {
			if !slices.ContainsFunc(r.Checks, func(c drill.Check) bool { return c.What == what && c.OK }) {
				t.Errorf("%q was not checked: %+v", what, r.Checks)
			}
		}
	})
}

func TestWhatIsNotAsExpectedFails(t *testing.T) {
	for name, c := range map[string]struct {
		text  string
		with  func(w *world, cfg *Config)
		wants string
	}{
		"lost": {leaderKill, func(w *world, cfg *Config) { cfg.Auditor = w.audit(drill.Counts{Lost: 2}) }, "expected lost = 0, and saw 2 lost"},
		"repeated under exactly-once": {leaderKill, func(w *world, cfg *Config) {
			cfg.Auditor = w.audit(drill.Counts{Repeated: 1})
		}, "expected repeated = 0, and saw 1 repeated"},
		"a long gap":     {leaderKill, func(w *world, _ *Config) { w.failover = 5 * time.Second }, "expected write gap of kill ≤ 2s, and saw 5"},
		"left in flight": {leaderKill, func(w *world, _ *Config) { w.holdBack = 3 }, "expected in flight = 0, and saw 3 in flight"},
		"an event that does not come": {
			"name: a\nsteps:\n- kill: random\n- after: quorum lost\n  within: 5s\n",
			nil, `step 2 (line 4): quorum lost after kill -9 broker `,
		},
		"gaps that are not over, and longer by now": {
			"name: a\nsteps:\n- kill: broker 2\n- wait: 100ms\n- kill: broker 3\n- wait: 100ms\nexpect: {write-gap: {kill: {median: 2s}}}\n",
			func(w *world, _ *Config) { w.failover = time.Hour }, "expected median write gap of kill ≤ 2s, and saw at least ",
		},
		"a stall that outlasts its act": {
			twoAway + "expect: {write-gap: 30s}\n", nil, "expected write gap ≤ 30s, and saw 63",
		},
		"a stall that outlasts its act, by its kind": {
			twoAway + "expect: {write-gap: {kill: 30s}}\n", nil, "expected write gap of kill ≤ 30s, and saw 63",
		},
		"a broker that never comes back": {
			"name: a\nsteps:\n- kill: random\n", func(w *world, _ *Config) { w.neverBack = true },
			"expected all is whole again 1m30s after the last step, and saw 2 of 3 brokers are up",
		},
		"fewer dead letters": {"name: a\nsteps:\n- poison: not JSON\nexpect: {dead-letters: 2}\n", nil, "expected dead letters = 2, and saw 1 dead letters"},
	} {
		t.Run(name, func(t *testing.T) {
			carry(t, c.text, c.with, func(_ *world, r *drill.Result, err error) {
				if err != nil {
					t.Fatal(err)
				}
				if r.Verdict != drill.Fail || !strings.Contains(strings.Join(r.Reasons, "; "), c.wants) {
					t.Errorf("the verdict is %s because of %q, want %q", r.Verdict, r.Reasons, c.wants)
				}
			})
		})
	}
}

const twoAway = "name: a\nsteps:\n- kill: broker 2\n- wait: 1s\n  kill: broker 3\n- wait: 60s\n  start: all\n- after: settled\n"

// Writes that stop belong to the act that they stopped with, and are measured until they go on; what is done meanwhile has no gap of its own.
func TestAStallIsMeasuredToItsEnd(t *testing.T) {
	carry(t, twoAway, nil, func(_ *world, r *drill.Result, err error) {
		if err != nil || r.Verdict != drill.Pass || len(r.Faults) != 2 || len(r.Recoveries) != 2 {
			t.Fatal(err, r.Verdict, r.Reasons, r.Faults, r.Recoveries)
		}
		if f := r.Faults[0]; f.WriteGapMs == nil || *f.WriteGapMs < 62_900 || *f.WriteGapMs > 63_200 || f.AtLeast || f.Stalled {
			t.Errorf("the first: %+v", f)
		}
		for _, f := range append(r.Faults[1:], r.Recoveries...) {
			if f.WriteGapMs != nil || !f.Stalled {
				t.Errorf("what came meanwhile: %+v", f)
			}
		}
		if resumed := r.Recoveries[1].Phases[string(drill.AcksResumed)]; resumed < 1900 || resumed > 2100 {
			t.Errorf("acks resumed %v ms after the start", resumed)
		}
	})
}

// What nobody measured cannot be within a limit; what it is known to be may be beyond it.
func TestGapsThatWereNotOver(t *testing.T) {
	gap := func(ms float64, atLeast bool) drill.FaultResult {
		return drill.FaultResult{Kind: "kill", Node: 1, WriteGapMs: &ms, AtLeast: atLeast}
	}
	over, open := func(ms float64) drill.FaultResult { return gap(ms, false) }, func(ms float64) drill.FaultResult { return gap(ms, true) }
	for _, c := range []struct {
		gaps []drill.FaultResult
		rule scenario.GapRule
		want drill.Verdict
	}{
		{[]drill.FaultResult{over(900), over(1100)}, scenario.GapRule{Kind: "any", Worst: time.Second}, drill.Fail},
		{[]drill.FaultResult{over(900), open(500)}, scenario.GapRule{Kind: "any", Worst: time.Second}, drill.NoVerdict},
		{[]drill.FaultResult{over(900), open(1500)}, scenario.GapRule{Kind: "any", Worst: time.Second}, drill.Fail},
		{[]drill.FaultResult{over(900), over(900), open(500)}, scenario.GapRule{Kind: "kill", Median: time.Second}, drill.Pass},
		{[]drill.FaultResult{over(900), open(500), open(500)}, scenario.GapRule{Kind: "kill", Median: time.Second}, drill.NoVerdict},
		{[]drill.FaultResult{over(900), open(60_000), open(60_000)}, scenario.GapRule{Kind: "kill", Median: time.Second}, drill.Fail},
		{[]drill.FaultResult{open(500)}, scenario.GapRule{Kind: "kill", Median: time.Second}, drill.NoVerdict},
		{[]drill.FaultResult{{Kind: "crash"}}, scenario.GapRule{Kind: "any", Worst: time.Second}, drill.Pass}, // no broker was touched
		{[]drill.FaultResult{{Kind: "kill", Node: 1}}, scenario.GapRule{Kind: "any", Worst: time.Second}, drill.NoVerdict},
	} {
		j := judge{res: &drill.Result{}}
		j.gaps("write gap", []scenario.GapRule{c.rule}, c.gaps, drill.WriteGap)
		if j.end(); j.res.Verdict != c.want {
			t.Errorf("%+v of %d: %s %q, want %s", c.rule, len(c.gaps), j.res.Verdict, j.res.Reasons, c.want)
		}
	}
}

// The flow gap of an act to a broker ends where one to a service begins.
func TestAFlowGapEndsWithTheNextAct(t *testing.T) {
	at := func(ms int) time.Time { return time.Unix(1000, 0).Add(time.Duration(ms) * time.Millisecond) }
	w := &world{meter: NewMeter(), lines: []drill.Timeline{{Fault: kafkaops.Fault{Verb: kafkaops.Elect}, At: at(100)}}}
	for ms := 0; ms <= 2000; ms += 100 {
		w.meter.Completed(at(ms), at(ms), at(ms))
	}
	w.meter.Completed(at(9000), at(9000), at(9000))
	r := &run{cfg: Config{Cluster: w, Meter: w.meter}, quiet: at(9100), acts: []*act{{FaultResult: drill.FaultResult{Kind: "crash", At: at(2050)}}}}
	r.file(at(9200), true)
	if gap := r.acts[1].FlowGapMs; gap == nil || *gap > 150 {
		t.Errorf("the flow gap of the election is %v ms, and the crash came before the silence", *gap)
	}
}

// Orders that still go through are waited for, however many wait.
func TestABacklogIsWaitedFor(t *testing.T) {
	carry(t, "name: a\nload: {rate: 1000, duration: 30s}\n", func(w *world, _ *Config) { w.slow = true }, func(w *world, r *drill.Result, err error) {
		if took := time.Since(r.Begun); err != nil || r.Verdict != drill.Pass || took < 4*time.Minute {
			t.Errorf("%v, after %s the verdict is %s: %q", err, took, r.Verdict, r.Reasons)
		}
	})
}

// No verdict is better than a wrong one.
func TestWhatCouldNotBeDoneHasNoVerdict(t *testing.T) {
	for name, c := range map[string]struct {
		text  string
		with  func(w *world, cfg *Config)
		wants string
	}{
		"an audit that cannot finish": {leaderKill, func(w *world, cfg *Config) {
			cfg.Auditor = auditor{world: w, err: errors.New("partition 2 has no leader")}
		}, "the audit of the log could not finish: partition 2 has no leader"},
		"an audit that is in doubt": {leaderKill, func(w *world, cfg *Config) {
			cfg.Auditor = auditor{world: w, doubt: "the topics have forgotten"}
		}, "the topics have forgotten"},
		"a fault that is refused": {leaderKill, func(w *world, _ *Config) {
			w.failDo = &kafkaops.RefusedError{Reason: "it is busy"}
		}, "step 1 (line 5), kill: leader of payment-successful/0, could not be done: "},
		"an act that fails": {
			"name: a\nsteps:\n- oversize: order-successful\n", nil,
			"step 1 (line 3), oversize: order-successful, could not be done: the topic takes no such thing",
		},
		"a latency of which the worst are left out": {
			"name: a\nload: {duration: 5s}\nexpect: {ack-p99: 1s}\n",
			func(w *world, _ *Config) {
				time.AfterFunc(5*time.Second, func() { w.mu.Lock(); w.figures.Shed = 7; w.mu.Unlock() })
			},
			"the load fell behind and left 7 checkouts out",
		},
		"a crash of what is stopped": {
			"name: a\nsteps:\n- stop: order\n- crash: order\n", nil, "order is stopped: there is nothing that could crash",
		},
		"a gap that was not measured": {
			"name: a\nsteps:\n- crash: order\n- after: settled\nexpect: {write-gap: {crash: 2s}}\n",
			nil, "the write gap of crash was not measured, of 1",
		},
	} {
		t.Run(name, func(t *testing.T) {
			carry(t, c.text, c.with, func(_ *world, r *drill.Result, err error) {
				if err != nil {
					t.Fatal(err)
				}
				if r.Verdict != drill.NoVerdict || !strings.Contains(strings.Join(r.Reasons, "; "), c.wants) {
					t.Errorf("the verdict is %s because of %q, want %q", r.Verdict, r.Reasons, c.wants)
				}
			})
		})
	}
}

func TestAnElectionThatComesTooEarlyIsTriedAgain(t *testing.T) {
	for fails, want := range map[int]drill.Verdict{electTries - 1: drill.Pass, electTries: drill.NoVerdict} {
		carry(t, leaderKill, func(w *world, _ *Config) { w.failElect = fails }, func(_ *world, r *drill.Result, err error) {
			if err != nil || r.Verdict != want {
				t.Errorf("after %d failures: %v, %s %q", fails, err, r.Verdict, r.Reasons)
			}
		})
	}
}

func TestALossCountsThoughAStepCouldNotBeDone(t *testing.T) {
	carry(t, leaderKill, func(w *world, cfg *Config) {
		w.failDo = &kafkaops.RefusedError{Reason: "it is busy"}
		cfg.Auditor = w.audit(drill.Counts{Lost: 1})
	}, func(_ *world, r *drill.Result, _ error) {
		if r.Verdict != drill.Fail || len(r.Findings) != 1 {
			t.Errorf("%s %q %+v", r.Verdict, r.Reasons, r.Findings)
		}
	})
}

func TestAServiceThatCrashedIsWaitedFor(t *testing.T) {
	carry(t, "name: a\nsteps:\n- at: 1s\n  crash: order\n- after: settled\n  crash: email\n- after: services run\n", nil, func(w *world, r *drill.Result, err error) {
		if err != nil || r.Verdict != drill.Pass {
			t.Fatal(err, r.Verdict, r.Reasons)
		}
		if len(r.Faults) != 2 || r.Faults[0].Target != "order" || r.Faults[0].Kind != "crash" || r.Faults[0].WriteGapMs != nil {
			t.Fatalf("%+v", r.Faults)
		}
		for _, f := range r.Faults {
			if back, ok := f.Phases[string(ServiceBack)]; !ok || back < 490 || back > 530 {
				t.Errorf("%s was back after %v ms", f.Target, back)
			}
			if _, ok := f.Phases[string(drill.FlowResumed)]; !ok {
				t.Errorf("the flow was not seen to go on: %+v", f)
			}
		}
		if d := r.Faults[1].At.Sub(r.Faults[0].At); d < 2*time.Second {
			t.Errorf("the second crash came %s after the first, before all was settled", d)
		}
	})
}

// A service that is stopped while it waits to be started again is not waited for.
func TestAServiceThatCrashedAndWasStoppedRuns(t *testing.T) {
	carry(t, "name: a\nsteps:\n- at: 1s\n  crash: order\n- stop: order\n- start: order\n- after: services run\n", nil, func(_ *world, r *drill.Result, err error) {
		if err != nil || r.Verdict != drill.Pass {
			t.Fatal(err, r.Verdict, r.Reasons)
		}
	})
}

// What is bad is bad, also where the log could not be read.
func TestAFailedStepCountsThoughTheAuditFailed(t *testing.T) {
	carry(t, "name: a\nsteps:\n- kill: broker 2\n", func(w *world, cfg *Config) {
		w.neverBack = true
		cfg.Auditor = auditor{world: w, err: errors.New("partition 2 has no leader")}
	}, func(_ *world, r *drill.Result, _ error) {
		if reasons := strings.Join(r.Reasons, "; "); r.Verdict != drill.Fail || !strings.Contains(reasons, "all is whole again") || !strings.Contains(reasons, "partition 2 has no leader") {
			t.Errorf("%s %q", r.Verdict, r.Reasons)
		}
	})
}

func TestAfterAnInterruptNothingIsJudged(t *testing.T) {
	for _, heal := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld()
			defer w.close()
			w.failover = time.Hour
			cfg := config(w, parse(t, "name: a\nsteps:\n- pause: random\n- wait: 1h\n"))
			cfg.Heal = heal
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(10*time.Second, cancel)
			begun := time.Now()
			r, err := Run(ctx, cfg)
			if err != nil {
				t.Fatal(err)
			}
			if took := time.Since(begun); took > 11*time.Second {
				t.Errorf("it ended %s after the begin", took)
			}
			if r.Verdict != drill.NoVerdict || !strings.Contains(r.Reasons[0], "interrupted") || len(r.Faults) != 1 || r.Accepted == 0 {
				t.Errorf("%+v", r)
			}
			if len(r.Faults) == 1 && !r.Faults[0].AtLeast {
				t.Errorf("its gap was not over, and is told as if it were: %+v", r.Faults[0])
			}
			if w.on {
				t.Error("customers still come")
			}
			if back := len(away(w.Nodes())) == 0; back != heal {
				t.Errorf("brokers are back: %v, and should be: %v", back, heal)
			}
		})
	}
}

func TestABrokerThatTheScenarioLeavesAwayIsBroughtBack(t *testing.T) {
	carry(t, "name: a\nsteps:\n- kill: random\n- pause: other\n", nil, func(w *world, r *drill.Result, err error) {
		if err != nil || r.Verdict != drill.Pass {
			t.Fatal(err, r.Verdict, r.Reasons)
		}
		did := w.saw()
		if len(did) != 4 || len(away(w.Nodes())) > 0 {
			t.Fatalf("%q", did)
		}
		back := strings.Join(did[2:], ", ")
		if !strings.Contains(back, "start") || !strings.Contains(back, "resume") {
			t.Errorf("it brought them back with %s", back)
		}
	})
}

func TestALoadLastsAsLongAsItIsTo(t *testing.T) {
	carry(t, "name: a\nload: {rate: 500, checkouts: 10_000}\nsteps:\n- poison: not JSON\n", nil, func(w *world, r *drill.Result, err error) {
		// The orders of the warm-up of 2 s come on top.
		if n := w.Figures().Offered; err != nil || n < 10_950 || n > 11_050 {
			t.Errorf("%d orders, %v", n, err)
		}
		if r.Ack.N < 10_000 || r.Ack.N > 10_050 {
			t.Errorf("%d latencies: those of the warm-up are not to count", r.Ack.N)
		}
	})
	carry(t, "name: a\nload: {rate: 100, duration: 40s}\n", nil, func(_ *world, r *drill.Result, err error) {
		if n := len(r.Samples); err != nil || n < 40 || n > 44 || len(r.Faults) != 0 || r.Verdict != drill.Pass {
			t.Errorf("%d samples, %+v, %v", n, r, err)
		}
	})
}

// Hours of a drill and hundreds of faults fit into as much memory as minutes do.
func TestALongDrillKeepsFewSamples(t *testing.T) {
	if testing.Short() {
		t.Skip("an hour in a bubble takes a second of ours: with -short it is left out")
	}
	carry(t, "name: a\nload: {rate: 100, duration: 1h}\nchaos: {faults: 200, of: [kill, crash]}\n", nil, func(w *world, r *drill.Result, err error) {
		if err != nil || r.Verdict != drill.Pass {
			t.Fatal(err, r.Reasons)
		}
		if len(r.Faults) != 200 {
			t.Errorf("%d faults", len(r.Faults))
		}
		if n := len(r.Samples); n > mostSamples || n < mostSamples/3 {
			t.Errorf("%d samples", n)
		}
		var accepted int64
		for _, s := range r.Samples {
			accepted += s.Accepted
		}
		if accepted < 355_000 {
			t.Errorf("the samples have %d of some 360,000 orders", accepted)
		}
		if first, last := r.Faults[0].At.Sub(r.Begun), r.Faults[199].At.Sub(r.Begun); first > time.Minute || last < 55*time.Minute || last > time.Hour {
			t.Errorf("the first of the faults came after %s, the last after %s", first, last)
		}
		if len(w.meter.silent) > 100 {
			t.Errorf("the meter keeps %d silences", len(w.meter.silent))
		}
	})
}

func TestWhatTheBrokersCannotSufferIsRefusedBeforeAnythingBegins(t *testing.T) {
	carry(t, "name: net\nsteps:\n- cut: random\n", nil, func(w *world, r *drill.Result, err error) {
		user, ok := errors.AsType[*kafkaops.UserError](err)
		if r != nil || !ok || !strings.Contains(user.Message, "cut off their network") || len(w.saw()) > 0 || w.Figures().Offered > 0 {
			t.Errorf("%v %v", r, err)
		}
	})
}

func TestProgressIsTold(t *testing.T) {
	var stages []string
	var over []string
	var rates []float64
	last := Progress{}
	carry(t, leaderKill, func(_ *world, cfg *Config) {
		cfg.Tell = func(p Progress) {
			if p.Stage != last.Stage {
				stages = append(stages, p.Stage)
			}
			if p.Over != nil {
				over = append(over, fmt.Sprintf("%s %v", p.Over.Kind, p.Recovery))
			}
			if p.Stage == "running" {
				rates = append(rates, p.AcceptRate)
			}
			last = p
		}
	}, func(*world, *drill.Result, error) {})
	if len(stages) != 5 || !strings.HasPrefix(stages[1], "warming up for 2s") || stages[2] != "running" || stages[4] != "auditing the log" {
		t.Errorf("%q", stages)
	}
	if want := []string{"kill false", "start true", "elect true"}; !slices.Equal(over, want) {
		t.Errorf("%q", over)
	}
	if last.Faults != 1 || last.Of != 1 || slices.Max(rates) < 190 {
		t.Errorf("%+v, rates %v", last, rates)
	}
}

func TestSamplesAreMergedInPairs(t *testing.T) {
	var s sampler
	begun := time.Unix(0, 0)
	s.begin(begun, Figures{}, 0)
	one := 1.0
	for n := 1; n <= mostSamples+1; n++ {
		p99 := float64(n)
		s.take(begun.Add(time.Duration(n)*time.Second), Figures{Accepted: int64(n), Complete: int64(n)}, slot{&one, &p99}, slot{})
	}
	if len(s.all) != mostSamples/2+1 || s.every != 2*time.Second {
		t.Fatalf("%d samples, one every %s", len(s.all), s.every)
	}
	if a := s.all[0]; a.At != 2 || a.Accepted != 2 || *a.AckP99 != 2 || a.FlowP99 != nil {
		t.Errorf("%+v", a)
	}
}

func TestTheTargetOfAnActIsFoundByItsRole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		defer w.close()
		r := &run{cfg: config(w, parse(t, leaderKill)), pick: newPicker(3), hit: 2}
		whom := func(text string) string {
			target, err := scenario.ParseTarget(text)
			if err != nil {
				t.Fatal(err)
			}
			verb := scenario.Verb(kafkaops.Kill)
			if text == "all" {
				verb = scenario.Back
			}
			seen := map[string]bool{}
			for range 50 {
				var all []string
				for _, f := range r.resolve(scenario.Act{Verb: verb, On: target}) {
					all = append(all, fmt.Sprint(f.Node))
				}
				seen[strings.Join(all, "+")] = true
			}
			var out []string
			for s := range seen {
				out = append(out, s)
			}
			slices.Sort(out)
			return strings.Join(out, " ")
		}
		w.leader = 3
		for text, want := range map[string]string{
			"controller": "3", "leader of order-successful/0": "3", "follower": "1 2", "follower of order-successful/0": "1 2", "followers of order-successful/0": "1+2",
			"random": "1 2 3", "other": "1 3", "same": "2", "broker 1": "1", "all": "",
		} {
			if got := whom(text); got != want {
				t.Errorf("%s is %q, want %q", text, got, want)
			}
		}
		_ = w.Do(t.Context(), kafkaops.Fault{Verb: kafkaops.Kill, Node: 1})
		_ = w.Do(t.Context(), kafkaops.Fault{Verb: kafkaops.Pause, Node: 2})
		for text, want := range map[string]string{"follower": "", "random": "3", "all": "1+2"} {
			if got := whom(text); got != want {
				t.Errorf("with two away %s is %q, want %q", text, got, want)
			}
		}
		w.leader = 1 // who leads is dead, and the cluster has not noticed yet
		for text, want := range map[string]string{"controller": "", "leader of order-successful/0": "", "broker 1": "1"} {
			if got := whom(text); got != want {
				t.Errorf("with a dead leader %s is %q, want %q", text, got, want)
			}
		}
		if f := r.resolve(scenario.Act{Verb: scenario.Back, On: scenario.Target{Kind: scenario.All}}); f[0].Verb != kafkaops.Start || f[1].Verb != kafkaops.Resume {
			t.Errorf("%v", f)
		}
		if f := r.resolve(scenario.Act{Verb: "resume", On: scenario.Target{Kind: scenario.All}}); len(f) != 1 || f[0].Node != 2 {
			t.Errorf("%v", f)
		}
	})
}
