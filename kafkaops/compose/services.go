package compose

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// Service is one of the project's services beside the brokers, as the engine last told of its containers.
type Service struct {
	Name       string
	Containers int
	Running    int    // of Containers
	Healthy    int    // of Running: those whose health check says so, or that have none
	Restarting int    // of Containers: the engine starts them again
	Exit       string // why a container that does not run ended; empty if all run
	Args       []string
	// Published is where its ports can be reached from here, as host:port by the port inside: "8000".
	Published map[string]string
}

// Service is a service by its name in compose.yaml; false if the project has no container of it. It asks nobody.
func (c *Cluster) Service(name string) (Service, bool) {
	c.others.Lock()
	defer c.others.Unlock()
	list := c.others.by[name]
	s := Service{Name: name, Containers: len(list), Published: map[string]string{}}
	for _, k := range list {
		s.Args = k.Args
		for port := range k.HostConfig.PortBindings {
			if inside, ok := strings.CutSuffix(port, "/tcp"); ok {
				s.Published[inside] = k.published(inside)
			}
		}
		if k.State.Status == "restarting" {
			s.Restarting++
		}
		if k.State.Status != "running" {
			s.Exit = k.exit()
			continue
		}
		s.Running++
		if k.State.Health == nil || k.State.Health.Status == "healthy" {
			s.Healthy++
		}
	}
	return s, len(list) > 0
}

// Kill ends a service's containers by SIGKILL. The engine does not start them again by itself.
func (c *Cluster) Kill(ctx context.Context, service string) error {
	return c.each(ctx, service, "kill")
}

// Stop ends a service's containers in order.
func (c *Cluster) Stop(ctx context.Context, service string) error {
	return c.each(ctx, service, "stop")
}

// Start starts a service's containers.
func (c *Cluster) Start(ctx context.Context, service string) error {
	return c.each(ctx, service, "start")
}

// each lets docker do something to those containers of a service to which it can be done.
func (c *Cluster) each(ctx context.Context, service, verb string) error {
	c.others.Lock()
	var ids []string
	for _, k := range c.others.by[service] {
		if k.up() != (verb == "start") {
			ids = append(ids, k.ID)
		}
	}
	c.others.Unlock()
	if len(ids) == 0 {
		return nil
	}
	err := c.docker1(ctx, append([]string{verb}, ids...)...)
	if sawErr := c.refreshOthers(context.WithoutCancel(ctx)); sawErr != nil {
		c.cfg.Log.Warn("looking at the services' containers", "err", sawErr)
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", verb, service, err)
	}
	return nil
}

// refreshOthers asks the engine for the containers that are no brokers.
func (c *Cluster) refreshOthers(ctx context.Context) error {
	c.look.Lock()
	defer c.look.Unlock()
	ctx, cancel := context.WithTimeout(ctx, lookFor)
	defer cancel()
	list, err := c.docker.find(ctx, c.cfg.Project, labelService)
	if err != nil {
		return err
	}
	list = slices.DeleteFunc(list, func(k container) bool { return k.node() > 0 })
	by := make(map[string][]container)
	for _, k := range list {
		name := k.Config.Labels[labelService]
		by[name] = append(by[name], k)
	}
	c.others.Lock()
	c.others.by = by
	c.others.Unlock()
	return nil
}
