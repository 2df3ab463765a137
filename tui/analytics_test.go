package tui

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/exp/golden"

	"kassa/services/analytics"
	"kassa/services/events"
	"kassa/services/latency"
)

// counted is an analytics that has counted.
type counted struct {
	report analytics.Report
	events []analytics.Entry
	asked  int
}

func (c *counted) Report() analytics.Report { c.asked++; return c.report }

func (c *counted) Last(n int) ([]analytics.Entry, int64) {
	return c.events[max(0, len(c.events)-n):], int64(len(c.events))
}

func (c *counted) add(at time.Time, n int) {
	for range n {
		i := len(c.events)
		e := analytics.Entry{
			At: at.Add(time.Duration(i) * 24 * time.Millisecond), Partition: int32(i % 3), Offset: int64(1000 + i),
			Checkout: fmt.Sprintf("%08x-1111-5222-8333-444455556666", 0x7f3a<<16+i/3), User: "user-17", Topic: events.Topics()[i%3],
		}
		switch i % 3 {
		case 0:
			e.Amount, e.Items, e.Names = 694970, 3, [4]string{"T-Shirt", "Nike Air Max", "Cap"}
		default:
			e.ID, e.Again = "19c2aaaa-bbbb", i%7 == 4
		}
		c.events = append(c.events, e)
	}
}

const ms = time.Millisecond

// sells is a shop after twelve minutes, with some trouble behind it.
func sells(at time.Time) *counted {
	span := func(length time.Duration, share int64) analytics.Span {
		return analytics.Span{
			Length: length, Revenue: events.Money(724158740 / share), Payments: 1045 / share, Orders: 1044 / share, Emails: 1042 / share,
			Funnel: analytics.Funnel{
				Paid: 1045 / share, Ordered: 1045/share - 1, Complete: 1045/share - 3,
				NoOrder: analytics.Missing{Waiting: 1}, NoEmail: analytics.Missing{Waiting: 1, Late: 1},
			},
			PaymentToOrder: latency.Percentiles{Count: 9, P50: 41 * ms, P90: 60 * ms, P99: 89 * ms, Max: 1200 * ms},
			OrderToEmail:   latency.Percentiles{Count: 9, P50: 39 * ms, P90: 55 * ms, P99: 80 * ms, Max: 900 * ms},
			PaymentToEmail: latency.Percentiles{Count: 9, P50: 87 * ms, P90: 110 * ms, P99: 136 * ms, Max: 2100 * ms},
			Products: []analytics.Product{
				{Name: "Nike Air Max", Count: 1045 / share, Revenue: events.Money(465014550 / share)},
				{Name: "T-Shirt", Count: 1042 / share, Revenue: events.Money(208389580 / share)},
				{Name: "Cap", Count: 1015 / share, Revenue: events.Money(50739850 / share)},
			},
			Others: analytics.Product{Count: 2, Revenue: 14760},
		}
	}
	c := &counted{report: analytics.Report{
		Totals: analytics.Totals{Since: at.Add(-12 * time.Minute), Repeated: 12, Reread: 4},
		At:     at, Start: span(12*time.Minute, 1), Minute: span(time.Minute, 12),
	}}
	c.add(at, 60)
	return c
}

func (s *stage) counting() *counted {
	c := sells(s.clock)
	s.backend.Analytics = c
	return c
}

// The pane says what was sold at every size, most important first, also where the terminal is small.
func TestGoldenAnalytics(t *testing.T) {
	for _, size := range [][2]int{{60, 18}, {80, 24}, {120, 40}, {200, 60}} {
		t.Run(fmt.Sprintf("%dx%d", size[0], size[1]), func(t *testing.T) {
			s := newStage(t, size[0], size[1]).story()
			s.counting()
			s.press("a")
			frame := s.View().Content
			for i, l := range strings.Split(frame, "\n") {
				if w := ansi.StringWidth(l); w != size[0] {
					t.Errorf("line %d is %d wide on a screen of %d: %q", i, w, size[0], ansi.Strip(l))
				}
			}
			golden.RequireEqual(t, frame)
		})
	}
}

// Where there is room for one span, v shows the other; what is missing is in words, and none of it is called lost.
func TestAnalyticsTells(t *testing.T) {
	for _, size := range [][2]int{{60, 18}, {80, 24}} {
		s := newStage(t, size[0], size[1]).open()
		s.counting()
		s.press("a")
		for _, text := range []string{"▸since 20:19:08", "7,241,587.40", "1,045", "1 on the way", "1 late", "12 repeated", "payment → email", "136 ms", "20:31:09.4"} {
			s.has(text)
		}
		s.hasNot("lost")
		s.press("v")
		s.has("▸last minute")
		s.has("603,465.61")
	}
	s := newStage(t, 120, 40).open()
	s.counting()
	s.press("a")
	s.has("603,465.61")
	s.has("7,241,587.40")
	s.has("Nike Air Max")
	s.has("all others")
}

// space stops the lines and nothing else, going up does too, and f goes to the end again.
func TestAnalyticsPauses(t *testing.T) {
	s := newStage(t, 80, 24).open()
	c := s.counting()
	s.press("a", "space")
	newest := c.events[len(c.events)-1].At.Format("15:04:05.000")
	s.has(newest)
	c.add(s.clock, 30)
	s.send(tickMsg(s.clock))
	s.has("PAUSED +30")
	s.has(newest)
	s.press("g")
	s.has(c.events[0].At.Format("15:04:05.000"))
	s.hasNot(newest)
	s.press("G")
	s.has(newest)
	s.press("esc")
	s.hasNot("PAUSED")
	s.has(c.events[len(c.events)-1].At.Format("15:04:05.000"))
	s.press("k")
	s.has("PAUSED +0")
	s.press("f")
	s.hasNot("PAUSED")
}

// Nobody counts up a report while the pane is not on the screen, and nobody draws it more often than the screen changes.
func TestAnalyticsIsAskedOnlyWhileItIsLookedAt(t *testing.T) {
	s := newStage(t, 120, 40).open()
	c := s.counting()
	look := func() int {
		before := c.asked
		for range 5 {
			s.send(tickMsg(s.clock))
			s.View()
			s.records(3)
			s.View()
		}
		return c.asked - before
	}
	if n := look(); n != 0 {
		t.Errorf("asked %d times behind other panes", n)
	}
	s.press("a")
	if n := look(); n > 6 {
		t.Errorf("asked %d times in 5 ticks", n)
	}
}

// What other programs wrote does not break the pane, at any size and however much it is.
func TestAnalyticsOfStrangers(t *testing.T) {
	s := newStage(t, 120, 40).open()
	c := s.counting()
	evil := "\x1b[2J\n\u202e" + strings.Repeat("漢", 300)
	c.events = append(c.events, analytics.Entry{Topic: events.PaymentSuccessful, Checkout: evil, User: evil, ID: evil, Amount: 1<<63 - 1, Items: 1e6, Names: [4]string{evil, evil, evil, evil}},
		analytics.Entry{Topic: events.OrderSuccessful, Checkout: evil, User: evil, ID: evil})
	p := &c.report.Start
	p.Revenue, p.Others.Revenue, p.Products[0].Name, p.Products[0].Revenue = 1<<63-1, 1<<63-1, evil, 1<<63-1
	p.Funnel = analytics.Funnel{Paid: 1 << 62, NoOrder: analytics.Missing{Late: 1 << 62}}
	s.press("a")
	for w := MinWidth; w < 220; w += 9 {
		for h := MinHeight; h < 80; h += 7 {
			s.width, s.height = w, h
			s.relayout()
			frame := s.View().Content
			lines := strings.Split(frame, "\n")
			if len(lines) != h {
				t.Fatalf("%d lines at %dx%d", len(lines), w, h)
			}
			for _, l := range lines {
				if got := ansi.StringWidth(l); got != w {
					t.Fatalf("a line of %d at %dx%d: %q", got, w, h, l)
				}
			}
			if strings.Contains(frame, "\x1b[2J") || strings.Contains(frame, "\u202e") {
				t.Fatal("the text of a record reached the terminal")
			}
		}
	}
}
