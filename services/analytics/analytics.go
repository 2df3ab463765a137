// Package analytics watches the whole flow: a line of text for every event and totals over all of them. It writes to no
// topic but the dead letters of the last one, and nothing in the shop waits for it.
//
// It knows what it was told. A checkout that it calls complete was seen in all three topics; one that it has not seen may
// be on its way, and it never calls one lost.
package analytics

import (
	"context"
	"io"
	"sync"
	"time"

	"kassa/services"
	"kassa/services/events"
	"kassa/services/latency"
)

// Totals is a snapshot; counts are since Since, of this Analytics alone.
type Totals struct {
	Since    time.Time
	Payments int64
	Orders   int64
	Emails   int64
	Revenue  events.Money // of Payments
	Complete int64        // checkouts seen in all three topics
	InFlight int64        // checkouts whose payment was seen and whose email was not yet
	Dropped  int64        // checkouts forgotten before they were complete, because more than MaxOpen were open
	Repeated int64        // records read again, after a rebalance; they count nowhere else

	// From record timestamps, which are those of the writers' clocks, at the time of writing and before the commit.
	PaymentToOrder latency.Percentiles
	OrderToEmail   latency.Percentiles
	PaymentToEmail latency.Percentiles

	// Events a second over the last RateWindow.
	PaymentRate, OrderRate, EmailRate float64
}

// MaxOpen is how many checkouts may be open at once; beyond it the oldest is forgotten and counted. That is about 20 MB.
const MaxOpen = 65_536

// Analytics counts. Use New. Its methods may be called from several goroutines, and its Service may run in several Runners.
type Analytics struct {
	out io.Writer
	now func() time.Time

	mu     sync.Mutex
	totals Totals
	seen   map[place]int64 // highest offset seen of each partition
	open   open
	rates  [3]rate

	paymentToOrder, orderToEmail, paymentToEmail *latency.Histogram

	onEmail func(paid, seen time.Time) // nil for nobody
}

type place struct {
	topic     string
	partition int32
}

// New is an Analytics that writes one line an event to out; nil for none. Each line is one Write, from one goroutine at a
// time; what out answers is not looked at, and a slow out holds analytics up, and nobody else.
func New(out io.Writer) *Analytics {
	return &Analytics{
		out: out, now: time.Now,
		totals:         Totals{Since: time.Now()},
		seen:           make(map[place]int64),
		open:           newOpen(MaxOpen),
		paymentToOrder: latency.New(), orderToEmail: latency.New(), paymentToEmail: latency.New(),
	}
}

// OnEmail has f called for every checkout that is complete, with the time of its payment and the time at which its email event was read. It
// must not wait. Call it before the service runs.
func (a *Analytics) OnEmail(f func(paid, seen time.Time)) { a.onEmail = f }

// Service reads all three topics. What cannot be read of the first two is for order and email to bury.
func (a *Analytics) Service() services.Service {
	return services.Service{
		Name:    "analytics",
		Inputs:  events.Topics(),
		Watched: []string{events.PaymentSuccessful, events.OrderSuccessful},
		Handle:  a.handle,
	}
}

// Totals is what was counted so far. It may be called many times a second.
func (a *Analytics) Totals() Totals {
	a.mu.Lock()
	t, now := a.totals, a.now()
	t.InFlight = a.open.inFlight
	t.Dropped = a.open.dropped
	t.PaymentRate, t.OrderRate, t.EmailRate = a.rates[0].perSecond(now), a.rates[1].perSecond(now), a.rates[2].perSecond(now)
	a.mu.Unlock()
	t.PaymentToOrder, t.OrderToEmail, t.PaymentToEmail = a.paymentToOrder.Percentiles(), a.orderToEmail.Percentiles(), a.paymentToEmail.Percentiles()
	return t
}

func (a *Analytics) handle(_ context.Context, in events.Event) ([]events.Event, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	at := place{in.Topic, in.Partition}
	if last, ok := a.seen[at]; ok && in.Offset <= last {
		a.totals.Repeated++
		return nil, nil
	}
	a.seen[at] = in.Offset
	a.count(in)
	if a.out != nil {
		_, _ = io.WriteString(a.out, Line(in)+"\n")
	}
	return nil, nil
}

func (a *Analytics) count(in events.Event) {
	var stage stage
	switch p := in.Payload.(type) {
	case events.Payment:
		stage = paid
		a.totals.Payments++
		a.totals.Revenue += p.Amount
	case events.Order:
		stage = ordered
		a.totals.Orders++
	case events.Email:
		stage = emailed
		a.totals.Emails++
	}
	a.rates[stage].add(a.now())

	c := a.open.see(in.Payload.Checkout(), stage, in.Time)
	if c.done() {
		a.totals.Complete++
		a.paymentToOrder.Record(c.at[ordered].Sub(c.at[paid]))
		a.orderToEmail.Record(c.at[emailed].Sub(c.at[ordered]))
		a.paymentToEmail.Record(c.at[emailed].Sub(c.at[paid]))
		if a.onEmail != nil {
			a.onEmail(c.at[paid], a.now())
		}
	}
}
