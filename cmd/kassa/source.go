package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	stack "kassa/compose"
	"kassa/kafkaops"
	"kassa/kafkaops/compose"
	"kassa/kafkaops/embedded"
	"kassa/kafkaops/local"
)

// The providers, as on the command line.
const (
	providerAuto     = "auto"
	providerLocal    = "local"
	providerCompose  = "compose"
	providerEmbedded = "embedded"
)

// What --services says.
const (
	servicesEmbed   = "embed"
	servicesConnect = "connect"
)

// serviceNames are the shop's services, in the order of the flow.
func serviceNames() []string { return []string{"payment", "order", "email", "analytics"} }

// source is where the cluster comes from.
type source struct {
	provider string
	local    local.Config // its ports, profile and log are the other providers' too
	// localOnly is a flag that only local brokers can follow; empty if none was given.
	localOnly string
	why       string // why it is this provider, when that is known
	settled   bool   // an engine was asked, if need be
	fallback  bool   // auto came to it
	fell      bool   // auto came to other brokers than the first it looks for: it is told on the screen, not in the help alone
	keep      bool   // simulated brokers forget nothing: the whole log is to be judged
	services  string // --services; empty: as they are found
}

// check refuses flags that contradict each other.
func (s *source) check() error {
	switch s.services {
	case "", servicesEmbed:
	case servicesConnect:
		if s.provider != providerCompose {
			return usageError{errors.New("--services connect uses services in containers: it needs --cluster compose")}
		}
	default:
		return usageError{fmt.Errorf("--services is %s or %s, not %q", servicesEmbed, servicesConnect, s.services)}
	}
	switch s.provider {
	case providerAuto, providerLocal:
		return nil
	case providerCompose:
		if s.localOnly != "" {
			return usageError{fmt.Errorf("%s is for brokers on this machine, and --cluster compose has them in containers: leave one of them out", s.localOnly)}
		}
		return nil
	case providerEmbedded:
		if s.localOnly != "" {
			return usageError{fmt.Errorf("%s is for real brokers, and --cluster embedded has none: leave one of them out", s.localOnly)}
		}
		return nil
	}
	return usageError{fmt.Errorf("--cluster is auto, local, compose or embedded, not %q", s.provider)}
}

// preflight settles on a provider, and complains about what the chosen one lacks. auto takes real brokers where they can be started, as processes or
// else in containers; it never ends for lack of them. It does end for what a flag asks for and cannot be had: what only brokers on this machine have,
// or ports that are another's, which no provider could listen on.
func (s *source) preflight(ctx context.Context) error {
	if err := s.look(ctx); err != nil {
		return err
	}
	return s.ask(ctx)
}

// look is the part of preflight that costs next to nothing.
func (s *source) look(ctx context.Context) error {
	switch s.provider {
	case providerEmbedded, providerCompose:
		s.why = "chosen with --cluster " + s.provider
		return nil
	}
	err := local.Preflight(ctx, s.local)
	switch {
	case s.provider == providerLocal, s.localOnly != "":
		if s.provider == providerLocal {
			s.why = "chosen with --cluster local"
		}
		s.provider = providerLocal
		return err
	case err == nil:
		s.why = "auto takes real brokers where Java and Kafka's jars are at hand"
		return nil
	case errors.Is(err, kafkaops.ErrPortInUse):
		return err
	}
	s.unable(err)
	return nil
}

// ask is the other part: an engine may take seconds, or never answer.
func (s *source) ask(ctx context.Context) error {
	s.settled = true
	if s.provider != providerCompose {
		return nil
	}
	err := compose.Preflight(ctx, s.compose())
	switch {
	case !s.fell:
		return err
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		s.simulate(err)
	default:
		s.fallback = true
	}
	return nil
}

// compose is the containers' part of the flags. Docker's own variable names the project, for kassa as for docker compose.
func (s *source) compose() compose.Config {
	return compose.Config{Files: stack.Files, Project: os.Getenv("COMPOSE_PROJECT_NAME"), Ports: s.local.Ports, Profile: s.local.Profile, Services: s.services == servicesConnect, Why: s.why, Log: s.local.Log}
}

// containers is the cluster, if the shop's services are to be used as they run in its containers; else nil.
func (s *source) containers(cluster kafkaops.Cluster) *compose.Cluster {
	c, ok := cluster.(*compose.Cluster)
	if !ok || s.services == servicesEmbed {
		return nil
	}
	if s.services == servicesConnect {
		return c
	}
	for _, name := range serviceNames() {
		if svc, ok := c.Service(name); !ok || svc.Running == 0 {
			return nil
		}
	}
	return c
}

// sharing says that services in containers do a part of the work of those in this process; empty if none does.
func sharing(cluster kafkaops.Cluster) string {
	c, ok := cluster.(*compose.Cluster)
	if !ok {
		return ""
	}
	var shared []string
	for _, name := range serviceNames() {
		if svc, ok := c.Service(name); ok && svc.Running > 0 && name != "payment" { // payment shares nothing
			shared = append(shared, name)
		}
	}
	if len(shared) == 0 {
		return ""
	}
	return fmt.Sprintf("%s also run in containers and take a share of the partitions", strings.Join(shared, ", "))
}

// Why auto came to others, before the reason.
const (
	noLocal = "no brokers on this machine: "
	noReal  = "no real brokers: "
)

// unable goes over to containers because there can be no brokers on this machine.
func (s *source) unable(err error) {
	s.provider, s.fell, s.why = providerCompose, true, noLocal+oneLine(err)
}

// simulate settles on simulated brokers because there can be no real ones.
func (s *source) simulate(err error) {
	why := oneLine(err)
	if s.provider == providerCompose {
		why = s.why + "; no containers: " + why
	}
	s.provider, s.fell, s.why = providerEmbedded, true, noReal+why
	s.local.Log.Warn("simulated brokers", "why", s.why)
}

// start starts what preflight has settled on; an engine that was not asked is asked now. Where auto's real brokers do not come up after all, simulated ones do, and say why.
func (s *source) start(ctx context.Context, progress func(kafkaops.Progress)) (kafkaops.Cluster, error) {
	if !s.settled {
		if s.provider == providerCompose {
			progress(kafkaops.Progress{Step: "asking Docker"})
		}
		if err := s.ask(ctx); err != nil {
			return nil, err
		}
	}
	auto := s.provider == providerAuto || s.fallback
	cluster, err := s.tryStart(ctx, progress)
	var user *kafkaops.UserError
	if err == nil || !auto || ctx.Err() != nil || !errors.As(err, &user) || errors.Is(err, kafkaops.ErrPortInUse) {
		return cluster, err
	}
	s.simulate(err)
	return s.tryStart(ctx, progress)
}

func (s *source) tryStart(ctx context.Context, progress func(kafkaops.Progress)) (kafkaops.Cluster, error) {
	switch s.provider {
	case providerEmbedded:
		return some(embedded.Start(ctx, embedded.Config{Ports: s.local.Ports, Profile: s.local.Profile, Log: s.local.Log, Why: s.why, Keep: s.keep}))
	case providerCompose:
		return some(compose.Start(ctx, s.compose(), progress))
	}
	cfg := s.local
	cfg.Why = s.why
	return some(local.Start(ctx, cfg, progress))
}

// some makes an interface of a provider's cluster, and none of one that is nil.
func some[C kafkaops.Cluster](c C, err error) (kafkaops.Cluster, error) {
	if err != nil {
		return nil, err
	}
	return c, nil
}
