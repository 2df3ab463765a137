package tui

import (
	"strings"
	"testing"

	"kassa/kafkaops/tail"
)

// lastLine is the line of keys.
func (s *stage) lastLine() string {
	lines := strings.Split(s.screen(), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}

// The last line names the keys of what is on top of the panes, and c checks out there as anywhere: but where it is a letter, or a question waits.
func TestTheKeysOfWhatIsOnTop(t *testing.T) {
	for _, size := range [][2]int{{60, 18}, {120, 40}} {
		for _, c := range []struct {
			name string
			keys []string
			want string
		}{
			{"help", []string{"?"}, "c checkout  esc back  ctrl+c quit"},
			{"a record", []string{"2", "i"}, "c checkout  y copy  esc back  ctrl+c quit"},
			{"a checkout", []string{"2", "enter"}, "c checkout  y copy  E export  esc back  ctrl+c quit"},
			{"the look", []string{"V"}, "c checkout  esc back  ctrl+c quit"},
			{"the inbox", []string{"m"}, "c checkout  E export  esc back  ctrl+c quit"},
			{"a mail", []string{"m", "enter"}, "c checkout  y copy  esc back  ctrl+c quit"},
			{"the dead letters", []string{"D"}, "c checkout  E export  esc back  ctrl+c quit"},
			{"a question about a dead letter", []string{"D", "r"}, "y do it  n leave it  ctrl+c quit"},
			{"the drills", []string{"X"}, "c checkout  esc back  ctrl+c quit"},
			{"a question about a drill", []string{"X", "enter"}, "y do it  n leave it  ctrl+c quit"},
			{"a question about a broker", []string{"5", "k", "K"}, "y do it  n leave it  ctrl+c quit"},
			{"a question about the delivery", []string{"d"}, "y do it  n leave it  ctrl+c quit"},
			{"the topics", []string{"t"}, "esc back  ctrl+c quit"},
			{"places in a topic", []string{"t", "enter"}, "esc back  ctrl+c quit"},
		} {
			s := newStage(t, size[0], size[1])
			newGraves(s, 3)
			s.backend.Drills, s.backend.Log = &school{}, &shelf{topics: []tail.Topic{{Name: "carts"}}}
			withMail(s, 3)
			s.on()
			s.press(c.keys...)
			if got := s.lastLine(); got != c.want {
				t.Errorf("%s at %v: the last line is %q, want %q\n%s", c.name, size, got, c.want, s.screen())
			}
			had, open := s.bought, s.overlay
			s.press("c")
			want := 0
			if strings.Contains(c.want, "checkout") {
				want = 1
			}
			if got := s.bought - had; got != want || s.overlay != open {
				t.Errorf("%s at %v: c bought %d times, and the overlay is the same: %v", c.name, size, got, s.overlay == open)
			}
		}
	}
}

// A value is shown as what it is. JSON whose text is no UTF-8 would lose the very bytes that somebody opened it for.
func TestValuesAreShownAsWhatTheyAre(t *testing.T) {
	for _, c := range []struct{ name, value, want string }{
		{"JSON", `{"userId":"guest"}`, `"userId": "guest"`},
		{"text", "no JSON\x1b[2J", "no JSON␛[2J"},
		{"JSON with bytes that are no UTF-8", "{\"userId\":\"\xff\xfe\"}", "22 ff fe 22"},
		{"bytes", "\x00\xff", "00 ff"},
		{"empty", "", "empty"},
	} {
		lines := strings.Join(valueLines(tail.Record{Value: []byte(c.value), Size: len(c.value)}, Styles{}), "\n")
		if !strings.Contains(lines, c.want) {
			t.Errorf("%s: %q, want %q in it", c.name, lines, c.want)
		}
	}
	if lines := valueLines(tail.Record{}, Styles{}); len(lines) != 1 || !strings.Contains(lines[0], "tombstone") {
		t.Errorf("a tombstone: %q", lines)
	}
}

// A key or a header of any size is shown by its beginning, and how large it is: an overlay breaks its lines anew with every frame.
func TestHugeHeadersAreCut(t *testing.T) {
	huge := []byte(strings.Repeat("漢", 300_000))
	r := tail.Record{Key: huge, Headers: []tail.Header{{Key: string(huge), Value: huge[:tail.MaxHeader], Size: len(huge)}, {Key: "ce_type", Value: []byte("small")}}}
	lines := strings.Join(recordLines(r, Styles{}), "\n")
	if len(lines) > 4*startShown {
		t.Errorf("%d bytes are shown", len(lines))
	}
	if n := strings.Count(lines, "… the first 4,096 of 900,000 bytes"); n != 2 {
		t.Errorf("the key and the header do not say how large they are: %q", lines[:300])
	}
	if !strings.Contains(lines, "small") {
		t.Error("what is small is not shown in full")
	}
}

// What strangers write cannot stop the screen: JSON that is nested deeper than anybody reads is shown as it is, and of a value with very many lines the first
// ones. Indented, the deep one below would be 50 MB, made anew with every frame that shows it as a dead letter.
func TestAValueCannotFloodTheScreen(t *testing.T) {
	const levels = 5000
	deep := strings.Repeat("[", levels) + strings.Repeat("1,", levels) + "1" + strings.Repeat("]", levels)
	for _, c := range []struct{ name, value, want string }{
		{"nested JSON", deep, "[[[["},
		{"nested less, and larger", strings.Repeat("[", 40) + strings.Repeat("1,", 250_000) + "1" + strings.Repeat("]", 40), "[[[["},
		{"nested objects", strings.Repeat(`{"a":`, levels) + "1" + strings.Repeat("}", levels), `{"a":{"a":{`},
		{"wide JSON", "[" + strings.Repeat("1,", 30_000) + "1]", "… 25,003 more lines"},
		{"lines", strings.Repeat("\n", 64<<10), "… 60,537 more lines"},
		{"bytes", strings.Repeat("\x00\xff", 64<<10), "… 3,192 more lines"},
		{"brackets in a text", `{"a":"` + strings.Repeat(`[\"{`, 100) + `"}`, `  "a": "[\"{`},
	} {
		lines := valueLines(tail.Record{Value: []byte(c.value), Size: len(c.value)}, Styles{})
		text := strings.Join(lines, "\n")
		if !strings.Contains(text, c.want) {
			t.Errorf("%s: %q is not in %.200q … %.200q", c.name, c.want, text, text[max(len(text)-200, 0):])
		}
		if len(lines) > linesShown+1 || len(text) > 1<<20 {
			t.Errorf("%s: %d lines of %d bytes in all", c.name, len(lines), len(text))
		}
	}
}
