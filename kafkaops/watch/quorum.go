package watch

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ballot is what asking one node for the quorum came to.
type ballot struct {
	quorum Quorum           // valid if told
	voters map[int32]string // addresses of the voters' controller listeners, as far as the cluster tells
	told   bool             // it leads, or knows who does
	direct bool             // a voter answered for itself, even if only that it does not lead
}

// askQuorum asks one node for the state of the quorum (DescribeQuorum, protocol key 55).
//
// A broker does not know it: it passes the question on to the active controller and holds the connection until that answers. When
// that controller is paused the question hangs until the pause ends (seen with Kafka 4.3.1), long after another was
// elected. So the node's controller listener is asked instead as soon as an answer has told its address (since v2, KIP-853):
// the leader answers, the others say at once that they do not lead. Where that listener cannot be reached, as in
// most clusters that are not ours, the broker is asked.
func (w *Watcher) askQuorum(ctx context.Context, id int32, a *asking) {
	var clients quorumClients
	defer clients.close()
	for {
		start := time.Now()
		b, err := within(ctx, w.cfg.Deadline, func(ctx context.Context) (ballot, error) { return clients.ask(ctx, w.cfg, a) })
		if err == nil {
			b.quorum.Seen = time.Now()
			w.learn(ctx, func(m *model) bool { return m.voted(id, b) })
		}
		every := w.cfg.QuorumEvery
		switch {
		case a.silent.Load():
			every = closedEvery
		case w.hurrying():
			every = hurryEvery
		}
		if !sleep(ctx, start, every, a.quorums) {
			return
		}
	}
}

// quorumClients are the two ways to ask one node.
type quorumClients struct {
	broker, voter *kgo.Client
	voterAddr     string
}

func (c *quorumClients) close() {
	for _, cl := range []*kgo.Client{c.broker, c.voter} {
		if cl != nil {
			cl.Close()
		}
	}
}

func (c *quorumClients) ask(ctx context.Context, cfg Config, a *asking) (ballot, error) {
	if addr := a.voter.Load(); addr != nil && (c.voter == nil || c.voterAddr != *addr) {
		if c.voter != nil {
			c.voter.Close()
		}
		var err error
		if c.voter, err = pinned(*addr, cfg.Dial, cfg.Client); err != nil {
			return ballot{}, err
		}
		c.voterAddr = *addr
	}
	if c.voter != nil {
		b, err := describeQuorum(ctx, c.voter)
		if errors.Is(err, kerr.NotLeaderForPartition) {
			return ballot{direct: true}, nil
		}
		if err == nil {
			b.direct = true
			return b, nil
		}
	}
	if c.broker == nil {
		var err error
		if c.broker, err = pinned(a.addr, cfg.Dial, cfg.Client); err != nil {
			return ballot{}, err
		}
	}
	return describeQuorum(ctx, c.broker)
}

func describeQuorum(ctx context.Context, client *kgo.Client) (ballot, error) {
	req := kmsg.NewPtrDescribeQuorumRequest()
	topic := kmsg.NewDescribeQuorumRequestTopic()
	topic.Topic = "__cluster_metadata"
	topic.Partitions = append(topic.Partitions, kmsg.NewDescribeQuorumRequestTopicPartition())
	req.Topics = append(req.Topics, topic)
	// To the seed itself: franz-go would look for the controller first, and a controller listener does not tell it.
	kresp, err := client.SeedBrokers()[0].Request(ctx, req)
	if err != nil {
		return ballot{}, fmt.Errorf("describe quorum: %w", err)
	}
	resp := kresp.(*kmsg.DescribeQuorumResponse)
	if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
		return ballot{}, fmt.Errorf("describe quorum: %w", err)
	}
	if len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 {
		return ballot{}, errors.New("describe quorum: the answer has no metadata partition")
	}
	p := resp.Topics[0].Partitions[0]
	if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
		return ballot{}, fmt.Errorf("describe quorum: %w", err)
	}
	if p.LeaderID < 0 {
		return ballot{}, errors.New("describe quorum: no leader")
	}
	return ballot{told: true, quorum: quorumOf(p), voters: listeners(resp.Nodes)}, nil
}

func quorumOf(p kmsg.DescribeQuorumResponseTopicPartition) Quorum {
	end := int64(-1)
	for _, v := range p.CurrentVoters {
		if v.ReplicaID == p.LeaderID {
			end = v.LogEndOffset
		}
	}
	return Quorum{
		Leader: p.LeaderID, Epoch: p.LeaderEpoch, HighWatermark: p.HighWatermark,
		Voters: replicas(p.CurrentVoters, end), Observers: replicas(p.Observers, end),
	}
}

func replicas(in []kmsg.DescribeQuorumResponseTopicPartitionReplicaState, end int64) []Replica {
	out := make([]Replica, 0, len(in))
	for _, r := range in {
		lag := int64(-1)
		if end >= 0 && r.LogEndOffset >= 0 {
			lag = max(0, end-r.LogEndOffset)
		}
		out = append(out, Replica{
			ID: r.ReplicaID, LogEnd: r.LogEndOffset, Lag: lag,
			LastFetch: millis(r.LastFetchTimestamp), LastCaughtUp: millis(r.LastCaughtUpTimestamp),
		})
	}
	return out
}

func millis(ms int64) time.Time {
	if ms < 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

func listeners(nodes []kmsg.DescribeQuorumResponseNode) map[int32]string {
	out := make(map[int32]string, len(nodes))
	for _, n := range nodes {
		if len(n.Listeners) > 0 {
			l := n.Listeners[0]
			out[n.NodeID] = net.JoinHostPort(l.Host, strconv.Itoa(int(l.Port)))
		}
	}
	return out
}
