package ledger

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// partition is one of the audited ones.
type partition struct {
	topic string
	id    int32
}

func (p partition) String() string { return fmt.Sprintf("%s/%d", p.topic, p.id) }

// span is the offsets of a partition from from, up to and without to.
type span struct{ from, to int64 }

// survey is what there is to be read, and how far the groups were before that.
type survey struct {
	spans  map[partition]span
	passed [flow]map[int32]int64
}

// reader is one look at the log, with a client of its own.
type reader struct {
	cl       *kgo.Client
	adm      *kadm.Client
	patience time.Duration
}

func newReader(client []kgo.Opt, patience time.Duration) (*reader, error) {
	cl, err := kgo.NewClient(append(
		append([]kgo.Opt(nil), client...),
		kgo.ClientID("kassa-audit"),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(),                          // they tell how far a partition was read
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), // where retention has overtaken it
		// What the brokers send ahead is the larger part of a reader's memory.
		kgo.FetchMaxBytes(4<<20),
		kgo.FetchMaxPartitionBytes(1<<20),
		kgo.FetchMaxWait(500*time.Millisecond),
		kgo.DisableClientMetrics(),
	)...)
	if err != nil {
		return nil, fmt.Errorf("make a client: %w", err)
	}
	return &reader{cl: cl, adm: kadm.NewClient(cl), patience: patience}, nil
}

func (r *reader) close() { r.cl.Close() }

// auditedTopics are those of the flow and of its dead letters.
func auditedTopics() []string {
	var all []string
	for _, t := range topics {
		all = append(all, t, t+deadSuffix)
	}
	return all
}

// survey asks until all has been answered. Topics that do not exist are empty. A broker that is just starting does not know of all topics, so one that is
// unknown is asked for again, for a twentieth of the patience, of whichever broker comes next.
//
// The groups are asked first: what a group has gone past was handled before the ends that are asked for then, so it lies before them, also when
// its transaction is still to be marked as committed. The ends are those of all that is written (the high watermark), not of
// what is committed: what belongs to a transaction that is open will be waited for.
func (r *reader) survey(ctx context.Context) (survey, error) {
	ctx, cancel := context.WithTimeout(ctx, r.patience)
	defer cancel()
	var last error
	for begun := time.Now(); ; {
		s, err := r.trySurvey(ctx)
		if err == nil && (s.topics() == len(auditedTopics()) || time.Since(begun) > r.patience/20) {
			return s, nil
		}
		if err == nil {
			err = errors.New("some topics are not there")
		}
		if last == nil || ctx.Err() == nil {
			last = err // what was wrong before time ran out says more
		}
		t := time.NewTimer(100 * time.Millisecond) // leaders move
		select {
		case <-ctx.Done():
			t.Stop()
			if errors.Is(ctx.Err(), context.Canceled) {
				return survey{}, ctx.Err()
			}
			return survey{}, fmt.Errorf("no answer within %s: %w", r.patience, last)
		case <-t.C:
		}
	}
}

func (r *reader) trySurvey(ctx context.Context) (survey, error) {
	s := survey{spans: make(map[partition]span)}
	for g, group := range readers {
		if group == "" {
			continue
		}
		offsets, err := r.adm.FetchOffsets(ctx, group)
		if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
			return s, fmt.Errorf("ask how far group %s has come: %w", group, err)
		}
		s.passed[g] = make(map[int32]int64)
		for id, o := range offsets[topics[g]] {
			if o.Err != nil {
				return s, fmt.Errorf("ask how far group %s has come: %w", group, o.Err)
			}
			s.passed[g][id] = o.At
		}
	}
	starts, err := r.adm.ListStartOffsets(ctx, auditedTopics()...)
	if err != nil {
		return s, fmt.Errorf("ask where the topics begin: %w", err)
	}
	ends, err := r.adm.ListEndOffsets(ctx, auditedTopics()...)
	if err != nil {
		return s, fmt.Errorf("ask where the topics end: %w", err)
	}
	var failed error
	ends.Each(func(end kadm.ListedOffset) {
		p := partition{end.Topic, end.Partition}
		start, ok := starts.Lookup(end.Topic, end.Partition)
		switch err := errors.Join(start.Err, end.Err); {
		case errors.Is(err, kerr.UnknownTopicOrPartition):
		case err != nil:
			failed = fmt.Errorf("%s: %w", p, err)
		case !ok:
			failed = fmt.Errorf("%s: no answer", p)
		default:
			s.spans[p] = span{start.Offset, max(start.Offset, end.Offset)}
		}
	})
	// A group that is further than its topic ends has read one of that name that was there before: that says nothing.
	for g, passed := range s.passed {
		for id, at := range passed {
			if at > s.spans[partition{topics[g], id}].to {
				delete(passed, id)
			}
		}
	}
	return s, failed
}

// partitions are those of a survey, in their order.
func (s survey) partitions() []partition {
	all := make([]partition, 0, len(s.spans))
	for p := range s.spans {
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b partition) int {
		if a.topic != b.topic {
			return slices.Index(auditedTopics(), a.topic) - slices.Index(auditedTopics(), b.topic)
		}
		return int(a.id - b.id)
	})
	return all
}

// offsets is how many there are to be read.
func (s survey) offsets() int64 {
	n := int64(0)
	for _, sp := range s.spans {
		n += sp.to - sp.from
	}
	return n
}

// log is what the survey and the reading say about the topics.
func (s survey) log(c *scan) log {
	l := log{passed: s.passed}
	for p := range c.begins {
		g, dead, _ := stageOf(p.topic)
		f := &l.topics[g]
		if dead {
			f = &l.letters[g]
		}
		young, some := c.young[p]
		if !some {
			young = math.MaxInt64 / 2 // nothing is left of it, so anything may have been there
		}
		f.truncated, f.until = true, max(f.until, young)
	}
	return l
}

// truncated says which partitions do not begin at offset 0.
func (s survey) truncated(c *scan) []string {
	var all []string
	for _, p := range s.partitions() {
		if at, ok := c.begins[p]; ok {
			all = append(all, fmt.Sprintf("%s begins at offset %d", p, at))
		}
	}
	return all
}

// topics is how many there are.
func (s survey) topics() int {
	known := make(map[string]bool)
	for p := range s.spans {
		known[p.topic] = true
	}
	return len(known)
}
