package local

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"kassa/kafkaops"
	"kassa/kafkaops/flock"
)

// Preflight makes the checks that cost next to nothing, so that a program can complain before it opens a screen: Java, Kafka's jars or the
// means to get them, directories, explicit ports and the lock of the data directory. It leaves no trace but the cache directory.
// Every complaint is a *kafkaops.UserError. Passing promises nothing: Start checks again.
func Preflight(ctx context.Context, cfg Config) error {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return err
	}
	if err := checkPorts(ctx, cfg.Ports, nodeCount); err != nil { // first: whatever the machine lacks, these are what was asked for
		return err
	}
	if _, err := findJava(ctx, cfg); err != nil {
		return err
	}
	if _, _, err := findJars(cfg); err != nil {
		return err
	}
	if err := makeWritable("cache directory", cfg.CacheDir); err != nil {
		return err
	}
	if cfg.DataDir == "" {
		return writable("folder for temporary files", cfg.TempDir)
	}
	return checkDataDirFree(cfg.DataDir)
}

// findJars says which jars will be used, and which Maven must fetch them if they are not there ("" if they are).
func findJars(cfg Config) (jars jarSet, mvn string, err error) {
	if cfg.KafkaHome != "" {
		jars, err = homeJars(cfg.KafkaHome)
		return jars, "", err
	}
	jars = pinnedJars(cfg.CacheDir)
	if !jars.present() {
		mvn, err = findMaven()
	}
	return jars, mvn, err
}

// checkDataDirFree looks at a data directory without making it.
func checkDataDirFree(dir string) error {
	path, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	if err := checkDataDir(path); err != nil {
		return err
	}
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		var u *kafkaops.UserError // name what was asked for, not its parent
		if err := writable("data directory", existingParent(path)); errors.As(err, &u) {
			return unusableDir("data directory", path, u.Err)
		} else if err != nil {
			return err
		}
		return nil
	}
	if err := writable("data directory", path); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(path, lockName)); err != nil {
		return nil
	}
	lock, err := flock.Try(filepath.Join(path, lockName))
	if errors.Is(err, flock.ErrLocked) {
		return dirInUse(path)
	}
	if err != nil {
		return unusableDir("data directory", path, err)
	}
	return lock.Close()
}

func makeWritable(what, path string) error {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return unusableDir(what, path, err)
	}
	return writable(what, path)
}

// minFree is what must be free on a disk before anything is started there, in bytes: three new brokers write a few MB, the jars are 44 MB.
const minFree = 64 << 20

// free is the space that is left for us on the disk of path, in bytes.
func free(path string) (uint64, error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(path, &fs); err != nil {
		return 0, &os.PathError{Op: "statfs", Path: path, Err: err}
	}
	return uint64(fs.Bavail) * uint64(fs.Bsize), nil
}

// writable tries: permissions alone do not tell of a read-only file system.
func writable(what, path string) error {
	left, err := free(path)
	if err == nil && left < minFree {
		err = &os.PathError{Op: "write", Path: path, Err: syscall.ENOSPC}
	}
	if err != nil {
		return unusableDir(what, path, err)
	}
	f, err := os.CreateTemp(path, ".kassa-check-*")
	if err != nil {
		return unusableDir(what, path, err)
	}
	_, err = f.Write(make([]byte, 4096))
	err = errors.Join(err, f.Close(), os.Remove(f.Name()))
	if err != nil {
		return unusableDir(what, path, err)
	}
	return nil
}

// existingParent is the nearest directory above path that is there.
func existingParent(path string) string {
	for {
		parent := filepath.Dir(path)
		if _, err := os.Stat(parent); err == nil || parent == path {
			return parent
		}
		path = parent
	}
}
