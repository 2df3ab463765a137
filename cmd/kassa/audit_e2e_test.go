//go:build e2e

package main

import (
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kassa/kafkaops"
	"kassa/kafkaops/local"
	"kassa/services"
	"kassa/services/events"
	"kassa/services/ledger"
	"kassa/services/payment"
)

// On real brokers a flow without faults passes, and what is planted by hand afterwards is named, also with a broker dead: a second order for a checkout, an
// order without payment, and a promise that was not kept. What an aborted transaction held does not count.
func TestE2EAudit(t *testing.T) {
	cluster := guarded(t, local.Config{})
	shop, err := openShop(t.Context(), cluster, slog.New(slog.DiscardHandler), shopConfig{Products: events.DefaultCart()})
	if err != nil {
		t.Fatal(err)
	}
	closing := sync.OnceFunc(func() { shop.close(5 * time.Second) })
	defer closing()
	const customers = 200
	for range customers {
		shop.payment.Submit(payment.Request{Cart: events.DefaultCart()}, func(payment.Receipt, error) {})
	}
	var rep ledger.Report
	until(t, "every checkout is complete", func() bool {
		answered := shop.book.Counts().Pending == 0
		if rep, err = shop.audit(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		return answered && rep.Complete == customers
	})
	others := slices.DeleteFunc(rep.Findings, func(f ledger.Finding) bool { return f.Kind == ledger.KindMailedTwice }) // a batch was undone, and done again
	if rep.Verdict() != ledger.Pass || rep.Accepted != customers || len(others) > 0 {
		t.Errorf("%s, %+v, %v", rep.Verdict(), rep.Counts, others)
	}
	file, err := os.Create(filepath.Join(t.TempDir(), "promises"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := shop.book.WriteTo(file); err != nil {
		t.Fatal(err)
	}
	says := func(want int, args ...string) (out struct {
		Verdict                               string
		Complete, Lost, Duplicated, Aborted   int
		WithoutCause, ChangedAmount, Repeated int
		Findings                              []ledger.Finding
	},
	) {
		t.Helper()
		text, err := exec.Command(binary, append([]string{"audit", "--json", "--brokers", strings.Join(cluster.Bootstrap(), ",")}, args...)...).Output()
		code := 0
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			code = exit.ExitCode()
		}
		if err := json.Unmarshal(text, &out); err != nil || code != want {
			t.Fatalf("kassa audit %q: exit code %d, want %d (%v)\n%s", args, code, want, err, text)
		}
		return out
	}
	if got := says(exitOK); got.Verdict != "pass" || got.Complete != customers {
		t.Errorf("by the log alone: %+v", got)
	}
	if got := says(exitOK, "--promises", file.Name()); got.Verdict != "pass" || got.Complete != customers {
		t.Errorf("against the promises: %+v", got)
	}
	closing() // nobody answers what is planted

	victim := ""
	dec := json.NewDecoder(mustOpen(t, file.Name()))
	for dec.More() && victim == "" {
		var p struct{ CheckoutID string }
		if err := dec.Decode(&p); err != nil {
			t.Fatal(err)
		}
		victim = p.CheckoutID
	}
	plant := func(end kgo.TransactionEndTry, orders ...events.Order) {
		t.Helper()
		cl, err := kgo.NewClient(append(kafkaops.ClientOptions(cluster.Bootstrap()), kgo.TransactionalID("planted"))...)
		if err != nil {
			t.Fatal(err)
		}
		defer cl.Close()
		if err := cl.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		for _, o := range orders {
			key, value, err := events.Encode(o)
			if err == nil {
				err = cl.ProduceSync(t.Context(), &kgo.Record{Topic: o.Topic(), Key: key, Value: value}).FirstErr()
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := cl.EndTransaction(t.Context(), end); err != nil {
			t.Fatal(err)
		}
	}
	plant(kgo.TryAbort, events.Order{UserID: "u", CheckoutID: "undone", OrderID: "x"}, events.Order{UserID: "u", CheckoutID: victim, OrderID: "x"})
	if got := says(exitOK); got.Aborted < 2 || got.Complete != customers {
		t.Errorf("an aborted transaction: %+v", got)
	}
	plant(kgo.TryCommit, events.Order{UserID: "u", CheckoutID: victim, OrderID: "another"}, events.Order{UserID: "u", CheckoutID: "ghost", OrderID: services.OrderID("ghost")})
	if err := cluster.Do(t.Context(), kafkaops.Fault{Verb: kafkaops.Kill, Node: 2}); err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteString(`{"checkoutId":"never","outcome":"accepted","amount":6949.7}` + "\n"); err != nil {
		t.Fatal(err)
	}
	names := func(findings []ledger.Finding) (all []string) {
		for _, f := range findings {
			all = append(all, f.Kind+" "+f.Checkout)
		}
		return all
	}
	got := says(exitBad)
	if want := []string{"duplicated " + victim, "withoutCause ghost"}; got.Verdict != "fail" || !slices.Equal(names(got.Findings), want) || len(got.Findings[0].Where) != 4 {
		t.Errorf("by the log alone: %+v, want %q", got, want)
	}
	text, _ := exec.Command(binary, "audit", "--promises", file.Name(), "--brokers", strings.Join(cluster.Bootstrap(), ",")).CombinedOutput() // its exit code is checked above
	t.Logf("for people:\n%s", text)
	got = says(exitBad, "--promises", file.Name())
	if want := []string{"lost never", "duplicated " + victim, "withoutCause ghost"}; got.Verdict != "fail" || !slices.Equal(names(got.Findings), want) {
		t.Errorf("against the promises: %+v, want %q", got, want)
	}
}

func mustOpen(t *testing.T, name string) *os.File {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}
