package local

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"kassa/kafkaops"
)

// nothingLeft fails if a run directory is left.
func nothingLeft(t *testing.T, cfg Config) {
	t.Helper()
	if left, err := filepath.Glob(filepath.Join(cfg.TempDir, "*")); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestAJVMThatFailsIsExplainedAndNothingIsLeft(t *testing.T) {
	cfg := goodConfig(t)
	cfg.Java = fakeJava(t, "17.0.15", "echo 'Error: Could not create the Java Virtual Machine.'; exit 1")
	_, err := Start(t.Context(), cfg, nil)
	userError(t, err, "formatter", "Could not create the Java Virtual Machine")
	nothingLeft(t, cfg)
}

func TestStartEndsWithItsContextAndNothingIsLeft(t *testing.T) {
	cfg := goodConfig(t)
	cfg.Java = fakeJava(t, "17.0.15", "sleep 600")
	ctx, cancel := context.WithCancel(t.Context())
	var steps []string
	_, err := Start(ctx, cfg, func(p kafkaops.Progress) {
		steps = append(steps, p.Step)
		cancel()
	})
	if !errors.Is(err, context.Canceled) || len(steps) == 0 {
		t.Errorf("got %v after %v", err, steps)
	}
	nothingLeft(t, cfg)
}

func TestABrokenClassArchiveIsDroppedOnceAndTheStartRepeated(t *testing.T) {
	cfg := goodConfig(t)
	calls := filepath.Join(t.TempDir(), "calls")
	cfg.Java = fakeJava(t, "17.0.15", `echo "$*" >> `+calls+`; exit 1`)
	java, err := findJava(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	jars, err := homeJars(cfg.KafkaHome)
	if err != nil {
		t.Fatal(err)
	}
	key, err := jvm{java: java, jars: jars}.archiveKey()
	if err != nil {
		t.Fatal(err)
	}
	cut := write(t, "rubbish", 0o600, archivePath(cfg.CacheDir, key, "8"))
	archive := write(t, "rubbish", 0o600, archivePath(cfg.CacheDir, key, "7"))
	_, err = Start(t.Context(), cfg, nil)
	userError(t, err, "formatter")
	b, err := os.ReadFile(calls)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string // the formatter's; brokers are started beside it
	for line := range strings.Lines(string(b)) {
		if strings.Contains(line, storageTool) {
			lines = append(lines, line)
		}
	}
	if len(lines) != 2 || !strings.Contains(lines[0], archive) || strings.Contains(lines[1], archive) {
		t.Errorf("calls:\n%s\nwant one with the archive and one without", b)
	}
	if !missing(archive) || !missing(cut) {
		t.Error("an archive is still there for the next start to stumble over")
	}
}

func TestAnArchiveFitsOneJavaOneSetOfJarsAndOneSetOfFlags(t *testing.T) {
	jars, source := fakePins(t)
	jars.dir = source
	keys := make(map[string]string)
	see := func(what string, vm jvm) {
		t.Helper()
		key, err := vm.archiveKey()
		if err != nil {
			t.Fatal(err)
		}
		if same, seen := keys[key]; seen {
			t.Errorf("%s has the same archive as %s", what, same)
		}
		keys[key] = what
	}
	base := jvm{java: javaVM{build: "17"}, jars: jars}
	see("the first", base)
	other := base
	other.java.build = "21"
	see("another Java", other)
	other = base
	other.jars.pins = nil
	see("other flags", other)
	at := time.Unix(1, 0)
	if err := os.Chtimes(filepath.Join(source, jars.names[0]), at, at); err != nil {
		t.Fatal(err)
	}
	see("a jar fetched anew", base)
	if again, err := base.archiveKey(); err != nil || keys[again] == "" {
		t.Errorf("the same JVM gave another key, %v", err)
	}
}

func TestOnlyPinnedJarsAreTrustedWithoutTheVerifier(t *testing.T) {
	pins, _ := fakePins(t)
	for _, c := range []struct {
		jars jarSet
		want bool
	}{{pins, true}, {jarSet{}, false}} {
		if got := strings.Contains(strings.Join(jvm{jars: c.jars}.flags(), " "), "-BytecodeVerificationRemote"); got != c.want {
			t.Errorf("verifier off: %v, want %v", got, c.want)
		}
	}
}

func TestServerPropertiesNameEveryVoterAndBindToLoopback(t *testing.T) {
	c := &Cluster{cfg: Config{Profile: kafkaops.FastFailover()}}
	for i := range 3 {
		c.nodes = append(c.nodes, newNode(int32(i+1), 9094+i, 19094+i))
	}
	got := properties(c.conf(2, "nodes/2"))
	for key, want := range map[string]string{
		"node.id":                  "2",
		"process.roles":            "broker,controller",
		"controller.quorum.voters": "1@127.0.0.1:19094,2@127.0.0.1:19095,3@127.0.0.1:19096",
		"listeners":                "CLIENT://127.0.0.1:9095,CONTROLLER://127.0.0.1:19095",
		"advertised.listeners":     "CLIENT://127.0.0.1:9095",
		"log.dirs":                 "nodes/2",
		"min.insync.replicas":      "2",
	} {
		if got[key] != want {
			t.Errorf("%s=%q, want %q", key, got[key], want)
		}
	}
}

func TestAHalfFormattedDataDirectoryIsNotUsed(t *testing.T) {
	run := &runDir{path: t.TempDir(), kept: true}
	if done, err := formatted(run); done != "" || err != nil {
		t.Errorf("empty: %v, %v", done, err)
	}
	meta := func(dir, node, cluster string) {
		write(t, "version=1\nnode.id="+node+"\ncluster.id="+cluster+"\n", 0o600, run.path, nodesName, dir, metaName)
	}
	meta("1", "1", "A")
	meta("2", "2", "A")
	_, err := formatted(run)
	userError(t, err, "damaged", run.path)
	meta("3", "3", "B")
	_, err = formatted(run)
	userError(t, err, "damaged")
	meta("3", "3", "A")
	if done, err := formatted(run); done == "" || err != nil {
		t.Errorf("complete: %v, %v", done, err)
	}
}

func TestATemplateIsWrittenUnderNewIDs(t *testing.T) {
	made := template{checkpoint: []byte("checkpoint"), meta: []byte("#\nnode.id=1\ndirectory.id=x\nversion=1\ncluster.id=node.id=1\n")}
	dirs := map[string]bool{}
	for id := int32(1); id <= nodeCount; id++ {
		dir := filepath.Join(t.TempDir(), "node")
		if err := made.write(dir, id, "C"); err != nil {
			t.Fatal(err)
		}
		got, err := readTemplate(dir)
		if err != nil || string(got.checkpoint) != "checkpoint" {
			t.Fatalf("%q, %v", got.checkpoint, err)
		}
		meta := properties(string(got.meta))
		if meta["node.id"] != strconv.Itoa(int(id)) || meta["cluster.id"] != "C" || meta["version"] != "1" || len(meta["directory.id"]) != 22 {
			t.Errorf("node %d: %v", id, meta)
		}
		dirs[meta["directory.id"]] = true
	}
	if len(dirs) != nodeCount {
		t.Errorf("directory ids: %v", dirs)
	}
}

func TestATemplateIsFoundAgainUnlessDamaged(t *testing.T) {
	cache, jars := t.TempDir(), jarSet{names: []string{"kafka_2.13-4.3.1.jar"}}
	made := template{checkpoint: []byte("checkpoint"), meta: []byte("node.id=1\ndirectory.id=x\ncluster.id=y\n")}
	if _, err := findTemplate(jars, cache); err == nil {
		t.Fatal("found one in an empty cache")
	}
	for range 2 { // keeping it twice does no harm
		if err := made.keep(jars, cache); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := findTemplate(jars, cache); err != nil || !reflect.DeepEqual(got, made) {
		t.Fatalf("%+v, %v", got, err)
	}
	if _, err := findTemplate(jarSet{names: []string{"kafka_2.13-4.4.0.jar"}}, cache); err == nil {
		t.Error("found one of other jars")
	}
	write(t, "checkpoin", 0o600, made.dir(jars, cache), checkpointName)
	if _, err := findTemplate(jars, cache); err == nil {
		t.Error("found a damaged one")
	}
	if left, _ := os.ReadDir(cache); len(left) != 1 {
		t.Errorf("left over: %v", left)
	}
}

func TestTheReasonIsFoundInABrokersLog(t *testing.T) {
	for name, c := range map[string]struct{ log, want string }{
		"innermost cause": {`[2026-01-01 10:00:00,000] INFO starting (kafka.Kafka)
[2026-01-01 10:00:01,000] ERROR Exiting Kafka due to fatal exception (kafka.Kafka$)
org.apache.kafka.common.KafkaException: Socket server failed to bind to 127.0.0.1:9094: Address already in use.
	at kafka.network.Acceptor.openServerSocket(SocketServer.scala:733)
Caused by: java.net.BindException: Address already in use
	at java.base/sun.nio.ch.Net.bind0(Native Method)
[2026-01-01 10:00:02,000] INFO shut down (kafka.Kafka)
`, "BindException: Address already in use"},
		"one line": {"[2026-01-01 10:00:01,000] FATAL out of luck (kafka.Kafka$)\n", "out of luck"},
		"the JVM":  {"Error: Could not find or load main class kafka.Kafka\n", "Could not find or load main class kafka.Kafka"},
		"an exception before logging": {
			"Exception in thread \"main\" java.lang.RuntimeException: no\n\tat x.y(Z.java:1)\n", "RuntimeException: no",
		},
		"nothing":              {"[2026-01-01 10:00:00,000] INFO fine (kafka.Kafka)\n", ""},
		"an exception in INFO": {"[2026-01-01 10:00:00,000] INFO fine (kafka.Kafka)\njava.io.IOException: harmless\n", ""},
	} {
		if got := errorIn([]byte(c.log)); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

func TestOldArchivesMakeRoom(t *testing.T) {
	dir := t.TempDir()
	for i := range archivesKept + 2 {
		path := write(t, "", 0o600, dir, archivePrefix+string(rune('a'+i))+archiveSuffix)
		at := time.Unix(0, 0).AddDate(0, 0, i)
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	prune(dir)
	left, _ := os.ReadDir(dir)
	if len(left) != archivesKept || left[0].Name() != archivePrefix+"c"+archiveSuffix {
		t.Errorf("left %v", left)
	}
}
