package payment

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"time"

	"kassa/services/events"
)

// Limits of the HTTP door.
const (
	// MaxBody is the largest body that is read, in bytes: MaxItems with three texts of MaxText each, and some room.
	MaxBody = 512 << 10
	// MaxRequests is how many payments may be under way over HTTP at once: with 20 kB each they stay small, and at 5,000/s it is the work
	// of 200 ms.
	MaxRequests = 1000
	// AckWait is how long a request waits for Kafka before it answers 503: longer than a broker's failover takes.
	AckWait = 10 * time.Second
	// RetryAfter is what a 429 or 503 asks for, in seconds.
	RetryAfter = 2
	// CheckoutIDHeader names the checkout in a 200: what all its events have in common.
	CheckoutIDHeader = "Checkout-Id"
	// origin is where the demo's web page comes from; other pages are not let in by their browsers.
	origin = "http://localhost:3000"
	// exposed is what that page's scripts may read of an answer beside its text.
	exposed = CheckoutIDHeader + ", Retry-After"
)

// Till is what the door asks of payment.
type Till interface {
	Checkout(ctx context.Context, req Request) (Receipt, error)
	// Ready says why no payment can be acknowledged now; nil if one can, as far as is known.
	Ready(ctx context.Context) error
}

// door is payment over HTTP.
type door struct {
	till Till
	room chan struct{} // a token for each payment under way
}

// Handler is the door for customers: POST /payment-service; for whoever runs it GET /healthz (the process lives), GET /readyz (a payment can be
// acknowledged) and, unless metrics is nil, GET /metrics. Answers are text; those that refuse say why. It is meant for a server with read and
// idle timeouts, bound to the loopback address.
func Handler(till Till, metrics http.Handler) http.Handler {
	d := &door{till: till, room: make(chan struct{}, MaxRequests)}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /payment-service", d.pay)
	mux.HandleFunc("OPTIONS /payment-service", preflight)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", d.ready)
	if metrics != nil {
		mux.Handle("GET /metrics", metrics)
	}
	return cors(mux)
}

// cors names the one origin whatever the request says, as the demo's server does.
func cors(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", origin)
		w.Header().Set("Access-Control-Expose-Headers", exposed)
		w.Header().Add("Vary", "Origin")
		next.ServeHTTP(w, r)
	})
}

func preflight(w http.ResponseWriter, _ *http.Request) {
	h := w.Header()
	h.Set("Access-Control-Allow-Methods", "POST")
	h.Set("Access-Control-Allow-Headers", "Content-Type, Idempotency-Key")
	h.Set("Access-Control-Max-Age", "600")
	w.WriteHeader(http.StatusNoContent)
}

func (d *door) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readyWithin)
	defer cancel()
	if err := d.till.Ready(ctx); err != nil {
		refuse(w, http.StatusServiceUnavailable, err.Error())
		return
	}
	answer(w, http.StatusOK, "ready")
}

func (d *door) pay(w http.ResponseWriter, r *http.Request) {
	select {
	case d.room <- struct{}{}:
		defer func() { <-d.room }()
	default:
		refuse(w, http.StatusTooManyRequests, fmt.Sprintf("%d payments are under way: try again", MaxRequests))
		return
	}
	// Only JSON: it is also what makes a browser ask before it lets a foreign page in.
	if mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || mediaType != "application/json" {
		answer(w, http.StatusUnsupportedMediaType, "Content-Type must be application/json")
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBody))
	if err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			answer(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is larger than %d bytes", MaxBody))
			return
		}
		answer(w, http.StatusBadRequest, "the body could not be read: "+err.Error())
		return
	}
	userID, cart, err := events.DecodeCheckout(body)
	if err != nil {
		answer(w, http.StatusBadRequest, "the body cannot be read: "+err.Error())
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), AckWait)
	defer cancel()
	receipt, err := d.till.Checkout(ctx, Request{UserID: userID, Cart: cart, IdempotencyKey: r.Header.Get("Idempotency-Key")})
	switch code := status(err); code {
	case http.StatusOK:
		w.Header().Set(CheckoutIDHeader, receipt.CheckoutID)
		answer(w, code, "Payment successful")
	case http.StatusServiceUnavailable:
		refuse(w, code, err.Error())
	default:
		answer(w, code, err.Error())
	}
}

// refuse answers what may go better in a moment.
func refuse(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Retry-After", strconv.Itoa(RetryAfter))
	answer(w, code, text)
}

// status is how an error of Checkout is said in HTTP. What Kafka refuses is not the customer's fault.
func status(err error) int {
	if err == nil {
		return http.StatusOK
	}
	if _, ok := errors.AsType[*CartError](err); ok {
		return http.StatusBadRequest
	}
	if errors.Is(err, ErrKeyReused) {
		return http.StatusUnprocessableEntity
	}
	return http.StatusServiceUnavailable
}

func answer(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(code)
	_, _ = io.WriteString(w, text) // a client that has gone needs no answer
}

// Server is an http.Server with time limits for a Handler: a slow sender is cut, and an answer has AckWait and some time to be read.
func Server(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      AckWait + 15*time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
	}
}
