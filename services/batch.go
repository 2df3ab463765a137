package services

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kassa/services/events"
)

// Back-off of a handler that failed. The group is kept alive meanwhile, and no transaction is open.
const (
	handlerPause    = 50 * time.Millisecond
	handlerPauseMax = 5 * time.Second
)

// batch is what follows from some records: to be committed whole or not at all.
type batch struct {
	out                            []*kgo.Record
	handled, produced, deadLetters int64
	stamps                         []time.Time // of the events that were handled
}

// handle runs the handler over records; what follows is in their order. It fails only because ctx ended or the handler panicked.
func (r *Runner) handle(ctx context.Context, records []*kgo.Record) (batch, error) {
	b := batch{out: make([]*kgo.Record, 0, len(records))}
	for i, o := range r.outcomes(ctx, records) {
		switch {
		case o.passed:
		case o.err == nil:
			b.handled++
			b.stamps = append(b.stamps, records[i].Timestamp)
			b.produced += int64(len(o.out))
			b.out = append(b.out, o.out...)
		case refused(o.err):
			b.bury(r.svc.Name, records[i], o.err, r.letterBytes.get())
		default:
			return batch{}, o.err
		}
	}
	return b, nil
}

func (b *batch) bury(service string, rec *kgo.Record, reason error, takes int) {
	b.out = append(b.out, deadLetter(service, rec, reason, takes))
	b.deadLetters++
}

// buryBatches adds a dead letter for each batch of records that cannot be read at all: without a value, for the first of them.
func (b *batch) buryBatches(svc Service, stuck []*kgo.ErrDecompressTooLarge, largest, takes int) {
	for _, e := range stuck {
		if slices.Contains(svc.Watched, e.Topic) {
			continue
		}
		b.bury(svc.Name, &kgo.Record{Topic: e.Topic, Partition: e.Partition, Offset: e.Offset}, fmt.Errorf("cannot be read: %w", whyTooLarge(e, largest)), takes)
		letter := b.out[len(b.out)-1]
		letter.Headers = append(letter.Headers, kgo.RecordHeader{Key: HeaderDeadSize, Value: []byte(strconv.Itoa(largest))})
	}
}

// PanicError is a handler that panicked.
type PanicError struct {
	Event events.Event // that it was given
	Value any          // what it panicked with
	Stack []byte
}

// Error leaves out the stack, which is for the log.
func (p *PanicError) Error() string {
	return fmt.Sprintf("panic while handling %s/%d offset %d: %v", p.Event.Topic, p.Event.Partition, p.Event.Offset, p.Value)
}

// call runs the handler. A panic in it ends this service, and not the process with all the others.
func (r *Runner) call(ctx context.Context, in events.Event) (out []events.Event, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Event: in, Value: v, Stack: debug.Stack()}
		}
	}()
	return r.svc.Handle(ctx, in)
}

// try handles one event until that succeeds, the event is refused or put off, the handler panics or ctx ends.
func (r *Runner) try(ctx context.Context, in events.Event) ([]*kgo.Record, error) {
	for n := 0; ; n++ {
		out, err := r.call(ctx, in)
		if err == nil {
			return r.encode(in, out)
		}
		if _, panicked := errors.AsType[*PanicError](err); panicked || refused(err) {
			return nil, err
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		r.figures.retrying(fmt.Errorf("%w (handling %s/%d offset %d)", err, in.Topic, in.Partition, in.Offset))
		if putOff(err) {
			return nil, err
		}
		r.log.Warn("handler failed, trying again", "service", r.svc.Name, "topic", in.Topic, "partition", in.Partition, "offset", in.Offset, "err", err)
		if !pause(ctx, n, handlerPause, handlerPauseMax) {
			return nil, ctx.Err()
		}
	}
}

// encode gives the events that a handler returned their wire form. What cannot be written will not be writable the next
// time either, so the event that led to it is refused.
func (r *Runner) encode(in events.Event, out []events.Event) ([]*kgo.Record, error) {
	records := make([]*kgo.Record, 0, len(out))
	for _, e := range out {
		if e.Topic != r.svc.Output {
			return nil, Refuse(fmt.Errorf("%s writes to %q, not to %q", r.svc.Name, r.svc.Output, e.Topic))
		}
		key, value, err := events.Encode(e.Payload)
		if err != nil {
			return nil, Refuse(err)
		}
		now := time.Now()
		records = append(records, &kgo.Record{
			Topic: e.Topic, Key: key, Value: value, Timestamp: now,
			Headers: toRecordHeaders(events.Headers(e.Payload, r.svc.Name, now, in.Headers)),
		})
	}
	return records, nil
}

// decode reads a record and gives it the checkout id that its writer may have left out.
func decode(rec *kgo.Record) (events.Event, error) {
	headers := make([]events.Header, len(rec.Headers))
	for i, h := range rec.Headers {
		headers[i] = events.Header(h)
	}
	e, err := events.Decode(rec.Topic, rec.Key, rec.Value, headers)
	if err != nil {
		return e, err
	}
	e.Partition, e.Offset, e.Time = rec.Partition, rec.Offset, rec.Timestamp
	if e.Payload.Checkout() == "" {
		e = e.WithCheckout(CheckoutID(rec.Topic, rec.Partition, rec.Offset))
	}
	return e, nil
}

func toRecordHeaders(headers []events.Header) []kgo.RecordHeader {
	out := make([]kgo.RecordHeader, len(headers))
	for i, h := range headers {
		out[i] = kgo.RecordHeader(h)
	}
	return out
}
