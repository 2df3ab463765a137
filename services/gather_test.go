package services

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"kassa/services/events"
)

// told is a session whose polls are written down.
type told struct {
	session
	polls []kgo.Fetches
}

func (t *told) rest() {}
func (t *told) poll(ctx context.Context) kgo.Fetches {
	if len(t.polls) == 0 {
		<-ctx.Done()
		return kgo.NewErrFetch(ctx.Err())
	}
	next := t.polls[0]
	t.polls = t.polls[1:]
	return next
}

// A client says once that a topic is gone, perhaps beside records of others. The session ends with it.
func TestATopicThatIsGoneEndsASessionThatHasRecords(t *testing.T) {
	r := NewRunner(Service{Name: "order", Inputs: []string{events.PaymentSuccessful}, Output: events.OrderSuccessful}, Config{Gather: time.Millisecond})
	record := func() kgo.Fetches {
		return kgo.Fetches{{Topics: []kgo.FetchTopic{{Topic: "other", Partitions: []kgo.FetchPartition{{Records: []*kgo.Record{{Topic: "other"}}}}}}}}
	}
	gone := kgo.Fetch{Topics: []kgo.FetchTopic{{Topic: events.PaymentSuccessful, Partitions: []kgo.FetchPartition{{Partition: 1, Err: kerr.UnknownTopicID}}}}}
	for name, polls := range map[string][]kgo.Fetches{
		"alone":  {{gone}},
		"beside": {append(record(), gone)},
		"behind": {record(), append(record(), gone)},
	} {
		if _, _, err := r.gather(t.Context(), &told{polls: polls}, time.Now()); !errors.Is(err, kerr.UnknownTopicID) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
