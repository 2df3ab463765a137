package local

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// keeper holds a guard with two children, says who they are and waits to be killed.
func keeper() int {
	run, err := newRunDir(os.Getenv(helperDir))
	if err != nil {
		return 1
	}
	g, err := guardOver(run)
	if err != nil {
		return 1
	}
	var ids []identity
	for _, name := range []string{"one", "two"} {
		p, err := g.launch(context.Background(), sleeper(run, name))
		if err != nil {
			return 1
		}
		id, err := identify(p.pid)
		if err != nil {
			return 1
		}
		ids = append(ids, id)
	}
	if json.NewEncoder(os.Stdout).Encode(ids) != nil {
		return 1
	}
	time.Sleep(10 * time.Minute)
	return 0
}

func startKeeper(t *testing.T, dir string) (*exec.Cmd, []identity) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), helperEnv+"=keeper", helperDir+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		t.Fatal(err)
	}
	var ids []identity
	if err := json.Unmarshal(line, &ids); err != nil {
		t.Fatal(err)
	}
	return cmd, ids
}

func TestNothingOutlivesAKilledKassa(t *testing.T) {
	dir := t.TempDir()
	kassa, ids := startKeeper(t, dir)
	if len(ids) != 2 || gone(ids[0]) || gone(ids[1]) {
		t.Fatalf("children %v do not run", ids)
	}
	if err := kassa.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		eventually(t, "child ended", func() bool { return gone(id) })
	}
	eventually(t, "temporary data deleted", func() bool {
		left, err := filepath.Glob(filepath.Join(dir, "*"))
		return err == nil && len(left) == 0
	})
}

func TestCloseEndsEveryChildAndDeletesTheData(t *testing.T) {
	g, run := testGuard(t)
	ctx := context.Background()
	p, err := g.launch(ctx, sleeper(run, "one"))
	if err != nil {
		t.Fatal(err)
	}
	// A paused one too: it would not hear anything gentler.
	if err := g.signal(ctx, p, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	id, err := identify(p.pid)
	if err != nil {
		t.Fatal(err)
	}
	g.close(10 * time.Second)
	if p.alive() || !gone(id) || !missing(run.path) {
		t.Errorf("after close: known alive %v, gone %v, directory deleted %v", p.alive(), gone(id), missing(run.path))
	}
	if _, err := g.launch(ctx, sleeper(run, "two")); !errors.Is(err, errGuardGone) {
		t.Errorf("launch after close: %v", err)
	}
}

// A guard whose children have ended and that has much to delete goes on when nobody waits for it any more.
func TestAGuardThatDeletesIsLeftToIt(t *testing.T) {
	dir := t.TempDir()
	lock, err := os.Create(filepath.Join(dir, "lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	done := filepath.Join(dir, "done")
	script := `read -r setup; echo '{"id":1}'; cat > /dev/null; sleep 0.3; : > ` + done
	g, err := startGuard(t.Context(), []string{"sh", "-c", script}, setup{}, lock, filepath.Join(dir, "log"), func(_, exit string) string { return exit })
	if err != nil {
		t.Fatal(err)
	}
	g.close(time.Millisecond)
	<-g.gone
	if missing(done) {
		t.Error("it was killed")
	}
}

func TestGuardReportsHowAChildEnded(t *testing.T) {
	g, run := testGuard(t)
	s := sleeper(run, "one")
	s.Args = []string{"-c", "exit 3"}
	p, err := g.run(context.Background(), s)
	if err != nil || p.ok || p.exit != "exit status 3" {
		t.Fatalf("got %+v, %v", p, err)
	}
	p, err = g.launch(context.Background(), sleeper(run, "one")) // the name is free again
	if err != nil {
		t.Fatal(err)
	}
	if err := g.signal(context.Background(), p, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-p.ended
	if p.exit != "signal: killed" {
		t.Errorf("exit %q", p.exit)
	}
	if _, err := g.launch(context.Background(), spec{Name: "x", Path: "/no/such/program", Dir: run.path, Out: run.file("x")}); err == nil || !strings.Contains(err.Error(), "/no/such/program") {
		t.Errorf("launching nothing: %v", err)
	}
}

func TestASignalNeverReachesALaterProcessOfTheSameName(t *testing.T) {
	g, run := testGuard(t)
	ctx := context.Background()
	old, err := g.run(ctx, spec{Name: "one", Path: "/bin/sh", Args: []string{"-c", "exit 0"}, Dir: run.path, Out: run.file("out")})
	if err != nil {
		t.Fatal(err)
	}
	now, err := g.launch(ctx, sleeper(run, "one"))
	if err != nil {
		t.Fatal(err)
	}
	if err := g.signal(ctx, old, syscall.SIGKILL); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("signal to an ended process: %v", err)
	}
	// Even if kassa has not heard of the end yet.
	stale := &process{name: old.name, pid: old.pid, ended: make(chan struct{})}
	if err := g.signal(ctx, stale, syscall.SIGKILL); err == nil {
		t.Error("the guard signalled a pid that is not its child's")
	}
	if !now.alive() {
		t.Error("the later process was hit")
	}
}

func TestWithoutItsGuardEveryProcessCountsAsEnded(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("no parent-death signal here: the next start clears")
	}
	g, run := testGuard(t)
	p, err := g.launch(context.Background(), sleeper(run, "one"))
	if err != nil {
		t.Fatal(err)
	}
	id, err := identify(p.pid)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-p.ended
	if !strings.Contains(p.exit, "guard") {
		t.Errorf("exit %q does not name the guard", p.exit)
	}
	eventually(t, "child ended with its guard", func() bool { return gone(id) })
	if _, err := g.launch(context.Background(), sleeper(run, "two")); !errors.Is(err, errGuardGone) {
		t.Errorf("launch: %v", err)
	}
	if err := run.clear(); err != nil || !missing(run.path) {
		t.Errorf("clear: %v, directory deleted %v", err, missing(run.path))
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	g, run := testGuard(t)
	ctx, cancel := context.WithCancelCause(context.Background())
	why := fmt.Errorf("enough")
	done := make(chan error, 1)
	go func() { _, err := g.run(ctx, sleeper(run, "one")); done <- err }()
	eventually(t, "child recorded", func() bool { r, err := readRecord(run.file(recordName)); return err == nil && len(r) == 1 })
	cancel(why)
	if err := <-done; !errors.Is(err, why) {
		t.Errorf("got %v", err)
	}
	eventually(t, "child gone from the record", func() bool { r, err := readRecord(run.file(recordName)); return err == nil && len(r) == 0 })
}

func TestAGuardThatCallsStartIsRefused(t *testing.T) {
	t.Setenv(guardEnv, "1")
	run, err := newRunDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer run.close()
	if g, err := guardOver(run); err == nil {
		g.close(time.Second)
		t.Error("it would start itself over and over")
	}
}
