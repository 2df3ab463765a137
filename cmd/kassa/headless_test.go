package main

import (
	"errors"
	"io"
	"strings"
	"testing"
)

// A flag that means nothing to a service is not passed over in silence.
func TestServicesRefuseTheFlagsOfOthers(t *testing.T) {
	for args, want := range map[string]string{
		"order --json":                    "--json is for analytics: order writes no lines",
		"order --listen :8000":            "--listen is for payment: order takes no requests",
		"email --acks 1":                  "--acks is for payment: email takes no payments",
		"payment --delivery exactly-once": "--delivery is for order and email: payment does not both read events and write them",
		"payment --instance a":            "--instance is for order, email and analytics: payment is in no consumer group",
		"analytics --smtp mail:25":        "--smtp is for email: analytics sends no mails",
		"order --mail none":               "--mail is for email: order sends no mails",
	} {
		cmd := newService()
		cmd.SetArgs(strings.Fields(args))
		cmd.SetErr(io.Discard)
		err := cmd.ExecuteContext(t.Context())
		if _, usage := errors.AsType[usageError](err); !usage || err.Error() != want {
			t.Errorf("%s: %v", args, err)
		}
	}
	flags := newService().Flags()
	for _, f := range serviceFlags {
		if flags.Lookup(f.name) == nil {
			t.Errorf("there is no --%s", f.name)
		}
	}
}
