//go:build e2e && docs

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestFaultTable writes docs/faults.md: every kind of fault, and what the panes showed 1, 5 and 15 seconds after it, read off a real terminal with
// real brokers. It takes five minutes. SCREENSHOT names a program that draws a tmux pane (screenshot SOCKET TARGET OUT.png); without it there
// are no pictures.
//
//	SCREENSHOT=$PWD/.ci/screenshot go test -tags e2e,docs -run FaultTable -timeout 20m ./cmd/kassa
func TestFaultTable(t *testing.T) {
	out := filepath.Join("..", "..", "docs")
	pictures := filepath.Join(out, "faults")
	if err := os.MkdirAll(pictures, 0o755); err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	table.WriteString("# What the screen shows after each fault\n\n" +
		"Read off the program by `SCREENSHOT=$PWD/.ci/screenshot go test -tags e2e,docs -run FaultTable -timeout 20m ./cmd/kassa`: three brokers, 50 orders a second, 120×40. " +
		"Leaders counts the nine partitions whose leader is not the preferred one, ISR those that lack a replica.\n\n" +
		"| fault | after | header | brokers | partitions | orders | timeline |\n|---|---|---|---|---|---|---|\n")
	s := newTerminal(t, 120, 40, binary+" --rate 50")
	s.see("3/3 up", "under-replicated 0", "9 partitions")
	s.press("b", "5")
	s.see("load on", "50/s orders")
	well := func() {
		t.Helper()
		s.until("all is well", func() bool {
			screen := s.screen()
			return strings.Contains(screen, "3/3 up") && strings.Contains(screen, "under-replicated 0") && !strings.Contains(screen, "≠")
		})
	}
	follower := func() string { // a broker that does not lead the quorum
		if strings.Contains(regexp.MustCompile(`controller (\d)`).FindString(s.screen()), "1") {
			return "2"
		}
		return "1"
	}
	point := func(id string) {
		s.press("5", "g")
		for range id[0] - '1' {
			s.press("j")
		}
	}
	for _, c := range []struct {
		name string
		do   func()
		undo func()
	}{
		{"kill -9 of a broker", func() { point(follower()); s.press("K"); s.probeWarms(); s.press("y") }, func() { s.press("S", "y") }},
		{"kill -9 of the controller", func() { s.press("5", "C", "K", "y") }, func() { s.press("S", "y") }},
		{"controlled stop", func() { point(follower()); s.press("s", "y") }, func() { s.see("DOWN"); s.press("S", "y") }},
		{"pause of a leader", func() { point(follower()); s.press("p", "y") }, func() { s.press("p", "y") }},
		{"pause of the controller", func() { s.press("5", "C", "p", "y") }, func() { s.press("p", "y") }},
		{"restart", func() { point(follower()); s.press("r", "y") }, func() {}},
		{"rolling restart", func() { s.press("5", "R", "y") }, func() {}}, // leaders stay moved until the third is back
		{"two of three down", func() { point("1"); s.press("K", "y"); s.see("2/3 up"); s.press("j", "K", "y") }, func() {
			s.press("S", "y")
			s.see("2/3 up")
			point("1")
			s.press("S", "y")
		}},
	} {
		well()
		c.do()
		begun := time.Now()
		for _, after := range []time.Duration{time.Second, 5 * time.Second, 15 * time.Second} {
			s.until("the time has come", func() bool { return time.Since(begun) >= after })
			screen := s.screen()
			name := fmt.Sprintf("%s-%ds", strings.Join(regexp.MustCompile(`\w+`).FindAllString(c.name, -1), "-"), int(after.Seconds()))
			link := ""
			if draw := os.Getenv("SCREENSHOT"); draw != "" {
				if b, err := exec.Command(draw, s.socket, "0", filepath.Join(pictures, name+".png")).CombinedOutput(); err != nil {
					t.Fatalf("%v: %s", err, b)
				}
				link = fmt.Sprintf("[%d s](faults/%s.png)", int(after.Seconds()), name)
			} else {
				link = fmt.Sprintf("%d s", int(after.Seconds()))
			}
			table.WriteString(fmt.Sprintf("| %s | %s | %s |\n", c.name, link, strings.Join(panes(screen), " | ")))
		}
		c.undo()
	}
	well()
	s.press("q")
	s.see("exit 0")
	if err := os.WriteFile(filepath.Join(out, "faults.md"), []byte(table.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// panes is what a screen says, in the columns of the table.
func panes(screen string) []string {
	lines := strings.Split(screen, "\n")
	find := func(pattern string) string {
		return strings.Join(strings.Fields(regexp.MustCompile(pattern).FindString(screen)), " ")
	}
	header := find(`\d/3 up.*?under-replicated \d`)
	var brokers []string
	for _, l := range lines {
		if m := regexp.MustCompile(`[│┃][▶ ] (\d) (.+?)\s+(leads \d+|led \d+)\s*(controller\??)?`).FindStringSubmatch(l); m != nil {
			brokers = append(brokers, strings.Join(strings.Fields(m[1]+" "+m[2]+" "+m[4]), " "))
		}
	}
	moved, thin := strings.Count(screen, "≠"), len(regexp.MustCompile(` ·\d`).FindAllString(screen, -1))
	timeline := ""
	for i, l := range lines {
		if strings.Contains(l, "7 timeline") && i+1 < len(lines) {
			timeline = strings.Join(strings.Fields(strings.NewReplacer("│", "·").Replace(strings.Join(lines[i+1:min(i+4, len(lines))], " "))), " ")
		}
	}
	return []string{
		header, strings.Join(brokers, ", "), fmt.Sprintf("leaders %d, ISR %d", moved, thin),
		find(`[\d.]+/s orders`) + ", " + find(`[\d,]+ in flight`), strings.Trim(timeline, " ·"),
	}
}
