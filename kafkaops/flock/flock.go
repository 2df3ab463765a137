// Package flock has the locks by which the kassas of one user keep out of each other's way: over directories, and over the ports of brokers that are down.
package flock

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// ErrLocked says that another process holds the lock.
var ErrLocked = errors.New("locked by another process")

// Ports is where ports are locked, below kassa's cache directory: it is common to all kassas of a user.
func Ports(cacheDir string) string { return filepath.Join(cacheDir, "ports") }

// Port takes the lock of a port in a directory that is there. A broker that was killed listens on nothing, and its port looks free to the next kassa; the clients of
// the first one would then find the second one's brokers there, and its services share the work of both.
func Port(dir string, port int) (*os.File, error) { return Try(filepath.Join(dir, strconv.Itoa(port))) }

// Try takes the lock at path, making the file if need be. The lock ends when the file and every copy of its descriptor,
// such as the guard's, are closed: a crash leaves none behind. The file itself stays.
func Try(path string) (*os.File, error) {
	for {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|syscall.O_NOFOLLOW, 0o600)
		if err != nil {
			return nil, err
		}
		if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
			f.Close()
			if errors.Is(err, syscall.EWOULDBLOCK) {
				return nil, ErrLocked
			}
			return nil, fmt.Errorf("locking %s: %w", path, err)
		}
		// Somebody may have deleted the file between our open and our lock; ours is then the lock of nothing.
		ours, err := f.Stat()
		if err != nil {
			f.Close()
			return nil, err
		}
		if there, err := os.Stat(path); err == nil && os.SameFile(ours, there) {
			return f, nil
		}
		f.Close()
	}
}

// Wait is Try until it succeeds or ctx ends; waiting is called once, before the first wait.
func Wait(ctx context.Context, path string, waiting func()) (*os.File, error) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for first := true; ; first = false {
		f, err := Try(path)
		if !errors.Is(err, ErrLocked) {
			return f, err
		}
		if first {
			waiting()
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}
