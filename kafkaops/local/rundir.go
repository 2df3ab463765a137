package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"kassa/kafkaops"
	"kassa/kafkaops/flock"
)

// Names inside a run directory. All of them are relative: the JVMs run in it, so no path needs escaping in a properties file.
const (
	lockName   = "kassa.lock"
	recordName = "pids.json"
	nodesName  = "nodes"   // nodes/1, nodes/2 and nodes/3 hold what the brokers write
	logsName   = "logs"    // what the JVMs say
	confName   = "config"  // properties, written anew at each start
	asideName  = "archive" // the throw-away node that makes the class archive
	tmpName    = "tmp"     // java.io.tmpdir: native libraries are unpacked there and left behind by SIGKILL
)

// runPrefix starts the names of temporary run directories.
const runPrefix = "kassa-run-"

// orphanPatience is how long a SIGKILLed orphan may take to disappear.
const orphanPatience = 2 * time.Second

// runDir is the directory of one running cluster, locked for as long as kassa or its guard live.
type runDir struct {
	path string
	kept bool // the user's --data-dir: its data stays
	lock *os.File
}

// openRunDir makes a temporary run directory, or takes over the user's.
func openRunDir(cfg Config) (*runDir, error) {
	if cfg.DataDir == "" {
		if err := writable("folder for temporary files", cfg.TempDir); err != nil {
			return nil, err
		}
		return newRunDir(cfg.TempDir)
	}
	path, err := filepath.Abs(cfg.DataDir)
	if err != nil {
		return nil, err
	}
	if err := checkDataDir(path); err != nil {
		return nil, err
	}
	if err := makeWritable("data directory", path); err != nil {
		return nil, err
	}
	lock, err := flock.Try(filepath.Join(path, lockName))
	if errors.Is(err, flock.ErrLocked) {
		return nil, dirInUse(path)
	}
	if err != nil {
		return nil, unusableDir("data directory", path, err)
	}
	d := &runDir{path: path, kept: true, lock: lock}
	err = endOrphans(path)
	for _, name := range []string{asideName, tmpName, nodesName + ".new"} {
		err = errors.Join(err, os.RemoveAll(filepath.Join(path, name)))
	}
	if err == nil {
		err = d.makeDirs()
	}
	if err != nil {
		d.close()
		return nil, unusableDir("data directory", path, err)
	}
	return d, nil
}

func newRunDir(parent string) (*runDir, error) {
	for {
		path, err := os.MkdirTemp(parent, runPrefix)
		if err != nil {
			return nil, unusableDir("folder for temporary files", parent, err)
		}
		lock, err := flock.Try(filepath.Join(path, lockName))
		if errors.Is(err, flock.ErrLocked) || errors.Is(err, os.ErrNotExist) {
			continue // another kassa took it for a leftover and is deleting it
		}
		d := &runDir{path: path, lock: lock}
		if err == nil {
			err = d.makeDirs()
		}
		if err != nil {
			_ = os.RemoveAll(path)
			d.close()
			return nil, unusableDir("folder for temporary files", parent, err)
		}
		return d, nil
	}
}

func (d *runDir) makeDirs() error {
	for _, name := range []string{logsName, confName, tmpName} {
		if err := os.MkdirAll(d.file(name), 0o700); err != nil {
			return err
		}
	}
	return nil
}

// file is the absolute path of something inside.
func (d *runDir) file(elem ...string) string {
	return filepath.Join(append([]string{d.path}, elem...)...)
}

// temporary lists what must not be there when kassa has left.
func (d *runDir) temporary() []string {
	if !d.kept {
		return []string{d.path}
	}
	return []string{d.file(asideName), d.file(tmpName), d.file(recordName)}
}

// close gives the lock back.
func (d *runDir) close() {
	if d.lock != nil {
		d.lock.Close()
	}
}

// clear does what the guard should have done, for the case that it could not: no process, no temporary data.
func (d *runDir) clear() error {
	err := endOrphans(d.path)
	for _, path := range d.temporary() {
		err = errors.Join(err, removeAll(path))
	}
	return err
}

// endOrphans kills what the record of a run directory says and is still alive. Only who holds the directory's lock may call it.
func endOrphans(path string) error {
	started, err := readRecord(filepath.Join(path, recordName))
	for _, id := range started {
		err = errors.Join(err, killOrphan(id, orphanPatience))
	}
	return err
}

// sweep clears the temporary run directories that kassas of this user left behind: those whose lock nobody holds.
func sweep(ctx context.Context, parent string) (cleared []string, err error) {
	paths, err := filepath.Glob(filepath.Join(parent, runPrefix+"*"))
	for _, path := range paths {
		if ctx.Err() != nil {
			return cleared, context.Cause(ctx)
		}
		if !abandoned(path) {
			continue
		}
		lock, lockErr := flock.Try(filepath.Join(path, lockName))
		if lockErr != nil {
			continue // in use, or another kassa is clearing it
		}
		if one := errors.Join(endOrphans(path), removeAll(path)); one != nil {
			err = errors.Join(err, one)
		} else {
			cleared = append(cleared, path)
		}
		lock.Close()
	}
	return cleared, err
}

// abandoned says whether path can be a leftover at all: a directory, no link to one, of this user; and locked once, or so old that it will never be.
func abandoned(path string) bool {
	info, err := os.Lstat(path)
	if err != nil || !info.IsDir() {
		return false
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); !ok || int(owner.Uid) != os.Getuid() {
		return false
	}
	if _, err := os.Lstat(filepath.Join(path, lockName)); err == nil {
		return true
	}
	return time.Since(info.ModTime()) > time.Minute
}

// checkDataDir refuses a directory that holds something else than kassa's data.
func checkDataDir(path string) error {
	entries, err := os.ReadDir(path)
	if errors.Is(err, os.ErrNotExist) || err == nil && len(entries) == 0 {
		return nil
	}
	if err != nil {
		return unusableDir("data directory", path, err)
	}
	if _, err := os.Lstat(filepath.Join(path, lockName)); errors.Is(err, os.ErrNotExist) {
		return &kafkaops.UserError{Message: fmt.Sprintf("%s holds files that are not kassa's: give --data-dir an empty or a new directory", path)}
	}
	return nil
}

func dirInUse(path string) error {
	return &kafkaops.UserError{Message: fmt.Sprintf("another kassa uses %s: end it, or give another --data-dir", path), Err: flock.ErrLocked}
}

// unusableDir turns a failure to write somewhere into a sentence for the user.
func unusableDir(what, path string, err error) error {
	var user *kafkaops.UserError
	if errors.As(err, &user) {
		return err
	}
	advice := "use another or make it writable"
	if errors.Is(err, syscall.ENOSPC) {
		advice = fmt.Sprintf("free at least %d MB there or use another", minFree>>20)
	}
	cause := err
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		cause = pathErr.Err
	}
	return &kafkaops.UserError{Message: fmt.Sprintf("the %s %s cannot be used (%v): %s", what, path, cause, advice), Err: err}
}
