package deadletters

import (
	"encoding/json"
	"time"
	"unicode/utf8"
)

// MarshalJSON is the letter without its value: places as objects, times in RFC 3339, and what is no text in base64 under a name of its own.
func (l Letter) MarshalJSON() ([]byte, error) {
	type place struct {
		Topic     string `json:"topic"`
		Partition int32  `json:"partition"`
		Offset    int64  `json:"offset"`
	}
	type retried struct {
		At string `json:"at"`
		As string `json:"as"`
	}
	out := struct {
		place
		Died       string   `json:"died"`
		Source     *place   `json:"source"`
		SourceTime string   `json:"sourceTime,omitempty"`
		Reason     string   `json:"reason"`
		Service    string   `json:"service,omitempty"`
		Attempt    int      `json:"attempt"`
		RetryOf    string   `json:"retryOf,omitempty"`
		Key        *string  `json:"key"`
		KeyBytes   []byte   `json:"keyBase64,omitempty"`
		Size       int      `json:"size"`
		Tombstone  bool     `json:"tombstone,omitempty"`
		Cut        bool     `json:"cut,omitempty"`
		Repeat     bool     `json:"repeat,omitempty"`
		Retried    *retried `json:"retried"`
	}{
		place: place(l.At), Died: stamp(l.Time), Reason: l.Reason, Service: l.Service, Attempt: l.Attempt, RetryOf: l.RetryOf,
		Size: l.Size, Tombstone: l.Value == nil, Cut: l.Cut, Repeat: l.Repeat,
	}
	if l.Source != (Place{}) {
		p := place(l.Source)
		out.Source = &p
	}
	if !l.SourceTime.IsZero() {
		out.SourceTime = stamp(l.SourceTime)
	}
	switch text := string(l.Key); {
	case l.Key == nil:
	case utf8.ValidString(text):
		out.Key = &text
	default:
		out.KeyBytes = l.Key
	}
	if !l.Retried.IsZero() {
		out.Retried = &retried{stamp(l.Retried), l.RetriedAs}
	}
	return json.Marshal(out)
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
