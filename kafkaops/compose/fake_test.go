package compose

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"kassa/kafkaops"
)

// fake is a docker command that answers from files and writes down what it was asked.
type fake struct {
	t   *testing.T
	dir string
}

// newFake puts one in front of the PATH. Its containers are three brokers that run.
func newFake(t *testing.T) *fake {
	t.Helper()
	f := &fake{t: t, dir: t.TempDir()}
	f.write("docker", 0o700, `#!/bin/sh
cd `+f.dir+`
echo "$*" >> asked
[ -e fail ] && while read -r pattern; do
	case "$*" in $pattern) cat complaint >&2; exit 1 ;; esac
done < fail
case "$1" in
version) echo 28.0 ;;
compose) case "$*" in *config*--images*) echo apache/kafka:4.3.1 ;; *" up "*) cp up ps ;; esac ;;
ps) cat ps 2>/dev/null ;;
inspect) cat inspect ;;
events) exec sleep 60 ;;
esac
exit 0
`)
	f.brokers(func(int, *container) {})
	f.write("up", 0o600, "id1 id2 id3\n")
	t.Setenv("PATH", f.dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	return f
}

func (f *fake) write(name string, mode os.FileMode, text string) {
	f.t.Helper()
	if err := os.WriteFile(filepath.Join(f.dir, name), []byte(text), mode); err != nil {
		f.t.Fatal(err)
	}
}

// brokers sets what `docker inspect` answers.
func (f *fake) brokers(change func(id int, c *container)) {
	f.t.Helper()
	var list []container
	for id := 1; id <= nodeCount; id++ {
		var c container
		c.ID, c.State.Status, c.State.PID = fmt.Sprintf("id%d", id), "running", 100+id
		c.Config.Image = "apache/kafka:4.3.1"
		c.Config.Labels = map[string]string{
			labelNode: fmt.Sprint(id), labelAddress: fmt.Sprintf("10.94.94.1%d", id), labelProfile: "stock", labelService: fmt.Sprintf("kafka-%d", id), labelProject: Project,
		}
		bindings := fmt.Sprintf(`{"9094/tcp":[{"HostIp":"127.0.0.1","HostPort":"%d"}],"9093/tcp":[{"HostIp":"127.0.0.1","HostPort":"%d"}]}`, 9093+id, 19093+id)
		if err := json.Unmarshal([]byte(bindings), &c.HostConfig.PortBindings); err != nil {
			f.t.Fatal(err)
		}
		c.NetworkSettings.Networks = map[string]struct{ NetworkID string }{Project + "_default": {}}
		change(id, &c)
		list = append(list, c)
	}
	text, err := json.Marshal(list)
	if err != nil {
		f.t.Fatal(err)
	}
	f.write("inspect", 0o600, string(text))
}

// fails has docker complain of what matches one of these shell patterns, each on a line of its own.
func (f *fake) fails(patterns, complaint string) {
	f.write("complaint", 0o600, complaint+"\n")
	f.write("fail", 0o600, patterns+"\n")
}

// asked are the commands so far that begin with one of these words.
func (f *fake) asked(words ...string) []string {
	f.t.Helper()
	text, _ := os.ReadFile(filepath.Join(f.dir, "asked"))
	var list []string
	for line := range strings.Lines(string(text)) {
		for _, w := range words {
			if strings.HasPrefix(line, w+" ") {
				list = append(list, strings.TrimSpace(line))
			}
		}
	}
	return list
}

// cluster is one that has joined the fake's project, without waiting for brokers that are not there.
func (f *fake) cluster() *Cluster {
	f.t.Helper()
	cfg, err := Config{Files: fstest.MapFS{}, CacheDir: f.t.TempDir()}.withDefaults()
	if err != nil {
		f.t.Fatal(err)
	}
	d, err := findDocker()
	if err != nil {
		f.t.Fatal(err)
	}
	c := &Cluster{cfg: cfg, docker: d, dir: f.t.TempDir()}
	c.life, c.end = f.t.Context(), func() {}
	brokers, err := d.inspect(f.t.Context(), []string{"id1", "id2", "id3"})
	if err != nil {
		f.t.Fatal(err)
	}
	c.nodes, c.addrs = newNodes(brokers, Project+"_default")
	c.describe(brokers)
	return c
}

func userError(t *testing.T, err error, words ...string) {
	t.Helper()
	var user *kafkaops.UserError
	if !errors.As(err, &user) {
		t.Fatalf("got %v, want a *kafkaops.UserError", err)
	}
	for _, w := range words {
		if !strings.Contains(user.Message, w) || strings.Contains(user.Message, "\n") {
			t.Errorf("%q does not say %q in one line", user.Message, w)
		}
	}
}

// soon is for what a fake does in milliseconds.
const soon = 10 * time.Second
