package ledger

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"
)

// Bounds of the wire format. What is beyond them is read by nobody in the shop, and goes to the dead letters.
const (
	maxValue = 768 << 10 // bytes of a value
	maxID    = 256       // bytes of an id
)

// event is what the ledger reads out of a record's value. What cannot be read is missing, and never an error: the record was written, whatever is in it.
type event struct {
	checkout string // empty if the record does not say
	id       string // orderId or emailId
	amount   int64  // of a payment that says; else NoAmount
	sum      int64  // of a payment's cart, if every price can be read; else NoAmount
}

// idNames are what the events that follow from a payment call themselves.
var idNames = [flow]string{order: "orderId", email: "emailId"}

// decode reads the value of a record of this stage's topic. Names count exactly as they are spelled.
func decode(s stage, value []byte) event {
	e := event{amount: NoAmount, sum: NoAmount}
	if len(value) > maxValue || !json.Valid(value) || !utf8.Valid(value) {
		return e
	}
	if value = bytes.TrimLeft(value, space); value[0] != '{' {
		return e
	}
	members(value, func(name, v []byte) {
		switch string(name) {
		case "checkoutId":
			if id := text(v); len(id) <= maxID {
				e.checkout = id
			}
		case idNames[s]:
			e.id = text(v)
		case "amount":
			if n, err := parseAmount(string(v)); err == nil {
				e.amount = n
			}
		case "cart":
			if s == payment {
				e.sum = sumOf(v)
			}
		}
	})
	if s != payment {
		e.amount = NoAmount
	}
	return e
}

// sumOf adds the prices of a cart up; NoAmount if it is none.
func sumOf(cart []byte) int64 {
	if cart[0] != '[' {
		return NoAmount
	}
	sum := int64(0)
	elements(cart, func(item []byte) {
		price := NoAmount
		if item[0] == '{' {
			members(item, func(name, v []byte) {
				if string(name) != "price" {
					return
				}
				if n, err := parseAmount(string(v)); err == nil {
					price = n
				}
			})
		}
		if sum == NoAmount || price == NoAmount || sum+price > mostMinor {
			sum = NoAmount
			return
		}
		sum += price
	})
	return sum
}

const space = " \t\r\n"

// members visits the members of a valid JSON object.
func members(object []byte, visit func(name, value []byte)) {
	for i := pass(object, 1); object[i] != '}'; {
		end := valueEnd(object, i)
		name := object[i+1 : end-1]
		if bytes.IndexByte(name, '\\') >= 0 {
			name = []byte(text(object[i:end]))
		}
		i = pass(object, pass(object, end)+1) // the colon
		end = valueEnd(object, i)
		visit(name, object[i:end])
		if i = pass(object, end); object[i] == ',' {
			i = pass(object, i+1)
		}
	}
}

// elements visits the elements of a valid JSON array.
func elements(array []byte, visit func(value []byte)) {
	for i := pass(array, 1); array[i] != ']'; {
		end := valueEnd(array, i)
		visit(array[i:end])
		if i = pass(array, end); array[i] == ',' {
			i = pass(array, i+1)
		}
	}
}

// pass is where the next sign is that is no white space.
func pass(in []byte, i int) int {
	for in[i] == ' ' || in[i] == '\t' || in[i] == '\r' || in[i] == '\n' {
		i++
	}
	return i
}

// valueEnd is where the value ends that begins at i.
func valueEnd(in []byte, i int) int {
	switch in[i] {
	case '"':
		return stringEnd(in, i)
	case '{', '[':
		for depth := 0; ; {
			switch in[i] {
			case '"':
				i = stringEnd(in, i)
				continue
			case '{', '[':
				depth++
			case '}', ']':
				if depth--; depth == 0 {
					return i + 1
				}
			}
			i++
		}
	}
	for i < len(in) && bytes.IndexByte([]byte(",]}"+space), in[i]) < 0 {
		i++
	}
	return i
}

// stringEnd is where the string ends that begins at i.
func stringEnd(in []byte, i int) int {
	for i++; in[i] != '"'; i++ {
		if in[i] == '\\' {
			i++
		}
	}
	return i + 1
}

// text is a JSON string unquoted; empty if the value is none.
func text(value []byte) string {
	if value[0] != '"' {
		return ""
	}
	if bytes.IndexByte(value, '\\') < 0 {
		return string(value[1 : len(value)-1])
	}
	var s string
	_ = json.Unmarshal(value, &s) // it is valid
	return s
}
