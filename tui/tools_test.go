package tui

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"kassa/kafkaops/tail"
	"kassa/services/events"
)

// Any words and keys in any order, while records come to every pane and topics go, leave a screen that is whole.
func TestToolsInAnyOrder(t *testing.T) {
	words := []string{
		"topic carts", "topic clicks earliest", "topic payment-successful 5", "topic lost 5m", "seek earliest", "seek latest", "seek 7", "close", "search k1", "search", "later", "earlier",
		"filter k", "filter", "follow 7f3a", "follow " + followedID, "follow", "pause", "open", "record", "export", "export x", "view quorum", "pane 3", "layout stack", "layout auto", "theme light",
		"hide payment", "hide order", "zoom", "back", "other", "next", "last", "first", "pagedown", "help", "kill 2", "kill leader order-successful/1", "tour", "step", "nonsense", "",
	}
	keys := []string{"2", "3", "O", "t", "s", "x", "n", "N", "F", "E", "f", "space", "enter", "esc", "i", "j", "k", "G", "g", "tab", "shift+tab", "1", "4", "z", "w", "y", "up", "down", "q", "r"}
	sizes := [][2]int{{60, 18}, {80, 24}, {120, 40}, {200, 60}, {40, 10}}
	rapid.Check(t, func(rt *rapid.T) {
		size := sizes[rapid.IntRange(0, len(sizes)-1).Draw(rt, "size")]
		s := newStage(t, size[0], size[1]).story()
		log := library(s)
		withMail(s, 3)
		log.found = tail.Found{Records: []tail.Record{event(events.OrderSuccessful, followedID, 7, time.Minute)}, Looked: []tail.Looked{{Topic: events.OrderSuccessful, Partition: 1, To: 9, End: 12, Records: 9, Oldest: noon, Newest: noon}}}
		for range rapid.IntRange(1, 40).Draw(rt, "steps") {
			switch rapid.IntRange(0, 6).Draw(rt, "step") {
			case 0, 1:
				if s.overlay == nil && s.question == nil && s.field == nil && !s.filtering && s.command == nil {
					word := rapid.SampledFrom(words).Draw(rt, "word")
					s.says(word)
					s.sound(":" + word)
				}
			case 2, 3:
				key := rapid.SampledFrom(keys).Draw(rt, "key")
				s.press(key)
				s.sound(key)
			case 4:
				s.clock = s.clock.Add(time.Duration(rapid.IntRange(1, 5000).Draw(rt, "ms")) * time.Millisecond)
				s.send(tickMsg(s.clock))
				s.carry(s.followOn())
				s.carry(s.pickOn())
			case 5:
				s.records(rapid.IntRange(0, 30).Draw(rt, "records"))
			case 6:
				for _, p := range s.tailPanes() {
					pane := s.tails[p]
					if pane.own == nil {
						continue
					}
					c := pane.count
					c.Read += 40
					c.Held, c.Behind = rapid.Bool().Draw(rt, "held"), int64(rapid.IntRange(0, 2).Draw(rt, "behind"))
					c.Gone, c.Silent = time.Time{}, nil
					switch rapid.IntRange(0, 3).Draw(rt, "trouble") {
					case 0:
						c.Gone = s.clock
					case 1:
						c.Silent = []tail.Silence{{Leader: -1, Partitions: []int32{1}, Since: noon}, {Leader: 2, Partitions: []int32{0, 2, 3, 4, 5, 6, 7, 8}, Since: noon}}
					}
					b := tail.Batch{At: s.clock, Topics: map[string]tail.Count{pane.topic: c}}
					for i := range 40 {
						b.Records = append(b.Records, tail.Record{Topic: pane.topic, Offset: int64(i), Time: s.clock, Key: fmt.Appendf(nil, "k%d", i), Value: []byte("\x1b[2J\u202e漢字"), Size: 9})
					}
					s.Update(ownBatchMsg{pane.own.number, b})
					s.held = false
				}
				s.sound("batches")
			}
			if len(s.extra()) > mostTopics {
				rt.Fatalf("%d panes were added", len(s.extra()))
			}
		}
		open := 0
		for _, r := range log.opened {
			if !r.closed {
				open++
			}
		}
		if shown := len(s.tailPanes()); open > shown {
			rt.Fatalf("%d topics are read, and %d panes are there", open, shown)
		}
	})
}
