package drill

import (
	"reflect"
	"testing"
	"time"

	"kassa/kafkaops"
	"kassa/kafkaops/watch"
)

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func at(ms int) time.Time { return noon.Add(time.Duration(ms) * time.Millisecond) }

// wrote makes a probe whose partitions were acknowledged at these times.
func wrote(parts ...[]int) *Probe {
	p := &Probe{parts: make([]acks, len(parts))}
	next := make([]int, len(parts))
	for { // in the order of time, as acks come
		first := -1
		for i, times := range parts {
			if next[i] < len(times) && (first < 0 || times[next[i]] < parts[first][next[first]]) {
				first = i
			}
		}
		if first < 0 {
			return p
		}
		p.acked(int32(first), at(parts[first][next[first]]))
		next[first]++
	}
}

func TestGap(t *testing.T) {
	for _, c := range []struct {
		name      string
		p         *Probe
		fault, to int
		want      Gap
	}{
		{"nothing was felt", wrote([]int{0, 10, 20, 30}, []int{5, 15, 25, 35}), 12, 36, Gap{Worst: 10 * time.Millisecond, Partition: 1}},
		{
			"one partition stalled", wrote([]int{0, 10, 500, 510}, []int{5, 100, 200, 300, 400, 505}), 12, 512,
			Gap{Worst: 490 * time.Millisecond, Partition: 0, All: 100 * time.Millisecond, Resumed: at(500)},
		},
		{"a stall that began before the fault", wrote([]int{0, 400, 410}), 300, 411, Gap{Worst: 400 * time.Millisecond, Resumed: at(400), All: 400 * time.Millisecond}},
		{"one that was over before it", wrote([]int{0, 400, 410, 420}), 405, 421, Gap{Worst: 0}},
		{"one after the end", wrote([]int{0, 10, 20, 500}), 5, 15, Gap{Worst: 0}},
		{"it lasts", wrote([]int{0, 10}), 5, 700, Gap{Worst: 690 * time.Millisecond, All: 690 * time.Millisecond, Open: true}},
		{"one that outlasts the end", wrote([]int{0, 10, 500, 505}), 5, 200, Gap{Worst: 490 * time.Millisecond, All: 490 * time.Millisecond, Resumed: at(500)}},
		{"one that begins with what comes at the end", wrote([]int{0, 10, 20, 500, 505}), 5, 100, Gap{Worst: 0}},
		{"the longest of two", wrote([]int{0, 100, 200, 400, 500, 505}), 50, 506, Gap{Worst: 200 * time.Millisecond, All: 200 * time.Millisecond, Resumed: at(400)}},
	} {
		got := c.p.Gap(at(c.fault), at(c.to))
		if c.want.Worst < shortestGap { // below what is kept
			if got.Worst >= shortestGap || got.Open {
				t.Errorf("%s: %+v", c.name, got)
			}
			continue
		}
		if got != c.want {
			t.Errorf("%s:\n got %+v\nwant %+v", c.name, got, c.want)
		}
	}
}

func TestReady(t *testing.T) {
	if p := wrote([]int{0, 10}, nil); p.Ready(at(11)) {
		t.Error("ready with a partition that never took a write")
	}
	p := wrote([]int{0, 10}, []int{5})
	if !p.Ready(at(11)) || p.Ready(at(300)) {
		t.Error("ready is to say that all partitions took a write lately")
	}
}

func TestCompare(t *testing.T) {
	gap := func(verb kafkaops.Verb, ms int, change func(*Timeline)) Timeline {
		tl := Timeline{Fault: kafkaops.Fault{Verb: verb, Node: 1}, Probed: true, Gap: Gap{Worst: time.Duration(ms) * time.Millisecond}}
		if change != nil {
			change(&tl)
		}
		return tl
	}
	got := Compare([]Timeline{
		gap(kafkaops.Kill, 900, nil), gap(kafkaops.Kill, 1300, nil), gap(kafkaops.Kill, 1100, nil),
		gap(kafkaops.Kill, 1700, func(t *Timeline) { t.Controller = true }),
		gap(kafkaops.Kill, 9000, func(t *Timeline) { t.Open = true }),
		gap(kafkaops.Kill, 9000, func(t *Timeline) { t.Err = "no" }),
		gap(kafkaops.Kill, 9000, func(t *Timeline) { t.Probed = false }),
		gap(kafkaops.Kill, 500, func(t *Timeline) { t.Gap.Open = true }), // the next fault came half a second after it
		gap(kafkaops.Pause, 200_000, func(t *Timeline) { t.Gap.Open = true }),
		gap(kafkaops.Pause, 3000, func(t *Timeline) { t.Gap.Open = true }),
	})
	want := []Summary{
		{Kind: "pause", NotOver: 2, AtLeast: 200 * time.Second},
		{Kind: "kill of the controller", N: 1, Median: 1700 * time.Millisecond, Worst: 1700 * time.Millisecond},
		{Kind: "kill", N: 3, Median: 1100 * time.Millisecond, Worst: 1300 * time.Millisecond, NotOver: 1, AtLeast: 500 * time.Millisecond},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
}

// The phases of a kill and of the return, each at the time of the picture that showed it.
func TestObserve(t *testing.T) {
	picture := func(ms int, leader int32, isr ...int32) *watch.State {
		s := &watch.State{At: at(ms), Quorum: watch.Quorum{Known: true, Leader: 1, Epoch: 3, Voters: []watch.Replica{{ID: 1}, {ID: 2}, {ID: 3}}}}
		for id := int32(1); id <= 3; id++ {
			s.Nodes = append(s.Nodes, watch.Node{ID: id, Health: watch.Up})
		}
		for p := range int32(2) {
			s.Partitions = append(s.Partitions, watch.Partition{Topic: "t", ID: p, Leader: leader, Epoch: int32(ms), Replicas: []int32{2, 1, 3}, ISR: isr})
		}
		return s
	}
	well, moved := picture(0, 2, 2, 1, 3), picture(1040, 1, 1, 3)
	elected := picture(600, 2, 2, 1, 3)
	elected.Quorum.Leader, elected.Quorum.Epoch = 3, 4
	moved.Quorum = elected.Quorum
	kill := &Timeline{Fault: kafkaops.Fault{Verb: kafkaops.Kill, Node: 2}, At: at(0)}
	kill.observe(well, elected)
	kill.observe(elected, moved)
	kill.see(ClientSaw, at(12), "disconnected", false)
	kill.see(ClientSaw, at(99), "again", false)
	want := []Phase{
		{Mark: ClientSaw, After: 12 * time.Millisecond, Detail: "disconnected"},
		{Mark: ControllerElected, After: 600 * time.Millisecond, Detail: "3 at epoch 4"},
		{Mark: LeadersMoved, After: 1040 * time.Millisecond, Detail: "2 partitions", n: 2},
		{Mark: ISRShrank, After: 1040 * time.Millisecond, Detail: "2 partitions", n: 2},
	}
	if !reflect.DeepEqual(kill.Phases, want) {
		t.Errorf("kill: %+v", kill.Phases)
	}

	whole, back := picture(3000, 1, 1, 3, 2), picture(4000, 2, 1, 3, 2)
	start := &Timeline{Fault: kafkaops.Fault{Verb: kafkaops.Start, Node: 2}, At: at(2000)}
	start.observe(moved, whole)
	start.observe(whole, back)
	for mark, ms := range map[Mark]int{ISRFull: 1000, LeadersMoved: 2000, PreferredBack: 2000} {
		if p, ok := start.Phase(mark); !ok || p.After != time.Duration(ms)*time.Millisecond {
			t.Errorf("start: %s at %v", mark, p.After)
		}
	}
	if kill.Kind() != "kill" {
		t.Errorf("kind %q", kill.Kind())
	}
}
