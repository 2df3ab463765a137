package services

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"kassa/services/events"
)

// Partitions is how many partitions EnsureTopics gives a topic.
const Partitions = 3

// wantedReplicas is how many replicas EnsureTopics gives a partition, where there are as many brokers.
const wantedReplicas = 3

// deadLetterBytes is max.message.bytes of a topic for dead letters: what fits into the topic it comes from (1 MiB) fits
// here with the headers that say why.
const deadLetterBytes = 2 << 20

// leastLetterBytes is what a topic for dead letters must take for the flow to go on: less has no room for a letter's headers.
const leastLetterBytes = 64 << 10

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
	replicas, minISR := enough(len(brokers), set.MinISR)
	config := map[string]*string{"min.insync.replicas": new(strconv.Itoa(minISR))}
	var deadLetters []string
	for _, t := range events.Topics() {
		deadLetters = append(deadLetters, events.DeadLetters(t))
	}
	return errors.Join(
		create(ctx, adm, replicas, config, events.Topics()),
		create(ctx, adm, replicas, deadLetterConfig(minISR), deadLetters),
	)
}

// enough is how many replicas a topic gets on so many brokers, and how many of them must be in sync; asked is 0 for the usual.
func enough(brokers, asked int) (replicas int16, minISR int) {
	n := min(wantedReplicas, brokers)
	return int16(n), min(cmp.Or(asked, 2), n)
}

func deadLetterConfig(minISR int) map[string]*string {
	return map[string]*string{"min.insync.replicas": new(strconv.Itoa(minISR)), "max.message.bytes": new(strconv.Itoa(deadLetterBytes))}
}

// ThinTopics are those of the shop's topics that have fewer than three replicas in any partition, and how many that is. A topic that is made while brokers are down gets as many
// as are alive, and keeps them.
func ThinTopics(ctx context.Context, adm *kadm.Client) (map[string]int, error) {
	var all []string
	for _, t := range events.Topics() {
		all = append(all, t, events.DeadLetters(t))
	}
	topics, err := adm.ListTopics(ctx, all...)
	if err != nil {
		return nil, err
	}
	thin := make(map[string]int)
	for _, t := range topics {
		for _, p := range t.Partitions {
			if have, known := thin[t.Topic]; len(p.Replicas) < wantedReplicas && (!known || len(p.Replicas) < have) {
				thin[t.Topic] = len(p.Replicas)
			}
		}
	}
	return thin, nil
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

// mendDeadLetters makes those topics for the dead letters of sources that are missing, with the min.insync.replicas of their source, and has those that somebody else
// made take as much as ours; mended names them. takes is how many bytes in one batch all of them take; 0 if that is not known of all.
func mendDeadLetters(ctx context.Context, adm *kadm.Client, sources []string) (takes int, mended []string, err error) {
	asked := slices.Clone(sources)
	for _, t := range sources {
		asked = append(asked, events.DeadLetters(t))
	}
	configs, err := adm.DescribeTopicConfigs(ctx, asked...)
	if err != nil {
		return 0, nil, err
	}
	takes = deadLetterBytes
	var errs []error
	for _, source := range sources {
		letters := events.DeadLetters(source)
		have, err := number(configs, letters, "max.message.bytes")
		switch {
		case errors.Is(err, kerr.UnknownTopicOrPartition):
			minISR, _ := number(configs, source, "min.insync.replicas") // 0 is the default
			if err = makeDeadLetters(ctx, adm, minISR, letters); err == nil {
				have, mended = deadLetterBytes, append(mended, letters)
			}
		case err == nil && have < deadLetterBytes:
			if err = takeLetters(ctx, adm, letters); err == nil {
				have, mended = deadLetterBytes, append(mended, letters)
			}
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", letters, err))
		}
		takes = min(takes, have)
	}
	return takes, mended, errors.Join(errs...)
}

// number is a setting of a topic.
func number(configs kadm.ResourceConfigs, topic, key string) (int, error) {
	c, err := configs.On(topic, nil)
	if err = cmp.Or(err, c.Err); err != nil {
		return 0, err
	}
	for _, s := range c.Configs {
		if s.Key == key {
			return strconv.Atoi(s.MaybeValue())
		}
	}
	return 0, fmt.Errorf("no broker tells its %s", key)
}

func makeDeadLetters(ctx context.Context, adm *kadm.Client, minISR int, topics ...string) error {
	brokers, err := adm.ListBrokers(ctx)
	if err != nil {
		return err
	}
	replicas, minISR := enough(len(brokers), minISR)
	return create(ctx, adm, replicas, deadLetterConfig(minISR), topics)
}

// takeLetters has a topic take letters of any size.
func takeLetters(ctx context.Context, adm *kadm.Client, topic string) error {
	answers, err := adm.AlterTopicConfigs(ctx, []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "max.message.bytes", Value: new(strconv.Itoa(deadLetterBytes))}}, topic)
	if err != nil {
		return err
	}
	for _, a := range answers {
		if a.Err != nil {
			return fmt.Errorf("setting max.message.bytes to %d: %w", deadLetterBytes, a.Err)
		}
	}
	return nil
}
