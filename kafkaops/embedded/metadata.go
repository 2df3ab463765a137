package embedded

import (
	"cmp"
	"context"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// offers is what the brokers say that they can do: the engine's list, changed by what is done before it.
type offers struct {
	keys map[int16]kmsg.ApiVersionsResponseApiKey
	resp *kmsg.ApiVersionsResponse
}

// withheld is what kfake has and the model has not.
var withheld = []kmsg.Key{
	kmsg.AlterPartitionAssignments, kmsg.ListPartitionReassignments,
	kmsg.ShareGroupHeartbeat, kmsg.ShareGroupDescribe, kmsg.ShareFetch, kmsg.ShareAcknowledge,
	kmsg.DescribeShareGroupOffsets, kmsg.AlterShareGroupOffsets, kmsg.DeleteShareGroupOffsets,
}

func (e *engine) offers() (offers, error) {
	req := kmsg.NewPtrApiVersionsRequest()
	req.SetVersion(4)
	req.ClientSoftwareName, req.ClientSoftwareVersion = "kassa", "embedded"
	answer, err := e.ask(req)
	if err != nil {
		return offers{}, err
	}
	o := offers{keys: map[int16]kmsg.ApiVersionsResponseApiKey{}, resp: answer.(*kmsg.ApiVersionsResponse)}
	for _, k := range o.resp.ApiKeys {
		if !slices.Contains(withheld, kmsg.Key(k.ApiKey)) {
			o.keys[k.ApiKey] = k
		}
	}
	quorum := kmsg.NewApiVersionsResponseApiKey()
	quorum.ApiKey, quorum.MaxVersion = int16(kmsg.DescribeQuorum), 2
	o.keys[quorum.ApiKey] = quorum
	o.resp.ApiKeys = slices.SortedFunc(maps.Values(o.keys), func(a, b kmsg.ApiVersionsResponseApiKey) int {
		return cmp.Compare(a.ApiKey, b.ApiKey)
	})
	return o, nil
}

// tooNew is what a broker answers to a version of ApiVersions that it does not know (KIP-511).
func (o offers) tooNew() kmsg.Response {
	resp := kmsg.NewPtrApiVersionsResponse()
	resp.ErrorCode = kerr.UnsupportedVersion.Code
	resp.ApiKeys = append(resp.ApiKeys, o.keys[int16(kmsg.ApiVersions)])
	return resp
}

func apiVersions(r *request) (kmsg.Response, error) {
	req := r.msg.(*kmsg.ApiVersionsRequest)
	resp := *r.b.c.offers.resp
	resp.SetVersion(req.Version)
	// KIP-1242: a client that takes us for another is sent back to its bootstrap servers.
	if req.Version >= 5 && req.ClusterID != nil && (*req.ClusterID != r.b.c.id || req.NodeID != r.b.id) {
		other := kmsg.NewPtrApiVersionsResponse()
		other.SetVersion(req.Version)
		other.ErrorCode = kerr.RebootstrapRequired.Code
		return other, nil
	}
	return &resp, nil
}

func metadata(r *request) (kmsg.Response, error) {
	req := r.msg.(*kmsg.MetadataRequest)
	resp := req.ResponseKind().(*kmsg.MetadataResponse)
	all := req.Topics == nil || req.Version == 0 && len(req.Topics) == 0
	img := r.b.view.Load()
	if !all && req.AllowAutoTopicCreation {
		for _, t := range req.Topics {
			if t.Topic != nil && *t.Topic != "" && img.topic(*t.Topic, t.TopicID) == nil {
				r.b.c.autoCreate(*t.Topic)
				img = r.b.view.Load()
			}
		}
	}
	resp.ClusterID = &r.b.c.id
	resp.ControllerID = someBroker(img)
	for _, id := range img.alive() {
		b := kmsg.NewMetadataResponseBroker()
		b.NodeID, b.Host, b.Port = id, r.b.c.brokers[id-1].host, r.b.c.brokers[id-1].port
		resp.Brokers = append(resp.Brokers, b)
	}
	if all {
		for _, name := range slices.Sorted(maps.Keys(img.topics)) {
			resp.Topics = append(resp.Topics, topicMetadata(img.topics[name]))
		}
		return resp, nil
	}
	seen := map[string]bool{}
	for _, rt := range req.Topics {
		name := ""
		if rt.Topic != nil && rt.TopicID == ([16]byte{}) {
			name = *rt.Topic
		}
		t := img.topic(name, rt.TopicID)
		if t == nil {
			missing := kmsg.NewMetadataResponseTopic()
			missing.Topic, missing.TopicID, missing.ErrorCode = rt.Topic, rt.TopicID, kerr.UnknownTopicOrPartition.Code
			if name == "" {
				missing.ErrorCode = kerr.UnknownTopicID.Code
			}
			resp.Topics = append(resp.Topics, missing)
			continue
		}
		if !seen[t.name] {
			seen[t.name] = true
			resp.Topics = append(resp.Topics, topicMetadata(t))
		}
	}
	return resp, nil
}

func topicMetadata(t *topicImage) kmsg.MetadataResponseTopic {
	mt := kmsg.NewMetadataResponseTopic()
	mt.Topic, mt.TopicID, mt.IsInternal = &t.name, t.id, t.internal
	for i, p := range t.parts {
		mp := kmsg.NewMetadataResponseTopicPartition()
		mp.Partition, mp.Leader, mp.LeaderEpoch = int32(i), p.leader, p.epoch
		mp.Replicas, mp.ISR, mp.OfflineReplicas = p.replicas, p.isr, p.offline
		if p.leader < 0 {
			mp.ErrorCode = kerr.LeaderNotAvailable.Code
		}
		mt.Partitions = append(mt.Partitions, mp)
	}
	return mt
}

// someBroker is what a KRaft broker calls the controller towards clients: any broker that lives.
func someBroker(img *image) int32 {
	alive := img.alive()
	if len(alive) == 0 {
		return -1
	}
	return alive[rand.IntN(len(alive))]
}

func describeCluster(r *request) (kmsg.Response, error) {
	req := r.msg.(*kmsg.DescribeClusterRequest)
	resp := req.ResponseKind().(*kmsg.DescribeClusterResponse)
	img := r.b.view.Load()
	resp.ClusterID, resp.ControllerID = r.b.c.id, someBroker(img)
	if req.EndpointType == 2 {
		resp.ErrorCode = kerr.MismatchedEndpointType.Code
		return resp, nil
	}
	for _, b := range img.brokers {
		if b.fenced && !req.IncludeFencedBrokers {
			continue
		}
		d := kmsg.NewDescribeClusterResponseBroker()
		d.NodeID, d.Host, d.Port, d.IsFenced = b.id, r.b.c.brokers[b.id-1].host, r.b.c.brokers[b.id-1].port, b.fenced
		resp.Brokers = append(resp.Brokers, d)
	}
	return resp, nil
}

func describeTopicPartitions(r *request) (kmsg.Response, error) {
	req := r.msg.(*kmsg.DescribeTopicPartitionsRequest)
	resp := req.ResponseKind().(*kmsg.DescribeTopicPartitionsResponse)
	img := r.b.view.Load()
	var names []string
	for _, t := range req.Topics {
		names = append(names, t.Topic)
	}
	if len(names) == 0 {
		names = slices.Collect(maps.Keys(img.topics))
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		dt := kmsg.NewDescribeTopicPartitionsResponseTopic()
		dt.Topic = kmsg.StringPtr(name)
		t := img.topics[name]
		if t == nil {
			dt.ErrorCode = kerr.UnknownTopicOrPartition.Code
			resp.Topics = append(resp.Topics, dt)
			continue
		}
		dt.TopicID, dt.IsInternal = t.id, t.internal
		for i, p := range t.parts {
			dp := kmsg.NewDescribeTopicPartitionsResponseTopicPartition()
			dp.Partition, dp.LeaderID, dp.LeaderEpoch = int32(i), p.leader, p.epoch
			dp.Replicas, dp.ISR, dp.OfflineReplicas = p.replicas, p.isr, p.offline
			// Never null: Kafka's own tools take an empty list for none.
			dp.EligibleLeaderReplicas, dp.LastKnownELR = append([]int32{}, p.elr...), []int32{}
			if p.leader < 0 {
				dp.ErrorCode = kerr.LeaderNotAvailable.Code
			}
			dt.Partitions = append(dt.Partitions, dp)
		}
		resp.Topics = append(resp.Topics, dt)
	}
	return resp, nil
}

// forwardPatience is how long a broker holds a question that only the active controller can answer. Real ones hold it until there is one.
const forwardPatience = 5 * time.Second

// controller waits until there is an active controller; false if that takes too long, or life ends.
func (c *Cluster) controller(life context.Context, patience time.Duration) bool {
	t := time.NewTimer(patience)
	defer t.Stop()
	for {
		img := c.truth.Load()
		if img.quorum.active {
			return true
		}
		select {
		case <-img.next:
		case <-t.C:
			return false
		case <-life.Done():
			return false
		}
	}
}

// describeQuorum passes the question on to the active controller, as brokers do.
func describeQuorum(r *request) (kmsg.Response, error) {
	req := r.msg.(*kmsg.DescribeQuorumRequest)
	resp := req.ResponseKind().(*kmsg.DescribeQuorumResponse)
	if !r.b.c.controller(r.p.life, forwardPatience) {
		resp.ErrorCode = kerr.RequestTimedOut.Code
		return resp, nil
	}
	var (
		end int64
		now time.Time
	)
	r.b.c.step(func(m *model) { end, now = m.end(), m.now })
	q := r.b.c.truth.Load().quorum
	dt := kmsg.NewDescribeQuorumResponseTopic()
	dt.Topic = "__cluster_metadata"
	dp := kmsg.NewDescribeQuorumResponseTopicPartition()
	dp.LeaderID, dp.LeaderEpoch, dp.HighWatermark = q.leader, q.epoch, end
	for _, v := range q.voters {
		s := kmsg.NewDescribeQuorumResponseTopicPartitionReplicaState()
		s.ReplicaID, s.LogEndOffset, s.LastFetchTimestamp = v.id, end, now.UnixMilli()
		if !v.here {
			s.LogEndOffset, s.LastFetchTimestamp = v.end, v.lostAt.UnixMilli()
		}
		s.LastCaughtUpTimestamp = s.LastFetchTimestamp
		dp.CurrentVoters = append(dp.CurrentVoters, s)
	}
	dt.Partitions = append(dt.Partitions, dp)
	resp.Topics = append(resp.Topics, dt)
	return resp, nil
}

// electLeaders has the preferred leaders lead, or any replica at all (unclean, KIP-460).
func electLeaders(r *request) (kmsg.Response, error) {
	req := r.msg.(*kmsg.ElectLeadersRequest)
	resp := req.ResponseKind().(*kmsg.ElectLeadersResponse)
	if !r.b.c.controller(r.p.life, time.Duration(req.TimeoutMillis)*time.Millisecond) {
		resp.ErrorCode = kerr.RequestTimedOut.Code
		return resp, nil
	}
	wanted := req.Topics
	r.b.c.step(func(m *model) {
		if wanted == nil {
			for _, name := range slices.Sorted(maps.Keys(m.topics)) {
				t := kmsg.NewElectLeadersRequestTopic()
				t.Topic = name
				for i := range m.topics[name].parts {
					t.Partitions = append(t.Partitions, int32(i))
				}
				wanted = append(wanted, t)
			}
		}
		for _, wt := range wanted {
			rt := kmsg.NewElectLeadersResponseTopic()
			rt.Topic = wt.Topic
			for _, i := range wt.Partitions {
				code := m.electFor(wt.Topic, i, req.ElectionType == 1)
				if code == kerr.ElectionNotNeeded.Code && req.Topics == nil {
					continue // asked about all, only what was done or failed is told
				}
				rp := kmsg.NewElectLeadersResponseTopicPartition()
				rp.Partition, rp.ErrorCode = i, code
				rt.Partitions = append(rt.Partitions, rp)
			}
			if len(rt.Partitions) > 0 {
				resp.Topics = append(resp.Topics, rt)
			}
		}
	})
	return resp, nil
}

// electFor returns an error code of Kafka's.
func (m *model) electFor(name string, part int32, unclean bool) int16 {
	t := m.topics[name]
	if t == nil || part < 0 || int(part) >= len(t.parts) {
		return kerr.UnknownTopicOrPartition.Code
	}
	p := t.parts[part]
	if !unclean {
		switch {
		case p.leader == p.replicas[0]:
			return kerr.ElectionNotNeeded.Code
		case !m.prefer(p):
			return kerr.PreferredLeaderNotAvailable.Code
		}
		return 0
	}
	if p.leader >= 0 {
		return kerr.ElectionNotNeeded.Code
	}
	for _, id := range p.replicas {
		if m.usable(id) {
			p.isr, p.elr = []int32{id}, nil
			m.lead(p, id)
			return 0
		}
	}
	return kerr.EligibleLeadersNotAvailable.Code
}
