package doctor

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// recentRecords is how far back from its end a partition is read. It is evidence of who writes now, not a census.
const recentRecords = 20

// Fetch limits in bytes: the largest batch that Kafka takes by default, and what one broker may send us.
const (
	fetchPartitionBytes = 1 << 20
	fetchBytes          = 16 << 20
)

// led is partitions that one broker leads, by topic.
type led map[string][]*Partition

// describeWriters asks the leaders who writes. Internal topics are left out: the brokers write those.
func (g *gatherer) describeWriters(ctx context.Context) {
	leads := make(map[int32]led)
	for t := range g.c.Topics {
		topic := &g.c.Topics[t]
		if topic.Internal || leftOver(topic.Name) {
			continue
		}
		for p := range topic.Partitions {
			part := &topic.Partitions[p]
			if g.nodes[part.Leader] == nil {
				continue
			}
			if leads[part.Leader] == nil {
				leads[part.Leader] = make(led)
			}
			leads[part.Leader][topic.Name] = append(leads[part.Leader][topic.Name], part)
		}
	}
	var (
		mu     sync.Mutex
		askers []*asker
		who    = make(map[*asker]int32)
	)
	for id := range leads {
		askers, who[g.nodes[id]] = append(askers, g.nodes[id]), id
	}
	all(ctx, askers, answerWithin, func(ctx context.Context, a *asker) {
		parts := leads[who[a]]
		err := a.writers(ctx, parts)
		if err == nil {
			err = a.recent(ctx, parts)
		}
		if err != nil {
			mu.Lock()
			defer mu.Unlock()
			g.unseen(fmt.Sprintf("writers to what broker %d leads", who[a]), reason(err))
		}
	})
}

// writers counts the producer ids of which the leader keeps state: idempotent and transactional producers of the last day
// (producer.id.expiration.ms).
func (a *asker) writers(ctx context.Context, parts led) error {
	set := make(kadm.TopicsSet)
	for topic, ps := range parts {
		for _, p := range ps {
			set.Add(topic, p.ID)
		}
	}
	found, err := a.admin.DescribeProducers(ctx, set)
	if err != nil {
		return err
	}
	for topic, ps := range parts {
		for _, p := range ps {
			if d, ok := found[topic].Partitions[p.ID]; ok && d.Err == nil {
				p.Writers.Known, p.Writers.Producers = true, len(d.ActiveProducers)
			}
		}
	}
	return nil
}

// recent reads the last batches of each partition for their producer ids.
func (a *asker) recent(ctx context.Context, parts led) error {
	starts, err := a.offsets(ctx, parts, logStart)
	if err != nil {
		return err
	}
	ends, err := a.offsets(ctx, parts, logEnd)
	if err != nil {
		return err
	}
	req := kmsg.NewPtrFetchRequest()
	req.ReplicaID, req.MaxWaitMillis, req.MinBytes, req.MaxBytes = -1, 100, 1, fetchBytes
	req.SessionEpoch = -1 // no fetch session (KIP-227): we ask once
	asked := make(map[partitionKey]*Partition)
	for topic, ps := range parts {
		rt := kmsg.NewFetchRequestTopic()
		rt.Topic = topic
		for _, p := range ps {
			key := partitionKey{topic, p.ID}
			start, known := starts[key]
			end, ok := ends[key]
			if !known || !ok || end <= start {
				continue
			}
			asked[key] = p
			rp := kmsg.NewFetchRequestTopicPartition()
			rp.Partition, rp.FetchOffset, rp.PartitionMaxBytes = p.ID, max(start, end-recentRecords), fetchPartitionBytes
			rt.Partitions = append(rt.Partitions, rp)
		}
		if len(rt.Partitions) > 0 {
			req.Topics = append(req.Topics, rt)
		}
	}
	if len(asked) == 0 {
		return nil
	}
	kresp, err := a.request(ctx, req)
	if err != nil {
		return err
	}
	for _, t := range kresp.(*kmsg.FetchResponse).Topics {
		for _, rp := range t.Partitions {
			if p := asked[partitionKey{t.Topic, rp.Partition}]; p != nil && rp.ErrorCode == 0 {
				p.Writers.read(rp.RecordBatches)
			}
		}
	}
	return nil
}

type partitionKey struct {
	topic string
	id    int32
}

// The timestamps that ListOffsets takes for the two ends of a log.
const (
	logEnd   = -1
	logStart = -2
)

// offsets lists one end of each partition. kadm's calls take whole topics, of which other brokers lead a part.
func (a *asker) offsets(ctx context.Context, parts led, at int64) (map[partitionKey]int64, error) {
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID = -1
	for topic, ps := range parts {
		rt := kmsg.NewListOffsetsRequestTopic()
		rt.Topic = topic
		for _, p := range ps {
			rp := kmsg.NewListOffsetsRequestTopicPartition()
			rp.Partition, rp.Timestamp = p.ID, at
			rt.Partitions = append(rt.Partitions, rp)
		}
		req.Topics = append(req.Topics, rt)
	}
	kresp, err := a.request(ctx, req)
	if err != nil {
		return nil, err
	}
	out := make(map[partitionKey]int64)
	for _, t := range kresp.(*kmsg.ListOffsetsResponse).Topics {
		for _, p := range t.Partitions {
			if p.ErrorCode == 0 {
				out[partitionKey{t.Topic, p.Partition}] = p.Offset
			}
		}
	}
	return out, nil
}

// Where things are in a record batch of format 2, the only one since Kafka 4.0 (KIP-98, KIP-724).
const (
	batchLength     = 8 // of what follows it
	batchMagic      = 16
	batchAttributes = 21
	batchMaxTime    = 35
	batchProducer   = 43
	batchHeader     = 61
	batchBefore     = 12 // what Length does not count
	controlBatch    = 1 << 5
)

// read counts data batches; control batches are the transaction coordinator's.
func (w *Writers) read(b []byte) {
	for len(b) >= batchHeader && b[batchMagic] == 2 {
		length := batchBefore + int(binary.BigEndian.Uint32(b[batchLength:]))
		if binary.BigEndian.Uint16(b[batchAttributes:])&controlBatch == 0 {
			w.Recent++
			if int64(binary.BigEndian.Uint64(b[batchProducer:])) < 0 {
				w.Plain++
			}
			if at := time.UnixMilli(int64(binary.BigEndian.Uint64(b[batchMaxTime:]))); w.Last == nil || at.After(*w.Last) {
				w.Last = &at
			}
		}
		if length > len(b) {
			return // cut off by the limits of the fetch
		}
		b = b[length:]
	}
}
