package local

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"kassa/kafkaops"
)

const (
	metaName       = "meta.properties"
	checkpointName = "bootstrap.checkpoint"
)

// newUUID is 16 random bytes in URL-safe base64, Kafka's own form of a UUID. Like Kafka's it never starts with a dash.
func newUUID() string {
	for {
		b := make([]byte, 16)
		_, _ = rand.Read(b) // never fails, see its documentation
		if id := base64.RawURLEncoding.EncodeToString(b); id[0] != '-' {
			return id
		}
	}
}

// nodeDir is the log.dirs of a node, relative to the run directory.
func nodeDir(root string, id int32) string { return filepath.Join(root, strconv.Itoa(int(id))) }

// formatted is the id of the cluster whose formatted nodes the run directory holds, empty if it holds none. Formatting ends with one rename, so it
// holds all or none; anything else has been tampered with and is a *kafkaops.UserError.
func formatted(run *runDir) (cluster string, err error) {
	if _, err := os.Stat(run.file(nodesName)); errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	for id := int32(1); id <= nodeCount; id++ {
		path := run.file(nodeDir(nodesName, id), metaName)
		b, err := os.ReadFile(path)
		meta := properties(string(b))
		if err == nil && (meta["node.id"] != strconv.Itoa(int(id)) || cluster != "" && meta["cluster.id"] != cluster) {
			err = errors.New("it belongs to another node or cluster")
		}
		if err != nil {
			return "", &kafkaops.UserError{
				Message: fmt.Sprintf("the data directory is damaged (%s: %v): restore it, delete %s, or give another --data-dir", path, err, run.path), Err: err,
			}
		}
		cluster = meta["cluster.id"]
	}
	return cluster, nil
}

// properties reads key=value lines.
func properties(text string) map[string]string {
	m := make(map[string]string)
	for line := range strings.Lines(text) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(key, "#") {
			m[key] = value
		}
	}
	return m
}

// format makes the nodes' directories. What Kafka's StorageTool writes depends on nothing but Kafka's version and three ids, so it runs once for
// a set of jars, and its two files are kept as a template for later starts: a JVM less, 1.0 s of 7 s of a core on two cores.
func format(ctx context.Context, g *guardian, vm jvm, run *runDir, cacheDir string, conf func(id int32, logDirs string) string) error {
	next := nodesName + ".new"
	if err := os.RemoveAll(run.file(next)); err != nil {
		return err
	}
	t, err := findTemplate(vm.jars, cacheDir)
	if err != nil {
		confFile := filepath.Join(confName, "format.properties")
		if err := os.WriteFile(run.file(confFile), []byte(conf(1, nodeDir(next, 1))), 0o600); err != nil {
			return err
		}
		if err := runStorageTool(ctx, g, vm, run, "format", confFile); err != nil {
			return err
		}
		if t, err = readTemplate(run.file(nodeDir(next, 1))); err != nil {
			return err
		}
		_ = t.keep(vm.jars, cacheDir) // without it the next start formats again
	}
	cluster := newUUID()
	for id := int32(1); id <= nodeCount; id++ {
		if err := t.write(run.file(nodeDir(next, id)), id, cluster); err != nil {
			return err
		}
	}
	return os.Rename(run.file(next), run.file(nodesName))
}

// template is what StorageTool writes into a directory: with static voters these two files.
type template struct{ checkpoint, meta []byte }

func readTemplate(dir string) (t template, err error) {
	if t.checkpoint, err = os.ReadFile(filepath.Join(dir, checkpointName)); err != nil {
		return t, err
	}
	if t.meta, err = os.ReadFile(filepath.Join(dir, metaName)); err != nil {
		return t, err
	}
	for _, key := range []string{"node.id", "directory.id", "cluster.id"} {
		if properties(string(t.meta))[key] == "" {
			return t, fmt.Errorf("%s is not what Kafka's formatter is known to write: it has no %s", filepath.Join(dir, metaName), key)
		}
	}
	return t, nil
}

// dir is where a template is kept. Its content's hash is part of the name: one that was damaged is not found.
func (t template) dir(jars jarSet, cacheDir string) string {
	h := sha256.New()
	fmt.Fprintf(h, "%q %q", t.checkpoint, t.meta)
	return fmt.Sprintf("%s-%x", templatePrefix(jars, cacheDir), h.Sum(nil)[:8])
}

func templatePrefix(jars jarSet, cacheDir string) string {
	h := sha256.New()
	fmt.Fprintf(h, "%q", jars.names)
	return filepath.Join(cacheDir, fmt.Sprintf("formatted-%x", h.Sum(nil)[:8]))
}

// findTemplate finds the kept one. That there is none is an error like any other.
func findTemplate(jars jarSet, cacheDir string) (template, error) {
	dirs, _ := filepath.Glob(templatePrefix(jars, cacheDir) + "-*") // a cache directory with brackets in its name goes without
	for _, dir := range dirs {
		if t, err := readTemplate(dir); err == nil && t.dir(jars, cacheDir) == dir {
			return t, nil
		}
	}
	return template{}, os.ErrNotExist
}

func (t template) keep(jars jarSet, cacheDir string) error {
	dir := t.dir(jars, cacheDir)
	next, err := os.MkdirTemp(cacheDir, "formatting-")
	if err != nil {
		return err
	}
	err = errors.Join(t.files(next), os.RemoveAll(dir))
	if err == nil {
		err = os.Rename(next, dir)
	}
	if err != nil {
		_ = os.RemoveAll(next)
	}
	return err
}

func (t template) files(dir string) error {
	return errors.Join(
		os.MkdirAll(dir, 0o700),
		os.WriteFile(filepath.Join(dir, checkpointName), t.checkpoint, 0o600),
		os.WriteFile(filepath.Join(dir, metaName), t.meta, 0o600),
	)
}

// write makes a node's directory with ids of its own.
func (t template) write(dir string, id int32, cluster string) error {
	ids := map[string]string{"node.id": strconv.Itoa(int(id)), "cluster.id": cluster, "directory.id": newUUID()}
	var meta strings.Builder
	for line := range strings.Lines(string(t.meta)) {
		if key, _, ok := strings.Cut(line, "="); ok && ids[key] != "" {
			line = key + "=" + ids[key] + "\n"
		}
		meta.WriteString(line)
	}
	return template{checkpoint: t.checkpoint, meta: []byte(meta.String())}.files(dir)
}

// runStorageTool formats the log.dirs that confFile names, for a new cluster.
func runStorageTool(ctx context.Context, g *guardian, vm jvm, run *runDir, name, confFile string) error {
	s := vm.spec(run, name, nil, storageTool, "format", "--cluster-id="+newUUID(), "--config", confFile)
	p, err := g.run(ctx, s)
	if err != nil {
		return fmt.Errorf("formatting: %w", err)
	}
	if !p.ok {
		return &failedJVM{what: "Kafka's formatter", exit: p.exit}
	}
	return nil
}
