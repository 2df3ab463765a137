// Package services runs the shop. A service is a Handler: a function from one event to the events that follow from it. One Runner
// owns everything around it: polling, transactions, retries, dead letters, shutdown and figures. The packages below
// hold a handler each; none of them knows Kafka.
package services

import (
	"context"
	"time"

	"kassa/services/events"
)

// Handler turns one event into those that follow from it. It may be called again for the same event, and must then
// return the same events. An error wrapped by Refuse sends the event to the dead letters; any other is retried with back-off.
type Handler func(ctx context.Context, in events.Event) ([]events.Event, error)

// Service is what a Runner needs to know of one service.
type Service struct {
	Name   string   // "order"; also its consumer group and the ce_source of its events
	Inputs []string // topics that it reads
	// Watched are those of Inputs whose dead letters are another service's to write: what cannot be read there is passed
	// over, so that each lies in the dead letters once.
	Watched []string
	Output  string // topic that it writes; empty for one that only reads (no transactions then)
	Handle  Handler
	// Parallel is how many events of a batch are handled at once, those of one key still one after the other; what follows from
	// them is written in their order. 0 and 1 mean one by one. It is for a Handler that waits for something else than a processor.
	Parallel int
	// Aligned has partition n of all Inputs read by the same instance, as far as each has it: what belongs together by its key is then read in one place. A rebalance
	// takes all partitions from all instances for a moment. All instances of a group must agree on it.
	Aligned bool
	Batch   int // the most records that are polled at once, after which a batch waits for no more; 0 means 2,000
}

func (s Service) batch() int {
	if s.Batch > 0 {
		return s.Batch
	}
	return maxPoll
}

// Status is what a Runner is doing.
type Status uint8

// The states of a Runner.
const (
	Joining  Status = iota // has not been given partitions yet
	Running                // has partitions
	Retrying               // the last attempt failed; Stats.Err says why
	Stopped
	Restarting // an instance crashed or failed, and is started again soon; Stats.Err says why
)

// String names the state in one lower-case word.
func (s Status) String() string {
	return [...]string{"joining", "running", "retrying", "stopped", "restarting"}[s]
}

// Stats is a snapshot of one service; counts are since it started.
type Stats struct {
	Name        string
	Status      Status
	Since       time.Time // when Status took its value
	Handled     int64     // events handled and committed
	Produced    int64     // events written and committed
	DeadLetters int64
	Retries     int64 // transactions or batches that had to be done again
	Rebuilds    int64 // times its Kafka client was thrown away and made anew
	Lag         int64 // records that it has yet to read, as of its last fetch; -1 if unknown
	Partitions  int   // partitions that it has been given
	Instances   int   // that should run
	Live        int   // of those, how many do
	Restarts    int64 // instances that ended by themselves or crashed, and were started again
	// From the timestamp of an event until what follows from it is committed; of payment, from a request until Kafka has acknowledged it. 0 before the first.
	P50, P99 time.Duration
	Err      string // why the last try, session or instance failed; empty once one has succeeded
}
