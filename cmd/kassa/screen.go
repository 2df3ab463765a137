package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/term"
	"github.com/spf13/cobra"

	"kassa/kafkaops"
	"kassa/kafkaops/local"
	"kassa/tui"
)

// framesPerSecond caps how often the screen is written. People see no more, and a core is not for drawing.
const framesPerSecond = 20

// newScreen is kassa itself: the shop, its cluster and the screen, in one process.
func newScreen() *cobra.Command {
	var (
		from    clusterFlags
		logFile string
		mouse   bool
		rate    int
	)
	cmd := &cobra.Command{
		Use:   "kassa",
		Short: "A checkout on three Kafka brokers that you may break",
		Long: "kassa runs an e-commerce checkout (payment → order → email) on three real Kafka brokers.\n" +
			"Press c to check out, 5 and K to kill a broker, and watch the leaders move and the orders survive.",
		Example: "kassa\nkassa --data-dir ./kassa-data\nKAFKA_HOME=/opt/kafka kassa",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := from.config()
			if err != nil {
				return err
			}
			if rate < 1 || rate > 2000 {
				return usageError{fmt.Errorf("--rate is 1 to 2000 orders a second, not %d", rate)}
			}
			if err := checkTerminal(); err != nil {
				return err
			}
			file, path, err := openLog(logFile)
			if err != nil {
				return err
			}
			defer file.Close()
			cfg.Log = slog.New(slog.NewTextHandler(file, nil))
			crashLog(file)
			if err := local.Preflight(cmd.Context(), cfg); err != nil {
				return err
			}
			return runScreen(cmd.Context(), cfg, tui.Config{LogFile: path, Mouse: mouse, LoadRate: rate})
		},
	}
	from.register(cmd)
	cmd.Flags().StringVar(&logFile, "log-file", "", "where logs go (the default is in the user's cache directory)")
	cmd.Flags().BoolVar(&mouse, "mouse", true, "click focuses and the wheel scrolls; off leaves the mouse to the terminal")
	cmd.Flags().IntVar(&rate, "rate", 50, "orders a second that b turns on, 1 to 2000")
	return cmd
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

// leaveWithin is how long the end may take: the data is temporary, or safe on the disk.
const (
	leaveWithin = 1800 * time.Millisecond
	goodbyes    = 400 * time.Millisecond
)

// runScreen shows the screen until a person leaves, then ends all that was started.
func runScreen(parent context.Context, cluster local.Config, cfg tui.Config) error {
	ctx, cancel := context.WithCancel(parent)
	defer cancel()

	// The brokers need the machine more than we do. With one processor Go's scheduler wakes no others for work of microseconds: at rest
	// that halved what kassa takes of a core (8.3 to 4.8 %), at 200 orders a second it took 3 points off. The collector is
	// told to use memory instead: what lives here is some 20 MB. Values that the user has set stand.
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(1)
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400)
	}

	keeper, err := startKeeper(os.Stdout, cfg.LogFile)
	if err != nil {
		cluster.Log.Warn("the terminal will not be restored after a crash", "err", err)
	}

	var started starting
	cfg.Catalogue = catalogue()
	cfg.Start = func(ctx context.Context, progress func(kafkaops.Progress)) (*tui.Backend, error) {
		return started.up(ctx, cluster, progress)
	}
	model := tui.New(ctx, cfg)
	program := tea.NewProgram(model, tea.WithFPS(framesPerSecond))

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

	_, err = program.Run()
	cancel()
	if !errors.Is(err, tea.ErrProgramPanic) {
		keeper.dismiss()
	}
	started.down(cluster)
	switch {
	case model.Err() != nil:
		return model.Err()
	case err == nil, errors.Is(err, tea.ErrInterrupted):
		return nil
	}
	return fmt.Errorf("the screen ended: %w", err)
}

// starting is a cluster and a shop that may still be on their way up when it is time to leave.
type starting struct {
	mu      sync.Mutex // held while they come up
	shop    *shop
	cluster *local.Cluster
}

// up starts the cluster, then the shop on it.
func (s *starting) up(ctx context.Context, cfg local.Config, progress func(kafkaops.Progress)) (*tui.Backend, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	cluster, err := local.Start(ctx, cfg, progress)
	if err != nil {
		return nil, err
	}
	s.cluster = cluster
	progress(kafkaops.Progress{Step: "opening the shop", Nodes: cluster.Nodes()})
	s.shop, err = openShop(ctx, cluster, cfg.Log)
	if err != nil {
		return nil, err
	}
	return s.shop.backend(cluster), nil
}

// down ends both, and gives up waiting when it takes too long: the guard ends the brokers in any case.
func (s *starting) down(cfg local.Config) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.shop != nil && cfg.DataDir != "" {
			// The data stays: let the services leave their groups and what is pending be acknowledged.
			s.shop.close(goodbyes)
		}
		if s.cluster != nil {
			if err := s.cluster.Close(); err != nil {
				cfg.Log.Error("closing the cluster", "err", err)
			}
		}
	}()
	select {
	case <-done:
	case <-time.After(leaveWithin):
		cfg.Log.Warn("left before everything was closed")
	}
}
