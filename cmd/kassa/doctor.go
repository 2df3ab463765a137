package main

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/term"
	"github.com/spf13/cobra"

	"kassa/kafkaops/doctor"
	"kassa/kafkaops/local"
)

// newDoctor is `kassa doctor`: what is at risk, here or on a cluster.
func newDoctor() *cobra.Command {
	var (
		brokers    []string
		kafkaHome  string
		asJSON     bool
		writeProbe bool
	)
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say what is at risk on this machine or, with --brokers, on a cluster",
		Long: "doctor looks at this machine as a place for kassa's brokers or, with --brokers, at any cluster: what is at risk, and what to do.\n" +
			"It changes nothing and writes nothing, unless --write-probe is given.\n" +
			"Exit code 0: nothing is at risk; 1: something is; 2: it could not look.",
		Example: "kassa doctor\nkassa doctor --brokers 127.0.0.1:9094,127.0.0.1:9095\nkassa doctor --brokers 127.0.0.1:9094 --json",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			flags := cmd.Flags()
			remote := flags.Changed("brokers")
			switch {
			case writeProbe && !remote:
				return usageError{errors.New("--write-probe measures the clocks of a cluster: give its --brokers too")}
			case remote && flags.Changed("kafka-home"):
				return usageError{errors.New("--kafka-home is about this machine and --brokers about a cluster: give one of them")}
			}
			ctx, stop := untilSignal(cmd.Context())
			defer stop()
			var report doctor.Report
			var err error
			if remote {
				var bootstrap []string
				if bootstrap, err = parseBrokers(strings.Join(brokers, ",")); err != nil {
					return usageError{err}
				}
				report, err = doctor.ExamineCluster(ctx, bootstrap, writeProbe)
			} else {
				report, err = doctor.ExamineMachine(ctx, local.Config{KafkaHome: kafkaHome})
			}
			if err != nil {
				return err
			}
			if err := show(cmd.OutOrStdout(), report, asJSON); err != nil {
				return err
			}
			if report.Count(doctor.Risk) > 0 {
				return errBadVerdict
			}
			return nil
		},
	}
	fl := cmd.Flags()
	fl.StringArrayVar(&brokers, "brokers", nil, "examine the cluster at these bootstrap servers, host:port separated by commas; may be repeated")
	fl.StringVar(&kafkaHome, "kafka-home", os.Getenv("KAFKA_HOME"), "the unpacked Kafka that kassa would be given (KAFKA_HOME)")
	fl.BoolVar(&asJSON, "json", false, "print one JSON object instead of text")
	fl.BoolVar(&writeProbe, "write-probe", false, "measure every broker's clock with a temporary topic, kassa-doctor-…")
	return cmd
}

// textWidth is how wide a report is where the terminal is wider, or there is none.
const textWidth = 110

func show(w io.Writer, r doctor.Report, asJSON bool) error {
	if asJSON {
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		return enc.Encode(r)
	}
	width := textWidth
	if cols, _, err := term.GetSize(os.Stdout.Fd()); err == nil && cols > 0 {
		width = min(width, max(cols, 60))
	}
	var b strings.Builder
	if err := doctor.Text(&b, r, width, paint); err != nil {
		return err
	}
	_, err := lipgloss.Fprint(w, b.String()) // takes colours away where there are none
	return err
}

// paint colours a mark word with the terminal's own palette, which its owner can read.
func paint(l doctor.Level, word string) string {
	colour := lipgloss.Green
	switch l {
	case doctor.Note:
		colour = lipgloss.Yellow
	case doctor.Risk:
		colour = lipgloss.Red
	}
	return lipgloss.NewStyle().Foreground(colour).Bold(l == doctor.Risk).Render(word)
}
