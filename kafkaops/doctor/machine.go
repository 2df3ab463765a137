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
	Cluster string       `json:"clusterAuto"` // the provider that --cluster auto takes: local, compose or embedded
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
	Client  bool   `json:"client"`            // there is such a command
	Compose string `json:"compose,omitempty"` // version of its compose plugin; empty if it has none
	Engine  string `json:"engine,omitempty"`  // version of the engine that answered; empty if none did
	Problem string `json:"problem,omitempty"`
}

// ready says that containers can be started with it.
func (d Docker) ready() bool { return d.Engine != "" && d.Compose != "" }

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
	switch {
	case m.Java.Problem == "" && m.Jars.Problem == "":
		m.Cluster = localCluster
	case m.Docker.ready():
		m.Cluster = composeCluster
	default:
		m.Cluster = embeddedCluster
	}
	return m, context.Cause(ctx)
}

// What --cluster auto can come to.
const (
	localCluster    = "local"
	composeCluster  = "compose"
	embeddedCluster = "embedded"
)

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
	ask := func(args ...string) (answer, complaint string) {
		cmd := exec.CommandContext(ctx, path, args...)
		cmd.WaitDelay = time.Second // a grandchild may keep the pipe
		var errs strings.Builder
		cmd.Stderr = &errs
		if out, err := cmd.Output(); err == nil {
			answer = strings.TrimSpace(string(out))
		}
		return answer, strings.Join(strings.Fields(errs.String()), " ")
	}
	d := Docker{Client: true}
	d.Compose, _ = ask("compose", "version", "--short")
	d.Engine, d.Problem = ask("version", "--format", "{{.Server.Version}}")
	switch {
	case d.Engine != "":
		d.Problem = ""
	case ctx.Err() != nil:
		d.Problem = fmt.Sprintf("it does not answer within %s", dockerWithin)
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
		f.Risk = "No real broker can be started here."
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
		f.Risk = "No real broker can be started here."
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

// docker is never a risk: --cluster compose needs it, and nothing else does.
func (m *Machine) docker() Finding {
	f := Finding{Group: thisMachine, Check: "docker", Subject: "Docker", Level: OK}
	switch {
	case m.Docker.ready():
		f.What = fmt.Sprintf("engine %s answers, with compose %s", m.Docker.Engine, m.Docker.Compose)
		return f
	case m.Docker.Engine != "":
		f.What, f.Fix = fmt.Sprintf("engine %s answers, and docker has no compose plugin", m.Docker.Engine), "Install the plugin to use --cluster compose."
	case m.Docker.Client:
		f.What, f.Fix = "the command is here and no engine answers", "Start the engine to use --cluster compose."
	default:
		f.What, f.Fix = "not installed", "Install it, with its compose plugin, to use --cluster compose."
	}
	f.Level, f.Risk = Note, "There can be no brokers in containers, and no network of theirs can be cut."
	return f
}

func (m *Machine) auto() Finding {
	f := Finding{Level: OK, Group: thisMachine, Check: "cluster-auto", Subject: "--cluster auto", What: m.Cluster}
	switch {
	case m.Cluster == composeCluster:
		f.What = "compose: three brokers in containers, since none can be started as processes here"
	case m.Cluster == embeddedCluster:
		f.Level, f.What = Note, "embedded: three simulated brokers, since no real ones can be started"
		f.Risk = "What a failover costs is then what Kafka's rules come to, and not measured on Kafka."
		f.Fix = "Mend what is named above."
	case m.Jars.Source == local.JarsFromMaven:
		f.What += ": Java will do, and Maven can fetch Kafka's jars"
	default:
		f.What += ": Java and Kafka's jars will do"
	}
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
