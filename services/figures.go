package services

import (
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// figures is what Stats shows. The loop writes it, anybody reads it.
type figures struct {
	mu    sync.Mutex
	stats Stats
	lag   map[partition]int64
	cl    *kgo.Client // of the present session; nil between two
}

type partition struct {
	topic string
	id    int32
}

func newFigures(name string) *figures {
	return &figures{stats: Stats{Name: name, Status: Joining, Since: time.Now(), Lag: -1}, lag: make(map[partition]int64)}
}

func (f *figures) snapshot() Stats {
	f.mu.Lock()
	s, cl := f.stats, f.cl
	f.mu.Unlock() // the client calls assigned with locks of its own
	if cl == nil {
		return s
	}
	// The client is asked because its callbacks cannot be added up: a transactional session swallows the second of two
	// revocations when no transaction ended in between.
	for _, partitions := range cl.CommittedOffsets() {
		s.Partitions += len(partitions)
	}
	return s
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

// joining: a new session begins with cl. The error of the one before stays until something succeeds.
func (f *figures) joining(cl *kgo.Client) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cl = cl
	clear(f.lag)
}

// left: the session has ended because of err; nil when it was asked to.
func (f *figures) left(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cl = nil
	if err != nil {
		f.stats.Rebuilds++
		f.setLocked(Retrying, err)
		return
	}
	f.setLocked(Stopped, nil)
}

// assigned: the group has given out so many partitions more.
func (f *figures) assigned(partitions int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.lag)
	if partitions > 0 {
		f.setLocked(Running, nil)
	}
}

func (f *figures) troubled(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.setLocked(Retrying, err)
}

// retrying is trouble that costs a try.
func (f *figures) retrying(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stats.Retries++
	f.setLocked(Retrying, err)
}

func (f *figures) committed(b batch) {
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
	f.lag[partition{p.Topic, p.Partition}] = max(behind, 0)
	f.stats.Lag = 0
	for _, n := range f.lag {
		f.stats.Lag += n
	}
}
