package tui

import (
	"slices"
	"testing"
	"time"

	"github.com/charmbracelet/x/exp/golden"

	"kassa/services/latency"
	"kassa/services/load"
)

func TestLoadSteps(t *testing.T) {
	s := newStage(t, 80, 24).open()
	for _, c := range []struct {
		key string
		on  bool
		at  int
	}{{"b", true, 50}, {"+", true, 100}, {"-", true, 50}, {"b", false, 50}} {
		if s.press(c.key); s.plan.On != c.on || s.plan.Rate != c.at {
			t.Errorf("%s: the load is %+v, want %+v", c.key, s.plan, c)
		}
	}
	for range 20 {
		s.press("+")
	}
	if s.plan.Rate != load.MaxRate {
		t.Errorf("the highest rate is %d", s.plan.Rate)
	}
	for range 20 {
		s.press("-")
	}
	if s.plan.Rate != 1 {
		t.Errorf("the lowest rate is %d", s.plan.Rate)
	}
}

// A rate from a flag that is no step is kept, and + and - go to the steps beside it.
func TestARateBetweenSteps(t *testing.T) {
	for key, want := range map[string]int{"b": 300, "+": 500, "-": 200} {
		s := newStage(t, 80, 24)
		s.load = newLoadState(300)
		if s.open().press(key); s.plan.Rate != want {
			t.Errorf("%s makes %d of 300", key, s.plan.Rate)
		}
	}
}

func TestRampAndBurst(t *testing.T) {
	s := newStage(t, 120, 40).open()
	s.press("b", "o", "r")
	if want := (load.Plan{On: true, Rate: 500, Over: 30 * time.Second, Customers: 20, Think: time.Second}); s.plan != want {
		t.Errorf("the ramp is %+v, want %+v", s.plan, want)
	}
	s.loaded.Rate, s.loaded.Left = 137, 11500*time.Millisecond
	s.send(tickMsg(s.clock))
	s.press("esc")
	s.has("b load on, 137→500/s 12 s")
	s.press("+") // from where the ramp is
	if s.plan.Rate != 200 || s.plan.Over != 0 {
		t.Errorf("+ on a ramp makes %+v", s.plan)
	}
	s.loaded = load.Figures{}
	s.press("B", "o", "j", "j", "j", "j", "j", "+", "B")
	if !slices.Equal(s.bursts, []int{100, 200}) {
		t.Errorf("bursts of %v", s.bursts)
	}
}

func TestClosedLoopIsSet(t *testing.T) {
	s := newStage(t, 120, 40).open()
	s.press("o", "j", "+", "j", "j", "+", "j", "-", "b", "esc")
	if want := (load.Plan{On: true, Mode: load.Closed, Rate: 50, Customers: 50, Think: 500 * time.Millisecond}); s.plan != want {
		t.Errorf("the plan is %+v, want %+v", s.plan, want)
	}
	s.has("closed 50")
	s.press("-")
	if s.plan.Customers != 20 {
		t.Errorf("- in a closed loop makes %+v", s.plan)
	}
	s.press("o", "k", "k", "k", "+", "esc")
	s.has("open 50/s")
}

func TestGoldenLoad(t *testing.T) {
	for name, size := range map[string][2]int{"60x18": {60, 18}, "120x40": {120, 40}} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, size[0], size[1]).story()
			s.loaded = load.Figures{
				Rate: 137, Left: 12 * time.Second, Offered: 12345, Accepted: 12300, Pending: 45,
				Latency: latency.Percentiles{Count: 9000, P50: 12 * time.Millisecond, P99: 1234 * time.Millisecond, Max: 2 * time.Second},
			}
			s.press("o", "j", "j", "r")
			golden.RequireEqual(t, s.View().Content)
		})
	}
}
