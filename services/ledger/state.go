package ledger

import "errors"

// kept is how many places of one topic are remembered of a checkout, those of the lowest partition and offset. The others are counted.
const kept = 3

// state is all that is known of a checkout. It is of one size however many records it has, and the same in whatever order they come.
type state struct {
	key      string // the id, packed
	promise  Promise
	nameless bool
	seen     [flow]seen
	letters  [flow]letters
	// Amounts of its payments, those that could be read; changed if one of them is not the sum of its cart.
	least, most int64
	changed     bool
}

// seen is the records of one topic.
type seen struct {
	n       int64 // records
	retries int64 // of those, written again by hand, after they had died
	tx      int64 // of the others, written in transactions
	spots   [kept]spot
	first   int64  // the earliest timestamp, ms
	id      uint64 // what they are called
	differ  bool   // they are called differently
}

// letters is the dead letters about the records of one topic.
type letters struct {
	n    int64
	spot spot
}

func (s *state) add(g sighting) {
	s.nameless = s.nameless || g.nameless
	if g.dead {
		l := &s.letters[g.stage]
		if l.n == 0 || g.spot.before(l.spot) {
			l.spot = g.spot
		}
		l.n++
		return
	}
	n := &s.seen[g.stage]
	if n.n == 0 || g.at < n.first {
		n.first = g.at
	}
	if n.n == 0 {
		n.id = g.id
	}
	n.differ = n.differ || n.id != g.id
	n.keep(g.spot)
	n.n++
	switch {
	case g.retry:
		n.retries++
	case g.tx:
		n.tx++
	}
	if g.amount != NoAmount {
		if s.least == NoAmount || g.amount < s.least {
			s.least = g.amount
		}
		s.most = max(s.most, g.amount)
	}
	s.changed = s.changed || g.changed
}

// keep puts a place among those that are remembered, if it is before one of them.
func (n *seen) keep(p spot) {
	have := int(min(n.n, kept))
	i := have
	for i > 0 && p.before(n.spots[i-1]) {
		i--
	}
	if i == kept {
		return
	}
	copy(n.spots[i+1:], n.spots[i:min(have, kept-1)])
	n.spots[i] = p
}

func (n *seen) places(s stage) []string {
	var all []string
	for _, p := range n.spots[:min(n.n, kept)] {
		all = append(all, place(topics[s], p))
	}
	return all
}

// promised notes a promise. Of several the strongest counts, since the first time that the customer asked.
func (s *state) promised(p Promise) {
	was := s.promise
	p.Checkout = ""
	if was.Outcome == 0 {
		s.promise = p
		return
	}
	if p.Outcome > was.Outcome {
		s.promise.Outcome, s.promise.Amount = p.Outcome, p.Amount
	}
	if p.At.Before(was.At) { // not known is before all
		s.promise.At = p.At
	}
}

// stateBytes is what a checkout takes in a table: the state, its key, and its part of the map.
const stateBytes = 640

// errFull says that there are more checkouts than the table may hold.
var errFull = errors.New("the table is full")

// table is the checkouts of a bucket. It is used again for the next.
type table struct {
	most   int // 0 for any number
	index  map[string]int32
	states []state
}

func (t *table) reset() {
	clear(t.index)
	clear(t.states)
	t.states = t.states[:0]
}

// add notes an entry.
func (t *table) add(entry []byte) error {
	id, rest := cutID(entry[1:])
	i, ok := t.index[string(id)]
	if !ok {
		if t.most > 0 && len(t.states) >= t.most {
			return errFull
		}
		i = int32(len(t.states))
		key := string(id)
		t.index[key] = i
		t.states = append(t.states, state{key: key, least: NoAmount, most: NoAmount})
	}
	if entry[0]&entryPromise != 0 {
		t.states[i].promised(readPromise(entry[0], rest))
	} else {
		t.states[i].add(readSighting(entry[0], rest))
	}
	return nil
}
