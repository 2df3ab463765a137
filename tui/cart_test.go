package tui

import (
	"fmt"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/exp/golden"

	"kassa/services/events"
)

// goods is the last checkout as people would say it.
func (s *stage) bag() string {
	var names []string
	for _, item := range s.goods {
		names = append(names, item.Name)
	}
	return s.user + ": " + strings.Join(names, ", ")
}

// + and - act on the selected row of pane 1, and elsewhere on the load; c buys what the cart shows.
func TestCart(t *testing.T) {
	s := newStage(t, 120, 40).open()
	s.press("c")
	if got := s.bag(); got != "guest: T-Shirt, Nike Air Max, Cap" {
		t.Errorf("at first c buys %s", got)
	}
	s.press("+") // the load is selected at first
	if s.plan.Rate != 100 {
		t.Errorf("the load is %+v", s.plan)
	}
	s.press("k", "+", "+", "k", "-", "-", "k", "c")
	if got := s.bag(); got != "guest: T-Shirt, Cap, Cap, Cap" {
		t.Errorf("c buys %s", got)
	}
	s.has("▶1 T-Shirt         1,999.90")
	s.has(" 0 Nike Air Max    4,449.90")
	s.has(" 3 Cap             1,499.70")
	s.has("total of 4     Rs 3,499.60")
	s.hasNot("+ −")
	s.press("5", "+")
	s.has("+ −")
	s.press("1", "j", "j", "x", "c")
	if got := s.bag(); got != "guest: T-Shirt" || s.plan.Rate != 200 {
		t.Errorf("c buys %s, the load is %+v", got, s.plan)
	}
	s.press("G", "-", "g", "x", "c")
	s.has("the cart is empty: in pane 1 select a product with k, and add it with +")
	if s.bought != 3 || s.plan.Rate != 100 {
		t.Errorf("bought %d times, the load is %+v", s.bought, s.plan)
	}
}

func TestACartHasALimit(t *testing.T) {
	s := newStage(t, 120, 40).open()
	s.press("g")
	for range 120 {
		s.press("+")
	}
	s.has("a cart holds at most 100 items")
	if s.press("c"); len(s.goods) != 100 {
		t.Errorf("c buys %d items", len(s.goods))
	}
	s.has("▶98 T-Shirt")
	s.has("  1 Cap")
}

// u asks who checks out. Keys are text until enter, and esc changes nothing.
func TestUser(t *testing.T) {
	s := newStage(t, 80, 24).open()
	s.press("u")
	s.has("user: guest")
	s.send(tea.KeyPressMsg{Code: 'u', Mod: tea.ModCtrl}) // clears the line
	s.press("b", "o", "b", "c", "q", "5")
	s.has("user: bobcq5")
	if s.bought != 0 || s.plan.On {
		t.Error("a key was taken for more than text")
	}
	s.Update(tea.PasteMsg{Content: "\x1b[2Jé\u202e"})
	s.press("enter", "c")
	if s.user != "bobcq5[2Jé·" {
		t.Errorf("checked out as %q", s.user)
	}
	if frame := s.View().Content; strings.Contains(frame, "\u202e") || strings.Contains(frame, "\x1b[2J") {
		t.Error("a pasted name reaches the terminal as it is")
	}
	s.press("u", "x", "esc", "c")
	if strings.HasSuffix(s.user, "x") {
		t.Errorf("esc kept %q", s.user)
	}
	s.press("u")
	s.send(tea.KeyPressMsg{Code: 'u', Mod: tea.ModCtrl})
	s.press("space", "enter", "c")
	if s.user != "guest" {
		t.Errorf("nobody checks out as %q", s.user)
	}
}

func TestAClickSelectsAProduct(t *testing.T) {
	s := newStage(t, 120, 40).open()
	s.Update(tea.MouseClickMsg{X: 5, Y: 3, Button: tea.MouseLeft})
	s.has("▶1 Nike Air Max")
	s.Update(tea.MouseClickMsg{X: 5, Y: 1, Button: tea.MouseLeft}) // the frame
	s.Update(tea.MouseClickMsg{X: 5, Y: 20, Button: tea.MouseLeft})
	s.has("▶1 Nike Air Max")
}

// many is a stage with a catalogue that does not fit, of products with names that are no help.
func many(t *testing.T, w, h int) *stage {
	s := newStage(t, w, h)
	var products []events.Item
	for i := range 50 {
		products = append(products, events.Item{ID: int64(i), Name: fmt.Sprintf("Product %d \x1b[2J with quite a long name", i+1), Price: events.Money(100 * (i + 1) * (i + 1))})
	}
	s.cart = newCart(products, 100)
	return s.story()
}

// A long catalogue is a window around the selected product; while none is, the cart is what is in it.
func TestALongCatalogue(t *testing.T) {
	for _, size := range [][2]int{{60, 18}, {80, 24}, {120, 40}, {200, 60}} {
		s := many(t, size[0], size[1])
		s.press("1", "k")
		for range 60 {
			s.has(fmt.Sprintf("▶%d Product %d", s.cart.wanted[s.cart.at], s.cart.at+1)[:12])
			s.press("k")
		}
	}
}

func TestGoldenCart(t *testing.T) {
	for _, size := range [][2]int{{60, 18}, {80, 24}, {120, 40}} {
		name := fmt.Sprintf("%dx%d", size[0], size[1])
		t.Run(name, func(t *testing.T) {
			s := newStage(t, size[0], size[1]).story()
			s.press("1", "k", "k", "+")
			golden.RequireEqual(t, s.View().Content)
		})
		t.Run(name+"-long", func(t *testing.T) {
			s := many(t, size[0], size[1])
			s.press("1", "k", "pgup", "+")
			golden.RequireEqual(t, s.View().Content)
		})
		t.Run(name+"-long-at-rest", func(t *testing.T) { golden.RequireEqual(t, many(t, size[0], size[1]).View().Content) })
	}
}
