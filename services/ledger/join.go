package ledger

import (
	"errors"
	"hash/maphash"
)

// The hash of a checkout's id deals its entries out: the first bits choose one of 256 buckets, and where a bucket has too many checkouts, the
// next ones choose among 16 smaller ones.
const (
	firstBits = 8
	splitBits = 4
)

// join brings together what was promised and what the log holds of each checkout, in bounded memory: see the comment of the package.
type join struct {
	seed    maphash.Seed
	dir     string
	limit   int // bytes of entries in memory
	first   int // bits of the hash that choose the first bucket
	entries *buckets
	n       int64 // entries
	table   table
	order   *sequence
	splits  int64 // buckets that had to be dealt out again
	size    int64 // bytes of entries that were written out
}

// newJoin is a join of at most so many checkouts in memory, with so many bytes of entries; turns are compared by stretches of offsets.
func newJoin(seed maphash.Seed, dir string, checkouts, limit int, offsets int64) *join {
	return &join{
		seed: seed, dir: dir, limit: limit, first: firstBits, entries: newBuckets(dir, limit),
		table: table{most: max(checkouts, 1), index: make(map[string]int32)}, order: newSequence(dir, limit, offsets),
	}
}

// bits is a part of the hash of an entry's checkout, from this bit on.
func (j *join) bits(entry []byte, from, n int) uint64 {
	id, _ := cutID(entry[1:])
	return maphash.Bytes(j.seed, id) << from >> (64 - n)
}

func (j *join) add(entry []byte) error {
	j.n++
	return j.entries.add(j.bits(entry, 0, j.first), entry)
}

// judge hands every checkout to the judge, and then what is out of order. done is told of progress, in entries, and may end it.
func (j *join) judge(by *judge, done func(done, total int64) error) error {
	j.size = j.entries.spool.size
	read := int64(0)
	for _, key := range j.entries.keys() {
		n, err := j.bucket(by, j.entries, key, 0)
		if err != nil {
			return err
		}
		read += n
		if err := done(read, j.n); err != nil {
			return err
		}
	}
	if err := j.entries.close(); err != nil {
		return err
	}
	return j.order.judge(func() error { return done(j.n, j.n) }, by.outOfOrder)
}

// bucket judges the checkouts of a bucket, and says how many entries it had.
func (j *join) bucket(by *judge, of *buckets, key uint64, splits int) (n int64, err error) {
	j.table.reset()
	most := j.table.most
	if j.first+(splits+1)*splitBits > 64 {
		j.table.most = 0 // the hash tells them apart no further
	}
	err = of.read(key, func(entry []byte) error { n++; return j.table.add(entry) })
	j.table.most = most
	if errors.Is(err, errFull) {
		return j.split(by, of, key, splits)
	}
	if err != nil {
		return n, err
	}
	of.drop(key)
	for i := range j.table.states {
		if err := by.checkout(&j.table.states[i]); err != nil {
			return n, err
		}
	}
	return n, nil
}

// split deals a bucket out again, and judges each of the smaller ones.
func (j *join) split(by *judge, of *buckets, key uint64, splits int) (n int64, err error) {
	j.splits++
	small := newBuckets(j.dir, j.limit/4)
	defer func() { err = errors.Join(err, small.close()) }()
	err = of.read(key, func(entry []byte) error {
		return small.add(j.bits(entry, j.first+splits*splitBits, splitBits), entry)
	})
	if err != nil {
		return n, err
	}
	of.drop(key)
	for _, k := range small.keys() {
		m, err := j.bucket(by, small, k, splits+1)
		n += m
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

func (j *join) close() error { return errors.Join(j.entries.close(), j.order.close()) }
