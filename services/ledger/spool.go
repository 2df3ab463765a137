package ledger

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
)

// spool is a temporary file that has no name: it is unlinked as soon as it is made, and the system takes its space back when the process ends,
// however it ends. There is no file before something is written.
type spool struct {
	dir  string
	file *os.File
	size int64
}

func (s *spool) write(p []byte) (at int64, err error) {
	if s.file == nil {
		f, err := os.CreateTemp(s.dir, "kassa-ledger-")
		if err != nil {
			return 0, fmt.Errorf("make a temporary file: %w", err)
		}
		if err := os.Remove(f.Name()); err != nil {
			return 0, errors.Join(fmt.Errorf("unlink a temporary file: %w", err), f.Close())
		}
		s.file = f
	}
	if _, err := s.file.WriteAt(p, s.size); err != nil {
		return 0, fmt.Errorf("write a temporary file of %d bytes: %w", s.size, err)
	}
	at = s.size
	s.size += int64(len(p))
	return at, nil
}

func (s *spool) read(p []byte, at int64) error {
	if _, err := s.file.ReadAt(p, at); err != nil {
		return fmt.Errorf("read a temporary file: %w", err)
	}
	return nil
}

func (s *spool) close() error {
	if s.file == nil {
		return nil
	}
	f := s.file
	s.file, s.size = nil, 0
	return f.Close()
}

// buffered is how many bytes of entries wait in memory before they are written out, all buckets together.
const buffered = 16 << 20

// buckets deals entries out by a key. The newest are in memory, the others in a spool. The order within a bucket is kept.
type buckets struct {
	spool   spool
	limit   int // bytes in memory
	waiting int
	by      map[uint64]*bucket
	scratch []byte
}

type bucket struct {
	buf    []byte
	chunks []chunk
}

// chunk is some entries of one bucket, in the spool.
type chunk struct {
	at int64
	n  int
}

func newBuckets(dir string, limit int) *buckets {
	return &buckets{spool: spool{dir: dir}, limit: limit, by: make(map[uint64]*bucket)}
}

func (b *buckets) add(key uint64, entry []byte) error {
	k := b.by[key]
	if k == nil {
		k = &bucket{}
		b.by[key] = k
	}
	n := len(k.buf)
	k.buf = binary.AppendUvarint(k.buf, uint64(len(entry)))
	k.buf = append(k.buf, entry...)
	if b.waiting += len(k.buf) - n; b.waiting > b.limit {
		return b.flush()
	}
	return nil
}

func (b *buckets) flush() error {
	for _, k := range b.by {
		if len(k.buf) == 0 {
			continue
		}
		at, err := b.spool.write(k.buf)
		if err != nil {
			return err
		}
		k.chunks = append(k.chunks, chunk{at, len(k.buf)})
		k.buf = k.buf[:0]
	}
	b.waiting = 0
	return nil
}

// keys are those of all buckets, ascending.
func (b *buckets) keys() []uint64 {
	keys := make([]uint64, 0, len(b.by))
	for k := range b.by {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// read visits the entries of a bucket in the order in which they came. An entry is the visitor's until it returns.
func (b *buckets) read(key uint64, visit func(entry []byte) error) error {
	k := b.by[key]
	if k == nil {
		return nil
	}
	for _, c := range k.chunks {
		b.scratch = slices.Grow(b.scratch[:0], c.n)[:c.n]
		if err := b.spool.read(b.scratch, c.at); err != nil {
			return err
		}
		if err := each(b.scratch, visit); err != nil {
			return err
		}
	}
	return each(k.buf, visit)
}

func each(buf []byte, visit func(entry []byte) error) error {
	for len(buf) > 0 {
		n, used := binary.Uvarint(buf)
		if used <= 0 || n > uint64(len(buf)-used) {
			return errors.New("a temporary file is not as it was written")
		}
		if err := visit(buf[used : used+int(n)]); err != nil {
			return err
		}
		buf = buf[used+int(n):]
	}
	return nil
}

// drop frees the memory of a bucket that is done with.
func (b *buckets) drop(key uint64) {
	if k := b.by[key]; k != nil {
		b.waiting -= len(k.buf)
		delete(b.by, key)
	}
}

func (b *buckets) close() error {
	b.by, b.scratch = nil, nil
	return b.spool.close()
}
