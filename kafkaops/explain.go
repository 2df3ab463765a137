package kafkaops

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ConnectError is a cluster that could not be used, with what each of its brokers said when it was asked for itself.
type ConnectError struct {
	Err     error
	Brokers []BrokerAnswer // in the order of their addresses
}

// BrokerAnswer is what one broker said.
type BrokerAnswer struct {
	Addr   string // host:port
	Answer string // "connection refused", "answers, and knows 1 live broker"
	OK     bool   // it answered
}

func (e *ConnectError) Error() string {
	var each []string
	for _, b := range e.Brokers {
		each = append(each, b.Addr+": "+b.Answer)
	}
	return fmt.Sprintf("%v (%s)", e.Err, strings.Join(each, "; "))
}

func (e *ConnectError) Unwrap() error { return e.Err }

// Explain asks every broker for itself, all at once and for a second at most, and adds what they say to the error that somebody met with them.
func Explain(ctx context.Context, addrs []string, err error) error {
	client, cerr := kgo.NewClient(
		kgo.SeedBrokers(addrs...), kgo.ClientID("kassa-explain"),
		kgo.DialTimeout(askTimeout), kgo.RequestRetries(0), kgo.RequestTimeoutOverhead(askTimeout),
	)
	if cerr != nil {
		return err
	}
	defer client.Close()
	out := &ConnectError{Err: err, Brokers: make([]BrokerAnswer, len(addrs))}
	var asking sync.WaitGroup
	for i, broker := range client.SeedBrokers() {
		asking.Go(func() { out.Brokers[i] = answerOf(ctx, addrs[i], broker) })
	}
	asking.Wait()
	return out
}

func answerOf(ctx context.Context, addr string, broker *kgo.Broker) BrokerAnswer {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	req := kmsg.NewPtrMetadataRequest()
	req.Topics = []kmsg.MetadataRequestTopic{} // none, not all
	resp, err := broker.Request(ctx, req)
	meta, ok := resp.(*kmsg.MetadataResponse)
	var timeout net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return BrokerAnswer{Addr: addr, Answer: "connection refused"}
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return BrokerAnswer{Addr: addr, Answer: fmt.Sprintf("no answer within %s", askTimeout)}
	case err != nil:
		return BrokerAnswer{Addr: addr, Answer: strings.Join(strings.Fields(err.Error()), " ")}
	case !ok:
		return BrokerAnswer{Addr: addr, Answer: "answers with something else"}
	}
	noun := "live brokers"
	if len(meta.Brokers) == 1 {
		noun = "live broker"
	}
	return BrokerAnswer{Addr: addr, Answer: fmt.Sprintf("answers, and knows %d %s", len(meta.Brokers), noun), OK: true}
}
