package tui

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"kassa/kafkaops"
	"kassa/kafkaops/tail"
)

// clumsy is a stage whose log can be read.
func clumsy(t *testing.T) (*stage, *bytes.Buffer) {
	s := newStage(t, 120, 40)
	var log bytes.Buffer
	s.cfg.Log = slog.New(slog.NewTextHandler(&log, nil))
	return s.story(), &log
}

// redraw draws all of the screen anew.
func redraw(s *stage) {
	s.dirtyAll()
	s.held = false
	s.View()
}

// A pane that cannot be drawn says so and where the log is; the others live on, and the log has the stack once.
func TestAPaneThatPanicsTakesNobodyAlong(t *testing.T) {
	s, log := clumsy(t)
	broken := s.tails[panePayment]
	s.tails[panePayment] = nil
	for range 20 {
		redraw(s)
	}
	s.has("pane 2 cannot be drawn")
	s.has("3 order")
	s.has("5 brokers")
	if n := strings.Count(log.String(), "nil pointer"); n != 1 || !strings.Contains(log.String(), "tailview.go") {
		t.Errorf("%d entries in the log: %s", n, log)
	}
	for i, l := range strings.Split(s.View().Content, "\n") {
		if w := ansi.StringWidth(l); w != 120 {
			t.Errorf("line %d is %d wide", i, w)
		}
	}
	s.tails[panePayment] = broken
	redraw(s)
	s.hasNot("cannot be drawn")
}

// What is on top of the screen may fail as well: it says so, and esc closes it.
func TestAnOverlayThatPanicsCanBeClosed(t *testing.T) {
	s, log := clumsy(t)
	s.overlay = &overlay{title: "x", live: func() []string { panic("no lines today") }}
	s.has("this cannot be drawn")
	s.has("1 checkout")
	s.press("esc")
	s.hasNot("cannot be drawn")
	if !strings.Contains(log.String(), "no lines today") {
		t.Errorf("log: %s", log)
	}
}

// A mistake in taking a message costs that message: it is said, logged once, and what comes next is waited for.
func TestAMessageThatPanicsCostsThatMessage(t *testing.T) {
	s, log := clumsy(t)
	shop := s.backend.Shop
	s.backend.Shop = nil
	for range 5 {
		if _, cmd := s.Update(tickMsg(s.clock)); cmd == nil {
			t.Fatal("the clock of the screen has stopped")
		}
	}
	s.has("a mistake in kassa; the cluster and the orders go on")
	if n := strings.Count(log.String(), "nil pointer"); n != 1 || !strings.Contains(log.String(), "tickMsg") {
		t.Errorf("%d entries in the log: %s", n, log)
	}
	s.backend.Shop = shop
	s.tails[panePayment] = nil
	batches := make(chan tail.Batch, 1)
	s.backend.Batches = batches
	batches <- tail.Batch{At: s.clock}
	_, cmd := s.Update(batchMsg{At: s.clock, Records: []tail.Record{{Topic: "payment-successful"}}})
	if cmd == nil {
		t.Fatal("no more records are waited for")
	}
	if _, ok := cmd().(batchMsg); !ok {
		t.Error("what is waited for is no batch")
	}
	s.press("q") // keys work
	if _, cmd := s.Update(tea.KeyPressMsg{Code: 'q', Text: "q"}); cmd == nil {
		t.Error("q does not quit")
	}
	s.Update(stateMsg{s.cluster()})
	s.has("3/3 up")
}

// Without a log, and before there is a cluster, a mistake is survived as well.
func TestAMistakeBeforeThereIsACluster(t *testing.T) {
	s := newStage(t, 80, 24)
	s.tails[paneOrder] = nil
	s.has("pane 3 cannot be drawn")
	s.send(bootMsg(kafkaops.Progress{Step: "starting brokers"}))
	s.has("starting brokers")
}
