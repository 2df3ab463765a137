package payment

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"kassa/services/events"
)

// readyWithin is how long the cluster has to say that it takes payments.
const readyWithin = time.Second

// Ready says why no payment can be acknowledged now; nil if one can, as far as is known: what waits is acknowledged, and each partition has a leader.
func (s *Service) Ready(ctx context.Context) error {
	s.mu.Lock()
	t, err := s.tillLocked()
	stalled, pending := s.stalledLocked(time.Now()), s.stats.Pending
	s.mu.Unlock()
	switch {
	case err != nil:
		return err
	case stalled > 0:
		return fmt.Errorf("%d payments wait, and none was acknowledged for %.1f s", pending, stalled.Seconds())
	}
	topics, err := kadm.NewClient(t.cl).ListTopics(ctx, events.PaymentSuccessful)
	if err != nil {
		return fmt.Errorf("the cluster does not answer: %w", err)
	}
	topic := topics[events.PaymentSuccessful]
	if topic.Err != nil {
		return fmt.Errorf("topic %s: %w", events.PaymentSuccessful, topic.Err)
	}
	for _, p := range topic.Partitions.Sorted() {
		if p.Leader < 0 {
			return fmt.Errorf("%s/%d has no leader", p.Topic, p.Partition)
		}
	}
	return nil
}

var _ Till = (*Service)(nil)
