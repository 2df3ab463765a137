package tui

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/exp/golden"

	"kassa/kafkaops/watch"
	"kassa/services/events"
)

// troubled is a cluster with one broker left in every ISR, a partition without a leader, and groups of every kind.
func (s *stage) troubled() *watch.State {
	st := s.broken()
	for i := range st.Partitions {
		p := &st.Partitions[i]
		p.ISR, p.ELR = []int32{3}, []int32{1}
	}
	st.Partitions[3].Leader, st.Partitions[3].ISR, st.Partitions[3].ELR = -1, nil, []int32{1, 2}
	for i := range st.Quorum.Voters {
		v := &st.Quorum.Voters[i]
		v.LastFetch, v.LastCaughtUp = s.clock.Add(-200*time.Millisecond), s.clock.Add(-300*time.Millisecond)
	}
	v := &st.Quorum.Voters[1]
	v.LogEnd, v.Lag, v.LastFetch, v.LastCaughtUp = 1230, 4, s.clock.Add(-3200*time.Millisecond), s.clock.Add(-3400*time.Millisecond)
	st.Quorum.Observers = []watch.Replica{{ID: 4, LogEnd: -1, Lag: -1}}

	order := watch.Group{
		Name: "order", Type: "classic", State: "Stable", Protocol: "cooperative-sticky", Coordinator: 3, Seen: s.clock,
		Rebalances: 2, Rebalanced: s.clock.Add(-42 * time.Second),
	}
	for i := range int32(3) {
		id := fmt.Sprintf("order-%d-2f1c", i)
		order.Members = append(order.Members, watch.Member{
			ID: id, ClientID: "order", Host: "/127.0.0.1", Assigned: map[string][]int32{events.PaymentSuccessful: {i}},
		})
		order.Lag = append(order.Lag, watch.PartitionLag{Topic: events.PaymentSuccessful, Partition: i, Committed: 1040 + int64(i), End: 1042, Lag: 2 - int64(i)})
	}
	st.Groups = []watch.Group{
		{Name: "analytics", Type: "consumer", State: "Reconciling", Protocol: "uniform", Coordinator: 1, Members: order.Members[:1], Seen: s.clock, Rebalances: 1},
		{Name: "billing", Coordinator: -1, Err: "no answer in time"},
		{Name: "email", Type: "classic", State: "PreparingRebalance", Protocol: "range", Coordinator: 2, Members: order.Members, Seen: s.clock.Add(-3200 * time.Millisecond), Err: "no answer in time"},
		order,
		{Name: "totals", Type: "streams", State: "NotReady", Coordinator: 3, Opaque: true, Seen: s.clock},
	}
	return st
}

// Pane 6 shows its three views at every size, with a partition that nobody leads and groups that are not well.
func TestGoldenViews(t *testing.T) {
	for _, size := range [][2]int{{60, 18}, {80, 24}, {120, 40}, {200, 60}} {
		for v, name := range viewNames {
			t.Run(fmt.Sprintf("%s-%dx%d", name, size[0], size[1]), func(t *testing.T) {
				s := newStage(t, size[0], size[1]).story()
				s.send(stateMsg{s.troubled()})
				s.press("6")
				for range v {
					s.press("v")
				}
				frame := s.View().Content
				for i, l := range strings.Split(frame, "\n") {
					if w := ansi.StringWidth(l); w != size[0] {
						t.Errorf("line %d is %d wide on a screen of %d: %q", i, w, size[0], ansi.Strip(l))
					}
				}
				golden.RequireEqual(t, frame)
			})
		}
	}
}

// What is wrong is in words, on a small screen as well, and what a group does is one key away.
func TestViewsTell(t *testing.T) {
	for _, size := range [][2]int{{60, 18}, {120, 40}} {
		s := newStage(t, size[0], size[1]).open()
		s.send(stateMsg{s.troubled()})
		s.press("6")
		for _, text := range []string{"2/3 up", "offline 1", "under-min-ISR 9", "< min ISR"} {
			s.has(text)
		}
		s.press("j", "j", "j", "enter")
		for _, text := range []string{"NO LEADER", "eligible (ELR)", "1 2", "refused"} {
			s.has(text)
		}
		s.press("esc", "v")
		for _, text := range []string{"▸groups", "unknown", "3.2 s", "Reconcili"} {
			s.has(text)
		}
		s.press("j", "j", "j", "enter")
		for _, text := range []string{"cooperative-sticky", "2 seen, the last 42.0 s ago", "order-1-2f1c"} {
			s.has(text)
		}
		s.press("G")
		for _, text := range []string{"1,041", "1,042"} {
			s.has(text)
		}
		s.press("esc", "v")
		for _, text := range []string{"▸quorum", "leader", "voter", "3.2 s"} {
			s.has(text)
		}
		s.press("v")
		for _, text := range []string{"▸topics", "no lead", "order", "payment"} {
			s.has(text)
		}
		s.press("v")
		s.has("▸partitions")
	}
}

// A view that is open while its rows go away, or before there are any, says so.
func TestViewsOfNothing(t *testing.T) {
	s := newStage(t, 80, 24).open()
	s.press("6", "v")
	s.has("no group yet")
	s.press("enter", "v")
	s.has("quorum unknown yet")
	s.press("v", "enter", "v", "enter", "v")
	s.send(stateMsg{s.troubled()})
	s.press("G", "enter")
	s.has("does not know how to ask")
	st := s.troubled()
	st.Groups = st.Groups[:1]
	s.send(stateMsg{st})
	s.send(tickMsg(s.clock))
	s.has("the group is gone")
	s.press("esc")
	s.has("analytics")
	s.press("enter")
	s.has("group analytics")
}

// An overlay of what lives is as fresh as the screen.
func TestOverlaysAge(t *testing.T) {
	s := newStage(t, 120, 40).open()
	s.send(stateMsg{s.troubled()})
	s.press("6", "v", "j", "j", "enter")
	s.has("3.2 s ago")
	s.clock = s.clock.Add(2 * time.Second)
	s.send(tickMsg(s.clock))
	s.has("5.2 s ago")
}

// Without a quorum its view keeps what was last known, and says since when.
func TestQuorumViewKeepsWhatWasKnown(t *testing.T) {
	s := newStage(t, 80, 24).open()
	st := s.troubled()
	st.Quorum.Known, st.Quorum.Lost = false, true
	s.clock = s.clock.Add(7 * time.Second)
	s.send(stateMsg{st})
	s.press("6", "v", "v")
	for _, text := range []string{"NO QUORUM", "last known leader 3, epoch 15", "frozen for 7.0 s", "leader?", "1,230"} {
		s.has(text)
	}
}
