package doctor

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"kassa/kafkaops"
	"kassa/kafkaops/local"
)

// Machine is this machine as a place for brokers.
type Machine struct {
	Java    Java         `json:"java"`
	Jars    Jars         `json:"jars"`
	Ports   []local.Port `json:"ports"`
	Docker  Docker       `json:"docker"`
	Cluster string       `json:"clusterAuto"` // the provider that --cluster auto takes; empty if there is none
}

// Java is the Java that brokers would run on.
type Java struct {
	Path    string `json:"path,omitempty"`
	Version string `json:"version,omitempty"`
	Problem string `json:"problem,omitempty"` // why none will do; empty if one does
}

// Jars are Kafka's.
type Jars struct {
	Source  local.JarSource `json:"source"`
	Dir     string          `json:"dir,omitempty"`
	Version string          `json:"version,omitempty"`
	Count   int             `json:"count"`
	Problem string          `json:"problem,omitempty"` // why there are none that will do
}

// Docker is what the docker command told.
type Docker struct {
	Client  bool   `json:"client"`           // there is such a command
	Engine  string `json:"engine,omitempty"` // version of the engine that answered; empty if none did
	Problem string `json:"problem,omitempty"`
}

func survey(ctx context.Context, cfg local.Config) (*Machine, error) {
	s, err := local.Look(ctx, cfg)
	if err != nil {
		return nil, err
	}
	m := &Machine{
		Java:   Java{Path: s.Java, Version: s.JavaVersion, Problem: sentence(s.JavaErr)},
		Jars:   Jars{Source: s.Jars, Dir: s.JarsDir, Version: s.KafkaVersion, Count: s.JarCount, Problem: sentence(s.JarsErr)},
		Ports:  s.Ports,
		Docker: askDocker(ctx),
	}
	if m.Java.Problem == "" && m.Jars.Problem == "" {
		m.Cluster = "local" // the only provider of this build
	}
	return m, context.Cause(ctx)
}

func sentence(err error) string {
	var user *kafkaops.UserError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &user):
		return user.Message
	}
	return err.Error()
}

// dockerWithin is how long an engine may take. A socket that nobody serves keeps the command waiting.
const dockerWithin = 3 * time.Second

// askDocker lets the command find the engine: contexts, DOCKER_HOST and the socket are its to know.
func askDocker(ctx context.Context) Docker {
	path, err := exec.LookPath("docker")
	if err != nil {
		return Docker{}
	}
	ctx, cancel := context.WithTimeout(ctx, dockerWithin)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, "version", "--format", "{{.Server.Version}}")
	cmd.WaitDelay = time.Second // a grandchild may keep the pipe
	var complaint strings.Builder
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	d := Docker{Client: true}
	switch version := strings.TrimSpace(string(out)); {
	case ctx.Err() != nil:
		d.Problem = fmt.Sprintf("it does not answer within %s", dockerWithin)
	case err == nil && version != "":
		d.Engine = version
	default:
		d.Problem = strings.Join(strings.Fields(complaint.String()), " ")
	}
	return d
}

const thisMachine = "This machine"

func examineMachine(m *Machine) []Finding {
	return []Finding{m.java(), m.jars(), m.ports(), m.docker(), m.auto()}
}

func (m *Machine) java() Finding {
	f := Finding{Level: OK, Group: thisMachine, Check: "java", Subject: "Java"}
	if m.Java.Problem != "" {
		f.Level, f.What, f.Fix = Risk, "none that will do", m.Java.Problem
		f.Risk = "No broker can be started here."
		return f
	}
	f.What = fmt.Sprintf("%s at %s", m.Java.Version, m.Java.Path)
	return f
}

func (m *Machine) jars() Finding {
	f := Finding{Level: OK, Group: thisMachine, Check: "jars", Subject: "Kafka's jars"}
	switch {
	case m.Jars.Problem != "":
		f.Level, f.What, f.Fix = Risk, "none that will do", m.Jars.Problem
		f.Risk = "No broker can be started here."
	case m.Jars.Source == local.JarsCached:
		f.What = fmt.Sprintf("Kafka %s, %d jars in %s, each as pinned", m.Jars.Version, m.Jars.Count, m.Jars.Dir)
	case m.Jars.Source == local.JarsFromHome:
		f.What = fmt.Sprintf("Kafka %s, yours, in %s", m.Jars.Version, m.Jars.Dir)
	default:
		f.Level, f.What = Note, fmt.Sprintf("Kafka %s is not here yet; the first start has Maven fetch it (44 MB)", m.Jars.Version)
		f.Risk = "That start needs a network and takes as long as it does."
		f.Fix = "Start kassa once while there is one, or give --kafka-home."
	}
	return f
}

func (m *Machine) ports() Finding {
	f := Finding{Level: OK, Group: thisMachine, Check: "ports", Subject: "ports"}
	var all, taken []string
	for _, p := range m.Ports {
		all = append(all, strconv.Itoa(p.Number))
		if !p.Free {
			taken = append(taken, strconv.Itoa(p.Number))
		}
	}
	f.What = list(all) + " are free"
	if len(taken) > 0 {
		f.Level, f.What = Note, list(taken)+" in use"
		f.Risk = "kassa's brokers listen on other ports, and a client that expects the usual ones does not find them."
		f.Fix = "End what listens there (another kassa, maybe), or use the ports that kassa names when it starts."
	}
	return f
}

// docker is never a risk: nothing in this build needs it.
func (m *Machine) docker() Finding {
	f := Finding{Group: thisMachine, Check: "docker", Subject: "Docker", Level: OK}
	const unused = "; this build does not use it"
	switch {
	case m.Docker.Engine != "":
		f.What = fmt.Sprintf("engine %s answers", m.Docker.Engine) + unused
	case m.Docker.Client:
		f.Level, f.What = Note, "the command is here and no engine answers"+unused
	default:
		f.Level, f.What = Note, "not installed"+unused
	}
	return f
}

func (m *Machine) auto() Finding {
	f := Finding{Level: OK, Group: thisMachine, Check: "cluster-auto", Subject: "--cluster auto"}
	if m.Cluster != "" {
		f.What = m.Cluster + ": Java and Kafka's jars will do"
		if m.Jars.Source == local.JarsFromMaven {
			f.What = m.Cluster + ": Java will do, and Maven can fetch Kafka's jars"
		}
		return f
	}
	f.Level, f.What = Risk, "no provider"
	f.Risk = "kassa cannot start a cluster: local is the only provider of this build, and it needs Java and Kafka's jars."
	f.Fix = "Mend what is named above."
	return f
}

// list joins words as people write them: a, b and c.
func list(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " and " + words[last]
}

// ids writes node ids as people do, in order.
func ids(nodes []int32) string {
	var words []string
	for _, n := range slices.Sorted(slices.Values(nodes)) {
		words = append(words, strconv.Itoa(int(n)))
	}
	return list(words)
}
