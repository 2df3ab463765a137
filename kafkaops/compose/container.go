package compose

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"kassa/kafkaops"
)

// Labels of compose.yaml, and those that Docker Compose gives to every container of a project.
const (
	labelNode    = "kassa.node"    // node.id
	labelAddress = "kassa.address" // its fixed address in the project's network
	labelProfile = "kassa.profile" // name of its settings
	labelProject = "com.docker.compose.project"
	labelService = "com.docker.compose.service"
)

// The ports inside a broker's container, see compose.yaml.
const (
	clientPort     = "9094"
	controllerPort = "9093"
)

// container is the part of `docker inspect` that is used here.
type container struct {
	ID    string   `json:"Id"`
	Args  []string // of its program
	State struct {
		Status    string // created, running, paused, restarting, removing, exited, dead
		PID       int    `json:"Pid"`
		ExitCode  int
		OOMKilled bool
		Error     string
		Health    *struct{ Status string } // nil without a health check
	}
	Config struct {
		Image  string
		Labels map[string]string
	}
	HostConfig struct {
		PortBindings map[string][]struct {
			HostIP   string `json:"HostIp"`
			HostPort string
		}
	}
	NetworkSettings struct {
		Networks map[string]struct{ NetworkID string }
	}
}

// find lists the containers of a project, running or not, that have a label.
func (d docker) find(ctx context.Context, project, label string) ([]container, error) {
	out, err := d.run(ctx, "ps", "--all", "--quiet", "--no-trunc", "--filter", "label="+labelProject+"="+project, "--filter", "label="+label)
	if err != nil {
		return nil, err
	}
	return d.inspect(ctx, strings.Fields(out))
}

func (d docker) inspect(ctx context.Context, ids []string) ([]container, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	out, err := d.run(ctx, append([]string{"inspect", "--type", "container"}, ids...)...)
	if err != nil {
		return nil, err
	}
	var list []container
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		return nil, fmt.Errorf("docker inspect: %w", err)
	}
	return list, nil
}

// findBrokers is the three brokers of a project in the order of their ids; nil if there are none. Fewer, or others, are a *kafkaops.UserError.
func (d docker) findBrokers(ctx context.Context, project string) ([]container, error) {
	list, err := d.find(ctx, project, labelNode)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	slices.SortFunc(list, func(a, b container) int { return int(a.node() - b.node()) })
	for i, c := range list {
		if c.node() != int32(i+1) || c.published(clientPort) == "" {
			return nil, notOurs(project)
		}
	}
	if len(list) != nodeCount {
		return nil, notOurs(project)
	}
	return list, nil
}

func notOurs(project string) error {
	return &kafkaops.UserError{Message: fmt.Sprintf("the Docker Compose project %s is there and is not kassa's three brokers: take it down with `docker compose -p %s down`", project, project)}
}

func (c container) node() int32 {
	n, err := strconv.ParseInt(c.Config.Labels[labelNode], 10, 32)
	if err != nil {
		return 0
	}
	return int32(n)
}

// published is the host:port at which a port of the container can be reached from here; empty if it is not published. A container that is
// down, or cut off, keeps it.
func (c container) published(port string) string {
	b := c.HostConfig.PortBindings[port+"/tcp"]
	if len(b) == 0 || b[0].HostPort == "" {
		return ""
	}
	host := b[0].HostIP
	if host == "" || host == "0.0.0.0" {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, b[0].HostPort)
}

// up says that there is a process.
func (c container) up() bool {
	switch c.State.Status {
	case "running", "paused", "restarting":
		return true
	}
	return false
}

func (c container) cut(network string) bool {
	_, ok := c.NetworkSettings.Networks[network]
	return !ok
}

// process is the state of the broker's process. One that runs is starting until its health check has found it open.
func (c container) process(network string) kafkaops.Process {
	switch {
	case c.State.Status == "paused":
		return kafkaops.ProcessPaused
	case !c.up():
		return kafkaops.ProcessExited
	case c.cut(network):
		return kafkaops.ProcessCut
	case c.State.Status == "restarting", c.State.Health != nil && c.State.Health.Status == "starting":
		return kafkaops.ProcessStarting
	}
	return kafkaops.ProcessRunning
}

// exit says why the last process ended, in the words that Go has for processes; empty while there is one.
func (c container) exit() string {
	code := c.State.ExitCode
	switch {
	case c.up():
		return ""
	case c.State.Status == "created":
		return "never started"
	case c.State.OOMKilled:
		return "killed: out of memory"
	case code == 128+9:
		return "signal: killed"
	case code == 128+15:
		return "signal: terminated"
	case c.State.Error != "":
		return c.State.Error
	}
	return fmt.Sprintf("exit status %d", code)
}

// version is the tag of the image, which is Kafka's version.
func (c container) version() string {
	_, tag, _ := strings.Cut(c.Config.Image[strings.LastIndexByte(c.Config.Image, '/')+1:], ":")
	return tag
}
