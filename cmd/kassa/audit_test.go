package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"kassa/kafkaops/drill"
	"kassa/kafkaops/embedded"
	"kassa/services"
	"kassa/services/events"
	"kassa/services/ledger"
	"kassa/services/payment"
	"kassa/services/poison"
)

// The ledger and the services share no code, and mean the same by a checkout: of a shop whose customers order all is found as it was promised, and every
// kind of poison in its topics, also where an event names no checkout, is judged as what became of it.
func TestAuditOfTheShop(t *testing.T) {
	t.Parallel()
	// Ports that no other kassa would take: its customers would order here when its own cluster ends.
	cluster, err := embedded.Start(t.Context(), embedded.Config{Ports: freePorts(t, 3)})
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	s, err := openShop(context.Background(), cluster, slog.New(slog.DiscardHandler), shopConfig{Products: events.DefaultCart()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.close(5 * time.Second)
	const customers = 300
	for range customers {
		s.payment.Submit(payment.Request{Cart: events.DefaultCart()}, func(payment.Receipt, error) {})
	}
	s.payment.Submit(payment.Request{}, func(payment.Receipt, error) {}) // without a cart
	rep := s.auditAtRest(t, 0)
	c := rep.Counts
	others := slices.DeleteFunc(slices.Clone(rep.Findings), func(f ledger.Finding) bool { return f.Kind == ledger.KindMailedTwice }) // on a slow machine
	if rep.Verdict() != ledger.Pass || c.Accepted != customers || c.Complete != customers || c.Refused != 1 || len(others) > 0 {
		t.Errorf("%s, %+v, %d findings", rep.Verdict(), c, len(rep.Findings))
	}

	// One kind of poison is from 1970, and the brokers' retention would take it, and all before it.
	cl, err := kgo.NewClient(s.client...)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	keep := []kadm.AlterConfig{{Name: "retention.ms", Value: new("-1")}}
	if _, err := kadm.NewClient(cl).AlterTopicConfigs(t.Context(), keep, events.Topics()...); err != nil {
		t.Fatal(err)
	}
	died, named, bare, ghosts := int64(0), int64(0), int64(0), int64(0)
	for _, k := range poison.Kinds() {
		rec, err := poison.Write(t.Context(), s.client, k)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case k.Reason != "":
			died++
		case k.Topic == events.PaymentSuccessful && rec.Timestamp.Before(s.book.Begun()): // "written in 1970", before the book
			bare++
		case k.Topic == events.PaymentSuccessful:
			named++ // nobody asked for it
		case strings.Contains(string(rec.Value), "checkoutId"):
			ghosts++ // nor is its payment there
		default:
			bare++ // it names no checkout, so it begins one
		}
	}
	rep = s.auditAtRest(t, died) // analytics buries emails, and nothing waits for it
	if c = rep.Counts; c.DeadLettered != died || c.WithoutCause != named+ghosts || c.Complete != customers+bare || c.Bad() != c.WithoutCause || c.InFlight != 0 {
		t.Errorf("%d died, %d were never asked for, %d without payment, %d name no checkout: %+v", died, named, ghosts, bare, c)
		for _, f := range rep.Findings[:min(len(rep.Findings), int(c.WithoutCause)+3)] {
			t.Log(f)
		}
	}
	alone, err := ledger.Audit(t.Context(), ledger.Config{Client: s.client})
	if c = alone.Counts; err != nil || c.DeadLettered != died || c.WithoutCause != ghosts || c.Complete != customers+bare+named || c.Bad() != ghosts || c.InFlight != 0 {
		t.Errorf("by the log alone: %v, %+v", err, c)
	}

	var file bytes.Buffer
	if _, err := s.book.WriteTo(&file); err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(file.Bytes(), []byte("\n")); n != customers {
		t.Errorf("%d promises were written, want %d", n, customers)
	}
}

// auditAtRest judges the shop as soon as nothing is on its way, and so many dead letters are written.
func (s *shop) auditAtRest(t *testing.T, died int64) ledger.Report {
	t.Helper()
	tick := time.NewTicker(300 * time.Millisecond) // an audit reads all there is, and would keep the shop from its work
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); ; <-tick.C {
		answered := s.book.Counts().Pending == 0
		rep, err := s.audit(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if answered && rep.InFlight == 0 && rep.DeadLettered >= died || time.Now().After(deadline) {
			return rep
		}
	}
}

func freePorts(t *testing.T, n int) (ports []int) {
	t.Helper()
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports
}

// The command names what is wrong, and its exit code says so: on text, as JSON, and against promises.
func TestAuditCommand(t *testing.T) {
	t.Parallel()
	c, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	dir := t.TempDir()
	brokers := "--brokers=" + c.ListenAddrs()[0]
	says := func(code int, want []string, args ...string) string {
		t.Helper()
		text, got := kassaSays(t, append([]string{"audit", brokers}, args...)...)
		if got != code {
			t.Errorf("%q: exit code %d, want %d:\n%s", args, got, code, text)
		}
		for _, w := range want {
			if !strings.Contains(text, w) {
				t.Errorf("%q: no %q in\n%s", args, w, text)
			}
		}
		return text
	}
	says(exitCannot, []string{"none of the shop's topics is there"})
	if err := services.EnsureTopics(t.Context(), kadm.NewClient(cl), services.TopicSettings{}); err != nil {
		t.Fatal(err)
	}
	says(exitOK, []string{"pass: nothing is lost", "among 0 checkouts"})

	write := func(p events.Payload) {
		t.Helper()
		key, value, err := events.Encode(p)
		if err == nil {
			err = cl.ProduceSync(t.Context(), &kgo.Record{Topic: p.Topic(), Key: key, Value: value}).FirstErr()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	var promises strings.Builder
	for _, id := range []string{"fine", "\x1b[2J"} {
		write(events.Payment{UserID: "u", CheckoutID: id, Cart: events.DefaultCart(), Amount: 694970})
		write(events.Order{UserID: "u", CheckoutID: id, OrderID: "o"})
		write(events.Email{UserID: "u", CheckoutID: id, EmailID: "e"})
		line, _ := json.Marshal(map[string]any{"checkoutId": id, "outcome": "accepted", "amount": 6949.7})
		fmt.Fprintf(&promises, "%s\n", line)
	}
	file := filepath.Join(dir, "promises")
	keep := func(text string) string {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return "--promises=" + file
	}
	says(exitOK, []string{"complete        2  paid", "judged against what was promised", "pass"}, keep(promises.String()))

	write(events.Order{UserID: "u", CheckoutID: "\x1b[2J", OrderID: "another"})
	text := says(exitBad, []string{"duplicated      1  two", "not all have the same id: payment-successful/", "fail: 1 duplicated\n"})
	if strings.Contains(text, "\x1b[2J") {
		t.Errorf("what a stranger wrote reached the terminal: %q", text)
	}
	out := says(exitBad, nil, "--json", keep(promises.String()+`{"checkoutId":"gone","outcome":"accepted"}`))
	var rep struct {
		Verdict          string
		Lost, Duplicated int
		Findings         []struct{ Kind, Checkout string }
	}
	if err := json.NewDecoder(strings.NewReader(out)).Decode(&rep); err != nil || rep.Verdict != "fail" || rep.Lost != 1 || rep.Duplicated != 1 || len(rep.Findings) != 2 || rep.Findings[0].Checkout != "gone" {
		t.Errorf("%v, %+v:\n%s", err, rep, out)
	}
	says(exitBad, []string{"1 more finding"}, "--findings=1", keep(promises.String()+`{"checkoutId":"gone","outcome":"accepted"}`))

	says(exitCannot, []string{"line 2: outcome is accepted, refused or unknown"}, keep(promises.String()[:strings.Index(promises.String(), "\n")+1]+`{"checkoutId":"x","outcome":"sold"}`))
	says(exitCannot, []string{"the promises cannot be read"}, "--promises", filepath.Join(dir, "nowhere"))
	says(exitCannot, []string{"give that too"}, "--others")
	says(exitCannot, []string{"--findings is 1 to"}, "--findings=0")
	says(exitCannot, []string{"--clock-skew is"}, "--clock-skew=-1s")
	says(exitCannot, []string{"--within is"}, "--within=-1s")
	says(exitCannot, []string{"there is no verdict", "--within"}, "--within=1ns")
	if out := says(exitCannot, nil, "--within=1ns", "--json"); !strings.Contains(out, `"verdict": "none"`) || strings.Contains(out, `"finished": true`) {
		t.Error(out)
	}
}

// Who could not connect in time is not told to give the audit more time: net's error says of itself that a deadline was exceeded.
func TestAnAuditThatFindsNobodySaysSo(t *testing.T) {
	dial := fmt.Errorf("unable to dial: %w", &net.OpError{Op: "dial", Net: "tcp", Err: context.DeadlineExceeded})
	if err := auditError(t.Context(), "x:1", ledger.Report{}, dial); err == nil || !strings.Contains(err.Error(), "check --brokers") {
		t.Errorf("said %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	if err := auditError(ctx, "x:1", ledger.Report{}, ctx.Err()); err == nil || !strings.Contains(err.Error(), "--within") {
		t.Errorf("said %v", err)
	}
}

func TestThousands(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1000: "-1,000", -100: "-100"} {
		if got := thousands(n); got != want {
			t.Errorf("%d is written %s, want %s", n, got, want)
		}
	}
}

// What a ledger counts and finds comes to a drill under the same names, and nothing is left out without a word.
func TestVerdictInTheWordsOfADrill(t *testing.T) {
	rep := ledger.Report{Finished: true, Counts: ledger.Counts{
		Accepted: 1, Refused: 2, Unknown: 3, Complete: 4, InFlight: 5, Lost: 6, Duplicated: 7, Repeated: 8, Indeterminate: 9, DeadLettered: 10,
		WithoutCause: 11, ChangedAmount: 12, OutOfOrder: 13, MailedTwice: 14, Unjudged: 15,
	}, Findings: []ledger.Finding{{Kind: ledger.KindLost, Checkout: "c", Detail: "why", Where: []string{"order-successful/0@1"}}}}
	fields := func(of any) map[string]any {
		text, err := json.Marshal(of)
		var got map[string]any
		if err = errors.Join(err, json.Unmarshal(text, &got)); err != nil {
			t.Fatal(err)
		}
		return got
	}
	want := fields(rep.Counts)
	delete(want, "unjudged") // that makes it no verdict
	if got := fields(countsOf(rep)); !maps.Equal(got, want) || len(got) != 14 {
		t.Errorf("%v, want %v", got, want)
	}
	if got := findingsOf(rep); len(got) != 1 || !maps.EqualFunc(fields(got[0]), fields(rep.Findings[0]), func(a, b any) bool { return fmt.Sprint(a) == fmt.Sprint(b) }) {
		t.Errorf("%v", got)
	}
	for _, c := range []struct {
		rep  ledger.Report
		want drill.Verdict
		why  string
	}{
		{rep, drill.Fail, ""},
		{ledger.Report{Finished: true}, drill.Pass, ""},
		{ledger.Report{Why: "asleep"}, drill.NoVerdict, "the audit did not finish: asleep"},
		{ledger.Report{Finished: true, Promised: true, Counts: ledger.Counts{Unjudged: 1}}, drill.NoVerdict, "the topics no longer hold"},
		{ledger.Report{Finished: true, Counts: ledger.Counts{Unjudged: 1}}, drill.Pass, ""},
	} {
		if got, why := verdictOf(c.rep); got != c.want || !strings.Contains(why, c.why) {
			t.Errorf("%+v: %s, %q", c.rep, got, why)
		}
	}
}
