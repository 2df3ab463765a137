//go:build e2e

package main

import (
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Every fault that the screen offers works on simulated brokers, while orders come; and none of these is lost. SIMULATED stands in the header all the time.
func TestE2EEveryFaultOfSimulatedBrokers(t *testing.T) {
	s := newTerminal(t, 130, 42, binary+" --cluster embedded --http none --rate 100")
	s.see("SIMULATED", "3/3 up", "under-replicated 0")
	s.press("b", "5")
	s.see("load on")
	completed := regexp.MustCompile(`([\d,]+) complete`)
	complete := func() string {
		if m := completed.FindStringSubmatch(s.screen()); m != nil {
			return m[1]
		}
		return ""
	}
	flows := func() { // orders go on
		t.Helper()
		before := complete()
		s.until("more orders are complete", func() bool { now := complete(); return now != "" && now != before })
	}
	well := func() {
		t.Helper()
		screen := s.see("3/3 up", "under-replicated 0")
		if !strings.Contains(screen, "SIMULATED") {
			t.Errorf("the header does not say SIMULATED: %.200s", screen)
		}
		flows()
	}
	for _, c := range []struct {
		name       string
		keys, undo []string
		shows      []string
	}{
		{"kill -9", []string{"g", "K", "y"}, []string{"S", "y"}, []string{"DOWN", "2/3 up", "kill -9 broker 1"}},
		{"controlled stop", []string{"j", "s", "y"}, []string{"S", "y"}, []string{"DOWN", "2/3 up", "stop broker 2"}},
		{"pause", []string{"j", "p", "y"}, []string{"p", "y"}, []string{"PAUSED", "2/3 up", "pause broker 3"}},
		{"cut of the network", []string{"g", "x", "y"}, []string{"x", "y"}, []string{" CUT ", "2/3 up", "cut broker 1"}},
		{"restart", []string{"j", "r", "y"}, nil, []string{"restart broker 2"}},
		{"kill -9 of the controller", []string{"C", "K", "y"}, []string{"S", "y"}, []string{"DOWN", "2/3 up", ", controller"}},
		{"rolling restart", []string{"R", "y"}, nil, []string{"rolling restart"}},
		{"election of the preferred leaders", []string{"e", "y"}, nil, []string{"elect preferred leaders"}},
	} {
		well()
		s.press("5")
		s.press(c.keys...)
		s.see(c.shows...)
		flows()
		s.press(c.undo...)
		t.Logf("%s: orders went on", c.name)
	}
	since := time.Now() // the rolling restart is over when all have stayed up for a while
	s.until("three brokers stay up", func() bool {
		if !strings.Contains(s.screen(), "3/3 up") {
			since = time.Now()
		}
		return time.Since(since) > 5*time.Second
	})
	well()
	// Two of three: nothing can be written until one is back.
	s.press("5", "g", "K", "y")
	s.see("2/3 up")
	s.press("j", "K", "y")
	s.see("1/3 up", "NO QUORUM", "WRITES WAIT")
	started := func(up string) { // one that is not over with its death yet cannot be started
		t.Helper()
		asked := time.Time{}
		s.until("it is started", func() bool {
			if time.Since(asked) > 5*time.Second {
				s.press("S", "y")
				asked = time.Now()
			}
			return strings.Contains(s.screen(), up)
		})
	}
	started("2/3 up")
	flows()
	s.press("k")
	started("3/3 up")
	well()
	s.press("b")
	s.see("load off", " 0 in flight")
	s.press("q")
	s.see("exit 0")
	s.restored()
	s.nothingLeft()
}

// BenchmarkSimulated is what a person with nothing installed gets: how long until there is a screen and until it is ready, and the memory that the program has at rest and
// under 500 orders a second. KASSA_SOAK says for how long these come (an hour: KASSA_SOAK=1h, with -timeout 2h); KASSA_SOAK_RATE is another rate.
//
//	go test -tags e2e -run '^$' -bench Simulated -benchtime 1x ./cmd/kassa
func BenchmarkSimulated(b *testing.B) {
	soak, rate := 30*time.Second, "500"
	if text := os.Getenv("KASSA_SOAK"); text != "" {
		var err error
		if soak, err = time.ParseDuration(text); err != nil {
			b.Fatal(err)
		}
	}
	if text := os.Getenv("KASSA_SOAK_RATE"); text != "" {
		rate = text
	}
	for b.Loop() {
		begun := time.Now()
		s := newTerminal(b, 130, 42, binary+" --cluster embedded --http none --rate "+rate)
		s.see("1 checkout", "7 timeline")
		b.ReportMetric(float64(time.Since(begun).Milliseconds()), "screen-ms")
		s.see("SIMULATED", "3/3 up", "under-replicated 0")
		b.ReportMetric(float64(time.Since(begun).Milliseconds()), "ready-ms")
		most := func(during time.Duration) (mb float64) {
			for begun := time.Now(); time.Since(begun) < during; {
				mb = max(mb, residentMB(b, s.kassa()))
				hold(b, time.Second)
			}
			return mb
		}
		b.ReportMetric(most(10*time.Second), "MB-at-rest")
		s.press("b")
		s.see("load on")
		b.ReportMetric(most(soak), "MB-under-load")
		b.Logf("%s\n", strings.TrimSpace(strings.SplitN(s.screen(), "\n", 2)[0]))
		s.press("q")
		s.see("exit 0")
	}
}

// residentMB is the memory of a process that is in RAM, in MB.
func residentMB(b *testing.B, pid int) float64 {
	b.Helper()
	out, err := exec.Command("ps", "-o", "rss=", "-p", strconv.Itoa(pid)).Output()
	if err != nil {
		b.Fatal(err)
	}
	kB, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
	if err != nil {
		b.Fatal(err)
	}
	return kB / 1024
}
