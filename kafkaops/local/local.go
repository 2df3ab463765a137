// Package local runs three real Kafka brokers, each of them also a controller of the KRaft quorum, as JVMs on 127.0.0.1: it fetches and
// checks Kafka's jars, formats with Kafka's own tool, starts, breaks and ends the brokers. It never talks to a broker but to see whether it is
// up, never listens on anything but loopback, and lets no JVM outlive kassa: they are the children of a guard process (RunGuard).
package local

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"kassa/kafkaops"
)

// nodeCount is the smallest cluster that survives a loss: of three, two are a majority.
const nodeCount = 3

// closePatience is what all of Close may take. Brokers with data to keep get most of it to end in order.
const (
	closePatience = 1500 * time.Millisecond
	orderlyClose  = 1100 * time.Millisecond
)

// Config says what to start. Its zero value starts Kafka from the cache (or Maven) on the usual ports with temporary data.
type Config struct {
	KafkaHome string           // an unpacked Kafka >= 4.0 whose jars are used as they are; empty for the pinned ones
	DataDir   string           // where data stays after Close; empty for temporary data
	Java      string           // the java program; empty for JAVA_HOME/bin/java, else the one on PATH
	Ports     []int            // three ports for clients; empty for 9094-9096, or others if one of them is taken
	Profile   kafkaops.Profile // the zero value means kafkaops.FastFailover()
	CacheDir  string           // jars, class archives and locks; empty for kassa in the user's cache directory
	TempDir   string           // parent of temporary data; empty for os.TempDir()
	Why       string           // why it is this provider, as a clause for Info.Why; may be empty
	Log       *slog.Logger     // nil for none
	// Guard is a command that calls RunGuard. Nil means this very program with the argument GuardCommand.
	Guard []string
}

// withDefaults fills what was left empty.
func (cfg Config) withDefaults() (Config, error) {
	if cfg.Profile.Name == "" {
		cfg.Profile = kafkaops.FastFailover()
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.TempDir == "" {
		cfg.TempDir = os.TempDir()
	}
	if cfg.CacheDir == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			return cfg, &kafkaops.UserError{Message: "there is no place for kassa's cache: set HOME or XDG_CACHE_HOME", Err: err}
		}
		cfg.CacheDir = filepath.Join(base, "kassa")
	}
	for _, path := range []*string{&cfg.CacheDir, &cfg.TempDir, &cfg.KafkaHome} {
		if *path == "" {
			continue
		}
		abs, err := filepath.Abs(*path)
		if err != nil {
			return cfg, fmt.Errorf("finding %s: %w", *path, err)
		}
		*path = abs
		if strings.ContainsRune(abs, filepath.ListSeparator) {
			return cfg, &kafkaops.UserError{Message: fmt.Sprintf("%s has a %c in its name, which Java takes for two directories: use another", abs, filepath.ListSeparator)}
		}
	}
	if cfg.Guard == nil {
		self, err := os.Executable()
		if err != nil {
			return cfg, fmt.Errorf("finding this program: %w", err)
		}
		cfg.Guard = []string{self, GuardCommand}
	}
	return cfg, nil
}

// Cluster is three brokers on this machine. It implements kafkaops.Cluster.
type Cluster struct {
	cfg   Config
	info  kafkaops.Info
	run   *runDir
	ports *ports
	jvm   jvm
	guard *guardian
	nodes []*node
	ask   *kafkaops.Prober

	// life ends with Close; what runs aside is counted in aside.
	life  context.Context
	end   context.CancelFunc
	aside sync.WaitGroup
	// asideMu keeps goAside and the begin of Close apart.
	asideMu sync.Mutex

	archive archiveState

	closeOnce sync.Once
	closed    chan struct{} // closed as soon as Close begins
	closeErr  error
}

var _ kafkaops.Cluster = (*Cluster)(nil)

// Info implements kafkaops.Cluster.
func (c *Cluster) Info() kafkaops.Info { return c.info }

// Bootstrap implements kafkaops.Cluster.
func (c *Cluster) Bootstrap() []string {
	var addrs []string
	for _, n := range c.nodes {
		addrs = append(addrs, n.addr)
	}
	return addrs
}

// Nodes implements kafkaops.Cluster.
func (c *Cluster) Nodes() []kafkaops.Node {
	nodes := make([]kafkaops.Node, len(c.nodes))
	for i, n := range c.nodes {
		nodes[i] = n.view()
	}
	return nodes
}

// Close ends the brokers and, unless Config.DataDir was given, deletes their data. With a data directory it asks them to end in order first,
// for about a second. It returns within 1.5 s on a machine that is not starved; what it could not clear is the error.
func (c *Cluster) Close() error {
	c.closeOnce.Do(func() {
		c.asideMu.Lock()
		close(c.closed)
		c.asideMu.Unlock()
		c.closeErr = c.shutdown()
	})
	return c.closeErr
}

func (c *Cluster) shutdown() error {
	begin := time.Now()
	c.end()
	if c.guard != nil {
		if c.run.kept {
			c.stopInOrder(orderlyClose)
		}
		c.guard.close(max(closePatience-time.Since(begin), 100*time.Millisecond))
	}
	c.aside.Wait()
	if c.ask != nil {
		c.ask.Close()
	}
	// The guard has done this already, unless something killed it.
	err := c.run.clear()
	if c.ports != nil {
		c.ports.release()
	}
	c.run.close()
	if err != nil {
		return fmt.Errorf("clearing up after the brokers: %w", err)
	}
	return nil
}

// stopInOrder sends SIGTERM to all brokers at once and waits. The last ones wait in vain for a quorum that is gone, hence the deadline.
func (c *Cluster) stopInOrder(patience time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for _, n := range c.nodes {
		p := n.running()
		if p == nil {
			continue
		}
		if err := c.guard.signal(ctx, p, syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
			c.cfg.Log.Warn("stopping a broker", "node", n.id, "err", err)
		}
	}
	for _, n := range c.nodes {
		if p := n.running(); p != nil {
			select {
			case <-p.ended:
			case <-ctx.Done():
			}
		}
	}
}
