package tail

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// From is where a tail begins, in each partition. The zero value is the end of the log. It holds for the topics that are there when the cluster first
// answers; one that is made later is read from its start, or what is written to it before the client hears of it
// would never be seen. Partitions that a topic is given later are not read.
type From struct {
	kind fromKind
	n    int64
	at   time.Time
}

type fromKind uint8

const (
	fromEnd fromKind = iota
	fromStart
	fromLast
	fromOffset
	fromTime
)

// End begins behind the newest record.
func End() From { return From{} }

// Beginning starts with the oldest record that there is.
func Beginning() From { return From{kind: fromStart} }

// Last begins n records before the end of each partition.
func Last(n int64) From { return From{kind: fromLast, n: n} }

// Offset begins at this offset of each partition: at its end or start where it has none.
func Offset(n int64) From { return From{kind: fromOffset, n: n} }

// Since begins with the first record that has this timestamp or a later one, at the end of partitions that have none.
func Since(t time.Time) From { return From{kind: fromTime, at: t} }

// IsEnd says that it is the end of the log, as it is when the reading begins.
func (f From) IsEnd() bool { return f.kind == fromEnd }

// String is "the end", "the beginning", "offset 12" or a time.
func (f From) String() string {
	switch f.kind {
	case fromStart:
		return "the beginning"
	case fromLast:
		return fmt.Sprintf("%d before the end", f.n)
	case fromOffset:
		return fmt.Sprintf("offset %d", f.n)
	case fromTime:
		return f.at.Format("15:04:05")
	}
	return "the end"
}

// placed is where the reading of a partition begins, and where its log ended then.
type placed struct{ at, end int64 }

// beginning finds out where to begin, as soon as the cluster lets it.
type beginning struct {
	client  *kgo.Client
	from    From
	ends    bool                        // ends are wanted, and without what open transactions hold back
	pending map[string]map[int32]placed // topics that are not read yet, or not all of them, and their partitions that are
	where   map[string]map[int32]placed // the same of all topics
}

func newBeginning(client *kgo.Client, cfg Config) *beginning {
	b := &beginning{client: client, from: cfg.From, ends: cfg.Page > 0, pending: make(map[string]map[int32]placed), where: make(map[string]map[int32]placed)}
	if cfg.From.kind == fromStart && !b.ends {
		client.AddConsumeTopics(cfg.Topics...)
		return b
	}
	for _, t := range cfg.Topics {
		b.pending[t] = make(map[int32]placed)
		b.where[t] = b.pending[t]
	}
	return b
}

// askWithin is long enough for a client that tries brokers that hang before one that answers.
const askWithin = 2 * time.Second

// ask asks the brokers what is needed to know where to begin: where the logs end, and where they start or what they had at a time. Partial answers come with an
// error.
func (b *beginning) ask(ctx context.Context, topics []string) (ends, starts kadm.ListedOffsets, err error) {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	adm := kadm.NewClient(b.client)
	list := adm.ListEndOffsets
	if b.ends {
		list = adm.ListCommittedOffsets
	}
	var err2 error
	var both sync.WaitGroup // a broker that hangs takes all of the time
	both.Go(func() {
		switch b.from.kind {
		case fromStart, fromOffset, fromLast:
			starts, err2 = adm.ListStartOffsets(ctx, topics...)
		case fromTime:
			starts, err2 = adm.ListOffsetsAfterMilli(ctx, b.from.at.UnixMilli(), topics...)
		}
	})
	ends, err = list(ctx, topics...)
	both.Wait()
	return ends, starts, cmp.Or(err, err2)
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
	ends, starts, failed := b.ask(ctx, topics)
	err = failed
	for t, ps := range ends {
		if _, missing := ps[-1]; missing {
			b.client.AddConsumeTopics(t)
			delete(b.pending, t)
			continue
		}
		complete := len(ps) > 0 && failed == nil // whoever did not answer may lead partitions that are not in the list
		for id, o := range ps {
			first := starts[t][id]
			_, known := starts[t][id]
			switch _, begun := b.pending[t][id]; {
			case begun:
			case o.Err != nil:
				complete, err = false, o.Err
			case b.from.kind != fromEnd && (!known || first.Err != nil):
				complete = false
				if first.Err != nil {
					err = first.Err
				}
			default:
				at := b.at(first.Offset, o.Offset)
				b.pending[t][id] = placed{at, o.Offset}
				b.client.AddConsumePartitions(map[string]map[int32]kgo.Offset{t: {id: kgo.NewOffset().At(at)}})
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

// at is where to begin in a partition. first is its start, or what it had at the time; -1 is nothing since then.
func (b *beginning) at(first, end int64) int64 {
	switch b.from.kind {
	case fromStart:
		return first
	case fromLast:
		return max(first, end-b.from.n)
	case fromOffset:
		return min(max(first, b.from.n), end)
	case fromTime:
		if first >= 0 {
			return min(first, end)
		}
	}
	return end
}

// placed are the partitions of a topic of which it is known where to begin.
func (b *beginning) placed(topic string) map[int32]placed { return b.where[topic] }
