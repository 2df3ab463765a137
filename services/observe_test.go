package services_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"kassa/services"
	"kassa/services/events"
)

// observe starts an observer until the test ends. How often it has seen a checkout is what it returns tells.
func (s *shop) observe() (seen func(id string) int) {
	var (
		mu    sync.Mutex
		times = map[string]int{}
		wg    sync.WaitGroup
	)
	ctx, cancel := context.WithCancel(s.t.Context())
	svc := services.Service{Name: "observed", Inputs: events.Topics(), Handle: func(_ context.Context, e events.Event) ([]events.Event, error) {
		mu.Lock()
		defer mu.Unlock()
		times[e.Payload.Checkout()]++
		return nil, nil
	}}
	wg.Go(func() {
		if err := services.Observe(ctx, s.opts, svc); err != nil {
			s.t.Error(err)
		}
	})
	s.t.Cleanup(func() { cancel(); wg.Wait() })
	return func(id string) int {
		mu.Lock()
		defer mu.Unlock()
		return times[id]
	}
}

// An observer sees what is written from now on, once, and leaves no trace: no group, no commit.
func TestAnObserverSeesWhatComesAndJoinsNothing(t *testing.T) {
	s := newShop(t).topics()
	p := s.payment()
	before := s.checkouts(p, 3)

	seen := s.observe()

	var after []string
	s.eventually(func() string {
		after = s.checkouts(p, 1)
		if seen(after[0]) == 0 {
			return "the observer has not begun"
		}
		return ""
	})
	after = append(after, s.checkouts(p, 5)...)
	s.eventually(func() string {
		for _, id := range after {
			if n := seen(id); n != 1 {
				return fmt.Sprintf("checkout %s was seen %d times", id, n)
			}
		}
		return ""
	})
	for _, id := range before {
		if seen(id) != 0 {
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
	seen := s.observe()

	old := s.payment()
	s.eventually(func() string {
		if seen(s.checkouts(old, 1)[0]) == 0 {
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
		for _, id := range ids {
			if n := seen(id); n != 1 {
				return fmt.Sprintf("checkout %s was seen %d times", id, n)
			}
		}
		return ""
	})
}
