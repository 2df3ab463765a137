package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// A class-data archive holds the classes of a broker as the JVM wants them in memory: three brokers are ready in two thirds of the time.
// Java writes one when a JVM ends in order (-XX:ArchiveClassesAtExit, JEP 350), so it is made from a fourth, throw-away node, at the lowest
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
		lock, err := tryLock(filepath.Join(c.cfg.CacheDir, "archive.lock"))
		if errors.Is(err, errLocked) {
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

// archiveAside runs the throw-away node. The caller holds the lock for it.
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
	ports, err := choosePorts(ctx, nil, c.portLocks(), 1)
	if err != nil {
		return err
	}
	defer ports.release()
	client, quorum := loopback(ports.clients[0]), loopback(ports.quorum[0])
	conf := server{
		id: 1, client: client, quorum: quorum, voters: []string{"1@" + quorum}, logDirs: asideName,
		rest: c.cfg.Profile.Properties() + aloneConf,
	}
	confFile := filepath.Join(confName, "archive.properties")
	if err := os.WriteFile(c.run.file(confFile), []byte(conf.properties()), 0o600); err != nil {
		return err
	}
	vm := c.vm()
	if err := runStorageTool(ctx, c.guard, vm, c.run, "archive-format", confFile); err != nil {
		return err
	}
	p, err := c.guard.launch(ctx, politely(vm.spec(c.run, "archive", []string{"-XX:ArchiveClassesAtExit=" + next}, kafkaMain, confFile)))
	if err != nil {
		return err
	}
	defer func() {
		if p.alive() {
			_ = c.guard.signal(context.WithoutCancel(ctx), p, syscall.SIGKILL)
			<-p.ended
		}
	}()
	if err := warm(ctx, client, p.ended); err != nil {
		return fmt.Errorf("using the throw-away node: %w", err)
	}
	if err := c.guard.signal(ctx, p, syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-p.ended:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	info, err := os.Stat(next)
	if err != nil || info.Size() == 0 {
		return fmt.Errorf("java wrote no archive (%s)", p.exit)
	}
	path := archivePath(c.cfg.CacheDir, key, strconv.FormatInt(info.Size(), 10))
	if err := os.Rename(next, path); err != nil {
		return err
	}
	c.setArchive(path)
	prune(c.cfg.CacheDir)
	return nil
}

// aloneConf lets a single node have what the profile spreads over three. Of two lines with the same key the later counts.
const aloneConf = `default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
`

// warm makes the node do what brokers do in their first minute, so that those classes are in the archive too: a topic, plain and transactional
// records, a group that reads and commits.
func warm(ctx context.Context, addr string, stop <-chan struct{}) error {
	ask, err := newProber([]string{addr})
	if err != nil {
		return err
	}
	defer ask.close()
	if !ask.await(ctx, 0, 1, stop) {
		return errors.New("it did not come up")
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	const topic = "warm"
	client, err := kgo.NewClient(
		kgo.SeedBrokers(addr), kgo.AllowAutoTopicCreation(), kgo.TransactionalID(topic), kgo.MetadataMinAge(50*time.Millisecond),
		kgo.ConsumerGroup(topic), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DisableAutoCommit(),
	)
	if err != nil {
		return err
	}
	defer client.Close()
	if err := client.BeginTransaction(); err != nil {
		return err
	}
	for _, value := range strings.Fields("some records to make the log move") {
		client.Produce(ctx, &kgo.Record{Topic: topic, Value: []byte(value)}, nil)
	}
	if err := client.Flush(ctx); err != nil {
		return err
	}
	if err := client.EndTransaction(ctx, kgo.TryCommit); err != nil {
		return err
	}
	got := client.PollFetches(ctx)
	if err := got.Err0(); err != nil {
		return err
	}
	return client.CommitRecords(ctx, got.Records()...)
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
