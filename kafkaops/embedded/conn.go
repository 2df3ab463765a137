package embedded

import (
	"bufio"
	"encoding/binary"
	"errors"
	"net"
	"sync"

	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// conn is one client's connection. Requests on it are answered one after the other, as Kafka's brokers do.
type conn struct {
	p  *process
	b  *broker
	nc net.Conn

	mu     sync.Mutex
	engine *engineConn // made when it is first needed
	closed bool

	out []byte
}

// close ends it; also when a request is on its way through the engine.
func (k *conn) close() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.closed = true
	k.nc.Close()
	if k.engine != nil {
		k.engine.Close()
	}
}

// reset closes it as the kernel does for a process that was killed.
func (k *conn) reset() {
	if tcp, ok := k.nc.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	k.close()
}

// through is the connection's own way to the engine.
func (k *conn) through() (*engineConn, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		return nil, net.ErrClosed
	}
	if k.engine == nil {
		e, err := k.b.c.engine.dial(k.nc.RemoteAddr())
		if err != nil {
			return nil, err
		}
		k.engine = e
	}
	return k.engine, nil
}

func (k *conn) serve() {
	in := bufio.NewReader(k.nc)
	var buf []byte
	for {
		frame, err := readFrame(in, buf)
		if err != nil || !k.p.pass() {
			return
		}
		out, err := k.answer(frame)
		if err != nil || !k.p.pass() {
			return
		}
		if buf = frame; cap(buf) > keepBuffer {
			buf = nil
		}
		if out == nil {
			continue // acks=0
		}
		if _, err := k.nc.Write(out); err != nil {
			return
		}
		if cap(k.out) > keepBuffer {
			k.out = nil
		}
	}
}

// request is one that is being answered.
type request struct {
	header
	*conn
	msg kmsg.Request
	raw []byte // as it came, without its length

	answered []byte // by the engine, to be passed on as it is
	silent   bool   // there is no answer
}

// handler answers a request. Nil and no error means that the engine is to answer it as it came.
type handler func(*request) (kmsg.Response, error)

var errProtocol = errors.New("a request that cannot be read")

// answer returns the whole frame of the answer; nil if there is none.
func (k *conn) answer(frame []byte) ([]byte, error) {
	if len(frame) < 8 {
		return nil, errProtocol
	}
	r := &request{conn: k, raw: frame}
	in := kbin.Reader{Src: frame}
	r.key, r.version, r.correlation = in.Int16(), in.Int16(), in.Int32()
	if _, offered := k.b.c.offers.keys[r.key]; !offered {
		return nil, errProtocol
	}
	var resp kmsg.Response
	if handle := handlerOf(r.key); handle != nil {
		if r.key == int16(kmsg.ApiVersions) && r.version > k.b.c.offers.keys[r.key].MaxVersion {
			return k.send(k.b.c.offers.tooNew(), r.correlation), nil
		}
		r.client = in.NullableString()
		r.msg = kmsg.RequestForKey(r.key)
		r.msg.SetVersion(r.version)
		if r.msg.IsFlexible() {
			kmsg.SkipTags(&in)
		}
		if !in.Ok() {
			return nil, errProtocol
		}
		if err := r.msg.ReadFrom(in.Src); err != nil {
			return nil, errProtocol
		}
		var err error
		if resp, err = handle(r); err != nil {
			return nil, err
		}
	}
	switch {
	case r.silent:
		return nil, nil
	case resp != nil:
		return k.send(resp, r.correlation), nil
	case r.answered == nil:
		if err := r.forward(); err != nil {
			return nil, err
		}
	}
	k.out = binary.BigEndian.AppendUint32(k.out[:0], uint32(len(r.answered)))
	k.out = append(k.out, r.answered...)
	return k.out, nil
}

func (k *conn) send(resp kmsg.Response, correlation int32) []byte {
	k.out = appendResponse(k.out, resp, correlation)
	return k.out
}

// forward has the engine answer the request as it came.
func (r *request) forward() error {
	e, err := r.through()
	if err != nil {
		return err
	}
	r.answered, err = e.forward(r.raw)
	return err
}

// ask has the engine answer the request as it is now, and returns what we may change.
func (r *request) ask() (kmsg.Response, error) {
	e, err := r.through()
	if err != nil {
		return nil, err
	}
	return e.ask(r.msg, r.header)
}

// handlerOf knows the requests that are not the engine's alone.
func handlerOf(key int16) handler {
	switch kmsg.Key(key) {
	case kmsg.ApiVersions:
		return apiVersions
	case kmsg.Metadata:
		return metadata
	case kmsg.DescribeCluster:
		return describeCluster
	case kmsg.DescribeTopicPartitions:
		return describeTopicPartitions
	case kmsg.DescribeQuorum:
		return describeQuorum
	case kmsg.ElectLeaders:
		return electLeaders

	case kmsg.Produce:
		return produce
	case kmsg.Fetch:
		return fetch
	case kmsg.OffsetForLeaderEpoch:
		return offsetForLeaderEpoch
	case kmsg.ListOffsets, kmsg.DeleteRecords, kmsg.DescribeProducers:
		return leadersOnly

	case kmsg.FindCoordinator:
		return findCoordinator
	case kmsg.OffsetCommit, kmsg.OffsetFetch, kmsg.JoinGroup, kmsg.Heartbeat, kmsg.LeaveGroup, kmsg.SyncGroup, kmsg.DescribeGroups,
		kmsg.DeleteGroups, kmsg.OffsetDelete, kmsg.ConsumerGroupHeartbeat, kmsg.ConsumerGroupDescribe, kmsg.InitProducerID,
		kmsg.AddPartitionsToTxn, kmsg.AddOffsetsToTxn, kmsg.EndTxn, kmsg.TxnOffsetCommit, kmsg.DescribeTransactions:
		return coordinatorsOnly
	case kmsg.ListGroups, kmsg.ListTransactions:
		return listCoordinated

	case kmsg.CreateTopics:
		return createTopics
	case kmsg.DeleteTopics, kmsg.CreatePartitions:
		return changeTopics
	case kmsg.DescribeConfigs, kmsg.AlterConfigs, kmsg.IncrementalAlterConfigs:
		return configs
	}
	return nil
}
