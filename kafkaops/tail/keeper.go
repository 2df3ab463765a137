package tail

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// keeper counts every record and keeps the newest few of each topic.
type keeper struct {
	keep   int
	topics map[string]*topic
	order  []string
	news   bool // there is something that no batch has told
}

type topic struct {
	count   Count
	errSeen time.Time
	behind  map[int32]int64
	known   bool     // it was there
	fresh   []Record // kept for the next batch, oldest first
}

func newKeeper(topics []string, keep int) *keeper {
	k := &keeper{keep: keep, topics: make(map[string]*topic)}
	for _, t := range topics {
		k.topic(t)
	}
	return k
}

func (k *keeper) topic(name string) *topic {
	t := k.topics[name]
	if t == nil {
		t = &topic{behind: make(map[int32]int64)}
		k.topics[name] = t
		k.order = append(k.order, name)
	}
	return t
}

// take counts what one fetch brought of one partition, and copies what will be kept of it.
func (k *keeper) take(p kgo.FetchTopicPartition, now time.Time) {
	if p.Err != nil {
		if errors.Is(p.Err, context.DeadlineExceeded) && p.Topic == "" {
			return // nothing came
		}
		k.failed(p.Topic, p.Err, now)
	}
	if len(p.Records) == 0 {
		return
	}
	t := k.topic(p.Topic)
	data := p.Records[:0:0]
	for _, r := range p.Records {
		if !r.Attrs.IsControl() {
			data = append(data, r)
			t.count.Bytes += int64(len(r.Key) + len(r.Value))
		}
	}
	t.count.Read += int64(len(data))
	t.behind[p.Partition] = max(0, p.HighWatermark-p.Records[len(p.Records)-1].Offset-1)
	t.total()
	if p.Err == nil {
		t.count.Err, t.count.ErrSince, t.count.Gone = "", time.Time{}, time.Time{}
	}
	skip := max(0, len(data)-k.keep)
	t.count.Skipped += int64(skip)
	for _, r := range data[skip:] {
		t.fresh = append(t.fresh, copied(r))
	}
	t.trim(k.keep)
	k.news = true
}

// give counts and keeps one record of a page.
func (k *keeper) give(r Record) {
	t := k.topic(r.Topic)
	t.count.Read++
	t.count.Bytes += int64(len(r.Key) + r.Size)
	t.fresh = append(t.fresh, r)
	t.trim(k.keep)
	k.news = true
}

// held says how a reading by pages stands.
func (k *keeper) held(name string, held bool, behind int64) {
	t := k.topic(name)
	if held { // nobody is asked, so nobody is silent
		t.count.Silent = nil
	}
	if t.count.Held != held || t.count.Behind != behind {
		t.count.Held, t.count.Behind, k.news = held, behind, true
	}
}

// gone says that there is no such topic, since then at the latest.
func (k *keeper) gone(name string, now time.Time) {
	if t := k.topic(name); t.count.Gone.IsZero() && (t.known || t.count.Read > 0) {
		t.count.Gone, t.count.Held, k.news = now, false, true
	}
}

// back says that there is one again.
func (k *keeper) back(name string) {
	k.topic(name).count.Gone, k.news = time.Time{}, true
}

// failed files an error of one topic, or of all for "".
func (k *keeper) failed(name string, err error, now time.Time) {
	names := []string{name}
	if name == "" {
		names = k.order
	}
	for _, name := range names {
		t := k.topic(name)
		t.errSeen = now
		if t.count.Err == "" {
			t.count.ErrSince = now
		}
		if text := err.Error(); t.count.Err != text {
			t.count.Err, k.news = text, true
		}
	}
}

// lapse clears errors that were last told before then.
func (k *keeper) lapse(before time.Time) {
	for _, t := range k.topics {
		if t.count.Err != "" && t.errSeen.Before(before) {
			t.count.Err, t.count.ErrSince, k.news = "", time.Time{}, true
		}
	}
}

// restart forgets how far behind a topic was: its log is another one now.
func (k *keeper) restart(name string) {
	t := k.topic(name)
	clear(t.behind)
	t.total()
}

// untaken puts back what the reader did not take, before what has come since.
func (k *keeper) untaken(records []Record) {
	old := make(map[string][]Record)
	for _, r := range records {
		old[r.Topic] = append(old[r.Topic], r)
	}
	for name, rs := range old {
		t := k.topic(name)
		t.fresh = append(rs, t.fresh...)
		t.trim(k.keep)
	}
}

// batch hands out what was kept.
func (k *keeper) batch(now time.Time) Batch {
	b := Batch{At: now, Topics: make(map[string]Count, len(k.topics))}
	for _, name := range k.order {
		t := k.topics[name]
		b.Records = append(b.Records, t.fresh...)
		b.Topics[name] = t.count
		t.fresh = nil
	}
	k.news = false
	return b
}

func (t *topic) trim(keep int) {
	if over := len(t.fresh) - keep; over > 0 {
		t.count.Skipped += int64(over)
		t.fresh = append([]Record(nil), t.fresh[over:]...) // lets go of the values before
	}
}

func (t *topic) total() {
	t.count.Behind = 0
	for _, n := range t.behind {
		t.count.Behind += n
	}
}

// copied takes a record out of the fetch that it came in, which may be megabytes that it would keep alive.
func copied(r *kgo.Record) Record {
	out := Record{
		Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Epoch: r.LeaderEpoch, Time: r.Timestamp,
		Key: clone(r.Key), Value: clone(r.Value[:min(len(r.Value), MaxValue)]), Size: len(r.Value),
		Transactional: r.Attrs.IsTransactional(), ProducerID: r.ProducerID,
	}
	for _, h := range r.Headers {
		out.Headers = append(out.Headers, Header{Key: h.Key, Value: clone(h.Value[:min(len(h.Value), MaxHeader)]), Size: len(h.Value)})
	}
	return out
}

// clone keeps nil apart from empty: a tombstone is not an empty value.
func clone(b []byte) []byte {
	if b == nil {
		return nil
	}
	return append(make([]byte, 0, len(b)), b...)
}
