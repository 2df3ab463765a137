package main

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"kassa/kafkaops/compose"
	"kassa/kafkaops/watch"
	"kassa/services"
	"kassa/services/analytics"
	"kassa/services/deadletters"
	"kassa/services/events"
	"kassa/services/payment"
	"kassa/tui"
)

// Times of the supervision of containers that were crashed from here: the engine does not start again what it was told to kill.
const (
	containerBack = 500 * time.Millisecond // as a crashed instance in this process
	containerLook = 100 * time.Millisecond
	containerActs = 30 * time.Second // the longest that docker may take for one
)

// containers is the shop's services in containers. What is told of them is what the engine, the brokers and the topics say. It implements tui.Staff.
type containers struct {
	cluster *compose.Cluster
	url     string // where payment is
	log     *slog.Logger
	ctx     context.Context
	till    till
	sales   *analytics.Analytics
	watcher *watch.Watcher
	letters *deadletters.Store
	list    []*containerService
}

// containerService is one service. It implements services.Control.
type containerService struct {
	*containers
	name string

	mu       sync.Mutex
	again    time.Time // when it is started again; zero unless it was crashed from here
	restarts int64
	dead     int64 // letters about the topic that it reads for the shop, since this process watches
	status   services.Status
	since    time.Time // when status took its value
}

func newContainers(ctx context.Context, cluster *compose.Cluster, s *shop, log *slog.Logger) *containers {
	c := &containers{cluster: cluster, log: log, ctx: ctx, till: s.payment, sales: s.analytics, watcher: s.watcher, letters: deadletters.New(s.client)}
	if door, ok := cluster.Service("payment"); ok {
		c.url = "http://" + door.Published["8000"] + "/payment-service"
	}
	for _, name := range serviceNames() {
		c.list = append(c.list, &containerService{containers: c, name: name, since: time.Now()})
	}
	return c
}

// buriers are who writes the dead letters of a topic.
var buriers = map[string]string{events.PaymentSuccessful: "order", events.OrderSuccessful: "email", events.EmailSuccessful: "analytics"}

// count counts dead letters, until ctx ends.
func (c *containers) count() {
	err := c.letters.Follow(c.ctx, func(source string) {
		for _, s := range c.list {
			if s.name == buriers[source] {
				s.mu.Lock()
				s.dead++
				s.mu.Unlock()
			}
		}
	})
	if err != nil {
		c.log.Error("watching the dead letters", "err", err)
	}
}

// supervise starts what was crashed again, and counts dead letters, until ctx ends.
func (c *containers) supervise() {
	var wg sync.WaitGroup
	wg.Go(c.count)
	defer wg.Wait()
	tick := time.NewTicker(containerLook)
	defer tick.Stop()
	for {
		select {
		case <-c.ctx.Done():
			return
		case now := <-tick.C:
			for _, svc := range c.list {
				svc.revive(now)
			}
		}
	}
}

func (s *containerService) revive(now time.Time) {
	s.mu.Lock()
	due := !s.again.IsZero() && now.After(s.again)
	s.mu.Unlock()
	if !due {
		return
	}
	ctx, cancel := context.WithTimeout(s.ctx, containerActs)
	defer cancel()
	err := s.cluster.Start(ctx, s.name)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.log.Warn("starting a service's container again", "service", s.name, "err", err)
		s.again = time.Now().Add(containerBack)
		return
	}
	s.again = time.Time{}
	s.restarts++
}

// Stats implements services.Control. Handled and DeadLetters count what was seen since this process watches.
func (s *containerService) Stats() services.Stats {
	now, _ := s.cluster.Service(s.name)
	totals := s.sales.Totals()
	st := services.Stats{Name: s.name, Instances: now.Containers, Live: now.Running, Lag: -1, Err: now.Exit}
	ready := now.Healthy > 0
	switch s.name {
	case "payment":
		pay := s.till.Stats()
		st.Handled, st.Lag, st.P50, st.P99 = totals.Payments, pay.Pending, pay.Ack.P50, pay.Ack.P99
	case "order":
		st.Handled, st.P50, st.P99 = totals.Orders, totals.PaymentToOrder.P50, totals.PaymentToOrder.P99
	case "email":
		st.Handled, st.P50, st.P99 = totals.Emails, totals.OrderToEmail.P50, totals.OrderToEmail.P99
	default:
		st.Handled = totals.Payments + totals.Orders + totals.Emails
	}
	for _, g := range s.watcher.State().Groups {
		if g.Name != s.name {
			continue
		}
		st.Lag, ready = g.TotalLag(), ready && len(g.Members) > 0
		for _, m := range g.Members {
			for _, partitions := range m.Assigned {
				st.Partitions += len(partitions)
			}
		}
	}
	if s.name != "analytics" {
		st.Produced = st.Handled
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	status := services.Running
	switch {
	case !s.again.IsZero(), now.Running == 0 && now.Restarting > 0:
		status = services.Restarting
	case now.Running == 0:
		status = services.Stopped
	case !ready:
		status = services.Joining
	}
	if status != s.status {
		s.status, s.since = status, time.Now()
	}
	st.Status, st.Since, st.Restarts, st.DeadLetters = s.status, s.since, s.restarts, s.dead
	return st
}

// Stop implements services.Control.
func (s *containerService) Stop(ctx context.Context) error {
	s.mu.Lock()
	s.again = time.Time{}
	s.mu.Unlock()
	return s.cluster.Stop(ctx, s.name)
}

// Crash implements services.Control.
func (s *containerService) Crash() error {
	ctx, cancel := context.WithTimeout(s.ctx, containerActs)
	defer cancel()
	if err := s.cluster.Kill(ctx, s.name); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.again = time.Now().Add(containerBack)
	return nil
}

// Start implements services.Control.
func (s *containerService) Start() error {
	ctx, cancel := context.WithTimeout(s.ctx, containerActs)
	defer cancel()
	return s.cluster.Start(ctx, s.name)
}

// Scale implements services.Control.
func (s *containerService) Scale(int) error {
	return fmt.Errorf("containers are scaled with `docker compose up --scale %s=…`, not from here", s.name)
}

// Control implements tui.Staff.
func (c *containers) Control(service string) services.Control {
	if i := slices.IndexFunc(c.list, func(s *containerService) bool { return s.name == service }); i >= 0 {
		return c.list[i]
	}
	return nil
}

// Instances implements tui.Staff: containers of one service are not told apart.
func (c *containers) Instances(string) []services.Instance { return nil }

// Delivery implements tui.Staff. It is what the container of order was started with.
func (c *containers) Delivery() services.Delivery {
	order, _ := c.cluster.Service("order")
	for i, arg := range order.Args {
		value, given := strings.CutPrefix(arg, "--delivery=")
		if arg == "--delivery" && i+1 < len(order.Args) {
			value, given = order.Args[i+1], true
		}
		if d, err := services.ParseDelivery(value); given && err == nil {
			return d
		}
	}
	return services.ExactlyOnce
}

// SetDelivery implements tui.Staff; the screen does not offer it where it is fixed.
func (c *containers) SetDelivery(services.Delivery) {}

// stats is a snapshot of those that read, in the order of the flow.
func (c *containers) stats() []services.Stats {
	var all []services.Stats
	for _, s := range c.list {
		if s.name != "payment" {
			all = append(all, s.Stats())
		}
	}
	return all
}

var (
	_ tui.Staff        = (*containers)(nil)
	_ services.Control = (*containerService)(nil)
	_ till             = (*payment.Service)(nil)
	_ till             = (*remoteTill)(nil)
)
