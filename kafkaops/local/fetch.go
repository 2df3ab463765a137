package local

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"kassa/kafkaops"
	"kassa/kafkaops/flock"
)

// copyGoal is pinned too: without a version Maven asks the network for the newest at every run.
const copyGoal = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"

const pom = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>kassa</groupId>
  <artifactId>kafka-jars</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>` + KafkaVersion + `</version></dependency>
    <dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId><version>` + log4jVersion + `</version></dependency>
  </dependencies>
</project>
`

// fetch has Maven bring the jars into a staging directory, checks every one and renames the directory into its place. Only one kassa
// fetches at a time; another waits and then finds them there.
func (j jarSet) fetch(ctx context.Context, g *guardian, mvn string, java javaVM, cacheDir string, progress func(done, total int)) (err error) {
	progress(0, len(j.pins))
	lock, err := flock.Wait(ctx, filepath.Join(cacheDir, "fetch.lock"), func() {})
	if err != nil {
		if ctx.Err() != nil {
			return err
		}
		return unusableDir("cache directory", cacheDir, err)
	}
	defer lock.Close()
	if j.present() {
		return nil
	}
	// Whoever holds the lock may delete what a fetch that was cut short has left.
	staging := filepath.Join(cacheDir, "fetching")
	if err := os.RemoveAll(staging); err != nil {
		return unusableDir("cache directory", cacheDir, err)
	}
	defer func() { err = errors.Join(err, removeAll(staging)) }()
	work := jarSet{dir: filepath.Join(staging, "jars"), pins: j.pins}
	if err := os.MkdirAll(work.dir, 0o700); err != nil {
		return unusableDir("cache directory", cacheDir, err)
	}
	if err := os.WriteFile(filepath.Join(staging, "pom.xml"), []byte(pom), 0o600); err != nil {
		return unusableDir("cache directory", cacheDir, err)
	}
	if err := work.runMaven(ctx, g, mvn, java, staging, progress); err != nil {
		return err
	}
	if err := work.verify(ctx); err != nil {
		if ctx.Err() != nil {
			return err
		}
		return &kafkaops.UserError{
			Message: "Maven fetched jars that are not the published ones: check its mirror and local repository, or give --kafka-home", Err: err,
		}
	}
	if err := os.Rename(work.dir, j.dir); err != nil {
		return unusableDir("cache directory", cacheDir, err)
	}
	return nil
}

func (j jarSet) runMaven(ctx context.Context, g *guardian, mvn string, java javaVM, staging string, progress func(done, total int)) error {
	out := filepath.Join(staging, "maven.log")
	p, err := g.launch(ctx, spec{
		Name: "maven", Path: mvn, Dir: staging, Out: out,
		Args: []string{"--batch-mode", "--file", "pom.xml", copyGoal, "-DoutputDirectory=jars", "-DincludeScope=runtime"},
		Env:  []string{"JAVA_HOME=" + filepath.Dir(filepath.Dir(java.path))},
	})
	if err != nil {
		return fmt.Errorf("running Maven: %w", err)
	}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			log, _ := os.ReadFile(out) // no file yet: nothing fetched yet
			progress(j.countFetched(log), len(j.pins))
		case <-ctx.Done():
			_ = g.signal(context.WithoutCancel(ctx), p, syscall.SIGKILL)
			<-p.ended
			return context.Cause(ctx)
		case <-p.ended:
			log, err := os.ReadFile(out)
			if err != nil {
				return fmt.Errorf("reading what Maven said: %w", err)
			}
			if !p.ok {
				return mavenFailed(log, p.exit)
			}
			progress(len(j.pins), len(j.pins))
			return nil
		}
	}
}

var mavenMoved = regexp.MustCompile(`(?m)(?:Downloaded from .*/|Copying )([^/\s]+\.jar)\b`)

// countFetched counts the pinned jars that Maven says it has downloaded, or found at home and copied.
func (j jarSet) countFetched(log []byte) int {
	seen := make(map[string]bool)
	for _, m := range mavenMoved.FindAllSubmatch(log, -1) {
		if name := string(m[1]); j.pins[name] != "" {
			seen[name] = true
		}
	}
	return len(seen)
}

var (
	ansi = regexp.MustCompile("\x1b\\[[0-9;]*m")
	// mavenGoal is the part of its first error that says nothing to someone who has never heard of the goal.
	mavenGoal = regexp.MustCompile(`^Failed to execute goal \S+ (?:\([^)]*\) )?on project \S+: `)
	mavenHelp = regexp.MustCompile(`\s*-> \[Help \d+\]\s*$`)
)

// mavenFailed puts the useful part of Maven's output into one sentence.
func mavenFailed(log []byte, exit string) error {
	said := exit
	for line := range strings.Lines(string(ansi.ReplaceAll(log, nil))) {
		if text, ok := strings.CutPrefix(strings.TrimSpace(line), "[ERROR] "); ok {
			said = mavenHelp.ReplaceAllString(mavenGoal.ReplaceAllString(text, ""), "")
			break
		}
		if text := strings.TrimSpace(line); text != "" && strings.HasPrefix(text, "Error") {
			said = text // Maven's own start-up script
		}
	}
	const enough = 240
	if r := []rune(said); len(r) > enough {
		said = string(r[:enough]) + " …"
	}
	advice := "check the network, or give an unpacked Kafka with --kafka-home"
	if bytes.Contains(log, []byte("No space left on device")) {
		advice = "free 60 MB on the disk, or give an unpacked Kafka with --kafka-home"
	}
	return &kafkaops.UserError{
		Message: fmt.Sprintf("Maven could not fetch Kafka %s (%s): %s", KafkaVersion, strings.TrimRight(said, ". "), advice),
		Err:     errors.New("maven: " + exit),
	}
}

// findMaven returns the mvn program.
func findMaven() (string, error) {
	mvn, err := exec.LookPath("mvn")
	if err != nil {
		return "", &kafkaops.UserError{
			Message: "Kafka's jars are not in the cache and Maven is not installed: install Maven (mvn), or give an unpacked Kafka with --kafka-home or KAFKA_HOME", Err: err,
		}
	}
	return mvn, nil
}
