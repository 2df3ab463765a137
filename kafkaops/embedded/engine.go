package embedded

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// engine is one kfake broker that nobody but us can reach: it has the logs, the groups, the transactions and the topics' settings. Which of
// the three brokers leads what, and whether a write may be acknowledged, is decided before a request comes here.
type engine struct {
	kf *kfake.Cluster
	ln *insideListener

	mu sync.Mutex // over own, which asks one thing at a time
	// own is for the questions that are ours and no client's.
	own *engineConn
}

func newEngine(settings map[string]string, partitions int32, clusterID string) (*engine, error) {
	ln := &insideListener{conns: make(chan net.Conn), closed: make(chan struct{})}
	kf, err := kfake.NewCluster(
		kfake.NumBrokers(1), kfake.ClusterID(clusterID), kfake.DefaultNumPartitions(int(partitions)), kfake.BrokerConfigs(settings),
		kfake.ListenFn(func(string, string) (net.Listener, error) { return ln, nil }),
	)
	if err != nil {
		return nil, fmt.Errorf("starting the log: %w", err)
	}
	e := &engine{kf: kf, ln: ln}
	if e.own, err = e.dial(nil); err != nil {
		kf.Close()
		return nil, err
	}
	return e, nil
}

func (e *engine) close() {
	e.own.Close()
	e.kf.Close()
}

// ask asks in our own name.
func (e *engine) ask(req kmsg.Request) (kmsg.Response, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.own.ask(req, header{client: ownName()})
}

func ownName() *string { return kmsg.StringPtr("kassa-embedded") }

// settlePatience is how long a goodbye waits for its group, in which a leader that lives sends the assignment. Who says goodbye waits no longer.
const settlePatience = 300 * time.Millisecond

// settle waits until a group has had its leader's assignment. kfake counts a member that leaves before that twice, and the group's next rebalance then
// lasts for the rebalance timeout.
func (e *engine) settle(ctx context.Context, group string) {
	ctx, cancel := context.WithTimeout(ctx, settlePatience)
	defer cancel()
	_, _ = e.kf.WaitGroupInfo(ctx, group, func(g *kfake.GroupInfo) bool { return g == nil || g.State != "CompletingRebalance" })
}

// begin has the log mark what comes with this leader epoch, and notes where that begins. A slice that was handed out before stays as it was.
func (e *engine) begin(topic string, part, epoch int32, before []epochStart) []epochStart {
	info := e.kf.PartitionInfo(topic, part)
	for info != nil && info.Epoch < epoch {
		if err := e.kf.MoveTopicPartition(topic, part, 0); err != nil {
			return before // it is being deleted
		}
		info = e.kf.PartitionInfo(topic, part)
	}
	if info == nil {
		return before
	}
	if n := len(before); n >= mostEpochs {
		before = slices.Clone(before[n/2:])
	}
	return append(before, epochStart{epoch, info.HighWatermark})
}

// dial makes a connection for one client, whose address groups show as their members' host.
func (e *engine) dial(client net.Addr) (*engineConn, error) {
	ours, theirs := net.Pipe()
	var there net.Conn = theirs
	if client != nil {
		there = addressed{theirs, client}
	}
	select {
	case e.ln.conns <- there:
		return &engineConn{Conn: ours}, nil
	case <-e.ln.closed:
		ours.Close()
		theirs.Close()
		return nil, net.ErrClosed
	}
}

// engineConn is used by one goroutine at a time.
type engineConn struct {
	net.Conn
	out []byte
}

// header is the front of a request.
type header struct {
	key, version int16
	correlation  int32
	client       *string
}

// forward sends a request (a frame without its length) as it came, and returns the answer (correlation id first). The answer is the caller's.
func (c *engineConn) forward(request []byte) ([]byte, error) {
	c.out = binary.BigEndian.AppendUint32(c.out[:0], uint32(len(request)))
	c.out = append(c.out, request...)
	return c.exchange()
}

func (c *engineConn) exchange() ([]byte, error) {
	_, err := c.Write(c.out)
	if cap(c.out) > keepBuffer {
		c.out = nil
	}
	if err != nil {
		return nil, err
	}
	return readFrame(c.Conn, nil)
}

// ask sends a request that we have read or changed, in the client's name, and reads the answer.
func (c *engineConn) ask(req kmsg.Request, h header) (kmsg.Response, error) {
	raw, err := c.askRaw(req, h)
	if err != nil {
		return nil, err
	}
	return readResponse(req, raw)
}

// askRaw does not read the answer, for those who only pass it on.
func (c *engineConn) askRaw(req kmsg.Request, h header) ([]byte, error) {
	c.out = appendRequest(append(c.out[:0], 0, 0, 0, 0), req, h)
	binary.BigEndian.PutUint32(c.out, uint32(len(c.out)-4))
	return c.exchange()
}

func appendRequest(dst []byte, req kmsg.Request, h header) []byte {
	dst = kbin.AppendInt16(dst, req.Key())
	dst = kbin.AppendInt16(dst, req.GetVersion())
	dst = kbin.AppendInt32(dst, h.correlation)
	dst = kbin.AppendNullableString(dst, h.client)
	if req.IsFlexible() {
		dst = append(dst, 0) // no tags
	}
	return req.AppendTo(dst)
}

var errShort = errors.New("the answer is too short")

func readResponse(req kmsg.Request, raw []byte) (kmsg.Response, error) {
	resp := req.ResponseKind()
	skip := 4
	if resp.IsFlexible() && resp.Key() != int16(kmsg.ApiVersions) {
		skip++ // no tags
	}
	if len(raw) < skip {
		return nil, errShort
	}
	if err := resp.ReadFrom(raw[skip:]); err != nil {
		return nil, fmt.Errorf("reading an answer to %s: %w", kmsg.NameForKey(req.Key()), err)
	}
	return resp, nil
}

// appendResponse is an answer as it goes out, length first.
func appendResponse(dst []byte, resp kmsg.Response, correlation int32) []byte {
	dst = append(dst[:0], 0, 0, 0, 0)
	dst = kbin.AppendInt32(dst, correlation)
	if resp.IsFlexible() && resp.Key() != int16(kmsg.ApiVersions) { // KIP-511: the latter never has the newer header
		dst = append(dst, 0)
	}
	dst = resp.AppendTo(dst)
	binary.BigEndian.PutUint32(dst, uint32(len(dst)-4))
	return dst
}

const (
	// largestFrame is socket.request.max.bytes, Kafka's default: what is larger does not speak its protocol.
	largestFrame = 100 << 20
	// keepBuffer is how much of a buffer an idle connection keeps.
	keepBuffer = 64 << 10
)

var errFrame = errors.New("this is not Kafka's protocol")

// readFrame reads a length and that many bytes, into buf if they fit.
func readFrame(r io.Reader, buf []byte) ([]byte, error) {
	var size [4]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(size[:])
	if n < 4 || n > largestFrame {
		return nil, errFrame
	}
	if int(n) > cap(buf) {
		buf = make([]byte, n)
	}
	buf = buf[:n]
	_, err := io.ReadFull(r, buf)
	return buf, err
}

// insideListener is where the engine listens: in this process only.
type insideListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *insideListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *insideListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

// Addr is asked for when the engine tells clients where it is, which we overwrite.
func (l *insideListener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

// addressed has the address of the client on whose behalf it was made.
type addressed struct {
	net.Conn
	client net.Addr
}

func (a addressed) RemoteAddr() net.Addr { return a.client }

// tell sends a request that has no answer (acks=0).
func (c *engineConn) tell(request []byte) error {
	c.out = binary.BigEndian.AppendUint32(c.out[:0], uint32(len(request)))
	c.out = append(c.out, request...)
	_, err := c.Write(c.out)
	return err
}
