package drill

import (
	"os"
	"testing"

	"kassa/kafkaops/local"
)

// TestMain lets the test binary be the guard of the brokers that it starts.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == local.GuardCommand {
		os.Exit(local.RunGuard(os.Stdin, os.Stdout))
	}
	os.Exit(m.Run())
}
