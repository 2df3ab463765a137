package main

import (
	"context"
	"log/slog"
	"sync/atomic"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"kassa/services"
	"kassa/tui"
)

// staff is the services under their supervisors. It implements tui.Staff.
type staff struct {
	payment  services.Control
	crews    []*services.Crew
	byName   map[string]*services.Crew
	delivery atomic.Uint32
	repeated atomic.Bool // it was at-least-once at some time: the log may hold repeats
}

// newStaff is one instance of each, which do nothing before run. The instance name is this process's alone: two never share a transactional id.
func newStaff(client []kgo.Opt, instance string, delivery services.Delivery, pace pace, log *slog.Logger, list ...services.Service) (*staff, error) {
	s := &staff{byName: map[string]*services.Crew{}}
	s.delivery.Store(uint32(delivery))
	s.repeated.Store(delivery == services.AtLeastOnce)
	for _, svc := range list {
		c, err := services.NewCrew(svc, services.Config{Client: client, Instance: instance, Delivery: delivery, Gather: pace.Gather, Cycle: pace.Cycle, Log: log.With("service", svc.Name)}, 1)
		if err != nil {
			return nil, err
		}
		s.crews = append(s.crews, c)
		s.byName[svc.Name] = c
	}
	return s, nil
}

func (s *staff) run(ctx context.Context, spawn func(func())) {
	for _, c := range s.crews {
		spawn(func() { c.Run(ctx) })
	}
}

// all is a snapshot of each service, payment too, in the order of the flow.
func (s *staff) all() []services.Stats {
	return append([]services.Stats{s.payment.Stats()}, s.stats()...)
}

// stats is a snapshot of those that read, in the order of the flow.
func (s *staff) stats() []services.Stats {
	var list []services.Stats
	for _, c := range s.crews {
		list = append(list, c.Stats())
	}
	return list
}

// Control implements tui.Staff.
func (s *staff) Control(service string) services.Control {
	if service == "payment" {
		return s.payment
	}
	if c, ok := s.byName[service]; ok {
		return c
	}
	return nil
}

// Instances implements tui.Staff.
func (s *staff) Instances(service string) []services.Instance {
	if c, ok := s.byName[service]; ok {
		return c.Instances()
	}
	return nil
}

// Delivery implements tui.Staff.
func (s *staff) Delivery() services.Delivery { return services.Delivery(s.delivery.Load()) }

// mayRepeat is the weakest delivery that there was: what an audit of the whole session must expect.
func (s *staff) mayRepeat() services.Delivery {
	if s.repeated.Load() {
		return services.AtLeastOnce
	}
	return services.ExactlyOnce
}

// SetDelivery implements tui.Staff.
func (s *staff) SetDelivery(d services.Delivery) {
	s.delivery.Store(uint32(d))
	if d == services.AtLeastOnce {
		s.repeated.Store(true)
	}
	for _, c := range s.crews {
		c.SetDelivery(d)
	}
}

var _ tui.Staff = (*staff)(nil)

// deliveryFlag is --delivery.
type deliveryFlag struct{ services.Delivery }

// Set implements pflag.Value.
func (f *deliveryFlag) Set(text string) (err error) {
	f.Delivery, err = services.ParseDelivery(text)
	return err
}

// Type implements pflag.Value.
func (f *deliveryFlag) Type() string { return "name" }

func (f *deliveryFlag) register(cmd *cobra.Command) {
	cmd.Flags().Var(f, "delivery", "what order and email promise about an event: exactly-once (transactions), at-least-once (faster; a crash repeats some)")
	_ = cmd.RegisterFlagCompletionFunc("delivery", cobra.FixedCompletions([]string{services.ExactlyOnce.String(), services.AtLeastOnce.String()}, cobra.ShellCompDirectiveNoFileComp))
}
