package main

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"kassa/kafkaops"
	"kassa/kafkaops/local"
	"kassa/services/events"
)

// The brokers and the shop behind the screen are changed for others: payment's door stays where it is, what was there is gone, and in the end so is all of it.
func TestASessionChangesItsBrokers(t *testing.T) {
	leaks := goleak.IgnoreCurrent()
	doors := doorFlag{addr: "127.0.0.1:0"}
	door, err := doors.open()
	if err != nil {
		t.Fatal(err)
	}
	s := &session{
		src:     &source{provider: providerEmbedded, settled: true, local: local.Config{Log: slog.New(slog.DiscardHandler), DataDir: ""}},
		doors:   doors,
		shopCfg: shopConfig{Products: events.DefaultCart(), Door: door},
	}
	url := door.url()
	client := &http.Client{Transport: &http.Transport{}, Timeout: 30 * time.Second}
	pay := func() int {
		t.Helper()
		res, err := client.Post(url, "application/json", strings.NewReader(`{"cart":[{"id":1,"name":"Cap","price":499.9,"image":"","description":""}]}`))
		if err != nil {
			return 0
		}
		defer res.Body.Close()
		return res.StatusCode
	}
	if got := pay(); got != http.StatusServiceUnavailable {
		t.Errorf("before there is a shop: %d", got)
	}
	first, cancel := context.WithCancel(t.Context())
	var steps []string
	progress := func(p kafkaops.Progress) { steps = append(steps, p.Step) }
	if _, err := s.up(first, progress); err != nil {
		t.Fatal(err)
	}
	if got := pay(); got != http.StatusOK {
		t.Errorf("with a shop: %d", got)
	}
	old, was := s.cluster, s.shop
	s.src.provider = providerAuto // which came to these
	for _, p := range s.providers(t.Context()) {
		if p.Now != (p.Name == providerEmbedded) || p.What == "" || p.Now && p.Ends == "" {
			t.Errorf("provider %+v", p)
		}
	}

	cancel() // as the screen does
	second, cancel := context.WithCancel(t.Context())
	defer cancel()
	b, err := s.change(second, providerEmbedded, progress)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.Info.Why, "chosen with W") || s.cluster == old || s.shop == was {
		t.Errorf("the same brokers: %s", b.Info.Why)
	}
	if got := pay(); got != http.StatusOK {
		t.Errorf("with another shop: %d", got)
	}
	if text := strings.Join(steps, ", "); !strings.Contains(text, "closing the shop, leaving the brokers of embedded, opening the shop") {
		t.Errorf("the steps told are %s", text)
	}

	cancel()
	s.down()
	s.shop.close(10 * time.Second) // down leaves it: the process ends
	if got := pay(); got != 0 {
		t.Errorf("after the end: %d", got)
	}
	client.CloseIdleConnections()
	goleak.VerifyNone(t, leaks)
}

// What is not there is refused before anything is closed.
func TestAChangeToNothingClosesNothing(t *testing.T) {
	s := &session{src: &source{provider: providerEmbedded, settled: true, local: local.Config{Log: slog.New(slog.DiscardHandler)}}, shopCfg: shopConfig{Products: events.DefaultCart()}}
	if _, err := s.up(t.Context(), func(kafkaops.Progress) {}); err != nil {
		t.Fatal(err)
	}
	defer func() {
		s.down()
		s.shop.close(10 * time.Second)
	}()
	if _, err := s.change(t.Context(), "moon", func(kafkaops.Progress) {}); err == nil || s.shop == nil || s.cluster == nil {
		t.Errorf("changed to the moon: %v", err)
	}
}
