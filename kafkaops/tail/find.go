package tail

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Query asks the log for the records of one key.
type Query struct {
	Topics    []string
	Key       string    // of the records, or somewhere in their values
	Partition int32     // the same in every topic; -1: all of them
	Around    time.Time // about when they were written; zero: at the end of the log or before
	// After, by topic, is an offset to go on from, and to look at nothing before it. It needs a Partition.
	After map[string]int64
	// Most is how many offsets of one partition are looked at; 0 means 20,000. Of a topic no more are looked at once it has a match.
	Most int64
}

// Found is what a look at the log came to.
type Found struct {
	Records []Record // by time
	Looked  []Looked // by topic, in the order asked for, then by partition
}

// Looked says what was looked at of one partition.
type Looked struct {
	Topic      string
	Partition  int32
	From, To   int64 // offsets: From up to and without To
	Start, End int64 // of the log, then: without what open transactions hold back
	Records    int64
	Oldest     time.Time // timestamps of the records; zero if there was none
	Newest     time.Time
	Err        string // why no more was; empty when that was on purpose
}

// Whole says that all of the partition was looked at.
func (l Looked) Whole() bool { return l.Err == "" && l.From <= l.Start && l.To >= l.End }

const (
	findMost  = 20_000
	findFirst = 500             // offsets of the first look in each direction; it doubles
	findSlack = 2 * time.Second // clocks, and what was written just before
	// findQuiet is how long nothing may come before what is left is given up.
	findQuiet = 3 * time.Second
	listWait  = 3 * time.Second
)

// Find looks for a key in the log: from about a time on in both directions, ever further, until each topic has a match, all was seen, or enough was. It reads
// committed records only. What could not be read is told in Found, with all that could; an error means that nothing was looked at.
func Find(ctx context.Context, client []kgo.Opt, q Query) (Found, error) {
	if q.Most <= 0 {
		q.Most = findMost
	}
	cl, err := kgo.NewClient(append(append([]kgo.Opt(nil), client...),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), // they tell how far a partition was read
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchMaxWait(100*time.Millisecond),
		kgo.FetchMaxBytes(4<<20),
		kgo.FetchMaxPartitionBytes(1<<20),
		kgo.DisableClientMetrics(),
	)...)
	if err != nil {
		return Found{}, fmt.Errorf("look in the log: client: %w", err)
	}
	defer cl.Close()
	f := &finder{cl: cl, q: q, needle: []byte(q.Key)}
	if err := f.list(ctx); err != nil {
		return Found{}, err
	}
	for f.round(ctx) {
	}
	return f.found(), nil
}

type finder struct {
	cl      *kgo.Client
	q       Query
	needle  []byte
	looks   []*look
	matched map[string]bool // topics
	records []Record
}

// look is how far a partition has been looked at.
type look struct {
	Looked
	step  int64 // offsets of the next window
	back  bool  // the next window is before what was seen
	floor int64 // nothing before it is looked at
	// window is what is being read: from offset at, up to and without to; done once all of it was.
	at, to int64
	done   bool
}

// list finds out where the logs begin and end, and where the time is in them.
func (f *finder) list(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, listWait)
	defer cancel()
	adm := kadm.NewClient(f.cl)
	ends, err := adm.ListCommittedOffsets(ctx, f.q.Topics...) // partial answers come with an error
	starts, serr := adm.ListStartOffsets(ctx, f.q.Topics...)
	around := ends
	if !f.q.Around.IsZero() {
		around, _ = adm.ListOffsetsAfterMilli(ctx, f.q.Around.Add(-findSlack).UnixMilli(), f.q.Topics...)
	}
	if len(ends) == 0 {
		return fmt.Errorf("look in the log: no broker says where it ends: %w", cmp.Or(err, serr, errors.New("no answer")))
	}
	for _, topic := range f.q.Topics {
		ids := make([]int32, 0, len(ends[topic]))
		for id := range ends[topic] {
			if f.q.Partition < 0 || id == f.q.Partition || id < 0 { // -1 is a topic that is not there
				ids = append(ids, id)
			}
		}
		slices.Sort(ids)
		if len(ids) == 0 {
			f.looks = append(f.looks, &look{Looked: Looked{Topic: topic, Partition: f.q.Partition, Err: "no answer"}})
		}
		for _, id := range ids {
			end, start := ends[topic][id], starts[topic][id]
			l := &look{Looked: Looked{Topic: topic, Partition: id, Start: start.Offset, End: end.Offset}, step: findFirst, floor: start.Offset}
			switch err := errors.Join(end.Err, start.Err); {
			case err != nil:
				l.Err = err.Error()
			default:
				l.From = l.End
				if at, ok := around.Lookup(topic, id); ok && at.Err == nil && at.Offset >= 0 {
					l.From = min(max(at.Offset, l.Start), l.End)
				}
				if after, ok := f.q.After[topic]; ok {
					l.floor = min(max(after, l.Start), l.End)
					l.From = l.floor
				}
				l.To = l.From
			}
			f.looks = append(f.looks, l)
		}
	}
	f.matched = make(map[string]bool)
	return nil
}

// next opens the next window; false when there is none.
func (f *finder) next(l *look) bool {
	left := f.q.Most - (l.To - l.From)
	if l.Err != "" || left <= 0 || f.matched[l.Topic] {
		return false
	}
	n := min(l.step, left)
	for range 2 {
		l.back = !l.back // first forward
		if l.back {
			l.at, l.to = l.To, min(l.End, l.To+n)
		} else {
			l.at, l.to, l.step = max(l.floor, l.From-n), l.From, l.step*2
		}
		if l.at < l.to {
			l.done = false
			return true
		}
	}
	return false
}

// close notes that a window was read.
func (l *look) close() {
	l.done = true
	l.From, l.To = min(l.From, l.at), max(l.To, l.to)
}

// round reads one window of every partition where there is something left to see; false when there was none.
func (f *finder) round(ctx context.Context) bool {
	open := make(map[string]map[int32]*look)
	begin := make(map[string]map[int32]kgo.Offset)
	left := 0
	for _, l := range f.looks {
		if !f.next(l) {
			continue
		}
		if open[l.Topic] == nil {
			open[l.Topic], begin[l.Topic] = make(map[int32]*look), make(map[int32]kgo.Offset)
		}
		open[l.Topic][l.Partition] = l
		begin[l.Topic][l.Partition] = kgo.NewOffset().At(l.at)
		left++
	}
	if left == 0 {
		return false
	}
	f.cl.AddConsumePartitions(begin)
	stop := func(l *look) { f.cl.RemoveConsumePartitions(map[string][]int32{l.Topic: {l.Partition}}) }
	hits := make(map[string]bool)
	trouble := "no answer"
	for left > 0 {
		wait, cancel := context.WithTimeout(ctx, findQuiet)
		fetches := f.cl.PollRecords(wait, findFirst)
		late := wait.Err() != nil
		cancel()
		came := false
		fetches.EachPartition(func(p kgo.FetchTopicPartition) {
			l := open[p.Topic][p.Partition]
			if p.Err != nil && l != nil {
				trouble = p.Err.Error()
			}
			if l == nil || l.done {
				return
			}
			for _, r := range p.Records {
				if r.Offset < l.at {
					continue
				}
				came = true
				if r.Offset < l.to {
					if f.see(l, r) {
						hits[l.Topic] = true
					}
				}
				if r.Offset >= l.to-1 {
					l.close()
					stop(l)
					left--
					return
				}
			}
		})
		if late && !came {
			for _, parts := range open {
				for _, l := range parts {
					if !l.done { // its window counts as not looked at, and what it gave is kept
						l.Err = fmt.Sprintf("gave nothing more within %s: %s", findQuiet, trouble)
						stop(l)
					}
				}
			}
			break
		}
	}
	for topic := range hits { // only now: windows are looked at as a whole
		f.matched[topic] = true
	}
	return true
}

// see counts a record, and keeps it if it is one of those that are looked for.
func (f *finder) see(l *look, r *kgo.Record) bool {
	if r.Attrs.IsControl() {
		return false
	}
	l.Records++
	if l.Oldest.IsZero() || r.Timestamp.Before(l.Oldest) {
		l.Oldest = r.Timestamp
	}
	if r.Timestamp.After(l.Newest) {
		l.Newest = r.Timestamp
	}
	if !bytes.Equal(r.Key, f.needle) && !bytes.Contains(r.Value, f.needle) {
		return false
	}
	f.records = append(f.records, copied(r))
	return true
}

func (f *finder) found() Found {
	out := Found{Records: f.records}
	slices.SortStableFunc(out.Records, func(a, b Record) int {
		return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(slices.Index(f.q.Topics, a.Topic), slices.Index(f.q.Topics, b.Topic)), cmp.Compare(a.Offset, b.Offset))
	})
	for _, l := range f.looks {
		out.Looked = append(out.Looked, l.Looked)
	}
	return out
}
