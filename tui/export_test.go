package tui

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kassa/kafkaops/tail"
	"kassa/kafkaops/watch"
	"kassa/services/deadletters"
	"kassa/services/events"
)

// jsonLines reads a file of JSON lines.
func jsonLines(t *testing.T, path string) (list []map[string]any) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for sc := bufio.NewScanner(f); sc.Scan(); {
		var v map[string]any
		if err := json.Unmarshal(sc.Bytes(), &v); err != nil {
			t.Fatalf("%s: %v", sc.Text(), err)
		}
		list = append(list, v)
	}
	return list
}

// A tail is exported as it is shown: with its filter, up to where it is paused, each record whole or marked as cut; and it is said how many are where.
func TestExportATail(t *testing.T) {
	s := newStage(t, 140, 40).story()
	s.cfg.ExportDir = t.TempDir()
	s.press("2", "space")
	s.records(5) // not shown
	s.press("E")
	s.saidNow("15 records of payment-successful written to kassa-payment-successful-20261123T203109.ndjson where kassa was started, ")
	all := jsonLines(t, filepath.Join(s.cfg.ExportDir, "kassa-payment-successful-20261123T203109.ndjson"))
	if len(all) != 15 {
		t.Fatalf("%d lines", len(all))
	}
	r := all[0]
	if r["topic"] != events.PaymentSuccessful || r["partition"] != 0.0 || r["offset"] != 0.0 || r["timestamp"] != "2026-11-23T20:31:08Z" || r["key"] != "7f3a-checkout" {
		t.Errorf("the first is %v", r)
	}
	if v := r["value"].(map[string]any); v["amount"] != 6949.7 {
		t.Errorf("its value is %v", v)
	}
	if h := r["headers"].([]any)[0].(map[string]any); h["key"] != "ce_type" || h["value"] != events.PaymentSuccessful {
		t.Errorf("its headers are %v", h)
	}
	s.says("filter 7f4b")
	s.says("export some.ndjson")
	s.saidNow(`2 records of payment-successful, those that hold "7f4b", written to some.ndjson`)
	if all := jsonLines(t, filepath.Join(s.cfg.ExportDir, "some.ndjson")); len(all) != 2 {
		t.Errorf("%d lines", len(all))
	}
	s.says("filter never")
	s.says("export none.ndjson")
	s.has("There is nothing to export: no record is shown")
	if s.command == nil {
		t.Error("the text did not stay")
	}
}

// What is no JSON, no text, not there or not whole is told apart.
func TestExportKeepsEveryValue(t *testing.T) {
	s := newStage(t, 140, 40).open()
	s.cfg.ExportDir = t.TempDir()
	at := func(key, value []byte, size int) tail.Record {
		return tail.Record{Topic: events.PaymentSuccessful, Key: key, Value: value, Size: size, Time: s.clock, ProducerID: -1, Headers: []tail.Header{{Key: "h", Value: []byte{0xff}}, {Key: "n"}}}
	}
	s.come(at(nil, nil, 0), at([]byte{0xff}, []byte{}, 0), at([]byte("k"), []byte("<text>\n\x1b"), 8), at([]byte("k"), []byte{0xfe, 0xff}, 2), at([]byte("k"), []byte(`{"cut":`), 1<<20), at([]byte("k"), []byte("{\"a\":\n 1.0}"), 10))
	s.press("2")
	s.says("export x")
	path := filepath.Join(s.cfg.ExportDir, "x")
	all := jsonLines(t, path)
	if len(all) != 6 {
		t.Fatalf("%d lines", len(all))
	}
	for i, want := range []map[string]any{
		{"key": nil, "value": nil, "valueText": nil},
		{"key": nil, "keyBase64": "/w==", "value": nil, "valueText": ""},
		{"key": "k", "valueText": "<text>\n\x1b"},
		{"valueText": nil, "valueBase64": "/v8="},
		{"valueText": `{"cut":`, "truncated": true, "valueBytes": float64(1 << 20)},
		{"value": map[string]any{"a": 1.0}, "valueText": nil},
	} {
		for k, v := range want {
			got := all[i][k]
			if m, ok := v.(map[string]any); ok {
				if got.(map[string]any)["a"] != m["a"] {
					t.Errorf("line %d: %s is %v", i, k, got)
				}
			} else if got != v {
				t.Errorf("line %d: %s is %v, want %v", i, k, got, v)
			}
		}
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(raw), "<text>") || !strings.Contains(string(raw), `"a":1.0`) {
		t.Errorf("values are rewritten: %s", raw)
	}
}

// A file that is there is not overwritten without a question, and stays until the new one is whole.
func TestExportOverwritesNothingUnasked(t *testing.T) {
	s := newStage(t, 120, 40).story()
	s.cfg.ExportDir = t.TempDir()
	path := filepath.Join(s.cfg.ExportDir, "mine")
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.press("2")
	for _, key := range []string{"n", "esc"} {
		s.says("export mine")
		s.has("Overwrite mine?")
		s.has("mine is there already: 8 bytes")
		s.press(key)
		if b, _ := os.ReadFile(path); string(b) != "precious" {
			t.Fatalf("after %s it holds %q", key, b)
		}
	}
	s.says("export mine")
	s.press("y")
	if all := jsonLines(t, path); len(all) != 15 {
		t.Errorf("%d lines", len(all))
	}
	s.says("export .")
	s.saidNow(". is a directory: name a file")
	s.says("export no/such/place")
	s.saidNow("not exported: ")
	if files, _ := os.ReadDir(s.cfg.ExportDir); len(files) != 1 {
		t.Errorf("%v is left", files)
	}
}

// The timeline, the brokers and each view of pane 6 are exported too.
func TestExportTheCluster(t *testing.T) {
	s := newStage(t, 140, 40).story()
	s.cfg.ExportDir = t.TempDir()
	st := s.broken()
	st.Groups = []watch.Group{{Name: "order", State: "Stable", Lag: []watch.PartitionLag{{Topic: "payment-successful", Lag: 21}}, Seen: s.clock}}
	s.send(stateMsg{st})
	read := func(keys, name string, want int) map[string]any {
		t.Helper()
		s.press(keys)
		s.says("export " + name)
		all := jsonLines(t, filepath.Join(s.cfg.ExportDir, name))
		if len(all) != want {
			t.Fatalf("%s: %d lines, want %d", name, len(all), want)
		}
		return all[0]
	}
	a := read("7", "timeline", 1)
	if a["what"] != "kill -9 broker 2" || a["writeGapMs"] != 1066.0 || len(a["phases"].([]any)) != 4 || a["time"] != "2026-11-23T20:31:08Z" {
		t.Errorf("the act is %v", a)
	}
	s.saidNow("1 act of timeline written to timeline")
	if n := read("5", "brokers", 3); n["id"] != 1.0 || n["state"] != "up" || n["leads"] != 3.0 {
		t.Errorf("the broker is %v", n)
	}
	s.saidNow("3 brokers written to brokers")
	if p := read("6", "partitions", 9); p["topic"] != events.PaymentSuccessful || p["leader"] != 1.0 || len(p["isr"].([]any)) != 2 || p["minISR"] != 2.0 || len(p["elr"].([]any)) != 0 {
		t.Errorf("the partition is %v", p)
	}
	s.says("filter order")
	s.says("export filtered")
	s.saidNow("3 partitions, those that are shown, written")
	if g := read("v", "groups", 1); g["group"] != "order" || g["totalLag"] != 21.0 {
		t.Errorf("the group is %v", g)
	}
	if q := read("v", "quorum", 3); q["id"] != 1.0 || q["voter"] != true || q["lastFetch"] != nil {
		t.Errorf("the replica is %v", q)
	}
	empty := newStage(t, 140, 40)
	empty.press("5", "E")
	empty.saidNow(errNoPicture.Error())
}

// So are the panes of the shop, and the lists on top of the panes.
func TestExportTheShop(t *testing.T) {
	s := newStage(t, 140, 40)
	g := newGraves(s, 3)
	g.letters[0].Source, g.letters[0].Value, g.letters[0].Key = deadletters.Place{}, []byte{0xff}, nil
	s.lived()
	s.backend.DeadLetters = g
	s.cfg.ExportDir = t.TempDir()
	s.counting()
	box := withMail(s, 3)
	box.mails[1].Again = true
	read := func(keys []string, of string, want int) map[string]any {
		t.Helper()
		s.clock = s.clock.Add(time.Second) // the name has the time in it
		s.press(keys...)
		s.press("E")
		all := jsonLines(t, filepath.Join(s.cfg.ExportDir, fmt.Sprintf("kassa-%s-%s.ndjson", of, s.clock.Format("20060102T150405"))))
		if len(all) != want {
			t.Fatalf("%s: %d lines, want %d", of, len(all), want)
		}
		return all[0]
	}
	if p := read([]string{"1"}, "products", 3); p["name"] != "T-Shirt" || p["price"] != 1999.9 || p["wanted"] != 1.0 || p["user"] != "guest" {
		t.Errorf("the product is %v", p)
	}
	s.saidNow("3 products written to")
	if v := read([]string{"8"}, "services", 4); v["service"] != "payment" || v["state"] != "running" || v["handled"] != float64(s.figs.Accepted) {
		t.Errorf("the service is %v", v)
	}
	if e := read([]string{"9"}, "analytics", 60); e["topic"] != events.PaymentSuccessful || e["amount"] != 6949.7 || e["offset"] != 1000.0 || e["orderId"] != nil {
		t.Errorf("the event is %v", e)
	}
	if c := read([]string{"0"}, "charts", 60); c["acked"] != nil || c["time"] == nil || c["lag:order"] == nil || c["leads:1"] == nil {
		t.Errorf("the second is %v", c) // in which nobody had looked long enough to tell a rate
	}
	if e := read([]string{"m"}, "inbox", 3); e["number"] != 3.0 || e["to"] != "user-3@customers.kassa.invalid" || e["messageId"] != "<3@kassa.invalid>" || e["again"] != false {
		t.Errorf("the mail is %v", e)
	}
	s.saidNow("3 mails of inbox written to")
	s.has("are kept") // the list is still there
	l := read([]string{"esc", "D"}, "dead_letters", 3)
	if l["source"] != nil || l["size"] != float64(g.letters[0].Size) || l["key"] != nil || l["service"] != "order" || l["retried"] != nil {
		t.Errorf("the dead letter is %v", l)
	}
	s.saidNow("3 dead letters written to")
	s.press("esc")
	s.come(event(events.PaymentSuccessful, followedID, 42, 0), event(events.OrderSuccessful, followedID, 40, 55*time.Millisecond))
	if h := read([]string{"2", "enter"}, "checkout_7f3a0000", 2); h["topic"] != events.PaymentSuccessful || h["key"] != followedID || h["offset"] != 42.0 {
		t.Errorf("the hop is %v", h)
	}
	s.saidNow("2 events of checkout 7f3a0000 written to")
}

// What else is in the directory keeps nobody from overwriting a file, and is left alone; the new file may be read by whom the old one might.
func TestExportOverwritesOnce(t *testing.T) {
	s := newStage(t, 120, 40).story()
	s.cfg.ExportDir = t.TempDir()
	path := filepath.Join(s.cfg.ExportDir, "mine")
	for _, name := range []string{path, path + ".new"} {
		if err := os.WriteFile(name, []byte("precious"), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	s.press("2")
	s.says("export mine")
	s.press("y")
	s.saidNow("15 records of payment-successful written to mine")
	if s.overlay != nil {
		t.Errorf("it is asked again: %s", s.screen())
	}
	if all := jsonLines(t, path); len(all) != 15 {
		t.Errorf("%d lines", len(all))
	}
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o640 {
		t.Errorf("%v, %v", st.Mode(), err)
	}
	if b, _ := os.ReadFile(path + ".new"); string(b) != "precious" {
		t.Errorf("the other file holds %q", b)
	}
	if files, _ := os.ReadDir(s.cfg.ExportDir); len(files) != 2 {
		t.Errorf("%v is left", files)
	}
}

// The name of a file comes from a topic's only as far as that is harmless.
func TestExportNames(t *testing.T) {
	if got := fileName("../a b\x1b/ü.x"); got != ".._a_b___.x" {
		t.Errorf("%q", got)
	}
	for file, want := range map[string]string{"a": "d/a", "/x/a": "/x/a", "b/c": "d/b/c"} {
		if got, err := exportPath("d", file); err != nil || got != want {
			t.Errorf("%q is %q (%v)", file, got, err)
		}
	}
	t.Setenv("HOME", "/home/ada")
	if got, _ := exportPath("d", "~/a"); got != "/home/ada/a" {
		t.Errorf("~/a is %q", got)
	}
}
