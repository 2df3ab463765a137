//go:build e2e && docker

package compose

import (
	"context"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	stack "kassa/compose"
	"kassa/kafkaops"
	"kassa/kafkaops/conformance"
)

// testConfig is a project of its own, beside one that somebody may be using.
func testConfig(t *testing.T) Config {
	return Config{
		Files: stack.Files, Project: "kassa-test", Ports: []int{9494, 9495, 9496}, CacheDir: t.TempDir(),
		Vars: map[string]string{"KASSA_SUBNET": "10.94.95"},
	}
}

func up(t *testing.T, cfg Config) *Cluster {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	begun := time.Now()
	c, err := Start(ctx, cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("three brokers in %.1f s", time.Since(begun).Seconds())
	t.Cleanup(func() {
		begun := time.Now()
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		t.Logf("left in %.1f s", time.Since(begun).Seconds())
	})
	return c
}

// left is what the engine has of a project.
func left(t *testing.T, project string) string {
	t.Helper()
	d, err := findDocker()
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, list := range [][]string{{"ps", "--all"}, {"network", "ls"}, {"volume", "ls"}} {
		out, err := d.run(context.Background(), append(list, "--quiet", "--filter", "label="+labelProject+"="+project)...)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, strings.Fields(out)...)
	}
	return strings.Join(all, " ")
}

// Brokers in containers do what every provider's do.
// In the short form (go test -short) only what containers may do otherwise than processes: be cut off, be killed, refuse.
func TestDockerConformance(t *testing.T) {
	cfg := testConfig(t)
	c := up(t, cfg)
	s := &conformance.Subject{Cluster: c}
	apart := regexp.MustCompile(`consumed|controller is killed|cut|refuse`)
	for _, k := range conformance.Cases() {
		if !testing.Short() || apart.MatchString(k.Name) {
			t.Run(k.Name, func(t *testing.T) { k.Do(t, s) })
		}
	}
}

// A project that was joined stays as it is, one that was stopped is stopped again, and of one that was started nothing is left.
func TestDockerLeavesWhatItFound(t *testing.T) {
	cfg := testConfig(t)
	first := up(t, cfg)
	if first.Owned() != Started {
		t.Fatalf("owned %d", first.Owned())
	}
	join := func(want Ownership) {
		t.Helper()
		c, err := Start(t.Context(), Config{Files: cfg.Files, Project: cfg.Project, CacheDir: t.TempDir()}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Bootstrap(); c.Owned() != want || got[0] != "127.0.0.1:9494" {
			t.Errorf("owned %d, at %v", c.Owned(), got)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	join(Joined)
	processes := func(want kafkaops.Process) {
		t.Helper()
		if err := first.refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, n := range first.Nodes() {
			if n.Process != want {
				t.Errorf("broker %d is %s, want %s", n.ID, n.Process, want)
			}
		}
	}
	processes(kafkaops.ProcessRunning)
	if err := first.compose(t.Context(), "stop"); err != nil {
		t.Fatal(err)
	}
	join(Woken)
	processes(kafkaops.ProcessExited)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if all := left(t, cfg.Project); all != "" {
		t.Errorf("left behind: %s", all)
	}
}

// A broker that gets its network back has the name and the address there that the others know it by.
func TestDockerReconnectsAsItWas(t *testing.T) {
	c := up(t, testConfig(t))
	n := c.nodes[1]
	place := func() (address string, names []string) {
		t.Helper()
		out, err := c.docker.run(t.Context(), "inspect", "--format", "{{json .NetworkSettings.Networks}}", n.container())
		if err != nil {
			t.Fatal(err)
		}
		var networks map[string]struct {
			IPAddress string
			Aliases   []string
		}
		if err := json.Unmarshal([]byte(out), &networks); err != nil {
			t.Fatalf("%v in %s", err, out)
		}
		return networks[n.network].IPAddress, networks[n.network].Aliases
	}
	address, names := place()
	if address != n.ip || !slices.Contains(names, "kafka-2") {
		t.Fatalf("at first it is %q at %s, want kafka-2 at %s", names, address, n.ip)
	}
	for _, v := range []kafkaops.Verb{kafkaops.Cut, kafkaops.Reconnect} {
		if err := c.Do(t.Context(), kafkaops.Fault{Verb: v, Node: n.id}); err != nil {
			t.Fatal(err)
		}
		switch now, names := place(); {
		case v == kafkaops.Cut && now != "":
			t.Errorf("cut off it has the address %s", now)
		case v == kafkaops.Reconnect && (now != address || !slices.Contains(names, "kafka-2")):
			t.Errorf("back it is %q at %s, want kafka-2 at %s", names, now, address)
		}
	}
}

// What somebody else does to a container is seen without a question.
func TestDockerSeesWhatOthersDo(t *testing.T) {
	c := up(t, testConfig(t))
	see := func(want kafkaops.Process, args ...string) {
		t.Helper()
		if err := c.docker1(t.Context(), append(args, c.nodes[2].container())...); err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(30 * time.Second); c.Nodes()[2].Process != want; time.Sleep(20 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("after docker %v: %+v", args, c.Nodes()[2])
			}
		}
	}
	see(kafkaops.ProcessPaused, "pause")
	see(kafkaops.ProcessRunning, "unpause")
	see(kafkaops.ProcessCut, "network", "disconnect", c.nodes[2].network)
	see(kafkaops.ProcessExited, "kill")
}
