package payment_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"

	"kassa/services/events"
	"kassa/services/payment"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const within = 30 * time.Second

type desk struct {
	t   *testing.T
	c   *kfake.Cluster
	svc *payment.Service
}

func open(t *testing.T, change ...func(*payment.Config)) *desk {
	t.Helper()
	t.Parallel()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(3, events.PaymentSuccessful))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	cfg := payment.Config{Client: []kgo.Opt{
		kgo.SeedBrokers(c.ListenAddrs()...), kgo.MetadataMinAge(20 * time.Millisecond),
		kgo.RetryBackoffFn(func(int) time.Duration { return 10 * time.Millisecond }),
	}}
	for _, f := range change {
		f(&cfg)
	}
	svc, err := payment.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), within)
		defer cancel()
		if err := svc.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return &desk{t: t, c: c, svc: svc}
}

// stall keeps every payment from being acknowledged until the returned function is called.
func (d *desk) stall() (release func()) {
	return d.c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotEnoughReplicas, Count: -1}).Remove
}

// read returns the first n payments of the log, and fails if there are more than n.
func (d *desk) read(n int) []*kgo.Record {
	d.t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(d.c.ListenAddrs()...), kgo.ConsumeTopics(events.PaymentSuccessful))
	if err != nil {
		d.t.Fatal(err)
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(d.t.Context(), within)
	defer cancel()
	var got []*kgo.Record
	for len(got) < n {
		f := cl.PollFetches(ctx)
		if err := f.Err(); err != nil {
			d.t.Fatal(err)
		}
		got = append(got, f.Records()...)
	}
	if len(got) > n {
		d.t.Errorf("%d payments are in the log, want %d", len(got), n)
	}
	return got
}

func (d *desk) eventually(what func(payment.Stats) bool) {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), within)
	defer cancel()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !what(d.svc.Stats()) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			d.t.Fatalf("%+v", d.svc.Stats())
		}
	}
}

func TestReceiptSaysWhereThePaymentIs(t *testing.T) {
	d := open(t)
	r, err := d.svc.Checkout(t.Context(), payment.Request{UserID: "ann", Cart: events.DefaultCart()})
	if err != nil {
		t.Fatal(err)
	}
	rec := d.read(1)[0]
	e, err := events.Decode(rec.Topic, rec.Key, rec.Value, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := events.Payment{UserID: "ann", Cart: events.DefaultCart(), CheckoutID: r.CheckoutID, Amount: 694970}
	if !reflect.DeepEqual(e.Payload, want) || string(rec.Key) != r.CheckoutID {
		t.Errorf("%s with key %s", rec.Value, rec.Key)
	}
	if r.Partition != rec.Partition || r.Offset != rec.Offset || r.Amount != want.Amount || r.Took <= 0 {
		t.Errorf("%+v is at %d@%d", r, rec.Partition, rec.Offset)
	}
	if st := d.svc.Stats(); st.Accepted != 1 || st.Refused+st.Pending+st.Unknown != 0 || st.Ack.Count != 1 || st.Err != "" {
		t.Errorf("%+v", st)
	}
}

func TestCartsThatAreRefused(t *testing.T) {
	d := open(t)
	with := func(change func(*events.Item)) []events.Item {
		cart := events.DefaultCart()
		change(&cart[1])
		return cart
	}
	for want, req := range map[string]payment.Request{
		"it is empty":                         {},
		"it has 101 items":                    {Cart: make([]events.Item, 101)},
		"cart[1].price is negative":           {Cart: with(func(i *events.Item) { i.Price = -1 })},
		"cart[1].price is more than":          {Cart: with(func(i *events.Item) { i.Price = events.MaxMoney })},
		"cart[1] has a text":                  {Cart: with(func(i *events.Item) { i.Name = strings.Repeat("x", 2000) })},
		"userId is longer than":               {Cart: events.DefaultCart(), UserID: strings.Repeat("x", 300)},
		"the idempotency key is longer than ": {Cart: events.DefaultCart(), IdempotencyKey: strings.Repeat("x", 300)},
	} {
		_, err := d.svc.Checkout(t.Context(), req)
		if cart, ok := errors.AsType[*payment.CartError](err); !ok || !strings.Contains(cart.Reason, want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if st := d.svc.Stats(); st.Refused != 7 || st.Accepted+st.Pending != 0 || st.Err == "" {
		t.Errorf("%+v", st)
	}
}

// Whoever stops waiting is told that the outcome is unknown. The record goes on, and the same key finds it again.
func TestUnknownStaysOnItsWayAndIsJoinedByItsKey(t *testing.T) {
	d := open(t)
	release := d.stall()
	req := payment.Request{Cart: events.DefaultCart(), IdempotencyKey: "k1"}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	first, err := d.svc.Checkout(ctx, req)
	if !errors.Is(err, payment.ErrUnknown) || !errors.Is(err, context.DeadlineExceeded) || first.CheckoutID == "" {
		t.Fatalf("%+v, %v", first, err)
	}
	if st := d.svc.Stats(); st.Pending != 1 || st.Unknown != 1 || st.Refused != 0 {
		t.Errorf("while it is pending: %+v", st)
	}

	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() {
			if r, err := d.svc.Checkout(t.Context(), req); err != nil || r.CheckoutID != first.CheckoutID {
				t.Errorf("joined %+v, %v", r, err)
			}
		})
	}
	submitted := make(chan payment.Receipt, 1)
	d.svc.Submit(req, func(r payment.Receipt, _ error) { submitted <- r })
	release()
	wg.Wait()
	if r := <-submitted; r.CheckoutID != first.CheckoutID {
		t.Errorf("submit joined %+v", r)
	}
	// Long after it was accepted, too.
	if r, err := d.svc.Checkout(t.Context(), req); err != nil || r.CheckoutID != first.CheckoutID {
		t.Errorf("%+v, %v", r, err)
	}
	d.read(1)
	if st := d.svc.Stats(); st.Accepted != 1 || st.Pending != 0 || st.Unknown != 0 {
		t.Errorf("after all: %+v", st)
	}
	req.Cart = req.Cart[:1]
	if _, err := d.svc.Checkout(t.Context(), req); !errors.Is(err, payment.ErrKeyReused) {
		t.Errorf("another cart under the same key: %v", err)
	}
}

func TestFullBufferRefusesAtOnce(t *testing.T) {
	d := open(t, func(c *payment.Config) { c.MaxPending = 3 })
	release := d.stall()
	var wg sync.WaitGroup
	for range 3 {
		wg.Add(1)
		d.svc.Submit(payment.Request{Cart: events.DefaultCart()}, func(_ payment.Receipt, err error) {
			if err != nil {
				t.Error(err)
			}
			wg.Done()
		})
	}
	req := payment.Request{Cart: events.DefaultCart(), IdempotencyKey: "k"}
	if _, err := d.svc.Checkout(t.Context(), req); !errors.Is(err, payment.ErrBusy) {
		t.Errorf("got %v", err)
	}
	release()
	wg.Wait()
	if _, err := d.svc.Checkout(t.Context(), req); err != nil {
		t.Errorf("its key is not free again: %v", err)
	}
	d.read(4)
	if st := d.svc.Stats(); st.Accepted != 4 || st.Refused != 1 || st.Pending != 0 {
		t.Errorf("%+v", st)
	}
}

// Kafka's answers that leave room for doubt are not repeated into the log.
func TestPaymentIsWrittenOnceWhateverKafkaAnswers(t *testing.T) {
	t.Parallel()
	for _, answer := range []*kerr.Error{kerr.RequestTimedOut, kerr.NotEnoughReplicasAfterAppend, kerr.NotLeaderForPartition, kerr.UnknownTopicOrPartition} {
		t.Run(answer.Message, func(t *testing.T) {
			d := open(t)
			d.c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: answer, Count: 8})
			if _, err := d.svc.Checkout(t.Context(), payment.Request{Cart: events.DefaultCart()}); err != nil {
				t.Error(err)
			}
			d.read(1)
		})
	}
}

// Two batches that a broker has not acknowledged cannot be told from new ones after it restarted; see oneInFlight.
func TestOneProduceRequestIsInFlight(t *testing.T) {
	d := open(t)
	var versions sync.Map
	d.c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Observe: true, Count: -1, When: func(r kmsg.Request) bool {
		versions.Store(r.GetVersion(), true)
		return true
	}})
	if _, err := d.svc.Checkout(t.Context(), payment.Request{Cart: events.DefaultCart()}); err != nil {
		t.Fatal(err)
	}
	versions.Range(func(v, _ any) bool {
		if v.(int16) != 3 {
			t.Errorf("a Produce request of version %d", v)
		}
		return true
	})
}

// Many others may check out before somebody sends a request again.
func TestAYoungKeyIsKeptHoweverManyComeAfterIt(t *testing.T) {
	d := open(t, func(c *payment.Config) { c.MaxKeys = 2 })
	pay := func(key string) payment.Receipt {
		r, err := d.svc.Checkout(t.Context(), payment.Request{Cart: events.DefaultCart(), IdempotencyKey: key})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	first := pay("a")
	pay("b")
	pay("c")
	if again := pay("a"); again != first {
		t.Errorf("%+v, want %+v", again, first)
	}
	d.read(3)
}

// Close gives pending payments their time, and then says that they are unknown.
func TestCloseWithoutABroker(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() // nobody answers
	svc, err := payment.New(payment.Config{Client: []kgo.Opt{kgo.SeedBrokers(l.Addr().String())}})
	if err != nil {
		t.Fatal(err)
	}
	outcome := make(chan error, 1)
	svc.Submit(payment.Request{Cart: events.DefaultCart()}, func(_ payment.Receipt, err error) { outcome <- err })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	begun := time.Now()
	if err := svc.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("close: %v", err)
	}
	if err := <-outcome; !errors.Is(err, payment.ErrUnknown) {
		t.Errorf("outcome: %v", err)
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("took %s", took)
	}
	if _, err := svc.Checkout(t.Context(), payment.Request{Cart: events.DefaultCart()}); err == nil {
		t.Error("a closed service accepts")
	}
}

func TestConcurrentCheckouts(t *testing.T) {
	d := open(t)
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			req := payment.Request{Cart: events.DefaultCart(), IdempotencyKey: fmt.Sprint(i % 50)}
			if _, err := d.svc.Checkout(t.Context(), req); err != nil {
				t.Error(err)
			}
			d.svc.Stats()
		})
	}
	wg.Wait()
	d.read(50)
	d.eventually(func(st payment.Stats) bool { return st.Accepted == 50 && st.Pending == 0 })
}
