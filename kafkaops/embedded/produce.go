package embedded

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// queue is the writes with acks=all that wait until the ISR has them, in the order in which they came: a producer's batches must not overtake
// each other. It is empty while all is well.
type queue struct {
	mu    sync.Mutex
	turns []*turn
}

// turn is one write's place in the queue.
type turn struct {
	first chan struct{} // closed when nobody is before it
	late  string        // what it writes, if its client has been told that it timed out
}

// isFirst says whether nobody is before it.
func (t *turn) isFirst() bool {
	select {
	case <-t.first:
		return true
	default:
		return false
	}
}

// mostLate bounds the writes that were not answered in time and may still be made.
const mostLate = 64

func (q *queue) empty() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.turns) == 0
}

func (q *queue) enter() *turn {
	q.mu.Lock()
	defer q.mu.Unlock()
	t := &turn{first: make(chan struct{})}
	if q.turns = append(q.turns, t); len(q.turns) == 1 {
		close(t.first)
	}
	return t
}

func (q *queue) leave(t *turn) {
	if t == nil {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	i := slices.Index(q.turns, t)
	q.turns = slices.Delete(q.turns, i, i+1)
	if i == 0 && len(q.turns) > 0 {
		close(q.turns[0].first)
	}
}

// keep says whether a write that timed out may stay. One that is there already, sent again by its producer, need not.
func (q *queue) keep(t *turn, what string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	late := 0
	for _, o := range q.turns {
		if o.late == what {
			return false
		}
		if o.late != "" {
			late++
		}
	}
	if late >= mostLate {
		return false
	}
	t.late = what
	return true
}

// produce writes what this broker leads. With acks=all it holds the whole request back until every replica in each ISR has it, which is when a real
// broker would acknowledge it and show it to consumers. When that takes longer than the client allows it says REQUEST_TIMED_OUT, and writes
// it all the same as soon as it can, unless another leads by then: as with real brokers the outcome is unknown.
func produce(r *request) (kmsg.Response, error) {
	req := r.msg.(*kmsg.ProduceRequest)
	all := req.Acks == -1
	bad, ready := r.b.weigh(r.b.c.truth.Load(), req)
	if len(bad) > 0 || all && !ready {
		return r.hold(req, all)
	}
	if all && !r.b.held.empty() {
		return r.hold(req, all)
	}
	if req.Acks == 0 {
		e, err := r.through()
		if err != nil {
			return nil, err
		}
		r.silent = true
		return nil, e.tell(r.raw)
	}
	return nil, nil
}

// weigh finds the partitions that cannot be written through this broker, and says whether the rest is acknowledged at once.
func (b *broker) weigh(img *image, req *kmsg.ProduceRequest) (bad []wrong, ready bool) {
	ready = true
	for _, t := range req.Topics {
		for _, p := range t.Partitions {
			now := img.partition(t.Topic, t.TopicID, p.Partition)
			switch {
			case now == nil: // the engine will say so
			case now.leader != b.id:
				bad = append(bad, wrong{t.Topic, t.TopicID, p.Partition, kerr.NotLeaderForPartition.Code})
			case req.Acks == -1 && len(now.isr) < now.minISR:
				bad = append(bad, wrong{t.Topic, t.TopicID, p.Partition, kerr.NotEnoughReplicas.Code})
			case req.Acks == -1 && !now.acks:
				ready = false
			}
		}
	}
	return bad, ready
}

// hold is the slow way: something is not led here, lacks replicas, or has to wait.
func (r *request) hold(req *kmsg.ProduceRequest, all bool) (kmsg.Response, error) {
	var (
		t       *turn
		b       = r.b
		timeout = time.NewTimer(time.Duration(req.TimeoutMillis) * time.Millisecond)
		left    = false
	)
	defer timeout.Stop()
	if all {
		t = b.held.enter()
		defer func() {
			if !left {
				b.held.leave(t)
			}
		}()
	}
	img, bad, timedOut := b.await(r.p, req, t, timeout.C)
	if img == nil {
		return nil, errEnded
	}
	answers := make(map[wrong]int16) // by partition, code 0
	for _, w := range bad {
		answers[wrong{w.topic, w.id, w.part, 0}] = w.code
	}
	wait := *req
	wait.Topics = nil
	for i := range req.Topics {
		rt := &req.Topics[i]
		late := *rt
		late.Partitions = nil
		kept := rt.Partitions[:0:0]
		for _, p := range rt.Partitions {
			key := wrong{rt.Topic, rt.TopicID, p.Partition, 0}
			now := img.partition(rt.Topic, rt.TopicID, p.Partition)
			switch _, refused := answers[key]; {
			case refused:
			case timedOut && now != nil && !(now.acks && t.isFirst()):
				answers[key] = kerr.RequestTimedOut.Code
				late.Partitions = append(late.Partitions, p)
			default:
				kept = append(kept, p)
			}
		}
		rt.Partitions = kept
		if len(late.Partitions) > 0 {
			wait.Topics = append(wait.Topics, late)
		}
	}
	if len(wait.Topics) > 0 && b.held.keep(t, batches(&wait)) {
		left = true
		b.writeLate(r.p, &wait, t, r.header)
	}
	if req.Acks == 0 {
		r.silent = true
		e, err := r.through()
		if err != nil {
			return nil, err
		}
		return nil, e.tell(appendRequest(nil, req, r.header))
	}
	answer, err := r.ask()
	if err != nil {
		return nil, err
	}
	resp := answer.(*kmsg.ProduceResponse)
	for key, code := range answers {
		p := kmsg.NewProduceResponseTopicPartition()
		p.Partition, p.ErrorCode, p.BaseOffset, p.LogStartOffset = key.part, code, -1, -1
		if now := img.partition(key.topic, key.id, key.part); now != nil && code == kerr.NotLeaderForPartition.Code { // KIP-951
			p.CurrentLeader.LeaderID, p.CurrentLeader.LeaderEpoch = now.leader, now.epoch
		}
		i := slices.IndexFunc(resp.Topics, func(t kmsg.ProduceResponseTopic) bool { return t.Topic == key.topic && t.TopicID == key.id })
		if i < 0 {
			i = len(resp.Topics)
			nt := kmsg.NewProduceResponseTopic()
			nt.Topic, nt.TopicID = key.topic, key.id
			resp.Topics = append(resp.Topics, nt)
		}
		resp.Topics[i].Partitions = append(resp.Topics[i].Partitions, p)
	}
	for _, id := range img.alive() {
		br := kmsg.NewProduceResponseBroker()
		br.NodeID, br.Host, br.Port = id, b.c.brokers[id-1].host, b.c.brokers[id-1].port
		resp.Brokers = append(resp.Brokers, br)
	}
	return resp, nil
}

// await waits until it is this write's turn and every partition in it is refused or acknowledged, or until the time is over. The image is nil if the
// process has ended.
func (b *broker) await(p *process, req *kmsg.ProduceRequest, t *turn, timeout <-chan time.Time) (img *image, bad []wrong, timedOut bool) {
	if t != nil {
		select {
		case <-t.first:
		case <-timeout:
			timedOut = true
		case <-p.life.Done():
			return nil, nil, false
		}
	}
	for {
		img = b.c.truth.Load()
		var ready bool
		if bad, ready = b.weigh(img, req); ready || t == nil || timedOut {
			return img, bad, timedOut
		}
		select {
		case <-img.next:
		case <-timeout:
			timedOut = true
		case <-p.life.Done():
			return nil, nil, false
		}
	}
}

// writeLate makes a write whose client has been told that it timed out, keeping its turn.
func (b *broker) writeLate(p *process, req *kmsg.ProduceRequest, t *turn, h header) {
	for i := range req.Topics {
		for j := range req.Topics[i].Partitions {
			part := &req.Topics[i].Partitions[j]
			part.Records = slices.Clone(part.Records) // they were part of a buffer that is used again
		}
	}
	b.c.work.Go(func() {
		defer b.held.leave(t)
		img, bad, _ := b.await(p, req, t, nil)
		if img == nil || !p.pass() || len(bad) > 0 {
			return // it died with its leader, or will never be wanted: the producer has gone elsewhere
		}
		e, err := b.c.engine.dial(nil)
		if err != nil {
			return
		}
		defer e.Close()
		if _, err := e.ask(req, h); err != nil {
			b.c.cfg.Log.Warn("embedded: late write", "node", b.id, "err", err)
		}
	})
}

// batches names what a request writes: partitions, producers and their sequence numbers (KIP-98).
func batches(req *kmsg.ProduceRequest) string {
	var s strings.Builder
	for _, t := range req.Topics {
		for _, p := range t.Partitions {
			fmt.Fprintf(&s, "%s %x %d ", t.Topic, t.TopicID, p.Partition)
			const producer, end = 43, 57
			if len(p.Records) >= end && int64(binary.BigEndian.Uint64(p.Records[producer:])) >= 0 {
				fmt.Fprintf(&s, "%x ", p.Records[producer:end])
			} else {
				fmt.Fprintf(&s, "%p ", req) // no producer: each is its own
			}
		}
	}
	return s.String()
}
