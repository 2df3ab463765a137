//go:build e2e

package main

import (
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"kassa/kafkaops"
	"kassa/kafkaops/embedded"
)

// kcat runs librdkafka's command line client (Debian's package kafkacat) with something on its standard input, and gives what it writes.
func kcat(t *testing.T, in, brokers string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "kcat", append([]string{"-b", brokers}, args...)...)
	cmd.Stdin, cmd.WaitDelay = strings.NewReader(in), time.Second
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("kcat %s: %v: %s", strings.Join(args, " "), err, errs.String())
	}
	return string(out)
}

// Another client than ours, and another library than franz-go: it makes topics by asking, writes, reads, shares work in a group, and takes part in transactions, all
// of it on `kassa cluster --cluster embedded`.
func TestE2EKcatOnSimulatedBrokers(t *testing.T) {
	p := start(t, "cluster", "--cluster", "embedded")
	brokers := p.line()
	var in strings.Builder
	var want []string
	for i := range 1000 {
		want = append(want, fmt.Sprintf("key-%d=value %d", i, i))
		fmt.Fprintf(&in, "key-%d:value %d\n", i, i)
	}
	slices.Sort(want)
	kcat(t, in.String(), brokers, "-P", "-t", "by-kcat", "-K:", "-z", "snappy", "-X", "acks=all", "-X", "enable.idempotence=true")
	same := func(what, got string) {
		t.Helper()
		lines := strings.Split(strings.TrimSpace(got), "\n")
		slices.Sort(lines)
		if !slices.Equal(lines, want) {
			t.Errorf("%s: %d lines, want %d: %.200s", what, len(lines), len(want), got)
		}
	}
	same("read", kcat(t, "", brokers, "-C", "-t", "by-kcat", "-e", "-q", "-f", "%k=%s\n"))
	same("read in a group", kcat(t, "", brokers, "-G", "kcats", "-e", "-q", "-o", "beginning", "-f", "%k=%s\n", "by-kcat"))
	if meta := kcat(t, "", brokers, "-L", "-t", "by-kcat"); strings.Count(meta, "isrs: ") != 3 || !strings.Contains(meta, " 3 brokers:") {
		t.Errorf("the metadata: %s", meta)
	}
	kcat(t, "1\n2\n3\n", brokers, "-P", "-t", "in-a-transaction", "-X", "transactional.id=kcat")
	got := strings.Fields(kcat(t, "", brokers, "-C", "-t", "in-a-transaction", "-e", "-q", "-X", "isolation.level=read_committed"))
	if slices.Sort(got); !slices.Equal(got, []string{"1", "2", "3"}) {
		t.Errorf("of a transaction: %q", got)
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := p.wait(); code != 0 {
		t.Errorf("exit code %d: %s", code, p.errs)
	}
}

// librdkafka lives through the death of a broker as franz-go does: what it was told is written is there, once.
func TestE2EKcatSurvivesTheDeathOfASimulatedBroker(t *testing.T) {
	c, err := embedded.Start(t.Context(), embedded.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	brokers := strings.Join(c.Bootstrap(), ",")
	kcat(t, "first\n", brokers, "-P", "-t", "survivors")
	if err := c.Do(t.Context(), kafkaops.Fault{Verb: kafkaops.Kill, Node: 2}); err != nil {
		t.Fatal(err)
	}
	var in strings.Builder
	for i := range 300 {
		fmt.Fprintln(&in, i)
	}
	kcat(t, in.String(), brokers, "-P", "-t", "survivors", "-X", "acks=all", "-X", "enable.idempotence=true", "-X", "message.timeout.ms=60000")
	got := strings.Fields(kcat(t, "", brokers, "-C", "-t", "survivors", "-e", "-q"))
	if slices.Sort(got); len(got) != 301 || len(slices.Compact(got)) != 301 {
		t.Errorf("%d lines, want 301, each once", len(got))
	}
}
