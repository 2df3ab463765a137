package services_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kassa/services"
	"kassa/services/analytics"
	"kassa/services/email"
	"kassa/services/events"
	"kassa/services/order"
	"kassa/services/payment"
)

// Whatever Kafka answers to a commit, the batch is done again as a whole: its orders are there once.
func TestCommitThatFailsIsDoneAgain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault    kfake.Fault
		rebuilds bool // the answer leaves the client of no use
	}{
		"rebalance":       {fault: kfake.Fault{Keys: []kmsg.Key{kmsg.TxnOffsetCommit}, Err: kerr.RebalanceInProgress}},
		"lost member":     {fault: kfake.Fault{Keys: []kmsg.Key{kmsg.TxnOffsetCommit}, Err: kerr.UnknownMemberID}},
		"fenced":          {fault: kfake.Fault{Keys: []kmsg.Key{kmsg.EndTxn}, TopLevel: true, Err: kerr.ProducerFenced}, rebuilds: true},
		"epoch":           {fault: kfake.Fault{Keys: []kmsg.Key{kmsg.EndTxn}, TopLevel: true, Err: kerr.InvalidProducerEpoch}, rebuilds: true},
		"fenced writing":  {fault: kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: events.OrderSuccessful, Err: kerr.InvalidProducerEpoch}, rebuilds: true},
		"not enough ISR":  {fault: kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: events.OrderSuccessful, Err: kerr.NotEnoughReplicas, Count: 5}},
		"written unknown": {fault: kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: events.OrderSuccessful, Err: kerr.RequestTimedOut, Count: 2}},
		"no coordinator":  {fault: kfake.Fault{Keys: []kmsg.Key{kmsg.EndTxn}, TopLevel: true, Err: kerr.NotCoordinator, Count: 3}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t).topics()
			faults := s.c.Fault(c.fault)
			r, stop := s.run(order.Service())
			ids := s.checkouts(s.payment(), 30)
			s.eventually(func() string {
				if st := r.Stats(); st.Handled != 30 || st.Err != "" || c.rebuilds != (st.Rebuilds > 0) || faults.Hits() == 0 {
					return fmt.Sprintf("%+v, %d faults", st, faults.Hits())
				}
				return ""
			})
			stop()
			if err := once(s.read(events.OrderSuccessful, 30), ids, checkoutOf); err != nil {
				t.Error(err)
			}
		})
	}
}

// A transaction that the last owner of the slot left open would hold the group's offsets back until it timed out, so the slot is
// taken over before there is anything to write.
func TestSlotIsTakenOverAtOnce(t *testing.T) {
	s := newShop(t).topics()
	inits := s.c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.InitProducerID}, TxnID: "kassa.order.test.0", Observe: true, Count: -1})
	s.run(order.Service())
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	if err := inits.Wait(ctx, 1); err != nil {
		t.Error(err)
	}
}

// Another process with the same transactional id fences this one, which then fences it in turn: both go on, and still no order
// is there twice.
func TestTwoRunnersOfOneSlotFenceEachOtherAndLoseNothing(t *testing.T) {
	s := newShop(t).topics()
	s.run(order.Service())
	s.run(order.Service())
	p := s.payment()
	var ids []string
	for range 5 {
		ids = append(ids, s.checkouts(p, 40)...)
		s.read(events.OrderSuccessful, len(ids))
	}
	if err := once(s.read(events.OrderSuccessful, len(ids)), ids, checkoutOf); err != nil {
		t.Error(err)
	}
}

// Services that come and go while the flow runs leave each checkout in each topic once.
func TestServicesComeAndGo(t *testing.T) {
	s := newShop(t).topics()
	s.run(email.Service())
	p := s.payment()
	var ids []string
	for slot := range 4 {
		_, stop := s.run(order.Service(), func(c *services.Config) { c.Slot = slot })
		ids = append(ids, s.checkouts(p, 50)...)
		if slot%2 == 1 {
			stop()
		}
	}
	for _, topic := range events.Topics() {
		if err := once(s.read(topic, len(ids)), ids, checkoutOf); err != nil {
			t.Errorf("%s: %v", topic, err)
		}
	}
}

func TestTopicsMayComeAfterTheServices(t *testing.T) {
	s := newShop(t)
	s.run(order.Service())
	p := s.payment()
	pending := make(chan payment.Receipt, 1)
	p.Submit(payment.Request{Cart: events.DefaultCart()}, func(r payment.Receipt, err error) {
		if err != nil {
			t.Error(err)
		}
		pending <- r
	})
	s.topics()
	if err := once(s.read(events.OrderSuccessful, 1), []string{(<-pending).CheckoutID}, checkoutOf); err != nil {
		t.Error(err)
	}
}

// Events of one key keep their order from topic to topic, and the trace of a checkout goes all the way.
func TestOrderOfAKeyAndItsTraceAreKept(t *testing.T) {
	s := newShop(t).topics()
	const n = 200
	trace := "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	for i := range n {
		s.cl.Produce(t.Context(), &kgo.Record{
			Topic: events.PaymentSuccessful, Key: []byte("same"), Value: fmt.Appendf(nil, `{"userId":"%d","cart":[],"checkoutId":"same"}`, i),
			Headers: []kgo.RecordHeader{{Key: "traceparent", Value: []byte(trace)}},
		}, nil)
	}
	s.run(order.Service())
	s.run(email.Service())
	seen := s.read(events.EmailSuccessful, n)
	for i, rec := range seen {
		e, err := events.Decode(rec.Topic, rec.Key, rec.Value, nil)
		if err != nil {
			t.Fatal(err)
		}
		mail := e.Payload.(events.Email)
		h := headersOf(rec)
		if mail.UserID != fmt.Sprint(i) || mail.EmailID != services.EmailID("same") || string(rec.Key) != "same" {
			t.Fatalf("email %d is %+v with key %s", i, mail, rec.Key)
		}
		if tp := h["traceparent"]; tp[:36] != trace[:36] || tp == trace || h["ce_source"] != "email" || h["ce_id"] != mail.EmailID || h["ce_subject"] != "same" {
			t.Fatalf("email %d has headers %v", i, h)
		}
	}
}

// An event of another program has no checkout id. It gets one from its place in the log, the same for everybody who reads it.
func TestEventWithoutCheckoutIDGetsOneFromItsPlace(t *testing.T) {
	s := newShop(t).topics()
	rec := s.write(events.PaymentSuccessful, []byte(`{"userId":"u","cart":[{"price":1}]}`))
	an := analytics.New(nil)
	s.run(order.Service())
	s.run(email.Service())
	s.run(an.Service())
	want := services.CheckoutID(rec.Topic, rec.Partition, rec.Offset)
	got := s.read(events.EmailSuccessful, 1)[0]
	if string(got.Key) != want {
		t.Errorf("key %s, want %s", got.Key, want)
	}
	s.eventually(func() string {
		if tt := an.Totals(); tt.Complete != 1 {
			return fmt.Sprintf("%+v", tt)
		}
		return ""
	})
}

// Ids are part of the contract with whoever stored them.
func TestIDsAreStable(t *testing.T) {
	for got, want := range map[string]string{
		services.OrderID("c1"):                           "81e75863-6367-55a1-9ef0-540b0c5130b1",
		services.EmailID("c1"):                           "d3669453-b637-5391-9692-2d3671a0922f",
		services.CheckoutID("payment-successful", 2, 17): "68d18bea-2c17-5e32-8eb7-2c286e67e8df",
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// Run ends soon after its context, in whatever state the brokers are.
func TestShutdownDoesNotWaitForBrokers(t *testing.T) {
	t.Parallel()
	silent := func(t *testing.T) []string { // takes connections and never answers
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		return []string{l.Addr().String()}
	}
	refused := func(t *testing.T) []string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		return []string{l.Addr().String()}
	}
	for name, brokers := range map[string]func(*testing.T) []string{"refusing": refused, "silent": silent} {
		t.Run(name, func(t *testing.T) {
			for _, svc := range []services.Service{order.Service(), analytics.New(nil).Service()} {
				r := services.NewRunner(svc, services.Config{Client: []kgo.Opt{kgo.SeedBrokers(brokers(t)...), kgo.DialTimeout(500 * time.Millisecond)}, Instance: "test"})
				endsSoon(t, r, func(cancel context.CancelFunc) { cancel() })
			}
		})
	}
	t.Run("lost in the middle", func(t *testing.T) {
		s := newShop(t).topics()
		p, err := payment.New(payment.Config{Client: s.opts})
		if err != nil {
			t.Fatal(err)
		}
		r := services.NewRunner(order.Service(), services.Config{Client: s.opts, Instance: "test"})
		endsSoon(t, r, func(cancel context.CancelFunc) {
			s.checkouts(p, 20)
			s.read(events.OrderSuccessful, 20)
			for range 20 {
				p.Submit(payment.Request{Cart: events.DefaultCart()}, func(payment.Receipt, error) {})
			}
			s.c.Close()
			cancel()
		})
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := p.Close(ctx); err == nil {
			t.Log("everything was acknowledged before the cluster went")
		}
	})
}

// endsSoon runs r until act cancels it. The promise is about 2 s; the deadline is for a slow machine.
func endsSoon(t *testing.T, r *services.Runner, act func(cancel context.CancelFunc)) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var wg sync.WaitGroup
	var canceled time.Time
	wg.Go(func() {
		if err := r.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	act(func() { canceled = time.Now(); cancel() })
	wg.Wait()
	if took := time.Since(canceled); took > 5*time.Second {
		t.Errorf("ended after %s", took)
	}
	if st := r.Stats(); st.Status != services.Stopped || st.Partitions != 0 {
		t.Errorf("%+v", st)
	}
}

func TestWrongOptionsAreAnError(t *testing.T) {
	r := services.NewRunner(order.Service(), services.Config{Client: []kgo.Opt{kgo.SeedBrokers("127.0.0.1:notaport")}})
	if err := r.Run(t.Context()); err == nil {
		t.Error("no error")
	}
}

func TestEnsureTopics(t *testing.T) {
	s := newShop(t)
	ctx := t.Context()
	if err := s.c.CreateTopic(events.OrderSuccessful, 1, nil); err != nil {
		t.Fatal(err)
	}
	s.topics().topics()
	var topics kadm.TopicDetails
	s.eventually(func() string { // the client remembers metadata for a moment
		var err error
		if topics, err = s.adm.ListTopics(ctx); err != nil || len(topics) != 6 {
			return fmt.Sprint(len(topics), " topics, ", err)
		}
		return ""
	})
	for _, name := range events.Topics() {
		for topic, partitions := range map[string]int{name: 3, events.DeadLetters(name): 3} {
			if topic == events.OrderSuccessful {
				partitions = 1 // it was there before
			}
			d := topics[topic]
			if len(d.Partitions) != partitions || d.Partitions.NumReplicas() != 3 {
				t.Errorf("%s has %d partitions with %d replicas", topic, len(d.Partitions), d.Partitions.NumReplicas())
			}
			configs, err := s.adm.DescribeTopicConfigs(ctx, topic)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range configs[0].Configs {
				if c.Key == "min.insync.replicas" && c.MaybeValue() != "2" && topic != events.OrderSuccessful {
					t.Errorf("%s has min.insync.replicas %s", topic, c.MaybeValue())
				}
			}
		}
	}
}

// A topic that is deleted and made again is another one: a client that knows the old one never reads it.
func TestATopicThatIsMadeAgainIsRead(t *testing.T) {
	t.Parallel()
	for _, delivery := range []services.Delivery{services.ExactlyOnce, services.AtLeastOnce} {
		t.Run(delivery.String(), func(t *testing.T) {
			s := newShop(t).topics()
			r, _ := s.run(email.Service(), func(cfg *services.Config) { cfg.Delivery = delivery })
			value := func(id string) []byte { return []byte(`{"userId":"ann","orderId":"o","checkoutId":"` + id + `"}`) }
			s.write(events.OrderSuccessful, value("before"))
			s.read(events.EmailSuccessful, 1)
			if _, err := s.adm.DeleteTopic(t.Context(), events.OrderSuccessful); err != nil {
				t.Fatal(err)
			}
			s.eventually(func() string {
				if st := r.Stats(); st.Status == services.Running {
					return "it has not noticed that its topic is gone"
				}
				return ""
			})
			s.topics()
			fresh, err := kgo.NewClient(s.opts...)
			if err != nil {
				t.Fatal(err)
			}
			defer fresh.Close()
			if err := fresh.ProduceSync(t.Context(), &kgo.Record{Topic: events.OrderSuccessful, Value: value("after")}).FirstErr(); err != nil {
				t.Fatal(err)
			}
			s.read(events.EmailSuccessful, 2)
		})
	}
}

// The same for payment: orders are taken again soon after their topic was made again.
func TestATopicThatIsMadeAgainIsPaidInto(t *testing.T) {
	s := newShop(t).topics()
	p := s.payment()
	s.checkouts(p, 20)
	if _, err := s.adm.DeleteTopic(t.Context(), events.PaymentSuccessful); err != nil {
		t.Fatal(err)
	}
	s.topics()
	req := payment.Request{Cart: events.DefaultCart()}
	s.eventually(func() string {
		ctx, cancel := context.WithTimeout(t.Context(), within)
		defer cancel()
		_, err := p.Checkout(ctx, req)
		if err == nil {
			return ""
		}
		if !errors.Is(err, payment.ErrUnknown) { // it may have been written to the new topic
			t.Errorf("got %v", err)
		}
		return err.Error()
	})
	s.checkouts(p, 20)
}

func TestEnsureTopicsTakesAMinISR(t *testing.T) {
	t.Parallel()
	for _, set := range []struct{ asked, want int }{{1, 1}, {2, 2}, {3, 3}, {0, 2}, {9, 3}} {
		t.Run(fmt.Sprint(set.asked), func(t *testing.T) {
			s := newShop(t)
			if err := services.EnsureTopics(t.Context(), s.adm, services.TopicSettings{MinISR: set.asked}); err != nil {
				t.Fatal(err)
			}
			configs, err := s.adm.DescribeTopicConfigs(t.Context(), events.PaymentSuccessful)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range configs[0].Configs {
				if c.Key == "min.insync.replicas" && c.MaybeValue() != fmt.Sprint(set.want) {
					t.Errorf("min.insync.replicas is %s, want %d", c.MaybeValue(), set.want)
				}
			}
		})
	}
}

func TestEnsureTopicsSaysWhatStoodInTheWay(t *testing.T) {
	s := newShop(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	asked := 0
	s.c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.CreateTopics}, Err: kerr.PolicyViolation, Count: -1, When: func(kmsg.Request) bool {
		if asked++; asked == 5 { // two requests a try: two tries were answered
			cancel()
		}
		return true
	}})
	if err := services.EnsureTopics(ctx, s.adm, services.TopicSettings{}); err == nil || !errors.Is(err, kerr.PolicyViolation) {
		t.Errorf("got %v", err)
	}
}
