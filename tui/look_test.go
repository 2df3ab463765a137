package tui

import (
	"errors"
	"fmt"
	"image/color"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"
	"pgregory.net/rapid"
)

// Whatever the screen, the layout and what is hidden: the panes tile the body without a gap, none is too small for a line of text, and
// those that are hidden are not there.
func TestPanesTileTheScreen(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, h := rapid.IntRange(MinWidth, 320).Draw(t, "w"), rapid.IntRange(MinHeight, 120).Draw(t, "h")
		kind := rapid.SampledFrom(Layouts()).Draw(t, "layout")
		c := content{rapid.IntRange(0, 30).Draw(t, "brokers"), rapid.IntRange(0, 100).Draw(t, "partitions"), rapid.IntRange(0, 40).Draw(t, "products")}
		hidden := map[paneID]bool{}
		for _, p := range rapid.SliceOfN(rapid.IntRange(1, int(lastPane)), 0, 9).Draw(t, "hidden") {
			hidden[paneID(p)] = true
		}
		l := newLayout(w, h, kind, func(p paneID) bool { return hidden[p] }, c, 0)
		covered := make([]paneID, w*(h-2))
		anyShown := false
		for p, r := range l {
			anyShown = anyShown || !hidden[p]
			if r.w < 15 || r.h < 3 {
				t.Errorf("%s has %d×%d", p, r.w, r.h)
			}
			for y := r.y; y < r.y+r.h; y++ {
				for x := r.x; x < r.x+r.w; x++ {
					if y < 1 || y > h-2 || x < 0 || x >= w {
						t.Fatalf("%s is off the screen: %+v", p, r)
					}
					if i := (y-1)*w + x; covered[i] != 0 {
						t.Fatalf("%s and %s overlap at %d,%d", p, covered[i], x, y)
					} else {
						covered[i] = p
					}
				}
			}
		}
		for i, p := range covered {
			if p == 0 {
				t.Fatalf("nothing is at %d,%d in %v", i%w, i/w+1, l)
			}
		}
		if anyShown {
			for p := range l {
				if hidden[p] {
					t.Errorf("%s is hidden and there", p)
				}
			}
		}
	})
}

// What the story needs is there at every size without a zoom.
func TestTheStoryIsOnTheFirstScreen(t *testing.T) {
	c := content{3, 9, 3}
	for _, size := range [][2]int{{60, 18}, {80, 24}, {120, 40}, {200, 60}, {300, 100}, {60, 100}, {70, 40}} {
		l := newLayout(size[0], size[1], LayoutAuto, func(paneID) bool { return false }, c, 0)
		want := []paneID{paneCheckout, panePayment, paneOrder, paneEmail, paneBrokers, panePartitions}
		if size[1] >= 24 {
			want = append(want, paneTimeline)
		}
		if size[0] >= 120 || size[1] >= 100 {
			want = append(want, paneCharts)
		}
		if size[0] >= 200 {
			want = append(want, paneServices, paneAnalytics)
		}
		for _, p := range want {
			if _, ok := l[p]; !ok {
				t.Errorf("%d×%d has no place for %s", size[0], size[1], p)
			}
		}
	}
}

// w goes through the layouts, H hides the focused pane until it is asked for again, and each choice is kept.
func TestAChoiceIsKept(t *testing.T) {
	var kept []string
	s := newStage(t, 120, 40)
	s.cfg.KeepLook = func(l Look) error {
		kept = append(kept, fmt.Sprint(l.Theme, l.Layout, l.Hidden))
		return nil
	}
	s.open()
	s.send(stateMsg{s.cluster()})
	s.press("w", "w")
	s.has("layout stack: tails one above another")
	s.press("5", "H")
	s.hasNot("5 brokers ")
	s.has("brokers is hidden: 5 opens it for now, V shows it again")
	s.press("tab")
	if s.focus == paneBrokers {
		t.Error("tab leads to a pane that is hidden")
	}
	s.press("5")
	s.has("5 brokers")
	s.hasNot("6 ▸partitions")
	s.press("H")
	s.has("5 brokers")
	s.has("6 ▸partitions")
	s.press("V", "l", "l")
	s.has("◀ light ▶")
	if s.styles != newStyles(false) {
		t.Error("the theme is not light")
	}
	s.press("j", "h", "j", "space")
	s.has("hidden")
	s.press("esc")
	want := []string{"auto side []", "auto stack []", "auto stack [brokers]", "auto stack []", "dark stack []", "light stack []", "light side []", "light side [checkout]"}
	for i := range want {
		want[i] = strings.Replace(want[i], " ", "", 1)
	}
	if got, want := strings.Join(kept, ","), strings.Join(want, ","); strings.ReplaceAll(got, " ", "") != strings.ReplaceAll(want, " ", "") {
		t.Errorf("kept %s\nwant %s", got, want)
	}
}

// Choices that come faster than they can be written are not written one over the other, and the last one is.
func TestTheNewestChoiceIsKept(t *testing.T) {
	s := newStage(t, 120, 40)
	var kept []Layout
	var fail error
	s.cfg.KeepLook = func(l Look) error { kept = append(kept, l.Layout); return fail }
	press := func() tea.Cmd { return s.turnLayout(1, true) }
	first := press()
	for range 2 {
		if press() != nil {
			t.Fatal("two are being written at a time")
		}
	}
	_, again := s.Update(first())
	if again == nil {
		t.Fatal("what was chosen in the meantime is not written")
	}
	s.Update(again())
	if fmt.Sprint(kept) != "[side charts]" {
		t.Errorf("kept %v", kept)
	}
	fail = errors.New("disk full")
	s.Update(press()())
	s.has("the choice is not kept: disk full")
	if press() == nil {
		t.Error("after a failure nothing is written any more")
	}
}

// All panes that have a place can be hidden but one.
func TestTheLastPaneStays(t *testing.T) {
	s := newStage(t, 120, 40).open()
	s.send(stateMsg{s.cluster()})
	for range 2 * lastPane {
		s.press("H")
	}
	if len(s.placed()) != 1 || len(s.look.Hidden) != int(lastPane)-3 { // services and analytics have no place here
		t.Errorf("hidden are %v, there are %v", s.look.Hidden, s.placed())
	}
	s.has("this is the last pane: it stays")
}

// Other brokers come to a screen that looks as it was arranged.
func TestALookOutlivesItsCluster(t *testing.T) {
	s := newStage(t, 120, 40).open()
	s.send(tea.BackgroundColorMsg{Color: color.White})
	s.press("w", "w", "V", "l", "esc", "5", "H")
	s.charts.span = 2
	next, _ := s.switchTo("embedded")
	m := next.(*Model)
	if fmt.Sprint(m.look) != fmt.Sprint(s.look) || m.look.Theme != ThemeDark || m.styles != s.styles || m.background == nil || m.charts != s.charts {
		t.Errorf("it was %+v and is %+v", s.look, m.look)
	}
	if _, ok := m.layout[paneBrokers]; ok {
		t.Error("a hidden pane is there again")
	}
}

// Beside the tour the selected line of the menu is in view too.
func TestLookBesideTheTour(t *testing.T) {
	s := newStage(t, 60, 18).open()
	s.send(stateMsg{s.cluster()})
	s.press("T", "V")
	for _, r := range s.lookRows() {
		s.has("▶ " + r.name)
		s.has("j k select")
		s.press("j")
	}
}

// The tour has a layout of its own: what is chosen meanwhile is for later, and said to be.
func TestALookThatIsChosenInTheTour(t *testing.T) {
	s := newStage(t, 120, 40).open()
	s.send(stateMsg{s.cluster()})
	s.press("T", "w")
	s.has("layout side after the tour: tails side by side")
	s.press("5", "H")
	s.has("brokers is hidden after the tour: 5 opens it for now")
	s.press("T", "w")
	s.has("layout stack: tails one above another")
	s.press("3", "H")
	s.has("order is hidden: 3 opens it for now")
}
