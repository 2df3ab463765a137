// Package order makes an order of every payment. It never looks at the cart and never asks the customer again.
package order

import (
	"context"
	"fmt"

	"kassa/services"
	"kassa/services/events"
)

// Service reads payments and writes orders.
func Service() services.Service {
	return services.Service{
		Name:   "order",
		Inputs: []string{events.PaymentSuccessful},
		Output: events.OrderSuccessful,
		Handle: handle,
	}
}

func handle(_ context.Context, in events.Event) ([]events.Event, error) {
	payment, ok := in.Payload.(events.Payment)
	if !ok {
		return nil, services.Refuse(fmt.Errorf("%T is not a payment", in.Payload))
	}
	return []events.Event{events.New(events.Order{
		UserID:     payment.UserID,
		OrderID:    services.OrderID(payment.CheckoutID),
		CheckoutID: payment.CheckoutID,
	})}, nil
}
