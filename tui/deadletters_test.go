package tui

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/exp/golden"

	"kassa/services"
	"kassa/services/deadletters"
	"kassa/services/events"
)

// graves is dead letters that a test holds.
type graves struct {
	letters []deadletters.Letter
	err     error
	retried []deadletters.Place
	asked   int
}

func (g *graves) Latest(_ context.Context, n int) ([]deadletters.Letter, error) {
	g.asked++
	return g.letters[:min(n, len(g.letters))], g.err
}

func (g *graves) Retry(_ context.Context, at deadletters.Place) (deadletters.Place, error) {
	g.retried = append(g.retried, at)
	return deadletters.Place{Topic: events.PaymentSuccessful, Partition: 1, Offset: 99}, g.err
}

func (g *graves) Poison(context.Context) (string, error) {
	return "NaN, at payment-successful/1@7", g.err
}

func newGraves(s *stage, n int) *graves {
	g := &graves{}
	for i := range n {
		g.letters = append(g.letters, deadletters.Letter{
			At:     deadletters.Place{Topic: events.DeadLetters(events.PaymentSuccessful), Partition: 1, Offset: int64(2 * (n - i))},
			Source: deadletters.Place{Topic: events.PaymentSuccessful, Partition: 1, Offset: int64(100 + n - i)},
			Time:   s.clock.Add(-time.Duration(i) * time.Second), SourceTime: s.clock, Reason: "cannot be read: cart[0].price is negative \x1b[2J", Service: "order",
			Attempt: 1, Key: []byte("7f3a0000-0000"), Value: []byte("{\"userId\":\"\x1b]0;x\x07\"}"), Size: 21,
		})
	}
	s.story()
	s.backend.DeadLetters = g
	s.figs.Services = append([]services.Stats(nil), s.figs.Services...)
	s.figs.Services[0].DeadLetters = int64(n)
	s.send(tickMsg(s.clock))
	return g
}

func TestDeadLettersAreCountedAndListed(t *testing.T) {
	s := newStage(t, 120, 40)
	g := newGraves(s, 30)
	s.has("30 dead letters")
	s.press("D")
	s.has("payment/1@130")
	s.has("cart[0].price is negative")
	s.has("r write it again")
	if strings.ContainsAny(s.screen(), "\x1b\x07") {
		t.Error("what a stranger wrote reached the terminal")
	}
	s.press("j", "enter")
	s.has("payment-successful.dlq/1@58")
	s.has("written")
	s.press("esc")
	s.has("dead letters")
	s.press("esc")
	s.hasNot("write it again")
	asked := g.asked
	s.send(deadTickMsg{s.dead.number})
	if g.asked != asked {
		t.Error("a closed list was read")
	}
}

func TestDeadLetterIsRetriedAfterAQuestion(t *testing.T) {
	s := newStage(t, 80, 24)
	g := newGraves(s, 3)
	s.press("D", "j", "r")
	s.has("Write payment-successful/1@102 again, as it was?")
	s.press("n")
	s.hasNot("as it was?")
	if len(g.retried) != 0 {
		t.Fatal("retried without consent")
	}
	s.press("r", "y")
	if len(g.retried) != 1 || g.retried[0] != g.letters[1].At {
		t.Fatalf("retried %v", g.retried)
	}
	if !strings.Contains(s.notice.text, "is written again, as payment-successful/1@99") {
		t.Error(s.notice.text)
	}
	g.letters[1].Retried, g.letters[1].RetriedAs = s.clock, "payment-successful/1@99"
	s.press("r")
	if len(g.retried) != 1 || s.dead.asking || !strings.Contains(s.notice.text, "--again") {
		t.Errorf("asked again: %s", s.notice.text)
	}
	s.press("enter")
	s.has("retried")
	g.err = errors.New("no broker answered")
	s.press("esc", "k", "r", "y")
	if !s.notice.bad || !strings.Contains(s.notice.text, "no broker answered") {
		t.Error(s.notice.text)
	}
	s.press("esc", "D")
	s.has("not read: no broker answered")
	s.press("esc", "P")
	if !s.notice.bad {
		t.Error(s.notice.text)
	}
	g.err = nil
	s.press("P")
	s.has("poison written: NaN")
}

// While the list is open it follows: new letters come in at the top, and the selection stays with its letter.
func TestDeadLettersFollow(t *testing.T) {
	s := newStage(t, 80, 24)
	g := newGraves(s, 5)
	s.press("D", "j", "j")
	s.has("payment/1@103")
	more := g.letters[0]
	more.At.Offset, more.Source.Offset = 900, 901
	g.letters = append([]deadletters.Letter{more}, g.letters...)
	s.send(deadMsg{number: s.dead.number, letters: g.letters, counted: 6})
	if l, _ := s.selectedDead(); l.Source.Offset != 103 {
		t.Errorf("the selection went to %s", l.Source)
	}
	s.has("payment/1@901")
	s.send(deadMsg{number: s.dead.number - 1, letters: nil})
	s.has("payment/1@901")
}

func TestGoldenDeadLetters(t *testing.T) {
	for _, size := range [][2]int{{60, 18}, {80, 24}, {120, 40}} {
		t.Run(fmt.Sprintf("%dx%d", size[0], size[1]), func(t *testing.T) {
			s := newStage(t, size[0], size[1])
			g := newGraves(s, 40)
			g.letters[3].Retried, g.letters[3].RetriedAs, g.letters[2].Attempt = s.clock, "payment-successful/1@200", 2
			s.press("D", "j")
			golden.RequireEqual(t, s.View().Content)
		})
	}
}

// Beside the tour the selected letter and the keys are in view too.
func TestDeadLettersBesideTheTour(t *testing.T) {
	for _, size := range [][2]int{{80, 24}, {60, 18}} {
		s := newStage(t, size[0], size[1])
		newGraves(s, 40)
		s.press("T", "D")
		for i := range 40 {
			s.has(fmt.Sprintf("payment/1@%d", 140-i))
			s.has("j k select")
			s.hasNot("j k · esc closes") // nothing is out of view
			s.press("j")
		}
	}
}
