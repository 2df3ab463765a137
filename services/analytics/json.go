package analytics

import (
	"encoding/json"
	"time"

	"kassa/services/events"
	"kassa/services/latency"
)

// jsonTime is RFC 3339 in milliseconds. Unlike time.Time's own form it knows no year that it refuses.
func jsonTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z07:00") }

// JSONLine is an event as one JSON object in one line, for programs: {"type":"event","time":…,"topic":…,"partition":…,"offset":…,"event":{…}}.
func JSONLine(e events.Event) string {
	line := struct {
		Type      string          `json:"type"`
		Time      string          `json:"time"`
		Topic     string          `json:"topic"`
		Partition int32           `json:"partition"`
		Offset    int64           `json:"offset"`
		Event     json.RawMessage `json:"event"`
	}{"event", jsonTime(e.Time), e.Topic, e.Partition, e.Offset, nil}
	var err error
	if _, line.Event, err = events.Encode(e.Payload); err != nil { // null: what was read can be written, but for other callers
		line.Event = nil
	}
	b, _ := json.Marshal(line) // cannot fail: the fields are plain and Event is valid
	return string(b)
}

type jsonReport struct {
	Type       string   `json:"type"`
	At         string   `json:"at"`
	Since      string   `json:"since"`
	Complete   int64    `json:"complete"`
	InFlight   int64    `json:"inFlight"`
	Forgotten  int64    `json:"forgotten"`
	Strays     int64    `json:"strays"`
	Repeated   int64    `json:"repeated"`
	Duplicated int64    `json:"duplicated"`
	Reread     int64    `json:"reread"`
	Start      jsonSpan `json:"sinceStart"`
	Minute     jsonSpan `json:"lastMinute"`
}

type jsonSpan struct {
	Seconds   float64                `json:"seconds"`
	Revenue   json.Number            `json:"revenue"`
	Payments  int64                  `json:"payments"`
	Orders    int64                  `json:"orders"`
	Emails    int64                  `json:"emails"`
	PerSecond float64                `json:"ordersPerSecond"`
	Funnel    jsonFunnel             `json:"funnel"`
	Latency   map[string]jsonLatency `json:"latencyMs"`
	Products  []jsonProduct          `json:"products"`
	Others    jsonProduct            `json:"otherProducts"`
}

type jsonFunnel struct {
	Paid     int64       `json:"paid"`
	Ordered  int64       `json:"ordered"`
	Complete int64       `json:"complete"`
	NoOrder  jsonMissing `json:"noOrder"`
	NoEmail  jsonMissing `json:"noEmail"`
}

type jsonMissing struct {
	Waiting   int64 `json:"waiting"`
	Late      int64 `json:"late"`
	Forgotten int64 `json:"forgotten"`
}

type jsonLatency struct {
	Count int64   `json:"count"`
	P50   float64 `json:"p50"`
	P90   float64 `json:"p90"`
	P99   float64 `json:"p99"`
	Max   float64 `json:"max"`
}

type jsonProduct struct {
	Name    string      `json:"name,omitempty"`
	Count   int64       `json:"count"`
	Revenue json.Number `json:"revenue"`
}

// JSON is the report as one JSON object in one line: {"type":"totals",…}. Amounts are decimal numbers, latencies ms.
func (r Report) JSON() string {
	b, _ := json.Marshal(jsonReport{ // cannot fail: the fields are plain
		Type: "totals", At: jsonTime(r.At), Since: jsonTime(r.Since), Complete: r.Complete, InFlight: r.InFlight, Forgotten: r.Forgotten,
		Strays: r.Strays, Repeated: r.Repeated, Duplicated: r.Duplicated, Reread: r.Reread, Start: r.Start.json(), Minute: r.Minute.json(),
	})
	return string(b)
}

func (s Span) json() jsonSpan {
	amount := func(m events.Money) json.Number { return json.Number(m.String()) } // a sum may pass events.MaxMoney
	product := func(p Product) jsonProduct { return jsonProduct{p.Name, p.Count, amount(p.Revenue)} }
	products := make([]jsonProduct, 0, len(s.Products))
	for _, p := range s.Products {
		products = append(products, product(p))
	}
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	hop := func(p latency.Percentiles) jsonLatency {
		return jsonLatency{p.Count, ms(p.P50), ms(p.P90), ms(p.P99), ms(p.Max)}
	}
	return jsonSpan{
		Seconds: s.Length.Seconds(), Revenue: amount(s.Revenue), Payments: s.Payments, Orders: s.Orders, Emails: s.Emails,
		PerSecond: s.PerSecond(s.Orders),
		Funnel: jsonFunnel{
			Paid: s.Funnel.Paid, Ordered: s.Funnel.Ordered, Complete: s.Funnel.Complete,
			NoOrder: jsonMissing(s.Funnel.NoOrder), NoEmail: jsonMissing(s.Funnel.NoEmail),
		},
		Latency: map[string]jsonLatency{
			"paymentToOrder": hop(s.PaymentToOrder), "orderToEmail": hop(s.OrderToEmail), "paymentToEmail": hop(s.PaymentToEmail),
		},
		Products: products, Others: product(s.Others),
	}
}
