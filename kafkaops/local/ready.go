package local

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

// prober asks each broker by itself how many it knows of. A broker that is fenced is in nobody's metadata (KIP-631).
type prober struct {
	client  *kgo.Client
	brokers []*kgo.Broker // in the order of the nodes
}

func newProber(addrs []string) (*prober, error) {
	client, err := kgo.NewClient(
		kgo.SeedBrokers(addrs...), kgo.ClientID("kassa-local"),
		kgo.DialTimeout(askTimeout), kgo.RequestRetries(0), kgo.RequestTimeoutOverhead(askTimeout),
	)
	if err != nil {
		return nil, fmt.Errorf("making a client: %w", err)
	}
	return &prober{client: client, brokers: client.SeedBrokers()}, nil
}

// known is the number of live brokers that broker i knows; 0 while it does not answer.
func (p *prober) known(ctx context.Context, i int) int {
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
	return len(meta.Brokers)
}

// await asks broker i until it knows at least want live brokers. It returns false when stop closes or ctx ends first.
func (p *prober) await(ctx context.Context, i, want int, stop <-chan struct{}) bool {
	tick := time.NewTicker(askInterval)
	defer tick.Stop()
	for {
		if p.known(ctx, i) >= want {
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

func (p *prober) close() { p.client.Close() }
