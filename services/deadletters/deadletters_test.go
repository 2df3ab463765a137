package deadletters_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"

	"kassa/services"
	"kassa/services/deadletters"
	"kassa/services/events"
	"kassa/services/order"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// within is how long a condition may take on a busy machine. No test waits for it to pass.
const within = 30 * time.Second

const deadPayments = events.PaymentSuccessful + ".dlq"

// shop is a fake cluster with the shop's topics and the order service.
type shop struct {
	*testing.T
	*deadletters.Store
	c    *kfake.Cluster
	cl   *kgo.Client
	opts []kgo.Opt
	stop func() // the order service
}

// newShop begins a test beside others: most of what they do is waiting.
func newShop(t *testing.T) *shop {
	t.Helper()
	t.Parallel()
	c, err := kfake.NewCluster(kfake.NumBrokers(3), kfake.BrokerConfigs(map[string]string{"group.initial.rebalance.delay.ms": "0"}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	s := &shop{T: t, c: c, opts: []kgo.Opt{kgo.SeedBrokers(c.ListenAddrs()...), kgo.MetadataMinAge(20 * time.Millisecond), kgo.DialTimeout(500 * time.Millisecond)}}
	s.Store = deadletters.New(s.opts)
	s.cl, err = kgo.NewClient(append(s.opts, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchMaxBytes(2<<20-4096))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.cl.Close)
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	if err := services.EnsureTopics(ctx, kadm.NewClient(s.cl), services.TopicSettings{}); err != nil {
		t.Fatal(err)
	}
	r := services.NewRunner(order.Service(), services.Config{Client: s.opts, Instance: "test"})
	run, end := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = r.Run(run) })
	s.stop = func() { end(); wg.Wait() }
	t.Cleanup(s.stop)
	return s
}

func (s *shop) write(recs ...*kgo.Record) {
	s.Helper()
	if err := s.cl.ProduceSync(s.Context(), recs...).FirstErr(); err != nil {
		s.Fatal(err)
	}
}

// pay writes values into a partition of the payments.
func (s *shop) pay(partition int32, values ...string) {
	s.Helper()
	for _, v := range values {
		s.write(&kgo.Record{Topic: events.PaymentSuccessful, Partition: partition, Key: []byte("k"), Value: []byte(v), Headers: []kgo.RecordHeader{{Key: "mine", Value: []byte("kept")}}})
	}
}

func (s *shop) list(q deadletters.Query) deadletters.Listing {
	s.Helper()
	l, err := s.List(s.Context(), q)
	if err != nil {
		s.Fatal(err)
	}
	return l
}

// until waits for so many dead letters.
func (s *shop) until(n int) deadletters.Listing {
	s.Helper()
	for begun := time.Now(); ; {
		if l := s.list(deadletters.Query{Limit: 1000, Preview: 100}); l.Total >= n {
			return l
		} else if time.Since(begun) > within {
			s.Fatalf("%d dead letters, want %d", l.Total, n)
		}
	}
}

func (s *shop) retry(sel deadletters.Selection) (outcomes []deadletters.Outcome, done int) {
	s.Helper()
	done, err := s.Retry(s.Context(), sel, func(o deadletters.Outcome) { outcomes = append(outcomes, o) })
	if err != nil {
		s.Fatal(err)
	}
	return outcomes, done
}

// committed is all that a reader of a topic sees. It shares no code with what is tested.
func (s *shop) committed(topic string, n int) []*kgo.Record {
	s.Helper()
	cl, err := kgo.NewClient(append(s.opts, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()))...)
	if err != nil {
		s.Fatal(err)
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(s.Context(), within)
	defer cancel()
	var got []*kgo.Record
	for len(got) < n {
		f := cl.PollFetches(ctx)
		if ctx.Err() != nil {
			s.Fatalf("%s has %d committed records, want %d", topic, len(got), n)
		}
		got = append(got, f.Records()...)
	}
	return got
}

func headersOf(rec *kgo.Record) map[string]string {
	m := make(map[string]string)
	for _, h := range rec.Headers {
		m[h.Key] = string(h.Value)
	}
	return m
}

const bad = `{"userId":"u","cart":[{"price":-1}]}`

func TestListIsNewestFirstAndCountsByReason(t *testing.T) {
	s := newShop(t)
	if l := s.list(deadletters.Query{Limit: 10}); l.Total != 0 || len(l.Letters) != 0 {
		t.Fatalf("%+v in a new shop", l)
	}
	for i := range 4 {
		s.pay(int32(i%3), bad)
		s.until(i + 1) // so that their times are in this order
	}
	s.pay(0, "junk")
	l := s.until(5)
	if len(l.Letters) != 5 || l.Letters[0].Size != 4 || l.Letters[0].Source != (deadletters.Place{Topic: events.PaymentSuccessful, Partition: 0, Offset: 2}) {
		t.Fatalf("%+v", l.Letters)
	}
	first := l.Letters[4]
	if string(first.Key) != "k" || string(first.Value) != bad || first.Service != "order" || first.Attempt != 1 || first.Reason != "cannot be read: cart[0].price is negative" ||
		first.SourceTime.IsZero() || len(first.Headers) != 1 || first.At != (deadletters.Place{Topic: deadPayments, Partition: 0, Offset: 0}) || !first.Retried.IsZero() {
		t.Errorf("%+v", first)
	}
	if len(l.Counts) != 2 || l.Counts[0] != (deadletters.Count{Topic: events.PaymentSuccessful, Reason: "cannot be read: cart[#].price is negative", N: 4}) {
		t.Errorf("%+v", l.Counts)
	}
	if l := s.list(deadletters.Query{Limit: 2}); l.Total != 5 || len(l.Letters) != 2 || l.Letters[0].At != s.list(deadletters.Query{Limit: 9}).Letters[0].At {
		t.Errorf("with a limit: %+v", l)
	}
	if l := s.list(deadletters.Query{Limit: 9, Since: first.Time.Add(time.Millisecond)}); l.Total == 0 || l.Total >= 5 {
		t.Errorf("since: %+v", l)
	}
	if l := s.list(deadletters.Query{Limit: 9, Topics: []string{events.OrderSuccessful}}); l.Total != 0 {
		t.Errorf("of another topic: %+v", l)
	}
	for n := 1; n <= 5; n++ {
		latest, err := s.Latest(t.Context(), deadletters.Query{Limit: n, Preview: 3})
		if err != nil || len(latest) != n || latest[0].At != l.Letters[0].At || string(latest[0].Value) != "jun" || latest[0].Size != 4 {
			t.Errorf("the latest %d: %+v (%v)", n, latest, err)
		}
	}
}

// The newest are found although most of what lies behind them is no letter.
func TestLatestLooksBehindNotes(t *testing.T) {
	s := newShop(t)
	s.pay(1, bad)
	at := s.until(1).Letters[0].At
	for range 30 {
		s.write(&kgo.Record{Topic: deadPayments, Partition: 1, Headers: []kgo.RecordHeader{{Key: services.HeaderRetried, Value: []byte("x/0@1")}}})
	}
	latest, err := s.Latest(t.Context(), deadletters.Query{Limit: 2})
	if err != nil || len(latest) != 1 || latest[0].At != at {
		t.Errorf("%+v, %v", latest, err)
	}
}

// A retry puts the record back as it was, once; the next passes it over. When it dies again, the new letter knows.
func TestRetryIsDoneOnce(t *testing.T) {
	s := newShop(t)
	s.pay(1, bad, "junk")
	letters := s.until(2).Letters
	if _, done := s.retry(deadletters.Selection{DryRun: true}); done != 2 || len(s.committed(events.PaymentSuccessful, 2)) != 2 {
		t.Errorf("a dry run told of %d, and wrote", done)
	}
	out, done := s.retry(deadletters.Selection{Reason: "NEGATIVE"})
	if done != 1 || len(out) != 1 || out[0].Err != nil || out[0].As.Partition != 1 || out[0].As.Offset < 2 {
		t.Fatalf("%+v", out)
	}
	var again *kgo.Record
	for _, rec := range s.committed(events.PaymentSuccessful, 3) {
		if rec.Offset == out[0].As.Offset {
			again = rec
		}
	}
	if h := headersOf(again); string(again.Key) != "k" || string(again.Value) != bad || again.Partition != 1 || len(h) != 3 || h["mine"] != "kept" ||
		h[services.HeaderRetryOf] != out[0].Letter.At.String() || h[services.HeaderDeadAttempt] != "2" {
		t.Errorf("%s with headers %v", again.Value, h)
	}
	l := s.until(3)
	newest := l.Letters[0]
	if newest.Attempt != 2 || newest.RetryOf != out[0].Letter.At.String() || newest.Source != out[0].As || l.Retried != 1 {
		t.Errorf("%+v", newest)
	}
	i := slices.IndexFunc(l.Letters, func(x deadletters.Letter) bool { return x.At == out[0].Letter.At })
	if old := l.Letters[i]; old.Retried.IsZero() || old.RetriedAs != out[0].As.String() {
		t.Errorf("%+v", old)
	}
	// By name it is refused with a sentence, by the letter's place or the record's, unless again is meant.
	for _, p := range []deadletters.Place{out[0].Letter.At, out[0].Letter.Source} {
		if _, err := s.Retry(t.Context(), deadletters.Selection{Places: []deadletters.Place{p}}, nil); !errors.Is(err, deadletters.ErrRetried) {
			t.Errorf("%s: %v", p, err)
		}
		if found, err := s.Find(t.Context(), p); err != nil || found.At != out[0].Letter.At || found.Retried.IsZero() || string(found.Value) != bad {
			t.Errorf("%s: %+v, %v", p, found, err)
		}
	}
	if _, done := s.retry(deadletters.Selection{Places: []deadletters.Place{letters[1].Source}, Again: true}); done != 1 {
		t.Errorf("again: %d", done)
	}
	s.until(4)
	// All that is left: the other one, and the two retries that died. Then nothing but what those lead to.
	if _, done := s.retry(deadletters.Selection{Topics: []string{events.PaymentSuccessful}}); done != 3 {
		t.Errorf("%d retried, want 3", done)
	}
	s.until(7)
	s.stop()
	if _, done := s.retry(deadletters.Selection{}); done != 3 {
		t.Errorf("%d retried, want 3", done)
	}
	if _, done := s.retry(deadletters.Selection{}); done != 0 {
		t.Errorf("%d retried, want none", done)
	}
}

func TestRetryRefuses(t *testing.T) {
	s := newShop(t)
	s.stop()
	s.write(
		&kgo.Record{Topic: deadPayments, Value: []byte("a stranger's")},
		&kgo.Record{Topic: deadPayments, Value: []byte("to elsewhere"), Headers: letterHeaders(events.OrderSuccessful, 0, 0)},
		&kgo.Record{Topic: deadPayments, Value: []byte("cut"), Headers: append(letterHeaders(events.PaymentSuccessful, 0, 5), kgo.RecordHeader{Key: services.HeaderDeadSize, Value: []byte("3000000")})},
		&kgo.Record{Topic: deadPayments, Value: []byte(strings.Repeat("x", 1<<20)), Headers: letterHeaders(events.PaymentSuccessful, 0, 6)},
		&kgo.Record{Topic: deadPayments, Value: []byte("good"), Headers: letterHeaders(events.PaymentSuccessful, 0, 7)},
		&kgo.Record{Topic: deadPayments, Value: []byte("good"), Headers: letterHeaders(events.PaymentSuccessful, 0, 7)}, // a repeat
	)
	place := func(offset int64) []deadletters.Place {
		return []deadletters.Place{{Topic: deadPayments, Partition: 0, Offset: offset}}
	}
	for i, want := range []error{deadletters.ErrNoSource, deadletters.ErrNoSource, deadletters.ErrCut} {
		if _, err := s.Retry(t.Context(), deadletters.Selection{Places: place(int64(i))}, nil); !errors.Is(err, want) {
			t.Errorf("letter %d: %v, want %v", i, err, want)
		}
	}
	for _, p := range []deadletters.Place{place(99)[0], {Topic: deadPayments, Partition: 7}, {Topic: "carts"}} {
		if _, err := s.Retry(t.Context(), deadletters.Selection{Places: []deadletters.Place{p}}, nil); !errors.Is(err, deadletters.ErrNotFound) {
			t.Errorf("%s: %v", p, err)
		}
		if _, err := s.Find(t.Context(), p); !errors.Is(err, deadletters.ErrNotFound) {
			t.Errorf("%s: %v", p, err)
		}
	}
	out, done := s.retry(deadletters.Selection{})
	var passed []string
	for _, o := range out {
		if o.Err != nil {
			passed = append(passed, fmt.Sprint(o.Letter.At.Offset, " ", o.Err))
		}
	}
	if done != 1 || len(out) != 5 || len(passed) != 4 {
		t.Errorf("%d retried, passed over: %q", done, passed)
	}
	recs := s.committed(events.PaymentSuccessful, 1)
	if len(recs) != 1 || string(recs[0].Value) != "good" {
		t.Errorf("%d records", len(recs))
	}
	if l := s.list(deadletters.Query{Limit: 9}); !l.Letters[0].Repeat || l.Letters[0].Retried.IsZero() || l.Retried != 1 {
		t.Errorf("the repeat: %+v", l.Letters[0])
	}
}

func letterHeaders(topic string, partition, offset int) []kgo.RecordHeader {
	return []kgo.RecordHeader{
		{Key: services.HeaderDeadTopic, Value: []byte("spoof")}, // the last counts
		{Key: services.HeaderDeadTopic, Value: []byte(topic)},
		{Key: services.HeaderDeadPartition, Value: fmt.Append(nil, partition)},
		{Key: services.HeaderDeadOffset, Value: fmt.Append(nil, offset)},
		{Key: services.HeaderDeadTime, Value: []byte("2026-01-02T03:04:05Z")},
		{Key: services.HeaderDeadError, Value: []byte("test")},
	}
}

// Whoever follows hears of each letter that is written from then on, with the topic that it is about, and of no note.
func TestFollowTellsLettersFromNotes(t *testing.T) {
	s := newShop(t)
	var (
		mu   sync.Mutex
		seen = map[string]int{}
		wg   sync.WaitGroup
	)
	ctx, cancel := context.WithCancel(t.Context())
	defer wg.Wait()
	defer cancel()
	wg.Go(func() {
		if err := s.Follow(ctx, func(source string) {
			mu.Lock()
			defer mu.Unlock()
			seen[source]++
		}); err != nil {
			t.Error(err)
		}
	})
	n := func(topic string) int {
		mu.Lock()
		defer mu.Unlock()
		return seen[topic]
	}
	letter := func(topic string) *kgo.Record {
		return &kgo.Record{Topic: events.DeadLetters(topic), Headers: letterHeaders(topic, 0, 0)}
	}
	await := func(topic string, many int) {
		t.Helper()
		for begun := time.Now(); n(topic) < many; {
			if time.Since(begun) > within {
				t.Fatalf("%d letters of %s, want %d", n(topic), topic, many)
			}
			s.write(letter(events.PaymentSuccessful)) // until it has begun
		}
	}
	await(events.PaymentSuccessful, 1)
	note := &kgo.Record{Topic: events.DeadLetters(events.EmailSuccessful), Headers: []kgo.RecordHeader{{Key: services.HeaderRetried, Value: []byte("email-successful/0@0")}}}
	s.write(letter(events.EmailSuccessful), note, letter(events.EmailSuccessful), letter(events.OrderSuccessful))
	await(events.EmailSuccessful, 2)
	await(events.OrderSuccessful, 1)
	if n(events.EmailSuccessful) != 2 || n(events.OrderSuccessful) != 1 {
		t.Errorf("%v", seen)
	}
}

// A retry that does not come to its commit leaves neither a record nor a note, and the next one does all of it.
func TestRetryIsWholeOrNothing(t *testing.T) {
	s := newShop(t)
	s.pay(0, bad, bad, bad)
	s.until(3)
	s.stop()
	ctx, cancel := context.WithCancel(t.Context())
	var once sync.Once
	s.c.ControlKey(int16(kmsg.EndTxn), func(req kmsg.Request) (kmsg.Response, error, bool) {
		s.c.KeepControl()
		refuse := false
		if req.(*kmsg.EndTxnRequest).Commit {
			once.Do(func() { refuse = true })
		}
		if !refuse {
			return nil, nil, false
		}
		cancel()
		resp := req.ResponseKind().(*kmsg.EndTxnResponse)
		resp.ErrorCode = kerr.InvalidProducerEpoch.Code
		return resp, nil, true
	})
	done, err := s.Retry(ctx, deadletters.Selection{}, func(deadletters.Outcome) {})
	if err == nil || done != 0 {
		t.Fatalf("%d retried, %v", done, err)
	}
	if _, done := s.retry(deadletters.Selection{}); done != 3 {
		t.Errorf("%d retried, want 3", done)
	}
	if n := len(s.committed(events.PaymentSuccessful, 6)); n != 6 {
		t.Errorf("%d payments, want the 3 and 3 retries", n)
	}
}

// A retry that was ended returns, though nobody can say whether what it wrote has arrived.
func TestRetryEndsWithoutBrokers(t *testing.T) {
	s := newShop(t)
	s.pay(0, bad)
	s.until(1)
	s.stop()
	ctx, cancel := context.WithCancel(t.Context())
	s.c.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		s.c.KeepControl()
		cancel()
		return nil, io.ErrUnexpectedEOF, true // the connection is cut without an answer
	})
	ended := make(chan error, 1)
	go func() {
		_, err := s.Retry(ctx, deadletters.Selection{}, func(deadletters.Outcome) {})
		ended <- err
	}()
	select {
	case err := <-ended:
		if err == nil {
			t.Error("it was done")
		}
	case <-time.After(within):
		t.Fatal("it waits for an answer")
	}
}

// Two retries at once write each record once: who comes later takes over, and sees what the first has done.
func TestTwoRetriesWriteOnce(t *testing.T) {
	s := newShop(t)
	const n = 250 // three transactions
	var values []string
	for range n {
		values = append(values, bad)
	}
	s.pay(0, values...)
	s.until(n)
	s.stop()
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			if _, err := s.Retry(t.Context(), deadletters.Selection{}, func(deadletters.Outcome) {}); err != nil && !errors.Is(err, deadletters.ErrTakenOver) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	s.retry(deadletters.Selection{})
	if got := len(s.committed(events.PaymentSuccessful, 2*n)); got != 2*n {
		t.Errorf("%d payments, want %d", got, 2*n)
	}
	if l := s.list(deadletters.Query{Limit: 1}); l.Retried != n {
		t.Errorf("%d notes, want %d", l.Retried, n)
	}
}

func TestParsePlace(t *testing.T) {
	for _, text := range []string{"", "a", "a/0", "a@1", "/0@1", "a/-1@1", "a/0@-1", "a/0@x", "a/2147483648@0", "a/0@9223372036854775808", "a/0@1 "} {
		if p, err := deadletters.ParsePlace(text); err == nil {
			t.Errorf("%q is read as %v", text, p)
		}
	}
	p, err := deadletters.ParsePlace("order-successful.dlq/2@17")
	if err != nil || p != (deadletters.Place{Topic: "order-successful.dlq", Partition: 2, Offset: 17}) || p.String() != "order-successful.dlq/2@17" {
		t.Errorf("%v, %v", p, err)
	}
}
