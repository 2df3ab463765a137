package deadletters

import (
	"encoding/json"
	"hash/maphash"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"kassa/services"
	"kassa/services/events"
)

// Whatever lies in a topic for dead letters, it is read as a letter or a note, it goes nowhere but to the topic that it came from, and a place
// that it names is one that can be asked for.
func FuzzLetter(f *testing.F) {
	f.Add("payment-successful", "1", "42", "2026-01-02T03:04:05.6Z", "cannot be read", "2", []byte("k"), []byte("v"), "mine")
	f.Add("order-successful", "1", "42", "1", "", "x", []byte(nil), []byte(nil), services.HeaderRetried)
	f.Add("payment-successful", "-1", "9223372036854775808", "292278994-08-17T07:12:55Z", "\x1b[2J", "0", []byte("\xff"), []byte("\xff"), services.HeaderDeadSize)
	f.Add("", "", "", "", "", "", []byte(""), []byte(""), services.HeaderDeadTopic)
	f.Fuzz(func(t *testing.T, topic, partition, offset, at, reason, attempt string, key, value []byte, other string) {
		ids := identifier{maphash.MakeSeed()}
		rec := &kgo.Record{Topic: events.DeadLetters(events.PaymentSuccessful), Partition: 1, Offset: 7, Key: key, Value: value}
		for _, h := range [][2]string{
			{services.HeaderDeadTopic, topic},
			{services.HeaderDeadPartition, partition},
			{services.HeaderDeadOffset, offset},
			{services.HeaderDeadTime, at},
			{services.HeaderDeadError, reason},
			{services.HeaderDeadAttempt, attempt},
			{other, reason},
		} {
			rec.Headers = append(rec.Headers, kgo.RecordHeader{Key: h[0], Value: []byte(h[1])})
		}
		l, id, n := ids.read(rec)
		if (l == nil) == (n == nil) {
			t.Fatal("neither letter nor note")
		}
		if n != nil {
			return
		}
		if l.Source != (Place{}) {
			if l.Source.Topic != events.PaymentSuccessful {
				t.Fatalf("it would go to %s", l.Source)
			}
			if p, err := ParsePlace(l.Source.String()); err != nil || p != l.Source {
				t.Fatalf("%s is read as %v (%v)", l.Source, p, err)
			}
		}
		if _, err := json.Marshal(l); err != nil {
			t.Fatal(err)
		}
		if _, again, _ := ids.read(rec); again != id || l.Attempt < 1 || l.Size < len(value) {
			t.Fatalf("%+v", l)
		}
		if retryable(l) != nil {
			return
		}
		// Once more around: what is written again and dies again is the same record, one attempt later, and its note is found.
		dead := again(l)
		if dead.Topic != events.PaymentSuccessful || len(dead.Headers) > 3 || string(dead.Value) != string(value) || string(dead.Key) != string(key) {
			t.Fatalf("%+v became %+v", l, dead)
		}
		if _, _, n := ids.read(noteOf(l, l.Source)); n == nil || n.of != id {
			t.Fatalf("the note of %+v is for another", l)
		}
	})
}
