package local

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// goodConfig passes Preflight without a Java, a Kafka or a network on this machine.
func goodConfig(t *testing.T) Config {
	t.Helper()
	return Config{
		Java: fakeJava(t, "17.0.15", "exit 1"), KafkaHome: fakeKafka(t, "4.0.0"),
		CacheDir: t.TempDir(), TempDir: t.TempDir(), Guard: []string{os.Args[0], GuardCommand},
	}
}

func TestPreflightPassesAndLeavesNothing(t *testing.T) {
	cfg := goodConfig(t)
	cfg.DataDir = filepath.Join(t.TempDir(), "a", "b")
	if err := Preflight(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	if !missing(cfg.DataDir) {
		t.Error("it made the data directory")
	}
	for _, dir := range []string{cfg.CacheDir, cfg.TempDir} {
		if left, _ := os.ReadDir(dir); len(left) != 0 {
			t.Errorf("left in %s: %v", dir, left)
		}
	}
}

func TestPreflightSaysWhatIsWrongAndWhatToDo(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	port := busy.Addr().(*net.TCPAddr).Port
	file := write(t, "", 0o600, t.TempDir(), "file")

	for name, c := range map[string]struct {
		change func(*Config)
		words  []string
	}{
		"old Java":             {func(c *Config) { c.Java = fakeJava(t, "11.0.2", "") }, []string{"Java 11", "17", "JAVA_HOME"}},
		"old Java of old form": {func(c *Config) { c.Java = fakeJava(t, "1.8.0_292", "") }, []string{"Java 8", "17"}},
		"old Java without a release file": {
			func(c *Config) { c.Java = fakeJava(t, "", `echo 'openjdk version "16.0.1" 2021-04-20' >&2`) },
			[]string{"Java 16", "17"},
		},
		"a Java that is none":  {func(c *Config) { c.Java = fakeJava(t, "", "exit 1") }, []string{"version", "17"}},
		"a Java that is away":  {func(c *Config) { c.Java = "/no/such/java" }, []string{"/no/such/java", "no such program"}},
		"a Kafka that is none": {func(c *Config) { c.KafkaHome = t.TempDir() }, []string{"no unpacked Kafka", "--kafka-home"}},
		"an old Kafka":         {func(c *Config) { c.KafkaHome = fakeKafka(t, "3.9.1") }, []string{"3.9.1", "4.0"}},
		"a cache in a file":    {func(c *Config) { c.CacheDir = file }, []string{"cache directory", file}},
		"a cache Java splits":  {func(c *Config) { c.CacheDir = "/tmp/a:b" }, []string{"/tmp/a:b", ":"}},
		"temp in a file":       {func(c *Config) { c.TempDir = file }, []string{"temporary files", file}},
		"data in a file":       {func(c *Config) { c.DataDir = filepath.Join(file, "x") }, []string{"data directory", file}},
		"foreign data":         {func(c *Config) { c.DataDir = filepath.Dir(file) }, []string{"not kassa's", "--data-dir"}},
		"a busy port":          {func(c *Config) { c.Ports = []int{port, 1, 2} }, []string{strconv.Itoa(port), "in use"}},
		"two ports":            {func(c *Config) { c.Ports = []int{1, 2} }, []string{"give 3"}},
		"one port twice":       {func(c *Config) { c.Ports = []int{1, 1, 2} }, []string{"different"}},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := goodConfig(t)
			c.change(&cfg)
			userError(t, Preflight(t.Context(), cfg), c.words...)
			// Start must not depend on somebody having asked before.
			_, err := Start(t.Context(), cfg, nil)
			userError(t, err, c.words...)
		})
	}
}

func TestPreflightWithoutAnyJavaOrMaven(t *testing.T) {
	cfg := goodConfig(t)
	t.Setenv("PATH", t.TempDir())
	t.Setenv("JAVA_HOME", "")
	without := cfg
	without.Java = ""
	userError(t, Preflight(t.Context(), without), "no Java", "17")
	t.Setenv("JAVA_HOME", "/no/such/home")
	userError(t, Preflight(t.Context(), without), "/no/such/home", "JAVA_HOME")
	cfg.KafkaHome = ""
	userError(t, Preflight(t.Context(), cfg), "Maven", "--kafka-home")
}

func TestJavaVersionsAreUnderstood(t *testing.T) {
	for version, want := range map[string]int{"17.0.15": 17, "25-ea": 25, "21": 21, "1.8.0_292": 8, "": 0, "x": 0} {
		if got := major(version); got != want {
			t.Errorf("major(%q) = %d, want %d", version, got, want)
		}
	}
}
