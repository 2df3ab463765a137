// Package email tells the customer about every order: a real mail, by SMTP, before the event that says so is committed.
//
// Mail is at-least-once by nature, since a mail server takes part in no transaction: a batch that is done again sends its mails again, with
// the same Message-ID, and that is counted. A mail server that is down, slow or refuses delays mails, never orders, and sends no
// order to the dead letters.
package email

import (
	"context"
	"errors"
	"fmt"

	"kassa/services"
	"kassa/services/events"
)

// Service reads orders and writes emails; it sends no mail (--mail none, for benchmarks). Mailer.Service does.
func Service() services.Service {
	return services.Service{
		Name:   "email",
		Inputs: []string{events.OrderSuccessful},
		Output: events.EmailSuccessful,
		Handle: handle,
	}
}

// mostInABatch bounds how many mails a crash can repeat, and how long a slow mail server keeps those that are through from being
// committed. At 20 ms a mail and eight at once a batch takes about a second.
const mostInABatch = 500

// Service reads orders, mails each customer and writes emails.
func (m *Mailer) Service() services.Service {
	svc := Service()
	if m.mode == None {
		return svc
	}
	svc.Parallel = cap(m.sessions)
	svc.Batch = mostInABatch
	svc.Handle = func(ctx context.Context, in events.Event) ([]events.Event, error) {
		out, err := handle(ctx, in)
		if err != nil {
			return nil, err
		}
		order := in.Payload.(events.Order) // handle refuses anything else
		err = m.Send(ctx, order)
		if f, failed := errors.AsType[*failure](err); failed && f.aboutTheMail() {
			err = services.PutOff(err) // the server may well take the others
		}
		if err != nil {
			return nil, err
		}
		return out, nil
	}
	return svc
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
