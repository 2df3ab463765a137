package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// errGuardGone is what every request gets once the guard has ended.
var errGuardGone = errors.New("the guard process has ended, and the brokers with it: start kassa again")

// guardian is kassa's end of the guard.
type guardian struct {
	cmd   *exec.Cmd
	stdin *os.File
	gone  chan struct{} // closed when the guard's stdout has ended and it was reaped

	// explain may say more about an end than the guard can; it is called before the process counts as ended.
	explain func(name, exit string) string

	mu      sync.Mutex
	lastID  int
	waiting map[int]chan answer
	procs   map[string]*process
}

// answer is what a request comes to.
type answer struct {
	process *process // what was launched
	err     error
}

// process is one child of the guard.
type process struct {
	name  string
	pid   int
	ended chan struct{} // closed when it has been reaped
	exit  string        // why it ended; valid once ended is closed
	ok    bool          // it ended with status 0; likewise
}

// alive says whether the process has not been reaped yet.
func (p *process) alive() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// startGuard runs command as the guard, which takes over a share in the lock. log receives what the guard writes to stderr: nothing, unless it panics.
func startGuard(ctx context.Context, command []string, s setup, lock *os.File, log string, explain func(name, exit string) string) (*guardian, error) {
	if os.Getenv(guardEnv) != "" {
		return nil, errors.New("this process is a guard that does not call local.RunGuard")
	}
	stderr, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer stderr.Close()
	in, stdin, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer in.Close()
	stdout, out, err := os.Pipe()
	if err != nil {
		stdin.Close()
		return nil, err
	}
	defer out.Close()

	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = append(os.Environ(), guardEnv+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, out, stderr
	cmd.ExtraFiles = []*os.File{lock}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // no terminal, so no ^C and no hang-up
	if err := cmd.Start(); err != nil {
		stdin.Close()
		stdout.Close()
		return nil, fmt.Errorf("starting the guard process: %w", err)
	}
	g := &guardian{
		cmd: cmd, stdin: stdin, gone: make(chan struct{}), explain: explain,
		waiting: make(map[int]chan answer), procs: make(map[string]*process),
	}
	go g.listen(stdout) // ends with the guard; close waits for it
	if _, err := g.ask(ctx, request{Setup: &s}); err != nil {
		g.close(0)
		return nil, fmt.Errorf("starting the guard process: %w", err)
	}
	return g, nil
}

// listen reads reports until the guard ends. Then every process counts as ended.
func (g *guardian) listen(stdout *os.File) {
	defer close(g.gone)
	defer stdout.Close()
	for lines := json.NewDecoder(stdout); ; {
		var r report
		if lines.Decode(&r) != nil {
			break
		}
		if r.ID == 0 {
			r.Exit = g.explain(r.Name, r.Exit)
		}
		g.note(r)
	}
	_ = g.cmd.Wait()
	g.mu.Lock()
	defer g.mu.Unlock()
	for name, p := range g.procs {
		p.exit = "its guard process ended: " + g.cmd.ProcessState.String()
		close(p.ended)
		delete(g.procs, name)
	}
	for _, waiting := range g.waiting {
		waiting <- answer{err: errGuardGone}
	}
	g.waiting = nil
}

func (g *guardian) note(r report) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if r.ID == 0 {
		if p := g.procs[r.Name]; p != nil && p.pid == r.PID {
			p.exit, p.ok = r.Exit, r.OK
			close(p.ended)
			delete(g.procs, r.Name)
		}
		return
	}
	var a answer
	switch {
	case r.Err != "":
		a.err = errors.New(r.Err)
	case r.PID != 0:
		a.process = &process{name: r.Name, pid: r.PID, ended: make(chan struct{})}
		g.procs[r.Name] = a.process
	}
	g.waiting[r.ID] <- a // has room for one, and every answer has its request
	delete(g.waiting, r.ID)
}

func (g *guardian) ask(ctx context.Context, r request) (*process, error) {
	waiting := make(chan answer, 1)
	g.mu.Lock()
	if g.waiting == nil {
		g.mu.Unlock()
		return nil, errGuardGone
	}
	g.lastID++
	r.ID = g.lastID
	g.waiting[r.ID] = waiting
	line, err := json.Marshal(r)
	if err == nil {
		_, err = g.stdin.Write(append(line, '\n')) // mu keeps lines whole
	}
	g.mu.Unlock()
	if err != nil {
		return nil, fmt.Errorf("%w (%w)", errGuardGone, err)
	}
	select {
	case a := <-waiting:
		return a.process, a.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// launch starts a process. Once asked for, it is waited for, whatever becomes of ctx: giving up would leave a process that nobody knows of.
func (g *guardian) launch(ctx context.Context, s spec) (*process, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	p, err := g.ask(context.WithoutCancel(ctx), request{Launch: &s})
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", s.Name, err)
	}
	return p, nil
}

// run starts a process and waits for its end. When ctx ends first the process is killed.
func (g *guardian) run(ctx context.Context, s spec) (*process, error) {
	p, err := g.launch(ctx, s)
	if err != nil {
		return nil, err
	}
	select {
	case <-p.ended:
		return p, nil
	case <-ctx.Done():
		_ = g.signal(context.WithoutCancel(ctx), p, syscall.SIGKILL)
		return nil, context.Cause(ctx)
	}
}

// signal returns once the signal is delivered. Nothing happens to a process that has ended.
func (g *guardian) signal(ctx context.Context, p *process, sig syscall.Signal) error {
	if !p.alive() {
		return os.ErrProcessDone
	}
	if _, err := g.ask(ctx, request{Name: p.name, PID: p.pid, Signal: int(sig)}); err != nil {
		return fmt.Errorf("signalling %s: %w", p.name, err)
	}
	return nil
}

// close ends the guard: it kills what still runs, deletes what is temporary and leaves. One that has not left after patience is killed, unless all that it still
// does is to delete: thousands of partitions take seconds, and it does that alone.
func (g *guardian) close(patience time.Duration) {
	g.stdin.Close()
	t := time.NewTimer(patience)
	defer t.Stop()
	select {
	case <-g.gone:
	case <-t.C:
		g.mu.Lock()
		deletes := patience > 0 && len(g.procs) == 0
		g.mu.Unlock()
		if deletes {
			return
		}
		_ = g.cmd.Process.Kill()
		<-g.gone
	}
}
