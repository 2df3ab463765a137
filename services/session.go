package services

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// session is a delivery guarantee upon one Kafka client. The loop polls, handles, and hands back what follows; the
// session makes that and the progress of the group durable, in the order that its guarantee asks for.
type session interface {
	// start makes the session ready. Until then it may wait for what the one before left open.
	start(ctx context.Context) error
	poll(ctx context.Context) kgo.Fetches
	// commit makes out durable, and the offsets of all that was polled. False means that it was undone, and that the same
	// records will be polled again. After an error the session is of no more use; what became of the records is not known, but
	// a session opened after this one was closed begins where the truth is.
	commit(ctx context.Context, out []*kgo.Record) (bool, error)
	// close undoes what is open, within about a second whatever the brokers do. It leaves the group if nobody comes after; else the next
	// session takes this one's place in it.
	close(forGood bool)
	client() *kgo.Client
}

// Times that Kafka's defaults set for other needs. A member that died holds its partitions for the session timeout (6 s is
// the least that brokers allow; default 45 s), and its open transaction holds back every read_committed reader for the
// transaction timeout (default 40 s).
const (
	sessionTimeout     = 6 * time.Second
	heartbeatInterval  = 1500 * time.Millisecond
	rebalanceTimeout   = 10 * time.Second
	transactionTimeout = 10 * time.Second
	// commitTimeout is when a commit that hangs is given up and its client replaced; by then the broker has aborted it.
	commitTimeout = 30 * time.Second
	// Shutting down: what a commit that has begun, an abort, and a goodbye to the group may take.
	commitGrace = 800 * time.Millisecond
	abortGrace  = 400 * time.Millisecond
	leaveGrace  = 400 * time.Millisecond
	// longestFetch and the client's overhead is when a paused leader is noticed. Kafka's default is 0.5 s too, the client's 5 s.
	longestFetch = 500 * time.Millisecond
	// maxPoll bounds a batch, and with it a transaction, in records.
	maxPoll = 2000
)

// options are those of every session. They come after the caller's: a guarantee is not for the caller to weaken.
func options(svc Service, cfg Config, assigned func(partitions int), own ...kgo.Opt) []kgo.Opt {
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
		// Commit markers count as read, so that lag is 0 at rest in every tool.
		kgo.KeepControlRecords(),
		kgo.DisableAutoCommit(),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, more map[string][]int32) {
			n := 0
			for _, partitions := range more {
				n += len(partitions)
			}
			assigned(n)
		}),
		kgo.SessionTimeout(sessionTimeout),
		kgo.HeartbeatInterval(heartbeatInterval),
		kgo.RebalanceTimeout(rebalanceTimeout),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		// Topics may be made after the services start; a record is never given up for it.
		kgo.UnknownTopicRetries(-1),
		kgo.ProducerBatchMaxBytes(deadLetterBytes - 4096),
		// Events are small and the brokers near: Snappy, the default, costs every reader time and saves little.
		kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.DisableClientMetrics(),
	}, own)
}

// memberName is a Runner's name towards the brokers: its transactional id, and its place in the group.
func memberName(svc Service, cfg Config) string {
	return fmt.Sprintf("kassa.%s.%s.%d", svc.Name, cfg.Instance, cfg.Slot)
}

// quit ends a session's client. A goodbye to the group does not wait for brokers that do not answer; end cancels the client's own context.
func quit(cl *kgo.Client, end context.CancelFunc, group, name string, forGood bool) {
	if id, _ := cl.GroupMetadata(); forGood && id != "" {
		ctx, cancel := context.WithTimeout(context.Background(), leaveGrace)
		// Without a broker the group finds out by the session timeout.
		_, _ = kadm.NewClient(cl).LeaveGroup(ctx, kadm.LeaveGroup(group).InstanceIDs(name).Reason("the service ends"))
		cancel()
	}
	end()
	cl.Close()
}
