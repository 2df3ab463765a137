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
	case Starting:
		return BrokerStarting{Node: n.ID}
	default:
		return BrokerSilent{Node: n.ID, Why: n.Err}
	}
}

func diffQuorum(a, b *State) []Change {
	var out []Change
	qa, qb := a.Quorum, b.Quorum
	if qa.Known && !qb.Known {
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
	if !qa.Known && qb.Known {
		out = append(out, QuorumBack{Leader: qb.Leader, Epoch: qb.Epoch})
	}
	return out
}

func diffPartitions(a, b *State) []Change {
	var out []Change
	for _, t := range a.topics() {
		if !slices.Contains(b.topics(), t) {
			out = append(out, TopicDeleted{t})
		}
	}
	had := a.topics()
	for i, p := range b.Partitions {
		if !slices.Contains(had, p.Topic) {
			if i == 0 || b.Partitions[i-1].Topic != p.Topic {
				n := 0
				for _, o := range b.Partitions {
					if o.Topic == p.Topic {
						n++
					}
				}
				out = append(out, TopicCreated{Topic: p.Topic, Partitions: n})
			}
			continue
		}
		if old, ok := a.partition(p.Topic, p.ID); ok {
			out = append(out, diffPartition(old, p)...)
		}
	}
	return out
}

func diffPartition(old, p Partition) []Change {
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
