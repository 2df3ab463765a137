// Package analytics watches the whole flow: a line of text for every event and totals over all of them. It writes to no
// topic but the dead letters of the last one, and nothing in the shop waits for it.
//
// It knows what it was told. A checkout that it calls complete was seen in all three topics; one that it has not seen may
// be on its way, and it never calls one lost.
//
// All that it keeps is in memory and bounded, whatever is written to the topics. An Analytics that outlives its Runners counts on;
// a new process begins at zero where its group left off, and of a checkout that passed in between it sees a part (Strays). Several processes that
// share the group deal the checkouts out among them: each counts those of its partitions, from payment to email.
package analytics

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"kassa/services"
	"kassa/services/events"
	"kassa/services/latency"
)

// MaxOpen is how many checkouts may be open at once; beyond it the oldest is forgotten and counted.
const MaxOpen = 65_536

// MaxDone is how many complete checkouts are remembered, so that their events are recognised when they are repeated: the last 33 s at 2,000
// checkouts a second, three times what it takes until a crashed service's work is done again. What is repeated later counts anew.
// Both together take some 12 MB when they are full.
const MaxDone = 65_536

// Analytics counts. Use New. Its methods may be called from several goroutines, and its Service may run in several Runners.
type Analytics struct {
	now     func() time.Time
	onEmail func(paid, emailed, seen time.Time) // nil for nobody

	mu        sync.Mutex
	totals    Totals
	reached   [3]int64 // checkouts by stage, as in Funnel
	forgotten [3]int64 // by the stage that they had reached
	seen      map[place]extent
	book      book
	minute    *minute
	products  products
	recent    recent

	hops [3]hop            // payment to order, order to email, payment to email
	flow *latency.Interval // the last of them, since somebody last took it

	write   sync.Mutex // held while a line is written: a slow out does not keep anybody from the totals
	out     io.Writer
	format  func(events.Event) string
	broken  error       // why a line was not written, the first; none is after it
	onBroke func(error) // nil for nobody
}

type place struct {
	topic     string
	partition int32
}

// extent is how far a partition was read.
type extent struct {
	offset int64
	newest int64 // timestamp of all that was read, in ms
}

// New is an Analytics that writes one line an event to out; nil for none. Each line is one Write, from one goroutine at a
// time; a slow out holds analytics up, and nobody else. After an error nothing more is written, and no event handled: see OnBroken.
func New(out io.Writer) *Analytics { return newAt(out, time.Now) }

func newAt(out io.Writer, now func() time.Time) *Analytics {
	return &Analytics{
		out: out, format: Line, now: now,
		totals:   Totals{Since: now()},
		seen:     make(map[place]extent),
		book:     newBook(MaxOpen, MaxDone),
		minute:   &minute{},
		products: newProducts(),
		hops:     [3]hop{newHop(), newHop(), newHop()},
		flow:     latency.NewInterval(),
	}
}

// OnEmail has f called for every checkout that is complete, with the times of its payment and its email by their records, and the time at which that made
// it complete here. It must not wait. Call it before the service runs.
func (a *Analytics) OnEmail(f func(paid, emailed, seen time.Time)) { a.onEmail = f }

// Format has events written as f makes them, instead of as Line does. Call it before the service runs.
func (a *Analytics) Format(f func(events.Event) string) { a.format = f }

// OnBroken has f called with the error of the first Write of a line that fails. Nothing is committed past an event without its line: whoever runs the service ends it.
// Call it before the service runs.
func (a *Analytics) OnBroken(f func(error)) { a.onBroke = f }

// Service reads all three topics. What cannot be read of the first two is for order and email to bury.
func (a *Analytics) Service() services.Service {
	return services.Service{
		Name:    "analytics",
		Inputs:  events.Topics(),
		Watched: []string{events.PaymentSuccessful, events.OrderSuccessful},
		Aligned: true, // all events of a checkout have its partition number
		Handle:  a.handle,
	}
}

func (a *Analytics) handle(_ context.Context, in events.Event) ([]events.Event, error) {
	if err := a.lines(); err != nil {
		return nil, err
	}
	now := a.now()
	fresh, complete := a.take(in, now)
	if fresh && a.out != nil {
		if err := a.Write(a.format(in)); err != nil {
			return nil, err
		}
	}
	if !complete.paid.IsZero() && a.onEmail != nil {
		a.onEmail(complete.paid, complete.emailed, now)
	}
	return nil, nil
}

// Write puts a line among those of the events. The error is that of the first line that was not written.
func (a *Analytics) Write(line string) error {
	a.write.Lock()
	defer a.write.Unlock()
	if a.broken != nil {
		return a.broken
	}
	if _, err := io.WriteString(a.out, line+"\n"); err != nil {
		a.broken = fmt.Errorf("writing a line: %w", err)
		if a.onBroke != nil {
			a.onBroke(a.broken)
		}
	}
	return a.broken
}

// lines is why no line can be written any more; nil while they can.
func (a *Analytics) lines() error {
	a.write.Lock()
	defer a.write.Unlock()
	return a.broken
}

// passage is when a checkout passed the flow, by its records.
type passage struct{ paid, emailed time.Time }

// take counts an event. It is not fresh when its record was read before. complete is zero when it did not make its checkout complete.
func (a *Analytics) take(in events.Event, now time.Time) (fresh bool, complete passage) {
	a.mu.Lock()
	defer a.mu.Unlock()
	// Runners in one process may read the same records when a partition goes from one to the other. Each begins where the group's offset is,
	// which is not ahead of what was handled, so no record can be passed over here. What is younger than all that was read is none of it: the topic
	// was made again, and its offsets have begun anew.
	at, ms := place{in.Topic, in.Partition}, in.Time.UnixMilli()
	before, ok := a.seen[at]
	if ok && in.Offset <= before.offset && ms <= before.newest {
		a.totals.Reread++
		return false, passage{}
	}
	a.seen[at] = extent{in.Offset, max(ms, before.newest)}

	e := newEntry(in)
	c, known := a.book.find(in.Payload.Checkout())
	name := a.book.name(in.Payload.ID())
	if c.has(e.stage) {
		if e.Again = c.id[e.stage] == name; e.Again {
			a.totals.Repeated++
		} else {
			a.totals.Duplicated++
		}
		a.recent.push(e)
		return true, passage{}
	}
	a.recent.push(e)
	a.count(in.Payload, e.stage, now)

	reached := c.reached()
	c.id[e.stage], c.at[e.stage] = name, in.Time.UnixMilli()
	switch {
	case e.stage == paid:
		c.paidIn = a.minute.newest
		if known {
			a.totals.Strays--
		}
	case !known:
		a.totals.Strays++
	}
	after := c.reached()
	second := a.minute.at(c.paidIn)
	for s := reached + 1; s <= after; s++ {
		a.reached[s]++
		if second != nil {
			second.reached[s]++
		}
	}
	if after == emailed {
		a.hops[0].record(now, c.at[ordered]-c.at[paid])
		a.hops[1].record(now, c.at[emailed]-c.at[ordered])
		a.hops[2].record(now, c.at[emailed]-c.at[paid])
		a.flow.Record(span(c.at[emailed] - c.at[paid]))
		complete = passage{time.UnixMilli(c.at[paid]), time.UnixMilli(c.at[emailed])}
	}
	if gone, any := a.book.trim(c); any && gone.has(paid) {
		a.forgotten[gone.reached()]++
		if second := a.minute.at(gone.paidIn); second != nil {
			second.forgotten[gone.reached()]++
		}
	}
	return true, complete
}

// count adds an event that was not seen before.
func (a *Analytics) count(p events.Payload, s stage, now time.Time) {
	second := a.minute.slot(a.minute.turn(now))
	second.events[s]++
	switch p := p.(type) {
	case events.Payment:
		a.totals.Payments++
		a.totals.Revenue = plus(a.totals.Revenue, p.Amount)
		second.revenue = plus(second.revenue, p.Amount)
		for _, item := range p.Cart {
			i, one := a.products.of(item.Name, a.minute), sold{1, item.Price}
			a.products.total[i].add(one)
			second.sold[i].add(one)
		}
	case events.Order:
		a.totals.Orders++
	case events.Email:
		a.totals.Emails++
	}
}
