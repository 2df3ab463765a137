package services

import (
	"context"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kassa/services/events"
)

// A producer that has lost its id asks for another one, which may take as long as somebody else's transaction is open. A commit does not outlast its
// context for that.
func TestACommitThatWaitsForAProducerIDEndsWithItsContext(t *testing.T) {
	t.Parallel()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, events.PaymentSuccessful, events.OrderSuccessful))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	asked := make(chan struct{}, 1)
	c.ControlKey(int16(kmsg.InitProducerID), func(req kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		select {
		case asked <- struct{}{}:
		default:
		}
		resp := req.ResponseKind().(*kmsg.InitProducerIDResponse)
		resp.ErrorCode = kerr.ConcurrentTransactions.Code
		return resp, nil, true
	})
	svc := Service{Name: "order", Inputs: []string{events.PaymentSuccessful}, Output: events.OrderSuccessful}
	s, err := openExactlyOnce(svc, Config{Client: []kgo.Opt{kgo.SeedBrokers(c.ListenAddrs()...)}, Instance: "test"}, newFigures(svc.Name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.close(cutOff) }) // a commit that hangs would end here
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	outcome := make(chan error, 1)
	go func() {
		_, err := s.commit(ctx, []*kgo.Record{{Topic: events.OrderSuccessful}})
		outcome <- err
	}()
	<-asked
	cancel()
	select {
	case err := <-outcome:
		if err == nil {
			t.Error("it committed without a producer id")
		}
	case <-time.After(10 * time.Second): // ten times its grace
		t.Error("it goes on")
	}
}
