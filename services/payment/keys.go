package payment

import (
	"container/list"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kassa/services/events"
)

// promise is one record on its way to Kafka, and everybody who waits for it. Until done is closed, err and receipt are
// resolve's; abandoned and callbacks belong to the Service's lock.
type promise struct {
	key     string
	pay     events.Payment
	begun   time.Time // when the first request for it came
	till    *till     // that it is sent by
	done    chan struct{}
	receipt Receipt
	err     error
	found   bool // in the log, after its instance had crashed
	ended   time.Time

	abandoned int64 // 1 when a caller was told ErrUnknown
	callbacks []func(Receipt, error)
}

// same says that two promises of one key are of the same user and cart: the checkout id is derived from all three.
func (p *promise) same(o *promise) bool { return p.pay.CheckoutID == o.pay.CheckoutID }

// lost says that it ended without an answer. The caller holds the Service's lock.
func (p *promise) lost() bool {
	select {
	case <-p.done:
		return errors.Is(p.err, ErrUnknown)
	default:
		return false
	}
}

// record is the payment as Kafka takes it.
func (p *promise) record() (*kgo.Record, error) {
	key, value, err := events.Encode(p.pay)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	headers := events.Headers(p.pay, "payment", now, nil)
	rec := &kgo.Record{Topic: events.PaymentSuccessful, Key: key, Value: value, Timestamp: now, Headers: make([]kgo.RecordHeader, len(headers), len(headers)+1)}
	for i, h := range headers {
		rec.Headers[i] = kgo.RecordHeader(h)
	}
	if p.key != "" {
		rec.Headers = append(rec.Headers, kgo.RecordHeader{Key: HeaderIdempotencyKey, Value: []byte(p.key)})
	}
	return rec, nil
}

// keptFor is how long the key of a checkout that has ended is kept at least: whoever sends a request again does so within minutes.
const keptFor = 10 * time.Minute

// mostKeys is how many keys of checkouts that have ended are kept at most, however young: 83 MB with keys of 36 bytes.
const mostKeys = 200_000

// keys remembers which promise an idempotency key stands for. Pending ones are bounded by the client's buffer, settled ones by limit once they are old, and
// by most.
type keys struct {
	limit, most int
	known       map[string]*promise
	settles     *list.List // of *promise, oldest first
}

func newKeys(limit, most int) keys {
	return keys{limit: limit, most: max(limit, most), known: make(map[string]*promise), settles: list.New()}
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

// replace gives the key to p, which has another promise's.
func (k *keys) replace(p *promise) { k.known[p.key] = p }

// settled lets the key of a checkout that has ended be forgotten in its turn. From now on it stands for what an answer needs: not for the cart, which may
// be large, nor the till, which may be closed. The checkout id goes on telling its request from others.
func (k *keys) settled(p *promise, now time.Time) {
	if p.key == "" {
		return
	}
	answer := &promise{key: p.key, begun: p.begun, done: over, receipt: p.receipt, err: p.err, ended: now}
	answer.pay.CheckoutID = p.pay.CheckoutID
	k.known[p.key] = answer
	k.settles.PushBack(answer)
	for k.settles.Len() > k.limit {
		oldest := k.settles.Front()
		first := oldest.Value.(*promise)
		if k.settles.Len() <= k.most && now.Sub(first.ended) < keptFor {
			return
		}
		k.settles.Remove(oldest)
		k.forget(first)
	}
}

// over is the done of promises that have ended.
var over = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// forget frees p's key, unless it is another's by now.
func (k *keys) forget(p *promise) {
	if k.known[p.key] == p {
		delete(k.known, p.key)
	}
}
