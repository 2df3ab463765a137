package embedded

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"kassa/kafkaops"
)

// A write that has timed out is neither there nor gone: it lands when the ISR has it, once, and in its place.
func TestAWriteThatTimedOutLandsLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := subject(t, kafkaops.Stock())
		c := s.Cluster.(*Cluster)
		client := func(opts ...kgo.Opt) *kgo.Client {
			cl, err := kgo.NewClient(append([]kgo.Opt{
				kgo.SeedBrokers(c.Bootstrap()...), kgo.Dialer(s.Dial), kgo.DefaultProduceTopic("t"), kgo.RecordPartitioner(kgo.ManualPartitioner()),
				kgo.MetadataMinAge(50 * time.Millisecond), kgo.ProduceRequestTimeout(time.Second), kgo.DisableIdempotentWrite(), kgo.RecordRetries(0),
			}, opts...)...)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(cl.Close)
			return cl
		}
		cl := client()
		if _, err := kadm.NewClient(cl).CreateTopic(t.Context(), 1, 3, map[string]*string{"min.insync.replicas": new("2")}, "t"); err != nil {
			t.Fatal(err)
		}
		high := func() int64 { return c.engine.kf.PartitionInfo("t", 0).HighWatermark }
		if err := cl.ProduceSync(t.Context(), kgo.StringRecord("0")).FirstErr(); err != nil || high() != 1 {
			t.Fatal(err, high())
		}
		if err := c.Do(t.Context(), kafkaops.Fault{Verb: kafkaops.Kill, Node: 3}); err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		for _, v := range []string{"1", "2"} {
			if err := cl.ProduceSync(t.Context(), kgo.StringRecord(v)).FirstErr(); !errors.Is(err, kerr.RequestTimedOut) && !errors.Is(err, kgo.ErrRecordRetries) {
				t.Errorf("a write that a replica in the ISR does not have: %v", err)
			}
		}
		if took := time.Since(begun); took < 2*time.Second || high() != 1 {
			t.Errorf("after %v the log ends at %d", took, high())
		}
		patient := client(kgo.ProduceRequestTimeout(30 * time.Second))
		if err := patient.ProduceSync(t.Context(), kgo.StringRecord("3")).FirstErr(); err != nil {
			t.Error(err)
		}
		if took := time.Since(begun); took < 5*time.Second || took > 9*time.Second {
			t.Errorf("acknowledged after %v, with a session of 9 s", took)
		}
		reader := client(kgo.ConsumeTopics("t"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
		var got string
		for len(got) < 4 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			fs := reader.PollFetches(ctx)
			cancel()
			if err := fs.Err0(); err != nil {
				t.Fatal(got, err)
			}
			fs.EachRecord(func(r *kgo.Record) { got += string(r.Value) })
		}
		if got != "0123" {
			t.Errorf("the log has %q", got)
		}
	})
}

// acks=1 asks no replica.
func TestAWriteWithAcks1DoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := subject(t, kafkaops.Stock())
		for _, acks := range []kgo.Acks{kgo.LeaderAck(), kgo.NoAck()} {
			cl, err := kgo.NewClient(kgo.SeedBrokers(s.Cluster.Bootstrap()...), kgo.Dialer(s.Dial), kgo.DefaultProduceTopic("t"), kgo.AllowAutoTopicCreation(),
				kgo.DisableIdempotentWrite(), kgo.RequiredAcks(acks), kgo.RecordPartitioner(kgo.ManualPartitioner()))
			if err != nil {
				t.Fatal(err)
			}
			defer cl.Close()
			if err := cl.ProduceSync(t.Context(), kgo.StringRecord("before")).FirstErr(); err != nil {
				t.Fatal(err)
			}
			if err := s.Cluster.Do(t.Context(), kafkaops.Fault{Verb: kafkaops.Pause, Node: 3}); err != nil {
				t.Fatal(err)
			}
			begun := time.Now()
			if err := cl.ProduceSync(t.Context(), kgo.StringRecord("while a replica hangs")).FirstErr(); err != nil {
				t.Error(err)
			}
			if took := time.Since(begun); took > 100*time.Millisecond {
				t.Errorf("acks %v took %v", acks, took)
			}
			if err := s.Cluster.Do(t.Context(), kafkaops.Fault{Verb: kafkaops.Resume, Node: 3}); err != nil {
				t.Fatal(err)
			}
		}
	})
}
