package analytics

import (
	"strings"
	"time"

	"kassa/services/events"
)

// Recent is how many of the last events are kept for a screen.
const Recent = 500

// Entry is an event in short, for whoever makes a line of it. Texts are as other programs wrote them: not safe for a terminal.
type Entry struct {
	At        time.Time // the record's timestamp
	Topic     string
	Partition int32
	Offset    int64
	Checkout  string
	User      string
	ID        string       // of the order or the email; of a payment, the checkout's
	Amount    events.Money // of a payment
	Items     int          // of a payment: how many lines its cart has
	Names     [4]string    // of the first of them
	Again     bool         // repeated: it counts nowhere

	stage stage
}

// longestText is how much of a product's name an Entry keeps, in bytes; ids are shorter anyway (events.MaxID).
const longestText = 256

// newEntry copies little and formats nothing: most entries are never looked at.
func newEntry(in events.Event) Entry {
	e := Entry{At: in.Time, Topic: in.Topic, Partition: in.Partition, Offset: in.Offset, Checkout: in.Payload.Checkout(), ID: in.Payload.ID()}
	switch p := in.Payload.(type) {
	case events.Payment:
		e.stage, e.User, e.Amount, e.Items = paid, p.UserID, p.Amount, len(p.Cart)
		for i := range min(len(p.Cart), len(e.Names)) {
			name := p.Cart[i].Name
			if len(name) > longestText {
				name = strings.Clone(name[:longestText]) // lets go of the rest
			}
			e.Names[i] = name
		}
	case events.Order:
		e.stage, e.User = ordered, p.UserID
	case events.Email:
		e.stage, e.User = emailed, p.UserID
	}
	return e
}

// recent is a ring of the last entries.
type recent struct {
	ring [Recent]Entry
	n    int64 // entries ever
}

func (r *recent) push(e Entry) {
	r.ring[r.n%Recent] = e
	r.n++
}

// Last returns the last n events that were read, at most Recent, oldest first, and how many there were ever.
func (a *Analytics) Last(n int) (last []Entry, total int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	r := &a.recent
	for i := max(r.n-int64(min(n, Recent)), 0); i < r.n; i++ {
		last = append(last, r.ring[i%Recent])
	}
	return last, r.n
}
