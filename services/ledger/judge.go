package ledger

import (
	"fmt"
	"time"
)

// margin is how much the timestamps of a topic may be out of the order of its offsets, and the clocks of a customer and of those who write apart, where it
// is judged what retention may have deleted.
const margin = time.Minute

// log is what there is to know about the topics besides their records.
type log struct {
	// topics and letters, those of their dead letters, as far as they do not begin at offset 0.
	topics, letters [flow]forgetting
	// passed is how far the group of each stage's reader has committed, by partition. What is not there is not known.
	passed [flow]map[int32]int64
}

// forgetting is a topic that has lost its first records to retention, or not.
type forgetting struct {
	truncated bool
	until     int64 // the timestamp, in ms, up to which records may have been deleted
}

// of says whether a record of this timestamp may have been there and is not any more.
func (f forgetting) of(at int64) bool { return f.truncated && at <= f.until+margin.Milliseconds() }

// handled says whether the service that reads these records has gone past the first of them.
func (l *log) handled(s stage, n *seen) bool {
	committed, ok := l.passed[s][n.spots[0].partition]
	return ok && committed > n.spots[0].offset
}

// judge says of each checkout what became of it.
type judge struct {
	log      log
	promised bool          // there is a Book
	others   bool          // and customers that it does not know
	begun    int64         // since when the Book knows of all that it should, ms
	skew     time.Duration // between clocks
	mails    map[uint64]int64
	order    *sequence
	counts   Counts
	findings findings
}

// checkout judges one.
func (j *judge) checkout(s *state) error {
	j.mailedAgain(s)
	pay := &s.seen[payment]
	switch s.promise.Outcome {
	case Refused:
		j.counts.Refused++
		if pay.n+s.seen[order].n+s.seen[email].n > 0 {
			j.counts.WithoutCause++
			j.find(KindWithoutCause, s, "the customer was refused, and the log has its events all the same")
		}
		return nil
	case Unknown:
		j.counts.Unknown++
		if pay.n == 0 && s.letters[payment].n == 0 {
			j.counts.Indeterminate++
			j.find(KindIndeterminate, s, "nobody knew whether it was accepted, and its payment is not in the log")
			j.stray(s)
			return nil
		}
	case Accepted:
		j.counts.Accepted++
	default:
		if j.unasked(s) {
			j.counts.WithoutCause++
			j.find(KindWithoutCause, s, "nobody asked for this payment")
			return nil
		}
		if !s.begins() {
			j.stray(s)
			return nil
		}
		j.counts.Accepted++
	}

	fate, why := j.fate(s)
	if twice := duplicate(s); twice != "" && fate != KindLost {
		fate, why = KindDuplicated, twice
	}
	switch fate {
	case KindLost:
		j.counts.Lost++
	case KindDuplicated:
		j.counts.Duplicated++
	case KindDeadLettered:
		j.counts.DeadLettered++
	case KindUnjudged:
		j.counts.Unjudged++
	case KindInFlight:
		j.counts.InFlight++
	default:
		j.counts.Complete++
	}
	if fate != "" {
		j.find(fate, s, why)
	}
	for _, g := range []stage{order, email} {
		if n := &s.seen[g]; n.own() > 1 && !n.double() {
			j.counts.Repeated += n.own() - 1
			j.find(KindRepeated, s, fmt.Sprintf("the log has its %s %d times under one id", g, n.own()), g)
		}
	}
	if pay.n > 0 && s.seen[order].n == 0 && s.seen[email].n > 0 && fate != KindLost && s.letters[order].n == 0 && !j.log.topics[order].of(s.seen[email].first) {
		j.counts.WithoutCause++
		j.find(KindWithoutCause, s, "it has an email, and the log has no order")
	}
	if s.letters[payment].n == 0 {
		j.amount(s)
	}
	return j.inOrder(s)
}

// begins says whether the log may hold the checkout as it is without anybody having promised it: it has a payment, or an event that names no
// checkout and so begins one, or something of it was too broken to say more.
func (s *state) begins() bool {
	return s.seen[payment].n > 0 || s.nameless || s.died()
}

// died says that there are dead letters about it.
func (s *state) died() bool { return s.letters[payment].n+s.letters[order].n+s.letters[email].n > 0 }

// unasked says that a payment is one that the Book should know and does not.
func (j *judge) unasked(s *state) bool {
	n := &s.seen[payment]
	return j.promised && !j.others && n.n > 0 && n.first >= j.begun && s.letters[payment].n == 0
}

// stray counts a checkout whose payment is not in the log, by what follows from it and is.
func (j *judge) stray(s *state) {
	ord, mail := &s.seen[order], &s.seen[email]
	at := ord.first
	if ord.n == 0 || mail.n > 0 && mail.first < at {
		at = mail.first
	}
	switch {
	case ord.n+mail.n == 0:
	case !j.log.topics[payment].of(at):
		j.counts.WithoutCause++
		j.find(KindWithoutCause, s, "the log has no payment for it")
	case s.promise.Outcome == 0: // else it is indeterminate
		j.counts.Unjudged++
		j.find(KindUnjudged, s, "its payment may have been deleted by the topic's retention")
	}
}

// fate is how far a checkout has come, as the kind of a finding, and why; empty when it is complete.
func (j *judge) fate(s *state) (kind, why string) {
	mail := &s.seen[email]
	first := payment // of which the log has something
	for first < flow && s.seen[first].n == 0 {
		first++
	}
	switch {
	case first > payment && s.promise.Outcome == Accepted && s.letters[payment].n == 0:
		if j.log.topics[payment].of(millis(s.promise.At)) {
			return KindUnjudged, "its payment may have been deleted by the topic's retention"
		}
		if first < flow {
			return KindLost, "it was acknowledged, and its payment is not in the log, though what follows from it is"
		}
		return KindLost, "it was acknowledged, and its payment is not in the log"
	case first == flow:
		return KindDeadLettered, "all that the log has of it is among the dead letters"
	}
	for g := first; g < email; g++ {
		from, next := &s.seen[g], &s.seen[g+1]
		switch {
		case from.n == 0 || next.n > 0:
		case s.letters[g].n > 0:
			return KindDeadLettered, fmt.Sprintf("its %s is among the dead letters", g)
		case mail.n > 0 && j.log.topics[order].of(mail.first): // there was an order, or there would be no email
		case j.log.topics[g+1].of(from.first), j.log.letters[g].of(from.first):
			return KindUnjudged, fmt.Sprintf("its %s, or the dead letter about its %s, may have been deleted by the topic's retention", g+1, g)
		case j.log.handled(g, from):
			return KindLost, fmt.Sprintf("the log has no %s for it, and group %s has gone past its %s", g+1, readers[g], g)
		default:
			return KindInFlight, fmt.Sprintf("it waits for its %s", g+1)
		}
	}
	if s.letters[email].n > mail.retries {
		return KindDeadLettered, "its email is among the dead letters"
	}
	return "", ""
}

// own is the records that the services wrote: what a person had written again, after it had died, is no repeat.
func (n *seen) own() int64 { return n.n - n.retries }

// double says that the records of a topic are more than one effect: different ids, or a second transaction, which should have seen the first.
func (n *seen) double() bool { return n.own() > 1 && (n.differ || n.tx > 1) }

// duplicate says what there is two of; empty if that is nothing.
func duplicate(s *state) string {
	if n := s.seen[payment].own(); n > 1 {
		return fmt.Sprintf("it was paid for %d times", n)
	}
	for _, g := range []stage{order, email} {
		switch n := &s.seen[g]; {
		case !n.double():
		case n.differ:
			return fmt.Sprintf("it has %d %ss, and not all have the same id", n.own(), g)
		default:
			return fmt.Sprintf("the log has its %s %d times, of those %d in transactions", g, n.own(), n.tx)
		}
	}
	return ""
}

// amount compares what was paid with what was promised, and with the cart.
func (j *judge) amount(s *state) {
	p := s.promise
	promised := p.Outcome != 0 && p.Amount != NoAmount && s.most != NoAmount && (s.least != p.Amount || s.most != p.Amount)
	if !promised && !s.changed {
		return
	}
	j.counts.ChangedAmount++
	if !promised {
		j.find(KindChangedAmount, s, fmt.Sprintf("its payment says %s, and its cart adds up to something else", amountText(s.most)), payment)
		return
	}
	got := s.least
	if got == p.Amount {
		got = s.most
	}
	j.find(KindChangedAmount, s, fmt.Sprintf("%s was promised, and its payment says %s", amountText(p.Amount), amountText(got)), payment)
}

// inOrder judges the timestamps, and hands the places on to be compared with those of other checkouts. Whoever writes a record again by hand changes its
// order, so a checkout that has died is left out.
func (j *judge) inOrder(s *state) error {
	if s.died() || s.seen[payment].retries+s.seen[order].retries+s.seen[email].retries > 0 {
		return nil
	}
	early := false
	for g := payment; g < email; g++ {
		from, next := &s.seen[g], &s.seen[g+1]
		early = early || from.n > 0 && next.n > 0 && next.first < from.first-j.skew.Milliseconds()
	}
	t := turn{key: s.key, early: early, at: s.seen[payment].spots[0], next: [2]int64{nowhere, nowhere}}
	for i, n := range s.seen[order:] {
		if n.n > 0 && n.spots[0].partition == t.at.partition {
			t.next[i] = n.spots[0].offset
		}
	}
	if s.seen[payment].n > 0 && t.next != [2]int64{nowhere, nowhere} {
		return j.order.add(t)
	}
	if early {
		j.outOfOrder(s.key, isEarly, s.places())
	}
	return nil
}

const isEarly = "an event of it is older than its cause"

// outOfOrder counts a checkout.
func (j *judge) outOfOrder(key, why string, where []string) {
	j.counts.OutOfOrder++
	if id := unpackID(key); j.findings.wants(KindOutOfOrder, id) {
		j.findings.add(Finding{KindOutOfOrder, id, why, where})
	}
}

// mailedAgain names the checkout of a mail that was sent more than once.
func (j *judge) mailedAgain(s *state) {
	n := &s.seen[email]
	if again, ok := j.mails[n.id]; ok && n.n > 0 && !n.differ {
		delete(j.mails, n.id)
		j.find(KindMailedTwice, s, fmt.Sprintf("its mail was sent %d times", again+1), email)
	}
}

// find keeps a finding, with the places of these stages; without any, all places that the log has of it.
func (j *judge) find(kind string, s *state, why string, of ...stage) {
	id := unpackID(s.key)
	if !j.findings.wants(kind, id) {
		return
	}
	var where []string
	for _, g := range of {
		where = append(where, s.seen[g].places(g)...)
	}
	if len(of) == 0 {
		where = s.places()
	}
	j.findings.add(Finding{kind, id, why, where})
}

// places is where the log has something of it.
func (s *state) places() []string {
	var all []string
	for g := range flow {
		all = append(all, s.seen[g].places(g)...)
	}
	for g, l := range s.letters {
		if l.n > 0 {
			all = append(all, place(topics[g]+deadSuffix, l.spot))
		}
	}
	return all
}

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}
