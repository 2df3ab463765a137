package watch

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

// details is what only the rarer queries tell; also the broker's own view.
type details struct {
	fenced map[int32]bool // by node id, registered brokers only; nil if the broker is too old to say
	elr    map[topicPartition][]int32
}

type topicPartition struct {
	topic string
	id    int32
}

// pinned makes a client that asks one address only, whatever broker it means to ask. A Metadata request otherwise goes to any
// broker, and after the first answer to those that the answer names, so "what does broker 2 think" could not be asked.
func pinned(addr string, dial dialFunc, extra []kgo.Opt) (*kgo.Client, error) {
	// KIP-1242 (ApiVersions v5) lets a broker refuse a client that took it for another one, which is what we do.
	versions := kversion.Stable()
	versions.SetMaxKeyVersion(int16(kmsg.ApiVersions), 4)
	opts := []kgo.Opt{
		kgo.SeedBrokers(addr),
		// The least that franz-go allows; kadm's Metadata asks anew only when its last answer is older than this.
		kgo.MetadataMinAge(metadataMinAge),
		// We ask all the time; the client need not ask by itself.
		kgo.MetadataMaxAge(time.Hour),
		kgo.RequestRetries(0),
		// How long a connection without answers is kept. Longer than a query's deadline, so that a paused broker is not
		// dialled anew for every query (its accept queue is short), and short enough to leave a dead one soon.
		kgo.RequestTimeoutOverhead(time.Second),
		kgo.MaxVersions(versions),
	}
	opts = append(opts, extra...)
	// Last, because nothing may undo the pin.
	opts = append(opts, kgo.Dialer(func(ctx context.Context, network, _ string) (net.Conn, error) {
		return dial(ctx, network, addr)
	}))
	return kgo.NewClient(opts...)
}

const metadataMinAge = 10 * time.Millisecond

// asker asks one broker what it believes.
type asker struct {
	client *kgo.Client
	admin  *kadm.Client
	topics []string
}

func newAsker(addr string, cfg Config) (*asker, error) {
	client, err := pinned(addr, cfg.Dial, cfg.Client)
	if err != nil {
		return nil, err
	}
	return &asker{client: client, admin: kadm.NewClient(client), topics: cfg.Topics}, nil
}

func (a *asker) close() { a.client.Close() }

func (a *asker) metadata(ctx context.Context) (kadm.Metadata, error) {
	return a.admin.Metadata(ctx, a.topics...)
}

// details asks for fenced brokers and eligible leader replicas, for which kadm has no calls. Brokers answer both from their own
// copy of the metadata. What a broker does not say stays nil: being rare and small, it is no evidence of anything.
func (a *asker) details(ctx context.Context) details {
	var d details
	cluster := kmsg.NewPtrDescribeClusterRequest() // key 60; fenced brokers since v2 (KIP-1073)
	cluster.IncludeFencedBrokers = true
	resp, err := cluster.RequestWith(ctx, a.client)
	if err == nil && resp.ErrorCode == 0 && resp.Version >= 2 {
		d.fenced = make(map[int32]bool, len(resp.Brokers))
		for _, b := range resp.Brokers {
			d.fenced[b.NodeID] = b.IsFenced
		}
	}
	parts := kmsg.NewPtrDescribeTopicPartitionsRequest() // key 75 (KIP-966); no topics means all
	for _, t := range a.topics {
		rt := kmsg.NewDescribeTopicPartitionsRequestTopic()
		rt.Topic = t
		parts.Topics = append(parts.Topics, rt)
	}
	presp, err := parts.RequestWith(ctx, a.client)
	if err != nil {
		return d // brokers before 3.8 do not know the request
	}
	d.elr = make(map[topicPartition][]int32)
	for _, t := range presp.Topics {
		for _, p := range t.Partitions {
			if t.Topic != nil && len(p.EligibleLeaderReplicas) > 0 {
				d.elr[topicPartition{*t.Topic, p.Partition}] = p.EligibleLeaderReplicas
			}
		}
	}
	return d
}

// reason puts a failed query into words that do not change from one attempt to the next, as port numbers do.
func reason(err error) string {
	switch {
	case refused(err):
		return "connection refused"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return "no answer in time"
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "connection closed"
	default:
		return err.Error()
	}
}

func refused(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }
