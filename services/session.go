package services

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"kassa/services/events"
)

// session is a delivery guarantee upon one Kafka client. The loop polls, handles, and hands back what follows; the
// session makes that and the progress of the group durable, in the order that its guarantee asks for.
type session interface {
	// start makes the session ready. Until then it may wait for what the one before left open.
	start(ctx context.Context) error
	// rest says that there is no batch under way: the next poll begins one.
	rest()
	poll(ctx context.Context) kgo.Fetches
	// handling is ctx for the handling of a batch, at whose end done is called. Its cause may be errGaveWay: the batch was given up.
	handling(ctx context.Context) (_ context.Context, done func())
	// commit makes out durable, and the offsets of all that was polled. False means that it was undone, and that the same
	// records will be polled again. After an error the session is of no more use; what became of the records is not known, but
	// a session opened after this one was closed begins where the truth is. A commit that has begun goes on for a while after ctx has ended: half a
	// commit holds others back, or is repeated.
	commit(ctx context.Context, out []*kgo.Record) (bool, error)
	// close ends the session, within about a second whatever the brokers do.
	close(p parting)
	client() *kgo.Client
}

// parting is how a session ends.
type parting uint8

const (
	// comesBack undoes what is open. The next session of the slot takes this one's place in the group, which is not told.
	comesBack parting = iota
	// forGood undoes what is open and leaves the group: nobody comes after.
	forGood
	// cutOff only lets go of the client, whose network is gone.
	cutOff
)

// Times that Kafka's defaults set for other needs. A member that died holds its partitions for the session timeout (6 s is
// the least that brokers allow; default 45 s), and its open transaction holds back every read_committed reader for the
// transaction timeout (default 40 s).
const (
	sessionTimeout    = 6 * time.Second
	heartbeatInterval = 1500 * time.Millisecond
	rebalanceTimeout  = 10 * time.Second
	// A write gap of the fast-failover profile is shorter (6.1 s, a paused controller), and a process that was killed while it wrote is taken over within
	// 10 s, with the coordinator's next round of 1 s: a timeout of 10 s took 11.4 s, and one of 8 s up to 10.1 s.
	transactionTimeout = 7500 * time.Millisecond
	// commitTimeout is when a commit that hangs is given up and its client replaced; by then the broker has aborted it.
	commitTimeout = 30 * time.Second
	// Shutting down: what a commit that has begun, an abort, and a goodbye to the group may take.
	commitGrace = 800 * time.Millisecond
	abortGrace  = 400 * time.Millisecond
	// What has been written without a transaction is repeated if its offsets are not committed, which the client puts off while its group
	// rebalances: others take up to two heartbeats to hear of that.
	offsetsGrace = 2 * heartbeatInterval
	leaveGrace   = 400 * time.Millisecond
	// longestFetch and the client's overhead is when a paused leader is noticed. Kafka's default is 0.5 s too, the client's 5 s.
	longestFetch = 500 * time.Millisecond
	// largestBatch is how many bytes a batch may decompress to. A topic takes 1 MiB of them compressed, and the client would make room for 1 GiB.
	largestBatch = 64 << 20
	// maxPoll bounds a batch, and with it a transaction, in records.
	maxPoll = 2000
)

// options are those of every session. They come after the caller's: a guarantee is not for the caller to weaken.
func options(svc Service, cfg Config, f *figures, own ...kgo.Opt) []kgo.Opt {
	if svc.Aligned {
		own = append(own, kgo.Balancers(kgo.RangeBalancer()))
	}
	return slices.Concat(cfg.Client, []kgo.Opt{
		kgo.ClientID("kassa-" + svc.Name),
		kgo.ConsumerGroup(svc.Name),
		// A static member (KIP-345): a session that replaces one that broke, or a process that comes back under its name, is given the same
		// partitions at once. A stranger would wait for the old one's session to run out: after an outage in which a
		// client was replaced that cost 7 s.
		kgo.InstanceID(memberName(svc, cfg)),
		kgo.ConsumeTopics(svc.Inputs...),
		kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.MaxDecompressBatchBytes(cfg.largest()),
		kgo.AdjustFetchOffsetsFn(cfg.skip),
		// Commit markers count as read, so that lag is 0 at rest in every tool.
		kgo.KeepControlRecords(),
		kgo.DisableAutoCommit(),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, more map[string][]int32) { f.assigned(more) }),
		kgo.OnPartitionsRevoked(func(_ context.Context, _ *kgo.Client, gone map[string][]int32) { f.revoked(gone) }),
		kgo.SessionTimeout(sessionTimeout),
		kgo.HeartbeatInterval(heartbeatInterval),
		kgo.RebalanceTimeout(rebalanceTimeout),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		// Topics may be made after the services start; a record is never given up for it.
		kgo.UnknownTopicRetries(-1),
		kgo.ProducerBatchMaxBytesFn(cfg.letterBytes.batch),
		kgo.RecordPartitioner(newLetterPartitioner()),
		// Events are small and the brokers near: Snappy, the default, costs every reader time and saves little.
		kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.DisableClientMetrics(),
	}, own)
}

// largest is how many bytes a batch may decompress to.
func (c Config) largest() int { return cmp.Or(c.largestBatch, largestBatch) }

// skip moves offsets that the group has committed behind what cannot be read.
func (c Config) skip(_ context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	for p, next := range c.skips {
		if at, ok := offsets[p.Topic][p.ID]; ok && at.EpochOffset().Offset < next { // that of the beginning is less than 0
			offsets[p.Topic][p.ID] = kgo.NewOffset().At(next)
		}
	}
	return offsets, nil
}

// letterBytes is how many bytes the topics for dead letters take in one batch: deadLetterBytes, unless somebody else made them and they could not be changed. Nil
// is deadLetterBytes too. A client asks for it in goroutines of its own.
type letterBytes struct{ less atomic.Int32 } // 0: deadLetterBytes

func (l *letterBytes) get() int {
	if l == nil {
		return deadLetterBytes
	}
	return int(cmp.Or(l.less.Load(), deadLetterBytes))
}

// batch is the largest batch that a client makes for a topic, in bytes. Topics of dead letters take more than others: what a service that was away has to catch up
// with would be more than 1 MiB of orders in one batch, and refused again and again.
func (l *letterBytes) batch(topic string) int32 {
	if events.IsDeadLetters(topic) {
		return int32(l.get() - 4096)
	}
	return 1_000_012 // kgo's own
}

// memberName is a Runner's name towards the brokers: its transactional id, and its place in the group.
func memberName(svc Service, cfg Config) string {
	return fmt.Sprintf("kassa.%s.%s.%d", svc.Name, cfg.Instance, cfg.Slot)
}

// quit ends a session's client. A goodbye to the group does not wait for brokers that do not answer; end cancels the client's own context.
func quit(cl *kgo.Client, end context.CancelFunc, group, name string, p parting) {
	if p == forGood && len(cl.DiscoveredBrokers()) > 0 {
		// Ends the client's own part in the group, or it would join again; for a member with a name kgo says no goodbye.
		ctx, cancel := context.WithTimeout(context.Background(), leaveGrace/4)
		cl.AllowRebalance()
		_ = cl.LeaveGroupContext(ctx)
		cancel()
		// The group has a member with a name from its first request on. One that has had no answer yet says goodbye too, or the group waits for it for the whole
		// rebalance timeout. Without a broker it finds out by the session timeout.
		ctx, cancel = context.WithTimeout(context.Background(), leaveGrace)
		_, _ = kadm.NewClient(cl).LeaveGroup(ctx, kadm.LeaveGroup(group).InstanceIDs(name).Reason("the service ends"))
		cancel()
	}
	end()
	cl.CloseAllowingRebalance()
}
