// Package poison makes records that no service of the shop can read, of every kind that is known to have stopped one somewhere, and a few that look
// like poison and must be carried. Tests and the screen use it; the shop does not.
package poison

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kassa/services/events"
)

// Kind is one kind of record.
type Kind struct {
	Name   string // in a few words
	Topic  string
	Reason string // part of what its dead letter says; empty for a record that must be carried
	Record kgo.Record
	// Packed is for a record that is larger than what the topic takes, and gets there in a compressed batch.
	Packed bool
}

// largest is a value with which a record just fits into the 1,048,588 bytes that a topic takes: a batch has 61 bytes, and a record about 20, besides it.
const largest = 1048588 - 200

const item = `{"id":1,"name":"Cap","price":499.9,"image":"/cap.png","description":"A cap"}`

// Small is those that may be written for show.
func Small() []Kind {
	cart := func(rest string) string { return `{"userId":"eve","cart":[` + item + `]` + rest + `}` }
	price := func(p string) string { return `{"userId":"eve","cart":[{"id":1,"name":"Cap","price":` + p + `}]}` }
	all := []Kind{
		text("not JSON", "hello, is this the till?", "not JSON"),
		text("cut short", `{"userId":"eve","cart":[`, "unexpected end"),
		text("two documents", cart("")+cart(""), "after top-level value"),
		text("an array", "["+cart("")+"]", "is an array, not an object"),
		text("a string", `"payment"`, "is a string, not an object"),
		text("a number", "-0.0e1", "is a number, not an object"),
		text("null", "null", "is null, not an object"),
		text("userId is a number", `{"userId":7,"cart":[]}`, "userId is a number"),
		text("cart is an object", `{"userId":"eve","cart":{}}`, "cart is an object"),
		text("price is text", price(`"499.90"`), "cart[0].price is a string"),
		text("no userId", `{"cart":[`+item+`]}`, "userId is missing"),
		text("no cart", `{"userId":"eve"}`, "cart is missing"),
		text("no price", `{"userId":"eve","cart":[{"id":1}]}`, "cart[0].price is missing"),
		text("empty value", "", "no value (empty)"),
		text("NaN", price("NaN"), "invalid character 'N'"),
		text("Infinity", price("Infinity"), "invalid character 'I'"),
		text("negative price", price("-499.9"), "cart[0].price is negative"),
		text("absurd price", price("1e300"), "cart[0].price is absurdly large"),
		text("absurd exponent", price("1e999999999999999999"), "cart[0].price is absurdly large"),
		text("absurd sum", `{"userId":"eve","cart":[{"price":9e12},{"price":9e12}]}`, "the sum of the cart is absurdly large"),
		text("a key twice", `{"userId":"eve","userId":"mallory","cart":[]}`, "userId is there twice"),
		text("a key twice, once escaped", `{"userId":"eve","us\u0065rId":"mallory","cart":[]}`, "userId is there twice"),
		text("invalid UTF-8", "{\"userId\":\"\xff\xfe\",\"cart\":[]}", "invalid UTF-8 at byte 11"),
		text("half a character", `{"userId":"eve\ud800","cart":[]}`, "userId escapes half a character"),
		text("a byte order mark", "\ufeff"+cart(""), "not JSON"),
		text("endless checkoutId", cart(`,"checkoutId":"`+strings.Repeat("c", 300)+`"`), "checkoutId is longer than 256 bytes"),
	}
	for _, topic := range []string{events.OrderSuccessful, events.EmailSuccessful} {
		id := idOf(topic)
		for _, k := range []Kind{
			text("not JSON", "hello", "not JSON"),
			text("empty value", "", "no value (empty)"),
			text("null", "null", "is null, not an object"),
			text("no "+id, `{"userId":"eve"}`, id+" is missing"),
			text("no userId", `{"`+id+`":"x"}`, "userId is missing"),
			text(id+" is a number", `{"userId":"eve","`+id+`":1}`, id+" is a number"),
			text(id+" twice", `{"userId":"eve","`+id+`":"a","`+id+`":"b"}`, id+" is there twice"),
			text("invalid UTF-8", "{\"userId\":\"eve\",\""+id+"\":\"\xff\"}", "invalid UTF-8"),
		} {
			k.Topic = topic
			all = append(all, k)
		}
	}
	return all
}

func idOf(topic string) string {
	return map[string]string{events.OrderSuccessful: "orderId", events.EmailSuccessful: "emailId"}[topic]
}

// Kinds is all of them.
func Kinds() []Kind {
	cart := func(rest string) string { return `{"userId":"eve","cart":[` + item + `]` + rest + `}` }
	all := append(Small(),
		text("nested beyond reason", `{"userId":"eve","cart":[],"x":`+strings.Repeat("[", 20_000)+strings.Repeat("]", 20_000)+`}`, "exceeded max depth"),
		text("1 MB cart", bigCart(1_000_000), "at most 786432 are read"),
		text("largest cart that a topic takes", bigCart(largest), "at most 786432 are read"),
		packed("3 MB of text in a compressed batch", kgo.Record{Value: []byte(strings.Repeat("x", 3<<20))}, "at most 786432 are read"),
		packed("3 MB of key in a compressed batch", kgo.Record{Key: []byte(strings.Repeat("k", 3<<20)), Value: []byte("junk")}, "not JSON"),
		packed("4 MB of headers in a compressed batch", kgo.Record{Headers: headers(4096, 1024), Value: []byte("junk")}, "not JSON"),
		packed("200,000 empty headers", kgo.Record{Headers: headers(200_000, 0), Value: []byte("junk")}, "not JSON"),
		with("tombstone", kgo.Record{Key: []byte("c")}, "a tombstone"),
		with("no key, not JSON", kgo.Record{Value: []byte("junk")}, "not JSON"),
		with("huge key, not JSON", kgo.Record{Key: []byte(strings.Repeat("k", 900_000)), Value: []byte("junk")}, "not JSON"),
		with("headers that claim to be a dead letter's", kgo.Record{Value: []byte("junk"), Headers: []kgo.RecordHeader{
			{Key: "dlq.topic", Value: []byte("elsewhere")}, {Key: "dlq.offset", Value: []byte("-1")}, {Key: "dlq.attempt", Value: []byte("x")}, {Key: "\xff", Value: []byte("\x1b[2J")},
		}}, "not JSON"),
		with("written in 1970, not JSON", kgo.Record{Timestamp: time.UnixMilli(1), Value: []byte("junk")}, "not JSON"),

		// These must be carried.
		with("first fields only", kgo.Record{Value: []byte(`{"userId":"eve","cart":[` + item + `]}`)}, ""),
		with("key is not the checkoutId", kgo.Record{Key: []byte("eve"), Value: []byte(cart(`,"checkoutId":"poison-key"`))}, ""),
		with("no key, with a checkoutId", kgo.Record{Value: []byte(cart(`,"checkoutId":"poison-no-key"`))}, ""),
		with("huge key", kgo.Record{Key: []byte(strings.Repeat("k", 900_000)), Value: []byte(cart(`,"checkoutId":"poison-huge-key"`))}, ""),
		with("numbers with exponents", kgo.Record{Value: []byte(`{"userId":"eve","cart":[{"id":1,"price":4999e-1},{"price":1E+2}],"checkoutId":"poison-exponent"}`)}, ""),
		with("unknown fields, nested", kgo.Record{Value: []byte(cart(`,"checkoutId":"poison-nested","x":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000)))}, ""),
		with("500 headers", kgo.Record{Headers: headers(500, 16), Value: []byte(cart(`,"checkoutId":"poison-headers"`))}, ""),
		with("written in 1970", kgo.Record{Timestamp: time.UnixMilli(1), Value: []byte(cart(`,"checkoutId":"poison-1970"`))}, ""),
		packed("compressed", kgo.Record{Value: []byte(cart(`,"checkoutId":"poison-packed"`))}, ""),
	)
	for _, topic := range []string{events.OrderSuccessful, events.EmailSuccessful} {
		id := idOf(topic)
		for _, k := range []Kind{
			text("1 MB of text", `{"userId":"eve","`+id+`":"`+strings.Repeat("x", 1_000_000)+`"}`, "at most 786432 are read"),
			packed("3 MB of headers in a compressed batch", kgo.Record{Headers: headers(3000, 1024), Value: []byte("junk")}, "not JSON"),
			with("tombstone", kgo.Record{Key: []byte("c")}, "a tombstone"),
			// An event of another program, or of a checkout that nobody has heard of, is no poison.
			with("first fields only", kgo.Record{Value: []byte(`{"userId":"eve","` + id + `":"x"}`)}, ""),
			with("unknown checkout", kgo.Record{Value: []byte(`{"userId":"eve","` + id + `":"x","checkoutId":"poison-` + id + `"}`)}, ""),
		} {
			k.Topic = topic
			all = append(all, k)
		}
	}
	return all
}

func text(name, value, reason string) Kind {
	return with(name, kgo.Record{Key: []byte("poison"), Value: []byte(value)}, reason)
}

func packed(name string, rec kgo.Record, reason string) Kind {
	k := with(name, rec, reason)
	k.Packed = true
	return k
}

func with(name string, rec kgo.Record, reason string) Kind {
	return Kind{Name: name, Topic: events.PaymentSuccessful, Reason: reason, Record: rec}
}

// bigCart is a good cart of so many bytes.
func bigCart(bytes int) string {
	var b strings.Builder
	b.WriteString(`{"userId":"eve","cart":[` + item)
	for b.Len()+len(item)+4 <= bytes {
		b.WriteString("," + item)
	}
	b.WriteString("]")
	b.WriteString(strings.Repeat(" ", bytes-b.Len()-1))
	return b.String() + "}"
}

func headers(n, size int) []kgo.RecordHeader {
	h := make([]kgo.RecordHeader, n)
	for i := range h {
		if size > 0 {
			h[i] = kgo.RecordHeader{Key: fmt.Sprint("flood-", i), Value: []byte(strings.Repeat("h", size))}
		}
	}
	return h
}

// Write writes a record of this kind with a client of its own, and returns it with its place.
func Write(ctx context.Context, client []kgo.Opt, k Kind) (*kgo.Record, error) {
	opts := append(append([]kgo.Opt(nil), client...), kgo.ProducerBatchMaxBytes(1048588), kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.DisableClientMetrics(),
		kgo.AllowIdempotentProduceCancellation()) // or ctx would not end a write that may have been done
	if k.Packed {
		opts = append(opts, kgo.ProducerBatchMaxBytes(16<<20), kgo.ProducerBatchCompression(kgo.GzipCompression()))
	}
	cl, err := kgo.NewClient(opts...)
	if err != nil {
		return nil, fmt.Errorf("make a client: %w", err)
	}
	defer cl.Close()
	rec := k.Record
	rec.Topic = k.Topic
	if err := cl.ProduceSync(ctx, &rec).FirstErr(); err != nil {
		return nil, fmt.Errorf("write %s: %w", k.Name, err)
	}
	return &rec, nil
}
