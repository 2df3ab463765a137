package tail

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"kassa/kafkaops"
)

// ledger fills partition 1 of topics with n records, a second apart from the start of the clock.
func ledger(t *testing.T, n int, topics ...string) (*kfake.Cluster, time.Time) {
	t.Helper()
	c, _ := cluster(t, topics...)
	cl, err := kgo.NewClient(append(kafkaops.ClientOptions(c.ListenAddrs()), kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	begun := time.Now().Add(-time.Duration(n) * time.Second).Truncate(time.Millisecond)
	var records []*kgo.Record
	for _, topic := range topics {
		for i := range n {
			records = append(records, &kgo.Record{
				Topic: topic, Partition: 1, Key: fmt.Appendf(nil, "id-%d-", i), Value: fmt.Appendf(nil, "%s %d", topic, i), Timestamp: begun.Add(time.Duration(i) * time.Second),
			})
		}
	}
	produce(t, cl, records...)
	return c, begun
}

func find(t *testing.T, c *kfake.Cluster, q Query) Found {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	got, err := Find(ctx, kafkaops.ClientOptions(c.ListenAddrs()), q)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func values(records []Record) (list []string) {
	for _, r := range records {
		list = append(list, string(r.Value))
	}
	return list
}

// A key is found near its time, wherever that is in the log, and no more of the log is read than that takes.
func TestFindLooksAroundATime(t *testing.T) {
	c, begun := ledger(t, 12_000, "a", "b")
	for _, i := range []int{0, 17, 6000, 11_999} {
		got := find(t, c, Query{Topics: []string{"a", "b"}, Key: fmt.Sprintf("id-%d-", i), Partition: 1, Around: begun.Add(time.Duration(i) * time.Second)})
		if want := []string{fmt.Sprintf("a %d", i), fmt.Sprintf("b %d", i)}; !slices.Equal(values(got.Records), want) {
			t.Errorf("found %q, want %q", values(got.Records), want)
		}
		for _, l := range got.Looked {
			if l.Err != "" || l.Records > 2*findFirst || l.To-l.From != l.Records || l.Start != 0 || l.End != 12_000 || l.Whole() {
				t.Errorf("looked at too much, or miscounted: %+v", l)
			}
			if l.Oldest.IsZero() || l.Newest.Before(l.Oldest) {
				t.Errorf("times %v to %v", l.Oldest, l.Newest)
			}
		}
	}
	// The time is wrong by more than a window: the look goes further in both directions.
	got := find(t, c, Query{Topics: []string{"a"}, Key: "id-2000-", Partition: 1, Around: begun.Add(6000 * time.Second)})
	if !slices.Equal(values(got.Records), []string{"a 2000"}) {
		t.Errorf("found %q, looked %+v", values(got.Records), got.Looked)
	}
}

// Without a time and a partition the look begins at the end, in all partitions; it ends at its bound and says how far it came.
func TestFindIsBoundedAndSaysSo(t *testing.T) {
	c, begun := ledger(t, 12_000, "a")
	got := find(t, c, Query{Topics: []string{"a"}, Key: "id-11000-", Partition: -1})
	if !slices.Equal(values(got.Records), []string{"a 11000"}) || len(got.Looked) != 3 || got.Records[0].Partition != 1 {
		t.Fatalf("found %q, looked %+v", values(got.Records), got.Looked)
	}
	got = find(t, c, Query{Topics: []string{"a"}, Key: "id-3-", Partition: 1, Most: 2000})
	l := got.Looked[0]
	if len(got.Records) != 0 || l.From != 10_000 || l.To != 12_000 || l.Whole() || !l.Oldest.Equal(begun.Add(10_000*time.Second)) {
		t.Errorf("found %q, looked %+v", values(got.Records), l)
	}
	if got = find(t, c, Query{Topics: []string{"a"}, Key: "never", Partition: 1}); len(got.Records) != 0 || !got.Looked[0].Whole() || got.Looked[0].Records != 12_000 {
		t.Errorf("found %q, looked %+v", values(got.Records), got.Looked)
	}
	got = find(t, c, Query{Topics: []string{"a"}, Key: "id-11990-", Partition: 1, After: map[string]int64{"a": 11_995}})
	if l := got.Looked[0]; len(got.Records) != 0 || l.From != 11_995 || l.To != 12_000 {
		t.Errorf("found %q, looked %+v", values(got.Records), l)
	}
}

// What was aborted is not found, what was committed says so, and the markers at the end keep nobody waiting.
func TestFindReadsCommitted(t *testing.T) {
	c, _ := cluster(t, "a")
	cl, err := kgo.NewClient(append(kafkaops.ClientOptions(c.ListenAddrs()), kgo.TransactionalID("tx"))...)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	for i, end := range []kgo.TransactionEndTry{kgo.TryCommit, kgo.TryAbort} {
		if err := cl.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		produce(t, cl, &kgo.Record{Topic: "a", Key: []byte("k"), Value: fmt.Append(nil, i)})
		if err := cl.EndTransaction(t.Context(), end); err != nil {
			t.Fatal(err)
		}
	}
	begun := time.Now()
	got := find(t, c, Query{Topics: []string{"a"}, Key: "k", Partition: -1})
	if !slices.Equal(values(got.Records), []string{"0"}) || !got.Records[0].Transactional || got.Records[0].ProducerID < 0 {
		t.Errorf("found %+v", got.Records)
	}
	if took := time.Since(begun); took > findQuiet {
		t.Errorf("it took %v", took)
	}
}

// A topic that is not there is told, and the others are looked at.
func TestFindTellsWhatItCouldNotRead(t *testing.T) {
	c, _ := ledger(t, 10, "a")
	got := find(t, c, Query{Topics: []string{"gone", "a"}, Key: "id-3-", Partition: 1})
	if len(got.Looked) != 2 || got.Looked[0].Err == "" || got.Looked[0].Whole() || len(got.Records) != 1 {
		t.Errorf("found %+v", got)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := Find(ctx, kafkaops.ClientOptions([]string{"127.0.0.1:1"}), Query{Topics: []string{"a"}, Key: "x", Partition: 1}); err == nil {
		t.Error("nobody answered, and there is no error")
	}
}
