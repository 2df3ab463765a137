package events_test

import (
	"math/big"
	"reflect"
	"testing"
	"time"

	"kassa/services/events"
)

// linger is more than anything that is read may take: what a stranger writes must not hold a service up.
const linger = 2 * time.Second

// Whatever Decode takes, Encode writes, and Decode reads the same from it; whatever it does not take, it survives, in bounded time.
func FuzzDecode(f *testing.F) {
	for _, p := range []events.Payload{pay, order, email} {
		_, value, _ := events.Encode(p)
		f.Add(p.Topic(), value)
	}
	f.Add(events.PaymentSuccessful, []byte(`{"userId":"u","cart":[{"price":1e-3,"x":[{}]}],"cart2":"\ud800"}`))
	f.Add(events.OrderSuccessful, []byte(`{"userId":"u","orderId":"o","orderId":1}`))
	f.Fuzz(func(t *testing.T, topic string, value []byte) {
		begun := time.Now()
		first, err := events.Decode(topic, nil, value, nil)
		if took := time.Since(begun); took > linger {
			t.Fatalf("%d bytes took %s", len(value), took)
		}
		if err != nil {
			// Kafka's longest topic name has 249 characters, each of which is quoted as four at most.
			if first.Topic != topic || err.Error() == "" || len(topic) < 250 && len(err.Error()) > 1200 {
				t.Fatalf("%q is no reason", err)
			}
			return
		}
		if first.Payload.Checkout() == "" {
			first = first.WithCheckout("c")
		}
		if len(value) > events.MaxValue/16 {
			return // written out with every field it may be too long
		}
		key, wire, err := events.Encode(first.Payload)
		if err != nil {
			t.Fatalf("%s was read and cannot be written: %v", value, err)
		}
		if string(key) != first.Payload.Checkout() {
			t.Fatalf("key %q of %s", key, wire)
		}
		again, err := events.Decode(topic, key, wire, nil)
		if err != nil || !reflect.DeepEqual(first.Payload, again.Payload) {
			t.Fatalf("%s became %s: %+v, then %+v (%v)", value, wire, first.Payload, again.Payload, err)
		}
	})
}

// A cart that is read adds up to what arithmetic without bounds says, or is refused.
func FuzzCart(f *testing.F) {
	f.Add([]byte(`{"cart":[{"id":1,"name":"T-Shirt","price":1999.9,"image":"/product1.png","description":"d"}]}`))
	f.Add([]byte(`{"userId":"u","cart":[]}`))
	f.Add([]byte(`{"cart":[{"price":9999999999999.99},{"price":0.01}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		user, cart, err := events.DecodeCheckout(body)
		if err != nil {
			return
		}
		exact := new(big.Int)
		for i, item := range cart {
			if item.Price < 0 || item.Price > events.MaxMoney {
				t.Fatalf("cart[%d] of %s has a price of %d", i, body, item.Price)
			}
			exact.Add(exact, big.NewInt(int64(item.Price)))
		}
		sum, err := events.Total(cart)
		if most := big.NewInt(int64(events.MaxMoney)); (err == nil) != (exact.Cmp(most) <= 0) || err == nil && exact.Cmp(big.NewInt(int64(sum))) != 0 {
			t.Fatalf("%s adds up to %d (%v), not %s", body, sum, err, exact)
		}
		if len(user) > events.MaxID {
			t.Fatalf("a user id of %d bytes", len(user))
		}
	})
}
