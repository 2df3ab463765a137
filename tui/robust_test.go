package tui

import (
	"strings"
	"testing"
	"unicode"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
)

// What is pasted into a line of text becomes one line of text, however much it is and whatever is in it, and runs nothing.
func TestPaste(t *testing.T) {
	for name, text := range map[string]string{
		"huge":    strings.Repeat("7f3a ", 4<<20),
		"lines":   "7f3a\nq\r\nc\n\n",
		"control": "\x1b[2J\x00\x07\x1b]0;owned\x07q",
		"wide":    strings.Repeat("漢👩\u200d👩\u200d👧", 300),
		"broken":  "\xff\xfe",
		"bidi":    "\u202e\u2066abc",
	} {
		t.Run(name, func(t *testing.T) {
			for _, keys := range [][]string{{"2", "/"}, {"1", "u"}} {
				s := newStage(t, 80, 24).open()
				s.records(5)
				s.press(keys...)
				s.Update(tea.PasteMsg{Content: text})
				s.sound("the paste")
				value := s.filter.Value()
				if s.field != nil {
					value = s.field.input.Value()
				}
				if n := len([]rune(value)); n > 200 || value == "" && name != "broken" {
					t.Errorf("%d characters are kept of it", n)
				}
				for _, r := range value {
					if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
						t.Errorf("it holds %U", r)
					}
				}
				if s.bought > 0 {
					t.Error("a pasted c checked out")
				}
				s.press("esc")
				s.sound("esc")
			}
		})
	}
	s := newStage(t, 80, 24).open()
	s.records(5)
	s.press("2", "/")
	s.Update(tea.PasteMsg{Content: "7f\n4b"})
	if got := s.filter.Value(); got != "7f 4b" {
		t.Errorf("two lines became %q", got)
	}
	s.press("esc")
	s.Update(tea.PasteMsg{Content: "cccqqq"}) // nobody asked for a text
	if s.bought > 0 {
		t.Error("a paste is no row of keys")
	}
}

// Any size at any time is drawn, and a screen that had no room for anything is whole again when it has.
func TestAStormOfSizes(t *testing.T) {
	s := newStage(t, 120, 40).story()
	s.press("2", "i")
	whole := s.View().Content
	for _, size := range [][2]int{{20, 5}, {1, 1}, {300, 100}, {60, 18}, {59, 18}, {60, 17}, {1, 100}, {300, 1}, {61, 19}, {2, 2}, {99, 30}, {100, 29}, {100, 30}} {
		s.send(tea.WindowSizeMsg{Width: size[0], Height: size[1]})
		s.sound("a size")
		for _, keys := range []string{"j", "5", "K", "n", "2", "i", "z", "z"} {
			s.press(keys)
			s.sound(keys)
		}
		s.press("esc", "2", "i")
	}
	s.send(tea.WindowSizeMsg{Width: 120, Height: 40})
	if now := s.View().Content; now != whole {
		t.Errorf("after the storm the screen is another one:\n%s", ansi.Strip(now))
	}
}

// ctrl+z goes to the shell from wherever a person is, and nowhere when there is no shell: the program would hang.
func TestSuspend(t *testing.T) {
	press := tea.KeyPressMsg{Code: 'z', Mod: tea.ModCtrl}
	for _, keys := range [][]string{{}, {"?"}, {"2", "/"}, {"1", "u"}, {"5", "K"}, {"T"}} {
		s := newStage(t, 80, 24).open()
		s.send(stateMsg{s.cluster()})
		s.press(keys...)
		_, cmd := s.Update(press)
		if cmd == nil {
			t.Fatalf("after %q ctrl+z does nothing", keys)
		}
		if _, ok := cmd().(tea.SuspendMsg); !ok {
			t.Errorf("after %q ctrl+z does not suspend", keys)
		}
		s.cfg.Alone = true
		if _, cmd := s.Update(press); cmd != nil {
			t.Errorf("after %q ctrl+z suspends with no shell to go to", keys)
		}
	}
	s := newStage(t, 80, 24).open()
	s.cfg.Alone = true
	s.Update(press)
	s.has("there is none here")
	s.cache[paneBrokers] = []string{"old"}
	s.Update(tea.ResumeMsg{})
	if len(s.cache) > 0 {
		t.Error("after fg the screen shows what was drawn before")
	}
}
