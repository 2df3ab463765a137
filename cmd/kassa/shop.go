package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"kassa/kafkaops"
	"kassa/kafkaops/drill"
	"kassa/kafkaops/drill/runner"
	"kassa/kafkaops/tail"
	"kassa/kafkaops/watch"
	"kassa/services"
	"kassa/services/analytics"
	"kassa/services/email"
	"kassa/services/events"
	"kassa/services/latency"
	"kassa/services/ledger"
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
	cfg       shopConfig
	client    []kgo.Opt
	book      *ledger.Book // of every promise made through payment
	payment   till
	staff     *staff      // nil where the services run in containers
	hired     *containers // nil where they run in this process
	analytics *analytics.Analytics
	mailer    *email.Mailer
	load      *load.Load
	watcher   *watch.Watcher
	recorder  *drill.Recorder
	meter     *runner.Meter // for drills
	drill     drillSlot
	tailer    *tail.Tailer
	dead      deadLetters

	cancel context.CancelFunc
	wg     sync.WaitGroup
}

// till is payment, in this process or behind HTTP.
type till interface {
	Checkout(ctx context.Context, req payment.Request) (payment.Receipt, error)
	Submit(req payment.Request, done func(payment.Receipt, error))
	Stats() payment.Stats
	Recent() latency.Percentiles
	Close(ctx context.Context) error
}

// people is who does the shop's work.
type people interface {
	tui.Staff
	stats() []services.Stats
}

func (s *shop) people() people {
	if s.hired != nil {
		return s.hired
	}
	return s.staff
}

// shopConfig is what a person may choose about the shop.
type shopConfig struct {
	Products []events.Item // what the load's customers choose from
	Mail     email.Config  // where mails go; the zero value catches them
	Delivery services.Delivery
	Acks     payment.Acks
	Door     *door // payment over HTTP; nil for none
	Topics   services.TopicSettings
	Seed     uint64 // of the load's carts; 0 means any
	NoTail   bool   // nobody looks at the records
}

func newShop(cfg shopConfig, client []kgo.Opt, cancel context.CancelFunc) *shop {
	return &shop{cfg: cfg, client: client, cancel: cancel, book: ledger.NewBook(""), analytics: analytics.New(nil), dead: deadLetters{client}}
}

// openShop makes the topics and starts everything. It does not wait for the services to have joined their groups.
func openShop(ctx context.Context, cluster kafkaops.Cluster, log *slog.Logger, cfg shopConfig) (*shop, error) {
	client, pace := kafkaops.ClientOptions(cluster.Bootstrap()), paceFor(cluster.Info())
	if err := makeTopics(ctx, client, cfg.Topics); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	s := newShop(cfg, client, cancel)

	paymentCfg := payment.Config{Client: client, Acks: cfg.Acks, Linger: pace.Linger, Witness: notary{s.book}, Log: log}
	reg := payment.NewRegistry()
	if cfg.Door != nil {
		paymentCfg.Metrics = reg
	}
	own, err := payment.New(paymentCfg)
	if err != nil {
		s.close(0)
		return nil, err
	}
	s.payment = own
	if err := s.watch(cluster, client, log); err != nil {
		s.close(0)
		return nil, err
	}

	cfg.Mail.Log = log
	if s.mailer, err = email.NewMailer(cfg.Mail); err != nil {
		s.close(0)
		return nil, err
	}

	// A random name: two processes never share a transactional id.
	if s.staff, err = newStaff(client, uuid.NewString(), cfg.Delivery, pace, log, order.Service(), s.mailer.Service(), s.analytics.Service()); err != nil {
		s.close(0)
		return nil, err
	}
	s.staff.payment = own.Control()
	s.staff.run(ctx, s.wg.Go)
	if cfg.Door != nil {
		cfg.Door.open(payment.Counted(reg, payment.Handler(own, own.Metrics(reg, s.staff.all))))
	}
	s.wg.Go(func() { s.load.Run(ctx) })
	return s, nil
}

// watch begins what watches the cluster and the topics, and has the load wait for its orders.
func (s *shop) watch(cluster kafkaops.Cluster, client []kgo.Opt, log *slog.Logger) (err error) {
	if !s.cfg.NoTail {
		if s.tailer, err = tail.Start(tail.Config{Client: client, Topics: events.Topics(), Every: tailEvery}); err != nil {
			return err
		}
	}
	s.watcher = watch.Start(cluster, watch.Config{Topics: events.Topics(), Log: log})
	s.recorder, err = drill.NewRecorder(drill.Config{
		Cluster: cluster, Watcher: s.watcher, Producer: payment.ProducerOptions(client, s.cfg.Acks), MinISR: s.cfg.Topics.MinISR, Log: log,
	})
	if err != nil {
		return err
	}
	s.meter = runner.NewMeter()
	s.analytics.OnEmail(func(paid, emailed, seen time.Time) {
		s.recorder.Flowed(paid, seen)
		s.meter.Completed(paid, emailed, seen)
	})
	s.load = load.New(customers(s.payment), s.cfg.Products, cmp.Or(s.cfg.Seed, uint64(time.Now().UnixNano())))
	s.load.OnAccepted(s.meter.Acked)
	return nil
}

func makeTopics(ctx context.Context, client []kgo.Opt, set services.TopicSettings) error {
	cl, err := kgo.NewClient(client...)
	if err != nil {
		return fmt.Errorf("make a client: %w", err)
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(ctx, topicsWithin)
	defer cancel()
	if err := services.EnsureTopics(ctx, kadm.NewClient(cl), set); err != nil {
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
		if s.mailer != nil {
			s.mailer.Close()
		}
		_ = s.book.Close() // its file has no name: it is gone with its descriptor
	}()
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// backend is the shop and its cluster, for the screen.
func (s *shop) backend(cluster kafkaops.Cluster, log *slog.Logger) *tui.Backend {
	info := cluster.Info()
	notes := []string{info.Note, acksWarning(s.cfg.Acks)}
	if s.hired == nil {
		notes = append(notes, sharing(cluster))
	}
	if s.cfg.Door != nil {
		notes = append(notes, s.cfg.Door.note)
	}
	acks := ""
	if s.cfg.Acks != payment.AcksAll {
		acks = "acks=" + s.cfg.Acks.String()
	}
	b := &tui.Backend{
		Info: info, Note: strings.Join(slices.DeleteFunc(notes, func(n string) bool { return n == "" }), "; "), Acks: acks, URL: s.cfg.Door.url(),
		DeadLetters: s.dead, Log: screenLog{tail.NewLog(s.client)},
		Do: s.recorder.Do, Arm: s.recorder.Arm, Timelines: s.recorder.Timelines, Others: s.watcher.WatchOthers, States: s.watcher.States(), Batches: s.tailer.Batches(), Shop: s, Load: s.load, Staff: s.people(), Analytics: s.analytics,
		Recent: func() tui.Recent { return tui.Recent{Ack: s.payment.Recent(), Flow: s.analytics.Recent()} },
	}
	if s.mailer != nil {
		b.Mail = s.mailer
	}
	if s.hired != nil {
		b.DeliveryFixed, b.URL = true, s.hired.url
	} else {
		b.Drills = &screenDrills{shop: s, cluster: cluster, log: log}
	}
	return b
}

// Checkout implements tui.Shop.
func (s *shop) Checkout(ctx context.Context, userID string, cart []events.Item) (tui.Receipt, error) {
	r, err := s.payment.Checkout(ctx, payment.Request{UserID: userID, Cart: cart})
	if errors.Is(err, payment.ErrUnknown) {
		err = errors.New("unknown: not acknowledged yet")
	}
	return tui.Receipt{CheckoutID: r.CheckoutID, Amount: int64(r.Amount), Took: r.Took}, err
}

// Figures implements tui.Shop.
func (s *shop) Figures() tui.Figures {
	p, t := s.payment.Stats(), s.analytics.Totals()
	f := tui.Figures{
		Accepted: p.Accepted, Pending: p.Pending, Refused: p.Refused, AckP50: p.Ack.P50, AckP99: p.Ack.P99,
		Complete: t.Complete, InFlight: t.InFlight, Revenue: int64(t.Revenue),
		FlowP50: t.PaymentToEmail.P50, FlowP99: t.PaymentToEmail.P99,
	}
	f.Services = s.people().stats()
	return f
}
