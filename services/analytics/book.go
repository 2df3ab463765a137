package analytics

import "hash/maphash"

// stage is how far a checkout has come.
type stage int

const (
	paid stage = iota
	ordered
	emailed
)

// checkout is what is remembered of one. Its events may come in any order, since each topic is read for itself. It holds no pointers: the
// collector need not look at a hundred thousand of them.
type checkout struct {
	key        uint64
	at         [3]int64  // timestamps of its events, in ms
	id         [3]uint32 // what they are called, as sums; 0 for those not seen
	paidIn     int64     // the second in which its payment was read
	prev, next int32     // neighbours in its list
}

func (c *checkout) has(s stage) bool { return c.id[s] != 0 }

// reached is the last stage up to which the checkout was seen at all of them; -1 when its payment was not.
func (c *checkout) reached() stage {
	for s := paid; s <= emailed; s++ {
		if !c.has(s) {
			return s - 1
		}
	}
	return emailed
}

// book remembers checkouts by a sum of their id: those that are open until all of their events have come, and the last ones that are complete,
// so that what is repeated is recognised. Both are bounded, the oldest go first.
type book struct {
	seed    maphash.Seed // of this book alone, so that nobody can make ids that collide
	index   map[uint64]int32
	entries []checkout // grows up to the two bounds and is used again
	open    chain
	done    chain
	free    int32 // the first entry that is not used, and by its next the others
	maxOpen int
	maxDone int
}

func newBook(maxOpen, maxDone int) book {
	return book{
		seed: maphash.MakeSeed(), index: make(map[uint64]int32), maxOpen: maxOpen, maxDone: maxDone,
		open: chain{first: none, last: none}, done: chain{first: none, last: none}, free: none,
	}
}

// find is the checkout with this id, a new one if it is not known. The pointer holds until the next call.
func (b *book) find(id string) (c *checkout, known bool) {
	key := maphash.String(b.seed, id)
	if i, ok := b.index[key]; ok {
		return &b.entries[i], true
	}
	i := b.free
	if i == none {
		b.entries = append(b.entries, checkout{})
		i = int32(len(b.entries) - 1)
	} else {
		b.free = b.entries[i].next
	}
	b.entries[i] = checkout{key: key}
	b.index[key] = i
	b.open.push(b.entries, i)
	return &b.entries[i], false
}

// name sums up what an event is called; never 0.
func (b *book) name(id string) uint32 { return uint32(maphash.String(b.seed, id)) | 1 }

// trim keeps the bounds after c has changed: c moves to those that are complete if it is. What is forgotten while it was open is returned.
func (b *book) trim(c *checkout) (forgotten checkout, any bool) {
	if c.reached() == emailed {
		i := b.index[c.key]
		b.open.remove(b.entries, i)
		b.done.push(b.entries, i)
		if b.done.n > b.maxDone {
			b.forget(&b.done)
		}
		return checkout{}, false
	}
	if b.open.n > b.maxOpen {
		return b.forget(&b.open), true
	}
	return checkout{}, false
}

func (b *book) forget(from *chain) checkout {
	i := from.first
	c := b.entries[i]
	from.remove(b.entries, i)
	delete(b.index, c.key)
	b.entries[i].next, b.free = b.free, i
	return c
}

// chain is a list of entries, oldest first.
type chain struct {
	first, last int32
	n           int
}

const none int32 = -1

func (l *chain) push(in []checkout, i int32) {
	in[i].prev, in[i].next = l.last, none
	if l.last == none {
		l.first = i
	} else {
		in[l.last].next = i
	}
	l.last = i
	l.n++
}

func (l *chain) remove(in []checkout, i int32) {
	prev, next := in[i].prev, in[i].next
	if prev == none {
		l.first = next
	} else {
		in[prev].next = next
	}
	if next == none {
		l.last = prev
	} else {
		in[next].prev = prev
	}
	l.n--
}
