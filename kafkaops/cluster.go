// Package kafkaops is the cluster as kassa sees it: where its brokers come from, what each of them can suffer,
// and how a client should be set up to live through it. The providers (local, compose, embedded, later remote)
// and the observers (watch, tail) are in the packages below; none of them knows that there is a screen.
package kafkaops

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// Cluster is three or more Kafka brokers that somebody may break.
//
// All methods may be called from several goroutines, also after Close.
type Cluster interface {
	// Info says what this is. It does not change during the life of a Cluster.
	Info() Info
	// Bootstrap lists the client addresses (host:port) of every node, whether it is up or not.
	Bootstrap() []string
	// Nodes says what the provider itself knows of each node's process, sorted by id. It asks no broker,
	// costs no I/O and may be called many times a second.
	Nodes() []Node
	// Do carries out a fault. It returns when the act is done (the signal delivered and, for Kill, Stop and
	// Restart, the old process gone; for Start and Restart, the new process running), not when the cluster has reacted.
	// A fault that the provider or the node's present state does not allow is a *RefusedError.
	Do(ctx context.Context, f Fault) error
	// Close ends what the provider started. It kills at once where the data is temporary and removes that data.
	Close() error
}

// Info describes a cluster for headers and reports.
type Info struct {
	Provider string // "local", "compose", "embedded" or "remote"
	Version  string // Kafka's version, "4.3.1"; empty if it is not known
	Profile  string // name of the broker settings, "fast-failover"; empty if they are not ours
	Why      string // one sentence: why this provider, with these ports and this data directory
	Note     string // what a person should read once: other ports than usual, say; mostly empty
	DataDir  string // where the brokers keep their logs; empty if that is not ours to know
	// Simulated is true where replication, ISR and elections are a model; the screen says SIMULATED.
	Simulated bool
}

// Process is what a provider knows of a broker's process without asking the broker.
type Process uint8

// The states of a broker's process.
const (
	ProcessUnknown Process = iota // the provider cannot tell (a remote cluster)
	ProcessStarting
	ProcessRunning
	ProcessPaused // stopped by SIGSTOP, or a paused container
	ProcessExited
	ProcessCut // runs, and its network is cut off: it hears nobody and nobody hears it
)

// String names the state in one lower-case word.
func (p Process) String() string {
	switch p {
	case ProcessStarting:
		return "starting"
	case ProcessRunning:
		return "running"
	case ProcessPaused:
		return "paused"
	case ProcessExited:
		return "exited"
	case ProcessCut:
		return "cut off"
	default:
		return "unknown"
	}
}

// Node is one broker (and, in all of kassa's own clusters, controller) of a Cluster.
type Node struct {
	ID      int32  // node.id, from 1
	Addr    string // host:port of the listener for clients
	Process Process
	PID     int    // 0 if there is no process or it is not ours
	Exit    string // why the last process ended, "signal: killed"; empty while it runs
	Can     []Verb // the faults that the provider can do to this node in some state of it
}

// Supports says whether the provider knows how to do v to this node.
func (n Node) Supports(v Verb) bool { return slices.Contains(n.Can, v) }

// Verb is a kind of fault, spelled as in scenario files and on the command line.
type Verb string

// The faults. Each acts on one node.
const (
	Kill    Verb = "kill"    // SIGKILL: no goodbye, connections reset
	Stop    Verb = "stop"    // SIGTERM: controlled shutdown, hands its leaderships over first
	Pause   Verb = "pause"   // SIGSTOP: keeps its connections and answers nobody
	Resume  Verb = "resume"  // SIGCONT
	Start   Verb = "start"   // a new process on the old data
	Restart Verb = "restart" // Stop, then Start
	// Cut takes a broker's network away: it runs on, and its peers wait for it in vain. Only a network of its own can be cut.
	Cut       Verb = "cut"
	Reconnect Verb = "reconnect" // undoes Cut: the same names and addresses as before

	// These act on the whole cluster, and are done by whoever watches it (drill.Recorder), not by a provider.
	Elect   Verb = "elect"   // the preferred leaders lead again (ElectLeaders)
	Rolling Verb = "rolling" // Restart of one broker after the other
)

// Fault is an act against one node, or against all (Elect, Rolling; Node is 0 then). It is a plain value: a key on the screen, a line
// of a scenario and a test mean the same thing by it, and two of them can be compared with ==.
type Fault struct {
	Verb Verb
	Node int32
	// Role is why it is this node: "controller", "leader of order-successful/0"; empty if it was chosen by its number.
	Role Role
}

// String reads like the act: "kill -9 broker 2", "kill -9 broker 2, controller".
func (f Fault) String() string {
	switch f.Verb {
	case Elect:
		return "elect preferred leaders"
	case Rolling:
		return "rolling restart"
	}
	verb := string(f.Verb)
	if f.Verb == Kill {
		verb = "kill -9"
	}
	s := fmt.Sprintf("%s broker %d", verb, f.Node)
	if f.Role != "" {
		s += ", " + string(f.Role)
	}
	return s
}

// Role is a part that one node plays at a time. Which node, watch.State.Resolve knows.
type Role string

// Controller is the leader of the KRaft quorum.
const Controller Role = "controller"

// LeaderOf is the role of leading a partition.
func LeaderOf(topic string, partition int32) Role {
	return Role(fmt.Sprintf("leader of %s/%d", topic, partition))
}

// RefusedError says that a fault was not done, and that nothing has changed.
type RefusedError struct {
	Fault  Fault
	Reason string // completes "cannot kill broker 2: …"
}

func (e *RefusedError) Error() string {
	if e.Fault.Node == 0 {
		return fmt.Sprintf("cannot %s: %s", e.Fault, e.Reason)
	}
	return fmt.Sprintf("cannot %s broker %d: %s", e.Fault.Verb, e.Fault.Node, e.Reason)
}

// UserError is a failure that the person at the keyboard can mend. Message is one sentence that says what is wrong
// and what to do; programs exit with code 2 on it and print nothing else.
type UserError struct {
	Message string
	Err     error // the cause, for the log file; may be nil
}

func (e *UserError) Error() string { return e.Message }
func (e *UserError) Unwrap() error { return e.Err }

// ErrPortInUse is the cause of a *UserError about a port that was asked for by its number and is another's. No provider could listen on it.
var ErrPortInUse = errors.New("the port is in use")

// Progress is how far a provider has come in bringing its cluster up.
type Progress struct {
	Step  string // "fetching Kafka 4.3.1", "formatting", "starting brokers"
	Done  int    // of Total; jars, nodes …
	Total int    // 0 when it cannot be known
	// Nodes is the provider's view of each node at that moment; nil before there are any.
	Nodes []Node
}
