package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"kassa/kafkaops/flock"
)

// A class-data archive holds the classes of a broker as the JVM wants them in memory: three brokers are ready in two thirds of the time.
// Java writes one when a JVM ends in order (-XX:ArchiveClassesAtExit, JEP 350), so it is made from a throw-away pair of nodes, at the lowest
// priority, once the real ones are up. It never delays them and never outlives kassa.

const (
	archivePrefix = "classes-"
	archiveSuffix = ".jsa"
	// archiveDelay lets the brokers, and who waited for them, do their first work in peace.
	archiveDelay = 3 * time.Second
	// archivePatience is for all of it, on a busy machine.
	archivePatience = 5 * time.Minute
	// archivesKept is how many are left in the cache: two Javas in turn, and one that is going out of use.
	archivesKept = 3
)

// archiveState is what is known of the class archive; "" before Start has looked.
type archiveState struct {
	mu   sync.Mutex
	said string
}

// Archive says in a few words what the class archive is doing, for a log: "using", "making", "made in 12 s", or why there is none.
func (c *Cluster) Archive() string {
	c.archive.mu.Lock()
	defer c.archive.mu.Unlock()
	return c.archive.said
}

func (c *Cluster) sayArchive(format string, args ...any) {
	c.archive.mu.Lock()
	defer c.archive.mu.Unlock()
	c.archive.said = fmt.Sprintf(format, args...)
	c.cfg.Log.Info("class archive", "state", c.archive.said)
}

// vm is how the next JVM is started: with the archive as soon as there is one.
func (c *Cluster) vm() jvm {
	c.archive.mu.Lock()
	defer c.archive.mu.Unlock()
	return c.jvm
}

func (c *Cluster) setArchive(path string) {
	c.archive.mu.Lock()
	defer c.archive.mu.Unlock()
	c.jvm.archive = path
}

// findArchive looks for the archive that fits. Its size is part of its name: one that was cut short is deleted, not used.
func (c *Cluster) findArchive() (path string, err error) {
	key, err := c.vm().archiveKey()
	if err != nil {
		return "", err
	}
	all, err := filepath.Glob(archivePath(c.cfg.CacheDir, key, "*"))
	for _, one := range all {
		info, statErr := os.Stat(one)
		if statErr == nil && one == archivePath(c.cfg.CacheDir, key, strconv.FormatInt(info.Size(), 10)) {
			path = one
			continue
		}
		err = errors.Join(err, os.Remove(one))
	}
	return path, err
}

func archivePath(cacheDir, key, size string) string {
	return filepath.Join(cacheDir, archivePrefix+key+"-"+size+archiveSuffix)
}

// useArchive uses the archive that fits, if there is one. Without one things go on, only slower.
func (c *Cluster) useArchive() {
	path, err := c.findArchive()
	if err != nil {
		c.cfg.Log.Warn("looking for the class archive", "err", err)
	}
	if path == "" {
		return
	}
	now := time.Now()
	_ = os.Chtimes(path, now, now) // so that prune knows which are in use
	c.setArchive(path)
	c.sayArchive("using")
}

// dropArchive deletes an archive that seems to be broken; another is made later.
func (c *Cluster) dropArchive() {
	_ = os.Remove(c.vm().archive) // if it cannot be deleted, the next start comes here again
	c.setArchive("")
	c.sayArchive("dropped a broken one")
}

// makeArchive makes one aside, if none is used.
func (c *Cluster) makeArchive() {
	if c.vm().archive != "" {
		return
	}
	c.goAside(func() {
		ctx, cancel := context.WithTimeout(c.life, archivePatience)
		defer cancel()
		delay := time.NewTimer(archiveDelay)
		defer delay.Stop()
		select {
		case <-delay.C:
		case <-ctx.Done():
			return
		}
		lock, err := flock.Try(filepath.Join(c.cfg.CacheDir, "archive.lock"))
		if errors.Is(err, flock.ErrLocked) {
			c.sayArchive("another kassa is making it")
			return
		}
		if err == nil {
			defer lock.Close()
			begin := time.Now()
			c.sayArchive("making")
			if err = c.archiveAside(ctx); err == nil {
				c.sayArchive("made in %.0f s", time.Since(begin).Seconds())
				return
			}
		}
		if c.life.Err() == nil {
			c.sayArchive("none: %v", err)
		}
	})
}

// archiveAside runs the throw-away nodes. The caller holds the lock for it.
func (c *Cluster) archiveAside(ctx context.Context) (err error) {
	key, err := c.vm().archiveKey()
	if err != nil {
		return err
	}
	if path, _ := c.findArchive(); path != "" {
		c.setArchive(path) // another kassa has made it in the meantime
		return nil
	}
	next := filepath.Join(c.cfg.CacheDir, "making"+archiveSuffix)
	data := c.run.file(asideName)
	if err := errors.Join(os.RemoveAll(next), os.RemoveAll(data)); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(next), removeAll(data)) }()
	p, err := c.newPair(ctx)
	if err != nil {
		return err
	}
	defer p.close()
	if err := p.rehearse(ctx, "-XX:ArchiveClassesAtExit="+next); err != nil {
		return err
	}
	info, err := os.Stat(next)
	if err != nil || info.Size() == 0 {
		return errors.New("java wrote no archive")
	}
	path := archivePath(c.cfg.CacheDir, key, strconv.FormatInt(info.Size(), 10))
	if err := os.Rename(next, path); err != nil {
		return err
	}
	c.setArchive(path)
	prune(c.cfg.CacheDir)
	return nil
}

// prune deletes all but the archives that were used last.
func prune(cacheDir string) {
	paths, _ := filepath.Glob(filepath.Join(cacheDir, archivePrefix+"*"+archiveSuffix)) // the pattern is ours and good
	used := make(map[string]time.Time)
	for _, path := range paths {
		if info, err := os.Stat(path); err == nil {
			used[path] = info.ModTime()
		}
	}
	for len(used) > archivesKept {
		oldest := ""
		for path, at := range used {
			if oldest == "" || at.Before(used[oldest]) {
				oldest = path
			}
		}
		_ = os.Remove(oldest) // it stays for another time
		delete(used, oldest)
	}
}
