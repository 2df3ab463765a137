// Package payment takes a cart and promises an order: it writes the event that everything else follows from. It promises
// only what Kafka has acknowledged, it never forgets a record that it could not get an answer about, and it moves no money.
package payment

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"kassa/services/events"
	"kassa/services/latency"
)

// Errors that a caller may match. A cart that is refused is a *CartError.
var (
	// ErrUnknown: nobody can say yet whether the checkout was accepted; its record may still be written. The same
	// request with the same IdempotencyKey asks again.
	ErrUnknown = errors.New("not acknowledged in time: the payment may still go through")
	// ErrBusy: more checkouts wait for Kafka than may. Nothing was written.
	ErrBusy = errors.New("too many payments wait for Kafka")
	// ErrKeyReused: the IdempotencyKey belongs to a checkout of another cart. Nothing was written.
	ErrKeyReused = errors.New("the idempotency key was used for another cart")
)

// Config is how a Service reaches Kafka.
type Config struct {
	// Client has the bootstrap servers and the options tuned for failover. What delivery depends on overrides it.
	Client []kgo.Opt
	// MaxPending is how many records may wait for their acknowledgement; 0 means 20,000: 100 s at 200/s, some 30 MB.
	MaxPending int
	// MaxKeys is how many idempotency keys are remembered, the oldest forgotten first; 0 means 10,000. They live as
	// long as the process. A checkout that is still pending keeps its key.
	MaxKeys int
	Log     *slog.Logger // nil means none
}

// Request is a checkout.
type Request struct {
	UserID         string // empty means DefaultUser
	Cart           []events.Item
	IdempotencyKey string // empty means that every Request is a checkout of its own
}

// DefaultUser is who checks out when a Request does not say.
const DefaultUser = "guest"

// Receipt is an accepted checkout.
type Receipt struct {
	CheckoutID string
	Partition  int32
	Offset     int64
	Amount     events.Money
	Took       time.Duration // from the request to the acknowledgement; of the first request, when this one joined it
}

// Stats is a snapshot; counts are since New.
type Stats struct {
	Accepted int64 // acknowledged by Kafka
	Refused  int64 // carts and keys that were refused, requests that found the buffer full, records that Kafka refused
	Pending  int64 // records that wait for their acknowledgement now
	Unknown  int64 // of those Pending, how many whose caller was told ErrUnknown
	Ack      latency.Percentiles
	Err      string // why the last record or request was not accepted; empty if that never happened
	ErrAt    time.Time
}

// Service writes payments. Its methods may be called from several goroutines.
type Service struct {
	cl       *kgo.Client
	ctx      context.Context // the client's
	end      context.CancelFunc
	log      *slog.Logger
	ack      *latency.Histogram
	prompted atomic.Int64 // callers of prompt that no flush has begun for

	mu    sync.Mutex
	stats Stats
	keys  keys
}

// New is a Service. It does not wait for a broker to be there. An error means that the options are wrong.
func New(cfg Config) (*Service, error) {
	if cfg.MaxPending == 0 {
		cfg.MaxPending = 20_000
	}
	if cfg.MaxKeys == 0 {
		cfg.MaxKeys = 10_000
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	ctx, end := context.WithCancel(context.Background())
	cl, err := kgo.NewClient(append(ProducerOptions(cfg.Client),
		kgo.WithContext(ctx),
		kgo.ClientID("kassa-payment"),
		kgo.MaxBufferedRecords(cfg.MaxPending),
	)...)
	if err != nil {
		end()
		return nil, fmt.Errorf("making the Kafka client of payment: %w", err)
	}
	return &Service{cl: cl, ctx: ctx, end: end, log: cfg.Log, ack: latency.New(), keys: newKeys(cfg.MaxKeys)}, nil
}

// ProducerOptions is how payment writes, upon the options of any client: also for whoever measures what its users would feel.
func ProducerOptions(client []kgo.Opt) []kgo.Opt {
	return append(append([]kgo.Opt(nil), client...),
		// Idempotent (the client's default), so a retry never writes twice; no delivery timeout, since a record that is
		// given up may have been written all the same.
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.MaxVersions(oneInFlight()),
		kgo.UnknownTopicRetries(-1),
		// A partition's records of 50 ms share a request, unless somebody waits for one (see prompt). At 200/s that is 44 requests a second
		// and 1.5 % of a core less than with 20 ms, and 79 less than the default of 10 ms. At high rates the request in flight gathers more.
		kgo.ProducerLinger(50*time.Millisecond),
		// Snappy, the default, costs every reader time and saves little on events of some hundred bytes.
		kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.DisableClientMetrics(),
	)
}

// oneInFlight caps Produce requests at version 3, with which the client keeps one of them in flight to a broker; with later
// ones it is five, and idempotence forbids to set it. A broker that restarts knows of each producer only the last batch of a
// partition: its snapshots hold no more. When all replicas restart with several batches unacknowledged, it cannot tell that it has the
// earlier ones, answers OUT_OF_ORDER_SEQUENCE_NUMBER, and the client writes them once more under a new epoch. Seen on
// Kafka 4.3.1: 14 payments of 17,006 twice after all three brokers were killed.
func oneInFlight() *kversion.Versions {
	v := kversion.Stable()
	v.SetMaxKeyVersion(int16(kmsg.Produce), 3)
	return v
}

// Close gives what is pending until ctx ends to be acknowledged, and then fails it with ErrUnknown. It returns soon after ctx.
func (s *Service) Close(ctx context.Context) error {
	err := s.cl.Flush(ctx)
	s.end()
	s.cl.Close()
	if err != nil {
		return fmt.Errorf("closing payment with records pending: %w", err)
	}
	return nil
}

// Stats is what the Service has done. It may be called at any time.
func (s *Service) Stats() Stats {
	ack := s.ack.Percentiles()
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.stats
	st.Ack = ack
	return st
}

// Checkout writes a payment and waits until Kafka has acknowledged it. When ctx ends before that the error is ErrUnknown, and the
// record stays on its way.
func (s *Service) Checkout(ctx context.Context, req Request) (Receipt, error) {
	p, err := s.begin(req)
	if err != nil {
		return Receipt{}, err
	}
	s.prompt()
	select {
	case <-p.done:
		return p.receipt, p.err
	case <-ctx.Done():
		s.abandoned(p)
		return Receipt{CheckoutID: p.receipt.CheckoutID, Amount: p.receipt.Amount}, fmt.Errorf("%w (%w)", ErrUnknown, context.Cause(ctx))
	}
}

// prompt sends what the client holds back to gather more. One flush at a time does for any number of callers: while it runs the client holds
// nothing back, and it runs again for those that came when it was about to end.
func (s *Service) prompt() {
	if s.prompted.Add(1) > 1 {
		return
	}
	go func() {
		for n := int64(1); n > 0; {
			if s.cl.Flush(s.ctx) != nil {
				return // closed
			}
			n = s.prompted.Add(-n)
		}
	}()
}

// Submit writes a payment and calls done once with what became of it: at once when it is refused, later from one of the
// client's goroutines, which done must not hold up. It never waits.
func (s *Service) Submit(req Request, done func(Receipt, error)) {
	p, err := s.begin(req)
	if err != nil {
		done(Receipt{}, err)
		return
	}
	s.mu.Lock()
	select {
	case <-p.done:
		s.mu.Unlock()
		done(p.receipt, p.err)
	default:
		p.callbacks = append(p.callbacks, done)
		s.mu.Unlock()
	}
}

// begin checks a request and puts its record on the way, or joins the one that is already on it.
func (s *Service) begin(req Request) (*promise, error) {
	if req.UserID == "" {
		req.UserID = DefaultUser
	}
	amount, err := check(req)
	if err != nil {
		return nil, s.refused(err)
	}
	id, err := uuid.NewRandom()
	if err != nil {
		return nil, s.refused(fmt.Errorf("making a checkout id: %w", err))
	}
	pay := events.Payment{UserID: req.UserID, Cart: req.Cart, CheckoutID: id.String(), Amount: amount}
	key, value, err := events.Encode(pay)
	if err != nil {
		return nil, s.refused(err)
	}
	now := time.Now()
	p := &promise{key: req.IdempotencyKey, cart: req.Cart, user: req.UserID, begun: now, done: make(chan struct{})}
	p.receipt = Receipt{CheckoutID: pay.CheckoutID, Amount: amount}

	s.mu.Lock()
	if first, ok := s.keys.join(p); ok {
		s.mu.Unlock()
		if !first.same(p) {
			return nil, s.refused(ErrKeyReused)
		}
		return first, nil
	}
	s.stats.Pending++
	s.mu.Unlock()

	headers := events.Headers(pay, "payment", now, nil)
	rec := &kgo.Record{Topic: events.PaymentSuccessful, Key: key, Value: value, Timestamp: now, Headers: make([]kgo.RecordHeader, len(headers))}
	for i, h := range headers {
		rec.Headers[i] = kgo.RecordHeader(h)
	}
	// Not the caller's context: whoever stops waiting does not take the record back.
	s.cl.TryProduce(context.Background(), rec, func(rec *kgo.Record, err error) { s.resolve(p, rec, err) })
	return p, nil
}

// resolve ends a promise with what Kafka said.
func (s *Service) resolve(p *promise, rec *kgo.Record, err error) {
	took := time.Since(p.begun)
	switch {
	case err == nil:
		s.ack.Record(took)
		p.receipt.Partition, p.receipt.Offset, p.receipt.Took = rec.Partition, rec.Offset, took
	case errors.Is(err, kgo.ErrMaxBuffered):
		p.err = ErrBusy
	case errors.Is(err, kgo.ErrClientClosed), errors.Is(err, context.Canceled):
		p.err = fmt.Errorf("%w (%w)", ErrUnknown, err)
	default:
		p.err = fmt.Errorf("writing the payment: %w", err)
	}

	s.mu.Lock()
	s.stats.Pending--
	s.stats.Unknown -= p.abandoned
	switch {
	case p.err == nil:
		s.stats.Accepted++
		s.keys.settled(p)
	case errors.Is(p.err, ErrUnknown):
		s.failedLocked(p.err)
	default:
		s.stats.Refused++
		s.failedLocked(p.err)
		s.keys.forget(p) // the next try may fare better
	}
	callbacks := p.callbacks
	close(p.done)
	s.mu.Unlock()
	for _, done := range callbacks {
		done(p.receipt, p.err)
	}
}

// refused counts a request that did not get as far as a record.
func (s *Service) refused(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.Refused++
	s.failedLocked(err)
	return err
}

// abandoned counts a caller that went away without an answer.
func (s *Service) abandoned(p *promise) {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-p.done: // it was answered just now
	default:
		if p.abandoned == 0 {
			p.abandoned = 1
			s.stats.Unknown++
		}
	}
}

func (s *Service) failedLocked(err error) {
	s.stats.Err, s.stats.ErrAt = err.Error(), time.Now()
}
