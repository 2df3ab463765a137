package watch

import (
	"maps"
	"slices"
)

// differs says whether a screen would look different, leaving out what moves all the time: ages, and the length of the metadata log.
func differs(a, b *State) bool {
	return moved(a, b) || !sameSlice(a.Others, b.Others) || a.OthersEvery == 0 != (b.OthersEvery == 0) || a.ClusterID != b.ClusterID || !slices.EqualFunc(a.Groups, b.Groups, sameGroup) ||
		!slices.EqualFunc(a.Nodes, b.Nodes, func(a, b Node) bool { return a.Err == b.Err })
}

// moved says whether the cluster itself has changed: brokers, quorum or partitions. More changes tend to follow.
func moved(a, b *State) bool {
	return a.Quorum.Known != b.Quorum.Known || a.Quorum.Lost != b.Quorum.Lost || a.Quorum.Leader != b.Quorum.Leader || a.Quorum.Epoch != b.Quorum.Epoch ||
		!slices.EqualFunc(a.Nodes, b.Nodes, sameBroker) ||
		!sameSlice(a.Partitions, b.Partitions) && !slices.EqualFunc(a.Partitions, b.Partitions, samePartition)
}

// sameSlice says that two slices are one: nobody changes what has been handed out.
func sameSlice[T any](a, b []T) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

func sameBroker(a, b Node) bool {
	return a.ID == b.ID && a.Addr == b.Addr && a.Health == b.Health && a.Process == b.Process && a.PID == b.PID &&
		a.Leads == b.Leads && a.Led == b.Led && a.Voter == b.Voter
}

func samePartition(a, b Partition) bool {
	return a.Topic == b.Topic && a.ID == b.ID && a.Leader == b.Leader && a.Epoch == b.Epoch && a.MinISR == b.MinISR &&
		slices.Equal(a.Replicas, b.Replicas) && slices.Equal(a.ISR, b.ISR) &&
		slices.Equal(a.ELR, b.ELR) && slices.Equal(a.Offline, b.Offline)
}

func sameGroup(a, b Group) bool {
	return a.Name == b.Name && a.Type == b.Type && a.State == b.State && a.Rebalances == b.Rebalances && a.Protocol == b.Protocol && a.Coordinator == b.Coordinator &&
		a.Err == b.Err && slices.Equal(a.Lag, b.Lag) && slices.EqualFunc(a.Members, b.Members, sameMember)
}

func sameMember(a, b Member) bool {
	return a.ID == b.ID && a.ClientID == b.ClientID && a.Host == b.Host &&
		maps.EqualFunc(a.Assigned, b.Assigned, slices.Equal)
}
