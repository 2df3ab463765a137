package tui

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
	lastPane = paneTimeline
)

// isTail says that the pane shows a topic.
func (p paneID) isTail() bool { return p >= panePayment && p <= paneEmail }

// rect is a part of the screen in cells.
type rect struct{ x, y, w, h int }

func (r rect) contains(x, y int) bool { return x >= r.x && x < r.x+r.w && y >= r.y && y < r.y+r.h }

// layout is where each pane is; a pane that is not in it is not drawn.
type layout map[paneID]rect

// newLayout divides a screen of w by h, whose first line is the header and whose last is the hints. With zoomed set,
// that pane has all of the rest.
func newLayout(w, h int, zoomed paneID) layout {
	body := rect{0, 1, w, h - 2}
	if zoomed != 0 {
		return layout{zoomed: body}
	}
	if w >= 100 && h >= 30 {
		return wide(body)
	}
	return compact(body)
}

// wide is the screen of the sketch: checkout on the left, tails above the cluster, the timeline below all.
func wide(b rect) layout {
	l := layout{}
	timeline := min(max(4, b.h/7), 10)
	left := min(max(30, b.w/5), 38)
	top := b.h - timeline
	cluster := min(max(12, top*2/5), 14) // nine partitions, a heading and the frame, when there is room
	tails := top - cluster
	l[paneCheckout] = rect{b.x, b.y, left, top}
	l.thirds(rect{left, b.y, b.w - left, tails})
	brokers := max(41, (b.w-left)*9/20)
	l[paneBrokers] = rect{left, b.y + tails, brokers, cluster}
	l[panePartitions] = rect{left + brokers, b.y + tails, b.w - left - brokers, cluster}
	l[paneTimeline] = rect{b.x, b.y + top, b.w, timeline}
	return l
}

// compact keeps every pane on a small screen: tails above, checkout below at the left, the cluster beside it.
func compact(b rect) layout {
	l := layout{}
	timeline := 0
	if b.h >= 22 {
		timeline = 3 + min((b.h-22)/4, 4)
	}
	brokers := 5
	rest := b.h - timeline - brokers
	tails := max(5, rest*4/9)
	partitions := rest - tails
	left := max(22, min(b.w*33/100, 34))
	l.thirds(rect{b.x, b.y, b.w, tails})
	y := b.y + tails
	l[paneCheckout] = rect{b.x, y, left, brokers + partitions + timeline}
	l[paneBrokers] = rect{left, y, b.w - left, brokers}
	l[panePartitions] = rect{left, y + brokers, b.w - left, partitions}
	if timeline > 0 {
		l[paneTimeline] = rect{left, y + brokers + partitions, b.w - left, timeline}
	}
	return l
}

// thirds gives the three tails a third of r each.
func (l layout) thirds(r rect) {
	for i, p := range []paneID{panePayment, paneOrder, paneEmail} {
		from, to := r.w*i/3, r.w*(i+1)/3
		l[p] = rect{r.x + from, r.y, to - from, r.h}
	}
}

// at is the pane under a cell, 0 if there is none.
func (l layout) at(x, y int) paneID {
	for p, r := range l {
		if r.contains(x, y) {
			return p
		}
	}
	return 0
}
