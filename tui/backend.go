package tui

import (
	"context"
	"time"

	"kassa/kafkaops"
	"kassa/kafkaops/drill"
	"kassa/kafkaops/tail"
	"kassa/kafkaops/watch"
	"kassa/services"
)

// Backend is what the screen is given once there is a cluster and a shop on it. All of it is safe to use while brokers are down;
// nothing in it blocks longer than its context.
type Backend struct {
	Info     kafkaops.Info
	Delivery string // "exactly-once"
	Note     string // something the person should read once, such as other ports than usual; may be empty
	Do       func(ctx context.Context, f kafkaops.Fault) error
	// Arm says that a fault may be done soon, so that what measures it can begin. It costs nothing to call. Nil if nothing measures.
	Arm func()
	// Timelines are the faults so far and what followed, oldest first; it is cheap and asked for several times a second.
	Timelines func() []drill.Timeline

	States  <-chan *watch.State
	Batches <-chan tail.Batch
	Shop    Shop
}

// Shop is what the screen asks of the services.
type Shop interface {
	// Checkout buys the default cart and returns when the payment is acknowledged. A ctx that ends first
	// means that the outcome is unknown.
	Checkout(ctx context.Context) (Receipt, error)
	// SetLoad turns the load on or off, in orders a second.
	SetLoad(perSecond int, on bool)
	// Figures is a snapshot; it is cheap and asked for several times a second.
	Figures() Figures
}

// Receipt is one acknowledged payment.
type Receipt struct {
	CheckoutID string
	Amount     int64 // minor units
	Took       time.Duration
}

// Figures is what the shop counts, since it started.
type Figures struct {
	Accepted int64 // payments acknowledged by the cluster
	Pending  int64 // payments sent and not acknowledged yet
	Refused  int64 // payments that were turned away; nothing was written
	Shed     int64 // orders of the load that were not sent, because too many were pending
	AckP50   time.Duration
	AckP99   time.Duration

	Complete int64 // checkouts seen in all three topics
	InFlight int64 // payments seen whose email has not been seen yet
	Revenue  int64 // minor units, of the payments seen
	FlowP50  time.Duration
	FlowP99  time.Duration // payment to email, by the records' timestamps

	Services []services.Stats // in the order of the flow
}

// Catalogue is the cart that c checks out, for the checkout pane.
type Catalogue []Product

// Product is a line of the cart.
type Product struct {
	Name  string
	Price int64 // minor units
}
