package deadletters

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"kassa/services"
)

// retryID is the transactional id of every retry, so that there is one at a time on a cluster: who begins fences whoever is at it, and
// then reads what that one has done.
const retryID = "kassa.dlq.retry"

// Bounds of one transaction of a retry, in letters and bytes.
const (
	retryLetters = 100
	retryBytes   = 4 << 20
	retryTimeout = 15 * time.Second
	// retryRecord is the largest record that is tried, in bytes: max.message.bytes of a topic that nobody has changed.
	retryRecord = 1 << 20
)

// Selection says which dead letters to write again. Those of Places are asked for by name: if one of them cannot be retried, none is. Without
// Places it is all of Topics and Reason that have not been retried.
type Selection struct {
	Places []Place  // of letters, or of the records that died
	Topics []string // source topics; nil for all
	Reason string   // part of the reason, without regard to case; empty for any
	Again  bool     // those too that were retried before
	DryRun bool     // write nothing
}

// Outcome is what became of one letter.
type Outcome struct {
	Letter Letter // without its value
	As     Place  // where it was written again; zero for a dry run, or if Err
	Err    error  // why it was passed over
}

// Retry writes letters to the topics that they came from, with the key, the value and the headers that they came with, and in the same
// transaction a note into the dead letters, so that the next Retry passes them over. It tells each outcome once it is certain. Done counts
// those written (or that would be); an error says why it ended before all were.
func (s *Store) Retry(ctx context.Context, sel Selection, tell func(Outcome)) (done int, err error) {
	sources, err := sel.sources()
	if err != nil {
		return 0, err
	}
	r, err := s.open(
		identifier{maphash.MakeSeed()},
		kgo.TransactionalID(retryID), kgo.TransactionTimeout(retryTimeout), kgo.RecordPartitioner(kgo.BasicConsistentPartitioner(samePartition)),
		kgo.RequiredAcks(kgo.AllISRAcks()), kgo.ProducerBatchMaxBytes(retryRecord), kgo.ProducerBatchCompression(kgo.NoCompression()),
	)
	if err != nil {
		return 0, err
	}
	defer r.close()
	spans, err := r.spans(ctx, sources)
	if err != nil {
		return 0, err
	}
	if !sel.DryRun {
		if err := r.takeOver(ctx); err != nil {
			return 0, err
		}
		if spans, err = r.spans(ctx, sources); err != nil { // what another retry did meanwhile counts
			return 0, err
		}
	}
	chosen, err := r.choose(ctx, spans, sel)
	if err != nil {
		return 0, err
	}
	// The values are read a second time, those of one transaction at a time.
	w := writer{r: r, sel: sel, tell: tell}
	for p, ids := range chosen {
		if len(ids) == 0 {
			continue
		}
		if err := w.partition(ctx, p, ids); err != nil {
			return w.done, err
		}
	}
	return w.done, nil
}

// samePartition puts every record where it says: a retry where the record was, a note behind its letter.
func samePartition(string) func(*kgo.Record, int) int {
	return func(r *kgo.Record, n int) int { return int(r.Partition) % n }
}

// takeOver makes this the only retry, and has what the one before left open undone.
func (r *reader) takeOver(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, r.patience)
	defer cancel()
	if _, _, err := r.cl.ProducerID(ctx); err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			return fmt.Errorf("begin the retry: %w within %s", ErrSilent, r.patience)
		}
		return fmt.Errorf("begin the retry: %w", err)
	}
	return nil
}

func (sel Selection) sources() ([]string, error) {
	topics := slices.Clone(sel.Topics)
	for _, p := range sel.Places {
		topic, err := p.source()
		if err != nil {
			return nil, err
		}
		topics = append(topics, topic)
	}
	if len(topics) == 0 {
		return Topics(), nil
	}
	slices.Sort(topics)
	return slices.Compact(topics), nil
}

func (sel Selection) wants(l *Letter) bool {
	if len(sel.Places) > 0 {
		return slices.Contains(sel.Places, l.At) || l.Source != (Place{}) && slices.Contains(sel.Places, l.Source)
	}
	return strings.Contains(strings.ToLower(l.Reason), strings.ToLower(sel.Reason))
}

// candidate is a letter that was chosen; its value is left where it is.
type candidate struct {
	offset  int64
	retried time.Time
	as      string
	err     error
}

// choose reads everything once and keeps the offsets of what is to be retried: of several letters of one record the first, and none of
// those that a note tells of.
func (r *reader) choose(ctx context.Context, spans map[partition]span, sel Selection) (map[partition][]candidate, error) {
	byID := make(map[partition]map[identity]candidate)
	found := make(map[Place]bool)
	err := r.scan(ctx, spans, func(rec *kgo.Record) {
		at := partition{rec.Topic, rec.Partition}
		l, id, retried := r.ids.read(rec)
		if retried != nil {
			c, ok := byID[at][retried.of]
			switch {
			case !ok || sel.Again:
			case len(sel.Places) > 0: // whoever asked for it by name is told
				c.retried, c.as = retried.at, retried.as
				byID[at][retried.of] = c
			default:
				delete(byID[at], retried.of)
			}
			return
		}
		if !sel.wants(l) {
			return
		}
		found[l.At], found[l.Source] = true, true
		if byID[at] == nil {
			byID[at] = make(map[identity]candidate)
		}
		if _, ok := byID[at][id]; !ok {
			byID[at][id] = candidate{offset: l.At.Offset, err: retryable(l)}
		}
	})
	if err != nil {
		return nil, err
	}
	for _, p := range sel.Places {
		if !found[p] {
			return nil, fmt.Errorf("%s: %w", p, ErrNotFound)
		}
	}
	chosen := make(map[partition][]candidate)
	for p, ids := range byID {
		for _, c := range ids {
			if len(sel.Places) > 0 {
				place := Place{p.topic, p.id, c.offset}
				if !c.retried.IsZero() {
					return nil, fmt.Errorf("%s %w at %s as %s", place, ErrRetried, c.retried.Local().Format(time.DateTime), c.as)
				}
				if c.err != nil {
					return nil, fmt.Errorf("%s %w", place, c.err)
				}
			}
			chosen[p] = append(chosen[p], c)
		}
		slices.SortFunc(chosen[p], func(a, b candidate) int { return cmp.Compare(a.offset, b.offset) })
	}
	return chosen, nil
}

// retryable says what keeps a letter from being written again.
func retryable(l *Letter) error {
	switch {
	case l.Source == (Place{}):
		return ErrNoSource
	case l.Cut:
		return fmt.Errorf("%w: the whole record is at %s, as long as that topic keeps it", ErrCut, l.Source)
	}
	return nil
}

// writer writes the chosen letters of one partition after the other.
type writer struct {
	r     *reader
	sel   Selection
	tell  func(Outcome)
	done  int
	batch []*Letter
	bytes int
}

// partition reads the chosen letters in pieces that fit into a transaction, and writes each.
func (w *writer) partition(ctx context.Context, p partition, chosen []candidate) error {
	for len(chosen) > 0 {
		want := make(map[int64]error, retryLetters)
		n := min(len(chosen), retryLetters)
		for _, c := range chosen[:n] {
			want[c.offset] = c.err
		}
		var passed []Outcome
		w.batch, w.bytes = w.batch[:0], 0
		next := n // of chosen: the first that has to wait for the next transaction
		err := w.r.scan(ctx, map[partition]span{p: {chosen[0].offset, chosen[n-1].offset + 1}}, func(rec *kgo.Record) {
			why, ok := want[rec.Offset]
			i, _ := slices.BinarySearchFunc(chosen, rec.Offset, func(c candidate, o int64) int { return cmp.Compare(c.offset, o) })
			if !ok || i >= next {
				return
			}
			l, _, _ := w.r.ids.read(rec)
			if w.bytes += len(l.Key) + len(l.Value); w.bytes > retryBytes && len(w.batch) > 0 {
				next = i
				return
			}
			if why != nil {
				passed = append(passed, Outcome{Letter: bare(l), Err: why})
				return
			}
			l.Key, l.Value = keep(l.Key, len(l.Key)), keep(l.Value, len(l.Value))
			w.batch = append(w.batch, l)
		})
		if err != nil {
			return err
		}
		for _, o := range passed {
			w.tell(o)
		}
		if err := w.flush(ctx); err != nil {
			return err
		}
		chosen = chosen[next:]
	}
	return nil
}

// bare is a letter without what takes memory.
func bare(l *Letter) Letter {
	b := *l
	b.Key, b.Value, b.Headers = keep(l.Key, 256), nil, nil
	return b
}

// flush writes the batch and its notes in one transaction. A record that its topic does not take takes the whole transaction
// down; then each is tried alone, and those that cannot be written are passed over.
func (w *writer) flush(ctx context.Context) error {
	if len(w.batch) == 0 {
		return nil
	}
	places := make([]Place, len(w.batch))
	if !w.sel.DryRun {
		var err error
		places, err = w.r.rewrite(ctx, w.batch)
		switch {
		case forGood(err) && len(w.batch) > 1:
			all := w.batch
			for _, l := range all {
				w.batch = []*Letter{l}
				if err := w.flush(ctx); err != nil {
					return err
				}
			}
			w.batch = all
			return nil
		case forGood(err):
			w.tell(Outcome{Letter: bare(w.batch[0]), Err: fmt.Errorf("cannot be written to %s: %w", w.batch[0].Source.Topic, err)})
			return nil
		case err != nil:
			return err
		}
	}
	for i, l := range w.batch {
		w.done++
		w.tell(Outcome{Letter: bare(l), As: places[i]})
	}
	return nil
}

// forGood says that the record is what is wrong, and not the cluster.
func forGood(err error) bool {
	for _, e := range []error{kerr.MessageTooLarge, kerr.RecordListTooLarge, kerr.InvalidRecord, kerr.InvalidTimestamp} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// rewrite writes letters to where they came from, and the notes about it, in one transaction.
func (r *reader) rewrite(ctx context.Context, letters []*Letter) ([]Place, error) {
	ctx, cancel := context.WithTimeout(ctx, retryTimeout)
	defer cancel()
	if err := r.cl.BeginTransaction(); err != nil {
		return nil, fmt.Errorf("begin a transaction: %w", taken(err))
	}
	undo := func(err error) error {
		// Also when ctx has ended: an open transaction holds every reader up.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_ = r.cl.AbortBufferedRecords(ctx)
		_ = r.cl.EndTransaction(ctx, kgo.TryAbort) // else the next retry does, or the timeout
		return taken(err)
	}
	records := make([]*kgo.Record, len(letters))
	for i, l := range letters {
		records[i] = again(l)
	}
	if err := r.produce(ctx, records); err != nil {
		return nil, undo(err)
	}
	places := make([]Place, len(letters))
	notes := make([]*kgo.Record, len(letters))
	for i, rec := range records {
		places[i] = Place{rec.Topic, rec.Partition, rec.Offset}
		notes[i] = noteOf(letters[i], places[i])
	}
	if err := r.produce(ctx, notes); err != nil {
		return nil, undo(err)
	}
	if err := r.cl.EndTransaction(ctx, kgo.TryCommit); err != nil {
		return nil, undo(fmt.Errorf("end a transaction, whose outcome is not known (begin again: what was retried is passed over): %w", err))
	}
	return places, nil
}

// produce writes records and waits for all of them. The first that the records themselves are to blame for is the error that counts. A client with
// transactions does not give up what it has sent, whatever becomes of ctx, so this does not wait for it then: the end of the client ends that too.
func (r *reader) produce(ctx context.Context, records []*kgo.Record) error {
	written := make(chan kgo.ProduceResults, 1)
	go func() { written <- r.cl.ProduceSync(ctx, records...) }()
	var results kgo.ProduceResults
	select {
	case results = <-written:
	case <-ctx.Done():
		return fmt.Errorf("write to %s: %w", records[0].Topic, context.Cause(ctx))
	}
	for _, res := range results {
		if forGood(res.Err) {
			return res.Err
		}
	}
	if err := results.FirstErr(); err != nil {
		return fmt.Errorf("write to %s: %w", records[0].Topic, err)
	}
	return nil
}

// again is the record that died, with what says that it is a retry.
func again(l *Letter) *kgo.Record {
	headers := make([]kgo.RecordHeader, 0, len(l.Headers)+2)
	for _, h := range l.Headers {
		headers = append(headers, kgo.RecordHeader(h))
	}
	headers = append(headers,
		kgo.RecordHeader{Key: services.HeaderRetryOf, Value: []byte(l.At.String())},
		kgo.RecordHeader{Key: services.HeaderDeadAttempt, Value: []byte(strconv.Itoa(l.Attempt + 1))})
	return &kgo.Record{Topic: l.Source.Topic, Partition: l.Source.Partition, Key: l.Key, Value: l.Value, Headers: headers}
}

// noteOf says that a letter was retried. It lies behind its letter, in the same partition, so that Kafka never forgets it before the letter.
func noteOf(l *Letter, as Place) *kgo.Record {
	return &kgo.Record{Topic: l.At.Topic, Partition: l.At.Partition, Headers: []kgo.RecordHeader{
		{Key: services.HeaderRetried, Value: []byte(l.Source.String())},
		{Key: services.HeaderDeadTime, Value: []byte(l.sourceTime)},
		{Key: services.HeaderRetriedAs, Value: []byte(as.String())},
	}}
}

// taken names what it means that a transactional id is another's now.
func taken(err error) error {
	for _, e := range []error{kerr.ProducerFenced, kerr.InvalidProducerEpoch, kerr.InvalidProducerIDMapping} {
		if errors.Is(err, e) {
			return fmt.Errorf("%w: %w", ErrTakenOver, err)
		}
	}
	return err
}
