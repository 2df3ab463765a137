// Package embedded is a cluster of three brokers in this process, with nothing to install. What clients see is Kafka's protocol on loopback, so that
// kcat and every other client can join in; behind it are kfake's log, groups and transactions (engine), and a model of the replication that kfake does
// not have (model). It draws nothing, writes nothing to disk, and says Simulated in its Info: what it shows of a failover is what Kafka's
// rules and the profile's time-outs come to, not what was measured on real brokers.
//
// All of it is one kfake broker behind three doors. A door answers by itself what the metadata knows (Metadata, DescribeCluster, DescribeTopicPartitions,
// DescribeQuorum, FindCoordinator, ElectLeaders), refuses what its broker does not lead or coordinate, holds a write back for as
// long as real replicas would, and passes the rest on.
//
// Differences from kafkaops/local, and why:
//
//   - A broker boots in 0.4 s, and stops in 0.15 s after its leaders have moved: there is no JVM. Everything else takes the profile's own
//     time-outs, without the noise of a real machine.
//   - A broker's network can be cut (kafkaops.Cut), as that of a container: nobody hears it and it hears nobody, clients on this machine included.
//   - Processes are a fiction: Node.PID is 0, and Info.DataDir is empty. Nothing is kept after Close.
//   - The log cannot lose a record once it has it. A write with acks=all waits outside of the log until the ISR would have it, and is dropped if the leader
//     dies before that. A write with acks=0 or 1 is visible at once and survives its leader, where a real one may be lost.
//   - A transaction's markers are written at once, also to partitions whose ISR waits for a broker. A coordinator that moves has nothing to load,
//     so COORDINATOR_LOAD_IN_PROGRESS and CONCURRENT_TRANSACTIONS do not occur.
//   - __consumer_offsets and __transaction_state have leaders and an ISR, which decide where the coordinators are and when they answer, but no records.
//   - Fetch sessions (KIP-227), followers that serve reads (KIP-392), share groups, and moving replicas (AlterPartitionAssignments) are not offered.
//   - The controllers have no listeners of their own: DescribeQuorum is asked of the brokers.
//   - All partitions together keep their newest 20 MiB, whatever log.retention.bytes says, so that memory is bounded: 30 s of 500 orders a second, five minutes
//     of 50. What a group has not read yet stays beyond that, up to 128 MiB (retention.go). Config.Keep does without that bound.
//   - Clocks agree, disks do not fail, and a follower is in sync or it is not: there is no lag to see within the ISR.
package embedded

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"kassa/kafkaops"
	"kassa/kafkaops/flock"
)

const (
	nodeCount       = 3
	firstClientPort = 9094
	lastPort        = 32767 // below Linux's ephemeral ports
)

// Config says what to start. Its zero value starts three brokers on the usual ports.
type Config struct {
	Ports   []int            // three ports for clients; empty for 9094-9096, or others if one of them is taken
	Profile kafkaops.Profile // the zero value means kafkaops.FastFailover()
	Log     *slog.Logger     // nil for none
	Why     string           // why it is this provider, as a sentence for Info.Why; may be empty
	Seed    uint64           // of what is left to chance (who leads the quorum, where in its turn a heartbeat is hit); 0 means any
	// Keep says that nothing is deleted before its topic's own retention asks for it: for whoever judges the whole log. Memory then grows with what is written.
	Keep bool
	// Locks is the directory in which ports are locked, so that no other kassa takes that of a broker which is down; empty for the usual one, flock.Ports in the
	// user's cache. Where it cannot be made there are no locks, and none are taken for listeners that are not the system's (Listen).
	Locks string
	// Listen opens a listener; nil means net.Listen. Tests give one that a fake clock can live with.
	Listen func(network, address string) (net.Listener, error)
}

// Cluster is three brokers in this process. It implements kafkaops.Cluster.
type Cluster struct {
	cfg     Config
	info    kafkaops.Info
	id      string // of the cluster
	engine  *engine
	brokers []*broker
	locks   []*os.File // of their ports, until Close
	offers  offers

	truth atomic.Pointer[image] // the newest

	learning sync.Mutex // over what is taken from the engine into the model

	mu     sync.Mutex
	model  *model
	timer  *time.Timer
	closed bool

	life context.Context // ends with Close
	end  context.CancelFunc
	work sync.WaitGroup
}

var _ kafkaops.Cluster = (*Cluster)(nil)

// Start starts three brokers. They are ready when it returns, some milliseconds later. Ports that are in use are a *kafkaops.UserError.
func Start(ctx context.Context, cfg Config) (*Cluster, error) {
	if cfg.Profile.Name == "" {
		cfg.Profile = kafkaops.FastFailover()
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Listen == nil {
		cfg.Listen = net.Listen
		cfg.Locks = lockDir(cfg.Locks)
	}
	if cfg.Seed == 0 {
		cfg.Seed = uint64(time.Now().UnixNano())
	}
	listeners, locks, err := listen(cfg)
	if err != nil {
		return nil, err
	}
	t := timingOf(cfg.Profile)
	c := &Cluster{cfg: cfg, locks: locks, id: newID(), model: newModel(t, nodeCount, cfg.Seed, time.Now())}
	c.life, c.end = context.WithCancel(context.WithoutCancel(ctx))
	for i, ln := range listeners {
		c.brokers = append(c.brokers, newBroker(c, int32(i+1), ln.Addr()))
	}
	c.info = c.describe()
	if c.engine, err = newEngine(settings(cfg.Profile), t.partitions, c.id); err == nil {
		c.offers, err = c.engine.offers()
	}
	if err != nil {
		for _, ln := range listeners {
			ln.Close()
		}
		release(locks)
		c.end()
		return nil, err
	}
	c.timer = time.AfterFunc(time.Hour, func() { c.step(func(*model) {}) })
	c.mu.Lock()
	for i, b := range c.brokers {
		b.proc = newProcess(b)
		b.proc.serve(listeners[i])
	}
	c.publish()
	c.mu.Unlock()
	c.work.Go(c.retain)
	return c, nil
}

// settings are the profile's, and what bounds the memory.
func settings(p kafkaops.Profile) map[string]string {
	all := map[string]string{}
	for _, s := range p.Settings {
		all[s.Key] = s.Value
	}
	all["log.segment.bytes"] = strconv.Itoa(segmentBytes)
	return all
}

func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}

func (c *Cluster) describe() kafkaops.Info {
	var ports []string
	for _, b := range c.brokers {
		ports = append(ports, strconv.Itoa(int(b.port)))
	}
	where := strings.Join(ports, ", ")
	info := kafkaops.Info{Provider: "embedded", Profile: c.cfg.Profile.Name, Simulated: true}
	info.Why = "three brokers in this process, replication simulated, ports " + where
	if len(c.cfg.Ports) == 0 && c.brokers[0].port != firstClientPort {
		info.Note = fmt.Sprintf("one of the ports %d-%d is in use: the brokers are on %s", firstClientPort, firstClientPort+nodeCount-1, where)
		info.Why += fmt.Sprintf(" because one of %d-%d is in use", firstClientPort, firstClientPort+nodeCount-1)
	}
	if c.cfg.Why != "" {
		info.Why = c.cfg.Why + "; " + info.Why
	}
	return info
}

// lockDir is where ports are locked; empty if there can be no such place.
func lockDir(given string) string {
	if given == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			return ""
		}
		given = flock.Ports(filepath.Join(base, "kassa"))
	}
	if os.MkdirAll(given, 0o700) != nil {
		return ""
	}
	return given
}

// listen takes the explicit ports or fails; else the usual ones if all three are free; else three others in a row. The locks are theirs.
func listen(cfg Config) ([]net.Listener, []*os.File, error) {
	if len(cfg.Ports) > 0 {
		if len(cfg.Ports) != nodeCount {
			return nil, nil, &kafkaops.UserError{Message: fmt.Sprintf("the cluster needs %d ports, and was given %d", nodeCount, len(cfg.Ports))}
		}
		return listenOn(cfg, cfg.Ports)
	}
	for first := firstClientPort; first+nodeCount-1 <= lastPort; first += nodeCount {
		if listeners, locks, err := listenOn(cfg, []int{first, first + 1, first + 2}); err == nil {
			return listeners, locks, nil
		}
	}
	return nil, nil, &kafkaops.UserError{Message: fmt.Sprintf("there are no %d free ports in a row from %d on: choose some with --ports", nodeCount, firstClientPort)}
}

// listenOn takes these ports or none.
func listenOn(cfg Config, ports []int) (listeners []net.Listener, locks []*os.File, err error) {
	defer func() {
		if err != nil {
			for _, ln := range listeners {
				ln.Close()
			}
			release(locks)
			listeners, locks = nil, nil
		}
	}()
	for _, port := range ports {
		if cfg.Locks != "" {
			lock, err := flock.Port(cfg.Locks, port)
			if errors.Is(err, flock.ErrLocked) {
				return listeners, locks, &kafkaops.UserError{Message: fmt.Sprintf("port %d is kept by another kassa: choose others with --ports", port), Err: kafkaops.ErrPortInUse}
			} else if err == nil {
				locks = append(locks, lock)
			}
		}
		ln, err := cfg.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			return listeners, locks, &kafkaops.UserError{Message: fmt.Sprintf("port %d is in use or may not be used: choose others with --ports", port), Err: err}
		}
		listeners = append(listeners, ln)
	}
	return listeners, locks, nil
}

func release(locks []*os.File) {
	for _, f := range locks {
		f.Close()
	}
}

// Info implements kafkaops.Cluster.
func (c *Cluster) Info() kafkaops.Info { return c.info }

// Bootstrap implements kafkaops.Cluster.
func (c *Cluster) Bootstrap() []string {
	var addrs []string
	for _, b := range c.brokers {
		addrs = append(addrs, b.addr)
	}
	return addrs
}

// Nodes implements kafkaops.Cluster.
func (c *Cluster) Nodes() []kafkaops.Node {
	c.mu.Lock()
	defer c.mu.Unlock()
	nodes := make([]kafkaops.Node, len(c.brokers))
	for i, b := range c.brokers {
		nodes[i] = b.state(c.model.nodes[i])
	}
	return nodes
}

// Close ends the brokers. Their data is gone with it.
func (c *Cluster) Close() error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil
	}
	c.closed = true
	c.timer.Stop()
	c.end()
	var procs []*process
	for _, b := range c.brokers {
		if b.proc != nil {
			procs = append(procs, b.proc)
		}
	}
	c.mu.Unlock()
	for _, p := range procs {
		p.kill()
	}
	c.work.Wait()
	c.engine.close()
	release(c.locks)
	return nil
}

// step lets the model's time catch up, changes it, and tells everybody.
func (c *Cluster) step(change func(m *model)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	c.model.advance(time.Now())
	change(c.model)
	c.publish()
}

// publish makes the model's present state what requests are answered from. The caller holds c.mu.
func (c *Cluster) publish() {
	m := c.model
	if m.fresh {
		m.fresh = false
		for name, t := range m.topics {
			for i, p := range t.parts {
				if len(p.epochs) == 0 || p.epochs[len(p.epochs)-1].epoch < p.epoch {
					p.epochs = c.engine.begin(name, int32(i), p.epoch, p.epochs)
				}
			}
		}
		img := m.image()
		before := c.truth.Swap(img)
		for i, b := range c.brokers {
			n := m.nodes[i]
			if n.reachable() && !m.now.Before(n.catches) {
				b.view.Store(img)
			}
			if b.proc != nil {
				b.proc.open(n.ready && !n.paused && !n.cut)
			}
		}
		if before != nil {
			close(before.next)
		}
	}
	if at, ok := m.next(); ok {
		c.timer.Reset(time.Until(at))
	}
}

// ---- faults

// Do implements kafkaops.Cluster. It refuses what kafkaops/local refuses, in the same words.
func (c *Cluster) Do(ctx context.Context, f kafkaops.Fault) error {
	if f.Node < 1 || int(f.Node) > len(c.brokers) {
		return &kafkaops.RefusedError{Fault: f, Reason: "there is no such broker"}
	}
	b := c.brokers[f.Node-1]
	p, reason := b.begin(f.Verb)
	if reason != "" {
		return &kafkaops.RefusedError{Fault: f, Reason: reason}
	}
	var err error
	switch f.Verb {
	case kafkaops.Kill:
		b.die(p, "killed")
	case kafkaops.Pause:
		c.step(func(m *model) { n := m.node(b.id); m.silence(n, &n.paused) })
	case kafkaops.Resume:
		c.step(func(m *model) { n := m.node(b.id); m.heardAgain(n, &n.paused) })
	case kafkaops.Cut:
		c.step(func(m *model) { n := m.node(b.id); m.silence(n, &n.cut) })
	case kafkaops.Reconnect:
		c.step(func(m *model) { n := m.node(b.id); m.heardAgain(n, &n.cut) })
	case kafkaops.Stop:
		err = b.stop(ctx, p)
	case kafkaops.Start:
		err = b.start()
	case kafkaops.Restart:
		if err = b.stop(ctx, p); err == nil {
			err = b.start()
		}
	}
	b.done(f.Verb)
	switch {
	case err == nil:
		c.cfg.Log.Info("fault", "fault", f.String())
		return nil
	case errors.Is(err, errEnded):
		return &kafkaops.RefusedError{Fault: f, Reason: "it has just ended by itself"}
	}
	return fmt.Errorf("%s: %w", f, err)
}

// can is what may be done to each broker in some state of it.
func can() []kafkaops.Verb {
	return []kafkaops.Verb{
		kafkaops.Kill, kafkaops.Stop, kafkaops.Pause, kafkaops.Resume, kafkaops.Start, kafkaops.Restart, kafkaops.Cut, kafkaops.Reconnect,
	}
}
