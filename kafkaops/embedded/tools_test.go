package embedded

import (
	"context"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// What Kafka's own tools insist on, and franz-go does not: lists that are empty and not null, a source for every setting, and filters in any case. The tools themselves are
// run in cmd/kassa (TestToolsOnSimulatedBrokers).
func TestAnswersAreAsKafkasOwnToolsWantThem(t *testing.T) {
	c := real(t, Config{})
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.Bootstrap()...), kgo.ConsumerGroup("g"), kgo.ConsumeTopics("t"))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()

	create := kmsg.NewPtrCreateTopicsRequest()
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = "t", 3, 3
	config := kmsg.NewCreateTopicsRequestTopicConfig()
	config.Name, config.Value = "min.insync.replicas", new("2")
	topic.Configs = append(topic.Configs, config)
	create.Topics = append(create.Topics, topic)
	made, err := create.RequestWith(ctx, cl)
	if err != nil {
		t.Fatal(err)
	}
	if cfg := made.Topics[0].Configs; len(cfg) != 1 || cfg[0].Source < 0 {
		t.Errorf("the settings of a new topic: %+v", cfg)
	}

	describe := kmsg.NewPtrDescribeTopicPartitionsRequest()
	describe.ResponsePartitionLimit = 100
	wanted := kmsg.NewDescribeTopicPartitionsRequestTopic()
	wanted.Topic = "t"
	describe.Topics = append(describe.Topics, wanted)
	described, err := describe.RequestWith(ctx, cl)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range described.Topics[0].Partitions {
		if p.EligibleLeaderReplicas == nil || p.LastKnownELR == nil {
			t.Errorf("partition %d: a null ELR", p.Partition)
		}
	}

	lists := func(states, types []string) (n int) {
		t.Helper()
		list := kmsg.NewPtrListGroupsRequest()
		list.StatesFilter, list.TypesFilter = states, types
		for _, shard := range cl.RequestSharded(ctx, list) {
			if shard.Err != nil {
				t.Fatal(shard.Err)
			}
			n += len(shard.Resp.(*kmsg.ListGroupsResponse).Groups)
		}
		return n
	}
	for lists([]string{"STABLE"}, []string{"Classic", "Consumer"}) != 1 {
		if ctx.Err() != nil {
			t.Fatal("the group is not listed")
		}
		ready, stop := context.WithTimeout(ctx, 10*time.Millisecond) // it joins beside this
		cl.PollFetches(ready)
		stop()
	}
	if n := lists([]string{"Dead"}, nil) + lists(nil, []string{"Share"}); n != 0 {
		t.Errorf("%d groups are listed that were not asked for", n)
	}
}
