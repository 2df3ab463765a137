package analytics

import (
	"time"

	"kassa/services/events"
	"kassa/services/latency"
)

// Totals is a snapshot; counts are since Since, of this Analytics alone. What was read before, by an earlier process of the same group,
// is in no count.
type Totals struct {
	Since    time.Time
	Payments int64        // each once, as the next two
	Orders   int64        //
	Emails   int64        //
	Revenue  events.Money // of Payments
	Complete int64        // checkouts seen in all three topics
	InFlight int64        // checkouts whose payment was seen and that are not complete; late ones too

	// Forgotten are checkouts that were not complete when more than MaxOpen were open: nobody here waits for them any longer.
	Forgotten int64
	// Strays are checkouts of which an order or an email was seen and no payment: it is yet to be read, or was before Since.
	Strays int64

	// Events that count nowhere else:
	Reread     int64 // records read again, after a rebalance or a crash of analytics: the same partition and offset
	Repeated   int64 // events written again: another record with the same id. Allowed at-least-once.
	Duplicated int64 // a second order or email of one checkout under another id. Never allowed.

	// From record timestamps, which are those of the writers' clocks, at the time of writing and before the commit.
	PaymentToOrder latency.Percentiles
	OrderToEmail   latency.Percentiles
	PaymentToEmail latency.Percentiles

	// Events a second over the last RateWindow.
	PaymentRate, OrderRate, EmailRate float64
}

// Report is all that analytics can tell.
type Report struct {
	Totals
	At     time.Time
	Start  Span // since Since
	Minute Span // the last Window, by when events were read here, not by when they were written
}

// Span is what happened in a stretch of time.
type Span struct {
	Length   time.Duration // less than a minute in the first minute, and by up to a second after it
	Revenue  events.Money
	Payments int64
	Orders   int64
	Emails   int64
	Funnel   Funnel

	// Of the checkouts that became complete; in the last minute, to 5 s.
	PaymentToOrder, OrderToEmail, PaymentToEmail latency.Percentiles

	Products []Product // those with the largest revenue, largest first; at most TopProducts
	Others   Product   // all others together
}

// PerSecond is a count of the span as a rate.
func (s Span) PerSecond(count int64) float64 {
	if s.Length < time.Second {
		return 0
	}
	return float64(count) / s.Length.Seconds()
}

// Funnel follows the checkouts whose payment was seen in a span, however long it takes them: Paid = Ordered + what misses its order.
type Funnel struct {
	Paid     int64
	Ordered  int64 // of Paid: the order was seen too
	Complete int64 // of Ordered: the email was seen too

	NoOrder Missing // of Paid
	NoEmail Missing // of Ordered
}

// Missing is what did not come yet. None of it is known to be lost.
type Missing struct {
	Waiting   int64 // for less than LateAfter
	Late      int64 // for longer
	Forgotten int64 // see Totals
}

// Total is all that is missing.
func (m Missing) Total() int64 { return m.Waiting + m.Late + m.Forgotten }

// hop is the latency between two stages.
type hop struct {
	start  *latency.Histogram
	minute *latency.Window
}

// hopSlots is how many parts the last minute of a latency has: 5 s each, since each is a histogram.
const hopSlots = 12

func newHop() hop { return hop{latency.New(), latency.NewWindow(Window, hopSlots)} }

func (h hop) record(now time.Time, ms int64) {
	d := span(ms)
	h.start.Record(d)
	h.minute.Record(now, d)
}

// span is so many milliseconds. The longest that a histogram takes is far less than what overflows here.
func span(ms int64) time.Duration {
	return time.Duration(min(max(ms, 0), int64(time.Hour/time.Millisecond))) * time.Millisecond
}

// Recent is how long it took from payment to email, of the checkouts that became complete since it was last asked. It is for one who asks.
func (a *Analytics) Recent() latency.Percentiles { return a.flow.Take() }

// Totals is what was counted so far. It may be called many times a second.
func (a *Analytics) Totals() Totals {
	a.mu.Lock()
	a.minute.turn(a.now())
	t := a.totalsLocked()
	a.mu.Unlock()
	t.PaymentToOrder, t.OrderToEmail, t.PaymentToEmail = a.hops[0].start.Percentiles(), a.hops[1].start.Percentiles(), a.hops[2].start.Percentiles()
	return t
}

func (a *Analytics) totalsLocked() Totals {
	t := a.totals
	rates := a.minute.perSecond()
	t.PaymentRate, t.OrderRate, t.EmailRate = rates[paid], rates[ordered], rates[emailed]
	t.Complete = a.reached[emailed]
	for s := paid; s < emailed; s++ {
		t.Forgotten += a.forgotten[s]
	}
	t.InFlight = a.reached[paid] - a.reached[emailed] - t.Forgotten
	return t
}

// Report is everything. At worst it costs 1 ms, most of it for the latencies of the last minute: ask a few times a second, while somebody looks.
func (a *Analytics) Report() Report {
	a.mu.Lock()
	now := a.now()
	newest := a.minute.turn(now)
	r := Report{Totals: a.totalsLocked(), At: now}
	r.Start = Span{
		Length: now.Sub(r.Since), Revenue: r.Revenue, Payments: r.Payments, Orders: r.Orders, Emails: r.Emails,
		Funnel: funnel(a.reached, a.forgotten, a.comingLocked(newest-lateSeconds+1)),
	}
	r.Start.Products, r.Start.Others = a.products.top(&a.products.total)

	var all second
	a.minute.since(0, func(s *second) {
		for i := range all.events {
			all.events[i] += s.events[i]
			all.reached[i] += s.reached[i]
			all.forgotten[i] += s.forgotten[i]
		}
		all.revenue = plus(all.revenue, s.revenue)
		for i := range all.sold {
			all.sold[i].add(s.sold[i])
		}
	})
	r.Minute = Span{
		Length:  min(r.Start.Length, now.Sub(time.Unix(newest-windowSeconds+1, 0))),
		Revenue: all.revenue, Payments: all.events[paid], Orders: all.events[ordered], Emails: all.events[emailed],
		Funnel: funnel(all.reached, all.forgotten, a.comingLocked(newest-lateSeconds+1)),
	}
	r.Minute.Products, r.Minute.Others = a.products.top(&all.sold)
	a.mu.Unlock()

	for _, s := range []struct {
		span  *Span
		ofHop func(hop) latency.Percentiles
	}{
		{&r.Start, func(h hop) latency.Percentiles { return h.start.Percentiles() }},
		{&r.Minute, func(h hop) latency.Percentiles { return h.minute.Percentiles(now) }},
	} {
		s.span.PaymentToOrder, s.span.OrderToEmail, s.span.PaymentToEmail = s.ofHop(a.hops[0]), s.ofHop(a.hops[1]), s.ofHop(a.hops[2])
	}
	r.PaymentToOrder, r.OrderToEmail, r.PaymentToEmail = r.Start.PaymentToOrder, r.Start.OrderToEmail, r.Start.PaymentToEmail
	return r
}

// comingLocked counts the checkouts paid since a second that miss their order, and those that have it and miss their email.
func (a *Analytics) comingLocked(since int64) (coming [2]int64) {
	a.minute.since(since, func(s *second) {
		for i := range coming {
			coming[i] += s.reached[i] - s.reached[i+1] - s.forgotten[i]
		}
	})
	return coming
}

// funnel makes one of how many checkouts reached each stage, were forgotten after it, and may be coming soon.
func funnel(reached, forgotten [3]int64, coming [2]int64) Funnel {
	missing := func(s stage) Missing {
		all := reached[s] - reached[s+1] - forgotten[s]
		return Missing{Waiting: coming[s], Late: all - coming[s], Forgotten: forgotten[s]}
	}
	return Funnel{
		Paid: reached[paid], Ordered: reached[ordered], Complete: reached[emailed],
		NoOrder: missing(paid), NoEmail: missing(ordered),
	}
}
