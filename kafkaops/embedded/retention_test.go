package embedded

import (
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"pgregory.net/rapid"
)

// filled is a cluster with three topics: long and longer, which have more than the budget, and short.
func filled(t *testing.T, budget int) (*Cluster, *kgo.Client) {
	t.Helper()
	c := real(t, Config{})
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.Bootstrap()...), kgo.RecordPartitioner(kgo.RoundRobinPartitioner()), kgo.ProducerBatchCompression(kgo.NoCompression()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	// A topic may ask to keep more than there is: memory is memory.
	if _, err := kadm.NewClient(cl).CreateTopics(t.Context(), 3, 3, map[string]*string{"retention.bytes": new("-1")}, "long", "longer", "short"); err != nil {
		t.Fatal(err)
	}
	value := make([]byte, 16<<10)
	for topic, bytes := range map[string]int{"long": budget, "longer": 2 * budget, "short": budget / 16} {
		for range bytes / len(value) {
			// One at a time: batches are deleted as a whole.
			if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Value: value}).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
	}
	return c, cl
}

func (c *Cluster) kept(topics ...string) (bytes int64, starts []int64) {
	for _, topic := range topics {
		for _, p := range c.engine.kf.PartitionInfos(topic) {
			bytes += p.NumBytes
			starts = append(starts, p.LogStartOffset)
		}
	}
	return bytes, starts
}

// However much is written, and to however many partitions, the log keeps no more than its budget; what is short keeps all it has.
func TestTheLogIsBounded(t *testing.T) {
	const budget, batch = 4 << 20, 17 << 10
	c, _ := filled(t, budget)
	if unread := c.engine.trim(c.truth.Load().topics, budget, 100*budget); unread != 0 {
		t.Errorf("%d records were unread, and nobody reads", unread)
	}
	if all, _ := c.kept("long", "longer", "short"); all > budget+9*batch || all < budget-9*batch {
		t.Errorf("%d bytes are kept, want about %d", all, budget)
	}
	if _, starts := c.kept("short"); slices.Max(starts) != 0 {
		t.Errorf("a short topic begins at %v", starts)
	}
	if _, starts := c.kept("long", "longer"); slices.Min(starts) == 0 {
		t.Errorf("long topics begin at %v", starts)
	}
}

// A service may be stopped for a while: what it has not read yet is kept beyond the budget, up to a limit.
func TestWhatAGroupHasNotReadIsKept(t *testing.T) {
	const budget = 4 << 20
	c, cl := filled(t, budget)
	var at kadm.Offsets
	for part := range int32(3) {
		at.Add(kadm.Offset{Topic: "longer", Partition: part, At: 10, LeaderEpoch: -1})
	}
	if err := kadm.NewClient(cl).CommitAllOffsets(t.Context(), "stopped", at); err != nil {
		t.Fatal(err)
	}
	if unread := c.engine.trim(c.truth.Load().topics, budget, 100*budget); unread != 0 {
		t.Errorf("%d records were deleted unread", unread)
	}
	if _, starts := c.kept("longer"); slices.Min(starts) != 10 || slices.Max(starts) != 10 {
		t.Errorf("a group has read up to offset 10, and the log begins at %v", starts)
	}
	if _, starts := c.kept("long"); slices.Min(starts) == 0 {
		t.Errorf("what nobody reads begins at %v", starts)
	}
	unread := c.engine.trim(c.truth.Load().topics, budget/4, budget)
	if all, _ := c.kept("long", "longer", "short"); unread == 0 || all > budget+budget/8 {
		t.Errorf("above the limit %d bytes are kept, and %d records deleted unread", all, unread)
	}
}

// A topic's own retention.ms counts from the oldest record on: one with a time stamp of long ago, behind newer ones, takes none of them along.
func TestATopicsOwnRetention(t *testing.T) {
	c := real(t, Config{Keep: true})
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.Bootstrap()...), kgo.DefaultProduceTopic("brief"))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	admin := kadm.NewClient(cl)
	if _, err := admin.CreateTopic(t.Context(), 1, 3, map[string]*string{"retention.ms": new("60000")}, "brief"); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	for _, at := range []time.Time{now.Add(-2 * time.Minute), now.Add(-90 * time.Second), now.Add(-30 * time.Second), time.Unix(0, 0), now} {
		if err := cl.ProduceSync(t.Context(), &kgo.Record{Timestamp: at, Value: []byte("x")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	for after, want := range map[time.Duration]int64{0: 2, 20 * time.Second: 2} {
		c.engine.expire(c.truth.Load().topics, now.Add(after))
		if _, starts := c.kept("brief"); starts[0] != want {
			t.Errorf("after %v the log begins at %d, want %d", after, starts[0], want)
		}
	}
	c.engine.expire(c.truth.Load().topics, now.Add(45*time.Second))
	if _, starts := c.kept("brief"); starts[0] != 4 {
		t.Errorf("the log begins at %d, want 4: the last record alone is young enough", starts[0])
	}
	c.engine.expire(c.truth.Load().topics, now.Add(2*time.Minute))
	if _, starts := c.kept("brief"); starts[0] != 5 {
		t.Errorf("the log begins at %d, want 5: all are too old", starts[0])
	}
}

func TestTheLongestGiveFirst(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sizes := rapid.SliceOf(rapid.Int64Range(0, 1<<40)).Draw(t, "sizes")
		budget := rapid.Int64Range(0, 1<<42).Draw(t, "budget")
		sum := int64(0)
		for _, s := range sizes {
			sum += s
		}
		most := share(sizes, budget)
		kept := int64(0)
		for _, s := range sizes {
			kept += min(s, most)
		}
		switch {
		case kept > budget && len(sizes) > 0:
			t.Fatalf("%d are kept of %d", kept, budget)
		case sum <= budget && kept != sum:
			t.Fatalf("%d are kept, and there was room for all %d", kept, sum)
		case sum > budget && budget-kept > int64(len(sizes)):
			t.Fatalf("%d are kept, and there was room for %d", kept, budget)
		}
	})
}
