package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"kassa/kafkaops"
	"kassa/kafkaops/drill"
	"kassa/kafkaops/tail"
	"kassa/kafkaops/watch"
	"kassa/services"
	"kassa/services/analytics"
	"kassa/services/email"
	"kassa/services/events"
	"kassa/services/load"
	"kassa/services/order"
	"kassa/services/payment"
	"kassa/tui"
)

// topicsWithin bounds the making of the topics on a cluster that has just come up.
const topicsWithin = 30 * time.Second

// tailEvery is how often new records reach the screen. Each batch costs three fetches and the drawing of three panes.
const tailEvery = 100 * time.Millisecond

// shop is the four services, the load and the two observers, in this process.
type shop struct {
	payment   *payment.Service
	runners   []*services.Runner
	analytics *analytics.Analytics
	load      *load.Load
	watcher   *watch.Watcher
	recorder  *drill.Recorder
	tailer    *tail.Tailer

	cancel context.CancelFunc
	wg     sync.WaitGroup
}

// openShop makes the topics and starts everything. It does not wait for the services to have joined their groups.
func openShop(ctx context.Context, cluster kafkaops.Cluster, log *slog.Logger) (*shop, error) {
	client := kafkaops.ClientOptions(cluster.Bootstrap())
	if err := makeTopics(ctx, client); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	s := &shop{cancel: cancel, analytics: analytics.New(nil)}

	var err error
	if s.payment, err = payment.New(payment.Config{Client: client, Log: log}); err != nil {
		cancel()
		return nil, err
	}
	if s.tailer, err = tail.Start(tail.Config{Client: client, Topics: events.Topics(), Every: tailEvery}); err != nil {
		s.close(0)
		return nil, err
	}
	s.watcher = watch.Start(cluster, watch.Config{Topics: events.Topics(), Log: log})
	s.recorder, err = drill.NewRecorder(drill.Config{Cluster: cluster, Watcher: s.watcher, Producer: payment.ProducerOptions(client), Log: log})
	if err != nil {
		s.close(0)
		return nil, err
	}
	s.analytics.OnEmail(s.recorder.Flowed)
	s.load = load.New(func(user string, cart []events.Item, done func(error)) {
		s.payment.Submit(payment.Request{UserID: user, Cart: cart}, func(_ payment.Receipt, err error) { done(err) })
	}, uint64(time.Now().UnixNano()))

	instance := uuid.NewString() // random: two processes never share a transactional id
	for _, svc := range []services.Service{order.Service(), email.Service(), s.analytics.Service()} {
		r := services.NewRunner(svc, services.Config{Client: client, Instance: instance, Log: log.With("service", svc.Name)})
		s.runners = append(s.runners, r)
		s.wg.Go(func() {
			if err := r.Run(ctx); err != nil && ctx.Err() == nil {
				log.Error("service ended", "service", svc.Name, "err", err)
			}
		})
	}
	s.wg.Go(func() { s.load.Run(ctx) })
	return s, nil
}

func makeTopics(ctx context.Context, client []kgo.Opt) error {
	cl, err := kgo.NewClient(client...)
	if err != nil {
		return fmt.Errorf("make a client: %w", err)
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(ctx, topicsWithin)
	defer cancel()
	if err := services.EnsureTopics(ctx, kadm.NewClient(cl)); err != nil {
		return fmt.Errorf("make the topics: %w", err)
	}
	return nil
}

// close ends everything, and gives what is pending this long.
func (s *shop) close(grace time.Duration) {
	s.cancel()
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		if s.payment != nil {
			_ = s.payment.Close(ctx) // what stays pending was told to be unknown
		}
		if s.tailer != nil {
			s.tailer.Close()
		}
		if s.recorder != nil {
			s.recorder.Close()
		}
		if s.watcher != nil {
			s.watcher.Close()
		}
		s.wg.Wait()
	}()
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// backend is the shop and its cluster, for the screen.
func (s *shop) backend(cluster kafkaops.Cluster) *tui.Backend {
	info := cluster.Info()
	return &tui.Backend{
		Info: info, Delivery: "exactly-once", Note: info.Note,
		Do: s.recorder.Do, Arm: s.recorder.Arm, Timelines: s.recorder.Timelines, States: s.watcher.States(), Batches: s.tailer.Batches(), Shop: s,
	}
}

// Checkout implements tui.Shop.
func (s *shop) Checkout(ctx context.Context) (tui.Receipt, error) {
	r, err := s.payment.Checkout(ctx, payment.Request{Cart: events.DefaultCart()})
	if errors.Is(err, payment.ErrUnknown) {
		err = errors.New("unknown: not acknowledged yet")
	}
	return tui.Receipt{CheckoutID: r.CheckoutID, Amount: int64(r.Amount), Took: r.Took}, err
}

// SetLoad implements tui.Shop.
func (s *shop) SetLoad(perSecond int, on bool) { s.load.Set(perSecond, on) }

// Figures implements tui.Shop.
func (s *shop) Figures() tui.Figures {
	p, t, l := s.payment.Stats(), s.analytics.Totals(), s.load.Figures()
	f := tui.Figures{
		Accepted: p.Accepted, Pending: p.Pending, Refused: p.Refused, Shed: l.Shed, AckP50: p.Ack.P50, AckP99: p.Ack.P99,
		Complete: t.Complete, InFlight: t.InFlight, Revenue: int64(t.Revenue),
		FlowP50: t.PaymentToEmail.P50, FlowP99: t.PaymentToEmail.P99,
	}
	for _, r := range s.runners {
		f.Services = append(f.Services, r.Stats())
	}
	return f
}

// catalogue is the default cart, for the checkout pane.
func catalogue() tui.Catalogue {
	var c tui.Catalogue
	for _, item := range events.DefaultCart() {
		c = append(c, tui.Product{Name: item.Name, Price: int64(item.Price)})
	}
	return c
}
