package runner

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"kassa/kafkaops"
	"kassa/kafkaops/drill"
	"kassa/kafkaops/drill/scenario"
	"kassa/kafkaops/watch"
)

// world is a cluster and a shop without a broker, for a fake clock. While a broker is away writes stall for failover, and go on.
type world struct {
	failover time.Duration
	boot     time.Duration // of a broker that starts

	mu        sync.Mutex
	nodes     []kafkaops.Node
	leader    int32 // of the quorum, and of all partitions
	upAt      map[int32]time.Time
	stalled   time.Time // until when nobody takes a write
	lines     []drill.Timeline
	did       []string
	figures   Figures
	load      scenario.Load
	on        bool
	services  map[string]*service
	meter     *Meter
	armed     int
	poisoned  []string
	stop      chan struct{}
	done      sync.WaitGroup
	holdBack  int64 // so many orders never become complete
	failDo    error
	failElect int  // so many elections fail
	neverBack bool // a broker that starts never comes up
	slow      bool // no more than 100 orders a second go through
}

func newWorld() *world {
	w := &world{
		failover: 1500 * time.Millisecond, boot: 2 * time.Second, leader: 1, upAt: map[int32]time.Time{}, meter: NewMeter(),
		services: map[string]*service{}, stop: make(chan struct{}),
	}
	for id := int32(1); id <= 3; id++ {
		w.nodes = append(w.nodes, kafkaops.Node{ID: id, Process: kafkaops.ProcessRunning, Can: []kafkaops.Verb{
			kafkaops.Kill, kafkaops.Start, kafkaops.Pause, kafkaops.Resume, kafkaops.Stop, kafkaops.Restart,
		}})
	}
	for _, name := range []string{"payment", "order", "email", "analytics"} {
		w.services[name] = &service{}
	}
	w.done.Go(w.run)
	return w
}

func (w *world) close() { close(w.stop); w.done.Wait() }

// run has orders come and go, every 10 ms.
func (w *world) run() {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	waiting := []time.Time{}
	for {
		select {
		case <-w.stop:
			return
		case now := <-tick.C:
			w.mu.Lock()
			if w.on {
				for range max(w.load.Rate/100, 1) {
					w.figures.Offered++
					waiting = append(waiting, now)
				}
			}
			stalled := now.Before(w.stalled) || w.upLocked() < 2
			for i := range w.lines {
				t := &w.lines[i]
				if t.Gap.Open && (t.Open || t.Outlasts) {
					t.Gap.Worst = now.Sub(t.At)
				}
				if (t.Gap.Open || t.Stalled && t.Open) && !stalled {
					t.Gap.Open, t.Outlasts = false, false
					if _, ok := t.Phase(drill.AcksResumed); !ok {
						t.Phases = append(t.Phases, drill.Phase{Mark: drill.AcksResumed, After: now.Sub(t.At)})
					}
				}
			}
			for _, s := range w.services {
				s.settle(now)
			}
			if !stalled {
				most := len(waiting)
				if w.slow {
					most = min(most, 1)
				}
				for _, due := range waiting[:most] {
					w.figures.Accepted++
					w.meter.Acked(due, now)
					if w.holdBack > 0 {
						w.holdBack--
						w.figures.InFlight++
						continue
					}
					w.figures.Complete++
					w.meter.Completed(due, now, now)
				}
				waiting = waiting[most:]
			}
			w.figures.Pending = int64(len(waiting))
			w.mu.Unlock()
		}
	}
}

func (w *world) upLocked() (n int) {
	for _, node := range w.nodes {
		if node.Process == kafkaops.ProcessRunning && !time.Now().Before(w.upAt[node.ID]) {
			n++
		}
	}
	return n
}

func (w *world) Nodes() []kafkaops.Node {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]kafkaops.Node(nil), w.nodes...)
}

func (w *world) State() *watch.State {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := &watch.State{Quorum: watch.Quorum{Leader: w.leader, Known: true}}
	isr := []int32{}
	for _, n := range w.nodes {
		h := watch.Down
		if n.Process == kafkaops.ProcessRunning && !time.Now().Before(w.upAt[n.ID]) {
			h = watch.Up
			isr = append(isr, n.ID)
		}
		s.Nodes = append(s.Nodes, watch.Node{ID: n.ID, Health: h})
	}
	for _, topic := range []string{"payment-successful", "order-successful", "email-successful"} {
		for id := range int32(3) {
			s.Partitions = append(s.Partitions, watch.Partition{Topic: topic, ID: id, Leader: w.leader, Replicas: []int32{1, 2, 3}, ISR: isr})
		}
	}
	return s
}

func (w *world) Arm() { w.mu.Lock(); w.armed++; w.mu.Unlock() }

func (w *world) Do(_ context.Context, f kafkaops.Fault) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	if n := len(w.lines); n > 0 && !now.After(w.lines[n-1].At) { // the fake clock stands still; no two timelines of a recorder begin at once
		now = w.lines[n-1].At.Add(time.Microsecond)
	}
	w.did = append(w.did, f.String())
	if w.failDo != nil {
		return w.failDo
	}
	if f.Verb == kafkaops.Elect && w.failElect > 0 {
		w.failElect--
		return errors.New("the preferred leader was not available")
	}
	t := drill.Timeline{Fault: f, At: now, Open: true, Probed: true}
	for i := range w.lines {
		l := &w.lines[i]
		l.Outlasts = l.Outlasts || l.Open && l.Gap.Open
		l.Open = false
		if l.Outlasts {
			t.Probed, t.Stalled = false, true
		}
	}
	for i := range w.nodes {
		n := &w.nodes[i]
		if n.ID != f.Node {
			continue
		}
		switch f.Verb {
		case kafkaops.Kill, kafkaops.Pause:
			n.Process = map[kafkaops.Verb]kafkaops.Process{kafkaops.Kill: kafkaops.ProcessExited, kafkaops.Pause: kafkaops.ProcessPaused}[f.Verb]
			w.stalled = now.Add(w.failover)
			t.Gap = drill.Gap{Open: t.Probed}
			if f.Node == w.leader {
				w.leader = w.leader%3 + 1
			}
		case kafkaops.Start, kafkaops.Resume:
			n.Process = kafkaops.ProcessRunning
			w.upAt[n.ID] = now.Add(w.boot)
			if w.neverBack {
				w.upAt[n.ID] = now.Add(24 * time.Hour)
			}
		}
	}
	w.lines = append(w.lines, t)
	return nil
}

func (w *world) Timelines() []drill.Timeline {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]drill.Timeline(nil), w.lines...)
}

func (w *world) Begin(l scenario.Load) { w.mu.Lock(); w.load, w.on = l, true; w.mu.Unlock() }
func (w *world) End()                  { w.mu.Lock(); w.on = false; w.mu.Unlock() }
func (w *world) Figures() Figures      { w.mu.Lock(); defer w.mu.Unlock(); return w.figures }
func (w *world) Services() []string    { return []string{"payment", "order", "email", "analytics"} }

func (w *world) Service(name string) Service {
	if s, ok := w.services[name]; ok {
		return s
	}
	return nil
}

func (w *world) Poison(_ context.Context, kind string, _ uint64) (string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.poisoned = append(w.poisoned, kind)
	w.figures.DeadLetters++
	return "payment-successful: " + kind, nil
}

func (w *world) Oversize(context.Context, string) (int, error) {
	return 0, errors.New("the topic takes no such thing")
}
func (w *world) DeleteTopic(context.Context, string) error { return nil }
func (w *world) CreateTopics(context.Context) error        { return nil }
func (w *world) saw() (did []string)                       { w.mu.Lock(); defer w.mu.Unlock(); return append(did, w.did...) }

func (w *world) audit(c drill.Counts) auditor { return auditor{world: w, more: c} }

// auditor says that all that was accepted is complete, but for what it is told.
type auditor struct {
	*world
	more  drill.Counts
	doubt string
	err   error
}

func (a auditor) Audit(ctx context.Context, _ func(string)) (Audit, error) {
	if a.err != nil {
		return Audit{}, a.err
	}
	f := a.Figures()
	c := a.more
	c.Accepted, c.Complete, c.InFlight = f.Accepted, f.Complete-c.Lost, f.InFlight
	out := Audit{Counts: c, Doubt: a.doubt}
	for n := range c.Lost {
		out.Findings = append(out.Findings, drill.Finding{Kind: "lost", Checkout: fmt.Sprint("checkout-", n)})
	}
	return out, ctx.Err()
}

// service comes back half a second after a crash, which it notices only when somebody looks.
type service struct {
	mu       sync.Mutex
	stopped  bool
	crashed  time.Time
	restarts int64
	scale    int
}

func (s *service) Crash() error { s.mu.Lock(); s.crashed = time.Now(); s.mu.Unlock(); return nil }

func (s *service) settle(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.crashed.IsZero() && now.Sub(s.crashed) >= 500*time.Millisecond {
		s.crashed = time.Time{}
		s.restarts++
	}
}

func (s *service) Stop(context.Context) error {
	s.mu.Lock()
	s.stopped, s.crashed = true, time.Time{} // what was to be started again is not
	s.mu.Unlock()
	return nil
}

func (s *service) Start() error { s.mu.Lock(); s.stopped = false; s.mu.Unlock(); return nil }

func (s *service) Scale(n int) error { s.mu.Lock(); s.scale = n; s.mu.Unlock(); return nil }

func (s *service) State() ServiceState {
	s.mu.Lock()
	defer s.mu.Unlock()
	// As a real one: just after its crash it still looks as if it ran.
	return ServiceState{Running: !s.stopped, Stopped: s.stopped, Restarts: s.restarts}
}
