package events_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/charmbracelet/x/exp/golden"

	"kassa/services/events"
)

var (
	pay   = events.Payment{UserID: "u1", Cart: events.DefaultCart(), CheckoutID: "c1", Amount: 694970}
	order = events.Order{UserID: "u1", OrderID: "o1", CheckoutID: "c1"}
	email = events.Email{UserID: "u1", EmailID: "e1", CheckoutID: "c1"}
)

// Other programs read these bytes: a change here breaks them.
func TestWireBytes(t *testing.T) {
	var all []byte
	for _, p := range []events.Payload{pay, order, email} {
		key, value, err := events.Encode(p)
		if err != nil {
			t.Fatal(err)
		}
		all = append(append(append(append(append(all, p.Topic()...), ' '), key...), ' '), value...)
		all = append(all, '\n')
	}
	golden.RequireEqual(t, all)
}

func TestReadersTakeWhatOtherProgramsWrite(t *testing.T) {
	for name, c := range map[string]struct {
		topic, value string
		want         events.Payload
	}{
		"first fields of a payment": {
			events.PaymentSuccessful, `{"userId":"u","cart":[{"id":1,"name":"Cap","price":499.9}]}`,
			events.Payment{UserID: "u", Cart: []events.Item{{ID: 1, Name: "Cap", Price: 49990}}, Amount: 49990},
		},
		"first fields of an order":  {events.OrderSuccessful, `{"userId":"u","orderId":"o"}`, events.Order{UserID: "u", OrderID: "o"}},
		"first fields of an email":  {events.EmailSuccessful, `{"userId":"u","emailId":"e"}`, events.Email{UserID: "u", EmailID: "e"}},
		"unknown fields, any order": {events.OrderSuccessful, ` { "x":{"userId":[1,"]}"]}, "orderId":"o","x":null,"y":-1e9 ,"userId":"u" } `, events.Order{UserID: "u", OrderID: "o"}},
		"names in another case are unknown": {
			events.OrderSuccessful, `{"USERID":1,"userId":"u","orderId":"o"}`, events.Order{UserID: "u", OrderID: "o"},
		},
		"escapes": {events.OrderSuccessful, `{"\u0075serId":"\"\u00e4\\","orderId":"o"}`, events.Order{UserID: `"ä\`, OrderID: "o"}},
		"characters of two escapes": {
			events.OrderSuccessful, `{"userId":"\ud83d\uDE00\\ud800\u0041","orderId":"\ud800\udc00","x":"\ud800"}`, events.Order{UserID: `😀\ud800A`, OrderID: "\U00010000"},
		},
		"null counts as absent": {events.OrderSuccessful, `{"userId":"u","orderId":"o","checkoutId":null}`, events.Order{UserID: "u", OrderID: "o"}},
		"noise of doubles": {
			events.PaymentSuccessful, `{"userId":"u","cart":[],"amount":6949.700000000001}`,
			events.Payment{UserID: "u", Cart: []events.Item{}, Amount: 694970},
		},
	} {
		t.Run(name, func(t *testing.T) {
			e, err := events.Decode(c.topic, nil, []byte(c.value), nil)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(e.Payload, c.want) {
				t.Errorf("got %+v, want %+v", e.Payload, c.want)
			}
		})
	}
}

// Poison is refused with a reason that names the field, and never mended.
func TestPoisonIsNamed(t *testing.T) {
	const good = `{"userId":"u","cart":[{"price":1}]}`
	for name, c := range map[string]struct{ value, want string }{
		"empty":                  {"", "no value (empty)"},
		"too long":               {`{"userId":"` + strings.Repeat("u", events.MaxValue) + `","cart":[]}`, "at most 786432 are read"},
		"nested beyond reason":   {`{"userId":"u","cart":[],"x":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `}`, "exceeded max depth"},
		"Infinity":               {`{"userId":"u","cart":[{"price":Infinity}]}`, "invalid character 'I'"},
		"not JSON":               {"hello", "not JSON"},
		"NaN":                    {`{"userId":"u","cart":[{"price":NaN}]}`, "invalid character 'N'"},
		"trailing garbage":       {good + "x", "after top-level value"},
		"two documents":          {good + good, "after top-level value"},
		"cut short":              {good[:len(good)-1], "unexpected end"},
		"invalid UTF-8":          {"{\"userId\":\"\xff\",\"cart\":[]}", "invalid UTF-8 at byte 11"},
		"not an object":          {`[1]`, "is an array, not an object"},
		"no userId":              {`{"cart":[]}`, "userId is missing"},
		"empty userId":           {`{"userId":"","cart":[]}`, "userId is empty"},
		"null userId":            {`{"userId":null,"cart":[]}`, "userId is null"},
		"numeric userId":         {`{"userId":7,"cart":[]}`, "userId is a number, not a string"},
		"endless userId":         {`{"userId":"` + strings.Repeat("u", 300) + `","cart":[]}`, "userId is longer than 256 bytes"},
		"no cart":                {`{"userId":"u"}`, "cart is missing"},
		"cart of the wrong type": {`{"userId":"u","cart":{}}`, "cart is an object, not an array"},
		"item of the wrong type": {`{"userId":"u","cart":[{"price":1},2]}`, "cart[1] is a number, not an object"},
		"no price":               {`{"userId":"u","cart":[{"id":1}]}`, "cart[0].price is missing"},
		"price as text":          {`{"userId":"u","cart":[{"price":"1"}]}`, "cart[0].price is a string"},
		"negative price":         {`{"userId":"u","cart":[{"price":-1}]}`, "cart[0].price is negative"},
		"absurd price":           {`{"userId":"u","cart":[{"price":1e300}]}`, "cart[0].price is absurdly large"},
		"absurd sum":             {`{"userId":"u","cart":[{"price":9e12},{"price":9e12}]}`, "the sum of the cart is absurdly large"},
		"id with a fraction":     {`{"userId":"u","cart":[{"id":1.5,"price":1}]}`, "cart[0].id is not a whole number"},
		"name of the wrong type": {`{"userId":"u","cart":[{"name":1,"price":1}]}`, "cart[0].name is a number"},
		"userId twice":           {`{"userId":"a","userId":"b","cart":[]}`, "userId is there twice"},
		"price twice":            {`{"userId":"a","cart":[{"price":1,"pr\u0069ce":2}]}`, "cart[0].price is there twice"},
		"half a character":       {`{"userId":"a\ud800","cart":[]}`, "userId escapes half a character"},
		"the other half":         {`{"userId":"a\udc00b","cart":[]}`, "userId escapes half a character"},
		"two first halves":       {`{"userId":"\ud800\ud800","cart":[]}`, "userId escapes half a character"},
		"half and no escape":     {`{"userId":"\uDBFF\\uDC00","cart":[]}`, "userId escapes half a character"},
		"half a name":            {`{"userId":"u","cart":[{"name":"\ud83d","price":1}]}`, "cart[0].name escapes half a character"},
		"negative amount":        {`{"userId":"a","cart":[],"amount":-1}`, "amount is negative"},
		"checkoutId a number":    {`{"userId":"a","cart":[],"checkoutId":1}`, "checkoutId is a number"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := events.Decode(events.PaymentSuccessful, nil, []byte(c.value), nil)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}

// A tombstone and an empty value are not the same, and each is called what it is.
func TestTombstoneIsNamed(t *testing.T) {
	if _, err := events.Decode(events.PaymentSuccessful, []byte("c1"), nil, nil); err == nil || !strings.Contains(err.Error(), "tombstone") {
		t.Errorf("got %v", err)
	}
}

func TestEncodeRefusesWhatCannotBeRead(t *testing.T) {
	for name, p := range map[string]events.Payload{
		"nothing":         nil,
		"no checkout":     events.Order{UserID: "u", OrderID: "o"},
		"no user":         events.Order{OrderID: "o", CheckoutID: "c"},
		"no order":        events.Order{UserID: "u", CheckoutID: "c"},
		"endless id":      events.Email{UserID: strings.Repeat("u", 300), EmailID: "e", CheckoutID: "c"},
		"id not in UTF-8": events.Email{UserID: "\xff", EmailID: "e", CheckoutID: "c"},
		"negative price":  events.Payment{UserID: "u", CheckoutID: "c", Cart: []events.Item{{Price: -1}}},
		"absurd price":    events.Payment{UserID: "u", CheckoutID: "c", Cart: []events.Item{{Price: events.MaxMoney + 1}}},
		"endless cart":    events.Payment{UserID: "u", CheckoutID: "c", Cart: []events.Item{{Name: strings.Repeat("\x01", events.MaxValue/6)}}},
	} {
		if _, value, err := events.Encode(p); err == nil {
			t.Errorf("%s was written as %s", name, value)
		}
	}
}
