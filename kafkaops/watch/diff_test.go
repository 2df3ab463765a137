package watch

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"kassa/kafkaops"
)

// well is a state of three brokers in which nothing is wrong; change makes a copy with one thing different.
func well() *State {
	s := &State{Quorum: Quorum{Leader: 1, Epoch: 3, Known: true, Seen: time.Unix(1000, 0), Voters: []Replica{{ID: 1}, {ID: 2}, {ID: 3}}}}
	for i := range int32(3) {
		s.Nodes = append(s.Nodes, Node{ID: i + 1, Health: Up, Leads: 1, Led: 1})
		s.Partitions = append(s.Partitions, Partition{
			Topic: "a", ID: i, Leader: i + 1, Epoch: 5, MinISR: 2,
			Replicas: []int32{i + 1, (i+1)%3 + 1, (i+2)%3 + 1}, ISR: []int32{1, 2, 3},
		})
	}
	s.Groups = []Group{{Name: "order", State: "Stable", Members: []Member{{ID: "m1"}, {ID: "m2"}}}}
	return s
}

func change(s *State, with ...func(*State)) *State {
	c := *s
	c.Nodes, c.Partitions, c.Groups = slices.Clone(s.Nodes), slices.Clone(s.Partitions), slices.Clone(s.Groups)
	for _, f := range with {
		f(&c)
	}
	return &c
}

func becomes(id int32, h Health, err string) func(*State) {
	return func(s *State) { s.Nodes[id-1].Health, s.Nodes[id-1].Err = h, err }
}

func isr(partition int, ids ...int32) func(*State) {
	return func(s *State) { s.Partitions[partition].ISR = ids }
}

func leader(partition int, id, epoch int32) func(*State) {
	return func(s *State) { s.Partitions[partition].Leader, s.Partitions[partition].Epoch = id, epoch }
}

func quorum(leader, epoch int32, known bool) func(*State) {
	return func(s *State) {
		s.Quorum.Leader, s.Quorum.Epoch, s.Quorum.Known, s.Quorum.Lost = leader, epoch, known, !known
	}
}

// unsure is a quorum of which nobody can say whether it is there.
func unsure(s *State) {
	s.Quorum.Known = false
}

func noPartitions(s *State) { s.Partitions = nil }

func TestDiffReadsLikeALog(t *testing.T) {
	s := well()
	down := change(s, becomes(2, Down, "signal: killed"))
	for _, c := range []struct {
		name string
		a, b *State
		want []string
	}{
		{"nothing", s, change(s), nil},
		{"no state before", nil, s, nil},
		{"killed", s, down, []string{"broker 2 down (signal: killed), led 1 partition"}},
		{"up again", down, s, []string{"broker 2 up, was down"}},
		{"fenced", s, change(s, becomes(2, Fenced, "")), []string{"broker 2 fenced"}},
		{"paused", s, change(s, becomes(2, Paused, "")), []string{"broker 2 paused"}},
		{"starting", down, change(s, becomes(2, Starting, "")), []string{"broker 2 starting"}},
		{"silent", s, change(s, becomes(2, Unknown, "no answer in time")), []string{"broker 2 does not answer: no answer in time"}},
		{"leader moved", s, change(s, leader(0, 3, 6), isr(0, 2, 3)), []string{"a/0 leader 1→3, epoch 6", "a/0 ISR lost 1, now 2,3"}},
		{"leader lost", s, change(s, leader(0, -1, 6)), []string{"a/0 has no leader, was 1"}},
		{"leader found", change(s, leader(0, -1, 6)), change(s, leader(0, 2, 7)), []string{"a/0 leader none→2, epoch 7"}},
		{"below min ISR", s, change(s, isr(0, 2)), []string{"a/0 ISR lost 1,3, now 2, below min ISR 2"}},
		{"ISR grew", change(s, isr(0, 2)), change(s, isr(0, 2, 3)), []string{"a/0 ISR regained 3, now 2,3"}},
		{"ISR full", change(s, isr(0, 2, 3)), s, []string{"a/0 ISR regained 1, now 1,2,3, full"}},
		{"order in the ISR is nothing", s, change(s, isr(0, 3, 2, 1)), nil},
		{"elected", s, change(s, quorum(3, 4, true)), []string{"controller 1→3, epoch 4"}},
		{"quorum lost", down, change(down, becomes(1, Down, ""), quorum(1, 3, false)), []string{"broker 1 down, led 1 partition", "quorum lost, 1 of 3 voters up"}},
		{"quorum back", change(s, quorum(1, 3, false)), change(s, quorum(2, 5, true)), []string{"controller 1→2, epoch 5", "quorum is back, controller 2, epoch 5"}},
		{"quorum there for the first time", change(s, unsure, func(s *State) { s.Quorum.Seen = time.Time{} }), s, []string{"quorum is back, controller 1, epoch 3"}},
		{"a quorum that is silent is not lost", s, change(s, unsure), nil},
		{"nor is it back", change(s, unsure), s, nil},
		{"until it is", change(s, unsure), change(s, quorum(1, 3, false)), []string{"quorum lost, 3 of 3 voters up"}},
		{"topic made", change(s, noPartitions), s, []string{"topic a is there, 3 partitions"}},
		{"topic deleted", s, change(s, noPartitions), []string{"topic a is gone"}},
		{"rebalancing", s, change(s, func(s *State) { s.Groups[0].State = "PreparingRebalance" }), []string{"group order PreparingRebalance, 2 members"}},
		{"a member left", s, change(s, func(s *State) { s.Groups[0].Members = s.Groups[0].Members[:1] }), []string{"group order Stable, 1 member"}},
		{"lag is no rebalance", s, change(s, func(s *State) { s.Groups[0].Lag = []PartitionLag{{Lag: 3}} }), nil},
		{"a group first described", change(s, func(s *State) { s.Groups = []Group{{Name: "order"}} }), s, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, ch := range Diff(c.a, c.b) {
				got = append(got, ch.String())
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got\n%q, want\n%q", got, c.want)
			}
		})
	}
}

func minISR(n int) func(*State) {
	return func(s *State) {
		for i := range s.Partitions {
			s.Partitions[i].MinISR = n
		}
	}
}

func TestPrice(t *testing.T) {
	s := well()
	oneDown := change(s, becomes(3, Down, ""), leader(2, 1, 6), isr(0, 1, 2), isr(1, 1, 2), isr(2, 1, 2))
	frozen := change(oneDown, becomes(2, Down, ""), quorum(1, 3, false))
	five := well()
	five.Nodes = append(five.Nodes, Node{ID: 4, Health: Up}, Node{ID: 5, Health: Up})
	five.Quorum.Voters = append(five.Quorum.Voters, Replica{ID: 4}, Replica{ID: 5})
	const kill, stop, pause, restart, begin, resume = kafkaops.Kill, kafkaops.Stop, kafkaops.Pause, kafkaops.Restart, kafkaops.Start, kafkaops.Resume
	for _, c := range []struct {
		name string
		s    *State
		verb kafkaops.Verb
		node int32
		want string
	}{
		{"the controller", s, kill, 1, "Broker 1 is the controller and leads 1 partition. 2 of 3 remain: writes go on. One more loss stops them."},
		{"another", s, kill, 2, "Broker 2 leads 1 partition. 2 of 3 remain: writes go on. One more loss stops them."},
		{"it leads nothing", change(s, leader(1, 1, 6), func(s *State) { s.Nodes[1].Leads = 0 }), kill, 2, "Broker 2 leads no partition. 2 of 3 remain: writes go on. One more loss stops them."},
		{"stop", s, stop, 2, "Broker 2 leads 1 partition. It hands its leaderships over first. 2 of 3 remain: writes go on. One more loss stops them."},
		{"pause", s, pause, 2, "Broker 2 leads 1 partition. It keeps its connections and answers nobody, so clients wait for their time-outs. 2 of 3 remain: writes go on. One more loss stops them."},
		{"restart", s, restart, 2, "Broker 2 leads 1 partition. It hands its leaderships over first and comes back by itself. 2 of 3 remain: writes go on. One more loss stops them."},
		{"the second one", oneDown, kill, 2, "Broker 2 leads 1 partition. 1 of 3 remains: that is no quorum, and writes stop until another is back."},
		{"the last one", frozen, kill, 1, "Broker 1 leads 1 partition. 0 of 3 remain: that is no quorum, and writes stop until another is back."},
		{"one that is down", frozen, kill, 2, "Broker 2 is down already: nothing more is lost."},
		{"min ISR equal to the replicas", change(s, minISR(3)), kill, 2, "Broker 2 leads 1 partition. 2 of 3 remain: writes stop, because fewer replicas are in sync than min.insync.replicas asks for."},
		{"one partition has a thin ISR", change(s, isr(0, 1, 2)), kill, 2, "Broker 2 leads 1 partition. 2 of 3 remain: writes stop on 1 of 3 partitions."},
		{"min ISR unknown", change(s, minISR(0)), kill, 2, "Broker 2 leads 1 partition. 2 of 3 remain: whether writes go on is not known, because min.insync.replicas is not."},
		{"min ISR 1", change(s, minISR(1)), kill, 2, "Broker 2 leads 1 partition. 2 of 3 remain: writes go on. One more loss stops them."},
		{"a broker without replicas, of five", five, kill, 4, "Broker 4 leads no partition. 4 of 5 remain: writes go on. They would survive one more loss."},
		{"start", oneDown, begin, 3, "Broker 3 catches up, then leads 1 partition again. 3 of 3 up then: writes go on. They would survive one more loss."},
		{"start with two down", frozen, begin, 2, "Broker 2 catches up, then leads 1 partition again. 2 of 3 up then: writes go on. One more loss stops them."},
		{"resume", change(s, becomes(2, Paused, "")), resume, 2, "Broker 2 catches up. 3 of 3 up then: writes go on. They would survive one more loss."},
		{"cut", s, kafkaops.Cut, 2, "Broker 2 leads 1 partition. It runs on, hears nobody and is heard by nobody. 2 of 3 remain: writes go on. One more loss stops them."},
		{"reconnect", change(s, becomes(2, Cut, "")), kafkaops.Reconnect, 2, "Broker 2 catches up. 3 of 3 up then: writes go on. They would survive one more loss."},
		{"another with one cut off", change(oneDown, becomes(3, Cut, "")), kill, 2, "Broker 2 leads 1 partition. 1 of 3 remains: that is no quorum, and writes stop until another is back."},
		{"elect, all in place", s, kafkaops.Elect, 0, "Every partition is led by its preferred leader already: nothing changes."},
		{"elect, one astray", change(s, leader(1, 1, 6)), kafkaops.Elect, 0, "1 partition goes back to the preferred leader. Writes to it wait for the moment that it takes; nothing else does."},
		{"elect, the preferred one is down", oneDown, kafkaops.Elect, 0, "The preferred leaders that do not lead are not in the ISR: nothing changes until they have caught up."},
		{"rolling", s, kafkaops.Rolling, 0, "Each of the 3 brokers in turn, the controller last, hands its leaderships over, stops and comes back; the next waits until every partition has all its replicas. Writes go on throughout. A loss in the meantime stops them."},
		{"rolling with one down", oneDown, kafkaops.Rolling, 0, "2 of 3 brokers are up: a restart would be a second loss, and is refused until all are back."},
		{"start of one that is up", s, begin, 2, "Broker 2 is up already: nothing changes."},
		{"before the cluster has said anything", &State{Nodes: s.Nodes}, kill, 2, "What it costs to kill -9 broker 2 is not known yet: the cluster has not told of its quorum."},
		{"a node that is not there", s, kill, 9, "What it costs to kill -9 broker 9 is not known yet: the cluster has not told of its quorum."},
		{"no state", nil, kill, 2, "What it costs to kill -9 broker 2 is not known yet: the cluster has not told of its quorum."},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := PriceOf(c.s, kafkaops.Fault{Verb: c.verb, Node: c.node}).Sentence(); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestResolve(t *testing.T) {
	s := well()
	none := change(s, leader(1, -1, 6))
	for _, c := range []struct {
		s       *State
		role    kafkaops.Role
		want    int32
		refused string
	}{
		{s, "", 7, ""},
		{s, kafkaops.Controller, 1, ""},
		{s, kafkaops.LeaderOf(s.Partitions[1].Topic, s.Partitions[1].ID), s.Partitions[1].Leader, ""},
		{change(s, quorum(1, 3, false)), kafkaops.Controller, 0, "nobody knows"},
		{none, kafkaops.LeaderOf(s.Partitions[1].Topic, s.Partitions[1].ID), 0, "has no leader"},
		{s, kafkaops.LeaderOf("other", 0), 0, "no such partition"},
	} {
		got, err := c.s.Resolve(kafkaops.Fault{Verb: kafkaops.Kill, Node: 7, Role: c.role})
		if c.refused == "" && (err != nil || got.Node != c.want) {
			t.Errorf("%q: broker %d, %v; want %d", c.role, got.Node, err, c.want)
		}
		var refused *kafkaops.RefusedError
		if c.refused != "" && (!errors.As(err, &refused) || !strings.Contains(err.Error(), c.refused)) {
			t.Errorf("%q: %v, want one that says %q", c.role, err, c.refused)
		}
	}
}

func TestStalled(t *testing.T) {
	s := well()
	oneDown := change(s, becomes(3, Down, ""), leader(2, 1, 6), isr(0, 1, 2), isr(1, 1, 2), isr(2, 1, 2))
	for _, c := range []struct {
		s    *State
		want string
	}{
		{s, ""},
		{oneDown, ""},
		{&State{Nodes: s.Nodes}, ""},
		{change(oneDown, becomes(2, Down, ""), quorum(1, 3, false)), "writes cannot go on: 1 of 3 brokers up is no quorum, so no leader can move and no ISR shrink, and acks=all needs 2 copies"},
		{change(s, isr(0, 1)), "writes cannot go on in 1 of 3 partitions: fewer replicas are in sync than min.insync.replicas=2"},
	} {
		if got := c.s.Stalled(); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}
