package local

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// fakePins is a set of two small jars, and where Maven would find them.
func fakePins(t *testing.T) (jars jarSet, source string) {
	t.Helper()
	source = t.TempDir()
	jars = jarSet{dir: filepath.Join(t.TempDir(), "kafka-0"), pins: make(map[string]string)}
	for _, name := range []string{"kafka_2.13-0.jar", "other-1.jar"} {
		write(t, "this is "+name, 0o600, source, name)
		sum := sha256.Sum256([]byte("this is " + name))
		jars.pins[name] = hex.EncodeToString(sum[:])
		jars.names = append(jars.names, name)
	}
	return jars, source
}

func copyAll(t *testing.T, from, to string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}

func TestEveryJarIsPinned(t *testing.T) {
	jars := pinnedJars(t.TempDir())
	if len(jars.pins) != 46 || len(jars.names) != 46 {
		t.Fatalf("%d pins, %d names, want 46", len(jars.pins), len(jars.names))
	}
	for name, sum := range jars.pins {
		if b, err := hex.DecodeString(sum); err != nil || len(b) != sha256.Size || !strings.HasSuffix(name, ".jar") {
			t.Errorf("pin %q %q", name, sum)
		}
	}
	if jars.pins["kafka_2.13-"+KafkaVersion+".jar"] == "" || jars.pins["log4j-slf4j-impl-"+log4jVersion+".jar"] == "" {
		t.Error("the pins are of other versions than the pom")
	}
	if !strings.HasPrefix(jars.names[0], "kafka_") {
		t.Errorf("the class path starts with %s", jars.names[0])
	}
}

func TestACorruptJarIsNamedWithTheFolderToDelete(t *testing.T) {
	jars, source := fakePins(t)
	copyAll(t, source, jars.dir)
	if err := jars.verify(t.Context()); err != nil {
		t.Fatal(err)
	}
	write(t, "THIS is other-1.jar", 0o600, jars.dir, "other-1.jar")
	userError(t, jars.verify(t.Context()), "other-1.jar", "SHA-256", jars.dir, "delete")
	if err := os.Remove(filepath.Join(jars.dir, "other-1.jar")); err != nil {
		t.Fatal(err)
	}
	userError(t, jars.verify(t.Context()), "other-1.jar", "missing", jars.dir)
}

func TestAnUnpackedKafkaIsUsedAsItIs(t *testing.T) {
	home := fakeKafka(t, "4.1.0")
	write(t, "", 0o600, home, "libs", "kafka_2.13-4.1.0-sources.jar")
	jars, err := homeJars(home)
	if err != nil || jars.version != "4.1.0" || jars.pins != nil {
		t.Fatalf("got %+v, %v", jars, err)
	}
	if want := []string{"kafka_2.13-4.1.0.jar", "aaa-1.jar"}; !slices.Equal(jars.names, want) {
		t.Errorf("class path %v, want %v", jars.names, want)
	}
}

// maven is a script in the place of mvn. It finds its output directory as the real one does.
func maven(t *testing.T, script string) string {
	t.Helper()
	return write(t, "#!/bin/sh\n"+script+"\n", 0o700, t.TempDir(), "mvn")
}

func fetchWith(t *testing.T, ctx context.Context, jars jarSet, mvn string) (most int, err error) {
	t.Helper()
	g, _ := testGuard(t)
	err = jars.fetch(ctx, g, mvn, javaVM{path: "/java/bin/java"}, filepath.Dir(jars.dir), func(done, _ int) { most = max(most, done) })
	return most, err
}

func TestFetchTakesOverTheWholeSetAtOnce(t *testing.T) {
	jars, source := fakePins(t)
	most, err := fetchWith(t, t.Context(), jars, maven(t, fmt.Sprintf("cp %s/*.jar jars/", source)))
	if err != nil || most != len(jars.pins) {
		t.Fatalf("%d fetched, %v", most, err)
	}
	if err := jars.verify(t.Context()); err != nil || !jars.present() {
		t.Error(err)
	}
	if !missing(filepath.Join(filepath.Dir(jars.dir), "fetching")) {
		t.Error("the staging directory is still there")
	}
	// Fetched by another kassa in the meantime: Maven is not asked again.
	if _, err := fetchWith(t, t.Context(), jars, "/no/such/mvn"); err != nil {
		t.Error(err)
	}
}

func TestAFailedFetchSaysWhatMavenSaidAndLeavesNothing(t *testing.T) {
	jars, source := fakePins(t)
	for name, c := range map[string]struct {
		script string
		words  []string
	}{
		"offline": {
			"echo '[ERROR] Failed to execute goal a:b:1:c (default-cli) on project kafka-jars: Could not transfer artifact: Unknown host -> [Help 1]'; echo '[ERROR]'; exit 1",
			[]string{"(Could not transfer artifact: Unknown host)", "network", "--kafka-home"},
		},
		"disk full":   {"echo '[ERROR] x: No space left on device'; exit 1", []string{"No space left", "free"}},
		"says little": {"exit 7", []string{"exit status 7"}},
		"other jars":  {fmt.Sprintf("cp %s/*.jar jars/; echo more >> jars/other-1.jar", source), []string{"not the published ones"}},
		"too few":     {fmt.Sprintf("cp %s/other* jars/", source), []string{"not the published ones"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := fetchWith(t, t.Context(), jars, maven(t, c.script))
			userError(t, err, c.words...)
			if jars.present() || !missing(filepath.Join(filepath.Dir(jars.dir), "fetching")) {
				t.Error("something is left")
			}
		})
	}
}

func TestFetchEndsWithItsContext(t *testing.T) {
	jars, _ := fakePins(t)
	ctx, cancel := context.WithCancel(t.Context())
	started := filepath.Join(t.TempDir(), "started")
	go func() {
		for missing(started) && ctx.Err() == nil {
			<-waitABit()
		}
		cancel()
	}()
	_, err := fetchWith(t, ctx, jars, maven(t, "touch "+started+"; sleep 600"))
	if !errors.Is(err, context.Canceled) || jars.present() {
		t.Errorf("got %v", err)
	}
}

func TestProgressCountsWhatMavenSaysOfPinnedJars(t *testing.T) {
	jars, _ := fakePins(t)
	log := `[INFO] Downloading from central: x://repo/org/other-1.jar
[INFO] Downloaded from central: x://repo/org/other/1/other-1.jar (3 kB at 1 kB/s)
[INFO] Downloaded from central: x://repo/org/plugin-9.jar (3 kB at 1 kB/s)
[INFO] Copying other-1.jar to /somewhere/other-1.jar
[INFO] Copying kafka_2.13-0.jar to /somewhere/kafka_2.13-0.jar
`
	if got := jars.countFetched([]byte(log)); got != 2 {
		t.Errorf("counted %d, want 2", got)
	}
}
