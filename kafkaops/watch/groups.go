package watch

import (
	"cmp"
	"context"
	"errors"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"kassa/kafkaops"
)

// groupsDeadline bounds one round over all groups. It is long because the round goes through several brokers, and may be because
// nothing else waits for it.
const groupsDeadline = 3 * time.Second

// watchGroups keeps the groups, their lag and the topics' min.insync.replicas up to date through one ordinary client, which finds
// coordinators and leaders by itself. It is slower than the rest and stalls when a coordinator is dead; the rest does not.
func (w *Watcher) watchGroups(ctx context.Context) {
	opts := kafkaops.ClientOptions(w.source.Bootstrap())
	opts = append(opts, kgo.RetryTimeout(time.Second)) // the next round is the retry
	opts = append(opts, w.cfg.Client...)
	opts = append(opts, kgo.Dialer(func(ctx context.Context, network, addr string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, w.cfg.Deadline)
		defer cancel()
		return w.cfg.Dial(ctx, network, addr)
	}))
	client, err := kgo.NewClient(opts...)
	if err != nil {
		w.cfg.Log.Error("watch: client for groups", "err", err)
		return
	}
	defer client.Close()
	admin := kadm.NewClient(client)

	done := make(chan struct{})
	go func() {
		defer close(done)
		w.watchConfigs(ctx, admin)
	}()
	defer func() { <-done }()
	for {
		start := time.Now()
		lags, err := within(ctx, groupsDeadline, func(ctx context.Context) (kadm.DescribedGroupLags, error) {
			return admin.Lag(ctx, slices.Clone(w.cfg.Groups)...)
		})
		at := time.Now()
		w.learn(ctx, func(m *model) bool {
			m.grouped(w.cfg.Groups, lags, err, at)
			return false
		})
		if !sleep(ctx, start, w.cfg.GroupsEvery, nil) {
			return
		}
	}
}

// watchConfigs learns min.insync.replicas, which metadata does not tell.
func (w *Watcher) watchConfigs(ctx context.Context, admin *kadm.Client) {
	var asked time.Time
	for {
		look := time.Now()
		s := w.State()
		topics := s.topics()
		lacking := slices.ContainsFunc(s.Partitions, func(p Partition) bool { return p.MinISR == 0 })
		if len(topics) > 0 && (lacking || look.Sub(asked) >= w.cfg.ConfigEvery) {
			asked = look
			configs, err := within(ctx, groupsDeadline, func(ctx context.Context) (kadm.ResourceConfigs, error) {
				return admin.DescribeTopicConfigs(ctx, topics...)
			})
			if err == nil {
				w.learn(ctx, func(m *model) bool { m.configured(configs); return false })
			}
		}
		if !sleep(ctx, look, publishEvery, nil) { // a topic may have come
			return
		}
	}
}

func (s *State) topics() []string {
	var out []string
	for _, p := range s.Partitions {
		if len(out) == 0 || out[len(out)-1] != p.Topic {
			out = append(out, p.Topic)
		}
	}
	return out
}

func (m *model) configured(configs kadm.ResourceConfigs) {
	for _, rc := range configs {
		for _, c := range rc.Configs {
			if c.Key != "min.insync.replicas" || c.Value == nil {
				continue
			}
			if n, err := strconv.Atoi(*c.Value); err == nil {
				m.minISR[rc.Name] = n
			}
		}
	}
}

// grouped files a round over the groups. What could not be had keeps its last value, with the reason beside it.
func (m *model) grouped(asked []string, lags kadm.DescribedGroupLags, err error, at time.Time) {
	groups := make(map[string]Group, len(m.groups))
	for _, g := range m.groups {
		if err != nil {
			g.Err = err.Error()
		}
		if _, still := lags[g.Name]; still || err != nil {
			groups[g.Name] = g
		}
	}
	for _, name := range asked {
		if _, ok := groups[name]; !ok {
			groups[name] = Group{Name: name, Coordinator: -1}
		}
	}
	for name, l := range lags {
		groups[name] = describe(groups[name], l, at)
	}
	m.groups = make([]Group, 0, len(groups))
	for _, g := range groups {
		m.groups = append(m.groups, g)
	}
	slices.SortFunc(m.groups, func(a, b Group) int { return cmp.Compare(a.Name, b.Name) })
}

func describe(old Group, l kadm.DescribedGroupLag, at time.Time) Group {
	if errors.Is(l.DescribeErr, kerr.GroupIDNotFound) {
		return Group{Name: l.Group, State: "Dead", Coordinator: l.Coordinator.NodeID, Seen: at}
	}
	if l.DescribeErr != nil {
		old.Name, old.Err = l.Group, l.DescribeErr.Error()
		return old
	}
	g := Group{
		Name: l.Group, State: l.State, Protocol: l.Protocol, Coordinator: l.Coordinator.NodeID,
		Lag: old.Lag, Seen: at,
	}
	for _, m := range l.Members {
		member := Member{ID: m.MemberID, ClientID: m.ClientID, Host: m.ClientHost, Assigned: map[string][]int32{}}
		if c, ok := m.Assigned.AsConsumer(); ok {
			for _, t := range c.Topics {
				member.Assigned[t.Topic] = slices.Sorted(slices.Values(t.Partitions))
			}
		}
		g.Members = append(g.Members, member)
	}
	if l.FetchErr != nil {
		g.Err = l.FetchErr.Error()
		return g
	}
	g.Lag = nil
	for _, p := range l.Lag.Sorted() {
		lag := PartitionLag{Topic: p.Topic, Partition: p.Partition, Committed: p.Commit.At, End: p.End.Offset, Lag: p.Lag}
		if p.Err != nil {
			g.Err = p.Err.Error()
			lag = old.lagOf(p.Topic, p.Partition)
		}
		g.Lag = append(g.Lag, lag)
	}
	return g
}

func (g Group) lagOf(topic string, partition int32) PartitionLag {
	for _, l := range g.Lag {
		if l.Topic == topic && l.Partition == partition {
			return l
		}
	}
	return PartitionLag{Topic: topic, Partition: partition, Committed: -1, End: -1, Lag: -1}
}
