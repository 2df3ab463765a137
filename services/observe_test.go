package services_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"kassa/services"
	"kassa/services/events"
)

// An observer sees what is written from now on, once, and leaves no trace: no group, no commit.
func TestAnObserverSeesWhatComesAndJoinsNothing(t *testing.T) {
	s := newShop(t).topics()
	p := s.payment()
	before := s.checkouts(p, 3)

	var (
		mu   sync.Mutex
		seen = map[string]int{}
		wg   sync.WaitGroup
	)
	ctx, cancel := context.WithCancel(t.Context())
	svc := services.Service{Name: "observed", Inputs: events.Topics(), Handle: func(_ context.Context, e events.Event) ([]events.Event, error) {
		mu.Lock()
		defer mu.Unlock()
		seen[e.Payload.Checkout()]++
		return nil, nil
	}}
	wg.Go(func() {
		if err := services.Observe(ctx, s.opts, svc); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { cancel(); wg.Wait() })

	var after []string
	s.eventually(func() string {
		after = s.checkouts(p, 1)
		mu.Lock()
		defer mu.Unlock()
		if seen[after[0]] == 0 {
			return "the observer has not begun"
		}
		return ""
	})
	after = append(after, s.checkouts(p, 5)...)
	s.eventually(func() string {
		mu.Lock()
		defer mu.Unlock()
		for _, id := range after {
			if seen[id] != 1 {
				return fmt.Sprintf("checkout %s was seen %d times", id, seen[id])
			}
		}
		return ""
	})
	for _, id := range before {
		if seen[id] != 0 {
			t.Errorf("checkout %s was before it, and was seen", id)
		}
	}
	groups, err := s.adm.ListGroups(t.Context())
	if err != nil || len(groups) > 0 {
		t.Errorf("groups %v, %v", groups.Groups(), err)
	}
}

// A topic that is deleted and made again is another one, and the observer sees what is written to it from its first event on.
func TestAnObserverSeesATopicThatIsMadeAgain(t *testing.T) {
	s := newShop(t).topics()
	var (
		mu   sync.Mutex
		seen = map[string]int{}
		wg   sync.WaitGroup
	)
	ctx, cancel := context.WithCancel(t.Context())
	svc := services.Service{Name: "observed", Inputs: events.Topics(), Handle: func(_ context.Context, e events.Event) ([]events.Event, error) {
		mu.Lock()
		defer mu.Unlock()
		seen[e.Payload.Checkout()]++
		return nil, nil
	}}
	wg.Go(func() {
		if err := services.Observe(ctx, s.opts, svc); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { cancel(); wg.Wait() })

	old := s.payment()
	s.eventually(func() string {
		id := s.checkouts(old, 1)[0]
		mu.Lock()
		defer mu.Unlock()
		if seen[id] == 0 {
			return "the observer has not begun"
		}
		return ""
	})
	if _, err := s.adm.DeleteTopic(t.Context(), events.PaymentSuccessful); err != nil {
		t.Fatal(err)
	}
	s.topics()
	ids := s.checkouts(s.payment(), 5)
	s.eventually(func() string {
		mu.Lock()
		defer mu.Unlock()
		for _, id := range ids {
			if seen[id] != 1 {
				return fmt.Sprintf("checkout %s was seen %d times", id, seen[id])
			}
		}
		return ""
	})
}
