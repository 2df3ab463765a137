package kafkaops

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	askInterval = 25 * time.Millisecond
	askTimeout  = time.Second
)

// Prober asks each broker by itself how many it knows of, so that a provider can tell when its cluster is up. A broker that is fenced is in nobody's
// metadata (KIP-631).
type Prober struct {
	client  *kgo.Client
	brokers []*kgo.Broker // in the order of the addresses
	cluster string        // the id of the cluster that counts; empty for any
}

// Expect has the Prober take no answer of another cluster's brokers: somebody may have been faster on a port that was free a moment ago. It is called
// before the questions.
func (p *Prober) Expect(clusterID string) { p.cluster = clusterID }

// NewProber is a Prober of these brokers (host:port), which need not be there yet.
func NewProber(addrs []string) (*Prober, error) {
	client, err := kgo.NewClient(
		kgo.SeedBrokers(addrs...), kgo.ClientID("kassa-ready"),
		kgo.DialTimeout(askTimeout), kgo.RequestRetries(0), kgo.RequestTimeoutOverhead(askTimeout),
	)
	if err != nil {
		return nil, fmt.Errorf("making a client: %w", err)
	}
	return &Prober{client: client, brokers: client.SeedBrokers()}, nil
}

// Known is the number of live brokers that broker i knows; 0 while it does not answer.
func (p *Prober) Known(ctx context.Context, i int) int {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	req := kmsg.NewPtrMetadataRequest()
	req.Topics = []kmsg.MetadataRequestTopic{} // none, not all
	resp, err := p.brokers[i].Request(ctx, req)
	if err != nil {
		return 0
	}
	meta, ok := resp.(*kmsg.MetadataResponse)
	if !ok {
		return 0
	}
	if p.cluster != "" && (meta.ClusterID == nil || *meta.ClusterID != p.cluster) {
		return 0
	}
	return len(meta.Brokers)
}

// Await asks broker i, counted from 0, until it knows at least want live brokers. It returns false when stop closes or ctx ends first.
func (p *Prober) Await(ctx context.Context, i, want int, stop <-chan struct{}) bool {
	tick := time.NewTicker(askInterval)
	defer tick.Stop()
	for {
		if p.Known(ctx, i) >= want {
			return true
		}
		select {
		case <-tick.C:
		case <-stop:
			return false
		case <-ctx.Done():
			return false
		}
	}
}

// Close closes its connections.
func (p *Prober) Close() { p.client.Close() }
