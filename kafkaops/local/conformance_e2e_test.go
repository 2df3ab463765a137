//go:build e2e

package local

import (
	"testing"

	"kassa/kafkaops/conformance"
)

// Real brokers are what the suite is true of.
func TestE2EConformance(t *testing.T) {
	s := &conformance.Subject{Cluster: up(t, Config{})}
	for _, c := range conformance.Cases() {
		t.Run(c.Name, func(t *testing.T) { c.Do(t, s) })
	}
}
