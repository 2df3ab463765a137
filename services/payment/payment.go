// Package payment takes a cart and promises an order: it writes the event that everything else follows from. It promises
// only what Kafka has acknowledged, it never forgets a record that it could not get an answer about, and it moves no money.
package payment

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"kassa/services"
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
	// ErrStopped: the service was stopped, or is closing. Nothing was written.
	ErrStopped = errors.New("payment is stopped")
	// ErrDown: all instances have crashed, and come back in a moment. Nothing was written.
	ErrDown = errors.New("payment has crashed and is being restarted")
)

// Config is how a Service reaches Kafka.
type Config struct {
	// Client has the bootstrap servers and the options tuned for failover. What delivery depends on overrides it.
	Client []kgo.Opt
	Acks   Acks // the zero value is AcksAll
	// MaxPending is how many records may wait for their acknowledgement in each instance; 0 means 20,000: 100 s at 200/s, some 30 MB.
	MaxPending int
	// MaxKeys is how many idempotency keys are remembered, the oldest forgotten first; 0 means 10,000. A checkout that is still pending keeps
	// its key, and so does one that ended less than 10 minutes ago, up to 200,000 of them (or MaxKeys, if that is more). They belong to the process: they
	// outlive a crash of the service, but not of kassa. The checkout id is derived from the key, the user and the cart, so a request that is sent again
	// after that is paid for under the same ids, and seen as a repeat by everybody.
	MaxKeys int
	// Linger is how long a record waits for others that go to its partition, unless somebody waits for it; 0 means 50 ms.
	Linger time.Duration
	// Metrics is where the Kafka clients' own figures are registered, by instance; nil for nowhere.
	Metrics prometheus.Registerer
	Witness Witness      // nil for none
	Log     *slog.Logger // nil means none
}

// Witness is told what every customer is promised, before the customer is. It must not wait, and may be called from several goroutines.
type Witness interface {
	// Asked comes before anything is written for a checkout. It comes again when a customer asks again about one that ended without an answer.
	Asked(checkoutID string, amount events.Money)
	// Answered says what became of it: nil if it was acknowledged, ErrUnknown, or why it was refused. A request that was refused before it had an
	// id has an empty one.
	Answered(checkoutID string, amount events.Money, err error)
}

// nobody is a Witness that looks away.
type nobody struct{}

func (nobody) Asked(string, events.Money)           {}
func (nobody) Answered(string, events.Money, error) {}

// Request is a checkout.
type Request struct {
	UserID         string // empty means DefaultUser
	Cart           []events.Item
	IdempotencyKey string // empty means that every Request is a checkout of its own
}

// DefaultUser is who checks out when a Request does not say.
const DefaultUser = "guest"

// HeaderIdempotencyKey is the header of a payment that carries the key of its request.
const HeaderIdempotencyKey = "idempotency-key"

// Receipt is an accepted checkout.
type Receipt struct {
	CheckoutID string
	Partition  int32
	Offset     int64 // -1 with acks=0: nobody knows
	Amount     events.Money
	Took       time.Duration // from the request to the acknowledgement; of the first request, when this one joined it
}

// Stats is a snapshot; counts are since New.
type Stats struct {
	Accepted   int64 // acknowledged by Kafka
	Refused    int64 // carts and keys that were refused, requests that found the buffer full or the service down, records that Kafka refused
	Pending    int64 // records that wait for their acknowledgement now
	Unknown    int64 // of those Pending, how many whose caller was told ErrUnknown
	Unresolved int64 // records that ended without an answer, with the instance that sent them: they may be in the log, or not
	Ack        latency.Percentiles
	Err        string // why the last record or request was not accepted; empty if that never happened
	ErrAt      time.Time
}

// Service writes payments, by one or more instances. Its methods may be called from several goroutines.
type Service struct {
	cfg Config
	log *slog.Logger
	ack *latency.Histogram
	// recent is the same since somebody last took it.
	recent *latency.Interval
	wg     sync.WaitGroup // of restarts and of whoever looks into the log

	life context.Context // ends with Close
	end  context.CancelFunc

	mu      sync.Mutex
	stats   Stats
	keys    keys
	slots   []*slot // those at wanted and above are empty
	wanted  int
	next    int // the slot whose turn it is
	stopped bool
	closed  bool
	missing []*promise // to be looked for in the log
	looking bool
	since   time.Time // when it was last stopped, started, or crashed and restarted
	moved   time.Time // when a record was last acknowledged, or the first of those pending was sent
}

// New is a Service of one instance. It does not wait for a broker to be there. An error means that the options are wrong.
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
	if cfg.Witness == nil {
		cfg.Witness = nobody{}
	}
	s := &Service{cfg: cfg, log: cfg.Log, ack: latency.New(), recent: latency.NewInterval(), keys: newKeys(cfg.MaxKeys, mostKeys), wanted: 1, since: time.Now()}
	s.life, s.end = context.WithCancel(context.Background())
	if err := s.openLocked(); err != nil {
		s.end()
		return nil, err
	}
	return s, nil
}

// Close takes no more requests, gives what is pending until ctx ends to be acknowledged, and then fails it with ErrUnknown. It returns soon after ctx.
func (s *Service) Close(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	err := s.closeTills(ctx)
	s.end()
	s.wg.Wait()
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

// Recent is how long acknowledgements took since it was last asked. It is for one who asks.
func (s *Service) Recent() latency.Percentiles { return s.recent.Take() }

// Checkout writes a payment and waits until Kafka has acknowledged it. When ctx ends before that the error is ErrUnknown, and the
// record stays on its way.
func (s *Service) Checkout(ctx context.Context, req Request) (Receipt, error) {
	p, err := s.begin(req)
	if err != nil {
		return Receipt{}, err
	}
	if p.till != nil {
		p.till.prompt()
	}
	select {
	case <-p.done:
		return p.receipt, p.err
	case <-ctx.Done():
		s.abandoned(p)
		return Receipt{CheckoutID: p.receipt.CheckoutID, Amount: p.receipt.Amount}, fmt.Errorf("%w (%w)", ErrUnknown, context.Cause(ctx))
	}
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
		return nil, s.refused("", err)
	}
	id, err := checkoutID(req)
	if err != nil {
		return nil, s.refused("", err)
	}
	p := &promise{
		key: req.IdempotencyKey, begun: time.Now(), done: make(chan struct{}),
		pay: events.Payment{UserID: req.UserID, Cart: req.Cart, CheckoutID: id, Amount: amount},
	}
	p.receipt = Receipt{CheckoutID: id, Amount: amount}
	rec, err := p.record()
	if err != nil {
		return nil, s.refused(id, err)
	}

	s.mu.Lock()
	first, known := s.keys.join(p)
	if known && !first.same(p) {
		s.mu.Unlock()
		return nil, s.refused(id, ErrKeyReused)
	}
	if known && !first.lost() {
		s.mu.Unlock()
		return first, nil
	}
	if p.till, err = s.tillLocked(); err != nil {
		if !known {
			s.keys.forget(p)
		}
		s.mu.Unlock()
		return nil, s.refused(id, err)
	}
	s.cfg.Witness.Asked(id, amount)
	s.pendingLocked()
	if known {
		// Its instance crashed before there was an answer: only the log knows.
		p.begun = first.begun
		s.keys.replace(p)
		s.lookLocked(p)
		s.mu.Unlock()
		return p, nil
	}
	s.mu.Unlock()
	s.send(p, rec)
	return p, nil
}

// pendingLocked counts a record that is to be answered.
func (s *Service) pendingLocked() {
	if s.stats.Pending++; s.stats.Pending == 1 {
		s.moved = time.Now()
	}
}

// checkoutID is the id of a request: random, unless a key says that it may come again.
func checkoutID(req Request) (string, error) {
	if req.IdempotencyKey == "" {
		id, err := uuid.NewRandom()
		if err != nil {
			return "", fmt.Errorf("making a checkout id: %w", err)
		}
		return id.String(), nil
	}
	cart, err := json.Marshal(req.Cart)
	if err != nil {
		return "", &CartError{Reason: err.Error()}
	}
	return services.KeyedCheckoutID(req.IdempotencyKey, req.UserID, string(cart)), nil
}

// send puts a record on the way. It is not the caller's context that it goes with: whoever stops waiting does not take the record back.
func (s *Service) send(p *promise, rec *kgo.Record) {
	p.till.cl.TryProduce(context.Background(), rec, func(rec *kgo.Record, err error) { s.resolve(p, rec, err) })
}

// resolve ends a promise with what Kafka said.
func (s *Service) resolve(p *promise, rec *kgo.Record, err error) {
	took := time.Since(p.begun)
	switch {
	case err == nil:
		if !p.found {
			s.ack.Record(took)
			s.recent.Record(took)
		}
		p.receipt.Partition, p.receipt.Offset, p.receipt.Took = rec.Partition, rec.Offset, took
		if s.cfg.Acks == AcksNone {
			p.receipt.Offset = -1
		}
		p.till.acked.Store(true)
	case errors.Is(err, kgo.ErrMaxBuffered):
		p.err = ErrBusy
	case errors.Is(err, kgo.ErrClientClosed), errors.Is(err, context.Canceled), errors.Is(err, services.ErrCut):
		// ErrCut too: what was sent before the crash may have arrived, only its retry could not be sent.
		p.err = fmt.Errorf("%w (%w)", ErrUnknown, err)
	case errors.Is(err, kerr.UnknownTopicID), !fromKafka(err):
		// The topic was made again. The client gives up what it has of the old one; a request that is on its way says the topic's name only, and may
		// be taken for the new one.
		p.err = fmt.Errorf("%w (%w)", ErrUnknown, err)
	default:
		p.err = fmt.Errorf("writing the payment: %w", err)
	}
	s.cfg.Witness.Answered(p.receipt.CheckoutID, p.receipt.Amount, p.err)

	s.mu.Lock()
	s.stats.Pending--
	s.stats.Unknown -= p.abandoned
	if rec != nil && errors.Is(err, kerr.UnknownTopicID) {
		s.forgetLocked(p.till, rec.Timestamp)
	}
	switch {
	case p.err == nil:
		s.stats.Accepted++
		s.moved = time.Now()
		s.keys.settled(p, time.Now())
	case errors.Is(p.err, ErrUnknown):
		s.stats.Unresolved++
		s.failedLocked(p.err)
		s.keys.settled(p, time.Now())
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

// fromKafka says that an error is an answer of Kafka's, and not the client's own, which sent it or not.
func fromKafka(err error) bool {
	_, ok := errors.AsType[*kerr.Error](err)
	return ok
}

// refused counts a request that did not get as far as a record.
func (s *Service) refused(id string, err error) error {
	s.cfg.Witness.Answered(id, 0, err)
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
