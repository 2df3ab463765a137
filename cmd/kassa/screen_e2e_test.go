//go:build e2e

package main

import (
	"fmt"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The whole story, as a person at a terminal lives it: check out, kill the leader of a partition, see the new one, start it
// again, quit, and nothing is left.
func TestE2EStory(t *testing.T) {
	s := newTerminal(t, 120, 40, binary)
	s.see("3/3 up", "under-replicated 0", "9 partitions")

	s.press("c")
	s.see("1 complete", "0 in flight", "✓ acked", "Rs 6,949.70", "order ", "email ")

	leader := leaderOf(t, s.screen(), "payment", 0)
	s.press("5")
	for range leader - 1 {
		s.press("j")
	}
	s.press("K")
	s.see(fmt.Sprintf("Kill -9 broker %d?", leader), "leads 3 partitions", "2 of 3 remain")
	s.probeWarms()
	s.press("n")
	s.see("3/3 up")
	s.press("K")
	s.see(fmt.Sprintf("Kill -9 broker %d?", leader))
	s.press("y")

	s.see("2/3 up", "DOWN", fmt.Sprintf("%d→", leader), "under-replicated 9", fmt.Sprintf("kill -9 broker %d", leader), "leaders moved", "write gap", "acks resumed")
	if after := leaderOf(t, s.screen(), "payment", 0); after == leader {
		t.Errorf("the screen still shows broker %d as the leader", leader)
	}
	s.press("c")
	s.see("2 complete", "0 in flight")

	s.press("S")
	s.see(fmt.Sprintf("Start broker %d?", leader))
	s.press("y")
	s.see("3/3 up", "under-replicated 0", "ISR full")
	s.press("c")
	s.see("3 complete", "0 in flight")

	s.press("2", "k", "Enter")
	s.see("COMPLETE", "payment-successful/", "in a transaction")
	s.press("Enter")
	s.see("partition", "offset", "ce_type", `"userId"`)
	s.press("Escape") // on its own: with another key behind it a terminal would read alt and that key
	s.until("the record is closed", func() bool { return !strings.Contains(s.screen(), `"userId"`) })
	s.press("Escape")
	s.until("the checkout is closed", func() bool { return !strings.Contains(s.screen(), "COMPLETE") })
	s.press("z")
	s.see("payment-successful", "zoom")

	left := time.Now()
	s.press("q")
	s.see("exit 0")
	t.Logf("q took %d ms", time.Since(left).Milliseconds())
	s.restored()
	s.nothingLeft()
}

// With two of three brokers down the screen lives and says why nothing can be written, orders wait; after one start all that was pending completes.
func TestE2ETwoDown(t *testing.T) {
	s := newTerminal(t, 120, 40, binary+" --rate 50")
	s.see("3/3 up", "under-replicated 0", "9 partitions")
	s.press("b")
	s.see("load on", "50/s orders")
	s.press("5", "g", "K", "y")
	s.see("2/3 up", "leaders moved")
	s.press("j", "K", "y")
	s.see("1/3 up", "NO QUORUM", "WRITES WAIT", "writes cannot go on")
	s.press("c")
	s.see("the order waits: writes cannot go on", "waiting", "unacked")
	frozen := regexp.MustCompile(`no quorum for [0-9.]+ m?s`)
	before := frozen.FindString(s.screen())
	s.until("the clock of the outage goes on", func() bool { now := frozen.FindString(s.screen()); return now != "" && now != before })
	s.press("b")
	s.see("load off")
	s.press("S")
	s.see("Start broker 2?")
	begun := time.Now()
	s.press("y")
	s.see("2/3 up")
	answered := regexp.MustCompile(`✓ acked|✗ unknown`) // the screen waits 15 s for it; that it comes in any case is seen below
	s.until("the order has an answer", func() bool { return answered.MatchString(s.screen()) })
	acked := time.Since(begun)
	s.until("all that was pending is complete", func() bool {
		return strings.Contains(s.screen(), " 0 in flight") && !strings.Contains(s.screen(), "unacked")
	})
	t.Logf("after the start of one: the order was acknowledged after %d ms, all was complete after %d ms", acked.Milliseconds(), time.Since(begun).Milliseconds())
	if lost := regexp.MustCompile(`\d+ refused|\d+ dead-lettered`).FindString(s.screen()); lost != "" {
		t.Errorf("%s:\n%s", lost, s.screen())
	}
	s.press("q")
	s.see("exit 0")
	s.nothingLeft()
}

// probeWarms gives the probe, which writes since a question about a fault was asked, the time that young brokers take until each partition acknowledges
// steadily: a fault waits 1.5 s for that at most, and then tells no gap.
func (s *terminal) probeWarms() {
	s.t.Helper()
	asked := time.Now()
	s.until("the probe has written for a while", func() bool { return time.Since(asked) > 6*time.Second })
}

// leaderOf reads a leader from the partition pane: "payment  0 1→3  …".
func leaderOf(t *testing.T, screen, topic string, partition int) int {
	t.Helper()
	row := regexp.MustCompile(fmt.Sprintf(`%s +%d (?:\d→)?(\d)`, topic, partition)).FindStringSubmatch(screen)
	if row == nil {
		t.Fatalf("no leader of %s/%d on the screen:\n%s", topic, partition, screen)
	}
	return int(row[1][0] - '0')
}

// However kassa ends, its brokers end, its temporary data goes, and the terminal is as it was. SIGQUIT is how the Go runtime dies of
// a panic in any goroutine: at once, with a trace.
func TestE2EEnds(t *testing.T) {
	for _, end := range []struct {
		sig  syscall.Signal
		says string
	}{
		{syscall.SIGTERM, "exit 0"},
		{syscall.SIGHUP, "exit 0"},
		{syscall.SIGKILL, "kassa ended without a goodbye"},
		{syscall.SIGQUIT, "kassa ended without a goodbye"},
	} {
		t.Run(end.sig.String(), func(t *testing.T) {
			s := newTerminal(t, 100, 30, binary)
			s.see("3/3 up")
			if n := len(s.brokers()); n < 3 {
				t.Fatalf("%d brokers run: the test looks at the wrong processes", n)
			}
			s.press("b")
			s.see("load on")
			s.signal(end.sig)
			s.see(end.says)
			s.restored()
			s.nothingLeft()
		})
	}
}

// A person who leaves while the brokers are still coming up leaves nothing behind either.
func TestE2EQuitWhileStarting(t *testing.T) {
	s := newTerminal(t, 80, 24, binary)
	s.see("starting")
	s.press("q")
	s.see("exit 0")
	s.restored()
	s.nothingLeft()
}

// What cannot work says so in one sentence and exits with 2, before the terminal is touched.
func TestE2ERefusals(t *testing.T) {
	for _, c := range []struct {
		name    string
		w, h    int
		command string
		says    string
	}{
		{"too small", 50, 17, binary, "enlarge it"},
		{"dumb", 80, 24, "TERM=dumb " + binary, "TERM=dumb"},
		{"no terminal", 80, 24, binary + " | cat; false", "needs a terminal"},
		{"wrong flag", 80, 24, binary + " --nonsense", "unknown flag: --nonsense"},
		{"wrong cluster", 80, 24, binary + " --cluster moon", "auto, local, compose or embedded"},
		{"wrong home", 80, 24, binary + " --kafka-home /nonexistent", "/nonexistent"},
		{"no Java", 80, 24, "JAVA_HOME=/nonexistent PATH=/usr/bin:/bin " + binary + " --cluster local", "Java"},
		{"read-only", 80, 24, binary + " --data-dir /proc/kassa", "/proc/kassa"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newTerminal(t, c.w, c.h, c.command)
			screen := s.see("kassa: ", "exit ")
			flat := strings.Join(strings.Fields(screen), " ")
			if !strings.Contains(flat, c.says) {
				t.Errorf("it does not say %q:\n%s", c.says, screen)
			}
			if !strings.Contains(flat, "exit 2") && c.name != "no terminal" { // that one's status is the pipe's
				t.Errorf("the exit code is not 2:\n%s", screen)
			}
			s.restored()
			s.nothingLeft()
		})
	}
}
