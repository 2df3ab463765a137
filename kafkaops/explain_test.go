package kafkaops_test

import (
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"

	"kassa/kafkaops"
)

// Each broker is told with what it says itself: one that answers, one that is not there, one that hangs, one that is no broker.
func TestExplainAsksEachBroker(t *testing.T) {
	c, err := kfake.NewCluster(kfake.NumBrokers(2))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	listen := func(serve func(net.Conn)) string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				serve(conn)
			}
		}()
		return l.Addr().String()
	}
	var held []net.Conn
	hangs := listen(func(c net.Conn) { held = append(held, c) })
	closes := listen(func(c net.Conn) { c.Close() })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone := l.Addr().String()
	l.Close()
	cause := errors.New("the topics could not be made")
	got := kafkaops.Explain(t.Context(), []string{c.ListenAddrs()[0], gone, hangs, closes}, cause)
	var each *kafkaops.ConnectError
	if !errors.As(got, &each) || !errors.Is(got, cause) || len(each.Brokers) != 4 {
		t.Fatalf("%v", got)
	}
	for i, want := range []string{"answers, and knows 2 live brokers", "connection refused", "no answer within 1s", ""} {
		b := each.Brokers[i]
		if want != "" && b.Answer != want || b.OK != (i == 0) || b.Answer == "" {
			t.Errorf("%s said %q (%v), want %q", b.Addr, b.Answer, b.OK, want)
		}
	}
	if text := got.Error(); !strings.HasPrefix(text, "the topics could not be made (127.0.0.1:") || !strings.Contains(text, gone+": connection refused; ") {
		t.Errorf("in a line it is %q", text)
	}
}
