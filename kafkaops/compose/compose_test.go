package compose

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"kassa/kafkaops"
)

// The engine's words for a container are the states that kassa knows.
func TestProcessOfAContainer(t *testing.T) {
	const network = "kassa_default"
	for name, c := range map[string]struct {
		status, health string
		cut            bool
		code           int
		want           kafkaops.Process
		exit           string
	}{
		"open":              {status: "running", health: "healthy", want: kafkaops.ProcessRunning},
		"without a check":   {status: "running", want: kafkaops.ProcessRunning},
		"not open yet":      {status: "running", health: "starting", want: kafkaops.ProcessStarting},
		"hard to reach":     {status: "running", health: "unhealthy", want: kafkaops.ProcessRunning},
		"cut off":           {status: "running", health: "healthy", cut: true, want: kafkaops.ProcessCut},
		"paused":            {status: "paused", health: "healthy", want: kafkaops.ProcessPaused},
		"paused, cut off":   {status: "paused", cut: true, want: kafkaops.ProcessPaused},
		"killed":            {status: "exited", code: 137, want: kafkaops.ProcessExited, exit: "signal: killed"},
		"stopped":           {status: "exited", code: 143, want: kafkaops.ProcessExited, exit: "signal: terminated"},
		"failed":            {status: "exited", code: 1, want: kafkaops.ProcessExited, exit: "exit status 1"},
		"killed, cut off":   {status: "exited", code: 137, cut: true, want: kafkaops.ProcessExited, exit: "signal: killed"},
		"made, not started": {status: "created", want: kafkaops.ProcessExited, exit: "never started"},
	} {
		t.Run(name, func(t *testing.T) {
			var got container
			got.State.Status, got.State.ExitCode = c.status, c.code
			if c.health != "" {
				got.State.Health = &struct{ Status string }{c.health}
			}
			if !c.cut {
				got.NetworkSettings.Networks = map[string]struct{ NetworkID string }{network: {}}
			}
			if p := got.process(network); p != c.want || got.exit() != c.exit {
				t.Errorf("%s (%q), want %s (%q)", p, got.exit(), c.want, c.exit)
			}
		})
	}
}

// A project that was stopped when a broker was cut off comes up whole.
func TestWhatIsWokenIsConnected(t *testing.T) {
	f := newFake(t)
	f.brokers(func(id int, c *container) {
		c.State.Status = "exited"
		if id == 2 {
			c.NetworkSettings.Networks = nil
		}
	})
	f.write("ps", 0o600, "id1 id2 id3\n")
	s := &starter{Cluster: f.cluster()}
	brokers, err := s.docker.findBrokers(t.Context(), Project)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.wake(t.Context(), brokers); err != nil {
		t.Fatal(err)
	}
	want := []string{"network connect --alias kafka-2 --ip 10.94.94.12 kassa_default id2", "start id1 id2 id3"}
	if got := f.asked("network", "start"); !slices.Equal(got, want) {
		t.Errorf("docker was asked %q, want %q", got, want)
	}
}

// What docker is asked to do for each fault. A broker gets its network back with the name and the address that the others remember, also when it was
// killed while it was cut off.
func TestFaultsAskDocker(t *testing.T) {
	const connect = "network connect --alias kafka-2 --ip 10.94.94.12 kassa_default id2"
	cut := func(c *container) { c.NetworkSettings.Networks = nil }
	dead := func(c *container) { c.State.Status, c.State.ExitCode = "exited", 137 }
	for verb, c := range map[kafkaops.Verb]struct {
		before func(*container)
		want   []string
	}{
		kafkaops.Kill:      {nil, []string{"kill id2"}},
		kafkaops.Stop:      {nil, []string{"stop -t 30 id2"}},
		kafkaops.Pause:     {nil, []string{"pause id2"}},
		kafkaops.Resume:    {func(c *container) { c.State.Status = "paused" }, []string{"unpause id2"}},
		kafkaops.Start:     {func(c *container) { dead(c); cut(c) }, []string{connect, "start id2"}},
		kafkaops.Restart:   {nil, []string{"stop -t 30 id2", "start id2"}},
		kafkaops.Cut:       {nil, []string{"network disconnect kassa_default id2"}},
		kafkaops.Reconnect: {cut, []string{connect}},
	} {
		t.Run(string(verb), func(t *testing.T) {
			f := newFake(t)
			f.brokers(func(id int, b *container) {
				if id == 2 && c.before != nil {
					c.before(b)
				}
			})
			if err := f.cluster().Do(t.Context(), kafkaops.Fault{Verb: verb, Node: 2}); err != nil {
				t.Fatal(err)
			}
			if got := f.asked("kill", "stop", "pause", "unpause", "start", "network"); !slices.Equal(got, c.want) {
				t.Errorf("asked %q, want %q", got, c.want)
			}
		})
	}
}

// A fault that the container's state does not allow asks docker for nothing.
func TestRefusals(t *testing.T) {
	dead := func(c *container) { c.State.Status = "exited" }
	paused := func(c *container) { c.State.Status = "paused" }
	cut := func(c *container) { c.NetworkSettings.Networks = nil }
	for _, c := range []struct {
		verb   kafkaops.Verb
		node   int32
		before func(*container)
		want   string
	}{
		{kafkaops.Kill, 4, nil, "there is no such broker"},
		{kafkaops.Start, 2, nil, "it is already up"},
		{kafkaops.Kill, 2, dead, "it is already down"},
		{kafkaops.Cut, 2, dead, "it is already down"},
		{kafkaops.Resume, 2, nil, "it is not paused"},
		{kafkaops.Pause, 2, paused, "it is already paused"},
		{kafkaops.Stop, 2, paused, "it is paused and does not hear SIGTERM: resume it first"},
		{kafkaops.Cut, 2, cut, "it is already cut off"},
		{kafkaops.Reconnect, 2, nil, "it is not cut off"},
		{kafkaops.Elect, 2, nil, "a broker in a container cannot do that"},
	} {
		f := newFake(t)
		f.brokers(func(id int, b *container) {
			if id == 2 && c.before != nil {
				c.before(b)
			}
		})
		var refused *kafkaops.RefusedError
		err := f.cluster().Do(t.Context(), kafkaops.Fault{Verb: c.verb, Node: c.node})
		if !errors.As(err, &refused) || refused.Reason != c.want {
			t.Errorf("%s broker %d: %v, want %q", c.verb, c.node, err, c.want)
		}
		if got := f.asked("kill", "stop", "pause", "unpause", "start", "network"); len(got) > 0 {
			t.Errorf("%s broker %d: asked %q", c.verb, c.node, got)
		}
	}
}

// What docker complains of is told, and when somebody else was faster the fault is refused.
func TestFaultsThatFail(t *testing.T) {
	f := newFake(t)
	c := f.cluster()
	f.fails("kill*", "Error response from daemon: the engine is on fire.")
	err := c.Do(t.Context(), kafkaops.Fault{Verb: kafkaops.Kill, Node: 2})
	var refused *kafkaops.RefusedError
	if err == nil || errors.As(err, &refused) || !strings.Contains(err.Error(), "kill -9 broker 2: the engine is on fire") {
		t.Errorf("got %v", err)
	}
	f.brokers(func(id int, b *container) {
		if id == 2 {
			b.State.Status = "exited"
		}
	})
	if err := c.Do(t.Context(), kafkaops.Fault{Verb: kafkaops.Kill, Node: 2}); !errors.As(err, &refused) || refused.Reason != "it is already down" {
		t.Errorf("got %v", err)
	}
}

// A project is known by its labels: what it was started with counts, not what this kassa would have started.
func TestAProjectThatIsJoined(t *testing.T) {
	c := newFake(t).cluster()
	info := c.Info()
	if info.Provider != "compose" || info.Version != "4.3.1" || info.Profile != "stock" || !strings.Contains(info.Note, "stays when kassa leaves") {
		t.Errorf("info %+v", info)
	}
	if got := c.Bootstrap(); !slices.Equal(got, []string{"127.0.0.1:9094", "127.0.0.1:9095", "127.0.0.1:9096"}) {
		t.Errorf("bootstrap %v", got)
	}
	if got := c.addrs["kafka-2:9093"]; got != "127.0.0.1:19095" {
		t.Errorf("the controller of broker 2 is at %q", got)
	}
	for _, n := range c.Nodes() {
		if n.Process != kafkaops.ProcessRunning || n.PID != int(100+n.ID) || !n.Supports(kafkaops.Cut) {
			t.Errorf("node %+v", n)
		}
	}
}

// What is under the project's name and is not three brokers is left alone.
func TestAForeignProjectIsRefused(t *testing.T) {
	f := newFake(t)
	f.write("ps", 0o600, "id1\n")
	f.brokers(func(id int, c *container) { delete(c.Config.Labels, labelNode) })
	_, err := Start(t.Context(), Config{Files: fstest.MapFS{}, CacheDir: t.TempDir()}, nil)
	userError(t, err, "not kassa's three brokers", "docker compose -p kassa down")
	if got := f.asked("kill", "stop", "start", "network"); len(got) > 0 || strings.Contains(strings.Join(f.asked("compose"), " "), "down") {
		t.Errorf("asked %q and %q", got, f.asked("compose"))
	}
}

// What a person can mend is one sentence, and a start that fails leaves nothing behind.
func TestStartsThatFail(t *testing.T) {
	for name, c := range map[string]struct {
		pattern, complaint string
		cfg                Config
		words              []string
		undone             bool
	}{
		"no engine":      {"version*", "Cannot connect to the Docker daemon", Config{}, []string{"no Docker engine answers", "--cluster local"}, false},
		"no plugin":      {"compose?version*", "docker: 'compose' is not a docker command.", Config{}, []string{"no compose plugin"}, false},
		"a port in use":  {"*up*", "Bind for 127.0.0.1:9094 failed: port is already allocated", Config{}, []string{"9094", "--ports"}, true},
		"a network":      {"*up*", "invalid pool request: Pool overlaps with other one on this address space", Config{}, []string{"KASSA_SUBNET"}, true},
		"no image":       {"image*\npull*", "no route to host", Config{}, []string{"could not fetch apache/kafka:4.3.1", "no route to host"}, true},
		"too many ports": {"never", "", Config{Ports: []int{1, 2, 3, 4}}, []string{"needs 3 ports"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.fails(c.pattern, c.complaint)
			c.cfg.Files, c.cfg.CacheDir = fstest.MapFS{composeFile: {Data: []byte("services: {}\n")}}, t.TempDir()
			_, err := Start(t.Context(), c.cfg, nil)
			userError(t, err, c.words...)
			if down := slices.ContainsFunc(f.asked("compose"), func(l string) bool { return strings.Contains(l, " down --volumes") }); down != c.undone {
				t.Errorf("taken down: %t, want %t: %q", down, c.undone, f.asked("compose"))
			}
		})
	}
}

// A start that is told to end while brokers come up takes them down again.
func TestAStartThatIsCutShort(t *testing.T) {
	f := newFake(t)
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	begun := func(p kafkaops.Progress) {
		if p.Step == "starting brokers" {
			cancel()
		}
	}
	files := fstest.MapFS{composeFile: {Data: []byte("services: {}\n")}}
	_, err := Start(ctx, Config{Files: files, CacheDir: t.TempDir(), Ports: []int{20_001, 20_002, 20_003}}, begun)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	all := f.asked("compose")
	if len(all) == 0 || !strings.HasSuffix(all[len(all)-1], " down --volumes --timeout 0") {
		t.Errorf("asked %q", all)
	}
}

// Docker's last word says what is wrong; the steps of its progress, and where to look further, do not.
func TestWhatDockerSaid(t *testing.T) {
	for in, want := range map[string]string{
		"": "",
		"Error response from daemon: No such container: x\n":                                 "No such container: x",
		" Container kassa-kafka-1-1  Starting\nError response from daemon: port is taken.\n": "port is taken",
		"unknown flag: --x\nSee 'docker compose --help'.\n":                                  "unknown flag: --x",
	} {
		if got := said(in); got != want {
			t.Errorf("of %q: %q, want %q", in, got, want)
		}
	}
}
