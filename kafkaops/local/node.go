package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"

	"kassa/kafkaops"
)

// node is one broker: its place, and its present or last process.
type node struct {
	id     int32
	name   string // of its process and its logs: "broker-2"
	addr   string // for clients
	quorum string // for controllers

	mu       sync.Mutex
	proc     *process      // nil before the first start
	answered bool          // proc has answered a client
	paused   bool          // proc has been sent SIGSTOP
	busy     kafkaops.Verb // a Stop, Start or Restart that is not done yet
}

func newNode(id int32, client, quorum int) *node {
	return &node{id: id, name: fmt.Sprintf("broker-%d", id), addr: loopback(client), quorum: loopback(quorum)}
}

// view is the node as kafkaops sees it.
func (n *node) view() kafkaops.Node {
	n.mu.Lock()
	defer n.mu.Unlock()
	v := kafkaops.Node{
		ID: n.id, Addr: n.addr, Process: kafkaops.ProcessStarting,
		Can: []kafkaops.Verb{kafkaops.Kill, kafkaops.Stop, kafkaops.Pause, kafkaops.Resume, kafkaops.Start, kafkaops.Restart},
	}
	switch {
	case n.proc == nil:
		return v
	case !n.proc.alive():
		v.Process, v.Exit = kafkaops.ProcessExited, n.proc.exit
		return v
	case n.paused:
		v.Process = kafkaops.ProcessPaused
	case n.answered:
		v.Process = kafkaops.ProcessRunning
	}
	v.PID = n.proc.pid
	return v
}

// running is its process; nil if that has ended or never was.
func (n *node) running() *process {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.proc == nil || !n.proc.alive() {
		return nil
	}
	return n.proc
}

// note makes p its process.
func (n *node) note(p *process) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.proc, n.answered, n.paused = p, false, false
}

// noteAnswer says that p, if it still is its process, has answered.
func (n *node) noteAnswer(p *process) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.answered = n.answered || n.proc == p
}

// confFile is its server.properties, relative to the run directory.
func (n *node) confFile() string { return confName + "/" + n.name + ".properties" }

// launch starts its JVM with this configuration file. The log of its life before is kept under another name, so that an error found in its log is of this life.
func (c *Cluster) launch(ctx context.Context, n *node, conf string) (*process, error) {
	log := c.run.file(logsName, n.name+".log")
	if err := os.Rename(log, log+".1"); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	p, err := c.guard.launch(ctx, c.vm().spec(c.run, n.name, nil, kafkaMain, conf))
	if err != nil {
		return nil, err
	}
	n.note(p)
	return p, nil
}

// server is what makes a node that node, in the words of server.properties.
type server struct {
	id             int32
	client, quorum string // host:port
	voters         []string
	logDirs        string
	rest           string // further lines
}

func (s server) properties() string {
	var b strings.Builder
	for _, kv := range [][2]string{
		{"process.roles", "broker,controller"},
		{"node.id", strconv.Itoa(int(s.id))},
		{"controller.quorum.voters", strings.Join(s.voters, ",")},
		{"listeners", "CLIENT://" + s.client + ",CONTROLLER://" + s.quorum},
		{"advertised.listeners", "CLIENT://" + s.client},
		{"listener.security.protocol.map", "CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT"},
		{"inter.broker.listener.name", "CLIENT"},
		{"controller.listener.names", "CONTROLLER"},
		{"log.dirs", s.logDirs},
	} {
		fmt.Fprintf(&b, "%s=%s\n", kv[0], kv[1])
	}
	return b.String() + s.rest
}

// conf renders the settings of node id with these directories.
func (c *Cluster) conf(id int32, logDirs string) string {
	s := server{id: id, logDirs: logDirs, rest: c.cfg.Profile.Properties()}
	for _, n := range c.nodes {
		s.voters = append(s.voters, fmt.Sprintf("%d@%s", n.id, n.quorum))
		if n.id == id {
			s.client, s.quorum = n.addr, n.quorum
		}
	}
	return s.properties()
}
