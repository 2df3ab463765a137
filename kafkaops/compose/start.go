package compose

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"kassa/kafkaops"
)

const composeFile = "compose.yaml"

// Image is the image of the shop's services. It is built from a checkout of kassa and is in no registry.
const Image = "kassa:local"

// startPatience is how long three brokers may take once their containers run, before Start gives up.
const startPatience = 2 * time.Minute

// Preflight makes the checks that cost next to nothing: the docker command, its compose plugin, an engine that answers. Every complaint
// is a *kafkaops.UserError. Passing promises nothing: Start checks again.
func Preflight(ctx context.Context, cfg Config) error {
	if _, err := cfg.withDefaults(); err != nil {
		return err
	}
	d, err := findDocker()
	if err != nil {
		return err
	}
	return d.check(ctx)
}

// Start joins the project if one of its brokers runs, wakes it if it is stopped, or starts it, and returns when the brokers that run are unfenced and know
// each other. progress may be nil; it is called from one goroutine at a time. When ctx ends, Start ends, and what it has begun is undone.
// What the user can mend is a *kafkaops.UserError.
func Start(ctx context.Context, cfg Config, progress func(kafkaops.Progress)) (*Cluster, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	d, err := findDocker()
	if err != nil {
		return nil, err
	}
	if err := d.check(ctx); err != nil {
		return nil, err
	}
	d.env = cfg.vars()
	c := &Cluster{cfg: cfg, docker: d}
	c.life, c.end = context.WithCancel(context.WithoutCancel(ctx))
	s := &starter{Cluster: c, report: progress}
	if err := s.start(ctx); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, errors.Join(err, c.Close())
	}
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

func (s *starter) start(ctx context.Context) (err error) {
	if s.dir, err = layDown(s.cfg.Files, s.cfg.CacheDir); err != nil {
		return err
	}
	since := time.Now()
	brokers, err := s.docker.findBrokers(ctx, s.cfg.Project)
	if err != nil {
		return err
	}
	switch {
	case brokers == nil:
		s.owned = Started
		err = s.create(ctx)
	case slices.ContainsFunc(brokers, container.up):
		s.owned = Joined
	default:
		s.owned = Woken
		err = s.wake(ctx, brokers)
	}
	if err != nil {
		return err
	}
	if brokers, err = s.docker.findBrokers(ctx, s.cfg.Project); err != nil {
		return err
	}
	if brokers == nil {
		return notOurs(s.cfg.Project)
	}
	s.nodes, s.addrs = newNodes(brokers, s.cfg.Project+"_default")
	s.describe(brokers)
	if err := s.refreshOthers(ctx); err != nil {
		return err
	}
	s.work.Go(func() { s.followSince(s.life, since) })
	return s.awaitBrokers(ctx)
}

// create starts a project that is not there.
func (s *starter) create(ctx context.Context) error {
	services := []string{"kafka-1", "kafka-2", "kafka-3"}
	if s.cfg.Services {
		services = nil // all
	}
	if err := s.fetch(ctx, services); err != nil {
		return err
	}
	s.progress("starting containers", 0, 0)
	if err := s.compose(ctx, append([]string{"up", "--detach", "--no-build"}, services...)...); err != nil {
		return s.forUser(err)
	}
	return nil
}

// fetch has the engine pull what images are not there yet.
func (s *starter) fetch(ctx context.Context, services []string) error {
	out, err := s.docker.run(ctx, s.project(append([]string{"config", "--images"}, services...)...)...)
	if err != nil {
		return s.forUser(err)
	}
	images := strings.Fields(out)
	slices.Sort(images)
	for _, image := range slices.Compact(images) {
		_, err := s.docker.run(ctx, "image", "inspect", "--format", "{{.Id}}", image)
		switch {
		case err == nil:
			continue
		case ctx.Err() != nil:
			return err
		case image == Image:
			return &kafkaops.UserError{Message: "the services' image " + Image + " is not there: build it with `docker compose build` in the folder compose/ of kassa's repository, or run the services in this process with --services embed"}
		}
		s.progress("fetching "+image, 0, 0)
		if _, err := s.docker.run(ctx, "pull", "--quiet", image); err != nil {
			return &kafkaops.UserError{Message: fmt.Sprintf("Docker could not fetch %s (%v): check the network, or choose --cluster local or embedded", image, err), Err: err}
		}
	}
	return nil
}

// wake starts all containers of a project that was stopped. Who stopped it when a broker was cut off cannot undo that cut any more.
func (s *starter) wake(ctx context.Context, brokers []container) error {
	s.progress("starting containers", 0, 0)
	nodes, _ := newNodes(brokers, s.cfg.Project+"_default")
	for _, n := range nodes {
		if n.isCut() {
			if err := s.connect(ctx, n); err != nil {
				return s.forUser(err)
			}
		}
	}
	all, err := s.docker.find(ctx, s.cfg.Project, labelService)
	if err != nil {
		return err
	}
	args := []string{"start"}
	for _, c := range all {
		args = append(args, c.ID)
	}
	if _, err := s.docker.run(ctx, args...); err != nil {
		return s.forUser(err)
	}
	return nil
}

// address is the host:port in what docker says of a port that is taken.
var address = regexp.MustCompile(`\d+\.\d+\.\d+\.\d+:\d+`)

// forUser says what a person can do about a failure of docker.
func (s *starter) forUser(err error) error {
	text := err.Error()
	switch {
	case strings.Contains(text, "already in use"), strings.Contains(text, "already allocated"):
		where := text
		if addr := address.FindString(text); addr != "" {
			where = addr
		}
		return &kafkaops.UserError{Message: fmt.Sprintf("%s, which the containers need, is in use: end what listens there, or choose other ports (--ports for the brokers; KASSA_PAYMENT_PORT, KASSA_UI_PORT and KASSA_MAIL_PORT)", where), Err: err}
	case strings.Contains(text, "overlaps"):
		return &kafkaops.UserError{Message: fmt.Sprintf("the containers' network 10.94.94.0/24 is another's already (%s): choose one with KASSA_SUBNET, such as KASSA_SUBNET=10.94.95", text), Err: err}
	}
	return &kafkaops.UserError{Message: fmt.Sprintf("Docker could not start the brokers (%s): mend that, or choose --cluster local or embedded", text), Err: err}
}

// awaitBrokers waits until each broker that runs knows the others that do.
func (s *starter) awaitBrokers(ctx context.Context) error {
	ctx, stop := context.WithTimeoutCause(ctx, startPatience, &kafkaops.UserError{
		Message: fmt.Sprintf("the brokers are not ready after %v: the machine may be too busy; `docker compose -p %s logs` tells more", startPatience, s.cfg.Project),
	})
	defer stop()
	ask, err := kafkaops.NewProber(s.Bootstrap())
	if err != nil {
		return err
	}
	defer ask.Close()
	var run []int
	for i, n := range s.Nodes() {
		if n.Process == kafkaops.ProcessRunning || n.Process == kafkaops.ProcessStarting {
			run = append(run, i)
		}
	}
	s.progress("starting brokers", 0, len(run))
	up := 0
	wait, ctx := errgroup.WithContext(ctx)
	for _, i := range run {
		dead := s.watchFor(ctx, i)
		wait.Go(func() error {
			if ask.Await(ctx, i, len(run), dead) {
				s.nodes[i].noteAnswer()
				s.mu.Lock()
				up++
				now := up
				s.mu.Unlock()
				s.progress("starting brokers", now, len(run))
				return nil
			}
			if n := s.nodes[i].view(); n.Process == kafkaops.ProcessExited {
				return &kafkaops.UserError{Message: fmt.Sprintf("broker %d ended while it started (%s): `docker compose -p %s logs kafka-%d` tells why", n.ID, n.Exit, s.cfg.Project, n.ID)}
			}
			return context.Cause(ctx)
		})
	}
	return wait.Wait()
}

// watchFor closes when node i has ended, or ctx.
func (s *starter) watchFor(ctx context.Context, i int) <-chan struct{} {
	dead := make(chan struct{})
	go func() {
		defer close(dead)
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for s.nodes[i].view().Process != kafkaops.ProcessExited {
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	}()
	return dead
}

// layDown writes the files into the cache, for docker to read.
func layDown(files fs.FS, cacheDir string) (dir string, err error) {
	dir = filepath.Join(cacheDir, "compose")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", unwritable(dir, err)
	}
	err = fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(files, path)
		if err != nil {
			return err
		}
		// By a rename: another kassa may be having docker read it.
		next, err := os.CreateTemp(dir, path+"-*")
		if err != nil {
			return err
		}
		_, err = next.Write(text)
		err = errors.Join(err, next.Close())
		if err == nil {
			err = os.Rename(next.Name(), filepath.Join(dir, path))
		}
		if err != nil {
			_ = os.Remove(next.Name())
		}
		return err
	})
	if err != nil {
		return "", unwritable(dir, err)
	}
	return dir, nil
}

func unwritable(dir string, err error) error {
	return &kafkaops.UserError{Message: fmt.Sprintf("kassa cannot write to its cache %s (%v): make room there or set XDG_CACHE_HOME", dir, err), Err: err}
}
