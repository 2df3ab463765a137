package ledger

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
)

// turn is where a checkout's events are, those that are in the partition of its payment.
type turn struct {
	key   string // the checkout id, packed
	early bool   // an event of it is older than its cause
	at    spot   // of its payment
	next  [2]int64
}

// nowhere is the offset of an event that is not there, or elsewhere.
const nowhere int64 = -1

// stretch is how many offsets of a partition of payments are compared at once: as many turns are in memory, some 15 MB.
const stretch = 1 << 17

// sequence judges whether checkouts kept the order of their payments, in every partition, in each of the topics that follow. The first record of a
// checkout counts: what is repeated comes late. It is bounded: turns are dealt out by stretches of offsets of the payments, and those are
// gone through from the last to the first. A checkout was overtaken if one with a later payment has an earlier event.
type sequence struct {
	turns   *buckets
	stretch int64
	scratch []byte
}

func newSequence(dir string, limit int, offsets int64) *sequence {
	return &sequence{turns: newBuckets(dir, limit), stretch: offsets}
}

func (q *sequence) add(t turn) error {
	b := q.scratch[:0]
	flag := byte(0)
	if t.early {
		flag = 1
	}
	b = append(b, flag)
	b = append(b, t.key...)
	b = binary.AppendUvarint(b, uint64(t.at.offset))
	for _, o := range t.next {
		b = binary.AppendVarint(b, o-t.at.offset)
	}
	q.scratch = b
	return q.turns.add(uint64(t.at.partition)<<40|uint64(t.at.offset/q.stretch), b)
}

func readTurn(partition int32, entry []byte) turn {
	key, rest := cutID(entry[1:])
	n := numbers{rest}
	t := turn{key: string(key), early: entry[0] == 1, at: spot{partition, int64(n.uvarint())}}
	for i := range t.next {
		t.next[i] = n.varint() + t.at.offset
	}
	return t
}

// judge tells of every checkout that is out of order, once, why and where.
func (q *sequence) judge(done func() error, tell func(key, why string, where []string)) error {
	var (
		turns     []turn
		partition = int32(-1)
		earliest  [2]struct{ next, pay int64 } // of those with later payments
	)
	keys := q.turns.keys()
	for _, key := range slices.Backward(keys) {
		if p := int32(key >> 40); p != partition {
			partition = p
			for i := range earliest {
				earliest[i].next = math.MaxInt64
			}
		}
		turns = turns[:0]
		err := q.turns.read(key, func(entry []byte) error {
			turns = append(turns, readTurn(partition, entry))
			return nil
		})
		if err != nil {
			return err
		}
		q.turns.drop(key)
		slices.SortFunc(turns, func(a, b turn) int { return cmp.Compare(b.at.offset, a.at.offset) })
		for _, t := range turns {
			why, where := "", []string(nil)
			if t.early {
				why, where = isEarly, t.places()
			}
			for i, next := range t.next {
				if next == nowhere {
					continue
				}
				e := &earliest[i]
				if next > e.next && why == "" {
					g := order + stage(i)
					why = fmt.Sprintf("its %s comes after that of the payment at %s, which came later", g, place(topics[payment], spot{partition, e.pay}))
					where = append(t.places(), place(topics[g], spot{partition, e.next}))
				}
				if next < e.next {
					e.next, e.pay = next, t.at.offset
				}
			}
			if why != "" {
				tell(t.key, why, where)
			}
		}
		if err := done(); err != nil {
			return err
		}
	}
	return nil
}

func (t turn) places() []string {
	all := []string{place(topics[payment], t.at)}
	for i, o := range t.next {
		if o != nowhere {
			all = append(all, place(topics[order+stage(i)], spot{t.at.partition, o}))
		}
	}
	return all
}

func (q *sequence) close() error { return q.turns.close() }
