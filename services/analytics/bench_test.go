package analytics

import (
	"context"
	"fmt"
	"io"
	"testing"
	"time"

	"kassa/services/events"
)

// BenchmarkHandle is what a checkout costs analytics: three events, with ids as the shop makes them.
func BenchmarkHandle(b *testing.B) {
	for name, out := range map[string]io.Writer{"silent": nil, "lines": io.Discard} {
		b.Run(name, func(b *testing.B) {
			a := New(out)
			handle := a.Service().Handle
			ids := make([]string, 1<<17) // more than are remembered
			for i := range ids {
				ids[i] = fmt.Sprintf("%08x-1111-5222-8333-444455556666", i)
			}
			i := int64(0)
			b.ReportAllocs()
			for b.Loop() {
				id := ids[i%int64(len(ids))]
				for _, e := range []events.Event{payment(id, i, 0), order(id, i, ms), email(id, i, 2*ms)} {
					_, _ = handle(context.Background(), e)
				}
				i++
			}
		})
	}
}

// BenchmarkReport is what a look at the pane costs, at worst: every second of the window and every product is in use.
func BenchmarkReport(b *testing.B) {
	now := start
	a := newAt(nil, func() time.Time { return now })
	for i := range int64(60 * 200) {
		id := fmt.Sprint(i)
		p := payment(id, i, 0)
		p.Payload = events.Payment{CheckoutID: id, Cart: []events.Item{{Name: fmt.Sprint(i % (2 * MaxProducts)), Price: 100}}, Amount: 100}
		d := time.Duration(i) % 2000 * ms
		for _, e := range []events.Event{p, order(id, i, d), email(id, i, 2*d)} {
			_, _ = a.handle(context.Background(), e)
		}
		now = now.Add(5 * ms)
	}
	b.ReportAllocs()
	for b.Loop() {
		a.Report()
	}
}
