package deadletters

import (
	"hash/maphash"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kassa/services"
	"kassa/services/events"
)

// identity is which record died, as a letter or a note names it: two letters that share it are repeats of one. The source's timestamp
// is in it because offsets begin anew when a topic is made anew. It is a hash, so that a million of them take 40 MB.
type identity uint64

type identifier struct{ seed maphash.Seed }

func (i identifier) of(source, sourceTime string) identity {
	return identity(maphash.String(i.seed, source+"|"+sourceTime))
}

// note says that a record was written again.
type note struct {
	of identity
	at time.Time
	as string
}

// read tells a letter from a note; one of them is nil. The value is not copied.
func (i identifier) read(rec *kgo.Record) (*Letter, identity, *note) {
	own := make(map[string]string, 8)
	l := &Letter{
		At: Place{rec.Topic, rec.Partition, rec.Offset}, Time: rec.Timestamp, Attempt: 1,
		Key: rec.Key, Value: rec.Value, Size: len(rec.Value),
	}
	for _, h := range rec.Headers {
		if strings.HasPrefix(h.Key, services.DeadHeaderPrefix) {
			own[h.Key] = string(h.Value) // of several the last: a stranger's come first
		} else {
			l.Headers = append(l.Headers, events.Header(h))
		}
	}
	sourceTime := own[services.HeaderDeadTime]
	if of, ok := own[services.HeaderRetried]; ok && own[services.HeaderDeadTopic] == "" {
		return nil, 0, &note{of: i.of(of, sourceTime), at: rec.Timestamp, as: own[services.HeaderRetriedAs]}
	}
	l.sourceTime = sourceTime
	l.Reason, l.Service, l.RetryOf = own[services.HeaderDeadError], own[services.HeaderDeadService], own[services.HeaderRetryOf]
	partition, err1 := strconv.ParseUint(own[services.HeaderDeadPartition], 10, 31)
	offset, err2 := strconv.ParseUint(own[services.HeaderDeadOffset], 10, 63)
	// A letter goes back to the topic whose dead letters it lies among, whatever a stranger has written into it.
	if topic := own[services.HeaderDeadTopic]; err1 == nil && err2 == nil && topic == events.SourceOf(rec.Topic) {
		l.Source = Place{topic, int32(partition), int64(offset)}
	}
	if t, err := time.Parse(time.RFC3339Nano, sourceTime); err == nil {
		l.SourceTime = t
	} else if ms, err := strconv.ParseInt(sourceTime, 10, 64); err == nil {
		l.SourceTime = time.UnixMilli(ms)
	}
	if n, err := strconv.Atoi(own[services.HeaderDeadAttempt]); err == nil && n > 0 {
		l.Attempt = n
	}
	for _, h := range []string{services.HeaderDeadSize, services.HeaderDeadKeySize, services.HeaderDeadHeadersLost} {
		if _, ok := own[h]; ok {
			l.Cut = true
		}
	}
	if n, err := strconv.Atoi(own[services.HeaderDeadSize]); err == nil && n > l.Size {
		l.Size = n
	}
	if l.Source == (Place{}) { // it is nobody's repeat
		return l, i.of(l.At.String(), ""), nil
	}
	return l, i.of(l.Source.String(), sourceTime), nil
}
