package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"kassa/services"
	"kassa/services/events"
)

// kassaSays runs a command and returns what it wrote and its exit code, with the sentence of a failure.
func kassaSays(t *testing.T, args ...string) (string, int) {
	t.Helper()
	var out bytes.Buffer
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(&out)
	root.SetErr(&out)
	root.SilenceErrors, root.SilenceUsage = true, true
	err := root.ExecuteContext(t.Context())
	if err != nil {
		out.WriteString(oneLine(err))
	}
	return out.String(), exitCode(err)
}

func TestDLQCommands(t *testing.T) {
	t.Parallel()
	c, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	brokers := "--brokers=" + c.ListenAddrs()[0]
	says := func(want string, code int, args ...string) string {
		t.Helper()
		text, got := kassaSays(t, append([]string{"dlq"}, append(args, brokers)...)...)
		if got != code || !strings.Contains(text, want) {
			t.Errorf("%q: exit code %d, want %d with %q:\n%s", args, got, code, want, text)
		}
		if code == exitCannot && strings.Contains(strings.TrimSpace(text), "\n") {
			t.Errorf("%q: more than a sentence: %s", args, text)
		}
		return text
	}
	says("No dead letters.", exitOK, "list") // there are not even topics
	if err := services.EnsureTopics(t.Context(), kadm.NewClient(cl), services.TopicSettings{}); err != nil {
		t.Fatal(err)
	}
	says("No dead letters.", exitOK, "list")
	letter := func(value, reason string, offset string) *kgo.Record {
		return &kgo.Record{Topic: events.DeadLetters(events.PaymentSuccessful), Partition: 1, Key: []byte("k\x1b[2J"), Value: []byte(value), Headers: []kgo.RecordHeader{
			{Key: "mine\x07", Value: []byte("\x1b]0;hi\x07")},
			{Key: services.HeaderDeadTopic, Value: []byte(events.PaymentSuccessful)},
			{Key: services.HeaderDeadPartition, Value: []byte("1")},
			{Key: services.HeaderDeadOffset, Value: []byte(offset)},
			{Key: services.HeaderDeadTime, Value: []byte("2026-01-02T03:04:05Z")},
			{Key: services.HeaderDeadError, Value: []byte(reason)},
			{Key: services.HeaderDeadService, Value: []byte("order")},
		}}
	}
	if err := cl.ProduceSync(t.Context(), letter("{\"a\":\"\u202e\"}", "cart[0].price \x1b[31mis negative", "7"), letter("\xff\x00", "invalid UTF-8", "8")).FirstErr(); err != nil {
		t.Fatal(err)
	}
	table := says("payment-successful.dlq/1@1", exitOK, "list")
	for _, want := range []string{"2 dead letters", "invalid UTF-", "cart[#].price", "COUNT"} {
		if !strings.Contains(table, want) {
			t.Errorf("no %q in\n%s", want, table)
		}
	}
	shown := says("source    payment-successful/1@7", exitOK, "show", "payment-successful/1@7")
	if strings.ContainsAny(table+shown, "\x1b\x07\u202e") {
		t.Errorf("what a stranger wrote reached the terminal:\n%q", table+shown)
	}
	says("00000000  ff 00", exitOK, "show", "payment-successful.dlq/1@1")
	if raw := says("", exitOK, "show", "payment-successful.dlq/1@1", "--raw"); raw != "\xff\x00" {
		t.Errorf("raw: %q", raw)
	}
	lines := strings.Split(strings.TrimSpace(says("", exitOK, "list", "--json", "--limit", "5")), "\n")
	var first struct {
		Partition, Size, Attempt int
		Source                   struct{ Offset int }
		Retried                  *struct{ As string }
	}
	if err := json.Unmarshal([]byte(lines[0]), &first); err != nil || len(lines) != 2 || first.Partition != 1 || first.Source.Offset < 7 || first.Attempt != 1 || first.Retried != nil {
		t.Errorf("%v %+v:\n%s", err, first, lines)
	}
	says("would go to payment-successful/1", exitOK, "retry", "--topic", "payment-successful.dlq", "--reason", "UTF", "--dry-run")
	says("payment-successful.dlq/1@1 is now payment-successful/1@0", exitOK, "retry", "payment-successful/1@8")
	says("give --again", exitCannot, "retry", "payment-successful.dlq/1@1")
	says("1 dead letter retried", exitOK, "retry", "--topic", "payment-successful")
	says("Nothing to retry", exitOK, "retry", "--topic", "payment-successful")
	says("; 2 retried", exitOK, "list")

	says("--topic is one of", exitCannot, "list", "--topic", "carts")
	says("--since is a duration", exitCannot, "list", "--since", "yesterday")
	says("--limit is 1 to", exitCannot, "list", "--limit", "0")
	says("kassa dlq list shows", exitCannot, "show", "payment-successful/0@99")
	says("the shop's topics are", exitCannot, "show", "carts/0@1")
	says("is no TOPIC/PARTITION@OFFSET", exitCannot, "show", "carts")
	says("needs to know which", exitCannot, "retry")
	says("either places, or", exitCannot, "retry", "payment-successful/1@8", "--reason", "x")
	says("takes the place", exitCannot, "show")
	if text, code := kassaSays(t, "dlq", "burn"); code != exitCannot || !strings.Contains(text, `not "burn"`) {
		t.Errorf("%d: %s", code, text)
	}
}

func TestSince(t *testing.T) {
	now := time.Date(2026, 11, 24, 5, 0, 0, 0, time.UTC)
	if at, err := parseSince("90m", now); err != nil || !at.Equal(now.Add(-90*time.Minute)) {
		t.Error(at, err)
	}
	if at, err := parseSince("2026-11-24T04:00:00Z", now); err != nil || !at.Equal(now.Add(-time.Hour)) {
		t.Error(at, err)
	}
	for _, bad := range []string{"-5m", "0s", "soon", "5"} {
		if at, err := parseSince(bad, now); err == nil {
			t.Errorf("%q is %s", bad, at)
		}
	}
}
