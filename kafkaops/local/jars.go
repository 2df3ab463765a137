package local

import (
	"bufio"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"

	"kassa/kafkaops"
)

const (
	// KafkaVersion is the version that is fetched when no KafkaHome is given.
	KafkaVersion = "4.3.1"
	log4jVersion = "2.25.4" // the binding behind slf4j that Kafka's own distribution ships
)

// pinned is sha256sum's output for every jar of KafkaVersion and what it needs. A new version needs a new list: `sha256sum *.jar` in
// the directory that Maven filled.
//
//go:embed pins.sha256
var pinned string

// jarSet is a directory of jars that make a broker.
type jarSet struct {
	dir     string
	version string
	names   []string          // in class path order
	pins    map[string]string // SHA-256 by name; nil where the jars are the user's own
}

// first is the order in which classes are looked for: a broker's classes are in these jars, most of them in the first three (0.3 s of 6.0).
var first = []string{
	"kafka_2.13-", "kafka-clients-", "kafka-server-", "kafka-metadata-", "kafka-raft-", "kafka-storage-",
	"scala-library-", "kafka-group-coordinator-", "log4j-core-", "log4j-api-", "jackson-databind-",
}

// classPath names every jar; a wildcard would leave the order to the file system.
func (j jarSet) classPath() string {
	paths := make([]string, len(j.names))
	for i, name := range j.names {
		paths[i] = filepath.Join(j.dir, name)
	}
	return strings.Join(paths, string(filepath.ListSeparator))
}

func inOrder(names []string) []string {
	rank := func(name string) int {
		if i := slices.IndexFunc(first, func(prefix string) bool { return strings.HasPrefix(name, prefix) }); i >= 0 {
			return i
		}
		return len(first)
	}
	slices.SortFunc(names, func(a, b string) int {
		if ra, rb := rank(a), rank(b); ra != rb {
			return ra - rb
		}
		return strings.Compare(a, b)
	})
	return names
}

// pinnedJars is the set that kassa fetches itself, whether it is there yet or not.
func pinnedJars(cacheDir string) jarSet {
	pins := make(map[string]string)
	for lines := bufio.NewScanner(strings.NewReader(pinned)); lines.Scan(); {
		if sum, name, ok := strings.Cut(lines.Text(), "  "); ok {
			pins[name] = sum
		}
	}
	names := make([]string, 0, len(pins))
	for name := range pins {
		names = append(names, name)
	}
	return jarSet{dir: filepath.Join(cacheDir, "kafka-"+KafkaVersion), version: KafkaVersion, names: inOrder(names), pins: pins}
}

// homeJars is the set of an unpacked Kafka.
func homeJars(home string) (jarSet, error) {
	dir := filepath.Join(home, "libs")
	paths, err := filepath.Glob(filepath.Join(dir, "*.jar"))
	set := jarSet{dir: dir}
	for _, path := range paths {
		name := filepath.Base(path)
		if strings.HasSuffix(name, "-sources.jar") || strings.HasSuffix(name, "-javadoc.jar") || strings.HasSuffix(name, "-test.jar") {
			continue
		}
		set.names = append(set.names, name)
		if v, ok := strings.CutPrefix(name, "kafka_2.13-"); ok {
			set.version = strings.TrimSuffix(v, ".jar")
		} else if strings.HasPrefix(name, "kafka_") && set.version == "" {
			_, v, _ := strings.Cut(name, "-")
			set.version = strings.TrimSuffix(v, ".jar")
		}
	}
	if err != nil || set.version == "" {
		return set, &kafkaops.UserError{
			Message: fmt.Sprintf("%s is no unpacked Kafka (there is no libs/kafka_2.13-*.jar): set KAFKA_HOME or --kafka-home to one, or leave it out", home), Err: err,
		}
	}
	major, _, _ := strings.Cut(set.version, ".")
	if n, err := strconv.Atoi(major); err != nil || n < 4 {
		return set, &kafkaops.UserError{
			Message: fmt.Sprintf("%s is Kafka %s and kassa needs 4.0 or newer: give another, or leave it out", home, set.version),
		}
	}
	set.names = inOrder(set.names)
	return set, nil
}

// present says whether the jars have been fetched. They arrive by one rename, so the directory is there with all of them or not at all.
func (j jarSet) present() bool {
	info, err := os.Stat(j.dir)
	return err == nil && info.IsDir()
}

// verify compares every jar with its pin. A mismatch is a *kafkaops.UserError that names it.
func (j jarSet) verify(ctx context.Context) error {
	if j.pins == nil {
		return nil
	}
	jobs, ctx := errgroup.WithContext(ctx)
	jobs.SetLimit(runtime.GOMAXPROCS(0))
	for name, want := range j.pins {
		jobs.Go(func() error {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			got, err := sha256File(filepath.Join(j.dir, name))
			switch {
			case errors.Is(err, os.ErrNotExist):
				return j.corrupt(name, "is missing", err)
			case err != nil:
				return j.corrupt(name, "cannot be read", err)
			case got != want:
				return j.corrupt(name, "is not the file that was published (its SHA-256 differs)", fmt.Errorf("got %s, want %s", got, want))
			}
			return nil
		})
	}
	return jobs.Wait()
}

func (j jarSet) corrupt(name, how string, err error) error {
	return &kafkaops.UserError{Message: fmt.Sprintf("%s %s: delete the folder %s and start kassa again to fetch it anew", name, how, j.dir), Err: err}
}

func sha256File(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
