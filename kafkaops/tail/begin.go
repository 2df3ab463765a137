package tail

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// From is where a tail begins. The zero value is the end of the log. It holds for the topics that are there when the cluster first
// answers; one that is made later is read from its start, or what is written to it before the client hears of it
// would never be seen. Partitions that a topic is given later are not read.
type From struct {
	start bool
	last  int64
}

// End begins behind the newest record.
func End() From { return From{} }

// Beginning starts with the oldest record that there is.
func Beginning() From { return From{start: true} }

// Last begins n records before the end of each partition.
func Last(n int64) From { return From{last: n} }

// beginning finds out where to begin, as soon as the cluster lets it.
type beginning struct {
	client  *kgo.Client
	from    From
	pending map[string]map[int32]bool // topics that are not read yet, or not all of them; true for partitions that are
}

func newBeginning(client *kgo.Client, cfg Config) *beginning {
	b := &beginning{client: client, from: cfg.From, pending: make(map[string]map[int32]bool)}
	if cfg.From.start {
		client.AddConsumeTopics(cfg.Topics...)
		return b
	}
	for _, t := range cfg.Topics {
		b.pending[t] = make(map[int32]bool)
	}
	return b
}

// try begins wherever that has not been done. It costs nothing once all has begun, and reports when that came to be.
func (b *beginning) try(ctx context.Context) (done bool, err error) {
	if len(b.pending) == 0 {
		return false, nil
	}
	topics := make([]string, 0, len(b.pending))
	for t := range b.pending {
		topics = append(topics, t)
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	ends, err := kadm.NewClient(b.client).ListEndOffsets(ctx, topics...) // partial answers come with an error
	for t, ps := range ends {
		if _, missing := ps[-1]; missing {
			b.client.AddConsumeTopics(t)
			delete(b.pending, t)
			continue
		}
		complete := len(ps) > 0
		for id, o := range ps {
			switch {
			case o.Err != nil:
				complete, err = false, o.Err
			case !b.pending[t][id]:
				b.pending[t][id] = true
				at := kgo.NewOffset().At(max(0, o.Offset-b.from.last))
				b.client.AddConsumePartitions(map[string]map[int32]kgo.Offset{t: {id: at}})
			}
		}
		if complete {
			delete(b.pending, t)
		}
	}
	if err != nil {
		return false, fmt.Errorf("find the end of the log: %w", err)
	}
	return len(b.pending) == 0, nil
}
