package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"kassa/kafkaops"
	"kassa/services"
	"kassa/services/order"
	"kassa/services/payment"
)

// untilSignal is a context that ends with SIGINT, SIGTERM or SIGHUP.
func untilSignal(ctx context.Context) (context.Context, context.CancelFunc) {
	return signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
}

// newCluster is `kassa cluster`: just the brokers, for other programs.
func newCluster() *cobra.Command {
	var from clusterFlags
	cmd := &cobra.Command{
		Use:   "cluster",
		Short: "Run just the three brokers, in the foreground",
		Long: "cluster starts the three brokers and prints one line with their bootstrap servers on standard output when they are ready.\n" +
			"They end with it: ctrl+c, SIGTERM, SIGHUP, or kill -9.",
		Example: "kassa cluster\nkassa cluster --data-dir ./kassa-data --ports 9194,9195,9196",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			src, err := from.source()
			if err != nil {
				return err
			}
			ctx, stop := untilSignal(cmd.Context())
			defer stop()
			errs := cmd.ErrOrStderr()
			src.local.Log = slog.New(slog.NewTextHandler(errs, &slog.HandlerOptions{Level: slog.LevelWarn}))
			if err := src.preflight(ctx); err != nil {
				return err
			}
			var said string
			cluster, err := src.start(ctx, func(p kafkaops.Progress) {
				if text := p.Step; text != said {
					said = text
					fmt.Fprintln(errs, "kassa: "+text)
				}
			})
			if err != nil {
				if ctx.Err() != nil {
					return nil // told to end while starting
				}
				return err
			}
			info := cluster.Info()
			if info.Simulated {
				fmt.Fprintln(errs, "kassa: SIMULATED: "+info.Why)
			}
			if info.Note != "" {
				fmt.Fprintln(errs, "kassa: "+info.Note)
			}
			fmt.Fprintln(cmd.OutOrStdout(), strings.Join(cluster.Bootstrap(), ","))
			<-ctx.Done()
			if err := cluster.Close(); err != nil {
				return fmt.Errorf("end the brokers: %w", err)
			}
			return nil
		},
	}
	from.register(cmd)
	return cmd
}

// newService is `kassa service NAME`: one service alone, on any cluster.
func newService() *cobra.Command {
	var (
		from             remote
		instance, listen string
		asJSON           bool
		mails            mailFlags
		deliver          deliveryFlag
		acks             acksFlag
	)
	names := serviceNames()
	cmd := &cobra.Command{
		Use:   "service " + strings.Join(names, "|"),
		Short: "Run one service alone, headless",
		Long: "service runs one of the four services on the cluster at --brokers until it is told to end.\nanalytics writes a line an event on standard output, and the totals on standard error at its end and on SIGUSR1; logs go to standard error.\n" +
			"email sends its mails to --smtp; without it they are caught in the process, counted, and delivered to nobody.",
		Example:   "kassa service payment --brokers 127.0.0.1:9094,127.0.0.1:9095,127.0.0.1:9096\nkassa service order --brokers 127.0.0.1:9094\nkassa service analytics --json | jq .event.userId",
		ValidArgs: names,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 1 {
				for _, n := range names {
					if args[0] == n {
						return nil
					}
				}
			}
			return usageError{fmt.Errorf("service takes one name: %s", strings.Join(names, ", "))}
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := from.client()
			if err != nil {
				return err
			}
			mailing, err := mails.config()
			if err != nil {
				return err
			}
			if err := checkServiceFlags(args[0], cmd.Flags().Changed); err != nil {
				return err
			}
			if instance, err = instanceName(instance); err != nil {
				return err
			}
			ctx, stop := untilSignal(cmd.Context())
			defer stop()
			log := slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), nil)).With("service", args[0])
			log.Info("starting", "brokers", from.brokers, "instance", instance)
			if err := makeTopics(ctx, client, services.TopicSettings{}); err != nil {
				if ctx.Err() != nil {
					return nil
				}
				return &kafkaops.UserError{Message: fmt.Sprintf("no topic could be made on %s within %s: check --brokers and that the cluster is up (%v)", from.brokers, topicsWithin, err), Err: err}
			}
			go warnOfThinTopics(ctx, client, log) // nothing waits for it
			cfg := services.Config{Client: client, Instance: instance, Delivery: deliver.Delivery, Log: log}
			switch args[0] {
			case "payment":
				return servePayment(ctx, payment.Config{Client: client, Acks: acks.Acks, Log: log}, listen)
			case "order":
				return run1(ctx, services.NewRunner(order.Service(), cfg))
			case "email":
				return runEmail(ctx, mailing, cfg)
			default:
				return runAnalytics(ctx, cfg, asJSON, os.Stdout, cmd.ErrOrStderr())
			}
		},
	}
	from.register(cmd)
	deliver.register(cmd)
	acks.register(cmd)
	fl := cmd.Flags()
	fl.StringVar(&instance, "instance", "", "a name that no other running copy has, for stable transactional ids; @hostname takes this machine's (a container's); random when empty")
	fl.BoolVar(&asJSON, "json", false, "analytics writes JSON lines, and the totals as the last of them")
	fl.StringVar(&listen, "listen", "", "where payment takes POST /payment-service (the default is "+usualDoor+", or a free port when that is taken)")
	mails.register(cmd)
	return cmd
}

// serviceFlags are the flags of kassa service that are not for every service: whom they are for, and why not for another.
var serviceFlags = []struct {
	name     string
	services []string
	why      string // what another service, of which it is said, does not do
}{
	{"json", []string{"analytics"}, "writes no lines"},
	{"listen", []string{"payment"}, "takes no requests"},
	{"acks", []string{"payment"}, "takes no payments"},
	{"delivery", []string{"order", "email"}, "does not both read events and write them"},
	{"instance", []string{"order", "email", "analytics"}, "is in no consumer group"},
	{"smtp", []string{"email"}, "sends no mails"},
	{"mail", []string{"email"}, "sends no mails"},
}

// checkServiceFlags refuses a flag that means nothing to the service, which would run as if it had not been given.
func checkServiceFlags(service string, given func(flag string) bool) error {
	for _, f := range serviceFlags {
		if given(f.name) && !slices.Contains(f.services, service) {
			return usageError{fmt.Errorf("--%s is for %s: %s %s", f.name, inWords(f.services), service, f.why)}
		}
	}
	return nil
}

// inWords is a, b and c.
func inWords(list []string) string {
	last := len(list) - 1
	if last < 1 {
		return strings.Join(list, "")
	}
	return strings.Join(list[:last], ", ") + " and " + list[last]
}

// instanceName is what no other running copy is called.
func instanceName(given string) (string, error) {
	switch given {
	case "":
		return uuid.NewString(), nil
	case "@hostname":
		name, err := os.Hostname()
		if err != nil {
			return "", &kafkaops.UserError{Message: fmt.Sprintf("this machine's name cannot be found (%v): give another --instance", err), Err: err}
		}
		return name, nil
	}
	return given, nil
}

// run1 runs a service until it is told to end.
func run1(ctx context.Context, r *services.Runner) error {
	if err := r.Run(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// parseBrokers reads host:port,host:port.
func parseBrokers(text string) ([]string, error) {
	var addrs []string
	for _, a := range strings.Split(text, ",") {
		a = strings.TrimSpace(a)
		host, port, err := net.SplitHostPort(a)
		if err != nil || host == "" || port == "" {
			return nil, fmt.Errorf("--brokers takes host:port separated by commas, not %q", text)
		}
		addrs = append(addrs, a)
	}
	return addrs, nil
}
