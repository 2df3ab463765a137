package watch

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"kassa/kafkaops"
)

// asking is the two loops that ask one broker: what it believes, and what it hears of the quorum. Each has clients of its own, so
// that no answer waits behind another's.
type asking struct {
	addr    string
	cancel  context.CancelFunc
	silent  atomic.Bool            // it is paused or cut off
	voter   atomic.Pointer[string] // address of its controller listener; nil until the quorum has told
	view    chan struct{}          // wakes a loop before its time
	quorums chan struct{}
}

// follow sees to it that each node is asked at its present address. A cluster of which no node is known yet is asked through
// its bootstrap addresses, under ids below any that a broker can have.
func (w *Watcher) follow(ctx context.Context, m *model, done *sync.WaitGroup) {
	nodes := m.nodes
	if len(nodes) == 0 {
		for i, addr := range w.source.Bootstrap() {
			nodes = append(nodes, kafkaops.Node{ID: int32(-2 - i), Addr: addr})
		}
	}
	wanted := make(map[int32]bool, len(nodes))
	for _, n := range nodes {
		wanted[n.ID] = true
		a := w.asking[n.ID]
		if a == nil || a.addr != n.Addr {
			if a != nil {
				a.cancel()
			}
			a = w.ask(ctx, n, done)
			w.asking[n.ID] = a
		}
		a.silent.Store(n.Process == kafkaops.ProcessPaused || n.Process == kafkaops.ProcessCut)
		if addr, ok := m.voters[n.ID]; ok {
			a.voter.Store(&addr)
		}
	}
	for id, a := range w.asking {
		if !wanted[id] {
			a.cancel()
			delete(w.asking, id)
			delete(m.views, id)
		}
	}
}

func (w *Watcher) ask(ctx context.Context, n kafkaops.Node, done *sync.WaitGroup) *asking {
	ctx, cancel := context.WithCancel(ctx)
	a := &asking{addr: n.Addr, cancel: cancel, view: make(chan struct{}, 1), quorums: make(chan struct{}, 1)}
	done.Go(func() { w.askView(ctx, n.ID, a) })
	done.Go(func() { w.askQuorum(ctx, n.ID, a) })
	return a
}

func (w *Watcher) wakeAll() {
	for _, a := range w.asking {
		wake(a.view)
		wake(a.quorums)
	}
}

// askView asks one broker for its metadata, and now and then for the rest.
func (w *Watcher) askView(ctx context.Context, id int32, a *asking) {
	broker, err := newAsker(a.addr, w.cfg)
	if err != nil {
		w.cfg.Log.Error("watch: client", "addr", a.addr, "err", err)
		w.learn(ctx, func(m *model) bool { return m.failed(id, err) })
		return
	}
	defer broker.close()
	var detailed time.Time
	var before kadm.Metadata
	for {
		start := time.Now()
		md, err := within(ctx, w.cfg.Deadline, broker.metadata)
		if ctx.Err() != nil {
			return
		}
		at := time.Now()
		w.learn(ctx, func(m *model) bool {
			if err != nil {
				return m.failed(id, err)
			}
			return m.answered(id, md, at)
		})
		if err == nil && (at.Sub(detailed) >= w.cfg.DetailEvery || isrsDiffer(before, md)) {
			detailed, before = at, md
			d, _ := within(ctx, w.cfg.Deadline, func(ctx context.Context) (details, error) { return broker.details(ctx), nil })
			w.learn(ctx, func(m *model) bool { m.detailed(id, d); return false })
		}
		every := w.cfg.Every
		switch {
		case a.silent.Load():
			every = closedEvery
		case w.hurrying():
			every = hurryEvery
		case w.calm.Load():
			every *= 2
		}
		every = max(every, time.Duration(partitionsIn(md))*perPartition)
		if !sleep(ctx, start, every, a.view) {
			return
		}
	}
}

// perPartition is the least time that is given to each partition of an answer: ten thousand are asked for once a second. One of them costs some 2 µs to
// read, so that no cluster takes more than a few per cent of a core.
const perPartition = 100 * time.Microsecond

func partitionsIn(md kadm.Metadata) int {
	n := 0
	for _, t := range md.Topics {
		n += len(t.Partitions)
	}
	return n
}

// isrsDiffer says that an ISR has changed, and with it perhaps the replicas that are eligible beside it.
func isrsDiffer(a, b kadm.Metadata) bool {
	for name, t := range b.Topics {
		for id, p := range t.Partitions {
			if old, ok := a.Topics[name].Partitions[id]; ok && !slices.Equal(old.ISR, p.ISR) {
				return true
			}
		}
	}
	return false
}

func within[T any](ctx context.Context, limit time.Duration, ask func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return ask(ctx)
}

// floor is the shortest time between two rounds however often they are asked for: kadm answers from its cache below metadataMinAge.
const floor = 2 * metadataMinAge

// sleep waits until every has passed since start, or only until floor has if it is woken. It reports whether to go on.
func sleep(ctx context.Context, start time.Time, every time.Duration, woken <-chan struct{}) bool {
	t := time.NewTimer(time.Until(start.Add(max(every, floor))))
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-t.C:
			return true
		case <-woken:
			t.Reset(time.Until(start.Add(floor)))
			woken = nil
		}
	}
}
