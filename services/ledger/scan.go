package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// scan is the reading of all that a survey found.
type scan struct {
	next map[partition]int64 // of those that are not read to their end: the offset that is next
	// begins is where each partition begins that has forgotten its first records: before the audit, or while it read; and young the
	// timestamp of the first record from there, in ms, if there was one.
	begins  map[partition]int64
	young   map[partition]int64
	records int64
	aborted int64
	done    int64 // offsets
}

// errLost says that a partition has lost its end while it was read.
var errLost = errors.New("the partition went back while it was read")

// scan reads every span and hands out its records, those of a partition in order. With read_committed, records of aborted transactions are left out by
// the client, and all that the ledger sees of them is that their offsets are missing. A span whose end is held back by an open transaction takes until
// that ends.
func (r *reader) scan(ctx context.Context, s survey, visit func(*kgo.Record) error, tell func(done int64)) (*scan, error) {
	c := &scan{next: make(map[partition]int64), begins: make(map[partition]int64), young: make(map[partition]int64)}
	begin := make(map[string]map[int32]kgo.Offset)
	for p, sp := range s.spans {
		if sp.from > 0 {
			c.begins[p] = sp.from
		}
		if sp.from == sp.to {
			continue
		}
		c.next[p] = sp.from
		if begin[p.topic] == nil {
			begin[p.topic] = make(map[int32]kgo.Offset)
		}
		begin[p.topic][p.id] = kgo.NewOffset().At(sp.from)
	}
	if len(c.next) == 0 {
		return c, nil
	}
	r.cl.AddConsumePartitions(begin)
	var trouble error
	for last := time.Now(); len(c.next) > 0; { // when a record came
		wait, cancel := context.WithDeadline(ctx, last.Add(r.patience))
		fetches := r.cl.PollRecords(wait, 5000)
		late := wait.Err() != nil
		cancel()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		came := false
		for _, f := range partitionsOf(fetches) {
			p := partition{f.Topic, f.Partition}
			if _, open := c.next[p]; !open {
				continue
			}
			if f.Err != nil && !errors.Is(f.Err, context.DeadlineExceeded) {
				trouble = fmt.Errorf("%s: %w", p, f.Err)
			}
			came = came || len(f.Records) > 0
			c.forgotten(p, f.LogStartOffset, s.spans[p].to)
			for _, rec := range f.Records {
				if err := c.take(p, s.spans[p].to, rec, visit); err != nil {
					return nil, err
				}
			}
			if _, open := c.next[p]; !open {
				r.cl.RemoveConsumePartitions(map[string][]int32{p.topic: {p.id}})
			}
		}
		tell(c.done)
		switch {
		case came:
			last = time.Now()
		case len(c.next) == 0:
		case late:
			return nil, errors.Join(fmt.Errorf("nothing came from %s within %s, and %s not read to the end", c.left(), r.patience, isAre(len(c.next))), trouble)
		default: // nothing but errors, of which the next poll has more
			breathe(ctx)
		}
	}
	return c, nil
}

// breathe is a short pause, unless ctx ends.
func breathe(ctx context.Context) {
	t := time.NewTimer(100 * time.Millisecond)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

func partitionsOf(fetches kgo.Fetches) []kgo.FetchTopicPartition {
	var all []kgo.FetchTopicPartition
	fetches.EachPartition(func(f kgo.FetchTopicPartition) { all = append(all, f) })
	return all
}

// forgotten notes that retention has overtaken the reader: the partition now begins at start. What was deleted before it could be read was not aborted.
func (c *scan) forgotten(p partition, start, to int64) {
	if start <= c.next[p] {
		return
	}
	c.begins[p] = start
	delete(c.young, p)
	c.done += min(start, to) - c.next[p]
	if c.next[p] = min(start, to); start >= to {
		delete(c.next, p)
	}
}

// take notes one record of a partition that is to be read up to here.
func (c *scan) take(p partition, to int64, rec *kgo.Record, visit func(*kgo.Record) error) error {
	next, open := c.next[p]
	if !open {
		return nil
	}
	if rec.Offset < next {
		return fmt.Errorf("%s: %w: offset %d came after %d", p, errLost, rec.Offset, next-1)
	}
	if _, forgets := c.begins[p]; forgets {
		if _, ok := c.young[p]; !ok {
			c.young[p] = rec.Timestamp.UnixMilli()
		}
	}
	at := min(rec.Offset, to)
	c.aborted += max(at-next, 0)
	if rec.Offset >= to {
		c.done += at - next
		delete(c.next, p)
		return nil
	}
	c.done += at + 1 - next
	if !rec.Attrs.IsControl() {
		c.records++
		if err := visit(rec); err != nil {
			return err
		}
	}
	if c.next[p] = rec.Offset + 1; rec.Offset+1 >= to {
		delete(c.next, p)
	}
	return nil
}

// left names the partitions that are not read to their end.
func (c *scan) left() string {
	var names []string
	for p := range c.next {
		names = append(names, p.String())
	}
	slices.Sort(names)
	if len(names) > 3 {
		return fmt.Sprintf("%s and %d more", names[0], len(names)-1)
	}
	text := names[0]
	for _, n := range names[1:] {
		text += ", " + n
	}
	return text
}

func isAre(n int) string {
	if n == 1 {
		return "it is"
	}
	return "they are"
}
