package payment

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/plugin/kprom"

	"kassa/services"
	"kassa/services/events"
)

// Back-off of an instance that crashed: doubled while it crashes again before it has had anything acknowledged.
const (
	restartPause    = 500 * time.Millisecond
	restartPauseMax = 5 * time.Second
)

// till is one life of an instance: a producer.
type till struct {
	cl       *kgo.Client
	ctx      context.Context // the client's
	end      context.CancelFunc
	cut      func()       // takes the network away
	figures  *detachable  // what the client has registered; nil for nothing
	prompted atomic.Int64 // callers of prompt that no flush has begun for
	acked    atomic.Bool  // something was acknowledged

	// The Service's lock has these two.
	forgetting bool
	forgot     time.Time // when it last had
}

// slot is the place of an instance.
type slot struct {
	till     *till // nil while it is down
	fails    int   // crashes in a row
	restarts int64
	again    time.Time // when it is started again; zero if it is not about to be
}

func (s *Service) openTill(number int) (*till, error) {
	t := &till{}
	client, cut, err := services.Cuttable(s.cfg.Client)
	if err != nil {
		return nil, fmt.Errorf("making the Kafka client of payment: %w", err)
	}
	t.cut = cut
	t.ctx, t.end = context.WithCancel(s.life)
	opts := append(ProducerOptions(client, s.cfg.Acks),
		kgo.ProducerLinger(cmp.Or(s.cfg.Linger, linger)),
		kgo.WithContext(t.ctx),
		kgo.ClientID("kassa-payment"),
		kgo.MaxBufferedRecords(s.cfg.MaxPending),
	)
	if s.cfg.Metrics != nil {
		reg := prometheus.WrapRegistererWith(prometheus.Labels{"instance": strconv.Itoa(number)}, s.cfg.Metrics)
		t.figures = &detachable{Registerer: reg}
		opts = append(opts, kgo.WithHooks(kprom.NewMetrics("kassa_payment_kafka", kprom.Registerer(t.figures))))
	}
	if t.cl, err = kgo.NewClient(opts...); err != nil {
		t.end()
		return nil, fmt.Errorf("making the Kafka client of payment: %w", err)
	}
	return t, nil
}

// prompt sends what the client holds back to gather more. One flush at a time does for any number of callers: while it runs the client holds
// nothing back, and it runs again for those that came when it was about to end.
func (t *till) prompt() {
	if t.prompted.Add(1) > 1 {
		return
	}
	go func() {
		for n := int64(1); n > 0; {
			if t.cl.Flush(t.ctx) != nil {
				return // closed
			}
			n = t.prompted.Add(-n)
		}
	}()
}

// forgetLocked has the client forget the topic, aside, since that waits for the client. A topic that was deleted and made again is another one
// (its id differs): the client writes nothing to it before it has forgotten the old one. What was sent before it last did so was sent to the old one.
func (s *Service) forgetLocked(t *till, sent time.Time) {
	if s.closed || t.forgetting || sent.Before(t.forgot) {
		return
	}
	t.forgetting = true
	s.wg.Go(func() {
		t.cl.PurgeTopicsFromProducing(events.PaymentSuccessful)
		s.mu.Lock()
		defer s.mu.Unlock()
		t.forgetting, t.forgot = false, time.Now()
	})
}

// close ends it in order: what is pending has until ctx ends.
func (t *till) close(ctx context.Context) error {
	err := t.cl.Flush(ctx)
	t.end()
	t.cl.Close()
	return err
}

// crash ends it as kill -9 of its process would.
func (t *till) crash() {
	t.cut()
	t.end()
	t.cl.Close()
}

// tillLocked is the instance that the next record goes to.
func (s *Service) tillLocked() (*till, error) {
	if s.stopped || s.closed {
		return nil, ErrStopped
	}
	for range s.slots {
		s.next = (s.next + 1) % len(s.slots)
		if t := s.slots[s.next].till; t != nil {
			return t, nil
		}
	}
	return nil, ErrDown
}

// openLocked starts the instances that should run and do not, and are not about to be restarted.
func (s *Service) openLocked() error {
	if s.stopped || s.closed {
		return nil
	}
	for len(s.slots) < s.wanted {
		s.slots = append(s.slots, &slot{})
	}
	for i, at := range s.slots[:s.wanted] {
		if at.till != nil || !at.again.IsZero() {
			continue
		}
		t, err := s.openTill(i)
		if err != nil {
			return err
		}
		at.till = t
	}
	return nil
}

// takeLocked empties the slots from this one on.
func (s *Service) takeLocked(from int) []*till {
	var tills []*till
	for _, at := range s.slots[min(from, len(s.slots)):] {
		if t := at.leave(); t != nil {
			tills = append(tills, t)
		}
	}
	return tills
}

// leave empties the slot and returns its till, whose figures make room for those of the next: it may take long to close.
func (at *slot) leave() *till {
	t := at.till
	if t != nil {
		at.till = nil
		t.figures.detach()
	}
	return t
}

// closeTills ends all instances in order. It returns soon after ctx.
func (s *Service) closeTills(ctx context.Context) error {
	s.mu.Lock()
	tills := s.takeLocked(0)
	s.mu.Unlock()
	ends := make(chan error, len(tills))
	for _, t := range tills {
		go func() { ends <- t.close(ctx) }()
	}
	var err error
	for range tills {
		err = errors.Join(err, <-ends)
	}
	return err
}

// Control is the Service as one that can be stopped, crashed, started and scaled while it runs.
func (s *Service) Control() services.Control { return control{s} }

type control struct{ s *Service }

// Stop implements services.Control. What is pending has until ctx ends to be acknowledged; what comes meanwhile is refused with ErrStopped.
func (c control) Stop(ctx context.Context) error {
	c.s.mu.Lock()
	c.s.stopped, c.s.since = true, time.Now()
	c.s.mu.Unlock()
	if err := c.s.closeTills(ctx); err != nil {
		return fmt.Errorf("stopping payment with records pending: %w", err)
	}
	return nil
}

// Crash implements services.Control. What is pending ends as ErrUnknown, which is what it is: it may have been written.
func (c control) Crash() error {
	s := c.s
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, at := range s.slots {
		t := at.leave()
		if t == nil {
			continue
		}
		if t.acked.Load() {
			at.fails = 0
		}
		s.since = time.Now()
		wait := min(restartPause<<min(at.fails, 10), restartPauseMax)
		at.fails++
		at.again = time.Now().Add(wait)
		s.wg.Go(func() {
			t.crash()
			s.restart(i, wait)
		})
	}
	return nil
}

// restart starts an instance again after a while, unless it is no longer wanted by then.
func (s *Service) restart(i int, wait time.Duration) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.life.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.slots[i]
	at.again = time.Time{}
	if err := s.openLocked(); err != nil { // the options were good before
		s.log.Error("restarting payment", "err", err)
		return
	}
	if at.till != nil {
		at.restarts++
		s.since = time.Now()
		s.log.Warn("an instance of payment crashed and was started again", "slot", i)
	}
}

// Start implements services.Control.
func (c control) Start() error {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.s.stopped, c.s.since = false, time.Now()
	return c.s.openLocked()
}

// closePatience is how long the instances that a smaller scale ends are given to have their records acknowledged.
const closePatience = time.Minute

// Scale implements services.Control. Instances that are too many send what they have, aside.
func (c control) Scale(instances int) error {
	if instances < 1 || instances > services.MaxInstances {
		return fmt.Errorf("a service runs in 1 to %d instances, not %d", services.MaxInstances, instances)
	}
	s := c.s
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wanted = instances
	for _, t := range s.takeLocked(instances) {
		s.wg.Go(func() {
			ctx, cancel := context.WithTimeout(s.life, closePatience)
			defer cancel()
			if err := t.close(ctx); err != nil {
				s.log.Warn("ending an instance of payment with records pending", "err", err)
			}
		})
	}
	return s.openLocked()
}

// Stats implements services.Control. Lag is the records that wait for their acknowledgement.
func (c control) Stats() services.Stats {
	s := c.s
	ack := s.ack.Percentiles()
	s.mu.Lock()
	defer s.mu.Unlock()
	st := services.Stats{
		Name: "payment", Status: services.Running, Handled: s.stats.Accepted, Produced: s.stats.Accepted, Lag: s.stats.Pending,
		Instances: s.wanted, P50: ack.P50, P99: ack.P99, Since: s.since,
	}
	for _, at := range s.slots {
		st.Restarts += at.restarts
		if at.till != nil {
			st.Live++
		}
	}
	switch stalled := s.stalledLocked(time.Now()); {
	case s.stopped || s.closed:
		st.Status = services.Stopped
	case st.Live < s.wanted:
		st.Status, st.Err = services.Restarting, ErrDown.Error()
	case stalled > 0:
		st.Status, st.Err = services.Retrying, fmt.Sprintf("no payment was acknowledged for %.1f s", stalled.Seconds())
	}
	return st
}

// stallAfter is when payments that are not acknowledged are worth a word: later than a failover.
const stallAfter = 2 * time.Second

// stalledLocked is how long nothing was acknowledged though something waits; 0 while that is nothing out of the ordinary.
func (s *Service) stalledLocked(now time.Time) time.Duration {
	if d := now.Sub(s.moved); s.stats.Pending > 0 && d > stallAfter {
		return d
	}
	return 0
}

var _ services.Control = control{}
