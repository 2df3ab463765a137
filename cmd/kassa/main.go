// Command kassa runs a fault-tolerant checkout on three Kafka brokers and lets a person break them. This package is flags, wiring and
// exit codes; what it wires is in the packages that it imports.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"

	"charm.land/fang/v2"
	"github.com/charmbracelet/x/ansi"
	"github.com/spf13/cobra"

	"kassa/kafkaops"
	"kassa/kafkaops/local"
)

// version is the release; builds from a checkout say so.
const version = "0.1.0-dev"

// Exit codes.
const (
	exitOK     = 0
	exitBad    = 1 // it ran, and its verdict is bad
	exitCannot = 2
)

// errBadVerdict ends a command whose report has said all there is to say.
var errBadVerdict = errors.New("the verdict is bad")

func main() {
	// Two hidden programs live in this binary, so that they are there wherever it is: the parent of the brokers, and the one that puts the
	// terminal right after a crash. Both are started before any flag is read.
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case local.GuardCommand:
			runtime.LockOSThread() // Linux ties a broker's life to the thread that started it
			os.Exit(local.RunGuard(os.Stdin, os.Stdout))
		case keeperCommand:
			os.Exit(runKeeper(os.Stdin))
		}
	}
	os.Exit(run())
}

func run() int {
	err := fang.Execute(context.Background(), newRoot(),
		fang.WithVersion(version),
		fang.WithErrorHandler(func(w io.Writer, _ fang.Styles, err error) {
			if !errors.Is(err, errBadVerdict) && !errors.Is(err, errNoVerdict) {
				fmt.Fprintln(w, "kassa: "+oneLine(err))
			}
		}))
	return exitCode(err)
}

func exitCode(err error) int {
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errBadVerdict):
		return exitBad
	}
	return exitCannot
}

// oneLine is what a person is told: the sentence of a UserError, else the whole chain, never more than a line.
func oneLine(err error) string {
	var user *kafkaops.UserError
	text := err.Error()
	if errors.As(err, &user) {
		text = user.Message
	}
	text = strings.Join(strings.Fields(ansi.Strip(text)), " ")
	var flag usageError
	if errors.As(err, &flag) || strings.HasPrefix(text, "unknown command") {
		text += " (kassa --help lists what there is)"
	}
	return text
}

// usageError is a flag or argument that cannot be understood.
type usageError struct{ error }

func newRoot() *cobra.Command {
	root := newScreen()
	root.AddCommand(newCluster(), newService(), newTopics(), newReady(), newDoctor(), newDLQ(), newAudit(), newDrill(), newCompare())
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	return root
}

// noArgs refuses arguments with a sentence.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return usageError{fmt.Errorf("%s takes no argument, and was given %q", cmd.CommandPath(), args[0])}
}
