package tui

import (
	"context"
	"fmt"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"kassa/services"
)

// The checkout pane: the cart, the last checkout, the load, the services and what the shop counts.

// checkoutPatience is how long c waits before it says that the outcome is unknown. The payment itself is never given up.
const checkoutPatience = 15 * time.Second

// loadSteps are the rates that + and - go through, in orders a second.
var loadSteps = [...]int{1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000}

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
	m.lastOrder = lastCheckout{number: m.lastOrder.number + 1, begun: m.now()}
	number, shop := m.lastOrder.number, m.backend.Shop
	if m.stalled != "" {
		m.say(true, "the order waits: "+m.stalled)
	}
	return func() tea.Msg {
		ctx, cancel := context.WithTimeout(m.ctx, checkoutPatience)
		defer cancel()
		r, err := shop.Checkout(ctx)
		return checkoutMsg{receipt: r, err: err, number: number}
	}
}

func (m *Model) toggleLoad() tea.Cmd {
	m.loadOn = !m.loadOn
	return m.applyLoad()
}

func (m *Model) stepLoad(by int) tea.Cmd {
	m.loadStep = max(0, min(m.loadStep+by, len(loadSteps)-1))
	return m.applyLoad()
}

func (m *Model) applyLoad() tea.Cmd {
	m.backend.Shop.SetLoad(loadSteps[m.loadStep], m.loadOn)
	m.dirty(paneCheckout)
	return nil
}

func (m *Model) renderCheckout(w, h int) []string {
	s := m.styles
	var cart []string
	var total int64
	if m.stalled != "" {
		for _, l := range strings.Split(ansi.Wordwrap(m.stalled, w-2, ""), "\n") {
			cart = append(cart, " "+s.Bad.Render(l))
		}
		cart = append(cart, "")
	}
	for _, p := range m.catalogue {
		cart = append(cart, sides(" "+p.Name, money(p.Price)+" ", w))
		total += p.Price
	}
	sum := sides(s.Dim.Render(" total"), s.Strong.Render("Rs "+money(total))+" ", w)

	do := []string{" " + s.Key.Render("c") + s.Dim.Render(" checkout"), m.lastLine(w)}
	load := " " + s.Key.Render("b") + s.Dim.Render(" load ")
	if m.loadOn {
		load += s.Good.Render(fmt.Sprintf("on %d/s", loadSteps[m.loadStep]))
	} else {
		load += s.Dim.Render(fmt.Sprintf("off (%d/s)", loadSteps[m.loadStep]))
	}
	load += s.Dim.Render("  ") + s.Key.Render("+ −")

	f := m.figures
	var flow []string
	if m.backend != nil {
		flow = append(flow, m.paymentLine(w))
		for _, svc := range f.Services {
			flow = append(flow, m.serviceLine(svc, w))
		}
	}
	totals := []string{
		" " + s.Good.Render(count(f.Complete)+" complete ✓"),
		" " + s.Text.Render(count(f.InFlight)+" in flight …") + m.pending(),
	}
	if f.FlowP50 > 0 {
		totals = append(totals, s.Dim.Render(" flow p50 ")+age(f.FlowP50)+s.Dim.Render(" p99 ")+age(f.FlowP99))
	}
	if f.Revenue > 0 {
		totals = append(totals, s.Dim.Render(" revenue Rs ")+money(f.Revenue))
	}

	must := append(append(append([]string{sum}, do...), load), flow...)
	must = append(must, totals[:2]...)
	more := h - len(must)
	var lines []string
	if more >= len(cart) {
		lines, more = append(lines, cart...), more-len(cart)
	}
	lines = append(lines, sum)
	lines, more = space(lines, more)
	lines = append(lines, do...)
	lines = append(lines, load)
	lines, more = space(lines, more)
	lines = append(lines, flow...)
	lines, more = space(lines, more)
	lines = append(lines, totals[:2]...)
	for _, t := range totals[2:] {
		if more > 0 {
			lines, more = append(lines, t), more-1
		}
	}
	return lines
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
		return s.Bad.Render(fit(" ✗ "+l.err.Error(), w))
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
	if f.Shed > 0 {
		text += "  " + s.Warn.Render(count(f.Shed)+" not sent")
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
	text := " " + fit(svc.Name, 10) + m.pace(svc.Name)
	switch {
	case svc.DeadLetters > 0 && svc.Status == services.Running:
		text += " " + s.Bad.Render(count(svc.DeadLetters)+" dead-lettered")
	case svc.Status == services.Running && svc.Lag > 0:
		text += s.Dim.Render(" lag " + count(svc.Lag))
	case svc.Status != services.Running:
		text += " " + s.Warn.Render(svc.Status.String())
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
		b.WriteRune(bars[max(0, min(int(v/top*7+0.5), 7))])
	}
	return b.String()
}
