// Package compose is the three brokers as containers of a Docker Compose project, driven through the user's docker command: it starts the project or joins
// it, breaks the brokers, and takes down what it started. It builds no image, never touches containers of other projects, and leaves a project that
// it only joined as it is. What the project is made of is not here but in the files that it is given (Config.Files).
//
// Differences from kafkaops/local, and why:
//
//   - A broker has a network of its own, which can be cut (kafkaops.Cut). The ports that it publishes here go with it, so that a client on this machine
//     is refused, while its peers and clients in containers wait in vain.
//   - Kill and Stop go through the engine: 0.1 to 0.3 s more than a signal. Start runs the image's own script first, which takes a second JVM.
//   - Node.PID is the engine's: of this machine where the engine runs on it, else of the engine's virtual machine.
//   - A kassa that is killed leaves the project running: there is no guard over an engine. The next one joins it.
package compose

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"kassa/kafkaops"
)

const nodeCount = 3

// Project is the name of kassa's own project, also that of a `docker compose up` in the folder compose/.
const Project = "kassa"

// closePatience bounds the end of a project: three containers, a network and three volumes.
const closePatience = time.Minute

// Config says what to start or to join.
type Config struct {
	Files    fs.FS             // compose.yaml and the settings that it names
	Project  string            // empty means Project
	Ports    []int             // three ports for clients, on 127.0.0.1; empty for 9094-9096. A project that is joined has its own.
	Profile  kafkaops.Profile  // the zero value means kafkaops.FastFailover(). A project that is joined has its own.
	Services bool              // start the shop's services too, in containers; their image must be there
	Vars     map[string]string // further variables of compose.yaml: KASSA_SUBNET, KASSA_PAYMENT_PORT …
	CacheDir string            // where Files are laid down; empty for kassa in the user's cache directory
	Why      string            // why it is this provider, as a clause for Info.Why; may be empty
	Log      *slog.Logger      // nil for none
}

func (cfg Config) withDefaults() (Config, error) {
	if cfg.Project == "" {
		cfg.Project = Project
	}
	if cfg.Profile.Name == "" {
		cfg.Profile = kafkaops.FastFailover()
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if len(cfg.Ports) == 0 {
		cfg.Ports = []int{9094, 9095, 9096}
	}
	if len(cfg.Ports) != nodeCount {
		return cfg, &kafkaops.UserError{Message: fmt.Sprintf("the cluster needs %d ports, and was given %d", nodeCount, len(cfg.Ports))}
	}
	if cfg.CacheDir == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			return cfg, &kafkaops.UserError{Message: "there is no place for kassa's cache: set HOME or XDG_CACHE_HOME", Err: err}
		}
		cfg.CacheDir = filepath.Join(base, "kassa")
	}
	return cfg, nil
}

// controller is where the controller beside the broker at a port is published: 10,000 away, on whichever side there is room.
func controller(port int) int {
	if port+10_000 > 65_535 {
		return port - 10_000
	}
	return port + 10_000
}

// vars are the variables of compose.yaml.
func (cfg Config) vars() []string {
	env := []string{"KASSA_PROFILE=" + cfg.Profile.Name}
	for i, port := range cfg.Ports {
		env = append(env, fmt.Sprintf("KASSA_PORT_%d=%d", i+1, port), fmt.Sprintf("KASSA_CONTROLLER_PORT_%d=%d", i+1, controller(port)))
	}
	for name, value := range cfg.Vars {
		env = append(env, name+"="+value)
	}
	return env
}

// Ownership is what a kassa that leaves has to undo.
type Ownership uint8

// The ways to have come by a project.
const (
	Joined  Ownership = iota // it was running: it stays
	Woken                    // it was there and stopped: it is stopped again, with its data
	Started                  // it was not there: it goes, with its data
)

// Cluster is three brokers in containers. It implements kafkaops.Cluster.
type Cluster struct {
	cfg    Config
	docker docker
	dir    string // where the files lie; empty if they were not needed
	owned  Ownership
	info   kafkaops.Info
	nodes  []*node
	addrs  map[string]string // where the addresses that only the containers know can be reached from here

	life context.Context // ends with Close
	end  context.CancelFunc
	work sync.WaitGroup

	look sync.Mutex // held while the engine is asked and the answer filed: answers are filed in the order of the questions

	others struct {
		sync.Mutex
		by map[string][]container // the containers that are no brokers, by service
	}

	closeOnce sync.Once
	closeErr  error
}

var _ kafkaops.Cluster = (*Cluster)(nil)

// Info implements kafkaops.Cluster.
func (c *Cluster) Info() kafkaops.Info { return c.info }

// Owned says what Close will do.
func (c *Cluster) Owned() Ownership { return c.owned }

// Bootstrap implements kafkaops.Cluster.
func (c *Cluster) Bootstrap() []string {
	addrs := make([]string, len(c.nodes))
	for i, n := range c.nodes {
		addrs[i] = n.addr
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

// DialContext knows the way to the controllers: they are told of by their names inside the project's network.
func (c *Cluster) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	if here, ok := c.addrs[addr]; ok {
		addr = here
	}
	return (&net.Dialer{}).DialContext(ctx, network, addr)
}

// Close takes the project down if this Cluster started it, stops it if it only woke it, and leaves it alone if it joined it. What docker has
// begun goes on when this process ends.
func (c *Cluster) Close() error {
	c.closeOnce.Do(func() {
		c.end()
		c.work.Wait()
		c.closeErr = c.leave()
	})
	return c.closeErr
}

func (c *Cluster) leave() error {
	ctx, cancel := context.WithTimeout(context.Background(), closePatience)
	defer cancel()
	var args []string
	switch c.owned {
	case Joined:
		return nil
	case Started:
		args = []string{"down", "--volumes", "--timeout", "0"} // the data goes too, so nobody needs to say goodbye
	case Woken:
		args = []string{"stop"}
	}
	if err := c.detached(ctx, args...); err != nil {
		return fmt.Errorf("ending the Docker Compose project %s: %w", c.cfg.Project, err)
	}
	return nil
}

// detached is compose for what must go on when this process does not: a pipe to it would end docker at its next word.
func (c *Cluster) detached(ctx context.Context, args ...string) error {
	out, err := os.CreateTemp(c.dir, "leaving-*.log")
	if err != nil {
		return err
	}
	defer func() {
		_ = out.Close()
		_ = os.Remove(out.Name())
	}()
	cmd := c.docker.command(ctx, c.project(args...)...)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Run(); err != nil {
		text, _ := os.ReadFile(out.Name())
		return &dockerError{verb: "compose", said: said(string(text)), err: err}
	}
	return nil
}

// compose runs docker compose on the project. Its own progress goes nowhere; what it complains of is the error.
func (c *Cluster) compose(ctx context.Context, args ...string) error {
	_, err := c.docker.run(ctx, c.project(args...)...)
	return err
}

func (c *Cluster) project(args ...string) []string {
	return append([]string{"compose", "--project-name", c.cfg.Project, "--file", filepath.Join(c.dir, composeFile)}, args...)
}

func (c *Cluster) describe(brokers []container) {
	first := brokers[0]
	c.info = kafkaops.Info{Provider: "compose", Version: first.version(), Profile: first.Config.Labels[labelProfile]}
	var ports string
	for i, n := range c.nodes {
		_, port, _ := net.SplitHostPort(n.addr)
		if i > 0 {
			ports += ", "
		}
		ports += port
	}
	how := "started by this kassa, which takes them and their data along"
	switch c.owned {
	case Joined:
		how = "which were running already and stay"
		c.info.Note = fmt.Sprintf("joined the Docker Compose project %s; it stays when kassa leaves", c.cfg.Project)
	case Woken:
		how = "which were there and stopped, and will be again"
	}
	c.info.Why = fmt.Sprintf("three containers of the Docker Compose project %s, %s; ports %s", c.cfg.Project, how, ports)
	if c.cfg.Why != "" {
		c.info.Why = c.cfg.Why + "; " + c.info.Why
	}
}

func newNodes(brokers []container, network string) (nodes []*node, addrs map[string]string) {
	addrs = make(map[string]string)
	for _, b := range brokers {
		service := b.Config.Labels[labelService]
		nodes = append(nodes, &node{id: b.node(), service: service, network: network, addr: b.published(clientPort), ip: b.Config.Labels[labelAddress], now: b})
		if here := b.published(controllerPort); here != "" {
			addrs[net.JoinHostPort(service, controllerPort)] = here
		}
	}
	return nodes, addrs
}
