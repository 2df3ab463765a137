package tui

import (
	"context"
	"time"

	"kassa/kafkaops"
	"kassa/kafkaops/drill"
	"kassa/kafkaops/tail"
	"kassa/kafkaops/watch"
	"kassa/services"
	"kassa/services/events"
	"kassa/services/latency"
)

// Backend is what the screen is given once there is a cluster and a shop on it. All of it is safe to use while brokers are down;
// nothing in it blocks longer than its context.
type Backend struct {
	Info     kafkaops.Info
	Delivery string // "exactly-once"; of a shop without Staff
	Acks     string // "acks=1"; empty for all
	URL      string // where payments are taken over HTTP; empty for nowhere
	Note     string // something the person should read once, such as other ports than usual; may be empty
	// DeadLetters is what could not be read. Nil if nothing is known of it.
	DeadLetters DeadLetters

	Do func(ctx context.Context, f kafkaops.Fault) error
	// Arm says that a fault may be done soon, so that what measures it can begin. It costs nothing to call. Nil if nothing measures.
	Arm func()
	// Timelines are the faults so far and what followed, oldest first, to be read only; it is cheap and asked for several times a second.
	Timelines func() []drill.Timeline

	// Others says whether the state should tell of the topics that are not the shop's, too. Nil if it cannot.
	Others func(wanted bool)

	States  <-chan *watch.State
	Batches <-chan tail.Batch
	Log     Log // nil: there is nothing to be asked for but what comes in Batches
	Shop    Shop
	// Recent is how long things took since it was last called. Nil if nobody knows.
	Recent func() Recent
	Load   LoadControl
	// Analytics is what was sold. Nil if nobody counts.
	Analytics Sales
	Mail      Mail   // nil: nothing is known of mails
	Staff     Staff  // nil: the services cannot be controlled from here
	Drills    Drills // nil: none can be run from here
	// DeliveryFixed says that Staff cannot change the delivery.
	DeliveryFixed bool
}

// Shop is what the screen asks of the services.
type Shop interface {
	// Checkout buys a cart and returns when the payment is acknowledged. A ctx that ends first means that the outcome is unknown.
	Checkout(ctx context.Context, userID string, cart []events.Item) (Receipt, error)
	// Figures is a snapshot; it is cheap and asked for several times a second.
	Figures() Figures
}

// Recent is how long things took in a stretch of time; a count of 0 where nothing happened in it.
type Recent struct {
	Ack  latency.Percentiles // from a request to Kafka's acknowledgement of the payment
	Flow latency.Percentiles // payment to email, of the checkouts that became complete
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
	AckP50   time.Duration
	AckP99   time.Duration

	Complete int64 // checkouts seen in all three topics
	InFlight int64 // payments seen whose email has not been seen yet
	Revenue  int64 // minor units, of the payments seen
	FlowP50  time.Duration
	FlowP99  time.Duration // payment to email, by the records' timestamps

	Services []services.Stats // in the order of the flow
}
