// Package scenario is the language of drills: a load, steps that break things at a time or after an event, and what is expected of the cluster and the
// shop meanwhile. It reads files, knows those that are built in, and draws random faults from a seed. It does nothing to anybody: kafkaops/drill/runner
// carries a scenario out.
package scenario

import (
	"slices"
	"time"

	"kassa/kafkaops"
)

// Bounds of a scenario.
const (
	MaxFile      = 256 << 10 // bytes
	MaxSteps     = 1000
	MaxRounds    = 10_000
	MaxFaults    = 10_000
	MaxRate      = 50_000 // checkouts a second
	MaxCustomers = 10_000
	MaxCheckouts = 100_000_000
	MaxThink     = 10 * time.Minute // as the load's
	MaxTime      = 24 * time.Hour   // of anything that has a duration
	MaxInstances = 6                // of a service
)

// DefaultWithin is how long a step waits for its event when it does not say: longer than what Kafka's own defaults take for a failover, shorter than
// what anybody would wait for.
const DefaultWithin = 90 * time.Second

// Scenario is one drill.
type Scenario struct {
	Name     string
	About    string // one sentence
	Settings Settings
	Load     Load
	Steps    []Step
	Rounds   int    // how often Steps are done, 1 or more
	Chaos    *Chaos // random faults instead of Steps; nil for none
	Expect   Expect
	// RealBrokers says that it would show nothing on simulated ones: their log never loses what it once had.
	RealBrokers bool
}

// Settings are what a scenario asks for where the command line does not. Empty and 0: nothing is asked for.
type Settings struct {
	Delivery string // "exactly-once", "at-least-once"
	Acks     string // of payment: "all", "1", "0"
	Profile  string // of the brokers: "fast-failover", "stock"
	MinISR   int    // min.insync.replicas of the shop's topics, 1 to 3
}

// Load is who checks out during a drill. Rate is an open loop; with Customers it is a closed one.
type Load struct {
	Rate      int // checkouts a second, whatever comes back; 0 when there are Customers
	Customers int // each waits for an answer, thinks, and orders again
	Think     time.Duration
	// Checkouts and Duration say when it ends, but not before the last step. Both 0: soon after the last step.
	Checkouts int64
	Duration  time.Duration
	// WarmUp is how long the load runs before anything is measured. Nil: as long as these brokers need.
	WarmUp *time.Duration
}

// Length is how long the load lasts by itself, as far as that is known; 0 if it is not.
func (l Load) Length() time.Duration {
	switch {
	case l.Duration > 0:
		return l.Duration
	case l.Checkouts > 0 && l.Rate > 0:
		return time.Duration(float64(l.Checkouts) / float64(l.Rate) * float64(time.Second))
	}
	return 0
}

// Step is an act and when it is done: not before At, After and Wait have come to pass, in this order, and after the step before it.
type Step struct {
	Line   int           // of the file; 0 for a step that was drawn
	At     time.Duration // since the begin of the round; 0: at once
	After  Event         // empty: it waits for none
	Within time.Duration // how long After may take; 0 means DefaultWithin
	Wait   time.Duration // after that
	Act    Act           // its Verb is empty for a step that only waits
}

// Verb is what a step does. Those of kafkaops act on brokers.
type Verb string

// The verbs that are no broker's fault.
const (
	Back        Verb = "back"         // brokers: start, resume or reconnect, whatever each needs
	Crash       Verb = "crash"        // a service, as kill -9 of its process would
	Scale       Verb = "scale"        // a service, to so many instances
	Poison      Verb = "poison"       // a record that nobody can read
	Oversize    Verb = "oversize"     // records as large as a topic takes, and larger than the services read
	DeleteTopic Verb = "delete-topic" // a topic of the shop
	CreateTopic Verb = "create-topic" // those of the shop's topics that are not there
)

// Act is what a step does, and to whom.
type Act struct {
	Verb      Verb
	On        Target // brokers or a service; zero for verbs that have neither
	Instances int    // of Scale
	What      string // of Poison: the name of a kind, or "random"; of Oversize, DeleteTopic and CreateTopic: a topic
}

// ToService says that the act is done to a service.
func (a Act) ToService() bool { return a.On.Kind == Service }

// ToBroker says that the act is done to one broker or several, or to the cluster as a whole.
func (a Act) ToBroker() bool {
	switch a.Verb {
	case Verb(kafkaops.Elect), Verb(kafkaops.Rolling):
		return true
	}
	return a.On.Kind != NoTarget && a.On.Kind != Service
}

// Harms says that the act takes something away, rather than gives it back.
func (a Act) Harms() bool {
	switch a.Verb {
	case "", Back, Scale, CreateTopic, Verb(kafkaops.Start), Verb(kafkaops.Resume), Verb(kafkaops.Reconnect), Verb(kafkaops.Elect):
		return false
	}
	return true
}

// String reads like the line of a file: "kill: leader of order-successful/0".
func (a Act) String() string {
	switch {
	case a.Verb == Scale:
		return "scale: " + a.On.String() + " to " + itoa(a.Instances)
	case a.Verb == Verb(kafkaops.Elect):
		return "elect: preferred"
	case a.Verb == Verb(kafkaops.Rolling):
		return "rolling: restart"
	case a.What != "":
		return string(a.Verb) + ": " + a.What
	}
	return string(a.Verb) + ": " + a.On.String()
}

// Event is what a step may wait for. It is either a state that is looked at until it holds, or a drill.Mark of the act before.
type Event string

// States that can be waited for.
const (
	Whole      Event = "whole"        // every broker is up and every replica in sync
	ISRFull    Event = "ISR full"     // the same, in Kafka's words
	WritesGoOn Event = "writes go on" // every partition takes writes, and has done so for a second
	FlowGoesOn Event = "flow goes on" // a checkout that was paid after the act is complete
	ServicesUp Event = "services run" // each service has its instances and its partitions
	Settled    Event = "settled"      // all of these
)

// Needs are the verbs that a broker must know for this scenario, in no order and each once.
func (s *Scenario) Needs() []kafkaops.Verb {
	var need []kafkaops.Verb
	add := func(v Verb) {
		switch v := kafkaops.Verb(v); v {
		case kafkaops.Rolling:
			need = append(need, kafkaops.Restart)
		case kafkaops.Kill, kafkaops.Stop, kafkaops.Pause, kafkaops.Resume, kafkaops.Start, kafkaops.Restart, kafkaops.Cut, kafkaops.Reconnect:
			if !slices.Contains(need, v) {
				need = append(need, v)
			}
		}
	}
	for _, st := range s.Steps {
		if st.Act.ToBroker() {
			add(st.Act.Verb)
		}
	}
	if s.Chaos != nil {
		for _, v := range s.Chaos.Of {
			add(v)
		}
	}
	return need
}
