package deadletters

import (
	"errors"
	"hash/maphash"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kassa/services/events"
)

// A partition that answers with nothing but errors is given up like one that does not answer, and is not asked without a pause.
func TestAScanOfAPartitionThatOnlyRefusesEnds(t *testing.T) {
	t.Parallel()
	topic := events.DeadLetters(events.PaymentSuccessful)
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, topic))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	r, err := New([]kgo.Opt{kgo.SeedBrokers(c.ListenAddrs()...)}).open(identifier{maphash.MakeSeed()}, kgo.DefaultProduceTopic(topic))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.close)
	if err := r.cl.ProduceSync(t.Context(), &kgo.Record{Value: []byte("x")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	spans, err := r.spans(t.Context(), []string{events.PaymentSuccessful})
	if err != nil {
		t.Fatal(err)
	}
	refusals := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Err: kerr.TopicAuthorizationFailed, Count: -1})
	r.patience = 300 * time.Millisecond
	outcome := make(chan error, 1)
	go func() { outcome <- r.scan(t.Context(), spans, func(*kgo.Record) { t.Error("a record") }) }()
	select {
	case err := <-outcome:
		if !errors.Is(err, ErrSilent) || !errors.Is(err, kerr.TopicAuthorizationFailed) || !strings.Contains(err.Error(), topic+"/0") {
			t.Errorf("got %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("it goes on")
	}
	if n := refusals.Hits(); n > 10 {
		t.Errorf("it asked %d times", n)
	}
}
