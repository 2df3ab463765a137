package local

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// GuardCommand is the hidden subcommand under which a program that calls Start must call RunGuard: `kassa guard`.
const GuardCommand = "guard"

// guardEnv is set for the guard. A program that forgot to call RunGuard would start itself over and over; Start looks for this.
const guardEnv = "KASSA_GUARD"

// lockFD is where the guard finds the lock of the run directory, as the first of exec.Cmd.ExtraFiles.
const lockFD = 3

// request is a line from kassa to its guard.
type request struct {
	ID     int    `json:"id"`
	Setup  *setup `json:"setup,omitempty"`
	Launch *spec  `json:"launch,omitempty"`
	Signal int    `json:"signal,omitempty"`
	Name   string `json:"name,omitempty"` // whom to signal, and
	PID    int    `json:"pid,omitempty"`  // which of that name
}

// setup is the first request.
type setup struct {
	Record string   `json:"record"`           // file that says which processes run
	Remove []string `json:"remove,omitempty"` // what to delete at the end
}

// spec is a process to start. Name is free to use again once the last process of that name has ended.
type spec struct {
	Name  string   `json:"name"`
	Path  string   `json:"path"`
	Args  []string `json:"args"`
	Env   []string `json:"env,omitempty"` // on top of the guard's own, without
	Unset []string `json:"unset,omitempty"`
	Dir   string   `json:"dir"`
	Out   string   `json:"out"` // file for stdout and stderr, truncated
}

// report is a line from the guard: the answer to a request (ID > 0), or the end of a process (ID 0).
type report struct {
	ID   int    `json:"id,omitempty"`
	Name string `json:"name,omitempty"`
	PID  int    `json:"pid,omitempty"`
	Exit string `json:"exit,omitempty"` // "exit status 1", "signal: killed"
	OK   bool   `json:"ok,omitempty"`   // it ended with status 0
	Err  string `json:"err,omitempty"`
}

// guard is the life of the guard process. Its children are its own: while it has not reaped one, that pid is nobody else's,
// so a signal sent from here cannot hit a stranger.
type guard struct {
	mu       sync.Mutex
	out      *json.Encoder
	record   string
	remove   []string
	children map[string]*exec.Cmd
	started  map[string]identity
	waits    sync.WaitGroup
}

// RunGuard is the whole of `kassa guard`: the parent of every JVM, in a session of its own. It obeys one JSON request a line on stdin,
// and when stdin closes, however kassa came to its end, it kills every child, deletes the temporary data and returns the exit code.
func RunGuard(stdin io.Reader, stdout io.Writer) int {
	// The kernel's parent-death signal follows the thread that forked, not the process: this one must live as long as the guard.
	runtime.LockOSThread()
	// The JVMs must not inherit the lock, or one that outlives everybody would keep its own orphanage shut.
	syscall.CloseOnExec(lockFD)
	// Caught and dropped rather than ignored, because a child inherits what is ignored. SIGPIPE: kassa may be gone when we report.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGINT, syscall.SIGHUP, syscall.SIGPIPE)
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)

	g := &guard{out: json.NewEncoder(stdout), children: make(map[string]*exec.Cmd), started: make(map[string]identity)}
	requests := make(chan request)
	go func() {
		defer close(requests)
		for lines := json.NewDecoder(stdin); ; {
			var r request
			if lines.Decode(&r) != nil {
				return
			}
			requests <- r
		}
	}()
	for {
		select {
		case r, open := <-requests:
			if !open {
				return g.end()
			}
			g.obey(r)
		case <-term:
			return g.end()
		}
	}
}

func (g *guard) obey(r request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	answer := report{ID: r.ID}
	var err error
	switch {
	case r.Setup != nil:
		g.record, g.remove = r.Setup.Record, r.Setup.Remove
	case r.Launch != nil:
		answer.Name = r.Launch.Name
		answer.PID, err = g.launch(*r.Launch)
	default:
		err = g.signal(r.Name, r.PID, syscall.Signal(r.Signal))
	}
	if err != nil {
		answer.Err = err.Error()
	}
	_ = g.out.Encode(answer) // kassa gone: the end of stdin says so
}

// launch needs g.mu, which also keeps the report of an early end behind the answer to this request.
func (g *guard) launch(s spec) (pid int, err error) {
	if g.children[s.Name] != nil {
		return 0, fmt.Errorf("%s runs already", s.Name)
	}
	out, err := os.OpenFile(s.Out, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return 0, err
	}
	defer out.Close()
	cmd := exec.Command(s.Path, s.Args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.Dir, out, out
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(kv string) bool {
		key, _, _ := strings.Cut(kv, "=")
		return slices.Contains(s.Unset, key)
	}), s.Env...)
	cmd.SysProcAttr = childAttr()
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	g.children[s.Name] = cmd
	if id, err := identify(cmd.Process.Pid); err == nil {
		g.started[s.Name] = id
	}
	g.save()
	g.waits.Go(func() { g.reap(s.Name, cmd) })
	return cmd.Process.Pid, nil
}

func (g *guard) reap(name string, cmd *exec.Cmd) {
	_ = cmd.Wait() // ProcessState says more
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.children, name)
	delete(g.started, name)
	g.save()
	_ = g.out.Encode(report{Name: name, PID: cmd.Process.Pid, Exit: cmd.ProcessState.String(), OK: cmd.ProcessState.Success()})
}

// signal needs g.mu.
func (g *guard) signal(name string, pid int, sig syscall.Signal) error {
	cmd := g.children[name]
	if cmd == nil || cmd.Process.Pid != pid {
		return os.ErrProcessDone
	}
	// os.Process knows whether it has been reaped. Only then, and only to kill, comes the group: Maven may be a script with a JVM below it.
	if err := cmd.Process.Signal(sig); err != nil {
		return err
	}
	if sig == syscall.SIGKILL {
		_ = syscall.Kill(-pid, sig)
	}
	return nil
}

// save needs g.mu. A record that cannot be written costs no more than the clearing of orphans where the kernel has no parent-death signal.
func (g *guard) save() {
	if g.record != "" {
		_ = writeRecord(g.record, g.started)
	}
}

func (g *guard) end() int {
	g.mu.Lock()
	for name, cmd := range g.children {
		_ = g.signal(name, cmd.Process.Pid, syscall.SIGKILL)
	}
	g.mu.Unlock()
	g.waits.Wait()
	code := 0
	for _, path := range g.remove {
		if removeAll(path) != nil {
			code = 1
		}
	}
	return code
}

// removeAll tries for half a second: a process that was killed a moment ago may still have made a file, a JVM even when it is a zombie already, for its other
// threads end after the first.
func removeAll(path string) error {
	var err error
	for range 50 {
		if err = os.RemoveAll(path); err == nil {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return err
}

// writeRecord replaces the file at once: whoever reads it after a crash finds the old list or the new one.
func writeRecord(path string, started map[string]identity) error {
	b, err := json.Marshal(started)
	if err != nil {
		return err
	}
	next := filepath.Join(filepath.Dir(path), ".pids.next")
	if err := os.WriteFile(next, b, 0o600); err != nil {
		return err
	}
	return os.Rename(next, path)
}
