package services_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"

	"kassa/services"
	"kassa/services/events"
	"kassa/services/payment"
)

func TestMain(m *testing.M) {
	_ = flag.Set("test.parallel", "6") // they wait for the most part
	goleak.VerifyTestMain(m)
}

// within is how long a condition may take on a busy machine. No test waits for it to pass.
const within = 30 * time.Second

// shop is a fake cluster with the shop's topics.
type shop struct {
	t    *testing.T
	c    *kfake.Cluster
	cl   *kgo.Client
	adm  *kadm.Client
	opts []kgo.Opt
}

// newShop begins a test beside others: most of what a test of services does is waiting.
func newShop(t *testing.T) *shop {
	t.Helper()
	t.Parallel()
	c, err := kfake.NewCluster(kfake.NumBrokers(3), kfake.BrokerConfigs(map[string]string{
		"group.initial.rebalance.delay.ms": "0",
	}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	// kfake counts a member twice that leaves before its group has had the leader's assignment; the next rebalance then takes 10 s, or for ever.
	c.ControlKey(int16(kmsg.LeaveGroup), func(req kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		c.SleepControl(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
			defer cancel()
			_, _ = c.WaitGroupInfo(ctx, req.(*kmsg.LeaveGroupRequest).Group, func(g *kfake.GroupInfo) bool { return g == nil || g.State != "CompletingRebalance" })
		})
		return nil, nil, false
	})
	s := &shop{t: t, c: c, opts: []kgo.Opt{
		kgo.SeedBrokers(c.ListenAddrs()...),
		kgo.MetadataMinAge(20 * time.Millisecond),
		kgo.MetadataMaxAge(10 * time.Second),
		kgo.DialTimeout(500 * time.Millisecond),
		kgo.RequestTimeoutOverhead(500 * time.Millisecond),
		kgo.RetryBackoffFn(func(int) time.Duration { return 20 * time.Millisecond }),
	}}
	s.cl, err = kgo.NewClient(s.opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.cl.Close)
	s.adm = kadm.NewClient(s.cl)
	return s
}

func (s *shop) topics() *shop {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), within)
	defer cancel()
	if err := services.EnsureTopics(ctx, s.adm, services.TopicSettings{}); err != nil {
		s.t.Fatal(err)
	}
	return s
}

// run starts a service and stops it when the test ends.
func (s *shop) run(svc services.Service, change ...func(*services.Config)) (r *services.Runner, stop func()) {
	s.t.Helper()
	cfg := services.Config{Client: s.opts, Instance: "test"}
	if os.Getenv("KASSA_LOG") != "" {
		cfg.Log = slog.New(slog.NewTextHandler(s.t.Output(), nil))
	}
	for _, f := range change {
		f(&cfg)
	}
	r = services.NewRunner(svc, cfg)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := r.Run(ctx); err != nil {
			s.t.Errorf("%s: %v", svc.Name, err)
		}
	})
	stop = func() { cancel(); wg.Wait() }
	s.t.Cleanup(stop)
	return r, stop
}

func (s *shop) payment() *payment.Service {
	s.t.Helper()
	p, err := payment.New(payment.Config{Client: s.opts})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), within)
		defer cancel()
		if err := p.Close(ctx); err != nil {
			s.t.Error(err)
		}
	})
	return p
}

// checkouts pays n times and returns the checkout ids.
func (s *shop) checkouts(p *payment.Service, n int) []string {
	s.t.Helper()
	var (
		mu  sync.Mutex
		ids []string
		wg  sync.WaitGroup
	)
	for range n {
		wg.Add(1)
		p.Submit(payment.Request{UserID: "ann", Cart: events.DefaultCart()}, func(r payment.Receipt, err error) {
			defer wg.Done()
			if err != nil {
				s.t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			ids = append(ids, r.CheckoutID)
		})
	}
	wg.Wait()
	return ids
}

// write puts a raw value into a topic and returns where it went.
func (s *shop) write(topic string, value []byte, headers ...kgo.RecordHeader) *kgo.Record {
	s.t.Helper()
	rec := &kgo.Record{Topic: topic, Key: []byte("k"), Value: value, Headers: headers}
	if err := s.cl.ProduceSync(s.t.Context(), rec).FirstErr(); err != nil {
		s.t.Fatal(err)
	}
	return rec
}

// together puts records into one partition, so that whoever reads them from its start polls them at once.
func (s *shop) together(records []*kgo.Record) {
	s.t.Helper()
	cl, err := kgo.NewClient(append(s.opts, kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	if err != nil {
		s.t.Fatal(err)
	}
	defer cl.Close()
	if err := cl.ProduceSync(s.t.Context(), records...).FirstErr(); err != nil {
		s.t.Fatal(err)
	}
}

// rewrite puts a record into its topic again, as a service does that was interrupted before it committed.
func (s *shop) rewrite(rec *kgo.Record) {
	s.t.Helper()
	again := &kgo.Record{Topic: rec.Topic, Key: rec.Key, Value: rec.Value, Headers: rec.Headers}
	if err := s.cl.ProduceSync(s.t.Context(), again).FirstErr(); err != nil {
		s.t.Fatal(err)
	}
}

// read returns the committed records of a topic as soon as there are n, and fails when there never are. It shares no code
// with the services.
func (s *shop) read(topic string, n int) []*kgo.Record {
	s.t.Helper()
	cl, err := kgo.NewClient(append(s.opts, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()))...)
	if err != nil {
		s.t.Fatal(err)
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(s.t.Context(), within)
	defer cancel()
	var got []*kgo.Record
	for len(got) < n {
		f := cl.PollFetches(ctx)
		if err := f.Err(); err != nil {
			s.t.Fatalf("%s has %d committed records, want %d: %v", topic, len(got), n, err)
		}
		got = append(got, f.Records()...)
	}
	return got
}

// eventually waits for a condition; what says what is missing, or is empty.
func (s *shop) eventually(what func() string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), within)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		missing := what()
		if missing == "" {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			s.t.Fatal(missing)
		}
	}
}

// once fails unless the records' values, by id, are exactly want, each one time.
func once(records []*kgo.Record, want []string, id func(events.Payload) string) error {
	seen := make(map[string]int)
	for _, rec := range records {
		e, err := events.Decode(rec.Topic, rec.Key, rec.Value, nil)
		if err != nil {
			return err
		}
		seen[id(e.Payload)]++
	}
	var errs []error
	for _, w := range want {
		if seen[w] != 1 {
			errs = append(errs, fmt.Errorf("%s is there %d times", w, seen[w]))
		}
		delete(seen, w)
	}
	for extra := range seen {
		errs = append(errs, fmt.Errorf("%s was never asked for", extra))
	}
	return errors.Join(errs...)
}

func checkoutOf(p events.Payload) string { return p.Checkout() }

var _ io.Writer = (*lines)(nil)

// lines counts what analytics writes.
type lines struct {
	mu sync.Mutex
	n  int
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.n++
	return len(b), nil
}

func (l *lines) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.n
}
