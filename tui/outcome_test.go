package tui

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"kassa/kafkaops"
	"kassa/kafkaops/drill"
	"kassa/kafkaops/tail"
	"kassa/kafkaops/watch"
	"kassa/services/events"
)

// bought is a stage on which order 7f3a was bought by hand; its payment is in partition 1, which broker 2 leads.
func bought(t *testing.T) *stage {
	s := newStage(t, 120, 40).open()
	s.send(stateMsg{s.cluster()})
	s.press("c")
	s.payment("7f3a0000-0000-5000-8000-000000000000", 1)
	return s
}

// payment brings a payment into view.
func (s *stage) payment(id string, partition int32) {
	s.send(batchMsg{At: s.clock, Records: []tail.Record{{
		Topic: events.PaymentSuccessful, Partition: partition, Offset: 41, Time: s.clock, Key: []byte(id), Value: []byte("{}"), Size: 2,
	}}})
}

// after lets time pass, gives the last fault what was measured of it, and has the screen see it.
func (s *stage) after(d time.Duration, st func() *watch.State, measured func(*drill.Timeline)) {
	s.clock = s.clock.Add(d)
	if measured != nil {
		s.lines = slices.Clone(s.lines)
		measured(&s.lines[len(s.lines)-1])
	}
	if st != nil {
		s.send(stateMsg{st()})
	}
	s.send(tickMsg(s.clock))
}

// The question about a fault says what it means for the order that a person knows.
func TestTheQuestionNamesAnOrder(t *testing.T) {
	s := bought(t)
	s.press("5", "j", "K")
	s.has("Order 7f3a is on brokers 1 and 3 as well.")
	s.press("n")
	alone := s.cluster()
	for i := range alone.Partitions {
		alone.Partitions[i].ISR = []int32{2}
	}
	s.send(stateMsg{alone})
	s.press("K")
	s.has("Order 7f3a is on no other broker that is up.")
	s.press("n")
	s.send(stateMsg{s.broken()})
	s.press("S")
	s.has("Start broker 2?")
	s.hasNot("Order 7f3a")
}

// After a fault a sentence says what became of the order: only when it is known, with the figures that were measured.
func TestAFaultEndsInASentence(t *testing.T) {
	s := bought(t)
	s.press("5", "j", "K", "y")
	s.after(200*time.Millisecond, s.cluster, func(l *drill.Timeline) { l.Gap = drill.Gap{Worst: 200 * time.Millisecond, Open: true} })
	if got := s.outcome(); got != "" {
		t.Errorf("while nothing is known yet it says %q", got)
	}
	s.after(840*time.Millisecond, s.broken, nil)
	if got := s.outcome(); got != "" {
		t.Errorf("while writes wait it says %q", got)
	}
	s.after(30*time.Millisecond, nil, func(l *drill.Timeline) { l.Gap = drill.Gap{Worst: 1066 * time.Millisecond} })
	const want = "Order 7f3a survived: broker 3 had a copy and leads its partition now. Writes waited 1,066 ms at most."
	if got := s.outcome(); got != want {
		t.Errorf("it says %q", got)
	}
	s.has(want) // as a notice, at any size
	s.press("1")
	s.hasNot(want)
	s.has("leads its partition now.") // in the checkout pane it stays
	s.after(outcomeFor, nil, nil)
	s.hasNot("leads its partition now.")
}

// An order whose leader lives on, one that nobody is known of, and one that was under way when the broker died.
func TestOtherOrdersAndFaults(t *testing.T) {
	gone := func(l *drill.Timeline) { l.Gap = drill.Gap{Worst: 31 * time.Millisecond} }
	s := newStage(t, 120, 40).open()
	s.send(stateMsg{s.cluster()})
	s.press("5", "j", "K", "y")
	s.after(time.Second, s.broken, gone)
	if got := s.outcome(); got != "" {
		t.Errorf("without an order it says %q", got)
	}

	s = newStage(t, 120, 40).open()
	s.send(stateMsg{s.cluster()})
	s.payment("81bc-by-the-load", 0) // led by broker 1
	s.press("5", "j", "p", "y")
	s.after(time.Second, s.broken, gone)
	if got := s.outcome(); got != "Order 81bc survived: brokers 1 and 3 have it. Writes waited 31 ms at most." {
		t.Errorf("it says %q", got)
	}

	s = newStage(t, 120, 40).open()
	s.send(stateMsg{s.cluster()})
	s.press("5", "j")
	s.lastOrder = lastCheckout{number: 1, begun: s.clock}
	s.clock = s.clock.Add(10 * time.Millisecond)
	s.press("K", "y")
	s.after(time.Second, s.broken, gone)
	s.send(checkoutMsg{number: 1, receipt: Receipt{CheckoutID: "90aa-under-way", Took: time.Second}})
	s.payment("90aa-under-way", 1)
	if got := s.outcome(); !strings.HasPrefix(got, "Order 90aa survived: broker 3 had a copy") {
		t.Errorf("of the order that was under way it says %q", got)
	}
}

// Once the payments of a load have pushed the order that was bought by hand out of view, the newest of them is spoken of. Just after it was bought it is waited for.
func TestAnOrderThatIsOutOfView(t *testing.T) {
	s := bought(t)
	crowd := func() {
		for i := range ringRows {
			s.payment(fmt.Sprintf("%04x-by-the-load", i), 0)
		}
	}
	crowd()
	if got := s.atStake(); got.id != "7f3a0000-0000-5000-8000-000000000000" || got.topic != "" {
		t.Errorf("at once %+v is at stake", got)
	}
	s.clock = s.clock.Add(comesWithin + time.Second)
	if got := s.atStake(); got.id != "07cf-by-the-load" {
		t.Errorf("later %+v is at stake", got)
	}
	s.press("5", "j", "K")
	s.has("Order 07cf is on brokers 1 and 3 as well.")
	s.press("y")
	s.after(time.Second, s.broken, func(l *drill.Timeline) { l.Gap = drill.Gap{Worst: 31 * time.Millisecond} })
	if got := s.outcome(); got != "Order 07cf survived: brokers 1 and 3 have it. Writes waited 31 ms at most." {
		t.Errorf("it says %q", got)
	}

	// An order that was under way at the fault is not mixed up with one that was paid after it.
	s = bought(t)
	s.lastOrder = lastCheckout{number: 2, begun: s.clock}
	s.clock = s.clock.Add(10 * time.Millisecond)
	s.press("5", "j", "K", "y")
	s.after(time.Second, s.broken, func(l *drill.Timeline) { l.Gap = drill.Gap{Worst: 31 * time.Millisecond} })
	s.send(checkoutMsg{number: 2, receipt: Receipt{CheckoutID: "90aa-under-way", Took: 500 * time.Millisecond}})
	crowd()
	s.clock = s.clock.Add(comesWithin)
	if got := s.outcome(); strings.Contains(got, "by-the-load") || strings.Contains(got, "07cf") {
		t.Errorf("of an order that was paid after the fault it says %q", got)
	}
}

// With two brokers down it says where the order is safe; when one is back, how long what waited has waited.
func TestTheOutcomeOfTwoDownAndOneBack(t *testing.T) {
	s := bought(t)
	two := func() *watch.State {
		st := s.broken()
		st.Nodes[2].Health, st.Nodes[2].Process = watch.Down, kafkaops.ProcessExited
		st.Quorum.Known, st.Quorum.Lost = false, true
		return st
	}
	s.press("5", "j", "K", "y")
	s.after(time.Second, s.broken, nil)
	s.press("j", "K", "y")
	s.after(time.Second, two, func(l *drill.Timeline) { l.Gap = drill.Gap{Worst: time.Second, Open: true} })
	if got := s.outcome(); got != "Order 7f3a is safe on broker 1. New orders wait, and nobody is promised anything, until another broker is back." {
		t.Errorf("it says %q", got)
	}
	s.lastOrder = lastCheckout{number: 9, begun: s.clock}
	s.clock = s.clock.Add(10 * time.Second)
	s.press("S", "y")
	s.after(2*time.Second, s.broken, nil)
	s.send(checkoutMsg{number: 9, receipt: Receipt{CheckoutID: "aa01", Took: 11 * time.Second}})
	if got := s.outcome(); got != "Order aa01 waited 11.0 s and is in." {
		t.Errorf("it says %q", got)
	}
	s.after(time.Second, s.broken, func(l *drill.Timeline) {
		l.Phases = []drill.Phase{{Mark: drill.ISRFull, After: 2100 * time.Millisecond}}
	})
	if got := s.outcome(); got != "Order aa01 waited 11.0 s and is in. Broker 3 has all that it missed, after 2,100 ms: every order has all its copies again." {
		t.Errorf("it says %q", got)
	}
}

// A refusal that has gone from the line, by a key or with time, does not keep what became of the order from being said there. One that is still there stays.
func TestTheOutcomeIsSaidAfterARefusal(t *testing.T) {
	const want = "Order 7f3a survived: broker 3 had a copy and leads its partition now."
	for name, c := range map[string]struct {
		goes func(*stage)
		said bool
	}{
		"a key":   {func(s *stage) { s.press("z", "z") }, true},
		"time":    {func(s *stage) { s.after(noticeFor+time.Millisecond, nil, nil) }, true},
		"nothing": {func(*stage) {}, false},
	} {
		s := bought(t)
		s.press("5", "j", "K", "y", "S")
		s.has("broker 2 runs, and cannot be started")
		c.goes(s)
		s.after(time.Second, s.broken, func(l *drill.Timeline) { l.Gap = drill.Gap{Worst: 1066 * time.Millisecond} })
		if said := strings.HasPrefix(s.notice.text, want); said != c.said {
			t.Errorf("after %s it is said: %v; the line says %q", name, said, s.notice.text)
		}
	}
}
