package tui

import (
	"fmt"
	"slices"
	"strings"
)

// Layout is a choice of what is where, by the word that a person writes.
type Layout string

// The layouts. Each has a form for every size of the screen.
const (
	LayoutAuto    Layout = "auto"    // side by side, or one above the other where the screen is narrow and tall
	LayoutSide    Layout = "side"    // the tails side by side
	LayoutStack   Layout = "stack"   // the tails one above the other: longer lines, more of each record
	LayoutCharts  Layout = "charts"  // the charts large, no tails
	LayoutCluster Layout = "cluster" // brokers and partitions large, no tails
)

// Layouts lists them all, in the order in which they are offered.
func Layouts() []Layout {
	return []Layout{LayoutAuto, LayoutSide, LayoutStack, LayoutCharts, LayoutCluster}
}

// ParseLayout finds the layout that a word means.
func ParseLayout(word string) (Layout, error) {
	l := Layout(strings.ToLower(strings.TrimSpace(word)))
	if slices.Contains(Layouts(), l) {
		return l, nil
	}
	return "", fmt.Errorf("the layout is %s, not %q", listed(Layouts()), word)
}

// content is how much there is to show, which says how large some panes want to be.
type content struct{ brokers, partitions, products int }

// From so many cells on there is room for the cluster beside the checkout; a screen that is narrower and this tall stacks its tails.
const (
	wideFrom   = 100
	tallFrom   = 30
	towerFrom  = 46
	roomyWidth = 180
	roomyRows  = 46
)

// newLayout divides a screen of w by h, whose first line is the header and whose last is the hints. With zoomed set, that pane has
// all of the rest. Hidden panes leave their place to the others; one pane is always there.
func newLayout(w, h int, kind Layout, hidden func(paneID) bool, c content, zoomed paneID) layout {
	body := rect{0, 1, w, h - 2}
	if zoomed != 0 {
		return layout{zoomed: body}
	}
	l := layout{}
	b, ok := arrange(kind, body.w, body.h, c).without(hidden)
	if !ok {
		b, _ = arrange(kind, body.w, body.h, c).without(func(paneID) bool { return false })
	}
	l.place(b, body)
	return l
}

// arrange is a layout for a body of w by h.
func arrange(kind Layout, w, h int, c content) block {
	wide, tower := w >= wideFrom && h >= tallFrom-2, w < wideFrom && h >= towerFrom
	if kind == LayoutAuto {
		kind = LayoutSide
		if tower {
			kind = LayoutStack
		}
	}
	switch {
	case kind == LayoutCharts && wide:
		return chartsWide(w, h, c)
	case kind == LayoutCharts:
		return chartsNarrow(w, h, c)
	case kind == LayoutCluster && wide:
		return clusterWide(w, h, c)
	case kind == LayoutCluster:
		return clusterNarrow(h, c)
	case kind == LayoutStack && wide:
		return stackWide(w, h, c)
	case kind == LayoutStack && tower:
		return stackTower(w, c)
	case kind == LayoutStack:
		return stackNarrow(w, h, c)
	case wide:
		return sideWide(w, h, c)
	}
	return sideNarrow(w, h, c)
}

// What the panes want, frames and all.
func (c content) checkoutRows() int  { return 19 + min(c.products, 8) }
func (c content) brokerRows() int    { return 2 + max(3, min(c.brokers, 12)) }
func (c content) partitionRows() int { return 4 + max(9, min(c.partitions, 24)) }

// timelineRows is enough for the bars of a fault where the screen is tall.
func timelineRows(h int) int {
	if h >= roomyRows {
		return min(max(10, h/8), 14)
	}
	return max(4, h/7)
}

const (
	chartsRows   = 9  // one chart with its axis
	servicesRows = 11 // four services, what is wrong with each, a heading
)

func tails(min int) []block {
	out := make([]block, 0, 3)
	for _, p := range []paneID{panePayment, paneOrder, paneEmail} {
		out = append(out, leaf(p, min, 0).growing(1))
	}
	return out
}

// till is the checkout with the charts below it, where there is room for both.
func till(c content) block {
	return down(leaf(paneCheckout, 3, c.checkoutRows()), leaf(paneCharts, chartsRows, chartsRows).growing(1).ranked(1))
}

// tillWidth is how wide the checkout is on a wide screen: charts need room, and beyond that it is the tails' to have.
func tillWidth(w int) int { return max(30, min(w/5, 60)) }

// sideWide is the screen of the sketch: checkout on the left, tails above the cluster, the timeline below all.
func sideWide(w, h int, c content) block {
	timeline := timelineRows(h)
	cluster := min(max(12, (h-timeline)*2/5), max(13, min(c.partitionRows(), 20)))
	right := []block{
		across(tails(20)...).size(6, 0).growing(1),
		across(leaf(paneBrokers, 41, (w-tillWidth(w))*9/20), leaf(panePartitions, 40, 0).growing(1)).size(8, cluster),
	}
	if w >= roomyWidth && h >= roomyRows {
		shop := max(servicesRows, min(h/5, 22))
		right = append(right, across(leaf(paneServices, 66, (w-tillWidth(w))*11/20), leaf(paneAnalytics, 48, 0).growing(1)).size(shop, 0))
	}
	return down(
		across(till(c).size(tillWidth(w), 0), down(right...).size(60, 0).growing(1)).size(14, 0).growing(1),
		leaf(paneTimeline, 4, timeline),
	)
}

// sideNarrow keeps every pane of the story on a small screen: tails above, checkout below at the left, the cluster beside it.
func sideNarrow(w, h int, c content) block {
	return down(
		across(tails(15)...).size(5, 0).growing(4),
		underTails(w, h, c).size(11, 0).growing(6),
	)
}

// underTails is the checkout and the cluster beside it.
func underTails(w, h int, c content) block {
	timeline := 3 + max(0, min((h-22)/4, 4))
	left := max(22, min(w/3, 34))
	return across(
		till(c).size(left, 0),
		down(
			leaf(paneBrokers, 5, min(c.brokerRows(), max(5, h/4))),
			leaf(panePartitions, 5, 0).growing(1).ranked(1),
			leaf(paneTimeline, timeline, 0).ranked(2),
		).size(36, 0).growing(1),
	)
}

// stackWide has the tails on the right, from top to bottom.
func stackWide(w, h int, c content) block {
	timeline := timelineRows(h)
	left := max(72, w/2)
	cluster := down(leaf(paneBrokers, 5, c.brokerRows()+2), leaf(panePartitions, 7, c.partitionRows()).growing(1)).size(42, 0).growing(1)
	main := []block{across(till(c).size(tillWidth(w), 0), cluster).size(14, 0).growing(1)}
	if w >= roomyWidth && h >= roomyRows {
		main = append(main, leaf(paneServices, servicesRows, 0), leaf(paneAnalytics, servicesRows, 14))
	}
	return down(
		across(down(main...).size(left, 0), down(tails(5)...).size(28, 0).growing(1)).size(14, 0).growing(1),
		leaf(paneTimeline, 4, timeline),
	)
}

// stackTower is for a screen that is narrow and tall: everything is there, one above the other.
func stackTower(w int, c content) block {
	return down(
		across(
			leaf(paneCheckout, 24, min(w/3, 34)),
			down(leaf(paneBrokers, 5, c.brokerRows()), leaf(panePartitions, 7, 0).growing(1)).size(36, 0).growing(1),
		).size(c.checkoutRows(), 0),
		down(tails(5)...).size(15, 18).growing(4),
		leaf(paneTimeline, 5, 7).growing(1),
		leaf(paneCharts, chartsRows, 16).ranked(1).growing(2),
		leaf(paneServices, servicesRows-2, 0).ranked(2),
		leaf(paneAnalytics, servicesRows, 14).ranked(3),
	)
}

// stackNarrow has room for the tails and little else.
func stackNarrow(w, h int, c content) block {
	tall := max(3, min(h/6, 6))
	return down(
		down(tails(tall)...).size(3*tall, 0).growing(1),
		underTails(w, h-3*(tall-2), c).size(h-3*tall, 0),
	)
}

// chartsWide shows how things went: charts above, the cluster and the timeline below.
func chartsWide(w, h int, c content) block {
	return down(
		across(leaf(paneCheckout, tillWidth(w), 0), leaf(paneCharts, 60, 0).growing(1)).size(16, 0).growing(1),
		across(leaf(paneBrokers, 41, w*2/5), leaf(panePartitions, 44, 0).growing(1)).size(7, min(c.partitionRows(), max(7, h/3))),
		leaf(paneTimeline, 4, min(max(4, h/6), 14)),
	)
}

func chartsNarrow(w, h int, c content) block {
	return down(
		leaf(paneCharts, 8, 0).growing(1),
		across(leaf(paneCheckout, max(22, min(w/3, 34)), 0), leaf(paneBrokers, 36, 0).growing(1)).size(8, min(max(8, h/3), c.checkoutRows())),
		leaf(paneTimeline, 3, max(3, min(h/8, 9))).ranked(1),
	)
}

// clusterWide is for whoever runs it: brokers, services and the timeline on the left, partitions from top to bottom.
func clusterWide(w, h int, c content) block {
	return across(
		down(
			leaf(paneBrokers, 5, min(c.brokerRows()+9, h*2/5)),
			leaf(paneServices, 7, servicesRows),
			leaf(paneTimeline, 6, 0).growing(1),
		).size(max(50, w*9/20), 0),
		leaf(panePartitions, 44, 0).growing(1),
	)
}

func clusterNarrow(h int, c content) block {
	return down(
		leaf(paneBrokers, 5, min(c.brokerRows(), max(5, h/4))),
		leaf(panePartitions, 6, 0).growing(2),
		leaf(paneTimeline, 3, max(3, min(h/5, 12))).ranked(1),
		leaf(paneServices, 7, servicesRows).ranked(2),
	)
}
