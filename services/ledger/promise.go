package ledger

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"time"
)

// Outcome is what a customer was told about a checkout. Of several answers about the same one the highest counts: a checkout that was
// acknowledged once stays acknowledged, and one that nobody knows about is not refused by a later refusal.
type Outcome uint8

// Outcomes.
const (
	Refused  Outcome = 1 + iota // turned away: nothing was or will be written
	Unknown                     // not known: it may have been written, or may be yet
	Accepted                    // acknowledged
)

var outcomes = map[Outcome]string{Refused: "refused", Unknown: "unknown", Accepted: "accepted"}

// String is the outcome's name in a file of promises.
func (o Outcome) String() string {
	if s, ok := outcomes[o]; ok {
		return s
	}
	return fmt.Sprintf("outcome %d", uint8(o))
}

// NoAmount is the amount of a promise that does not say.
const NoAmount int64 = -1

// Promise is what a customer was told about one checkout.
type Promise struct {
	Checkout string
	Outcome  Outcome
	Amount   int64     // minor units; NoAmount when it is not known
	At       time.Time // when the customer asked; zero when it is not known
}

// line is a promise in a file: one JSON object a line.
type line struct {
	CheckoutID string      `json:"checkoutId"`
	Outcome    string      `json:"outcome"`
	Amount     json.Number `json:"amount,omitempty"` // as on the wire
	At         *time.Time  `json:"at,omitempty"`     // when the customer asked
}

// WriteTo writes the promises as NDJSON, {"checkoutId":…,"outcome":…,"amount":…,"at":…} on each line. Lines about one checkout may be several.
func (b *Book) WriteTo(w io.Writer) (int64, error) {
	count := &counter{w: w}
	out := bufio.NewWriter(count)
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	_, err := b.each(math.MaxInt64, func(p Promise) error {
		l := line{CheckoutID: p.Checkout, Outcome: p.Outcome.String()}
		if p.Amount != NoAmount {
			l.Amount = json.Number(amountText(p.Amount))
		}
		if !p.At.IsZero() {
			l.At = &p.At
		}
		return enc.Encode(l)
	})
	return count.n, errors.Join(err, out.Flush())
}

type counter struct {
	w io.Writer
	n int64
}

// Write implements io.Writer.
func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// longestLine of a file of promises, in bytes: an id may be written in escapes.
const longestLine = 8 << 10

// ReadBook is a Book of the promises in r, as WriteTo writes them; amount and at may be missing. It is begun when the first of them was asked
// for or, if one of them does not say when, for ever. An error names the line.
func ReadBook(r io.Reader, dir string) (*Book, error) {
	b := NewBook(dir)
	b.begun = time.Time{}
	always := false
	in := bufio.NewScanner(r)
	in.Buffer(nil, longestLine)
	n := 0
	for in.Scan() {
		n++
		if len(bytes.TrimSpace(in.Bytes())) == 0 {
			continue
		}
		p, err := readLine(in.Bytes())
		if err != nil {
			return nil, errors.Join(fmt.Errorf("line %d: %w", n, err), b.Close())
		}
		switch {
		case p.At.IsZero():
			always = true
		case b.begun.IsZero() || p.At.Before(b.begun):
			b.begun = p.At
		}
		b.noteLocked(p)
	}
	if err := errors.Join(in.Err(), b.err); err != nil {
		return nil, errors.Join(fmt.Errorf("after line %d: %w", n, err), b.Close())
	}
	if always {
		b.begun = time.Time{}
	}
	return b, nil
}

func readLine(in []byte) (Promise, error) {
	var l line
	dec := json.NewDecoder(bytes.NewReader(in))
	if err := dec.Decode(&l); err != nil {
		return Promise{}, fmt.Errorf("is no promise: %w", err)
	}
	if dec.More() {
		return Promise{}, errors.New("has more than one JSON value")
	}
	p := Promise{Checkout: l.CheckoutID, Amount: NoAmount}
	if l.CheckoutID == "" || len(l.CheckoutID) > maxID {
		return Promise{}, fmt.Errorf("checkoutId is 1 to %d bytes, not %d", maxID, len(l.CheckoutID))
	}
	for o, name := range outcomes {
		if name == l.Outcome {
			p.Outcome = o
		}
	}
	if p.Outcome == 0 {
		return Promise{}, fmt.Errorf("outcome is accepted, refused or unknown, not %q", l.Outcome)
	}
	if l.Amount != "" {
		var err error
		if p.Amount, err = parseAmount(string(l.Amount)); err != nil {
			return Promise{}, fmt.Errorf("amount is %w: %s", err, l.Amount)
		}
	}
	if l.At != nil {
		p.At = *l.At
	}
	return p, nil
}
