package tui

import (
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"

	"kassa/kafkaops"
	"kassa/kafkaops/drill"
	"kassa/kafkaops/drill/runner"
	"kassa/kafkaops/watch"
	"kassa/services/deadletters"
)

// What a key does must be what the screen said that it would do, also when the cluster has moved on in between.

func TestAQuestionAboutARoleThatHasPassedOnIsAskedAnew(t *testing.T) {
	s := newStage(t, 120, 40).open()
	s.send(stateMsg{s.cluster()})
	s.press("5", "C", "K")
	s.has("Kill -9 broker 2, controller?")
	st := s.cluster()
	st.Quorum.Leader = 3
	s.send(stateMsg{st})
	s.press("y")
	if len(s.done) != 0 {
		t.Fatalf("did %v, which nobody was asked about", s.done)
	}
	s.has("Kill -9 broker 3, controller?")
	s.has("broker 3 is the controller by now")
	s.press("y")
	if len(s.done) != 1 || s.done[0].Node != 3 {
		t.Errorf("did %v", s.done)
	}
}

func TestWithoutAQuorumTheSelectedBrokerIsMeantByItsNumber(t *testing.T) {
	s := newStage(t, 120, 40).open()
	s.send(stateMsg{s.cluster()})
	s.press("5", "C")
	st := s.cluster()
	for _, i := range []int{0, 2} {
		st.Nodes[i].Health, st.Nodes[i].Process = watch.Down, kafkaops.ProcessExited
	}
	st.Quorum.Known, st.Quorum.Lost = false, true
	s.send(stateMsg{st})
	s.press("K")
	s.has("Kill -9 broker 2?")
	s.press("n", ":")
	s.types("kill controller")
	s.press("enter")
	s.has("annot kill the controller: nobody knows who leads the quorum")
}

func TestATopicThatWasOpenedIsClosedAndNotHidden(t *testing.T) {
	s := newStage(t, 120, 40).story()
	library(s)
	s.press("t")
	s.types("carts")
	s.press("enter", "1", "H")
	s.has("x closes it")
	if len(s.look.Hidden) != 0 {
		t.Errorf("hidden: %q", s.look.Hidden)
	}
}

func TestOnlyTheDeadLetterThatWasAskedAboutIsWrittenAgain(t *testing.T) {
	s := newStage(t, 80, 24)
	g := newGraves(s, 5)
	s.press("D", "r")
	asked := g.letters[0].At
	more := g.letters[0]
	more.At.Offset, more.Source.Offset = 900, 901
	g.letters = append(g.letters[:0:0], append([]deadletters.Letter{more}, g.letters...)...)
	s.send(deadMsg{number: s.dead.number, letters: g.letters, counted: 6})
	s.press("y")
	if len(g.retried) != 1 || g.retried[0] != asked {
		t.Errorf("%v was written again, asked about was %v", g.retried, asked)
	}
	s.press("r")
	s.send(deadMsg{number: s.dead.number, letters: g.letters[3:], counted: 9}) // it is not among the newest any more
	s.press("y")
	if len(g.retried) != 1 {
		t.Errorf("%v was written again, and nobody was asked", g.retried[1:])
	}
}

func TestAFilterThatIsTypedStaysWithItsPane(t *testing.T) {
	s := newStage(t, 120, 40).story()
	s.press("2", "/")
	s.types("7f")
	at := s.layout[paneOrder]
	s.send(tea.MouseClickMsg{X: at.x + 2, Y: at.y + 2, Button: tea.MouseLeft})
	s.send(tea.MouseWheelMsg{X: at.x + 2, Y: at.y + 2, Button: tea.MouseWheelUp})
	s.types("3a")
	s.press("enter")
	if got, other := s.tails[panePayment].filter, s.tails[paneOrder].filter; got != "7f3a" || other != "" {
		t.Errorf("the filters are %q and %q", got, other)
	}
}

func TestADrillHasTheLoadUntilItsEnd(t *testing.T) {
	s := newStage(t, 120, 40)
	d := newSchool(s)
	s.press("X")
	cmd := s.begins()
	d.result = &drill.Result{Verdict: drill.Pass}
	s.press("esc", "b")
	s.has("a load of its own")
	s.has("by the drill")
	s.press("B")
	s.has("a load of its own")
	s.send(cmd())
	s.hasNot("by the drill")
	s.has("load on, open 50/s") // what was set meanwhile
	if s.backend.Load.Figures().Plan != s.load.plan {
		t.Error("the screen says another load than there is")
	}
}

func TestADrillOnOtherBrokersEndsUnheard(t *testing.T) {
	s := newStage(t, 120, 40)
	newSchool(s)
	s.send(drillDoneMsg{run: &drillRun{name: "leader-kill", result: &drill.Result{Verdict: drill.NoVerdict}, progress: runner.Progress{}}})
	s.hasNot("leader-kill")
}

func TestASearchEndsInWordsAndFromEveryPane(t *testing.T) {
	for _, end := range [][]string{{"5", "esc"}, {"F", "enter"}, {"5", ":", "s", "e", "a", "r", "c", "h", "enter"}} {
		s := newStage(t, 120, 40).story()
		s.press("F")
		s.types("zzz")
		s.press("enter")
		if !searching(s.Model) {
			t.Fatal("nothing is searched for")
		}
		s.press(end...)
		if searching(s.Model) || s.command != nil {
			t.Errorf("after %s it goes on:\n%s", strings.Join(end, " "), s.screen())
		}
	}
}

func TestLettersOfTheTourAreTypedIntoThePicker(t *testing.T) {
	s := newStage(t, 120, 40).story()
	library(s)
	s.press("T", "t")
	s.types("T>")
	if s.picker.filter != "T>" || !s.tour.open {
		t.Errorf("typed is %q, the tour open: %v", s.picker.filter, s.tour.open)
	}
}
