//go:build e2e

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What a person chooses about the screen is there in the next run; a file that is broken is said, and stops nobody. The brokers are simulated.
func TestE2ELook(t *testing.T) {
	file := filepath.Join(t.TempDir(), "kassa", "screen.yaml")
	run := func(flags string) *terminal {
		return newTerminal(t, 120, 40, binary+" --cluster embedded --http none"+flags, "KASSA_CONFIG="+file)
	}
	s := run("")
	s.see("3/3 up", "0 charts")
	s.press("w", "w", "w")
	s.see("layout charts")
	s.press("7", "H")
	s.see("timeline is hidden")
	s.press("V", "l")
	s.see("◀ dark ▶", file)
	s.press("Escape") // on its own: with another key behind it a terminal would read alt and that key
	s.until("the menu is closed", func() bool { return !strings.Contains(s.screen(), "esc closes") })
	s.until("it is written", func() bool {
		text, _ := os.ReadFile(file)
		return strings.Contains(string(text), "theme: dark") && strings.Contains(string(text), "layout: charts") && strings.Contains(string(text), "timeline")
	})
	s.press("q")
	s.see("exit 0")
	s.restored()

	s = run("")
	s.see("3/3 up", "0 charts", "6 ▸partitions")
	if screen := s.screen(); strings.Contains(screen, "7 timeline") || strings.Contains(screen, "2 payment") {
		t.Errorf("it is another layout than the one that was left:\n%s", screen)
	}
	s.press("q")
	s.see("exit 0")

	if err := os.WriteFile(file, []byte("theme: [pink"), 0o600); err != nil {
		t.Fatal(err)
	}
	s = run(" --theme none")
	s.see("3/3 up", "2 payment", "how the screen looked is not known")
	s.press("q")
	s.see("exit 0")
	if text, _ := os.ReadFile(file); string(text) != "theme: [pink" {
		t.Errorf("nothing was chosen, and the file is %q", text)
	}

	s = newTerminal(t, 80, 24, binary+" --theme pink")
	if screen := s.see("exit 2"); !strings.Contains(strings.Join(strings.Fields(screen), " "), "colour-blind, 16 or none, not \"pink\"") {
		t.Errorf("it says:\n%s", screen)
	}
}
