package tail

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Log is all that a cluster holds, to be looked at. Its methods may be called from several goroutines; each has a client of its own.
type Log struct{ client []kgo.Opt }

// NewLog is the log of the cluster that these options reach. It does nothing yet.
func NewLog(client []kgo.Opt) Log { return Log{client} }

// Find looks for the records of a key, see Find.
func (l Log) Find(ctx context.Context, q Query) (Found, error) { return Find(ctx, l.client, q) }

// Topic is one topic of a cluster.
type Topic struct {
	Name            string
	Internal        bool // Kafka's own
	Partitions      int
	Replication     int // replicas of a partition; the fewest where they differ
	UnderReplicated int // partitions that lack a replica in their ISR
	Leaderless      int // partitions that nobody leads
	Err             string
}

// Topics lists what there is, Kafka's own last. Any one broker that answers is enough.
func (l Log) Topics(ctx context.Context) ([]Topic, error) {
	cl, err := kgo.NewClient(append(append([]kgo.Opt(nil), l.client...), kgo.DisableClientMetrics())...)
	if err != nil {
		return nil, fmt.Errorf("list topics: client: %w", err)
	}
	defer cl.Close()
	all, err := kadm.NewClient(cl).ListTopicsWithInternal(ctx)
	if err != nil {
		return nil, fmt.Errorf("list topics: %w", err)
	}
	var list []Topic
	for _, d := range all {
		t := Topic{Name: d.Topic, Internal: d.IsInternal, Partitions: len(d.Partitions)}
		if d.Err != nil {
			t.Err = d.Err.Error()
		}
		for _, p := range d.Partitions {
			if t.Replication == 0 || len(p.Replicas) < t.Replication {
				t.Replication = len(p.Replicas)
			}
			if len(p.ISR) < len(p.Replicas) {
				t.UnderReplicated++
			}
			if p.Leader < 0 {
				t.Leaderless++
			}
		}
		list = append(list, t)
	}
	slices.SortFunc(list, func(a, b Topic) int {
		if a.Internal != b.Internal {
			return map[bool]int{false: -1, true: 1}[a.Internal]
		}
		return cmp.Compare(a.Name, b.Name)
	})
	return list, nil
}

// PageSize is how many records a tail of Open reads at a time that does not begin at the end.
const PageSize = 500

// Open reads one topic from a place on: from the end as it grows, from elsewhere by pages.
func (l Log) Open(topic string, from From) (*Tailer, error) {
	cfg := Config{Client: l.client, Topics: []string{topic}, From: from, Every: 150 * time.Millisecond, Small: true}
	if !from.IsEnd() {
		cfg.Page = PageSize
	}
	return Start(cfg)
}
