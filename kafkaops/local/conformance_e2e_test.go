//go:build e2e

package local

import (
	"regexp"
	"testing"

	"kassa/kafkaops/conformance"
)

// Real brokers are what the suite is true of. In the short form (go test -short) what is done to a follower of the quorum is left out: its leader is both.
func TestE2EConformance(t *testing.T) {
	s := &conformance.Subject{Cluster: up(t, Config{})}
	for _, c := range conformance.Cases() {
		if testing.Short() && regexp.MustCompile(`follower of the quorum is killed|a broker is (paused|stopped)`).MatchString(c.Name) {
			continue
		}
		t.Run(c.Name, func(t *testing.T) { c.Do(t, s) })
	}
}
