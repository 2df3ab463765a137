package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"kassa/kafkaops"
	"kassa/services"
	"kassa/services/analytics"
)

// linesWithin is how long whoever reads the lines may keep analytics from ending, once it was told to: a pager that waits reads nothing. A
// Runner itself takes up to 2 s without a broker.
const linesWithin = 3 * time.Second

// runAnalytics writes a line an event to out until it is told to end, and the totals to errs then and on SIGUSR1. With asJSON each line is
// an object, and the totals are one of them. A line that cannot be written ends it, without an error if nobody reads any more.
func runAnalytics(ctx context.Context, cfg services.Config, asJSON bool, out, errs io.Writer) error {
	// A closed pipe is an error of its write, and not the end of the process, which would leave the group without a word.
	pipes := make(chan os.Signal, 1)
	signal.Notify(pipes, syscall.SIGPIPE)
	defer signal.Stop(pipes)

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	a := analytics.New(out)
	broken := make(chan error, 1)
	a.OnBroken(func(err error) {
		broken <- err
		cancel()
	})
	totals := func() { fmt.Fprint(errs, a.Report().Text()) }
	if asJSON {
		a.Format(analytics.JSONLine)
		totals = func() { _ = a.Write(a.Report().JSON()) }
	}
	tell := func() {
		told := make(chan struct{})
		go func() {
			defer close(told)
			totals()
		}()
		select {
		case <-told:
		case <-time.After(linesWithin):
		}
	}
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGUSR1)
	defer signal.Stop(asked)
	end := func(err error) error {
		tell()
		select {
		case why := <-broken:
			return brokenLines(why)
		default:
			return err
		}
	}

	ended := make(chan error, 1)
	go func() { ended <- run1(ctx, services.NewRunner(a.Service(), cfg)) }()
	late := make(<-chan time.Time)
	told := ctx.Done()
	for {
		select {
		case <-asked:
			tell()
		case <-told:
			told, late = nil, time.After(linesWithin)
		case err := <-ended:
			return end(err)
		case <-late:
			return end(nil)
		}
	}
}

// brokenLines is how a run ends whose lines could not be written.
func brokenLines(err error) error {
	if errors.Is(err, syscall.EPIPE) {
		return nil // as of `| head`, which has read enough
	}
	return &kafkaops.UserError{Message: fmt.Sprintf("the lines of analytics could not be written to standard output (%v): make room where they go, and start it again: it leaves no event out, and repeats the last lines", err), Err: err}
}
