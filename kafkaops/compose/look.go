package compose

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	// eventsFor is how long one `docker events` listens. It ends by itself, so that none outlives a kassa that was killed for longer than this.
	eventsFor = time.Minute
	// lookAgain is how long an engine that gives no events is left alone.
	lookAgain = 2 * time.Second
	lookFor   = 10 * time.Second
)

// told are the events after which a broker's container, or its network, is not as it was. Health checks alone make three others a second.
var told = []string{"start", "die", "pause", "unpause", "oom", "destroy", "connect", "disconnect", "health_status"}

// eventFormat names the container that an event is about, that which joined or left a network, and the project.
const eventFormat = `{{.Actor.ID}} {{index .Actor.Attributes "container"}} {{index .Actor.Attributes "` + labelProject + `"}}`

// refresh asks the engine for the brokers' containers. Those that were made anew under the same names are found again.
func (c *Cluster) refresh(ctx context.Context) error {
	c.look.Lock()
	defer c.look.Unlock()
	ctx, cancel := context.WithTimeout(ctx, lookFor)
	defer cancel()
	var ids []string
	for _, n := range c.nodes {
		ids = append(ids, n.container())
	}
	list, err := c.docker.inspect(ctx, ids)
	if gone(err) {
		list, err = c.docker.find(ctx, c.cfg.Project, labelNode)
	}
	if err != nil {
		return err
	}
	seen := make(map[int32]bool)
	for _, b := range list {
		seen[b.node()] = true
		if id := b.node(); id >= 1 && int(id) <= len(c.nodes) {
			c.nodes[id-1].learn(b)
		}
	}
	for _, n := range c.nodes {
		if !seen[n.id] {
			lost := container{ID: n.container()}
			lost.State.Status, lost.State.Error = "removed", "its container was removed"
			n.learn(lost)
		}
	}
	return nil
}

// followSince keeps the picture of the containers until ctx ends, whoever changes them.
func (c *Cluster) followSince(ctx context.Context, since time.Time) {
	for ctx.Err() == nil {
		until := time.Now().Add(eventsFor)
		err := c.listen(ctx, since, until)
		if ctx.Err() != nil {
			return
		}
		switch {
		case err != nil:
			c.cfg.Log.Warn("the engine tells no events", "err", err)
		case time.Until(until) < lookAgain:
			since = until
			continue
		} // else its clock is ahead of ours, and it was over at once
		select {
		case <-ctx.Done():
		case <-time.After(lookAgain):
		}
		c.refreshAll(ctx)
	}
}

func (c *Cluster) refreshAll(ctx context.Context) {
	if err := errors.Join(c.refresh(ctx), c.refreshOthers(ctx)); err != nil && ctx.Err() == nil {
		c.cfg.Log.Warn("looking at the containers", "err", err)
	}
}

// listen looks at the containers after each event between the two times, the first of which may be past.
func (c *Cluster) listen(ctx context.Context, since, until time.Time) error {
	args := []string{"events", "--since", stamp(since), "--until", stamp(until), "--format", eventFormat}
	for _, e := range told {
		args = append(args, "--filter", "event="+e)
	}
	cmd := c.docker.command(ctx, args...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	var complaint strings.Builder
	cmd.Stderr = &complaint
	if err := cmd.Start(); err != nil {
		return err
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if c.concerns(lines.Text()) {
			c.refreshAll(ctx)
		}
	}
	if err := cmd.Wait(); err != nil {
		return &dockerError{verb: "events", said: said(complaint.String()), err: err}
	}
	return nil
}

// concerns says that an event is about a container of the project, perhaps one that was made anew, or about a network that a broker joined or left.
func (c *Cluster) concerns(event string) bool {
	fields := strings.Fields(event)
	if slices.Contains(fields, c.cfg.Project) {
		return true
	}
	return slices.ContainsFunc(c.nodes, func(n *node) bool { return slices.Contains(fields, n.container()) })
}

// stamp is a time as docker takes it, in seconds since 1970 with their fraction.
func stamp(t time.Time) string { return fmt.Sprintf("%d.%09d", t.Unix(), t.Nanosecond()) }
