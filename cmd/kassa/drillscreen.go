package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"

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
	busy    sync.Mutex // held while one is under way
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

// drillPrice says what a drill does to whoever has the screen.
func drillPrice(s *scenario.Scenario) string {
	n, what := 0, "faults"
	steps := s.Steps
	if s.Chaos != nil {
		steps = s.Draw(1)
	}
	for _, st := range steps {
		if st.Act.Harms() {
			n++
		}
	}
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
	if want := s.Settings.Acks; want != "" && want != d.cfg.Acks.String() {
		return fmt.Errorf("it is about acks=%s, and this session has acks=%s: run `kassa drill %s`, or kassa --acks %s", want, d.cfg.Acks, s.Name, want)
	}
	return nil
}

// Run implements tui.Drills.
func (d *screenDrills) Run(ctx context.Context, name string, tell func(runner.Progress)) (*drill.Result, error) {
	if !d.busy.TryLock() {
		return nil, errors.New("another drill is under way")
	}
	defer d.busy.Unlock()
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
		Scenario: s, Seed: seed, Delivery: cfg.Delivery.String(), WarmUp: warmUpFor(info),
		Cluster: drillCluster{d.cluster, d.watcher, d.recorder}, Shop: drillShop{d.shop, d.client}, Auditor: drillAuditor{d.shop}, Meter: d.meter, Heal: true,
		Settings: p.settings(info), Versions: versions(info), Again: p.again(info, seed), Simulated: info.Simulated,
		Tell: tell, Log: d.log,
	})
}

var _ tui.Drills = (*screenDrills)(nil)
