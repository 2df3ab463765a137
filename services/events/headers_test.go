package events_test

import (
	"testing"
	"time"

	"kassa/services/events"
)

func header(hs []events.Header, key string) string {
	for _, h := range hs {
		if h.Key == key {
			return string(h.Value)
		}
	}
	return ""
}

func TestHeadersAreACloudEvent(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6_000_000, time.FixedZone("", 3600))
	hs := events.Headers(order, "order", at, nil)
	for key, want := range map[string]string{
		"ce_specversion": "1.0", "ce_id": "o1", "ce_source": "order", "ce_type": "kassa.order-successful", "ce_subject": "c1",
		"ce_time": "2026-01-02T02:04:05.006Z", "content-type": "application/json", "tracestate": "",
	} {
		if got := header(hs, key); got != want {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
}

func TestTraceGoesOnWithASpanOfItsOwn(t *testing.T) {
	const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	cause := []events.Header{{Key: "traceparent", Value: []byte(parent)}, {Key: "tracestate", Value: []byte("a=b")}}
	hs := events.Headers(email, "email", time.Now(), cause)
	got := header(hs, "traceparent")
	if got[:36] != parent[:36] || got[52:] != parent[52:] || got == parent || header(hs, "tracestate") != "a=b" {
		t.Errorf("after %s comes %s", parent, got)
	}
	if string(cause[0].Value) != parent {
		t.Error("the input's header was written over")
	}
	// What is not a trace is not passed on; a new one begins that the next hop accepts.
	for _, bad := range []string{"", "x", parent[:54], parent + "0", "01" + parent[2:], "00-00000000000000000000000000000000-00f067aa0ba902b7-01", "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01"} {
		first := events.Headers(order, "order", time.Now(), []events.Header{{Key: "traceparent", Value: []byte(bad)}, {Key: "tracestate", Value: []byte("a=b")}})
		begun := header(first, "traceparent")
		next := header(events.Headers(email, "email", time.Now(), first), "traceparent")
		if len(begun) != 55 || begun == bad || next[:36] != begun[:36] || next == begun || header(first, "tracestate") != "" {
			t.Errorf("after %q comes %q, and then %q", bad, begun, next)
		}
	}
}

// Whatever headers an event came with, what follows from it carries a trace that the next hop accepts, and nothing of any size.
func FuzzHeaders(f *testing.F) {
	f.Add("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "tracestate", "a=b")
	f.Fuzz(func(t *testing.T, key1, value1, key2, value2 string) {
		cause := []events.Header{{Key: key1, Value: []byte(value1)}, {Key: key2, Value: []byte(value2)}}
		first := events.Headers(order, "order", time.Now(), cause)
		next := events.Headers(email, "email", time.Now(), first)
		if string(cause[0].Value) != value1 || string(cause[1].Value) != value2 {
			t.Fatal("the headers of the cause were written over")
		}
		begun, went := header(first, "traceparent"), header(next, "traceparent")
		if len(begun) != 55 || len(went) != 55 || begun[:36] != went[:36] || begun[52:] != went[52:] {
			t.Fatalf("after %q comes %q, and then %q", cause, begun, went)
		}
		size := 0
		for _, h := range first {
			size += len(h.Key) + len(h.Value)
		}
		if size > 1024 {
			t.Fatalf("%d bytes of headers after %q", size, cause)
		}
	})
}
