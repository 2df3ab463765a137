package embedded

import (
	"strconv"
	"time"

	"kassa/kafkaops"
)

// timing is how long the cluster takes to notice and to mend. It comes from the same settings that real brokers are started with, so the two
// profiles differ here as they do there.
type timing struct {
	session    time.Duration // broker.session.timeout.ms
	heartbeat  time.Duration // broker.heartbeat.interval.ms
	fetch      time.Duration // controller.quorum.fetch.timeout.ms
	election   time.Duration // controller.quorum.election.timeout.ms
	backoff    time.Duration // replica.fetch.backoff.ms
	fetchWait  time.Duration // replica.fetch.wait.max.ms
	imbalance  time.Duration // leader.imbalance.check.interval.seconds
	minISR     int           // min.insync.replicas of a topic that does not set its own
	partitions int32         // num.partitions
	offsets    int32         // offsets.topic.num.partitions
	txns       int32         // transaction.state.log.num.partitions
}

// These are no settings of Kafka's.
const (
	// boot is from the start of a process until it asks to be let in. A JVM takes 2 to 5 s for it; there is none here.
	boot = 400 * time.Millisecond
	// farewell is what a controlled stop takes after the leaders have moved: closing logs, mostly. Real ones: 0.1-0.3 s.
	farewell = 150 * time.Millisecond
	// stale is how long a broker that was paused answers from the past before it has fetched the metadata that it missed.
	stale = 50 * time.Millisecond
	// noop is how often the active controller writes a record that says nothing (metadata.max.idle.interval.ms, Kafka's default).
	noop = 500 * time.Millisecond
)

func timingOf(p kafkaops.Profile) timing {
	set := map[string]string{ // Kafka 4.3's own defaults
		"broker.session.timeout.ms":               "9000",
		"broker.heartbeat.interval.ms":            "2000",
		"controller.quorum.fetch.timeout.ms":      "2000",
		"controller.quorum.election.timeout.ms":   "1000",
		"replica.fetch.backoff.ms":                "1000",
		"replica.fetch.wait.max.ms":               "500",
		"leader.imbalance.check.interval.seconds": "300",
		"min.insync.replicas":                     "1",
		"num.partitions":                          "1",
		"offsets.topic.num.partitions":            "50",
		"transaction.state.log.num.partitions":    "50",
	}
	for _, s := range p.Settings {
		set[s.Key] = s.Value
	}
	number := func(key string) int {
		n, _ := strconv.Atoi(set[key]) // profiles are ours, and a test reads every one of them
		return n
	}
	ms := func(key string) time.Duration { return time.Duration(number(key)) * time.Millisecond }
	return timing{
		session: ms("broker.session.timeout.ms"), heartbeat: ms("broker.heartbeat.interval.ms"),
		fetch: ms("controller.quorum.fetch.timeout.ms"), election: ms("controller.quorum.election.timeout.ms"),
		backoff: ms("replica.fetch.backoff.ms"), fetchWait: ms("replica.fetch.wait.max.ms"),
		imbalance: time.Duration(number("leader.imbalance.check.interval.seconds")) * time.Second,
		minISR:    number("min.insync.replicas"), partitions: int32(number("num.partitions")),
		offsets: int32(number("offsets.topic.num.partitions")), txns: int32(number("transaction.state.log.num.partitions")),
	}
}
