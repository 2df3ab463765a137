package services

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Observe hands svc what is written to its Inputs from now on, beside the instances that do its work: it joins no group, commits nothing and buries nothing,
// and makes nothing of what the handler returns. What cannot be read is passed over. It returns nil when ctx ends; an error means that the
// Kafka client could not be made of client.
func Observe(ctx context.Context, client []kgo.Opt, svc Service) error {
	return Follow(ctx, client, svc.Inputs, func(rec *kgo.Record) {
		if e, err := decode(rec); err == nil {
			_, _ = svc.Handle(ctx, e) // nobody waits for its work here
		}
	})
}

// Follow calls each for every committed record that is written to topics from now on, in a single goroutine. It returns nil when ctx ends; an error means that the
// Kafka client could not be made of client.
func Follow(ctx context.Context, client []kgo.Opt, topics []string, each func(*kgo.Record)) error {
	cl, err := kgo.NewClient(slices.Concat(client, []kgo.Opt{
		kgo.ClientID("kassa-observer"),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.MaxDecompressBatchBytes(largestBatch),
		kgo.FetchMaxWait(longestFetch),
		kgo.DisableClientMetrics(),
	})...)
	if err != nil {
		return fmt.Errorf("making the Kafka client of an observer: %w", err)
	}
	defer cl.Close()
	for n := 0; ; n++ {
		// The end of now: the client would look it up some time later.
		if from, ok := ends(ctx, kadm.NewClient(cl), topics); ok {
			cl.AddConsumePartitions(from)
			break
		}
		if !pause(ctx, n, 50*time.Millisecond, time.Second) {
			return nil
		}
	}
	for failures := 0; ctx.Err() == nil; {
		fetches := cl.PollFetches(ctx)
		fetches.EachRecord(each)
		readAnew(cl, fetches)
		for _, e := range tooLarge(fetches) {
			cl.SetOffsets(map[string]map[int32]kgo.EpochOffset{e.Topic: {e.Partition: {Epoch: e.Epoch, Offset: e.NextOffset}}})
		}
		if fetches.Err() == nil {
			failures = 0
			continue
		}
		pause(ctx, failures, 50*time.Millisecond, time.Second) // the next poll fails at once
		failures++
	}
	return nil
}

// readAnew has the client read the topics from their start that were deleted, and made again or to be. It reads no topic under its old name that has another id.
func readAnew(cl *kgo.Client, fetches kgo.Fetches) {
	var gone []string
	fetches.EachError(func(topic string, _ int32, err error) {
		if errors.Is(err, kerr.UnknownTopicID) && !slices.Contains(gone, topic) {
			gone = append(gone, topic)
		}
	})
	cl.PurgeTopicsFromConsuming(gone...)
	cl.AddConsumeTopics(gone...)
}

// ends are where the partitions of the topics end; false while one of them cannot be said.
func ends(ctx context.Context, adm *kadm.Client, topics []string) (map[string]map[int32]kgo.Offset, bool) {
	listed, err := adm.ListEndOffsets(ctx, topics...)
	if err != nil || listed.Error() != nil {
		return nil, false
	}
	return listed.KOffsets(), len(listed) == len(topics)
}
