package services

import "fmt"

// Delivery is what a service that writes promises about each event that it reads. All services of a shop have the same. Payment has none: it
// reads no topic, and writes with an idempotent producer under both.
//
// Both lose nothing. They differ in what a crash leaves behind, and in these words for it:
//
//   - An event is repeated when the log holds it more than once with the same derived id. At-least-once may repeat: whoever crashes between
//     writing a batch and committing its offsets writes it again. So of the copies of one event, all but one at most were written outside of a
//     transaction. Readers know a repeat by its id, and count it apart.
//   - An event is duplicated when one checkout has two different ids, or when two copies were written by transactions. That is never
//     allowed, whatever the delivery.
type Delivery uint8

// The deliveries.
const (
	// ExactlyOnce writes what follows from a batch and its offsets in one transaction, which read_committed readers see whole or not at all.
	ExactlyOnce Delivery = iota
	// AtLeastOnce writes with an idempotent producer, and commits the offsets afterwards. It saves the markers of a transaction: some 100 ms an
	// event over the two hops of the shop.
	AtLeastOnce
)

var deliveries = [...]string{"exactly-once", "at-least-once"}

// String is the name that ParseDelivery takes.
func (d Delivery) String() string { return deliveries[d] }

// Other is the delivery that d is not.
func (d Delivery) Other() Delivery { return 1 - d }

// ParseDelivery reads exactly-once or at-least-once.
func ParseDelivery(text string) (Delivery, error) {
	for d, name := range deliveries {
		if text == name {
			return Delivery(d), nil
		}
	}
	return 0, fmt.Errorf("the delivery is %s or %s, not %q", ExactlyOnce, AtLeastOnce, text)
}
