package compose

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"kassa/kafkaops"
)

// stopPatience is how long a controlled stop may take before the engine kills the broker: one that cannot reach its quorum may try for minutes.
const stopPatience = 30 * time.Second

// Do implements kafkaops.Cluster. It refuses what kafkaops/local refuses, in the same words.
func (c *Cluster) Do(ctx context.Context, f kafkaops.Fault) error {
	if f.Node < 1 || int(f.Node) > len(c.nodes) {
		return &kafkaops.RefusedError{Fault: f, Reason: "there is no such broker"}
	}
	n := c.nodes[f.Node-1]
	if c.life.Err() != nil {
		return &kafkaops.RefusedError{Fault: f, Reason: "the cluster is closed"}
	}
	if reason := n.begin(f.Verb); reason != "" {
		return &kafkaops.RefusedError{Fault: f, Reason: reason}
	}
	defer n.done(f.Verb)
	err := c.act(ctx, n, f.Verb)
	if sawErr := c.refresh(context.WithoutCancel(ctx)); sawErr != nil { // what was done is done, whoever has stopped waiting
		c.cfg.Log.Warn("looking at the brokers' containers", "err", sawErr)
	}
	if err == nil {
		c.cfg.Log.Info("fault", "fault", f.String())
		return nil
	}
	if reason := n.refused(f.Verb); reason != "" { // somebody else was faster
		return &kafkaops.RefusedError{Fault: f, Reason: reason}
	}
	return fmt.Errorf("%s: %w", f, err)
}

func (c *Cluster) act(ctx context.Context, n *node, v kafkaops.Verb) error {
	switch v {
	case kafkaops.Kill:
		return c.docker1(ctx, "kill", n.container())
	case kafkaops.Stop:
		return c.stop(ctx, n)
	case kafkaops.Pause:
		return c.docker1(ctx, "pause", n.container())
	case kafkaops.Resume:
		return c.docker1(ctx, "unpause", n.container())
	case kafkaops.Start:
		return c.start(ctx, n)
	case kafkaops.Restart:
		if err := c.stop(ctx, n); err != nil {
			return err
		}
		return c.start(ctx, n)
	case kafkaops.Cut:
		return c.docker1(ctx, "network", "disconnect", n.network, n.container())
	default: // Reconnect; begin has refused all others
		return c.connect(ctx, n)
	}
}

func (c *Cluster) docker1(ctx context.Context, args ...string) error {
	_, err := c.docker.run(ctx, args...)
	return err
}

func (c *Cluster) stop(ctx context.Context, n *node) error {
	return c.docker1(ctx, "stop", "-t", strconv.Itoa(int(stopPatience.Seconds())), n.container())
}

// start gives a container that was cut off its network back: nobody can undo that cut any more.
func (c *Cluster) start(ctx context.Context, n *node) error {
	if n.isCut() {
		if err := c.connect(ctx, n); err != nil {
			return err
		}
	}
	return c.docker1(ctx, "start", n.container())
}

// connect gives a broker its network back as it was: with its name and its address, which the others remember.
func (c *Cluster) connect(ctx context.Context, n *node) error {
	args := []string{"network", "connect", "--alias", n.service}
	if n.ip != "" {
		args = append(args, "--ip", n.ip)
	}
	return c.docker1(ctx, append(args, n.network, n.container())...)
}
