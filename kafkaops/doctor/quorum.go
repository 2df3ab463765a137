package doctor

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// errNoLeader is what a quorum without a majority comes to.
var errNoLeader = errors.New("the quorum has no leader")

// told is the quorum as one broker passed it on.
type told struct {
	partition kmsg.DescribeQuorumResponseTopicPartition
	clock     Clock
}

// describeQuorum asks through every broker: each passes the question on to the controller that it believes in, and waits for it.
func (g *gatherer) describeQuorum(ctx context.Context) {
	var (
		mu   sync.Mutex
		best *told
		errs []error
	)
	var askers []*asker
	for _, a := range g.askers {
		if a.err == nil {
			askers = append(askers, a)
		}
	}
	all(ctx, askers, quorumWithin, func(ctx context.Context, a *asker) {
		t, err := askQuorum(ctx, a.addr)
		mu.Lock()
		defer mu.Unlock()
		switch {
		case err != nil:
			errs = append(errs, err)
		case best == nil, t.newer(best):
			best = t
		}
	})
	if best == nil {
		err := errors.Join(errs...)
		// A broker that has no controller to pass the question on to keeps it.
		if errors.Is(err, errNoLeader) || errors.Is(err, context.DeadlineExceeded) {
			g.c.QuorumLost = true
		} else {
			g.unseen("quorum", reason(err)) // ZooKeeper, or no permission
		}
		return
	}
	g.c.Quorum = best.quorum()
	g.c.Clocks = []Clock{best.clock}
	g.logEnds = best.logEnds()
}

// newer prefers the later epoch, then the sharper clock.
func (t *told) newer(than *told) bool {
	if t.partition.LeaderEpoch != than.partition.LeaderEpoch {
		return t.partition.LeaderEpoch > than.partition.LeaderEpoch
	}
	return t.clock.Error < than.clock.Error
}

// askQuorum has a connection of its own: a broker answers in turn, and without a controller this question is not answered (Kafka 4.3.1), so that
// whatever is asked after it would wait too.
func askQuorum(ctx context.Context, addr string) (*told, error) {
	a, err := newAsker(ctx, addr)
	if err != nil {
		return nil, err
	}
	defer a.client.Close()
	req := kmsg.NewPtrDescribeQuorumRequest() // key 55; kadm has no call for it
	topic := kmsg.NewDescribeQuorumRequestTopic()
	topic.Topic = "__cluster_metadata"
	topic.Partitions = append(topic.Partitions, kmsg.NewDescribeQuorumRequestTopicPartition())
	req.Topics = append(req.Topics, topic)
	// An answer of any kind first, so that the connection is there and does not count.
	if err := a.client.Ping(ctx); err != nil {
		return nil, err
	}
	sent := time.Now()
	kresp, err := a.request(ctx, req)
	if err != nil {
		return nil, err
	}
	got := time.Now()
	resp := kresp.(*kmsg.DescribeQuorumResponse)
	if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
		return nil, err
	}
	if len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 {
		return nil, errors.New("the answer has no metadata partition")
	}
	p := resp.Topics[0].Partitions[0]
	if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
		return nil, err
	}
	lead := slices.IndexFunc(p.CurrentVoters, func(v kmsg.DescribeQuorumResponseTopicPartitionReplicaState) bool { return v.ReplicaID == p.LeaderID })
	if lead < 0 {
		return nil, errNoLeader
	}
	// For itself the leader gives the time at which it answers: the one clock of a broker that can be read without writing.
	return &told{partition: p, clock: compare(p.LeaderID, p.CurrentVoters[lead].LastFetchTimestamp, sent, got)}, nil
}

// compare sets a broker's timestamp in ms, taken between sent and got, against the middle of the two.
func compare(node int32, stamp int64, sent, got time.Time) Clock {
	half := got.Sub(sent) / 2
	return Clock{Node: node, Ahead: stamp - sent.Add(half).UnixMilli(), Error: half.Milliseconds() + 1}
}

func (t *told) quorum() *Quorum {
	q := &Quorum{Leader: t.partition.LeaderID, Epoch: t.partition.LeaderEpoch}
	var leader kmsg.DescribeQuorumResponseTopicPartitionReplicaState
	for _, v := range t.partition.CurrentVoters {
		if v.ReplicaID == q.Leader {
			leader = v
		}
	}
	ago := func(stamp int64) int64 {
		if stamp < 0 {
			return -1
		}
		return max(0, leader.LastFetchTimestamp-stamp)
	}
	for _, v := range t.partition.CurrentVoters {
		lag := int64(-1)
		if v.LogEndOffset >= 0 {
			lag = max(0, leader.LogEndOffset-v.LogEndOffset)
		}
		q.Voters = append(q.Voters, Voter{ID: v.ReplicaID, Lag: lag, FetchAgo: ago(v.LastFetchTimestamp), CaughtUpAgo: ago(v.LastCaughtUpTimestamp)})
	}
	slices.SortFunc(q.Voters, func(a, b Voter) int { return int(a.ID - b.ID) })
	return q
}

// logEnds is how far each node is in the metadata log.
func (t *told) logEnds() map[int32]int64 {
	ends := make(map[int32]int64)
	for _, v := range slices.Concat(t.partition.CurrentVoters, t.partition.Observers) {
		ends[v.ReplicaID] = v.LogEndOffset
	}
	return ends
}
