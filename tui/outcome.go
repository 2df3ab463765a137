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

// What a fault means for an order that a person knows: before it is done, in the question, and after it, in a sentence.

// stake is an order that a fault puts at stake: the last one bought by hand, else the newest payment that was seen.
type stake struct {
	id        string // of the checkout; empty for none
	topic     string // of its payment; empty while that is not in view
	partition int32
	offset    int64
	at        time.Time // when the payment was written
}

// atStake finds the order of now.
func (m *Model) atStake() (s stake) {
	l := m.lastOrder
	if l.done && l.err == nil && l.number > 0 {
		s.id = l.receipt.CheckoutID
	}
	t, newest := m.flowing[0], stake{}
	for seq := t.ring.next - 1; seq >= t.ring.first(); seq-- {
		r := t.ring.at(seq)
		if r.mark != "" || len(r.record.Key) == 0 {
			continue
		}
		found := stake{id: string(r.record.Key), topic: t.topic, partition: r.record.Partition, offset: r.record.Offset, at: r.record.Time}
		if s.id == "" || s.id == found.id {
			return found
		}
		if newest.id == "" {
			newest = found
		}
	}
	if s.id != "" && newest.id != "" && m.now().Sub(l.begun.Add(l.receipt.Took)) > comesWithin { // a load has pushed it out of view
		return newest
	}
	return s
}

// comesWithin is how long after its acknowledgement a payment is waited for in the tail, before another order is spoken of.
const comesWithin = 3 * time.Second

// where is the partition that a stake is in.
func (m *Model) where(s stake) (watch.Partition, bool) {
	if m.state == nil || s.topic == "" {
		return watch.Partition{}, false
	}
	for _, p := range m.state.Partitions {
		if p.Topic == s.topic && p.ID == s.partition {
			return p, true
		}
	}
	return watch.Partition{}, false
}

// keepers are the brokers other than one that are up and have everything that was acknowledged in a partition.
func (m *Model) keepers(p watch.Partition, but int32) []int32 {
	var out []int32
	for _, id := range p.ISR {
		if n, ok := m.state.Node(id); ok && n.Health == watch.Up && id != but {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out
}

// brokersText is "broker 1" or "brokers 1 and 3".
func brokersText(list []int32) string {
	words := make([]string, len(list))
	for i, id := range list {
		words[i] = fmt.Sprint(id)
	}
	switch n := len(words); n {
	case 0:
		return "no broker"
	case 1:
		return "broker " + words[0]
	default:
		return "brokers " + strings.Join(words[:n-1], ", ") + " and " + words[n-1]
	}
}

// takesAway says that a fault leaves the cluster without the broker, at least for a while.
func takesAway(v kafkaops.Verb) bool {
	switch v {
	case kafkaops.Kill, kafkaops.Stop, kafkaops.Pause, kafkaops.Restart, kafkaops.Cut:
		return true
	}
	return false
}

// stakeText is what a fault would mean for the order that is at stake; empty where there is none, or nothing is known of it.
func (m *Model) stakeText(f kafkaops.Fault) (text string, bad bool) {
	if !takesAway(f.Verb) {
		return "", false
	}
	s := m.atStake()
	p, ok := m.where(s)
	if !ok || !slices.Contains(p.Replicas, f.Node) {
		return "", false
	}
	if rest := m.keepers(p, f.Node); len(rest) > 0 {
		return fmt.Sprintf("Order %s is on %s as well.", short(s.id, 4), brokersText(rest)), false
	}
	return fmt.Sprintf("Order %s is on no other broker that is up.", short(s.id, 4)), true
}

// lastFault is the newest fault that was done; nil if there is none.
func (m *Model) lastFault() *drill.Timeline {
	for i := len(m.faults) - 1; i >= 0; i-- {
		if m.faults[i].Err == "" {
			return &m.faults[i]
		}
	}
	return nil
}

// outcome tells what became of the order that was at stake when the last fault was done. It is empty until that is known, and once it is old.
func (m *Model) outcome() string {
	t := m.lastFault()
	if t == nil || m.state == nil || m.now().Sub(t.At) > outcomeFor {
		return ""
	}
	if takesAway(t.Fault.Verb) {
		return m.survived(t)
	}
	return m.recovered(t)
}

// outcomeFor is how long a fault is worth a sentence.
const outcomeFor = 2 * time.Minute

// survived is the outcome of a fault that took a broker away.
func (m *Model) survived(t *drill.Timeline) string {
	s, gone := m.staked, t.Fault.Node
	if l := m.lastOrder; l.done && l.err == nil && l.begun.Before(t.At) && l.begun.Add(l.receipt.Took).After(t.At) {
		if now := m.atStake(); now.id == l.receipt.CheckoutID { // it was under way, and has an id by now
			s = now
		}
	}
	p, known := m.where(s)
	if s.id == "" || !known || !slices.Contains(p.Replicas, gone) {
		return ""
	}
	rest, id := m.keepers(p, gone), short(s.id, 4)
	switch {
	case len(rest) == 0:
		return ""
	case m.stalled != "":
		return fmt.Sprintf("Order %s is safe on %s. New orders wait, and nobody is promised anything, until another broker is back.", id, brokersText(rest))
	case !m.settledAfter(t):
		return ""
	}
	var how string
	switch moved := p.From == gone && p.Moved.After(t.At); {
	case moved:
		how = fmt.Sprintf("broker %d had a copy and leads its partition now", p.Leader)
	case p.Leader == gone:
		how = fmt.Sprintf("broker %d is back, and %s had a copy", gone, brokersText(rest))
	default:
		how = fmt.Sprintf("%s %s it", brokersText(rest), map[bool]string{true: "has", false: "have"}[len(rest) == 1])
	}
	return fmt.Sprintf("Order %s survived: %s.%s", id, how, waited(t))
}

// waited is how long writes did, as a sentence behind another.
func waited(t *drill.Timeline) string {
	switch {
	case !t.Probed || t.Gap.Worst <= 0:
		return ""
	case t.AtLeast():
		return " Writes waited at least " + millis(t.Gap.Worst) + "."
	}
	return " Writes waited " + millis(t.Gap.Worst) + " at most."
}

// settledAfter says that the cluster goes on without the broker that a fault took: nobody waits for it, as leader or in an ISR.
func (m *Model) settledAfter(t *drill.Timeline) bool {
	if t.Gap.Open {
		return false
	}
	if _, back := t.Phase(drill.BrokerBack); back {
		return true
	}
	if n, ok := m.state.Node(t.Fault.Node); !ok || n.Health == watch.Up || !m.state.At.After(t.At) {
		return false
	}
	for _, p := range m.state.Partitions {
		if p.Leader == t.Fault.Node || slices.Contains(p.ISR, t.Fault.Node) {
			return false
		}
	}
	return true
}

// recovered is the outcome of a fault that brought a broker back.
func (m *Model) recovered(t *drill.Timeline) string {
	switch t.Fault.Verb {
	case kafkaops.Start, kafkaops.Resume, kafkaops.Reconnect:
	default:
		return ""
	}
	text := ""
	if l := m.lastOrder; l.done && l.err == nil && l.begun.Before(t.At) && l.begun.Add(l.receipt.Took).After(t.At) {
		text = fmt.Sprintf("Order %s waited %s and is in. ", short(l.receipt.CheckoutID, 4), age(l.receipt.Took))
	}
	full, ok := t.Phase(drill.ISRFull)
	if !ok {
		return strings.TrimSpace(text)
	}
	return text + fmt.Sprintf("Broker %d has all that it missed, after %s: every order has all its copies again.", t.Fault.Node, millis(full.After))
}

// tellOutcome says the outcome once, when it is known.
func (m *Model) tellOutcome() {
	text := m.outcome()
	if text == m.toldOutcome {
		return
	}
	m.toldOutcome = text
	m.dirty(paneCheckout)
	if text == "" || m.notice.text != "" && m.notice.bad || m.tour.open { // the tour tells more of it
		return
	}
	if first, _, ok := strings.Cut(text, ". "); ok && len(text) > m.width-2 { // half a sentence is worse than none
		text = first + "."
	}
	m.say(false, text)
	m.notice.until = m.now().Add(2 * noticeFor)
}
