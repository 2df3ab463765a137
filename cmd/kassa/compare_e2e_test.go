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

	"kassa/kafkaops/drill"
	"kassa/kafkaops/drill/compare"
)

// shortLoss is the drill acks-one without its long warm-up: nothing of it is measured here.
const shortLoss = `name: short
about: The followers of a partition hang while its leader acknowledges alone, and then the leader dies.
load:
  rate: 200
  warm-up: 2s
steps:
  - at: 500ms
    pause: followers of payment-successful/0
  - wait: 400ms
    kill: leader of payment-successful/0
  - resume: all
  - after: writes go on
    back: all
  - after: whole
`

// acks=1 loses what its leader acknowledged alone, and says which orders and why; acks=all, with the same seed and the same faults, loses nothing.
func TestE2ECompareShowsALoss(t *testing.T) {
	long(t)
	dir := t.TempDir()
	file, page := filepath.Join(dir, "short.yaml"), filepath.Join(dir, "out.html")
	if err := os.WriteFile(file, []byte(shortLoss), 0o644); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(t.Context(), binary, "compare", "acks=1", "acks=all", "--runs", "1", "--json", "--report", page, "--log-file", filepath.Join(dir, "log"),
		"--", "drill", file, "--cluster", "local", "--seed", "3")
	cmd.Env = append(os.Environ(), "KAFKA_HOME=")
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s%s", err, &out, &errs)
	}
	var c compare.Comparison
	if err := json.Unmarshal(out.Bytes(), &c); err != nil {
		t.Fatalf("%v: %s", err, &out)
	}
	a, b := c.Sides[0], c.Sides[1]
	if c.Verdict != drill.Pass || c.Simulated || a.Audited != 1 || b.Audited != 1 || a.Promises || !b.Promises {
		t.Fatalf("%s", &out)
	}
	if len(a.Lost) == 0 || len(b.Lost) > 0 || c.Counts[0].Name != "lost" || c.Counts[0].Sides[0].N == 0 || c.Counts[0].Sides[1].N != 0 {
		t.Errorf("lost: %d with acks=1, %d with acks=all; %+v", len(a.Lost), len(b.Lost), c.Counts)
	}
	why := ""
	for _, d := range c.Differences {
		why += d.Text
	}
	if !strings.Contains(why, "the leader acknowledged them when they were in its own log alone") {
		t.Errorf("it does not say why: %s", why)
	}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range a.Lost {
		if !bytes.Contains(text, []byte(f.Checkout)) {
			t.Errorf("the report does not name %s", f.Checkout)
		}
	}
	t.Logf("%d lost of %d with acks=1, %d of %d with acks=all", c.Counts[0].Sides[0].N, a.Accepted, c.Counts[0].Sides[1].N, b.Accepted)
}
