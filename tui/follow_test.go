package tui

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"kassa/kafkaops/tail"
	"kassa/services"
	"kassa/services/deadletters"
	"kassa/services/email"
	"kassa/services/events"
)

// shelf is a log that a test holds.
type shelf struct {
	asked []tail.Query
	found tail.Found
	err   error

	topics  []tail.Topic
	opened  []*reel
	refuses error
}

func (l *shelf) Find(_ context.Context, q tail.Query) (tail.Found, error) {
	l.asked = append(l.asked, q)
	return l.found, l.err
}

const followedID = "7f3a0000-0000-5000-8000-000000000000"

// event is a record of the flow about a checkout, written so long after noon.
func event(topic, id string, offset int64, after time.Duration) tail.Record {
	values := map[string]string{
		events.PaymentSuccessful: `{"userId":"ada","cart":[{"id":1,"name":"Cap","price":499.9}],"checkoutId":"%s","amount":499.9}`,
		events.OrderSuccessful:   `{"userId":"ada","orderId":"` + services.OrderID(id) + `","checkoutId":"%s"}`,
		events.EmailSuccessful:   `{"userId":"ada","emailId":"` + services.EmailID(id) + `","checkoutId":"%s"}`,
	}
	value := fmt.Appendf(nil, values[topic], id)
	return tail.Record{Topic: topic, Partition: 1, Offset: offset, Time: noon.Add(after), Key: []byte(id), Value: value, Size: len(value), Transactional: topic != events.PaymentSuccessful, ProducerID: 4001}
}

func (s *stage) come(records ...tail.Record) {
	s.send(batchMsg{At: s.clock, Records: records, Topics: map[string]tail.Count{}})
}

// A checkout that the tails hold is shown whole: when, where, how long each hop took, ids, transactions, mail. The records are a key away.
func TestFollowACheckout(t *testing.T) {
	s := newStage(t, 120, 40).story()
	log := &shelf{}
	s.backend.Log = log
	box := withMail(s, 3)
	box.mails[1].ID = "<" + services.EmailID(followedID) + "@kassa.invalid>"
	s.come(event(events.PaymentSuccessful, "other", 41, 0), event(events.PaymentSuccessful, followedID, 42, 12*time.Millisecond),
		event(events.OrderSuccessful, followedID, 40, 55*time.Millisecond), event(events.EmailSuccessful, followedID, 39, 99*time.Millisecond))
	s.press("3", "enter")
	for _, text := range []string{
		"checkout " + followedID, "COMPLETE ✓ from payment to email 87 ms", "20:31:08.012", "payment-successful/1 @ 42", "Rs 499.90, 1 item for ada · idempotent",
		"+43 ms  order-successful/1 @ 40", services.OrderID(followedID) + " · in a transaction", "+44 ms  email-successful/1 @ 39", services.EmailID(followedID), "caught here, mail",
		"All of it was held in the tails.",
	} {
		s.has(text)
	}
	if len(log.asked) > 0 {
		t.Errorf("the log was asked for %+v", log.asked)
	}
	s.press("j", "enter")
	s.has(`"orderId"`)
	s.press("esc")
	s.has("COMPLETE")
	s.press("i")
	s.has(`"orderId"`)
	s.press("i", "esc")
	s.hasNot("COMPLETE")
	s.says("follow 7f3a0") // a beginning of what is held
	s.has("COMPLETE")
}

// It lives: an order that is not there yet comes in while one looks. What does not come in is looked for in the log, ever more rarely, from where the last look
// ended.
func TestFollowLivesUntilComplete(t *testing.T) {
	s := newStage(t, 120, 40).story()
	log := &shelf{found: tail.Found{Looked: []tail.Looked{
		{Topic: events.OrderSuccessful, Partition: 1, From: 100, To: 300, Start: 0, End: 300, Records: 200, Oldest: noon, Newest: noon.Add(time.Second)},
		{Topic: events.EmailSuccessful, Partition: 1, From: 90, To: 280, Start: 0, End: 280, Records: 190, Oldest: noon, Newest: noon.Add(time.Second)},
	}}}
	s.backend.Log = log
	s.come(event(events.PaymentSuccessful, followedID, 42, 0))
	s.press("2", "enter")
	s.has("ON ITS WAY")
	s.has("1 of 3 events seen")
	s.has("not seen yet")
	s.has("Looked at 200 records of order-successful/1: offsets 100 to 299 of 0 to 299, written 20:31:08 to 20:31:09.")
	if len(log.asked) != 1 || !slices.Equal(log.asked[0].Topics, []string{events.OrderSuccessful, events.EmailSuccessful}) || log.asked[0].Partition != 1 || !log.asked[0].Around.Equal(noon) {
		t.Fatalf("asked %+v", log.asked)
	}
	s.come(event(events.OrderSuccessful, followedID, 301, 3200*time.Millisecond))
	s.has("+3.2 s")
	for _, wait := range []int{1, 2, 4} {
		before := len(log.asked)
		s.clock = s.clock.Add(time.Duration(wait)*time.Second - time.Millisecond)
		s.carry(s.followOn())
		if len(log.asked) != before {
			t.Fatalf("asked again within %d s", wait)
		}
		s.clock = s.clock.Add(time.Millisecond)
		s.carry(s.followOn())
		if len(log.asked) != before+1 {
			t.Fatalf("not asked again after %d s", wait)
		}
	}
	if q := log.asked[1]; q.After[events.EmailSuccessful] != 280 || !slices.Equal(q.Topics, []string{events.EmailSuccessful}) {
		t.Errorf("asked %+v", q)
	}
	s.come(event(events.EmailSuccessful, followedID, 300, 3300*time.Millisecond))
	s.has("COMPLETE")
	asked := len(log.asked)
	s.clock = s.clock.Add(time.Hour)
	if s.carry(s.followOn()); len(log.asked) != asked {
		t.Error("asked for what is complete")
	}
	s.press("esc")
	if s.followOn() != nil {
		t.Error("a closed checkout asks on")
	}
}

// An id of which nothing is held is looked up everywhere, then the rest near to what was found. What cannot be found is said, with how far was looked.
func TestFollowLooksInTheLog(t *testing.T) {
	s := newStage(t, 120, 40).story()
	log := &shelf{err: errors.New("no broker says where it ends")}
	s.backend.Log = log
	s.says("follow " + followedID)
	s.has("NOT FOUND")
	s.has("The last look failed: no broker says where it ends.")
	if log.asked[0].Partition != -1 || !log.asked[0].Around.IsZero() || len(log.asked[0].Topics) != 3 {
		t.Errorf("asked %+v", log.asked[0])
	}
	log.err = nil
	log.found = tail.Found{Records: []tail.Record{event(events.OrderSuccessful, followedID, 7, time.Minute), event(events.OrderSuccessful, "not-it", 8, 0)}}
	s.clock = s.clock.Add(time.Second)
	s.carry(s.followOn())
	s.has("order-successful/1 @ 7")
	s.has("looked up")
	s.hasNot("not-it")
	if q := log.asked[len(log.asked)-1]; q.Partition != 1 || !q.Around.Equal(noon.Add(time.Minute)) || slices.Contains(q.Topics, events.OrderSuccessful) {
		t.Errorf("after the first was found, asked %+v", q)
	}
	s.press("esc")
}

// Copies are told apart: the same id again is a repeat where at-least-once wrote it; another id, or two transactions, is a duplicate.
func TestFollowTellsRepeats(t *testing.T) {
	s := newStage(t, 120, 40).open()
	again := event(events.OrderSuccessful, followedID, 50, 60*time.Millisecond)
	again.Transactional = false
	s.come(event(events.PaymentSuccessful, followedID, 42, 0), event(events.OrderSuccessful, followedID, 40, 55*time.Millisecond), again)
	s.press("2", "enter")
	s.has("repeated order")
	s.hasNot("DUPLICATED")
	other := event(events.OrderSuccessful, followedID, 60, 70*time.Millisecond)
	other.Value = []byte(strings.Replace(string(other.Value), services.OrderID(followedID), "another", 1))
	other.Size, other.Transactional = len(other.Value), false
	s.come(other)
	s.has("DUPLICATED order another")
	s.has("the log cannot be asked from here")
}

// A checkout that died says where and why.
func TestFollowFindsTheDeadLetter(t *testing.T) {
	s := newStage(t, 120, 40)
	g := newGraves(s, 3)
	g.letters[1].Key = []byte(followedID)
	s.come(event(events.PaymentSuccessful, followedID, 42, 0))
	s.press("2", "enter")
	s.has("payment/1@102 died: cart[0].price is negative")
	asked := g.asked
	s.carry(s.followOn())
	if g.asked != asked {
		t.Error("the dead letters were read again, and there are no more of them")
	}
	g.err = errors.New("no broker answered")
	s.figs.Services[0].DeadLetters++
	s.carry(s.followOn())
	s.has("the dead letters were not read: no broker answered")
}

// An answer about a checkout that nobody follows any more is dropped.
func TestFollowDropsStaleAnswers(t *testing.T) {
	s := newStage(t, 120, 40).story()
	s.come(event(events.PaymentSuccessful, followedID, 42, 0))
	s.press("2", "enter", "esc", "enter")
	s.send(foundMsg{number: s.follow.number - 1, found: tail.Found{Records: []tail.Record{event(events.EmailSuccessful, followedID, 7, 0)}}})
	s.send(followDeadMsg{number: s.follow.number - 1, letters: []deadletters.Letter{{Key: []byte(followedID)}}})
	s.has("1 of 3 events seen")
	s.hasNot("died")
	s.sound("stale answers")
}

// A record without a key, as other programs write them, is followed by the id that the services give it.
func TestFollowWithoutAKey(t *testing.T) {
	s := newStage(t, 120, 40).open()
	pay := event(events.PaymentSuccessful, "", 42, 0)
	pay.Key, pay.Value = nil, []byte(`{"userId":"x","cart":[{"id":1,"name":"Cap","price":499.9}]}`)
	pay.Size = len(pay.Value)
	id := services.CheckoutID(events.PaymentSuccessful, 1, 42)
	s.come(pay, event(events.OrderSuccessful, id, 1, time.Second), event(events.EmailSuccessful, id, 1, 2*time.Second))
	s.press("2", "enter")
	s.has("COMPLETE")
	s.has("checkout " + id)
}

// Where a checkout is longer than the screen, the hop that j and k select is in view, and beyond the last one they scroll.
func TestTheSelectedHopIsInView(t *testing.T) {
	s := newStage(t, 60, 18).open()
	records := []tail.Record{event(events.PaymentSuccessful, followedID, 42, 0)}
	for i := range 12 {
		again := event(events.OrderSuccessful, followedID, int64(100+i), time.Duration(i+1)*time.Millisecond)
		again.Transactional = false
		records = append(records, again)
	}
	s.come(records...)
	s.press("2", "enter")
	selected := func(want string) {
		t.Helper()
		s.has("▶ " + want)
	}
	selected("payment")
	for range 12 {
		s.press("j")
		selected("order")
	}
	s.has("order/1 @ 111")
	s.hasNot("ON ITS WAY")
	for range 9 {
		s.press("j")
	}
	s.has("the log cannot be asked") // the end of it
	s.press("k")
	selected("order")
	for range 11 {
		s.press("k")
	}
	selected("payment")
	s.has("ON ITS WAY")
}

func TestGoldenFollow(t *testing.T) {
	for _, size := range [][2]int{{60, 18}, {80, 24}, {120, 40}} {
		t.Run(fmt.Sprintf("%dx%d", size[0], size[1]), func(t *testing.T) {
			s := newStage(t, size[0], size[1]).story()
			s.backend.Log = &shelf{found: tail.Found{Looked: []tail.Looked{{Topic: events.EmailSuccessful, Partition: 1, From: 90, To: 280, Start: 0, End: 280, Records: 190, Oldest: noon, Newest: noon.Add(time.Second)}}}}
			box := withMail(s, 3)
			box.mails[1].ID, box.stats.Mode = "<"+services.EmailID(followedID)+"@kassa.invalid>", email.Catch
			again := event(events.OrderSuccessful, followedID, 50, 360*time.Millisecond)
			again.Transactional = false
			s.come(event(events.PaymentSuccessful, followedID, 42, 12*time.Millisecond), event(events.OrderSuccessful, followedID, 40, 255*time.Millisecond), again)
			s.press("2", "enter", "j")
			goldenOverlay(t, s)
		})
	}
}

func (l *shelf) Topics(context.Context) ([]tail.Topic, error) { return l.topics, l.err }

func (l *shelf) Open(topic string, from tail.From) (Tail, error) {
	if l.refuses != nil {
		return nil, l.refuses
	}
	r := &reel{topic: topic, from: from}
	l.opened = append(l.opened, r)
	return r, nil
}

// reel is a tail that a test holds.
type reel struct {
	topic  string
	from   tail.From
	more   int
	closed bool
}

func (r *reel) Batches() <-chan tail.Batch { return nil } // the test hands batches over itself
func (r *reel) More()                      { r.more++ }
func (r *reel) Close()                     { r.closed = true }
