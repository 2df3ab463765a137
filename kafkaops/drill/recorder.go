// Package drill does things to a cluster and measures what follows: how long writes stalled, when a client noticed, when leaders moved, when all
// was well again.
package drill

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"kassa/kafkaops"
	"kassa/kafkaops/watch"
)

// Config is what a Recorder works with.
type Config struct {
	Cluster kafkaops.Cluster
	Watcher *watch.Watcher
	// Producer is how the probe writes: as the shop does. Nil means that no probe writes and no gap is told.
	Producer []kgo.Opt
	MinISR   int          // min.insync.replicas of the probe's topic, as its users' topics have it; 0 means 2
	Log      *slog.Logger // nil for none
}

const (
	// armedFor is how long the probe writes before a fault that was not done after all.
	armedFor = 30 * time.Second
	// armPatience is how long a fault waits for the probe's first acks. A cluster that takes no writes gives none.
	armPatience = 1500 * time.Millisecond
	// quietFor is how long nothing must have happened before a timeline ends, openFor when it does in any case but that of writes that are stalled:
	// these are what it is for, so it goes on for as long as the probe can tell.
	quietFor = 5 * time.Second
	openFor  = time.Minute
	// returnFor is how long a broker that came back is given to be in every ISR and to lead again what it led.
	returnFor = 20 * time.Second
	lookEvery = 50 * time.Millisecond
	kept      = 500 // timelines
)

// Recorder does faults and keeps their timelines. Its methods may be called from several goroutines.
type Recorder struct {
	cfg    Config
	client *kgo.Client // for what is asked of the whole cluster
	admin  *kadm.Client
	warmer *warmer
	life   context.Context // ends with Close
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu        sync.Mutex
	probe     *Probe
	starting  bool      // a probe is on its way
	armed     time.Time // when the probe was last asked for
	lines     []*Timeline
	stalled   *Timeline  // the one that Outlasts
	given     []Timeline // what Timelines gave last; nil when something has changed since
	lastEvent time.Time
}

// NewRecorder is a Recorder that has measured nothing yet.
func NewRecorder(cfg Config) (*Recorder, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	client, err := kgo.NewClient(append(kafkaops.ClientOptions(cfg.Cluster.Bootstrap()), kgo.RetryTimeout(10*time.Second))...)
	if err != nil {
		return nil, fmt.Errorf("making the recorder's client: %w", err)
	}
	r := &Recorder{cfg: cfg, client: client, admin: kadm.NewClient(client)}
	r.warmer = &warmer{admin: r.admin, producer: cfg.Producer, log: cfg.Log}
	r.life, r.cancel = context.WithCancel(context.Background())
	cfg.Watcher.OnChange(r.observe)
	r.done.Go(func() { r.look(r.life) })
	return r, nil
}

// Close ends the probe and the timeline that is open. Timelines stay readable.
func (r *Recorder) Close() {
	r.mu.Lock()
	r.cancel() // under the lock: Arm starts nothing from here on
	r.mu.Unlock()
	r.done.Wait()
	r.mu.Lock()
	if t := r.current(); t != nil {
		r.end(t, time.Now())
	}
	r.follow(time.Now())
	r.unfollow()
	p := r.probe
	r.probe = nil
	r.mu.Unlock()
	if p != nil {
		p.Close()
	}
	r.client.Close()
}

// Timelines are the faults so far, oldest first. As long as nothing changes it gives the same slice again: it is to be read only.
func (r *Recorder) Timelines() []Timeline {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.given == nil {
		r.given = make([]Timeline, len(r.lines))
		for i, t := range r.lines {
			r.given[i] = *t // with its Phases, which are replaced and never changed
		}
	}
	return r.given
}

// Measuring says that the probe writes, or is about to.
func (r *Recorder) Measuring() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.probe != nil || r.starting
}

// Arm has the probe write from now on for a while: a fault that follows need not wait for it. It returns at once.
func (r *Recorder) Arm() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.armed = time.Now()
	if r.probe != nil || r.starting || r.cfg.Producer == nil || r.life.Err() != nil {
		return
	}
	r.starting = true
	r.done.Go(func() {
		p := r.startProbe()
		r.mu.Lock()
		defer r.mu.Unlock()
		r.probe, r.starting = p, false
	})
}

// startProbe returns nil when there can be none.
func (r *Recorder) startProbe() *Probe {
	ctx, cancel := context.WithTimeout(r.life, armPatience)
	defer cancel()
	if err := EnsureProbeTopic(ctx, r.admin, ProbeTopic, r.cfg.MinISR); err != nil {
		r.cfg.Log.Warn("the probe's topic", "err", err) // it may be there all the same
	}
	if r.life.Err() != nil {
		return nil
	}
	p, err := StartProbe(ProbeConfig{Client: r.cfg.Producer, Topic: ProbeTopic, Saw: r.saw})
	if err != nil {
		r.cfg.Log.Error("the probe", "err", err)
		return nil
	}
	return p
}

// Do does a fault and opens its timeline. It returns when the act is done, not when the cluster has reacted.
func (r *Recorder) Do(ctx context.Context, f kafkaops.Fault) error {
	if f.Verb == kafkaops.Rolling {
		return r.rolling(ctx)
	}
	return r.do(ctx, f, "")
}

// do may be under way several times at once: a stop that hangs keeps nobody from killing another broker, or the same.
func (r *Recorder) do(ctx context.Context, f kafkaops.Fault, of string) error {
	r.Arm()
	if f.Verb == kafkaops.Elect {
		r.awaitWarm(ctx) // partitions go to brokers that have just come back
	}
	probed := r.cfg.Producer != nil && r.ready(ctx)
	r.cfg.Watcher.Hurry(10 * time.Second)
	t, err := r.begin(f, of, probed)
	if err != nil {
		return err
	}
	err = r.act(ctx, f)
	r.acted(t, err)
	return err
}

// ready waits until the probe can see a gap whole that begins now, and says whether it can. While a broker is away writes may be stalled for as long as it
// is, and that is not to be waited for: whoever breaks a second thing, or mends the first, means to do it then.
func (r *Recorder) ready(ctx context.Context) (can bool) {
	_ = r.await(ctx, armPatience, func(_ *watch.State, p *Probe) bool {
		can = p != nil && p.Ready(time.Now())
		return can || p != nil && r.away()
	})
	return can
}

// away says that a broker's process does not take part.
func (r *Recorder) away() bool {
	return slices.ContainsFunc(r.cfg.Cluster.Nodes(), func(n kafkaops.Node) bool {
		switch n.Process {
		case kafkaops.ProcessExited, kafkaops.ProcessPaused, kafkaops.ProcessCut:
			return true
		}
		return false
	})
}

// begin opens the timeline of a fault that is about to be done. What happens from now on belongs to it, so it ends the one before.
func (r *Recorder) begin(f kafkaops.Fault, of string, probed bool) (*Timeline, error) {
	s := r.cfg.Watcher.State()
	n, _ := s.Node(f.Node)
	t := &Timeline{
		Fault: f, Of: of, Open: true, Probed: probed,
		Controller: s.Quorum.Known && s.Quorum.Leader == f.Node && f.Node != 0, Leads: n.Leads,
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.life.Err() != nil {
		return nil, &kafkaops.RefusedError{Fault: f, Reason: "kassa is closing"}
	}
	t.At = time.Now() // under the lock: timelines are in the order of their times
	r.follow(t.At)
	if before := r.current(); before != nil {
		r.end(before, t.At)
		before.cut = t.At
		if before.Gap.Open && r.probe != nil && !r.probe.Full() {
			before.Outlasts, r.stalled = true, before
		}
	}
	t.Stalled = !probed && r.stalled != nil
	if r.lines = append(r.lines, t); len(r.lines) > kept {
		r.lines = r.lines[1:]
	}
	r.lastEvent, r.given = t.At, nil
	return t, nil
}

// acted notes how the act ended. After one that was refused nothing has happened: its timeline goes, and the one that it ended is open again.
func (r *Recorder) acted(t *Timeline, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.given = nil
	t.Took = time.Since(t.At)
	if err != nil {
		t.Err = err.Error()
	}
	if _, refused := errors.AsType[*kafkaops.RefusedError](err); !refused {
		return
	}
	r.lines = slices.DeleteFunc(r.lines, func(l *Timeline) bool { return l == t })
	if n := len(r.lines); n > 0 && !r.lines[n-1].cut.IsZero() {
		before := r.lines[n-1]
		before.cut, before.Open = time.Time{}, true
		if r.stalled == before {
			r.unfollow()
		}
	}
}

// act does it. What has begun is brought to its end, whatever becomes of ctx: half a stop is a broker that goes down when nobody looks any more, and half a
// restart one that stays down. Providers bound it by themselves.
func (r *Recorder) act(ctx context.Context, f kafkaops.Fault) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	if f.Verb != kafkaops.Elect {
		return r.cfg.Cluster.Do(context.WithoutCancel(ctx), f)
	}
	return r.elect(ctx)
}
