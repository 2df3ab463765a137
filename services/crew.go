package services

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// Back-off of an instance that crashed or failed. It begins anew once the instance has handled something. The longest leaves time to join and
// take over within 10 s of the crash.
const (
	restartPause    = 500 * time.Millisecond
	restartPauseMax = 5 * time.Second
)

// Crew runs one service in several instances, and starts those again that crash or fail. It is the Control of that service. Each instance is
// a Runner with a slot of its own, from 0: it comes back under the name that it had, and so to its partitions and its transactional id.
//
// A crash of all instances and one of a single instance, as by a panic in its handler, end alike. The group does not notice an instance that is back
// within the session timeout of 6 s: static members (KIP-345) are given their own partitions again, though the group's leader among several may have
// them all dealt anew (KIP-814). Later, or when a smaller scale keeps it from coming back, the others take its partitions over.
type Crew struct {
	svc Service
	cfg Config
	log *slog.Logger

	mu       sync.Mutex
	ctx      context.Context // of Run; nil before
	wg       sync.WaitGroup  // of the hands
	wanted   int
	stopped  bool
	delivery Delivery
	hands    []*hand // by slot; those at wanted and above have ended, or are about to
}

// hand is one slot of a crew.
type hand struct {
	runner *Runner
	stop   context.CancelFunc // ends it in order; nil before its first start
	ended  chan struct{}      // closed when it has ended; nil before its first start

	// Held by the crew's mutex.
	restarts int64
	again    time.Time // when it is started again; zero while it runs
}

// NewCrew is a Crew of this many instances, 1 to MaxInstances, that do nothing before Run. The Slot of cfg is the crew's to give.
func NewCrew(svc Service, cfg Config, instances int) (*Crew, error) {
	if err := checkInstances(instances); err != nil {
		return nil, err
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	c := &Crew{svc: svc, cfg: cfg, log: cfg.Log, wanted: instances, delivery: cfg.Delivery}
	c.recruitLocked()
	return c, nil
}

func checkInstances(n int) error {
	if n < 1 || n > MaxInstances {
		return fmt.Errorf("a service runs in 1 to %d instances, not %d", MaxInstances, n)
	}
	return nil
}

// recruitLocked makes the hands that the scale asks for. They share a histogram: percentiles cannot be added up.
func (c *Crew) recruitLocked() {
	for slot := len(c.hands); slot < c.wanted; slot++ {
		cfg := c.cfg
		cfg.Slot, cfg.Delivery = slot, c.delivery
		r := NewRunner(c.svc, cfg)
		if slot > 0 {
			r.figures.took = c.hands[0].runner.figures.took
		}
		c.hands = append(c.hands, &hand{runner: r})
	}
}

// Run runs the instances until ctx ends, and returns when they have ended. It is for one call; the other methods may be called before, during and
// after it.
func (c *Crew) Run(ctx context.Context) {
	c.mu.Lock()
	c.ctx = ctx
	c.startLocked()
	c.mu.Unlock()
	<-ctx.Done()
	c.closed()
	c.wg.Wait()
}

// closed waits until nobody is about to start an instance any more: the wait for them has begun.
func (c *Crew) closed() {
	c.mu.Lock()
	defer c.mu.Unlock()
}

// startLocked starts the instances that should run and do not.
func (c *Crew) startLocked() {
	if c.ctx == nil || c.ctx.Err() != nil || c.stopped {
		return
	}
	for _, h := range c.hands[:c.wanted] {
		if h.stop != nil {
			continue
		}
		ctx, stop := context.WithCancel(c.ctx)
		before, ended := h.ended, make(chan struct{})
		h.stop, h.ended = stop, ended
		c.wg.Go(func() {
			defer stop()
			defer close(ended)
			if before != nil {
				<-before // a slot never runs twice at once
			}
			c.work(ctx, h)
		})
	}
}

// stopLocked ends an instance in order.
func (h *hand) stopLocked() {
	if h.stop != nil {
		h.stop()
		h.stop = nil
	}
}

// work runs an instance, again and again, until ctx ends.
func (c *Crew) work(ctx context.Context, h *hand) {
	for fails := 0; ; fails++ {
		handled := h.runner.Stats().Handled
		err := h.runner.Run(ctx)
		if ctx.Err() != nil {
			h.runner.figures.ended(nil)
			return
		}
		if h.runner.Stats().Handled > handled {
			fails = 0
		}
		c.log.Warn("an instance ended and is started again", "service", c.svc.Name, "slot", h.runner.cfg.Slot, "err", err)
		wait := min(restartPause<<min(fails, 10), restartPauseMax)
		c.note(h, func() { h.again = time.Now().Add(wait) })
		goOn := pause(ctx, 0, wait, wait)
		c.note(h, func() {
			h.again = time.Time{}
			if goOn {
				h.restarts++
			}
		})
		if !goOn {
			h.runner.figures.ended(nil)
			return
		}
	}
}

func (c *Crew) note(h *hand, what func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	what()
}

// Stop implements Control.
func (c *Crew) Stop(ctx context.Context) error {
	c.mu.Lock()
	c.stopped = true
	var ends []chan struct{}
	for _, h := range c.hands {
		h.stopLocked()
		if h.ended != nil {
			ends = append(ends, h.ended)
		}
	}
	c.mu.Unlock()
	for _, ended := range ends {
		select {
		case <-ended:
		case <-ctx.Done():
			return fmt.Errorf("stopping %s: %w", c.svc.Name, context.Cause(ctx))
		}
	}
	return nil
}

// Crash implements Control. An instance that waits to be started again goes on waiting.
func (c *Crew) Crash() error {
	c.mu.Lock()
	hands := c.hands
	c.mu.Unlock()
	for _, h := range hands {
		h.runner.Crash()
	}
	return nil
}

// Start implements Control.
func (c *Crew) Start() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopped = false
	c.startLocked()
	return nil
}

// Scale implements Control. Those that are too many end in order, the highest slots first; the others' partitions move, and a transaction that
// this interrupts is undone and done again.
func (c *Crew) Scale(instances int) error {
	if err := checkInstances(instances); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wanted = instances
	c.recruitLocked()
	for _, h := range c.hands[instances:] {
		h.stopLocked()
	}
	c.startLocked()
	return nil
}

// SetDelivery has all instances go on with this delivery, also those that are started later. See Runner.SetDelivery.
func (c *Crew) SetDelivery(d Delivery) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.delivery = d
	for _, h := range c.hands {
		h.runner.SetDelivery(d)
	}
}

// Instance is a snapshot of one instance of a service.
type Instance struct {
	Slot  int
	Name  string // its place in the group and its transactional id
	Stats Stats  // of it alone; percentiles are those of the whole service
	Owns  []Partition
	Again time.Time // when it is started again; zero while it runs or is stopped
}

// Instances is a snapshot of those that should run, by slot.
func (c *Crew) Instances() []Instance {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := make([]Instance, 0, c.wanted)
	for _, h := range c.hands[:c.wanted] {
		i := Instance{Slot: h.runner.cfg.Slot, Name: memberName(c.svc, h.runner.cfg), Stats: h.runner.Stats(), Owns: h.runner.figures.assignment(), Again: h.again}
		i.Stats.Restarts = h.restarts
		list = append(list, i)
	}
	return list
}

// Stats implements Control. Status is that of the instance that is worst off.
func (c *Crew) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := Stats{Name: c.svc.Name, Status: Stopped, Lag: -1, Instances: c.wanted}
	worst := -1
	for slot, h := range c.hands {
		s := h.runner.Stats()
		all.Handled += s.Handled
		all.Produced += s.Produced
		all.DeadLetters += s.DeadLetters
		all.Retries += s.Retries
		all.Rebuilds += s.Rebuilds
		all.Restarts += h.restarts
		all.P50, all.P99 = s.P50, s.P99
		if slot >= c.wanted {
			continue // its work counts, its state no more
		}
		all.Live += s.Live
		all.Partitions += s.Partitions
		if s.Lag >= 0 && (s.Partitions > 0 || c.wanted == 1) {
			all.Lag = max(all.Lag, 0) + s.Lag
		}
		switch n := rank[s.Status]; {
		case n > worst:
			worst, all.Status, all.Since, all.Err = n, s.Status, s.Since, s.Err
		case n == worst && s.Since.After(all.Since):
			all.Since = s.Since
		}
	}
	if c.stopped {
		all.Status, all.Err = Stopped, ""
	}
	return all
}

// rank orders what an instance does by how much it says about the service. One that waits for partitions says little: there may be none for it.
var rank = [...]int{Stopped: 0, Joining: 1, Running: 2, Retrying: 3, Restarting: 4}

var _ Control = (*Crew)(nil)
