package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"kassa/kafkaops"
)

// TestMain lets the test binary be the guard, and the program that a test kills.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == GuardCommand {
		os.Exit(RunGuard(os.Stdin, os.Stdout))
	}
	if helper := helpers[os.Getenv(helperEnv)]; helper != nil {
		os.Exit(helper())
	}
	goleak.VerifyTestMain(m)
}

// helperEnv names one of helpers, which the test binary then is instead of running tests; helperDir is where it works.
const (
	helperEnv = "KASSA_TEST_HELPER"
	helperDir = "KASSA_TEST_DIR"
)

// eventually waits for a condition, for as long as a busy machine may need.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("still not so: %s", what)
		}
	}
}

// userError fails unless err is one sentence for the user that holds every word.
func userError(t *testing.T, err error, words ...string) {
	t.Helper()
	var user *kafkaops.UserError
	if !errors.As(err, &user) {
		t.Fatalf("got %v, want a *kafkaops.UserError", err)
	}
	if strings.ContainsAny(user.Message, "\n\r") {
		t.Errorf("more than one line: %q", user.Message)
	}
	for _, word := range words {
		if !strings.Contains(user.Message, word) {
			t.Errorf("%q does not say %q", user.Message, word)
		}
	}
}

// waitABit paces a loop that waits for a condition.
func waitABit() <-chan time.Time { return time.After(5 * time.Millisecond) }

func gone(id identity) bool {
	now, err := identify(id.PID)
	return err != nil || now != id
}

func missing(path string) bool {
	_, err := os.Lstat(path)
	return errors.Is(err, os.ErrNotExist)
}

// write makes a file and the directories above it.
func write(t *testing.T, text string, mode os.FileMode, elem ...string) string {
	t.Helper()
	path := filepath.Join(elem...)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	return path
}

// fakeJava is a Java home whose java is a shell script.
func fakeJava(t *testing.T, version, script string) (java string) {
	t.Helper()
	home := t.TempDir()
	if version != "" {
		write(t, fmt.Sprintf("IMPLEMENTOR=\"Test\"\nJAVA_VERSION=\"%s\"\n", version), 0o600, home, "release")
	}
	return write(t, "#!/bin/sh\n"+script+"\n", 0o700, home, "bin", "java")
}

// fakeKafka is an unpacked Kafka without a class in it.
func fakeKafka(t *testing.T, version string) (home string) {
	t.Helper()
	home = t.TempDir()
	write(t, "", 0o600, home, "libs", "kafka_2.13-"+version+".jar")
	write(t, "", 0o600, home, "libs", "aaa-1.jar")
	return home
}

// testGuard is a guard with a temporary run directory.
func testGuard(t *testing.T) (*guardian, *runDir) {
	t.Helper()
	run, err := newRunDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	g, err := guardOver(run)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.close(10 * time.Second); run.close() })
	return g, run
}

func guardOver(run *runDir) (*guardian, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	s := setup{Record: run.file(recordName), Remove: run.temporary()}
	return startGuard(context.Background(), []string{self, GuardCommand}, s, run.lock, run.file("guard.log"), func(_, exit string) string { return exit })
}

// sleeper is a process that does nothing for long.
func sleeper(run *runDir, name string) spec {
	return spec{Name: name, Path: "/bin/sh", Args: []string{"-c", "sleep 600"}, Dir: run.path, Out: run.file(name + ".out")}
}
