//go:build e2e

package main

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kassa/kafkaops"
	"kassa/kafkaops/local"
	"kassa/services"
	"kassa/services/events"
	"kassa/services/payment"
)

// A follower hangs, so that records lie in their leaders' logs and nobody is told; payment crashes then, and its customers ask again with the same keys. What
// they paid is in the log, beyond the high watermark: it is found there, and not written again.
func TestE2EAKeyedRetryFindsWhatAFollowerHoldsBack(t *testing.T) {
	profile := kafkaops.FastFailover()
	profile.Settings = append(profile.Settings,
		kafkaops.Setting{Key: "broker.session.timeout.ms", Value: "8000"}, kafkaops.Setting{Key: "replica.lag.time.max.ms", Value: "8000"}, // for all of it before the broker is fenced
		kafkaops.Setting{Key: "auto.leader.rebalance.enable", Value: "false"}) // one that was restarted leads nothing
	cluster := guarded(t, local.Config{Profile: profile})
	client := kafkaops.ClientOptions(cluster.Bootstrap())
	if err := makeTopics(t.Context(), client, services.TopicSettings{}); err != nil {
		t.Fatal(err)
	}
	s, err := payment.New(payment.Config{Client: client, Log: shopLog(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = s.Close(ctx)
	}()
	const hangs = 3
	cart := []events.Item{{ID: 1, Name: "Cap", Price: 49990}}
	if _, err := s.Checkout(t.Context(), payment.Request{Cart: cart}); err != nil { // now it knows the brokers
		t.Fatal(err)
	}
	cl, err := kgo.NewClient(client...)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	if err := cluster.Do(t.Context(), kafkaops.Fault{Verb: kafkaops.Restart, Node: hangs}); err != nil {
		t.Fatal(err)
	}
	until(t, "the broker follows everywhere and leads nothing", func() bool {
		topics, err := kadm.NewClient(cl).ListTopics(t.Context(), events.PaymentSuccessful)
		if err != nil {
			return false
		}
		for _, p := range topics[events.PaymentSuccessful].Partitions {
			if len(p.ISR) < 3 || p.Leader == hangs {
				return false
			}
		}
		return true
	})
	before := logEnd(t, cl)
	if err := cluster.Do(t.Context(), kafkaops.Fault{Verb: kafkaops.Pause, Node: hangs}); err != nil {
		t.Fatal(err)
	}
	var requests []payment.Request
	for n := range 6 {
		requests = append(requests, payment.Request{Cart: cart, IdempotencyKey: fmt.Sprint("again-", n)})
	}
	outcomes := make(chan error, len(requests))
	for _, req := range requests {
		s.Submit(req, func(_ payment.Receipt, err error) { outcomes <- err })
	}
	until(t, "the leaders have the records", func() bool { return logEnd(t, cl) == before+int64(len(requests)) })
	if err := s.Control().Crash(); err != nil {
		t.Fatal(err)
	}
	for range requests {
		if err := <-outcomes; !errors.Is(err, payment.ErrUnknown) {
			t.Errorf("a customer was told %v, and nobody knew", err)
		}
	}
	for _, req := range requests { // the first of them waits until the records are committed
		until(t, "a customer who asks again is answered", func() bool {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			_, err := s.Checkout(ctx, req)
			if err != nil && !errors.Is(err, payment.ErrDown) && !errors.Is(err, payment.ErrUnknown) {
				t.Fatal(err)
			}
			return err == nil
		})
	}
	if err := cluster.Do(t.Context(), kafkaops.Fault{Verb: kafkaops.Resume, Node: hangs}); err != nil {
		t.Fatal(err)
	}
	paid := readCommitted(t, cluster.Bootstrap())["payment-successful"]
	if len(paid) != len(requests)+1 {
		t.Errorf("%d checkouts are in the log, and %d were made", len(paid), len(requests)+1)
	}
	for id, n := range paid {
		if n != 1 {
			t.Errorf("checkout %s is in the log %d times", id, n)
		}
	}
}

// logEnd is how many payments are in the logs of the leaders, whether their followers have them or not.
func logEnd(t *testing.T, cl *kgo.Client) (all int64) {
	t.Helper()
	topics, err := kadm.NewClient(cl).ListTopics(t.Context(), events.PaymentSuccessful)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range topics[events.PaymentSuccessful].Partitions {
		part := kmsg.NewListOffsetsRequestTopicPartition()
		part.Partition, part.Timestamp = p.Partition, -1
		topic := kmsg.NewListOffsetsRequestTopic()
		topic.Topic, topic.Partitions = events.PaymentSuccessful, []kmsg.ListOffsetsRequestTopicPartition{part}
		req := kmsg.NewPtrListOffsetsRequest()
		req.ReplicaID, req.Topics = -2, []kmsg.ListOffsetsRequestTopic{topic} // a debugger sees all
		resp, err := req.RequestWith(t.Context(), cl.Broker(int(p.Leader)))
		if err != nil {
			t.Fatal(err)
		}
		all += resp.Topics[0].Partitions[0].Offset
	}
	return all
}
