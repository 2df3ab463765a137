package analytics

import (
	"container/list"
	"time"
)

// stage is how far a checkout has come.
type stage int

const (
	paid stage = iota
	ordered
	emailed
)

// checkout is when each of its events was written; zero for those not seen. They may come in any order, since each topic
// is read for itself.
type checkout struct {
	id string
	at [3]time.Time
}

func (c *checkout) has(s stage) bool { return !c.at[s].IsZero() }

func (c *checkout) done() bool { return c.has(paid) && c.has(ordered) && c.has(emailed) }

func (c *checkout) inFlight() bool { return c.has(paid) && !c.has(emailed) }

// open is the checkouts of which some event is yet to be seen, at most max of them.
type open struct {
	max      int
	byID     map[string]*list.Element
	oldest   *list.List // of *checkout
	inFlight int64
	dropped  int64
}

func newOpen(limit int) open {
	return open{max: limit, byID: make(map[string]*list.Element), oldest: list.New()}
}

// see notes an event of a checkout, and forgets the checkout when that was the last.
func (o *open) see(id string, s stage, at time.Time) *checkout {
	e, ok := o.byID[id]
	if !ok {
		e = o.oldest.PushBack(&checkout{id: id})
		o.byID[id] = e
	}
	c := e.Value.(*checkout)
	was := c.inFlight()
	if !c.has(s) {
		c.at[s] = at
	}
	o.inFlight += count(c.inFlight()) - count(was)
	if c.done() {
		o.remove(e)
	} else if o.oldest.Len() > o.max {
		first := o.oldest.Front()
		o.inFlight -= count(first.Value.(*checkout).inFlight())
		o.dropped++
		o.remove(first)
	}
	return c
}

func (o *open) remove(e *list.Element) {
	o.oldest.Remove(e)
	delete(o.byID, e.Value.(*checkout).id)
}

func count(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
