package events

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"time"
)

// Names of the headers: CloudEvents' Kafka binding 1.0.2, binary content mode, and W3C Trace Context.
const (
	HeaderSpecVersion = "ce_specversion"
	HeaderID          = "ce_id"
	HeaderSource      = "ce_source"
	HeaderType        = "ce_type"
	HeaderTime        = "ce_time"
	HeaderSubject     = "ce_subject"
	HeaderContentType = "content-type"
	HeaderTraceParent = "traceparent"
	HeaderTraceState  = "tracestate"
)

// Headers describes p as a CloudEvent that source (a service's name) wrote at this time because of an event with the
// headers cause, nil when a customer began it. ce_id is the payload's own id, so a retry has it too. The trace goes on with a
// span id of its own, or begins here.
func Headers(p Payload, source string, at time.Time, cause []Header) []Header {
	h := make([]Header, 0, 9)
	h = append(
		h,
		Header{HeaderSpecVersion, []byte("1.0")},
		Header{HeaderID, []byte(p.ID())},
		Header{HeaderSource, []byte(source)},
		Header{HeaderType, []byte("kassa." + p.Topic())},
		Header{HeaderTime, at.UTC().AppendFormat(nil, time.RFC3339Nano)},
		Header{HeaderSubject, []byte(p.Checkout())},
		Header{HeaderContentType, []byte("application/json")},
	)
	parent := find(cause, HeaderTraceParent)
	if !validTraceParent(parent) {
		return append(h, Header{HeaderTraceParent, newTrace()})
	}
	h = append(h, Header{HeaderTraceParent, childSpan(parent)})
	// 512 bytes is what the standard asks everybody to pass on; more may be dropped.
	if state := find(cause, HeaderTraceState); len(state) > 0 && len(state) <= 512 {
		h = append(h, Header{HeaderTraceState, state})
	}
	return h
}

func find(headers []Header, key string) []byte {
	for _, h := range headers {
		if h.Key == key {
			return h.Value
		}
	}
	return nil
}

// A traceparent is "00-<trace id>-<span id>-<flags>" in lower-case hex: 2, 32, 16 and 2 digits.
const traceParentLen = 55

func validTraceParent(p []byte) bool {
	if len(p) != traceParentLen || p[0] != '0' || p[1] != '0' || p[2] != '-' || p[35] != '-' || p[52] != '-' {
		return false
	}
	var trace, span byte // stay '0' if every digit is, which the standard calls invalid
	for i, c := range p {
		if i == 2 || i == 35 || i == 52 {
			continue
		}
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
		if i > 2 && i < 35 {
			trace |= c ^ '0'
		} else if i > 35 && i < 52 {
			span |= c ^ '0'
		}
	}
	return trace != 0 && span != 0
}

func newTrace() []byte {
	p := []byte("00-00000000000000000000000000000000-0000000000000000-01")
	hexRandom(p[3:19])
	hexRandom(p[19:35])
	hexRandom(p[36:52])
	return p
}

func childSpan(parent []byte) []byte {
	p := append([]byte(nil), parent...)
	hexRandom(p[36:52])
	return p
}

// hexRandom fills 16 digits, not all of them zero.
func hexRandom(dst []byte) {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], rand.Uint64()|1)
	hex.Encode(dst, b[:])
}
