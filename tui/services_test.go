package tui

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/exp/golden"

	"kassa/kafkaops/watch"
	"kassa/services"
)

// shift is the stage's staff: services that note what is asked of them.
type shift struct {
	*stage
	asked    []string
	delivery services.Delivery
	err      error
	list     map[string][]services.Instance
}

// on gives the stage a staff.
func (s *stage) on() *shift {
	d := &shift{stage: s, list: map[string][]services.Instance{}}
	s.backend.Staff = d
	return d
}

func (d *shift) Control(service string) services.Control {
	if service == "payment" {
		return nil
	}
	return controlled{d, service}
}
func (d *shift) Instances(service string) []services.Instance { return d.list[service] }
func (d *shift) Delivery() services.Delivery                  { return d.delivery }
func (d *shift) SetDelivery(to services.Delivery)             { d.delivery = to; d.note("deliver", to.String()) }

func (d *shift) note(what ...any) error {
	d.asked = append(d.asked, strings.TrimSpace(fmt.Sprintln(what...)))
	return d.err
}

type controlled struct {
	*shift
	name string
}

func (c controlled) Stats() services.Stats      { return services.Stats{} }
func (c controlled) Stop(context.Context) error { return c.note("stop", c.name) }
func (c controlled) Crash() error               { return c.note("crash", c.name) }
func (c controlled) Start() error               { return c.note("start", c.name) }
func (c controlled) Scale(n int) error          { return c.note("scale", c.name, n) }

// hire makes the figures of a shop: order in three instances of which one is down, email stopped, analytics well.
func (s *stage) hire() *shift {
	s.figs = Figures{
		Accepted: 1045, AckP50: 4 * time.Millisecond, AckP99: 12 * time.Millisecond, Complete: 900,
		Services: []services.Stats{
			{Name: "order", Status: services.Restarting, Since: s.clock.Add(-300 * time.Millisecond), Handled: 1044, Produced: 1040, Lag: 12, Partitions: 2, Instances: 3, Live: 2, Restarts: 4, Retries: 2, P50: 87 * time.Millisecond, P99: 1360 * time.Millisecond, Err: "crashed, as by kill -9"},
			{Name: "email", Status: services.Stopped, Since: s.clock.Add(-9 * time.Second), Handled: 900, Lag: 0, Instances: 2, DeadLetters: 3, P50: 90 * time.Millisecond, P99: 140 * time.Millisecond},
			{Name: "analytics", Status: services.Running, Since: s.clock.Add(-time.Minute), Handled: 2700, Lag: 5, Partitions: 9, Instances: 1, Live: 1},
		},
	}
	d := s.on()
	d.list["order"] = []services.Instance{
		{Slot: 0, Name: "kassa.order.abc.0", Stats: services.Stats{Status: services.Running, Handled: 600}, Owns: []services.Partition{{Topic: "payment-successful", ID: 0}}},
		{Slot: 1, Name: "kassa.order.abc.1", Stats: services.Stats{Status: services.Restarting, Handled: 444, Restarts: 4, Err: "crashed, as by kill -9"}, Again: s.clock.Add(700 * time.Millisecond)},
		{Slot: 2, Name: "kassa.order.abc.2", Stats: services.Stats{Status: services.Joining}},
	}
	st := s.cluster()
	st.Groups = []watch.Group{
		{Name: "email", State: "Empty", Seen: s.clock, Lag: []watch.PartitionLag{{Topic: "order-successful", Lag: 144}}},
		{Name: "order", State: "PreparingRebalance", Seen: s.clock, Members: make([]watch.Member, 3), Rebalances: 2, Lag: []watch.PartitionLag{{Topic: "payment-successful", Lag: 21}}},
	}
	s.send(stateMsg{st})
	s.send(tickMsg(s.clock))
	return d
}

// Each service says what it does, what waits for it and what is wrong, on every screen, and nowhere else than it is true.
func TestGoldenServices(t *testing.T) {
	for _, size := range [][2]int{{60, 18}, {80, 24}, {120, 40}} {
		t.Run(fmt.Sprintf("%dx%d", size[0], size[1]), func(t *testing.T) {
			s := newStage(t, size[0], size[1]).open()
			s.hire()
			s.press("8", "j")
			s.has("▶ order     2/3 alive")
			s.has("starts again in 700 ms")
			s.has("STOPPED")
			golden.RequireEqual(t, s.View().Content)
		})
	}
	t.Run("details", func(t *testing.T) {
		s := newStage(t, 120, 40).open()
		s.hire()
		s.press("8", "j", "enter")
		golden.RequireEqual(t, s.View().Content)
	})
	t.Run("question", func(t *testing.T) {
		s := newStage(t, 80, 24).open()
		s.hire()
		s.press("8", "j", "K")
		golden.RequireEqual(t, s.View().Content)
	})
}

// Pane 1 tells of a service that is down or stopped as pane 8 does, with what waits for it in the topic: it cannot know itself.
func TestCheckoutPaneTellsOfServicesThatAreDown(t *testing.T) {
	s := newStage(t, 120, 40).open()
	d := s.hire()
	s.has("order     2/3 alive 0/s")
	s.has("email     STOPPED lag 144")
	s.figs.Services[0].Live, s.figs.Services[0].Partitions = 0, 0
	s.send(tickMsg(s.clock))
	s.has("order     CRASHED lag 21")
	if len(d.asked) != 0 {
		t.Errorf("looking did %v", d.asked)
	}
}

// What is done to a service is asked once, with its price, and is done to the selected one; n and esc leave it alone; . repeats.
func TestServicesAreControlled(t *testing.T) {
	s := newStage(t, 120, 40).open()
	d := s.hire()
	did := func(want ...string) {
		t.Helper()
		if !slices.Equal(d.asked, want) {
			t.Fatalf("asked for %q, want %q", d.asked, want)
		}
	}
	s.press("8", "K") // payment has no control here
	did()
	s.press("j", "K")
	s.has("Crash order?")
	s.has("All 3 instances of order: kill -9")
	s.press("n", "K", "esc", "s")
	s.has("Stop order?")
	s.press("esc")
	did()
	s.press("K", "y")
	did("crash order")
	s.press("s", "enter", ".")
	did("crash order", "stop order", "stop order")
	s.press("S") // it runs, as far as the figures know
	did("crash order", "stop order", "stop order")
	s.press("+", "-")
	did("crash order", "stop order", "stop order", "scale order 4", "scale order 2")
	s.press("j", "K") // email is stopped
	s.hasNot("Crash email?")
	s.press("S")
	did("crash order", "stop order", "stop order", "scale order 4", "scale order 2", "start email")
	s.press("j", "-")
	s.has("runs in 1 to 6 instances")
	d.err = errors.New("the till is jammed")
	s.press("+")
	s.has("scale analytics to 2: the till is jammed")
	s.press("s", "y")
	s.has("stop analytics: the till is jammed")
	if s.done != nil {
		t.Errorf("a broker suffered %v", s.done)
	}
}

// An act is a line in the tails and a row of the timeline, which says when the service had its partitions again.
func TestServiceActsAreMarked(t *testing.T) {
	s := newStage(t, 180, 40).open()
	s.hire()
	s.records(2)
	s.press("8", "j", "K", "y", "esc")
	s.has("── order crashed 20:31:08.000")
	s.has("20:31:08.000 crash order")
	s.hasNot("partitions again")
	s.clock = s.clock.Add(900 * time.Millisecond)
	svc := &s.figs.Services[0]
	svc.Status, svc.Live, svc.Since, svc.Err = services.Running, 3, s.clock.Add(-150*time.Millisecond), ""
	s.send(tickMsg(s.clock))
	s.has("has its partitions again +750 ms")
	s.clock = s.clock.Add(time.Second)
	s.send(tickMsg(s.clock))
	if n := strings.Count(s.screen(), "partitions again"); n != 1 {
		t.Errorf("said %d times", n)
	}
}

// The delivery is asked about once and changes for all; the header follows.
func TestDeliveryIsSwitched(t *testing.T) {
	s := newStage(t, 160, 40).open()
	d := s.hire()
	s.has("exactly-once")
	s.press("d")
	s.has("Deliver at-least-once?")
	s.press("n", "d", "esc")
	if len(d.asked) > 0 {
		t.Fatalf("did %v", d.asked)
	}
	s.press("d", "y")
	if !slices.Equal(d.asked, []string{"deliver at-least-once"}) {
		t.Fatalf("did %v", d.asked)
	}
	s.has("at-least-once")
	s.hasNot("exactly-once")
	s.press("d")
	s.has("Deliver exactly-once?")
	s.press("esc")
	s.send(tea.WindowSizeMsg{Width: 100, Height: 40})
	if header, _, _ := strings.Cut(s.screen(), "\n"); !strings.Contains(header, "at-least-once") {
		t.Errorf("at 100 columns the header is %q", header)
	}
}

// Each key of a service does something, or says why it does not, as its word would.
func TestKeysOfAServiceSayWhyNot(t *testing.T) {
	s := newStage(t, 120, 40).open()
	s.hire()
	s.press("8", "g", "j")
	s.press("S")
	s.saidNow("order is not stopped")
	s.press("j", "K")
	s.saidNow("no instance of email runs")
	s.press("s")
	s.saidNow("email is stopped already")
	for _, k := range []string{"p", "r", "R", "e", "C"} {
		s.press(k)
		s.saidNow("this works in the broker pane (5)")
	}
	s.backend.Staff = nil
	for _, k := range []string{"K", "s", "S"} {
		s.press(k)
		s.saidNow("no service can be controlled from here")
	}
}
