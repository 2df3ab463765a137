// Package load is a crowd of customers: it offers checkouts at a rate, whether the shop keeps up or not (an open loop), and
// counts what became of them. It knows neither Kafka nor the payment service, only a function to hand a cart to.
package load

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"kassa/services/events"
)

// MaxRate is the highest rate, in checkouts a second.
const MaxRate = 2000

// catchUp is how far behind its schedule the load may fall and still make up for it; what is older was not offered and is counted as shed.
const catchUp = time.Second

// tick is the shortest time between two rounds: at high rates several checkouts share one. At 200/s waking up 50 times a second instead of
// 100 took 2 of 16 % of a core off the whole program.
const tick = 20 * time.Millisecond

// Submit takes a checkout and says once, later or at once, what became of it. It must not wait.
type Submit func(userID string, cart []events.Item, done func(error))

// Figures is a snapshot; counts are since New.
type Figures struct {
	Rate     int  // checkouts a second, as set
	On       bool // whether any are offered now
	Offered  int64
	Accepted int64
	Refused  int64 // done was called with an error
	Pending  int64 // offered, and not answered yet
	Shed     int64 // due, and never offered: the program was too busy
}

// Load offers checkouts. Use New; Set may be called at any time, Run once at a time.
type Load struct {
	submit Submit
	seed   uint64
	wake   chan struct{} // holds one token after a Set

	mu   sync.Mutex
	rate int
	on   bool

	offered, accepted, refused, shed atomic.Int64
}

// New is a Load that is off, at 1 a second. The same seed offers the same carts.
func New(submit Submit, seed uint64) *Load {
	return &Load{submit: submit, seed: seed, rate: 1, wake: make(chan struct{}, 1)}
}

// Set changes the rate, kept within 1 and MaxRate, and turns the load on or off.
func (l *Load) Set(rate int, on bool) {
	l.mu.Lock()
	l.rate, l.on = min(max(rate, 1), MaxRate), on
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Figures is what was done so far.
func (l *Load) Figures() Figures {
	l.mu.Lock()
	f := Figures{Rate: l.rate, On: l.on}
	l.mu.Unlock()
	// Answers are read first: what is answered was offered before.
	f.Accepted, f.Refused = l.accepted.Load(), l.refused.Load()
	f.Offered, f.Shed = l.offered.Load(), l.shed.Load()
	f.Pending = f.Offered - f.Accepted - f.Refused
	return f
}

// Run offers checkouts until ctx ends. It does not wait for those pending.
func (l *Load) Run(ctx context.Context) {
	carts := rand.New(rand.NewPCG(l.seed, 0))
	timer := time.NewTimer(0)
	defer timer.Stop()
	var s schedule
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-l.wake:
			l.mu.Lock()
			s = schedule{start: time.Now()} // a new rate begins a new schedule
			if l.on {
				s.every = time.Second / time.Duration(l.rate)
			}
			l.mu.Unlock()
		}
		if s.every == 0 {
			continue // off: the next Set wakes it
		}
		due, shed := s.due(time.Now())
		l.shed.Add(shed)
		for range due {
			l.offer(carts)
		}
		timer.Reset(max(time.Until(s.next()), tick))
	}
}

func (l *Load) offer(carts *rand.Rand) {
	l.offered.Add(1)
	user, cart := customer(carts)
	l.submit(user, cart, func(err error) {
		if err != nil {
			l.refused.Add(1)
			return
		}
		l.accepted.Add(1)
	})
}

// customer is somebody with one to four products of the catalogue.
func customer(r *rand.Rand) (userID string, cart []events.Item) {
	catalogue := events.DefaultCart()
	for range 1 + r.IntN(4) {
		cart = append(cart, catalogue[r.IntN(len(catalogue))])
	}
	return fmt.Sprintf("user-%d", 1+r.IntN(1000)), cart
}

// schedule says when checkouts are due: the n-th at start + n*every, however late the ones before were. So the rate does
// not drift with the time that offering takes.
type schedule struct {
	start time.Time
	every time.Duration // 0: never
	given int64         // how many were due so far
}

func (s *schedule) next() time.Time { return s.start.Add(time.Duration(s.given) * s.every) }

// due is how many are due at now and were not before; shed is how many more were too long ago.
func (s *schedule) due(now time.Time) (due, shed int64) {
	passed := int64(now.Sub(s.start)/s.every) + 1 // the first is due at start
	due = max(passed-s.given, 0)
	s.given += due
	if most := int64(catchUp / s.every); due > most {
		return most, due - most
	}
	return due, 0
}
