package payment_test

import (
	"context"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"kassa/services/events"
	"kassa/services/payment"
)

// counter takes whatever payment would.
type counter struct{ taken []payment.Request }

func (c *counter) Checkout(_ context.Context, req payment.Request) (payment.Receipt, error) {
	if err := payment.CheckCart(req.Cart); err != nil {
		return payment.Receipt{}, err
	}
	c.taken = append(c.taken, req)
	return payment.Receipt{}, nil
}

func (c *counter) Ready(context.Context) error { return nil }

// Whatever is sent, the answer is one of those that are documented, says why it refuses, and takes a cart only with 200.
func FuzzHandler(f *testing.F) {
	f.Add("POST", "application/json", "", []byte(axiosBody))
	f.Add("POST", "application/json; charset=utf-8", "key", []byte(`{"userId":"ann",`+axiosBody[1:]))
	f.Add("POST", "text/plain", "", []byte(axiosBody))
	f.Add("POST", "application/json", "k", []byte(`{"cart":[]}`))
	f.Add("POST", "application/json", "k", []byte(`{"cart":[{"price":1e400}],"cart":[]}`))
	f.Add("OPTIONS", "", "", []byte(nil))
	f.Add("PUT", "application/json", strings.Repeat("k", 300), []byte("\xff\x00"))
	f.Fuzz(func(t *testing.T, method, contentType, key string, body []byte) {
		if !slices.Contains([]string{"POST", "GET", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH"}, method) {
			return // the server refuses it before
		}
		till := &counter{}
		req := httptest.NewRequest(method, "/payment-service", strings.NewReader(string(body)))
		req.Header["Content-Type"] = []string{contentType}
		req.Header["Idempotency-Key"] = []string{key}
		w := httptest.NewRecorder()
		payment.Handler(till, nil).ServeHTTP(w, req)
		known := []int{200, 204, 400, 405, 413, 415}
		switch {
		case !slices.Contains(known, w.Code):
			t.Fatalf("%d %s", w.Code, w.Body)
		case (w.Code == 200) != (len(till.taken) == 1):
			t.Fatalf("%d %s, and %d carts were taken", w.Code, w.Body, len(till.taken))
		case w.Code == 200 && w.Body.String() != "Payment successful", w.Code >= 400 && w.Body.Len() == 0:
			t.Fatalf("%d %q", w.Code, w.Body)
		}
		for _, r := range till.taken {
			if _, _, err := events.Encode(events.Payment{UserID: "u", Cart: r.Cart, CheckoutID: "c"}); err != nil {
				t.Fatalf("it took what cannot be written: %v", err)
			}
		}
	})
}
