package doctor

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kassa/kafkaops"
)

// probePrefix begins the names of the topics that measure clocks. One that outlives its doctor is a finding.
const probePrefix = "kassa-doctor-"

func leftOver(topic string) bool { return strings.HasPrefix(topic, probePrefix) }

// probeWrites is how often each clock is read. The first write pays for the connection and a cold JVM; the quickest one counts.
const probeWrites = 3

// deleteWithin is how long the topic's end may take, also when a person has told us to end.
const deleteWithin = 3 * time.Second

// probe has each broker stamp records with its own clock: a topic with a partition on each, and message.timestamp.type=LogAppendTime. No
// request of Kafka's gives a broker's time without writing, but DescribeQuorum that of the leader of the quorum.
func (g *gatherer) probe(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, probeWithin)
	defer cancel()
	var brokers []Broker
	for _, b := range g.c.Brokers {
		if g.nodes[b.ID] != nil && !b.Fenced {
			brokers = append(brokers, b)
		}
	}
	if len(brokers) == 0 {
		g.unseen("clocks", "no broker answers at the address that it advertises")
		return
	}
	client, err := kgo.NewClient(kafkaops.ClientOptions(g.c.Bootstrap)...)
	if err != nil {
		g.unseen("clocks", reason(err))
		return
	}
	defer client.Close()
	topic := probePrefix + uuid.NewString()[:8]
	// Even when its making failed: an answer that was lost says nothing.
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), deleteWithin)
		defer cancel()
		if _, err := kadm.NewClient(client).DeleteTopic(ctx, topic); err != nil && !errors.Is(err, kerr.UnknownTopicOrPartition) {
			g.unseen("topic "+topic, "it is the probe's and could not be deleted: "+reason(err))
		}
	}()
	if err := makeProbe(ctx, client, topic, brokers); err != nil {
		g.unseen("clocks", "the probe's topic could not be made: "+reason(err))
		return
	}
	var (
		mu     sync.Mutex
		clocks []Clock
		askers []*asker
		at     = make(map[*asker]int)
	)
	for i, b := range brokers {
		a := g.nodes[b.ID]
		askers, at[a] = append(askers, a), i
	}
	all(ctx, askers, probeWithin, func(ctx context.Context, a *asker) {
		id := brokers[at[a]].ID
		clock, err := a.clock(ctx, topic, int32(at[a]), id)
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			g.unseen(fmt.Sprintf("clock of broker %d", id), reason(err))
			return
		}
		clocks = append(clocks, clock)
	})
	if len(clocks) > 0 {
		g.c.Clocks = clocks
	}
}

// makeProbe makes a topic whose partition i is on the i-th broker alone. kadm takes no assignment.
func makeProbe(ctx context.Context, client *kgo.Client, name string, brokers []Broker) error {
	req := kmsg.NewPtrCreateTopicsRequest()
	req.TimeoutMillis = int32(probeWithin.Milliseconds())
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = name, -1, -1
	for i, b := range brokers {
		on := kmsg.NewCreateTopicsRequestTopicReplicaAssignment()
		on.Partition, on.Replicas = int32(i), []int32{b.ID}
		topic.ReplicaAssignment = append(topic.ReplicaAssignment, on)
	}
	for key, value := range map[string]string{"message.timestamp.type": "LogAppendTime", keyMinISR: "1"} {
		c := kmsg.NewCreateTopicsRequestTopicConfig()
		c.Name, c.Value = key, kadm.StringPtr(value)
		topic.Configs = append(topic.Configs, c)
	}
	req.Topics = append(req.Topics, topic)
	resp, err := req.RequestWith(ctx, client)
	if err != nil {
		return err
	}
	for _, t := range resp.Topics {
		if err := kerr.ErrorForCode(t.ErrorCode); err != nil {
			return err
		}
	}
	return nil
}

// clock writes a few records and keeps the comparison with the shortest round trip.
func (a *asker) clock(ctx context.Context, topic string, partition, node int32) (best Clock, err error) {
	for done := 0; done < probeWrites; {
		sent := time.Now()
		stamp, err := a.write(ctx, topic, partition)
		got := time.Now()
		if kerr.IsRetriable(err) { // the broker has not heard of its new partition yet
			select {
			case <-time.After(20 * time.Millisecond):
				continue
			case <-ctx.Done():
				return best, err
			}
		}
		if err != nil {
			return best, err
		}
		if c := compare(node, stamp, sent, got); done == 0 || c.Error < best.Error {
			best = c
		}
		done++
	}
	return best, nil
}

// write appends one record and returns the broker's timestamp of it.
func (a *asker) write(ctx context.Context, topic string, partition int32) (stamp int64, err error) {
	req := kmsg.NewPtrProduceRequest()
	req.Acks, req.TimeoutMillis = 1, int32(answerWithin.Milliseconds())
	rt := kmsg.NewProduceRequestTopic()
	rt.Topic = topic
	rp := kmsg.NewProduceRequestTopicPartition()
	rp.Partition, rp.Records = partition, oneRecord(time.Now())
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	kresp, err := a.request(ctx, req)
	if err != nil {
		return 0, err
	}
	resp := kresp.(*kmsg.ProduceResponse)
	if len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 {
		return 0, errors.New("the answer has no partition")
	}
	p := resp.Topics[0].Partitions[0]
	if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
		return 0, err
	}
	if p.LogAppendTime < 0 {
		return 0, errors.New("the broker gave no append time")
	}
	return p.LogAppendTime, nil
}

// oneRecord is a record batch with an empty record. kgo does not hand the append time of an answer on, so the request is made by hand.
func oneRecord(now time.Time) []byte {
	// length, attributes, timestamp and offset deltas, null key, null value, no headers; as varints
	record := []byte{6 << 1, 0, 0, 0, 1, 1, 0}
	batch := kmsg.RecordBatch{
		PartitionLeaderEpoch: -1, Magic: 2, FirstTimestamp: now.UnixMilli(), MaxTimestamp: now.UnixMilli(),
		ProducerID: -1, ProducerEpoch: -1, FirstSequence: -1, NumRecords: 1, Records: record,
	}
	b := batch.AppendTo(nil)
	const crc = 17 // where it stands; it covers what follows it
	binary.BigEndian.PutUint32(b[batchLength:], uint32(len(b)-batchBefore))
	binary.BigEndian.PutUint32(b[crc:], crc32.Checksum(b[crc+4:], crc32.MakeTable(crc32.Castagnoli)))
	return b
}
