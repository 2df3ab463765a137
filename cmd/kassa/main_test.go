//go:build !e2e

package main

import (
	"flag"
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	_ = flag.Set("test.parallel", "6") // they wait for the most part
	os.Exit(m.Run())
}
