package tui

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/exp/golden"

	"kassa/kafkaops/tail"
)

// library gives the stage a log with these topics, and the flow's.
func library(s *stage) *shelf {
	log := &shelf{topics: []tail.Topic{
		{Name: "carts", Partitions: 12, Replication: 3},
		{Name: "clicks", Partitions: 48, Replication: 2, UnderReplicated: 7},
		{Name: "email-successful", Partitions: 3, Replication: 3},
		{Name: "hostile\x1b[2J", Partitions: 1, Replication: 1},
		{Name: "lost", Partitions: 3, Replication: 3, Leaderless: 2},
		{Name: "order-successful", Partitions: 3, Replication: 3},
		{Name: "payment-successful", Partitions: 3, Replication: 3},
		{Name: "__consumer_offsets", Partitions: 3, Replication: 3, Internal: true},
	}}
	s.backend.Log = log
	return log
}

// bring hands a batch of n records to the newest reading of the log.
func (l *shelf) bring(s *stage, n int, c tail.Count) {
	r := l.opened[len(l.opened)-1]
	b := tail.Batch{At: s.clock, Topics: map[string]tail.Count{r.topic: c}}
	for i := range n {
		b.Records = append(b.Records, tail.Record{Topic: r.topic, Partition: int32(i % 3), Offset: c.Read - int64(n-i), Time: s.clock, Key: fmt.Appendf(nil, "k%d", i), Value: fmt.Appendf(nil, "%s %d", r.topic, c.Read-int64(n-i)), Size: 1})
	}
	_, _ = s.Update(ownBatchMsg{s.ownTails, b}) // it waits for the next
	s.held = false
}

// Every topic is listed, Kafka's own last, with what is wrong; typing filters, and no letter of it is a key.
func TestTopicsAreListedAndFiltered(t *testing.T) {
	s := newStage(t, 120, 40).story()
	log := library(s)
	s.press("t")
	for _, text := range []string{"8 of 8 topics", "carts", "7 under-replicated", "2 without a leader", "open (2)", "Kafka's own"} {
		s.has(text)
	}
	if frame := s.View().Content; strings.Contains(frame, "\x1b[2J") {
		t.Error("a topic's name is obeyed by the terminal")
	}
	s.types("Cq")
	s.has("0 of 8 topics")
	s.has("no topic has that in its name")
	s.press("backspace")
	s.has("6 of 8 topics")
	if s.bought > 1 {
		t.Error("c checked out while typing")
	}
	s.press("esc")
	s.has("8 of 8")
	log.err = errors.New("no broker answered")
	s.clock = s.clock.Add(topicsEvery)
	s.carry(s.pickOn())
	s.has("not read: no broker answered; this is 3.0 s old")
	s.has("carts") // what was known stays
	s.press("esc")
	s.hasNot("not read")
	if s.pickOn() != nil {
		t.Error("a closed list is read on")
	}
	s.send(tea.PasteMsg{Content: "x"}) // nobody takes it
	s.press("t")
	s.send(tea.PasteMsg{Content: " lo\x1b[2Jst\n"})
	if s.picker.filter == "" || strings.Contains(s.View().Content, "\x1b[2J") {
		t.Errorf("pasted %q", s.picker.filter)
	}
}

// A topic opens in a pane of its own, or in place of the focused tail, which x gives back to the flow with all that came meanwhile.
func TestTopicsOpenInPanes(t *testing.T) {
	s := newStage(t, 120, 40).story()
	log := library(s)
	s.press("t")
	s.types("cart")
	s.press("enter")
	s.has("1  latest")
	s.has("in a pane of its own")
	s.press("1")
	if len(log.opened) != 1 || log.opened[0].topic != "carts" || !log.opened[0].from.IsEnd() || s.focus != paneTopics {
		t.Fatalf("opened %+v, focus %d", log.opened, s.focus)
	}
	s.has("O carts")
	s.has("no record yet")
	log.bring(s, 4, tail.Count{Read: 4})
	s.has("LIVE ⠙")
	s.has("carts 3")
	log.bring(s, 0, tail.Count{Read: 4})
	s.has("LIVE ⠙") // nothing came: it stands still
	log.bring(s, 1, tail.Count{Read: 5})
	s.has("LIVE ⠹")

	s.press("3", "t")
	s.types("click")
	s.press("enter", "tab")
	s.has("in place of order-successful")
	s.press("enter")
	s.has("3 clicks")
	s.hasNot("3 order")
	before := s.flowing[1].ring.next
	s.records(2)
	if s.flowing[1].ring.next != before+2 {
		t.Error("the flow's tail does not grow while its pane shows something else")
	}
	if n := s.tails[paneOrder].ring.next; n != 0 {
		t.Errorf("%d rows of the flow are in a pane of clicks", n)
	}
	clicks := log.opened[1]
	s.press("x")
	s.has("3 order")
	if !clicks.closed || s.tails[paneOrder] != s.flowing[1] {
		t.Error("clicks is still read, or the flow is not back")
	}
	s.press("x") // there is nothing to close
	s.press("O", "x")
	if !log.opened[0].closed || len(s.extra()) != 0 || s.focus != paneEmail {
		t.Errorf("closed %v, extra %v, focus %d", log.opened[0].closed, s.extra(), s.focus)
	}
	s.hasNot("carts")
	s.send(ownBatchMsg{1, tail.Batch{}}) // what was under way when it closed
	s.send(openedMsg{1, &reel{}, nil})
}

// From a place a topic is read by pages: it begins at the top, the next page is asked for when the end of this one is near, and f goes to the end of the log.
func TestTopicsAreReadByPages(t *testing.T) {
	s := newStage(t, 120, 40).story()
	log := library(s)
	s.says("topic carts earliest")
	if got := log.opened[0]; got.from != tail.Beginning() {
		t.Fatalf("opened %+v", got)
	}
	s.has("FROM the beginning")
	s.has("reading …")
	log.bring(s, 500, tail.Count{Read: 500, Behind: 700, Held: true})
	s.has("700 to come")
	s.has("carts 0")
	s.hasNot("carts 499")
	s.press("j", "j")
	if r := log.opened[0]; r.more != 0 || s.tail().selected().seq != 2 {
		t.Errorf("asked for more at the top of the page, or at row %d", s.tail().selected().seq)
	}
	s.press("G")
	s.has("carts 499")
	if r := log.opened[0]; r.more != 1 {
		t.Errorf("asked for more %d times at the end of the page", r.more)
	}
	log.bring(s, 500, tail.Count{Read: 1000, Behind: 200, Held: true})
	if at := s.tail().selected().seq; at != 499 {
		t.Errorf("the next page moved whoever reads to row %d", at)
	}
	s.press("esc") // back is not the end
	s.has("FROM the beginning")
	s.press("G")
	log.bring(s, 200, tail.Count{Read: 1200})
	s.has("PAUSED") // the end was reached; the view stays
	s.press("f")
	s.has("LIVE")
	s.tell("order crashed", "crash order")
	if last := s.tail().ring.at(s.tail().ring.next - 1); last.mark != "order crashed" {
		t.Error("a fault of now is not marked in a topic that grows as it happens now")
	}
	if len(log.opened) != 1 {
		t.Error("a tail that had reached the end was opened anew")
	}
	s.says("seek 1200")
	s.has("FROM offset 1200")
	if !log.opened[0].closed || log.opened[1].from != tail.Offset(1200) || len(s.extra()) != 1 {
		t.Errorf("seek opened %+v", log.opened[1])
	}
	s.press("f")
	if !log.opened[1].closed || !log.opened[2].from.IsEnd() {
		t.Error("f does not go to the end of the log")
	}
	s.press("s")
	s.has("in this pane")
	s.press("3")
	s.types("12a")
	s.press("enter")
	s.has(`an offset is a number from 0 on, not "12a"`)
	s.press("backspace", "enter")
	if got := log.opened[3].from; got != tail.Offset(12) {
		t.Errorf("from %s", got)
	}
	s.press("s", "4")
	s.types("20:30:00")
	s.press("enter")
	if got := log.opened[4].from; got != tail.Since(noon.Add(-68*time.Second)) {
		t.Errorf("from %s", got)
	}
	// A fault is marked where records come as it happens, not between old ones.
	n := s.tail().ring.next
	s.tell("order crashed", "crash order")
	if s.tail().ring.next != n {
		t.Error("a fault of now is marked among old records")
	}
	// The flow's own topic from a place replaces its pane; its end gives it back.
	s.press("2")
	s.says("seek earliest")
	if s.tails[panePayment] == s.flowing[0] {
		t.Error("not replaced")
	}
	s.press("s", "1")
	if s.tails[panePayment] != s.flowing[0] || !log.opened[5].closed {
		t.Error("not given back to the flow")
	}
	s.says("seek earliest")
	s.press("f")
	if s.tails[panePayment] != s.flowing[0] || !log.opened[6].closed || len(log.opened) != 7 {
		t.Error("f opens a tail that begins empty, where the flow's own has all that came")
	}
}

// Few records are all in view: their tail follows at once.
func TestAShortTopicIsFollowed(t *testing.T) {
	s := newStage(t, 120, 40).story()
	log := library(s)
	s.says("topic carts 5m")
	log.bring(s, 3, tail.Count{Read: 3})
	s.has("LIVE")
}

// What keeps records from coming is said in the pane: a dead leader since when, a topic that was deleted, one that could not be opened.
func TestTopicsSayWhatIsWrong(t *testing.T) {
	s := newStage(t, 120, 40).story()
	log := library(s)
	s.says("topic carts")
	log.bring(s, 2, tail.Count{Read: 2, Silent: []tail.Silence{
		{Leader: -1, Partitions: []int32{7}, Since: s.clock.Add(-4 * time.Second)}, {Leader: 2, Partitions: []int32{1, 4}, Since: s.clock.Add(-3200 * time.Millisecond)},
	}})
	s.has("partition 7: no leader for 4.0 s")
	s.has("broker 2 silent for 3.2 s: partitions 1 4")
	s.has("carts 1")
	log.bring(s, 0, tail.Count{Read: 2, Gone: s.clock.Add(-2 * time.Second)})
	s.has("DELETED 2.0 s ago")
	s.has("the topic was deleted at 20:31:07")
	s.has("carts 1") // what was read is still there
	log.bring(s, 0, tail.Count{Read: 2})
	s.has("LIVE")
	log.refuses = errors.New("no seed broker")
	s.says("topic clicks")
	s.has("NOT OPENED")
	s.has("no seed broker")
}

// In words a topic is opened that is there; of another it is said that it is not, once that is known.
func TestTopicInWords(t *testing.T) {
	s := newStage(t, 120, 40).story()
	log := library(s)
	for line, says := range map[string]string{
		"topic carts yesterday": `a place in a log is latest`,
		"seek 5":                "seek works in a tail",
	} {
		s.says(line)
		flat := strings.Join(strings.Fields(strings.ReplaceAll(s.screen(), "│", " ")), " ")
		if !strings.Contains(strings.ToLower(flat), says) {
			t.Errorf("%q does not say %q: %s", line, says, flat)
		}
		s.press("esc")
	}
	s.says("topic nowhere")
	if !strings.Contains(s.notice.text, "there is no topic nowhere") || len(log.opened) > 0 {
		t.Errorf("%q", s.notice.text)
	}
	log.err = errors.New("silence")
	s.says("topic nowhere")
	if !strings.Contains(s.notice.text, "whether there is a topic nowhere is not known: silence") {
		t.Errorf("%q", s.notice.text)
	}
	log.err = nil
	s.says("topic clicks")
	s.has("O clicks")
	s.says("topic order-successful")
	if s.focus != paneOrder || len(log.opened) != 1 {
		t.Error("the flow's topic is shown already")
	}
	s.press("1")
	s.says("topic clicks latest")
	if s.focus != paneTopics || len(log.opened) != 1 {
		t.Error("clicks is shown already")
	}
	s.says("topic clicks earliest") // from elsewhere it is another thing
	if len(log.opened) != 2 || !slices.Equal(s.extra(), []paneID{paneTopics, paneTopics + 1}) {
		t.Errorf("opened %d", len(log.opened))
	}
	s.backend.Log = nil
	s.says("topic carts")
	s.has("cannot be asked for yet")
	s.press("esc", "1", "t")
	if s.overlay != nil {
		t.Error("there is a list of topics, and nobody to ask")
	}
}

// Six topics are on the screen beside the flow where there is room; elsewhere the focused one is, and the others a key away. A seventh is refused.
func TestSixTopicsAtOnce(t *testing.T) {
	for _, size := range [][2]int{{60, 18}, {80, 24}, {120, 40}, {200, 60}} {
		s := newStage(t, size[0], size[1]).story()
		log := library(s)
		for i := range mostTopics {
			log.topics = append(log.topics, tail.Topic{Name: fmt.Sprint("t", i)})
		}
		s.says("topics") // no such word: the list is read by t
		s.press("esc", "t", "esc")
		for i := range mostTopics {
			s.says(fmt.Sprint("topic t", i))
			log.bring(s, 3, tail.Count{Read: 3})
			s.has(fmt.Sprint("O t", i))
		}
		if size[0] >= 120 {
			for i := range mostTopics {
				s.has(fmt.Sprint("O t", i))
			}
			s.has("2 payment")
		}
		for i, l := range strings.Split(s.View().Content, "\n") {
			if w := ansi.StringWidth(l); w != size[0] {
				t.Errorf("%v: line %d is %d wide", size, i, w)
			}
		}
		s.press("1", "O")
		s.has("O t0")
		s.press("O")
		s.has("O t1")
		s.says("topic carts")
		s.press("esc")
		if len(log.opened) != mostTopics {
			t.Error("a seventh was opened")
		}
		seen := map[paneID]bool{}
		for range 2 * (int(lastPane) + mostTopics) {
			s.press("tab")
			seen[s.focus] = true
			s.View()
		}
		if size[0] >= 120 && len(seen) < mostTopics+7 {
			t.Errorf("%v: tab goes through %d panes", size, len(seen))
		}
		for range mostTopics {
			s.press("O", "x")
		}
		for _, r := range log.opened {
			if !r.closed {
				t.Errorf("%s is still read", r.topic)
			}
		}
		s.has("2 payment")
	}
}

// A place in a log may be said in many ways.
func TestPositions(t *testing.T) {
	for text, want := range map[string]tail.From{
		"latest": tail.End(), "": tail.End(), "earliest": tail.Beginning(), "1,200": tail.Offset(1200), "@0": tail.Offset(0),
		"20:31": tail.Since(noon.Add(-8 * time.Second)), "20:31:07.5": tail.Since(noon.Add(-500 * time.Millisecond)), "20:32": tail.Since(noon.Add(52*time.Second - 24*time.Hour)),
		"5m": tail.Since(noon.Add(-5 * time.Minute)), "-90s": tail.Since(noon.Add(-90 * time.Second)), "2026-11-23 20:31": tail.Since(noon.Add(-8 * time.Second)),
		"2026-11-23T20:31:00Z": tail.Since(noon.Add(-8 * time.Second)),
	} {
		if got, err := parsePosition(text, noon); err != nil || got != want {
			t.Errorf("%q is %s (%v), want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"-1", "yesterday", "25:00", "1.5", "20:31:"} {
		if got, err := parsePosition(text, noon); err == nil {
			t.Errorf("%q is %s", text, got)
		}
	}
}

// What is typed in the menu of places is what was asked for there: 0 is the first offset, and as a time it is now.
func TestThePlaceIsWhatWasAskedFor(t *testing.T) {
	for _, c := range []struct {
		row, text string
		want      tail.From
		wrong     bool
	}{
		{"3", "0", tail.Offset(0), false},
		{"3", " @1,200 ", tail.Offset(1200), false},
		{"3", "earliest", tail.From{}, true},
		{"3", "20:31", tail.From{}, true},
		{"3", "", tail.From{}, true},
		{"4", "0", tail.Since(noon.Add(1040 * time.Millisecond)), false}, // the clock of the story
		{"4", " 20:31 ", tail.Since(noon.Add(-8 * time.Second)), false},
		{"4", "1200", tail.From{}, true},
		{"4", "", tail.From{}, true},
	} {
		s := newStage(t, 120, 40).story()
		log := library(s)
		s.press("t", "enter", c.row)
		for _, r := range c.text {
			s.send(tea.KeyPressMsg{Code: r, Text: string(r)})
		}
		s.press("enter")
		if c.wrong != (s.picker.wrong != "") || c.wrong != (len(log.opened) == 0) {
			t.Errorf("%s %q: wrong is %q, opened %d", c.row, c.text, s.picker.wrong, len(log.opened))
		} else if !c.wrong && log.opened[0].from != c.want {
			t.Errorf("%s %q opens from %s, want %s", c.row, c.text, log.opened[0].from, c.want)
		}
	}
}

func TestGoldenTopics(t *testing.T) {
	for _, size := range [][2]int{{60, 18}, {80, 24}, {120, 40}} {
		name := fmt.Sprintf("%dx%d", size[0], size[1])
		t.Run(name, func(t *testing.T) {
			s := newStage(t, size[0], size[1]).story()
			library(s)
			s.press("t", "down")
			goldenOverlay(t, s)
		})
		t.Run("menu-"+name, func(t *testing.T) {
			s := newStage(t, size[0], size[1]).story()
			library(s)
			s.press("2", "t", "enter", "4")
			s.types("20:31:00x")
			s.press("enter")
			goldenOverlay(t, s)
		})
		t.Run("panes-"+name, func(t *testing.T) {
			s := newStage(t, size[0], size[1]).story()
			log := library(s)
			s.press("t", "esc")
			s.says("topic carts")
			log.bring(s, 5, tail.Count{Read: 5, Silent: []tail.Silence{{Leader: 2, Partitions: []int32{1, 4}, Since: s.clock.Add(-3200 * time.Millisecond)}}})
			s.says("topic clicks 1200")
			log.bring(s, 30, tail.Count{Read: 30, Held: true, Behind: 4711})
			golden.RequireEqual(t, s.View().Content)
		})
	}
}

// What is hidden stays hidden when topics are opened and closed.
func TestHiddenTailsStayHidden(t *testing.T) {
	s := newStage(t, 120, 40).story()
	library(s)
	hidden := func(after string) {
		t.Helper()
		for _, p := range []paneID{paneOrder, paneEmail} {
			if _, ok := s.layout[p]; ok {
				t.Errorf("%s: %s is on the screen, though V says that it is hidden", after, p)
			}
		}
	}
	s.press("3", "H", "4", "H")
	hidden("H")
	s.press("t")
	s.types("cart")
	s.press("enter", "enter")
	hidden("a topic was opened")
	s.has("2 payment")
	s.has("O carts")
	s.press("2", "H")
	if _, ok := s.layout[panePayment]; ok {
		t.Error("H does nothing while another topic is open")
	}
	s.press("H", "2", "H", "O", "x")
	hidden("it was closed")
	s.press("3") // by its key, all the same
	s.has("3 order")
}
