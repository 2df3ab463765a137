package embedded

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"kassa/kafkaops"
)

// stopPatience is how long a controlled stop may take, as in kafkaops/local. Without a quorum there is nobody to hand the leaderships to.
const stopPatience = 30 * time.Second

var errEnded = errors.New("the process has ended")

// broker is one door of the cluster, through the lives of its processes.
type broker struct {
	c    *Cluster
	id   int32
	addr string
	host string
	port int32
	view atomic.Pointer[image] // the metadata as it last saw it

	held queue // writes that wait for the ISR

	// These are guarded by Cluster.mu.
	proc *process // nil if there is none
	exit string   // why the last one ended
	busy kafkaops.Verb
}

func newBroker(c *Cluster, id int32, addr net.Addr) *broker {
	_, port, _ := net.SplitHostPort(addr.String())
	n, _ := strconv.Atoi(port)
	const host = "127.0.0.1"
	return &broker{c: c, id: id, addr: net.JoinHostPort(host, port), host: host, port: int32(n)}
}

// state is the broker as kafkaops sees it.
func (b *broker) state(n *node) kafkaops.Node {
	v := kafkaops.Node{ID: b.id, Addr: b.addr, Process: kafkaops.ProcessStarting, Can: can()}
	switch {
	case b.proc == nil:
		v.Process, v.Exit = kafkaops.ProcessExited, b.exit
	case n.paused:
		v.Process = kafkaops.ProcessPaused
	case n.cut:
		v.Process = kafkaops.ProcessCut
	case n.ready:
		v.Process = kafkaops.ProcessRunning
	}
	return v
}

// begin checks that the present state allows the verb and keeps other long ones out until done.
func (b *broker) begin(v kafkaops.Verb) (p *process, refusal string) {
	b.c.mu.Lock()
	defer b.c.mu.Unlock()
	paused, cut := b.c.model.node(b.id).paused, b.c.model.node(b.id).cut
	switch {
	case b.c.closed:
		return nil, "the cluster is closed"
	case !kafkaops.Node{Can: can()}.Supports(v):
		return nil, "an embedded broker cannot do that"
	case v == kafkaops.Start && b.proc != nil:
		return nil, "it is already up"
	case v != kafkaops.Start && b.proc == nil:
		return nil, "it is already down"
	case v == kafkaops.Kill:
		return b.proc, ""
	case b.busy != "":
		return nil, fmt.Sprintf("a %s is under way", b.busy)
	case v == kafkaops.Resume && !paused:
		return nil, "it is not paused"
	case v == kafkaops.Pause && paused:
		return nil, "it is already paused"
	case paused && (v == kafkaops.Stop || v == kafkaops.Restart):
		return nil, "it is paused and does not hear SIGTERM: resume it first"
	case v == kafkaops.Cut && cut:
		return nil, "it is already cut off"
	case v == kafkaops.Reconnect && !cut:
		return nil, "it is not cut off"
	}
	b.busy = v
	return b.proc, ""
}

func (b *broker) done(v kafkaops.Verb) {
	b.c.mu.Lock()
	defer b.c.mu.Unlock()
	if b.busy == v && v != kafkaops.Kill {
		b.busy = ""
	}
}

// die ends process p at once: its connections are reset and new ones refused.
func (b *broker) die(p *process, exit string) {
	b.c.step(func(m *model) {
		if b.proc == p {
			b.proc, b.exit = nil, exit
			n := m.node(b.id)
			if exit == "killed" {
				m.killed(n)
			} else {
				m.ended(n)
			}
		}
	})
	p.kill()
}

// stop hands the leaderships over, then ends p.
func (b *broker) stop(ctx context.Context, p *process) error {
	ctx, cancel := context.WithTimeoutCause(ctx, stopPatience, errors.New("kill it, or wait"))
	defer cancel()
	begin := time.Now()
	wait := func(c <-chan struct{}, d time.Duration) error {
		t := time.NewTimer(d)
		defer t.Stop()
		select {
		case <-c:
		case <-t.C:
		case <-p.life.Done():
			return errEnded
		case <-ctx.Done():
			return fmt.Errorf("it has not ended %.0f s after SIGTERM: %w", time.Since(begin).Seconds(), context.Cause(ctx))
		}
		return nil
	}
	for left := false; !left; {
		next := b.c.truth.Load().next // before the attempt, so that no change is missed
		b.c.step(func(m *model) { left = m.leave(m.node(b.id)) })
		if !left {
			if err := wait(next, stopPatience); err != nil {
				return err
			}
		}
	}
	if err := wait(nil, farewell); err != nil {
		return err
	}
	b.die(p, "stopped")
	return nil
}

// start begins a new process. It listens when it has booted and been let in.
func (b *broker) start() error {
	p := newProcess(b)
	b.c.mu.Lock()
	defer b.c.mu.Unlock()
	if b.c.closed {
		return errEnded
	}
	b.proc = p
	b.c.work.Go(func() {
		t := time.NewTimer(boot)
		defer t.Stop()
		select {
		case <-t.C:
		case <-p.life.Done():
			return
		}
		ln, err := b.c.cfg.Listen("tcp", b.addr)
		if err != nil {
			b.c.cfg.Log.Error("embedded: start", "node", b.id, "err", err)
			b.die(p, fmt.Sprintf("port %d is in use", b.port))
			return
		}
		b.c.step(func(m *model) {
			if b.proc != p {
				ln.Close()
				return
			}
			p.serve(ln)
			m.booted(m.node(b.id))
		})
	})
	return nil
}

// process is one life of a broker: its listener and its connections.
type process struct {
	b    *broker
	life context.Context
	end  context.CancelFunc

	mu    sync.Mutex
	ln    net.Listener
	conns map[*conn]struct{}
	gate  chan struct{} // closed while it answers
	runs  bool
}

func newProcess(b *broker) *process {
	p := &process{b: b, conns: map[*conn]struct{}{}, gate: make(chan struct{})}
	p.life, p.end = context.WithCancel(b.c.life)
	return p
}

// serve takes connections from now on.
func (p *process) serve(ln net.Listener) {
	p.mu.Lock()
	p.ln = ln
	p.mu.Unlock()
	p.b.c.work.Go(func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			k := &conn{p: p, b: p.b, nc: nc}
			p.mu.Lock()
			if p.life.Err() != nil {
				p.mu.Unlock()
				k.reset()
				return
			}
			p.conns[k] = struct{}{}
			p.mu.Unlock()
			p.b.c.work.Go(func() {
				k.serve()
				k.close()
				p.mu.Lock()
				delete(p.conns, k)
				p.mu.Unlock()
			})
		}
	})
}

// open says whether requests are answered. A paused broker keeps its connections, and the kernel takes new ones for it.
func (p *process) open(yes bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case yes && !p.runs:
		close(p.gate)
	case !yes && p.runs:
		p.gate = make(chan struct{})
	}
	p.runs = yes
}

// pass waits until requests are answered; false means that the process has ended.
func (p *process) pass() bool {
	p.mu.Lock()
	gate := p.gate
	p.mu.Unlock()
	select {
	case <-gate:
		return p.life.Err() == nil
	case <-p.life.Done():
		return false
	}
}

// kill closes the listener and resets every connection.
func (p *process) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ln != nil {
		p.ln.Close()
	}
	for k := range p.conns { // before their goroutines learn of the end, and say goodbye
		k.reset()
	}
	p.end()
}
