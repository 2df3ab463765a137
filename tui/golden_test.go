package tui

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/exp/golden"

	"kassa/kafkaops"
	"kassa/kafkaops/watch"
)

// The golden frames of the whole screen and of each pane. What is drawn on purpose is taken over with
//
//	go test ./tui -update
//
// and looked at in the diff. Frames with colours are as they go to the terminal; those without are plain text, to be read as they are.

// goldenSizes are the sizes that the README names.
var goldenSizes = [][2]int{{60, 18}, {80, 24}, {120, 40}, {200, 60}, {300, 100}}

// shaped checks that a frame fills the screen, and no more than that.
func (s *stage) shaped(frame string) {
	s.t.Helper()
	lines := strings.Split(frame, "\n")
	if len(lines) != s.height {
		s.t.Errorf("%d lines on a screen of %d", len(lines), s.height)
	}
	for i, l := range lines {
		if w := ansi.StringWidth(l); w != s.width {
			s.t.Errorf("line %d is %d wide on a screen of %d: %q", i, w, s.width, ansi.Strip(l))
		}
	}
}

// sceneBroken is a shop that has run for 100 s, whose broker 2 was killed 40 s ago.
func sceneBroken(t *testing.T, w, h int) *stage {
	s := newStage(t, w, h).lived()
	s.counting()
	s.records(60)
	s.send(tickMsg(s.clock))
	s.notice.text = ""
	return s
}

// sceneNothing is before there is a cluster.
func sceneNothing(t *testing.T, w, h int) *stage {
	s := newStage(t, w, h)
	s.send(bootMsg{Step: "starting brokers", Done: 1, Total: 3, Nodes: []kafkaops.Node{
		{ID: 1, Process: kafkaops.ProcessRunning, Addr: "127.0.0.1:9094"}, {ID: 2, Process: kafkaops.ProcessStarting, Addr: "127.0.0.1:9095"},
	}})
	return s
}

// sceneNoQuorum is after the second of three brokers: metadata is frozen, orders wait.
func sceneNoQuorum(t *testing.T, w, h int) *stage {
	s := sceneBroken(t, w, h)
	st := s.broken()
	st.Quorum.Known, st.Quorum.Lost, st.Quorum.Seen = false, true, s.clock
	n := &st.Nodes[2]
	n.Health, n.Process, n.PID, n.Leads, n.Led = watch.Down, kafkaops.ProcessExited, 0, 0, 6
	n.Since, n.Err = s.clock, "connection refused"
	for i := range st.Nodes {
		st.Nodes[i].Seen = s.clock
	}
	for range 12 {
		s.clock = s.clock.Add(time.Second)
		st.Nodes[0].Seen = s.clock
		st.At = s.clock
		s.figs.Pending += 50
		s.send(stateMsg{st})
		s.send(tickMsg(s.clock))
	}
	return s
}

// The whole screen in three themes, with a broker down.
func TestGoldenFrames(t *testing.T) {
	for _, size := range goldenSizes {
		for _, theme := range []Theme{ThemeDark, ThemeLight, ThemeNone} {
			t.Run(fmt.Sprintf("%dx%d-%s", size[0], size[1], theme), func(t *testing.T) {
				s := sceneBroken(t, size[0], size[1])
				s.look.Theme = theme
				s.restyle()
				frame := s.View().Content
				s.shaped(frame)
				golden.RequireEqual(t, frame)
			})
		}
	}
}

// The whole screen with nothing on it, and without a quorum.
func TestGoldenScenes(t *testing.T) {
	for name, scene := range map[string]func(*testing.T, int, int) *stage{"nothing": sceneNothing, "no-quorum": sceneNoQuorum} {
		for _, size := range goldenSizes {
			t.Run(fmt.Sprintf("%s-%dx%d", name, size[0], size[1]), func(t *testing.T) {
				s := scene(t, size[0], size[1])
				frame := s.screen()
				s.shaped(frame)
				golden.RequireEqual(t, frame)
			})
		}
	}
}

// The whole screen in every layout, and on a screen that is narrow and tall.
func TestGoldenLayouts(t *testing.T) {
	for _, kind := range Layouts() {
		for _, size := range [][2]int{{60, 18}, {80, 24}, {120, 40}, {60, 100}} {
			t.Run(fmt.Sprintf("%s-%dx%d", kind, size[0], size[1]), func(t *testing.T) {
				s := sceneBroken(t, size[0], size[1])
				s.look.Layout = kind
				s.relayout()
				frame := s.screen()
				s.shaped(frame)
				golden.RequireEqual(t, frame)
			})
		}
	}
}

// Each pane by itself, with a broker down.
func TestGoldenPanes(t *testing.T) {
	for p := paneCheckout; p <= lastPane; p++ {
		for _, size := range [][2]int{{60, 18}, {80, 24}, {100, 30}, {120, 40}, {200, 60}} {
			t.Run(fmt.Sprintf("%s-%dx%d", p, size[0], size[1]), func(t *testing.T) {
				s := sceneBroken(t, size[0], size[1])
				s.zoomTo(p)
				frame := s.screen()
				s.shaped(frame)
				golden.RequireEqual(t, frame)
			})
		}
	}
}

// Each pane without a cluster and without a quorum.
func TestGoldenPanesInTrouble(t *testing.T) {
	for name, scene := range map[string]func(*testing.T, int, int) *stage{"nothing": sceneNothing, "no-quorum": sceneNoQuorum} {
		for p := paneCheckout; p <= lastPane; p++ {
			t.Run(fmt.Sprintf("%s-%s", p, name), func(t *testing.T) {
				s := scene(t, 80, 24)
				s.zoomTo(p)
				frame := s.screen()
				s.shaped(frame)
				golden.RequireEqual(t, frame)
			})
		}
	}
}

// The menu of the look.
func TestGoldenLook(t *testing.T) {
	for _, size := range [][2]int{{60, 18}, {120, 40}} {
		t.Run(fmt.Sprintf("%dx%d", size[0], size[1]), func(t *testing.T) {
			s := sceneBroken(t, size[0], size[1])
			s.cfg.LookFile = "/home/you/.config/kassa/screen.yaml"
			s.press("V", "j", "j", "j")
			frame := s.screen() // what is on top draws no blanks at the ends of lines
			golden.RequireEqual(t, frame)
		})
	}
}
