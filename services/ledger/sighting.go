package ledger

import (
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// stage is a topic of the flow, in the order in which a checkout passes them.
type stage int

const (
	payment stage = iota
	order
	email
	flow // how many there are
)

// topics of the stages, and the suffix of the topic where the dead letters of each are.
var topics = [flow]string{"payment-successful", "order-successful", "email-successful"}

const deadSuffix = ".dlq"

// readers are the groups that make of each stage's events those of the next.
var readers = [flow]string{payment: "order", order: "email"}

// String is what a person calls an event of it.
func (s stage) String() string { return [flow]string{"payment", "order", "email"}[s] }

// stageOf is what a topic belongs to, and whether it is the one of the dead letters.
func stageOf(topic string) (s stage, dead, ok bool) {
	source, dead := strings.CutSuffix(topic, deadSuffix)
	for s, t := range topics {
		if t == source {
			return stage(s), dead, true
		}
	}
	return 0, false, false
}

// Headers of dead letters and of records that were written again (architecture: dead letters).
const (
	headerDeadTopic     = "dlq.topic"
	headerDeadPartition = "dlq.partition"
	headerDeadOffset    = "dlq.offset"
	headerDeadSize      = "dlq.size"     // there if the letter does not hold the whole value
	headerRetryOf       = "dlq.retry-of" // on a record that was written again, and on its dead letter
	headerRetried       = "dlq.retried"  // makes a record a note, and no letter
)

// sighting is what an audit keeps of a record.
type sighting struct {
	stage    stage
	dead     bool // a letter about a record of that stage
	nameless bool // the record names no checkout: the id is made of its place
	tx       bool // written in a transaction
	retry    bool // written again by hand, after it had died
	changed  bool // a payment whose amount is not what its cart adds up to
	spot     spot
	at       int64  // timestamp, ms
	id       uint64 // sum of orderId or emailId
	amount   int64  // of a payment; NoAmount if it cannot be read
	checkout string
}

// spot is a place in the topic of a stage, or of its dead letters.
type spot struct {
	partition int32
	offset    int64
}

func (s spot) before(o spot) bool {
	return s.partition < o.partition || s.partition == o.partition && s.offset < o.offset
}

// see reads a record of one of the audited topics. A note about a retry is no sighting.
func see(seed maphash.Seed, r *kgo.Record) (sighting, bool) {
	stage, dead, ok := stageOf(r.Topic)
	if !ok {
		return sighting{}, false
	}
	s := sighting{stage: stage, dead: dead, tx: r.Attrs.IsTransactional(), spot: spot{r.Partition, r.Offset}, at: r.Timestamp.UnixMilli(), amount: NoAmount}
	var e event
	if dead {
		var note bool
		if s.checkout, note = letterOf(stage, r); note {
			return sighting{}, false
		}
		return s, true
	}
	_, s.retry = header(r, headerRetryOf)
	e = decode(stage, r.Value)
	if s.checkout = e.checkout; s.checkout == "" {
		s.checkout, s.nameless = placeID(r.Topic, r.Partition, r.Offset), true
	}
	if stage != payment {
		s.id = maphash.String(seed, e.id)
		return s, true
	}
	s.amount, s.changed = e.amount, e.amount != NoAmount && e.sum != NoAmount && e.amount != e.sum
	if s.amount == NoAmount {
		s.amount = e.sum
	}
	return s, true
}

// letterOf is the checkout that a dead letter is about: the one that its record named or, like that record's, made of the place where it was.
func letterOf(s stage, r *kgo.Record) (checkout string, note bool) {
	if _, note = header(r, headerRetried); note {
		return "", true
	}
	if _, cut := header(r, headerDeadSize); !cut {
		if e := decode(s, r.Value); e.checkout != "" {
			return e.checkout, false
		}
	}
	topic, _ := header(r, headerDeadTopic)
	p, err1 := number(r, headerDeadPartition, 32)
	o, err2 := number(r, headerDeadOffset, 64)
	if topic != topics[s] || err1 != nil || err2 != nil {
		return placeID(r.Topic, r.Partition, r.Offset), false // a stranger's, who does not say
	}
	return placeID(topic, int32(p), o), false
}

// header is the last of this name: those of the shop come after what a record brought along.
func header(r *kgo.Record, name string) (value string, ok bool) {
	for _, h := range r.Headers {
		if h.Key == name {
			value, ok = string(h.Value), true
		}
	}
	return value, ok
}

func number(r *kgo.Record, name string, bits int) (int64, error) {
	v, _ := header(r, name)
	return strconv.ParseInt(v, 10, bits)
}

// Entries: a byte that says what it is, the checkout id, and the rest. Numbers are varints.
const (
	entryPromise = 1 << 7
	entryStage   = 3 // mask
	entryDead    = 1 << 2
	entryTx      = 1 << 3
	entryRetry   = 1 << 4
	entryNoName  = 1 << 5
	entryChanged = 1 << 6
)

func (s *sighting) append(to []byte) []byte {
	flags := byte(s.stage)
	for _, f := range []struct {
		is  bool
		bit byte
	}{{s.dead, entryDead}, {s.tx, entryTx}, {s.retry, entryRetry}, {s.nameless, entryNoName}, {s.changed, entryChanged}} {
		if f.is {
			flags |= f.bit
		}
	}
	to = appendID(append(to, flags), s.checkout)
	to = binary.AppendUvarint(to, uint64(s.spot.partition))
	to = binary.AppendUvarint(to, uint64(s.spot.offset))
	to = binary.AppendVarint(to, s.at)
	switch {
	case s.dead:
	case s.stage == payment:
		to = binary.AppendVarint(to, s.amount)
	default:
		to = binary.LittleEndian.AppendUint64(to, s.id)
	}
	return to
}

// readSighting reads what follows the id of an entry.
func readSighting(flags byte, rest []byte) sighting {
	s := sighting{
		stage: stage(flags & entryStage), dead: flags&entryDead != 0, tx: flags&entryTx != 0, retry: flags&entryRetry != 0,
		nameless: flags&entryNoName != 0, changed: flags&entryChanged != 0, amount: NoAmount,
	}
	n := numbers{rest}
	s.spot = spot{int32(n.uvarint()), int64(n.uvarint())}
	s.at = n.varint()
	switch {
	case s.dead:
	case s.stage == payment:
		s.amount = n.varint()
	default:
		s.id = binary.LittleEndian.Uint64(n.rest)
	}
	return s
}

func (p Promise) append(to []byte) []byte {
	to = appendID(append(to, entryPromise|byte(p.Outcome)), p.Checkout)
	to = binary.AppendVarint(to, p.Amount)
	ms := int64(0)
	if !p.At.IsZero() {
		ms = p.At.UnixMilli()
	}
	return binary.AppendVarint(to, ms)
}

// readPromise reads what follows the id of an entry.
func readPromise(flags byte, rest []byte) Promise {
	n := numbers{rest}
	p := Promise{Outcome: Outcome(flags &^ entryPromise), Amount: n.varint()}
	if ms := n.varint(); ms != 0 {
		p.At = time.UnixMilli(ms)
	}
	return p
}

// numbers takes varints off the front.
type numbers struct{ rest []byte }

func (n *numbers) uvarint() uint64 {
	v, used := binary.Uvarint(n.rest)
	n.rest = n.rest[max(used, 0):]
	return v
}

func (n *numbers) varint() int64 {
	v, used := binary.Varint(n.rest)
	n.rest = n.rest[max(used, 0):]
	return v
}

// place is a spot as other tools write it.
func place(topic string, s spot) string { return fmt.Sprintf("%s/%d@%d", topic, s.partition, s.offset) }
