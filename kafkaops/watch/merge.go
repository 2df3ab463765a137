package watch

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// jitter is how many records of the metadata log two brokers may be apart and still count as equally far: the leader learns
// of its followers' positions a little late.
const jitter = 10

// handover is how long a broker that gave all its leaderships away is still said to have led them. A controlled shutdown moves
// them off first, and the screen should tell what went when the broker is gone.
const handover = 10 * time.Second

// merge makes one picture out of what the brokers said.
func (m *model) merge(now time.Time) *State {
	s := &State{At: now, ClusterID: m.before.ClusterID, Groups: m.groups, Quorum: m.quorum, Others: m.others.list, OthersSeen: m.others.seen, OthersEvery: m.others.every}
	s.Quorum.Known = m.quorumKnown(now)
	s.Quorum.Lost = !s.Quorum.Known && m.quorumLost(now)
	if source := m.believe(); source != m.source || m.learnt {
		m.source, m.learnt = source, false
		m.mergePartitions(s, now)
	} else {
		s.Partitions = m.before.Partitions // nobody has told anything new since
	}
	m.mergeNodes(s, now)
	m.before = *s
	return s
}

// believe chooses the broker whose view counts: the one furthest in the metadata log. None knows of a higher leader epoch than it does.
func (m *model) believe() int32 {
	best := int32(-1)
	for _, n := range m.nodes {
		v := m.views[n.ID]
		if v == nil || v.md == nil {
			continue
		}
		if best < 0 || m.further(n.ID, best) {
			best = n.ID
		}
	}
	return best
}

// further says that a is to be believed rather than b. Leader epochs are proof, because they only grow along the log. The log end
// comes next: a broker that was paused answers at once when it is resumed, and from the past. Then one that answers now before
// one that is remembered; and, all being equal, the one believed so far, so that the picture does not flicker.
func (m *model) further(a, b int32) bool {
	va, vb := m.views[a], m.views[b]
	if c := compareEpochs(va.md, vb.md); c != 0 {
		return c > 0
	}
	ea, _, _ := m.logEnd(a)
	eb, _, _ := m.logEnd(b)
	if ea >= 0 && eb >= 0 && max(ea-eb, eb-ea) > jitter {
		return ea > eb
	}
	if va.ok != vb.ok {
		return va.ok
	}
	return a == m.source
}

// compareEpochs is positive when a has seen a leader change that b has not.
func compareEpochs(a, b *kadm.Metadata) int {
	for name, ta := range a.Topics {
		tb, ok := b.Topics[name]
		if !ok || ta.ID != tb.ID {
			continue
		}
		for id, pa := range ta.Partitions {
			if pb, ok := tb.Partitions[id]; ok && pa.LeaderEpoch != pb.LeaderEpoch {
				return cmp.Compare(pa.LeaderEpoch, pb.LeaderEpoch)
			}
		}
	}
	return 0
}

func (m *model) mergePartitions(s *State, now time.Time) {
	src := m.views[m.source]
	if src == nil || src.md == nil {
		return
	}
	if src.md.Cluster != "" {
		s.ClusterID = src.md.Cluster
	}
	before := indexOf(m.before.Partitions)
	s.Partitions = make([]Partition, 0, len(m.before.Partitions))
	for _, name := range m.names(src.md) {
		t, ok := src.md.Topics[name]
		switch {
		case !ok || errors.Is(t.Err, kerr.UnknownTopicOrPartition):
			continue // not made yet, or deleted
		case t.Err != nil:
			s.Partitions = append(s.Partitions, m.remembered(name)...)
			continue
		}
		told := m.tellingOf(t)
		for _, id := range t.Partitions.Numbers() {
			p := m.partition(t, t.Partitions[id], src, told)
			p.remember(before, len(s.Partitions), now)
			s.Partitions = append(s.Partitions, p)
		}
	}
}

// names lists the watched topics in the order asked for; those of all topics by name, the internal ones last.
func (m *model) names(md *kadm.Metadata) []string {
	if len(m.topics) > 0 {
		return m.topics
	}
	return slices.SortedFunc(maps.Keys(md.Topics), func(a, b string) int {
		if ia, ib := md.Topics[a].IsInternal, md.Topics[b].IsInternal; ia != ib {
			if ib {
				return -1
			}
			return 1
		}
		return cmp.Compare(a, b)
	})
}

func (m *model) remembered(topic string) []Partition {
	var out []Partition
	for _, p := range m.before.Partitions {
		if p.Topic == topic {
			out = append(out, p)
		}
	}
	return out
}

// telling is what a broker said of one topic.
type telling struct {
	of   kadm.PartitionDetails
	seen time.Time
}

// tellingOf is what all brokers said of the topic, those that have an older one of the same name left out.
func (m *model) tellingOf(t kadm.TopicDetail) []telling {
	var out []telling
	for _, v := range m.views {
		if v.md == nil {
			continue
		}
		if other, ok := v.md.Topics[t.Topic]; ok && other.ID == t.ID {
			out = append(out, telling{other.Partitions, v.seen})
		}
	}
	return out
}

func (m *model) partition(t kadm.TopicDetail, d kadm.PartitionDetail, src *view, told []telling) Partition {
	p := Partition{
		Topic: t.Topic, ID: d.Partition, Leader: d.Leader, Epoch: d.LeaderEpoch,
		Replicas: d.Replicas, ISR: d.ISR, Offline: d.OfflineReplicas,
		// It is asked for less often than the ISR, and a replica is never in both: without this a replica that came back stayed
		// eligible for up to half a second (seen beside kafka-topics).
		ELR:    missing(src.more.elr[topicPartition{t.Topic, d.Partition}], d.ISR),
		MinISR: m.minISR[t.Topic], From: -1, Seen: src.seen, Internal: t.IsInternal,
	}
	for _, other := range told {
		if o, ok := other.of[d.Partition]; ok && o.LeaderEpoch == p.Epoch && o.Leader == p.Leader && other.seen.After(p.Seen) {
			p.Seen = other.seen
		}
	}
	return p
}

// remember takes over when the leader last moved from the same partition in the picture before.
func (p *Partition) remember(before *partitionIndex, place int, now time.Time) {
	old := before.find(place, p.Topic, p.ID)
	if old == nil {
		return
	}
	p.Moved, p.From = old.Moved, old.From
	if old.Leader != p.Leader {
		p.Moved, p.From = now, old.Leader
	}
}

func (m *model) mergeNodes(s *State, now time.Time) {
	leads := make(map[int32]int)
	for _, p := range s.Partitions {
		leads[p.Leader]++
	}
	src := m.views[m.source]
	for _, n := range m.nodes {
		v := m.view(n.ID)
		e := evidence{
			process: n.Process, ok: v.ok, answered: v.answered, refused: v.refused, fails: v.fails,
			quorum: s.Quorum.Known, before: m.before.healthOf(n.ID),
		}
		if src != nil && src.md != nil {
			e.listed = slices.ContainsFunc(src.md.Brokers, func(b kadm.BrokerDetail) bool { return b.NodeID == n.ID })
			e.fenced = src.more.fenced[n.ID] && !e.listed
		}
		out := Node{
			ID: n.ID, Addr: n.Addr, Health: health(e), Seen: v.seen, Process: n.Process, PID: n.PID, Can: n.Can, Err: v.err,
			Leads: leads[n.ID],
		}
		if out.Health == Down {
			out.Leads = 0 // without a quorum the metadata still names it
			if n.Exit != "" {
				out.Err = n.Exit
			}
		}
		out.LogEnd, out.Lag, out.Voter = m.logEnd(n.ID)
		m.remember(&out, now)
		s.Nodes = append(s.Nodes, out)
	}
}

// remember fills in what outlives the moment: since when a broker is as it is, and what it led.
func (m *model) remember(n *Node, now time.Time) {
	r := m.memory[n.ID]
	if r == nil {
		r = &memory{health: n.Health, since: now}
		m.memory[n.ID] = r
	}
	if r.health != n.Health {
		r.health, r.since = n.Health, now
	}
	if n.Health == Up && (n.Leads > 0 || r.led == 0 || now.Sub(r.ledSeen) > handover) {
		r.led, r.ledSeen = n.Leads, now
	}
	n.Since, n.Led = r.since, r.led
}
