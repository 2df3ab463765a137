package tui

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/exp/golden"

	"kassa/kafkaops/drill"
	"kassa/kafkaops/drill/runner"
	"kassa/kafkaops/drill/scenario"
)

// school is drills that a test holds.
type school struct {
	ran    []string
	tell   func(runner.Progress)
	ctx    context.Context
	result *drill.Result
	err    error
}

func (d *school) List() []Drill {
	return []Drill{
		{Name: "leader-kill", About: "The leader of a partition is killed while orders come, and comes back.", Price: "Orders come at 200 a second. 1 fault."},
		{Name: "network-cut", About: "A broker is cut off its network.", Price: "1 fault.", Refused: "broker 1 has no network of its own\x1b[2J"},
	}
}

func (d *school) Run(ctx context.Context, name string, tell func(runner.Progress)) (*drill.Result, error) {
	d.ran, d.tell, d.ctx = append(d.ran, name), tell, ctx
	return d.result, d.err
}

func newSchool(s *stage) *school {
	d := &school{}
	s.story()
	s.backend.Drills = d
	return d
}

// begins presses enter and y, and gives what then runs beside the screen.
func (s *stage) begins() tea.Cmd {
	s.t.Helper()
	s.press("enter")
	s.has("Run leader-kill?")
	cmd := s.drillKeyCmd("y")
	if cmd == nil {
		s.t.Fatal("nothing was begun")
	}
	return cmd
}

func (s *stage) drillKeyCmd(k string) tea.Cmd {
	cmd, _ := s.drillKey(tea.KeyPressMsg{Code: []rune(k)[0], Text: k})
	return cmd
}

func TestADrillIsAskedForOnceAndRun(t *testing.T) {
	s := newStage(t, 120, 40)
	d := newSchool(s)
	s.press("X")
	s.has("leader-kill")
	s.has("Orders come at 200 a second. 1 fault.")
	s.press("enter")
	s.has("Run leader-kill?")
	s.press("n")
	s.hasNot("Run leader-kill?")
	if len(d.ran) > 0 {
		t.Fatal("it ran, though the answer was no")
	}

	cmd := s.begins()
	d.result = &drill.Result{
		Verdict: drill.Fail, Audited: true, Seed: 7, Seconds: 61, Reasons: []string{"expected lost = 0, and saw 1 lost"},
		Counts:   drill.Counts{Accepted: 2757, Complete: 2756, Lost: 1},
		Findings: []drill.Finding{{Kind: "lost", Checkout: "7f3a\x1b[2J", Detail: "the log has no order for it", Where: []string{"payment-successful/0@24"}}},
	}
	done := cmd() // as it would beside the screen
	gap := 1028.0
	begun := s.clock
	d.tell(runner.Progress{Stage: "running", Now: "waiting: writes go on", Begun: begun, Faults: 1, Of: 1, AcceptRate: 200, Elapsed: 12 * time.Second})
	run := s.drills.run
	run.over = false // it is still under way, as far as the screen knows
	s.has("running 00:12")
	s.has("waiting: writes go on")
	s.has("fault 1 of 1")
	d.tell(runner.Progress{Stage: "running", Begun: begun, Over: &drill.FaultResult{Kind: "kill", Target: "controller", Node: 2, At: begun.Add(3 * time.Second), WriteGapMs: &gap}})
	s.has("00:03  kill broker 2 (controller)")
	s.has("write gap 1,028 ms")

	run.over = true
	s.send(done)
	s.has("FAILED")
	s.has("expected lost = 0, and saw 1 lost")
	s.has("1 lost, 0 duplicated")
	s.has("payment-successful/0@24")
	if strings.ContainsAny(s.screen(), "\x1b\x07") {
		t.Error("what a stranger wrote reached the terminal")
	}
	s.press("enter")
	s.has("what leader-kill saw")
	s.press("v")
	s.has("FAILED")
}

func TestADrillThatCannotBeRunSaysWhy(t *testing.T) {
	s := newStage(t, 120, 40)
	d := newSchool(s)
	s.press("X", "j")
	s.has("Not here: broker 1 has no network of its own")
	s.press("enter")
	s.hasNot("Run network-cut?")
	s.press("k")
	cmd := s.begins()
	d.err = errors.New("the cluster is not whole")
	s.send(cmd())
	s.has("leader-kill did not begin: the cluster is not whole")
}

func TestADrillGoesOnWhenItsWindowIsClosedAndEndsWhenTold(t *testing.T) {
	s := newStage(t, 120, 40)
	d := newSchool(s)
	s.press("X")
	cmd := s.begins()
	d.result = &drill.Result{Verdict: drill.NoVerdict, Reasons: []string{"it was interrupted"}}
	held := cmd
	s.press("esc")
	s.hasNot("ends it")
	s.press("X") // it is still under way: its window opens, not the list
	s.has("ends it")
	s.drills.looking = false
	s.press("enter")
	s.has("one at a time")
	s.drills.looking = true
	s.press("x")
	s.send(held())
	if d.ctx.Err() == nil {
		t.Error("it was not told to end")
	}
	s.has("NO VERDICT")
}

func TestGoldenDrills(t *testing.T) {
	s := newStage(t, 100, 30)
	newSchool(s)
	s.press("X")
	golden.RequireEqual(t, []byte(s.screen()))
}

// bookshelf is as many drills as are built in, with their prices.
type bookshelf struct{ school }

func (*bookshelf) List() (list []Drill) {
	for _, s := range scenario.Builtin() {
		list = append(list, Drill{
			Name: s.Name, About: s.About,
			Price: "Orders come at 200 a second, and the load of now is set aside until it is over. 20 faults, each when the one before is settled; " +
				"what is still away at the end is brought back. The verdict is about every order since kassa started.",
		})
	}
	list[2].Refused = "it deletes what this session has written, so that no later audit could pass: run `kassa drill topic-deleted`, which has a cluster of its own"
	return list
}

// Nobody says yes to what they cannot see: the selected drill and the question are there on the smallest screen, beside the tour too.
func TestTheDrillThatIsAskedAboutIsInView(t *testing.T) {
	for _, size := range [][2]int{{80, 24}, {60, 18}} {
		for _, tour := range []bool{false, true} {
			t.Run(fmt.Sprintf("%dx%d,tour=%v", size[0], size[1], tour), func(t *testing.T) {
				s := newStage(t, size[0], size[1]).story()
				s.backend.Drills = &bookshelf{}
				list := s.backend.Drills.List()
				if tour {
					s.press("T")
				}
				s.press("X")
				for _, one := range list {
					s.has(one.Name + " ")
					if one.Refused == "" {
						s.press("enter")
						s.has(one.Name + " ") // the row
						s.has("Run " + one.Name + "?")
						s.press("n")
					}
					s.has("enter run")
					s.hasNot("j k · esc closes") // nothing of it is out of view
					s.press("j")
				}
				s.press("g", "G", "enter")
				last := list[len(list)-1].Name
				s.has(last + " ")
				s.has("Run " + last + "?  y yes  n no")
			})
		}
	}
}
