//go:build e2e

package embedded

import (
	"testing"

	"kassa/kafkaops"
	"kassa/kafkaops/conformance"
)

// What cannot be told by a fake clock takes the stock profile's sessions as long as they are: too long for the quick tests.
func TestE2EConformanceInRealTime(t *testing.T) {
	for _, c := range conformance.Cases() {
		if c.RealTime {
			t.Run(c.Name, func(t *testing.T) { c.Do(t, subject(t, kafkaops.Stock())) })
		}
	}
}
