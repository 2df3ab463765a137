package tui

import (
	"fmt"
	"slices"
	"time"

	tea "charm.land/bubbletea/v2"

	"kassa/kafkaops/tail"
	"kassa/services/events"
)

// Panes of topics beside the flow's. Panes 2, 3 and 4 show the flow until something else is opened in their place; others are added behind them and share
// their room. What a pane reads for itself ends with it.

// Tail is one topic that is read for one pane. None of it waits but Close.
type Tail interface {
	Batches() <-chan tail.Batch
	// More has the next page read, of a tail that reads by pages.
	More()
	Close()
}

const (
	paneTopics paneID = 100 // the first of the panes that are added
	// mostTopics bounds those, and what their readings take: see ringBytes and tail.Config.Small.
	mostTopics = 6
	// moreWithin is how near to the last row of a page the next one is asked for.
	moreWithin = 100
	// drawEvery is how often what comes to one of these panes has the screen drawn anew: with six of them there would be sixty frames a second.
	drawEvery = 50 * time.Millisecond
)

// opened is what a pane reads for itself.
type opened struct {
	number int // of it: what comes from one that was closed is dropped
	from   tail.From
	tail   Tail   // nil until it is open
	err    string // why it could not be opened
	paged  bool   // it is read by pages, and its end was not reached
}

type (
	openedMsg struct {
		number int
		tail   Tail
		err    error
	}
	ownBatchMsg struct {
		number int
		batch  tail.Batch
	}
)

// flowTopic is what one of the panes 2, 3 and 4 shows of itself; empty for other panes.
func flowTopic(p paneID) string {
	if p >= panePayment && p <= paneEmail {
		return events.Topics()[p-panePayment]
	}
	return ""
}

// extra are the panes that were added, in their order.
func (m *Model) extra() (list []paneID) {
	for p := paneTopics; p < paneTopics+mostTopics; p++ {
		if m.tails[p] != nil {
			list = append(list, p)
		}
	}
	return list
}

// panes are all panes, in the order in which tab goes through them.
func (m *Model) panes() []paneID {
	list := make([]paneID, 0, int(lastPane)+mostTopics)
	for p := paneCheckout; p <= lastPane; p++ {
		list = append(list, p)
		if p == paneEmail {
			list = append(list, m.extra()...)
		}
	}
	return list
}

// nextTopic goes to the next of the added panes.
func (m *Model) nextTopic() tea.Cmd {
	list := m.extra()
	m.focusOn(list[(slices.Index(list, m.focus)+1)%len(list)])
	return nil
}

// openTail opens a topic in a pane, in place of what is there; 0 adds a pane.
func (m *Model) openTail(p paneID, topic string, from tail.From) (tea.Cmd, error) {
	if p == 0 {
		for p = paneTopics; m.tails[p] != nil; p++ {
		}
		if p >= paneTopics+mostTopics {
			return nil, fmt.Errorf("%d topics are open beside the flow: x in one of their panes closes it", mostTopics)
		}
	}
	closing := m.closeOwn(p)
	m.ownTails++
	t := &tailPane{topic: topic, own: &opened{number: m.ownTails, from: from, paged: !from.IsEnd()}}
	if t.own.paged {
		t.pause()
	}
	if old := m.tails[p]; old != nil && old.topic == topic {
		t.filter = old.filter
	}
	t.look(m.search.text)
	m.tails[p] = t
	m.relayout()
	m.focusOn(p)
	number, log := t.own.number, m.backend.Log
	return tea.Batch(closing, func() tea.Msg {
		opened, err := log.Open(topic, from)
		return openedMsg{number, opened, err}
	}), nil
}

// closeOwn ends what a pane reads for itself.
func (m *Model) closeOwn(p paneID) tea.Cmd {
	t := m.tails[p]
	if t == nil || t.own == nil || t.own.tail == nil {
		return nil
	}
	return closeTail(t.own.tail)
}

func closeTail(t Tail) tea.Cmd {
	return func() tea.Msg {
		t.Close()
		return nil
	}
}

// closePane closes the focused pane if it was added, and gives it the flow's topic back if it is one of the flow's.
func (m *Model) closePane() tea.Cmd {
	p := m.focus
	closing := m.closeOwn(p)
	if topic := flowTopic(p); topic != "" {
		m.tails[p] = m.flow()[p-panePayment]
		m.dirty(p)
		return closing
	}
	list := m.extra()
	at := slices.Index(list, p)
	delete(m.tails, p)
	next := paneEmail
	if list = slices.Delete(list, at, at+1); len(list) > 0 {
		next = list[min(at, len(list)-1)]
	}
	if m.cameFrom != 0 {
		m.leavePeek()
		return closing
	}
	m.focus = next
	m.relayout()
	if _, ok := m.layout[next]; !ok && !m.look.hides(next) {
		m.focusOn(next)
	}
	return closing
}

// owns says that the focused pane reads a topic for itself.
func owns(m *Model) bool { t := m.tail(); return t != nil && t.own != nil }

// toEnd has the focused tail go on at the end of its log.
func (m *Model) toEnd() tea.Cmd {
	t := m.tail()
	if t.own == nil || !t.own.paged {
		t.follow()
		return nil
	}
	cmd, _ := m.placeTopic(m.focus, t.topic, tail.End()) // in the same place: there is room. A pane of the flow has the flow's own tail back, with all that it holds
	return cmd
}

// ownPane is the pane of a reading, 0 if it was closed.
func (m *Model) ownPane(number int) paneID {
	for p, t := range m.tails {
		if t.own != nil && t.own.number == number {
			return p
		}
	}
	return 0
}

// apply implements result.
func (msg openedMsg) apply(m *Model) tea.Cmd {
	p := m.ownPane(msg.number)
	switch {
	case p == 0 && msg.err == nil:
		return closeTail(msg.tail)
	case p == 0:
		return nil
	case msg.err != nil:
		m.tails[p].own.err = msg.err.Error()
		m.dirty(p)
		return nil
	}
	m.tails[p].own.tail = msg.tail
	m.dirty(p)
	return m.waitOwn(msg.number)
}

// waitOwn waits for what comes next of a reading.
func (m *Model) waitOwn(number int) tea.Cmd {
	p := m.ownPane(number)
	if p == 0 || m.tails[p].own.tail == nil {
		return nil
	}
	batches, done := m.tails[p].own.tail.Batches(), m.ctx.Done()
	return func() tea.Msg {
		select {
		case b, open := <-batches:
			if open {
				return ownBatchMsg{number, b}
			}
		case <-done:
		}
		return nil
	}
}

// apply implements result.
func (msg ownBatchMsg) apply(m *Model) tea.Cmd {
	m.held = m.now().Sub(m.framed) < drawEvery // the tick draws what is left of it
	p := m.ownPane(msg.number)
	if p == 0 {
		return nil
	}
	t := m.tails[p]
	first := t.ring.next == 0
	t.add(msg.batch.Records, msg.batch.Topics[t.topic], msg.batch.At)
	if t.own.paged {
		t.readOn(first)
	}
	m.dirty(p)
	return m.waitOwn(msg.number)
}

// readOn takes a batch of a page into view. Where the log ends, few rows are followed, for all of them are in view; else whoever reads is left where they are.
func (t *tailPane) readOn(first bool) {
	if first {
		t.cursor = 0
	}
	if c := t.count; !c.Held && c.Behind == 0 && (c.Read > 0 || c.Gone.IsZero() && c.Err == "") {
		t.own.paged = false
		if t.ring.next < 10 {
			t.follow()
		} else if t.paused {
			t.still = t.ring.still()
		}
	}
}

// readMore asks for the next page when the last rows of this one are near.
func (t *tailPane) readMore() {
	if t.own != nil && t.own.tail != nil && t.own.paged && t.count.Held && t.ring.next-t.cursor <= moreWithin {
		t.own.tail.More()
	}
}

// markable are the tails that a fault is marked in: all that grow as it happens.
func (m *Model) markable() []*tailPane {
	list := m.flow()
	for _, t := range m.tails {
		if t.own != nil && !t.own.paged { // also one that was read from elsewhere up to its end
			list = append(list, t)
		}
	}
	return list
}

// spread gives the room of the flow's tails to all tails: in as many rows as it takes, each of a size to be read. What finds no room is left out, the
// focused one never.
func (l layout) spread(panes []paneID, focus paneID) {
	var room rect
	for _, p := range panes {
		if r, ok := l[p]; ok {
			room = room.with(r)
		}
	}
	if room.w == 0 {
		return
	}
	cols, rows := 1, 1
	for _, size := range [][2]int{{44, 8}, {28, 6}, {20, 5}} { // as large as can be, while all have room
		if cols = max(room.w/size[0], 1); cols < 3 && room.w/3 >= 26 {
			cols = 3 // the flow stays in one row
		}
		if rows = max(room.h/size[1], 1); cols*rows >= len(panes) {
			break
		}
	}
	if over := len(panes) - cols*rows; over > 0 {
		panes = slices.Clone(panes)
		for i := len(panes) - 1; i >= 0 && over > 0; i-- {
			if panes[i] != focus {
				delete(l, panes[i])
				panes = slices.Delete(panes, i, i+1)
				over--
			}
		}
	}
	rows = (len(panes) + cols - 1) / cols
	for row := range rows {
		from, to := row*cols, min((row+1)*cols, len(panes))
		y, end := room.h*row/rows, room.h*(row+1)/rows
		for i := from; i < to; i++ {
			x, right := room.w*(i-from)/(to-from), room.w*(i-from+1)/(to-from)
			l[panes[i]] = rect{room.x + x, room.y + y, right - x, end - y}
		}
	}
}

// with is the smallest rectangle that has both.
func (r rect) with(o rect) rect {
	if r.w == 0 {
		return o
	}
	x, y := min(r.x, o.x), min(r.y, o.y)
	return rect{x, y, max(r.x+r.w, o.x+o.w) - x, max(r.y+r.h, o.y+o.h) - y}
}

// tails are the panes of tails, in their order.
func (m *Model) tailPanes() []paneID {
	return append([]paneID{panePayment, paneOrder, paneEmail}, m.extra()...)
}
