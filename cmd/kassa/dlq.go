package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/charmbracelet/x/term"
	"github.com/spf13/cobra"

	"kassa/kafkaops"
	"kassa/services/deadletters"
	"kassa/services/events"
)

// maxLetters bounds --limit: so many letters are kept in memory at once.
const maxLetters = 100_000

// keyPreview is how much of a key a list keeps, in bytes.
const keyPreview = 256

// newDLQ is `kassa dlq`: what could not be read, and what to do about it.
func newDLQ() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "dlq",
		Short: "List, show and retry dead letters: what the services could not read",
		Long: "A record that a service cannot read goes to TOPIC.dlq with headers that say where it came from and why, and the flow goes on.\n" +
			"dlq lists those dead letters, shows one, and writes them again to where they came from.",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return usageError{fmt.Errorf("dlq is followed by list, show or retry, not %q", args[0])}
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newDLQList(), newDLQShow(), newDLQRetry())
	return cmd
}

// lettersOf are the dead letters of that cluster.
func lettersOf(from remote) (*deadletters.Store, error) {
	client, err := from.client()
	if err != nil {
		return nil, err
	}
	return deadletters.New(client), nil
}

// topicFlag takes a topic of the shop, or the one for its dead letters.
func topicFlag(cmd *cobra.Command, topic *string) {
	cmd.Flags().StringVar(topic, "topic", "", "only those of this topic: "+strings.Join(events.Topics(), ", "))
	_ = cmd.RegisterFlagCompletionFunc("topic", cobra.FixedCompletions(events.Topics(), cobra.ShellCompDirectiveNoFileComp))
}

func parseTopic(topic string) ([]string, error) {
	if topic == "" {
		return nil, nil
	}
	source := events.SourceOf(topic)
	if !slices.Contains(events.Topics(), source) {
		return nil, usageError{fmt.Errorf("--topic is one of %s, not %q", strings.Join(events.Topics(), ", "), topic)}
	}
	return []string{source}, nil
}

// dlqError says what a person can do about it. Whoever pressed ctrl+c knows.
func dlqError(ctx context.Context, brokers string, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return &kafkaops.UserError{Message: "interrupted", Err: err}
	case errors.Is(err, deadletters.ErrSilent):
		return &kafkaops.UserError{Message: fmt.Sprintf("the dead letters on %s could not be reached: check --brokers (and --command-config, where it wants TLS or a log-in) and that the cluster is up (%v)", brokers, err), Err: err}
	case errors.Is(err, deadletters.ErrRetried):
		return &kafkaops.UserError{Message: err.Error() + ": give --again to do it once more", Err: err}
	case errors.Is(err, deadletters.ErrNotFound):
		return &kafkaops.UserError{Message: err.Error() + " (kassa dlq list shows what there is)", Err: err}
	case errors.Is(err, deadletters.ErrTakenOver):
		return &kafkaops.UserError{Message: "another kassa dlq retry has begun on this cluster and taken over: wait for it and begin again, what was retried is passed over", Err: err}
	}
	return err
}

func newDLQList() *cobra.Command {
	var (
		from         remote
		topic, since string
		limit        int
		asJSON       bool
	)
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the dead letters, newest first, and count them by reason",
		Long:    "list reads all dead letters, shows the newest and counts them by topic and reason. It changes nothing.\nExit code 0, also if there are none; 2: it could not look.",
		Example: "kassa dlq list\nkassa dlq list --topic payment-successful --since 1h\nkassa dlq list --json | jq .reason",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			topics, err := parseTopic(topic)
			if err != nil {
				return err
			}
			after, err := parseSince(since, time.Now())
			if err != nil {
				return usageError{err}
			}
			if limit < 1 || limit > maxLetters {
				return usageError{fmt.Errorf("--limit is 1 to %d letters, not %d", maxLetters, limit)}
			}
			store, err := lettersOf(from)
			if err != nil {
				return err
			}
			ctx, stop := untilSignal(cmd.Context())
			defer stop()
			l, err := store.List(ctx, deadletters.Query{Topics: topics, Limit: limit, Since: after, Preview: keyPreview})
			if err != nil {
				return dlqError(ctx, from.brokers, err)
			}
			if asJSON {
				return writeNDJSON(cmd.OutOrStdout(), l.Letters)
			}
			return writeListing(cmd.OutOrStdout(), l, outputWidth())
		},
	}
	from.register(cmd)
	topicFlag(cmd, &topic)
	fl := cmd.Flags()
	fl.IntVar(&limit, "limit", 20, "show at most so many, the newest; the counts are of all")
	fl.StringVar(&since, "since", "", "only those that died since: a duration such as 30m or 24h, or a time such as 2026-01-31T15:04:05Z")
	fl.BoolVar(&asJSON, "json", false, "print one JSON object a line and letter, newest first")
	return cmd
}

// parseSince reads a duration before now, or a time.
func parseSince(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(text); err == nil && d > 0 {
		return now.Add(-d), nil
	}
	for _, layout := range []string{time.RFC3339Nano, time.DateTime, time.DateOnly} {
		if t, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("--since is a duration such as 30m or a time such as %s, not %q", now.Add(-time.Hour).Format(time.RFC3339), text)
}

func writeNDJSON(w io.Writer, letters []deadletters.Letter) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	for _, l := range letters {
		if err := enc.Encode(l); err != nil {
			return err
		}
	}
	return nil
}

// outputWidth is the terminal's, or one that reads well.
func outputWidth() int {
	if cols, _, err := term.GetSize(os.Stdout.Fd()); err == nil && cols > 0 {
		return max(cols, 60)
	}
	return 120
}

func newDLQShow() *cobra.Command {
	var (
		from remote
		raw  bool
	)
	cmd := &cobra.Command{
		Use:     "show TOPIC/PARTITION@OFFSET",
		Short:   "Show one dead letter: reason, headers and value",
		Long:    "show finds a dead letter by its own place or by the place of the record that died.\nWhat is not printable is shown as signs; --raw writes the bytes of the value as they are.",
		Example: "kassa dlq show payment-successful.dlq/0@12\nkassa dlq show payment-successful/0@345 --raw > value",
		Args:    places(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			at, err := deadletters.ParsePlace(args[0])
			if err != nil {
				return usageError{err}
			}
			store, err := lettersOf(from)
			if err != nil {
				return err
			}
			ctx, stop := untilSignal(cmd.Context())
			defer stop()
			l, err := store.Find(ctx, at)
			if err != nil {
				return dlqError(ctx, from.brokers, err)
			}
			if raw {
				_, err = cmd.OutOrStdout().Write(l.Value)
				return err
			}
			return writeLetter(cmd.OutOrStdout(), l)
		},
	}
	from.register(cmd)
	cmd.Flags().BoolVar(&raw, "raw", false, "write the value's bytes and nothing else")
	return cmd
}

// places asks for so many places in the log.
func places(least, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < least || len(args) > most {
			return usageError{fmt.Errorf("%s takes the place of a dead letter, TOPIC/PARTITION@OFFSET", cmd.CommandPath())}
		}
		return nil
	}
}

func newDLQRetry() *cobra.Command {
	var (
		from  remote
		topic string
		sel   deadletters.Selection
	)
	cmd := &cobra.Command{
		Use:   "retry [TOPIC/PARTITION@OFFSET …]",
		Short: "Write dead letters again to where they came from",
		Long: "retry writes records that died again to their topics, with the key, value and headers that they came with: those at the places given,\n" +
			"or all of --topic or --reason. What was retried is noted beside the dead letters, in the same transaction, and not retried twice.\n" +
			"A retry that dies again is a new dead letter, which says which attempt it was.",
		Example: "kassa dlq retry payment-successful.dlq/0@12\nkassa dlq retry --topic payment-successful --dry-run\nkassa dlq retry --reason 'userId is missing'",
		Args:    places(0, 1000),
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			if sel.Topics, err = parseTopic(topic); err != nil {
				return err
			}
			for _, a := range args {
				p, err := deadletters.ParsePlace(a)
				if err != nil {
					return usageError{err}
				}
				sel.Places = append(sel.Places, p)
			}
			switch narrow := topic != "" || sel.Reason != ""; {
			case len(args) == 0 && !narrow:
				return usageError{errors.New("dlq retry needs to know which: give places such as payment-successful.dlq/0@12, or --topic, or --reason")}
			case len(args) > 0 && narrow:
				return usageError{errors.New("dlq retry takes either places, or --topic and --reason")}
			}
			store, err := lettersOf(from)
			if err != nil {
				return err
			}
			ctx, stop := untilSignal(cmd.Context())
			defer stop()
			out := cmd.OutOrStdout()
			passed := 0
			done, err := store.Retry(ctx, sel, func(o deadletters.Outcome) {
				if o.Err != nil {
					passed++
				}
				fmt.Fprintln(out, outcomeLine(o, sel.DryRun))
			})
			if done+passed > 0 || err == nil {
				fmt.Fprintln(out, retrySum(done, passed, sel.DryRun))
			}
			return dlqError(ctx, from.brokers, err)
		},
	}
	from.register(cmd)
	topicFlag(cmd, &topic)
	fl := cmd.Flags()
	fl.StringVar(&sel.Reason, "reason", "", "only those whose reason contains this text")
	fl.BoolVar(&sel.Again, "again", false, "also those that were retried before")
	fl.BoolVar(&sel.DryRun, "dry-run", false, "say what would be written, and write nothing")
	return cmd
}
