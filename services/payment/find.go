package payment

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"kassa/services/events"
)

const (
	// findWithin is how long the log is read for a payment before the answer stays unknown.
	findWithin = 8 * time.Second
	// findMargin is how long before its request a record is looked for: its timestamp is of this clock, but was rounded, and clocks step.
	findMargin = 2 * time.Second
)

// lookLocked has p looked for in the log, and sent if it is not there. What comes while the log is read is looked for in the next round, all at once.
//
// A record that the crashed instance had sent is in the log by then, or was lost with its connection, unless the leader hung when the instance
// crashed and reads its sockets later. Then it is in the log twice, under one id; only a producer that fences its predecessor could tell.
func (s *Service) lookLocked(p *promise) {
	s.missing = append(s.missing, p)
	if s.looking {
		return
	}
	s.looking = true
	s.wg.Go(func() {
		for {
			s.mu.Lock()
			some := s.missing
			s.missing = nil
			if len(some) == 0 {
				s.looking = false
				s.mu.Unlock()
				return
			}
			s.mu.Unlock()
			s.look(some)
		}
	})
}

// look answers each of these: accepted if it is in the log, else by sending it.
func (s *Service) look(some []*promise) {
	since := some[0].begun
	for _, p := range some {
		if p.begun.Before(since) {
			since = p.begun
		}
	}
	ctx, cancel := context.WithTimeout(s.life, findWithin)
	defer cancel()
	there, err := s.find(ctx, since)
	for _, p := range some {
		rec, ok := there[p.pay.CheckoutID]
		switch {
		case err != nil:
			s.resolve(p, nil, fmt.Errorf("looking for it in the log: %w", errors.Join(context.Canceled, err)))
		case ok:
			p.found = true
			s.resolve(p, rec, nil)
		default:
			again, err := p.record()
			if err != nil { // it was a record before
				s.resolve(p, nil, err)
				continue
			}
			s.send(p, again)
			p.till.prompt()
		}
	}
}

// find reads the payments that were written since then, by checkout id.
func (s *Service) find(ctx context.Context, since time.Time) (map[string]*kgo.Record, error) {
	cl, err := kgo.NewClient(append(append([]kgo.Opt(nil), s.cfg.Client...),
		kgo.WithContext(ctx), kgo.ClientID("kassa-payment-find"), kgo.KeepControlRecords(), kgo.DisableClientMetrics())...)
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	admin := kadm.NewClient(cl)
	starts, err := admin.ListOffsetsAfterMilli(ctx, since.Add(-findMargin).UnixMilli(), events.PaymentSuccessful)
	if err = errors.Join(err, starts.Error()); err != nil {
		return nil, err
	}
	ends, err := admin.ListEndOffsets(ctx, events.PaymentSuccessful)
	if err = errors.Join(err, ends.Error()); err != nil {
		return nil, err
	}
	from, left := map[int32]kgo.Offset{}, map[int32]int64{}
	ends.Each(func(end kadm.ListedOffset) {
		if start, ok := starts.Lookup(end.Topic, end.Partition); ok && start.Offset >= 0 && start.Offset < end.Offset {
			from[end.Partition], left[end.Partition] = kgo.NewOffset().At(start.Offset), end.Offset
		}
	})
	there := map[string]*kgo.Record{}
	if len(left) == 0 {
		return there, nil
	}
	cl.AddConsumePartitions(map[string]map[int32]kgo.Offset{events.PaymentSuccessful: from})
	for len(left) > 0 {
		fetches := cl.PollFetches(ctx)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		fetches.EachRecord(func(rec *kgo.Record) {
			if _, ok := there[string(rec.Key)]; !ok {
				there[string(rec.Key)] = rec
			}
			if rec.Offset+1 >= left[rec.Partition] {
				delete(left, rec.Partition)
			}
		})
	}
	return there, nil
}
