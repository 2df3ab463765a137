package load

import (
	"math"
	"math/bits"
	"time"
)

// schedule says when the checkouts of an open loop are due: the rate goes evenly from one to another over some time and stays there. The n-th
// is due when it is, however late the ones before were, so the rate does not drift with the time that offering takes. What is due within
// a tick is due together, at its end; a load that is slower than that is due to the nanosecond.
type schedule struct {
	start    time.Time
	from, to int           // checkouts a second, at least 1
	over     time.Duration // 0: to, from the start
	given    int64         // how many were due so far
}

// rate is checkouts a second when this time has passed since the start.
func (s *schedule) rate(passed time.Duration) int {
	if passed >= s.over {
		return s.to
	}
	share := float64(max(passed, 0)) / float64(s.over)
	return s.from + int(math.Round(share*float64(s.to-s.from)))
}

// ramp is how many are due while the rate changes, in halves of a billionth of a checkout: the mean rate times the time.
func (s *schedule) ramp() uint64 { return uint64(s.from+s.to) * uint64(s.over) }

// total is how many fall into this time since the start, which is not negative. After the ramp it is whole numbers all along, and so exact for good.
func (s *schedule) total(passed time.Duration) int64 {
	if passed < s.over {
		t, over := passed.Seconds(), s.over.Seconds()
		return int64(float64(s.from)*t+float64(s.to-s.from)*t*t/(2*over)) + 1 // the first at the start
	}
	hi, lo := bits.Mul64(2*uint64(s.to), uint64(passed-s.over))
	lo, carry := bits.Add64(lo, s.ramp(), 0)
	n, _ := bits.Div64(hi+carry, lo, 2e9)
	return int64(n) + 1
}

// after is the time since the start at which the n-th falls, the first being 0: the least with a total of n+1.
func (s *schedule) after(n int64) time.Duration {
	if ramp := s.ramp(); ramp > 0 && uint64(n) <= (ramp-1)/2e9 {
		// from·t + a·t²/2 = n, solved for t in the form that does not lose digits when a is small.
		a := float64(s.to-s.from) / s.over.Seconds()
		from := float64(s.from)
		t := 2 * float64(n) / (from + math.Sqrt(max(from*from+2*a*float64(n), 0)))
		d := min(time.Duration(t*float64(time.Second)), s.over)
		for s.total(d) <= n { // some nanoseconds, at most
			d++
		}
		return d
	}
	hi, lo := bits.Mul64(uint64(n), 2e9)
	lo, borrow := bits.Sub64(lo, s.ramp(), 0)
	d, rest := bits.Div64(hi-borrow, lo, 2*uint64(s.to))
	if rest > 0 {
		d++
	}
	return s.over + time.Duration(d)
}

// at is when the n-th is due: in the tick that it falls into, when several do.
func (s *schedule) at(n int64) time.Time {
	d := s.after(n)
	if s.to > int(time.Second/tick) || d < s.over {
		d = (d + tick - 1) / tick * tick
	}
	return s.start.Add(d)
}

func (s *schedule) next() time.Time { return s.at(s.given) }

// due is those that are due at now and were not before, from the first to the one before to. Shed is how many more were too long ago.
func (s *schedule) due(now time.Time) (from, to, shed int64) {
	to = max(s.total(max(now.Sub(s.start), 0)), s.given)
	from = s.given
	s.given = to
	if most := int64(s.rate(now.Sub(s.start))) * int64(catchUp/time.Second); to-from > most {
		shed = to - from - most
		from += shed
	}
	return from, to, shed
}
