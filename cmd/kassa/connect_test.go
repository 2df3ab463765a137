package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"kassa/services/events"
	"kassa/services/ledger"
	"kassa/services/payment"
)

// Over HTTP an order is accepted, refused, or unknown: refused only where nothing can have been written.
func TestOrdersOverHTTP(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := closed.Addr().String()
	closed.Close()
	for name, c := range map[string]struct {
		answer http.HandlerFunc // nil: nobody listens
		want   error
		says   string
	}{
		"accepted": {answer: func(w http.ResponseWriter, r *http.Request) {
			var body struct {
				UserID string
				Cart   []json.RawMessage
			}
			if err := json.NewDecoder(r.Body).Decode(&body); err != nil || body.UserID != "ann" || len(body.Cart) != 3 || r.Header.Get("Idempotency-Key") == "" {
				t.Errorf("%+v, %v, %v", body, err, r.Header)
			}
			w.Header().Set(payment.CheckoutIDHeader, "4711")
			fmt.Fprint(w, "Payment successful")
		}},
		"nobody there": {want: payment.ErrDown},
		"not in time": {answer: func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "it may land", http.StatusServiceUnavailable)
		}, want: payment.ErrUnknown, says: "it may land"},
		"cut short":  {answer: func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, want: payment.ErrUnknown},
		"too many":   {answer: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTooManyRequests) }, want: payment.ErrBusy},
		"a bad cart": {answer: func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no such price", http.StatusBadRequest) }, says: "400: no such price"},
	} {
		t.Run(name, func(t *testing.T) {
			addr := nobody
			if c.answer != nil {
				server := httptest.NewServer(c.answer)
				defer server.Close()
				addr = strings.TrimPrefix(server.URL, "http://")
			}
			till := newRemoteTill("http://"+addr+"/payment-service", notary{ledger.NewBook("")})
			answered := make(chan error, 1)
			till.Submit(payment.Request{UserID: "ann", Cart: events.DefaultCart()}, func(r payment.Receipt, err error) {
				if err == nil && (r.CheckoutID != "4711" || r.Amount != 694970) {
					t.Errorf("receipt %+v", r)
				}
				answered <- err
			})
			err := <-answered
			if err := till.Close(t.Context()); err != nil {
				t.Error(err)
			}
			st := till.Stats()
			accepted := c.want == nil && c.says == ""
			switch {
			case accepted && (err != nil || st.Accepted != 1 || st.Ack.Count != 1):
				t.Errorf("%v, %+v", err, st)
			case !accepted && (err == nil || c.want != nil && !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says)):
				t.Errorf("got %v, want %v that says %q", err, c.want, c.says)
			case errors.Is(c.want, payment.ErrUnknown) != (st.Unresolved == 1) || st.Pending != 0:
				t.Errorf("%+v", st)
			}
		})
	}
}

// net/http sends a request with a key again by itself when its connection ends without an answer. That the second try reached nobody does not mean that the first was
// not taken.
func TestAnOrderThatWasSentAndSentAgainIsUnknown(t *testing.T) {
	var server *httptest.Server
	orders := 0
	server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if orders++; orders == 1 {
			fmt.Fprint(w, "Payment successful") // the connection stays, and is used again
			return
		}
		server.Listener.Close()
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		conn.Close()
	}))
	defer server.Close()
	till := newRemoteTill(server.URL+"/payment-service", notary{ledger.NewBook("")})
	for _, want := range []error{nil, payment.ErrUnknown} {
		if _, err := till.Checkout(t.Context(), payment.Request{Cart: events.DefaultCart()}); !errors.Is(err, want) {
			t.Errorf("got %v, want %v", err, want)
		}
	}
	if err := till.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// Flags that contradict each other are refused with a sentence, before anything is started.
func TestFlagsOfTheContainers(t *testing.T) {
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"cluster", "--cluster", "compose", "--data-dir", "x"}, "--data-dir is for brokers on this machine"},
		{[]string{"cluster", "--cluster", "docker"}, "--cluster is auto, local, compose or embedded"},
		{[]string{"--services", "connect"}, "needs --cluster compose"},
		{[]string{"--cluster", "compose", "--services", "both"}, "--services is embed or connect"},
		{[]string{"topics", "--brokers", "x"}, "--brokers takes host:port"},
		{[]string{"topics", "--at-least", "0"}, "1 or more"},
	} {
		_, err := execute(t, c.args...)
		if err == nil || !strings.Contains(err.Error(), c.says) || exitCode(err) != exitCannot {
			t.Errorf("%q: %v, want one that says %q", c.args, err, c.says)
		}
	}
}

// The health check of a container that holds nothing but kassa.
func TestReady(t *testing.T) {
	code := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }))
	defer server.Close()
	if _, err := execute(t, "ready", server.URL); err != nil {
		t.Errorf("ready: %v", err)
	}
	code = http.StatusServiceUnavailable
	if out, err := execute(t, "ready", server.URL); !errors.Is(err, errBadVerdict) || !strings.Contains(out, "503") {
		t.Errorf("not ready: %v, %q", err, out)
	}
	server.Close()
	if _, err := execute(t, "ready", server.URL); exitCode(err) != exitBad {
		t.Errorf("nobody there: %v", err)
	}
}
