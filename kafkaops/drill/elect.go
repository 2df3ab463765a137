package drill

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// electSteps is how many elections the partitions that are astray are shared out to. When all move at once, the brokers and every client do the work
// of all of them in the same instant, and the writes of each partition wait for it.
const electSteps = 40

// elect gives every partition its preferred leader, a few at a time. That a preferred leader is not in sync is an error that names the
// partition; the others move all the same.
func (r *Recorder) elect(ctx context.Context) error {
	topics, err := r.admin.ListTopicsWithInternal(ctx)
	if err != nil {
		return fmt.Errorf("electing the preferred leaders: %w", err)
	}
	var astray kadm.TopicsSet
	n := 0
	topics.EachPartition(func(p kadm.PartitionDetail) {
		if len(p.Replicas) > 0 && p.Leader != p.Replicas[0] {
			astray.Add(p.Topic, p.Partition)
			n++
		}
	})
	var failed error
	for some := range inSteps(astray, (n+electSteps-1)/electSteps) {
		results, err := r.admin.ElectLeaders(ctx, kadm.ElectPreferredReplica, some)
		if err != nil {
			return fmt.Errorf("electing the preferred leaders: %w", err)
		}
		for topic, parts := range results {
			for part, res := range parts {
				if res.Err != nil && !errors.Is(res.Err, kerr.ElectionNotNeeded) {
					failed = errors.Join(failed, fmt.Errorf("%s/%d: %w", topic, part, res.Err))
				}
			}
		}
	}
	return failed
}

// inSteps goes through a set, so many partitions at a time.
func inSteps(all kadm.TopicsSet, size int) func(yield func(kadm.TopicsSet) bool) {
	return func(yield func(kadm.TopicsSet) bool) {
		some, n := kadm.TopicsSet{}, 0
		for _, t := range all.Sorted() {
			for _, p := range t.Partitions {
				some.Add(t.Topic, p)
				if n++; n == size {
					if !yield(some) {
						return
					}
					some, n = kadm.TopicsSet{}, 0
				}
			}
		}
		if n > 0 {
			yield(some)
		}
	}
}
