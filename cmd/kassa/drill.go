package main

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"kassa/kafkaops"
	"kassa/kafkaops/drill/runner"
	"kassa/kafkaops/drill/scenario"
	"kassa/services"
	"kassa/services/load"
	"kassa/services/payment"
)

// maxRuns bounds --runs.
const maxRuns = 1000

// drillFlags is what a person asks of a drill, over what its scenario says.
type drillFlags struct {
	from      clusterFlags
	mails     mailFlags
	deliver   deliveryFlag
	acks      acksFlag
	minISR    int
	rate      int
	checkouts int64
	duration  time.Duration
	warmUp    time.Duration
	faults    int
	seed      uint64
	runs      int
	asJSON    bool
	promises  string
	reports   []string
	logFile   string
}

// newDrill is `kassa drill`: break the cluster under load, and prove from the log what became of the orders.
func newDrill() *cobra.Command {
	f := &drillFlags{}
	cmd := &cobra.Command{
		Use:   "drill [NAME|FILE]",
		Short: "Break the cluster under load, and judge from the log what became of the orders",
		Long: "drill starts a fresh cluster and the shop, lets orders come, breaks what the scenario says, waits until all is quiet, and audits the log.\n" +
			"A scenario is built in, or a YAML file (docs/drills.md tells the language). Without one drill lists those that are built in.\n" +
			"Exit code 0: all is as expected; 1: something is not; 2: there is no verdict.",
		Example: "kassa drill leader-kill\nkassa drill chaos --faults 20 --rate 300 --seed 7\nkassa drill acks-one --runs 3\n" +
			"kassa drill show chaos > mine.yaml && kassa drill mine.yaml --json",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usageError{fmt.Errorf("drill takes one scenario, and was given %q too", args[1])}
			}
			return nil
		},
		ValidArgsFunction: completeDrills,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 && cmd.Flags().NFlag() > 0 || len(args) == 1 && args[0] == "" {
				return usageError{errors.New("drill needs a name or a file: kassa drill lists the names")}
			}
			if len(args) == 0 {
				return listDrills(cmd.OutOrStdout())
			}
			s, err := loadScenario(args[0])
			if err != nil {
				return err
			}
			p, err := f.plan(cmd, args[0], s)
			if err != nil {
				return err
			}
			logs, _, err := openLog(f.logFile)
			if err != nil {
				return err
			}
			defer logs.Close()
			p.src.local.Log = slog.New(slog.NewTextHandler(logs, nil))
			ctx, stop := untilSignal(cmd.Context())
			defer stop()
			return runDrills(ctx, p, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	f.register(cmd)
	cmd.AddCommand(newDrillList(), newDrillShow())
	return cmd
}

func (f *drillFlags) register(cmd *cobra.Command) {
	f.from.register(cmd)
	f.mails.register(cmd)
	f.deliver.register(cmd)
	f.acks.register(cmd)
	fl := cmd.Flags()
	fl.IntVar(&f.minISR, "min-isr", 2, "min.insync.replicas of the shop's topics, 1 to 3: how many brokers must have what acks=all acknowledges")
	fl.IntVar(&f.rate, "rate", 0, fmt.Sprintf("checkouts a second, 1 to %d, whatever comes back (the default is the scenario's)", load.MaxRate))
	fl.Int64Var(&f.checkouts, "checkouts", 0, "how many checkouts the load is, but not fewer than come until the last step")
	fl.DurationVar(&f.duration, "duration", 0, "how long the load lasts, but not shorter than until the last step")
	fl.DurationVar(&f.warmUp, "warm-up", runner.WarmUpReal,
		"how long the load runs before anything is measured or broken; simulated brokers need "+runner.WarmUpSimulated.String())
	fl.IntVar(&f.faults, "faults", 0, "how many random faults (chaos), or how often the steps are repeated")
	fl.Uint64Var(&f.seed, "seed", 0, "what is left to chance is drawn from this; the same seed draws the same (the default is another each time, and is printed)")
	fl.IntVar(&f.runs, "runs", 1, "so many runs, each on a fresh cluster, and their medians and worst; each run adds 1 to the seed")
	fl.BoolVar(&f.asJSON, "json", false, "print the result as one line of JSON, with --runs one a run and a line that sums up, and nothing else")
	fl.StringVar(&f.promises, "promises", "", "write what customers were promised to this file, a line of JSON each, for other tools")
	fl.StringArrayVar(&f.reports, "report", nil, "write a report to this file, which ends in .html, .json or .xml (JUnit); may be repeated")
	fl.StringVar(&f.logFile, "log-file", "", "where logs go (the default is in the user's cache directory)")
}

// drillPlan is a drill that may begin.
type drillPlan struct {
	scenario *scenario.Scenario
	arg      string // as the scenario was asked for
	src      *source
	shop     shopConfig
	seed     uint64
	runs     int
	asJSON   bool
	promises string
	reports  []string
	flags    *drillFlags
}

// plan puts the flags over the scenario.
func (f *drillFlags) plan(cmd *cobra.Command, arg string, s *scenario.Scenario) (*drillPlan, error) {
	given := cmd.Flags().Changed
	if err := f.overLoad(given, s); err != nil {
		return nil, err
	}
	p := &drillPlan{scenario: s, arg: arg, seed: f.seed, runs: f.runs, asJSON: f.asJSON, promises: f.promises, reports: f.reports, flags: f}
	if !given("seed") {
		p.seed = uint64(rand.Uint32()) // short enough to be typed
	}
	if f.runs < 1 || f.runs > maxRuns {
		return nil, usageError{fmt.Errorf("--runs is 1 to %d, not %d", maxRuns, f.runs)}
	}
	if f.runs > 1 && given("data-dir") {
		return nil, usageError{errors.New("--runs begins each run on a fresh cluster, and --data-dir keeps one: leave one of them out")}
	}
	if f.runs > 1 && f.promises != "" {
		return nil, usageError{errors.New("--promises is of one run: leave --runs out")}
	}
	if !given("profile") && s.Settings.Profile != "" {
		f.from.profile = s.Settings.Profile
	}
	var err error
	if p.src, err = f.from.source(); err != nil {
		return nil, err
	}
	p.src.services = servicesEmbed
	if p.shop.Mail, err = f.mails.config(); err != nil {
		return nil, err
	}
	p.shop.Products, _ = loadCatalogue("") // the demo's own: there is no file that could be wrong
	if p.shop.Delivery = f.deliver.Delivery; !given("delivery") && s.Settings.Delivery != "" {
		p.shop.Delivery, _ = services.ParseDelivery(s.Settings.Delivery) // the scenario was checked
	}
	if p.shop.Acks = f.acks.Acks; !given("acks") && s.Settings.Acks != "" {
		p.shop.Acks, _ = payment.ParseAcks(s.Settings.Acks)
	}
	if f.minISR < 1 || f.minISR > 3 {
		return nil, usageError{fmt.Errorf("--min-isr is 1 to 3, not %d", f.minISR)}
	}
	if p.shop.Topics.MinISR = f.minISR; !given("min-isr") {
		p.shop.Topics.MinISR = cmp.Or(s.Settings.MinISR, f.minISR)
	}
	p.shop.NoTail = true
	return p, nil
}

func (f *drillFlags) overLoad(given func(string) bool, s *scenario.Scenario) error {
	switch {
	case given("checkouts") && given("duration"):
		return usageError{errors.New("--checkouts and --duration both say when the load ends: leave one of them out")}
	case given("rate") && (f.rate < 1 || f.rate > load.MaxRate):
		return usageError{fmt.Errorf("--rate is 1 to %d checkouts a second, not %d", load.MaxRate, f.rate)}
	case given("checkouts") && (f.checkouts < 1 || f.checkouts > scenario.MaxCheckouts):
		return usageError{fmt.Errorf("--checkouts is 1 to %d, not %d", scenario.MaxCheckouts, f.checkouts)}
	case given("duration") && (f.duration < time.Second || f.duration > scenario.MaxTime):
		return usageError{fmt.Errorf("--duration is 1s to %s, not %s", "24h", f.duration)}
	case given("warm-up") && (f.warmUp < 0 || f.warmUp > scenario.MaxTime):
		return usageError{fmt.Errorf("--warm-up is 0s to %s, not %s", "24h", f.warmUp)}
	case given("faults") && (f.faults < 1 || f.faults > scenario.MaxFaults):
		return usageError{fmt.Errorf("--faults is 1 to %d, not %d", scenario.MaxFaults, f.faults)}
	}
	l := &s.Load
	if given("rate") {
		l.Rate, l.Customers, l.Think = f.rate, 0, 0
	}
	if given("checkouts") {
		l.Checkouts, l.Duration = f.checkouts, 0
	}
	if given("duration") {
		l.Checkouts, l.Duration = 0, f.duration
	}
	if given("warm-up") {
		l.WarmUp = &f.warmUp
	}
	switch {
	case !given("faults"):
	case s.Chaos != nil:
		s.Chaos.Faults = f.faults
	case len(s.Steps) > 0:
		s.Rounds = f.faults
	default:
		return usageError{fmt.Errorf("--faults is for a scenario with steps or chaos, and %s has neither", s.Name)}
	}
	return nil
}

// loadScenario finds a scenario by its name or in a file.
func loadScenario(arg string) (*scenario.Scenario, error) {
	if scenario.Source(arg) != nil {
		return scenario.Named(arg)
	}
	s, err := scenario.LoadFile(arg)
	if err == nil {
		err = checkPoison(s)
	}
	switch _, bad := errors.AsType[*scenario.Error](err); {
	case bad:
		return nil, &kafkaops.UserError{Message: fmt.Sprintf("correct the drill %s: %v", arg, err), Err: err}
	case errors.Is(err, os.ErrNotExist) && !strings.ContainsAny(arg, `/\.`):
		_, err := scenario.Named(arg)
		return nil, &kafkaops.UserError{Message: err.Error(), Err: err}
	case err != nil:
		why := fmt.Sprintf("cannot read the drill (%v): choose another file, or one of those that kassa drill list names", err)
		return nil, &kafkaops.UserError{Message: why, Err: err}
	}
	return s, nil
}
