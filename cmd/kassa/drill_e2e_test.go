//go:build e2e

package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"kassa/kafkaops"
	"kassa/kafkaops/drill"
)

// `kassa drill chaos` breaks real brokers three times, finds all orders in the log, says so as one line of JSON, and leaves nothing behind.
func TestE2EDrill(t *testing.T) {
	tmp := filepath.Join(t.TempDir(), "tmp")
	if err := os.Mkdir(tmp, 0o755); err != nil {
		t.Fatal(err)
	}
	const seed = "1767" // draws a kill, a crash of a service and a pause
	cmd := exec.Command(binary, "drill", "chaos", "--faults", "3", "--json", "--cluster", "local", "--warm-up", "2s", "--seed", seed)
	cmd.Env = append(os.Environ(), "TMPDIR="+tmp, "KAFKA_HOME=")
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, errs.String(), out)
	}
	if strings.Count(string(out), "\n") != 1 || errs.Len() > 0 {
		t.Errorf("more than a line: %q, %q", out, errs.String())
	}
	var r drill.Result
	if err := json.Unmarshal(out, &r); err != nil {
		t.Fatal(err)
	}
	if r.Verdict != drill.Pass || !r.Audited || r.Simulated || r.Accepted < 1000 || r.Complete < r.Accepted || r.Lost+r.Duplicated+r.Repeated > 0 {
		t.Errorf("%s because of %q: %+v", r.Verdict, r.Reasons, r.Counts)
	}
	var kinds []string
	for _, f := range r.Faults {
		kinds = append(kinds, f.Kind)
		broker := f.Kind != "crash"
		if broker != (f.Node != 0) || broker != (f.WriteGapMs != nil) || f.FlowGapMs == nil || len(f.Phases) == 0 || f.Err != "" {
			t.Errorf("%+v", f)
		}
	}
	if got := strings.Join(kinds, " "); got != "kill crash pause" {
		t.Errorf("the faults were %s", got)
	}
	t.Logf("%d orders, write gaps %+v, ack p99 %.0f ms, flow p99 %.0f ms, %.0f s", r.Accepted, drill.Gaps(r.Faults, drill.WriteGap), r.Ack.P99, r.Flow.P99, r.Seconds)
	for _, v := range r.Settings {
		if v.Name == "profile" && v.Value != kafkaops.ProfileFastFailover {
			t.Errorf("%+v", r.Settings)
		}
	}
	if pids := jvms(tmp); len(pids) > 0 {
		t.Errorf("brokers are left: %v", pids)
	}
	if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
		t.Errorf("files are left: %v, %v", left, err)
	}
}
