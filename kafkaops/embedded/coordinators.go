package embedded

import (
	"slices"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// The two topics whose leaders are the coordinators.
const (
	offsetsTopic = "__consumer_offsets"
	txnsTopic    = "__transaction_state"
)

// commitPatience is how long a coordinator waits for its own partition's replicas (offsets.commit.timeout.ms, Kafka's default).
const commitPatience = 5 * time.Second

// slot is the partition of a coordinators' topic that a group or transactional id belongs to: Java's String.hashCode, as Kafka has it.
func slot(key string, partitions int) int32 {
	if partitions == 0 {
		return -1
	}
	var h int32
	for _, unit := range utf16.Encode([]rune(key)) {
		h = 31*h + int32(unit)
	}
	if h == -1<<31 {
		h = 0
	}
	return max(h, -h) % int32(partitions)
}

// coordinator is the leader of the key's partition in img; -1 if there is none.
func coordinator(img *image, topic, key string) int32 {
	t := img.topics[topic]
	if t == nil {
		return -1
	}
	return t.parts[slot(key, len(t.parts))].leader
}

func findCoordinator(r *request) (kmsg.Response, error) {
	req := r.msg.(*kmsg.FindCoordinatorRequest)
	resp := req.ResponseKind().(*kmsg.FindCoordinatorResponse)
	topic := offsetsTopic
	if req.CoordinatorType == 1 {
		topic = txnsTopic
	}
	keys := req.CoordinatorKeys
	if req.Version <= 3 {
		keys = []string{req.CoordinatorKey}
	}
	if req.CoordinatorType <= 1 && r.b.view.Load().topics[topic] == nil {
		r.b.c.internalTopic(topic)
	}
	img := r.b.view.Load()
	for _, key := range keys {
		c := kmsg.NewFindCoordinatorResponseCoordinator()
		c.Key, c.NodeID, c.Port = key, -1, -1
		id := coordinator(img, topic, key)
		switch {
		case req.CoordinatorType > 1:
			c.ErrorCode = kerr.InvalidRequest.Code
		case id < 0 || !slices.Contains(img.alive(), id):
			c.ErrorCode = kerr.CoordinatorNotAvailable.Code
		default:
			c.NodeID, c.Host, c.Port = id, r.b.c.brokers[id-1].host, r.b.c.brokers[id-1].port
		}
		resp.Coordinators = append(resp.Coordinators, c)
	}
	if req.Version <= 3 {
		c := resp.Coordinators[0]
		resp.ErrorCode, resp.NodeID, resp.Host, resp.Port = c.ErrorCode, c.NodeID, c.Host, c.Port
	}
	return resp, nil
}

// errand is what a request asks of a coordinator.
type errand struct {
	topic  string
	keys   []string
	writes bool // a record in the coordinator's partition, which its replicas must have before there is an answer
	refuse func(code int16) kmsg.Response
}

// coordinatorsOnly refuses what belongs to another coordinator, and has those that write wait for their partition's replicas as a produce would.
func coordinatorsOnly(r *request) (kmsg.Response, error) {
	e, ok := errandOf(r.msg)
	if !ok {
		return nil, nil
	}
	patience := time.NewTimer(commitPatience)
	defer patience.Stop()
	for {
		img := r.b.c.truth.Load()
		code, ready := e.weigh(img, r.b.id)
		switch {
		case code != 0:
			return e.refuse(code), nil
		case ready:
			if req, leaves := r.msg.(*kmsg.LeaveGroupRequest); leaves {
				r.b.c.engine.settle(r.p.life, req.Group)
			}
			return nil, nil
		}
		select {
		case <-img.next:
		case <-patience.C:
			return e.refuse(kerr.CoordinatorNotAvailable.Code), nil
		case <-r.p.life.Done():
			return nil, errEnded
		}
	}
}

func (e errand) weigh(img *image, id int32) (code int16, ready bool) {
	t := img.topics[e.topic]
	if t == nil {
		return kerr.NotCoordinator.Code, false
	}
	ready = true
	for _, key := range e.keys {
		p := t.parts[slot(key, len(t.parts))]
		switch {
		case p.leader != id:
			return kerr.NotCoordinator.Code, false
		case e.writes && len(p.isr) < p.minISR:
			return kerr.CoordinatorNotAvailable.Code, false
		case e.writes && !p.acks:
			ready = false
		}
	}
	return 0, ready
}

// errandOf reads the group or transactional id out of a request, and knows how to refuse it.
func errandOf(msg kmsg.Request) (errand, bool) {
	group := func(key string, writes bool, refuse func(int16) kmsg.Response) (errand, bool) {
		return errand{offsetsTopic, []string{key}, writes, refuse}, true
	}
	txn := func(key string, writes bool, refuse func(int16) kmsg.Response) (errand, bool) {
		return errand{txnsTopic, []string{key}, writes, refuse}, true
	}
	kind := msg.ResponseKind()
	switch req := msg.(type) {
	case *kmsg.OffsetCommitRequest:
		return group(req.Group, true, func(code int16) kmsg.Response {
			resp := kind.(*kmsg.OffsetCommitResponse)
			for _, t := range req.Topics {
				rt := kmsg.NewOffsetCommitResponseTopic()
				rt.Topic, rt.TopicID = t.Topic, t.TopicID
				for _, p := range t.Partitions {
					rp := kmsg.NewOffsetCommitResponseTopicPartition()
					rp.Partition, rp.ErrorCode = p.Partition, code
					rt.Partitions = append(rt.Partitions, rp)
				}
				resp.Topics = append(resp.Topics, rt)
			}
			return resp
		})
	case *kmsg.TxnOffsetCommitRequest:
		return group(req.Group, true, func(code int16) kmsg.Response {
			resp := kind.(*kmsg.TxnOffsetCommitResponse)
			for _, t := range req.Topics {
				rt := kmsg.NewTxnOffsetCommitResponseTopic()
				rt.Topic, rt.TopicID = t.Topic, t.TopicID
				for _, p := range t.Partitions {
					rp := kmsg.NewTxnOffsetCommitResponseTopicPartition()
					rp.Partition, rp.ErrorCode = p.Partition, code
					rt.Partitions = append(rt.Partitions, rp)
				}
				resp.Topics = append(resp.Topics, rt)
			}
			return resp
		})
	case *kmsg.OffsetFetchRequest:
		keys := []string{req.Group}
		if req.Version >= 8 {
			keys = nil
			for _, g := range req.Groups {
				keys = append(keys, g.Group)
			}
		}
		return errand{offsetsTopic, keys, false, func(code int16) kmsg.Response {
			resp := kind.(*kmsg.OffsetFetchResponse)
			resp.ErrorCode = code
			for _, g := range req.Groups {
				rg := kmsg.NewOffsetFetchResponseGroup()
				rg.Group, rg.ErrorCode = g.Group, code
				resp.Groups = append(resp.Groups, rg)
			}
			return resp
		}}, true
	case *kmsg.JoinGroupRequest:
		return group(req.Group, false, func(code int16) kmsg.Response {
			resp := kind.(*kmsg.JoinGroupResponse)
			resp.ErrorCode = code
			return resp
		})
	case *kmsg.SyncGroupRequest:
		return group(req.Group, len(req.GroupAssignment) > 0, func(code int16) kmsg.Response {
			resp := kind.(*kmsg.SyncGroupResponse)
			resp.ErrorCode = code
			return resp
		})
	case *kmsg.HeartbeatRequest:
		return group(req.Group, false, func(code int16) kmsg.Response {
			resp := kind.(*kmsg.HeartbeatResponse)
			resp.ErrorCode = code
			return resp
		})
	case *kmsg.LeaveGroupRequest:
		return group(req.Group, false, func(code int16) kmsg.Response {
			resp := kind.(*kmsg.LeaveGroupResponse)
			resp.ErrorCode = code
			return resp
		})
	case *kmsg.ConsumerGroupHeartbeatRequest:
		return group(req.Group, false, func(code int16) kmsg.Response {
			resp := kind.(*kmsg.ConsumerGroupHeartbeatResponse)
			resp.ErrorCode = code
			return resp
		})
	case *kmsg.OffsetDeleteRequest:
		return group(req.Group, true, func(code int16) kmsg.Response {
			resp := kind.(*kmsg.OffsetDeleteResponse)
			resp.ErrorCode = code
			return resp
		})
	case *kmsg.DescribeGroupsRequest:
		return errand{offsetsTopic, req.Groups, false, func(code int16) kmsg.Response {
			resp := kind.(*kmsg.DescribeGroupsResponse)
			for _, g := range req.Groups {
				rg := kmsg.NewDescribeGroupsResponseGroup()
				rg.Group, rg.ErrorCode = g, code
				resp.Groups = append(resp.Groups, rg)
			}
			return resp
		}}, true
	case *kmsg.ConsumerGroupDescribeRequest:
		return errand{offsetsTopic, req.Groups, false, func(code int16) kmsg.Response {
			resp := kind.(*kmsg.ConsumerGroupDescribeResponse)
			for _, g := range req.Groups {
				rg := kmsg.NewConsumerGroupDescribeResponseGroup()
				rg.Group, rg.ErrorCode = g, code
				resp.Groups = append(resp.Groups, rg)
			}
			return resp
		}}, true
	case *kmsg.DeleteGroupsRequest:
		return errand{offsetsTopic, req.Groups, true, func(code int16) kmsg.Response {
			resp := kind.(*kmsg.DeleteGroupsResponse)
			for _, g := range req.Groups {
				rg := kmsg.NewDeleteGroupsResponseGroup()
				rg.Group, rg.ErrorCode = g, code
				resp.Groups = append(resp.Groups, rg)
			}
			return resp
		}}, true

	case *kmsg.InitProducerIDRequest:
		if req.TransactionalID == nil {
			return errand{}, false // any broker has ids to give
		}
		return txn(*req.TransactionalID, true, func(code int16) kmsg.Response {
			resp := kind.(*kmsg.InitProducerIDResponse)
			resp.ErrorCode = code
			return resp
		})
	case *kmsg.AddPartitionsToTxnRequest:
		if req.Version >= 4 {
			return errand{}, false // brokers' own
		}
		return txn(req.TransactionalID, true, func(code int16) kmsg.Response {
			resp := kind.(*kmsg.AddPartitionsToTxnResponse)
			for _, t := range req.Topics {
				rt := kmsg.NewAddPartitionsToTxnResponseTopic()
				rt.Topic = t.Topic
				for _, p := range t.Partitions {
					rp := kmsg.NewAddPartitionsToTxnResponseTopicPartition()
					rp.Partition, rp.ErrorCode = p, code
					rt.Partitions = append(rt.Partitions, rp)
				}
				resp.Topics = append(resp.Topics, rt)
			}
			return resp
		})
	case *kmsg.AddOffsetsToTxnRequest:
		return txn(req.TransactionalID, true, func(code int16) kmsg.Response {
			resp := kind.(*kmsg.AddOffsetsToTxnResponse)
			resp.ErrorCode = code
			return resp
		})
	case *kmsg.EndTxnRequest:
		return txn(req.TransactionalID, true, func(code int16) kmsg.Response {
			resp := kind.(*kmsg.EndTxnResponse)
			resp.ErrorCode = code
			return resp
		})
	case *kmsg.DescribeTransactionsRequest:
		return errand{txnsTopic, req.TransactionalIDs, false, func(code int16) kmsg.Response {
			resp := kind.(*kmsg.DescribeTransactionsResponse)
			for _, id := range req.TransactionalIDs {
				rs := kmsg.NewDescribeTransactionsResponseTransactionState()
				rs.TransactionalID, rs.ErrorCode = id, code
				resp.TransactionStates = append(resp.TransactionStates, rs)
			}
			return resp
		}}, true
	}
	return errand{}, false
}

// listCoordinated leaves out of the engine's list what other brokers coordinate, and what was not asked for: the engine compares letter by letter, and Kafka's
// own tools ask for "Classic".
func listCoordinated(r *request) (kmsg.Response, error) {
	var states, types []string
	if req, ok := r.msg.(*kmsg.ListGroupsRequest); ok {
		states, types = req.StatesFilter, req.TypesFilter
		req.StatesFilter, req.TypesFilter = nil, nil
	}
	resp, err := r.ask()
	if err != nil {
		return nil, err
	}
	img := r.b.c.truth.Load()
	switch resp := resp.(type) {
	case *kmsg.ListGroupsResponse:
		resp.Groups = slices.DeleteFunc(resp.Groups, func(g kmsg.ListGroupsResponseGroup) bool {
			return coordinator(img, offsetsTopic, g.Group) != r.b.id || !among(states, g.GroupState) || !among(types, g.GroupType)
		})
	case *kmsg.ListTransactionsResponse:
		resp.TransactionStates = slices.DeleteFunc(resp.TransactionStates, func(s kmsg.ListTransactionsResponseTransactionState) bool {
			return coordinator(img, txnsTopic, s.TransactionalID) != r.b.id
		})
	}
	return resp, nil
}

// among says whether a filter lets a word pass; an empty one lets all.
func among(filter []string, word string) bool {
	return len(filter) == 0 || slices.ContainsFunc(filter, func(f string) bool { return strings.EqualFold(f, word) })
}
