package report

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/charmbracelet/x/exp/golden"

	"kassa/kafkaops/drill"
)

func TestTimelines(t *testing.T) {
	lines := Timelines(fixture("chaos", 6, 18), 120)
	for _, l := range lines {
		if n := utf8.RuneCountInString(l); n > 120 {
			t.Errorf("%d columns: %s", n, l)
		}
	}
	golden.RequireEqual(t, []byte(strings.Join(lines, "\n")+"\n"))
}

// What a timeline does not have is not drawn, and what others wrote draws nothing on the terminal.
func TestTimelinesOfLittle(t *testing.T) {
	if lines := Timelines(&drill.Result{Faults: []drill.FaultResult{{Kind: "kill"}}}, 80); lines != nil {
		t.Errorf("%q", lines)
	}
	for _, l := range Timelines(hostile(), 20) {
		if strings.ContainsAny(l, "\x1b\x00\u202e") {
			t.Errorf("%q", l)
		}
	}
}
