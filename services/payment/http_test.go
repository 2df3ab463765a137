package payment_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"kassa/services/payment"
)

const axiosBody = `{"cart":[{"id":1,"name":"T-Shirt","price":1999.9,"image":"/product1.png","description":"d"}]}`

func TestHTTP(t *testing.T) {
	d := open(t)
	srv := httptest.NewUnstartedServer(nil)
	srv.Config = payment.Server(payment.Handler(d.svc, nil))
	srv.Start()
	defer srv.Close()
	type header map[string]string
	jsonType := header{"Content-Type": "application/json"}
	for name, c := range map[string]struct {
		method, path, body string
		headers            header
		code               int
		text               string // the whole answer, or how it begins when it ends in …
		answers            header
	}{
		"the demo's call": {
			"POST", "/payment-service", axiosBody,
			header{"Content-Type": "application/json", "Origin": "http://localhost:3000"},
			200, "Payment successful",
			header{"Access-Control-Allow-Origin": "http://localhost:3000", "Access-Control-Expose-Headers": "Checkout-Id, Retry-After", "Vary": "Origin", "Content-Type": "text/plain; charset=utf-8"},
		},
		"with a user and a charset": {"POST", "/payment-service", `{"userId":"ann",` + axiosBody[1:], header{"Content-Type": "application/json; charset=utf-8"}, 200, "Payment successful", nil},
		"preflight": {
			"OPTIONS", "/payment-service", "",
			header{"Origin": "http://localhost:3000", "Access-Control-Request-Method": "POST"},
			204, "",
			header{"Access-Control-Allow-Origin": "http://localhost:3000", "Access-Control-Allow-Methods": "POST", "Access-Control-Allow-Headers": "Content-Type, Idempotency-Key"},
		},
		"health":         {"GET", "/healthz", "", nil, 200, "ok", nil},
		"ready":          {"GET", "/readyz", "", nil, 200, "ready", nil},
		"another page":   {"POST", "/payment-service", axiosBody, header{"Content-Type": "application/json", "Origin": "http://evil.example"}, 200, "Payment successful", header{"Access-Control-Allow-Origin": "http://localhost:3000"}},
		"form":           {"POST", "/payment-service", "cart=1", header{"Content-Type": "application/x-www-form-urlencoded"}, 415, "Content-Type must be application/json", nil},
		"no type":        {"POST", "/payment-service", axiosBody, nil, 415, "Content-Type must be application/json", nil},
		"not JSON":       {"POST", "/payment-service", "hello", jsonType, 400, "the body cannot be read: not JSON…", nil},
		"no body":        {"POST", "/payment-service", "", jsonType, 400, "the body cannot be read: no value…", nil},
		"NaN":            {"POST", "/payment-service", `{"cart":[{"price":NaN}]}`, jsonType, 400, "the body cannot be read: not JSON: invalid character 'N'…", nil},
		"no cart":        {"POST", "/payment-service", "{}", jsonType, 400, "the body cannot be read: cart is missing", nil},
		"empty cart":     {"POST", "/payment-service", `{"cart":[]}`, jsonType, 400, "the cart was refused: it is empty", nil},
		"negative price": {"POST", "/payment-service", `{"cart":[{"price":-1}]}`, jsonType, 400, "the body cannot be read: cart[0].price is negative", nil},
		"absurd price":   {"POST", "/payment-service", `{"cart":[{"price":1e12}]}`, jsonType, 400, "the cart was refused: cart[0].price is more than 10000000.00", nil},
		"too large":      {"POST", "/payment-service", `{"cart":[` + strings.Repeat(" ", payment.MaxBody) + `]}`, jsonType, 413, "the body is larger than 524288 bytes", nil},
		"another method": {"GET", "/payment-service", "", nil, 405, "…", header{"Allow": "OPTIONS, POST"}},
		"another path":   {"POST", "/", axiosBody, jsonType, 404, "…", nil},
		"a key too long": {"POST", "/payment-service", axiosBody, header{"Content-Type": "application/json", "Idempotency-Key": strings.Repeat("k", 300)}, 400, "the cart was refused: the idempotency key is longer than 256 bytes", nil},
		"a key":          {"POST", "/payment-service", axiosBody, header{"Content-Type": "application/json", "Idempotency-Key": "same"}, 200, "Payment successful", nil},
	} {
		t.Run(name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), c.method, srv.URL+c.path, strings.NewReader(c.body))
			if err != nil {
				t.Fatal(err)
			}
			for k, v := range c.headers {
				req.Header.Set(k, v)
			}
			resp, err := srv.Client().Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			begin, open := strings.CutSuffix(c.text, "…")
			if resp.StatusCode != c.code || string(body) != begin && (!open || !strings.HasPrefix(string(body), begin)) {
				t.Errorf("%d %q", resp.StatusCode, body)
			}
			for k, v := range c.answers {
				if got := resp.Header.Get(k); got != v {
					t.Errorf("%s is %q, want %q", k, got, v)
				}
			}
		})
	}
	if st := d.svc.Stats(); st.Accepted != 4 {
		t.Errorf("%+v", st)
	}
	reused := httptest.NewRequest("POST", "/payment-service", strings.NewReader(`{"cart":[{"price":1}]}`))
	reused.Header.Set("Content-Type", "application/json")
	reused.Header.Set("Idempotency-Key", "same")
	w := httptest.NewRecorder()
	payment.Handler(d.svc, nil).ServeHTTP(w, reused)
	if w.Code != 422 || w.Body.String() != payment.ErrKeyReused.Error() {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// What Kafka cannot acknowledge in time is not refused: the answer is 503, and says that the same request may be sent again.
func TestHTTPWithoutAcknowledgement(t *testing.T) {
	d := open(t, func(c *payment.Config) { c.MaxPending = 1 })
	release := d.stall()
	defer release()
	post := func(key string, wait time.Duration) *httptest.ResponseRecorder {
		req := httptest.NewRequest("POST", "/payment-service", strings.NewReader(axiosBody))
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Idempotency-Key", key)
		ctx, cancel := context.WithTimeout(t.Context(), wait)
		defer cancel()
		w := httptest.NewRecorder()
		payment.Handler(d.svc, nil).ServeHTTP(w, req.WithContext(ctx))
		return w
	}
	for text, w := range map[string]*httptest.ResponseRecorder{
		payment.ErrUnknown.Error(): post("a", 20*time.Millisecond),
		payment.ErrBusy.Error():    post("b", within),
	} {
		if w.Code != 503 || w.Header().Get("Retry-After") != "2" || !strings.HasPrefix(w.Body.String(), text) {
			t.Errorf("%d %s, want %s", w.Code, w.Body, text)
		}
	}
	release()
	if w := post("a", within); w.Code != 200 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	d.read(1)
}

// Whoever finds a full house is told so at once, with nothing written, and comes in when there is room again.
func TestAFullHouse(t *testing.T) {
	d := open(t)
	release := d.stall()
	defer release()
	handler := payment.Handler(d.svc, nil)
	post := func() *httptest.ResponseRecorder {
		req := httptest.NewRequest("POST", "/payment-service", strings.NewReader(axiosBody))
		req.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, req.WithContext(t.Context()))
		return w
	}
	var inside sync.WaitGroup
	for range payment.MaxRequests {
		inside.Go(func() {
			if w := post(); w.Code != 200 {
				t.Errorf("one who was in was told %d %s", w.Code, w.Body)
			}
		})
	}
	d.eventually(func(st payment.Stats) bool { return st.Pending == payment.MaxRequests })
	if w := post(); w.Code != 429 || w.Header().Get("Retry-After") != "2" || w.Body.String() != "1000 payments are under way: try again" {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
	release()
	inside.Wait()
	if w := post(); w.Code != 200 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	d.read(payment.MaxRequests + 1)
}
