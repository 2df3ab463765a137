package watch

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"kassa/kafkaops"
)

// Price is what an act against one broker would cost, as far as the state it was computed from can tell. Writes are those with acks=all.
type Price struct {
	Fault kafkaops.Fault

	Controller bool // the broker leads the quorum
	Leads      int  // watched partitions that it leads, or led before it went
	Returns    int  // watched partitions of which it is the preferred leader and not the leader; for Elect those that would go back
	Astray     int  // watched partitions that are not led by their preferred leader

	Up, Nodes int // brokers that are up after the act, of how many
	// Quorum says that a majority of the voters is up after the act. False as well while no quorum was ever seen.
	Quorum bool
	// Blocked and Unknown count watched partitions after the act: those that refuse writes or stall them, and those
	// of which it cannot be said because min.insync.replicas is not known.
	Blocked, Unknown, Partitions int
	// NextBlocks says that the loss of one more broker, the worst one, would block a partition or the quorum.
	NextBlocks bool

	health Health
	known  bool // the node is in the state, and so is a quorum
}

// WritesGoOn says that every watched partition takes writes after the act, once its leader has moved. It is false if that is not known.
func (p Price) WritesGoOn() bool {
	return p.known && p.Quorum && p.Blocked == 0 && p.Unknown == 0
}

// PriceOf works out what f would cost in s. It asks nobody.
func PriceOf(s *State, f kafkaops.Fault) Price {
	p := Price{Fault: f}
	if s == nil {
		return p
	}
	n, ok := s.Node(f.Node)
	all := f.Verb == kafkaops.Elect || f.Verb == kafkaops.Rolling
	p.known = (ok || all) && len(s.Quorum.Voters) > 0
	p.health, p.Nodes = n.Health, len(s.Nodes)
	p.Controller = s.Quorum.Known && s.Quorum.Leader == f.Node
	p.Leads = n.Leads
	for _, part := range s.Partitions {
		if part.Leader != part.Preferred() {
			p.Astray++
		}
		switch preferred := part.Preferred(); {
		case all && part.Leader != preferred && slices.Contains(part.ISR, preferred), // else it cannot lead
			preferred == f.Node && (part.Leader != f.Node || n.Health == Down):
			p.Returns++
		}
	}
	p.Partitions = len(s.Partitions)

	after := s.alive()
	switch {
	case all:
	case loses(f.Verb):
		delete(after, f.Node)
	default:
		after[f.Node] = true
	}
	p.Up = len(after)
	p.Quorum, p.Blocked, p.Unknown = s.without(after, f)
	for id := range after {
		rest := maps.Clone(after)
		delete(rest, id)
		if quorum, blocked, _ := s.without(rest, f); !quorum || blocked > p.Blocked {
			p.NextBlocks = true
		}
	}
	return p
}

// Stalled says in a sentence why writes with acks=all wait or are refused in watched partitions; it is empty while they go on.
func (s *State) Stalled() string {
	if len(s.Quorum.Voters) == 0 || len(s.Partitions) == 0 {
		return ""
	}
	up := s.alive()
	quorum, blocked, _ := s.without(up, kafkaops.Fault{})
	needs := 0
	for _, p := range s.Partitions {
		needs = max(needs, p.MinISR)
	}
	switch {
	case blocked == 0:
		return ""
	case !quorum:
		return fmt.Sprintf("writes cannot go on: %d of %d brokers up is no quorum, so no leader can move and no ISR shrink, and acks=all needs %d copies",
			len(up), len(s.Nodes), needs)
	}
	return fmt.Sprintf("writes cannot go on in %d of %s: fewer replicas are in sync than min.insync.replicas=%d", blocked, plural(len(s.Partitions), "partition"), needs)
}

func loses(v kafkaops.Verb) bool {
	switch v {
	case kafkaops.Start, kafkaops.Resume, kafkaops.Reconnect:
		return false
	}
	return true
}

// alive is the brokers that take part. Unknown is not down, and a starting one does not take part yet.
func (s *State) alive() map[int32]bool {
	up := make(map[int32]bool)
	for _, n := range s.Nodes {
		switch n.Health {
		case Up, Fenced, Unknown:
			up[n.ID] = true
		}
	}
	return up
}

// without says how the cluster stands when only the brokers in up are left and it has settled.
func (s *State) without(up map[int32]bool, f kafkaops.Fault) (quorum bool, blocked, unknown int) {
	voters := 0
	for _, v := range s.Quorum.Voters {
		if _, ours := s.Node(v.ID); !ours || up[v.ID] {
			voters++
		}
	}
	quorum = voters > len(s.Quorum.Voters)/2
	for _, p := range s.Partitions {
		sync := 0
		for _, id := range p.Replicas {
			// A broker that comes back catches up first and is in sync then.
			if up[id] && (slices.Contains(p.ISR, id) || id == f.Node && !loses(f.Verb)) {
				sync++
			}
		}
		stuck := !quorum && slices.ContainsFunc(p.ISR, func(id int32) bool { return !up[id] })
		switch {
		case sync == 0 || stuck || p.MinISR > 0 && sync < p.MinISR:
			blocked++
		case p.MinISR == 0:
			unknown++
		}
	}
	return quorum, blocked, unknown
}

// Sentence says it in plain English, in one to four short sentences.
func (p Price) Sentence() string {
	if !p.known {
		return fmt.Sprintf("What it costs to %s is not known yet: the cluster has not told of its quorum.", p.Fault)
	}
	switch {
	case p.Fault.Verb == kafkaops.Elect:
		return p.electSentence()
	case p.Fault.Verb == kafkaops.Rolling:
		return p.rollingSentence()
	case loses(p.Fault.Verb):
		return p.lossSentence()
	}
	return p.returnSentence()
}

func (p Price) lossSentence() string {
	if p.health == Down {
		return fmt.Sprintf("Broker %d is down already: nothing more is lost.", p.Fault.Node)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Broker %d ", p.Fault.Node)
	if p.Controller {
		b.WriteString("is the controller and ")
	}
	fmt.Fprintf(&b, "leads %s.", p.leads())
	switch p.Fault.Verb {
	case kafkaops.Stop:
		b.WriteString(" It hands its leaderships over first.")
	case kafkaops.Pause:
		b.WriteString(" It keeps its connections and answers nobody, so clients wait for their time-outs.")
	case kafkaops.Cut:
		b.WriteString(" It runs on, hears nobody and is heard by nobody.")
	case kafkaops.Restart:
		b.WriteString(" It hands its leaderships over first and comes back by itself.")
	}
	fmt.Fprintf(&b, " %s: %s.", p.remain(), p.writes())
	b.WriteString(p.next())
	return b.String()
}

func (p Price) electSentence() string {
	if p.Returns == 0 && p.Astray > 0 {
		return "The preferred leaders that do not lead are not in the ISR: nothing changes until they have caught up."
	}
	if p.Returns == 0 {
		return "Every partition is led by its preferred leader already: nothing changes."
	}
	return fmt.Sprintf("%s to the preferred leader. Writes to %s wait for the moment that it takes; nothing else does.",
		map[bool]string{true: "1 partition goes back", false: fmt.Sprintf("%d partitions go back", p.Returns)}[p.Returns == 1],
		map[bool]string{true: "it", false: "them"}[p.Returns == 1])
}

func (p Price) rollingSentence() string {
	if p.Up < p.Nodes {
		return fmt.Sprintf("%d of %d brokers are up: a restart would be a second loss, and is refused until all are back.", p.Up, p.Nodes)
	}
	return fmt.Sprintf("Each of the %d brokers in turn, the controller last, hands its leaderships over, stops and comes back; the next waits until every "+
		"partition has all its replicas. Writes go on throughout. A loss in the meantime stops them.", p.Nodes)
}

func (p Price) returnSentence() string {
	if p.health == Up {
		return fmt.Sprintf("Broker %d is up already: nothing changes.", p.Fault.Node)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Broker %d catches up", p.Fault.Node)
	if p.Returns > 0 {
		fmt.Fprintf(&b, ", then leads %s again", plural(p.Returns, "partition"))
	}
	fmt.Fprintf(&b, ". %d of %d up then: %s.%s", p.Up, p.Nodes, p.writes(), p.next())
	return b.String()
}

func (p Price) leads() string {
	if p.Leads == 0 {
		return "no partition"
	}
	return plural(p.Leads, "partition")
}

func (p Price) remain() string {
	if p.Up == 1 {
		return fmt.Sprintf("1 of %d remains", p.Nodes)
	}
	return fmt.Sprintf("%d of %d remain", p.Up, p.Nodes)
}

func (p Price) writes() string {
	switch {
	case !p.Quorum && p.Blocked > 0:
		return "that is no quorum, and writes stop until another is back"
	case !p.Quorum:
		return "that is no quorum, and no leader can move until another is back"
	case p.Blocked > 0 && p.Blocked == p.Partitions:
		return "writes stop, because fewer replicas are in sync than min.insync.replicas asks for"
	case p.Blocked > 0:
		return fmt.Sprintf("writes stop on %d of %s", p.Blocked, plural(p.Partitions, "partition"))
	case p.Unknown > 0:
		return "whether writes go on is not known, because min.insync.replicas is not"
	default:
		return "writes go on"
	}
}

func (p Price) next() string {
	switch {
	case !p.WritesGoOn():
		return ""
	case p.NextBlocks:
		return " One more loss stops them."
	default:
		return " They would survive one more loss."
	}
}
