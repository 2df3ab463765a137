package drill

import (
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
	// Open says that more may follow.
	Open bool
}

// Phase is the phase with this mark.
func (t *Timeline) Phase(m Mark) (Phase, bool) {
	i := slices.IndexFunc(t.Phases, func(p Phase) bool { return p.Mark == m })
	if i < 0 {
		return Phase{}, false
	}
	return t.Phases[i], true
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
	after := max(at.Sub(t.At), 0)
	for i := range t.Phases {
		if t.Phases[i].Mark != m {
			continue
		}
		if again {
			t.Phases[i].After, t.Phases[i].Detail = after, detail
			t.sort()
		}
		return
	}
	t.Phases = append(t.Phases, Phase{Mark: m, After: after, Detail: detail})
	t.sort()
}

// count notes one more of a mark that partitions share, at the time of the last.
func (t *Timeline) count(m Mark, at time.Time, what string) {
	for i := range t.Phases {
		if p := &t.Phases[i]; p.Mark == m {
			p.n++
			p.After, p.Detail = at.Sub(t.At), fmt.Sprintf("%d %ss", p.n, what)
			t.sort()
			return
		}
	}
	t.Phases = append(t.Phases, Phase{Mark: m, After: max(at.Sub(t.At), 0), Detail: "1 " + what, n: 1})
	t.sort()
}

func (t *Timeline) sort() {
	slices.SortStableFunc(t.Phases, func(a, b Phase) int { return int(a.After - b.After) })
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
