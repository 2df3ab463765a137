package main

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"kassa/kafkaops"
	"kassa/services"
)

// newTopics is `kassa topics`: the topics, made once before anybody needs them.
func newTopics() *cobra.Command {
	var (
		from    remote
		atLeast int
		within  time.Duration
	)
	cmd := &cobra.Command{
		Use:   "topics",
		Short: "Make the shop's topics and end",
		Long: "topics waits until so many brokers are up, makes the shop's topics that are not there yet, with 3 partitions and up to 3 replicas, and ends.\n" +
			"The services make them too; who starts those before all brokers are up runs this first, so that no topic gets fewer replicas.",
		Example: "kassa topics --brokers 127.0.0.1:9094,127.0.0.1:9095,127.0.0.1:9096",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := from.client()
			if err != nil {
				return err
			}
			if atLeast < 1 {
				return usageError{fmt.Errorf("--at-least is a number of brokers, 1 or more, not %d", atLeast)}
			}
			ctx, stop := untilSignal(cmd.Context())
			defer stop()
			log := slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), nil))
			if err := awaitBrokers(ctx, client, atLeast, within); err != nil {
				return &kafkaops.UserError{Message: fmt.Sprintf("there are no %d brokers at %s after %v: check --brokers and that the cluster is up, or ask for fewer with --at-least (%v)", atLeast, from.brokers, within, err), Err: err}
			}
			if err := makeTopics(ctx, client, services.TopicSettings{}); err != nil {
				return &kafkaops.UserError{Message: fmt.Sprintf("the topics could not be made on %s within %s (%v): check that all brokers are up", from.brokers, topicsWithin, err), Err: err}
			}
			log.Info("the topics are there", "brokers", from.brokers)
			warnOfThinTopics(ctx, client, log)
			return nil
		},
	}
	from.register(cmd)
	fl := cmd.Flags()
	fl.IntVar(&atLeast, "at-least", 3, "how many brokers must be up first")
	fl.DurationVar(&within, "within", time.Minute, "how long to wait for them")
	return cmd
}

// warnOfThinTopics says which of the shop's topics have fewer than three replicas, because not all brokers were up when they were made.
func warnOfThinTopics(ctx context.Context, client []kgo.Opt, log *slog.Logger) {
	cl, err := kgo.NewClient(client...)
	if err != nil {
		return // whoever uses these options says so
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(ctx, thinWithin)
	defer cancel()
	thin, err := services.ThinTopics(ctx, kadm.NewClient(cl))
	if err != nil || len(thin) == 0 {
		return
	}
	topics := make([]string, 0, len(thin))
	for t, n := range thin {
		topics = append(topics, fmt.Sprintf("%s (%d)", t, n))
	}
	slices.Sort(topics)
	log.Warn("topics have fewer than 3 replicas, so a broker that is lost can stop them or take records along: they were made while not all brokers were up, and keep what they have. "+
		"kassa doctor says what to do; before the services are started on a new cluster, kassa topics waits for 3 brokers", "topics", strings.Join(topics, ", "))
}

// thinWithin is how long looking for the replicas may take. It only leads to a warning.
const thinWithin = 5 * time.Second

// awaitBrokers waits until the cluster counts so many brokers as alive.
func awaitBrokers(ctx context.Context, client []kgo.Opt, atLeast int, within time.Duration) error {
	cl, err := kgo.NewClient(client...)
	if err != nil {
		return fmt.Errorf("make a client: %w", err)
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	adm := kadm.NewClient(cl)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		up, err := adm.ListBrokers(ctx)
		if err == nil && len(up) >= atLeast {
			return nil
		}
		if err == nil {
			err = fmt.Errorf("%d are up", len(up))
		}
		select {
		case <-ctx.Done():
			return err
		case <-tick.C:
		}
	}
}
