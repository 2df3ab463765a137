package tui

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
)

// Safe makes text from a record harmless and visible on a terminal, for commands that print such text without the screen.
func Safe(text string) string { return safe(text) }

// safe makes text from a record harmless and visible: records are written by strangers. Control characters become their
// Unicode pictures, marks that reorder or hide text a middle dot, bytes that are no UTF-8 the replacement character. What
// terminals draw in different widths, such as emoji put together of several characters, is reduced to what all draw alike: a frame
// would break on it.
func safe(s string) string {
	clean := true
	for i := 0; i < len(s); i++ {
		if s[i] < 0x20 || s[i] >= 0x7f {
			clean = false
			break
		}
	}
	if clean {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for _, r := range s {
		b.WriteRune(safeRune(r))
	}
	return alike(b.String())
}

func safeRune(r rune) rune {
	switch {
	case r == '\t':
		return ' '
	case r < 0x20:
		return 0x2400 + r
	case r == 0x7f:
		return 0x2421
	case r >= 0x80 && r < 0xa0:
		return utf8.RuneError
	case r == 0x2028 || r == 0x2029 || unicode.In(r, unicode.Cf, unicode.Co, unicode.Cs):
		return '·'
	}
	return r
}

// marksKept is how many combining characters stay on one other: more than any language needs, fewer than would climb out of the line.
const marksKept = 4

// alike replaces the characters whose width depends on the terminal or on their neighbours: most terminals count each code point, some (mode 2027) what a
// reader takes for a character.
func alike(s string) string {
	for range 2 { // what is left of one character may combine with what is left of the next
		s = apart(s)
		if ansi.StringWidth(s) == ansi.StringWidthWc(s) {
			return s
		}
	}
	return strings.Map(func(r rune) rune {
		if r > unicode.MaxASCII {
			return '·'
		}
		return r
	}, s)
}

func apart(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	for len(s) > 0 {
		if s[0] < utf8.RuneSelf && (len(s) == 1 || s[1] < utf8.RuneSelf) { // the next one cannot combine with it
			b.WriteByte(s[0])
			s = s[1:]
			continue
		}
		cluster, _ := ansi.FirstGraphemeCluster(s, ansi.GraphemeWidth)
		if cluster == "" {
			break
		}
		s = s[len(cluster):]
		first, size := utf8.DecodeRuneInString(cluster)
		switch {
		case utf8.RuneCountInString(cluster) <= 1+marksKept && standsAlone(cluster):
			b.WriteString(cluster)
		case size < len(cluster) && standsAlone(string(first)):
			b.WriteRune(first)
		default:
			b.WriteRune('·')
		}
	}
	return b.String()
}

// standsAlone says that a character takes as many cells everywhere, whatever is before and behind it.
func standsAlone(cluster string) bool {
	w := ansi.StringWidthWc(cluster)
	return w > 0 && ansi.StringWidth("x"+cluster+"x") == w+2
}

// short is the first n cells of an id, enough to tell the rows on a screen apart.
func short(id string, n int) string {
	const most = 16 // bytes that one cell may take
	if len(id) > n*most {
		id = id[:n*most]
	}
	return ansi.Truncate(safe(id), n, "")
}
