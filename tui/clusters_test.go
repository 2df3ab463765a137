package tui

import (
	"context"
	"errors"
	"fmt"
	"testing"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/exp/golden"

	"kassa/kafkaops"
	"kassa/kafkaops/watch"
)

// choice is a screen on simulated brokers where there is no engine for containers. What is changed to is noted.
type choice struct {
	*stage
	changed []string
}

func newChoice(t testing.TB, w, h int) *choice {
	c := &choice{stage: newStage(t, w, h).open()}
	c.backend.Info = kafkaops.Info{Provider: "embedded", Simulated: true, Why: "no real brokers: there is no Java here"}
	c.cfg.Providers = func(context.Context) []Provider {
		return []Provider{
			{Name: "local", What: "three real brokers: Kafka's own processes on this machine", Limits: "no network that could be cut"},
			{Name: "compose", What: "three real brokers: Kafka's image, in Docker containers", Lacks: "no Docker engine answers (Cannot connect to the Docker daemon): start it, or choose --cluster local or embedded"},
			{Name: "embedded", What: "three simulated brokers in this process", Limits: "replication and elections are a model, and nothing is kept", Now: true, Ends: "its brokers and their data go"},
		}
	}
	present := *c.backend
	c.cfg.Switch = func(_ context.Context, provider string, progress func(kafkaops.Progress)) (*Backend, error) {
		c.changed = append(c.changed, provider)
		progress(kafkaops.Progress{Step: "leaving the brokers of embedded"})
		b := present
		b.Info = kafkaops.Info{Provider: provider, Version: "4.3.1", Why: "chosen with W"}
		return &b, nil
	}
	return c
}

// take has the program go on with the model that an update returns, as Bubble Tea does.
func (c *choice) take(msg tea.Msg) tea.Cmd {
	model, cmd := c.Update(msg)
	c.Model = model.(*Model)
	return cmd
}

// enter presses it, and lets a change begin.
func (c *choice) enter() {
	c.t.Helper()
	_, cmd := c.Update(tea.KeyPressMsg{Code: tea.KeyEnter})
	if cmd != nil {
		c.take(cmd())
	}
}

// One key says where brokers can come from and what each lacks; enter changes over, and the new ones have a screen of their own.
func TestBrokersAreChangedWithOneKey(t *testing.T) {
	c := newChoice(t, 120, 40)
	c.figs = Figures{Accepted: 7, Complete: 7}
	c.take(tickMsg(c.clock))
	c.has("7 complete")
	before := c.Model
	c.press("w", "c", "5", "W") // another layout, an order
	layout := c.look.Layout
	for _, text := range []string{"local", "can be had", "compose", "lacks   no Docker engine answers", "why     no real brokers", "enter   changes to these", "of embedded, its brokers and their data go"} {
		c.has(text)
	}
	c.press("j")
	c.enter()
	if c.Model != before || len(c.changed) != 0 {
		t.Fatal("it changes to what cannot be had")
	}
	c.has("compose cannot be had")
	c.press("k")
	c.enter()
	if c.Model == before || c.backend != nil {
		t.Fatal("the screen is still that of the old brokers")
	}
	if before.ctx.Err() == nil {
		t.Error("what was asked of the old brokers goes on")
	}
	c.has("changing to local")
	c.hasNot("7 complete")
	c.has("the shop opens when")
	if c.focus != paneBrokers || c.look.Layout != layout || layout == before.cfg.Look.Layout {
		t.Errorf("the focus went to %d, the layout from %q to %q", c.focus, layout, c.look.Layout)
	}
	c.take(c.start()())
	c.has("local")
	c.has("4.3.1")
	c.hasNot("SIMULATED")
	if len(c.changed) != 1 || c.changed[0] != "local" {
		t.Errorf("changed to %q", c.changed)
	}
}

// Answers about brokers that are gone change nothing, whenever they come.
func TestLateAnswersOfOldBrokersAreDropped(t *testing.T) {
	c := newChoice(t, 120, 40)
	old := c.backend
	c.press("c")
	c.take(switchMsg{"local"})
	for _, msg := range []tea.Msg{
		stateMsg{&watch.State{At: c.clock}},
		batchMsg{},
		faultDoneMsg{err: errors.New("the cluster is closed")},
		staffDoneMsg{"crash order", errors.New("it is gone")},
		checkoutMsg{number: 1},
		readyMsg{backend: old},
		readyMsg{err: context.Canceled},
	} {
		if cmd := c.take(msg); cmd != nil {
			t.Errorf("a %T is answered", msg)
		}
		if c.backend != nil || c.state != nil || c.notice.text != "" || c.Err() != nil {
			t.Errorf("a %T of the old brokers is taken for the new ones'", msg)
		}
	}
	c.View()
	c.take(readyMsg{backend: old, session: 1})
	if c.backend == nil {
		t.Error("the new brokers are not taken")
	}
}

// Brokers that do not come up are no end: the reason is shown, and another choice.
func TestAChangeThatFailsIsToldAndCanBeMadeAnew(t *testing.T) {
	c := newChoice(t, 120, 40)
	c.take(switchMsg{"local"})
	c.cfg.Switch = func(context.Context, string, func(kafkaops.Progress)) (*Backend, error) {
		return nil, &kafkaops.UserError{Message: "127.0.0.1:9094 is in use: choose other ports"}
	}
	c.cfg.Providers = func(context.Context) []Provider {
		return []Provider{{Name: "local"}, {Name: "compose", Lacks: "an engine"}, {Name: "embedded"}}
	}
	list := c.take(c.start()())
	if c.Err() != nil || list == nil {
		t.Fatalf("the program ends with %v", c.Err())
	}
	c.take(list())
	c.has("NO BROKERS")
	c.has("local did not come up: 127.0.0.1:9094 is in use")
	c.press("esc")
	c.has("W other brokers")
	c.press("c", "K", "b", "m", "D") // nothing is there to do it to
	c.press("W")
	c.enter() // what has just failed is not the first choice
	if c.clusters.session != 2 || c.clusters.provider != "embedded" {
		t.Errorf("session %d with %q", c.clusters.session, c.clusters.provider)
	}
	c.has("changing to embedded")
}

// The look at the machine may take seconds: the list is there at once and says so.
func TestTheListIsThereBeforeTheMachineWasLookedAt(t *testing.T) {
	c := newChoice(t, 80, 24)
	if _, cmd := c.Update(tea.KeyPressMsg{Code: 'W', Text: "W"}); cmd == nil {
		t.Fatal("nobody looks")
	}
	c.has("looking at this machine")
	c.enter()
	if c.overlay == nil || len(c.changed) != 0 {
		t.Error("something is changed to before anything is known")
	}
}

// Where there is no choice there is no key.
func TestNoChoiceNoKey(t *testing.T) {
	s := newStage(t, 80, 24).open()
	s.press("W")
	if s.overlay != nil {
		t.Error("a list of nothing")
	}
}

func TestGoldenClusters(t *testing.T) {
	for _, size := range [][2]int{{60, 18}, {80, 24}, {120, 40}} {
		t.Run(fmt.Sprintf("%dx%d", size[0], size[1]), func(t *testing.T) {
			c := newChoice(t, size[0], size[1])
			c.press("W", "j")
			golden.RequireEqual(t, c.View().Content)
		})
	}
}
