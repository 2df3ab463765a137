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
	"github.com/twmb/franz-go/pkg/kerr"
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
	Log      *slog.Logger // nil for none
}

const (
	// armedFor is how long the probe writes before a fault that was not done after all.
	armedFor = 30 * time.Second
	// armPatience is how long a fault waits for the probe's first acks. A cluster that takes no writes gives none.
	armPatience = 1500 * time.Millisecond
	// quietFor is how long nothing must have happened before the probe stops, openFor when it does in any case.
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
	cancel context.CancelFunc
	done   sync.WaitGroup
	doing  sync.Mutex // one fault begins at a time

	mu        sync.Mutex
	probe     *Probe
	armed     time.Time // when the probe was last asked for
	lines     []*Timeline
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
	ctx, cancel := context.WithCancel(context.Background())
	r := &Recorder{cfg: cfg, client: client, admin: kadm.NewClient(client), cancel: cancel}
	cfg.Watcher.OnChange(r.observe)
	r.done.Go(func() { r.look(ctx) })
	return r, nil
}

// Close ends the probe. Timelines stay readable.
func (r *Recorder) Close() {
	r.cancel()
	r.done.Wait()
	r.mu.Lock()
	p := r.probe
	r.probe = nil
	r.mu.Unlock()
	if p != nil {
		p.Close()
	}
	r.client.Close()
}

// Timelines are the faults so far, oldest first.
func (r *Recorder) Timelines() []Timeline {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]Timeline, len(r.lines))
	for i, t := range r.lines {
		out[i] = *t
		out[i].Phases = slices.Clone(t.Phases)
	}
	return out
}

// Measuring says that the probe writes, or is about to.
func (r *Recorder) Measuring() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.probe != nil || time.Since(r.armed) < armPatience
}

// Arm has the probe write from now on for a while: a fault that follows need not wait for it. It returns at once.
func (r *Recorder) Arm() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.armed = time.Now()
	if r.probe != nil || r.cfg.Producer == nil {
		return
	}
	r.done.Go(func() { r.startProbe() })
}

func (r *Recorder) startProbe() {
	ctx, cancel := context.WithTimeout(context.Background(), armPatience)
	defer cancel()
	if err := EnsureProbeTopic(ctx, r.admin, ProbeTopic); err != nil {
		r.cfg.Log.Warn("the probe's topic", "err", err) // it may be there all the same
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.probe != nil {
		return
	}
	p, err := StartProbe(ProbeConfig{Client: r.cfg.Producer, Topic: ProbeTopic, Saw: r.saw})
	if err != nil {
		r.cfg.Log.Error("the probe", "err", err)
		return
	}
	r.probe = p
}

// Do does a fault and opens its timeline. It returns when the act is done, not when the cluster has reacted.
func (r *Recorder) Do(ctx context.Context, f kafkaops.Fault) error {
	if f.Verb == kafkaops.Rolling {
		return r.rolling(ctx)
	}
	return r.do(ctx, f, "")
}

func (r *Recorder) do(ctx context.Context, f kafkaops.Fault, of string) error {
	r.doing.Lock()
	defer r.doing.Unlock()
	r.Arm()
	ready := r.await(ctx, armPatience, func(_ *watch.State, p *Probe) bool { return p != nil && p.Ready(time.Now()) }) == nil
	r.cfg.Watcher.Hurry(10 * time.Second)
	s := r.cfg.Watcher.State()
	n, _ := s.Node(f.Node)
	t := &Timeline{
		Fault: f, Of: of, At: time.Now(), Open: true, Probed: ready,
		Controller: s.Quorum.Known && s.Quorum.Leader == f.Node && f.Node != 0, Leads: n.Leads,
	}
	r.mu.Lock()
	if len(r.lines) > 0 {
		r.end(r.lines[len(r.lines)-1], t.At)
	}
	if r.lines = append(r.lines, t); len(r.lines) > kept {
		r.lines = r.lines[1:]
	}
	r.lastEvent = t.At
	r.mu.Unlock()

	err := r.act(ctx, f)

	r.mu.Lock()
	defer r.mu.Unlock()
	t.Took = time.Since(t.At)
	if err != nil {
		t.Err = err.Error()
	}
	if refused := (*kafkaops.RefusedError)(nil); errors.As(err, &refused) {
		r.lines = slices.DeleteFunc(r.lines, func(l *Timeline) bool { return l == t }) // nothing has happened
	}
	return err
}

func (r *Recorder) act(ctx context.Context, f kafkaops.Fault) error {
	if f.Verb != kafkaops.Elect {
		return r.cfg.Cluster.Do(ctx, f)
	}
	results, err := r.admin.ElectLeaders(ctx, kadm.ElectPreferredReplica, nil)
	if err != nil {
		return fmt.Errorf("electing the preferred leaders: %w", err)
	}
	for topic, parts := range results {
		for part, res := range parts {
			if res.Err != nil && !errors.Is(res.Err, kerr.ElectionNotNeeded) {
				err = errors.Join(err, fmt.Errorf("%s/%d: %w", topic, part, res.Err))
			}
		}
	}
	return err
}

// rolling restarts one broker after the other, the leader of the quorum last, and goes on when every partition has all its replicas again.
func (r *Recorder) rolling(ctx context.Context) error {
	s := r.cfg.Watcher.State()
	if !whole(s) {
		return &kafkaops.RefusedError{Fault: kafkaops.Fault{Verb: kafkaops.Rolling}, Reason: "a broker or replica is missing already: a restart would be a second loss"}
	}
	order := make([]int32, 0, len(s.Nodes))
	for _, n := range s.Nodes {
		if n.ID != s.Quorum.Leader {
			order = append(order, n.ID)
		}
	}
	for _, id := range append(order, s.Quorum.Leader) {
		if err := r.do(ctx, kafkaops.Fault{Verb: kafkaops.Restart, Node: id}, string(kafkaops.Rolling)+" restart"); err != nil {
			return err
		}
		if err := r.await(ctx, openFor, func(s *watch.State, _ *Probe) bool { return whole(s) }); err != nil {
			return fmt.Errorf("broker %d did not come back whole: %w", id, err)
		}
	}
	return nil
}

func whole(s *watch.State) bool {
	return s.Quorum.Known && s.Count(watch.Up) == len(s.Nodes) && s.UnderReplicated() == 0
}

// await looks until is says yes.
func (r *Recorder) await(ctx context.Context, limit time.Duration, is func(*watch.State, *Probe) bool) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		r.mu.Lock()
		p := r.probe
		r.mu.Unlock()
		if is(r.cfg.Watcher.State(), p) {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// current is the timeline that what happens now belongs to; nil if none. The caller holds r.mu.
func (r *Recorder) current() *Timeline {
	if n := len(r.lines); n > 0 && r.lines[n-1].Open {
		return r.lines[n-1]
	}
	return nil
}

func (r *Recorder) observe(before, after *watch.State) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if t := r.current(); t != nil && !after.At.Before(t.At) {
		was := len(t.Phases)
		t.observe(before, after)
		if len(t.Phases) != was {
			r.lastEvent = after.At
		}
	}
}

// saw is called by the probe's client.
func (r *Recorder) saw(s Sign) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if t := r.current(); t != nil && !s.At.Before(t.At) && (s.Node < 0 || s.Node == t.Fault.Node) {
		t.see(ClientSaw, s.At, s.What, false)
	}
}

// Flowed tells of an email event: when its payment was made, and when the email was seen.
func (r *Recorder) Flowed(paid, seen time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if t := r.current(); t != nil && paid.After(t.At) {
		t.see(FlowResumed, seen, "", false)
	}
}

// look keeps the gap of the current timeline up to date, and ends it and the probe when all is over.
func (r *Recorder) look(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			if p := r.lookAt(now); p != nil {
				p.Close()
			}
		}
	}
}

// lookAt returns a probe that has done its work.
func (r *Recorder) lookAt(now time.Time) (over *Probe) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.current()
	if t != nil {
		r.measure(t, now)
		if r.settled(t, now) {
			r.end(t, now)
			t = nil
		}
	}
	if t == nil && r.probe != nil && now.Sub(r.armed) > armedFor {
		over, r.probe = r.probe, nil
	}
	return over
}

func (r *Recorder) measure(t *Timeline, to time.Time) {
	if r.probe == nil || !t.Probed {
		return
	}
	t.Gap = r.probe.Gap(t.At, to)
	if g := t.Gap; g.Worst >= 4*shortestGap && !g.Resumed.IsZero() {
		t.see(AcksResumed, g.Resumed, "", true)
	}
}

func (r *Recorder) settled(t *Timeline, now time.Time) bool {
	age := now.Sub(t.At)
	switch {
	case age > openFor:
		return true
	case t.Took == 0 || t.Gap.Open || now.Sub(r.lastEvent) < quietFor:
		return false
	}
	switch t.Fault.Verb {
	case kafkaops.Start, kafkaops.Restart, kafkaops.Resume:
		s := r.cfg.Watcher.State()
		return whole(s) && astray(s) == 0 || age > returnFor
	}
	return true
}

// end closes a timeline with its last measure. The probe goes on for a while: often another fault follows.
func (r *Recorder) end(t *Timeline, at time.Time) {
	if !t.Open {
		return
	}
	r.measure(t, at)
	t.Open = false
	r.armed = at.Add(10*time.Second - armedFor)
}
