package services_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kassa/services"
	"kassa/services/analytics"
	"kassa/services/email"
	"kassa/services/events"
	"kassa/services/order"
	"kassa/services/poison"
)

// Poison of every kind lies in the dead letters of its topic once, with the reason that is true of it; what only looks like poison is carried, and
// so is everything else. Under at-least-once too.
func TestPoisonOfEveryKind(t *testing.T) {
	t.Parallel()
	for _, delivery := range []services.Delivery{services.ExactlyOnce, services.AtLeastOnce} {
		t.Run(delivery.String(), func(t *testing.T) {
			s := newShop(t).topics()
			why := make(map[string]string) // by place: part of the reason
			dead := make(map[string]int)   // by topic
			carried := make(map[string]int)
			before := s.checkouts(s.payment(), 10)
			for _, k := range poison.Kinds() {
				rec, err := poison.Write(t.Context(), s.opts, k)
				if err != nil {
					t.Fatal(err)
				}
				if k.Reason == "" {
					carried[k.Topic]++
					continue
				}
				why[fmt.Sprintf("%s/%d@%d", rec.Topic, rec.Partition, rec.Offset)] = k.Reason
				dead[k.Topic]++
			}
			after := s.checkouts(s.payment(), 10)
			with := func(c *services.Config) { c.Delivery = delivery }
			orders, _ := s.run(order.Service(), with)
			emails, _ := s.run(email.Service(), with)
			an := analytics.New(nil)
			totals, _ := s.run(an.Service())

			ordered := carried[events.PaymentSuccessful] + carried[events.OrderSuccessful] + 20
			mailed := ordered + carried[events.EmailSuccessful]
			s.eventually(func() string {
				o, e, a := orders.Stats(), emails.Stats(), totals.Stats()
				if o.DeadLetters == int64(dead[events.PaymentSuccessful]) && e.DeadLetters == int64(dead[events.OrderSuccessful]) && a.DeadLetters == int64(dead[events.EmailSuccessful]) &&
					an.Totals().Emails == int64(mailed) {
					return ""
				}
				return fmt.Sprintf("dead %v, mailed %d\n%+v\n%+v\n%+v\n%+v", dead, mailed, o, e, a, an.Totals())
			})
			for topic, n := range dead {
				for _, rec := range s.end(events.DeadLetters(topic)) {
					h := headersOf(rec)
					place := fmt.Sprintf("%s/%s@%s", h[services.HeaderDeadTopic], h[services.HeaderDeadPartition], h[services.HeaderDeadOffset])
					want, ok := why[place]
					if !ok || !strings.Contains(h[services.HeaderDeadError], want) || !strings.HasSuffix(place, fmt.Sprintf("/%d@%s", rec.Partition, h[services.HeaderDeadOffset])) {
						t.Errorf("a letter of %s in partition %d says %q, want %q", place, rec.Partition, h[services.HeaderDeadError], want)
					}
					delete(why, place)
					n--
				}
				if n != 0 {
					t.Errorf("%s lacks %d dead letters", topic, n)
				}
			}
			for place, reason := range why {
				t.Errorf("%s has no dead letter (%s)", place, reason)
			}
			ids := append(before, after...)
			for _, rec := range s.end(events.OrderSuccessful) {
				if e, err := events.Decode(rec.Topic, rec.Key, rec.Value, nil); err == nil && string(rec.Key) != e.Payload.Checkout() && len(rec.Key) > 0 {
					t.Errorf("an order of %s has the key %q", e.Payload.Checkout(), rec.Key)
				}
			}
			if n := s.paidFor(ids); n != len(ids) {
				t.Errorf("%d of %d checkouts have an order", n, len(ids))
			}
		})
	}
}

// paidFor counts those of ids that have exactly one order.
func (s *shop) paidFor(ids []string) (n int) {
	seen := make(map[string]int)
	for _, rec := range s.end(events.OrderSuccessful) {
		seen[string(rec.Key)]++
	}
	for _, id := range ids {
		if seen[id] == 1 {
			n++
		}
	}
	return n
}

// A dead letter and the progress of the group are one. Exactly-once: what is not committed is not there, and then it is there once. At-least-once:
// the letter is there before the progress, and repeats of it name the same source.
func TestDeadLettersAndOffsetsAreOne(t *testing.T) {
	t.Parallel()
	for delivery, key := range map[services.Delivery]kmsg.Key{services.ExactlyOnce: kmsg.EndTxn, services.AtLeastOnce: kmsg.OffsetCommit} {
		t.Run(delivery.String(), func(t *testing.T) {
			s := newShop(t).topics()
			rec := s.write(events.PaymentSuccessful, []byte("junk"))
			var mu sync.Mutex
			refusals := 0
			s.c.ControlKey(int16(key), func(req kmsg.Request) (kmsg.Response, error, bool) {
				s.c.KeepControl()
				mu.Lock()
				defer mu.Unlock()
				if refusals == 2 {
					return nil, nil, false
				}
				switch req := req.(type) {
				case *kmsg.EndTxnRequest:
					if !req.Commit {
						return nil, nil, false
					}
					refusals++
					resp := req.ResponseKind().(*kmsg.EndTxnResponse)
					resp.ErrorCode = kerr.InvalidProducerEpoch.Code
					return resp, nil, true
				case *kmsg.OffsetCommitRequest:
					refusals++
					resp := req.ResponseKind().(*kmsg.OffsetCommitResponse)
					for _, topic := range req.Topics {
						st := kmsg.NewOffsetCommitResponseTopic()
						st.Topic = topic.Topic
						for _, p := range topic.Partitions {
							sp := kmsg.NewOffsetCommitResponseTopicPartition()
							sp.Partition, sp.ErrorCode = p.Partition, kerr.InvalidCommitOffsetSize.Code
							st.Partitions = append(st.Partitions, sp)
						}
						resp.Topics = append(resp.Topics, st)
					}
					return resp, nil, true
				}
				return nil, nil, false
			})
			r, stop := s.run(order.Service(), func(c *services.Config) { c.Delivery = delivery })
			s.eventually(func() string {
				if st := r.Stats(); st.DeadLetters != 1 || st.Err != "" {
					return fmt.Sprintf("%+v", st)
				}
				return ""
			})
			stop()
			letters := s.end(events.DeadLetters(events.PaymentSuccessful))
			for _, l := range letters {
				if h := headersOf(l); l.Partition != rec.Partition || h[services.HeaderDeadOffset] != fmt.Sprint(rec.Offset) || h[services.HeaderDeadAttempt] != "1" {
					t.Errorf("a letter in partition %d with %v", l.Partition, h)
				}
			}
			want := map[services.Delivery]int{services.ExactlyOnce: 1, services.AtLeastOnce: 3}[delivery]
			if len(letters) != want {
				t.Errorf("%d letters after two commits failed, want %d", len(letters), want)
			}
		})
	}
}
