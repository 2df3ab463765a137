// Package email tells the customer about every order. For now it says so on its topic only: no mail is sent yet, and nothing
// here claims that one was.
package email

import (
	"context"
	"fmt"

	"kassa/services"
	"kassa/services/events"
)

// Service reads orders and writes emails.
func Service() services.Service {
	return services.Service{
		Name:   "email",
		Inputs: []string{events.OrderSuccessful},
		Output: events.EmailSuccessful,
		Handle: handle,
	}
}

func handle(_ context.Context, in events.Event) ([]events.Event, error) {
	order, ok := in.Payload.(events.Order)
	if !ok {
		return nil, services.Refuse(fmt.Errorf("%T is not an order", in.Payload))
	}
	return []events.Event{events.New(events.Email{
		UserID:     order.UserID,
		EmailID:    services.EmailID(order.CheckoutID),
		CheckoutID: order.CheckoutID,
	})}, nil
}
