package analytics

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"kassa/services/events"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// feed hands events to a as a Runner would.
func feed(t *testing.T, a *Analytics, es ...events.Event) {
	t.Helper()
	svc := a.Service()
	for _, e := range es {
		if out, err := svc.Handle(context.Background(), e); err != nil || len(out) > 0 {
			t.Fatal(out, err)
		}
	}
}

func payment(id string, offset int64, at time.Duration) events.Event {
	e := events.New(events.Payment{UserID: "u", Cart: events.DefaultCart(), CheckoutID: id, Amount: 694970})
	e.Offset, e.Time = offset, start.Add(at)
	return e
}

func order(id string, offset int64, at time.Duration) events.Event {
	e := events.New(events.Order{UserID: "u", OrderID: "o" + id, CheckoutID: id})
	e.Offset, e.Time = offset, start.Add(at)
	return e
}

func email(id string, offset int64, at time.Duration) events.Event {
	e := events.New(events.Email{UserID: "u", EmailID: "e" + id, CheckoutID: id})
	e.Offset, e.Time = offset, start.Add(at)
	return e
}

const ms = time.Millisecond

func TestTotals(t *testing.T) {
	a := New(nil)
	feed(t, a,
		payment("a", 0, 0), order("a", 0, 10*ms), email("a", 0, 30*ms),
		email("b", 1, 300*ms), order("b", 1, 100*ms), payment("b", 1, 0), // topics are read in any order
		payment("c", 2, 0), order("c", 2, 10*ms),
		payment("d", 3, 0),
		order("e", 3, 0), // its payment is yet to be read
	)
	got := a.Totals()
	if got.Payments != 4 || got.Orders != 4 || got.Emails != 2 || got.Revenue != 4*694970 || got.Complete != 2 || got.InFlight != 2 {
		t.Errorf("%+v", got)
	}
	for name, c := range map[string]struct{ got, want time.Duration }{
		"payment to order, p50": {got.PaymentToOrder.P50, 10 * ms}, "payment to order, p99": {got.PaymentToOrder.P99, 100 * ms},
		"order to email, p50": {got.OrderToEmail.P50, 20 * ms}, "order to email, p99": {got.OrderToEmail.P99, 200 * ms},
		"payment to email, p50": {got.PaymentToEmail.P50, 30 * ms}, "payment to email, p99": {got.PaymentToEmail.P99, 300 * ms},
	} {
		if off := c.got - c.want; off < 0 || off > c.want/50 {
			t.Errorf("%s is %s, want %s", name, c.got, c.want)
		}
	}
}

// Offsets begin anew when a topic is made again: what comes then is counted, and what is read again of it is not.
func TestATopicThatIsMadeAgainIsCounted(t *testing.T) {
	a := New(nil)
	feed(t, a, payment("a", 0, 0), payment("b", 1, 20*ms), payment("c", 2, 10*ms), payment("c", 2, 10*ms), payment("b", 1, 20*ms))
	if got := a.Totals(); got.Payments != 3 || got.Reread != 2 {
		t.Errorf("%+v", got)
	}
	feed(t, a, payment("d", 0, 30*ms), payment("e", 1, 25*ms), payment("e", 1, 25*ms), payment("d", 0, 30*ms), payment("f", 2, 40*ms))
	if got := a.Totals(); got.Payments != 6 || got.Reread != 4 {
		t.Errorf("after it was made again: %+v", got)
	}
}

func TestWhoeverAsksIsToldOnceThatACheckoutIsComplete(t *testing.T) {
	a := New(nil)
	var told []string
	a.OnEmail(func(paid, emailed, _ time.Time) {
		told = append(told, fmt.Sprint(paid.Sub(start), " to ", emailed.Sub(start)))
	})
	feed(t, a, payment("a", 0, 5*ms), email("a", 0, 30*ms), order("a", 0, 10*ms), order("a", 1, 10*ms), email("a", 1, 40*ms), payment("b", 1, 0))
	if len(told) != 1 || told[0] != "5ms to 30ms" {
		t.Errorf("%q", told)
	}
}

// After a rebalance the last records are read again. They were counted.
func TestRecordsReadAgainDoNotCountTwice(t *testing.T) {
	var out bytes.Buffer
	a := New(&out)
	once := []events.Event{payment("a", 7, 0), order("a", 3, ms), email("a", 9, 2*ms), payment("b", 8, 0)}
	feed(t, a, once...)
	before, lines := a.Totals(), out.Len()
	feed(t, a, once...)
	after := a.Totals()
	if after.Reread != 4 || after.Payments != 2 || after.Complete != 1 || after.InFlight != 1 || after.Revenue != before.Revenue || out.Len() != lines {
		t.Errorf("before %+v, after %+v", before, after)
	}
	other := payment("c", 0, 0)
	other.Partition = 1 // another partition has offsets of its own
	feed(t, a, other)
	if got := a.Totals().Payments; got != 3 {
		t.Errorf("%d payments", got)
	}
}

func TestCheckoutsAreBounded(t *testing.T) {
	a := New(nil)
	a.book = newBook(10, 5)
	for i := range 25 {
		feed(t, a, payment(fmt.Sprint(i), int64(i), 0))
	}
	got := a.Totals()
	if got.InFlight != 10 || got.Forgotten != 15 || got.Payments != 25 || len(a.book.index) != 10 || a.book.open.n != 10 {
		t.Errorf("%+v, %d kept", got, len(a.book.index))
	}
	feed(t, a, order("24", 0, ms), email("24", 0, 2*ms))
	if got := a.Totals(); got.Complete != 1 || got.InFlight != 9 {
		t.Errorf("%+v", got)
	}
	for i := int64(25); i < 1000; i++ {
		id := fmt.Sprint(i)
		feed(t, a, payment(id, i, 0), order(id, i, ms), email(id, i, 2*ms))
	}
	if got := a.Totals(); got.Complete != 976 || got.InFlight != 9 || len(a.book.index) != 9+5 || len(a.book.entries) > 16 {
		t.Errorf("%+v, %d kept in %d entries", got, len(a.book.index), len(a.book.entries))
	}
}

// After a crash of an at-least-once service its last events are there twice, with the same ids: each counts once, and the repeats apart.
func TestRepeatedEventsCountOnce(t *testing.T) {
	a := New(nil)
	other := order("a", 2, ms)
	other.Payload = events.Order{UserID: "u", OrderID: "another", CheckoutID: "a"}
	feed(t, a,
		payment("a", 0, 0), order("a", 0, ms), order("a", 1, ms), other, email("a", 0, 2*ms),
		email("a", 1, 3*ms), order("a", 3, 3*ms), payment("a", 1, 0), // after it was complete
		payment("b", 2, 0), payment("b", 3, 0),
	)
	got := a.Totals()
	if got.Payments != 2 || got.Orders != 1 || got.Emails != 1 || got.Revenue != 2*694970 || got.Complete != 1 || got.InFlight != 1 ||
		got.Repeated != 5 || got.Duplicated != 1 || got.Reread != 0 || got.PaymentToEmail.Count != 1 {
		t.Errorf("%+v", got)
	}
	if p := a.Report().Start.Products; p[0].Count != 2 {
		t.Errorf("sold %+v", p)
	}
	last, total := a.Last(2)
	if total != 10 || len(last) != 2 || last[0].Again || !last[1].Again {
		t.Errorf("%d events, the last are %+v", total, last)
	}
}

// Two Runners of one process read the same records when a partition goes from one to the other, in any mixture.
func TestTwoRunnersCountEachRecordOnce(t *testing.T) {
	a := New(nil)
	var es []events.Event
	for i := range int64(2000) {
		es = append(es, payment(fmt.Sprint(i), i, 0))
	}
	var wg sync.WaitGroup
	wg.Go(func() { feed(t, a, es[:1500]...) })
	wg.Go(func() { feed(t, a, es[:]...) })
	wg.Wait()
	if got := a.Totals(); got.Payments != 2000 || got.Reread != 1500 || got.Repeated != 0 {
		t.Errorf("%+v", got)
	}
}

// A process that begins in the middle sees the ends of checkouts whose beginning was another's to count.
func TestAPartOfACheckoutIsNeitherCompleteNorInFlight(t *testing.T) {
	a := New(nil)
	feed(t, a, order("a", 0, 0), email("a", 0, 0), email("b", 1, 0), payment("c", 0, 0), order("d", 1, 0))
	if got := a.Totals(); got.Strays != 3 || got.InFlight != 1 || got.Complete != 0 {
		t.Errorf("%+v", got)
	}
	feed(t, a, payment("d", 1, 0)) // only its order was read first
	if got := a.Totals(); got.Strays != 2 || got.InFlight != 2 || a.Report().Start.Funnel.Ordered != 1 {
		t.Errorf("%+v", got)
	}
}

func TestRatesLookAtTheLastSeconds(t *testing.T) {
	now := start
	a := newAt(nil, func() time.Time { return now })
	offset := int64(0)
	run := func(seconds, perSecond int) {
		for range seconds * perSecond {
			feed(t, a, payment(fmt.Sprint(offset), offset, 0))
			offset++
			now = now.Add(time.Second / time.Duration(perSecond))
		}
	}
	rate := func(want float64) {
		t.Helper()
		if got := a.Totals().PaymentRate; got < want*0.95 || got > want*1.05 {
			t.Errorf("%.1f a second, want %.1f", got, want)
		}
	}
	rate(0)
	run(1, 100) // not yet a whole window
	rate(100)
	run(10, 100)
	rate(100)
	run(10, 20)
	rate(20)
	now = now.Add(RateWindow)
	rate(0)
	now = now.Add(time.Hour)
	run(1, 40)
	now = now.Add(-time.Minute) // clocks go back
	a.Totals()
}

func TestLinesSurviveWhatOthersWrite(t *testing.T) {
	e := events.New(events.Payment{
		UserID: "\x1b[2Jann\n", CheckoutID: strings.Repeat("é", 100), Amount: 100,
		Cart: []events.Item{{Name: "a\u202eb"}, {Name: "b"}, {Name: "c"}, {Name: "d"}, {Name: "e"}},
	})
	e.Time, e.Partition, e.Offset = start, 2, 17
	want := "03:04:05.000  payment-successful/2@17  checkout " + strings.Repeat("é", 48) + "…  user ·[2Jann· paid Rs. 1.00 for a·b, b, c, and 2 more"
	if got := Line(e); got != want {
		t.Errorf("\n%q, want\n%q", got, want)
	}
	var out bytes.Buffer
	a := New(&out)
	feed(t, a, payment("a", 0, 0), order("a", 0, 0), email("a", 0, 0))
	if got := strings.Count(out.String(), "\n"); got != 3 {
		t.Errorf("%d lines: %s", got, out.String())
	}
}

func TestTotalsWhileEventsCome(t *testing.T) {
	a := New(nil)
	var wg sync.WaitGroup
	for p := range 3 {
		wg.Go(func() {
			for i := range 200 {
				e := payment(fmt.Sprint(p, i), int64(i), 0)
				e.Partition = int32(p)
				feed(t, a, e)
			}
		})
		wg.Go(func() {
			for range 50 {
				a.Totals()
			}
		})
	}
	wg.Wait()
	if got := a.Totals().Payments; got != 600 {
		t.Errorf("%d payments", got)
	}
}
