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

// picture is one of docs/screens.
type picture struct {
	name, says string
	w, h       int
	theme      string   // empty: auto
	layout     string   // empty: auto
	keys       []string // what else was pressed
}

// screenPictures are those on a dark terminal. A theme of its own is seen at 120×40, a layout at each size that changes it.
func screenPictures() []picture {
	return []picture{
		{name: "120x40", says: "120×40, the theme `dark`", w: 120, h: 40},
		{name: "high-contrast", says: "`high-contrast`: 7:1 and more, on black", w: 120, h: 40, theme: "high-contrast"},
		{name: "colour-blind", says: "`colour-blind`: told apart also by those who do not see red or green", w: 120, h: 40, theme: "colour-blind"},
		{name: "16", says: "`16`: the terminal's own colours", w: 120, h: 40, theme: "16"},
		{name: "none", says: "`none`, or `NO_COLOR`: bold, reverse and words", w: 120, h: 40, theme: "none"},

		{name: "60x18", says: "60×18, the smallest", w: 60, h: 18},
		{name: "80x24", says: "80×24", w: 80, h: 24},
		{name: "200x60", says: "200×60", w: 200, h: 60},
		{name: "300x100", says: "300×100", w: 300, h: 100},
		{name: "60x100", says: "60×100, narrow and tall", w: 60, h: 100},

		{name: "stack-80x24", says: "`stack` at 80×24: the tails one above another", w: 80, h: 24, layout: "stack"},
		{name: "stack-120x40", says: "`stack` at 120×40", w: 120, h: 40, layout: "stack"},
		{name: "stack-200x60", says: "`stack` at 200×60", w: 200, h: 60, layout: "stack"},
		{name: "charts-80x24", says: "`charts` at 80×24: how it went, large", w: 80, h: 24, layout: "charts"},
		{name: "charts-120x40", says: "`charts` at 120×40", w: 120, h: 40, layout: "charts"},
		{name: "charts-200x60", says: "`charts` at 200×60", w: 200, h: 60, layout: "charts"},
		{name: "cluster-80x24", says: "`cluster` at 80×24: brokers and partitions", w: 80, h: 24, layout: "cluster"},
		{name: "cluster-120x40", says: "`cluster` at 120×40", w: 120, h: 40, layout: "cluster"},
		{name: "cluster-200x60", says: "`cluster` at 200×60", w: 200, h: 60, layout: "cluster"},

		{name: "zoom-charts", says: "`0` `z`: the charts alone", w: 120, h: 40, keys: []string{"0", "z"}},
		{name: "zoom-timeline", says: "`7` `z`: what a fault cost, as bars", w: 120, h: 40, keys: []string{"7", "z"}},
		{name: "all-topics", says: "`6` `z` `A`: all topics of the cluster", w: 120, h: 40, keys: []string{"6", "z", "A"}},
		{name: "look", says: "`V`: the menu of the look", w: 80, h: 24, keys: []string{"V"}},
	}
}

// lightPictures are those on a light terminal.
func lightPictures() []picture {
	return []picture{
		{name: "light", says: "`light`, or `auto` on a light terminal", w: 120, h: 40},
		{name: "light-high-contrast", says: "`high-contrast` on white", w: 120, h: 40, theme: "high-contrast"},
		{name: "light-colour-blind", says: "`colour-blind` on a light terminal", w: 120, h: 40, theme: "colour-blind"},
	}
}

// TestScreens writes docs/screens.md and its pictures: every layout and theme with a broker down, read off a real terminal. The brokers are simulated, so it
// needs no Java. SCREENSHOT names a program that draws a tmux pane, as .ci/screenshot does.
//
//	SCREENSHOT=$PWD/.ci/screenshot go test -tags e2e,docs -run Screens ./cmd/kassa
func TestScreens(t *testing.T) {
	draw := os.Getenv("SCREENSHOT")
	if draw == "" {
		t.Skip("it writes docs/screens, and SCREENSHOT names no program that draws: no test of CI")
	}
	dir := filepath.Join("..", "..", "docs", "screens")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	var page strings.Builder
	page.WriteString("# What the screen looks like\n\n" +
		"Read off the program by `SCREENSHOT=$PWD/.ci/screenshot go test -tags e2e,docs -run Screens ./cmd/kassa`: simulated brokers, 50 orders a second, broker 2 " +
		"killed some seconds ago. `w` goes through the layouts, `V` opens the menu of the look; the choice is kept.\n")
	for _, set := range []struct {
		title, ground, ink string
		list               []picture
	}{
		{"On a dark terminal", "#16181d", "#e6e8eb", screenPictures()},
		{"On a light terminal", "#ffffff", "#1b1f24", lightPictures()},
	} {
		page.WriteString("\n## " + set.title + "\n")
		// True colours whatever tmux thinks of itself, and the background that kassa asks the terminal for.
		s := newTerminal(t, 120, 40, fmt.Sprintf("tmux set -g window-style 'bg=%s,fg=%s'; cd $TMPDIR; env -u TMUX TERM=xterm-256color COLORTERM=truecolor KASSA_CONFIG=kassa/screen.yaml %s --cluster embedded --http none --rate 50",
			set.ground, set.ink, binary))
		s.see("3/3 up", "under-replicated 0")
		s.press("b")
		begun := time.Now()
		s.until("the load has run for a while", func() bool { return time.Since(begun) > 35*time.Second })
		var killed time.Time
		var before picture
		for _, p := range set.list {
			if time.Since(killed) > 40*time.Second { // the fault is to be seen in the charts
				s.look(picture{}, before)
				before = picture{}
				if !killed.IsZero() {
					s.press("5", "g", "j", "S", "y")
					s.see("3/3 up", "under-replicated 0")
					s.press("e", "y") // it is to lead again before it goes
					s.until("the preferred leaders lead", func() bool { return !strings.Contains(s.screen(), "≠") })
				}
				s.press("5", "g", "j", "K", "y")
				s.see("2/3 up", "flow resumed")
				killed = time.Now()
				s.until("what waited has gone through", func() bool { return time.Since(killed) > 10*time.Second })
			}
			s.look(p, before)
			before = p
			s.show(p)
			out := filepath.Join(dir, p.name+".png")
			cmd := exec.Command(draw, s.socket, "t", out)
			ground, ink := set.ground, set.ink
			if p.theme == "high-contrast" { // what it has the terminal take on
				ground, ink = map[bool]string{true: "#000000", false: "#ffffff"}[ground != "#ffffff"], map[bool]string{true: "#ffffff", false: "#000000"}[ground != "#ffffff"]
			}
			cmd.Env = append(os.Environ(), "SCREENSHOT_GROUND="+ground, "SCREENSHOT_INK="+ink, fmt.Sprint("SCREENSHOT_CELL=", cellFor(p.w)))
			if b, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, b)
			}
			if st, err := os.Stat(out); err != nil || st.Size() > 60_000 {
				t.Errorf("%s has %d bytes, and 60,000 are enough (%v)", out, st.Size(), err)
			}
			page.WriteString(fmt.Sprintf("\n%s\n\n![%s](screens/%s.png)\n", p.says, p.name, p.name))
			s.hide(p)
		}
		s.press("q")
		s.see("exit 0")
	}
	if err := os.WriteFile(filepath.Join(dir, "..", "screens.md"), []byte(page.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// cellFor is the height of a cell in pixels, smaller where there are many.
func cellFor(w int) int {
	switch {
	case w >= 300:
		return 10
	case w >= 200:
		return 14
	}
	return 18
}

// show brings what a picture is of to the screen.
func (s *terminal) show(p picture) {
	s.t.Helper()
	s.tmux("resize-window", "-t", "t", "-x", fmt.Sprint(p.w), "-y", fmt.Sprint(p.h))
	s.until("the screen has its size", func() bool {
		lines := strings.Split(strings.TrimRight(s.screen(), "\n"), "\n")
		return len(lines) == p.h && strings.Contains(lines[p.h-1], "quit")
	})
	for _, k := range p.keys {
		s.press(k)
	}
	begun := time.Now()
	s.until("it has been drawn with its figures, and the last notice has gone", func() bool {
		lines := strings.Split(strings.TrimRight(s.screen(), "\n"), "\n")
		return time.Since(begun) > 1500*time.Millisecond && (strings.Contains(lines[len(lines)-1], "quit") || time.Since(begun) > 20*time.Second)
	})
}

// hide leaves what show has opened.
func (s *terminal) hide(p picture) {
	s.t.Helper()
	if len(p.keys) > 0 {
		s.press("Escape")
		s.until("what was open is closed", func() bool {
			screen := s.screen()
			return !strings.Contains(screen, "zoom ┓") && !strings.Contains(screen, "esc closes")
		})
	}
	s.tmux("resize-window", "-t", "t", "-x", "120", "-y", "40")
}

// look goes from the theme and layout of one picture to those of another.
func (s *terminal) look(p, before picture) {
	s.t.Helper()
	if p.theme != before.theme {
		s.choose("theme", p.theme)
	}
	if p.layout != before.layout {
		s.choose("layout", p.layout)
	}
}

// choose sets the theme or the layout in the menu.
func (s *terminal) choose(row, word string) {
	s.t.Helper()
	if word == "" {
		word = "auto"
	}
	s.press("V")
	s.see("look", "esc closes")
	for range 3 {
		s.press("k")
	}
	if row == "layout" {
		s.press("j")
	}
	chosen := regexp.MustCompile(`▶ ` + row + ` +◀ (\S+) ▶`)
	now := func() string {
		if m := chosen.FindStringSubmatch(s.screen()); m != nil {
			return m[1]
		}
		return ""
	}
	s.until("the row is selected", func() bool { return now() != "" })
	for before := now(); before != word; before = now() {
		s.press("l")
		s.until("another is chosen", func() bool { n := now(); return n != "" && n != before })
	}
	s.press("Escape")
	s.until("the menu is closed", func() bool { return !strings.Contains(s.screen(), "esc closes") })
}
