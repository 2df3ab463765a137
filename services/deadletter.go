package services

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kgo"

	"kassa/services/events"
)

// Headers of a dead letter, after those that the record came with. They say where it came from and why it is here. A record may have come
// with headers of these names: those are left out, so that each is there once and is ours.
const (
	HeaderDeadTopic     = "dlq.topic"
	HeaderDeadPartition = "dlq.partition"
	HeaderDeadOffset    = "dlq.offset"
	HeaderDeadTime      = "dlq.time" // the source record's timestamp in RFC 3339, or in ms where it has no such year; the dead letter's own is when it died
	HeaderDeadError     = "dlq.error"
	HeaderDeadService   = "dlq.service"
	HeaderDeadAttempt   = "dlq.attempt" // how often this record was tried, 1 for one that is no retry

	// Only there when the record was too large to be kept whole.
	HeaderDeadSize        = "dlq.size"     // bytes of the whole value; of a batch that is too large to be decompressed, how many it has at least
	HeaderDeadKeySize     = "dlq.key-size" // bytes of the whole key
	HeaderDeadHeadersLost = "dlq.headers-lost"

	// HeaderRetryOf is on a record that was written again to its topic, and says of which dead letter: TOPIC/PARTITION@OFFSET. It comes with
	// HeaderDeadAttempt, and both are on the dead letter when that record dies too.
	HeaderRetryOf = "dlq.retry-of"
	// HeaderRetried makes a record of a topic for dead letters a note, and no dead letter: it says which source record was written again.
	HeaderRetried = "dlq.retried"
	// HeaderRetriedAs is on a note too, and says where that is.
	HeaderRetriedAs = "dlq.retried-as"

	// DeadHeaderPrefix is what all of them begin with.
	DeadHeaderPrefix = "dlq."
)

const (
	maxDeadReason = 1 << 10
	headerCost    = 8 // bytes that a header takes besides its name and value, at most, up to 128 KiB
)

// deadLetter is the record that says that service could not read in, or refused it, for this reason. It is meant for the partition that in
// was read from, so that the dead letters of a partition keep its order, and repeats and notes lie where the first is.
//
// A record up to three quarters of the bytes that the topic takes is kept whole. A compressed batch can hold more than any producer could write
// back, and one record must not stop a partition; then a part of each part is kept, and the source's offset tells where the whole is.
func deadLetter(service string, in *kgo.Record, reason error, takes int) *kgo.Record {
	maxDead, maxDeadValue, maxDeadKey, maxDeadHeaders := takes/4*3, takes/2, takes/8, takes/16
	out := &kgo.Record{Topic: events.DeadLetters(in.Topic), Partition: in.Partition, Key: in.Key, Value: in.Value}
	add := func(key, value string) {
		out.Headers = append(out.Headers, kgo.RecordHeader{Key: key, Value: []byte(value)})
	}
	size := len(in.Key) + len(in.Value)
	for _, h := range in.Headers {
		size += len(h.Key) + len(h.Value) + headerCost
	}
	room := size
	if size > maxDead {
		room = maxDeadHeaders
	}
	attempt, retryOf, lost := 1, "", 0
	out.Headers = make([]kgo.RecordHeader, 0, 16)
	for _, h := range in.Headers {
		if strings.HasPrefix(h.Key, DeadHeaderPrefix) {
			switch n, err := strconv.Atoi(string(h.Value)); {
			case h.Key == HeaderDeadAttempt && err == nil && 0 < n && n < 1<<30:
				attempt = n
			case h.Key == HeaderRetryOf && len(h.Value) <= maxDeadReason:
				retryOf = string(h.Value)
			}
			continue
		}
		if room -= len(h.Key) + len(h.Value) + headerCost; room < 0 {
			lost++
			continue
		}
		out.Headers = append(out.Headers, h)
	}
	add(HeaderDeadTopic, in.Topic)
	add(HeaderDeadPartition, strconv.Itoa(int(in.Partition)))
	add(HeaderDeadOffset, strconv.FormatInt(in.Offset, 10))
	add(HeaderDeadTime, deadTime(in.Timestamp))
	add(HeaderDeadError, shorten(reason.Error(), maxDeadReason))
	add(HeaderDeadService, service)
	add(HeaderDeadAttempt, strconv.Itoa(attempt))
	if retryOf != "" {
		add(HeaderRetryOf, retryOf)
	}
	if size <= maxDead {
		return out
	}
	if len(in.Value) > maxDeadValue {
		add(HeaderDeadSize, strconv.Itoa(len(in.Value)))
		out.Value = in.Value[:maxDeadValue]
	}
	if len(in.Key) > maxDeadKey {
		add(HeaderDeadKeySize, strconv.Itoa(len(in.Key)))
		out.Key = in.Key[:maxDeadKey]
	}
	if lost > 0 {
		add(HeaderDeadHeadersLost, strconv.Itoa(lost))
	}
	return out
}

// deadTime is a timestamp as HeaderDeadTime has it: it may be of any year: producers set them, and Kafka takes most.
func deadTime(t time.Time) string {
	if y := t.UTC().Year(); y < 0 || y > 9999 {
		return strconv.FormatInt(t.UnixMilli(), 10)
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// shorten cuts text to at most n bytes, between two characters.
func shorten(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}

// letterPartitioner keeps dead letters in the partition that their record says; everything else goes where its key belongs.
type letterPartitioner struct{ kgo.Partitioner }

func newLetterPartitioner() kgo.Partitioner {
	return letterPartitioner{kgo.UniformBytesPartitioner(64<<10, true, true, nil)} // the client's default
}

// ForTopic implements kgo.Partitioner.
func (p letterPartitioner) ForTopic(topic string) kgo.TopicPartitioner {
	if events.IsDeadLetters(topic) {
		return kgo.BasicConsistentPartitioner(func(string) func(*kgo.Record, int) int {
			return func(r *kgo.Record, n int) int { return int(r.Partition) % n } // the source may have more of them
		}).ForTopic(topic)
	}
	return p.Partitioner.ForTopic(topic)
}
