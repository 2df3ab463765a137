package tui

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"kassa/kafkaops"
	"kassa/kafkaops/drill"
	"kassa/kafkaops/watch"
)

// What the tour says. It is for people who have never seen Kafka: a word of the field is explained where it first comes, in two sentences at most, and no
// text is longer than the lines that the tour has at 60 cells (tourRows).

const tourSteps = 8

// tourStep is one of the tour's steps.
type tourStep struct {
	title string
	panes []paneID                           // what it is about; a tail stands for all three
	ask   func(m *Model) string              // what to do
	done  func(m *Model) bool                // by the state, never by the key
	told  func(m *Model, f tourFacts) string // what Kafka did, and why the order survived
}

func tourStepAt(i int) tourStep {
	return [tourSteps]tourStep{
		{"your first order", []paneID{panePayment}, askFirst, doneFirst, toldFirst},
		{"where it is kept", []paneID{panePayment}, askKept, doneKept, toldKept},
		{"kill its leader", []paneID{paneBrokers, panePartitions}, askKill, doneKill, toldKill},
		{"a new leader", []paneID{panePayment, panePartitions}, askMoved, doneMoved, toldMoved},
		{"bring it back", []paneID{paneBrokers, panePartitions}, askStart, doneStart, toldStart},
		{"kill the controller", []paneID{paneBrokers, panePartitions}, askController, doneController, toldController},
		{"one loss too many", []paneID{paneBrokers, panePayment}, askTwo, doneTwo, toldTwo},
		{"nothing is forgotten", []paneID{paneBrokers, panePayment}, askRest, doneRest, toldRest},
	}[i]
}

func askFirst(m *Model) string {
	if m.stalled != "" {
		return startOne(m)
	}
	return "Buy something: press `c`. The shop writes a payment into Kafka, and two services make an order and an email of it: watch panes 2, 3 and 4."
}

func doneFirst(m *Model) bool {
	return m.boughtSince() && m.figures.Complete > 0 && m.atStake().topic != "" && (m.load.plan.On || m.figures.InFlight+m.figures.Pending == 0)
}

func toldFirst(m *Model, f tourFacts) string {
	text := fmt.Sprintf("Kafka had order %s on %s, which are its servers, before it said yes%s: this is what acknowledged means.",
		orderText(f.order), plural(f.copies, "broker"), after(f.took.Milliseconds()))
	if m.backend.Acks != "" {
		text = fmt.Sprintf("Kafka said yes to order %s%s, but waited for no copy of it (%s): an order like this can be lost.", orderText(f.order), after(f.took.Milliseconds()), m.backend.Acks)
	}
	return text + fmt.Sprintf(" The services read it there, and its email was written%s: the order does not depend on one machine any more.", after(f.flow.Milliseconds()))
}

func askKept(*Model) string {
	return "Where is it kept? Press `2`, then `i`: this opens the newest payment as Kafka has it. `esc` closes it."
}

func doneKept(m *Model) bool {
	return m.overlay != nil && m.overlay.title == "record" || m.followOpen()
}

func toldKept(m *Model, f tourFacts) string {
	p, ok := m.where(f.order)
	if !ok {
		return "A record is kept in a partition: a list that only grows, and that one broker leads, which takes all writes. Others copy each record before it " +
			"is acknowledged, so each of them has all of it."
	}
	lead, followers := f.lead, []int32{}
	for _, id := range p.Replicas {
		if id != lead {
			followers = append(followers, id)
		}
	}
	slices.Sort(followers)
	return fmt.Sprintf("Order %s is number %s in partition %d, a list that only grows and that broker %d leads: it takes all writes. %s copy each record "+
		"before it is acknowledged, so each of them has all of it.", orderText(f.order), count(f.order.offset), p.ID, lead, upper(brokersText(followers)))
}

func askKill(m *Model) string {
	lead := m.tour.lead
	if lead == 0 {
		return "Now kill a broker, as a power cut would. " + keysFor(m, "select one with `j`,", "`K` and `y`.")
	}
	return fmt.Sprintf("Broker %d leads your order's partition. Kill it, as a power cut would: ", lead) + keysFor(m, "go to it with `j`,", "`K` and `y`.")
}

func doneKill(m *Model) bool {
	return m.state.Count(watch.Up)+m.state.Count(watch.Unknown) < len(m.state.Nodes) && gone(m) != 0
}

// gone is a broker of which it is known that it is not there; 0 if there is none. Those in but are not meant.
func gone(m *Model, but ...int32) int32 {
	for _, n := range m.state.Nodes {
		switch n.Health {
		case watch.Down, watch.Paused, watch.Cut, watch.Fenced:
			if !slices.Contains(but, n.ID) {
				return n.ID
			}
		}
	}
	return 0
}

func toldKill(m *Model, f tourFacts) string {
	how := map[watch.Health]string{watch.Paused: "is there, but answers nobody", watch.Cut: "is there, but nobody can reach it"}[f.health]
	if how == "" {
		how = "is gone"
	}
	text := fmt.Sprintf("Broker %d %s", f.node, how)
	switch led := m.ledBefore(f); {
	case f.node != f.lead && f.lead != 0:
		text += fmt.Sprintf("; broker %d, which leads your order's partition, lives on.", f.lead)
	case led > 0:
		text += fmt.Sprintf(", and the %s that it led %s no writes until another broker leads.", plural(led, "partition"), map[bool]string{true: "takes", false: "take"}[led == 1])
	default:
		text += ", and what it led takes no writes until another broker leads."
	}
	rest := "other brokers"
	if p, ok := m.where(f.order); ok {
		rest = brokersText(m.keepers(p, f.node))
	}
	return text + fmt.Sprintf(" Nothing is lost: Kafka acknowledges an order when it has copies, and order %s is on %s as well.", orderText(f.order), rest)
}

// ledBefore is how many partitions a broker led before its fault.
func (m *Model) ledBefore(f tourFacts) int {
	if l := m.faultAt(f); l != nil && l.Fault.Node == f.node {
		return l.Leads
	}
	n, _ := m.state.Node(f.node)
	return n.Led
}

func askMoved(m *Model) string {
	if m.stalled != "" {
		return startOne(m)
	}
	for _, p := range m.state.Partitions {
		if p.From > 0 && p.Leader > 0 && !m.ledByTheDead() {
			return fmt.Sprintf("Who leads now? In pane 6, %d→%d means that broker %d took over from broker %d. Can people still buy? Press `c`.", p.From, p.Leader, p.Leader, p.From)
		}
	}
	return "Who leads now? Pane 6 shows a partition's old leader, an arrow and its new leader, as soon as there is one. Can people still buy? Press `c`."
}

func doneMoved(m *Model) bool { return m.boughtSince() && !m.ledByTheDead() }

func toldMoved(m *Model, f tourFacts) string {
	text := "A broker that had all the records took over"
	kill := m.tour.facts[2]
	if l := m.faultAt(kill); l != nil {
		if p, ok := l.Phase(drill.LeadersMoved); ok {
			text += fmt.Sprintf(" each partition, the last %s after the fault", millis(p.After))
		}
		if l.Probed && l.Gap.Worst > 0 && !l.Gap.Open {
			text += fmt.Sprintf("; writes waited %s at most, then went on by themselves", millis(l.Gap.Worst))
		}
	}
	text += "."
	if f.took > 0 {
		text += fmt.Sprintf(" Order %s needed %s: its copies are on %s now, which is enough.", short(m.tourOrder(), 4), age(f.took), plural(f.copies, "broker"))
	}
	return text
}

// tourOrder is the id of the last order that was acknowledged.
func (m *Model) tourOrder() string {
	if l := m.lastOrder; l.done && l.err == nil && l.number > 0 {
		return l.receipt.CheckoutID
	}
	return m.atStake().id
}

func askStart(m *Model) string {
	if n := gone(m); n != 0 {
		what, act := bring(m, n)
		return "The orders have fewer copies now. " + what + ": " + keysFor(m, "select it,", act)
	}
	return "Wait until every broker has every record again: pane 6 counts what is under-replicated, which means that a copy is missing."
}

// bring is how a broker that is not there comes back, in words and in keys.
func bring(m *Model, id int32) (what, act string) {
	switch node, _ := m.state.Node(id); node.Health {
	case watch.Paused:
		return fmt.Sprintf("Let broker %d go on", id), "`p` and `y`."
	case watch.Cut:
		return fmt.Sprintf("Give broker %d its network back", id), "`x` and `y`."
	}
	return fmt.Sprintf("Start broker %d again", id), "`S` and `y`."
}

func doneStart(m *Model) bool {
	return m.allUp() && len(m.state.Partitions) > 0 && m.state.UnderReplicated() == 0
}

func toldStart(m *Model, f tourFacts) string {
	l := m.faultAt(f)
	if l == nil || f.node == 0 || takesAway(l.Fault.Verb) && l.Fault.Verb != kafkaops.Restart {
		return "Every broker is up and in sync, which means that it has every record. Each order has all its copies, so the next broker may die."
	}
	when := ""
	if p, ok := l.Phase(drill.ISRFull); ok {
		when = " " + millis(p.After) + " after its start"
	}
	return fmt.Sprintf("Broker %d asked the others for all that it had missed, and was in sync again%s: it has every record. Each order has all its copies, so the "+
		"next broker may die.", f.node, when)
}

func askController(m *Model) string {
	if n := gone(m, m.tour.boss); n != 0 {
		what, act := bring(m, n)
		return fmt.Sprintf("Broker %d is not the one that this step is about. %s first: ", n, what) + keysFor(m, "select it,", act) +
			" A second loss would stop the writes."
	}
	if n := gone(m); n != 0 { // the right one: the step is done when its work is in other hands
		return fmt.Sprintf("Broker %d led the quorum: the others elect another now, and then leaders move.", n)
	}
	q := m.state.Quorum
	if !q.Known {
		return "Wait until the brokers have elected a controller: the one of them that decides who leads what."
	}
	return fmt.Sprintf("One broker also decides who leads what: the controller, now broker %d. Kill that one: ", q.Leader) + keysFor(m, "`C`,", "`K` and `y`.")
}

func doneController(m *Model) bool {
	boss, ok := m.state.Node(m.tour.boss)
	q := m.state.Quorum
	return ok && boss.Health != watch.Up && boss.Health != watch.Unknown && q.Known && q.Leader != boss.ID && !m.ledByTheDead()
}

func toldController(m *Model, f tourFacts) string {
	elected, gap := "another of them", ""
	if l := m.faultAt(f); l != nil {
		if p, ok := l.Phase(drill.ControllerElected); ok {
			elected = "another"
			if id, _, found := strings.Cut(p.Detail, " "); found {
				elected = "broker " + id
			}
			elected += ", " + millis(p.After) + " after the fault"
		}
		if l.Probed && l.Gap.Worst > 0 && !l.Gap.Open {
			gap = fmt.Sprintf("; writes waited %s at most", millis(l.Gap.Worst))
		}
	}
	return fmt.Sprintf("Only a controller can give a partition a new leader, so the brokers that are left first elected one: %s. They could, because two of three are a "+
		"majority; then leaders moved as before%s, and every acknowledged order was there.", elected, gap)
}

func askTwo(m *Model) string {
	switch {
	case m.stalled != "" && m.lastOrder.number > m.tour.base.orders:
		return "Writes wait, and your order with them: watch pane 1."
	case m.stalled != "":
		return "Writes wait now. What becomes of an order? Press `c`."
	}
	what := "Kill brokers until one is left: "
	if m.state.Count(watch.Up) == 2 {
		what = "What if one more goes? Kill it: "
	}
	return what + keysFor(m, "select one,", "`K` and `y`.") + " Then buy: `c`."
}

func doneTwo(m *Model) bool {
	l := m.lastOrder
	waits := l.number > m.tour.base.orders && (!l.done || l.err != nil)
	return m.stalled != "" && (waits || m.figures.Pending > 0)
}

func toldTwo(m *Model, f tourFacts) string {
	waits := "your order waits"
	if l := m.lastOrder; !l.done && l.number > 0 && m.now().Sub(l.begun) >= waitedLong {
		waits = "your order waits, for " + age(m.now().Sub(l.begun)) + " so far"
	}
	left := "the broker that is left"
	if up := m.state.Count(watch.Up); up == 1 {
		for _, n := range m.state.Nodes {
			if n.Health == watch.Up {
				left = fmt.Sprintf("broker %d", n.ID)
			}
		}
	}
	return fmt.Sprintf("One broker of three is no majority and would hold the only copy, so Kafka does not say yes: %s. It promises nothing that it could lose, and what "+
		"it had acknowledged before is safe on %s.", waits, left)
}

func askRest(m *Model) string {
	text := ""
	if m.load.plan.On {
		text = "Stop the load with `b`. "
	}
	if m.stalled == "" {
		return text + "A second broker is there: wait until what is in flight is complete."
	}
	n := gone(m)
	if n == 0 {
		return text + onTheirWay
	}
	what, act := bring(m, n)
	return text + what + ": " + keysFor(m, "select it,", act) + " Watch what becomes of the orders that wait."
}

func doneRest(m *Model) bool {
	f := m.figures
	return m.stalled == "" && !m.ledByTheDead() && f.Pending == 0 && f.InFlight == 0 && f.Complete >= max(f.Accepted, 1) && (m.lastOrder.done || m.lastOrder.number == 0)
}

func toldRest(m *Model, f tourFacts) string {
	when := ""
	if l := m.faultAt(f); l != nil && !takesAway(l.Fault.Verb) {
		if p, ok := l.Phase(drill.AcksResumed); ok {
			when = " " + millis(p.After) + " after its start"
		}
	}
	text := fmt.Sprintf("Two brokers are a majority and two copies, so Kafka said yes again%s, and the orders that had waited went through.", when)
	if f.took >= waitedLong {
		text = fmt.Sprintf("Two brokers are a majority and two copies, so Kafka said yes again%s; your order had waited %s, and was not forgotten.", when, age(f.took))
	}
	return text + fmt.Sprintf(" In this run %s orders were acknowledged and %s are complete: an order survives because Kafka says yes only when it is safe.",
		count(m.figures.Accepted), count(m.figures.Complete))
}

// onTheirWay is what there is to do where writes wait for brokers that are not gone any more.
const onTheirWay = "The brokers are on their way up: wait until writes go on."

// startOne is what to do first where writes wait and the step is not about that.
func startOne(m *Model) string {
	n := gone(m)
	if n == 0 {
		return onTheirWay
	}
	what, act := bring(m, n)
	return "Writes wait, for two brokers are not there; step 7 is about that. " + what + ": " + keysFor(m, "select it,", act)
}

// waitedLong is from when on an order has waited for a broker, in a person's eyes.
const waitedLong = time.Second

// faultAt is the fault of a step; nil if it was not done from here, or is too long ago.
func (m *Model) faultAt(f tourFacts) *drill.Timeline {
	for i := range m.faults {
		if !f.fault.IsZero() && m.faults[i].At.Equal(f.fault) {
			return &m.faults[i]
		}
	}
	return nil
}

// keysFor is how to do something to a broker: go there, choose it, act. Where kassa can do nothing to brokers it says so.
func keysFor(m *Model, choose, act string) string {
	for _, n := range m.state.Nodes {
		if n.Process != kafkaops.ProcessUnknown {
			if m.focus == paneBrokers {
				return choose + " then " + act
			}
			return "`5`, " + choose + " then " + act
		}
	}
	return "kassa cannot do that on this cluster, so do it where it runs, or go on with `>`."
}

func orderText(s stake) string { return short(s.id, 4) }

// after is " after 38 ms", or nothing where it is not known.
func after(ms int64) string {
	if ms <= 0 {
		return ""
	}
	return fmt.Sprintf(" after %s ms", count(ms))
}
