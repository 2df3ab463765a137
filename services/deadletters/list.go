package deadletters

import (
	"cmp"
	"context"
	"hash/maphash"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kassa/services/events"
)

// Query says which dead letters.
type Query struct {
	Topics  []string  // source topics; nil for all
	Limit   int       // at most so many letters, the newest; the counts are of all
	Since   time.Time // died then or later; zero for all
	Preview int       // bytes of each key and value to keep, and of each header's value
}

// Listing is what a Query found.
type Listing struct {
	Letters []Letter // newest first
	Total   int      // letters, whether in Letters or not
	Retried int      // records that were written again in that time, of whatever age their letters are
	Counts  []Count  // of Total, most first
}

// Count is how many letters of a topic died of the same reason.
type Count struct {
	Topic  string // source topic
	Reason string // with # for its numbers; empty for all those of the topic that are more than can be told apart
	N      int
}

// maxReasons is how many different reasons of a topic are told apart: a reason can quote what a stranger wrote.
const maxReasons = 100

// List reads all dead letters of a Query. Only the letters that it returns are kept in memory.
func (s *Store) List(ctx context.Context, q Query) (Listing, error) {
	r, err := s.open(identifier{maphash.MakeSeed()})
	if err != nil {
		return Listing{}, err
	}
	defer r.close()
	spans, err := r.spans(ctx, q.sources())
	if err != nil {
		return Listing{}, err
	}
	if !q.Since.IsZero() {
		if err := r.since(ctx, spans, q.Since); err != nil {
			return Listing{}, err
		}
	}
	c := newCollector(r.ids, q)
	if err := r.scan(ctx, spans, c.add); err != nil {
		return Listing{}, err
	}
	return c.listing(), nil
}

// Latest reads the newest letters of a Query, and no more of the log than that takes. It leaves the counts out.
func (s *Store) Latest(ctx context.Context, q Query) ([]Letter, error) {
	r, err := s.open(identifier{maphash.MakeSeed()})
	if err != nil {
		return nil, err
	}
	defer r.close()
	all, err := r.spans(ctx, q.sources())
	if err != nil {
		return nil, err
	}
	// Each transaction adds a marker to what it wrote, so the newest n letters take 2n offsets or more.
	for window := int64(2*q.Limit + 8); ; window *= 4 {
		spans, cut := make(map[partition]span, len(all)), []partition(nil)
		for p, sp := range all {
			spans[p] = span{max(sp.from, sp.to-window), sp.to}
			if spans[p].from > sp.from {
				cut = append(cut, p)
			}
		}
		c := newCollector(r.ids, q)
		if err := r.scan(ctx, spans, c.add); err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(cut, c.lacks) {
			return c.listing().Letters, nil
		}
	}
}

func (q Query) sources() []string {
	if len(q.Topics) == 0 {
		return Topics()
	}
	return q.Topics
}

// collector keeps the newest letters of each partition, and counts them all.
type collector struct {
	ids    identifier
	q      Query
	found  Listing
	newest map[partition]*newest
	counts map[Count]int // N is 0
	kinds  map[string]int
}

// newest is the last letters of one partition, oldest first.
type newest struct {
	letters []*Letter
	ids     []identity
	byID    map[identity]*Letter // the first of those that repeat each other
}

func newCollector(ids identifier, q Query) *collector {
	return &collector{ids: ids, q: q, newest: make(map[partition]*newest), counts: make(map[Count]int), kinds: make(map[string]int)}
}

func (c *collector) add(rec *kgo.Record) {
	at := partition{rec.Topic, rec.Partition}
	n := c.newest[at]
	if n == nil {
		n = &newest{byID: make(map[identity]*Letter)}
		c.newest[at] = n
	}
	letter, id, retried := c.ids.read(rec)
	if retried != nil {
		c.found.Retried++
		if l := n.byID[retried.of]; l != nil {
			l.Retried, l.RetriedAs = retried.at, retried.as
		}
		return
	}
	if letter.Time.Before(c.q.Since) {
		return
	}
	c.found.Total++
	c.count(letter)
	letter.Key, letter.Value = keep(letter.Key, c.q.Preview), keep(letter.Value, c.q.Preview)
	for i := range letter.Headers {
		letter.Headers[i].Value = keep(letter.Headers[i].Value, c.q.Preview)
	}
	n.letters, n.ids = append(n.letters, letter), append(n.ids, id)
	if first := n.byID[id]; first == nil {
		n.byID[id] = letter
	} else {
		letter.Repeat = true
	}
	if len(n.letters) > c.q.Limit {
		if n.byID[n.ids[0]] == n.letters[0] {
			delete(n.byID, n.ids[0])
		}
		n.letters[0] = nil
		n.letters, n.ids = n.letters[1:], n.ids[1:]
	}
}

// keep copies at most n bytes, so that the fetch they came in can go.
func keep(b []byte, n int) []byte {
	if b == nil {
		return nil
	}
	return append([]byte{}, b[:min(len(b), n)]...)
}

func (c *collector) count(l *Letter) {
	k := Count{Topic: events.SourceOf(l.At.Topic), Reason: kindOf(l.Reason)}
	if c.counts[k] == 0 {
		if c.kinds[k.Topic] >= maxReasons {
			k.Reason = ""
		} else {
			c.kinds[k.Topic]++
		}
	}
	c.counts[k]++
}

// kindOf is a reason without what differs from one record to the next.
func kindOf(reason string) string {
	var b strings.Builder
	digits := false
	for _, r := range reason {
		was := digits
		if digits = '0' <= r && r <= '9'; !digits {
			b.WriteRune(r)
		} else if !was {
			b.WriteByte('#')
		}
		if b.Len() > 160 {
			break
		}
	}
	return b.String()
}

// lacks says that an older letter of the partition may be among the newest.
func (c *collector) lacks(p partition) bool {
	return c.newest[p] == nil || len(c.newest[p].letters) < c.q.Limit
}

func (c *collector) listing() Listing {
	l := c.found
	for _, n := range c.newest {
		for i, letter := range n.letters {
			if first := n.byID[n.ids[i]]; first != nil { // a note is for all that repeat each other
				letter.Retried, letter.RetriedAs = first.Retried, first.RetriedAs
			}
			l.Letters = append(l.Letters, *letter)
		}
	}
	slices.SortStableFunc(l.Letters, func(a, b Letter) int {
		return cmp.Or(b.Time.Compare(a.Time), strings.Compare(a.At.Topic, b.At.Topic), cmp.Compare(a.At.Partition, b.At.Partition), cmp.Compare(b.At.Offset, a.At.Offset))
	})
	l.Letters = slices.Clone(l.Letters[:min(len(l.Letters), c.q.Limit)]) // lets go of the rest
	for k, n := range c.counts {
		k.N = n
		l.Counts = append(l.Counts, k)
	}
	slices.SortFunc(l.Counts, func(a, b Count) int {
		return cmp.Or(cmp.Compare(b.N, a.N), strings.Compare(a.Topic, b.Topic), strings.Compare(a.Reason, b.Reason))
	})
	return l
}
