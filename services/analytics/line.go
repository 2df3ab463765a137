package analytics

import (
	"fmt"
	"strings"
	"unicode"

	"kassa/services/events"
)

// Line is an event in one line, for people. What other programs wrote into it cannot break the line or the terminal.
func Line(e events.Event) string {
	head := fmt.Sprintf("%s  %s/%d@%d", e.Time.Format("15:04:05.000"), e.Topic, e.Partition, e.Offset)
	switch p := e.Payload.(type) {
	case events.Payment:
		names := make([]string, 0, len(p.Cart))
		for i, item := range p.Cart {
			if i == 3 && len(p.Cart) > 4 {
				names = append(names, fmt.Sprintf("and %d more", len(p.Cart)-i))
				break
			}
			names = append(names, plain(item.Name))
		}
		return fmt.Sprintf("%s  checkout %s  user %s paid Rs. %s for %s", head, plain(p.CheckoutID), plain(p.UserID), p.Amount, strings.Join(names, ", "))
	case events.Order:
		return fmt.Sprintf("%s  checkout %s  user %s has order %s", head, plain(p.CheckoutID), plain(p.UserID), plain(p.OrderID))
	case events.Email:
		return fmt.Sprintf("%s  checkout %s  user %s has email %s", head, plain(p.CheckoutID), plain(p.UserID), plain(p.EmailID))
	default:
		return head
	}
}

// plain shortens text and takes out what is not printable: control characters, escape sequences, changes of direction.
func plain(s string) string {
	const longest = 48
	var b strings.Builder
	n := 0
	for _, r := range s {
		if n == longest {
			b.WriteRune('…')
			break
		}
		if !unicode.IsPrint(r) {
			r = '·'
		}
		b.WriteRune(r)
		n++
	}
	return b.String()
}
