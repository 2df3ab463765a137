package report

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// longest is how much of one text is shown, in runes: a record may hold a megabyte.
const longest = 600

// safe makes text of others fit to be read: html/template escapes markup, and this shows what would not be seen or would turn the line around.
// Control characters, bidi marks and invisible ones are written as \u….
func safe(s string) string {
	n := 0
	var b strings.Builder
	for i, r := range s {
		if n++; n > longest {
			fmt.Fprintf(&b, "… (%s bytes)", count(int64(len(s))))
			break
		}
		switch {
		case r == utf8.RuneError:
			if _, size := utf8.DecodeRuneInString(s[i:]); size == 1 {
				fmt.Fprintf(&b, `\x%02x`, s[i])
				continue
			}
			b.WriteRune(r)
		case r == '\n' || r == '\t':
			b.WriteByte(' ')
		case unicode.IsControl(r), unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co, unicode.Cs):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
