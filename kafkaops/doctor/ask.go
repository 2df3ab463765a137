package doctor

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"kassa/kafkaops"
)

// How long each round of questions may take. All brokers are asked at once, so a run is bounded by their sum however many are silent.
const (
	answerWithin = 4 * time.Second // for most
	quorumWithin = 3 * time.Second // brokers without a controller keep the question
	probeWithin  = 8 * time.Second // a topic is made, and found by its leaders
)

// asker asks one address, whatever broker its client means to ask: else the question what broker 2 thinks could go to another.
type asker struct {
	addr   string
	client *kgo.Client
	admin  *kadm.Client

	metadata kadm.Metadata
	brokers  []kmsg.DescribeClusterResponseBroker // fenced ones too
	err      error                                // why there is no metadata
}

// newAsker makes one that ends with ctx. Not every call of kgo ends with its own: one that dials, or waits for metadata, does not.
func newAsker(ctx context.Context, addr string) (*asker, error) {
	versions := kversion.Stable()
	// KIP-1242 (ApiVersions v5) lets a broker refuse a client that took it for another one, which is what we do.
	versions.SetMaxKeyVersion(int16(kmsg.ApiVersions), 4)
	// From v13 on these two name topics by id (KIP-516), which is no use to a request made by hand.
	versions.SetMaxKeyVersion(int16(kmsg.Fetch), 12)
	versions.SetMaxKeyVersion(int16(kmsg.Produce), 12)
	client, err := kgo.NewClient(append(
		kafkaops.ClientOptions([]string{addr}),
		kgo.WithContext(ctx),
		kgo.MaxVersions(versions),
		kgo.MetadataMinAge(10*time.Millisecond), // kadm answers from its cache below this
		kgo.RequestRetries(0),                   // a broker that does not answer is a finding
		// A far or busy broker is slow, not silent.
		kgo.RequestTimeoutOverhead(answerWithin),
		kgo.DialTimeout(answerWithin),
		kgo.Dialer(func(ctx context.Context, network, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, network, addr)
		}),
	)...)
	if err != nil {
		return nil, err
	}
	return &asker{addr: addr, client: client, admin: kadm.NewClient(client)}, nil
}

// request sends to this address as it is: franz-go would route some requests to brokers that it has heard of.
func (a *asker) request(ctx context.Context, req kmsg.Request) (kmsg.Response, error) {
	return a.client.SeedBrokers()[0].Request(ctx, req)
}

// look asks for the cluster as this broker sees it.
func (a *asker) look(ctx context.Context) {
	if a.metadata, a.err = a.admin.Metadata(ctx); a.err != nil {
		return
	}
	req := kmsg.NewPtrDescribeClusterRequest() // key 60; fenced brokers since v2 (KIP-1073)
	req.IncludeFencedBrokers = true
	if resp, err := a.request(ctx, req); err == nil && kerr.ErrorForCode(resp.(*kmsg.DescribeClusterResponse).ErrorCode) == nil {
		a.brokers = resp.(*kmsg.DescribeClusterResponse).Brokers
	}
}

// all runs f for every asker at the same time.
func all(ctx context.Context, askers []*asker, within time.Duration, f func(context.Context, *asker)) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	var wg sync.WaitGroup
	for _, a := range askers {
		wg.Go(func() { f(ctx, a) })
	}
	wg.Wait()
}

// reason puts a failed question into few words.
func reason(err error) string {
	var dns *net.DNSError
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.As(err, &dns):
		return "there is no address for the name " + dns.Name
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return "no answer in time"
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "it closed the connection (TLS or SASL, maybe, which kassa does not speak yet)"
	}
	return strings.Join(strings.Fields(err.Error()), " ")
}
