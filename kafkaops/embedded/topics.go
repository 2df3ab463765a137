package embedded

import (
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// The engine has the topics, their settings and their logs; the model has where their partitions are. What changes topics goes through here, so
// that both know the same.

const (
	defaultFactor = 3                // default.replication.factor of both profiles
	autoPatience  = 10 * time.Second // of those that make a topic by asking for it
)

// learn takes over what the engine has of a topic. factor and assigned say where partitions that are new go.
func (c *Cluster) learn(name string, factor int, assigned map[int32][]int32) {
	c.learning.Lock()
	defer c.learning.Unlock()
	info := c.engine.kf.TopicInfo(name)
	parts := len(c.engine.kf.PartitionInfos(name))
	c.step(func(m *model) {
		t := m.topics[name]
		if info == nil {
			if t != nil {
				delete(m.topics, name)
				m.wrote()
			}
			return
		}
		if t == nil || t.id != info.TopicID {
			t = &topic{name: name, id: info.TopicID, internal: name == offsetsTopic || name == txnsTopic}
			m.topics[name] = t
		}
		t.minISR = m.minISR
		if v := info.Configs["min.insync.replicas"]; v != nil {
			if n, err := strconv.Atoi(*v); err == nil {
				t.minISR = n
			}
		}
		for _, p := range t.parts {
			p.minISR = t.minISR
		}
		if len(t.parts) > 0 {
			factor = len(t.parts[0].replicas)
		}
		m.place(t, parts, factor, assigned)
	})
}

// makeTopic makes a topic that nobody has asked for with CreateTopics.
func (c *Cluster) makeTopic(name string, partitions int32, settings map[string]string) {
	if !c.controller(c.life, autoPatience) {
		return
	}
	req := kmsg.NewPtrCreateTopicsRequest()
	req.SetVersion(7)
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = name, partitions, 1
	for k, v := range settings {
		s := kmsg.NewCreateTopicsRequestTopicConfig()
		s.Name, s.Value = k, &v
		t.Configs = append(t.Configs, s)
	}
	req.Topics = append(req.Topics, t)
	if _, err := c.engine.ask(req); err != nil {
		c.cfg.Log.Error("embedded: making a topic", "topic", name, "err", err)
		return
	}
	c.learn(name, defaultFactor, nil)
}

// autoCreate is auto.create.topics.enable, which is Kafka's default.
func (c *Cluster) autoCreate(name string) { c.makeTopic(name, c.model.partitions, nil) }

// internalTopic makes one of the coordinators' topics, as the first question for a coordinator does.
func (c *Cluster) internalTopic(name string) {
	partitions := c.model.offsets
	settings := map[string]string{"cleanup.policy": "compact"}
	if name == txnsTopic {
		partitions = c.model.txns
		settings["min.insync.replicas"] = "2" // transaction.state.log.min.isr of both profiles
	}
	c.makeTopic(name, partitions, settings)
}

// patience is how long the client of a request that changes topics will wait.
func patience(ms int32) time.Duration { return time.Duration(ms) * time.Millisecond }

func createTopics(r *request) (kmsg.Response, error) {
	req := r.msg.(*kmsg.CreateTopicsRequest)
	active := r.b.c.controller(r.p.life, patience(req.TimeoutMillis))
	var (
		refused  []kmsg.CreateTopicsResponseTopic
		kept     []kmsg.CreateTopicsRequestTopic
		factors  = map[string]int{}
		assigned = map[string]map[int32][]int32{}
	)
	for _, t := range req.Topics {
		factor := int(t.ReplicationFactor)
		if factor == -1 {
			factor = defaultFactor
		}
		code, text := int16(0), ""
		switch places := map[int32][]int32{}; {
		case !active:
			code = kerr.RequestTimedOut.Code
		case len(t.ReplicaAssignment) > 0:
			for _, a := range t.ReplicaAssignment {
				places[a.Partition] = a.Replicas
				if slices.ContainsFunc(a.Replicas, func(id int32) bool { return id < 1 || id > nodeCount }) {
					code, text = kerr.InvalidReplicaAssignment.Code, "a replica is assigned to a broker that does not exist"
				}
			}
			factor, assigned[t.Topic] = len(t.ReplicaAssignment[0].Replicas), places
		case factor < 1 || factor > nodeCount:
			code = kerr.InvalidReplicationFactor.Code
			text = "Unable to replicate the partition " + strconv.Itoa(factor) + " time(s): there are " + strconv.Itoa(nodeCount) + " brokers"
		default:
			t.ReplicationFactor = 1 // the engine is one broker
		}
		if code != 0 {
			rt := kmsg.NewCreateTopicsResponseTopic()
			rt.Topic, rt.ErrorCode = t.Topic, code
			if text != "" {
				rt.ErrorMessage = &text
			}
			refused = append(refused, rt)
			continue
		}
		factors[t.Topic] = factor
		kept = append(kept, t)
	}
	req.Topics = kept
	answer, err := r.ask()
	if err != nil {
		return nil, err
	}
	resp := answer.(*kmsg.CreateTopicsResponse)
	for i := range resp.Topics {
		if t := &resp.Topics[i]; t.ErrorCode == 0 {
			t.ReplicationFactor = int16(factors[t.Topic])
			for k := range t.Configs { // the engine does not say, and Kafka's own clients do not take that
				t.Configs[k].Source = int8(kmsg.ConfigSourceDynamicTopicConfig)
			}
			if !req.ValidateOnly {
				r.b.c.learn(t.Topic, factors[t.Topic], assigned[t.Topic])
			}
		}
	}
	resp.Topics = append(resp.Topics, refused...)
	return resp, nil
}

// changeTopics is what deletes topics or gives them more partitions.
func changeTopics(r *request) (kmsg.Response, error) {
	img := r.b.c.truth.Load()
	var names []string
	assigned := map[string]map[int32][]int32{}
	timeout := int32(0)
	switch req := r.msg.(type) {
	case *kmsg.DeleteTopicsRequest:
		timeout = req.TimeoutMillis
		names = slices.Clone(req.TopicNames)
		for _, t := range req.Topics {
			name := ""
			if t.Topic != nil {
				name = *t.Topic
			}
			if known := img.topic(name, t.TopicID); known != nil {
				names = append(names, known.name)
			}
		}
	case *kmsg.CreatePartitionsRequest:
		timeout = req.TimeoutMillis
		for i := range req.Topics {
			t := &req.Topics[i]
			names = append(names, t.Topic)
			known := img.topics[t.Topic]
			if known == nil {
				continue
			}
			places := map[int32][]int32{}
			for k, a := range t.Assignment {
				places[int32(len(known.parts)+k)] = a.Replicas
				t.Assignment[k].Replicas = []int32{0} // the engine's only broker
			}
			assigned[t.Topic] = places
		}
	}
	if !r.b.c.controller(r.p.life, patience(timeout)) {
		return nil, errEnded // no answer is the answer: real ones hold the question until the client gives up
	}
	resp, err := r.ask()
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		r.b.c.learn(name, defaultFactor, assigned[name])
	}
	return resp, nil
}

// configs puts the engine's name for a broker in the place of ours, and takes note of what matters to the model.
func configs(r *request) (kmsg.Response, error) {
	ours := strconv.Itoa(int(r.b.id))
	const theirs = "0"
	swap := func(kind kmsg.ConfigResourceType, name *string, from, to string) {
		if kind == kmsg.ConfigResourceTypeBroker && *name == from {
			*name = to
		}
	}
	var topics []string
	touch := func(kind kmsg.ConfigResourceType, name *string) {
		swap(kind, name, ours, theirs)
		if kind == kmsg.ConfigResourceTypeTopic {
			topics = append(topics, *name)
		}
	}
	switch req := r.msg.(type) {
	case *kmsg.DescribeConfigsRequest:
		for i := range req.Resources {
			swap(req.Resources[i].ResourceType, &req.Resources[i].ResourceName, ours, theirs)
		}
	case *kmsg.AlterConfigsRequest:
		for i := range req.Resources {
			touch(req.Resources[i].ResourceType, &req.Resources[i].ResourceName)
		}
	case *kmsg.IncrementalAlterConfigsRequest:
		for i := range req.Resources {
			touch(req.Resources[i].ResourceType, &req.Resources[i].ResourceName)
		}
	}
	resp, err := r.ask()
	if err != nil {
		return nil, err
	}
	switch resp := resp.(type) {
	case *kmsg.DescribeConfigsResponse:
		for i := range resp.Resources {
			swap(resp.Resources[i].ResourceType, &resp.Resources[i].ResourceName, theirs, ours)
		}
	case *kmsg.AlterConfigsResponse:
		for i := range resp.Resources {
			swap(resp.Resources[i].ResourceType, &resp.Resources[i].ResourceName, theirs, ours)
		}
	case *kmsg.IncrementalAlterConfigsResponse:
		for i := range resp.Resources {
			swap(resp.Resources[i].ResourceType, &resp.Resources[i].ResourceName, theirs, ours)
		}
	}
	for _, name := range topics {
		r.b.c.learn(name, defaultFactor, nil)
	}
	return resp, nil
}
