package events

import (
	"fmt"
	"strconv"
)

// MaxID is the longest user, checkout, order or email id that is read, in bytes. Ids go into events that follow, and
// those must fit into a record.
const MaxID = 256

// MaxValue is the largest value that is read or written, in bytes: three quarters of the 1 MiB that Kafka takes by default. A checkout over
// HTTP is smaller, and what is larger would be carried through every service for nothing.
const MaxValue = 768 << 10

// Decode reads a record of one of the flow's topics. It takes events that carry only the first fields (userId, and cart,
// orderId or emailId), since other programs write these topics too, and passes over fields that it does not know. Anything
// else that is not as architecture says is an error that names what is wrong. Partition, Offset and Time are for the
// caller to fill. Key and headers are kept, not copied.
func Decode(topic string, key, value []byte, headers []Header) (Event, error) {
	e := Event{Topic: topic, Key: key, Headers: headers}
	d, err := readObject(value)
	if err != nil {
		return e, err
	}
	switch topic {
	case PaymentSuccessful:
		p := Payment{UserID: d.id("userId"), Cart: d.cart(), CheckoutID: d.optionalID("checkoutId"), Amount: d.amount()}
		if !d.has("amount") && d.err == nil {
			p.Amount, d.err = Total(p.Cart)
		}
		e.Payload = p
	case OrderSuccessful:
		e.Payload = Order{UserID: d.id("userId"), OrderID: d.id("orderId"), CheckoutID: d.optionalID("checkoutId")}
	case EmailSuccessful:
		e.Payload = Email{UserID: d.id("userId"), EmailID: d.id("emailId"), CheckoutID: d.optionalID("checkoutId")}
	default:
		return e, fmt.Errorf("topic %q is not one of the shop's", topic)
	}
	return e, d.err
}

// DecodeCheckout reads what a customer sends: {"cart":[…]} and perhaps a userId, empty if there is none. It is as strict as Decode.
func DecodeCheckout(body []byte) (userID string, cart []Item, err error) {
	d, err := readObject(body)
	if err != nil {
		return "", nil, err
	}
	userID, cart = d.optionalID("userId"), d.cart()
	return userID, cart, d.err
}

// document is a JSON object whose fields are read one by one; err is the first thing that was wrong.
type document struct {
	path   string            // put before names in errors: "cart[1]."
	fields map[string][]byte // those that the shop knows, by name
	err    error
}

func readObject(in []byte) (*document, error) {
	if err := checkJSON(in); err != nil {
		return nil, err
	}
	return newDocument("", skipSpace(in))
}

func newDocument(path string, value []byte) (*document, error) {
	if value[0] != '{' {
		if path == "" {
			return nil, fmt.Errorf("is %s, not an object", kind(value))
		}
		return nil, fmt.Errorf("%s is %s, not an object", path[:len(path)-1], kind(value))
	}
	d := &document{path: path, fields: make(map[string][]byte, 8)}
	return d, members(value, func(name string, v []byte) error {
		switch name {
		case "userId", "cart", "checkoutId", "amount", "orderId", "emailId", "id", "name", "price", "image", "description":
		default:
			return nil
		}
		if _, twice := d.fields[name]; twice {
			return fmt.Errorf("%s%s is there twice", path, name)
		}
		d.fields[name] = v
		return nil
	})
}

// has says whether a field is there; null counts as absent where a field may be.
func (d *document) has(name string) bool {
	v := d.fields[name]
	return v != nil && v[0] != 'n'
}

func (d *document) fail(name, what string) { d.failWith(fmt.Errorf("%s%s %s", d.path, name, what)) }

func (d *document) failWith(err error) {
	if d.err == nil {
		d.err = err
	}
}

// want returns the field if its JSON type is this one. It must be there.
func (d *document) want(name, jsonType string) ([]byte, bool) {
	v := d.fields[name]
	switch {
	case v == nil:
		d.fail(name, "is missing")
	case kind(v) != jsonType:
		d.fail(name, "is "+kind(v)+", not "+jsonType)
	default:
		return v, true
	}
	return nil, false
}

// string returns the field if it is one that text reads as it was written.
func (d *document) string(name string) ([]byte, bool) {
	v, ok := d.want(name, "a string")
	if ok && halfCharacter(v) {
		d.fail(name, `escapes half a character (a \u surrogate without its other half)`)
		return nil, false
	}
	return v, ok
}

func (d *document) id(name string) string {
	v, ok := d.string(name)
	if !ok {
		return ""
	}
	id := text(v)
	if err := checkID(name, id); err != nil {
		d.failWith(err)
	}
	return id
}

func (d *document) optionalID(name string) string {
	if !d.has(name) {
		return ""
	}
	return d.id(name)
}

func (d *document) optionalText(name string) string {
	if !d.has(name) {
		return ""
	}
	v, ok := d.string(name)
	if !ok {
		return ""
	}
	return text(v)
}

// money is never negative on the wire: the shop takes payments and pays nothing back.
func (d *document) money(name string) Money {
	v, ok := d.want(name, "a number")
	if !ok {
		return 0
	}
	m, err := parseMoney(v)
	if err != nil {
		d.fail(name, "is "+err.Error())
	} else if m < 0 {
		d.fail(name, "is negative")
	}
	return m
}

func (d *document) amount() Money {
	if !d.has("amount") {
		return 0
	}
	return d.money("amount")
}

func (d *document) cart() []Item {
	v, ok := d.want("cart", "an array")
	if !ok {
		return nil
	}
	cart := []Item{}
	err := elements(v, func(i int, value []byte) error {
		line, err := newDocument(fmt.Sprintf("%scart[%d].", d.path, i), value)
		if err != nil {
			return err
		}
		cart = append(cart, line.item())
		return line.err
	})
	if err != nil {
		d.failWith(err)
	}
	return cart
}

// item needs a price. The rest describes the product, and its absence spoils nothing.
func (d *document) item() Item {
	item := Item{
		Name:        d.optionalText("name"),
		Price:       d.money("price"),
		Image:       d.optionalText("image"),
		Description: d.optionalText("description"),
	}
	if d.has("id") {
		if v, ok := d.want("id", "a number"); ok {
			id, err := strconv.ParseInt(string(v), 10, 64)
			if err != nil {
				d.fail("id", "is not a whole number")
			}
			item.ID = id
		}
	}
	return item
}
