// Package runner carries a scenario out: it brings the load up, breaks what the scenario says and measures, waits until all is quiet, has the log audited,
// and judges. It sees the shop, the auditor and the cluster through the interfaces below and draws nothing.
package runner

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"kassa/kafkaops"
	"kassa/kafkaops/drill"
	"kassa/kafkaops/drill/scenario"
)

const (
	// readyWithin is how long cluster and services have to be there at the start, and the cluster to be whole at the end.
	readyWithin = 90 * time.Second
	// stillFor is how long a state must hold before it is believed: what a fault does is not felt in the moment of it.
	stillFor = time.Second
	// tail is how long the load goes on after the last step where nothing else says when it ends.
	tail = 3 * time.Second
	// drainWithin is how long what is pending may take to be answered and to flow through as long as something moves; where nothing does for quietFor, which is
	// longer than the 10 s for which a crashed service's open transaction may hold readers back, it is in flight.
	drainWithin = time.Hour
	quietFor    = 25 * time.Second
	// targetWithin is how long a step waits for somebody to play the role that it hits.
	targetWithin = 15 * time.Second
	auditWithin  = 30 * time.Minute
	// writesWithin is how long a write gap that is not over at the end is followed: the cluster is whole then.
	writesWithin = 5 * time.Second
	lookEvery    = 10 * time.Millisecond
	armEvery     = 5 * time.Second
)

// Warm-up of brokers that are JVMs, and of others. A fresh JVM interprets what it does for the first time: its first thousands of records took 400 ms at
// p99 where later ones took 30 ms, and a write gap of a fault in that time is as much the compiler's as the cluster's. After 8 s of a load and the probe,
// some 6,000 records, gaps no longer got shorter.
const (
	WarmUpReal      = 8 * time.Second
	WarmUpSimulated = time.Second
)

// run is one drill under way.
type run struct {
	cfg   Config
	steps []scenario.Step
	begun time.Time // of what is measured; zero during the warm-up

	failed  []drill.Check // steps whose event did not come
	reasons []string      // why there can be no verdict

	pick picker
	last acted // the act before
	hit  int32 // the broker that was hit last; 0: none

	base    Figures // at the begin
	acts    []*act
	upTo    time.Time // timelines up to here are filed
	quiet   time.Time // when customers ceased to come: a silence after that is no gap
	samples sampler
	status  status
	backs   sync.WaitGroup // of those who wait for a service to be back

	mu        sync.Mutex       // over what they note
	restarted map[string]int64 // how often each service must have been started again
}

// acted is what was done last, for what is waited for after it.
type acted struct {
	at     time.Time
	broker bool
	text   string
}

// Run carries a scenario out. An error means that it could not begin: nothing was done. Everything else is in the result, also that it was interrupted.
func Run(ctx context.Context, cfg Config) (*drill.Result, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if err := Can(cfg.Scenario, cfg.Cluster.Nodes(), cfg.Simulated); err != nil {
		return nil, err
	}
	r := &run{cfg: cfg, pick: newPicker(cfg.Seed), restarted: map[string]int64{}}
	r.status.tell = cfg.Tell
	r.steps = cfg.Scenario.Steps
	if cfg.Scenario.Chaos != nil {
		r.steps = cfg.Scenario.Draw(cfg.Seed)
	}
	r.status.plan(r.steps, max(cfg.Scenario.Rounds, 1))

	r.status.stage("waiting until the cluster is whole and the services run")
	if err := r.await(ctx, readyWithin, r.ready); err != nil {
		if ctx.Err() != nil {
			return r.interrupted(), nil
		}
		why := fmt.Sprintf("the drill did not begin, because after %s still %s: see the log", readyWithin, r.unready())
		return nil, &kafkaops.UserError{Message: why, Err: err}
	}
	r.drill(ctx)
	if ctx.Err() != nil {
		return r.interrupted(), nil
	}
	return r.verdict(ctx), nil
}

// Can says, as a *kafkaops.UserError, what the scenario asks for and these brokers cannot suffer.
func Can(s *scenario.Scenario, nodes []kafkaops.Node, simulated bool) error {
	if simulated && s.RealBrokers {
		why := "needs real brokers, because simulated ones never lose what they once had: choose --cluster local or compose"
		return &kafkaops.UserError{Message: fmt.Sprintf("the drill %s %s", s.Name, why)}
	}
	for _, verb := range s.Needs() {
		for _, n := range nodes {
			if !n.Supports(verb) {
				why := ""
				if verb == kafkaops.Cut || verb == kafkaops.Reconnect {
					why = ": only brokers in containers or simulated ones have a network of their own (--cluster compose or embedded)"
				}
				return &kafkaops.UserError{Message: fmt.Sprintf("the drill %s needs brokers that can be %s, and broker %d of this cluster cannot%s",
					s.Name, past(verb), n.ID, why)}
			}
		}
	}
	return nil
}

func past(v kafkaops.Verb) string {
	switch v {
	case kafkaops.Stop:
		return "stopped"
	case kafkaops.Cut:
		return "cut off their network"
	case kafkaops.Pause, kafkaops.Resume:
		return string(v) + "d"
	}
	return string(v) + "ed"
}

// drill is from the warm-up until the flow is quiet again.
func (r *run) drill(ctx context.Context) {
	load := r.cfg.Scenario.Load
	warm := r.cfg.WarmUp
	if load.WarmUp != nil {
		warm = *load.WarmUp
	}
	shop := r.cfg.Shop
	shop.Begin(load)
	ended := false
	end := func() {
		if !ended {
			shop.End()
			ended = true
		}
	}
	defer end()

	var aside sync.WaitGroup
	stop := make(chan struct{})
	defer aside.Wait()
	defer close(stop)
	r.cfg.Cluster.Arm()
	if warm > 0 {
		r.status.stage(fmt.Sprintf("warming up for %s: brokers that have just started answer slowly", warm))
		r.rest(ctx, warm)
	}
	r.base, r.begun = shop.Figures(), time.Now()
	r.upTo = r.begun.Add(-1)
	r.cfg.Meter.Begin(r.begun)
	r.samples.begin(r.begun, r.base, load.Length())
	aside.Go(func() { r.sample(stop) })

	r.status.change(func(p *Progress) { p.Begun = r.begun })
	r.status.stage("running")
	r.rounds(ctx)
	r.untilLoadEnds(ctx, load)
	if r.cfg.Heal || ctx.Err() == nil {
		r.heal(ctx)
	}
	end()
	r.quiet = time.Now()
	r.status.stage("waiting until every order is answered and has gone through")
	r.drain(ctx)
	r.backs.Wait()
	_ = r.await(ctx, writesWithin, func() bool { return !r.stalled() })
	r.file(time.Now(), true)
}

// sample takes a sample each second, and has write gaps measured all the time.
func (r *run) sample(stop <-chan struct{}) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	armed := time.Now()
	for {
		select {
		case <-stop:
			return
		case now := <-tick.C:
			if now.Sub(armed) >= armEvery {
				r.cfg.Cluster.Arm()
				armed = now
			}
			f := r.cfg.Shop.Figures()
			ack, flow := r.cfg.Meter.turn(r.samples.due(now))
			r.samples.take(now, f, ack, flow)
			r.status.second(now, r.begun, f, r.base, r.cfg.Scenario.Load)
		}
	}
}

// untilLoadEnds waits until the load has lasted as long as it is to.
func (r *run) untilLoadEnds(ctx context.Context, load scenario.Load) {
	if len(r.reasons)+len(r.failed) > 0 {
		return // there is nothing more to see
	}
	r.status.now("the load goes on")
	switch {
	case load.Checkouts > 0:
		_ = r.await(ctx, scenario.MaxTime, func() bool { return r.cfg.Shop.Figures().Offered-r.base.Offered >= load.Checkouts })
	case load.Duration > 0:
		r.rest(ctx, time.Until(r.begun.Add(load.Duration)))
	default:
		r.rest(ctx, tail)
	}
}

// drain waits until every order is answered and has gone through, or nothing moves any more.
func (r *run) drain(ctx context.Context) {
	moved, before := time.Now(), Figures{}
	err := r.await(ctx, drainWithin, func() bool {
		f, now := r.cfg.Shop.Figures(), time.Now()
		if f != before {
			before, moved = f, now
		}
		still := now.Sub(moved)
		if f.Pending == 0 && f.InFlight == 0 && f.Lag <= 0 {
			return still > 2*stillFor
		}
		return still > quietFor
	})
	if err != nil && ctx.Err() == nil {
		r.reasons = append(r.reasons, fmt.Sprintf("orders still went through %s after the load had ended", drainWithin))
	}
}
