package main

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/twmb/franz-go/pkg/kgo"

	"kassa/services/deadletters"
	"kassa/services/poison"
)

// letterPreview is how much of a value the screen shows, in bytes.
const letterPreview = 16 << 10

// deadLetters implements tui.DeadLetters on the cluster of these options.
type deadLetters struct{ client []kgo.Opt }

// Latest implements tui.DeadLetters.
func (d deadLetters) Latest(ctx context.Context, n int) ([]deadletters.Letter, error) {
	return deadletters.New(d.client).Latest(ctx, deadletters.Query{Limit: n, Preview: letterPreview})
}

// Retry implements tui.DeadLetters.
func (d deadLetters) Retry(ctx context.Context, at deadletters.Place) (as deadletters.Place, err error) {
	sel := deadletters.Selection{Places: []deadletters.Place{at}}
	_, failed := deadletters.New(d.client).Retry(ctx, sel, func(o deadletters.Outcome) { as, err = o.As, o.Err })
	if failed != nil {
		err = failed
	}
	return as, err
}

// Poison implements tui.DeadLetters.
func (d deadLetters) Poison(ctx context.Context) (string, error) {
	kinds := poison.Small()
	k := kinds[rand.IntN(len(kinds))]
	rec, err := poison.Write(ctx, d.client, k)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s, at %s", k.Name, deadletters.Place{Topic: rec.Topic, Partition: rec.Partition, Offset: rec.Offset}), nil
}
