package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kassa/kafkaops"
)

// gatherer asks a cluster and writes down what it says.
type gatherer struct {
	c      *Cluster
	askers map[string]*asker // by address
	nodes  map[int32]*asker  // those that answered at their advertised address
	base   *asker            // whose picture of the topics is taken
	// logEnds is how far each node is in the metadata log, by id; empty if the quorum did not tell.
	logEnds map[int32]int64
}

func gather(ctx context.Context, bootstrap []string, writeProbe bool) (*Cluster, error) {
	g := &gatherer{c: &Cluster{Bootstrap: bootstrap, Probed: writeProbe}, askers: make(map[string]*asker), nodes: make(map[int32]*asker)}
	defer func() {
		for _, a := range g.askers {
			a.client.Close()
		}
	}()
	err := g.gather(ctx, bootstrap, writeProbe)
	if ctx.Err() != nil {
		return nil, &kafkaops.UserError{Message: "told to end before the cluster was examined: there is no report", Err: context.Cause(ctx)}
	}
	return g.c, err
}

func (g *gatherer) gather(ctx context.Context, bootstrap []string, writeProbe bool) error {
	seeds, err := g.ask(ctx, bootstrap)
	if err != nil {
		return err
	}
	if err := oneCluster(seeds); err != nil {
		return err
	}
	if err := g.meetBrokers(ctx, seeds); err != nil {
		return err
	}
	g.describeQuorum(ctx)
	g.base = g.furthest(seeds)
	g.c.ID = g.base.metadata.Cluster
	g.nameReplicas()
	g.describeTopics(ctx)
	g.describeWriters(ctx)
	if writeProbe {
		g.probe(ctx)
	}
	slices.SortFunc(g.c.Clocks, func(a, b Clock) int { return cmp.Compare(a.Node, b.Node) })
	return nil
}

// ask has every address that was not asked before tell its picture.
func (g *gatherer) ask(ctx context.Context, addrs []string) (askers []*asker, err error) {
	var anew []*asker
	for _, addr := range addrs {
		a := g.askers[addr]
		if a == nil {
			if a, err = newAsker(ctx, addr); err != nil {
				return nil, fmt.Errorf("make a client for %s: %w", addr, err)
			}
			g.askers[addr] = a
			anew = append(anew, a)
		}
		if !slices.Contains(askers, a) {
			askers = append(askers, a)
		}
	}
	all(ctx, anew, answerWithin, func(ctx context.Context, a *asker) { a.look(ctx) })
	return askers, nil
}

// oneCluster refuses addresses that nobody answers at, and those of more than one cluster.
func oneCluster(seeds []*asker) error {
	var whys []string
	found := make(map[string]string)
	for _, a := range seeds {
		if a.err != nil {
			whys = append(whys, fmt.Sprintf("%s: %s", a.addr, reason(a.err)))
			continue
		}
		found[a.metadata.Cluster] = a.addr
	}
	switch {
	case len(found) == 0:
		return &kafkaops.UserError{
			Message: fmt.Sprintf("no broker answers at --brokers (%s): check the addresses and that the cluster is up", strings.Join(whys, "; ")),
		}
	case len(found) > 1:
		return &kafkaops.UserError{
			Message: fmt.Sprintf("--brokers names brokers of different clusters (%s): give those of one", list(slices.Sorted(maps.Values(found)))),
		}
	}
	return nil
}

// meetBrokers asks each broker that any address knows of, at the address that it advertises.
func (g *gatherer) meetBrokers(ctx context.Context, seeds []*asker) error {
	known := make(map[int32]*Broker)
	for _, s := range seeds {
		for _, b := range s.metadata.Brokers {
			known[b.NodeID] = &Broker{ID: b.NodeID, Addr: net.JoinHostPort(b.Host, strconv.Itoa(int(b.Port)))}
		}
	}
	for _, s := range seeds {
		for _, b := range s.brokers {
			k := known[b.NodeID]
			if k == nil {
				k = &Broker{ID: b.NodeID}
				known[b.NodeID] = k
				if b.Host != "" {
					k.Addr = net.JoinHostPort(b.Host, strconv.Itoa(int(b.Port)))
				}
			}
			k.Fenced = k.Fenced || b.IsFenced
		}
	}
	var addrs []string
	for _, b := range known {
		if b.Addr != "" {
			addrs = append(addrs, b.Addr)
		}
	}
	if _, err := g.ask(ctx, addrs); err != nil {
		return err
	}
	answering := make(map[*asker]*Broker)
	for _, b := range known {
		a := g.askers[b.Addr]
		switch {
		case a == nil:
			b.Why = "it advertises no address"
		case a.err != nil:
			b.Why = reason(a.err)
		default:
			g.nodes[b.ID], answering[a] = a, b
		}
		if a != nil {
			seeds = slices.DeleteFunc(seeds, func(s *asker) bool { return s == a })
		}
	}
	for _, s := range seeds {
		if s.err != nil {
			g.c.Dead = append(g.c.Dead, Silence{s.addr, reason(s.err)})
		}
	}
	all(ctx, slices.Collect(maps.Keys(answering)), answerWithin, func(ctx context.Context, a *asker) { answering[a].describe(ctx, a) })
	for _, id := range slices.Sorted(maps.Keys(known)) {
		b := *known[id]
		if b.Answers() && b.Settings == nil {
			g.unseen(fmt.Sprintf("settings of broker %d", id), "it does not tell them")
		}
		g.c.Brokers = append(g.c.Brokers, b)
	}
	return nil
}

func (g *gatherer) unseen(subject, why string) {
	g.c.Unseen = append(g.c.Unseen, Silence{subject, why})
}

// brokerSettings are the settings of a broker that rules look at.
var brokerSettings = []string{
	keyAutoCreate, keyCopies, keyMinISR, keyUnclean,
	"offsets.topic.replication.factor", "transaction.state.log.replication.factor", "transaction.state.log.min.isr",
}

// describe reads the broker's settings; each knows its own.
func (b *Broker) describe(ctx context.Context, a *asker) {
	found, err := a.admin.DescribeBrokerConfigs(ctx, b.ID)
	if err != nil || len(found) != 1 || found[0].Err != nil {
		return
	}
	b.Settings = pick(found[0].Configs, brokerSettings)
}

func pick(configs []kadm.Config, keys []string) map[string]Setting {
	out := make(map[string]Setting)
	for _, c := range configs {
		if slices.Contains(keys, c.Key) {
			out[c.Key] = Setting{Value: c.MaybeValue(), Source: source(c.Source)}
		}
	}
	return out
}

func source(s kmsg.ConfigSource) string {
	switch s {
	case kmsg.ConfigSourceDynamicTopicConfig:
		return "topic"
	case kmsg.ConfigSourceDynamicBrokerConfig:
		return "broker"
	case kmsg.ConfigSourceDynamicDefaultBrokerConfig:
		return "cluster"
	case kmsg.ConfigSourceStaticBrokerConfig:
		return "file"
	default:
		return "default"
	}
}

// furthest is the broker with the newest metadata, as far as the quorum tells: one that was cut off answers too, with an old picture.
// Where advertised addresses cannot be reached it is a bootstrap address that answered.
func (g *gatherer) furthest(seeds []*asker) *asker {
	if ids := slices.Sorted(maps.Keys(g.nodes)); len(ids) > 0 {
		return g.nodes[slices.MaxFunc(ids, func(a, b int32) int { return cmp.Compare(g.logEnds[a], g.logEnds[b]) })]
	}
	return seeds[slices.IndexFunc(seeds, func(s *asker) bool { return s.err == nil })]
}

// nameReplicas adds the brokers that only replicas name: they are not registered any more.
func (g *gatherer) nameReplicas() {
	known := make(map[int32]bool)
	for _, b := range g.c.Brokers {
		known[b.ID] = true
	}
	g.base.metadata.Topics.EachPartition(func(p kadm.PartitionDetail) {
		for _, r := range p.Replicas {
			if !known[r] {
				known[r] = true
				g.c.Brokers = append(g.c.Brokers, Broker{ID: r, Why: "it is not registered"})
			}
		}
	})
	slices.SortFunc(g.c.Brokers, func(a, b Broker) int { return cmp.Compare(a.ID, b.ID) })
}

func (g *gatherer) describeTopics(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	topics := g.base.metadata.Topics
	configs, err := g.base.admin.DescribeTopicConfigs(ctx, topics.Names()...)
	var shards *kadm.ShardErrors
	if err != nil && !errors.As(err, &shards) {
		g.unseen("settings of the topics", reason(err))
	}
	for _, t := range topics.Sorted() {
		if t.Err != nil && len(t.Partitions) == 0 {
			g.unseen("topic "+t.Topic, reason(t.Err))
			continue
		}
		out := Topic{Name: t.Topic, Internal: t.IsInternal}
		if found, err := configs.On(t.Topic, nil); err == nil && found.Err == nil {
			out.Settings = pick(found.Configs, []string{keyMinISR, keyUnclean})
		} else {
			g.unseen("settings of "+t.Topic, reason(errors.Join(err, found.Err)))
		}
		for _, p := range t.Partitions.Sorted() {
			out.Partitions = append(out.Partitions, Partition{ID: p.Partition, Leader: p.Leader, Replicas: p.Replicas, ISR: p.ISR})
		}
		g.c.Topics = append(g.c.Topics, out)
	}
}
