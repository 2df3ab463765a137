//go:build e2e

package main

import (
	"context"
	"encoding/json"
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
	// Long enough for all of it before the broker is fenced.
	profile.Settings = append(profile.Settings, kafkaops.Setting{Key: "broker.session.timeout.ms", Value: "5000"})
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
	requests := keyedFor(t, cl, cart, hangs)
	before := logEnd(t, cl, hangs)
	if err := cluster.Do(t.Context(), kafkaops.Fault{Verb: kafkaops.Pause, Node: hangs}); err != nil {
		t.Fatal(err)
	}
	outcomes := make(chan error, len(requests))
	for _, req := range requests {
		s.Submit(req, func(_ payment.Receipt, err error) { outcomes <- err })
	}
	until(t, "the leaders have the records", func() bool { return logEnd(t, cl, hangs) == before+int64(len(requests)) })
	if err := s.Control().Crash(); err != nil {
		t.Fatal(err)
	}
	for range requests {
		if err := <-outcomes; !errors.Is(err, payment.ErrUnknown) {
			t.Errorf("a customer was told %v, and nobody knew", err)
		}
	}
	for _, req := range requests {
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

// keyedFor are requests whose payments go to partitions that this broker does not lead.
func keyedFor(t *testing.T, cl *kgo.Client, cart []events.Item, not int32) (requests []payment.Request) {
	t.Helper()
	topics, err := kadm.NewClient(cl).ListTopics(t.Context(), events.PaymentSuccessful)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(cart)
	if err != nil {
		t.Fatal(err)
	}
	of := kgo.StickyKeyPartitioner(nil).ForTopic(events.PaymentSuccessful)
	for n := 0; len(requests) < 6; n++ {
		req := payment.Request{UserID: payment.DefaultUser, Cart: cart, IdempotencyKey: fmt.Sprint("again-", n)}
		id := services.KeyedCheckoutID(req.IdempotencyKey, req.UserID, string(text))
		p := of.Partition(&kgo.Record{Key: []byte(id)}, len(topics[events.PaymentSuccessful].Partitions))
		if topics[events.PaymentSuccessful].Partitions[int32(p)].Leader != not {
			requests = append(requests, req)
		}
	}
	return requests
}

// logEnd is how many payments are in the logs of the leaders, without those of one broker, whether their followers have them or not.
func logEnd(t *testing.T, cl *kgo.Client, without int32) (all int64) {
	t.Helper()
	topics, err := kadm.NewClient(cl).ListTopics(t.Context(), events.PaymentSuccessful)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range topics[events.PaymentSuccessful].Partitions {
		if p.Leader == without {
			continue
		}
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
