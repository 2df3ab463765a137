package services

import (
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kassa/services/events"
)

// Headers of a dead letter, after those that the record came with. They say where it came from and why it is here.
const (
	HeaderDeadTopic     = "dlq.topic"
	HeaderDeadPartition = "dlq.partition"
	HeaderDeadOffset    = "dlq.offset"
	HeaderDeadTime      = "dlq.time" // the source record's timestamp, RFC 3339; the dead letter's own is when it died
	HeaderDeadError     = "dlq.error"
	HeaderDeadService   = "dlq.service"
	HeaderDeadSize      = "dlq.size" // bytes of the whole value; only there when it had to be cut
)

// maxDeadValue is how much of a value is kept, in bytes: a compressed batch can hold values that no producer could write
// back. The source's offset tells where the whole of it is.
const maxDeadValue = 1 << 20

// deadLetter is the record that says that service could not read in, or refused it, for this reason.
func deadLetter(service string, in *kgo.Record, reason error) *kgo.Record {
	headers := make([]kgo.RecordHeader, 0, len(in.Headers)+7)
	headers = append(headers, in.Headers...)
	add := func(key, value string) { headers = append(headers, kgo.RecordHeader{Key: key, Value: []byte(value)}) }
	add(HeaderDeadTopic, in.Topic)
	add(HeaderDeadPartition, strconv.Itoa(int(in.Partition)))
	add(HeaderDeadOffset, strconv.FormatInt(in.Offset, 10))
	add(HeaderDeadTime, in.Timestamp.UTC().Format(time.RFC3339Nano))
	add(HeaderDeadError, reason.Error())
	add(HeaderDeadService, service)
	value := in.Value
	if len(value) > maxDeadValue {
		add(HeaderDeadSize, strconv.Itoa(len(value)))
		value = value[:maxDeadValue]
	}
	return &kgo.Record{Topic: events.DeadLetters(in.Topic), Key: in.Key, Value: value, Headers: headers}
}
