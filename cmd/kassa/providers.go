package main

import (
	"context"
	"strings"
	"sync"

	"kassa/kafkaops"
	"kassa/kafkaops/compose"
	"kassa/kafkaops/local"
	"kassa/tui"
)

// providers looks at this machine for what each provider lacks on it. It implements what tui.Config.Providers asks for.
func (s *session) providers(ctx context.Context) []tui.Provider {
	src := s.source()
	cluster, busy := s.present()
	now := src.provider
	if cluster != nil {
		now = cluster.Info().Provider // auto may have come to it
	}
	list := []tui.Provider{
		{Name: providerLocal, What: "three real brokers: Kafka's own processes on this machine", Limits: "no network that could be cut"},
		{Name: providerCompose, What: "three real brokers: Kafka's image, in Docker containers", Limits: "slower to start; fetches its images first if they are not there"},
		{Name: providerEmbedded, What: "three simulated brokers in this process", Limits: "replication and elections are a model, and nothing is kept"},
	}
	var looks sync.WaitGroup
	for i := range list {
		p := &list[i]
		if p.Now = p.Name == now && (busy || cluster != nil); p.Now {
			p.Ends = src.ends(cluster)
			continue
		}
		looks.Go(func() {
			if err := src.lacks(ctx, p.Name); err != nil {
				p.Lacks = oneLine(err)
			}
		})
	}
	looks.Wait()
	return list
}

// present is the cluster, nil if there is none. busy says that one is on its way up or down.
func (s *session) present() (cluster kafkaops.Cluster, busy bool) {
	if !s.mu.TryLock() {
		return nil, true
	}
	defer s.mu.Unlock()
	return s.cluster, false
}

// lacks is what stands in the way of another provider. The ports are free by the time that it starts.
func (s *source) lacks(ctx context.Context, provider string) error {
	next, err := s.instead(provider)
	if err != nil {
		return err
	}
	switch provider {
	case providerLocal:
		cfg := next.local
		cfg.Ports = nil
		return local.Preflight(ctx, cfg)
	case providerCompose:
		return compose.Preflight(ctx, next.compose())
	}
	return nil
}

// instead is the source with another provider. What only brokers on this machine can follow (--data-dir, --kafka-home) waits until they are back.
func (s *source) instead(provider string) (*source, error) {
	next := *s
	next.provider, next.why, next.fallback, next.fell, next.settled = provider, "chosen with W", false, false, true
	if provider != providerLocal {
		next.localOnly = ""
	}
	if provider != providerCompose {
		next.services = ""
	}
	return &next, next.check()
}

// ends says what becomes of the brokers when others take their place.
func (s *source) ends(cluster kafkaops.Cluster) string {
	switch c := cluster.(type) {
	case nil:
		return "its start is given up"
	case *compose.Cluster:
		switch c.Owned() {
		case compose.Joined:
			return "its containers run on"
		case compose.Woken:
			return "its containers stop again, with their data"
		}
		return "its containers and their data go"
	case *local.Cluster:
		if s.local.DataDir != "" {
			return "its brokers stop, and their data stays in " + s.local.DataDir
		}
	}
	return "its brokers and their data go"
}

// told is what a person should read once about brokers that auto came to for want of others.
func (s *source) told() string {
	what := "brokers in containers"
	if s.provider == providerEmbedded {
		what = "simulated brokers"
	}
	return what + ", W has others: " + strings.TrimPrefix(strings.TrimPrefix(s.why, noReal), noLocal)
}
