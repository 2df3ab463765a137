//go:build e2e

package local

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"kassa/kafkaops"
)

// A transaction has ended when its markers are in every partition that it wrote to. A marker that is on its way to a broker when that is paused waits
// for request.timeout.ms among the brokers, 30 s by default, and the next transaction of that producer with it. Of many producers some always have one on
// its way.
func TestE2EAPausedLeaderDoesNotHoldTransactionsBack(t *testing.T) {
	const producers, paused, within = 30, 8 * time.Second, 7 * time.Second
	profile := kafkaops.FastFailover()
	if set := os.Getenv("KASSA_REQUEST_TIMEOUT_MS"); set != "" { // for whoever wants to see it fail
		profile.Settings = append(profile.Settings, kafkaops.Setting{Key: "request.timeout.ms", Value: set})
	}
	cluster := up(t, Config{Profile: profile})
	client := kafkaops.ClientOptions(cluster.Bootstrap())
	cl, err := kgo.NewClient(client...)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	two := kadm.StringPtr("2")
	if _, err := kadm.NewClient(cl).CreateTopic(t.Context(), 3, 3, map[string]*string{"min.insync.replicas": two}, "events"); err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(t.Context())
	var (
		all     sync.WaitGroup
		mu      sync.Mutex
		longest [producers]time.Duration
		commits [producers]int
	)
	for n := range producers {
		all.Go(func() {
			last := time.Now()
			for ctx.Err() == nil {
				err := transact(ctx, append(slices.Clone(client), kgo.TransactionalID(fmt.Sprint("producer-", n))), func() {
					mu.Lock()
					defer mu.Unlock()
					commits[n]++
					longest[n], last = max(longest[n], time.Since(last)), time.Now()
				})
				if err != nil && ctx.Err() == nil {
					t.Logf("producer %d: %v", n, err)
				}
			}
		})
	}
	warm := func() bool {
		mu.Lock()
		defer mu.Unlock()
		return slices.Min(commits[:]) >= 5
	}
	for deadline := time.Now().Add(time.Minute); !warm(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("producers do not get going: %v", commits)
		}
	}
	mu.Lock()
	longest = [producers]time.Duration{}
	mu.Unlock()
	if err := cluster.Do(t.Context(), kafkaops.Fault{Verb: kafkaops.Pause, Node: 1}); err != nil {
		t.Fatal(err)
	}
	<-time.After(paused) // the span that is looked at
	mu.Lock()
	had := commits
	mu.Unlock()
	if err := cluster.Do(t.Context(), kafkaops.Fault{Verb: kafkaops.Resume, Node: 1}); err != nil {
		t.Fatal(err)
	}
	again := func() bool {
		mu.Lock()
		defer mu.Unlock()
		for n := range commits {
			if commits[n] < had[n]+2 {
				return false
			}
		}
		return true
	}
	for deadline := time.Now().Add(time.Minute); !again(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("producers do not go on: %v, had %v", commits, had)
		}
	}
	end()
	all.Wait()
	slices.Sort(longest[:])
	t.Logf("longest time between two commits of a producer: median %v, worst %v", longest[producers/2], longest[producers-1])
	if longest[producers-1] > within {
		t.Errorf("a producer could not commit for %v while a leader was paused: %v", longest[producers-1], longest)
	}
}

// transact writes to every partition in one transaction after the other, until one fails or ctx ends.
func transact(ctx context.Context, client []kgo.Opt, committed func()) error {
	p, err := kgo.NewClient(append(client, kgo.TransactionTimeout(10*time.Second), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.DefaultProduceTopic("events"))...)
	if err != nil {
		return err
	}
	defer p.Close()
	for ctx.Err() == nil {
		if err := p.BeginTransaction(); err != nil {
			return err
		}
		var records []*kgo.Record
		for part := range int32(3) {
			records = append(records, &kgo.Record{Partition: part, Value: []byte("event")})
		}
		if err := p.ProduceSync(ctx, records...).FirstErr(); err != nil {
			return err
		}
		if err := p.EndTransaction(ctx, kgo.TryCommit); err != nil {
			return err
		}
		committed()
	}
	return nil
}
