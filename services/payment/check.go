package payment

import (
	"fmt"

	"kassa/services/events"
)

// Bounds of a cart. They keep a typing error from becoming a sale and a record within Kafka's limit of 1 MiB.
const (
	MaxItems              = 100
	MaxPrice events.Money = 10_000_000_00 // Rs. 10,000,000.00 an item
	MaxText               = 1024          // bytes of a name, image or description
)

// CartError says why a cart was refused. Nothing was written.
type CartError struct{ Reason string }

func (e *CartError) Error() string { return "the cart was refused: " + e.Reason }

// check says what a cart comes to, or why it is refused.
func check(req Request) (events.Money, error) {
	refuse := func(format string, args ...any) (events.Money, error) {
		return 0, &CartError{Reason: fmt.Sprintf(format, args...)}
	}
	switch {
	case len(req.Cart) == 0:
		return refuse("it is empty")
	case len(req.Cart) > MaxItems:
		return refuse("it has %d items, at most %d are sold at once", len(req.Cart), MaxItems)
	case len(req.UserID) > events.MaxID:
		return refuse("userId is longer than %d bytes", events.MaxID)
	case len(req.IdempotencyKey) > events.MaxID:
		return refuse("the idempotency key is longer than %d bytes", events.MaxID)
	}
	for i, item := range req.Cart {
		switch {
		case item.Price < 0:
			return refuse("cart[%d].price is negative", i)
		case item.Price > MaxPrice:
			return refuse("cart[%d].price is more than %s", i, MaxPrice)
		case len(item.Name) > MaxText || len(item.Image) > MaxText || len(item.Description) > MaxText:
			return refuse("cart[%d] has a text of more than %d bytes", i, MaxText)
		}
	}
	return events.Total(req.Cart)
}

// CheckCart says why a cart would be refused, nil if it would not: for whoever fills one.
func CheckCart(cart []events.Item) error {
	_, err := check(Request{Cart: cart})
	return err
}
