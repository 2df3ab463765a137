package main

import (
	"errors"
	"fmt"
	"testing"

	"kassa/services/events"
	"kassa/services/load"
	"kassa/services/payment"
)

// answers is a payment that answers at once.
type answers struct{ err error }

func (a answers) Submit(_ payment.Request, done func(payment.Receipt, error)) {
	done(payment.Receipt{}, a.err)
}

// The load tells an unknown outcome from a refusal, as payment does.
func TestTheLoadHearsWhatPaymentSays(t *testing.T) {
	for _, c := range []struct {
		answer            error
		accepted, unknown bool
	}{
		{nil, true, false},
		{payment.ErrBusy, false, false},
		{fmt.Errorf("%w (the client was closed)", payment.ErrUnknown), false, true},
	} {
		var got error
		customers(answers{c.answer})("ann", events.DefaultCart(), func(err error) { got = err })
		if (got == nil) != c.accepted || errors.Is(got, load.ErrUnknown) != c.unknown || !errors.Is(got, c.answer) {
			t.Errorf("%v becomes %v", c.answer, got)
		}
	}
}
