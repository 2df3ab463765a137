package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"

	"charm.land/lipgloss/v2"
	"github.com/spf13/cobra"

	"kassa/kafkaops"
	"kassa/kafkaops/drill"
	"kassa/kafkaops/drill/compare"
	"kassa/kafkaops/drill/report"
	"kassa/kafkaops/drill/scenario"
)

// compareRuns is how often each side runs when nobody says: the fewest of which there is a median.
const compareRuns = 3

// compareFlags are what stands before the --.
type compareFlags struct {
	runs    int
	asJSON  bool
	reports []string
	logFile string
}

// newCompare is `kassa compare`: the same drill under two settings.
func newCompare() *cobra.Command {
	f := &compareFlags{}
	cmd := &cobra.Command{
		Use:   "compare A B -- drill NAME [flags]",
		Short: "Run the same drill under two settings in turn, and say what differed and why",
		Long: "compare runs a drill with the same seed under two settings, in turn (A B, B A, A B …), each run on a fresh cluster, and shows them side by side.\n" +
			"A and B are settings such as profile=stock, acks=1, min-isr=1 or delivery=at-least-once, several joined by commas;\n" +
			"what they do not say is as the drill has it.\n" +
			"Where Kafka allows a loss it is told, with the orders that were lost and why; that is a finding and no error.\n" +
			"Exit code 0: both ran; 1: a side that promises safety lost or doubled something; 2: it could not run, or a run has no verdict.",
		Example: "kassa compare profile=stock profile=fast-failover -- drill leader-kill\n" +
			"kassa compare acks=1 acks=all --runs 5 --report out.html -- drill acks-one --seed 7\n" +
			"kassa compare delivery=exactly-once delivery=at-least-once -- drill service-crash --rate 300",
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 1 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return compare.Completions(), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := f.plan(args, cmd.ArgsLenAtDash())
			if err != nil {
				return err
			}
			logs, _, err := openLog(f.logFile)
			if err != nil {
				return err
			}
			defer logs.Close()
			for _, p := range c.plans {
				p.src.local.Log = slog.New(slog.NewTextHandler(logs, nil))
			}
			ctx, stop := untilSignal(cmd.Context())
			defer stop()
			return c.run(ctx, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	fl := cmd.Flags()
	fl.IntVar(&f.runs, "runs", compareRuns, "so many runs of each side; each pair adds 1 to the seed")
	fl.BoolVar(&f.asJSON, "json", false, "print the comparison as one line of JSON, and nothing else")
	fl.StringArrayVar(&f.reports, "report", nil, "write a report to this file, which ends in .html, .json or .xml (JUnit); may be repeated")
	fl.StringVar(&f.logFile, "log-file", "", "where logs go (the default is in the user's cache directory)")
	return cmd
}

// comparePlan is a comparison that may begin.
type comparePlan struct {
	sides [2]compare.Side // what is in force
	plans [2]*drillPlan
	flags *compareFlags
	drill []string // what stood after the --
}

const compareUsage = "compare takes two settings and a drill: kassa compare profile=stock profile=fast-failover -- drill leader-kill"

// plan reads the two sides, and after the -- a drill as `kassa drill` would. dash is how many arguments stood before the --, -1 for none.
func (f *compareFlags) plan(args []string, dash int) (*comparePlan, error) {
	if dash != 2 || len(args) < 4 || args[2] != "drill" {
		return nil, usageError{errors.New(compareUsage)}
	}
	if f.runs < 1 || f.runs > compare.MaxRuns {
		return nil, usageError{fmt.Errorf("--runs is 1 to %d, not %d", compare.MaxRuns, f.runs)}
	}
	for _, path := range f.reports {
		if err := report.Check(path); err != nil {
			return nil, err
		}
	}
	c := &comparePlan{flags: f, drill: args[2:]}
	for i := range c.sides {
		side, err := compare.ParseSide(args[i])
		if err != nil {
			return nil, usageError{err}
		}
		if c.plans[i], err = sidePlan(side, args[3:]); err != nil {
			return nil, err
		}
		side.Set = inForce(c.plans[i])
		side.Own = compare.Own(c.plans[i].scenario)
		c.plans[i].scenario.Expect.Counts = compare.Expectations(side)
		c.sides[i] = side
	}
	if err := compare.Check(c.sides[0], c.sides[1]); err != nil {
		return nil, usageError{err}
	}
	c.plans[1].seed = c.plans[0].seed
	return c, nil
}

// sidePlan is a drill with the settings of a side over its flags.
func sidePlan(side compare.Side, args []string) (*drillPlan, error) {
	f := &drillFlags{}
	cmd := &cobra.Command{Use: "drill"}
	f.register(cmd)
	if err := cmd.ParseFlags(args); err != nil {
		return nil, usageError{err}
	}
	fl := cmd.Flags()
	if fl.NArg() != 1 {
		return nil, usageError{errors.New(compareUsage)}
	}
	for _, name := range []string{"runs", "json", "report", "log-file"} {
		if fl.Changed(name) {
			return nil, usageError{fmt.Errorf("--%s is the comparison's: give it before the --", name)}
		}
	}
	for _, name := range []string{"data-dir", "promises"} {
		if fl.Changed(name) {
			return nil, usageError{fmt.Errorf("--%s is for a drill of its own: every run of a comparison has a fresh cluster", name)}
		}
	}
	for _, s := range strings.Split(side.Name, ",") {
		name, value, _ := strings.Cut(s, "=")
		if fl.Changed(name) {
			return nil, usageError{fmt.Errorf("--%s is compared by %s already: leave it out after the --", name, s)}
		}
		if err := fl.Set(name, value); err != nil {
			return nil, usageError{err}
		}
	}
	s, err := loadScenario(fl.Arg(0))
	if err != nil {
		return nil, err
	}
	return f.plan(cmd, fl.Arg(0), s)
}

// inForce are the settings that a drill runs with.
func inForce(p *drillPlan) scenario.Settings {
	return scenario.Settings{Profile: p.src.local.Profile.Name, Delivery: p.shop.Delivery.String(), Acks: p.shop.Acks.String(), MinISR: p.shop.Topics.MinISR}
}

// run carries all runs out and says what came of them.
func (c *comparePlan) run(ctx context.Context, out, errs io.Writer) error {
	for _, p := range c.plans {
		p.asJSON = c.flags.asJSON
		if err := p.preflight(ctx); err != nil {
			return err
		}
	}
	first := c.plans[0]
	res, err := compare.Run(ctx, c.sides, c.flags.runs, first.seed, func(ctx context.Context, t compare.Turn) (*drill.Result, error) {
		p := c.plans[t.Side]
		say := newDrillTeller(p, out, errs)
		defer say.end()
		say.line(fmt.Sprintf("\n%s, run %d of %d: %s, %s, seed %d", t.Letter(), t.N, c.flags.runs, c.sides[t.Side].Name, p.scenario.Name, t.Seed))
		r, err := p.once(ctx, t.Seed, say)
		if err == nil {
			say.line(runLine(r))
		}
		return r, err
	})
	if err != nil {
		if ctx.Err() != nil {
			err = &kafkaops.UserError{Message: "interrupted before the first run ended", Err: err}
		}
		return err
	}
	res.Again = c.again()
	if err := c.write(out, res); err != nil {
		return err
	}
	for _, path := range c.flags.reports {
		if err := report.WriteComparison(path, res); err != nil {
			return err
		}
	}
	switch res.Verdict {
	case drill.Pass:
		return nil
	case drill.Fail:
		return errBadVerdict
	}
	return errNoVerdict
}

// runLine is a run that is over, in a line.
func runLine(r *drill.Result) string {
	if !r.Audited {
		return "  there is no verdict: " + plainly(strings.Join(r.Reasons, "; "))
	}
	return fmt.Sprintf("  %s accepted, %s complete, %s lost, %s duplicated, %s repeated",
		thousands(r.Accepted), thousands(r.Complete), thousands(r.Lost), thousands(r.Duplicated), thousands(r.Repeated))
}

func (c *comparePlan) write(out io.Writer, res *compare.Comparison) error {
	if c.flags.asJSON {
		line, err := json.Marshal(res)
		if err != nil {
			return fmt.Errorf("writing the comparison: %w", err)
		}
		_, err = fmt.Fprintln(out, string(line))
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s  %s: A %s against B %s, seed %d\n", comparedWord(res.Verdict), res.Drill, c.sides[0].Name, c.sides[1].Name, res.Seed)
	if res.Simulated {
		b.WriteString("  SIMULATED: replication, ISR and elections are a model, not real brokers\n")
	}
	if err := res.Text(&b, min(outputWidth(), 120), plainly); err != nil {
		return err
	}
	fmt.Fprintf(&b, "\n  again  %s\n", res.Again)
	_, err := lipgloss.Fprint(out, b.String()) // takes colours away where there are none
	return err
}

// comparedWord is the verdict of a comparison in its colour.
func comparedWord(v drill.Verdict) string {
	style := lipgloss.NewStyle().Bold(true)
	switch v {
	case drill.Pass:
		return style.Render("COMPARED")
	case drill.Fail:
		return style.Foreground(lipgloss.Red).Render("PROMISE BROKEN")
	}
	return verdictWord(v)
}

// again is the command that runs the comparison again.
func (c *comparePlan) again() string {
	args := []string{"kassa", "compare", c.sides[0].Name, c.sides[1].Name, "--runs", strconv.Itoa(c.flags.runs), "--"}
	for _, a := range c.drill {
		args = append(args, quoted(a))
	}
	if !c.plans[0].flags.from.given("seed") {
		args = append(args, "--seed", strconv.FormatUint(c.plans[0].seed, 10))
	}
	return strings.Join(args, " ")
}
