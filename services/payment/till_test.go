package payment_test

import (
	"context"
	"errors"
	"io"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kassa/services"
	"kassa/services/events"
	"kassa/services/payment"
)

func (d *desk) until(what string, is func(services.Stats) bool) {
	d.t.Helper()
	d.eventually(func(payment.Stats) bool { return is(d.svc.Control().Stats()) })
}

func TestACrashLeavesPendingPaymentsUnknownAndComesBack(t *testing.T) {
	d := open(t)
	release := d.stall()
	defer release()
	outcome := make(chan error, 1)
	d.svc.Submit(payment.Request{Cart: events.DefaultCart()}, func(_ payment.Receipt, err error) { outcome <- err })
	if err := d.svc.Control().Crash(); err != nil {
		t.Fatal(err)
	}
	if _, err := d.svc.Checkout(t.Context(), payment.Request{Cart: events.DefaultCart()}); !errors.Is(err, payment.ErrDown) {
		t.Errorf("while it is down: %v", err)
	}
	if st := d.svc.Control().Stats(); st.Status != services.Restarting || st.Live != 0 || st.Err == "" {
		t.Errorf("while it is down: %+v", st)
	}
	if err := <-outcome; !errors.Is(err, payment.ErrUnknown) {
		t.Errorf("what was pending: %v", err)
	}
	release()
	d.until("it is back", func(st services.Stats) bool { return st.Live == 1 && st.Status == services.Running })
	if _, err := d.svc.Checkout(t.Context(), payment.Request{Cart: events.DefaultCart()}); err != nil {
		t.Error(err)
	}
	if st := d.svc.Stats(); st.Unresolved != 1 || st.Accepted != 1 || st.Pending != 0 {
		t.Errorf("%+v", st)
	}
	if st := d.svc.Control().Stats(); st.Restarts != 1 {
		t.Errorf("%+v", st)
	}
}

// write puts a payment of this id into the log.
func (d *desk) write(checkoutID string) {
	d.t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(d.c.ListenAddrs()...), kgo.DefaultProduceTopic(events.PaymentSuccessful))
	if err != nil {
		d.t.Fatal(err)
	}
	defer cl.Close()
	if err := cl.ProduceSync(d.t.Context(), &kgo.Record{Key: []byte(checkoutID), Value: []byte("{}")}).FirstErr(); err != nil {
		d.t.Fatal(err)
	}
}

// Whoever asks again under the same key after a crash is told what the log says, and is not charged twice.
func TestAKeyWhoseAnswerWasLostIsLookedUp(t *testing.T) {
	t.Parallel()
	for name, written := range map[string]bool{"written": true, "not written": false} {
		t.Run(name, func(t *testing.T) {
			d := open(t)
			release := d.stall()
			req := payment.Request{Cart: events.DefaultCart(), IdempotencyKey: "k"}
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			lost, err := d.svc.Checkout(ctx, req)
			if !errors.Is(err, payment.ErrUnknown) {
				t.Fatal(err)
			}
			_ = d.svc.Control().Crash()
			d.eventually(func(st payment.Stats) bool { return st.Pending == 0 }) // else it may write once more
			release()
			if written { // the broker had it before the connection was cut
				d.write(lost.CheckoutID)
			}
			d.until("it is back", func(st services.Stats) bool { return st.Live == 1 })
			var wg sync.WaitGroup
			for range 3 {
				wg.Go(func() {
					got, err := d.svc.Checkout(t.Context(), req)
					if err != nil || got.CheckoutID != lost.CheckoutID {
						t.Errorf("%+v, %v: want %s", got, err, lost.CheckoutID)
					}
				})
			}
			wg.Wait()
			recs := d.read(1)
			headers := recs[0].Headers
			if !written && !slices.ContainsFunc(headers, func(h kgo.RecordHeader) bool {
				return h.Key == payment.HeaderIdempotencyKey && string(h.Value) == "k"
			}) {
				t.Errorf("the record does not say its key: %v", headers)
			}
			other := req
			other.UserID = "somebody else"
			if _, err := d.svc.Checkout(t.Context(), other); !errors.Is(err, payment.ErrKeyReused) {
				t.Errorf("another user: %v", err)
			}
		})
	}
}

// While a follower is down, what the leader has lies behind the high watermark for a while. It is waited for, and not written a second time.
func TestAKeyWhosePaymentIsNotReplicatedYetIsWaitedFor(t *testing.T) {
	d := open(t)
	release := d.stall()
	req := payment.Request{Cart: events.DefaultCart(), IdempotencyKey: "k"}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	lost, err := d.svc.Checkout(ctx, req)
	if !errors.Is(err, payment.ErrUnknown) {
		t.Fatal(err)
	}
	_ = d.svc.Control().Crash()
	d.eventually(func(st payment.Stats) bool { return st.Pending == 0 }) // else it may write once more
	release()
	d.until("it is back", func(st services.Stats) bool { return st.Live == 1 })

	// The leader of the partition that its key goes to has one record more than its followers.
	home, _ := kgo.StickyKeyPartitioner(nil).ForTopic(events.PaymentSuccessful).(interface {
		Partition(*kgo.Record, int) int
	})
	at := int32(home.Partition(&kgo.Record{Key: []byte(lost.CheckoutID)}, 3))
	asked := make(chan struct{}, 16)
	d.c.ControlKey(int16(kmsg.ListOffsets), func(req kmsg.Request) (kmsg.Response, error, bool) {
		d.c.KeepControl()
		ask := req.(*kmsg.ListOffsetsRequest)
		if ask.ReplicaID != -2 {
			return nil, nil, false
		}
		asked <- struct{}{}
		resp := ask.ResponseKind().(*kmsg.ListOffsetsResponse)
		for _, topic := range ask.Topics {
			st := kmsg.NewListOffsetsResponseTopic()
			st.Topic = topic.Topic
			for _, part := range topic.Partitions {
				sp := kmsg.NewListOffsetsResponseTopicPartition()
				if sp.Partition, sp.Offset = part.Partition, 0; part.Partition == at {
					sp.Offset = 1
				}
				st.Partitions = append(st.Partitions, sp)
			}
			resp.Topics = append(resp.Topics, st)
		}
		return resp, nil, true
	})
	writes := d.c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Observe: true, Count: -1})
	outcome := make(chan error, 1)
	var again payment.Receipt
	go func() {
		r, err := d.svc.Checkout(t.Context(), req)
		again = r
		outcome <- err
	}()
	select {
	case err := <-outcome:
		t.Fatalf("it has an answer before the followers have the record: %v", err)
	case <-time.After(500 * time.Millisecond): // nothing tells that it goes on waiting
	}
	if len(asked) == 0 {
		t.Error("it did not ask for the end of the log")
	}
	if n := writes.Hits(); n > 0 {
		t.Errorf("%d writes before it was looked for", n)
	}
	d.write(lost.CheckoutID)
	if err := <-outcome; err != nil || again.CheckoutID != lost.CheckoutID || again.Partition != at || again.Offset != 0 {
		t.Errorf("%+v, %v: want %s at %d@0", again, err, lost.CheckoutID, at)
	}
	d.read(1)
}

func TestStopRefusesAndStartGoesOn(t *testing.T) {
	d := open(t)
	control := d.svc.Control()
	release := d.stall()
	outcome := make(chan error, 1)
	d.svc.Submit(payment.Request{Cart: events.DefaultCart()}, func(_ payment.Receipt, err error) { outcome <- err })
	stopped := make(chan error, 1)
	go func() { stopped <- control.Stop(t.Context()) }()
	d.until("it takes no more", func(st services.Stats) bool { return st.Status == services.Stopped })
	if _, err := d.svc.Checkout(t.Context(), payment.Request{Cart: events.DefaultCart()}); !errors.Is(err, payment.ErrStopped) {
		t.Errorf("while it stops: %v", err)
	}
	release()
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if err := <-outcome; err != nil {
		t.Errorf("what was pending: %v", err)
	}
	if err := d.svc.Ready(t.Context()); !errors.Is(err, payment.ErrStopped) {
		t.Errorf("ready: %v", err)
	}
	if err := control.Crash(); err != nil { // there is nothing to crash
		t.Error(err)
	}
	if err := control.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := d.svc.Checkout(t.Context(), payment.Request{Cart: events.DefaultCart()}); err != nil {
		t.Error(err)
	}
	d.read(2)
}

// The figures of an instance that is still closing are no obstacle for the next one, which has the same.
func TestAnInstanceStartsWhileTheOneBeforeCloses(t *testing.T) {
	t.Parallel()
	for name, turn := range map[string]func(*desk) (wait func()){
		"stop and start": func(d *desk) func() {
			stopped := make(chan error, 1)
			go func() { stopped <- d.svc.Control().Stop(d.t.Context()) }()
			d.until("it is stopped", func(st services.Stats) bool { return st.Live == 0 })
			if err := d.svc.Control().Start(); err != nil {
				d.t.Fatal(err)
			}
			return func() {
				if err := <-stopped; err != nil {
					d.t.Error(err)
				}
			}
		},
		"scale": func(d *desk) func() {
			for _, n := range []int{1, 2} {
				if err := d.svc.Control().Scale(n); err != nil {
					d.t.Fatal(err)
				}
			}
			return func() {}
		},
	} {
		t.Run(name, func(t *testing.T) {
			reg := payment.NewRegistry()
			d := open(t, func(c *payment.Config) { c.Metrics = reg })
			if err := d.svc.Control().Scale(2); err != nil {
				t.Fatal(err)
			}
			release := d.stall()
			defer release()
			outcome := make(chan error, 2)
			for range 2 { // one for each instance
				d.svc.Submit(payment.Request{Cart: events.DefaultCart()}, func(_ payment.Receipt, err error) { outcome <- err })
			}
			wait := turn(d)
			release()
			wait()
			for range 2 {
				if err := <-outcome; err != nil {
					t.Errorf("what was pending: %v", err)
				}
			}
			for range 2 {
				if _, err := d.svc.Checkout(t.Context(), payment.Request{Cart: events.DefaultCart()}); err != nil {
					t.Error(err)
				}
			}
			// The figures are those of the two that run, also when the one before has closed.
			families, err := reg.Gather()
			if err != nil {
				t.Error(err)
			}
			there := 0
			for _, f := range families {
				if f.GetName() == "kassa_payment_kafka_buffered_produce_bytes" {
					there = len(f.GetMetric())
				}
			}
			if there != 2 {
				t.Errorf("%d instances have figures, want 2", there)
			}
		})
	}
}

func TestStopThatTakesTooLongSaysSo(t *testing.T) {
	d := open(t)
	release := d.stall()
	defer release()
	outcome := make(chan error, 1)
	d.svc.Submit(payment.Request{Cart: events.DefaultCart()}, func(_ payment.Receipt, err error) { outcome <- err })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := d.svc.Control().Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("stop: %v", err)
	}
	if err := <-outcome; !errors.Is(err, payment.ErrUnknown) {
		t.Errorf("what was pending: %v", err)
	}
}

func TestScaleSharesTheWorkOut(t *testing.T) {
	d := open(t)
	control := d.svc.Control()
	for _, n := range []int{0, -1, services.MaxInstances + 1} {
		if control.Scale(n) == nil {
			t.Errorf("scaled to %d", n)
		}
	}
	for _, n := range []int{3, 1, 6, 2} {
		if err := control.Scale(n); err != nil {
			t.Fatal(err)
		}
		if st := control.Stats(); st.Instances != n || st.Live != n {
			t.Errorf("scaled to %d: %+v", n, st)
		}
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				if _, err := d.svc.Checkout(t.Context(), payment.Request{Cart: events.DefaultCart()}); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
	d.read(80)
}

func TestReadySaysWhatIsWrong(t *testing.T) {
	d := open(t)
	get := func() (int, string) {
		w := httptest.NewRecorder()
		payment.Handler(d.svc, nil).ServeHTTP(w, httptest.NewRequest("GET", "/readyz", nil))
		return w.Code, w.Body.String()
	}
	if code, text := get(); code != 200 || text != "ready" {
		t.Errorf("%d %s", code, text)
	}
	release := d.stall()
	defer release()
	d.svc.Submit(payment.Request{Cart: events.DefaultCart()}, func(payment.Receipt, error) {})
	d.until("it is stalled", func(st services.Stats) bool { return st.Status == services.Retrying })
	if code, text := get(); code != 503 || !strings.HasPrefix(text, "1 payments wait, and none was acknowledged for 2.") {
		t.Errorf("%d %s", code, text)
	}
}

func TestMetrics(t *testing.T) {
	reg := payment.NewRegistry()
	d := open(t, func(c *payment.Config) { c.Metrics = reg })
	handler := payment.Counted(reg, payment.Handler(d.svc, d.svc.Metrics(reg, func() []services.Stats {
		return []services.Stats{d.svc.Control().Stats(), {Name: "order", Handled: 7, Lag: -1}}
	})))
	for range 2 { // payment never hears of these
		handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", "/payment-service", strings.NewReader("cart=1")))
	}
	if _, err := d.svc.Checkout(t.Context(), payment.Request{Cart: events.DefaultCart()}); err != nil {
		t.Fatal(err)
	}
	_, _ = d.svc.Checkout(t.Context(), payment.Request{})
	_ = d.svc.Control().Scale(2)
	_ = d.svc.Control().Crash()
	d.until("both are back", func(st services.Stats) bool { return st.Live == 2 })
	for range 2 {
		if _, err := d.svc.Checkout(t.Context(), payment.Request{Cart: events.DefaultCart()}); err != nil {
			t.Fatal(err)
		}
	}
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	text, _ := io.ReadAll(w.Body)
	for _, want := range []string{
		"kassa_payment_accepted_total 3\n", "kassa_payment_refused_total 1\n", "kassa_payment_ack_seconds_count 3\n", `kassa_payment_ack_seconds_bucket{le="30"} 3`,
		`kassa_service_handled_total{service="order"} 7`, `kassa_service_restarts_total{service="payment"} 2`, "go_goroutines ",
		`kassa_http_requests_total{code="415",method="post"} 2`, `kassa_payment_kafka_connects_total{instance="1"`,
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("it does not say %s", want)
		}
	}
	if strings.Contains(string(text), `kassa_service_lag_records{service="order"}`) {
		t.Error("it tells a lag that is not known")
	}
	if t.Failed() {
		t.Logf("%d\n%s", w.Code, text)
	}
}

func TestAcks(t *testing.T) {
	t.Parallel()
	for _, acks := range []payment.Acks{payment.AcksAll, payment.AcksLeader, payment.AcksNone} {
		t.Run(acks.String(), func(t *testing.T) {
			d := open(t, func(c *payment.Config) { c.Acks = acks })
			asked := make(chan int16, 16)
			d.c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Observe: true, Count: -1, When: func(r kmsg.Request) bool {
				asked <- r.(*kmsg.ProduceRequest).Acks
				return true
			}})
			r, err := d.svc.Checkout(t.Context(), payment.Request{Cart: events.DefaultCart()})
			if err != nil {
				t.Fatal(err)
			}
			if got, want := <-asked, map[payment.Acks]int16{payment.AcksAll: -1, payment.AcksLeader: 1, payment.AcksNone: 0}[acks]; got != want {
				t.Errorf("asked for %d, want %d", got, want)
			}
			if acks == payment.AcksNone && r.Offset != -1 {
				t.Errorf("offset %d is nobody's knowledge", r.Offset)
			}
			if again, err := payment.ParseAcks(acks.String()); err != nil || again != acks {
				t.Errorf("%v, %v", again, err)
			}
		})
	}
	if _, err := payment.ParseAcks("2"); err == nil {
		t.Error("acks=2")
	}
}
