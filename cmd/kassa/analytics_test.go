package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"kassa/services"
	"kassa/services/events"
)

// sold is a fake cluster with one checkout in its topics, the order of it twice.
func sold(t *testing.T) []kgo.Opt {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	opts := []kgo.Opt{kgo.SeedBrokers(c.ListenAddrs()...)}
	cl, err := kgo.NewClient(opts...)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	if err := services.EnsureTopics(t.Context(), kadm.NewClient(cl), services.TopicSettings{}); err != nil {
		t.Fatal(err)
	}
	one := events.Order{UserID: "ann", OrderID: "o", CheckoutID: "c"}
	for _, p := range []events.Payload{
		events.Payment{UserID: "ann", Cart: events.DefaultCart(), CheckoutID: "c", Amount: 694970},
		one, one,
		events.Email{UserID: "ann", EmailID: "e", CheckoutID: "c"},
	} {
		key, value, err := events.Encode(p)
		if err != nil {
			t.Fatal(err)
		}
		if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: p.Topic(), Key: key, Value: value}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	return opts
}

// after is a writer that calls then after so many lines.
type after struct {
	text  bytes.Buffer
	lines int
	then  func()
}

func (a *after) Write(b []byte) (int, error) {
	if a.lines--; a.lines == 0 {
		a.then()
	}
	return a.text.Write(b)
}

// Lines go to standard output and nothing else does; the totals come at the end, to standard error.
func TestAnalyticsEndsWithTheTotals(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	out, errs := &after{lines: 4, then: cancel}, &bytes.Buffer{}
	if err := runAnalytics(ctx, services.Config{Client: sold(t), Instance: "test"}, false, out, errs); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(out.text.String(), "\n"); n != 4 || strings.Count(out.text.String(), "order-successful/") != 2 {
		t.Errorf("%d lines:\n%s", n, &out.text)
	}
	for _, text := range []string{"revenue", "Rs. 6949.70", "1  100.0 %", "Nike Air Max", "repeated 1, duplicated 0, read again 0, without a payment 0"} {
		if !strings.Contains(errs.String(), text) {
			t.Errorf("no %q in:\n%s", text, errs)
		}
	}
}

// With --json every line is an object, the totals are the last.
func TestAnalyticsWritesJSONLines(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	out := &after{lines: 4, then: cancel}
	if err := runAnalytics(ctx, services.Config{Client: sold(t), Instance: "test"}, true, out, io.Discard); err != nil {
		t.Fatal(err)
	}
	var kinds []string
	var totals struct {
		Complete, Repeated int
		SinceStart         struct {
			Revenue  float64
			Funnel   struct{ Paid, Complete int }
			Products []struct{ Name string }
		}
	}
	for line := range strings.Lines(out.text.String()) {
		var v struct{ Type, Topic string }
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		kinds = append(kinds, v.Type)
		if v.Type == "totals" {
			if err := json.Unmarshal([]byte(line), &totals); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := fmt.Sprint(kinds); got != "[event event event event totals]" {
		t.Errorf("lines are %s", got)
	}
	s := totals.SinceStart
	if totals.Complete != 1 || totals.Repeated != 1 || s.Revenue != 6949.7 || s.Funnel.Paid != 1 || s.Funnel.Complete != 1 || len(s.Products) != 3 {
		t.Errorf("%+v in\n%s", totals, &out.text)
	}
}

// A reader that has stopped reading does not keep analytics from ending.
func TestAnalyticsEndsThoughNobodyReadsItsLines(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	r, w := io.Pipe()
	defer r.Close()
	var errs bytes.Buffer
	blocked := writerFunc(func(b []byte) (int, error) {
		cancel()
		return w.Write(b)
	})
	if err := runAnalytics(ctx, services.Config{Client: sold(t), Instance: "test"}, false, blocked, &errs); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(errs.String(), "revenue") {
		t.Errorf("said %q", &errs)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

// A line that cannot be written is not lost: the run ends, says what to do, and has not committed past it. Nobody who reads any more is no error.
func TestAnalyticsEndsWhenALineCannotBeWritten(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		broken error
		asJSON bool
		want   string
	}{
		{"full", syscall.ENOSPC, false, "the lines of analytics could not be written to standard output (writing a line: no space left on device)"},
		{"full, JSON", syscall.ENOSPC, true, "the lines of analytics could not be written to standard output (writing a line: no space left on device)"},
		{"closed", &fs.PathError{Op: "write", Path: "|1", Err: syscall.EPIPE}, true, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			client := sold(t)
			lines := 0
			full := writerFunc(func(b []byte) (int, error) {
				if lines++; lines > 2 {
					return 0, c.broken
				}
				return len(b), nil
			})
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			err := runAnalytics(ctx, services.Config{Client: client, Instance: "test"}, c.asJSON, full, io.Discard)
			if ctx.Err() != nil {
				t.Fatal("it did not end by itself")
			}
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.HasPrefix(oneLine(err), c.want) || exitCode(err) != exitCannot) {
				t.Errorf("got %v", err)
			}
			if lines != 3 {
				t.Errorf("%d lines were tried", lines)
			}
			// The next run has a line for every event: nothing of that batch was committed.
			out := &after{lines: 4, then: cancel}
			if err := runAnalytics(ctx, services.Config{Client: client, Instance: "test"}, false, out, io.Discard); err != nil || out.lines != 0 {
				t.Errorf("%v, %d lines are missing", err, out.lines)
			}
		})
	}
}
