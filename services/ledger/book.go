package ledger

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"
)

// Book notes what customers are promised. Its methods may be called from several goroutines. It keeps in memory only what is not answered
// yet; answers go to an unlinked temporary file, some 30 bytes each. BenchmarkBook says what noting one costs.
type Book struct {
	begun time.Time

	mu      sync.Mutex
	pending map[string]asked
	spool   spool
	buf     []byte // answers that are not in the spool yet
	tally   BookCounts
	noID    int64 // refused before they had an id
	err     error // why answers are missing; nil while none are
}

// asked is a request that waits for its answer.
type asked struct {
	amount int64
	at     time.Time
}

// BookCounts are answers since the Book was begun. A checkout that was asked for twice has two.
type BookCounts struct {
	Pending, Accepted, Refused, Unknown int64
}

// bookBuffer is how many bytes of answers are kept before they are written.
const bookBuffer = 256 << 10

// NewBook is an empty Book, with its file in this directory; empty means os.TempDir.
func NewBook(dir string) *Book {
	return &Book{begun: time.Now(), pending: make(map[string]asked), spool: spool{dir: dir}}
}

// Begun is since when the Book knows of everything that was asked for. Zero is for ever.
func (b *Book) Begun() time.Time { return b.begun }

// Counts is what was answered so far.
func (b *Book) Counts() BookCounts {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := b.tally
	c.Pending = int64(len(b.pending))
	return c
}

// Ask notes that a customer asks for a checkout, before anything is written for it. Until it is answered it is Unknown.
func (b *Book) Ask(checkout string, amount int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pending[checkout] = asked{amount, time.Now()}
}

// Answer notes what the customer was told. An empty checkout is a request that was refused before it had an id.
func (b *Book) Answer(checkout string, o Outcome, amount int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	at := time.Now()
	if a, ok := b.pending[checkout]; ok {
		at = a.at
		delete(b.pending, checkout)
	}
	b.noteLocked(Promise{checkout, o, amount, at})
}

func (b *Book) noteLocked(p Promise) {
	switch p.Outcome {
	case Accepted:
		b.tally.Accepted++
	case Unknown:
		b.tally.Unknown++
	case Refused:
		b.tally.Refused++
	}
	if p.Checkout == "" && p.Outcome == Refused {
		b.noID++
		return // nothing to look for
	}
	if b.err != nil {
		return // the book will not be whole any more, nobody reads it
	}
	if p.Checkout == "" || len(p.Checkout) > maxID {
		b.failLocked(fmt.Errorf("a checkout id of %d bytes", len(p.Checkout)))
		return
	}
	n := len(b.buf)
	b.buf = append(b.buf, 0, 0)
	b.buf = p.append(b.buf)
	binary.LittleEndian.PutUint16(b.buf[n:], uint16(len(b.buf)-n-2))
	if len(b.buf) < bookBuffer {
		return
	}
	if _, err := b.spool.write(b.buf); err != nil {
		b.failLocked(err)
		return
	}
	b.buf = b.buf[:0]
}

// failLocked gives up noting answers, and what would wait for ever to be written: a full disk may stay full for as long as the process lives.
func (b *Book) failLocked(err error) { b.err, b.buf = err, nil }

// mark is a point in the Book's time: what was answered before it is in its first so many bytes.
type mark int64

func (b *Book) mark() mark {
	b.mu.Lock()
	defer b.mu.Unlock()
	return mark(b.spool.size + int64(len(b.buf)))
}

// each visits every promise: the answers in their order, then those pending as Unknown. An answer that acknowledges, and came after the mark, is handed
// out as Unknown: whoever took the ends of the topics in between cannot tell on which side of them its record is. It says how many were
// refused before they had an id.
func (b *Book) each(answered mark, visit func(Promise) error) (refused int64, err error) {
	b.mu.Lock()
	end := b.spool.size
	buf := append([]byte(nil), b.buf...)
	open := maps.Clone(b.pending)
	refused, err = b.noID, b.err
	b.mu.Unlock()
	if err != nil {
		return refused, fmt.Errorf("the book of promises is not whole: %w", err)
	}

	at := int64(0)
	page := make([]byte, 0, bookBuffer)
	for from := int64(0); from < end; {
		// What is left of the page before, and the next piece of the file.
		n := len(page)
		more := int(min(end-from, int64(bookBuffer)))
		page = append(page, make([]byte, more)...)
		if err := b.spool.read(page[n:], from); err != nil {
			return refused, err
		}
		from += int64(more)
		used, err := promises(page, at, answered, visit)
		if err != nil {
			return refused, err
		}
		at += int64(used)
		page = append(page[:0], page[used:]...)
	}
	if _, err := promises(append(page, buf...), at, answered, visit); err != nil {
		return refused, err
	}
	for id, a := range open {
		if err := visit(Promise{id, Unknown, a.amount, a.at}); err != nil {
			return refused, err
		}
	}
	return refused, nil
}

// promises visits those that are whole in a page that begins at this place in the Book, and says how many bytes they are.
func promises(page []byte, at int64, answered mark, visit func(Promise) error) (used int, err error) {
	for len(page)-used >= 2 {
		n := int(binary.LittleEndian.Uint16(page[used:])) + 2
		if len(page)-used < n {
			break
		}
		entry := page[used+2 : used+n]
		id, rest := cutID(entry[1:])
		p := readPromise(entry[0], rest)
		p.Checkout = unpackID(string(id))
		if p.Outcome == Accepted && at+int64(used) >= int64(answered) {
			p.Outcome = Unknown
		}
		if err := visit(p); err != nil {
			return used, err
		}
		used += n
	}
	return used, nil
}

// Close forgets everything.
func (b *Book) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err == nil {
		b.err = errors.New("it is closed")
	}
	b.buf = nil
	clear(b.pending)
	return b.spool.close()
}
