package tail

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"kassa/kafkaops"
	"kassa/kafkaops/embedded"
)

// scattered writes n records a second apart over the three partitions of a, in an order that is not that of their times.
func scattered(t *testing.T, addrs []string, begun time.Time, from, to int) {
	t.Helper()
	cl, err := kgo.NewClient(append(kafkaops.ClientOptions(addrs), kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	var records []*kgo.Record
	for i := from; i < to; i++ {
		// Partition 2 has little, and none at the end.
		part := int32(i % 2)
		if i%10 == 3 && i < to/2 {
			part = 2
		}
		records = append(records, &kgo.Record{Topic: "a", Partition: part, Value: fmt.Append(nil, i), Timestamp: begun.Add(time.Duration(i) * time.Second)})
	}
	produce(t, cl, records...)
}

// wholly compares values with the numbers from from up to and without to, in order.
func wholly(t *testing.T, records []Record, from, to int) {
	t.Helper()
	if len(records) != to-from {
		t.Fatalf("%d records, want %d", len(records), to-from)
	}
	for i, r := range records {
		if string(r.Value) != fmt.Sprint(from+i) {
			t.Fatalf("record %d is %s, want %d: not in order of time", i, r.Value, from+i)
		}
	}
}

// A page is so many records in order of time over all partitions. Nothing more comes until it is asked for; where the log ends it goes on by itself.
func TestPages(t *testing.T) {
	c, _ := cluster(t, "a")
	begun := time.Now().Add(-time.Hour).Truncate(time.Millisecond)
	scattered(t, c.ListenAddrs(), begun, 0, 250)
	tl := start(t, c, Config{Topics: []string{"a"}, From: Beginning(), Page: 100})
	held := func(n int64) func([]Record, map[string]Count) bool {
		return func(_ []Record, c map[string]Count) bool { return c["a"].Read >= n && c["a"].Held }
	}
	records, counts := until(t, tl, held(100))
	wholly(t, records, 0, 100)
	if counts["a"].Behind != 150 || counts["a"].Skipped != 0 {
		t.Errorf("counts %+v", counts["a"])
	}
	select {
	case b := <-tl.Batches():
		if len(b.Records) > 0 {
			t.Errorf("%d records came that nobody has asked for", len(b.Records))
		}
	case <-time.After(3 * defaultEvery):
	}
	tl.More()
	records, _ = until(t, tl, held(200))
	wholly(t, records, 100, 200)
	tl.More()
	records, counts = until(t, tl, func(_ []Record, c map[string]Count) bool { return c["a"].Read >= 250 && c["a"].Behind == 0 })
	wholly(t, records, 200, 250)
	if counts["a"].Held {
		t.Error("held at the end of the log")
	}
	scattered(t, c.ListenAddrs(), begun, 250, 260)
	records, _ = until(t, tl, func(_ []Record, c map[string]Count) bool { return c["a"].Read >= 260 })
	if len(records) != 10 {
		t.Errorf("%d records came, want 10", len(records))
	}
}

// A tail may begin at an offset or at a time, in each partition, by pages or not.
func TestWhereATailBegins(t *testing.T) {
	c, _ := cluster(t, "a")
	begun := time.Now().Add(-time.Hour).Truncate(time.Millisecond)
	scattered(t, c.ListenAddrs(), begun, 0, 200)
	sizes := map[int32]int64{}
	ends, err := kadm.NewClient(clientOf(t, c.ListenAddrs())).ListEndOffsets(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	ends.Each(func(o kadm.ListedOffset) { sizes[o.Partition] = o.Offset })
	for _, page := range []int{0, 500} {
		for _, from := range []struct {
			from From
			want int64
			says string
		}{
			{Beginning(), 200, "the beginning"},
			{Offset(30), max(0, sizes[0]-30) + max(0, sizes[1]-30) + max(0, sizes[2]-30), "offset 30"},
			{Since(begun.Add(150 * time.Second)), 50, begun.Add(150 * time.Second).Format("15:04:05")},
			{Last(5), 15, "5 before the end"},
		} {
			tl := start(t, c, Config{Topics: []string{"a"}, From: from.from, Page: page, Keep: 1000})
			records, counts := until(t, tl, func(_ []Record, c map[string]Count) bool { return c["a"].Read >= from.want && c["a"].Behind == 0 })
			if int64(len(records)) != from.want || counts["a"].Held {
				t.Errorf("from %s by pages of %d: %d records, want %d", from.from, page, len(records), from.want)
			}
			if from.from.String() != from.says {
				t.Errorf("%q, want %q", from.from, from.says)
			}
			tl.Close()
		}
	}
	// Behind all that there is is the end.
	tl := start(t, c, Config{Topics: []string{"a"}, From: Since(time.Now().Add(time.Hour)), Page: 10})
	until(t, tl, func([]Record, map[string]Count) bool { return true })
	scattered(t, c.ListenAddrs(), begun, 200, 203)
	records, _ := until(t, tl, func(_ []Record, c map[string]Count) bool { return c["a"].Read >= 3 })
	if got := values(records); !slices.Contains(got, "200") || !slices.Contains(got, "202") || len(got) != 3 {
		t.Errorf("read %q", got)
	}
}

func clientOf(t *testing.T, addrs []string) *kgo.Client {
	t.Helper()
	cl, err := kgo.NewClient(kafkaops.ClientOptions(addrs)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

// Pages of a topic with open transactions end where those begin, and go on when they end.
func TestPagesReadCommitted(t *testing.T) {
	c, _ := cluster(t, "a")
	cl, err := kgo.NewClient(append(kafkaops.ClientOptions(c.ListenAddrs()), kgo.TransactionalID("tx"))...)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	write := func(end kgo.TransactionEndTry, value string) {
		if err := cl.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		produce(t, cl, &kgo.Record{Topic: "a", Key: []byte("k"), Value: []byte(value)})
		if err := cl.EndTransaction(t.Context(), end); err != nil {
			t.Fatal(err)
		}
	}
	write(kgo.TryCommit, "one")
	write(kgo.TryAbort, "never")
	tl := start(t, c, Config{Topics: []string{"a"}, From: Beginning(), Page: 10})
	records, _ := until(t, tl, func(_ []Record, c map[string]Count) bool { return c["a"].Read >= 1 && c["a"].Behind == 0 })
	write(kgo.TryCommit, "two")
	more, _ := until(t, tl, func(_ []Record, c map[string]Count) bool { return c["a"].Read >= 2 })
	if got := values(append(records, more...)); !slices.Equal(got, []string{"one", "two"}) {
		t.Errorf("read %q", got)
	}
}

// A topic that is deleted while it is read is told, in both ways of reading, and read again when it is made anew.
func TestATopicThatIsDeletedIsTold(t *testing.T) {
	t.Parallel()
	for _, page := range []int{0, 5} {
		t.Run(fmt.Sprintf("by pages of %d", page), func(t *testing.T) {
			c, cl := cluster(t, "a")
			admin := kadm.NewClient(cl)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			produce(t, cl, numbered("a", 0, 20)...)
			tl := start(t, c, Config{Topics: []string{"a"}, From: Beginning(), Page: page})
			until(t, tl, read("a", 5))
			begun := time.Now()
			if _, err := admin.DeleteTopic(ctx, "a"); err != nil {
				t.Fatal(err)
			}
			_, counts := until(t, tl, func(_ []Record, c map[string]Count) bool { return !c["a"].Gone.IsZero() })
			if gone := counts["a"].Gone; gone.Before(begun) || counts["a"].Held {
				t.Errorf("counts %+v", counts["a"])
			}
			cl.PurgeTopicsFromProducing("a")
			if _, err := admin.CreateTopic(ctx, 3, 3, nil, "a"); err != nil {
				t.Fatal(err)
			}
			produce(t, cl, numbered("a", 20, 23)...)
			until(t, tl, func(_ []Record, c map[string]Count) bool { return c["a"].Gone.IsZero() && c["a"].Err == "" })
		})
	}
}

// A topic that was never there is not told to be deleted.
func TestATopicThatWasNeverThereIsNotDeleted(t *testing.T) {
	c, _ := cluster(t)
	tl := start(t, c, Config{Topics: []string{"never"}, From: Beginning(), Page: 5})
	if _, counts := until(t, tl, func(_ []Record, c map[string]Count) bool { return c["never"].Err != "" }); !counts["never"].Gone.IsZero() {
		t.Errorf("counts %+v", counts["never"])
	}
}

// A dead leader is told with since when, and forgotten when it is back.
func TestADeadLeaderIsTold(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, cl := threeBrokers(t)
	tl, err := Start(Config{Client: kafkaops.ClientOptions(c.Bootstrap()), Topics: []string{"a"}})
	if err != nil {
		t.Fatal(err)
	}
	defer tl.Close()
	until(t, tl, func([]Record, map[string]Count) bool { return true })
	produce(t, cl, numbered("a", 0, 10)...)
	until(t, tl, read("a", 10))
	begun := time.Now()
	for _, v := range []kafkaops.Verb{kafkaops.Pause, kafkaops.Resume} {
		for _, node := range []int32{1, 2} { // without a quorum nobody else comes to lead
			if err := c.Do(ctx, kafkaops.Fault{Verb: v, Node: node}); err != nil {
				t.Fatal(err)
			}
		}
		_, counts := until(t, tl, func(_ []Record, c map[string]Count) bool {
			silent := map[int32]bool{}
			for _, s := range c["a"].Silent {
				silent[s.Leader] = true
			}
			if v == kafkaops.Resume {
				return len(silent) == 0 && c["a"].Err == ""
			}
			return silent[1] && silent[2]
		})
		for _, s := range counts["a"].Silent {
			if len(s.Partitions) == 0 || s.Since.Before(begun.Add(-silentAfter)) || time.Since(s.Since) < silentAfter {
				t.Errorf("silence %+v, paused at %v", s, begun)
			}
			if s.Leader == 3 {
				t.Error("broker 3 answers, and is told to be silent")
			}
		}
	}
}

// threeBrokers is a cluster whose brokers can be paused, with a topic a.
func threeBrokers(t *testing.T) (*embedded.Cluster, *kgo.Client) {
	t.Helper()
	t.Parallel()
	c, err := embedded.Start(t.Context(), embedded.Config{Ports: []int{freePort(t), freePort(t), freePort(t)}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	cl := clientOf(t, c.Bootstrap())
	if _, err := kadm.NewClient(cl).CreateTopic(t.Context(), 3, 3, nil, "a"); err != nil {
		t.Fatal(err)
	}
	return c, cl
}

// A tail that begins while leaders are away tells that, and reads their partitions when they are back.
func TestATailBeginsWhileLeadersAreAway(t *testing.T) {
	t.Parallel()
	for _, page := range []int{0, 50} {
		t.Run(fmt.Sprintf("by pages of %d", page), func(t *testing.T) {
			c, cl := threeBrokers(t)
			produce(t, cl, numbered("a", 0, 30)...)
			do := func(v kafkaops.Verb) {
				for _, node := range []int32{1, 2} {
					if err := c.Do(t.Context(), kafkaops.Fault{Verb: v, Node: node}); err != nil {
						t.Fatal(err)
					}
				}
			}
			do(kafkaops.Kill)
			tl, err := Start(Config{Client: kafkaops.ClientOptions(c.Bootstrap()), Topics: []string{"a"}, From: Beginning(), Page: page})
			if err != nil {
				t.Fatal(err)
			}
			defer tl.Close()
			before, _ := until(t, tl, func(_ []Record, c map[string]Count) bool { return len(c["a"].Silent) == 2 })
			do(kafkaops.Start)
			n := int64(len(before))
			after, _ := until(t, tl, func(_ []Record, c map[string]Count) bool { return c["a"].Read >= 30 && len(c["a"].Silent) == 0 })
			if n += int64(len(after)); n != 30 {
				t.Errorf("%d records came, want 30", n)
			}
		})
	}
}
