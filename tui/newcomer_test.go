package tui

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"kassa/kafkaops/drill"
)

// A newcomer who has read nothing knows only what the screen says. Every key here is pressed because the screen names it at that moment, and at the end the
// screen has said what became of the order. cmd/kassa walks the same way on a real terminal, against the clock.
func TestANewcomerIsLedToAKillAndItsOutcome(t *testing.T) {
	for _, size := range [][2]int{{60, 18}, {80, 24}, {120, 40}, {200, 60}} {
		t.Run(fmt.Sprintf("%dx%d", size[0], size[1]), func(t *testing.T) {
			s := newStage(t, size[0], size[1]).open()
			s.send(stateMsg{s.cluster()})
			told := func(hint, key string) {
				t.Helper()
				s.has(hint)
				s.press(key)
			}
			lines := strings.Split(s.screen(), "\n")
			keys := lines[len(lines)-1]
			for _, hint := range []string{"c checkout", "5 kill a broker", "T tour", "? help", "q quit"} {
				if !strings.Contains(keys, hint) {
					t.Errorf("the last line does not show %q: %s", hint, keys)
				}
			}
			told("c checkout", "c")
			s.payment("7f3a0000-0000-5000-8000-000000000000", 0)
			s.has("✓ acked 38 ms 7f3a")
			told("5 kill a broker", "5")
			s.press("j")
			told("K kill −9", "K")
			s.has("Order 7f3a is on brokers 1 and 3 as well.")
			told("y or enter kill -9 broker 2", "y")
			s.after(1100*time.Millisecond, s.broken, func(l *drill.Timeline) { l.Gap = drill.Gap{Worst: 1066 * time.Millisecond} })
			s.has("Order 7f3a survived: brokers 1 and 3 have it.")
			told("", "z") // any key takes the notice away: how to go on shows again
			s.has("S start")
		})
	}
}
