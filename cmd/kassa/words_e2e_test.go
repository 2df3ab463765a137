//go:build e2e

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"kassa/kafkaops"
)

// say types a command and enters it.
func (s *terminal) say(text string) {
	s.t.Helper()
	s.press(":")
	s.see("tab completes")
	s.tmux("send-keys", "-t", "t", "-l", text)
	s.see(":" + text)
	s.press("Enter")
}

// gone waits until the screen does not show a text any more.
func (s *terminal) gone(text string) {
	s.t.Helper()
	s.until(fmt.Sprintf("the screen does not show %q", text), func() bool { return !strings.Contains(s.screen(), text) })
}

// What an operator does by words on real brokers: follow a checkout, look into topics while one is written and deleted and brokers die, export what is seen.
func TestE2EWords(t *testing.T) {
	s := newTerminal(t, 200, 60, binary+" --http none")
	s.see("3/3 up", "under-replicated 0", "payment-successful   0 ")
	s.say("checkout")
	s.see("1 complete", "0 in flight")
	// What the tails do not hold yet is looked up, and that is said from then on. Pane 9 has the event too, without the number of its partition.
	held := regexp.MustCompile(`\d [0-9a-f]{4} email [0-9a-f]{8}`)
	s.until("the mail's event is in pane 4", func() bool { return held.MatchString(s.screen()) })

	s.press("3", "Enter")
	s.see("COMPLETE", "payment-successful/", "in a transaction", "caught here, mail 1", "All of it was held in the tails.")
	s.press("Escape")
	s.gone("COMPLETE")

	addrs := regexp.MustCompile(`127\.0\.0\.1:\d+`).FindAllString(s.screen(), 3)
	if len(addrs) != 3 {
		t.Fatalf("%q are the brokers", addrs)
	}
	cl, err := kgo.NewClient(kafkaops.ClientOptions(addrs)...)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	admin := kadm.NewClient(cl)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := admin.CreateTopic(ctx, 2, 3, nil, "carts"); err != nil {
		t.Fatal(err)
	}
	var records []*kgo.Record
	written := time.Now().Add(-time.Second) // a page is in order of time: each has its own
	for i := range 600 {
		records = append(records, &kgo.Record{Topic: "carts", Timestamp: written.Add(time.Duration(i) * time.Millisecond), Key: fmt.Append(nil, i), Value: fmt.Appendf(nil, "cart number %d.", i)})
	}
	if err := cl.ProduceSync(ctx, records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	s.press("t")
	s.see("carts", "__consumer_offsets", "Kafka's own")
	s.tmux("send-keys", "-t", "t", "-l", "cart")
	s.see("1 of ")
	s.press("Enter")
	s.see("1  latest", "2  earliest")
	s.press("2")
	s.see("O carts", "FROM the beginning 100 to come", "cart number ")
	s.press("G") // asks for the next page, which is the last; another pane is paused too
	s.until("the reading is at its end", func() bool { return regexp.MustCompile(`O carts ━+ PAUSED`).MatchString(s.screen()) })
	s.press("f")
	s.see("O carts", "LIVE", "cart number 599.")
	file := filepath.Join(t.TempDir(), "carts.ndjson")
	s.say("export " + file)
	s.see("600 records of carts written to")
	if b, err := os.ReadFile(file); err != nil || strings.Count(string(b), "\n") != 600 {
		t.Errorf("%d lines are there: %v", strings.Count(string(b), "\n"), err)
	}
	s.say("search number 599.")
	s.see(`"number 599.": 1 match in`, "◆")

	s.say("kill 2")
	s.see("Kill -9 broker 2?", "2 of 3 remain")
	s.probeWarms()
	s.press("y")
	s.see("2/3 up", "leaders moved", "acks resumed")
	if err := cl.ProduceSync(ctx, &kgo.Record{Topic: "carts", Value: []byte("after the kill")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	s.see("after the kill")
	if _, err := admin.DeleteTopic(ctx, "carts"); err != nil {
		t.Fatal(err)
	}
	s.see("DELETED", "the topic was deleted at", "after the kill")
	s.press("x")
	s.gone("O carts")

	s.say("topic payment-successful earliest")
	s.see("O payment-successful")
	s.say("kill 3")
	s.see("Kill -9 broker 3?")
	s.press("y")
	s.see("1/3 up", "NO QUORUM", "broker 3 silent for")
	s.say("start 2")
	s.see("Start broker 2?")
	s.press("y")
	s.see("2/3 up")
	s.gone("broker 3 silent for")

	begun := time.Now()
	s.press("q")
	s.see("exit 0")
	t.Logf("q took %d ms", time.Since(begun).Milliseconds())
	s.restored()
	s.nothingLeft()
}
