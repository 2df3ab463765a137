//go:build !e2e

package tail

import (
	"flag"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	_ = flag.Set("test.parallel", "6") // they wait for the most part
	goleak.VerifyTestMain(m)
}
