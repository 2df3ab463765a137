package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"kassa/kafkaops"
	"kassa/services"
	"kassa/services/payment"
)

// usualDoor is where the demo's web page looks for payment.
const usualDoor = "127.0.0.1:8000"

// door is payment over HTTP. It listens before there is a shop, so that an address which is taken is known at once, and says 503 until then.
type door struct {
	listener net.Listener
	server   *http.Server
	shop     atomic.Pointer[http.Handler]
	note     string // that it is not where one would look for it; empty if it is
	ended    chan error
	hurry    context.CancelFunc // has whoever still waits answered: it is not known
}

// openDoor listens on addr. With elsewhere another port does if it is taken.
func openDoor(addr string, elsewhere bool) (*door, error) {
	d := &door{ended: make(chan error, 1)}
	l, err := net.Listen("tcp", addr)
	if err != nil && elsewhere {
		host, _, _ := net.SplitHostPort(addr)
		if l, err = net.Listen("tcp", net.JoinHostPort(host, "0")); err == nil {
			d.note = fmt.Sprintf("%s is taken: payment takes POST on http://%s/payment-service", addr, l.Addr())
		}
	}
	if err != nil {
		return nil, err
	}
	d.listener = l
	d.shut()
	d.server = payment.Server(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*d.shop.Load()).ServeHTTP(w, r) }))
	var life context.Context
	life, d.hurry = context.WithCancel(context.Background())
	d.server.BaseContext = func(net.Listener) context.Context { return life }
	go func() { d.ended <- d.server.Serve(l) }()
	return d, nil
}

// shut turns customers away until the next open.
func (d *door) shut() {
	if d == nil {
		return
	}
	closed := payment.Handler(shut{}, nil) // with all that a browser wants to be told, or its page would see no more than an error of the network
	d.shop.Store(&closed)
}

// shut is payment before there is a shop.
type shut struct{}

var errShut = errors.New("the shop is not open yet")

// Checkout implements payment.Till.
func (shut) Checkout(context.Context, payment.Request) (payment.Receipt, error) {
	return payment.Receipt{}, errShut
}

// Ready implements payment.Till.
func (shut) Ready(context.Context) error { return errShut }

// open lets customers in.
func (d *door) open(shop http.Handler) { d.shop.Store(&shop) }

// url is where customers go; empty without a door.
func (d *door) url() string {
	if d == nil {
		return ""
	}
	return "http://" + d.listener.Addr().String() + "/payment-service"
}

// lastWords is what is left of the time for whoever is in to be told that it is not known what became of the payment.
const lastWords = 300 * time.Millisecond

// close lets nobody in any more, and those who are in have until ctx ends.
func (d *door) close(ctx context.Context) {
	if d == nil {
		return
	}
	defer d.hurry()
	patient := ctx
	if end, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		patient, cancel = context.WithDeadline(ctx, end.Add(-lastWords))
		defer cancel()
	}
	if d.server.Shutdown(patient) == nil {
		return
	}
	d.hurry()
	if d.server.Shutdown(ctx) != nil {
		_ = d.server.Close()
	}
}

// doorFlag is --http.
type doorFlag struct{ addr string }

const noDoor = "none"

func (f *doorFlag) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.addr, "http", "", "where payment takes POST /payment-service: host:port (the default is "+usualDoor+", or a free port when that is taken) or none")
	_ = cmd.RegisterFlagCompletionFunc("http", cobra.FixedCompletions([]string{noDoor}, cobra.ShellCompDirectiveNoFileComp))
}

// open is nil for none.
func (f *doorFlag) open() (*door, error) {
	switch f.addr {
	case noDoor:
		return nil, nil
	case "":
		d, err := openDoor(usualDoor, true)
		if err != nil {
			return nil, &kafkaops.UserError{Message: fmt.Sprintf("payment finds no port to listen on (%v): do without it with --http none", err), Err: err}
		}
		return d, nil
	}
	if _, _, err := net.SplitHostPort(f.addr); err != nil {
		return nil, usageError{fmt.Errorf("--http is host:port or none, not %q", f.addr)}
	}
	d, err := openDoor(f.addr, false)
	if err != nil {
		return nil, &kafkaops.UserError{Message: fmt.Sprintf("payment cannot listen on %s (%v): choose another address with --http, or none", f.addr, err), Err: err}
	}
	return d, nil
}

// acksFlag is --acks.
type acksFlag struct{ payment.Acks }

// Set implements pflag.Value.
func (f *acksFlag) Set(text string) (err error) {
	f.Acks, err = payment.ParseAcks(text)
	return err
}

// Type implements pflag.Value.
func (f *acksFlag) Type() string { return "acks" }

func (f *acksFlag) register(cmd *cobra.Command) {
	cmd.Flags().Var(f, "acks", "how many brokers must have a payment before it counts: all, 1 (the leader: an acknowledged order can be lost), 0 (nobody)")
	_ = cmd.RegisterFlagCompletionFunc("acks", cobra.FixedCompletions([]string{"all", "1", "0"}, cobra.ShellCompDirectiveNoFileComp))
}

func acksWarning(a payment.Acks) string {
	if a == payment.AcksAll {
		return ""
	}
	return fmt.Sprintf("acks=%s: an acknowledged order can be lost", a)
}

// drain is how long payment waits for what was accepted to be acknowledged before it ends.
const drain = 5 * time.Second

// servePayment takes checkouts over HTTP until ctx ends, then lets what is under way finish. Without listen it is where payment usually listens, or
// on another port if that is taken.
func servePayment(ctx context.Context, cfg payment.Config, listen string) error {
	addr := listen
	if addr == "" {
		addr = usualDoor
	}
	d, err := openDoor(addr, listen == "")
	if err != nil {
		return &kafkaops.UserError{Message: fmt.Sprintf("payment cannot listen on %s (%v): choose another address with --listen", addr, err), Err: err}
	}
	tuneService()
	reg := payment.NewRegistry()
	cfg.Metrics = reg
	p, err := payment.New(cfg)
	if err != nil {
		d.close(context.Background()) // nobody was let in
		return err
	}
	d.open(payment.Counted(reg, payment.Handler(p, p.Metrics(reg, func() []services.Stats { return []services.Stats{p.Control().Stats()} }))))
	if w := acksWarning(cfg.Acks); w != "" {
		cfg.Log.Warn(w)
	}
	if d.note != "" {
		cfg.Log.Warn(d.note)
	}
	cfg.Log.Info("taking checkouts", "url", d.url())
	select {
	case err = <-d.ended:
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.Background(), drain)
	defer cancel()
	d.close(grace)
	closePayment(grace, p, cfg.Log)
	if err != nil && !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve payments: %w", err)
	}
	return nil
}

func closePayment(ctx context.Context, p *payment.Service, log *slog.Logger) {
	if err := p.Close(ctx); err != nil {
		log.Warn("payments were pending at the end: their outcome is unknown", "err", err)
	}
}
