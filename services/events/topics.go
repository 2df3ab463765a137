// Package events is the shop's wire format: topics, types, and how each is read and written. It knows the standard
// library only. Other programs write and read the same topics, so nothing here may change without a version of its own.
package events

import "strings"

// The topics of the flow, in the order in which a checkout passes them.
const (
	PaymentSuccessful = "payment-successful"
	OrderSuccessful   = "order-successful"
	EmailSuccessful   = "email-successful"
)

// Topics is the flow in order.
func Topics() []string { return []string{PaymentSuccessful, OrderSuccessful, EmailSuccessful} }

const deadSuffix = ".dlq"

// DeadLetters names the topic for what could not be read from topic.
func DeadLetters(topic string) string { return topic + deadSuffix }

// IsDeadLetters says whether topic is one for dead letters.
func IsDeadLetters(topic string) bool { return strings.HasSuffix(topic, deadSuffix) }

// SourceOf is the topic whose dead letters lie in deadLetters.
func SourceOf(deadLetters string) string { return strings.TrimSuffix(deadLetters, deadSuffix) }
