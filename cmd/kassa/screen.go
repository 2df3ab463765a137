package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/term"
	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"kassa/kafkaops"
	"kassa/services/load"
	"kassa/services/payment"
	"kassa/tui"
)

// newScreen is kassa itself: the shop, its cluster and the screen, in one process.
func newScreen() *cobra.Command {
	var (
		from    clusterFlags
		mails   mailFlags
		deliver deliveryFlag
		acks    acksFlag
		doors   doorFlag
		looks   lookFlags
		logFile string
		mouse   bool
		rate    int
		file    string
	)
	cmd := &cobra.Command{
		Use:   "kassa",
		Short: "A checkout on three Kafka brokers that you may break",
		Long: "kassa runs an e-commerce checkout (payment → order → email) on three Kafka brokers: real ones where Java is at hand,\n" +
			"else simulated ones. Press c to check out, 5 and K to kill a broker, and watch the leaders move and the orders survive.",
		Example: "kassa\nkassa --cluster embedded\nkassa --data-dir ./kassa-data\nKAFKA_HOME=/opt/kafka kassa",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			src, err := from.source()
			if err != nil {
				return err
			}
			products, err := loadCatalogue(file)
			if err != nil {
				return err
			}
			mailing, err := mails.config()
			if err != nil {
				return err
			}
			if rate < 1 || rate > load.MaxRate {
				return usageError{fmt.Errorf("--rate is 1 to %d orders a second, not %d", load.MaxRate, rate)}
			}
			screen := tui.Config{Catalogue: products, CartLimit: payment.MaxItems, Mouse: mouse, Alone: alone(), LoadRate: rate}
			if err := looks.into(&screen); err != nil {
				return err
			}
			if err := checkTerminal(); err != nil {
				return err
			}
			logs, path, err := openLog(logFile)
			if err != nil {
				return err
			}
			defer logs.Close()
			src.local.Log = slog.New(slog.NewTextHandler(logs, nil))
			screen.LogFile, screen.Log = path, src.local.Log
			crashLog(logs)
			if err := src.look(cmd.Context()); err != nil { // an engine is asked behind the screen
				return err
			}
			if src.services == servicesConnect && doors.addr != "" && doors.addr != noDoor {
				return usageError{errors.New("--http is for a payment service in this process, and --services connect uses the one in its container: leave one of them out")}
			}
			var door *door
			if src.services != servicesConnect { // the container's door may be on the same port
				if door, err = doors.open(); err != nil {
					return err
				}
			}
			s := &session{src: src, doors: doors, shopCfg: shopConfig{Products: products, Mail: mailing, Delivery: deliver.Delivery, Acks: acks.Acks, Door: door}}
			return runScreen(cmd.Context(), s, screen)
		},
	}
	from.register(cmd)
	from.registerServices(cmd)
	mails.register(cmd)
	deliver.register(cmd)
	acks.register(cmd)
	doors.register(cmd)
	looks.register(cmd)
	cmd.Flags().StringVar(&logFile, "log-file", "", "where logs go (the default is in the user's cache directory)")
	cmd.Flags().BoolVar(&mouse, "mouse", true, "click focuses and the wheel scrolls; off leaves the mouse to the terminal")
	cmd.Flags().StringVar(&file, "catalogue", "", "a YAML or JSON file of what the shop sells: a list of id, name, price, image, description")
	cmd.Flags().IntVar(&rate, "rate", 50, fmt.Sprintf("orders a second that b turns on, 1 to %d", load.MaxRate))
	return cmd
}

// alone says that no shell can take the terminal over and give it back (job control). A process group that is its session's first has no parent that could:
// the kernel does not stop it, and whoever waits to be continued waits for good.
func alone() bool {
	session, err := unix.Getsid(0)
	return err == nil && session == unix.Getpgrp()
}

// checkTerminal refuses what the screen cannot be drawn on.
func checkTerminal() error {
	sentence := func(format string, args ...any) error {
		return &kafkaops.UserError{Message: fmt.Sprintf(format, args...)}
	}
	if !term.IsTerminal(os.Stdout.Fd()) || !term.IsTerminal(os.Stdin.Fd()) {
		return sentence("the screen needs a terminal for input and output: run kassa in one, or see 'kassa cluster' and 'kassa service' for use without")
	}
	if os.Getenv("TERM") == "dumb" {
		return sentence("the terminal says that it is dumb (TERM=dumb): set TERM to what it is, such as xterm-256color")
	}
	w, h, err := term.GetSize(os.Stdout.Fd())
	if err == nil && w > 0 && h > 0 && (w < tui.MinWidth || h < tui.MinHeight) {
		return sentence("the terminal is %d×%d and kassa needs %d×%d: enlarge it and start again", w, h, tui.MinWidth, tui.MinHeight)
	}
	return nil
}

// runScreen shows the screen until a person leaves, then ends all that was started.
func runScreen(parent context.Context, s *session, cfg tui.Config) error {
	ctx, cancel := context.WithCancel(parent)
	defer cancel()

	tune(s.src.provider == providerEmbedded)
	keeper, err := startKeeper(os.Stdout, cfg.LogFile)
	if err != nil {
		cfg.Log.Warn("the terminal will not be restored after a crash", "err", err)
	}

	cfg.Start, cfg.Switch, cfg.Providers = s.up, s.change, s.providers
	model := tui.New(ctx, cfg)
	program := tea.NewProgram(model, tea.WithFPS(tui.FramesPerSecond))

	// Bubble Tea leaves on SIGINT and SIGTERM; a terminal that goes away sends SIGHUP.
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	go func() {
		select {
		case <-hup:
			program.Quit()
		case <-ctx.Done():
		}
	}()

	last, err := program.Run()
	cancel()
	if !errors.Is(err, tea.ErrProgramPanic) {
		keeper.dismiss()
	}
	s.down()
	if m, ok := last.(*tui.Model); ok { // another than the first where the brokers were changed
		model = m
	}
	switch {
	case model.Err() != nil:
		return model.Err()
	case err == nil, errors.Is(err, tea.ErrInterrupted):
		return nil
	}
	return fmt.Errorf("the screen ended: %w", err)
}
