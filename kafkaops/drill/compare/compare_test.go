package compare

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/exp/golden"

	"kassa/kafkaops"
	"kassa/kafkaops/drill"
	"kassa/kafkaops/drill/scenario"
)

func TestParseSide(t *testing.T) {
	for _, c := range []struct {
		text string
		want Side
		bad  string // in the sentence
	}{
		{text: "profile=stock", want: Side{Name: "profile=stock", Set: scenario.Settings{Profile: "stock"}}},
		{text: "acks=1, min-isr=1", want: Side{Name: "acks=1,min-isr=1", Set: scenario.Settings{Acks: "1", MinISR: 1}}},
		{text: "delivery=at-least-once", want: Side{Name: "delivery=at-least-once", Set: scenario.Settings{Delivery: "at-least-once"}}},
		{text: "", bad: "give NAME=VALUE"},
		{text: "stock", bad: "here profile=stock"},
		{text: "1", bad: "such as acks=1"}, // of acks or of min-isr
		{text: "linger=5", bad: `no setting "linger"`},
		{text: "acks=2", bad: "acks is all or 1 or 0"},
		{text: "acks=", bad: "acks is all or 1 or 0"},
		{text: "min-isr=4", bad: "min-isr is 1 or 2 or 3"},
		{text: "acks=1,acks=all", bad: "twice"},
		{text: "acks=1,", bad: "NAME=VALUE"},
		{text: "Profile=stock", bad: `no setting "Profile"`},
	} {
		got, err := ParseSide(c.text)
		if c.bad == "" {
			if err != nil || got.Name != c.want.Name || got.Set != c.want.Set {
				t.Errorf("%q: %+v, %v", c.text, got, err)
			}
			continue
		}
		if _, ok := errors.AsType[*kafkaops.UserError](err); !ok || !strings.Contains(err.Error(), c.bad) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v", c.text, err)
		}
	}
}

func TestTheSameOnBothSidesIsRefused(t *testing.T) {
	all := scenario.Settings{Profile: "fast-failover", Acks: "all", MinISR: 2, Delivery: "exactly-once"}
	if err := Check(Side{Name: "profile=fast-failover", Set: all}, Side{Name: "acks=all", Set: all}); err == nil || !strings.Contains(err.Error(), "same") {
		t.Errorf("%v", err)
	}
	other := all
	other.MinISR = 1
	if err := Check(Side{Name: "min-isr=2", Set: all}, Side{Name: "min-isr=1", Set: other}); err != nil {
		t.Error(err)
	}
}

// In turn, with the same seed in a pair, and as often first as second.
func TestOrderIsBalanced(t *testing.T) {
	order := Order(4, 100)
	var letters strings.Builder
	firsts := [2]int{}
	for i, turn := range order {
		letters.WriteString(turn.Letter())
		if want := uint64(100 + i/2); turn.Seed != want || turn.N != i/2+1 {
			t.Errorf("turn %d: %+v", i, turn)
		}
		if i%2 == 0 {
			firsts[turn.Side]++
		}
	}
	if letters.String() != "ABBAABBA" || firsts[0] != firsts[1] {
		t.Errorf("%s, %v", letters.String(), firsts)
	}
}

var (
	base  = scenario.Settings{Profile: "fast-failover", Acks: "all", MinISR: 2, Delivery: "exactly-once"}
	stock = scenario.Settings{Profile: "stock", Acks: "all", MinISR: 2, Delivery: "exactly-once"}
	one   = scenario.Settings{Profile: "fast-failover", Acks: "1", MinISR: 2, Delivery: "exactly-once"}
	least = scenario.Settings{Profile: "fast-failover", Acks: "all", MinISR: 2, Delivery: "at-least-once"}
)

// result is a drill with a kill, whose figures were made up.
func result(gap float64) *drill.Result {
	flow := gap + 400
	return &drill.Result{
		Drill: "leader-kill", Verdict: drill.Pass, Audited: true, Counts: drill.Counts{Accepted: 2000, Complete: 2000},
		Faults: []drill.FaultResult{{Kind: "kill", Target: "controller", Node: 2, Controller: true, At: time.Unix(0, 0), WriteGapMs: &gap, FlowGapMs: &flow, Phases: map[string]float64{
			string(drill.ControllerElected): gap / 4,
		}}},
		Ack: drill.Percentiles{N: 2000, P50: 5, P99: gap}, Flow: drill.Percentiles{N: 2000, P50: 180, P99: gap + 500},
	}
}

func compared(t *testing.T, a, b Side, runs int, run func(Turn, *drill.Result)) *Comparison {
	t.Helper()
	c, err := Run(t.Context(), [2]Side{a, b}, runs, 7, func(_ context.Context, turn Turn) (*drill.Result, error) {
		res := result(1000 + 100*float64(turn.N))
		if run != nil {
			run(turn, res)
		}
		return res, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestFigures(t *testing.T) {
	c := compared(t, Side{Name: "profile=stock", Set: stock}, Side{Name: "profile=fast-failover", Set: base}, 3, func(turn Turn, r *drill.Result) {
		if turn.Side == 0 {
			*r.Faults[0].WriteGapMs *= 8
		}
	})
	row := c.Times[0]
	if row.Name != "write gap of kill" || row.Sides[0] != (Measure{N: 3, Median: 9600, Worst: 10400}) || row.Sides[1] != (Measure{N: 3, Median: 1200, Worst: 1300}) || *row.Ratio != 8 {
		t.Errorf("%+v", row)
	}
	if c.Verdict != drill.Pass || len(c.Done) != 6 || c.Sides[0].Accepted != 6000 {
		t.Errorf("%+v", c)
	}
	says(t, c, "broker.session.timeout.ms is 9000 against 1000", "write gap of kill 9,600 ms against 1,200 ms (8.0 times)", "controller.quorum.fetch.timeout.ms is 2000 against 600")
	for _, d := range c.Differences {
		if d.Setting != "profile" || d.Source == "" || strings.Count(d.Text, ". ") > 0 || !strings.HasSuffix(d.Text, ".") {
			t.Errorf("%+v", d)
		}
	}
}

func says(t *testing.T, c *Comparison, parts ...string) {
	t.Helper()
	var all []string
	for _, d := range c.Differences {
		all = append(all, d.Text)
	}
	for _, p := range parts {
		if !slices.ContainsFunc(all, func(s string) bool { return strings.Contains(s, p) }) {
			t.Errorf("nothing says %q:\n%s", p, strings.Join(all, "\n"))
		}
	}
}

func lose(turn Turn, r *drill.Result) {
	if turn.Side == 0 && turn.N == 2 {
		r.Lost, r.Complete = 2, 1998
		r.Findings = []drill.Finding{
			{Kind: "lost", Checkout: "7f3a", Detail: "acknowledged, and not in the log", Where: []string{"payment-successful/0@41"}},
			{Kind: "lost", Checkout: "81bc", Detail: "acknowledged, and not in the log"},
			{Kind: "repeated", Checkout: "x"},
		}
	}
}

// A loss that the settings allow is a finding with its reason, and no failure.
func TestALossThatIsAllowed(t *testing.T) {
	c := compared(t, Side{Name: "acks=1", Set: one}, Side{Name: "acks=all", Set: base}, 3, lose)
	if c.Verdict != drill.Pass || c.Sides[0].Promises || !c.Sides[1].Promises {
		t.Errorf("%s %v: %+v", c.Verdict, c.Reasons, c.Sides)
	}
	if len(c.Sides[0].Lost) != 2 || c.Sides[0].Lost[0].Run != 2 || c.Sides[0].Lost[0].Seed != 8 || len(c.Sides[1].Lost) != 0 {
		t.Errorf("%+v", c.Sides)
	}
	says(t, c, "With acks=1 (A) 2 orders that customers were told had been accepted are lost, in 1 of 3 runs")
	if row := c.Counts[0]; row.Name != "lost" || row.Sides != [2]Tally{{2, 1}, {}} {
		t.Errorf("%+v", row)
	}
	var b strings.Builder
	if err := c.Text(&b, 120, func(s string) string { return s }); err != nil {
		t.Fatal(err)
	}
	golden.RequireEqual(t, []byte(b.String()))
}

// The same loss under settings that promise safety is the worst there can be.
func TestALossThatIsNot(t *testing.T) {
	c := compared(t, Side{Name: "profile=stock", Set: stock}, Side{Name: "profile=fast-failover", Set: base}, 2, lose)
	if c.Verdict != drill.Fail || len(c.Reasons) != 1 || !strings.Contains(c.Reasons[0], "A, run 2") || !strings.Contains(c.Reasons[0], "2 lost") {
		t.Errorf("%s %v", c.Verdict, c.Reasons)
	}
}

func TestNoLossIsExplained(t *testing.T) {
	says(t, compared(t, Side{Name: "acks=1", Set: one}, Side{Name: "acks=all", Set: base}, 2, nil), "acks=1 (A) allows that an acknowledged order is lost, and in 2 runs with 2 kills none was")
}

// A gap that was not over has no length: what is left of its kind is not held against the other side.
func TestAGapThatWasNotOverHasNoRatio(t *testing.T) {
	c := compared(t, Side{Name: "profile=stock", Set: stock}, Side{Name: "profile=fast-failover", Set: base}, 2, func(turn Turn, r *drill.Result) {
		r.Faults[0].AtLeast = turn.Side == 0 && turn.N == 2
	})
	if row := c.Times[0]; row.Ratio != nil || row.Sides[0] != (Measure{N: 1, Median: 1100, Worst: 1100, NotOver: 1, AtLeast: 1200}) {
		t.Errorf("%+v", row)
	}
}

// Simulated brokers share one log: that nothing was lost on them says nothing.
func TestNoLossOfSimulatedBrokersProvesNothing(t *testing.T) {
	c := compared(t, Side{Name: "acks=all", Set: base}, Side{Name: "acks=1", Set: one}, 1, func(_ Turn, r *drill.Result) { r.Simulated = true })
	says(t, c, "acks=1 (B) allows that an acknowledged order is lost, and that cannot be seen here: simulated brokers never lose")
}

func TestRepeatsAreExplained(t *testing.T) {
	c := compared(t, Side{Name: "delivery=exactly-once", Set: base}, Side{Name: "delivery=at-least-once", Set: least}, 1, func(turn Turn, r *drill.Result) {
		r.Faults = append(r.Faults, drill.FaultResult{Kind: "crash", Target: "order"})
		if turn.Side == 1 {
			r.Repeated, r.Flow.P50 = 12, 9
		}
	})
	says(t, c, "at-least-once (B) writes the same ids a second time, 12 repeated", "aborted, 0 repeated", "payment → email p50 180 ms against 9.0 ms (20.0 times)")
}

// What a run expected and did not see is told, and is no broken promise; a run without a verdict leaves none.
func TestVerdicts(t *testing.T) {
	c := compared(t, Side{Name: "profile=stock", Set: stock}, Side{Name: "profile=fast-failover", Set: base}, 1, func(turn Turn, r *drill.Result) {
		if turn.Side == 0 {
			r.Verdict, r.Reasons = drill.Fail, []string{"expected write gap ≤ 1s, and saw 9 s"}
		}
	})
	if c.Verdict != drill.Pass || len(c.Notes) != 1 {
		t.Errorf("%s %v %v", c.Verdict, c.Notes, c.Reasons)
	}
	c = compared(t, Side{Name: "profile=stock", Set: stock}, Side{Name: "profile=fast-failover", Set: base}, 1, func(turn Turn, r *drill.Result) {
		if turn.Side == 1 {
			r.Verdict, r.Reasons = drill.NoVerdict, []string{"the audit did not finish"}
		}
	})
	if c.Verdict != drill.NoVerdict || len(c.Reasons) != 1 || !strings.Contains(c.Reasons[0], "did not finish") {
		t.Errorf("%s %v", c.Verdict, c.Reasons)
	}
}

func TestARunThatCannotBe(t *testing.T) {
	runs := 0
	broken := errors.New("no port is free")
	run := func(after int) Runner {
		runs = 0
		return func(context.Context, Turn) (*drill.Result, error) {
			if runs++; runs > after {
				return nil, broken
			}
			return result(1000), nil
		}
	}
	sides := [2]Side{{Name: "acks=1", Set: one}, {Name: "acks=all", Set: base}}
	if _, err := Run(t.Context(), sides, 2, 1, run(0)); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
	c, err := Run(t.Context(), sides, 2, 1, run(2))
	if err != nil || c.Verdict != drill.NoVerdict || len(c.Done) != 2 || !strings.Contains(c.Reasons[0], "run 2 of B could not be carried out: no port is free") {
		t.Errorf("%v %+v", err, c)
	}
}

func TestExpectationsAreThoseOfTheSettings(t *testing.T) {
	if got := Expectations(Side{Set: base}); len(got) != 0 {
		t.Errorf("%v", got)
	}
	dead := []scenario.CountRule{{Name: "dead-letters", Rule: scenario.Rule{Op: "=", N: 5}}}
	s := &scenario.Scenario{Expect: scenario.Expect{Counts: Expectations(Side{Set: one, Own: dead})}}
	for _, r := range s.Expect.CountsFor("exactly-once") {
		if r.Name == "lost" && !r.Holds(3) {
			t.Error("a loss under acks=1 is a failure")
		}
		if r.Name == "changed-amount" && r.Holds(1) {
			t.Error("a changed amount is not")
		}
		if r.Name == "dead-letters" && (r.Holds(0) || !r.Holds(5)) {
			t.Errorf("the scenario's own dead letters are %s", r)
		}
	}
	if got := Own(&scenario.Scenario{Settings: scenario.Settings{Acks: "1"}, Expect: scenario.Expect{Counts: dead}}); got != nil {
		t.Errorf("what a drill under acks=1 expects is expected of acks=all: %v", got)
	}
}

// A drill that deletes a topic loses its orders under any settings.
func TestALossThatTheDrillItselfExpects(t *testing.T) {
	own := []scenario.CountRule{{Name: "lost"}}
	sides := [2]Side{{Name: "acks=1", Set: one, Own: own}, {Name: "acks=all", Set: base, Own: own}}
	c, err := Run(t.Context(), sides, 1, 7, func(context.Context, Turn) (*drill.Result, error) {
		r := result(1000)
		r.Lost, r.Complete = 40, 1960
		return r, nil
	})
	if err != nil || c.Verdict != drill.Pass {
		t.Fatal(err, c.Verdict, c.Reasons)
	}
	for _, d := range c.Differences {
		if strings.Contains(d.Text, "are lost") {
			t.Errorf("it names acks as the cause: %s", d.Text)
		}
	}
}
