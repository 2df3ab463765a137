package tui

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
)

// What terminals draw alike stays as it is; what they do not, and what is no text, is shown as something that they do.
func TestSafe(t *testing.T) {
	for in, want := range map[string]string{
		"Rs 6,949.70":           "Rs 6,949.70",
		"漢字 é e\u0301 ｱ ✓ ①":    "漢字 é e\u0301 ｱ ✓ ①",
		"a\x1b[2Jb\x00\r\n\tc":  "a␛[2Jb␀␍␊ c",
		"a\u202eb\u2066c\u200d": "a·b·c·",
		"\xff\u009b31m":         "\ufffd\ufffd31m",
		"❤\ufe0f 👍🏽 1\ufe0f\u20e3 👩\u200d👩\u200d👧": "❤ 👍 1 👩·👩·👧",
		"\u0301first":                       "·first", // a mark that would combine with the border of the pane
		"e\u0301\u0301\u0301\u0301\u0301":   "e",
		"e\u0301\u0301\u0301\u0301":         "e\u0301\u0301\u0301\u0301",
		"กำ ᄀᄀ각ᆨ":                           "ก · ",
		"\u2028line\u2029\ufeff\U000e0001x": "·line···x",
	} {
		got := safe(in)
		if strings.HasPrefix(want, "ก") { // how much of it is left is no matter
			if ansi.StringWidth(got) != ansi.StringWidthWc(got) {
				t.Errorf("%q became %q, whose width is not certain", in, got)
			}
			continue
		}
		if got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
	if got := short(strings.Repeat("漢", 100_000), 4); got != "漢漢" {
		t.Errorf("short gives %q", got)
	}
}

// harmless fails unless a text that was made safe has the same width everywhere, also between others, and no character that does something.
func harmless(t *testing.T, in string) {
	t.Helper()
	out := safe(in)
	g, wc := ansi.StringWidth(out), ansi.StringWidthWc(out)
	if g != wc || ansi.StringWidth("│"+out+"│") != g+2 {
		t.Fatalf("%q became %q: %d or %d cells, %d between borders", in, out, g, wc, ansi.StringWidth("│"+out+"│"))
	}
	if !utf8.ValidString(out) {
		t.Fatalf("%q became %q: no UTF-8", in, out)
	}
	for _, r := range out {
		if unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co) {
			t.Fatalf("%q became %q: holds %U", in, out, r)
		}
	}
	if again := safe(out); again != out {
		t.Fatalf("%q became %q, then %q", in, out, again)
	}
}

func FuzzSafe(f *testing.F) {
	for _, s := range hostileTexts {
		f.Add(s)
	}
	f.Fuzz(harmless)
}

// hostileTexts is what strangers may write.
var hostileTexts = []string{
	"", "plain", "\x1b[2J\x1b]0;owned\x07\x1b[?1049l", "a\u202eb\u2066", "\xff\xfe\x80", "\u009b31m", "wide 漢字 e\u0301 👩‍👩‍👧", "\x00\r\n\t\x7f",
	"❤\ufe0f👍🏽1\ufe0f\u20e3🇸🇪🇸", "กำ ᄀᄀ각ᆨ नमस्ते ாை", "\u0301\u0301", strings.Repeat("Z\u0337\u0321\u0354", 30), strings.Repeat("漢", 300), "\u0d4e\u111c2\u0600",
	"\x1bP+q\x1b\\", "\x1b_G\x1b\\", "\u2028\u2029\ufeff\U000e0041", "\ue000\U000f0000", strings.Repeat("x", 5000),
}
