package scenario

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"kassa/kafkaops"
)

const good = `
name: mine
about: It says
  what it is for.
settings: {delivery: at-least-once, acks: 1, profile: stock, min-isr: 1}
load:
  rate: 1_000
  checkouts: 5000
  warm-up: 0s
steps:
  - at: 5s
    kill: leader of order-successful/0
  - after: writes go on
    within: 10s
    wait: 1500ms
    start: same
  - after: ISR full
    elect: preferred
  - crash: order
  - after: settled
    scale: email to 3
  - pause: broker 2
  - back: all
  - poison: not JSON
repeat: 3
real-brokers: true
expect:
  lost: 0
  repeated: any
  dead-letters: ">= 1"
  refused: <= 7
  write-gap:
    kill: {median: 1500ms, worst: 3s}
    start: 500ms
  flow-gap: 5s
  ack-p99: 2s
  flow-p99: 4s
`

func TestAScenarioIsReadWhole(t *testing.T) {
	s, err := Parse([]byte(good))
	if err != nil {
		t.Fatal(err)
	}
	want := &Scenario{
		Name: "mine", About: "It says what it is for.",
		Settings: Settings{Delivery: "at-least-once", Acks: "1", Profile: "stock", MinISR: 1},
		Load:     Load{Rate: 1000, Checkouts: 5000, WarmUp: new(time.Duration)},
		Rounds:   3, RealBrokers: true,
		Steps: []Step{
			{Line: 11, At: 5 * time.Second, Act: Act{Verb: "kill", On: Target{Kind: LeaderOf, Topic: "order-successful"}}},
			{Line: 13, After: WritesGoOn, Within: 10 * time.Second, Wait: 1500 * time.Millisecond, Act: Act{Verb: "start", On: Target{Kind: Same}}},
			{Line: 17, After: ISRFull, Act: Act{Verb: "elect"}},
			{Line: 19, Act: Act{Verb: Crash, On: Target{Kind: Service, Service: "order"}}},
			{Line: 20, After: Settled, Act: Act{Verb: Scale, On: Target{Kind: Service, Service: "email"}, Instances: 3}},
			{Line: 22, Act: Act{Verb: "pause", On: Target{Kind: Broker, Node: 2}}},
			{Line: 23, Act: Act{Verb: Back, On: Target{Kind: All}}},
			{Line: 24, Act: Act{Verb: Poison, What: "not JSON"}},
		},
		Expect: Expect{
			Counts: []CountRule{{"lost", Rule{"=", 0}}, {"repeated", Rule{}}, {"dead-letters", Rule{">=", 1}}, {"refused", Rule{"<=", 7}}},
			WriteGap: []GapRule{
				{Kind: "kill", Median: 1500 * time.Millisecond, Worst: 3 * time.Second}, {Kind: "start", Worst: 500 * time.Millisecond},
			},
			FlowGap: []GapRule{{Kind: "any", Worst: 5 * time.Second}}, AckP99: 2 * time.Second, FlowP99: 4 * time.Second,
		},
	}
	if !reflect.DeepEqual(s, want) {
		t.Errorf("read\n%+v\nwant\n%+v", s, want)
	}
	if need, want := s.Needs(), []kafkaops.Verb{kafkaops.Kill, kafkaops.Start, kafkaops.Pause}; !slices.Equal(need, want) {
		t.Errorf("it needs %v, want %v", need, want)
	}
}

func TestABadScenarioIsToldWithItsLine(t *testing.T) {
	for _, c := range []struct{ file, want string }{
		{"", "it is empty"},
		{"\xff", "it is not UTF-8"},
		{"- a", "line 1: a scenario has fields"},
		{"name: a\n", "it has no steps, no chaos and no load that ends"},
		{"steps:\n- kill: controller", "it has no name"},
		{"name: Big Bang\n", "line 1: a name is of small letters"},
		{"name: a\nsteps:\n- kil: controller\n", "line 3: kil is no field of a step: there are at, after,"},
		{"name: a\nname: b\n", "line 2: "},
		{"name: a\nsteps:\n- kill: nobody\n", `line 3: "nobody" is nobody: a target is controller,`},
		{"name: a\nsteps:\n- kill: leader of carts/0\n", "line 3: the topics are payment-successful, order-successful or email-successful"},
		{"name: a\nsteps:\n- kill: broker 0\n", "line 3: a broker has a number"},
		{"name: a\nsteps:\n- kill: controller\n  stop: random\n", "line 3: a step does one thing, and this one has kill and stop"},
		{"name: a\nsteps:\n- {}\n", "line 3: a step does or waits for something"},
		{"name: a\nsteps:\n- within: 5s\n  kill: random\n", "line 3: within is how long after may take"},
		{"name: a\nsteps:\n- at: 5\n  kill: random\n", "line 3: at is a time such as 500ms"},
		{"name: a\nsteps:\n- at: -5s\n  kill: random\n", "line 3: at is a time such as 500ms"},
		{"name: a\nsteps:\n- at: 25h\n  kill: random\n", "of at most 24h"},
		{"name: a\nsteps:\n- after: tea\n  kill: random\n", `line 3: an event is whole, ISR full, `},
		{"name: a\nsteps:\n- after: writes go on\n  kill: random\n", `line 3: nothing was done yet`},
		{"name: a\nsteps:\n- start: same\n", "line 3: no broker was hit yet that could be the same"},
		{"name: a\nsteps:\n- kill: other\n", "line 3: no broker was hit yet besides which"},
		{"name: a\nsteps:\n- kill: all\n", "line 3: kill of all brokers"},
		{"name: a\nsteps:\n- kill: order\n", "line 3: a service can crash, stop, start and scale, not kill"},
		{"name: a\nsteps:\n- crash: controller\n", "line 3: crash is for a service"},
		{"name: a\nsteps:\n- restart: followers of order-successful/1\n", "line 3: restart is for one broker at a time"},
		{"name: a\nsteps:\n- scale: order to 7\n", "line 3: scale is a service and 1 to 6 instances"},
		{"name: a\nsteps:\n- scale: order to 3x\n", "line 3: scale is a service and 1 to 6 instances"},
		{"name: a\nsteps:\n- elect: me\n", "line 3: elect is preferred"},
		{"name: a\nsteps:\n- delete-topic: carts\n", "line 3: a topic is payment-successful"},
		{"name: a\nsteps: controller\n", "line 2: steps is a list"},
		{"name: a\nload: {rate: 0}\n", "line 2: the rate is a whole number from 1 to 50000, not 0"},
		{"name: a\nload: {rate: 1.5}\n", "line 2: the rate is a whole number"},
		{"name: a\nload: {rate: 5, customers: 5}\n", "leave one of them out"},
		{"name: a\nload: {think: 5s}\n", "think is for customers"},
		{"name: a\nload: {customers: 5, think: 1h}\n", "line 2: think is at most 10m, not 1h"},
		{"name: a\nload: {checkouts: 5, duration: 5s}\n", "both say when the load ends"},
		{"name: a\nsettings: {acks: 2}\n", `line 2: acks is all, 1 or 0, not "2"`},
		{"name: a\nsettings: {min-isr: 4}\n", "line 2: min-isr is a whole number from 1 to 3"},
		{"name: a\nexpect: {lost: some}\n", "line 2: a count is a number"},
		{"name: a\nexpect: {lost: -1}\n", "line 2: a count is a number"},
		{"name: a\nexpect:\n  write-gap:\n    slap: 5s\n", "line 4: slap is no field of write-gap"},
		{"name: a\nexpect:\n  write-gap:\n    kill: {mean: 5s}\n", "line 4: mean is no field of write-gap: there are median, worst"},
		{"name: a\nexpect: {write-gap: 0s}\n", "line 2: write-gap is more than 0"},
		{"name: a\nexpect: {ack-p99: 0s}\n", "line 2: ack-p99 is more than 0"},
		{"name: a\nexpect:\n  write-gap:\n    kill: {}\n", "line 4: write-gap of kill says nothing"},
		{"name: a\nexpect:\n  write-gap:\n    kill: {median: 0s, worst: 1s}\n", "line 4: the median is more than 0"},
		{"name: a\nchaos:\nsteps:\n- kill: random\n", "it has steps and chaos"},
		{"name: a\nchaos:\nrepeat: 2\n", "chaos is not repeated"},
		{"name: a\nchaos: {faults: 0}\n", "line 2: faults is a whole number from 1"},
		{"name: a\nchaos: {of: []}\n", "line 2: of is empty"},
		{"name: a\nchaos: {of: [elect]}\n", "line 2: a fault of chaos is kill, "},
		{"name: a\nchaos: {targets: [same]}\n", "line 2: same cannot be drawn"},
		{"name: a\nchaos: {away: 5s..1s}\n", "line 2: away is from the shorter to the longer"},
		{"name: a\nchaos: {budget: 3}\n", "line 2: the budget is a whole number from 1 to 2"},
		{"name: a\n---\nname: b\n", "more than one document"},
		{"name: &a b\nabout: *a\n", "line 1: the name is a word"},
		{"name: [\n", "line 1: "},
		{strings.Repeat(" ", MaxFile+1), "it is larger than"},
	} {
		s, err := Parse([]byte(c.file))
		if _, ours := errors.AsType[*Error](err); !ours {
			t.Errorf("%q gave %+v and %v", c.file, s, err)
			continue
		}
		if !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q is told as\n%s\nwant\n%s", c.file, err, c.want)
		}
		if strings.ContainsAny(err.Error(), "\n") {
			t.Errorf("%q is not told in one line: %s", c.file, err)
		}
	}
}

func TestEveryBuiltInScenarioCanBeReadAndIsListed(t *testing.T) {
	dir, err := files.ReadDir("builtin")
	if err != nil {
		t.Fatal(err)
	}
	all := Builtin()
	if len(dir) != len(all) {
		t.Errorf("%d files and %d scenarios", len(dir), len(all))
	}
	for i, s := range all {
		if s.Name != names()[i] || s.About == "" || !strings.HasSuffix(s.About, ".") {
			t.Errorf("%s is called %q and is about %q", names()[i], s.Name, s.About)
		}
	}
	if _, err := Named("../scenario"); err == nil {
		t.Error("a name led out of the folder")
	}
	chaos, err := Named("chaos")
	if err != nil {
		t.Fatal(err)
	}
	if want := newChaos(); !reflect.DeepEqual(chaos.Chaos, want) {
		t.Errorf("the file says %+v, and what it leaves out would be %+v", chaos.Chaos, want)
	}
}

func TestTheSameSeedDrawsTheSameFaults(t *testing.T) {
	s, err := Named("chaos")
	if err != nil {
		t.Fatal(err)
	}
	s.Chaos.Faults = 100
	s.Load.Duration = 1000 * time.Second
	a := s.Draw(7)
	if !reflect.DeepEqual(a, s.Draw(7)) || reflect.DeepEqual(a, s.Draw(8)) {
		t.Error("not the same for the same seed, or the same for another")
	}
	harm, last := 0, time.Duration(0)
	verbs := map[Verb]int{}
	away := false
	for _, st := range a {
		if !st.Act.Harms() {
			if st.Act.Verb == Back {
				away = false
			}
			continue
		}
		if st.After != Settled || away {
			t.Errorf("a fault comes before all is settled: %+v", st)
		}
		switch st.Act.Verb {
		case Crash, Verb(kafkaops.Restart):
		default:
			away = true
		}
		harm++
		verbs[st.Act.Verb]++
		last = st.At
	}
	if harm != 100 || len(verbs) != 5 {
		t.Errorf("%d faults: %v", harm, verbs)
	}
	if last < 950*time.Second || last > 990*time.Second {
		t.Errorf("the last of 100 faults in 1000 s is due at %s", last)
	}
}

func TestABudgetOfTwoLetsASecondBrokerGo(t *testing.T) {
	s, err := Named("chaos")
	if err != nil {
		t.Fatal(err)
	}
	s.Chaos.Budget = 2
	seconds := 0
	for _, st := range s.Draw(1) {
		if st.Act.On.Kind == Other {
			seconds++
		}
	}
	if seconds < 2 || seconds > 16 {
		t.Errorf("of 20 faults %d hit a second broker", seconds)
	}
}

func TestWhatIsExpectedOfCounts(t *testing.T) {
	rules := func(e Expect, delivery string) string {
		var all []string
		for _, r := range e.CountsFor(delivery) {
			all = append(all, r.Name+" "+r.String())
		}
		return strings.Join(all, ", ")
	}
	const strict = "lost = 0, duplicated = 0, repeated = 0, in-flight = 0, dead-letters = 0, without-cause = 0, changed-amount = 0, out-of-order = 0"
	if got := rules(Expect{}, "exactly-once"); got != strict {
		t.Error(got)
	}
	if got := rules(Expect{}, "at-least-once"); strings.Contains(got, "repeated") {
		t.Error(got)
	}
	own := Expect{Counts: []CountRule{{"refused", Rule{"<=", 3}}, {"lost", Rule{}}}}
	if got := rules(own, "exactly-once"); !strings.HasPrefix(got, "lost may be any, duplicated = 0") || !strings.HasSuffix(got, "refused ≤ 3") {
		t.Error(got)
	}
	for _, c := range []struct {
		Rule
		n    int64
		want bool
	}{
		{Rule{"=", 0}, 0, true}, {Rule{"=", 0}, 1, false}, {Rule{"<=", 2}, 2, true}, {Rule{"<=", 2}, 3, false}, {Rule{">=", 2}, 2, true}, {Rule{">=", 2}, 1, false}, {Rule{}, 9, true},
	} {
		if c.Holds(c.n) != c.want {
			t.Errorf("%d %s is not %v", c.n, c.Rule, c.want)
		}
	}
}
