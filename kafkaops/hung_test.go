package kafkaops

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// peer is a broker of a kind: it answers every request with as many bytes as its length prefix says, unless it hangs.
type peer struct {
	net.Listener
	hangs atomic.Bool
	mute  atomic.Bool // answers new connections only
	done  sync.WaitGroup
	conns sync.Map
}

func newPeer(t *testing.T) *peer {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &peer{Listener: l}
	p.done.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p.conns.Store(c, true)
			old := !p.mute.Load()
			p.done.Go(func() { p.serve(c, old) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		p.conns.Range(func(c, _ any) bool { c.(net.Conn).Close(); return true })
		p.done.Wait()
	})
	return p
}

func (p *peer) serve(c net.Conn, old bool) {
	buf := make([]byte, 1024)
	for {
		n, err := c.Read(buf)
		if err != nil {
			return
		}
		for p.hangs.Load() || old && p.mute.Load() {
			if _, err := c.Read(buf); err != nil {
				return
			}
		}
		_, _ = c.Write(buf[:n])
	}
}

func testLookout() *lookout {
	l := newLookout(time.Second)
	l.late, l.ping = 100*time.Millisecond, 500*time.Millisecond
	return l
}

// request is a length prefix and four bytes.
var request = []byte{0, 0, 0, 4, 1, 2, 3, 4}

func call(t *testing.T, c net.Conn) error {
	t.Helper()
	if _, err := c.Write(request); err != nil {
		return err
	}
	_, err := io.ReadFull(c, make([]byte, len(request)))
	return err
}

func TestABrokerThatHangsIsCutOffUntilItAnswers(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	p, l := newPeer(t), testLookout()
	defer p.Close()
	c, err := l.dial(t.Context(), "tcp", p.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := call(t, c); err != nil {
		t.Fatal(err)
	}
	p.hangs.Store(true)
	if err := call(t, c); !errors.Is(err, syscall.ECONNRESET) {
		t.Fatalf("of a connection to a broker that hangs: %v", err)
	}
	var op *net.OpError
	if _, err := l.dial(t.Context(), "tcp", p.Addr().String()); !errors.Is(err, syscall.ECONNREFUSED) || !errors.As(err, &op) || op.Op != "dial" {
		t.Fatalf("of a dial to it: %v", err)
	}
	p.hangs.Store(false)
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		again, err := l.dial(t.Context(), "tcp", p.Addr().String())
		if err == nil {
			defer again.Close()
			if err := call(t, again); err != nil {
				t.Fatal(err)
			}
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("it answers again and is still refused")
		}
	}
	eventuallyIdle(t, l)
}

func TestABrokerThatWaitsIsLeftAlone(t *testing.T) {
	p, l := newPeer(t), testLookout()
	c, err := l.dial(t.Context(), "tcp", p.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if err := call(t, c); err != nil { // it has been accepted
		t.Fatal(err)
	}
	p.mute.Store(true) // this connection waits; one that asks whether the broker lives does not
	answered := make(chan error, 1)
	go func() { answered <- call(t, c) }()
	asked := func() time.Time {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.brokers[p.Addr().String()].askedAt
	}
	for deadline := time.Now().Add(10 * time.Second); asked().IsZero(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it was never asked")
		}
	}
	select {
	case err := <-answered:
		t.Fatalf("the waiting connection ended: %v", err)
	case <-time.After(5 * l.late):
	}
	c.Close()
	<-answered
	eventuallyIdle(t, l)
}

// eventuallyIdle waits until nobody is asked any more, so that no goroutine is left.
func eventuallyIdle(t *testing.T, l *lookout) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		l.mu.Lock()
		busy := false
		for _, b := range l.brokers {
			busy = busy || b.asking
		}
		l.mu.Unlock()
		if !busy {
			return
		}
	}
	t.Fatal("a broker is asked without end")
}

func TestAnswersAreCountedHoweverTheyArrive(t *testing.T) {
	stream := []byte{0, 0, 0, 2, 9, 9, 0, 0, 0, 0, 0, 0, 0, 5, 1, 2, 3, 4, 5, 0, 0, 0, 1, 7}
	for step := 1; step <= len(stream); step++ {
		c, got := &lookedConn{}, 0
		for i := 0; i < len(stream); i += step {
			got += c.count(stream[i:min(i+step, len(stream))])
		}
		if got != 3 { // the empty one is no answer: Kafka's have a correlation id
			t.Errorf("in pieces of %d: %d answers", step, got)
		}
	}
}

func TestAClosedPortIsNotHanging(t *testing.T) {
	p := newPeer(t)
	addr := p.Addr().String()
	p.Close()
	l := testLookout()
	if !l.answers("tcp", addr) {
		t.Error("a closed port counts as hanging")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.dial(ctx, "tcp", addr); err == nil {
		t.Error("dialled a closed port")
	}
}
