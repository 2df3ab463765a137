package drill

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"kassa/kafkaops"
	"kassa/kafkaops/watch"
)

// Mark is one thing that may be seen to follow a fault. Which of them occur, and in which order, depends on the fault.
type Mark string

// The marks.
const (
	ClientSaw         Mark = "client saw it"
	ControllerElected Mark = "controller elected" // only where the one before was lost
	LeadersMoved      Mark = "leaders moved"      // the last of them
	LeadersLost       Mark = "leaders lost"
	ISRShrank         Mark = "ISR shrank"
	QuorumLost        Mark = "quorum lost"
	QuorumBack        Mark = "quorum back"
	AcksResumed       Mark = "acks resumed" // the end of the longest gap, not the first ack after the fault
	FlowResumed       Mark = "flow resumed" // the first email event of a payment made after the fault
	BrokerBack        Mark = "broker back"
	ISRFull           Mark = "ISR full"
	PreferredBack     Mark = "preferred leaders back"
)

// Phase is a mark with its time.
type Phase struct {
	Mark   Mark
	After  time.Duration // from the fault
	Detail string        // "3 at epoch 5", "6 partitions"
	n      int           // how many things this stands for
}

// Timeline is what followed one fault: a set of observed phases, of which each may be missing.
type Timeline struct {
	Fault      kafkaops.Fault
	Of         string    // the act that this was a step of, "rolling restart"; mostly empty
	At         time.Time // when the fault was ordered
	Took       time.Duration
	Err        string
	Controller bool // the broker led the quorum
	Leads      int  // watched partitions that it led

	Phases []Phase // in the order of After
	Gap    Gap     // of writes; Worst is 0 when nothing was measured
	// Probed says that a probe wrote at a steady rate when the fault was done. Without it there is no gap to tell.
	Probed bool
	// Stalled says that writes were stalled already when it was done: the gap is that of the act before it, and no other is told.
	Stalled bool
	// Outlasts says that writes were still stalled when the next act came. The gap belongs to the act that it began with, and is measured to its end.
	Outlasts bool
	// Open says that more may follow. A timeline that is not open and has a Gap that is, ended before the writes went on: the gap is at least as
	// long as Gap.Worst.
	Open bool
	cut  time.Time // when another fault ended it; zero if none did
}

// AtLeast says that writes were still stalled when measuring ended.
func (t *Timeline) AtLeast() bool { return t.Gap.Open && !t.Open }

// Phase is the phase with this mark.
func (t *Timeline) Phase(m Mark) (Phase, bool) {
	if i := t.index(m); i >= 0 {
		return t.Phases[i], true
	}
	return Phase{}, false
}

// Kind groups timelines that can be compared: the verb, and whether the broker led the quorum.
func (t *Timeline) Kind() string {
	kind := string(t.Fault.Verb)
	if t.Controller {
		kind += " of the controller"
	}
	if t.Of != "" {
		kind += ", " + t.Of
	}
	return kind
}

// see notes a phase once; again says whether a later one of the same mark replaces the time.
func (t *Timeline) see(m Mark, at time.Time, detail string, again bool) {
	if i := t.index(m); i < 0 || again {
		t.put(i, Phase{Mark: m, After: t.after(at), Detail: detail})
	}
}

// count notes one more of a mark that partitions share, at the time of the last.
func (t *Timeline) count(m Mark, at time.Time, what string) {
	i, n := t.index(m), 1
	if i >= 0 {
		n += t.Phases[i].n
		what += "s"
	}
	t.put(i, Phase{Mark: m, After: t.after(at), Detail: fmt.Sprintf("%d %s", n, what), n: n})
}

// unsee takes a phase back.
func (t *Timeline) unsee(m Mark) {
	if i := t.index(m); i >= 0 {
		t.Phases = slices.Delete(slices.Clone(t.Phases), i, i+1)
	}
}

// put replaces phase i, or adds one where i is below 0. It does so in a copy: others may be reading the Phases as they were.
func (t *Timeline) put(i int, p Phase) {
	t.Phases = slices.Clone(t.Phases)
	if i < 0 {
		t.Phases = append(t.Phases, p)
	} else {
		t.Phases[i] = p
	}
	slices.SortStableFunc(t.Phases, func(a, b Phase) int { return cmp.Compare(a.After, b.After) })
}

func (t *Timeline) index(m Mark) int {
	return slices.IndexFunc(t.Phases, func(p Phase) bool { return p.Mark == m })
}

func (t *Timeline) after(at time.Time) time.Duration { return max(at.Sub(t.At), 0) }

// explains says whether what a client noticed of a broker is the fault's doing. Five faults take a broker away; until it is back every
// connection to it that ends, cannot be made or gives no answer in time is their doing. Start, Resume, Reconnect and Elect take nobody away: what a client
// notices after them is left over from before (a port that is closed yet, an answer that was waiting for the broker to go on) or none of their
// business (the client gives up a connection that it did not use, seconds later).
func (t *Timeline) explains(s Sign) bool {
	switch t.Fault.Verb {
	case kafkaops.Kill, kafkaops.Stop, kafkaops.Pause, kafkaops.Restart, kafkaops.Cut:
		return t.index(BrokerBack) < 0 && s.Node == t.Fault.Node && !s.At.Before(t.At)
	}
	return false
}

// observe files what the watcher saw.
func (t *Timeline) observe(before, after *watch.State) {
	at := after.At
	for _, c := range watch.Diff(before, after) {
		switch c := c.(type) {
		case watch.ControllerElected:
			t.see(ControllerElected, at, fmt.Sprintf("%d at epoch %d", c.Leader, c.Epoch), true)
		case watch.LeaderMoved:
			t.count(LeadersMoved, at, "partition")
		case watch.LeaderLost:
			t.count(LeadersLost, at, "partition")
		case watch.ISRShrank:
			t.count(ISRShrank, at, "partition")
		case watch.QuorumLost:
			t.see(QuorumLost, at, fmt.Sprintf("%d of %d voters up", c.Up, c.Voters), false)
		case watch.QuorumBack:
			t.see(QuorumBack, at, fmt.Sprintf("controller %d", c.Leader), false)
		case watch.BrokerUp:
			if c.Node == t.Fault.Node {
				t.see(BrokerBack, at, fmt.Sprintf("broker %d", c.Node), true)
			}
		}
	}
	if len(after.Partitions) == 0 {
		return
	}
	if before.UnderReplicated() > 0 && after.UnderReplicated() == 0 {
		t.see(ISRFull, at, "", true)
	}
	if astray(before) > 0 && astray(after) == 0 && after.UnderReplicated() == 0 {
		t.see(PreferredBack, at, "", true)
	}
}

// astray is how many partitions are not led by their preferred leader.
func astray(s *watch.State) int {
	n := 0
	for _, p := range s.Partitions {
		if p.Leader != p.Preferred() {
			n++
		}
	}
	return n
}
