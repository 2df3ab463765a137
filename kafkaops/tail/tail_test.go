package tail

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kassa/kafkaops"
)

const patience = 90 * time.Second

// cluster begins a test beside others: most of what they do is waiting.
func cluster(t *testing.T, topics ...string) (*kfake.Cluster, *kgo.Client) {
	t.Helper()
	t.Parallel()
	opts := []kfake.Opt{kfake.NumBrokers(3)}
	if len(topics) > 0 {
		opts = append(opts, kfake.SeedTopics(3, topics...))
	}
	c, err := kfake.NewCluster(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	cl, err := kgo.NewClient(append(kafkaops.ClientOptions(c.ListenAddrs()), kgo.ProducerLinger(0))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return c, cl
}

func start(t *testing.T, c *kfake.Cluster, cfg Config) *Tailer {
	t.Helper()
	cfg.Client = kafkaops.ClientOptions(c.ListenAddrs())
	tl, err := Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tl.Close)
	return tl
}

func produce(t *testing.T, cl *kgo.Client, records ...*kgo.Record) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := cl.ProduceSync(ctx, records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

func numbered(topic string, from, to int) []*kgo.Record {
	var out []*kgo.Record
	for i := from; i < to; i++ {
		out = append(out, &kgo.Record{Topic: topic, Key: fmt.Appendf(nil, "k%d", i), Value: fmt.Appendf(nil, "%d", i)})
	}
	return out
}

// until takes batches until ok says that it has seen enough, hands each record on, and returns all of them and the last counts.
func until(t *testing.T, tl *Tailer, ok func([]Record, map[string]Count) bool, each ...func(Record)) ([]Record, map[string]Count) {
	t.Helper()
	var all []Record
	var last map[string]Count
	deadline := time.After(patience)
	for {
		select {
		case b, open := <-tl.Batches():
			if !open {
				t.Fatal("the tail ended")
			}
			all, last = append(all, b.Records...), b.Topics
			for _, r := range b.Records {
				for _, f := range each {
					f(r)
				}
			}
			if ok(all, last) {
				return all, last
			}
		case <-deadline:
			t.Fatalf("gave up waiting; %d records, counts %+v", len(all), last)
		}
	}
}

func read(topic string, n int64) func([]Record, map[string]Count) bool {
	return func(_ []Record, c map[string]Count) bool { return c[topic].Read >= n }
}

func TestEveryRecordComesOnceAndInOrderWithinItsPartition(t *testing.T) {
	c, cl := cluster(t, "a", "b")
	tl := start(t, c, Config{Topics: []string{"a", "b"}, From: Beginning(), Keep: 10_000})
	produce(t, cl, append(numbered("a", 0, 500), numbered("b", 0, 300)...)...)
	records, counts := until(t, tl, func(rs []Record, _ map[string]Count) bool { return len(rs) >= 800 })
	next := map[string]int64{}
	for _, r := range records {
		at := fmt.Sprint(r.Topic, r.Partition)
		if r.Offset != next[at] {
			t.Fatalf("%s: offset %d, want %d", at, r.Offset, next[at])
		}
		next[at]++
	}
	if a, b := counts["a"], counts["b"]; a.Read != 500 || b.Read != 300 || a.Skipped+b.Skipped != 0 || a.Behind+b.Behind != 0 {
		t.Errorf("counts %+v", counts)
	}
}

func TestAFloodLosesRowsAndNoCounts(t *testing.T) {
	c, cl := cluster(t, "a")
	const total, keep = 20_000, 50
	tl := start(t, c, Config{Topics: []string{"a"}, From: Beginning(), Keep: keep, Every: time.Millisecond})
	produce(t, cl, numbered("a", 0, total)...)

	records, counts := until(t, tl, read("a", total))
	shown := int64(len(records))
	if got := counts["a"]; got.Read != shown+got.Skipped {
		t.Errorf("read %d, shown %d, skipped %d: they do not add up", got.Read, shown, got.Skipped)
	}
	if counts["a"].Skipped == 0 {
		t.Error("nothing was skipped, so nothing was tested")
	}
	// The newest are the ones that are kept.
	if last := records[len(records)-1]; last.Offset < 100 {
		t.Errorf("the last record shown is %d/%d", last.Partition, last.Offset)
	}
}

func TestASlowReaderGetsTheNewestAndEveryCount(t *testing.T) {
	k := newKeeper([]string{"a"}, 3)
	now := time.Unix(0, 0)
	for i := range int64(10) {
		k.take(fetched("a", i), now)
	}
	first := k.batch(now)
	for i := range int64(2) {
		k.take(fetched("a", 10+i), now)
	}
	k.untaken(first.Records)
	b := k.batch(now)
	var got []int64
	for _, r := range b.Records {
		got = append(got, r.Offset)
	}
	if fmt.Sprint(got) != "[9 10 11]" {
		t.Errorf("kept %v, want the newest three", got)
	}
	if c := b.Topics["a"]; c.Read != 12 || c.Skipped != 9 {
		t.Errorf("read %d skipped %d, want 12 and 9", c.Read, c.Skipped)
	}
}

func fetched(topic string, offset int64) kgo.FetchTopicPartition {
	return kgo.FetchTopicPartition{Topic: topic, FetchPartition: kgo.FetchPartition{
		HighWatermark: offset + 1, Records: []*kgo.Record{{Topic: topic, Offset: offset}},
	}}
}

func TestValuesAreCutAndTheirSizeKept(t *testing.T) {
	c, cl := cluster(t, "a")
	tl := start(t, c, Config{Topics: []string{"a"}, From: Beginning()})
	produce(t, cl,
		&kgo.Record{Topic: "a", Partition: 0, Value: bytes.Repeat([]byte("x"), MaxValue+7), Headers: []kgo.RecordHeader{{Key: "h", Value: bytes.Repeat([]byte("h"), 900_000)}}},
		&kgo.Record{Topic: "a", Key: []byte("tomb")},
		&kgo.Record{Topic: "a", Key: []byte("empty"), Value: []byte{}})
	records, _ := until(t, tl, func(rs []Record, _ map[string]Count) bool { return len(rs) == 3 })
	for _, r := range records {
		switch string(r.Key) {
		case "":
			if len(r.Value) != MaxValue || r.Size != MaxValue+7 || len(r.Headers) != 1 || len(r.Headers[0].Value) != MaxHeader || r.Headers[0].Size != 900_000 ||
				r.Bytes() < MaxValue+MaxHeader || r.Bytes() > MaxValue+2*MaxHeader {
				t.Errorf("kept %d bytes, of the value %d of %d, %d headers", r.Bytes(), len(r.Value), r.Size, len(r.Headers))
			}
		case "tomb":
			if r.Value != nil {
				t.Errorf("a tombstone came as %q", r.Value)
			}
		case "empty":
			if r.Value == nil {
				t.Error("an empty value came as a tombstone")
			}
		}
	}
}

func TestFromTheEndLeavesOutWhatWasThereBefore(t *testing.T) {
	c, cl := cluster(t, "a")
	produce(t, cl, numbered("a", 0, 10)...)
	tl := start(t, c, Config{Topics: []string{"a"}})
	until(t, tl, func([]Record, map[string]Count) bool { return true }) // it has begun
	produce(t, cl, numbered("a", 10, 15)...)
	records, counts := until(t, tl, read("a", 5))
	if len(records) != 5 || counts["a"].Read != 5 || string(records[0].Key) == "k0" {
		t.Errorf("read %d records, counts %+v", len(records), counts)
	}
}

func TestLastBeginsThatManyBeforeTheEndOfEachPartition(t *testing.T) {
	c, cl := cluster(t, "a")
	produce(t, cl, numbered("a", 0, 300)...)
	ends, err := kadm.NewClient(cl).ListEndOffsets(context.Background(), "a")
	if err != nil {
		t.Fatal(err)
	}
	want := int64(0)
	ends.Each(func(o kadm.ListedOffset) { want += min(5, o.Offset) })
	tl := start(t, c, Config{Topics: []string{"a"}, From: Last(5)})
	if _, counts := until(t, tl, read("a", want)); counts["a"].Read != want {
		t.Errorf("read %d, want %d", counts["a"].Read, want)
	}
}

func TestATopicMayComeLaterAndBeMadeAgain(t *testing.T) {
	c, cl := cluster(t)
	admin := kadm.NewClient(cl)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	create := func() {
		if _, err := admin.CreateTopic(ctx, 3, 3, nil, "late"); err != nil {
			t.Fatal(err)
		}
		cl.PurgeTopicsFromProducing("late")
	}
	tl := start(t, c, Config{Topics: []string{"late"}})
	until(t, tl, func([]Record, map[string]Count) bool { return true }) // it has looked, and found no topic
	create()
	produce(t, cl, numbered("late", 0, 20)...)
	until(t, tl, read("late", 20))

	if _, err := admin.DeleteTopic(ctx, "late"); err != nil {
		t.Fatal(err)
	}
	until(t, tl, func(_ []Record, c map[string]Count) bool { return c["late"].Err != "" })
	create()
	produce(t, cl, numbered("late", 20, 30)...)
	_, counts := until(t, tl, func(_ []Record, c map[string]Count) bool { return c["late"].Read >= 30 && c["late"].Err == "" })
	if got := counts["late"]; got.Read != 30 || got.Behind != 0 || !got.ErrSince.IsZero() {
		t.Errorf("after the topic was made again: %+v", got)
	}
}

// A broker that is just starting does not know of all topics: what it says of one is no deletion, and nothing is read twice for it.
func TestABrokerThatDoesNotKnowATopicIsNotBelievedAtOnce(t *testing.T) {
	c, cl := cluster(t, "a")
	produce(t, cl, numbered("a", 0, 20)...)
	tl := start(t, c, Config{Topics: []string{"a"}, From: Beginning()})
	until(t, tl, read("a", 20))
	asked := make(chan struct{})
	c.ControlKey(int16(kmsg.Fetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
		resp := req.ResponseKind().(*kmsg.FetchResponse)
		for _, rt := range req.(*kmsg.FetchRequest).Topics {
			t := kmsg.NewFetchResponseTopic()
			t.Topic, t.TopicID = rt.Topic, rt.TopicID
			for _, rp := range rt.Partitions {
				p := kmsg.NewFetchResponseTopicPartition()
				p.Partition, p.ErrorCode = rp.Partition, kerr.UnknownTopicID.Code
				t.Partitions = append(t.Partitions, p)
			}
			resp.Topics = append(resp.Topics, t)
		}
		close(asked)
		return resp, nil, true
	})
	select {
	case <-asked:
	case <-time.After(patience):
		t.Fatal("nobody asked")
	}
	produce(t, cl, numbered("a", 20, 30)...)
	all, counts := until(t, tl, read("a", 30))
	if got := counts["a"]; got.Read != 30 || !got.Gone.IsZero() || len(all) != 10 {
		t.Errorf("%d records came again or anew: %+v", len(all), got)
	}
}

func TestOpenTransactionsAreNotShownAndTheirMarkersAreNotLag(t *testing.T) {
	c, _ := cluster(t, "a")
	cl, err := kgo.NewClient(append(kafkaops.ClientOptions(c.ListenAddrs()), kgo.TransactionalID("tx"))...)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	tl := start(t, c, Config{Topics: []string{"a"}, From: Beginning()})
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for i, end := range []kgo.TransactionEndTry{kgo.TryAbort, kgo.TryCommit} {
		if err := cl.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		produce(t, cl, numbered("a", i*10, i*10+10)...)
		if err := cl.EndTransaction(ctx, end); err != nil {
			t.Fatal(err)
		}
	}
	records, counts := until(t, tl, func(rs []Record, c map[string]Count) bool { return c["a"].Read >= 10 && c["a"].Behind == 0 })
	for _, r := range records {
		if len(r.Value) < 2 {
			t.Errorf("the aborted record %s was shown", r.Value)
		}
	}
	if counts["a"].Read != 10 {
		t.Errorf("read %d, want the 10 that were committed", counts["a"].Read)
	}
}

func TestAClusterThatIsGoneIsAnErrorThatLapses(t *testing.T) {
	k := newKeeper([]string{"a", "b"}, 3)
	now := time.Unix(100, 0)
	bad := kgo.FetchTopicPartition{Topic: "a", FetchPartition: kgo.FetchPartition{Err: fmt.Errorf("boom")}}
	k.take(bad, now)
	k.take(bad, now.Add(time.Second))
	c := k.batch(now).Topics
	if c["a"].Err != "boom" || !c["a"].ErrSince.Equal(now) || c["b"].Err != "" {
		t.Errorf("counts %+v", c)
	}
	if k.lapse(now); k.news {
		t.Error("the error lapsed while it was still told")
	}
	if k.lapse(now.Add(2 * time.Second)); !k.news || k.batch(now).Topics["a"].Err != "" {
		t.Error("the error did not lapse")
	}
}

func TestStartRefusesWhatMakesNoClient(t *testing.T) {
	if _, err := Start(Config{Client: []kgo.Opt{kgo.MetadataMinAge(0)}, Topics: []string{"a"}}); err == nil {
		t.Error("an option that franz-go refuses made a tail")
	}
}

// freePort is a port that nobody listens on just now.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
