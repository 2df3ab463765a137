package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/charmbracelet/x/term"
	"github.com/spf13/cobra"

	"kassa/kafkaops"
	"kassa/kafkaops/drill"
	"kassa/services/ledger"
)

// mostFindings bounds --findings: so many are kept in memory and in their order.
const mostFindings = 10_000

// newAudit is `kassa audit`: a verdict from the log itself.
func newAudit() *cobra.Command {
	var (
		at             remote
		promises       string
		asJSON, others bool
		within         time.Duration
		cfg            ledger.Config
	)
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Judge from the log whether any order was lost, duplicated or changed",
		Long: "audit reads the shop's topics and their dead letters from beginning to end, committed records only. It says of every checkout whether it is\n" +
			"complete, in flight, lost, duplicated, repeated or dead-lettered, and names the records that prove it. It shares no code with the services,\n" +
			"writes nothing and joins no group. What is in the log counts as acknowledged; with --promises it is judged against what the customers were told.\n" +
			"A checkout is lost when an event of it is missing although the service's group has gone past the event before.\n" +
			"Exit code 0: nothing is wrong; 1: something is; 2: there is no verdict, for it could not read all.",
		Example: "kassa audit\nkassa audit --brokers 127.0.0.1:9094 --json | jq .verdict\nkassa audit --promises promises.ndjson",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := at.client()
			switch {
			case err != nil:
				return err
			case cfg.MaxFindings < 1 || cfg.MaxFindings > mostFindings:
				return usageError{fmt.Errorf("--findings is 1 to %d, not %d", mostFindings, cfg.MaxFindings)}
			case cfg.Skew < 0:
				return usageError{fmt.Errorf("--clock-skew is 0 or more, not %s", cfg.Skew)}
			case within < 0:
				return usageError{fmt.Errorf("--within is 0, for as long as it takes, or more, not %s", within)}
			case others && promises == "":
				return usageError{errors.New("--others is about customers that --promises does not know: give that too")}
			}
			if promises != "" {
				if cfg.Book, err = readPromises(promises); err != nil {
					return err
				}
				defer func() { _ = cfg.Book.Close() }() // its file has no name
			}
			ctx, stop := untilSignal(cmd.Context())
			defer stop()
			if within > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, within)
				defer cancel()
			}
			cfg.Client, cfg.Others = client, others
			line := newProgressLine(cmd.ErrOrStderr())
			cfg.Progress = line.show
			rep, err := ledger.Audit(ctx, cfg)
			line.clear()
			if errors.Is(err, ledger.ErrNoTopics) {
				return &kafkaops.UserError{Message: fmt.Sprintf("there is nothing to audit on %s: none of the shop's topics is there; check --brokers", at.brokers), Err: err}
			}
			if err := writeAudit(cmd.OutOrStdout(), rep, at.brokers, asJSON); err != nil {
				return err
			}
			return auditError(ctx, at.brokers, rep, err)
		},
	}
	at.register(cmd)
	fl := cmd.Flags()
	fl.StringVar(&promises, "promises", "",
		`judge against what customers were told: a file of lines {"checkoutId":"…","outcome":"accepted|refused|unknown","amount":2499.9}`)
	fl.BoolVar(&others, "others", false, "with --promises: payments that it does not know are other customers', and not a mistake")
	fl.BoolVar(&asJSON, "json", false, "print one JSON object instead of text")
	fl.DurationVar(&within, "within", 0, "give up after this time, without a verdict; 0 for as long as it takes")
	fl.DurationVar(&cfg.Skew, "clock-skew", time.Second,
		"how much the clocks of the machines that write may differ: an event older than its cause by more is out of order")
	fl.IntVar(&cfg.MaxFindings, "findings", 100, "name at most so many findings, the worst first; all are counted")
	return cmd
}

func readPromises(file string) (*ledger.Book, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, &kafkaops.UserError{Message: fmt.Sprintf("the promises cannot be read: %v", err), Err: err}
	}
	defer f.Close()
	book, err := ledger.ReadBook(f, "")
	if err != nil {
		return nil, &kafkaops.UserError{Message: fmt.Sprintf("the promises in %s cannot be read: %v", file, err), Err: err}
	}
	return book, nil
}

// auditError is how the command ends once the report is written; ctx is what it was given. A connection that could not be made in time is an error of the
// network, and says of itself that a deadline was exceeded.
func auditError(ctx context.Context, brokers string, rep ledger.Report, err error) error {
	switch {
	case err != nil && errors.Is(ctx.Err(), context.Canceled):
		return &kafkaops.UserError{Message: "interrupted: there is no verdict", Err: err}
	case err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded):
		text := fmt.Sprintf("there is no verdict: the audit of %s did not finish in time; give it more with --within (%s)", brokers, rep.Why)
		return &kafkaops.UserError{Message: text, Err: err}
	case err != nil:
		text := fmt.Sprintf("there is no verdict: the audit of %s did not finish; check --brokers and that the cluster is up, and that --command-config is there where it wants TLS or a log-in (%s)", brokers, rep.Why)
		return &kafkaops.UserError{Message: text, Err: err}
	}
	switch verdict, why := verdictOf(rep); verdict {
	case drill.Fail:
		return errBadVerdict
	case drill.NoVerdict:
		return &kafkaops.UserError{Message: "there is no verdict: " + why}
	}
	return nil
}

// writeAudit writes a report, whatever it says; of one that did not finish only JSON says more than the error will.
func writeAudit(w io.Writer, rep ledger.Report, brokers string, asJSON bool) error {
	if !asJSON {
		if !rep.Finished {
			return nil
		}
		return writeAuditText(w, rep, brokers, outputWidth())
	}
	verdict, _ := verdictOf(rep)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(struct {
		Verdict drill.Verdict `json:"verdict"`
		ledger.Report
	}{verdict, rep})
}

// progressLine is one line on a terminal that says how far an audit is; elsewhere it is nothing.
type progressLine struct {
	w     io.Writer // nil where there is no terminal
	drawn bool
}

func newProgressLine(w io.Writer) *progressLine {
	if f, ok := w.(term.File); ok && term.IsTerminal(f.Fd()) {
		return &progressLine{w: w}
	}
	return &progressLine{}
}

func (l *progressLine) show(p ledger.Progress) {
	if l.w == nil {
		return
	}
	verb := "reading"
	if p.Judging {
		verb = "judging"
	}
	if p.Again {
		verb = "looking twice, " + verb
	}
	percent := int64(100)
	if p.Total > 0 {
		percent = p.Done * 100 / p.Total
	}
	l.drawn = true
	fmt.Fprintf(l.w, "\r\x1b[K%s: %s of %s records, %d %%", verb, thousands(p.Done), thousands(p.Total), percent)
}

func (l *progressLine) clear() {
	if l.drawn {
		fmt.Fprint(l.w, "\r\x1b[K")
	}
}
