package tui

import (
	"fmt"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"kassa/services/analytics"
	"kassa/services/events"
	"kassa/services/latency"
)

// The analytics pane: what the shop sold, how far its checkouts came and how long that took, since the start and in the last minute, and
// below it a line for each event as it happens.

// Sales is what the screen asks of analytics. It is asked only while the pane is on the screen.
type Sales interface {
	Report() analytics.Report
	// Last returns the newest n events, oldest first, and how many there were ever.
	Last(n int) ([]analytics.Entry, int64)
}

// sales is the state of the pane.
type sales struct {
	minute bool // where there is room for one span: the last minute
	paused bool
	held   []analytics.Entry // while paused: what there was
	frozen int64             // while paused: how many events there had been
	up     int               // while paused: lines between the newest of held and the last in view
}

// From so many cells on, both spans stand side by side.
const salesBoth = 100

func (m *Model) goToAnalytics() tea.Cmd {
	m.focusOn(paneAnalytics)
	return nil
}

func (m *Model) pauseSales() tea.Cmd {
	if m.backend == nil || m.backend.Analytics == nil || m.sales.paused {
		return nil
	}
	m.sales.paused, m.sales.up = true, 0
	m.sales.held, m.sales.frozen = m.backend.Analytics.Last(analytics.Recent)
	return nil
}

func (m *Model) followSales() tea.Cmd {
	m.sales.paused, m.sales.held = false, nil
	return nil
}

func (m *Model) switchSpan() tea.Cmd {
	m.sales.minute = !m.sales.minute
	return nil
}

// oneSpan says that the pane has room for one span.
func oneSpan(m *Model) bool { return m.layout[paneAnalytics].w-2 < salesBoth }

// moveSales scrolls through the lines. Going up pauses them, as in the tails.
func (m *Model) moveSales(n int) {
	if n < 0 {
		m.pauseSales()
	}
	if m.sales.paused {
		m.sales.up = max(0, min(m.sales.up-n, len(m.sales.held)-1))
	}
}

func (m *Model) salesStatus() string {
	s := m.styles
	switch {
	case m.backend == nil || m.backend.Analytics == nil:
		return ""
	case m.sales.paused:
		_, total := m.backend.Analytics.Last(0)
		return s.Warn.Render("PAUSED") + s.Dim.Render(" +"+count(total-m.sales.frozen))
	}
	return s.Dim.Render(perSecond(m.of("analytics").rate.value(m.now())) + " events")
}

func (m *Model) renderAnalytics(w, h int, _ bool) []string {
	s := m.styles
	if m.backend == nil || m.backend.Analytics == nil {
		return []string{s.Dim.Render(" the shop opens when the cluster is up")}
	}
	r := m.backend.Analytics.Report()
	plan := planSales(r, w, h)
	var lines []string
	if w >= salesBoth {
		left := (w - 2) / 2
		start, minute := m.spanLines(r, false, left, plan), m.spanLines(r, true, w-2-left, plan)
		for i := range max(len(start), len(minute)) {
			lines = append(lines, fit(at(start, i), left)+"  "+at(minute, i))
		}
	} else {
		lines = m.spanLines(r, m.sales.minute, w, plan)
	}
	if plan.events <= 0 {
		return lines[:min(len(lines), max(h, 0))]
	}
	lines = append(lines, s.Frame.Render(strings.Repeat("─", max(w, 0))))
	return append(lines, m.eventLines(w, plan.events)...)
}

func at(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return ""
}

// salesPlan is what there is room for: the sums first, then some events, then the products.
type salesPlan struct {
	odd      bool // a line for what counts nowhere
	gaps     bool // an empty line between the parts
	latency  bool
	products int // lines, with the heading
	events   int // lines
}

func planSales(r analytics.Report, w, h int) salesPlan {
	const sums, hops, fewest = 2 + 3, 4, 3
	p := salesPlan{odd: r.Repeated+r.Duplicated+r.Reread+r.Strays > 0}
	room := h - sums - 1 - fewest
	if p.odd {
		room--
	}
	if p.latency = room >= hops; p.latency {
		room -= hops
	}
	if n := len(r.Start.Products); n > 0 && room >= 3 {
		if r.Start.Others.Count > 0 {
			n++
		}
		p.products = min(1+n, room*4/5, 4+room/3)
		room -= p.products
	}
	if p.gaps = room >= 9; p.gaps {
		room -= 3
	}
	p.events = fewest + room
	return p
}

// spanLines are the figures of one span. Both spans have the same lines in the same places.
func (m *Model) spanLines(r analytics.Report, minute bool, w int, p salesPlan) []string {
	span := r.Start
	if minute {
		span = r.Minute
	}
	lines := []string{m.spanTitle(r, minute), m.sums(span, w)}
	gap := func() {
		if p.gaps {
			lines = append(lines, "")
		}
	}
	if p.odd {
		odd := ""
		if !minute {
			odd = m.oddities(r.Totals)
		}
		lines = append(lines, fit(odd, w))
	}
	gap()
	lines = append(lines, m.funnelLines(span.Funnel, w)...)
	if p.latency {
		gap()
		lines = append(lines, m.hopLines(span, w)...)
	}
	if p.products > 0 {
		gap()
		products := m.productLines(span, w, p.products)
		for len(products) < p.products {
			products = append(products, "")
		}
		lines = append(lines, products...)
	}
	for i := range lines {
		lines[i] = fit(lines[i], w)
	}
	return lines
}

// spanTitle names the span; where there is room for one, it names both and marks the one that is shown.
func (m *Model) spanTitle(r analytics.Report, minute bool) string {
	s := m.styles
	start := "since " + r.Since.Format("15:04:05") + ", " + age(r.Start.Length)
	last := "last minute"
	if r.Minute.Length < 59*time.Second {
		last = "last " + plural(int(r.Minute.Length.Seconds()), "second")
	}
	switch both := !oneSpan(m); {
	case both && minute:
		return " " + s.Strong.Render(last)
	case both:
		return " " + s.Strong.Render(start)
	case minute:
		return " " + s.Dim.Render(start) + "   " + s.Strong.Render("▸"+last)
	}
	return " " + s.Strong.Render("▸"+start) + "   " + s.Dim.Render(last)
}

func (m *Model) sums(span analytics.Span, w int) string {
	s := m.styles
	return sides(
		s.Dim.Render(" revenue Rs ")+s.Strong.Render(money(int64(span.Revenue))),
		s.Dim.Render("orders ")+s.Strong.Render(perSecond(span.PerSecond(span.Orders)))+s.Dim.Render(" on average "), w)
}

// oddities are the events that count nowhere, and those without a beginning.
func (m *Model) oddities(t analytics.Totals) string {
	s := m.styles
	var parts []string
	add := func(style ink, n int64, what string) {
		if n > 0 {
			parts = append(parts, style.Render(count(n)+" "+what))
		}
	}
	add(s.Bad, t.Duplicated, "DUPLICATED")
	add(s.Warn, t.Repeated, "repeated")
	add(s.Dim, t.Reread, "read again")
	add(s.Dim, t.Strays, "without a payment")
	return " " + strings.Join(parts, s.Dim.Render(", "))
}

func (m *Model) funnelLines(f analytics.Funnel, w int) []string {
	s := m.styles
	const name, number, share, missing = 9, 10, 9, 23
	bar := max(4, min(w-name-number-share-missing, 30))
	row := func(stage string, n int64, rest string) string {
		percent := analytics.Percent(n, f.Paid)
		return " " + fit(stage, name-1) + m.bar(s.Good, n, f.Paid, bar) + s.Strong.Render(right(count(n), number)) + s.Dim.Render(right(percent, share)) + "  " + rest
	}
	return []string{
		row("payment", f.Paid, ""),
		row("order", f.Ordered, m.missing(f.NoOrder)),
		row("email", f.Complete, m.missing(f.NoEmail)),
	}
}

// missing says what did not come yet, the worst first. None of it is known to be lost.
func (m *Model) missing(what analytics.Missing) string {
	s := m.styles
	var parts []string
	add := func(style ink, n int64, word string) {
		if n > 0 {
			parts = append(parts, style.Render(count(n)+" "+word))
		}
	}
	add(s.Warn, what.Late, "late")
	add(s.Dim, what.Waiting, "on the way")
	add(s.Dim, what.Forgotten, "forgotten")
	return strings.Join(parts, s.Dim.Render(", "))
}

// bar shows n of a whole in w cells. It is full of the whole and of nothing less.
func (m *Model) bar(style ink, n, whole int64, w int) string {
	full := 0
	if whole > 0 {
		full = max(0, min(int(float64(n)/float64(whole)*float64(w)), w))
		if n < whole {
			full = min(full, w-1)
		}
	}
	return style.Render(strings.Repeat("█", full)) + m.styles.Frame.Render(strings.Repeat("░", w-full))
}

func (m *Model) hopLines(span analytics.Span, w int) []string {
	s := m.styles
	column := min((w-18)/4, 11)
	lines := []string{s.Dim.Render(fit(" latency", 17) + right("p50", column) + right("p90", column) + right("p99", column) + right("max", column))}
	for _, hop := range []struct {
		name string
		of   latency.Percentiles
	}{
		{"payment → order", span.PaymentToOrder},
		{"order → email", span.OrderToEmail},
		{"payment → email", span.PaymentToEmail},
	} {
		line := " " + fit(hop.name, 16)
		for _, d := range []time.Duration{hop.of.P50, hop.of.P90, hop.of.P99, hop.of.Max} {
			text := age(d)
			if hop.of.Count == 0 {
				text = "–"
			}
			line += right(text, column)
		}
		lines = append(lines, line)
	}
	return lines
}

// productLines are h lines: a heading, the products that brought most, and the rest of them in the last.
func (m *Model) productLines(span analytics.Span, w, h int) []string {
	s := m.styles
	list, others := span.Products, span.Others
	var all, most float64
	for _, p := range append(list[:len(list):len(list)], others) {
		all += float64(p.Revenue)
		most = max(most, float64(p.Revenue))
	}
	if rows := h - 1; len(list) > rows || len(list) == rows && others.Count > 0 {
		for _, p := range list[rows-1:] {
			others.Count += p.Count
			if others.Revenue += p.Revenue; others.Revenue < 0 { // past the largest
				others.Revenue = 1<<63 - 1
			}
		}
		list = list[:rows-1]
		most = max(most, float64(others.Revenue))
	}
	const number, amount, share = 9, 17, 8
	name := max(8, min(w-2-number-amount-share-8, 32))
	bar := max(0, min(w-2-name-number-amount-share-1, 30))
	lines := []string{s.Dim.Render(" " + fit("products", name+bar+1) + right("sold", number) + right("revenue Rs", amount) + right("share", share))}
	row := func(style ink, title string, p analytics.Product) {
		percent := ""
		if all > 0 {
			percent = fmt.Sprintf("%.1f %%", float64(p.Revenue)/all*100)
		}
		lines = append(lines, " "+style.Render(cell(title, name))+" "+m.bar(s.ID, int64(float64(p.Revenue)/max(most, 1)*1000), 1000, bar)+
			right(count(p.Count), number)+right(money(int64(p.Revenue)), amount)+s.Dim.Render(right(percent, share)))
	}
	for _, p := range list {
		row(s.Text, safe(p.Name), p)
	}
	if others.Count > 0 {
		row(s.Dim, "all others", others)
	}
	return lines
}

// eventLines are the newest events, or those where the view was paused, newest at the bottom.
func (m *Model) eventLines(w, h int) []string {
	var list []analytics.Entry
	if m.sales.paused {
		end := max(min(len(m.sales.held)-m.sales.up, len(m.sales.held)), min(h, len(m.sales.held)))
		list = m.sales.held[max(end-h, 0):end]
	} else {
		list, _ = m.backend.Analytics.Last(h)
	}
	if len(list) == 0 {
		return []string{m.styles.Dim.Render(" no event yet: press c")}
	}
	lines := make([]string, 0, h)
	for _, e := range list {
		lines = append(lines, fit(m.eventLine(e, w), w))
	}
	return lines
}

// eventLine is an event in a line: when, which, of which checkout, and what.
func (m *Model) eventLine(e analytics.Entry, w int) string {
	s := m.styles
	ident := 4
	place := ""
	if w >= 80 {
		ident = 8
		place = fit(fmt.Sprintf("%d@%d", e.Partition, e.Offset), 10) + " "
	}
	what, user := "", safe(e.User)
	switch e.Topic {
	case events.PaymentSuccessful:
		what = fit("Rs "+money(int64(e.Amount)), 13) + " " + cartOf(e)
	case events.OrderSuccessful:
		what = "order " + fit(short(e.ID, 8), 8)
	case events.EmailSuccessful:
		what = "email " + fit(short(e.ID, 8), 8)
	}
	if e.Again {
		what = s.Warn.Render("again") + " " + what
	}
	what += s.Dim.Render(" for " + user)
	return " " + s.Dim.Render(e.At.Format("15:04:05.000")+" "+place) + fit(safe(strings.TrimSuffix(e.Topic, "-successful")), 8) +
		s.ID.Render(fit(short(e.Checkout, ident), ident)) + " " + what
}

func cartOf(e analytics.Entry) string {
	var names []string
	for i := range min(e.Items, len(e.Names)) {
		names = append(names, ansi.Truncate(safe(e.Names[i]), 24, "…"))
	}
	text := strings.Join(names, ", ")
	if more := e.Items - len(names); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
