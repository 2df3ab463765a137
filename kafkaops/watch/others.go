package watch

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// The topics that are not watched: a cluster may have ten thousand partitions of them, so they are asked for only while somebody wants them, of one
// broker (whose view is believed anyway), and the slower the more there are and the longer an answer takes.

const (
	othersEvery    = time.Second
	othersDeadline = 3 * time.Second
	// othersShare is how many times as long as its answer took a question has to wait for the next: a cluster that is slow is left in peace.
	othersShare = 4
	// othersConfigs is how often min.insync.replicas of a topic is asked for again.
	othersConfigs = time.Minute
)

// others is what is known of them.
type others struct {
	list  []Partition
	seen  time.Time
	every time.Duration
}

// WatchOthers says whether State.Others is wanted. They come with a later state.
func (w *Watcher) WatchOthers(on bool) {
	w.others.Store(on)
	wake(w.want)
}

// route notes whom to ask: the broker that is believed, then those that are up.
func (w *Watcher) route(m *model, s *State) {
	if !w.others.Load() {
		w.routes.Store(nil)
		return
	}
	nodes := slices.DeleteFunc(slices.Clone(s.Nodes), func(n Node) bool {
		return n.Health != Up && n.Health != Fenced && n.Health != Unknown
	})
	slices.SortStableFunc(nodes, func(a, b Node) int {
		rank := func(n Node) int {
			switch {
			case n.Health != Up:
				return 2
			case n.ID != m.source:
				return 1
			}
			return 0
		}
		return cmp.Compare(rank(a), rank(b))
	})
	routes := make([]string, len(nodes))
	for i, n := range nodes {
		routes[i] = n.Addr
	}
	w.routes.Store(&routes)
}

// watchOthers asks while they are wanted.
func (w *Watcher) watchOthers(ctx context.Context) {
	askers := map[string]*asker{}
	defer func() {
		for _, a := range askers {
			a.close()
		}
	}()
	minISR, configured := map[string]int{}, time.Time{}
	for {
		for !w.others.Load() {
			w.learn(ctx, func(m *model) bool { m.others = others{}; return false })
			select {
			case <-ctx.Done():
				return
			case <-w.want:
			}
		}
		begun, every := time.Now(), othersEvery
		if w.routes.Load() == nil { // the next look at the brokers notes them
			every = lookEvery
		}
		if md, broker, ok := w.askForOthers(ctx, askers); ok {
			took := time.Since(begun)
			// Reading ten thousand costs 5 ms and more of a core, and twice a broker's time: every other second at most.
			every = max(othersEvery, othersShare*took, time.Duration(2*partitionsIn(md))*perPartition)
			if topics := lacking(md, w.cfg.Topics, minISR); len(topics) > 0 || begun.Sub(configured) >= othersConfigs {
				if begun.Sub(configured) >= othersConfigs {
					configured, topics = begun, lacking(md, w.cfg.Topics, nil)
				}
				known, _ := within(ctx, othersDeadline, func(ctx context.Context) (map[string]int, error) { return broker.minISR(ctx, topics), nil })
				for topic, n := range known {
					minISR[topic] = n
				}
			}
			at, known := time.Now(), make(map[string]int, len(minISR))
			for topic, n := range minISR {
				known[topic] = n
			}
			w.learn(ctx, func(m *model) bool {
				m.setOthers(md, known, at, every)
				return false
			})
		}
		if !sleep(ctx, begun, every, w.want) {
			return
		}
	}
}

// askForOthers asks the best broker for all topics, and the next best when that one does not answer.
func (w *Watcher) askForOthers(ctx context.Context, askers map[string]*asker) (kadm.Metadata, *asker, bool) {
	routes := w.routes.Load()
	if routes == nil {
		return kadm.Metadata{}, nil, false
	}
	for _, addr := range *routes {
		broker := askers[addr]
		if broker == nil {
			cfg := w.cfg
			cfg.Topics = nil // all
			var err error
			if broker, err = newAsker(addr, cfg); err != nil {
				w.cfg.Log.Error("watch: client", "addr", addr, "err", err)
				continue
			}
			askers[addr] = broker
		}
		if md, err := within(ctx, othersDeadline, broker.metadata); err == nil {
			return md, broker, true
		}
	}
	return kadm.Metadata{}, nil, false
}

// lacking lists the topics that are not watched and not known yet.
func lacking(md kadm.Metadata, watched []string, known map[string]int) []string {
	var out []string
	for name, t := range md.Topics {
		if _, ok := known[name]; !ok && t.Err == nil && !slices.Contains(watched, name) {
			out = append(out, name)
		}
	}
	return out
}

// minISR asks for min.insync.replicas and nothing else: a topic has some thirty settings.
func (a *asker) minISR(ctx context.Context, topics []string) map[string]int {
	const name = "min.insync.replicas"
	req := kmsg.NewPtrDescribeConfigsRequest()
	for _, t := range topics {
		r := kmsg.NewDescribeConfigsRequestResource()
		r.ResourceType, r.ResourceName, r.ConfigNames = kmsg.ConfigResourceTypeTopic, t, []string{name}
		req.Resources = append(req.Resources, r)
	}
	out := make(map[string]int, len(topics))
	resp, err := req.RequestWith(ctx, a.client)
	if err != nil {
		return out
	}
	for _, r := range resp.Resources {
		for _, c := range r.Configs {
			if c.Name != name || c.Value == nil {
				continue
			}
			if n, err := strconv.Atoi(*c.Value); err == nil {
				out[r.ResourceName] = n
			}
		}
	}
	return out
}

// setOthers takes in an answer about all topics. The list stays the same slice as long as it says the same.
func (m *model) setOthers(md kadm.Metadata, minISR map[string]int, at time.Time, every time.Duration) {
	m.others.seen, m.others.every = at, every
	if len(m.topics) == 0 {
		return // all topics are watched
	}
	before, list := indexOf(m.others.list), make([]Partition, 0, len(m.others.list))
	for _, name := range (&model{}).names(&md) {
		t := md.Topics[name]
		if t.Err != nil || slices.Contains(m.topics, name) {
			continue
		}
		for _, id := range t.Partitions.Numbers() {
			d := t.Partitions[id]
			p := Partition{
				Topic: name, ID: id, Leader: d.Leader, Epoch: d.LeaderEpoch, Replicas: d.Replicas, ISR: d.ISR, Offline: d.OfflineReplicas,
				MinISR: minISR[name], From: -1, Seen: at, Internal: t.IsInternal,
			}
			p.remember(before, len(list), at)
			list = append(list, p)
		}
	}
	if !slices.EqualFunc(m.others.list, list, samePartition) {
		m.others.list = list
	}
}
