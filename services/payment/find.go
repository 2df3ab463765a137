package payment

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

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

// find reads the payments that were written since then, by checkout id. It reads to the end of the log and not only to the high watermark: while a
// follower is down a record may lie between the two for long. If the watermark does not reach the end in time the answer is an error.
func (s *Service) find(ctx context.Context, since time.Time) (map[string]*kgo.Record, error) {
	cl, err := kgo.NewClient(append(append([]kgo.Opt(nil), s.cfg.Client...),
		kgo.WithContext(ctx), kgo.ClientID("kassa-payment-find"), kgo.KeepControlRecords(), kgo.DisableClientMetrics())...)
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	admin := kadm.NewClient(cl)
	// What is not committed has no timestamp as far as Kafka tells; it may be committed before the next answer.
	marks, err := admin.ListEndOffsets(ctx, events.PaymentSuccessful)
	if err = errors.Join(err, marks.Error()); err != nil {
		return nil, err
	}
	starts, err := admin.ListOffsetsAfterMilli(ctx, since.Add(-findMargin).UnixMilli(), events.PaymentSuccessful)
	if err = errors.Join(err, starts.Error()); err != nil {
		return nil, err
	}
	ends, err := logEnds(ctx, cl)
	if err != nil {
		return nil, err
	}
	from, left := map[int32]kgo.Offset{}, map[int32]int64{}
	for partition, end := range ends {
		start, ok1 := starts.Lookup(events.PaymentSuccessful, partition)
		mark, ok2 := marks.Lookup(events.PaymentSuccessful, partition)
		if !ok1 || !ok2 {
			return nil, fmt.Errorf("%s/%d has no offsets", events.PaymentSuccessful, partition)
		}
		if begin := min(start.Offset, mark.Offset); begin < end {
			from[partition], left[partition] = kgo.NewOffset().At(begin), end
		}
	}
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

// logEnds is where the log of each partition ends at its leader, whether its followers have it all or not.
func logEnds(ctx context.Context, cl *kgo.Client) (map[int32]int64, error) {
	topics, err := kadm.NewClient(cl).ListTopics(ctx, events.PaymentSuccessful)
	if err = errors.Join(err, topics.Error()); err != nil {
		return nil, err
	}
	ask := kmsg.NewListOffsetsRequestTopic()
	ask.Topic = events.PaymentSuccessful
	for _, p := range topics[ask.Topic].Partitions {
		part := kmsg.NewListOffsetsRequestTopicPartition()
		// Whoever leads in this epoch, since a follower would answer too.
		part.Partition, part.CurrentLeaderEpoch, part.Timestamp = p.Partition, p.LeaderEpoch, latest
		ask.Partitions = append(ask.Partitions, part)
	}
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID, req.Topics = debugger, append(req.Topics, ask)
	ends := make(map[int32]int64)
	for _, shard := range cl.RequestSharded(ctx, req) { // each to the leaders that it is for
		if shard.Err != nil {
			return nil, shard.Err
		}
		for _, topic := range shard.Resp.(*kmsg.ListOffsetsResponse).Topics {
			for _, p := range topic.Partitions {
				if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
					return nil, fmt.Errorf("%s/%d: %w", topic.Topic, p.Partition, err)
				}
				ends[p.Partition] = p.Offset
			}
		}
	}
	if len(ends) < len(ask.Partitions) {
		return nil, fmt.Errorf("%d of %d partitions of %s say where they end", len(ends), len(ask.Partitions), ask.Topic)
	}
	return ends, nil
}

// In a ListOffsets request: who asks, and for what. Consumers (-1) are told the high watermark, a debugger the end of the log.
const (
	debugger = -2
	latest   = -1
)
