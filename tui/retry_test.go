package tui

import (
	"context"
	"errors"
	"testing"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/exp/golden"

	"kassa/kafkaops"
)

// unreachable is a screen whose start fails on brokers that each say something else.
func unreachable(t testing.TB, w, h int) *choice {
	c := newChoice(t, w, h)
	c.Model = New(t.Context(), c.cfg)
	c.Update(tea.WindowSizeMsg{Width: w, Height: h})
	c.cfg.Start = func(context.Context, func(kafkaops.Progress)) (*Backend, error) {
		return nil, &kafkaops.ConnectError{Err: errors.New("make the topics: context deadline exceeded"), Brokers: []kafkaops.BrokerAnswer{
			{Addr: "127.0.0.1:9094", Answer: "connection refused"},
			{Addr: "127.0.0.1:9095", Answer: "no answer within 1s"},
			{Addr: "127.0.0.1:9096", Answer: "answers, and knows 1 live broker\x1b[2J", OK: true},
		}}
	}
	list := c.take(c.start()())
	if list == nil {
		t.Fatal("no list")
	}
	c.take(list())
	return c
}

// Brokers that cannot be used at the start are listed with what each says; r tries them again, enter changes to others, q leaves with the reason.
func TestAStartThatFailsIsToldAndTriedAgain(t *testing.T) {
	c := unreachable(t, 120, 40)
	for _, text := range []string{
		"NO BROKERS", "the brokers did not come up: make the topics: context deadline exceeded", "127.0.0.1:9094        connection refused",
		"127.0.0.1:9095        no answer within 1s", "answers, and knows 1 live broker␛[2J", "r tries again", "enter changes to the selected ones", "q leaves",
	} {
		c.has(text)
	}
	var connect *kafkaops.ConnectError
	if !errors.As(c.Err(), &connect) {
		t.Errorf("who leaves now is told %v", c.Err())
	}
	if _, cmd := c.Update(tea.KeyPressMsg{Code: 'q', Text: "q"}); cmd == nil {
		t.Error("q does not leave")
	} else if _, quits := cmd().(tea.QuitMsg); !quits {
		t.Error("q does not leave")
	}
	c.press("esc")
	c.has("r try again")
	c.press("c", "K", "t", "E", ":", "esc") // nothing is there to do it to
	_, cmd := c.Update(tea.KeyPressMsg{Code: 'r', Text: "r"})
	if cmd == nil {
		t.Fatal("r does nothing")
	}
	c.take(cmd())
	c.has("trying again")
	if c.clusters.session != 1 || c.clusters.provider != "" || c.Err() != nil {
		t.Errorf("session %d with %q, %v", c.clusters.session, c.clusters.provider, c.Err())
	}
	c.cfg.Start = func(context.Context, func(kafkaops.Progress)) (*Backend, error) { return c.backendOf(), nil }
	c.take(c.start()())
	if c.backend == nil || failed(c.Model) || c.Err() != nil {
		t.Error("the brokers are not taken when they come up after all")
	}
}

// backendOf is a backend as the stage has it.
func (c *choice) backendOf() *Backend {
	return newStage(c.t, 80, 24).open().backend
}

// A provider that knows no more than its processes says that of each.
func TestAStartThatFailsTellsOfProcesses(t *testing.T) {
	c := newChoice(t, 120, 40)
	c.take(switchMsg{"local"})
	c.take(bootMsg{Step: "starting brokers", Nodes: []kafkaops.Node{{ID: 1, Addr: "127.0.0.1:9094", Process: kafkaops.ProcessRunning}, {ID: 2, Addr: "127.0.0.1:9095", Process: kafkaops.ProcessExited, Exit: "exit status 1"}}})
	c.cfg.Switch = func(context.Context, string, func(kafkaops.Progress)) (*Backend, error) {
		return nil, &kafkaops.UserError{Message: "the brokers are not ready after 2m"}
	}
	list := c.take(c.start()())
	c.take(list())
	c.has("local did not come up: the brokers are not ready after 2m")
	c.has("127.0.0.1:9094        running")
	c.has("127.0.0.1:9095        exited: exit status 1")
	if c.Err() != nil {
		t.Error("a change that fails ends with an error")
	}
	_, cmd := c.Update(tea.KeyPressMsg{Code: 'r', Text: "r"})
	c.take(cmd())
	if c.clusters.provider != "local" || c.clusters.session != 2 {
		t.Errorf("session %d with %q", c.clusters.session, c.clusters.provider)
	}
}

func TestGoldenFailedStart(t *testing.T) {
	for name, size := range map[string][2]int{"60x18": {60, 18}, "80x24": {80, 24}, "120x40": {120, 40}} {
		t.Run(name, func(t *testing.T) {
			c := unreachable(t, size[0], size[1])
			golden.RequireEqual(t, c.View().Content)
		})
	}
}
