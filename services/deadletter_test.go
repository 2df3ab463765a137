package services_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"kassa/services"
	"kassa/services/analytics"
	"kassa/services/email"
	"kassa/services/events"
	"kassa/services/order"
)

func headersOf(rec *kgo.Record) map[string]string {
	m := make(map[string]string)
	for _, h := range rec.Headers {
		m[h.Key] = string(h.Value)
	}
	return m
}

// What cannot be read goes to the dead letters of its topic once, though two services read it, and says where it came
// from and why. What comes after it in the same partition is carried.
func TestPoisonIsBuriedOnceAndTheFlowGoesOn(t *testing.T) {
	s := newShop(t).topics()
	var poison []*kgo.Record
	for _, value := range []string{"not json", "", `{"userId":"u"}`, `{"userId":"u","cart":[{"price":-1}]}`, "{\"userId\":\"\xff\",\"cart\":[]}"} {
		poison = append(poison, s.write(events.PaymentSuccessful, []byte(value), kgo.RecordHeader{Key: "mine", Value: []byte("kept")}))
	}
	mail := s.write(events.EmailSuccessful, []byte("{}"))
	orders, stopOrders := s.run(order.Service())
	_, stopEmails := s.run(email.Service())
	an := analytics.New(nil)
	totals, stopTotals := s.run(an.Service())
	ids := s.checkouts(s.payment(), 20)
	if err := once(s.read(events.OrderSuccessful, 20), ids, checkoutOf); err != nil {
		t.Error(err)
	}
	s.eventually(func() string {
		if tt := an.Totals(); tt.Complete != 20 {
			return fmt.Sprintf("%+v", tt)
		}
		return ""
	})
	stopOrders()
	stopEmails()
	stopTotals()

	buried := s.read(events.DeadLetters(events.PaymentSuccessful), len(poison))
	if len(buried) != len(poison) || orders.Stats().DeadLetters != int64(len(poison)) {
		t.Errorf("%d dead letters for %d records of poison; stats %+v", len(buried), len(poison), orders.Stats())
	}
	for i, rec := range buried {
		h := headersOf(rec)
		if string(rec.Value) != string(poison[i].Value) || string(rec.Key) != "k" || h["mine"] != "kept" ||
			h[services.HeaderDeadTopic] != events.PaymentSuccessful || h[services.HeaderDeadService] != "order" ||
			h[services.HeaderDeadPartition] != fmt.Sprint(poison[i].Partition) || h[services.HeaderDeadOffset] != fmt.Sprint(poison[i].Offset) ||
			h[services.HeaderDeadTime] == "" || !strings.HasPrefix(h[services.HeaderDeadError], "cannot be read: ") {
			t.Errorf("dead letter %q has headers %v", rec.Value, h)
		}
	}
	// Nobody but analytics reads the last topic, so it buries what lies there.
	last := s.read(events.DeadLetters(events.EmailSuccessful), 1)
	if h := headersOf(last[0]); h[services.HeaderDeadOffset] != fmt.Sprint(mail.Offset) || totals.Stats().DeadLetters != 1 {
		t.Errorf("%v, %+v", h, totals.Stats())
	}
}

// A refusal is final for that event alone. Any other error is not: the event is handled again until it succeeds.
func TestRefusedIsBuriedAndFailedIsRetried(t *testing.T) {
	s := newShop(t).topics()
	svc := order.Service()
	handle, failures := svc.Handle, 0
	svc.Handle = func(ctx context.Context, in events.Event) ([]events.Event, error) {
		switch in.Payload.(events.Payment).UserID {
		case "bad":
			return nil, services.Refuse(errors.New("no such user"))
		case "late":
			if failures++; failures < 3 {
				return nil, errors.New("the moon is in the way")
			}
		case "wordy": // nobody could read what it returns
			return []events.Event{events.New(events.Order{UserID: "wordy", OrderID: strings.Repeat("x", 1000), CheckoutID: "c"})}, nil
		}
		return handle(ctx, in)
	}
	for i, user := range []string{"ann", "bad", "late", "wordy", "bob"} {
		s.write(events.PaymentSuccessful, fmt.Appendf(nil, `{"userId":%q,"cart":[],"checkoutId":"c%d"}`, user, i))
	}
	r, _ := s.run(svc)
	if err := once(s.read(events.OrderSuccessful, 3), []string{"c0", "c2", "c4"}, checkoutOf); err != nil {
		t.Error(err)
	}
	for _, rec := range s.read(events.DeadLetters(events.PaymentSuccessful), 2) {
		if e := headersOf(rec)[services.HeaderDeadError]; !strings.HasPrefix(e, "refused: ") {
			t.Errorf("error %q", e)
		}
	}
	s.eventually(func() string {
		if st := r.Stats(); st.Handled != 3 || st.DeadLetters != 2 || st.Retries != 2 || st.Err != "" {
			return fmt.Sprintf("%+v", st)
		}
		return ""
	})
}

// A value that no producer could write back is cut, and the letter says so: one record must not stop a partition.
func TestHugePoisonIsCut(t *testing.T) {
	s := newShop(t).topics()
	cl, err := kgo.NewClient(append(s.opts, kgo.ProducerBatchMaxBytes(4<<20), kgo.ProducerBatchCompression(kgo.GzipCompression()))...)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	huge := []byte(strings.Repeat("x", 3<<20))
	if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: events.PaymentSuccessful, Value: huge}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	s.run(order.Service())
	letter := s.read(events.DeadLetters(events.PaymentSuccessful), 1)[0]
	if len(letter.Value) != 1<<20 || headersOf(letter)[services.HeaderDeadSize] != fmt.Sprint(len(huge)) {
		t.Errorf("%d bytes, headers %v", len(letter.Value), headersOf(letter))
	}
}
