package main

import (
	"errors"
	"fmt"

	"kassa/services/events"
	"kassa/services/load"
	"kassa/services/payment"
)

// submitter is payment, as the load's customers see it.
type submitter interface {
	Submit(req payment.Request, done func(payment.Receipt, error))
}

// customers hands the load's carts to payment, and its answers back in the load's words.
func customers(to submitter) load.Submit {
	return func(user string, cart []events.Item, done func(error)) {
		to.Submit(payment.Request{UserID: user, Cart: cart}, func(_ payment.Receipt, err error) {
			if errors.Is(err, payment.ErrUnknown) {
				err = fmt.Errorf("%w: %w", load.ErrUnknown, err)
			}
			done(err)
		})
	}
}
