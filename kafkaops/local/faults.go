package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"kassa/kafkaops"
)

// stopPatience is how long a controlled stop may take when the caller's context sets no earlier end. A broker that cannot reach its quorum may
// try for minutes.
const stopPatience = 30 * time.Second

// Do implements kafkaops.Cluster. A paused broker refuses Stop and Restart, because a process that is stopped does not hear SIGTERM: resume it first.
// Kill is always possible while there is a process, also in the middle of a Stop.
func (c *Cluster) Do(ctx context.Context, f kafkaops.Fault) error {
	n := c.node(f.Node)
	if n == nil {
		return &kafkaops.RefusedError{Fault: f, Reason: "there is no such broker"}
	}
	if reason := c.ended(); reason != "" {
		return &kafkaops.RefusedError{Fault: f, Reason: reason}
	}
	p, reason := n.begin(f.Verb)
	if reason != "" {
		return &kafkaops.RefusedError{Fault: f, Reason: reason}
	}
	var err error
	switch f.Verb {
	case kafkaops.Kill:
		err = c.kill(ctx, p)
	case kafkaops.Pause:
		err = n.pause(func() error { return c.guard.signal(ctx, p, syscall.SIGSTOP) }, p, true)
	case kafkaops.Resume:
		err = n.pause(func() error { return c.guard.signal(ctx, p, syscall.SIGCONT) }, p, false)
	case kafkaops.Stop:
		defer n.done()
		err = c.stop(ctx, p)
	case kafkaops.Start:
		defer n.done()
		err = c.start(ctx, n)
	case kafkaops.Restart:
		defer n.done()
		if err = c.stop(ctx, p); err == nil {
			err = c.start(ctx, n)
		}
	}
	switch {
	case err == nil:
		c.cfg.Log.Info("fault", "fault", f.String())
		return nil
	case errors.Is(err, os.ErrProcessDone):
		return &kafkaops.RefusedError{Fault: f, Reason: "it has just ended by itself"}
	case c.ended() != "":
		return &kafkaops.RefusedError{Fault: f, Reason: c.ended()}
	}
	return fmt.Errorf("%s: %w", f, err)
}

func (c *Cluster) node(id int32) *node {
	for _, n := range c.nodes {
		if n.id == id {
			return n
		}
	}
	return nil
}

// ended says why nothing can be done any more; empty if it can.
func (c *Cluster) ended() string {
	select {
	case <-c.closed:
		return "the cluster is closed"
	case <-c.guard.gone:
		return errGuardGone.Error()
	default:
		return ""
	}
}

// begin checks that the node's present state allows the verb and, for those that take long, keeps other long ones out until done.
func (n *node) begin(v kafkaops.Verb) (p *process, refusal string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	up := n.proc != nil && n.proc.alive()
	switch v {
	case kafkaops.Kill, kafkaops.Stop, kafkaops.Pause, kafkaops.Resume, kafkaops.Restart:
		if !up {
			return nil, "it is already down"
		}
	case kafkaops.Start:
		if up {
			return nil, "it is already up"
		}
	default:
		return nil, "a local broker cannot do that"
	}
	switch {
	case v == kafkaops.Kill:
		return n.proc, ""
	case n.busy != "":
		return nil, fmt.Sprintf("a %s is under way", n.busy)
	case v == kafkaops.Resume && !n.paused:
		return nil, "it is not paused"
	case v == kafkaops.Pause && n.paused:
		return nil, "it is already paused"
	case n.paused && (v == kafkaops.Stop || v == kafkaops.Restart):
		return nil, "it is paused and does not hear SIGTERM: resume it first"
	}
	if v == kafkaops.Stop || v == kafkaops.Start || v == kafkaops.Restart {
		n.busy = v
	}
	return n.proc, ""
}

func (n *node) done() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.busy = ""
}

// pause sends the signal and takes note of it in one step: of two opposite ones at the same time the later counts.
func (n *node) pause(signal func() error, p *process, paused bool) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := signal(); err != nil {
		return err
	}
	if n.proc == p {
		n.paused = paused
	}
	return nil
}

func (c *Cluster) kill(ctx context.Context, p *process) error {
	if err := c.guard.signal(ctx, p, syscall.SIGKILL); err != nil {
		return err
	}
	select {
	case <-p.ended:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (c *Cluster) stop(ctx context.Context, p *process) error {
	if err := c.guard.signal(ctx, p, syscall.SIGTERM); err != nil {
		return err
	}
	patience := time.NewTimer(stopPatience)
	defer patience.Stop()
	begin := time.Now()
	select {
	case <-p.ended:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("it has not ended %.0f s after SIGTERM: %w", time.Since(begin).Seconds(), context.Cause(ctx))
	case <-patience.C:
		return fmt.Errorf("it has not ended %.0f s after SIGTERM: kill it, or wait", stopPatience.Seconds())
	}
}

func (c *Cluster) start(ctx context.Context, n *node) error {
	p, err := c.launch(ctx, n, n.confFile())
	if err != nil {
		return err
	}
	c.goAside(func() {
		if c.ask.Await(c.life, int(n.id)-1, 1, p.ended) {
			n.noteAnswer(p)
		}
	})
	return nil
}
