package analytics

import (
	"math"
	"time"

	"kassa/services/events"
)

// Window is how far back the last minute goes. It slides by a second.
const Window = time.Minute

// RateWindow is how far back rates look: as long as it takes to see a change and not each transaction.
const RateWindow = 5 * time.Second

// LateAfter is when a checkout that is not complete counts as late, from when its payment was read, to the second. It is longer than a broker
// or a service takes to be replaced. Late is not lost.
const LateAfter = 10 * time.Second

const (
	windowSeconds = int64(Window / time.Second)
	rateSeconds   = int64(RateWindow / time.Second)
	lateSeconds   = int64(LateAfter / time.Second)
)

// second is what was read within one second of this machine's clock.
type second struct {
	events  [3]int64 // by stage
	revenue events.Money
	sold    [MaxProducts + 1]sold // by product

	// How far the checkouts have come whose payment is of this second, by now.
	reached   [3]int64
	forgotten [3]int64 // by the stage that they had reached
}

// minute is the seconds that one may still ask for. A clock that goes back counts into the newest second.
type minute struct {
	seconds [windowSeconds]second
	newest  int64 // Unix time; 0 before the first turn
	first   int64 // the second of the first turn
}

// turn empties the seconds that have gone by and returns the number of the present one.
func (m *minute) turn(now time.Time) int64 {
	n := now.Unix()
	if m.first == 0 {
		m.first, m.newest = n, n
	}
	for i := max(m.newest+1, n-windowSeconds+1); i <= n; i++ {
		*m.slot(i) = second{}
	}
	m.newest = max(m.newest, n)
	return m.newest
}

func (m *minute) slot(n int64) *second {
	return &m.seconds[(n%windowSeconds+windowSeconds)%windowSeconds]
}

// at is a second of the window; nil for one that has gone by.
func (m *minute) at(n int64) *second {
	if n <= m.newest-windowSeconds || n > m.newest {
		return nil
	}
	return m.slot(n)
}

// since calls f for the seconds from n on, as far as they are in the window.
func (m *minute) since(n int64, f func(*second)) {
	for n = max(n, m.newest-windowSeconds+1); n <= m.newest; n++ {
		f(m.slot(n))
	}
}

// perSecond are the rates of the three events over the whole seconds of RateWindow, or those since the first.
func (m *minute) perSecond() (rates [3]float64) {
	whole := min(rateSeconds, m.newest-m.first)
	if whole <= 0 {
		return rates
	}
	for n := m.newest - whole; n < m.newest; n++ {
		for s, count := range m.slot(n).events {
			rates[s] += float64(count)
		}
	}
	for s := range rates {
		rates[s] /= float64(whole)
	}
	return rates
}

// plus adds amounts and stops at the largest: other programs may write many that are absurdly large.
func plus(a, b events.Money) events.Money {
	if b > 0 && a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}
