package services

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"kassa/services/events"
)

// Partitions is how many partitions EnsureTopics gives a topic.
const Partitions = 3

// deadLetterBytes is max.message.bytes of a topic for dead letters: what fits into the topic it comes from (1 MiB) fits
// here with the headers that say why.
const deadLetterBytes = 2 << 20

// EnsureTopics makes the topics of the flow and those for their dead letters, on three brokers, or as many as are alive.
// Topics that exist are left as they are. It tries until ctx ends, and then says what stood in the way.
func EnsureTopics(ctx context.Context, adm *kadm.Client) error {
	for n := 0; ; n++ {
		err := ensureTopics(ctx, adm)
		if err == nil {
			return nil
		}
		if !pause(ctx, n, 50*time.Millisecond, time.Second) {
			return fmt.Errorf("making the shop's topics: %w (%w)", err, context.Cause(ctx))
		}
	}
}

func ensureTopics(ctx context.Context, adm *kadm.Client) error {
	brokers, err := adm.ListBrokers(ctx)
	if err != nil {
		return err
	}
	replicas := int16(min(3, len(brokers)))
	config := map[string]*string{"min.insync.replicas": new("2")}
	if replicas == 1 {
		config["min.insync.replicas"] = new("1")
	}
	deadLetterConfig := map[string]*string{
		"min.insync.replicas": config["min.insync.replicas"],
		"max.message.bytes":   new(fmt.Sprint(deadLetterBytes)),
	}
	var deadLetters []string
	for _, t := range events.Topics() {
		deadLetters = append(deadLetters, events.DeadLetters(t))
	}
	return errors.Join(
		create(ctx, adm, replicas, config, events.Topics()),
		create(ctx, adm, replicas, deadLetterConfig, deadLetters),
	)
}

func create(ctx context.Context, adm *kadm.Client, replicas int16, config map[string]*string, topics []string) error {
	answers, err := adm.CreateTopics(ctx, Partitions, replicas, config, topics...)
	if err != nil {
		return err
	}
	var errs []error
	for _, a := range answers.Sorted() {
		if a.Err != nil && !errors.Is(a.Err, kerr.TopicAlreadyExists) {
			errs = append(errs, fmt.Errorf("%s: %w %s", a.Topic, a.Err, a.ErrMessage))
		}
	}
	return errors.Join(errs...)
}
