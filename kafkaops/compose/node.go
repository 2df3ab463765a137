package compose

import (
	"sync"

	"kassa/kafkaops"
)

// node is one broker: its place, and its container as the engine last told.
type node struct {
	id      int32
	service string // its name in the project, and in its network
	network string
	addr    string // for clients on this machine
	ip      string // its address in the network; empty for any

	mu       sync.Mutex
	now      container
	answered int           // the process that has answered a client: the engine's health check is some time behind
	busy     kafkaops.Verb // a fault that is not done yet
}

// can is what may be done to each broker in some state of it.
func can() []kafkaops.Verb {
	return []kafkaops.Verb{
		kafkaops.Kill, kafkaops.Stop, kafkaops.Pause, kafkaops.Resume, kafkaops.Start, kafkaops.Restart, kafkaops.Cut, kafkaops.Reconnect,
	}
}

// view is the node as kafkaops sees it.
func (n *node) view() kafkaops.Node {
	n.mu.Lock()
	defer n.mu.Unlock()
	v := kafkaops.Node{ID: n.id, Addr: n.addr, Process: n.now.process(n.network), PID: n.now.State.PID, Exit: n.now.exit(), Can: can()}
	if v.Process == kafkaops.ProcessStarting && n.answered == v.PID {
		v.Process = kafkaops.ProcessRunning
	}
	return v
}

// noteAnswer says that its present process has answered.
func (n *node) noteAnswer() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.answered = n.now.State.PID
}

// container is its container's id.
func (n *node) container() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.now.ID
}

func (n *node) isCut() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.now.cut(n.network)
}

func (n *node) learn(c container) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.now = c
}

// begin checks that the node's present state allows the verb and keeps others out until done. Kill is always let in: it ends what hangs.
func (n *node) begin(v kafkaops.Verb) (refusal string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if refusal = n.refusal(v); refusal != "" {
		return refusal
	}
	if v == kafkaops.Kill {
		return ""
	}
	if n.busy != "" {
		return "a " + string(n.busy) + " is under way"
	}
	n.busy = v
	return ""
}

// refusal says why the state of the container does not allow the verb, in the words of kafkaops/local.
func (n *node) refusal(v kafkaops.Verb) string {
	up, paused, cut := n.now.up(), n.now.State.Status == "paused", n.now.cut(n.network)
	switch v {
	case kafkaops.Kill, kafkaops.Stop, kafkaops.Pause, kafkaops.Resume, kafkaops.Restart, kafkaops.Cut, kafkaops.Reconnect:
		if !up {
			return "it is already down"
		}
	case kafkaops.Start:
		if up {
			return "it is already up"
		}
	default:
		return "a broker in a container cannot do that"
	}
	switch {
	case v == kafkaops.Resume && !paused:
		return "it is not paused"
	case v == kafkaops.Pause && paused:
		return "it is already paused"
	case paused && (v == kafkaops.Stop || v == kafkaops.Restart):
		return "it is paused and does not hear SIGTERM: resume it first"
	case v == kafkaops.Cut && cut:
		return "it is already cut off"
	case v == kafkaops.Reconnect && !cut:
		return "it is not cut off"
	}
	return ""
}

// refused is refusal of a node that nobody holds.
func (n *node) refused(v kafkaops.Verb) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.refusal(v)
}

func (n *node) done(v kafkaops.Verb) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if v != kafkaops.Kill {
		n.busy = ""
	}
}
