package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
)

// Topics that are made while brokers are down have fewer replicas for good, and whoever makes them says so.
func TestTopicsWithFewReplicasAreSaid(t *testing.T) {
	t.Parallel()
	for brokers, want := range map[int]bool{1: true, 2: true, 3: false} {
		t.Run(fmt.Sprint(brokers), func(t *testing.T) {
			t.Parallel()
			c, err := kfake.NewCluster(kfake.NumBrokers(brokers))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(c.Close)
			var errs bytes.Buffer
			cmd := newTopics()
			cmd.SetArgs([]string{"--brokers", strings.Join(c.ListenAddrs(), ","), "--at-least", "1"})
			cmd.SetErr(&errs)
			if err := cmd.ExecuteContext(t.Context()); err != nil {
				t.Fatal(err)
			}
			said := strings.Contains(errs.String(), "fewer than 3 replicas") && strings.Contains(errs.String(), "kassa doctor") &&
				strings.Contains(errs.String(), fmt.Sprintf("email-successful (%d), email-successful.dlq (%d)", brokers, brokers))
			if said != want {
				t.Errorf("it said:\n%s", &errs)
			}
		})
	}
}
