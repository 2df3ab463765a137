package tui

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/exp/golden"

	"kassa/kafkaops/tail"
	"kassa/services/events"
)

// saidNow looks for a text in the sentence in the place of the hints.
func (s *stage) saidNow(text string) {
	s.t.Helper()
	if !strings.Contains(s.notice.text, text) {
		s.t.Errorf("it says %q, not %q", s.notice.text, text)
	}
}

// What holds a text is marked in every tail, counted, and counted on as records come and go.
func TestSearchMarksInAllTails(t *testing.T) {
	s := newStage(t, 120, 40).open()
	s.records(12) // ids 7f3a, 7f4b …
	s.says("search 7F4b")
	s.saidNow(`"7F4b": 3 matches in 36 records held on the screen; n and N go through them, esc ends it`)
	if n := strings.Count(s.screen(), "1◆7f4b"); n != 3 {
		t.Errorf("%d rows are marked, want one in each tail:\n%s", n, s.screen())
	}
	s.has("◆1")
	s.records(12) // the same ids again
	s.has("◆2")
	s.press("F")
	if s.command == nil || s.command.input.Value() != "search " {
		t.Fatal("F does not ask what to find")
	}
	s.types("never")
	s.press("enter")
	s.saidNow(`"never": no match in 72 records held on the screen; the log may have some`)
	s.press("n")
	s.saidNow("no match")
	s.hasNot("◆")
	s.says("search amount")
	if got := s.flowing[0].ring.hits; got != 24 {
		t.Errorf("%d hits, want 24", got)
	}
	for range 2 * ringRows / 12 {
		s.records(12)
	}
	if got := s.flowing[0].ring.hits; got != ringRows {
		t.Errorf("%d hits in a ring of %d rows that all match", got, ringRows)
	}
	s.press("2", "esc")
	if searching(s.Model) || s.flowing[0].ring.hits != 0 {
		t.Error("esc does not end the search")
	}
	s.hasNot("◆")
	s.press("n") // there is nothing to go to
	if s.focus != panePayment {
		t.Error("n went somewhere")
	}
}

// n and N go through the matches of all tails in order of time, the newest first, around both ends; what a filter hides is left out.
func TestSearchGoesThroughMatches(t *testing.T) {
	s := newStage(t, 120, 40).open()
	at := func(topic string, ms int, id string) tail.Record {
		return event(topic, id, int64(ms), time.Duration(ms)*time.Millisecond)
	}
	s.come(at(events.PaymentSuccessful, 10, "aa"), at(events.PaymentSuccessful, 20, "bb"), at(events.OrderSuccessful, 30, "aa"), at(events.EmailSuccessful, 40, "aa"), at(events.PaymentSuccessful, 50, "aab"))
	s.says("search aa")
	where := func(p paneID, ms int, says string) {
		t.Helper()
		r := s.tail()
		if s.focus != p || r == nil || r.selected() == nil || r.selected().record.Offset != int64(ms) || !r.paused {
			t.Fatalf("in pane %d, want the record of %d ms in pane %d", s.focus, ms, p)
		}
		s.saidNow(says)
	}
	s.press("n")
	where(panePayment, 50, `match 4 of 4, 20:31:08.050: "aa" in what is held on the screen`)
	s.press("N")
	where(paneEmail, 40, "match 3 of 4,")
	s.press("N", "N")
	where(panePayment, 10, "match 1 of 4,")
	s.press("N")
	where(panePayment, 50, "match 4 of 4, from the other end")
	s.press("n")
	where(panePayment, 10, "match 1 of 4, from the other end")
	s.press("n")
	where(paneOrder, 30, "match 2 of 4,")
	// A match that came after the view was stopped is shown all the same.
	s.press("2")
	s.come(at(events.PaymentSuccessful, 60, "aac"))
	s.press("3", "n", "n", "n")
	where(panePayment, 60, "match 5 of 5,")
	s.press("esc")
	s.says("filter aab")
	s.says("search aa")
	s.press("n")
	where(panePayment, 50, "match 3 of 3,")
}

// Panes that are opened while something is searched for are searched too, and what strangers wrote stays harmless when it is set off.
func TestSearchInOtherTopics(t *testing.T) {
	s := newStage(t, 120, 40).story()
	log := library(s)
	s.says("search 12")
	s.says("topic carts")
	log.bring(s, 30, tail.Count{Read: 30})
	s.has("◆1")
	s.press("n")
	s.has("◆")
	for _, bad := range []string{"\x1b[2J12", "a\u202e12", "İ12", "漢12字", strings.Repeat("12", 400)} {
		s.come(tail.Record{Topic: events.PaymentSuccessful, Key: []byte(bad), Value: []byte(bad), Size: len(bad), Time: s.clock})
		s.press("2", "f")
		frame := s.View().Content
		for _, never := range []string{"\x1b[2J", "\u202e"} {
			if strings.Contains(frame, never) {
				t.Errorf("%q puts %q on the screen", bad, never)
			}
		}
		s.sound("a match")
	}
}

func TestGoldenSearch(t *testing.T) {
	for _, size := range [][2]int{{80, 24}, {120, 40}} {
		t.Run(fmt.Sprintf("%dx%d", size[0], size[1]), func(t *testing.T) {
			s := newStage(t, size[0], size[1]).story()
			s.says("search 7f4b")
			s.press("N", "N")
			golden.RequireEqual(t, s.View().Content)
		})
	}
}

// A tail that is paused shows what was there then, however much has come since, and takes no more memory for it than a ring has.
func TestAPausedTailStaysAsItWas(t *testing.T) {
	flood := func(s *stage) {
		big := make([]byte, 10_000)
		for i := range 3000 {
			s.come(tail.Record{Topic: events.PaymentSuccessful, Key: []byte("flood"), Value: big, Size: len(big), Offset: int64(1000 + i), Time: s.clock})
		}
		p := s.flowing[0]
		if p.still == nil || p.still.bytes > ringBytes || len(p.still.rows) > ringRows || p.ring.bytes > ringBytes {
			t.Errorf("a paused tail holds too much, or nothing: %d bytes in the ring", p.ring.bytes)
		}
	}
	for name, keys := range map[string][]string{"space": {"space", "k"}, "an opened record": {"k", "i", "esc"}, "a match": {"n", "N", "N"}, "a checkout": {"k", "enter", "esc"}} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, 120, 40).open()
			s.records(12) // ids 7f3a, 7f4b … 7fe4, 7ff5
			s.says("search 7fe4")
			s.press("2")
			s.press(keys...)
			s.has("7fe4")
			at := s.tail().cursor
			flood(s)
			s.has("PAUSED +3,000")
			s.has("7fe4 Rs 6,949.70")
			s.hasNot("no record yet")
			if r := s.tail().selected(); r == nil || r.seq != at {
				t.Fatalf("the selected row is %+v, want row %d", r, at)
			}
			if e := s.tail().toExport(); len(e.lines) != 12 {
				t.Errorf("%d records are exported, want the 12 in view", len(e.lines))
			}
			s.press("n") // it is still found
			if r := s.tail().selected(); s.focus == panePayment && (r == nil || string(r.record.Key) != "7fe4-checkout") {
				t.Errorf("n went to %+v", r)
			}
			s.press("2", "i")
			s.has("7fe4-checkout")
			s.press("esc", "f")
			s.has("floo")
			if s.tail().still != nil {
				t.Error("what was in view is kept though nobody looks at it")
			}
		})
	}
	// So does one that was full.
	s := newStage(t, 120, 40).open()
	s.records(ringRows + 100)
	s.press("2", "space")
	flood(s)
	for i, seq := range s.tail().visible() {
		if r := s.tail().shown().at(seq); r.seq != seq || r.record.Offset != int64(100+i) {
			t.Fatalf("row %d is %+v", seq, r)
		}
	}
	// A match among what has come since can be gone to.
	s = newStage(t, 120, 40).open()
	s.records(2)
	s.press("2", "space")
	flood(s)
	s.says("search flood")
	s.press("n")
	if r := s.tail().selected(); r == nil || r.record.Offset != 3999 {
		t.Errorf("n went to %+v", r)
	}
}
