package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// readyWithin is how long the answer may take. A service's own /readyz answers within a second.
const readyWithin = 2 * time.Second

// newReady is `kassa ready`: the health check of a container that holds nothing but this program. Exit code 0 is yes, 1 is no.
func newReady() *cobra.Command {
	return &cobra.Command{
		Use:    "ready URL",
		Short:  "Ask a service whether it is ready (the health check of its container)",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), readyWithin)
			defer cancel()
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, args[0], nil)
			if err != nil {
				return usageError{fmt.Errorf("ready takes a URL such as http://127.0.0.1:8000/readyz, not %q", args[0])}
			}
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				fmt.Fprintln(cmd.ErrOrStderr(), err)
				return errBadVerdict
			}
			defer res.Body.Close()
			if res.StatusCode != http.StatusOK {
				why, _ := io.ReadAll(io.LimitReader(res.Body, 1024)) // the code says enough without it
				fmt.Fprintln(cmd.ErrOrStderr(), res.StatusCode, strings.TrimSpace(string(why)))
				return errBadVerdict
			}
			return nil
		},
	}
}
