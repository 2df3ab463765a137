package analytics

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"kassa/services/events"
)

// A payment that waits is late after LateAfter and never lost; one that comes late is complete.
func TestFunnelSaysWhereCheckoutsAre(t *testing.T) {
	now := start
	a := newAt(nil, func() time.Time { return now })
	feed(t, a, payment("a", 0, 0), payment("b", 1, 0), order("b", 0, 0), payment("c", 2, 0), order("c", 1, 0), email("c", 0, 0))
	funnels := func(startWant, minuteWant Funnel) {
		t.Helper()
		r := a.Report()
		if r.Start.Funnel != startWant || r.Minute.Funnel != minuteWant {
			t.Errorf("at %s:\n%+v, want\n%+v\nlast minute %+v, want\n%+v", now.Sub(start), r.Start.Funnel, startWant, r.Minute.Funnel, minuteWant)
		}
	}
	waiting := Funnel{Paid: 3, Ordered: 2, Complete: 1, NoOrder: Missing{Waiting: 1}, NoEmail: Missing{Waiting: 1}}
	funnels(waiting, waiting)
	now = start.Add(LateAfter - time.Second)
	funnels(waiting, waiting)
	now = start.Add(LateAfter)
	late := Funnel{Paid: 3, Ordered: 2, Complete: 1, NoOrder: Missing{Late: 1}, NoEmail: Missing{Late: 1}}
	funnels(late, late)
	now = start.Add(Window)
	funnels(late, Funnel{})
	feed(t, a, order("a", 2, 0), email("b", 1, 0))
	funnels(Funnel{Paid: 3, Ordered: 3, Complete: 2, NoEmail: Missing{Late: 1}}, Funnel{})
	if r := a.Report(); r.Minute.Orders != 1 || r.Minute.Emails != 1 || r.Minute.Payments != 0 || r.Minute.Revenue != 0 {
		t.Errorf("%+v", r.Minute)
	}
}

func TestFunnelTellsOfWhatIsForgotten(t *testing.T) {
	a := newAt(nil, func() time.Time { return start })
	a.book = newBook(2, 2)
	feed(t, a, payment("a", 0, 0), order("a", 0, 0), payment("b", 1, 0), order("x", 1, 0), payment("c", 2, 0), payment("d", 3, 0))
	want := Funnel{Paid: 4, Ordered: 1, NoOrder: Missing{Waiting: 2, Forgotten: 1}, NoEmail: Missing{Forgotten: 1}}
	if r := a.Report(); r.Start.Funnel != want || r.Minute.Funnel != want || r.Forgotten != 2 || r.InFlight != 2 || r.Strays != 1 {
		t.Errorf("%+v, want %+v; %+v", r.Start.Funnel, want, r.Totals)
	}
}

// What the report says is what a recount of everything that was read gives, at every moment of any history.
func TestReportEqualsARecount(t *testing.T) {
	for seed := range uint64(12) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		now := start.Add(time.Duration(rnd.IntN(1e9)))
		a := newAt(nil, func() time.Time { return now })
		h := history{seen: map[string]bool{}}
		offset := int64(0)
		for range 60 {
			for range rnd.IntN(40) {
				var e events.Event
				switch id := fmt.Sprint(rnd.IntN(300)); rnd.IntN(3) {
				case 0:
					e = payment(id, offset, 0)
					p := e.Payload.(events.Payment)
					p.Cart = []events.Item{{Name: fmt.Sprint("product ", rnd.IntN(9)), Price: events.Money(rnd.IntN(1000))}}
					p.Amount = p.Cart[0].Price
					e.Payload = p
				case 1:
					e = order(id, offset, 5*ms)
				default:
					e = email(id, offset, 7*ms)
				}
				offset++
				feed(t, a, e)
				h.add(now, e)
				if rnd.IntN(10) == 0 {
					feed(t, a, e) // read again
					h.reread++
				}
			}
			r := a.Report()
			if problem := h.compare(r, now); problem != "" {
				t.Fatalf("seed %d, %s after the start: %s", seed, now.Sub(start), problem)
			}
			now = now.Add(time.Duration(rnd.Int64N(int64(5 * time.Second))))
			if rnd.IntN(30) == 0 {
				now = now.Add(time.Duration(rnd.Int64N(int64(3 * time.Minute))))
			}
		}
	}
}

// history recounts from a plain list.
type history struct {
	read             []happened
	seen             map[string]bool // topic and checkout
	reread, repeated int64
}

type happened struct {
	at       time.Time
	topic    string
	checkout string
	cart     []events.Item
}

func (h *history) add(at time.Time, e events.Event) {
	if h.seen[e.Topic+e.Payload.Checkout()] {
		h.repeated++
		return
	}
	h.seen[e.Topic+e.Payload.Checkout()] = true
	one := happened{at: at, topic: e.Topic, checkout: e.Payload.Checkout()}
	if p, ok := e.Payload.(events.Payment); ok {
		one.cart = p.Cart
	}
	h.read = append(h.read, one)
}

func (h *history) span(r Span, from, lateBefore int64) string {
	counts := map[string]int64{}
	products := map[string]sold{}
	var revenue events.Money
	var f Funnel
	for _, e := range h.read {
		if e.at.Unix() < from {
			continue
		}
		counts[e.topic]++
		for _, item := range e.cart {
			revenue += item.Price
			p := products[item.Name]
			products[item.Name] = sold{p.count + 1, p.revenue + item.Price}
		}
		if e.topic != events.PaymentSuccessful {
			continue
		}
		f.Paid++
		miss := func(m *Missing) {
			if e.at.Unix() < lateBefore {
				m.Late++
			} else {
				m.Waiting++
			}
		}
		switch hasOrder, hasEmail := h.seen[events.OrderSuccessful+e.checkout], h.seen[events.EmailSuccessful+e.checkout]; {
		case !hasOrder:
			miss(&f.NoOrder)
		case !hasEmail:
			f.Ordered++
			miss(&f.NoEmail)
		default:
			f.Ordered++
			f.Complete++
		}
	}
	if f != r.Funnel {
		return fmt.Sprintf("the funnel is %+v, want %+v", r.Funnel, f)
	}
	if r.Revenue != revenue || r.Payments != counts[events.PaymentSuccessful] || r.Orders != counts[events.OrderSuccessful] || r.Emails != counts[events.EmailSuccessful] {
		return fmt.Sprintf("%+v, want %v and revenue %s", r, counts, revenue)
	}
	if len(r.Products) != len(products) {
		return fmt.Sprintf("%d products, want %d", len(r.Products), len(products))
	}
	for _, p := range r.Products {
		if products[p.Name] != (sold{p.Count, p.Revenue}) {
			return fmt.Sprintf("%+v, want %+v", p, products[p.Name])
		}
	}
	return ""
}

func (h *history) compare(r Report, now time.Time) string {
	late := now.Unix() - int64(LateAfter/time.Second) + 1
	if problem := h.span(r.Start, 0, late); problem != "" {
		return "since start: " + problem
	}
	if problem := h.span(r.Minute, now.Unix()-59, late); problem != "" {
		return "last minute: " + problem
	}
	if r.Reread != h.reread || r.Repeated != h.repeated || r.Duplicated != 0 {
		return fmt.Sprintf("%d read again and %d repeated, want %d and %d", r.Reread, r.Repeated, h.reread, h.repeated)
	}
	if r.Complete != r.Start.Funnel.Complete || r.InFlight != r.Start.Funnel.Paid-r.Start.Funnel.Complete {
		return fmt.Sprintf("%+v does not fit %+v", r.Totals, r.Start.Funnel)
	}
	return ""
}

func TestLatenciesOfTheLastMinuteAreForgotten(t *testing.T) {
	now := start
	a := newAt(nil, func() time.Time { return now })
	feed(t, a, payment("a", 0, 0), order("a", 0, 400*ms), email("a", 0, 500*ms))
	now = now.Add(30 * time.Second)
	feed(t, a, payment("b", 1, 0), order("b", 1, 4*ms), email("b", 1, 5*ms))
	if r := a.Report(); r.Minute.PaymentToEmail.Count != 2 || r.Start.PaymentToOrder.Max < 400*ms {
		t.Errorf("%+v", r)
	}
	now = now.Add(35 * time.Second)
	if r := a.Report(); r.Minute.PaymentToEmail.Count != 1 || r.Minute.PaymentToEmail.Max > 6*ms || r.Start.PaymentToEmail.Count != 2 {
		t.Errorf("%+v", r.Minute)
	}
	now = now.Add(time.Hour)
	if r := a.Report(); r.Minute.PaymentToEmail.Count != 0 || r.Minute.PaymentToEmail.P99 != 0 {
		t.Errorf("%+v", r.Minute)
	}
}

// Names are a stranger's. However many there are, memory is bounded, nothing that was sold is missing from the sum, and what sells most
// keeps its name.
func TestProductsAreBounded(t *testing.T) {
	now := start
	a := newAt(nil, func() time.Time { return now })
	sell := func(offset int64, names ...string) {
		e := payment(fmt.Sprint(offset), offset, 0)
		p := events.Payment{UserID: "u", CheckoutID: fmt.Sprint(offset)}
		for _, n := range names {
			p.Cart = append(p.Cart, events.Item{Name: n, Price: 100})
			p.Amount += 100
		}
		e.Payload = p
		feed(t, a, e)
	}
	for i := range int64(2000) {
		sell(i, "T-Shirt", fmt.Sprint("junk ", i), strings.Repeat("x", 5_000)+fmt.Sprint(i))
		now = now.Add(time.Millisecond)
	}
	r := a.Report()
	for _, s := range []Span{r.Start, r.Minute} {
		sum := sold{s.Others.Count, s.Others.Revenue}
		for _, p := range s.Products {
			sum.add(sold{p.Count, p.Revenue})
		}
		if sum.count != 6_000 || sum.revenue != s.Revenue || len(s.Products) != TopProducts || s.Products[0].Count != 2000 || s.Products[1].Name != "T-Shirt" && s.Products[0].Name != "T-Shirt" {
			t.Errorf("%d sold for %s of %s, products %+v", sum.count, sum.revenue, s.Revenue, s.Products[:2])
		}
	}
	if !slices.Equal(r.Start.Products, r.Minute.Products) || r.Start.Others != r.Minute.Others { // all was sold within a minute
		t.Errorf("since the start %+v, in the last minute %+v", r.Start.Products, r.Minute.Products)
	}
	if len(a.products.number) > MaxProducts {
		t.Errorf("%d names", len(a.products.number))
	}
	for name := range a.products.number {
		if len([]rune(name)) > 49 {
			t.Errorf("kept %d characters", len([]rune(name)))
		}
	}
}

// Sums stop at the largest amount instead of turning negative.
func TestRevenueDoesNotOverflow(t *testing.T) {
	a := New(nil)
	for i := range int64(20_000) {
		e := payment(fmt.Sprint(i), i, 0)
		e.Payload = events.Payment{CheckoutID: fmt.Sprint(i), Amount: events.MaxMoney, Cart: []events.Item{{Name: "a", Price: events.MaxMoney}}}
		feed(t, a, e)
	}
	if r := a.Report(); r.Revenue != math.MaxInt64 || r.Minute.Revenue != math.MaxInt64 || r.Start.Products[0].Revenue != math.MaxInt64 {
		t.Errorf("%s, %s, %s", r.Revenue, r.Minute.Revenue, r.Start.Products[0].Revenue)
	}
}

// The totals are a table, also when names and amounts are long.
func TestTextIsAligned(t *testing.T) {
	a := New(nil)
	e := payment("a", 0, 0)
	e.Payload = events.Payment{CheckoutID: "a", Cart: []events.Item{{Name: strings.Repeat("né", 40), Price: 1}, {Name: "b", Price: events.MaxMoney / 10}}, Amount: events.MaxMoney / 10}
	feed(t, a, e, order("a", 0, ms), email("a", 0, 2*ms), payment("b", 1, 0))
	lines := strings.Split(strings.TrimSpace(a.Report().Text()), "\n")
	for _, l := range lines[1 : len(lines)-1] { // between the heading, which was trimmed, and the sentence
		if n := len([]rune(l)); n != 32+24+24 {
			t.Errorf("%d characters: %s", n, l)
		}
	}
	if len(lines) < 14 {
		t.Errorf("%d lines", len(lines))
	}
}

// Whatever a record says, its line is one line of printable text, its product is counted, and nothing grows without bounds.
func FuzzHostileText(f *testing.F) {
	f.Add("u", "c", "name", int64(1), int64(0))
	f.Add("\x1b[2J", "\u202e\n", strings.Repeat("é", 300), int64(-1), int64(math.MinInt64))
	f.Add("\xff\xfe", "", "\x00", int64(math.MaxInt64), int64(math.MaxInt64))
	f.Fuzz(func(t *testing.T, user, id, name string, price, at int64) {
		a := New(nil)
		es := []events.Event{
			events.New(events.Payment{UserID: user, CheckoutID: id, Cart: []events.Item{{Name: name, Price: events.Money(price)}, {Name: id}}, Amount: events.MaxMoney}),
			events.New(events.Order{UserID: user, OrderID: name, CheckoutID: id}),
			events.New(events.Email{UserID: user, EmailID: name, CheckoutID: id}),
		}
		for i, e := range es {
			e.Time = time.UnixMilli(at * int64(i))
			feed(t, a, e)
			line := Line(e)
			if len([]rune(line)) > 400 || plain0(line) != line {
				t.Errorf("line %q", line)
			}
			if j := JSONLine(e); strings.ContainsAny(j, "\n\r") {
				t.Errorf("JSON %q", j)
			}
		}
		r := a.Report()
		if r.Complete != 1 {
			t.Errorf("%+v", r)
		}
		for _, p := range append(r.Start.Products, r.Minute.Products...) {
			if p.Name == "" || plain0(p.Name) != p.Name || len([]rune(p.Name)) > 49 {
				t.Errorf("product %q", p.Name)
			}
		}
		if last, _ := a.Last(Recent); len(last) != 3 || len(last[0].Names[0]) > longestText {
			t.Errorf("%d kept", len(last))
		}
	})
}

// plain0 takes out what plain does, without shortening.
func plain0(s string) string {
	var b strings.Builder
	for _, r := range s {
		b.WriteString(plain(string(r)))
	}
	return b.String()
}
