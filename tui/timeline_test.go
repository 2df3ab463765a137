package tui

import (
	"testing"
	"time"

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
