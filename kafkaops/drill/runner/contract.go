package runner

import (
	"context"
	"log/slog"
	"time"

	"kassa/kafkaops"
	"kassa/kafkaops/drill"
	"kassa/kafkaops/drill/scenario"
	"kassa/kafkaops/watch"
)

// Cluster is what is broken, and what watches and measures it. A drill.Recorder does the second half.
type Cluster interface {
	Nodes() []kafkaops.Node
	State() *watch.State
	// Arm has write gaps measured for a while.
	Arm()
	// Do does a fault and opens its timeline.
	Do(ctx context.Context, f kafkaops.Fault) error
	Timelines() []drill.Timeline
}

// Shop is who takes the orders.
type Shop interface {
	// Begin has customers come, until End.
	Begin(load scenario.Load)
	End()
	Figures() Figures
	// Services are those that can crash, by name in the order of the flow.
	Services() []string
	Service(name string) Service
	// Poison writes a record that nobody can read, of this kind or of any ("random"), and says which.
	Poison(ctx context.Context, kind string, pick uint64) (string, error)
	// Oversize writes records to a topic that are as large as it takes and larger than the services read, and says how many.
	Oversize(ctx context.Context, topic string) (int, error)
	DeleteTopic(ctx context.Context, topic string) error
	// CreateTopics makes those of the shop's topics that are not there.
	CreateTopics(ctx context.Context) error
}

// Service is one service of the shop.
type Service interface {
	Crash() error
	Stop(ctx context.Context) error
	Start() error
	Scale(instances int) error
	State() ServiceState
}

// ServiceState is a snapshot of a service.
type ServiceState struct {
	Running  bool   // it has its instances and its partitions
	Stopped  bool   // somebody stopped it
	Restarts int64  // instances that ended by themselves and were started again
	Why      string // why it is not running, in a few words
}

// Figures are the shop's counts since it opened.
type Figures struct {
	Offered, Accepted, Refused, Unknown, Pending int64 // of the load
	Complete, InFlight                           int64 // of all checkouts, as analytics counts them
	Shed                                         int64 // checkouts that were due and never offered: the program was too busy
	DeadLetters                                  int64 // records that the services buried
	Lag                                          int64 // records that the services have yet to read; -1 if unknown
}

// Auditor reads the log and holds it against what was promised.
type Auditor interface {
	// Audit says how far it is by say. An error means that it could not finish.
	Audit(ctx context.Context, say func(string)) (Audit, error)
}

// Audit is what an audit found.
type Audit struct {
	drill.Counts
	Findings []drill.Finding
	More     int64  // findings that are counted and not listed
	Doubt    string // why there can be no pass though nothing was found; mostly empty
}

// Config is what a drill is carried out with.
type Config struct {
	Scenario *scenario.Scenario
	Seed     uint64
	// Delivery is "exactly-once" or "at-least-once": what is expected of repeats depends on it. It is asked when the log was audited.
	Delivery func() string
	Cluster  Cluster
	Shop     Shop
	Auditor  Auditor
	Meter    *Meter // is told of every order
	WarmUp   time.Duration
	// Heal brings brokers and services back also when the drill is interrupted: the cluster goes on to be somebody's.
	Heal bool
	// About the drill, for the result.
	Settings, Versions []drill.NamedValue
	Again              string
	Simulated          bool

	Tell func(Progress) // nil for nobody; never called twice at once
	Log  *slog.Logger   // nil for none
}
