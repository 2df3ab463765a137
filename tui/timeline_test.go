package tui

import (
	"testing"
	"time"

	"kassa/kafkaops"
	"kassa/kafkaops/drill"
)

func TestGapText(t *testing.T) {
	open := drill.Gap{Worst: 1500 * time.Millisecond, Open: true}
	for _, c := range []struct {
		line drill.Timeline
		want string
	}{
		{drill.Timeline{}, "write gap not measured"},
		{drill.Timeline{Probed: true, Open: true}, ""},
		{drill.Timeline{Probed: true, Open: true, Gap: open}, "writes stalled for 1,500 ms"},
		{drill.Timeline{Probed: true, Outlasts: true, Gap: open}, "write gap at least 1,500 ms"},
		{drill.Timeline{Probed: true, Gap: drill.Gap{Worst: 12 * time.Second}}, "write gap 12.0 s"},
		{drill.Timeline{Stalled: true, Open: true}, "writes were stalled already"}, // the gap is that of the act before
	} {
		if got := gapText(&c.line); got != c.want {
			t.Errorf("%+v is %q, want %q", c.line, got, c.want)
		}
	}
}

// Who kills a second broker before writes go on wants to know how long they have been stalled, and that is the first kill's gap.
func TestAFaultThatCameIntoAStallTellsThatOne(t *testing.T) {
	at := time.Unix(1000, 0)
	kill := func(node int32, after time.Duration) drill.Timeline {
		return drill.Timeline{Fault: kafkaops.Fault{Verb: kafkaops.Kill, Node: node}, At: at.Add(after)}
	}
	first, second := kill(1, 0), kill(2, time.Second)
	first.Probed, first.Outlasts, first.Gap = true, true, drill.Gap{Worst: 13200 * time.Millisecond, Open: true}
	second.Stalled, second.Open = true, true
	m := &Model{faults: []drill.Timeline{first, second}}
	if got, want := m.gapOf(&m.faults[1]), "writes stalled for 13.2 s, since kill -9 broker 1"; got != want {
		t.Errorf("while it lasts: %q, want %q", got, want)
	}
	m.faults[0].Outlasts, m.faults[0].Gap.Open = false, false
	if got, want := m.gapOf(&m.faults[1]), "writes were stalled, in all for 13.2 s, since kill -9 broker 1"; got != want {
		t.Errorf("when it is over: %q, want %q", got, want)
	}
	if got := m.gapOf(&m.faults[0]); got != "write gap 13.2 s" {
		t.Errorf("the first: %q", got)
	}
}
