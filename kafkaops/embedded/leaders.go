package embedded

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// mostWait bounds how long a fetch waits for records: the engine does not wake it when the partition gets another leader.
const mostWait = 500 // ms

// wrong is a partition that a client asked the wrong broker for, and what to tell it.
type wrong struct {
	topic string
	id    [16]byte
	part  int32
	code  int16
}

// judge says what to tell a client that asks this broker as the leader of a partition; 0 if it is. The epoch is the client's idea of the leader's; -1 if
// it has none (KIP-320).
func (b *broker) judge(img *image, topic string, id [16]byte, part, epoch int32) int16 {
	p := img.partition(topic, id, part)
	switch {
	case p == nil:
		return 0 // the engine has the words for what does not exist
	case p.leader != b.id:
		return kerr.NotLeaderForPartition.Code
	case epoch >= 0 && epoch < p.epoch:
		return kerr.FencedLeaderEpoch.Code
	case epoch > p.epoch:
		return kerr.UnknownLeaderEpoch.Code
	}
	return 0
}

// split takes the partitions out of a topic that this broker does not lead, and notes them.
func split[P any](b *broker, img *image, topic string, id [16]byte, parts []P, of func(*P) (part, epoch int32), found *[]wrong) []P {
	kept := parts[:0]
	for i := range parts {
		part, epoch := of(&parts[i])
		if code := b.judge(img, topic, id, part, epoch); code != 0 {
			*found = append(*found, wrong{topic, id, part, code})
			continue
		}
		kept = append(kept, parts[i])
	}
	return kept
}

func fetch(r *request) (kmsg.Response, error) {
	req := r.msg.(*kmsg.FetchRequest)
	// No session: the engine's would go on serving partitions that have moved.
	req.SessionID, req.SessionEpoch, req.ForgottenTopics = 0, -1, nil
	req.MaxWaitMillis = min(req.MaxWaitMillis, mostWait)
	if req.Version >= 12 {
		req.ClusterID = nil
	}
	var (
		img   = r.b.c.truth.Load()
		lost  []wrong
		epoch = func(p *kmsg.FetchRequestTopicPartition) (int32, int32) { return p.Partition, p.CurrentLeaderEpoch }
		kept  = req.Topics[:0]
	)
	for _, t := range req.Topics {
		if t.Partitions = split(r.b, img, t.Topic, t.TopicID, t.Partitions, epoch, &lost); len(t.Partitions) > 0 {
			kept = append(kept, t)
		}
	}
	if req.Topics = kept; len(lost) > 0 {
		req.MaxWaitMillis = 0
	}
	e, err := r.through()
	if err != nil {
		return nil, err
	}
	raw, err := e.askRaw(req, r.header)
	if err != nil {
		return nil, err
	}
	if now := r.b.c.truth.Load(); len(lost) == 0 && (now == img || r.b.leadsAll(now, req)) {
		r.answered = raw
		return nil, nil
	}
	answer, err := readResponse(req, raw)
	if err != nil {
		return nil, err
	}
	resp := answer.(*kmsg.FetchResponse)
	img = r.b.c.truth.Load()
	for i := range resp.Topics { // the leader may have changed while it waited
		t := &resp.Topics[i]
		t.Partitions = split(r.b, img, t.Topic, t.TopicID, t.Partitions, func(p *kmsg.FetchResponseTopicPartition) (int32, int32) { return p.Partition, -1 }, &lost)
	}
	for _, w := range lost {
		p := kmsg.NewFetchResponseTopicPartition()
		p.Partition, p.ErrorCode, p.HighWatermark, p.LastStableOffset, p.RecordBatches = w.part, w.code, -1, -1, []byte{}
		if now := img.partition(w.topic, w.id, w.part); now != nil && w.code == kerr.NotLeaderForPartition.Code { // KIP-951
			p.CurrentLeader.LeaderID, p.CurrentLeader.LeaderEpoch = now.leader, now.epoch
		}
		i := 0
		for ; i < len(resp.Topics) && (resp.Topics[i].Topic != w.topic || resp.Topics[i].TopicID != w.id); i++ {
		}
		if i == len(resp.Topics) {
			t := kmsg.NewFetchResponseTopic()
			t.Topic, t.TopicID = w.topic, w.id
			resp.Topics = append(resp.Topics, t)
		}
		resp.Topics[i].Partitions = append(resp.Topics[i].Partitions, p)
	}
	for _, id := range img.alive() {
		b := kmsg.NewFetchResponseBroker()
		b.NodeID, b.Host, b.Port = id, r.b.c.brokers[id-1].host, r.b.c.brokers[id-1].port
		resp.Brokers = append(resp.Brokers, b)
	}
	return resp, nil
}

func (b *broker) leadsAll(img *image, req *kmsg.FetchRequest) bool {
	for _, t := range req.Topics {
		for _, p := range t.Partitions {
			if b.judge(img, t.Topic, t.TopicID, p.Partition, -1) != 0 {
				return false
			}
		}
	}
	return true
}

// leadersOnly answers for partitions that are led elsewhere and has the engine answer for the others.
func leadersOnly(r *request) (kmsg.Response, error) {
	img := r.b.c.truth.Load()
	var lost []wrong
	switch req := r.msg.(type) {
	case *kmsg.ListOffsetsRequest:
		for i := range req.Topics {
			t := &req.Topics[i]
			t.Partitions = split(r.b, img, t.Topic, [16]byte{}, t.Partitions, func(p *kmsg.ListOffsetsRequestTopicPartition) (int32, int32) {
				return p.Partition, p.CurrentLeaderEpoch
			}, &lost)
		}
	case *kmsg.DeleteRecordsRequest:
		for i := range req.Topics {
			t := &req.Topics[i]
			t.Partitions = split(r.b, img, t.Topic, [16]byte{}, t.Partitions, func(p *kmsg.DeleteRecordsRequestTopicPartition) (int32, int32) {
				return p.Partition, -1
			}, &lost)
		}
	case *kmsg.DescribeProducersRequest:
		for i := range req.Topics {
			t := &req.Topics[i]
			t.Partitions = split(r.b, img, t.Topic, [16]byte{}, t.Partitions, func(p *int32) (int32, int32) { return *p, -1 }, &lost)
		}
	}
	if len(lost) == 0 {
		return nil, nil
	}
	resp, err := r.ask()
	if err != nil {
		return nil, err
	}
	for _, w := range lost {
		switch resp := resp.(type) {
		case *kmsg.ListOffsetsResponse:
			t, p := kmsg.NewListOffsetsResponseTopic(), kmsg.NewListOffsetsResponseTopicPartition()
			p.Partition, p.ErrorCode = w.part, w.code
			t.Topic, t.Partitions = w.topic, append(t.Partitions, p)
			resp.Topics = append(resp.Topics, t)
		case *kmsg.DeleteRecordsResponse:
			t, p := kmsg.NewDeleteRecordsResponseTopic(), kmsg.NewDeleteRecordsResponseTopicPartition()
			p.Partition, p.ErrorCode = w.part, w.code
			t.Topic, t.Partitions = w.topic, append(t.Partitions, p)
			resp.Topics = append(resp.Topics, t)
		case *kmsg.DescribeProducersResponse:
			t, p := kmsg.NewDescribeProducersResponseTopic(), kmsg.NewDescribeProducersResponseTopicPartition()
			p.Partition, p.ErrorCode = w.part, w.code
			t.Topic, t.Partitions = w.topic, append(t.Partitions, p)
			resp.Topics = append(resp.Topics, t)
		}
	}
	return resp, nil
}

// offsetForLeaderEpoch tells a consumer whether the log that it has read is this one (KIP-320): where the epoch ended of which it has a record. kfake
// knows of an epoch only once it has a batch of it.
func offsetForLeaderEpoch(r *request) (kmsg.Response, error) {
	req := r.msg.(*kmsg.OffsetForLeaderEpochRequest)
	resp := req.ResponseKind().(*kmsg.OffsetForLeaderEpochResponse)
	img := r.b.c.truth.Load()
	for _, t := range req.Topics {
		rt := kmsg.NewOffsetForLeaderEpochResponseTopic()
		rt.Topic = t.Topic
		for _, p := range t.Partitions {
			rp := kmsg.NewOffsetForLeaderEpochResponseTopicPartition()
			rp.Partition, rp.LeaderEpoch, rp.EndOffset = p.Partition, -1, -1
			now := img.partition(t.Topic, [16]byte{}, p.Partition)
			if now == nil {
				rp.ErrorCode = kerr.UnknownTopicOrPartition.Code
			} else if rp.ErrorCode = r.b.judge(img, t.Topic, [16]byte{}, p.Partition, p.CurrentLeaderEpoch); rp.ErrorCode == 0 {
				rp.LeaderEpoch, rp.EndOffset = now.endOf(p.LeaderEpoch, func() int64 {
					if info := r.b.c.engine.kf.PartitionInfo(t.Topic, p.Partition); info != nil {
						return info.HighWatermark
					}
					return -1
				})
			}
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp, nil
}

// endOf is where this epoch, or the last one before it that had a leader, ended; -1, -1 if it is not known.
func (p *partitionImage) endOf(epoch int32, end func() int64) (int32, int64) {
	if epoch > p.epoch {
		return -1, -1
	}
	if epoch == p.epoch {
		return epoch, end()
	}
	for i := len(p.epochs) - 2; i >= 0; i-- {
		if p.epochs[i].epoch <= epoch {
			return p.epochs[i].epoch, p.epochs[i+1].offset
		}
	}
	return -1, -1
}
