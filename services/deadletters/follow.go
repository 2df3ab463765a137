package deadletters

import (
	"context"
	"hash/maphash"

	"github.com/twmb/franz-go/pkg/kgo"

	"kassa/services"
	"kassa/services/events"
)

// Follow calls f for every letter that is written from now on, with the topic that it is about; not for the notes of retries. It returns nil when ctx ends; an
// error means that the Kafka client could not be made.
func (s *Store) Follow(ctx context.Context, f func(source string)) error {
	var topics []string
	for _, t := range Topics() {
		topics = append(topics, events.DeadLetters(t))
	}
	ids := identifier{maphash.MakeSeed()}
	return services.Follow(ctx, s.client, topics, func(rec *kgo.Record) {
		if letter, _, _ := ids.read(rec); letter != nil {
			f(events.SourceOf(rec.Topic))
		}
	})
}
