package tui

import (
	"fmt"
	"slices"
	"strings"
)

// The smallest screen that kassa draws on. Below it one line says what is needed.
const (
	MinWidth  = 60
	MinHeight = 18
)

// paneID is a place on the screen, numbered as its key.
type paneID int

const (
	paneCheckout paneID = iota + 1
	panePayment
	paneOrder
	paneEmail
	paneBrokers
	panePartitions
	paneTimeline
	paneServices
	paneAnalytics
	paneCharts // its key is 0
	lastPane   = paneCharts
)

// paneNames are what a person calls the panes, in the order of their keys.
func paneNames() []string {
	return []string{"checkout", "payment", "order", "email", "brokers", "partitions", "timeline", "services", "analytics", "charts"}
}

func (p paneID) String() string {
	if p >= paneTopics {
		return "topic"
	}
	return paneNames()[p-1]
}

// key is what leads to the pane.
func (p paneID) key() string {
	if p >= paneTopics {
		return "O"
	}
	return fmt.Sprint(int(p) % 10)
}

// paneOf is the pane of a key; 0 for none.
func paneOf(key string) paneID {
	if i := strings.Index("1234567890", key); len(key) == 1 && i >= 0 {
		return paneID(i + 1)
	}
	return 0
}

// isTail says that the pane shows a topic.
func (p paneID) isTail() bool { return p >= panePayment && p <= paneEmail || p >= paneTopics }

// breaks says that K works in the pane.
func (p paneID) breaks(v view) bool {
	return p == paneBrokers || p == paneServices || p == panePartitions && v == viewPartitions
}

// rect is a part of the screen in cells.
type rect struct{ x, y, w, h int }

func (r rect) contains(x, y int) bool { return x >= r.x && x < r.x+r.w && y >= r.y && y < r.y+r.h }

// layout is where each pane is. One that has no place on this screen is not drawn, unless it is zoomed.
type layout map[paneID]rect

// at is the pane under a cell, 0 if there is none.
func (l layout) at(x, y int) paneID {
	for p, r := range l {
		if r.contains(x, y) {
			return p
		}
	}
	return 0
}

// first is the pane that comes first in the order of the keys.
func (l layout) first() paneID {
	for p := paneCheckout; p <= lastPane; p++ {
		if _, ok := l[p]; ok {
			return p
		}
	}
	return paneCheckout
}

// thirds gives the three tails a third of r each.
func (l layout) thirds(r rect) { l.place(across(tails(1)...), r) }

// block is a part of a layout: a pane, or a split into parts that lie side by side or one below the other.
type block struct {
	pane  paneID // 0: a split
	down  bool   // the parts lie one below the other
	parts []block

	// In cells, along the split that it is a part of. It is at least as large as min, and takes what it wants before any part grows.
	min, want int
	grow      int // its share of what is left when all have what they want
	// rank 0 is always there. A part of a higher rank comes when all of lower ranks have what they want, and the screen is still large enough.
	rank int
}

// leaf is a pane that takes at least min cells of its split, and likes to have want.
func leaf(p paneID, min, want int) block { return block{pane: p, min: min, want: max(min, want)} }

func down(parts ...block) block   { return block{down: true, parts: parts} }
func across(parts ...block) block { return block{parts: parts} }

func (b block) size(min, want int) block { b.min, b.want = min, max(min, want); return b }
func (b block) growing(share int) block  { b.grow = share; return b }
func (b block) ranked(rank int) block    { b.rank = rank; return b }

// without is the block without the hidden panes. What is left of a split keeps its size. It reports whether anything is left.
func (b block) without(hidden func(paneID) bool) (block, bool) {
	if b.pane != 0 {
		return b, !hidden(b.pane)
	}
	var parts []block
	for _, p := range b.parts {
		if p, ok := p.without(hidden); ok {
			parts = append(parts, p)
		}
	}
	b.parts = parts
	return b, len(parts) > 0
}

// place fills r with the block: its panes tile it.
func (l layout) place(b block, r rect) {
	if b.pane != 0 {
		l[b.pane] = r
		return
	}
	room := r.w
	if b.down {
		room = r.h
	}
	parts := fittingParts(b.parts, room)
	for i, n := range divide(parts, room) {
		part := rect{r.x, r.y, n, r.h}
		if b.down {
			part = rect{r.x, r.y, r.w, n}
			r.y += n
		} else {
			r.x += n
		}
		l.place(parts[i], part)
	}
}

// fittingParts leaves out the parts of a high rank that there is no room for.
func fittingParts(parts []block, room int) []block {
	worst := func() int { return slices.MaxFunc(parts, func(a, b block) int { return a.rank - b.rank }).rank }
	for len(parts) > 1 && worst() > 0 {
		rank, need := worst(), 0
		for _, p := range parts {
			if need += p.want; p.rank == rank {
				need += p.min - p.want
			}
		}
		if need <= room {
			break
		}
		// Of several of the same rank the last goes first.
		for i := len(parts) - 1; i >= 0; i-- {
			if parts[i].rank == rank {
				parts = slices.Delete(slices.Clone(parts), i, i+1)
				break
			}
		}
	}
	return parts
}

// divide shares room out among the parts: what each needs, then what each wants, then what is left to those that grow, else to the last.
func divide(parts []block, room int) []int {
	sizes, left := make([]int, len(parts)), room
	give := func(i, n int) { n = max(0, min(n, left)); sizes[i] += n; left -= n }
	for i, p := range parts {
		give(i, p.min)
	}
	for i, p := range parts {
		give(i, p.want-p.min)
	}
	shares := 0
	for _, p := range parts {
		shares += p.grow
	}
	rest, given, seen := left, 0, 0
	for i, p := range parts {
		if shares > 0 { // each ends where its share of the whole ends, so that no cell is lost to rounding
			seen += p.grow
			give(i, rest*seen/shares-given)
			given = rest * seen / shares
		}
	}
	give(len(parts)-1, left)
	return sizes
}
