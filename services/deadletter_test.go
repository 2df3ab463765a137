package services_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

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

// An operator may delete a topic for dead letters, and a record for it is never given up: it is made again, as safe as its source, and the flow goes on.
func TestDeadLettersTopicThatIsDeletedIsMadeAgain(t *testing.T) {
	for _, delivery := range []services.Delivery{services.ExactlyOnce, services.AtLeastOnce} {
		t.Run(delivery.String(), func(t *testing.T) {
			s := newShop(t)
			if err := services.EnsureTopics(t.Context(), s.adm, services.TopicSettings{MinISR: 1}); err != nil {
				t.Fatal(err)
			}
			letters := events.DeadLetters(events.PaymentSuccessful)
			if _, err := s.adm.DeleteTopic(t.Context(), letters); err != nil {
				t.Fatal(err)
			}
			r, _ := s.run(order.Service(), func(cfg *services.Config) {
				cfg.Delivery = delivery
				cfg.SetCommitTimeout(time.Second)
			})
			s.write(events.PaymentSuccessful, []byte("poison"))
			s.write(events.PaymentSuccessful, []byte(`{"userId":"ann","cart":[],"checkoutId":"c1"}`))
			s.eventually(func() string {
				if st := r.Stats(); st.Handled != 1 || st.DeadLetters != 1 || st.Err != "" {
					return fmt.Sprintf("%+v", st)
				}
				return ""
			})
			s.read(letters, 1)
			if got := s.setting(letters, "min.insync.replicas"); got != "1" {
				t.Errorf("min.insync.replicas is %s", got)
			}
			if got := s.setting(letters, "max.message.bytes"); got != fmt.Sprint(2<<20) {
				t.Errorf("max.message.bytes is %s", got)
			}
		})
	}
}

// setting is what a topic has been told.
func (s *shop) setting(topic, key string) string {
	s.t.Helper()
	configs, err := s.adm.DescribeTopicConfigs(s.t.Context(), topic)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, c := range configs[0].Configs {
		if c.Key == key {
			return c.MaybeValue()
		}
	}
	return ""
}

// A topic for dead letters that somebody else made takes less than the letters of a service that has much to catch up with. It is told to take more; and where nobody may
// tell it that, or ask, letters become as small as it takes.
func TestDeadLettersTopicThatTakesLess(t *testing.T) {
	for name, c := range map[string]struct {
		takes   int
		deny    []kmsg.Key
		setting int // afterwards
		cut     bool
	}{
		"may be changed":   {takes: 600_000, setting: 2 << 20},
		"may be asked":     {takes: 300_000, deny: []kmsg.Key{kmsg.IncrementalAlterConfigs}, setting: 300_000, cut: true},
		"may not be asked": {takes: 300_000, deny: []kmsg.Key{kmsg.IncrementalAlterConfigs, kmsg.DescribeConfigs}, setting: 300_000, cut: true},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t)
			letters := events.DeadLetters(events.PaymentSuccessful)
			if err := s.c.CreateTopic(letters, 3, map[string]string{"max.message.bytes": fmt.Sprint(c.takes)}); err != nil {
				t.Fatal(err)
			}
			s.topics()
			var faults *kfake.FaultHandle
			if c.deny != nil {
				faults = s.c.Fault(kfake.Fault{Keys: c.deny, Err: kerr.TopicAuthorizationFailed, Count: -1})
			}
			const n, size = 3, 700_000
			var records []*kgo.Record
			for range n {
				records = append(records, &kgo.Record{Topic: events.PaymentSuccessful, Value: []byte(strings.Repeat("x", size))})
			}
			s.together(records)
			r, _ := s.run(order.Service())
			s.eventually(func() string {
				if st := r.Stats(); st.DeadLetters != n || st.Err != "" {
					return fmt.Sprintf("%+v", st)
				}
				return ""
			})
			for _, rec := range s.read(letters, n) {
				if _, cut := headersOf(rec)[services.HeaderDeadSize]; cut != c.cut || !cut && len(rec.Value) != size {
					t.Errorf("a letter of %d bytes, headers %v", len(rec.Value), headersOf(rec))
				}
			}
			if faults != nil {
				faults.Remove()
			}
			if got := s.setting(letters, "max.message.bytes"); got != fmt.Sprint(c.setting) {
				t.Errorf("max.message.bytes is %s", got)
			}
		})
	}
}

// A few hundred kilobytes may decompress to more than there is memory for. Such a batch is not read, a letter says so, and what lies behind it is carried; also where it
// is the first of its partition, so that the group has no offset there. A batch that is buried once is not again when the service comes back.
func TestBatchThatDecompressesToTooMuchIsBuried(t *testing.T) {
	for _, delivery := range []services.Delivery{services.ExactlyOnce, services.AtLeastOnce} {
		t.Run(delivery.String(), func(t *testing.T) {
			s := newShop(t).topics()
			big, err := kgo.NewClient(append(s.opts, kgo.RecordPartitioner(kgo.ManualPartitioner()),
				kgo.ProducerBatchMaxBytes(4<<20), kgo.ProducerBatchCompression(kgo.GzipCompression()))...)
			if err != nil {
				t.Fatal(err)
			}
			defer big.Close()
			bomb := make([]byte, 3<<20)
			payment := func(id string, partition int32) *kgo.Record {
				return &kgo.Record{Topic: events.PaymentSuccessful, Partition: partition, Key: []byte(id), Value: fmt.Appendf(nil, `{"userId":"ann","cart":[],"checkoutId":%q}`, id)}
			}
			s.together([]*kgo.Record{payment("c0", 0)})
			for p := range int32(2) {
				if err := big.ProduceSync(t.Context(), &kgo.Record{Topic: events.PaymentSuccessful, Partition: p, Value: bomb}).FirstErr(); err != nil {
					t.Fatal(err)
				}
			}
			set := func(cfg *services.Config) {
				cfg.Delivery = delivery
				cfg.SetLargestBatch(2 << 20)
			}
			r, stop := s.run(order.Service(), set)
			letters := s.read(events.DeadLetters(events.PaymentSuccessful), 2)
			for _, rec := range letters {
				h := headersOf(rec)
				if !strings.Contains(h[services.HeaderDeadError], "decompresses to more than 2 MiB") || h[services.HeaderDeadSize] == "" || rec.Value != nil ||
					h[services.HeaderDeadOffset] != map[string]string{"0": "1", "1": "0"}[h[services.HeaderDeadPartition]] {
					t.Errorf("headers %v", h)
				}
			}
			s.together([]*kgo.Record{payment("c1", 0), payment("c2", 1)})
			s.read(events.OrderSuccessful, 3)
			s.eventually(func() string {
				if st := r.Stats(); st.Handled != 3 || st.DeadLetters != 2 || st.Err != "" {
					return fmt.Sprintf("%+v", st)
				}
				return ""
			})
			stop()
			s.run(order.Service(), set)
			s.together([]*kgo.Record{payment("c3", 0), payment("c4", 1)})
			s.read(events.OrderSuccessful, 5)
			if err := once(s.end(events.OrderSuccessful), []string{"c0", "c1", "c2", "c3", "c4"}, checkoutOf); err != nil {
				t.Error(err)
			}
			if n := len(s.end(events.DeadLetters(events.PaymentSuccessful))); n != 2 {
				t.Errorf("%d letters", n)
			}
		})
	}
}
