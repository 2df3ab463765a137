package tui

import (
	"testing"

	tea "charm.land/bubbletea/v2"
)

// over is a mouse in the middle of a pane.
func (s *stage) over(p paneID, button tea.MouseButton) tea.Mouse {
	at := s.layout[p]
	return tea.Mouse{X: at.x + at.w/2, Y: at.y + at.h/2, Button: button}
}

func (s *stage) wheels(p paneID, button tea.MouseButton) {
	s.send(tea.MouseWheelMsg(s.over(p, button)))
}

// Sideways the wheel does nothing: a touchpad does it all the time.
func TestTheWheelGoesUpAndDown(t *testing.T) {
	s := newStage(t, 120, 40).story()
	s.press("2", "space", "k")
	at := s.tail().cursor
	for _, b := range []tea.MouseButton{tea.MouseWheelLeft, tea.MouseWheelRight} {
		s.wheels(paneOrder, b)
		s.wheels(panePayment, b)
		if s.focus != panePayment || s.tail().cursor != at {
			t.Errorf("button %v leads to pane %d, row %d", b, s.focus, s.tail().cursor)
		}
	}
	s.wheels(panePayment, tea.MouseWheelUp)
	if got := s.tail().cursor; got != at-3 {
		t.Errorf("up leads to row %d from %d", got, at)
	}
}

// In a list on top of the panes the wheel selects; a text it scrolls.
func TestTheWheelInOverlays(t *testing.T) {
	s := newStage(t, 80, 24).story()
	library(s)
	s.press("V")
	s.wheels(paneBrokers, tea.MouseWheelDown)
	s.wheels(paneBrokers, tea.MouseWheelDown)
	s.wheels(paneBrokers, tea.MouseWheelUp)
	if s.lookAt != 1 {
		t.Errorf("row %d of the look is selected", s.lookAt)
	}
	s.press("esc", "t")
	s.wheels(paneBrokers, tea.MouseWheelDown)
	if s.picker.at != 1 {
		t.Errorf("topic %d is selected", s.picker.at)
	}
	s.press("esc", "?")
	s.wheels(paneBrokers, tea.MouseWheelDown)
	if s.overlay.top != 3 {
		t.Errorf("help is scrolled to line %d", s.overlay.top)
	}
}

// Who is chosen with the mouse is meant by its number, though it leads the quorum.
func TestABrokerThatIsClickedIsMeantByItsNumber(t *testing.T) {
	s := newStage(t, 120, 40).open()
	s.send(stateMsg{s.cluster()})
	s.press("5", "C")
	at := s.layout[paneBrokers]
	s.send(tea.MouseClickMsg{X: at.x + 3, Y: at.y + 2, Button: tea.MouseLeft}) // the second, which leads it
	s.press("K")
	s.has("Kill -9 broker 2?")
}

// While a line of text has the keys the mouse leaves alone what it is about.
func TestTheMouseWhileOneTypes(t *testing.T) {
	for _, keys := range [][]string{{"2", ":"}, {"1", "u"}, {"6", "/"}, {"2", "/"}} {
		s := newStage(t, 120, 40).story()
		s.press(keys...)
		was := s.focus
		s.send(tea.MouseClickMsg(s.over(paneTimeline, tea.MouseLeft)))
		s.wheels(paneTimeline, tea.MouseWheelUp)
		if s.focus != was {
			t.Errorf("%q: the mouse leads to pane %d", keys, s.focus)
		}
	}
}
