package kafkaops

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// A broker that hangs (SIGSTOP, a dead disk, a host that froze) keeps its connections, and the kernel even accepts new ones for it. A client that only
// has time-outs waits for each of them in turn: 1.5 s for the write, then 0.5 s for every question about the new leader
// that happens to go to the same broker. Seen: a write gap of 1.5 to 3.0 s, where the cluster itself had moved its leaders after 1.1 s.
//
// lookout is a dialer that tells hanging from waiting. A request may wait for other brokers (acks=all) or for data (a fetch), but a broker that
// lives answers ApiVersions meanwhile. So when an answer is late and none came on any other connection, that is asked on one of its own; without
// an answer to it the broker's connections are cut and new ones refused, as if the process had died, until it answers again.
type lookout struct {
	dialer net.Dialer
	late   time.Duration // after which an answer is late; above the longest wait of a healthy fetch
	ping   time.Duration // how long the broker has to answer then

	mu      sync.Mutex
	brokers map[string]*lookedAt // by address
}

// lookedAt is what is known of one address.
type lookedAt struct {
	conns   map[*lookedConn]bool
	asking  bool
	hung    bool
	askedAt time.Time
	// answered is when an answer last came on any connection, in Unix nanoseconds. A broker that is only slow answers some.
	answered atomic.Int64
}

func (b *lookedAt) silentFor() time.Duration {
	return time.Duration(time.Now().UnixNano() - b.answered.Load())
}

const (
	// lateAfter is above every FetchMaxWait of kassa's clients, and lateAfter + pingWithin below the time that a cluster needs to fence
	// a broker and move its leaders (1.0-1.2 s with fast-failover): then nothing is lost by waiting for both.
	lateAfter  = 600 * time.Millisecond
	pingWithin = 350 * time.Millisecond
	// askAgain is how often a broker that hangs is asked, at most, while clients want to connect to it.
	askAgain = 100 * time.Millisecond
)

func newLookout(dialTimeout time.Duration) *lookout {
	return &lookout{dialer: net.Dialer{Timeout: dialTimeout}, late: lateAfter, ping: pingWithin, brokers: map[string]*lookedAt{}}
}

// dial is for kgo.Dialer.
func (l *lookout) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	l.mu.Lock()
	b := l.brokers[addr]
	if b == nil {
		b = &lookedAt{conns: map[*lookedConn]bool{}}
		l.brokers[addr] = b
	}
	if b.hung {
		l.askLocked(network, addr, b)
		l.mu.Unlock()
		// What a process that died would give; clients know what to do about it.
		return nil, &net.OpError{Op: "dial", Net: network, Err: os.NewSyscallError(fmt.Sprintf("connect (%s hangs)", addr), syscall.ECONNREFUSED)}
	}
	l.mu.Unlock()
	inner, err := l.dialer.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	c := &lookedConn{Conn: inner, l: l, b: b, network: network, addr: addr}
	l.mu.Lock()
	b.conns[c] = true
	l.mu.Unlock()
	return c, nil
}

// askLocked asks the broker aside, unless that is being done or was done just now.
func (l *lookout) askLocked(network, addr string, b *lookedAt) {
	if b.asking || time.Since(b.askedAt) < askAgain {
		return
	}
	b.asking = true
	go func() {
		alive := l.answers(network, addr) || b.silentFor() < l.ping
		l.mu.Lock()
		b.asking, b.askedAt, b.hung = false, time.Now(), !alive
		var cut []*lookedConn
		if b.hung {
			for c := range b.conns {
				cut = append(cut, c)
			}
		}
		l.mu.Unlock()
		for _, c := range cut {
			c.cut()
		}
	}()
}

// answers asks for ApiVersions, which needs no login and no other broker. A closed port is an answer too: clients see it for themselves.
func (l *lookout) answers(network, addr string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), l.ping)
	defer cancel()
	c, err := l.dialer.DialContext(ctx, network, addr)
	if err != nil {
		return ctx.Err() == nil
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(l.ping))
	req := kmsg.NewPtrApiVersionsRequest()
	req.SetVersion(0)
	if _, err := c.Write(kmsg.NewRequestFormatter().AppendRequest(nil, req, 1)); err != nil {
		return false
	}
	_, err = c.Read(make([]byte, 1))
	return err == nil
}

// lookedConn counts requests and answers, and looks out while there are fewer answers.
type lookedConn struct {
	net.Conn
	l             *lookout
	b             *lookedAt
	network, addr string

	mu      sync.Mutex
	waiting int // requests without an answer
	timer   *time.Timer
	wasCut  bool

	// Of the answer that is being read; only Read uses them.
	size []byte // of its length prefix, what has come
	left int    // bytes of it that have not
}

// Write takes one request; the client never splits one.
func (c *lookedConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	if c.waiting++; c.waiting == 1 {
		c.wait(c.l.late)
	}
	c.mu.Unlock()
	n, err := c.Conn.Write(p)
	return n, c.because(err)
}

func (c *lookedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if answers := c.count(p[:n]); answers > 0 {
		c.b.answered.Store(time.Now().UnixNano())
		c.mu.Lock()
		if c.waiting = max(c.waiting-answers, 0); c.waiting > 0 {
			c.wait(c.l.late)
		} else if c.timer != nil {
			c.timer.Stop()
		}
		c.mu.Unlock()
	}
	return n, c.because(err)
}

func (c *lookedConn) Close() error {
	c.mu.Lock()
	if c.timer != nil {
		c.timer.Stop()
	}
	c.mu.Unlock()
	c.l.mu.Lock()
	delete(c.b.conns, c)
	c.l.mu.Unlock()
	return c.Conn.Close()
}

// wait waits this long for an answer. The caller holds c.mu.
func (c *lookedConn) wait(d time.Duration) {
	if c.timer == nil {
		c.timer = time.AfterFunc(d, c.overdue)
		return
	}
	c.timer.Reset(d)
}

// overdue is when an answer has not come in time: unless the broker has answered on another connection lately, it is asked aside.
func (c *lookedConn) overdue() {
	more := c.l.late - c.b.silentFor()
	if more <= 0 {
		more = c.l.late // it may hang later
		c.l.mu.Lock()
		if c.b.conns[c] {
			c.l.askLocked(c.network, c.addr, c.b)
		}
		c.l.mu.Unlock()
	}
	c.mu.Lock()
	if c.waiting > 0 && !c.wasCut {
		c.wait(more)
	}
	c.mu.Unlock()
}

// count is how many answers p completes: each is four bytes of length and then as many bytes.
func (c *lookedConn) count(p []byte) (answers int) {
	for len(p) > 0 {
		if c.left > 0 {
			n := min(c.left, len(p))
			c.left, p = c.left-n, p[n:]
			if c.left == 0 {
				answers++
			}
			continue
		}
		n := min(4-len(c.size), len(p))
		c.size, p = append(c.size, p[:n]...), p[n:]
		if len(c.size) == 4 {
			c.left, c.size = int(binary.BigEndian.Uint32(c.size)), c.size[:0]
		}
	}
	return answers
}

func (c *lookedConn) cut() {
	c.mu.Lock()
	c.wasCut = true
	c.mu.Unlock()
	_ = c.Close()
}

// because gives whoever used a connection that was cut the error of a process that died.
func (c *lookedConn) because(err error) error {
	if err == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.wasCut {
		return &net.OpError{Op: "read", Net: c.network, Err: os.NewSyscallError("read", syscall.ECONNRESET)}
	}
	return err
}
