package payment_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"kassa/services/events"
	"kassa/services/payment"
)

// notes is a payment.Witness that writes down what it is told.
type notes struct {
	mu  sync.Mutex
	all []string
}

func (n *notes) add(format string, args ...any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.all = append(n.all, fmt.Sprintf(format, args...))
}

func (n *notes) Asked(id string, amount events.Money) { n.add("asked %s %s", id, amount) }

func (n *notes) Answered(id string, amount events.Money, err error) {
	switch {
	case err == nil:
		n.add("accepted %s %s", id, amount)
	case errors.Is(err, payment.ErrUnknown):
		n.add("unknown %s %s", id, amount)
	default:
		n.add("refused %s", id)
	}
}

func (n *notes) read() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.all)
}

// The witness hears of every checkout before anything is written, and of its answer before the customer does: of those that are acknowledged, refused before
// or after they have an id, left unknown by a crash, and asked for again.
func TestTheWitnessHearsEveryPromiseFirst(t *testing.T) {
	var n notes
	d := open(t, func(c *payment.Config) { c.Witness = &n })
	want := func(what string, lines ...string) {
		t.Helper()
		if got := n.read(); !slices.Equal(got, lines) {
			t.Errorf("%s: it has heard\n%q, want\n%q", what, got, lines)
		}
	}
	submit := func(req payment.Request) (id string, heard []string, err error) {
		done := make(chan struct{})
		d.svc.Submit(req, func(r payment.Receipt, e error) { id, heard, err = r.CheckoutID, n.read(), e; close(done) })
		<-done
		return id, heard, err
	}
	keyed := payment.Request{Cart: events.DefaultCart(), IdempotencyKey: "k"}
	id, heard, err := submit(keyed)
	first := []string{"asked " + id + " 6949.70", "accepted " + id + " 6949.70"}
	if err != nil || !slices.Equal(heard, first) {
		t.Errorf("%v: when its customer was told it had heard %q", err, heard)
	}
	_, _, _ = submit(payment.Request{})
	want("a cart that is empty", append(first, "refused ")...)
	other := keyed
	other.Cart = other.Cart[:1]
	_, _, err = submit(other)
	if got := n.read(); !errors.Is(err, payment.ErrKeyReused) || len(got) != 4 || len(got[3]) != len("refused ")+36 || got[3] == "refused "+id {
		t.Errorf("a key of another cart: %v, %q", err, got)
	}

	release := d.stall()
	defer release()
	n.all = nil
	outcome := make(chan string, 1)
	lost := payment.Request{Cart: events.DefaultCart(), IdempotencyKey: "l"}
	d.svc.Submit(lost, func(r payment.Receipt, _ error) { outcome <- r.CheckoutID })
	if got := n.read(); len(got) != 1 {
		t.Errorf("before its answer: %q", got)
	}
	if err := d.svc.Control().Crash(); err != nil {
		t.Fatal(err)
	}
	id = <-outcome
	again := []string{"asked " + id + " 6949.70", "unknown " + id + " 6949.70"}
	want("a crash", again...)
	_, _, _ = submit(lost) // while it is down
	again = append(again, "refused "+id)
	want("while it is down", again...)
	release()
	d.eventually(func(payment.Stats) bool { return d.svc.Control().Stats().Live == 1 })
	if _, _, err := submit(lost); err != nil {
		t.Error(err)
	}
	want("asked again", append(again, "asked "+id+" 6949.70", "accepted "+id+" 6949.70")...)
}
