package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"kassa/kafkaops"
	"kassa/kafkaops/drill"
	"kassa/kafkaops/drill/runner"
	"kassa/kafkaops/drill/scenario"
	"kassa/tui"
)

// screenDrills are drills on the cluster and with the shop that are on the screen. It implements tui.Drills.
type screenDrills struct {
	*shop
	cluster kafkaops.Cluster
	log     *slog.Logger
}

// drillSlot is where the one drill is that a shop may have under way.
type drillSlot struct {
	mu   sync.Mutex
	stop context.CancelFunc // nil while there is none
	gone chan struct{}
}

// take has a drill in the slot until over is called.
func (d *drillSlot) take(ctx context.Context) (_ context.Context, over func(), err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stop != nil {
		return nil, nil, errors.New("another drill is under way")
	}
	ctx, stop := context.WithCancel(ctx)
	gone := make(chan struct{})
	d.stop, d.gone = stop, gone
	return ctx, func() {
		stop()
		d.mu.Lock()
		defer d.mu.Unlock()
		d.stop = nil
		close(gone)
	}, nil
}

// end interrupts the drill that is under way, if any, and waits within so long for it to bring back what it has taken away.
func (d *drillSlot) end(within time.Duration) {
	d.mu.Lock()
	stop, gone := d.stop, d.gone
	d.mu.Unlock()
	if stop == nil {
		return
	}
	stop()
	select {
	case <-gone:
	case <-time.After(within):
	}
}

// List implements tui.Drills.
func (d *screenDrills) List() []tui.Drill {
	var list []tui.Drill
	for _, s := range scenario.Builtin() {
		one := tui.Drill{Name: s.Name, About: s.About, Price: drillPrice(s)}
		if err := d.refuses(s); err != nil {
			one.Refused = oneLine(err)
		}
		list = append(list, one)
	}
	return list
}

// simulatedOrders is how many orders the log of simulated brokers holds for certain: 20 MiB (kafkaops/embedded/retention.go), at some 1.4 kB for the events of one.
const simulatedOrders = 12_000

// offered is about how many orders come while a scenario runs: a fault is settled after some 8 s.
func offered(s *scenario.Scenario) int64 {
	const around, each = 10, 8 // s
	return int64(s.Load.Rate) * int64(around+each*harms(s))
}

// harms is how many faults a scenario has.
func harms(s *scenario.Scenario) (n int) {
	steps := s.Steps
	if s.Chaos != nil {
		steps = s.Draw(1)
	}
	for _, st := range steps {
		if st.Act.Harms() {
			n++
		}
	}
	return n
}

// drillPrice says what a drill does to whoever has the screen.
func drillPrice(s *scenario.Scenario) string {
	n, what := harms(s), "faults"
	if n == 1 {
		what = "fault"
	}
	return fmt.Sprintf("Orders come at %d a second, and the load of now is set aside until it is over. %d %s, each when the one before is settled; "+
		"what is still away at the end is brought back. The verdict is about every order since kassa started.", s.Load.Rate, n, what)
}

// refuses says why a scenario cannot be run beside a person's own session.
func (d *screenDrills) refuses(s *scenario.Scenario) error {
	info := d.cluster.Info()
	if err := runner.Can(s, d.cluster.Nodes(), info.Simulated); err != nil {
		return err
	}
	if slices.ContainsFunc(s.Steps, func(st scenario.Step) bool { return st.Act.Verb == scenario.DeleteTopic }) {
		return fmt.Errorf("it deletes what this session has written, so that no later audit could pass: run `kassa drill %s`, which has a cluster of its own", s.Name)
	}
	if have := d.payment.Stats().Accepted; info.Simulated && have+offered(s) > simulatedOrders {
		return fmt.Errorf("simulated brokers keep the newest %d orders for certain, and the verdict would be about the %d of this session and those of the drill: run `kassa drill %s`, whose brokers keep all",
			simulatedOrders, have, s.Name)
	}
	if want := s.Settings.Acks; want != "" && want != d.cfg.Acks.String() {
		return fmt.Errorf("it is about acks=%s, and this session has acks=%s: run `kassa drill %s`, or kassa --acks %s", want, d.cfg.Acks, s.Name, want)
	}
	return nil
}

// Run implements tui.Drills.
func (d *screenDrills) Run(ctx context.Context, name string, tell func(runner.Progress)) (*drill.Result, error) {
	ctx, over, err := d.drill.take(ctx)
	if err != nil {
		return nil, err
	}
	defer over()
	s, err := scenario.Named(name)
	if err != nil {
		return nil, err
	}
	if err := d.refuses(s); err != nil {
		return nil, err
	}
	before := d.load.Figures().Plan
	defer d.load.Set(before)
	info, seed := d.cluster.Info(), uint64(rand.Uint32())
	cfg := d.cfg
	cfg.Delivery = d.people().Delivery()
	if cfg.Topics.MinISR == 0 {
		cfg.Topics.MinISR = 2
	}
	p := &drillPlan{scenario: s, arg: name, shop: cfg, seed: seed, runs: 1, flags: &drillFlags{mails: mailFlags{mail: mailCatch}}}
	return runner.Run(ctx, runner.Config{
		Scenario: s, Seed: seed, WarmUp: warmUpFor(info),
		Delivery: func() string { return d.staff.mayRepeat().String() }, // the audit is of all that this session has written
		Cluster:  drillCluster{d.cluster, d.watcher, d.recorder}, Shop: drillShop{d.shop, d.client}, Auditor: drillAuditor{d.shop}, Meter: d.meter, Heal: true,
		Settings: p.settings(info), Versions: versions(info), Again: p.again(info, seed), Simulated: info.Simulated,
		Tell: tell, Log: d.log,
	})
}

var _ tui.Drills = (*screenDrills)(nil)
