package services

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

// ErrCut is why a client whose network was cut cannot connect.
var ErrCut = errors.New("the network of this client was cut")

// Cuttable is the options of any client, and cut, which takes the network from the clients that are made of them: their connections are closed,
// and they get no new ones. Nothing that they send afterwards reaches a broker, so that a client which is cut and then closed ends as kill -9 of
// its process would end it: no goodbye to the group, no end of its transaction. Calling cut again does nothing.
//
// The dialer or the TLS settings among the options go on working below. The options must not name a group, which would be joined for a moment;
// they are added afterwards. An error means that the options are wrong.
func Cuttable(client []kgo.Opt) (opts []kgo.Opt, cut func(), err error) {
	// The options cannot be asked for their dialer, a client can.
	cl, err := kgo.NewClient(append(append([]kgo.Opt(nil), client...), kgo.DisableClientMetrics())...)
	if err != nil {
		return nil, nil, fmt.Errorf("reading the client's options: %w", err)
	}
	dial, ok := cl.OptValue(kgo.Dialer).(func(context.Context, string, string) (net.Conn, error))
	cl.Close()
	if !ok {
		return nil, nil, errors.New("reading the client's options: they have no dialer")
	}
	n := &network{dial: dial, conns: make(map[*cutConn]struct{})}
	// A client has either a dialer or TLS settings. The dialer that it made of the latter is within ours.
	return append(append([]kgo.Opt(nil), client...), kgo.DialTLSConfig(nil), kgo.Dialer(n.connect)), n.cut, nil
}

// network is the connections of some clients, until it is cut.
type network struct {
	dial func(ctx context.Context, network, addr string) (net.Conn, error)

	mu     sync.Mutex
	conns  map[*cutConn]struct{}
	wasCut bool
}

// connect is for kgo.Dialer.
func (n *network) connect(ctx context.Context, proto, addr string) (net.Conn, error) {
	if n.gone() {
		return nil, ErrCut
	}
	inner, err := n.dial(ctx, proto, addr)
	if err != nil {
		return nil, err
	}
	c := &cutConn{Conn: inner, n: n}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.wasCut { // meanwhile
		_ = inner.Close()
		return nil, ErrCut
	}
	n.conns[c] = struct{}{}
	return c, nil
}

func (n *network) gone() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.wasCut
}

func (n *network) cut() {
	n.mu.Lock()
	n.wasCut = true
	conns := n.conns
	n.conns = nil
	n.mu.Unlock()
	for c := range conns {
		_ = c.Conn.Close()
	}
}

// cutConn is a connection that its network knows.
type cutConn struct {
	net.Conn
	n *network
}

func (c *cutConn) Close() error {
	c.n.mu.Lock()
	delete(c.n.conns, c)
	c.n.mu.Unlock()
	return c.Conn.Close()
}
