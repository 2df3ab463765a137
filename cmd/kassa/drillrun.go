package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"kassa/kafkaops"
	"kassa/kafkaops/compose"
	"kassa/kafkaops/drill"
	"kassa/kafkaops/drill/report"
	"kassa/kafkaops/drill/runner"
	"kassa/services/ledger"
)

// drillGoodbye is how long the shop has to end in order after a drill. The log has been judged by then, and the data is temporary.
const drillGoodbye = time.Second

// preflight settles on where the brokers come from.
func (p *drillPlan) preflight(ctx context.Context) error {
	if err := p.src.preflight(ctx); err != nil {
		return err
	}
	p.src.keep = true // the whole log is judged
	tune(p.src.provider == providerEmbedded)
	return nil
}

// runDrills carries a drill out, once or more often, and says what came of it.
func runDrills(ctx context.Context, p *drillPlan, out, errs io.Writer) error {
	for _, path := range p.reports {
		if err := report.Check(path); err != nil {
			return err
		}
	}
	if err := checkPromises(p.promises); err != nil {
		return err
	}
	if err := checkFresh(p.src.local.DataDir); err != nil {
		return err
	}
	if err := p.preflight(ctx); err != nil {
		return err
	}
	say := newDrillTeller(p, out, errs)
	defer say.end()
	var results []*drill.Result
	var failed error // why there are fewer results than were asked for; those that are there are told all the same
	for n := range p.runs {
		if n > 0 && ctx.Err() != nil {
			failed = &kafkaops.UserError{Message: fmt.Sprintf("interrupted after %d of %d runs: there is no verdict on all", n, p.runs), Err: context.Cause(ctx)}
			break
		}
		say.run(n)
		res, err := p.once(ctx, p.seed+uint64(n), say)
		if res != nil {
			results = append(results, res)
			if err := say.result(res); err != nil {
				return err
			}
		}
		if err != nil {
			if failed = err; res == nil && ctx.Err() != nil {
				failed = &kafkaops.UserError{Message: "interrupted before the drill began", Err: err}
			}
			break
		}
	}
	if len(results) == 0 {
		return failed
	}
	var unwritten error
	for _, path := range p.reports {
		unwritten = errors.Join(unwritten, report.Write(path, results))
	}
	sum := drill.SumUp(results)
	if p.runs > 1 {
		sum.Again += fmt.Sprintf(" --runs %d", p.runs)
	}
	if failed != nil && sum.Verdict == drill.Pass {
		sum.Verdict = drill.NoVerdict // of fewer runs than were asked for
	}
	if p.runs > 1 {
		if err := say.aggregate(sum); err != nil {
			return err
		}
	}
	say.end()
	switch {
	case sum.Verdict == drill.Fail && unwritten != nil:
		fmt.Fprintln(errs, plainly(unwritten.Error()))
		return errBadVerdict
	case sum.Verdict == drill.Fail:
		return errBadVerdict
	case failed != nil || unwritten != nil:
		return errors.Join(failed, unwritten)
	case sum.Verdict == drill.Pass:
		return nil
	}
	return errNoVerdict
}

// errNoVerdict ends a command whose report has said why there is no verdict.
var errNoVerdict = errors.New("there is no verdict")

// once carries a drill out on a fresh cluster, and leaves nothing of it behind.
func (p *drillPlan) once(ctx context.Context, seed uint64, say *drillTeller) (*drill.Result, error) {
	log := p.src.local.Log
	cluster, err := p.src.start(ctx, say.starting)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err := cluster.Close(); err != nil {
			log.Error("closing the cluster", "err", err)
		}
	}()
	if err := somebodys(cluster); err != nil {
		return nil, err
	}
	if err := runner.Can(p.scenario, cluster.Nodes(), cluster.Info().Simulated); err != nil {
		return nil, err // before anybody waits for a shop
	}
	cfg := p.shop
	cfg.Seed = seed
	s, err := openShop(ctx, cluster, log, cfg)
	if err != nil {
		return nil, err
	}
	defer s.close(drillGoodbye)
	info := cluster.Info()
	say.cluster(info)
	res, err := runner.Run(ctx, runner.Config{
		Scenario: p.scenario, Seed: seed, Delivery: cfg.Delivery.String, WarmUp: warmUpFor(info),
		Cluster: drillCluster{cluster, s.watcher, s.recorder}, Shop: drillShop{s, kafkaops.ClientOptions(cluster.Bootstrap())},
		Auditor: drillAuditor{s}, Meter: s.meter,
		Settings: p.settings(info), Versions: versions(info), Again: p.again(info, seed), Simulated: info.Simulated,
		Tell: say.progress, Log: log,
	})
	if err == nil && p.promises != "" {
		err = writePromises(p.promises, s.book)
	}
	return res, err
}

// somebodys says that brokers were there before: their log has orders of others, and other services may take part. A drill would judge what it did not do, and
// break what is not its own.
func somebodys(cluster kafkaops.Cluster) error {
	if c, ok := cluster.(*compose.Cluster); ok && c.Owned() != compose.Started {
		return &kafkaops.UserError{Message: "a drill needs brokers of its own, and the containers of this project are somebody's already: end them with `docker compose down`, or name another project with COMPOSE_PROJECT_NAME"}
	}
	return nil
}

// checkFresh refuses a directory with the log of others: the drill would judge what it did not do.
func checkFresh(dir string) error {
	if entries, err := os.ReadDir(dir); dir == "" || err != nil || len(entries) == 0 {
		return nil // what else is wrong with it the brokers' provider says
	}
	return &kafkaops.UserError{Message: fmt.Sprintf("a drill judges all that is in the log, and %s holds data already: give --data-dir an empty or a new directory", dir)}
}

// checkPromises says now what would keep writePromises from writing when the drill is over.
func checkPromises(path string) error {
	if path == "" {
		return nil
	}
	_, err := os.Stat(path)
	f, openErr := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o644)
	if openErr != nil {
		return promisesError(path, openErr)
	}
	f.Close()
	if errors.Is(err, os.ErrNotExist) {
		_ = os.Remove(path)
	}
	return nil
}

func promisesError(path string, err error) error {
	return &kafkaops.UserError{Message: fmt.Sprintf("cannot write the promises to %s (%v): choose another file with --promises", path, err), Err: err}
}

// writePromises writes what customers were told, for kassa audit --promises and others.
func writePromises(path string, book *ledger.Book) error {
	fail := func(err error) error { return promisesError(path, err) }
	f, err := os.Create(path)
	if err != nil {
		return fail(err)
	}
	w := bufio.NewWriter(f)
	if _, err := book.WriteTo(w); err != nil {
		f.Close()
		return fail(err)
	}
	if err := errors.Join(w.Flush(), f.Close()); err != nil {
		return fail(err)
	}
	return nil
}

func warmUpFor(info kafkaops.Info) time.Duration {
	if info.Simulated {
		return runner.WarmUpSimulated
	}
	return runner.WarmUpReal
}

// settings are those that matter for what a drill shows.
func (p *drillPlan) settings(info kafkaops.Info) []drill.NamedValue {
	l := p.scenario.Load
	who := fmt.Sprintf("%d a second, open loop", l.Rate)
	if l.Customers > 0 {
		who = fmt.Sprintf("%d customers, each orders again %s after an answer", l.Customers, l.Think)
	}
	switch {
	case l.Checkouts > 0:
		who += fmt.Sprintf(", %d in all", l.Checkouts)
	case l.Duration > 0:
		who += fmt.Sprintf(", for %s", l.Duration)
	}
	warm := warmUpFor(info)
	if l.WarmUp != nil {
		warm = *l.WarmUp
	}
	provider := info.Provider
	if info.Simulated {
		provider += ", SIMULATED"
	}
	set := []drill.NamedValue{
		{Name: "cluster", Value: provider},
		{Name: "profile", Value: info.Profile},
		{Name: "delivery", Value: p.shop.Delivery.String()},
		{Name: "acks", Value: p.shop.Acks.String()},
		{Name: "min.insync.replicas", Value: strconv.Itoa(p.shop.Topics.MinISR)},
		{Name: "load", Value: who},
		{Name: "warm-up", Value: warm.String()},
	}
	switch s := p.scenario; {
	case s.Chaos != nil:
		set = append(set, drill.NamedValue{Name: "faults", Value: fmt.Sprintf("%d at random, %d broker at a time", s.Chaos.Faults, s.Chaos.Budget)})
	case s.Rounds > 1:
		set = append(set, drill.NamedValue{Name: "rounds", Value: strconv.Itoa(s.Rounds)})
	}
	return set
}

// versions are of what the figures depend on.
func versions(info kafkaops.Info) []drill.NamedValue {
	v := []drill.NamedValue{{Name: "kassa", Value: version}}
	if info.Version != "" {
		v = append(v, drill.NamedValue{Name: "Kafka", Value: info.Version})
	}
	if build, ok := debug.ReadBuildInfo(); ok {
		for _, dep := range build.Deps {
			switch {
			case dep.Path == "github.com/twmb/franz-go":
				v = append(v, drill.NamedValue{Name: "franz-go", Value: dep.Version})
			case dep.Path == "github.com/twmb/franz-go/pkg/kfake" && info.Simulated:
				v = append(v, drill.NamedValue{Name: "kfake", Value: dep.Version})
			}
		}
	}
	return append(v,
		drill.NamedValue{Name: "Go", Value: strings.TrimPrefix(runtime.Version(), "go")},
		drill.NamedValue{Name: "machine", Value: fmt.Sprintf("%s/%s, %d processors", runtime.GOOS, runtime.GOARCH, runtime.NumCPU())},
	)
}

// again is the command that runs it again.
func (p *drillPlan) again(info kafkaops.Info, seed uint64) string {
	args := []string{
		"kassa", "drill", quoted(p.arg), "--cluster", info.Provider, "--profile", info.Profile,
		"--delivery", p.shop.Delivery.String(), "--acks", p.shop.Acks.String(),
	}
	if p.shop.Topics.MinISR != 2 || p.scenario.Settings.MinISR > 0 {
		args = append(args, "--min-isr", strconv.Itoa(p.shop.Topics.MinISR))
	}
	l, f := p.scenario.Load, p.flags
	if l.Rate > 0 {
		args = append(args, "--rate", strconv.Itoa(l.Rate))
	}
	if f.checkouts > 0 {
		args = append(args, "--checkouts", strconv.FormatInt(f.checkouts, 10))
	}
	if f.duration > 0 {
		args = append(args, "--duration", f.duration.String())
	}
	if l.WarmUp == &f.warmUp {
		args = append(args, "--warm-up", f.warmUp.String())
	}
	if f.faults > 0 {
		args = append(args, "--faults", strconv.Itoa(f.faults))
	}
	if f.mails.mail != mailCatch {
		args = append(args, "--mail", f.mails.mail)
	}
	if f.mails.server != "" {
		args = append(args, "--smtp", quoted(f.mails.server))
	}
	return strings.Join(append(args, "--seed", strconv.FormatUint(seed, 10)), " ")
}

// quoted is an argument as a shell takes it.
func quoted(arg string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./"
	if arg != "" && strings.Trim(arg, plain) == "" {
		return arg
	}
	return "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
}
