package deadletters

import (
	"bytes"
	"fmt"
	"hash/maphash"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"kassa/services"
	"kassa/services/events"
)

// A listing keeps nothing of the fetches that its letters came in: a few letters, held by a screen, would hold megabytes each.
func TestAListingLetsGoOfTheFetches(t *testing.T) {
	const limit, preview = 2, 4
	c := newCollector(identifier{maphash.MakeSeed()}, Query{Limit: limit, Preview: preview})
	fetch := []byte("key.value.header")
	for p := range int32(3) {
		for n := range int64(3) {
			c.add(&kgo.Record{
				Topic: events.DeadLetters(events.PaymentSuccessful), Partition: p, Offset: n, Key: fetch[:3], Value: fetch[4:9],
				Headers: []kgo.RecordHeader{{Key: "mine", Value: fetch[10:]}, {Key: services.HeaderDeadError, Value: fetch[10:]}},
			})
		}
	}
	clear(fetch)
	letters := c.listing().Letters
	if len(letters) != limit || cap(letters) >= 2*limit {
		t.Errorf("%d letters with room for %d", len(letters), cap(letters))
	}
	for _, l := range letters {
		if got := fmt.Sprintf("%s %s %s %s", l.Key, l.Value, l.Headers[0].Value, l.Reason); got != "key valu head header" || bytes.Contains([]byte(got), []byte{0}) {
			t.Errorf("%q is left of a letter", got)
		}
	}
}
