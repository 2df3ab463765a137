package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"kassa/kafkaops"
	"kassa/kafkaops/compose"
	"kassa/tui"
)

// How long the end may take: the data is temporary, or safe on the disk.
const (
	leaveWithin = 1800 * time.Millisecond
	// leaveContainers is how long an engine may take to end its containers; nobody else would.
	leaveContainers = 20 * time.Second
	goodbyes        = 400 * time.Millisecond
	// closeShop is how long the shop has to close while the screen stays: what it has not done by then goes on beside what comes next, until its brokers end.
	closeShop = 2 * time.Second
	// healWithin is how long a drill that is interrupted has to bring back what it took away: two containers, one after the other.
	healWithin = 15 * time.Second
)

// session is the cluster and the shop behind the screen. They may still be on their way up when it is time to leave, and others may take their place.
type session struct {
	doors doorFlag // to open payment's door anew, where a shop has closed it

	mu      sync.Mutex // held while they come up or go down
	shopCfg shopConfig
	shop    *shop
	cluster kafkaops.Cluster

	now sync.Mutex // over src alone, which is asked for while they come up
	src *source
}

// source is where the brokers come from, now.
func (s *session) source() *source {
	s.now.Lock()
	defer s.now.Unlock()
	return s.src
}

// up starts the cluster, then the shop on it.
func (s *session) up(ctx context.Context, progress func(kafkaops.Progress)) (*tui.Backend, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open(ctx, progress)
}

func (s *session) open(ctx context.Context, progress func(kafkaops.Progress)) (*tui.Backend, error) {
	src := *s.source() // it settles on a provider while others ask
	cluster, err := src.start(ctx, progress)
	s.now.Lock()
	s.src = &src
	s.now.Unlock()
	if err != nil {
		return nil, err
	}
	s.cluster = cluster
	tune(cluster.Info().Simulated)
	progress(kafkaops.Progress{Step: "opening the shop", Nodes: cluster.Nodes()})
	if in := src.containers(cluster); in != nil {
		s.shop, err = joinShop(ctx, in, src.local.Log, s.shopCfg)
		s.shopCfg.Door.close(ctx) // customers go to the container's
		s.shopCfg.Door = nil
	} else {
		s.shop, err = openShop(ctx, cluster, src.local.Log, s.shopCfg)
	}
	if err != nil {
		s.shop, s.cluster = nil, nil
		err = kafkaops.Explain(ctx, cluster.Bootstrap(), err)
		if closing := cluster.Close(); closing != nil {
			src.local.Log.Error("closing the cluster", "err", closing)
		}
		return nil, err
	}
	b := s.shop.backend(cluster, src.local.Log)
	if src.fell {
		b.Note = strings.TrimSuffix(src.told()+"; "+b.Note, "; ")
	}
	return b, nil
}

// change closes the shop and its cluster, and starts others.
func (s *session) change(ctx context.Context, provider string, progress func(kafkaops.Progress)) (*tui.Backend, error) {
	s.mu.Lock() // what is coming up gives up: its context has ended
	defer s.mu.Unlock()
	next, err := s.source().instead(provider)
	if err != nil {
		return nil, err
	}
	if s.shop != nil {
		progress(kafkaops.Progress{Step: "closing the shop"})
		s.shopCfg.Door.shut()
		s.endDrill()
		s.shop.close(closeShop)
		s.shop = nil
	}
	if s.cluster != nil {
		progress(kafkaops.Progress{Step: "leaving the brokers of " + s.cluster.Info().Provider})
		err := s.cluster.Close()
		s.cluster = nil
		if err != nil {
			return nil, fmt.Errorf("leaving the brokers: %w", err)
		}
	}
	if s.shopCfg.Door == nil && next.services != servicesConnect {
		if s.shopCfg.Door, err = s.doors.open(); err != nil {
			return nil, err
		}
	}
	s.now.Lock()
	s.src = next
	s.now.Unlock()
	return s.open(ctx, progress)
}

// endDrill interrupts a drill on containers, which may be somebody's who goes on with them, and waits until it has brought back what it took away. Other brokers
// end with us.
func (s *session) endDrill() {
	if s.shop == nil || s.cluster == nil {
		return
	}
	if _, containers := s.cluster.(*compose.Cluster); containers {
		s.shop.drill.end(healWithin)
	}
}

// down ends both, and gives up waiting when it takes too long: the guard ends brokers on this machine in any case.
func (s *session) down() {
	src := s.source()
	log, keeps, limit := src.local.Log, src.local.DataDir != "", leaveWithin
	if src.provider == providerCompose {
		keeps, limit = true, leaveContainers
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.mu.Lock()
		defer s.mu.Unlock()
		polite, cancel := context.WithTimeout(context.Background(), goodbyes)
		defer cancel()
		s.shopCfg.Door.close(polite) // who is in the shop may finish, nobody else comes in
		s.endDrill()
		if s.shop != nil && keeps {
			// The data stays: let the services leave their groups and what is pending be acknowledged.
			s.shop.close(goodbyes)
		}
		if s.cluster != nil {
			if err := s.cluster.Close(); err != nil {
				log.Error("closing the cluster", "err", err)
			}
		}
	}()
	select {
	case <-done:
	case <-time.After(limit):
		log.Warn("left before everything was closed")
	}
}
