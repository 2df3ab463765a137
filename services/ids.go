package services

import (
	"fmt"
	"strconv"

	"github.com/google/uuid"
)

// Every id that follows from an event is a UUIDv5 (RFC 9562): whoever handles the same event again, after a crash or on
// another machine, makes the same ids. The shop's own namespace keeps them apart from anybody else's.
var namespace = uuid.NewSHA1(uuid.NameSpaceURL, []byte("kassa"))

// OrderID is the order of a checkout.
func OrderID(checkoutID string) string { return derive("order/" + checkoutID) }

// EmailID is the email about the order of a checkout.
func EmailID(checkoutID string) string { return derive("email/" + checkoutID) }

// KeyedCheckoutID is given to a checkout that came with an idempotency key. The same request makes the same id again, in every process; another
// cart or user under the same key makes another.
func KeyedCheckoutID(key, userID, cart string) string {
	return derive(fmt.Sprintf("checkout/%q/%q/%q", key, userID, cart))
}

// CheckoutID is given to an event that came without one: its place in the log is all that is certain about it.
func CheckoutID(topic string, partition int32, offset int64) string {
	return derive("checkout/" + topic + "/" + strconv.Itoa(int(partition)) + "/" + strconv.FormatInt(offset, 10))
}

func derive(name string) string { return uuid.NewSHA1(namespace, []byte(name)).String() }
