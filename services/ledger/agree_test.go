package ledger

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"pgregory.net/rapid"

	"kassa/services"
	"kassa/services/events"
)

// The ledger has its own code for the wire format. These tests, and nothing else of it, know the services': both must mean the same.

func TestAmountsAgree(t *testing.T) {
	for _, fixed := range []string{"0", "-0", "0.0", "1999.9", "0.005", "1.005", "6949.700000000001", "9999999999999.99", "9999999999999.994", "9999999999999.995", "10000000000000", "1e2", "1E-2", "5e-3", "4e-3", "0e999999999", "1e999999999", "1e-999999999", "-1e-999999999", "-0.004", "-1", "123456789012345678"} {
		agree(t, fixed)
	}
	rapid.Check(t, func(t *rapid.T) {
		agree(t, rapid.StringMatching(`-?(0|[1-9][0-9]{0,15})(\.[0-9]{1,5})?([eE][+-]?[0-9]{1,2})?`).Draw(t, "number"))
	})
}

func agree(t interface{ Errorf(string, ...any) }, number string) {
	var money events.Money
	err := money.UnmarshalJSON([]byte(number))
	if err == nil && (money < 0 || strings.HasPrefix(number, "-") && money == 0) {
		return // the wire has none; -0.004 is none, and rounds to one
	}
	got, mine := parseAmount(number)
	if (err == nil) != (mine == nil) || err == nil && got != int64(money) {
		t.Errorf("%s: the ledger reads %d, %v; events %d, %v", number, got, mine, money, err)
	}
	if err == nil && amountText(got) != string(must(json.Marshal(money))) {
		t.Errorf("%d is written %s, not as events do", got, amountText(got))
	}
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}

func TestIDsAgree(t *testing.T) {
	for p := range int32(3) {
		for _, o := range []int64{0, 7, 1 << 40} {
			if got, want := placeID(events.OrderSuccessful, p, o), services.CheckoutID(events.OrderSuccessful, p, o); got != want {
				t.Errorf("%s, want %s", got, want)
			}
		}
	}
	for _, id := range []string{"x", services.OrderID("x"), strings.ToUpper(services.OrderID("x")), "0123456789-0123-0123-0123-0123456789", strings.Repeat("é", 128), "\x00", "00000000-0000-0000-0000-00000000000g"} {
		packed, rest := cutID(append(appendID(nil, id), "rest"...))
		if got := unpackID(string(packed)); got != id || string(rest) != "rest" {
			t.Errorf("%q came back as %q and %q", id, got, rest)
		}
	}
}

// What the services read, the ledger reads too, and in the same way; what they do not, it survives.
func TestEventsAgree(t *testing.T) {
	values := []string{
		`{"userId":"u","cart":[],"checkoutId":"c"}`, ` { "x" : [ {"checkoutId":"no"} , "]}" ] , "userId":"u","cart":[{"price":1,"id":2},{"price":2.5}],"amount":3 ,"checkoutId" : "c" } `,
		`{"userId":"u","cart":[{"price":1}],"ch\u0065ckoutId":"\u0063\"\\","amount":7}`, `{"userId":"u","cart":[{"price":1}],"checkoutid":"c"}`,
		`{"userId":"u","cart":[{"price":1}],"checkoutId":null,"amount":null}`, `{"userId":"u","orderId":"o","emailId":"e","checkoutId":"c"}`,
		`{}`, `[]`, `""`, `null`, ``, `{`, `{"checkoutId":7}`, `{"cart":{}}`, `{"cart":[1,[2],{"price":"1"}]}`, `{"cart":[{"price":-1}]}`, `{"cart":[{"price":9e12},{"price":9e12}]}`,
		`{"checkoutId":""}`, `{"checkoutId":"` + strings.Repeat("c", 300) + `"}`, "{\"checkoutId\":\"\xff\"}",
	}
	check := func(t interface{ Errorf(string, ...any) }, value string) {
		for s := range flow {
			mine := decode(s, []byte(value))
			theirs, err := events.Decode(topics[s], nil, []byte(value), nil)
			if err != nil {
				continue
			}
			if mine.checkout != theirs.Payload.Checkout() {
				t.Errorf("%s: checkout %q, and events say %q", value, mine.checkout, theirs.Payload.Checkout())
			}
			switch p := theirs.Payload.(type) {
			case events.Payment:
				sum, _ := events.Total(p.Cart)
				amount := mine.amount
				if amount == NoAmount {
					amount = mine.sum
				}
				if mine.sum != int64(sum) || amount != int64(p.Amount) {
					t.Errorf("%s: %+v, and events say %+v", value, mine, p)
				}
			default:
				if mine.id != p.ID() {
					t.Errorf("%s: id %q, and events say %q", value, mine.id, p.ID())
				}
			}
		}
	}
	for _, v := range values {
		check(t, v)
	}
	rapid.Check(t, func(t *rapid.T) {
		cart := rapid.SliceOfN(rapid.Int64Range(0, 10_000_000), 0, 5).Draw(t, "prices")
		p := events.Payment{UserID: "u", CheckoutID: rapid.StringN(1, 40, 200).Draw(t, "id"), Amount: events.Money(rapid.Int64Range(0, 1_000_000).Draw(t, "amount")), Cart: []events.Item{}}
		for _, price := range cart {
			p.Cart = append(p.Cart, events.Item{Price: events.Money(price), Name: rapid.String().Draw(t, "name")})
		}
		if _, value, err := events.Encode(p); err == nil {
			check(t, string(value))
		}
	})
}

// Whatever is in a record, the ledger reads on.
func FuzzSee(f *testing.F) {
	f.Add("payment-successful", []byte(`{"userId":"u","cart":[{"price":1}],"checkoutId":"c"}`), "dlq.partition", "1")
	f.Add("order-successful.dlq", []byte(`{`), "dlq.topic", "order-successful")
	f.Fuzz(func(t *testing.T, topic string, value []byte, header, text string) {
		rec := &kgo.Record{Topic: topic, Value: value, Headers: []kgo.RecordHeader{{Key: header, Value: []byte(text)}}}
		a := newAudit(Config{})
		defer a.close()
		s, ok := see(a.seed, rec)
		if !ok {
			return
		}
		entry := s.append(nil)
		id, rest := cutID(entry[1:])
		if got := readSighting(entry[0], rest); fmt.Sprint(got.stage, got.spot, got.at, got.amount, got.id) != fmt.Sprint(s.stage, s.spot, s.at, s.amount, s.id) || unpackID(string(id)) != s.checkout {
			t.Errorf("%+v came back as %+v of %q", s, got, unpackID(string(id)))
		}
	})
}
