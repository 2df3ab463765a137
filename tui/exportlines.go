package tui

import (
	"encoding/json"
	"time"
	"unicode/utf8"

	"kassa/services"
	"kassa/services/analytics"
	"kassa/services/deadletters"
	"kassa/services/email"
	"kassa/services/events"
)

// The lines of what a person looks at beside topics and the cluster: the shop's panes, and the lists on top of the panes.

// canExportOnTop says that on top of the panes is a list that can be exported.
func (m *Model) canExportOnTop() bool {
	o := m.overlay
	return o != nil && !m.asking() && (o == m.follow.overlay || o == m.inbox.overlay || o == m.dead.overlay)
}

// exportOnTop is that list: the events of the followed checkout, the mails that are kept, or the dead letters that were read.
func (m *Model) exportOnTop() exported {
	switch m.overlay {
	case m.inbox.overlay:
		return exportAll("inbox", "mail", m.backend.Mail.Inbox(0, email.Kept), exportMail)
	case m.dead.overlay:
		return exportAll("dead letters", "dead letter", m.dead.letters, func(l deadletters.Letter) any { return l }) // as kassa dlq list writes it
	}
	return exportAll("checkout "+short(m.follow.id, 8), "event", m.follow.hops, func(h hop) any { return exportRecord(h.record) })
}

func exportMail(e email.Envelope) any {
	return map[string]any{"number": e.Number, "time": e.At, "from": e.From, "to": e.To, "subject": e.Subject, "messageId": e.ID, "bytes": e.Size, "again": e.Again}
}

// valueOr is a value as JSON, else as text, else as bytes; nothing for nil.
func valueOr(b []byte) (raw json.RawMessage, text *string, bytes []byte) {
	if b != nil && utf8.Valid(b) && json.Valid(b) {
		return b, nil, nil
	}
	text, bytes = textOr(b)
	return nil, text, bytes
}

// exportCart is the catalogue, and how much of each c would check out.
func (m *Model) exportCart() exported {
	e := exported{of: "products", noun: "product"}
	for i, p := range m.cart.products {
		e.lines = append(e.lines, map[string]any{"id": p.ID, "name": p.Name, "price": p.Price, "wanted": m.cart.wanted[i], "user": m.cart.user})
	}
	return e
}

func (m *Model) exportService(svc services.Stats) any {
	word, _ := m.stateWord(svc)
	line := map[string]any{
		"service": svc.Name, "state": word, "since": timeOr(svc.Since), "why": m.reason(svc), "instances": svc.Instances, "live": svc.Live, "partitions": svc.Partitions,
		"handled": svc.Handled, "produced": svc.Produced, "deadLetters": svc.DeadLetters, "retries": svc.Retries, "restarts": svc.Restarts, "lag": nil, "p50Ms": nil, "p99Ms": nil,
	}
	if lag := m.lagOf(svc); lag >= 0 {
		line["lag"] = lag
	}
	if svc.P50 > 0 {
		line["p50Ms"], line["p99Ms"] = inMS(svc.P50), inMS(svc.P99)
	}
	return line
}

// exportSales is the events of the pane, up to where it is paused.
func (m *Model) exportSales() exported {
	list := m.sales.held
	if !m.sales.paused && m.backend != nil && m.backend.Analytics != nil {
		list, _ = m.backend.Analytics.Last(analytics.Recent)
	}
	return exportAll("analytics", "event", list, func(e analytics.Entry) any {
		line := map[string]any{"time": e.At, "topic": e.Topic, "partition": e.Partition, "offset": e.Offset, "checkoutId": e.Checkout, "userId": e.User, "again": e.Again}
		switch e.Topic {
		case events.PaymentSuccessful:
			line["amount"], line["items"] = e.Amount, e.Items
		case events.OrderSuccessful:
			line["orderId"] = e.ID
		case events.EmailSuccessful:
			line["emailId"] = e.ID
		}
		return line
	})
}

// exportCharts is what the charts draw, a line a second of the time that was chosen. What is not known of a second is not in its line.
func (m *Model) exportCharts() exported {
	e := exported{of: "charts", noun: "second"}
	h := &m.past
	for second := h.newest - int64(chartSpans[m.charts.span]/time.Second) + 1; second <= h.newest; second++ {
		line := map[string]any{}
		for track := range h.tracks {
			if v, ok := h.get(track, second); ok {
				line[track] = v
			}
		}
		if len(line) > 0 {
			line["time"] = time.Unix(second, 0).UTC()
			e.lines = append(e.lines, line)
		}
	}
	return e
}
