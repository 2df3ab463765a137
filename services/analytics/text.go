package analytics

import (
	"fmt"
	"strings"
	"time"

	"kassa/services/latency"
)

// Text is the report for people, in a dozen lines and one a product.
func (r Report) Text() string {
	var b strings.Builder
	row := func(name string, cells ...any) {
		fmt.Fprintf(&b, "%-32.32s", name)
		for _, c := range cells {
			fmt.Fprintf(&b, "%24v", c)
		}
		b.WriteByte('\n')
	}
	start, minute := r.Start, r.Minute
	row("", "since "+r.Since.Format("15:04:05"), fmt.Sprintf("last %d s", int(minute.Length.Seconds()+0.5)))
	row("revenue", "Rs. "+start.Revenue.String(), "Rs. "+minute.Revenue.String())
	row("orders a second", fmt.Sprintf("%.1f", start.PerSecond(start.Orders)), fmt.Sprintf("%.1f", minute.PerSecond(minute.Orders)))
	row("payment", start.Funnel.Paid, minute.Funnel.Paid)
	row("→ order", share(start.Funnel.Ordered, start.Funnel.Paid), share(minute.Funnel.Ordered, minute.Funnel.Paid))
	row("  not yet", start.Funnel.NoOrder, minute.Funnel.NoOrder)
	row("→ email", share(start.Funnel.Complete, start.Funnel.Paid), share(minute.Funnel.Complete, minute.Funnel.Paid))
	row("  not yet", start.Funnel.NoEmail, minute.Funnel.NoEmail)
	for _, h := range []struct {
		name          string
		start, minute latency.Percentiles
	}{
		{"payment → order", start.PaymentToOrder, minute.PaymentToOrder},
		{"order → email", start.OrderToEmail, minute.OrderToEmail},
		{"payment → email", start.PaymentToEmail, minute.PaymentToEmail},
	} {
		row(h.name+" p50/p90/p99/max", latencies(h.start), latencies(h.minute))
	}
	inMinute := map[string]Product{}
	for _, p := range minute.Products {
		inMinute[p.Name] = p
	}
	for _, p := range start.Products {
		row(p.Name, fmt.Sprintf("%d  Rs. %s", p.Count, p.Revenue), inMinute[p.Name].Count)
	}
	if start.Others.Count > 0 {
		row("other products", fmt.Sprintf("%d  Rs. %s", start.Others.Count, start.Others.Revenue), minute.Others.Count)
	}
	fmt.Fprintf(&b, "repeated %d, duplicated %d, read again %d, without a payment %d\n", r.Repeated, r.Duplicated, r.Reread, r.Strays)
	return b.String()
}

// String says what is missing: "2 waiting, 1 late".
func (m Missing) String() string {
	var parts []string
	for _, p := range []struct {
		n    int64
		what string
	}{{m.Waiting, "waiting"}, {m.Late, "late"}, {m.Forgotten, "forgotten"}} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.what))
		}
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, ", ")
}

func share(n, of int64) string {
	if of == 0 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%d  %s", n, Percent(n, of))
}

// Percent is n of a whole, to a tenth, rounded down: it says 100 % of all and of nothing less. Empty for a whole of 0.
func Percent(n, whole int64) string {
	if whole <= 0 {
		return ""
	}
	return fmt.Sprintf("%.1f %%", float64(int64(float64(n)/float64(whole)*1000))/10)
}

func latencies(p latency.Percentiles) string {
	if p.Count == 0 {
		return "–"
	}
	ms := func(d time.Duration) int64 { return d.Milliseconds() }
	return fmt.Sprintf("%d/%d/%d/%d ms", ms(p.P50), ms(p.P90), ms(p.P99), ms(p.Max))
}
