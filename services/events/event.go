package events

import "time"

// Event is one event of the shop, read from a topic or about to be written to one.
type Event struct {
	Topic     string
	Partition int32 // where it was read; 0 for one that is about to be written
	Offset    int64 // as Partition
	Key       []byte
	Time      time.Time // the record's timestamp
	Headers   []Header
	Payload   Payload
}

// New is an event that a handler returns. The runner adds key and headers.
func New(p Payload) Event { return Event{Topic: p.Topic(), Payload: p} }

// Header is a header of a record; keys may repeat.
type Header struct {
	Key   string
	Value []byte
}

// Payload is what an event says: a Payment, an Order or an Email, always by value.
type Payload interface {
	Topic() string    // the topic that it belongs to
	ID() string       // what is unique about it: checkout id, order id or email id
	Checkout() string // the checkout that it belongs to; empty when another program wrote it without

	withCheckout(id string) Payload
}

// WithCheckout is the event with this checkout id, which its writer left out.
func (e Event) WithCheckout(id string) Event {
	e.Payload = e.Payload.withCheckout(id)
	return e
}

// Item is one line of a cart.
type Item struct {
	ID          int64  `json:"id"`
	Name        string `json:"name"`
	Price       Money  `json:"price"`
	Image       string `json:"image"`
	Description string `json:"description"`
}

// Payment says that a cart was paid for.
type Payment struct {
	UserID     string `json:"userId"`
	Cart       []Item `json:"cart"`
	CheckoutID string `json:"checkoutId"`
	Amount     Money  `json:"amount"` // the sum of the cart where its writer left it out
}

// Order says that an order was made of a paid cart.
type Order struct {
	UserID     string `json:"userId"`
	OrderID    string `json:"orderId"`
	CheckoutID string `json:"checkoutId"`
}

// Email says that the customer is told about the order.
type Email struct {
	UserID     string `json:"userId"`
	EmailID    string `json:"emailId"`
	CheckoutID string `json:"checkoutId"`
}

// Topic is PaymentSuccessful.
func (Payment) Topic() string { return PaymentSuccessful }

// ID is the checkout id: a checkout is paid for once.
func (p Payment) ID() string { return p.CheckoutID }

// Checkout is the checkout id.
func (p Payment) Checkout() string { return p.CheckoutID }

func (p Payment) withCheckout(id string) Payload { p.CheckoutID = id; return p }

// Topic is OrderSuccessful.
func (Order) Topic() string { return OrderSuccessful }

// ID is the order id.
func (o Order) ID() string { return o.OrderID }

// Checkout is the checkout id.
func (o Order) Checkout() string { return o.CheckoutID }

func (o Order) withCheckout(id string) Payload { o.CheckoutID = id; return o }

// Topic is EmailSuccessful.
func (Email) Topic() string { return EmailSuccessful }

// ID is the email id.
func (e Email) ID() string { return e.EmailID }

// Checkout is the checkout id.
func (e Email) Checkout() string { return e.CheckoutID }

func (e Email) withCheckout(id string) Payload { e.CheckoutID = id; return e }
