package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"kassa/services"
	"kassa/services/analytics"
)

// linesWithin is how long whoever reads the lines may keep analytics from ending, once it was told to: a pager that waits reads nothing. A
// Runner itself takes up to 2 s without a broker.
const linesWithin = 3 * time.Second

// runAnalytics writes a line an event to out until it is told to end, and the totals to errs then and on SIGUSR1. With asJSON each line is
// an object, and the totals are one of them.
func runAnalytics(ctx context.Context, cfg services.Config, asJSON bool, out, errs io.Writer) error {
	a := analytics.New(out)
	totals := func() { fmt.Fprint(errs, a.Report().Text()) }
	if asJSON {
		a.Format(analytics.JSONLine)
		totals = func() { a.Write(a.Report().JSON()) }
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
			tell()
			return err
		case <-late:
			tell()
			return nil
		}
	}
}
