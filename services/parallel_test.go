package services_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kassa/services"
	"kassa/services/email"
	"kassa/services/events"
)

// Events of several keys are handled at once, those of one key one after the other, and what follows is written in their order; also when
// some of them fail at first or are refused.
func TestParallelHandlingKeepsTheOrder(t *testing.T) {
	s := newShop(t).topics()
	const keys, each, parallel = 13, 20, 4
	var records []*kgo.Record
	for i := range keys * each {
		key := fmt.Sprintf("checkout-%d", i%keys)
		records = append(records, &kgo.Record{
			Topic: events.OrderSuccessful, Partition: 1, Key: []byte(key),
			Value: fmt.Appendf(nil, `{"userId":"%d","orderId":"o","checkoutId":"%s"}`, i, key),
		})
	}
	cl, err := kgo.NewClient(append(s.opts, kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	if err := cl.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}

	var (
		mu       sync.Mutex
		busy     = map[string]bool{}
		last     = map[string]int{}
		tried    = map[int]bool{}
		together = make(chan struct{}) // closed once several are in the handler at the same time
	)
	svc := email.Service()
	svc.Parallel = parallel
	plain := svc.Handle
	svc.Handle = func(ctx context.Context, in events.Event) ([]events.Event, error) {
		order, n := in.Payload.(events.Order), 0
		if _, err := fmt.Sscan(order.UserID, &n); err != nil {
			return nil, err
		}
		mu.Lock()
		if busy[order.CheckoutID] {
			t.Errorf("two events of %s are handled at once", order.CheckoutID)
		}
		if before, ok := last[order.CheckoutID]; ok && n < before {
			t.Errorf("%d is handled after %d", n, before)
		}
		busy[order.CheckoutID], last[order.CheckoutID] = true, n
		if len(busy) > 1 {
			select {
			case <-together:
			default:
				close(together)
			}
		}
		again := tried[n]
		tried[n] = true
		mu.Unlock()
		defer func() {
			mu.Lock()
			defer mu.Unlock()
			delete(busy, order.CheckoutID)
		}()
		select {
		case <-together:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		switch {
		case n%10 == 7 && !again:
			return nil, errors.New("not yet")
		case n%50 == 49:
			return nil, services.Refuse(errors.New("never"))
		}
		return plain(ctx, in)
	}
	r, _ := s.run(svc)
	const dead = keys * each / 50
	got := s.read(events.EmailSuccessful, keys*each-dead)
	at := map[int32]int{}
	for _, rec := range got {
		e, err := events.Decode(rec.Topic, rec.Key, rec.Value, nil)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		if _, err := fmt.Sscan(e.Payload.(events.Email).UserID, &n); err != nil {
			t.Fatal(err)
		}
		if before, ok := at[rec.Partition]; ok && n < before {
			t.Errorf("partition %d has %d after %d", rec.Partition, n, before)
		}
		at[rec.Partition] = n
	}
	s.eventually(func() string {
		if st := r.Stats(); st.DeadLetters != dead || st.Handled != int64(len(got)) {
			return fmt.Sprintf("%+v", st)
		}
		return ""
	})
}

// A batch is about as large as the service asks for, whatever waits: what a crash would repeat is bounded.
func TestBatchesAreBounded(t *testing.T) {
	s := newShop(t).topics()
	const orders, most = 200, 10
	for i := range orders {
		s.cl.Produce(t.Context(), &kgo.Record{
			Topic: events.OrderSuccessful, Key: fmt.Append(nil, i), Value: fmt.Appendf(nil, `{"userId":"u","orderId":"o","checkoutId":"%d"}`, i),
		}, nil)
	}
	if err := s.cl.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	commits := s.c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.EndTxn}, Observe: true, Count: -1})
	svc := email.Service()
	svc.Batch = most
	s.run(svc)
	s.read(events.EmailSuccessful, orders)
	// Two polls may make up a batch, so it may be nearly twice as large.
	if got := commits.Hits(); got < orders/(2*most) {
		t.Errorf("%d orders were committed in %d batches", orders, got)
	}
}

// An event that is put off holds up those of its key and no other, whether one is handled at a time or several.
func TestAnEventThatIsPutOffHoldsItsKeyOnly(t *testing.T) {
	t.Parallel()
	for _, parallel := range []int{0, 4} {
		t.Run(fmt.Sprint(parallel), func(t *testing.T) {
			s := newShop(t).topics()
			const keys = 30 // each twice
			var records []*kgo.Record
			for i := range 2 * keys {
				key := fmt.Sprintf("checkout-%d", i%keys)
				records = append(records, &kgo.Record{
					Topic: events.OrderSuccessful, Key: []byte(key), Value: fmt.Appendf(nil, `{"userId":"%d","orderId":"o","checkoutId":"%s"}`, i, key),
				})
			}
			s.together(records)
			var mu sync.Mutex
			var done []int
			svc := email.Service()
			svc.Parallel = parallel
			plain := svc.Handle
			svc.Handle = func(ctx context.Context, in events.Event) ([]events.Event, error) {
				n := 0
				if _, err := fmt.Sscan(in.Payload.(events.Order).UserID, &n); err != nil {
					return nil, err
				}
				mu.Lock()
				defer mu.Unlock()
				if n < 3 && len(done) < 2*keys-6 { // until all but these and those behind them are done
					return nil, services.PutOff(errors.New("others first"))
				}
				done = append(done, n)
				return plain(ctx, in)
			}
			r, _ := s.run(svc)
			s.read(events.EmailSuccessful, 2*keys)
			at := map[int]int{}
			mu.Lock()
			defer mu.Unlock()
			for i, n := range done {
				if _, twice := at[n]; !twice {
					at[n] = i
				}
			}
			for n := range keys {
				if at[n] > at[n+keys] {
					t.Errorf("%d of a key is handled before %d", n+keys, n)
				}
			}
			s.eventually(func() string {
				if st := r.Stats(); st.Handled != 2*keys || st.DeadLetters != 0 || st.Err != "" {
					return fmt.Sprintf("%+v", st)
				}
				return ""
			})
		})
	}
}
