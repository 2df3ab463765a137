package services_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
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

// crew runs a service under a supervisor until the test ends.
func (s *shop) crew(svc services.Service, instances int, change ...func(*services.Config)) *services.Crew {
	s.t.Helper()
	cfg := services.Config{Client: s.opts, Instance: "test"}
	for _, f := range change {
		f(&cfg)
	}
	c, err := services.NewCrew(svc, cfg, instances)
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { c.Run(ctx) })
	s.t.Cleanup(func() { cancel(); wg.Wait() })
	return c
}

// runs waits until a service has all its instances and partitions, and nothing to say.
func (s *shop) runs(c services.Control, partitions int) {
	s.t.Helper()
	s.eventually(func() string {
		if st := c.Stats(); st.Live != st.Instances || st.Partitions != partitions || st.Status != services.Running || st.Err != "" {
			return fmt.Sprintf("%+v", st)
		}
		return ""
	})
}

// shared waits until n instances have the three partitions evenly.
func (s *shop) shared(c *services.Crew, n int) {
	s.t.Helper()
	s.eventually(func() string {
		most, all := 0, 0
		list := c.Instances()
		for _, i := range list {
			most, all = max(most, len(i.Owns)), all+len(i.Owns)
		}
		if len(list) != n || most != (3+n-1)/n || all != 3 {
			return fmt.Sprintf("%d instances: %+v", n, list)
		}
		return ""
	})
}

// atLeastOnceEach fails unless the log holds each of want, and nothing else; it says how many copies are too many. All but one of an id must
// have been written outside of a transaction.
func atLeastOnceEach(records []*kgo.Record, want []string) (repeated int, err error) {
	copies, transactional := map[string]int{}, map[string]int{}
	for _, rec := range records {
		e, err := events.Decode(rec.Topic, rec.Key, rec.Value, nil)
		if err != nil {
			return 0, err
		}
		id := e.Payload.Checkout()
		copies[id]++
		if rec.Attrs.IsTransactional() {
			transactional[id]++
		}
		if order, ok := e.Payload.(events.Order); ok && order.OrderID != services.OrderID(id) {
			return 0, fmt.Errorf("checkout %s has order %s", id, order.OrderID)
		}
	}
	for _, id := range want {
		if copies[id] == 0 {
			return 0, fmt.Errorf("checkout %s is lost", id)
		}
	}
	for id, n := range copies {
		if !slices.Contains(want, id) {
			return 0, fmt.Errorf("checkout %s was never asked for", id)
		}
		if transactional[id] > 1 {
			return 0, fmt.Errorf("checkout %s was written by %d transactions", id, transactional[id])
		}
		repeated += n - 1
	}
	return repeated, nil
}

// generations is the generations in which members of a group are given partitions from now on: a new one is a rebalance.
func (s *shop) generations(group string) func() []int32 {
	var (
		mu   sync.Mutex
		seen []int32
	)
	s.c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.SyncGroup}, Group: group, Observe: true, Count: -1, When: func(req kmsg.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		if g := req.(*kmsg.SyncGroupRequest).Generation; !slices.Contains(seen, g) {
			seen = append(seen, g)
		}
		return true
	}})
	return func() []int32 {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(seen)
	}
}

// end reads a topic to its end, as committed.
func (s *shop) end(topic string) []*kgo.Record {
	s.t.Helper()
	ends, err := s.adm.ListCommittedOffsets(s.t.Context(), topic)
	if err != nil {
		s.t.Fatal(err)
	}
	cl, err := kgo.NewClient(append(slices.Clone(s.opts), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())...)
	if err != nil {
		s.t.Fatal(err)
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(s.t.Context(), within)
	defer cancel()
	var got []*kgo.Record
	at := map[int32]int64{}
	whole := func() bool {
		for p, end := range ends[topic] {
			if at[p] < end.Offset {
				return false
			}
		}
		return true
	}
	for !whole() {
		f := cl.PollFetches(ctx)
		if ctx.Err() != nil {
			s.t.Fatalf("%s: read up to %v of %v", topic, at, ends[topic])
		}
		f.EachRecord(func(r *kgo.Record) {
			at[r.Partition] = r.Offset + 1
			if !r.Attrs.IsControl() {
				got = append(got, r)
			}
		})
	}
	return got
}

// A service that crashes when all is written and nothing committed begins anew by itself. Exactly-once, nobody can tell; at-least-once, the batch is
// there again with the same ids. No goodbye reaches the group, which has the instance back without a rebalance.
func TestCrashBeforeTheCommit(t *testing.T) {
	t.Parallel()
	for delivery, key := range map[services.Delivery]kmsg.Key{services.ExactlyOnce: kmsg.EndTxn, services.AtLeastOnce: kmsg.OffsetCommit} {
		t.Run(delivery.String(), func(t *testing.T) {
			s := newShop(t).topics()
			generations := s.generations("order")
			c := s.crew(order.Service(), 1, func(c *services.Config) { c.Delivery = delivery })
			p := s.payment()
			ids := s.checkouts(p, 30)
			s.read(events.OrderSuccessful, 30)
			s.runs(c, 3)
			goodbyes := s.c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.LeaveGroup}, Observe: true, Count: -1})

			hold := s.c.Fault(kfake.Fault{Keys: []kmsg.Key{key}, TopLevel: key == kmsg.EndTxn, Err: kerr.CoordinatorLoadInProgress, Count: -1})
			more := s.checkouts(p, 30)
			ctx, cancel := context.WithTimeout(t.Context(), within)
			defer cancel()
			if err := hold.Wait(ctx, 1); err != nil {
				t.Fatal(err)
			}
			if err := c.Crash(); err != nil {
				t.Fatal(err)
			}
			s.eventually(func() string {
				if st := c.Stats(); st.Live != 0 || st.Status != services.Restarting || !strings.Contains(st.Err, "kill -9") {
					return fmt.Sprintf("%+v", st)
				}
				return ""
			})
			hold.Remove()
			ids = append(ids, more...)
			s.eventually(func() string {
				if st := c.Stats(); st.Handled != 60 || st.Restarts != 1 {
					return fmt.Sprintf("%+v", st)
				}
				return ""
			})
			s.runs(c, 3)
			repeated, err := atLeastOnceEach(s.end(events.OrderSuccessful), ids)
			if err != nil {
				t.Error(err)
			}
			if delivery == services.ExactlyOnce && repeated != 0 || delivery == services.AtLeastOnce && repeated == 0 {
				t.Errorf("%d repeated", repeated)
			}
			if g := generations(); len(g) != 1 || goodbyes.Hits() != 0 {
				t.Errorf("the group had generations %v, and heard %d goodbyes", g, goodbyes.Hits())
			}
			if st := c.Stats(); st.P50 <= 0 || st.P99 < st.P50 {
				t.Errorf("p50 %v p99 %v", st.P50, st.P99)
			}
		})
	}
}

// A panic in a handler ends its instance, not the process. The instance comes back, says why it was gone, and does the event again.
func TestPanicIsACrashOfOneInstance(t *testing.T) {
	s := newShop(t).topics()
	svc := order.Service()
	handle := svc.Handle
	var seen atomic.Bool
	svc.Handle = func(ctx context.Context, in events.Event) ([]events.Event, error) {
		if !seen.Load() {
			panic("the till is jammed")
		}
		return handle(ctx, in)
	}
	c := s.crew(svc, 1)
	ids := s.checkouts(s.payment(), 20)
	s.eventually(func() string { // while it waits to be started again
		st := c.Stats()
		if st.Status != services.Restarting || st.Restarts == 0 || !strings.Contains(st.Err, "the till is jammed") || !strings.Contains(st.Err, "payment-successful/") {
			return fmt.Sprintf("%+v", st)
		}
		return ""
	})
	seen.Store(true)
	if err := once(s.read(events.OrderSuccessful, 20), ids, checkoutOf); err != nil {
		t.Error(err)
	}
	s.runs(c, 3)
}

// Instances that come and go in an orderly way share the partitions among them, and nobody's work is lost or done twice.
func TestScaleMovesPartitions(t *testing.T) {
	s := newShop(t).topics()
	c := s.crew(order.Service(), 1)
	mails := s.crew(email.Service(), 2)
	p := s.payment()
	var ids []string
	for _, n := range []int{3, 1, 6, 2, 1} {
		if err := c.Scale(n); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, s.checkouts(p, 30)...)
		if _, err := s.c.WaitGroupStable(t.Context(), "order", n); err != nil {
			t.Fatal(err)
		}
		s.runs(c, 3)
		s.shared(c, n)
	}
	s.runs(mails, 3)
	for _, topic := range events.Topics() {
		if err := once(s.read(topic, len(ids)), ids, checkoutOf); err != nil {
			t.Errorf("%s: %v", topic, err)
		}
	}
	for _, n := range []int{0, -1, services.MaxInstances + 1} {
		if err := c.Scale(n); err == nil {
			t.Errorf("scaled to %d", n)
		}
	}
}

// What is stopped leaves its group, does nothing, and starts in as many instances as it should have by then.
func TestStopAndStart(t *testing.T) {
	s := newShop(t).topics()
	c := s.crew(order.Service(), 2)
	p := s.payment()
	ids := s.checkouts(p, 20)
	s.read(events.OrderSuccessful, 20)
	for range 2 { // the second asks for what is so
		if err := c.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.c.WaitGroupInfo(t.Context(), "order", func(g *kfake.GroupInfo) bool { return len(g.Members) == 0 }); err != nil {
		t.Fatal(err)
	}
	if err := c.Crash(); err != nil {
		t.Error(err)
	}
	if err := c.Scale(3); err != nil {
		t.Fatal(err)
	}
	ids = append(ids, s.checkouts(p, 20)...)
	if st := c.Stats(); st.Status != services.Stopped || st.Live != 0 || st.Instances != 3 || st.Partitions != 0 || st.Restarts != 0 {
		t.Errorf("%+v", st)
	}
	for range 2 {
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
	}
	if err := once(s.read(events.OrderSuccessful, 40), ids, checkoutOf); err != nil {
		t.Error(err)
	}
	if _, err := s.c.WaitGroupStable(t.Context(), "order", 3); err != nil {
		t.Error(err)
	}
	s.runs(c, 3)
}

// The delivery changes while the flow runs: the batch under way comes to its end, a group of one sees no change, and neither way anything is lost
// or there twice.
func TestDeliveryChangesWhileItRuns(t *testing.T) {
	s := newShop(t).topics()
	orders, mails := s.crew(order.Service(), 2), s.crew(email.Service(), 1)
	p := s.payment()
	ids := s.checkouts(p, 50)
	s.read(events.EmailSuccessful, 50)
	s.shared(orders, 2)
	generations := s.generations("email")
	for n := range 4 {
		d := services.Delivery(n % 2).Other()
		orders.SetDelivery(d)
		mails.SetDelivery(d)
		ids = append(ids, s.checkouts(p, 50)...)
		s.read(events.EmailSuccessful, len(ids))
	}
	for _, topic := range events.Topics() {
		if err := once(s.end(topic), ids, checkoutOf); err != nil {
			t.Errorf("%s: %v", topic, err)
		}
	}
	transactional := 0
	for _, rec := range s.end(events.OrderSuccessful) {
		if rec.Attrs.IsTransactional() {
			transactional++
		}
	}
	if transactional == 0 || transactional == len(ids) {
		t.Errorf("%d of %d orders were written in a transaction", transactional, len(ids))
	}
	if g := generations(); len(g) != 1 {
		t.Errorf("the group had generations %v", g)
	}
}

// An exactly-once instance that crashed left its transaction open. An at-least-once one that takes its place ends it, else every reader would
// wait for its timeout.
func TestAtLeastOnceEndsAnOpenTransaction(t *testing.T) {
	s := newShop(t).topics()
	id := "kassa.order.test.0"
	cl, err := kgo.NewClient(append(slices.Clone(s.opts), kgo.TransactionalID(id), kgo.TransactionTimeout(10*time.Minute))...)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	if err := cl.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	for p := range int32(3) { // every partition is held back
		if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: events.OrderSuccessful, Partition: p, Value: []byte("{}")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	s.crew(order.Service(), 1, func(c *services.Config) { c.Delivery = services.AtLeastOnce })
	ids := s.checkouts(s.payment(), 20)
	if err := once(s.read(events.OrderSuccessful, 20), ids, checkoutOf); err != nil {
		t.Error(err)
	}
}

// Analytics counts in memory. Its instances share that, so each event counts once however the partitions move.
func TestAnalyticsInSeveralInstances(t *testing.T) {
	s := newShop(t).topics()
	totals := analytics.New(nil)
	c := s.crew(totals.Service(), 1)
	s.crew(order.Service(), 1)
	s.crew(email.Service(), 1)
	p := s.payment()
	want := int64(0)
	for _, act := range []func() error{func() error { return c.Scale(4) }, c.Crash, func() error { return c.Scale(2) }, c.Crash} {
		s.checkouts(p, 40)
		if err := act(); err != nil {
			t.Fatal(err)
		}
		want += 40
		s.eventually(func() string {
			if tt := totals.Totals(); tt.Payments != want || tt.Orders != want || tt.Emails != want || tt.Complete != want || tt.InFlight != 0 {
				return fmt.Sprintf("%+v, want %d", tt, want)
			}
			return ""
		})
	}
}

// Each start that comes to nothing waits longer for the next, up to a bound, and says why.
func TestBackOffBetweenStarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, err := services.NewCrew(order.Service(), services.Config{Client: []kgo.Opt{kgo.SeedBrokers("127.0.0.1:notaport")}, Instance: "test"}, 1)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { c.Run(ctx) })
		begun := time.Now()
		var at []time.Duration
		for range 7 {
			synctest.Wait()
			list := c.Instances()
			if st := c.Stats(); st.Live != 0 || st.Status != services.Restarting || !strings.Contains(st.Err, "notaport") || st.Restarts != int64(len(at)) {
				t.Fatalf("%+v", st)
			}
			time.Sleep(time.Until(list[0].Again)) // the bubble's time
			at = append(at, time.Since(begun))
			synctest.Wait()
		}
		want := []time.Duration{500 * time.Millisecond, 1500 * time.Millisecond, 3500 * time.Millisecond, 7500 * time.Millisecond, 12500 * time.Millisecond, 17500 * time.Millisecond, 22500 * time.Millisecond}
		if !slices.Equal(at, want) {
			t.Errorf("started again after %v, want %v", at, want)
		}
		if err := c.Stop(ctx); err != nil || c.Stats().Status != services.Stopped {
			t.Errorf("%v, %+v", err, c.Stats())
		}
		cancel()
		wg.Wait()
		if err := c.Start(); err != nil || c.Stats().Live != 0 {
			t.Errorf("%v: it started after its end", err)
		}
	})
}

func TestParseDelivery(t *testing.T) {
	for _, d := range []services.Delivery{services.ExactlyOnce, services.AtLeastOnce} {
		if got, err := services.ParseDelivery(d.String()); err != nil || got != d || d.Other() == d {
			t.Errorf("%s: %v, %v", d, got, err)
		}
	}
	if _, err := services.ParseDelivery("at-most-once"); err == nil || !strings.Contains(err.Error(), "exactly-once or at-least-once") {
		t.Errorf("got %v", err)
	}
}

// A shop that has sold nothing yet has its partitions all the same: there is no commit to tell of them.
func TestPartitionsAreKnownBeforeTheFirstEvent(t *testing.T) {
	s := newShop(t).topics()
	for _, delivery := range []services.Delivery{services.ExactlyOnce, services.AtLeastOnce} {
		c := s.crew(order.Service(), 2, func(c *services.Config) { c.Delivery = delivery })
		s.shared(c, 2)
		s.runs(c, 3)
		if err := c.Scale(1); err != nil {
			t.Fatal(err)
		}
		s.shared(c, 1)
		if err := c.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// Several processes that run analytics each see some checkouts from payment to email, and not some topics of all of them.
func TestAnalyticsOfSeveralProcessesShareCheckouts(t *testing.T) {
	s := newShop(t).topics()
	books := []*analytics.Analytics{analytics.New(nil), analytics.New(nil)}
	var crews []*services.Crew
	for i, a := range books {
		crews = append(crews, s.crew(a.Service(), 1, func(c *services.Config) { c.Instance = fmt.Sprint(i) }))
	}
	s.eventually(func() string {
		at := map[int32]int{} // who has a partition number
		all := 0
		for i, c := range crews {
			for _, p := range c.Instances()[0].Owns {
				if who, ok := at[p.ID]; ok && who != i {
					return fmt.Sprintf("partition %d is with both", p.ID)
				}
				at[p.ID] = i
				all++
			}
			if c.Stats().Partitions == 0 {
				return fmt.Sprintf("%d has none", i)
			}
		}
		if all != 9 || len(at) != 3 {
			return fmt.Sprintf("%d partitions, %v", all, at)
		}
		return ""
	})
	s.run(order.Service())
	s.run(email.Service())
	const n = 60
	s.checkouts(s.payment(), n)
	s.eventually(func() string {
		complete := int64(0)
		for _, a := range books {
			complete += a.Totals().Complete
		}
		if complete != n {
			return fmt.Sprintf("%d are complete: %+v, %+v", complete, books[0].Totals(), books[1].Totals())
		}
		return ""
	})
	for _, a := range books {
		if tt := a.Totals(); tt.Complete == 0 || tt.Strays != 0 || tt.Complete != tt.Payments {
			t.Errorf("%+v", tt)
		}
	}
}
