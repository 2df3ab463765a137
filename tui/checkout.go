package tui

import (
	"context"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"kassa/services"
)

// The checkout pane: the cart, the last checkout, the load, the services and what the shop counts.

// checkoutPatience is how long c waits before it says that the outcome is unknown. The payment itself is never given up.
const checkoutPatience = 15 * time.Second

type checkoutMsg struct {
	receipt Receipt
	err     error
	number  int
}

// lastCheckout is the newest of those made with c.
type lastCheckout struct {
	number  int
	begun   time.Time
	receipt Receipt
	err     error
	done    bool
}

func (m *Model) checkout() tea.Cmd {
	items := m.cart.items()
	if len(items) == 0 {
		m.say(true, "the cart is empty: in pane 1 select a product with k, and add it with +")
		return nil
	}
	m.lastOrder = lastCheckout{number: m.lastOrder.number + 1, begun: m.now()}
	number, shop, user := m.lastOrder.number, m.backend.Shop, m.cart.user
	if m.stalled != "" {
		m.say(true, "the order waits: "+m.stalled)
	}
	return func() tea.Msg {
		ctx, cancel := context.WithTimeout(m.ctx, checkoutPatience)
		defer cancel()
		r, err := shop.Checkout(ctx, user, items)
		return checkoutMsg{receipt: r, err: err, number: number}
	}
}

// cartRows are the least that a catalogue has while a product is selected, and what one that does not fit is content with.
const (
	cartRowsEditing = 4
	cartRowsLong    = 8
)

func (m *Model) renderCheckout(w, h int) []string {
	lines, _, _ := m.checkoutPane(w, h)
	return lines
}

// checkoutPane is the pane's lines; product is the one whose line is from, -1 if there is none. Each product follows in a line of its own.
func (m *Model) checkoutPane(w, h int) (lines []string, product, from int) {
	s := m.styles
	var stalled, told []string
	if m.stalled != "" {
		stalled = append(wrapped(m.stalled, w, s.Bad), "")
	}
	if m.toldOutcome != "" {
		told = append([]string{""}, wrapped(m.toldOutcome, w, s.Good)...)
	}
	do := []string{" " + s.Key.Render("c") + s.Dim.Render(" checkout as "+safe(m.cart.user)), m.lastLine(w)}
	if m.backend == nil { // a key that is named must work
		do = []string{s.Dim.Render(" the shop opens when the"), s.Dim.Render(" cluster is up")}
	}
	do = append(do, m.loadLine(w, m.rowMark(len(m.cart.products)), !m.onProduct()))

	f := m.figures
	var flow []string
	if m.backend != nil {
		flow = append(flow, m.paymentLine(w))
		for _, svc := range f.Services {
			flow = append(flow, m.serviceLine(svc, w))
		}
	}
	totals := []string{" " + s.Good.Render(count(f.Complete)+" complete ✓")}
	flying, pending := " "+s.Text.Render(count(f.InFlight)+" in flight …"), m.pending()
	if pending == "" || ansi.StringWidth(flying+pending) <= w {
		totals = append(totals, flying+pending)
	} else { // in an outage both are large, and none is to be cut off
		totals = append(totals, flying, pending[1:])
	}
	must := len(totals)
	if f.FlowP50 > 0 {
		totals = append(totals, m.percentiles("flow", f.FlowP50, f.FlowP99, w))
	}
	if l := m.load.figures.Latency; m.load.plan.On && l.Count > 0 {
		totals = append(totals, m.percentiles("load", l.P50, l.P99, w))
	}
	if f.Revenue > 0 {
		text := s.Dim.Render(" revenue Rs ") + money(f.Revenue)
		if ansi.StringWidth(text) > w {
			text = s.Dim.Render(" Rs ") + money(f.Revenue)
		}
		totals = append(totals, text)
	}

	more := h - 1 - len(do) - len(flow) - must
	if more >= len(stalled)+len(m.cart.products) {
		lines, more = append(lines, stalled...), more-len(stalled)
	}
	room := more
	if len(m.cart.products) > more {
		room = max(more-len(totals)-1, min(more, cartRowsLong)) // there is more to see than a long catalogue
	}
	if m.onProduct() {
		room = max(room, min(cartRowsEditing, len(m.cart.products)))
	}
	from = len(lines)
	goods, product := m.cartLines(w, room)
	lines, more = append(lines, goods...), more-len(goods)
	lines = append(lines, m.totalLine(w))
	lines, more = space(lines, more)
	lines = append(lines, do...)
	lines, more = space(lines, more)
	lines = append(lines, flow...)
	lines, more = space(lines, more)
	lines = append(lines, totals[:must]...)
	for _, t := range totals[must:] {
		if more > 0 {
			lines, more = append(lines, t), more-1
		}
	}
	if more >= len(told) {
		lines = append(lines, told...)
	}
	return lines, product, from
}

// percentiles are how long something took; the worst alone where there is no room for both.
func (m *Model) percentiles(what string, p50, p99 time.Duration, w int) string {
	s := m.styles
	text := s.Dim.Render(" "+what+" p50 ") + age(p50) + s.Dim.Render(" p99 ") + age(p99)
	if ansi.StringWidth(text) > w {
		text = s.Dim.Render(" "+what+" p99 ") + age(p99)
	}
	return text
}

// wrapped is a text in lines of a pane that is w wide.
func wrapped(text string, w int, style ink) (lines []string) {
	for _, l := range strings.Split(ansi.Wordwrap(text, max(w-2, 1), ""), "\n") {
		lines = append(lines, " "+style.Render(l))
	}
	return lines
}

// clickCart selects the product on a line of the pane.
func (m *Model) clickCart(line int) {
	r := m.layout[paneCheckout]
	_, product, from := m.checkoutPane(r.w-2, r.h-2)
	if at := product + line - from; product >= 0 && line >= from && at < len(m.cart.products) {
		m.cart.at = at
	}
}

// space adds an empty line while there is room to spare.
func space(lines []string, more int) ([]string, int) {
	if more > 0 {
		return append(lines, ""), more - 1
	}
	return lines, more
}

// lastLine tells how the last checkout by hand went.
func (m *Model) lastLine(w int) string {
	s, l := m.styles, m.lastOrder
	switch {
	case l.number == 0:
		return s.Dim.Render(" no checkout yet")
	case !l.done:
		return s.Warn.Render(" … waiting " + age(m.now().Sub(l.begun)))
	case l.err != nil:
		return s.Bad.Render(fit(" ✗ "+safe(l.err.Error()), w))
	}
	return s.Good.Render(" ✓ acked ") + age(l.receipt.Took) + " " + s.Accent.Render(short(l.receipt.CheckoutID, 4))
}

func (m *Model) pending() string {
	s, f := m.styles, m.figures
	text := ""
	if f.Pending > 0 {
		text += "  " + s.Warn.Render(count(f.Pending)+" unacked")
	}
	if f.Refused > 0 {
		text += "  " + s.Bad.Render(count(f.Refused)+" refused")
	}
	if n := m.load.figures.Shed; n > 0 {
		text += "  " + s.Warn.Render(count(n)+" not sent")
	}
	return text
}

func (m *Model) paymentLine(w int) string {
	s, f := m.styles, m.figures
	text := " " + fit("payment", 10) + m.pace(payments)
	if ack := s.Dim.Render(" ack " + age(f.AckP50)); f.AckP50 > 0 && ansi.StringWidth(text+ack) <= w {
		text += ack
	}
	return fit(text, w)
}

func (m *Model) serviceLine(svc services.Stats, w int) string {
	s := m.styles
	name := " " + fit(svc.Name, 10)
	text := name + m.pace(svc.Name)
	if ansi.StringWidth(text) > w { // the figure says more than the chart
		text = name + perSecond(m.of(svc.Name).rate.value(m.now()))
	}
	add := func(more string) { // all of it or nothing: half a figure is worse than none
		if ansi.StringWidth(text+more) <= w {
			text += more
		}
	}
	switch {
	case svc.Status == services.Stopped, svc.Status == services.Restarting:
		word, style := m.stateWord(svc)
		text = name + style.Render(word) // in the place of the chart: a narrow pane has no room for both
		if svc.Live > 0 {
			add(" " + perSecond(m.of(svc.Name).rate.value(m.now())))
		}
		if n := m.lagOf(svc); n > 0 {
			add(s.Dim.Render(" lag " + count(n)))
		}
	case svc.DeadLetters > 0 && svc.Status == services.Running:
		add(" " + s.Bad.Render(count(svc.DeadLetters)+" dead-lettered"))
	case svc.Status == services.Running && svc.Lag > 0:
		add(s.Dim.Render(" lag " + count(svc.Lag)))
	case svc.Status != services.Running:
		word, style := m.stateWord(svc)
		if text += " " + style.Render(word); ansi.StringWidth(text) > w {
			text = name + style.Render(word)
		}
	}
	return fit(text, w)
}

// payments is the name of the payment service among the series.
const payments = "payment"

// series is how a service went lately.
type series struct {
	rate  rate
	spark spark
}

func (m *Model) of(service string) *series {
	v, ok := m.series[service]
	if !ok {
		v = &series{}
		m.series[service] = v
	}
	return v
}

// pace is a service's rate, now and lately.
func (m *Model) pace(service string) string {
	v := m.of(service)
	return m.styles.Good.Render(v.spark.String()) + " " + perSecond(v.rate.value(m.now()))
}

// spark is a small chart of the last figures, each relative to the largest.
type spark struct{ values []float64 }

const sparkWidth = 4

func (p *spark) add(v float64) {
	p.values = append(p.values, v)
	if len(p.values) > sparkWidth {
		p.values = p.values[1:]
	}
}

func (p *spark) String() string {
	bars := []rune("▁▂▃▄▅▆▇█")
	top := 1.0
	for _, v := range p.values {
		top = max(top, v)
	}
	var b strings.Builder
	for range sparkWidth - len(p.values) {
		b.WriteRune(' ')
	}
	for _, v := range p.values {
		b.WriteRune(bars[max(0, min(int(v/top*6+0.5), 6))]) // never the whole cell: rows of them would run into each other
	}
	return b.String()
}
