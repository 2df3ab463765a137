package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"kassa/kafkaops"
	"kassa/kafkaops/compose"
	"kassa/kafkaops/watch"
	"kassa/services"
	"kassa/services/analytics"
	"kassa/services/events"
)

// nowhere is a cluster that nothing is known of.
type nowhere struct{}

func (nowhere) Nodes() []kafkaops.Node { return nil }
func (nowhere) Bootstrap() []string    { return nil }

// Services in containers do not tell what they bury, so their dead letters are counted in the topics: each is its service's.
func TestDeadLettersOfContainersAreCounted(t *testing.T) {
	t.Parallel()
	k, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	opts := []kgo.Opt{kgo.SeedBrokers(k.ListenAddrs()...)}
	cl, err := kgo.NewClient(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	if err := services.EnsureTopics(t.Context(), kadm.NewClient(cl), services.TopicSettings{}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	watcher := watch.Start(nowhere{}, watch.Config{})
	t.Cleanup(watcher.Close)
	s := &shop{client: opts, analytics: analytics.New(nil), watcher: watcher, payment: newRemoteTill("http://127.0.0.1:0", nil)}
	c := newContainers(ctx, &compose.Cluster{}, s, slog.New(slog.DiscardHandler))
	var wg sync.WaitGroup
	wg.Go(c.supervise)
	t.Cleanup(func() { cancel(); wg.Wait() })

	letter := func(topic string) {
		t.Helper()
		rec := &kgo.Record{Topic: events.DeadLetters(topic), Headers: []kgo.RecordHeader{{Key: services.HeaderDeadTopic, Value: []byte(topic)}}}
		if err := cl.ProduceSync(t.Context(), rec).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	counts := func() string {
		var all []string
		for _, s := range c.list {
			all = append(all, fmt.Sprint(s.name, " ", s.Stats().DeadLetters))
		}
		return strings.Join(all, ", ")
	}
	deadline := time.Now().Add(30 * time.Second)
	for c.Control("analytics").Stats().DeadLetters == 0 { // until it has begun
		if time.Now().After(deadline) {
			t.Fatal("nothing is counted")
		}
		letter(events.EmailSuccessful)
	}
	for range 3 {
		letter(events.PaymentSuccessful)
	}
	letter(events.OrderSuccessful)
	for !strings.HasPrefix(counts(), "payment 0, order 3, email 1, analytics ") {
		if time.Now().After(deadline) {
			t.Fatal(counts())
		}
		letter(events.EmailSuccessful)
	}
}
