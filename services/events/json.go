package events

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// encoding/json is lenient where a wire format must not be: it takes the last of two equal names, matches names whatever
// their case and mends invalid UTF-8 without a word. So it is asked for validity only, and what it has found valid is walked here.

// checkJSON says what keeps in from being one JSON text in UTF-8.
func checkJSON(in []byte) error {
	switch {
	case in == nil:
		return errors.New("no value (a tombstone)")
	case len(in) == 0:
		return errors.New("no value (empty)")
	case len(in) > MaxValue:
		return fmt.Errorf("%d bytes long, at most %d are read", len(in), MaxValue)
	}
	if !utf8.Valid(in) {
		at := 0
		for at < len(in) {
			r, n := utf8.DecodeRune(in[at:])
			if r == utf8.RuneError && n == 1 {
				break
			}
			at += n
		}
		return fmt.Errorf("invalid UTF-8 at byte %d", at)
	}
	if json.Valid(in) {
		return nil
	}
	var raw json.RawMessage
	err := json.Unmarshal(in, &raw)
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Errorf("not JSON: %w at byte %d", err, syntax.Offset)
	}
	return fmt.Errorf("not JSON: %w", err)
}

// members calls visit for each member of a valid JSON object.
func members(object []byte, visit func(name string, value []byte) error) error {
	rest := skipSpace(object[1:])
	for rest[0] != '}' {
		name, after := cutValue(rest)
		value, next := cutValue(skipSpace(skipSpace(after)[1:])) // past the colon
		if err := visit(text(name), value); err != nil {
			return err
		}
		rest = pastComma(next)
	}
	return nil
}

// elements calls visit for each element of a valid JSON array.
func elements(array []byte, visit func(i int, value []byte) error) error {
	rest := skipSpace(array[1:])
	for i := 0; rest[0] != ']'; i++ {
		value, next := cutValue(rest)
		if err := visit(i, value); err != nil {
			return err
		}
		rest = pastComma(next)
	}
	return nil
}

// cutValue splits valid JSON after its first value.
func cutValue(in []byte) (value, rest []byte) {
	depth, i := 0, 0
	for {
		switch in[i] {
		case '"':
			for i++; in[i] != '"'; i++ {
				if in[i] == '\\' {
					i++
				}
			}
			i++
		case '{', '[':
			depth++
			i++
		case '}', ']':
			depth--
			i++
		case ',', ':', ' ', '\t', '\n', '\r':
			i++
		default: // number, true, false, null
			for i < len(in) && !bytes.ContainsRune([]byte(",:]} \t\n\r"), rune(in[i])) {
				i++
			}
		}
		if depth == 0 {
			return in[:i], in[i:]
		}
	}
}

func skipSpace(in []byte) []byte { return bytes.TrimLeft(in, " \t\n\r") }

func pastComma(in []byte) []byte {
	in = skipSpace(in)
	if in[0] == ',' {
		return skipSpace(in[1:])
	}
	return in
}

// text unquotes a valid JSON string.
func text(quoted []byte) string {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return string(quoted[1 : len(quoted)-1])
	}
	var s string
	_ = json.Unmarshal(quoted, &s) // it has been found valid
	return s
}

// halfCharacter says whether a valid JSON string escapes one half of a UTF-16 pair without the other. That is no text: encoding/json replaces it by U+FFFD, which makes
// one id of two.
func halfCharacter(quoted []byte) bool {
	for i := 0; i < len(quoted); i++ {
		if quoted[i] != '\\' {
			continue
		}
		if i++; quoted[i] != 'u' {
			continue
		}
		r := escaped(quoted[i+1:])
		if i += 4; !utf16.IsSurrogate(r) {
			continue
		}
		if rest := quoted[i+1:]; !bytes.HasPrefix(rest, []byte(`\u`)) || utf16.DecodeRune(r, escaped(rest[2:])) == utf8.RuneError {
			return true
		}
		i += 6
	}
	return false
}

// escaped is what the four hexadecimal digits after \u stand for.
func escaped(digits []byte) rune {
	n, _ := strconv.ParseUint(string(digits[:4]), 16, 16)
	return rune(n)
}

// kind names the type of a valid JSON value.
func kind(value []byte) string {
	switch value[0] {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case '"':
		return "a string"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	default:
		return "a number"
	}
}
