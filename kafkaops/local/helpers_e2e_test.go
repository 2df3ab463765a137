//go:build e2e

package local

// helpers are programs for tests to kill.
var helpers = map[string]func() int{"keeper": keeper, "holder": holder}
