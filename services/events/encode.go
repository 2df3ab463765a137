package events

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// Encode is the wire form of a payload: key (the checkout id) and value. It refuses what Decode would not read.
func Encode(p Payload) (key, value []byte, err error) {
	if p == nil {
		return nil, nil, errors.New("encoding an event: it has no payload")
	}
	if err := writable(p); err != nil {
		return nil, nil, fmt.Errorf("encoding for %s: %w", p.Topic(), err)
	}
	if payment, ok := p.(Payment); ok && payment.Cart == nil {
		payment.Cart = []Item{} // an array on the wire, never null
		p = payment
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // JSON.stringify does not either
	if err := enc.Encode(p); err != nil {
		return nil, nil, fmt.Errorf("encoding for %s: %w", p.Topic(), err)
	}
	value = bytes.TrimSuffix(b.Bytes(), []byte("\n"))
	if len(value) > MaxValue {
		return nil, nil, fmt.Errorf("encoding for %s: %d bytes long, at most %d are read", p.Topic(), len(value), MaxValue)
	}
	return []byte(p.Checkout()), value, nil
}

// writable says what Decode would not read.
func writable(p Payload) error {
	switch p := p.(type) {
	case Payment:
		for i, item := range p.Cart {
			if item.Price < 0 {
				return fmt.Errorf("cart[%d].price is negative", i)
			}
		}
		if p.Amount < 0 {
			return errors.New("amount is negative")
		}
		return errors.Join(checkID("userId", p.UserID), checkID("checkoutId", p.CheckoutID))
	case Order:
		return errors.Join(checkID("userId", p.UserID), checkID("orderId", p.OrderID), checkID("checkoutId", p.CheckoutID))
	case Email:
		return errors.Join(checkID("userId", p.UserID), checkID("emailId", p.EmailID), checkID("checkoutId", p.CheckoutID))
	default:
		return fmt.Errorf("%T is not one of the shop's events", p)
	}
}

func checkID(name, id string) error {
	switch {
	case id == "":
		return fmt.Errorf("%s is empty", name)
	case len(id) > MaxID:
		return fmt.Errorf("%s is longer than %d bytes", name, MaxID)
	case !utf8.ValidString(id):
		return fmt.Errorf("%s is not UTF-8", name)
	}
	return nil
}
