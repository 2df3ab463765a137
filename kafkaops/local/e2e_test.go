//go:build e2e

package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kassa/kafkaops"
	"kassa/kafkaops/flock"
)

// up starts real brokers, fetching Kafka the first time.
func up(tb testing.TB, cfg Config) *Cluster {
	tb.Helper()
	if cfg.TempDir == "" {
		cfg.TempDir = tb.TempDir()
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	c, err := Start(ctx, cfg, nil)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := c.Close(); err != nil {
			tb.Error(err)
		}
	})
	return c
}

func client(tb testing.TB, c *Cluster, opts ...kgo.Opt) *kgo.Client {
	tb.Helper()
	client, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(c.Bootstrap()...), kgo.MetadataMinAge(50 * time.Millisecond)}, opts...)...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(client.Close)
	return client
}

// pids are the processes of the brokers now.
func pids(tb testing.TB, nodes []kafkaops.Node) []identity {
	tb.Helper()
	var ids []identity
	for _, n := range nodes {
		if n.PID == 0 {
			continue
		}
		id, err := identify(n.PID)
		if err != nil {
			tb.Fatalf("broker %d: %v", n.ID, err)
		}
		ids = append(ids, id)
	}
	return ids
}

// live is how many brokers node i says are alive; 0 if it does not answer.
func live(t *testing.T, c *Cluster, i int) int { return c.ask.Known(t.Context(), i) }

func TestE2EEveryFaultOnRealBrokers(t *testing.T) {
	c := up(t, Config{})
	for i := range nodeCount {
		if got := live(t, c, i); got != nodeCount {
			t.Fatalf("as Start returned, broker %d knew %d brokers", i+1, got)
		}
	}
	first := pids(t, c.Nodes())
	do := func(verb kafkaops.Verb, node int32) {
		t.Helper()
		if err := c.Do(t.Context(), kafkaops.Fault{Verb: verb, Node: node}); err != nil {
			t.Fatal(err)
		}
	}
	state := func(node int32) kafkaops.Node { return c.Nodes()[node-1] }
	all := func() {
		t.Helper()
		eventually(t, "three brokers in everybody's metadata", func() bool {
			return live(t, c, 0) == nodeCount && live(t, c, 1) == nodeCount && live(t, c, 2) == nodeCount
		})
		eventually(t, "three processes running", func() bool {
			return !slices.ContainsFunc(c.Nodes(), func(n kafkaops.Node) bool { return n.Process != kafkaops.ProcessRunning })
		})
	}

	do(kafkaops.Kill, 1)
	if n := state(1); n.Process != kafkaops.ProcessExited || n.Exit != "signal: killed" || !gone(first[0]) {
		t.Errorf("after kill: %+v", n)
	}
	var refused *kafkaops.RefusedError
	if err := c.Do(t.Context(), kafkaops.Fault{Verb: kafkaops.Kill, Node: 1}); !errors.As(err, &refused) || refused.Reason != "it is already down" {
		t.Errorf("killing it again: %v", err)
	}
	eventually(t, "broker 1 fenced", func() bool { return live(t, c, 1) == 2 })
	do(kafkaops.Start, 1)
	all()

	do(kafkaops.Stop, 2)
	if n := state(2); n.Process != kafkaops.ProcessExited || n.Exit != "signal: terminated" || !gone(first[1]) {
		t.Errorf("after stop: %+v", n)
	}
	if got := live(t, c, 0); got != 2 {
		t.Errorf("after a controlled stop %d brokers are known: it did not say goodbye", got)
	}
	do(kafkaops.Start, 2)
	all()

	do(kafkaops.Pause, 3)
	if n := state(3); n.Process != kafkaops.ProcessPaused || gone(first[2]) {
		t.Errorf("after pause: %+v", n)
	}
	eventually(t, "broker 3 fenced", func() bool { return live(t, c, 0) == 2 })
	if err := c.Do(t.Context(), kafkaops.Fault{Verb: kafkaops.Stop, Node: 3}); !errors.As(err, &refused) || !strings.Contains(refused.Reason, "resume") {
		t.Errorf("stopping it while paused: %v", err)
	}
	do(kafkaops.Resume, 3)
	all()

	do(kafkaops.Restart, 3)
	if now := state(3).PID; now == first[2].PID || !gone(first[2]) {
		t.Errorf("after restart: pid %d as before", now)
	}
	all()

	// An end that nobody asked for is seen.
	other := state(2).PID
	if err := syscall.Kill(other, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the end of broker 2 seen", func() bool { return state(2).Process == kafkaops.ProcessExited })

	last := pids(t, c.Nodes())
	begin := time.Now()
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begin); took > 2*time.Second {
		t.Errorf("close took %v", took)
	}
	for _, id := range last {
		if !gone(id) {
			t.Errorf("process %d is left", id.PID)
		}
	}
	if !missing(c.Info().DataDir) {
		t.Error("the temporary data is left")
	}
	if err := c.Do(t.Context(), kafkaops.Fault{Verb: kafkaops.Start, Node: 1}); !errors.As(err, &refused) {
		t.Errorf("start after close: %v", err)
	}
}

func TestE2EABusyPortMovesTheBrokersAndIsSaid(t *testing.T) {
	if l, err := net.Listen("tcp", loopback(firstClientPort)); err == nil { // else another program makes it busy for us
		defer l.Close()
	}
	c := up(t, Config{})
	if slices.Contains(c.Bootstrap(), loopback(firstClientPort)) || !strings.Contains(c.Info().Note, "in use") {
		t.Errorf("on %v, note %q", c.Bootstrap(), c.Info().Note)
	}
}

// What profile.go calls Kafka's default must be what Kafka calls it, and what it sets must be in force.
func TestE2ETheProfileIsInForceAndKnowsKafkasDefaults(t *testing.T) {
	c := up(t, Config{})
	admin := kadm.NewClient(client(t, c))
	described, err := admin.DescribeBrokerConfigs(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	one, err := described.On("1", nil)
	if err != nil || one.Err != nil {
		t.Fatal(err, one.Err)
	}
	known := make(map[string]kadm.Config)
	for _, config := range one.Configs {
		known[config.Key] = config
	}
	compared := 0
	for _, s := range kafkaops.FastFailover().Settings {
		config, ok := known[s.Key]
		if !ok {
			t.Errorf("Kafka knows no %s", s.Key)
			continue
		}
		if config.MaybeValue() != s.Value {
			t.Errorf("%s is %q, want %q", s.Key, config.MaybeValue(), s.Value)
		}
		for _, synonym := range config.Synonyms {
			if synonym.Source != kmsg.ConfigSourceDefaultConfig || synonym.Value == nil {
				continue
			}
			if compared++; *synonym.Value != s.Default {
				t.Errorf("%s: Kafka's default is %q, we say %q", s.Key, *synonym.Value, s.Default)
			}
		}
	}
	if compared == 0 {
		t.Error("Kafka told none of its defaults")
	}
	if _, err := admin.CreateTopic(t.Context(), -1, -1, nil, "plain"); err != nil {
		t.Fatal(err)
	}
	topics, err := admin.DescribeTopicConfigs(t.Context(), "plain")
	if err != nil {
		t.Fatal(err)
	}
	for _, config := range topics[0].Configs {
		if config.Key == "min.insync.replicas" && config.MaybeValue() != "2" {
			t.Errorf("a topic made without settings has min.insync.replicas=%s", config.MaybeValue())
		}
	}
}

func TestE2EADataDirectoryKeepsARecordOverARestart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	const topic = "kept"
	first := up(t, Config{DataDir: dir})
	producer := client(t, first, kgo.DefaultProduceTopic(topic), kgo.AllowAutoTopicCreation())
	if err := producer.ProduceSync(t.Context(), kgo.StringRecord("still here")).FirstErr(); err != nil {
		t.Fatal(err)
	}
	_, err := Start(t.Context(), Config{DataDir: dir}, nil)
	userError(t, err, "another kassa uses", dir)
	begin := time.Now()
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begin); took > 2*time.Second {
		t.Errorf("close took %v", took)
	}
	elsewhere := []int{21494, 21496, 21498} // the log knows no ports, so they may change
	second := up(t, Config{DataDir: dir, Ports: elsewhere})
	if want := loopback(elsewhere[1]); second.Bootstrap()[1] != want {
		t.Errorf("broker 2 is on %s, want %s", second.Bootstrap()[1], want)
	}
	reader := client(t, second, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	got := reader.PollFetches(ctx)
	if records := got.Records(); len(records) != 1 || string(records[0].Value) != "still here" {
		t.Errorf("got %v, %v", records, got.Err())
	}
}

// holder is a kassa with a cluster, for a test to kill.
func holder() int {
	c, err := Start(context.Background(), Config{TempDir: os.Getenv(helperDir)}, nil)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	held := held{Nodes: c.Nodes(), Guard: c.guard.cmd.Process.Pid}
	if json.NewEncoder(os.Stdout).Encode(held) != nil {
		return 1
	}
	time.Sleep(10 * time.Minute)
	return 0
}

type held struct {
	Nodes []kafkaops.Node
	Guard int
}

func startHolder(t *testing.T, dir string) (*exec.Cmd, held) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), helperEnv+"=holder", helperDir+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	var h held
	if err := json.NewDecoder(out).Decode(&h); err != nil {
		t.Fatal(err)
	}
	return cmd, h
}

func TestE2ENoBrokerOutlivesAKilledKassa(t *testing.T) {
	dir := t.TempDir()
	kassa, h := startHolder(t, dir)
	ids := pids(t, h.Nodes)
	if len(ids) != nodeCount {
		t.Fatalf("brokers %v", h.Nodes)
	}
	if err := kassa.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		eventually(t, "broker ended", func() bool { return gone(id) })
	}
	eventually(t, "temporary data deleted", func() bool {
		left, err := filepath.Glob(filepath.Join(dir, "*"))
		return err == nil && len(left) == 0
	})
}

func TestE2ETheNextStartClearsWhatAKilledGuardLeft(t *testing.T) {
	dir := t.TempDir()
	kassa, h := startHolder(t, dir)
	ids := pids(t, h.Nodes)
	for _, pid := range []int{h.Guard, kassa.Process.Pid} {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	_ = kassa.Wait()
	if runtime.GOOS == "linux" {
		for _, id := range ids {
			eventually(t, "broker ended with its guard", func() bool { return gone(id) })
		}
	}
	left, err := filepath.Glob(filepath.Join(dir, runPrefix+"*"))
	if err != nil || len(left) != 1 {
		t.Fatalf("left: %v, %v", left, err)
	}
	eventually(t, "the guard's lock ended with it", func() bool { // the kernel takes a process apart after it killed the children
		lock, err := flock.Try(filepath.Join(left[0], lockName))
		if err == nil {
			lock.Close()
		}
		return err == nil
	})
	c := up(t, Config{TempDir: dir, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if !missing(left[0]) {
		t.Errorf("%s is still there", left[0])
	}
	for _, id := range ids {
		if !gone(id) {
			t.Errorf("process %d is still there", id.PID)
		}
	}
	if got := live(t, c, 0); got != nodeCount {
		t.Errorf("%d brokers", got)
	}
}

// cacheWithoutArchive has the jars of the usual cache, and nothing else.
func cacheWithoutArchive(tb testing.TB) string {
	tb.Helper()
	usual, err := Config{}.withDefaults()
	if err != nil {
		tb.Fatal(err)
	}
	if !pinnedJars(usual.CacheDir).present() {
		if err := up(tb, Config{}).Close(); err != nil {
			tb.Fatal(err)
		}
	}
	dir := tb.TempDir()
	if err := os.Symlink(pinnedJars(usual.CacheDir).dir, pinnedJars(dir).dir); err != nil {
		tb.Fatal(err)
	}
	return dir
}

// long leaves a test out of the short form (go test -short), which is what CI has time for.
func long(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("left out with -short")
	}
}

// The short form leaves it out: .ci/run has an archive made before the tests, and they use it.
func TestE2ETheClassArchiveIsMadeAsideAndUsedByTheNext(t *testing.T) {
	long(t)
	cfg := Config{CacheDir: cacheWithoutArchive(t)}
	first := up(t, cfg)
	deadline := time.Now().Add(archivePatience)
	for !strings.HasPrefix(first.Archive(), "made in") {
		if strings.HasPrefix(first.Archive(), "none") || time.Now().After(deadline) {
			t.Fatalf("archive: %q", first.Archive())
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Log(first.Archive())
	archive := first.vm().archive
	if !missing(first.run.file(asideName)) {
		t.Error("the throw-away node's data is left")
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second := up(t, cfg)
	if second.Archive() != "using" {
		t.Errorf("archive: %q", second.Archive())
	}
	if runtime.GOOS == "linux" {
		maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", second.Nodes()[0].PID))
		if err != nil || !strings.Contains(string(maps), archive) {
			t.Errorf("java did not take %s, %v", archive, err)
		}
	}
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
	// Right in size and wrong inside: passed over by Java, or dropped by us, but no reason not to start.
	if err := os.Chmod(archive, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(archive, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(make([]byte, 1<<20), 0); err != nil {
		t.Fatal(err)
	}
	f.Close()
	up(t, cfg)
}

func TestE2ECloseEndsTheMakingOfAnArchive(t *testing.T) {
	long(t)
	for moment, come := range map[string]func(c *Cluster) bool{
		"its node is recorded": func(c *Cluster) bool {
			r, err := readRecord(c.run.file(recordName))
			return err == nil && len(r) > nodeCount
		},
		"records are being written to it": func(c *Cluster) bool {
			logs, _ := filepath.Glob(c.run.file(asideName, "*", rehearsed+"-*", "*.log"))
			return slices.ContainsFunc(logs, func(path string) bool { info, err := os.Stat(path); return err == nil && info.Size() > 0 })
		},
	} {
		t.Run(moment, func(t *testing.T) {
			cfg := Config{CacheDir: cacheWithoutArchive(t), TempDir: t.TempDir()}
			c := up(t, cfg)
			eventually(t, "archive being made", func() bool { return c.Archive() == "making" })
			eventually(t, moment, func() bool { return come(c) })
			begin := time.Now()
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(begin); took > 2*time.Second {
				t.Errorf("close took %v", took)
			}
			nothingLeft(t, cfg)
			if left, _ := filepath.Glob(filepath.Join(cfg.CacheDir, "*"+archiveSuffix)); len(left) != 0 {
				t.Errorf("left in the cache: %v", left)
			}
		})
	}
}

func TestE2EACorruptJarEndsTheStart(t *testing.T) {
	cfg := Config{CacheDir: cacheWithoutArchive(t), TempDir: t.TempDir()}
	jars := pinnedJars(cfg.CacheDir)
	real, err := filepath.EvalSymlinks(jars.dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Remove(jars.dir), os.CopyFS(jars.dir, os.DirFS(real))); err != nil {
		t.Fatal(err)
	}
	const name = "kafka-clients-" + KafkaVersion + ".jar"
	f, err := os.OpenFile(filepath.Join(jars.dir, name), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("not a class"), 4<<20); err != nil {
		t.Fatal(err)
	}
	f.Close()
	_, err = Start(t.Context(), cfg, nil)
	userError(t, err, name, jars.dir, "delete")
	nothingLeft(t, cfg)
}

// BenchmarkStart reports how long it takes until three brokers are ready, formatting counted: best, median and worst, in seconds.
func BenchmarkStart(b *testing.B) {
	for _, c := range []struct {
		name    string
		archive bool
	}{{"jars-cached", false}, {"class-archive", true}} {
		b.Run(c.name, func(b *testing.B) {
			cfg := Config{CacheDir: cacheWithoutArchive(b), TempDir: b.TempDir()}
			if c.archive {
				first := up(b, cfg)
				for deadline := time.Now().Add(archivePatience); !strings.HasPrefix(first.Archive(), "made in"); time.Sleep(100 * time.Millisecond) {
					if time.Now().After(deadline) {
						b.Fatalf("archive: %q", first.Archive())
					}
				}
				if err := first.Close(); err != nil {
					b.Fatal(err)
				}
			}
			var took []float64
			for b.Loop() {
				if !c.archive { // nor a template: Kafka's formatter runs every time
					kept, _ := filepath.Glob(templatePrefix(pinnedJars(cfg.CacheDir), cfg.CacheDir) + "*")
					for _, dir := range kept {
						_ = os.RemoveAll(dir)
					}
				}
				begin := time.Now()
				cluster, err := Start(context.Background(), cfg, nil)
				if err != nil {
					b.Fatal(err)
				}
				took = append(took, time.Since(begin).Seconds())
				b.StopTimer()
				if err := cluster.Close(); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
			}
			slices.Sort(took)
			b.ReportMetric(took[0], "best-s")
			b.ReportMetric(took[len(took)/2], "median-s")
			b.ReportMetric(took[len(took)-1], "worst-s")
		})
	}
}
