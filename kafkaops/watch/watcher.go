package watch

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kassa/kafkaops"
)

// Source is where the watcher learns which brokers there are. A kafkaops.Cluster is one. Both methods are called many times a
// second and must cost no I/O.
type Source interface {
	Nodes() []kafkaops.Node
	Bootstrap() []string
}

// Config says what to watch and how often. The zero value watches everything at the pace that suits a screen.
type Config struct {
	Topics []string // in the order in which State lists them; empty means all that there are
	Groups []string // nil means all that there are

	Every       time.Duration // each broker's metadata, half as often while all is calm; 0 means 100 ms
	QuorumEvery time.Duration // 0 means 300 ms
	DetailEvery time.Duration // fenced brokers and ELR; 0 means 500 ms
	GroupsEvery time.Duration // groups and their lag; 0 means 1 s
	ConfigEvery time.Duration // min.insync.replicas; 0 means 10 s
	// Deadline is how long one query to one broker may take before it counts as unanswered; 0 means 300 ms.
	Deadline time.Duration

	// Client is added to the options of every client that the watcher makes (SASL, a logger). A Dialer or TLS option has no
	// place here: the watcher dials for itself, see Dial.
	Client []kgo.Opt
	// Dial opens a connection, with TLS around it where the cluster wants that; nil means the source's own way (Dialer), else plain TCP.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	Log  *slog.Logger // nil means silence
}

// Dialer is a Source that knows the way to addresses that only the cluster itself can resolve: a controller's, inside a network of containers.
type Dialer interface {
	DialContext(ctx context.Context, network, addr string) (net.Conn, error)
}

type dialFunc = func(ctx context.Context, network, addr string) (net.Conn, error)

func (c Config) withDefaults(source Source) Config {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&c.Every, 100 * time.Millisecond},
		{&c.QuorumEvery, 300 * time.Millisecond},
		{&c.DetailEvery, 500 * time.Millisecond},
		{&c.GroupsEvery, time.Second},
		{&c.ConfigEvery, 10 * time.Second},
		{&c.Deadline, 300 * time.Millisecond},
	} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	if d, ok := source.(Dialer); ok && c.Dial == nil {
		c.Dial = d.DialContext
	}
	if c.Dial == nil {
		c.Dial = (&net.Dialer{}).DialContext
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

const (
	lookEvery    = 50 * time.Millisecond  // at the provider's list of processes
	publishEvery = 500 * time.Millisecond // when nothing changes: ages move
	closedEvery  = time.Second            // a broker that cannot answer: its process is stopped
	hurryEvery   = 40 * time.Millisecond
	calmAfter    = 15 * time.Second
)

// Watcher keeps the picture of one cluster until it is closed.
type Watcher struct {
	source Source
	cfg    Config

	out    chan *State
	latest atomic.Pointer[State]
	tell   chan func(*model) bool // what was learnt; true means that it calls for another look at once
	cancel context.CancelFunc
	done   sync.WaitGroup

	asking map[int32]*asking // by node id; owned by run

	others   atomic.Bool              // somebody wants the topics that are not watched
	want     chan struct{}            // wakes whoever asks for them
	routes   atomic.Pointer[[]string] // whom to ask for them, the best first
	onChange atomic.Pointer[func(before, after *State)]
	hurry    atomic.Int64 // until when each broker is asked as often as it can be, in Unix nanoseconds

	// calm says that every broker is up and nothing has moved for calmAfter. Most of what the watcher costs is spent then.
	calm    atomic.Bool
	stirred time.Time // owned by run
}

// Start begins to watch. It returns at once, whatever the cluster does; State is never nil.
func Start(cluster Source, cfg Config) *Watcher {
	ctx, cancel := context.WithCancel(context.Background())
	w := &Watcher{
		source: cluster, cfg: cfg.withDefaults(cluster), cancel: cancel,
		out: make(chan *State, 1), tell: make(chan func(*model) bool, 64),
		asking: map[int32]*asking{}, want: make(chan struct{}, 1),
	}
	m := newModel(w.cfg.Topics)
	m.setNodes(cluster.Nodes())
	w.publish(m.merge(time.Now()))
	w.done.Go(func() { w.run(ctx, m) })
	return w
}

// States gives the latest state whenever it has changed, and at least twice a second. Only the newest waits in it: a slow reader
// misses states, holds nobody up and never gets an old one. It is closed by Close. It serves one reader.
func (w *Watcher) States() <-chan *State { return w.out }

// State is the latest state.
func (w *Watcher) State() *State { return w.latest.Load() }

// OnChange has f called with every two states between which something has changed. It must not wait, and no call is under way
// any more when Close returns. There is one such f.
func (w *Watcher) OnChange(f func(before, after *State)) { w.onChange.Store(&f) }

// Hurry has the brokers asked every hurryEvery for a while: what follows a fault is worth more requests than a screen is.
func (w *Watcher) Hurry(d time.Duration) {
	w.hurry.Store(time.Now().Add(d).UnixNano())
	select {
	case w.tell <- func(*model) bool { return true }: // wakes those that sleep
	default: // they are awake
	}
}

func (w *Watcher) hurrying() bool { return time.Now().UnixNano() < w.hurry.Load() }

// Close ends the watching and waits for it. It may be called again.
func (w *Watcher) Close() {
	w.cancel()
	w.done.Wait()
}

// run owns the model: it takes in what the askers tell, and publishes.
func (w *Watcher) run(ctx context.Context, m *model) {
	defer close(w.out)
	var askers sync.WaitGroup
	defer askers.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

	w.follow(ctx, m, &askers)
	askers.Go(func() { w.watchGroups(ctx) })
	askers.Go(func() { w.watchOthers(ctx) })

	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		urgent := false
		select {
		case <-ctx.Done():
			return
		case learn := <-w.tell:
			urgent = learn(m)
		case <-look.C:
		}
		for more := true; more; { // one picture for all that has come in
			select {
			case learn := <-w.tell:
				urgent = learn(m) || urgent
			default:
				more = false
			}
		}
		if m.setNodes(w.source.Nodes()) {
			urgent = true
			w.follow(ctx, m, &askers)
		}
		before := w.State()
		s := m.merge(time.Now())
		w.route(m, s)
		switch changed := differs(before, s); {
		case changed:
			if f := w.onChange.Load(); f != nil {
				(*f)(before, s) // first: who sees the new state may act on it
			}
			w.publish(s)
			if moved(before, s) {
				urgent, w.stirred = true, s.At
			}
		case s.At.Sub(before.At) >= publishEvery:
			w.publish(s)
		}
		if s.Count(Up) < len(s.Nodes) {
			w.stirred = s.At
		}
		w.calm.Store(s.At.Sub(w.stirred) > calmAfter)
		if urgent {
			w.wakeAll()
		}
	}
}

// publish replaces what the reader has not taken yet. Only run sends, so the second send never blocks.
func (w *Watcher) publish(s *State) {
	w.latest.Store(s)
	select {
	case <-w.out:
	default:
	}
	w.out <- s
}

func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (w *Watcher) learn(ctx context.Context, fn func(*model) bool) {
	select {
	case w.tell <- fn:
	case <-ctx.Done():
	}
}
