// Package load is a crowd of customers. They come at a rate whether the shop keeps up or not (an open loop), or each waits for an answer
// before ordering again (a closed loop), or many come at once (a burst), and what became of their checkouts is counted. It knows neither
// Kafka nor the payment service, only a function to hand a cart to.
package load

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"kassa/services/events"
	"kassa/services/latency"
)

// Bounds of what may be set.
const (
	MaxRate      = 50_000           // checkouts a second
	MaxCustomers = 10_000           // of a closed loop
	MaxThink     = 10 * time.Minute // of one of them between two checkouts
	MaxBurst     = 5_000            // checkouts at once: a quarter of what payment lets wait
	MaxRamp      = 10 * time.Minute // how long the rate may take to its target
)

// catchUp is how far behind its schedule the load may fall and still make up for it; what is older was not offered and is counted as shed.
const catchUp = time.Second

// tick is the shortest time between two rounds: at high rates several checkouts share one. At 200/s waking up 50 times a second instead of
// 100 took 2 of 16 % of a core off the whole program.
const tick = 20 * time.Millisecond

// ErrUnknown is an answer: nobody can say whether the checkout was accepted. It is counted apart from a refusal.
var ErrUnknown = errors.New("it is not known whether the checkout was accepted")

// Submit takes a checkout and says once, later or at once, what became of it: nil, ErrUnknown, or why it was refused. It must not wait.
type Submit func(userID string, cart []events.Item, done func(error))

// Mode is how customers come.
type Mode int

// Modes.
const (
	Open   Mode = iota // at a rate, whatever comes back
	Closed             // so many, each of whom waits for an answer, thinks, and orders again
)

// Plan is what the load is asked to do. Set brings what is out of bounds within them.
type Plan struct {
	On        bool
	Mode      Mode
	Rate      int           // Open: checkouts a second, 1 to MaxRate
	Over      time.Duration // Open: the rate is reached over this time, evenly, from what it was; 0: at once. At most MaxRamp.
	Customers int           // Closed: 1 to MaxCustomers
	Think     time.Duration // Closed: from an answer to the next checkout of that customer, 0 to MaxThink
}

func (p Plan) within() Plan {
	p.Rate = min(max(p.Rate, 1), MaxRate)
	p.Over = min(max(p.Over, 0), MaxRamp)
	p.Customers = min(max(p.Customers, 1), MaxCustomers)
	p.Think = min(max(p.Think, 0), MaxThink)
	return p
}

// open says that checkouts are offered at a rate.
func (p Plan) open() bool { return p.On && p.Mode == Open }

// Figures is a snapshot; counts are since New.
type Figures struct {
	Plan Plan
	Rate int           // of an open loop: checkouts a second now; on a ramp it is not yet that of the plan
	Left time.Duration // until the ramp is over; 0 when there is none

	Offered  int64
	Accepted int64
	Refused  int64 // answered with an error that says so
	Unknown  int64 // answered with ErrUnknown
	Pending  int64 // offered, and not answered yet
	Shed     int64 // due, and never offered: the program was too busy

	// Latency is from when a checkout was due to its acceptance, of those offered since the plan last changed. A checkout of an open loop
	// or a burst is due when the schedule says, so that a load that is held up does not leave out the wait of those who would have come
	// (coordinated omission). One of a closed loop is due when it is handed in: its customer does nothing before.
	Latency latency.Percentiles
}

// Load offers checkouts. Use New; Run once at a time, everything else at any time.
type Load struct {
	submit   Submit
	products []events.Item
	seed     uint64
	accept   func(due, now time.Time) // nil for nobody
	wake     chan struct{}            // holds one token when there is news for Run

	mu      sync.Mutex
	plan    Plan
	rates   schedule // of the open loop
	crowd   crowd    // of the closed loop
	bursts  []burst  // not offered yet
	latency *latency.Histogram

	offered, accepted, refused, unknown, shed atomic.Int64
}

// burst is checkouts that are all due at once.
type burst struct {
	n   int
	due time.Time
}

// New is a Load that is off, of customers who choose among products, of which there is at least one. The same seed offers the same carts.
func New(submit Submit, products []events.Item, seed uint64) *Load {
	return &Load{submit: submit, products: products, seed: seed, wake: make(chan struct{}, 1), plan: Plan{}.within(), latency: latency.New()}
}

// OnAccepted has f called for every checkout that is accepted, with when it was due and when that was known; see Figures.Latency. It must not wait. Call it
// before Run.
func (l *Load) OnAccepted(f func(due, now time.Time)) { l.accept = f }

// Set changes the plan. A new rate begins a new schedule; one that is reached over some time begins at the rate of now, or 1 when the load
// was off.
func (l *Load) Set(p Plan) {
	p = p.within()
	now := time.Now()
	l.mu.Lock()
	from := 1
	if l.plan.open() {
		from = l.rates.rate(now.Sub(l.rates.start))
	}
	if p.Over == 0 {
		from = p.Rate
	}
	if p != l.plan {
		l.latency = latency.New()
	}
	l.plan = p
	l.rates = schedule{start: now, from: from, to: p.Rate, over: p.Over}
	l.crowd.set(p, now)
	l.mu.Unlock()
	l.news()
}

// Burst offers n checkouts at once, 1 to MaxBurst, beside what the plan says and also when it is off.
func (l *Load) Burst(n int) {
	l.mu.Lock()
	l.bursts = append(l.bursts, burst{min(max(n, 1), MaxBurst), time.Now()})
	l.mu.Unlock()
	l.news()
}

func (l *Load) news() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Figures is what was done so far.
func (l *Load) Figures() Figures {
	l.mu.Lock()
	f := Figures{Plan: l.plan}
	if l.plan.open() {
		passed := time.Since(l.rates.start)
		f.Rate, f.Left = l.rates.rate(passed), max(l.rates.over-passed, 0)
	}
	h := l.latency
	l.mu.Unlock()
	// Answers are read first: what is answered was offered before.
	f.Accepted, f.Refused, f.Unknown = l.accepted.Load(), l.refused.Load(), l.unknown.Load()
	f.Offered, f.Shed = l.offered.Load(), l.shed.Load()
	f.Pending = f.Offered - f.Accepted - f.Refused - f.Unknown
	f.Latency = h.Percentiles()
	return f
}

// Run offers checkouts until ctx ends. It does not wait for those pending.
func (l *Load) Run(ctx context.Context) {
	carts := rand.New(rand.NewPCG(l.seed, 0))
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-l.wake:
		}
		next, ok := l.round(time.Now(), carts)
		if !ok {
			timer.Stop() // the next news wakes it
			continue
		}
		timer.Reset(time.Until(next))
	}
}

// round offers what is due, and says when more will be; not ok means not before there is news.
func (l *Load) round(now time.Time, carts *rand.Rand) (next time.Time, ok bool) {
	l.mu.Lock()
	h := l.latency
	bursts := l.bursts
	l.bursts = nil
	var from, to, shed int64
	var leave int
	s := l.rates
	if l.plan.open() {
		from, to, shed = l.rates.due(now)
	} else if l.plan.On {
		leave = l.crowd.leave(now)
	}
	generation := l.crowd.generation
	l.mu.Unlock()

	for _, b := range bursts {
		for range b.n {
			l.offer(carts, b.due, h, nil)
		}
	}
	l.shed.Add(shed)
	for n := from; n < to; n++ {
		l.offer(carts, earliest(s.at(n), now), h, nil)
	}
	for range leave {
		l.offer(carts, time.Now(), h, func(err error) { l.returned(generation, err) })
	}

	l.mu.Lock()
	defer l.mu.Unlock()
	if l.plan.open() {
		return l.rates.next(), true
	}
	return l.crowd.next()
}

// returned sends a customer of a closed loop home to think.
func (l *Load) returned(generation int, err error) {
	now := time.Now()
	l.mu.Lock()
	first := l.crowd.back(generation, l.plan, now, err != nil)
	l.mu.Unlock()
	if first {
		l.news()
	}
}

// offer hands one checkout in.
func (l *Load) offer(carts *rand.Rand, due time.Time, h *latency.Histogram, then func(error)) {
	l.offered.Add(1)
	user, cart := l.customer(carts)
	l.submit(user, cart, func(err error) {
		switch {
		case err == nil:
			now := time.Now()
			h.Record(now.Sub(due))
			l.accepted.Add(1)
			if l.accept != nil {
				l.accept(due, now)
			}
		case errors.Is(err, ErrUnknown):
			l.unknown.Add(1)
		default:
			l.refused.Add(1)
		}
		if then != nil {
			then(err)
		}
	})
}

// customer is somebody with one to four products.
func (l *Load) customer(r *rand.Rand) (userID string, cart []events.Item) {
	for range 1 + r.IntN(4) {
		cart = append(cart, l.products[r.IntN(len(l.products))])
	}
	return fmt.Sprintf("user-%d", 1+r.IntN(1000)), cart
}
