// Package tail reads topics as they grow, for eyes: it joins no group, commits nothing and never slows anybody down. What
// it reads comes out in batches, a few a second; whoever is too slow to take them loses rows from view, never from the counts.
package tail

import "time"

// Record is one record of a topic, copied out of the client's buffers.
type Record struct {
	Topic     string
	Partition int32
	Offset    int64
	Epoch     int32     // leader epoch under which it was written; -1 if unknown
	Time      time.Time // the record's timestamp
	Key       []byte    // nil for none
	Value     []byte    // nil for a tombstone; at most MaxValue bytes of it
	Size      int       // bytes of the whole value; more than len(Value) when it was cut
	Headers   []Header

	Transactional bool  // written in a transaction
	ProducerID    int64 // of whoever wrote it; -1 without idempotence
}

// Header is one header of a record; keys may repeat.
type Header struct {
	Key   string
	Value []byte // at most MaxHeader bytes of it
	Size  int    // bytes of the whole value
}

// Bytes is about how much memory a record holds.
func (r *Record) Bytes() int {
	n := len(r.Key) + len(r.Value)
	for _, h := range r.Headers {
		n += headerBytes + len(h.Key) + len(h.Value)
	}
	return n
}

// headerBytes is what a header takes beside its text.
const headerBytes = 56

// MaxValue is how much of a record's value is kept, in bytes.
const MaxValue = 64 << 10

// MaxHeader is how much of a header's value is kept, in bytes.
const MaxHeader = 4 << 10

// Batch is what has come since the last one.
type Batch struct {
	At      time.Time
	Records []Record // in order within each partition; the newest where rows were left out
	// Topics counts everything, also what is not in Records.
	Topics map[string]Count
}

// Count is what is known of one topic.
type Count struct {
	Read    int64 // records since the tail started, all partitions
	Skipped int64 // of those, records that were never put in a Batch because the reader was too slow
	Bytes   int64 // of keys and values, since the tail started
	// Behind is the number of records between what was read and the end of the log as last fetched.
	Behind int64
	// Err is the last error of the topic's partitions, with the time it began; empty when all is well.
	Err      string
	ErrSince time.Time
	// Silent is who does not answer, and for which partitions; empty when all do.
	Silent []Silence
	// Gone is when it was seen that the topic was deleted; zero while it is there, or was never there.
	Gone time.Time
	// Held says that a page was read, that there is more, and that More has it read.
	Held bool
}
