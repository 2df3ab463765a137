package local

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// orphan is a process that a test started and that waits to be found.
func orphan(t *testing.T) (identity, <-chan struct{}) {
	t.Helper()
	cmd := exec.Command("sleep", "600")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = cmd.Wait() }()
	t.Cleanup(func() { _ = cmd.Process.Kill(); <-done })
	id, err := identify(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	return id, done
}

func leftover(t *testing.T, parent string, ids map[string]identity) string {
	t.Helper()
	run, err := newRunDir(parent)
	if err != nil {
		t.Fatal(err)
	}
	run.close()
	if err := writeRecord(run.file(recordName), ids); err != nil {
		t.Fatal(err)
	}
	return run.path
}

func TestSweepKillsOrphansAndDeletesTheirData(t *testing.T) {
	parent := t.TempDir()
	id, ended := orphan(t)
	path := leftover(t, parent, map[string]identity{"broker-1": id})
	cleared, err := sweep(t.Context(), parent)
	if err != nil || len(cleared) != 1 || cleared[0] != path {
		t.Fatalf("cleared %v, %v", cleared, err)
	}
	<-ended
	if !missing(path) {
		t.Error("the directory is still there")
	}
}

func TestSweepSparesAnotherProcessWithTheSamePID(t *testing.T) {
	parent := t.TempDir()
	id, ended := orphan(t)
	leftover(t, parent, map[string]identity{"broker-1": {PID: id.PID, Start: id.Start + "0"}})
	if _, err := sweep(t.Context(), parent); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ended:
		t.Error("killed a process that started at another time than the recorded one")
	case <-time.After(50 * time.Millisecond): // it would be dead before sweep returns
	}
}

func TestSweepSparesWhatIsInUseOrNotKassas(t *testing.T) {
	parent := t.TempDir()
	used, err := newRunDir(parent)
	if err != nil {
		t.Fatal(err)
	}
	defer used.close()
	young := filepath.Join(parent, runPrefix+"young") // made, not yet locked
	other := filepath.Join(parent, "other")
	for _, path := range []string{young, other} {
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	link := filepath.Join(parent, runPrefix+"link")
	if err := os.Symlink(other, link); err != nil {
		t.Fatal(err)
	}
	if cleared, err := sweep(t.Context(), parent); err != nil || len(cleared) != 0 {
		t.Errorf("cleared %v, %v", cleared, err)
	}
	for _, path := range []string{used.path, young, other, link} {
		if missing(path) {
			t.Errorf("%s is gone", path)
		}
	}
}

func TestADataDirectoryServesOneKassa(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	first, err := openRunDir(Config{DataDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	_, err = openRunDir(Config{DataDir: dir})
	userError(t, err, "another kassa uses", dir, "--data-dir")
	userError(t, checkDataDirFree(dir), "another kassa uses", dir)
	first.close()
	again, err := openRunDir(Config{DataDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	again.close()
}

func TestADataDirectoryKeepsItsDataAndLosesItsOrphans(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	first, err := openRunDir(Config{DataDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	kept := write(t, "a record", 0o600, dir, nodesName, "1", "log")
	id, ended := orphan(t)
	if err := writeRecord(first.file(recordName), map[string]identity{"broker-1": id}); err != nil {
		t.Fatal(err)
	}
	first.close()
	again, err := openRunDir(Config{DataDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer again.close()
	<-ended
	if err := again.clear(); err != nil || missing(kept) {
		t.Errorf("clear: %v; data deleted: %v", err, missing(kept))
	}
}

func TestADirectoryWithOtherFilesIsNoDataDirectory(t *testing.T) {
	dir := t.TempDir()
	mine := write(t, "thesis", 0o600, dir, "thesis.txt")
	_, err := openRunDir(Config{DataDir: dir})
	userError(t, err, dir, "not kassa's", "empty")
	if entries, _ := os.ReadDir(dir); len(entries) != 1 || missing(mine) {
		t.Errorf("it was changed: %v", entries)
	}
}

func TestAPlaceThatCannotBeWrittenIsNamed(t *testing.T) {
	file := write(t, "", 0o600, t.TempDir(), "file")
	_, err := openRunDir(Config{DataDir: filepath.Join(file, "data")})
	userError(t, err, "data directory", file, "not a directory")
	_, err = openRunDir(Config{TempDir: file})
	userError(t, err, "temporary", file)
}
