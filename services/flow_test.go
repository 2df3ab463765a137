package services_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kgo"

	"kassa/services"
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

// Runners of one Analytics come and go while the flow runs, and the events of the first batches are written again as after a crash of an
// at-least-once service: the totals count each checkout once.
func TestAnalyticsCountsOnceHoweverItRuns(t *testing.T) {
	s := newShop(t).topics()
	totals := analytics.New(nil)
	s.run(order.Service())
	s.run(email.Service())
	p := s.payment()
	n := 0
	for slot := range 4 {
		_, stop := s.run(totals.Service(), func(c *services.Config) { c.Slot = slot })
		n += len(s.checkouts(p, 50))
		if slot%2 == 1 {
			stop()
		}
	}
	s.read(events.EmailSuccessful, n)
	const again = 20
	for _, topic := range []string{events.OrderSuccessful, events.EmailSuccessful} {
		for _, rec := range s.read(topic, n)[:again] {
			s.rewrite(rec)
		}
	}
	s.eventually(func() string {
		tt := totals.Totals()
		if tt.Payments == int64(n) && tt.Orders == int64(n) && tt.Emails == int64(n) && tt.Complete == int64(n) && tt.Revenue == events.Money(n)*694970 &&
			tt.Repeated >= 2*again && tt.Duplicated == 0 && tt.Strays == 0 && tt.InFlight == 0 {
			return ""
		}
		return fmt.Sprintf("%d checkouts, %+v", n, tt)
	})
	if tt := totals.Totals(); tt.Repeated < 2*again || tt.Repeated > 3*again { // email answers a repeated order with its email again
		t.Errorf("%d repeated", tt.Repeated)
	}
}

// A service that was away finds more behind than fits into one batch of what it writes: a partition's worth of orders is more than 1 MiB.
func TestABacklogIsMoreThanOneBatch(t *testing.T) {
	t.Parallel()
	for _, delivery := range []services.Delivery{services.ExactlyOnce, services.AtLeastOnce} {
		t.Run(delivery.String(), func(t *testing.T) {
			s := newShop(t).topics()
			const n = 2000
			user := strings.Repeat("u", 250)
			first := kgo.StickyKeyPartitioner(nil).ForTopic(events.PaymentSuccessful)
			var backlog []*kgo.Record
			for len(backlog) < n { // all in one partition, of what comes in and of what goes out
				id := uuid.NewString()
				r := &kgo.Record{Topic: events.PaymentSuccessful, Key: []byte(id)}
				if first.Partition(r, 3) == 0 {
					r.Value = fmt.Appendf(nil, `{"userId":%q,"cart":[{"id":3,"name":"Cap","price":499.9,"image":"/cap.png","description":"A cap"}],"checkoutId":%q,"amount":499.9}`, user, id)
					backlog = append(backlog, r)
				}
			}
			if err := s.cl.ProduceSync(t.Context(), backlog...).FirstErr(); err != nil {
				t.Fatal(err)
			}
			orders, _ := s.run(order.Service(), func(c *services.Config) { c.Delivery = delivery })
			s.eventually(func() string {
				if st := orders.Stats(); st.Handled < n {
					return fmt.Sprintf("%+v", st)
				}
				return ""
			})
			if st := orders.Stats(); st.Retries+st.Rebuilds > 0 {
				t.Errorf("it took more than one try: %+v", st)
			}
		})
	}
}
