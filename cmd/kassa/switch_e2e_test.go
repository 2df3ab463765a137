//go:build e2e

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// One key says where brokers can come from, and changes from simulated ones to real ones and back while the screen stays. Nothing of those before is left.
func TestE2EBrokersAreChangedWithinTheScreen(t *testing.T) {
	s := newTerminal(t, 130, 42, binary+" --cluster embedded --profile stock --http 127.0.0.1:0") // a busy machine fences nobody
	s.see("SIMULATED", "3/3 up")
	if len(s.brokers()) != 0 {
		t.Error("real brokers beside simulated ones")
	}
	s.press("c")
	s.see("1 complete")
	s.press("W")
	s.see("can be had", "why     chosen with --cluster embedded", "of embedded, its brokers and their data go")
	s.press("g", "k", "k", "Enter")
	screen := s.see("local   stock", "3/3 up", "under-replicated 0")
	if strings.Contains(screen, "SIMULATED") || strings.Contains(screen, "1 complete") {
		t.Errorf("something of the simulated brokers is left:\n%s", screen)
	}
	if n := len(s.brokers()); n != 3 {
		t.Errorf("%d real brokers", n)
	}
	s.press("c")
	s.see("✓ acked", "1 complete", "0 in flight")
	s.press("W")
	s.see("why     chosen with W", "can be had")
	s.press("j", "j", "Enter")
	s.see("SIMULATED", "embedded", "3/3 up")
	s.until("the real brokers are gone", func() bool { return len(s.brokers()) == 0 })
	s.press("c")
	s.see("✓ acked", "1 complete", "0 in flight")
	s.press("q")
	s.see("exit 0")
	s.restored()
	s.nothingLeft()
}

// What is changed to and does not come up ends nothing: the screen says why, and takes another choice.
func TestE2EAChangeThatFailsLeavesTheScreen(t *testing.T) {
	java := t.TempDir() // looks like one, and starts nothing
	for path, text := range map[string]string{"release": "JAVA_VERSION=\"17.0.15\"\n", "bin/java": "#!/bin/sh\necho 'this is no Java' >&2\nexit 1\n"} {
		path = filepath.Join(java, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	s := newTerminal(t, 130, 42, binary+" --cluster embedded --http none", "JAVA_HOME="+java)
	s.see("SIMULATED", "3/3 up")
	s.press("W")
	s.see("can be had", "changes to these")
	s.press("g", "k", "k", "Enter")
	s.see("NO BROKERS", "local did not come up", "▶ embedded")
	s.press("Enter")
	s.see("SIMULATED", "3/3 up")
	s.press("c")
	s.see("1 complete")
	s.press("q")
	s.see("exit 0")
	s.restored()
	s.nothingLeft()
}

// An engine that never answers keeps nobody from the screen: it is asked behind it, and given up. What auto came to is told.
func TestE2EAnEngineThatHangsIsAskedBehindTheScreen(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "docker"), []byte("#!/bin/sh\nexec /bin/sleep 60\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	s := newTerminal(t, 130, 42, "JAVA_HOME= PATH="+dir+" "+binary+" --http none")
	s.see("asking Docker", "1 checkout", "7 timeline")
	s.see("SIMULATED", "3/3 up", "simulated brokers, W has others: there is no Java")
	s.press("q")
	s.see("exit 0")
	s.restored()
	s.nothingLeft()
}
