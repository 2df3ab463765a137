package services

import (
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kassa/services/latency"
)

// figures is what Stats shows. The loop writes it, anybody reads it.
type figures struct {
	mu    sync.Mutex
	stats Stats
	lag   map[Partition]int64
	cl    *kgo.Client        // of the present session; nil between two
	given map[Partition]bool // by the group to the present session; true once a commit of it was seen
	took  *latency.Histogram
}

// Partition is one partition of a topic.
type Partition struct {
	Topic string
	ID    int32
}

func newFigures(name string) *figures {
	return &figures{stats: Stats{Name: name, Status: Stopped, Since: time.Now(), Lag: -1}, lag: make(map[Partition]int64), given: make(map[Partition]bool), took: latency.New()}
}

func (f *figures) snapshot() Stats {
	f.mu.Lock()
	s := f.stats
	f.mu.Unlock()
	took := f.took.Percentiles()
	s.P50, s.P99 = took.P50, took.P99
	if s.Partitions = len(f.owned()); s.Partitions == 0 && s.Status == Running {
		s.Status = Joining // the group has taken them away
	}
	s.Instances = 1
	if s.Status != Stopped && s.Status != Restarting {
		s.Live = 1
	}
	return s
}

// assignment is the partitions that the group has given out to the present session, sorted.
func (f *figures) assignment() []Partition {
	list := f.owned()
	slices.SortFunc(list, func(a, b Partition) int {
		if c := strings.Compare(a.Topic, b.Topic); c != 0 {
			return c
		}
		return int(a.ID - b.ID)
	})
	return list
}

// owned asks the client, because its callbacks do not tell all: a transactional session swallows the second of two revocations when no transaction
// ended in between. The client in turn knows only of partitions with a commit.
func (f *figures) owned() []Partition {
	f.mu.Lock()
	cl := f.cl
	f.mu.Unlock() // the client calls assigned with locks of its own
	if cl == nil {
		return nil
	}
	var list []Partition
	committed := cl.CommittedOffsets()
	for topic, partitions := range committed {
		for id := range partitions {
			list = append(list, Partition{topic, id})
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.cl != cl {
		return nil
	}
	for p, seen := range f.given {
		if _, ok := committed[p.Topic][p.ID]; ok {
			f.given[p] = true
		} else if !seen {
			list = append(list, p)
		}
	}
	return list
}

func (f *figures) setLocked(s Status, err error) {
	if f.stats.Status != s {
		f.stats.Status, f.stats.Since = s, time.Now()
	}
	f.stats.Err = ""
	if err != nil {
		f.stats.Err = err.Error()
	}
}

// opening: a new session is about to begin. The error of the one before stays until something succeeds.
func (f *figures) opening() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cl = nil
	clear(f.lag)
	clear(f.given)
}

// joining: the new session's client is cl.
func (f *figures) joining(cl *kgo.Client) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cl = cl
}

// begun: a run begins. Why the one before ended stays to be read until something succeeds.
func (f *figures) begun() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stats.Status == Stopped || f.stats.Status == Restarting {
		f.stats.Status, f.stats.Since = Joining, time.Now()
	}
}

// left: the session has ended because of err; nil when it was asked to.
func (f *figures) left(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cl = nil
	if err != nil {
		f.stats.Rebuilds++
		f.setLocked(Retrying, err)
	}
}

// ended: the run is over because of err; nil when it was asked to.
func (f *figures) ended(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cl = nil
	if err != nil {
		f.setLocked(Restarting, err)
		return
	}
	f.setLocked(Stopped, nil)
}

// assigned: the group has given out these partitions, beside those that it gave before.
func (f *figures) assigned(more map[string][]int32) {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.lag)
	for topic, partitions := range more {
		for _, id := range partitions {
			f.given[Partition{topic, id}] = false
			f.setLocked(Running, nil)
		}
	}
}

// revoked: the group has taken these back.
func (f *figures) revoked(gone map[string][]int32) {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.lag)
	for topic, partitions := range gone {
		for _, id := range partitions {
			delete(f.given, Partition{topic, id})
		}
	}
}

func (f *figures) troubled(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.setLocked(Retrying, err)
}

// undone: the group changed under a batch. That is no trouble, and perhaps the batch is another's now.
func (f *figures) undone() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stats.Retries++
}

// retrying is trouble that costs a try.
func (f *figures) retrying(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stats.Retries++
	f.setLocked(Retrying, err)
}

func (f *figures) committed(b batch) {
	now := time.Now()
	for _, at := range b.stamps {
		f.took.Record(now.Sub(at))
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stats.Handled += b.handled
	f.stats.Produced += b.produced
	f.stats.DeadLetters += b.deadLetters
	f.setLocked(Running, nil)
}

func (f *figures) fetched(p kgo.FetchTopicPartition) {
	if len(p.Records) == 0 {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	behind := p.HighWatermark - p.Records[len(p.Records)-1].Offset - 1
	f.lag[Partition{p.Topic, p.Partition}] = max(behind, 0)
	f.stats.Lag = 0
	for _, n := range f.lag {
		f.stats.Lag += n
	}
}
