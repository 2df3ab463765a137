package tui

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"

	"kassa/kafkaops/tail"
	"kassa/kafkaops/watch"
)

// crowd is n partitions of topics with ten each, one of a hundred without a replica, one of a thousand without a leader.
func (s *stage) crowd(n int) []watch.Partition {
	out := make([]watch.Partition, 0, n)
	for i := range n {
		p := watch.Partition{
			Topic: fmt.Sprintf("topic-%04d", i/10), ID: int32(i % 10), Leader: int32(i%3 + 1), Epoch: 4, MinISR: 2, Seen: s.clock, From: -1,
			Replicas: []int32{int32(i%3 + 1), int32((i+1)%3 + 1), int32((i+2)%3 + 1)}, ISR: []int32{1, 2, 3},
		}
		if i%100 == 7 {
			p.ISR = p.ISR[:2]
		}
		if i%1000 == 17 {
			p.Leader, p.ISR = -1, nil
		}
		out = append(out, p)
	}
	return out
}

// crowded is a cluster with the shop's partitions and n of others.
func (s *stage) crowded(n int) *watch.State {
	st := s.cluster()
	st.Others, st.OthersSeen, st.OthersEvery = s.crowd(n), s.clock, time.Second
	return st
}

// wants is a screen whose watcher can tell of all topics.
func (s *stage) wants() (asked *[]bool) {
	asked = new([]bool)
	s.open()
	s.backend.Others = func(on bool) { *asked = append(*asked, on) }
	return asked
}

// A has all topics of the cluster watched: first what there is in sum, those in trouble first, then each partition of one.
func TestAllTopics(t *testing.T) {
	s := newStage(t, 120, 40)
	asked := s.wants()
	s.send(stateMsg{s.cluster()})
	s.press("6", "z", "A")
	s.has("asking for all topics")
	s.send(stateMsg{s.crowded(10_000)})
	if fmt.Sprint(*asked) != "[true]" || s.view != viewTopics {
		t.Fatalf("asked %v, the view is %s", *asked, viewNames[s.view])
	}
	s.has("10,009 partitions of 1,003 topics · 10 leaderless · 10 below min ISR · 110 under-replicated")
	s.has("all topics, every 1.0 s")
	rows := strings.Split(s.screen(), "\n")
	if !strings.Contains(rows[4], "topic-0001 ") || !strings.Contains(rows[4], "1") {
		t.Errorf("the topic in the worst trouble is not first: %s", rows[4])
	}
	s.press("enter")
	s.has("/topic-0001")
	s.has("1 of 10 ")
	s.has("NO LEADER")
	s.press("esc")
	s.has("20 of 10,009") // it stays selected
	s.press("G")
	s.has("10,009 of 10,009")
	s.clock = s.clock.Add(8 * time.Second)
	s.send(tickMsg(s.clock))
	s.has("8.0 s old")
	s.press("A")
	s.send(stateMsg{s.cluster()})
	s.has("9 partitions · all replicas in sync")
	if fmt.Sprint(*asked) != "[true false]" {
		t.Errorf("asked %v", *asked)
	}
}

// f goes through the kinds of trouble that there are, / asks for topics by name while one types, esc shows all again.
func TestPartitionFilters(t *testing.T) {
	s := newStage(t, 120, 40)
	s.wants()
	s.send(stateMsg{s.cluster()})
	s.press("6", "f")
	s.has("none is under-replicated, leaderless, below min ISR or moved")
	st := s.crowded(2000)
	s.send(stateMsg{st})
	var seen []string
	for range 4 {
		s.press("f")
		seen = append(seen, fmt.Sprint(s.parts.filter, " ", s.parts.len()))
	}
	if got := strings.Join(seen, ", "); got != "under-replicated 22, leaderless 2, below min ISR 2, all 2009" {
		t.Errorf("f shows %s", got)
	}
	s.press("/", "0", "0", "1")
	if s.parts.len() != 110 { // topic-0010 to 0019, and 0001 and so on
		t.Errorf("while typing %d pass", s.parts.len())
	}
	s.has("topics that contain")
	s.press("esc")
	if s.parts.len() != 2009 {
		t.Errorf("after esc %d pass", s.parts.len())
	}
	s.press("/", "0", "0", "1", "enter", "f")
	s.has("under-replicated /001")
	s.press("j")
	topic := s.parts.at(s.partAt).Topic
	st = s.crowded(2000)
	st.Others[7].ISR = []int32{1, 2, 3} // the first of the list is well again
	s.send(stateMsg{st})
	if got := s.parts.at(s.partAt).Topic; got != topic {
		t.Errorf("the selection went from %s to %s", topic, got)
	}
	s.press("esc")
	if s.parts.filtered() {
		t.Error("esc leaves a filter")
	}
	s.press("/", "x", "x", "enter")
	s.has("none of 2,009 partitions; esc shows all")
}

// A selection stays with what was selected, while lists grow, shrink and change their order.
func TestASelectionStaysWithItsRow(t *testing.T) {
	s := newStage(t, 120, 40)
	s.wants()
	st := s.crowded(2000)
	s.send(stateMsg{st})
	s.press("6", "f") // under-replicated
	s.press("G", "k")
	p, _ := s.partition()
	st = s.crowded(2000)
	st.Others[7].ISR, st.Others[107].ISR = []int32{1, 2, 3}, []int32{1, 2, 3} // the list is shorter than where the selection was
	s.send(stateMsg{st})
	st = s.crowded(2000)
	st.Others[3].ISR = []int32{1}
	s.send(stateMsg{st}) // and longer again
	if now, _ := s.partition(); now.Topic != p.Topic || now.ID != p.ID {
		t.Errorf("the selection went from %s/%d to %s/%d", p.Topic, p.ID, now.Topic, now.ID)
	}
	s.press("esc")

	s.says("view topics")
	s.press("g", "j", "j", "j")
	name := s.parts.topics[s.topicAt].name
	st = s.crowded(2000)
	for i := 1000; i < 1010; i++ {
		st.Others[i].Leader = -1 // now that is the topic in the worst trouble
	}
	s.send(stateMsg{st})
	if got := s.parts.topics[s.topicAt].name; got != name || s.topicAt == 3 {
		t.Errorf("the selection went from topic %s to %s, row %d", name, got, s.topicAt)
	}

	s.says("view groups")
	st.Groups = []watch.Group{{Name: "email", Seen: s.clock}, {Name: "order", Seen: s.clock}}
	s.send(stateMsg{st})
	s.press("j")
	more := *st
	more.Groups = append([]watch.Group{{Name: "billing", Seen: s.clock}}, st.Groups...)
	s.send(stateMsg{&more})
	if got := more.Groups[s.groupAt].Name; got != "order" {
		t.Errorf("the selection went from group order to %s", got)
	}

	for i := range 4 {
		s.clock = s.clock.Add(time.Second)
		s.tell("a mark", fmt.Sprint("act ", i))
	}
	s.press("7", "z", "j")
	shown := func(want string) {
		t.Helper()
		acts := s.acts()
		if got := acts[s.actAt(acts)].what; got != want {
			t.Errorf("the selection is %s, want %s", got, want)
		}
	}
	shown("act 2")
	s.clock = s.clock.Add(time.Second)
	s.tell("a mark", "act 4")
	shown("act 2")
	s.press("k")
	shown("act 3")
	s.press("g")
	s.clock = s.clock.Add(time.Second)
	s.tell("a mark", "act 5")
	shown("act 5") // the newest is the newest
}

// The details of a partition say where its log begins and ends, asked for anew while they are open; what is not known is not made up, and old is called old.
func TestAPartitionSaysWhereItsLogEnds(t *testing.T) {
	s := newStage(t, 120, 40).story()
	s.press("6", "enter")
	s.has("log end offset      –  cannot be asked for from here")
	s.press("esc")
	log := &shelf{found: tail.Found{Looked: []tail.Looked{{Topic: "payment-successful", Partition: 1, Start: 120, End: 98765}}}}
	s.backend.Log = log
	s.press("j", "enter")
	s.has("log start offset    120")
	s.has("log end offset      98,765")
	if q := log.asked[0]; len(q.Topics) != 1 || q.Topics[0] != "payment-successful" || q.Partition != 1 || q.After["payment-successful"] < 1<<62 {
		t.Errorf("asked %+v", q)
	}
	s.carry(s.askOffsets())
	if len(log.asked) != 1 {
		t.Error("asked again at once")
	}
	log.err = errors.New("no broker says where it ends")
	s.clock = s.clock.Add(offsetsEvery)
	s.carry(s.askOffsets())
	s.has("log end offset      98,765  2.0 s old: no broker says where it ends")
	s.press("esc")
	if s.clock = s.clock.Add(offsetsEvery); s.askOffsets() != nil {
		t.Error("asked for what is closed")
	}
	s.press("k", "enter") // the answer about another one is not of this
	s.hasNot("98,765")
	s.send(offsetsMsg{number: s.offsets.number - 1, found: log.found})
	s.hasNot("98,765")
}

// Numbers of any size have room: brokers with four digits, partitions with five, five replicas.
func TestWidePartitions(t *testing.T) {
	for _, w := range []int{60, 120, 200} {
		s := newStage(t, w, 40)
		s.wants()
		st := s.cluster()
		st.Nodes[2].ID = 1003
		for i := range st.Partitions {
			p := &st.Partitions[i]
			p.Replicas, p.ISR, p.ID, p.Epoch = []int32{1001, 1002, 1003, 1004, 1005}, []int32{1001, 1002, 1003}, int32(10_000+i), 123456
			p.Leader, p.From, p.Moved = 1003, 1001, s.clock
		}
		s.send(stateMsg{st})
		s.press("6", "z")
		for _, text := range []string{"10008 1001→1003", "1001 1002 1003 ·1004 ·1005"} {
			s.has(text)
		}
		if w > 60 {
			s.has("123456")
		}
		for i, l := range strings.Split(s.screen(), "\n") {
			if n := ansi.StringWidth(l); n != w {
				t.Errorf("line %d is %d wide on a screen of %d", i, n, w)
			}
		}
	}
}

// A frame with ten thousand partitions.
func BenchmarkFrame10000(b *testing.B) {
	s := newStage(b, 200, 60)
	s.wants()
	s.send(stateMsg{s.crowded(10_000)})
	s.press("6", "z")
	b.ReportAllocs()
	for b.Loop() {
		s.dirtyAll()
		_ = s.View()
	}
}

// A new picture with ten thousand partitions, and the frame after it.
func BenchmarkState10000(b *testing.B) {
	s := newStage(b, 200, 60)
	s.wants()
	states := []*watch.State{s.crowded(10_000), s.crowded(10_000)}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		s.send(stateMsg{states[i%2]})
		_ = s.View()
	}
}
