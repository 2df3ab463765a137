package drill

import (
	"testing"
	"time"

	"kassa/kafkaops"
)

// steady is acks of one partition every 10 ms.
func steady(from, to int) (out []int) {
	for ms := from; ms < to; ms += 10 {
		out = append(out, ms)
	}
	return out
}

// measuring is a recorder in the middle of a kill at 100 ms, without a cluster: the test says what the time is.
func measuring(p *Probe) (*Recorder, *Timeline) {
	t := &Timeline{Fault: kafkaops.Fault{Verb: kafkaops.Kill, Node: 2}, At: at(100), Took: time.Millisecond, Open: true, Probed: true}
	return &Recorder{probe: p, lines: []*Timeline{t}, lastEvent: t.At, armed: t.At}, t
}

func (t *Timeline) has(m Mark) bool { return t.index(m) >= 0 }

func TestATimelineGoesOnAsLongAsWritesAreStalled(t *testing.T) {
	p := wrote(steady(0, 110))
	r, line := measuring(p)
	r.lookAt(at(10_000))
	for _, ms := range []int{61_000, 150_000} { // beyond openFor
		if r.lookAt(at(ms)); !line.Open || !line.Gap.Open || line.Gap.Worst != time.Duration(ms-100)*time.Millisecond {
			t.Fatalf("after %d ms: open %v, %+v", ms, line.Open, line.Gap)
		}
	}
	for _, ms := range steady(150_000, 156_000) {
		p.acked(0, at(ms))
	}
	r.lookAt(at(156_000))
	if line.Open || line.Gap.Open || line.Gap.Worst != 149_900*time.Millisecond || line.AtLeast() {
		t.Errorf("after its end: open %v, %+v", line.Open, line.Gap)
	}
	if got, _ := line.Phase(AcksResumed); got.After != 149_900*time.Millisecond {
		t.Errorf("acks resumed after %v", got.After)
	}
}

func TestATimelineEndsWhenTheProbeCannotTellAnyMore(t *testing.T) {
	p := wrote(steady(0, 110))
	r, line := measuring(p)
	p.dropped(at(200_000))
	over := r.lookAt(at(200_050))
	if line.Open || !line.AtLeast() || line.Gap.Worst != 199_900*time.Millisecond {
		t.Errorf("open %v, at least %v, %+v", line.Open, line.AtLeast(), line.Gap)
	}
	if over != p || r.probe != nil {
		t.Error("a probe that cannot tell goes on")
	}
}

func TestAcksThatResumedAreTakenBackWhenALongerGapFollows(t *testing.T) {
	p := wrote(steady(0, 110), steady(0, 110))
	r, line := measuring(p)
	for _, ms := range steady(300, 400) {
		p.acked(0, at(ms))
		p.acked(1, at(ms))
	}
	if r.lookAt(at(400)); !line.has(AcksResumed) {
		t.Fatal("acks have resumed, and the timeline does not say so")
	}
	if r.lookAt(at(1000)); line.has(AcksResumed) || !line.Gap.Open {
		t.Errorf("writes are stalled: %+v, %+v", line.Gap, line.Phases)
	}
}

func TestWhatIsHandedOutDoesNotChange(t *testing.T) {
	p := wrote(steady(0, 110))
	r, line := measuring(p)
	r.saw(Sign{At: at(110), Node: 2, What: "disconnected"})
	line.count(LeadersMoved, at(250), "partition")
	r.lookAt(at(300))
	before := r.Timelines()
	if again := r.Timelines(); &again[0] != &before[0] {
		t.Error("nothing has changed, and it was copied")
	}
	line.count(LeadersMoved, at(305), "partition")
	p.acked(0, at(310))
	r.lookAt(at(310))
	if was := before[0].Phases; len(was) != 2 || was[1].Detail != "1 partition" || !before[0].Gap.Open {
		t.Errorf("what was handed out has changed: %+v", before[0])
	}
	after := r.Timelines()
	if now := after[0].Phases; len(now) != 3 || now[1].Detail != "2 partitions" || after[0].Gap.Open {
		t.Errorf("it does not show what has changed since: %+v", after[0])
	}
}

// Only what the fault explains is its sign: a client also gives up connections by itself, and stumbles over what was before.
func TestWhatAClientNoticesBelongsToTheFaultThatTookTheBrokerAway(t *testing.T) {
	sign := func(ms int, node int32) Sign { return Sign{At: at(ms), Node: node, What: "disconnected"} }
	for _, c := range []struct {
		verb kafkaops.Verb
		node int32
		sign Sign
		back bool // the broker was back before the sign
		want bool
	}{
		{kafkaops.Kill, 2, sign(101, 2), false, true},
		{kafkaops.Kill, 2, sign(99, 2), false, false},
		{kafkaops.Kill, 2, sign(101, 3), false, false},
		{kafkaops.Pause, 2, sign(1100, 2), false, true},
		{kafkaops.Stop, 2, sign(900, 2), false, true}, // at the end of the controlled shutdown, long after the leaders have moved
		{kafkaops.Restart, 2, sign(900, 2), false, true},
		{kafkaops.Restart, 2, sign(6100, 2), true, false},
		{kafkaops.Start, 2, sign(6100, 2), false, false},
		{kafkaops.Resume, 2, sign(110, 2), false, false},
		{kafkaops.Cut, 2, sign(101, 2), false, true},
		{kafkaops.Reconnect, 2, sign(110, 2), false, false},
		{kafkaops.Elect, 0, sign(110, 0), false, false},
		{kafkaops.Kill, 2, Sign{At: at(101), Node: -1, Addr: "b2:1"}, false, true},
		{kafkaops.Kill, 2, Sign{At: at(101), Node: -1, Addr: "b3:1"}, false, false},
	} {
		r, line := measuring(nil)
		r.cfg.Cluster = &cluster{nodes: []kafkaops.Node{{ID: 2, Addr: "b2:1"}, {ID: 3, Addr: "b3:1"}}}
		line.Fault = kafkaops.Fault{Verb: c.verb, Node: c.node}
		if c.back {
			line.see(BrokerBack, at(2000), "", true)
		}
		if r.saw(c.sign); line.has(ClientSaw) != c.want {
			t.Errorf("%s, broker back: %v, %+v: a sign of it %v", line.Fault, c.back, c.sign, !c.want)
		}
	}
}
