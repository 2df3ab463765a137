package email

import (
	"bytes"
	"fmt"
	"html/template"
	netmail "net/mail"
	"strings"
	texttemplate "text/template"
	"time"
	"unicode"

	"github.com/google/uuid"
	"github.com/wneessen/go-mail"

	"kassa/services"
	"kassa/services/events"
)

// Every address and Message-ID ends in .invalid, a domain that RFC 2606 keeps from ever existing: whatever mail server is named, and
// whatever user ids the events carry, nobody can be mailed who did not ask for it.
const (
	shopDomain     = "kassa.invalid"
	customerDomain = "customers.kassa.invalid"
	sender         = "orders@" + shopDomain
)

// letter is a mail ready to be sent.
type letter struct {
	id   string // Message-ID without its angle brackets
	to   string
	data []byte // RFC 5322, with CRLF
}

// compose writes the mail about an order. The order event has no cart, so the mail names the order and does not say what is in it.
func compose(order events.Order, at time.Time) (letter, error) {
	l := letter{id: services.EmailID(order.CheckoutID) + "@" + shopDomain, to: address(order.UserID)}
	facts := facts{Customer: plain(order.UserID, 60), Order: plain(order.OrderID, events.MaxID), Checkout: plain(order.CheckoutID, events.MaxID)}
	var text, rich bytes.Buffer
	if err := textBody.Execute(&text, facts); err != nil {
		return l, fmt.Errorf("write the text of a mail: %w", err)
	}
	if err := htmlBody.Execute(&rich, facts); err != nil {
		return l, fmt.Errorf("write the HTML of a mail: %w", err)
	}
	m := mail.NewMsg(mail.WithNoDefaultUserAgent())
	m.FromMailAddress(&netmail.Address{Name: "kassa", Address: sender})
	m.ToMailAddress(&netmail.Address{Address: l.to})
	m.Subject("Your order " + plain(order.OrderID, 8))
	m.SetMessageIDWithValue(l.id)
	m.SetDateWithValue(at)
	m.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: no answers, no bounces to bounces
	m.SetBodyString(mail.TypeTextPlain, text.String())
	m.AddAlternativeString(mail.TypeTextHTML, rich.String())
	var data bytes.Buffer
	if _, err := m.WriteTo(&data); err != nil {
		return l, fmt.Errorf("write a mail: %w", err)
	}
	l.data = data.Bytes()
	return l, nil
}

// facts is what a mail says.
type facts struct{ Customer, Order, Checkout string }

var textBody = texttemplate.Must(texttemplate.New("text").Parse(`Hello {{.Customer}},

thank you. Your order is paid and in the books:

  order     {{.Order}}
  checkout  {{.Checkout}}

kassa is a demonstration: nothing will be shipped.
`))

var htmlBody = template.Must(template.New("html").Parse(`<!doctype html>
<html lang="en"><body style="font-family:sans-serif">
<p>Hello {{.Customer}},</p>
<p>thank you. Your order is paid and in the books:</p>
<table><tr><td>order</td><td><code>{{.Order}}</code></td></tr><tr><td>checkout</td><td><code>{{.Checkout}}</code></td></tr></table>
<p>kassa is a demonstration: nothing will be shipped.</p>
</body></html>
`))

// address is where a customer is mailed. User ids are written by strangers: one that would do as it is becomes the local part, any other
// the UUIDv5 of it, so that a retry has the same address.
func address(userID string) string {
	local := userID
	if !ordinary(userID) {
		local = "u-" + uuid.NewSHA1(uuid.NameSpaceURL, []byte("kassa/user/"+userID)).String()
	}
	return local + "@" + customerDomain
}

// ordinary says whether id is letters, digits, - and _, with single dots inside: far less than RFC 5321 allows, and nothing that any mail
// server reads as anything else. 64 bytes is the RFC's own limit.
func ordinary(id string) bool {
	if id == "" || len(id) > 64 || id[0] == '.' || id[len(id)-1] == '.' || strings.Contains(id, "..") {
		return false
	}
	for _, c := range []byte(id) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_', c == '.':
		default:
			return false
		}
	}
	return true
}

// plain is at most n characters of s, on one line: control characters, line ends and marks that reorder text become spaces.
func plain(s string, n int) string {
	var b strings.Builder
	for _, r := range s {
		if n--; n < 0 {
			break
		}
		if !unicode.IsGraphic(r) || unicode.In(r, unicode.Zl, unicode.Zp) {
			r = ' '
		}
		b.WriteRune(r)
	}
	return strings.TrimSpace(b.String())
}
