package deadletters

import (
	"context"
	"fmt"
	"hash/maphash"

	"github.com/twmb/franz-go/pkg/kgo"

	"kassa/services/events"
)

// Find reads the dead letter at a place, or the one of the record that was there, with all of its value. Of several that died of the same
// record it is the first.
func (s *Store) Find(ctx context.Context, at Place) (Letter, error) {
	source, err := at.source()
	if err != nil {
		return Letter{}, err
	}
	r, err := s.open(identifier{maphash.MakeSeed()})
	if err != nil {
		return Letter{}, err
	}
	defer r.close()
	spans, err := r.spans(ctx, []string{source})
	if err != nil {
		return Letter{}, err
	}
	if events.IsDeadLetters(at.Topic) { // notes lie behind their letters
		own := partition{at.Topic, at.Partition}
		sp := spans[own]
		clear(spans)
		if sp.from <= at.Offset && at.Offset < sp.to {
			spans[own] = span{at.Offset, sp.to}
		}
	}
	var found *Letter
	var id identity
	err = r.scan(ctx, spans, func(rec *kgo.Record) {
		l, its, retried := r.ids.read(rec)
		switch {
		case retried != nil:
			if found != nil && retried.of == id {
				found.Retried, found.RetriedAs = retried.at, retried.as
			}
		case found == nil && (l.At == at || l.Source == at):
			l.Key, l.Value = keep(l.Key, len(l.Key)), keep(l.Value, len(l.Value))
			found, id = l, its
		}
	})
	switch {
	case err != nil:
		return Letter{}, err
	case found == nil:
		return Letter{}, fmt.Errorf("%s: %w", at, ErrNotFound)
	}
	return *found, nil
}
