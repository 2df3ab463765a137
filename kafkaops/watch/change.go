package watch

import (
	"fmt"
	"strings"
)

// Change is one thing that is different between two states. The types below are the possible ones; String reads like a line of a log.
type Change interface {
	fmt.Stringer
	change()
}

// LeaderMoved says that a partition has another leader. From is -1 if it had none.
type LeaderMoved struct {
	Topic     string
	Partition int32
	From, To  int32
	Epoch     int32 // leader epoch
}

// LeaderLost says that a partition has no leader: nobody can write or read it.
type LeaderLost struct {
	Topic     string
	Partition int32
	From      int32
}

// ISRShrank says that replicas left the ISR. If others came in the same moment it is an ISRGrew as well.
type ISRShrank struct {
	Topic     string
	Partition int32
	Out       []int32
	ISR       []int32 // what is left
	MinISR    int     // 0 if unknown
}

// ISRGrew says that replicas came back into the ISR.
type ISRGrew struct {
	Topic     string
	Partition int32
	In        []int32
	ISR       []int32
	Full      bool // every replica is in it
}

// TopicCreated says that a watched topic is there now.
type TopicCreated struct {
	Topic      string
	Partitions int
}

// TopicDeleted says that a watched topic is gone.
type TopicDeleted struct{ Topic string }

// ControllerElected says that the KRaft quorum has a new leader or a new epoch. From is -1 if there was none.
type ControllerElected struct {
	Leader, From int32
	Epoch        int32
}

// QuorumLost says that no majority of the voters is left, by evidence and not by silence. Nothing in the metadata can change until one is back.
type QuorumLost struct{ Up, Voters int }

// QuorumBack says that a majority of the voters is up again, or for the first time.
type QuorumBack struct{ Leader, Epoch int32 }

// BrokerDown says that a broker's process has ended or its port is closed.
type BrokerDown struct {
	Node int32
	Led  int    // watched partitions that it led
	Why  string // "signal: killed"; may be empty
}

// BrokerUp says that a broker answers and the cluster counts on it.
type BrokerUp struct {
	Node int32
	From Health
}

// BrokerFenced says that the controller has stopped counting on a broker.
type BrokerFenced struct{ Node int32 }

// BrokerPaused says that a broker's process was stopped and keeps its connections.
type BrokerPaused struct{ Node int32 }

// BrokerCut says that a broker's network was cut off.
type BrokerCut struct{ Node int32 }

// BrokerStarting says that a broker's process runs and has not answered yet.
type BrokerStarting struct{ Node int32 }

// BrokerSilent says that a broker has stopped answering, and nobody knows why.
type BrokerSilent struct {
	Node int32
	Why  string
}

// GroupRebalanced says that a group's partitions were dealt out anew among its members, or that this has begun.
type GroupRebalanced struct {
	Group   string
	State   string // in Kafka's words
	Members int
}

func (LeaderMoved) change()       {}
func (LeaderLost) change()        {}
func (ISRShrank) change()         {}
func (ISRGrew) change()           {}
func (TopicCreated) change()      {}
func (TopicDeleted) change()      {}
func (ControllerElected) change() {}
func (QuorumLost) change()        {}
func (QuorumBack) change()        {}
func (BrokerDown) change()        {}
func (BrokerUp) change()          {}
func (BrokerFenced) change()      {}
func (BrokerPaused) change()      {}
func (BrokerCut) change()         {}
func (BrokerStarting) change()    {}
func (BrokerSilent) change()      {}
func (GroupRebalanced) change()   {}

func (c LeaderMoved) String() string {
	return fmt.Sprintf("%s/%d leader %s→%d, epoch %d", c.Topic, c.Partition, broker(c.From), c.To, c.Epoch)
}

func (c LeaderLost) String() string {
	return fmt.Sprintf("%s/%d has no leader, was %d", c.Topic, c.Partition, c.From)
}

func (c ISRShrank) String() string {
	s := fmt.Sprintf("%s/%d ISR lost %s, now %s", c.Topic, c.Partition, list(c.Out), list(c.ISR))
	if c.MinISR > 0 && len(c.ISR) < c.MinISR {
		s += fmt.Sprintf(", below min ISR %d", c.MinISR)
	}
	return s
}

func (c ISRGrew) String() string {
	s := fmt.Sprintf("%s/%d ISR regained %s, now %s", c.Topic, c.Partition, list(c.In), list(c.ISR))
	if c.Full {
		s += ", full"
	}
	return s
}

func (c TopicCreated) String() string {
	return fmt.Sprintf("topic %s is there, %s", c.Topic, plural(c.Partitions, "partition"))
}

func (c TopicDeleted) String() string { return fmt.Sprintf("topic %s is gone", c.Topic) }

func (c ControllerElected) String() string {
	return fmt.Sprintf("controller %s→%d, epoch %d", broker(c.From), c.Leader, c.Epoch)
}

func (c QuorumLost) String() string {
	return fmt.Sprintf("quorum lost, %d of %d voters up", c.Up, c.Voters)
}

func (c QuorumBack) String() string {
	return fmt.Sprintf("quorum is back, controller %d, epoch %d", c.Leader, c.Epoch)
}

func (c BrokerDown) String() string {
	s := fmt.Sprintf("broker %d down", c.Node)
	if c.Why != "" {
		s += " (" + c.Why + ")"
	}
	if c.Led > 0 {
		s += ", led " + plural(c.Led, "partition")
	}
	return s
}

func (c BrokerUp) String() string { return fmt.Sprintf("broker %d up, was %s", c.Node, c.From) }

func (c BrokerFenced) String() string   { return fmt.Sprintf("broker %d fenced", c.Node) }
func (c BrokerPaused) String() string   { return fmt.Sprintf("broker %d paused", c.Node) }
func (c BrokerCut) String() string      { return fmt.Sprintf("broker %d cut off", c.Node) }
func (c BrokerStarting) String() string { return fmt.Sprintf("broker %d starting", c.Node) }

func (c BrokerSilent) String() string {
	return strings.TrimSuffix(fmt.Sprintf("broker %d does not answer: %s", c.Node, c.Why), ": ")
}

func (c GroupRebalanced) String() string {
	return fmt.Sprintf("group %s %s, %s", c.Group, c.State, plural(c.Members, "member"))
}

func broker(id int32) string {
	if id < 0 {
		return "none"
	}
	return fmt.Sprint(id)
}

func list(ids []int32) string {
	if len(ids) == 0 {
		return "none"
	}
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(ids), " ", ","), "[]")
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
