//go:build e2e

package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// process is kassa without a screen.
type process struct {
	t     testing.TB
	cmd   *exec.Cmd
	lines chan string
	errs  *lockedBuffer
	tmp   string
	ended chan struct{}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func start(t testing.TB, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(binary, args...), lines: make(chan string, 10_000), errs: &lockedBuffer{}, tmp: filepath.Join(t.TempDir(), "tmp"), ended: make(chan struct{})}
	if err := os.Mkdir(p.tmp, 0o755); err != nil {
		t.Fatal(err)
	}
	p.cmd.Env = append(os.Environ(), "TMPDIR="+p.tmp, "KAFKA_HOME=")
	p.cmd.Stderr = p.errs
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		for in := bufio.NewScanner(out); in.Scan(); {
			p.lines <- in.Text()
		}
		_ = p.cmd.Wait()
		close(p.ended)
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
		p.wait()
		if t.Failed() {
			t.Logf("kassa %s said:\n%s", strings.Join(args, " "), p.errs)
		}
	})
	return p
}

func (p *process) line() string {
	p.t.Helper()
	select {
	case l := <-p.lines:
		return l
	case <-p.ended:
		p.t.Fatalf("it ended: %s", p.errs)
	case <-time.After(patience):
		p.t.Fatalf("no line within %s: %s", patience, p.errs)
	}
	return ""
}

// wait is for its end; the exit code.
func (p *process) wait() int {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(patience):
		_ = p.cmd.Process.Kill()
		p.t.Fatalf("it did not end within %s", patience)
	}
	return p.cmd.ProcessState.ExitCode()
}

// `kassa cluster` prints its bootstrap servers when other programs can use them, moves to other ports when one is taken, and takes
// everything along when it ends, however it ends.
func TestE2ECluster(t *testing.T) {
	for _, end := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		t.Run(end.String(), func(t *testing.T) {
			taken, err := net.Listen("tcp", "127.0.0.1:9095")
			if err == nil {
				defer taken.Close()
			}
			p := start(t, "cluster")
			bootstrap := p.line()
			if strings.Count(bootstrap, ",") != 2 || strings.Contains(bootstrap, "9095") {
				t.Fatalf("bootstrap servers %q", bootstrap)
			}
			until(t, "it says why the ports are others", func() bool { return strings.Contains(p.errs.String(), "in use") })
			for _, addr := range strings.Split(bootstrap, ",") {
				c, err := net.Dial("tcp", addr)
				if err != nil {
					t.Errorf("not ready: %v", err)
					continue
				}
				c.Close()
			}
			if err := p.cmd.Process.Signal(end); err != nil {
				t.Fatal(err)
			}
			if code := p.wait(); end == syscall.SIGTERM && code != 0 {
				t.Errorf("exit code %d", code)
			}
			until(t, "nothing is left", func() bool {
				files, _ := os.ReadDir(p.tmp)
				return len(files) == 0 && exec.Command("pgrep", "-f", p.tmp).Run() != nil
			})
		})
	}
}

// Explicit ports that are taken, and a data directory in use, are refused with one sentence.
func TestE2EClusterRefuses(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := taken.Addr().(*net.TCPAddr).Port
	p := start(t, "cluster", "--ports", fmt.Sprintf("%d,%d,%d", port, 20011, 20012))
	if code := p.wait(); code != 2 || strings.Count(strings.TrimSpace(p.errs.String()), "\n") > 0 || !strings.Contains(p.errs.String(), fmt.Sprint(port)) {
		t.Errorf("exit code %d: %s", code, p.errs)
	}

	dir := filepath.Join(t.TempDir(), "data")
	first := start(t, "cluster", "--data-dir", dir)
	first.line()
	second := start(t, "cluster", "--data-dir", dir)
	if code := second.wait(); code != 2 || !strings.Contains(second.errs.String(), "another kassa") {
		t.Errorf("exit code %d: %s", code, second.errs)
	}
}

// The four services, each a process of its own, on a cluster that is another: a checkout over HTTP passes all of them.
func TestE2EServicesAlone(t *testing.T) {
	brokers := start(t, "cluster").line()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listen := l.Addr().String()
	l.Close()
	start(t, "service", "payment", "--brokers", brokers, "--listen", listen)
	start(t, "service", "order", "--brokers", brokers)
	start(t, "service", "email", "--brokers", brokers)
	analytics := start(t, "service", "analytics", "--brokers", brokers)

	const body = `{"cart":[{"id":3,"name":"Cap","price":499.9,"image":"/cap.png","description":"A cap"}]}`
	var answer string
	until(t, "payment answers", func() bool {
		res, err := http.Post("http://"+listen+"/payment-service", "application/json", strings.NewReader(body))
		if err != nil {
			return false
		}
		defer res.Body.Close()
		b, _ := io.ReadAll(res.Body)
		answer = fmt.Sprint(res.StatusCode, " ", strings.TrimSpace(string(b)))
		return res.StatusCode != http.StatusServiceUnavailable
	})
	if answer != "200 Payment successful" {
		t.Fatalf("payment answered %q", answer)
	}
	var lines []string
	for range 3 {
		lines = append(lines, analytics.line())
	}
	all := strings.Join(lines, "\n")
	for _, text := range []string{"payment", "order", "email", "499.9"} {
		if !strings.Contains(all, text) {
			t.Errorf("analytics does not tell of %q:\n%s", text, all)
		}
	}
	for _, end := range []syscall.Signal{syscall.SIGUSR1, syscall.SIGTERM} { // the totals when asked, and at the end
		times := strings.Count(analytics.errs.String(), "revenue") + 1
		if err := analytics.cmd.Process.Signal(end); err != nil {
			t.Fatal(err)
		}
		until(t, "the totals are there", func() bool { return strings.Count(analytics.errs.String(), "revenue") == times })
	}
	if code := analytics.wait(); code != 0 || !strings.Contains(analytics.errs.String(), "1  100.0 %") {
		t.Errorf("exit code %d, and the totals are\n%s", code, analytics.errs)
	}
}
