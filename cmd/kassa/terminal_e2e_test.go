//go:build e2e

package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// binary is kassa as a user has it, built once.
var binary string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "kassa-e2e-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		binary = filepath.Join(dir, "kassa")
		if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build kassa: %v\n%s", err, out)
			return 1
		}
		return m.Run()
	}())
}

// long leaves a test out of the short form (go test -short), which is what CI has time for: something else that is in it does the like.
func long(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("left out with -short")
	}
}

// patience bounds every wait: long enough for a loaded machine, and never slept through.
const patience = 90 * time.Second

// terminal is a real terminal (tmux, with a server of its own) in which a person could sit.
type terminal struct {
	t      testing.TB
	socket string
	tmp    string // TMPDIR of what runs in it: what is left there is a leak
}

// newTerminal opens a terminal of w by h that runs a command line and stays open after it.
func newTerminal(t testing.TB, w, h int, command string, env ...string) *terminal {
	t.Helper()
	dir := t.TempDir()
	// macOS and Linux limit the length of a socket's path.
	sockets, err := os.MkdirTemp("/tmp", "kt")
	if err != nil {
		t.Fatal(err)
	}
	term := &terminal{t: t, socket: filepath.Join(sockets, "s"), tmp: filepath.Join(dir, "tmp")}
	if err := os.Mkdir(term.tmp, 0o755); err != nil {
		t.Fatal(err)
	}
	// The shell notes how the program ended; then the pane stays, so that its state can be looked at.
	script := fmt.Sprintf("%s; echo \"exit $?\"; exec sleep 600", command)
	args := []string{"-f", "/dev/null", "new-session", "-d", "-s", "t", "-x", strconv.Itoa(w), "-y", strconv.Itoa(h)}
	// What the person at this machine has chosen about the screen is theirs.
	env = append([]string{configEnv + "=" + filepath.Join(dir, "screen.yaml")}, env...)
	for _, e := range append(env, "TMPDIR="+term.tmp, "KAFKA_HOME=") {
		args = append(args, "-e", e)
	}
	term.tmux(append(args, "sh", "-c", script)...)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the screen at the end:\n%s", term.screen())
		}
		_ = exec.Command("tmux", "-S", term.socket, "kill-server").Run()
		_ = os.RemoveAll(sockets)
	})
	return term
}

func (s *terminal) tmux(args ...string) string {
	s.t.Helper()
	out, err := exec.Command("tmux", append([]string{"-S", s.socket}, args...)...).CombinedOutput()
	if err != nil {
		s.t.Fatalf("tmux %s: %v: %s", args[0], err, out)
	}
	return string(out)
}

func (s *terminal) screen() string {
	out, _ := exec.Command("tmux", "-S", s.socket, "capture-pane", "-p", "-t", "t").Output()
	return string(out)
}

// press types keys as tmux names them.
func (s *terminal) press(keys ...string) {
	s.t.Helper()
	s.tmux(append([]string{"send-keys", "-t", "t"}, keys...)...)
}

// see waits until the screen shows every text.
func (s *terminal) see(texts ...string) string {
	s.t.Helper()
	var screen string
	s.until(fmt.Sprintf("the screen shows %q", texts), func() bool {
		screen = s.screen()
		for _, text := range texts {
			if !strings.Contains(screen, text) {
				return false
			}
		}
		return true
	})
	return screen
}

// until waits for a condition.
func (s *terminal) until(what string, ok func() bool) { s.t.Helper(); until(s.t, what, ok) }

func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("waited %s in vain until %s", patience, what)
		}
		time.Sleep(10 * time.Millisecond) // between two looks at the condition
	}
}

// kassa is the pid of the program in the terminal.
func (s *terminal) kassa() int {
	s.t.Helper()
	shell := strings.TrimSpace(s.tmux("display", "-p", "-t", "t", "#{pane_pid}"))
	var pid int
	s.until("kassa runs", func() bool {
		out, _ := exec.Command("pgrep", "-P", shell, "-f", binary).Output()
		pid, _ = strconv.Atoi(strings.TrimSpace(strings.SplitN(string(out), "\n", 2)[0]))
		return pid > 0
	})
	return pid
}

// signal sends a signal to the program.
func (s *terminal) signal(sig syscall.Signal) {
	s.t.Helper()
	if err := syscall.Kill(s.kassa(), sig); err != nil {
		s.t.Fatal(err)
	}
}

// restored waits until the terminal is as a shell expects it: no alternate screen, a cursor, no mouse, echo and lines.
func (s *terminal) restored() {
	s.t.Helper()
	tty := strings.TrimSpace(s.tmux("display", "-p", "-t", "t", "#{pane_tty}"))
	var flags, stty string
	s.until("the terminal is restored", func() bool {
		flags = strings.TrimSpace(s.tmux("display", "-p", "-t", "t", "alternate #{alternate_on} cursor #{cursor_flag} mouse #{mouse_any_flag}"))
		f, err := os.Open(tty)
		if err != nil {
			return false
		}
		defer f.Close()
		cmd := exec.Command("stty", "-a")
		cmd.Stdin = f
		out, _ := cmd.Output()
		stty = " " + strings.Join(strings.Fields(string(out)), " ")
		return flags == "alternate 0 cursor 1 mouse 0" && strings.Contains(stty, " echo ") && strings.Contains(stty, " icanon ")
	})
}

// nothingLeft waits until no process and no file of the run is there.
func (s *terminal) nothingLeft() {
	s.t.Helper()
	s.until("nothing is left", func() bool {
		files, _ := os.ReadDir(s.tmp)
		return len(files) == 0 && len(s.brokers()) == 0
	})
}

// brokers are the pids of the JVMs whose data is in this terminal's temporary directory.
func (s *terminal) brokers() []int { return jvms(s.tmp) }

// jvms are the brokers whose data is below tmp.
func jvms(tmp string) []int {
	var pids []int
	out, _ := exec.Command("pgrep", "-f", tmp).Output()
	for _, line := range strings.Fields(string(out)) {
		pid, _ := strconv.Atoi(line)
		if cmdline, err := exec.Command("ps", "-o", "args=", "-p", line).Output(); err == nil && bytes.Contains(cmdline, []byte("kafka.Kafka")) {
			pids = append(pids, pid)
		}
	}
	return pids
}
