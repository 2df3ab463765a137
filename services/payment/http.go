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
	// AckWait is how long a request waits for Kafka before it answers 503: longer than a broker's failover takes.
	AckWait = 10 * time.Second
	// RetryAfter is what a 503 asks for, in seconds.
	RetryAfter = 2
	// origin is where the demo's web page comes from; other pages are not let in by their browsers.
	origin = "http://localhost:3000"
)

// Handler is the door for customers: POST /payment-service and GET /healthz. Answers are text; those that refuse
// say why. It is meant for a server with read and idle timeouts, bound to the loopback address.
func Handler(s *Service) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /payment-service", s.pay)
	mux.HandleFunc("OPTIONS /payment-service", preflight)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, "ok") })
	return cors(mux)
}

// cors names the one origin whatever the request says, as the demo's server does.
func cors(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", origin)
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

func (s *Service) pay(w http.ResponseWriter, r *http.Request) {
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
	_, err = s.Checkout(ctx, Request{UserID: userID, Cart: cart, IdempotencyKey: r.Header.Get("Idempotency-Key")})
	if err == nil {
		answer(w, http.StatusOK, "Payment successful")
		return
	}
	code := status(err)
	if code == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", strconv.Itoa(RetryAfter))
	}
	answer(w, code, err.Error())
}

// status is how an error of Checkout is said in HTTP. What Kafka refuses is not the customer's fault.
func status(err error) int {
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

// Server is an http.Server for Handler with its time limits: a slow sender is cut, and an answer has AckWait and some time to be read.
func Server(s *Service) *http.Server {
	return &http.Server{
		Handler:           Handler(s),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      AckWait + 15*time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
	}
}
