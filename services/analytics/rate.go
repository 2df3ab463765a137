package analytics

import "time"

// RateWindow is how far back rates look: as long as it takes to see a change and not each transaction.
const RateWindow = 5 * time.Second

const (
	slotLength = 250 * time.Millisecond
	slots      = int64(RateWindow/slotLength) + 1 // one more for the slot that is being filled
)

// rate counts events in a ring of slots. The zero value is empty.
type rate struct {
	counts [slots]int64
	last   int64 // number of the newest slot
	first  int64 // number of the slot of the first event; 0 before it
}

func (r *rate) add(now time.Time) {
	r.turn(now)
	if r.first == 0 {
		r.first = r.last
	}
	r.counts[r.last%slots]++
}

// turn empties the slots that have gone by. A clock that goes back counts into the newest slot.
func (r *rate) turn(now time.Time) {
	slot := now.UnixNano() / int64(slotLength)
	for n := max(r.last+1, slot-slots+1); n <= slot; n++ {
		r.counts[n%slots] = 0
	}
	r.last = max(r.last, slot)
}

// perSecond is over the whole slots of the window, or those since the first event.
func (r *rate) perSecond(now time.Time) float64 {
	r.turn(now)
	whole := min(slots-1, r.last-r.first)
	if r.first == 0 || whole <= 0 {
		return 0
	}
	var sum int64
	for n := r.last - whole; n < r.last; n++ {
		sum += r.counts[n%slots]
	}
	return float64(sum) / (time.Duration(whole) * slotLength).Seconds()
}
