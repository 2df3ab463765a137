package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"kassa/kafkaops"
	"kassa/kafkaops/compose"
	"kassa/services"
	"kassa/services/events"
	"kassa/services/latency"
	"kassa/services/payment"
)

// joinShop is a shop whose services run in containers: they are used as they are. Beside them this process only watches, counts what it sees, and orders
// over HTTP.
func joinShop(ctx context.Context, cluster *compose.Cluster, log *slog.Logger, cfg shopConfig) (*shop, error) {
	door, ok := cluster.Service("payment")
	if !ok || door.Published["8000"] == "" {
		return nil, &kafkaops.UserError{Message: "the Docker Compose project has no payment service that can be reached from here: start all of it with `docker compose up`, or run the services in this process with --services embed"}
	}
	client := kafkaops.ClientOptions(cluster.Bootstrap())
	ctx, cancel := context.WithCancel(ctx)
	cfg.Door.close(ctx) // customers go to the container's
	s := newShop(cfg, client, cancel)
	s.cfg.Door = nil
	s.payment = newRemoteTill("http://"+door.Published["8000"]+"/payment-service", notary{s.book})
	if err := s.watch(cluster, client, log); err != nil {
		s.close(0)
		return nil, err
	}
	s.hired = newContainers(ctx, cluster, s, log)
	s.wg.Go(func() {
		if err := services.Observe(ctx, client, s.analytics.Service()); err != nil {
			log.Error("watching the events", "err", err)
		}
	})
	s.wg.Go(func() { s.load.Run(ctx) })
	s.wg.Go(s.hired.supervise)
	return s, nil
}

// ---- payment, behind HTTP

// remoteTill is a payment service somewhere else. It implements till.
type remoteTill struct {
	url     string
	client  *http.Client
	witness payment.Witness
	ack     *latency.Histogram
	recent  *latency.Interval
	under   sync.WaitGroup

	mu    sync.Mutex
	stats payment.Stats
}

func newRemoteTill(url string, witness payment.Witness) *remoteTill {
	return &remoteTill{url: url, witness: witness, ack: latency.New(), recent: latency.NewInterval(), client: &http.Client{
		Timeout:   payment.AckWait + 5*time.Second,
		Transport: &http.Transport{MaxIdleConnsPerHost: payment.MaxRequests, DialContext: (&net.Dialer{Timeout: time.Second}).DialContext},
	}}
}

// Submit implements till. Each order waits for its answer in a goroutine of its own, at most as many as the door lets in.
func (r *remoteTill) Submit(req payment.Request, done func(payment.Receipt, error)) {
	r.mu.Lock()
	if r.stats.Pending >= payment.MaxRequests {
		r.stats.Refused++
		r.mu.Unlock()
		r.witness.Answered("", 0, payment.ErrBusy)
		done(payment.Receipt{}, payment.ErrBusy)
		return
	}
	r.stats.Pending++
	r.mu.Unlock()
	r.under.Go(func() {
		receipt, err := r.order(context.Background(), req) // it ends by the client's time limit
		r.note(receipt, err)
		done(receipt, err)
	})
}

// Checkout implements till.
func (r *remoteTill) Checkout(ctx context.Context, req payment.Request) (payment.Receipt, error) {
	r.mu.Lock()
	r.stats.Pending++
	r.mu.Unlock()
	receipt, err := r.order(ctx, req)
	r.note(receipt, err)
	return receipt, err
}

func (r *remoteTill) note(receipt payment.Receipt, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stats.Pending--
	switch {
	case err == nil:
		r.stats.Accepted++
		r.ack.Record(receipt.Took)
		r.recent.Record(receipt.Took)
		return
	case errors.Is(err, payment.ErrUnknown):
		r.stats.Unresolved++
	default:
		r.stats.Refused++
	}
	r.stats.Err, r.stats.ErrAt = err.Error(), time.Now()
}

// order asks once. What was sent and not answered is unknown. Whatever comes of it, the checkout has its id: it follows from what is sent.
func (r *remoteTill) order(ctx context.Context, req payment.Request) (receipt payment.Receipt, err error) {
	asked := false
	defer func() {
		if !asked {
			r.witness.Answered("", 0, err)
			return
		}
		r.witness.Answered(receipt.CheckoutID, receipt.Amount, err)
	}()
	if receipt.Amount, err = events.Total(req.Cart); err != nil {
		return receipt, err
	}
	cart, err := json.Marshal(req.Cart)
	if err != nil {
		return receipt, err
	}
	user := req.UserID
	if user == "" {
		user = payment.DefaultUser
	}
	body, err := json.Marshal(struct {
		UserID string          `json:"userId"`
		Cart   json.RawMessage `json:"cart"`
	}{user, cart})
	if err != nil {
		return receipt, err
	}
	// A request that was sent and got no answer is sent again by net/http itself, for its key makes that safe. Whether the last try was sent says nothing of the first.
	var sent atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaders: func() { sent.Store(true) }})
	post, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url, strings.NewReader(string(body)))
	if err != nil {
		return receipt, err
	}
	key := req.IdempotencyKey
	if key == "" {
		key = uuid.NewString()
	}
	post.Header.Set("Content-Type", "application/json")
	post.Header.Set("Idempotency-Key", key)
	receipt.CheckoutID = services.KeyedCheckoutID(key, user, string(cart))
	asked = true
	r.witness.Asked(receipt.CheckoutID, receipt.Amount)
	begun := time.Now()
	res, err := r.client.Do(post)
	if err != nil {
		var op *net.OpError
		if errors.As(err, &op) && op.Op == "dial" && !sent.Load() {
			return receipt, fmt.Errorf("%w: %w", payment.ErrDown, op.Err)
		}
		var about *url.Error
		if errors.As(err, &about) {
			err = about.Err
		}
		return receipt, fmt.Errorf("%w: %w", payment.ErrUnknown, err)
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(res.Body, 1024)) // the code says enough without it
	receipt.Took = time.Since(begun)
	switch res.StatusCode {
	case http.StatusOK:
		if id := res.Header.Get(payment.CheckoutIDHeader); id != "" && id != receipt.CheckoutID {
			// It derives ids in another way than this kassa, so nothing is written under the one that was expected.
			r.witness.Answered(receipt.CheckoutID, receipt.Amount, errors.New("it goes by another id"))
			receipt.CheckoutID = id
		}
		return receipt, nil
	case http.StatusTooManyRequests:
		return receipt, payment.ErrBusy
	case http.StatusServiceUnavailable:
		return receipt, fmt.Errorf("%w: %s", payment.ErrUnknown, text)
	}
	return receipt, fmt.Errorf("payment answered %d: %s", res.StatusCode, text)
}

// Stats implements till.
func (r *remoteTill) Stats() payment.Stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	st := r.stats
	st.Ack = r.ack.Percentiles()
	return st
}

// Recent implements till.
func (r *remoteTill) Recent() latency.Percentiles { return r.recent.Take() }

// Close implements till.
func (r *remoteTill) Close(ctx context.Context) error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.under.Wait()
		r.client.CloseIdleConnections()
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("orders wait for their answers: %w", ctx.Err())
	}
}
