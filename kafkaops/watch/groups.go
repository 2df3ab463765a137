package watch

import (
	"cmp"
	"context"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"kassa/kafkaops"
)

// groupsDeadline bounds each of the three steps of a round over all groups. It is long because a step goes through several brokers,
// and may be because nothing else waits for it. What was answered until then counts.
const groupsDeadline = time.Second

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
	ask := groupAsker{client: client, admin: kadm.NewClient(client), only: w.cfg.Groups}

	done := make(chan struct{})
	go func() {
		defer close(done)
		w.watchConfigs(ctx, ask.admin)
	}()
	defer func() { <-done }()
	for {
		start := time.Now()
		r := ask.round(ctx)
		at := time.Now()
		w.learn(ctx, func(m *model) bool {
			m.grouped(r, at)
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
	m.learnt = true
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
func (m *model) grouped(r groupRound, at time.Time) {
	groups := make([]Group, 0, len(m.groups))
	for _, g := range m.groups {
		if _, told := r.told[g.Name]; !told && r.partial != nil {
			g.Err = sentence(r.partial)
			groups = append(groups, g)
		}
	}
	for name, told := range r.told {
		i := slices.IndexFunc(m.groups, func(g Group) bool { return g.Name == name })
		old := Group{Name: name, Coordinator: -1}
		if i >= 0 {
			old = m.groups[i]
		}
		groups = append(groups, told.onto(old, at))
	}
	slices.SortFunc(groups, func(a, b Group) int { return cmp.Compare(a.Name, b.Name) })
	m.groups = groups
}

// onto is what is known of a group now, given what was known before.
func (t toldGroup) onto(old Group, at time.Time) Group {
	if t.err != nil {
		old.Err = sentence(t.err)
		return old
	}
	g := t.group
	g.Seen, g.Rebalances, g.Rebalanced = at, old.Rebalances, old.Rebalanced
	if n := rebalances(old, g); n > 0 {
		g.Rebalances, g.Rebalanced = g.Rebalances+n, at
	}
	if t.lagErr != nil {
		g.Err, g.Lag = sentence(t.lagErr), old.Lag
		return g
	}
	for i, l := range g.Lag {
		if t.unknown[topicPartition{l.Topic, l.Partition}] {
			g.Lag[i] = old.lagOf(l.Topic, l.Partition)
		}
	}
	return g
}

// rebalances is how often the partitions of a group were dealt out between two looks at it, as far as the looks tell. With
// KIP-848 the group's epoch counts them. Before it only the state and the members tell: one that begins and ends between
// two looks is one, if it changed anything.
func rebalances(a, b Group) int {
	switch {
	case a.State == "": // never described
		return 0
	case a.Type == b.Type && b.Epoch > 0 && b.Epoch >= a.Epoch:
		return int(b.Epoch - a.Epoch)
	case rebalancing(a.State):
		return 0 // counted when it began
	case rebalancing(b.State), !slices.EqualFunc(a.Members, b.Members, sameMember):
		return 1
	}
	return 0
}

func (g Group) lagOf(topic string, partition int32) PartitionLag {
	for _, l := range g.Lag {
		if l.Topic == topic && l.Partition == partition {
			return l
		}
	}
	return PartitionLag{Topic: topic, Partition: partition, Committed: -1, End: -1, Lag: -1}
}
