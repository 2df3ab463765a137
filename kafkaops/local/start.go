package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"kassa/kafkaops"
	"kassa/kafkaops/flock"
)

// startPatience is how long three brokers may take, once the jars are there, before Start gives up. Recovering a large data directory takes longest.
const startPatience = 2 * time.Minute

// Start brings three brokers up and returns when each of them is unfenced and knows the other two. It clears first what earlier runs of the same user
// have left behind. progress may be nil; it is called from one goroutine at a time. When ctx ends, Start ends, and nothing is left. What the
// user can mend is a *kafkaops.UserError.
func Start(ctx context.Context, cfg Config, progress func(kafkaops.Progress)) (*Cluster, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	java, err := findJava(ctx, cfg)
	if err != nil {
		return nil, err
	}
	jars, mvn, err := findJars(cfg)
	if err != nil {
		return nil, err
	}
	if err := makeWritable("cache directory", cfg.CacheDir); err != nil {
		return nil, err
	}
	cleared, err := sweep(ctx, cfg.TempDir)
	if err != nil {
		cfg.Log.Warn("clearing what another run left behind", "err", err)
	}
	for _, path := range cleared {
		cfg.Log.Info("cleared what another run left behind", "dir", path)
	}
	run, err := openRunDir(cfg)
	if err != nil {
		return nil, err
	}
	c := &Cluster{cfg: cfg, run: run, jvm: jvm{java: java, jars: jars}, closed: make(chan struct{})}
	c.life, c.end = context.WithCancel(context.WithoutCancel(ctx))
	s := &starter{Cluster: c, report: progress}
	if err := s.start(ctx, mvn); err != nil {
		return nil, errors.Join(fromSystem(run, err), c.Close())
	}
	c.makeArchive()
	return c, nil
}

// starter is a Cluster that is not up yet.
type starter struct {
	*Cluster
	mu     sync.Mutex
	report func(kafkaops.Progress)
}

func (s *starter) progress(step string, done, total int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.report == nil {
		return
	}
	p := kafkaops.Progress{Step: step, Done: done, Total: total}
	if len(s.nodes) > 0 {
		p.Nodes = s.Nodes()
	}
	s.report(p)
}

func (s *starter) start(ctx context.Context, mvn string) (err error) {
	if err := s.setUp(ctx); err != nil {
		return err
	}
	if mvn != "" {
		progress := func(done, total int) { s.progress("fetching Kafka "+KafkaVersion, done, total) }
		if err := s.jvm.jars.fetch(ctx, s.guard, mvn, s.jvm.java, s.cfg.CacheDir, progress); err != nil {
			return err
		}
	}
	s.useArchive()
	ctx, stop := context.WithTimeoutCause(ctx, startPatience, &kafkaops.UserError{
		Message: fmt.Sprintf("the brokers are not ready after %v: the machine may be too busy, or a data directory too large to recover in time", startPatience),
	})
	defer stop()
	// The jars are hashed while the first JVMs start from them. A bad one ends those, and explains whatever they came to.
	checked, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	verified := make(chan error, 1)
	go func() { // ends before start does
		err := s.jvm.jars.verify(ctx)
		if err != nil {
			giveUp(err)
		}
		verified <- err
	}()
	err = s.bringUp(checked)
	if bad := <-verified; bad != nil {
		return bad
	}
	var failed *failedJVM
	if errors.As(err, &failed) {
		return failed.forUser(s.run, s.cfg.Profile.Name)
	}
	return err
}

// setUp starts the guard and finds ports.
func (s *starter) setUp(ctx context.Context) (err error) {
	if err := os.WriteFile(s.run.file(confName, log4jName), []byte(log4jConf), 0o600); err != nil {
		return err
	}
	s.guard, err = startGuard(
		ctx, s.cfg.Guard, setup{Record: s.run.file(recordName), Remove: s.run.temporary()}, s.run.lock, s.run.file(logsName, "guard.log"),
		func(name, exit string) string { return withReason(s.run, name, exit) },
	)
	if err != nil {
		return err
	}
	return s.settle(ctx)
}

// settle decides on ports, and so on who and where the nodes are.
func (s *starter) settle(ctx context.Context) (err error) {
	s.ports, err = choosePorts(ctx, s.cfg.Ports, s.portLocks(), nodeCount)
	if err != nil {
		return err
	}
	s.nodes = nil
	for i, port := range s.ports.clients {
		s.nodes = append(s.nodes, newNode(int32(i+1), port, s.ports.quorum[i]))
	}
	s.ask, err = kafkaops.NewProber(s.Bootstrap())
	s.info = s.describe()
	return err
}

func (s *starter) describe() kafkaops.Info {
	why := fmt.Sprintf("three brokers on Java %d, ports %s", s.jvm.java.major, list(s.ports.clients))
	note := ""
	if s.ports.moved {
		note = fmt.Sprintf("one of the ports %d-%d is in use: the brokers are on %s", firstClientPort, firstClientPort+nodeCount-1, list(s.ports.clients))
		why += fmt.Sprintf(" because one of %d-%d is in use", firstClientPort, firstClientPort+nodeCount-1)
	}
	if s.run.kept {
		why += ", data kept in " + s.run.path
	} else {
		why += ", temporary data"
	}
	if s.cfg.Why != "" {
		why = s.cfg.Why + "; " + why
	}
	return kafkaops.Info{Provider: "local", Version: s.jvm.jars.version, Profile: s.cfg.Profile.Name, Why: why, Note: note, DataDir: s.run.path}
}

// bringUp formats and starts. It tries once more with what can be done differently: without a class archive that may be broken, on other ports if
// somebody was faster on those that were chosen.
func (s *starter) bringUp(ctx context.Context) error {
	for again := false; ; again = true {
		err := s.try(ctx)
		var failed *failedJVM
		if err == nil || again || ctx.Err() != nil || !errors.As(err, &failed) {
			return err
		}
		switch {
		case failed.portTaken() && len(s.cfg.Ports) == 0:
		case s.jvm.archive != "":
			s.cfg.Log.Warn("starting again without the class archive", "err", err)
			s.dropArchive()
		default:
			return err
		}
		if err := s.clean(ctx); err != nil {
			return err
		}
	}
}

// clean undoes what try has begun.
func (s *starter) clean(ctx context.Context) error {
	for _, n := range s.nodes {
		if p := n.running(); p != nil {
			if err := s.kill(ctx, p); err != nil && !errors.Is(err, os.ErrProcessDone) {
				return err
			}
		}
	}
	s.ask.Close()
	s.ports.release()
	return s.settle(ctx)
}

func (s *starter) try(ctx context.Context) error {
	cluster, err := formatted(s.run)
	if err != nil {
		return err
	}
	for _, n := range s.nodes {
		conf := s.conf(n.id, nodeDir(nodesName, n.id))
		if err := os.WriteFile(s.run.file(n.confFile()), []byte(conf), 0o600); err != nil {
			return err
		}
	}
	if cluster == "" {
		s.progress("formatting", 0, 0)
		if err := format(ctx, s.guard, s.jvm, s.run, s.cfg.CacheDir, s.conf); err != nil {
			return err
		}
		if cluster, err = formatted(s.run); err != nil {
			return err
		}
	}
	s.ask.Expect(cluster)
	for _, n := range s.nodes {
		if _, err := s.launch(ctx, n, n.confFile()); err != nil {
			return err
		}
	}
	s.progress("starting brokers", 0, nodeCount)
	var up int
	wait, ctx := errgroup.WithContext(ctx)
	for i, n := range s.nodes {
		p := n.running()
		if p == nil {
			return &failedJVM{what: fmt.Sprintf("broker %d", n.id), exit: n.view().Exit}
		}
		wait.Go(func() error {
			if s.ask.Await(ctx, i, 1, p.ended) {
				n.noteAnswer(p)
				s.mu.Lock()
				up++
				now := up
				s.mu.Unlock()
				s.progress("starting brokers", now, nodeCount)
			}
			if s.ask.Await(ctx, i, nodeCount, p.ended) {
				return nil
			}
			if !p.alive() {
				return &failedJVM{what: fmt.Sprintf("broker %d", n.id), exit: p.exit}
			}
			return context.Cause(ctx)
		})
	}
	return wait.Wait()
}

func (c *Cluster) portLocks() string { return flock.Ports(c.cfg.CacheDir) }

// goAside runs f until Close, which waits for it. After Close it does nothing.
func (c *Cluster) goAside(f func()) {
	c.asideMu.Lock()
	defer c.asideMu.Unlock()
	select {
	case <-c.closed:
	default:
		c.aside.Go(f)
	}
}
