//go:build e2e

package main

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"kassa/kafkaops"
	"kassa/services"
	"kassa/services/deadletters"
	"kassa/services/events"
	"kassa/services/poison"
)

// Poison of every kind on three real brokers, two services exactly-once and one at-least-once: each is in the dead letters once, with its
// reason, and what follows is carried. With one broker dead the dead letters are still listed, shown and retried.
func TestE2EPoison(t *testing.T) {
	cluster := start(t, "cluster")
	brokers := cluster.line()
	start(t, "service", "order", "--brokers", brokers)
	start(t, "service", "email", "--brokers", brokers)
	analytics := start(t, "service", "analytics", "--brokers", brokers)
	client := kafkaops.ClientOptions(strings.Split(brokers, ","))
	if err := makeTopics(t.Context(), client, services.TopicSettings{}); err != nil {
		t.Fatal(err)
	}
	why, carried := make(map[deadletters.Place]poison.Kind), 0
	for _, k := range poison.Kinds() {
		rec, err := poison.Write(t.Context(), client, k)
		if err != nil {
			t.Fatal(err)
		}
		if k.Reason == "" {
			carried++
		} else {
			why[deadletters.Place{Topic: rec.Topic, Partition: rec.Partition, Offset: rec.Offset}] = k
		}
	}
	say := func(want int, args ...string) string {
		t.Helper()
		cmd := exec.Command(binary, append(append([]string{"dlq"}, args...), "--brokers", brokers)...)
		out, err := cmd.CombinedOutput()
		if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != want {
			t.Errorf("kassa dlq %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	list := func() []string {
		return strings.Split(strings.TrimSpace(say(0, "list", "--json", "--limit", "1000")), "\n")
	}
	var lines []string
	until(t, "everything that is poison has died", func() bool { lines = list(); return len(lines) >= len(why) })
	if len(lines) != len(why) {
		t.Errorf("%d dead letters, want %d", len(lines), len(why))
	}
	for _, line := range lines {
		var l struct {
			Source struct {
				Topic     string
				Partition int32
				Offset    int64
			}
			Reason string
		}
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatal(err)
		}
		at := deadletters.Place(l.Source)
		k, ok := why[at]
		if !ok || !strings.Contains(l.Reason, k.Reason) {
			t.Errorf("%s (%s) died of %q, want %q", at, k.Name, l.Reason, k.Reason)
		}
		delete(why, at)
	}
	for at, k := range why {
		t.Errorf("%s (%s) has no dead letter", at, k.Name)
	}
	// What only looked like poison was carried, to the last topic.
	mails := 0
	until(t, "all others have an email", func() bool {
		for {
			select {
			case l := <-analytics.lines:
				mails += strings.Count(l, events.EmailSuccessful+"/")
				continue
			default:
			}
			return mails >= carried
		}
	})

	pids := jvms(cluster.tmp)
	if len(pids) != 3 {
		t.Fatalf("the brokers are %v", pids)
	}
	if err := syscall.Kill(pids[1], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if n := len(list()); n != len(lines) {
		t.Errorf("%d dead letters with a broker dead, want %d", n, len(lines))
	}
	var one struct {
		Topic     string
		Partition int32
		Offset    int64
	}
	for _, line := range lines {
		if strings.Contains(line, "negative") {
			_ = json.Unmarshal([]byte(line), &one)
		}
	}
	at := fmt.Sprintf("%s/%d@%d", one.Topic, one.Partition, one.Offset)
	if text := say(0, "show", at); !strings.Contains(text, "-499.9") {
		t.Errorf("show: %s", text)
	}
	if text := say(0, "retry", at); !strings.Contains(text, "1 dead letter retried.") {
		t.Errorf("retry: %s", text)
	}
	say(2, "retry", at)
	until(t, "the retry died again", func() bool {
		return strings.Contains(say(0, "list"), "(attempt 2)")
	})
}
