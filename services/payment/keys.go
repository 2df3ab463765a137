package payment

import (
	"container/list"
	"slices"
	"time"

	"kassa/services/events"
)

// promise is one record on its way to Kafka, and everybody who waits for it. Until done is closed, err and receipt are
// resolve's; abandoned and callbacks belong to the Service's lock.
type promise struct {
	key     string
	user    string
	cart    []events.Item
	begun   time.Time
	done    chan struct{}
	receipt Receipt
	err     error

	abandoned int64 // 1 when a caller was told ErrUnknown
	callbacks []func(Receipt, error)
}

func (p *promise) same(o *promise) bool { return p.user == o.user && slices.Equal(p.cart, o.cart) }

// keys remembers which promise an idempotency key stands for. Pending ones are bounded by the client's buffer, settled ones by max.
type keys struct {
	max     int
	known   map[string]*promise
	settles *list.List // of *promise, oldest first
}

func newKeys(limit int) keys {
	return keys{max: limit, known: make(map[string]*promise), settles: list.New()}
}

// join finds the promise that has p's key already; if there is none, the key is p's from now on.
func (k *keys) join(p *promise) (*promise, bool) {
	if p.key == "" {
		return nil, false
	}
	if first, ok := k.known[p.key]; ok {
		return first, true
	}
	k.known[p.key] = p
	return nil, false
}

// settled lets the key of an accepted checkout be forgotten in its turn.
func (k *keys) settled(p *promise) {
	if p.key == "" {
		return
	}
	k.settles.PushBack(p)
	if k.settles.Len() > k.max {
		oldest := k.settles.Remove(k.settles.Front()).(*promise)
		delete(k.known, oldest.key)
	}
}

func (k *keys) forget(p *promise) {
	if k.known[p.key] == p {
		delete(k.known, p.key)
	}
}
