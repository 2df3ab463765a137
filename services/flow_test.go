package services_test

import (
	"fmt"
	"testing"

	"kassa/services/analytics"
	"kassa/services/email"
	"kassa/services/events"
	"kassa/services/order"
)

// Each accepted checkout is in all three topics once, with the ids that follow from it.
func TestFlowCarriesEveryCheckoutOnce(t *testing.T) {
	s := newShop(t).topics()
	out := &lines{}
	totals := analytics.New(out)
	orders, _ := s.run(order.Service())
	emails, _ := s.run(email.Service())
	s.run(totals.Service())
	const n = 300
	ids := s.checkouts(s.payment(), n)
	for _, topic := range events.Topics() {
		if err := once(s.read(topic, n), ids, checkoutOf); err != nil {
			t.Errorf("%s: %v", topic, err)
		}
	}
	s.eventually(func() string {
		tt := totals.Totals()
		if tt.Complete == n && tt.InFlight == 0 && out.count() == 3*n && tt.Revenue == n*694970 {
			return ""
		}
		return fmt.Sprintf("analytics: %+v, %d lines", tt, out.count())
	})
	s.eventually(func() string {
		o, e := orders.Stats(), emails.Stats()
		if o.Handled == n && o.Produced == n && e.Handled == n && o.Partitions == 3 && o.Status.String() == "running" && o.Lag == 0 && e.Lag == 0 {
			return ""
		}
		return fmt.Sprintf("%+v %+v", o, e)
	})
}
