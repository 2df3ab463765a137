//go:build e2e

package tail

import (
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"kassa/kafkaops"
	"kassa/kafkaops/local"
)

// TestMain lets the test binary be the guard of the brokers that it starts.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == local.GuardCommand {
		os.Exit(local.RunGuard(os.Stdin, os.Stdout))
	}
	goleak.VerifyTestMain(m)
}

func TestE2ENoRecordIsMissedOrShownTwiceWhileLeadersMove(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Minute)
	defer cancel()
	c, err := local.Start(ctx, local.Config{TempDir: t.TempDir()}, func(kafkaops.Progress) {})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	cl, err := kgo.NewClient(kafkaops.ClientOptions(c.Bootstrap())...)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	topics := []string{"a", "b", "c"}
	if resp, err := kadm.NewClient(cl).CreateTopics(ctx, 3, 3, nil, topics...); err != nil || resp.Error() != nil {
		t.Fatal(err, resp.Error())
	}
	tl, err := Start(Config{Client: kafkaops.ClientOptions(c.Bootstrap()), Topics: topics, From: Beginning(), Keep: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer tl.Close()

	loading, stop := context.WithCancel(ctx)
	var written, acked, failed atomic.Int64
	var load sync.WaitGroup
	load.Go(func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for i := 0; loading.Err() == nil; i++ {
			for _, topic := range topics {
				written.Add(1)
				cl.Produce(ctx, &kgo.Record{Topic: topic, Key: fmt.Append(nil, i), Value: fmt.Append(nil, i)}, func(_ *kgo.Record, err error) {
					if err != nil {
						failed.Add(1)
					} else {
						acked.Add(1)
					}
				})
			}
			<-tick.C
		}
	})
	do := func(v kafkaops.Verb, node int32) {
		t.Helper()
		if err := c.Do(ctx, kafkaops.Fault{Verb: v, Node: node}); err != nil {
			t.Fatal(err)
		}
	}
	// whole waits for every replica, so that the next fault is the only one.
	whole := func() {
		t.Helper()
		for {
			md, err := kadm.NewClient(cl).Metadata(ctx, topics...)
			full := err == nil && len(md.Brokers) == 3
			md.Topics.EachPartition(func(p kadm.PartitionDetail) { full = full && len(p.ISR) == 3 })
			if full {
				return
			}
			select {
			case <-ctx.Done():
				t.Fatal("the replicas did not come back")
			case <-time.After(50 * time.Millisecond):
			}
		}
	}
	next := map[string]int64{}
	seen := map[string]int{}
	follow := func(what string, ok func(map[string]Count) bool) {
		t.Helper()
		start := time.Now()
		defer func() {
			t.Logf("%-40s after %v; %d written, %d acknowledged", what, time.Since(start).Round(time.Millisecond), written.Load(), acked.Load())
		}()
		until(t, tl, func(rs []Record, counts map[string]Count) bool { return ok(counts) }, func(r Record) {
			at := fmt.Sprint(r.Topic, "/", r.Partition)
			if r.Offset != next[at] {
				t.Errorf("%s: offset %d, want %d", at, r.Offset, next[at])
			}
			next[at] = r.Offset + 1
			seen[r.Topic+"="+string(r.Value)]++
		})
	}
	more := func(n int64) func(map[string]Count) bool {
		base := int64(-1)
		return func(counts map[string]Count) bool {
			read := counts["a"].Read + counts["b"].Read + counts["c"].Read
			if base < 0 {
				base = read
			}
			return read >= base+n
		}
	}
	follow("records come", more(600))
	for _, verbs := range [][2]kafkaops.Verb{{kafkaops.Kill, kafkaops.Start}, {kafkaops.Pause, kafkaops.Resume}} {
		for node := int32(1); node <= 3; node++ {
			do(verbs[0], node)
			follow(fmt.Sprintf("more come with broker %d gone (%s)", node, verbs[0]), more(1500))
			do(verbs[1], node)
			follow("and when it is back", more(1500))
			whole()
		}
	}
	stop()
	load.Wait()
	if err := cl.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	if failed.Load() > 0 {
		t.Fatalf("%d records were refused, so nothing can be said", failed.Load())
	}
	follow("all is read", func(counts map[string]Count) bool {
		return counts["a"].Read+counts["b"].Read+counts["c"].Read >= written.Load()
	})
	for record, n := range seen {
		if n != 1 {
			t.Errorf("%s was shown %d times", record, n)
		}
	}
	if int64(len(seen)) != written.Load() {
		t.Errorf("%d records were shown of %d written", len(seen), written.Load())
	}
}
