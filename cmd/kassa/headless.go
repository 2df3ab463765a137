package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"kassa/kafkaops"
	"kassa/kafkaops/local"
	"kassa/services"
	"kassa/services/analytics"
	"kassa/services/email"
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
			cfg, err := from.config()
			if err != nil {
				return err
			}
			ctx, stop := untilSignal(cmd.Context())
			defer stop()
			errs := cmd.ErrOrStderr()
			cfg.Log = slog.New(slog.NewTextHandler(errs, &slog.HandlerOptions{Level: slog.LevelWarn}))
			if err := local.Preflight(ctx, cfg); err != nil {
				return err
			}
			var said string
			cluster, err := local.Start(ctx, cfg, func(p kafkaops.Progress) {
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
			if note := cluster.Info().Note; note != "" {
				fmt.Fprintln(errs, "kassa: "+note)
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
	var brokers, instance, listen string
	names := []string{"payment", "order", "email", "analytics"}
	cmd := &cobra.Command{
		Use:       "service " + strings.Join(names, "|"),
		Short:     "Run one service alone, headless",
		Long:      "service runs one of the four services on the cluster at --brokers until it is told to end.\nanalytics writes a line an event on standard output; logs go to standard error.",
		Example:   "kassa service payment --brokers 127.0.0.1:9094,127.0.0.1:9095,127.0.0.1:9096\nkassa service order --brokers 127.0.0.1:9094",
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
			bootstrap, err := parseBrokers(brokers)
			if err != nil {
				return usageError{err}
			}
			if instance == "" {
				instance = uuid.NewString()
			}
			ctx, stop := untilSignal(cmd.Context())
			defer stop()
			log := slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), nil)).With("service", args[0])
			client := kafkaops.ClientOptions(bootstrap)
			log.Info("starting", "brokers", brokers, "instance", instance)
			if err := makeTopics(ctx, client); err != nil {
				if ctx.Err() != nil {
					return nil
				}
				return &kafkaops.UserError{Message: fmt.Sprintf("no topic could be made on %s within %s: check --brokers and that the cluster is up (%v)", brokers, topicsWithin, err), Err: err}
			}
			cfg := services.Config{Client: client, Instance: instance, Log: log}
			switch args[0] {
			case "payment":
				p, err := payment.New(payment.Config{Client: client, Log: log})
				if err != nil {
					return err
				}
				return servePayment(ctx, p, listen, log)
			case "order":
				return run1(ctx, services.NewRunner(order.Service(), cfg))
			case "email":
				return run1(ctx, services.NewRunner(email.Service(), cfg))
			default:
				return run1(ctx, services.NewRunner(analytics.New(os.Stdout).Service(), cfg))
			}
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&brokers, "brokers", "127.0.0.1:9094,127.0.0.1:9095,127.0.0.1:9096", "bootstrap servers, host:port separated by commas")
	fl.StringVar(&instance, "instance", "", "a name that no other running copy has, for stable transactional ids; random when empty")
	fl.StringVar(&listen, "listen", "127.0.0.1:8000", "where payment takes POST /payment-service")
	return cmd
}

// run1 runs a service until it is told to end.
func run1(ctx context.Context, r *services.Runner) error {
	if err := r.Run(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// drain is how long payment waits for what was accepted to be acknowledged before it ends.
const drain = 5 * time.Second

// servePayment takes checkouts over HTTP until ctx ends, then lets what is under way finish.
func servePayment(ctx context.Context, p *payment.Service, listen string, log *slog.Logger) error {
	finish := func() {
		ctx, cancel := context.WithTimeout(context.Background(), drain)
		defer cancel()
		if err := p.Close(ctx); err != nil {
			log.Warn("payments were pending at the end: their outcome is unknown", "err", err)
		}
	}
	l, err := net.Listen("tcp", listen)
	if err != nil {
		finish()
		return &kafkaops.UserError{Message: fmt.Sprintf("payment cannot listen on %s (%v): choose another address with --listen", listen, err), Err: err}
	}
	srv := payment.Server(p)
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(l) }()
	log.Info("taking checkouts", "url", "http://"+l.Addr().String()+"/payment-service")
	select {
	case err = <-ended:
	case <-ctx.Done():
		shut, cancel := context.WithTimeout(context.Background(), drain)
		defer cancel()
		err = srv.Shutdown(shut)
	}
	finish()
	if err != nil && !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve payments: %w", err)
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
