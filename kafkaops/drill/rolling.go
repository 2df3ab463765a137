package drill

import (
	"context"
	"fmt"
	"time"

	"kassa/kafkaops"
	"kassa/kafkaops/watch"
)

// rolling restarts one broker after the other, the leader of the quorum last, and goes on when every partition has all its replicas again.
func (r *Recorder) rolling(ctx context.Context) error {
	s := r.cfg.Watcher.State()
	if !whole(s) {
		return &kafkaops.RefusedError{Fault: kafkaops.Fault{Verb: kafkaops.Rolling}, Reason: "a broker or replica is missing already: a restart would be a second loss"}
	}
	order := make([]int32, 0, len(s.Nodes))
	for _, n := range s.Nodes {
		if n.ID != s.Quorum.Leader {
			order = append(order, n.ID)
		}
	}
	for _, id := range append(order, s.Quorum.Leader) {
		if err := r.do(ctx, kafkaops.Fault{Verb: kafkaops.Restart, Node: id}, string(kafkaops.Rolling)+" restart"); err != nil {
			return err
		}
		if err := r.await(ctx, openFor, func(s *watch.State, _ *Probe) bool { return whole(s) }); err != nil {
			return fmt.Errorf("broker %d did not come back whole: %w", id, err)
		}
		r.awaitWarm(ctx) // the next one's partitions go to it
	}
	return nil
}

func whole(s *watch.State) bool {
	return s.Quorum.Known && s.Count(watch.Up) == len(s.Nodes) && s.UnderReplicated() == 0
}

// await looks until is says yes, or the recorder is closed.
func (r *Recorder) await(ctx context.Context, limit time.Duration, is func(*watch.State, *Probe) bool) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		r.mu.Lock()
		p := r.probe
		r.mu.Unlock()
		if is(r.cfg.Watcher.State(), p) {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-r.life.Done():
			return r.life.Err()
		case <-tick.C:
		}
	}
}
