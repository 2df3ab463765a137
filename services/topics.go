package services

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
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

// TopicSettings are what may be chosen about the shop's topics. The zero value is what keeps records safe.
type TopicSettings struct {
	// MinISR is min.insync.replicas: how many brokers must have a record before acks=all acknowledges it. 0 means 2, and where there is one broker it is 1. With
	// 1 the leader alone may acknowledge, and what it acknowledged is gone with it: for showing that.
	MinISR int
}

// EnsureTopics makes the topics of the flow and those for their dead letters, on three brokers, or as many as are alive.
// Topics that exist are left as they are. It tries until ctx ends, and then says what stood in the way.
func EnsureTopics(ctx context.Context, adm *kadm.Client, set TopicSettings) error {
	for n := 0; ; n++ {
		err := ensureTopics(ctx, adm, set)
		if err == nil {
			return nil
		}
		if !pause(ctx, n, 50*time.Millisecond, time.Second) {
			return fmt.Errorf("making the shop's topics: %w (%w)", err, context.Cause(ctx))
		}
	}
}

func ensureTopics(ctx context.Context, adm *kadm.Client, set TopicSettings) error {
	brokers, err := adm.ListBrokers(ctx)
	if err != nil {
		return err
	}
	replicas := int16(min(3, len(brokers)))
	minISR := min(cmp.Or(set.MinISR, 2), int(replicas))
	config := map[string]*string{"min.insync.replicas": new(strconv.Itoa(minISR))}
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
