package main

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kassa/services/events"
	"kassa/services/payment"
)

// A door whose port is taken opens elsewhere and says where, unless that very port was asked for.
func TestDoorOpensElsewhere(t *testing.T) {
	first, err := openDoor("127.0.0.1:0", false)
	if err != nil {
		t.Fatal(err)
	}
	defer first.close(context.Background())
	addr := first.listener.Addr().String()
	if first.note != "" {
		t.Errorf("it says %q", first.note)
	}
	if d, err := openDoor(addr, false); err == nil {
		d.close(context.Background())
		t.Error("two doors have one address")
	}
	second, err := openDoor(addr, true)
	if err != nil {
		t.Fatal(err)
	}
	defer second.close(context.Background())
	if !strings.Contains(second.note, addr+" is taken") || !strings.Contains(second.note, second.url()) {
		t.Errorf("it says %q, and listens on %s", second.note, second.url())
	}
	resp, err := http.Post(second.url(), "application/json", strings.NewReader(`{"cart":[{"id":1,"price":1}]}`))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
		t.Errorf("before there is a shop it answers %s", resp.Status)
	}
}

// Before there is a shop a browser lets its page read why, and the process is known to live.
func TestADoorThatIsShutSpeaksHTTPAsEver(t *testing.T) {
	d, err := openDoor("127.0.0.1:0", false)
	if err != nil {
		t.Fatal(err)
	}
	defer d.close(context.Background())
	ask := func(method, path string) *http.Response {
		t.Helper()
		req, err := http.NewRequest(method, strings.Replace(d.url(), "/payment-service", path, 1), strings.NewReader(`{"cart":[{"id":1,"price":1}]}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Origin", "http://localhost:3000")
		req.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp
	}
	for _, c := range []struct {
		method, path string
		code         int
	}{
		{"OPTIONS", "/payment-service", http.StatusNoContent},
		{"POST", "/payment-service", http.StatusServiceUnavailable},
		{"GET", "/healthz", http.StatusOK},
		{"GET", "/readyz", http.StatusServiceUnavailable},
	} {
		if r := ask(c.method, c.path); r.StatusCode != c.code || r.Header.Get("Access-Control-Allow-Origin") == "" || (c.code == http.StatusServiceUnavailable) != (r.Header.Get("Retry-After") != "") {
			t.Errorf("%s %s: %s, %v", c.method, c.path, r.Status, r.Header)
		}
	}
}

// waitingTill takes what comes and hears nothing of it.
type waitingTill struct{ in chan struct{} }

func (w waitingTill) Checkout(ctx context.Context, _ payment.Request) (payment.Receipt, error) {
	w.in <- struct{}{}
	<-ctx.Done()
	return payment.Receipt{}, payment.ErrUnknown
}

func (waitingTill) Ready(context.Context) error { return nil }

// Who still waits for Kafka when payment has to end is told that it is not known, and when to ask again.
func TestWhoWaitsWhenTheDoorClosesIsAnswered(t *testing.T) {
	d, err := openDoor("127.0.0.1:0", false)
	if err != nil {
		t.Fatal(err)
	}
	till := waitingTill{make(chan struct{}, 1)}
	d.open(payment.Handler(till, nil))
	answer := make(chan *http.Response, 1)
	go func() {
		resp, err := http.Post(d.url(), "application/json", strings.NewReader(`{"cart":[{"id":1,"price":1}]}`))
		if err != nil {
			t.Error(err)
		} else {
			resp.Body.Close()
		}
		answer <- resp
	}()
	<-till.in
	ctx, cancel := context.WithTimeout(t.Context(), lastWords+100*time.Millisecond)
	defer cancel()
	d.close(ctx)
	if resp := <-answer; resp != nil && (resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "") {
		t.Errorf("%s, %v", resp.Status, resp.Header)
	}
}

// Payment that is told to end lets nobody in any more, and answers those who are in.
func TestPaymentDrains(t *testing.T) {
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(3, events.PaymentSuccessful))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	stalled := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotEnoughReplicas, Count: -1})
	said, log := io.Pipe()
	ctx, end := context.WithCancel(t.Context())
	defer end()
	ended := make(chan error, 1)
	go func() {
		ended <- servePayment(ctx, payment.Config{
			Client: []kgo.Opt{
				kgo.SeedBrokers(c.ListenAddrs()...), kgo.MetadataMinAge(20 * time.Millisecond),
				kgo.RetryBackoffFn(func(int) time.Duration { return 10 * time.Millisecond }),
			},
			Log: slog.New(slog.NewTextHandler(log, nil)),
		}, "127.0.0.1:0")
	}()
	line := make([]byte, 1000)
	n, err := said.Read(line)
	if err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.Copy(io.Discard, said) }()
	url := regexp.MustCompile(`http://\S+`).FindString(string(line[:n]))
	post := func() (string, error) {
		resp, err := http.Post(url, "application/json", strings.NewReader(`{"cart":[{"id":1,"price":1}]}`))
		if err != nil {
			return "", err
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		return string(text), err
	}
	inside := make(chan string, 1)
	go func() {
		text, err := post()
		if err != nil {
			text = err.Error()
		}
		inside <- text
	}()
	wait, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := stalled.Wait(wait, 1); err != nil {
		t.Fatal(err)
	}
	end()
	for refused := false; !refused && wait.Err() == nil; { // as soon as it has heard
		conn, err := net.Dial("tcp", strings.TrimSuffix(strings.TrimPrefix(url, "http://"), "/payment-service"))
		if refused = err != nil; !refused {
			conn.Close()
		}
	}
	stalled.Remove()
	if text := <-inside; text != "Payment successful" {
		t.Errorf("who was in was told %q", text)
	}
	if err := <-ended; err != nil || wait.Err() != nil {
		t.Errorf("it ended with %v, %v", err, wait.Err())
	}
}
