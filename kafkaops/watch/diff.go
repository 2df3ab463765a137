package watch

import "slices"

// Diff lists what changed from a to b: brokers first, then the quorum, partitions and groups, each in the order of the
// state. What was not known before and is fine now is no change. Either state may be nil, which makes no changes.
func Diff(a, b *State) []Change {
	if a == nil || b == nil {
		return nil
	}
	var out []Change
	for _, n := range b.Nodes {
		if old, ok := a.Node(n.ID); ok && old.Health != n.Health {
			out = append(out, diffNode(old, n))
		}
	}
	out = append(out, diffQuorum(a, b)...)
	out = append(out, diffPartitions(a, b)...)
	for _, g := range b.Groups {
		for _, old := range a.Groups {
			if old.Name == g.Name && rebalanced(old, g) {
				out = append(out, GroupRebalanced{Group: g.Name, State: g.State, Members: len(g.Members)})
			}
		}
	}
	return out
}

func diffNode(old, n Node) Change {
	switch n.Health {
	case Up:
		return BrokerUp{Node: n.ID, From: old.Health}
	case Down:
		return BrokerDown{Node: n.ID, Led: n.Led, Why: n.Err}
	case Fenced:
		return BrokerFenced{Node: n.ID}
	case Paused:
		return BrokerPaused{Node: n.ID}
	case Cut:
		return BrokerCut{Node: n.ID}
	case Starting:
		return BrokerStarting{Node: n.ID}
	default:
		return BrokerSilent{Node: n.ID, Why: n.Err}
	}
}

func diffQuorum(a, b *State) []Change {
	var out []Change
	qa, qb := a.Quorum, b.Quorum
	if !qa.Lost && qb.Lost {
		up := 0
		for _, v := range qb.Voters {
			switch b.healthOf(v.ID) {
			case Up, Fenced:
				up++
			}
		}
		out = append(out, QuorumLost{Up: up, Voters: len(qb.Voters)})
	}
	if qb.Leader >= 0 && (qa.Leader != qb.Leader || qa.Epoch != qb.Epoch) {
		out = append(out, ControllerElected{Leader: qb.Leader, From: qa.Leader, Epoch: qb.Epoch})
	}
	if !qa.Known && qb.Known && (qa.Lost || qa.Seen.IsZero()) { // voters that were silent for a moment have lost nothing
		out = append(out, QuorumBack{Leader: qb.Leader, Epoch: qb.Epoch})
	}
	return out
}

func diffPartitions(a, b *State) []Change {
	var out []Change
	had, has := setOf(a.topics()), setOf(b.topics())
	for _, t := range a.topics() {
		if !has[t] {
			out = append(out, TopicDeleted{t})
		}
	}
	old := indexOf(a.Partitions)
	for i := range b.Partitions {
		p := &b.Partitions[i]
		if before := old.find(i, p.Topic, p.ID); before != nil {
			out = append(out, diffPartition(before, p)...)
			continue
		}
		if (i == 0 || b.Partitions[i-1].Topic != p.Topic) && !had[p.Topic] {
			n := 0
			for _, o := range b.Partitions[i:] {
				if o.Topic == p.Topic {
					n++
				}
			}
			out = append(out, TopicCreated{Topic: p.Topic, Partitions: n})
		}
	}
	return out
}

func setOf(names []string) map[string]bool {
	set := make(map[string]bool, len(names))
	for _, n := range names {
		set[n] = true
	}
	return set
}

// partitionIndex finds partitions in a list. Two pictures of a cluster mostly list the same ones, so the place in the other list is tried first;
// with ten thousand partitions a search from the front took a second.
type partitionIndex struct {
	list []Partition
	at   map[topicPartition]int // made when the first guess is wrong
}

func indexOf(list []Partition) *partitionIndex { return &partitionIndex{list: list} }

// find looks for a partition that is number guess in a list like this one; nil if it is not there. What it returns is only read.
func (x *partitionIndex) find(guess int, topic string, id int32) *Partition {
	if guess < len(x.list) && x.list[guess].ID == id && x.list[guess].Topic == topic {
		return &x.list[guess]
	}
	if x.at == nil {
		x.at = make(map[topicPartition]int, len(x.list))
		for i := range x.list {
			x.at[topicPartition{x.list[i].Topic, x.list[i].ID}] = i
		}
	}
	if i, ok := x.at[topicPartition{topic, id}]; ok {
		return &x.list[i]
	}
	return nil
}

func diffPartition(old, p *Partition) []Change {
	var out []Change
	switch {
	case old.Leader == p.Leader:
	case p.Leader < 0:
		out = append(out, LeaderLost{Topic: p.Topic, Partition: p.ID, From: old.Leader})
	default:
		out = append(out, LeaderMoved{Topic: p.Topic, Partition: p.ID, From: old.Leader, To: p.Leader, Epoch: p.Epoch})
	}
	if gone := missing(old.ISR, p.ISR); len(gone) > 0 {
		out = append(out, ISRShrank{Topic: p.Topic, Partition: p.ID, Out: gone, ISR: p.ISR, MinISR: p.MinISR})
	}
	if came := missing(p.ISR, old.ISR); len(came) > 0 {
		out = append(out, ISRGrew{Topic: p.Topic, Partition: p.ID, In: came, ISR: p.ISR, Full: !p.UnderReplicated()})
	}
	return out
}

// missing lists what is in a and not in b.
func missing(a, b []int32) []int32 {
	var out []int32
	for _, id := range a {
		if !slices.Contains(b, id) {
			out = append(out, id)
		}
	}
	return out
}

func rebalanced(a, b Group) bool {
	if a.State == "" || b.State == "" { // one of them was never described
		return false
	}
	return a.State != b.State && (rebalancing(a.State) || rebalancing(b.State)) ||
		!slices.EqualFunc(a.Members, b.Members, sameMember)
}

func rebalancing(state string) bool {
	switch state {
	case "PreparingRebalance", "CompletingRebalance", "Assigning", "Reconciling":
		return true
	}
	return false
}
