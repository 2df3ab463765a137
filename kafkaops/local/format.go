package local

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"kassa/kafkaops"
)

const metaName = "meta.properties"

// newClusterID is 16 random bytes in URL-safe base64, Kafka's own form of a UUID. Like Kafka's it never starts with a dash.
func newClusterID() string {
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

// formatted says whether the run directory holds formatted nodes of one cluster. Formatting ends with one rename, so it holds all or none;
// anything else has been tampered with and is a *kafkaops.UserError.
func formatted(run *runDir) (bool, error) {
	if _, err := os.Stat(run.file(nodesName)); errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	var cluster string
	for id := int32(1); id <= nodeCount; id++ {
		path := run.file(nodeDir(nodesName, id), metaName)
		b, err := os.ReadFile(path)
		meta := properties(string(b))
		if err == nil && (meta["node.id"] != strconv.Itoa(int(id)) || cluster != "" && meta["cluster.id"] != cluster) {
			err = errors.New("it belongs to another node or cluster")
		}
		if err != nil {
			return false, &kafkaops.UserError{
				Message: fmt.Sprintf("the data directory is damaged (%s: %v): restore it, delete %s, or give another --data-dir", path, err, run.path), Err: err,
			}
		}
		cluster = meta["cluster.id"]
	}
	return true, nil
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

// format makes the nodes' directories with Kafka's StorageTool: one run with all three as the log.dirs of one node instead of three runs (1.0 s
// against 2.0 s). With static voters the tool writes the same two files into every directory, bootstrap.checkpoint and meta.properties; directory
// ids are distinct and the cluster id is one. What is left to do is to tell the second and third whose they are.
func format(ctx context.Context, g *guardian, vm jvm, run *runDir, conf func(id int32, logDirs string) string) error {
	next := nodesName + ".new"
	if err := os.RemoveAll(run.file(next)); err != nil {
		return err
	}
	var dirs []string
	for id := int32(1); id <= nodeCount; id++ {
		dirs = append(dirs, nodeDir(next, id))
	}
	confFile := filepath.Join(confName, "format.properties")
	if err := os.WriteFile(run.file(confFile), []byte(conf(1, strings.Join(dirs, ","))), 0o600); err != nil {
		return err
	}
	if err := runStorageTool(ctx, g, vm, run, "format", confFile); err != nil {
		return err
	}
	for id := int32(2); id <= nodeCount; id++ {
		if err := giveTo(id, run.file(nodeDir(next, id), metaName)); err != nil {
			return err
		}
	}
	return os.Rename(run.file(next), run.file(nodesName))
}

// runStorageTool formats the log.dirs that confFile names, for a new cluster.
func runStorageTool(ctx context.Context, g *guardian, vm jvm, run *runDir, name, confFile string) error {
	s := vm.spec(run, name, nil, storageTool, "format", "--cluster-id="+newClusterID(), "--config", confFile)
	p, err := g.run(ctx, s)
	if err != nil {
		return fmt.Errorf("formatting: %w", err)
	}
	if !p.ok {
		return &failedJVM{what: "Kafka's formatter", exit: p.exit}
	}
	return nil
}

// giveTo rewrites the node.id line of a meta.properties that was made for node 1.
func giveTo(id int32, path string) error {
	meta, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	const was = "\nnode.id=1\n"
	if bytes.Count(meta, []byte(was)) != 1 {
		return fmt.Errorf("%s is not what Kafka's formatter is known to write", path)
	}
	return os.WriteFile(path, bytes.Replace(meta, []byte(was), fmt.Appendf(nil, "\nnode.id=%d\n", id), 1), 0o600)
}
