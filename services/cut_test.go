package services_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kassa/services"
	"kassa/services/events"
)

// A client whose network was cut says nothing more, also not the goodbye that its Close is for.
func TestCutClientSaysNothingMore(t *testing.T) {
	s := newShop(t).topics()
	var dialled atomic.Int64
	opts, cut, err := services.Cuttable(append(slices.Clone(s.opts), kgo.Dialer(func(ctx context.Context, network, addr string) (net.Conn, error) {
		dialled.Add(1)
		return (&net.Dialer{}).DialContext(ctx, network, addr)
	})))
	if err != nil {
		t.Fatal(err)
	}
	cl, err := kgo.NewClient(append(opts, kgo.ConsumerGroup("cut"), kgo.ConsumeTopics(events.PaymentSuccessful))...)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	produce := func() error {
		return cl.ProduceSync(ctx, &kgo.Record{Topic: events.PaymentSuccessful, Value: []byte("{}")}).FirstErr()
	}
	if err := produce(); err != nil {
		t.Fatal(err)
	}
	if f := cl.PollRecords(ctx, 1); f.NumRecords() != 1 {
		t.Fatalf("the member polled %v", f.Err())
	}
	if dialled.Load() == 0 {
		t.Error("the dialer of the options was not used")
	}

	cut()
	cut()
	var heard atomic.Int64
	s.c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce, kmsg.LeaveGroup, kmsg.Heartbeat, kmsg.OffsetCommit, kmsg.Metadata, kmsg.ApiVersions}, Observe: true, Count: -1, When: func(kmsg.Request) bool {
		heard.Add(1)
		return true
	}})
	before := dialled.Load()
	end := make(chan error, 1)
	cl.Produce(context.Background(), &kgo.Record{Topic: events.PaymentSuccessful, Value: []byte("{}")}, func(_ *kgo.Record, err error) { end <- err })
	cl.Close()
	if err := <-end; err == nil {
		t.Error("a record was acknowledged after the cut")
	}
	if n := heard.Load(); n > 0 {
		t.Errorf("the brokers heard %d requests", n)
	}
	if n := dialled.Load(); n != before {
		t.Errorf("it connected %d times", n-before)
	}
	members, err := s.adm.DescribeGroups(ctx, "cut")
	if err != nil || len(members["cut"].Members) != 1 {
		t.Errorf("the group has %v (%v), want the member that said no goodbye", members, err)
	}
}

// A dial that was under way when the network was cut comes to nothing.
func TestCutDuringADial(t *testing.T) {
	begun, goOn := make(chan struct{}), make(chan struct{})
	here, there := net.Pipe()
	defer there.Close()
	opts, cut, err := services.Cuttable([]kgo.Opt{kgo.Dialer(func(context.Context, string, string) (net.Conn, error) {
		close(begun)
		<-goOn
		return here, nil
	})})
	if err != nil {
		t.Fatal(err)
	}
	cl, err := kgo.NewClient(append(opts, kgo.RequestRetries(0))...)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	pinged := make(chan error, 1)
	go func() { pinged <- cl.Ping(t.Context()) }()
	<-begun
	cut()
	close(goOn)
	if err := <-pinged; !errors.Is(err, services.ErrCut) {
		t.Errorf("ping: %v", err)
	}
	if _, err := there.Read(make([]byte, 1)); err == nil {
		t.Error("the connection is open")
	}
}

// TLS settings and a dialer exclude each other in a client, and must not here.
func TestCuttableKeepsTLS(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	opts, cut, err := services.Cuttable([]kgo.Opt{kgo.SeedBrokers(l.Addr().String()), kgo.DialTLSConfig(&tls.Config{ServerName: "kassa.invalid"})})
	if err != nil {
		t.Fatal(err)
	}
	defer cut()
	cl, err := kgo.NewClient(opts...)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	go func() { _ = cl.Ping(ctx) }()
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	first := make([]byte, 1)
	if _, err := c.Read(first); err != nil || first[0] != 22 { // a TLS handshake record
		t.Errorf("the client began with %v (%v)", first, err)
	}
}
