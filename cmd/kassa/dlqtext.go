package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"

	"kassa/services/deadletters"
	"kassa/services/events"
	"kassa/tui"
)

// writeListing is dead letters as a table for people, width cells wide. Everything in it may have been written by a stranger.
func writeListing(w io.Writer, l deadletters.Listing, width int) error {
	var b strings.Builder
	if l.Total == 0 {
		b.WriteString("No dead letters.\n")
	} else {
		rows := [][]string{{"DIED", "WHERE", "KEY", "BYTES", "WHY"}}
		for _, x := range l.Letters {
			rows = append(rows, []string{x.Time.Local().Format(time.DateTime), x.At.String(), short(keyText(x.Key), 12), fmt.Sprint(x.Size), whyText(x)})
		}
		writeTable(&b, rows, width)
		b.WriteString("\n")
		counts := [][]string{{"COUNT", "OF", "REASON"}}
		for _, c := range l.Counts {
			reason := c.Reason
			if reason == "" {
				reason = "other reasons"
			}
			counts = append(counts, []string{fmt.Sprint(c.N), c.Topic, tui.Safe(reason)})
		}
		writeTable(&b, counts, width)
		fmt.Fprintf(&b, "\n%s", plural(l.Total, "dead letter"))
		if n := len(l.Letters); n < l.Total {
			fmt.Fprintf(&b, ", the newest %d shown (--limit)", n)
		}
		if l.Retried > 0 {
			fmt.Fprintf(&b, "; %d retried", l.Retried)
		}
		b.WriteString(".\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprint(n, " ", what, "s")
}

// writeTable aligns columns; the last has what is left of the width.
func writeTable(b *strings.Builder, rows [][]string, width int) {
	widths := make([]int, len(rows[0])-1)
	for _, r := range rows {
		for i := range widths {
			widths[i] = max(widths[i], ansi.StringWidth(r[i]))
		}
	}
	for _, r := range rows {
		var line strings.Builder
		for i, n := range widths {
			pad := strings.Repeat(" ", n-ansi.StringWidth(r[i]))
			if rows[0][i] == "BYTES" || rows[0][i] == "COUNT" {
				line.WriteString(pad + r[i] + "  ")
			} else {
				line.WriteString(r[i] + pad + "  ")
			}
		}
		line.WriteString(r[len(r)-1])
		b.WriteString(ansi.Truncate(line.String(), width, "…") + "\n")
	}
}

// short cuts text to n cells.
func short(text string, n int) string { return ansi.Truncate(text, n, "…") }

func keyText(key []byte) string {
	switch {
	case key == nil:
		return "–"
	case !utf8.Valid(key):
		return "0x" + hex.EncodeToString(key)
	}
	return tui.Safe(string(key))
}

// whyText is the reason, after what sets this letter apart from others.
func whyText(l deadletters.Letter) string {
	var marks []string
	if !l.Retried.IsZero() {
		marks = append(marks, "retried")
	}
	if l.Attempt > 1 {
		marks = append(marks, fmt.Sprintf("attempt %d", l.Attempt))
	}
	if l.Repeat {
		marks = append(marks, "repeat")
	}
	if l.Cut {
		marks = append(marks, "cut")
	}
	reason := l.Reason
	if reason == "" {
		reason = "no reason given: it was not written by kassa"
	}
	if len(marks) > 0 {
		return "(" + strings.Join(marks, ", ") + ") " + tui.Safe(reason)
	}
	return tui.Safe(reason)
}

// writeLetter is one dead letter with all that is known of it.
func writeLetter(w io.Writer, l deadletters.Letter) error {
	var b strings.Builder
	field := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-9s %s\n", name, fmt.Sprintf(format, args...))
	}
	field("where", "%s", l.At)
	if l.Source != (deadletters.Place{}) {
		field("source", "%s", l.Source)
	} else {
		field("source", "not known: the letter does not say")
	}
	if !l.SourceTime.IsZero() {
		field("written", "%s", l.SourceTime.Local().Format(time.RFC3339Nano))
	}
	field("died", "%s", l.Time.Local().Format(time.RFC3339Nano))
	field("why", "%s", tui.Safe(l.Reason))
	field("service", "%s", tui.Safe(l.Service))
	if l.Attempt > 1 {
		field("attempt", "%d, a retry of %s", l.Attempt, tui.Safe(l.RetryOf))
	}
	if !l.Retried.IsZero() {
		field("retried", "%s as %s", l.Retried.Local().Format(time.RFC3339Nano), tui.Safe(l.RetriedAs))
	}
	if l.Cut {
		field("cut", "it was too large to be kept whole; the whole is at its source, as long as that topic keeps it")
	}
	field("key", "%s", keyText(l.Key))
	for _, h := range l.Headers {
		value := tui.Safe(string(h.Value))
		if !utf8.Valid(h.Value) {
			value = "0x" + hex.EncodeToString(h.Value)
		}
		field("header", "%s: %s", tui.Safe(h.Key), value)
	}
	switch {
	case l.Value == nil:
		field("value", "none: a tombstone")
	case len(l.Value) == 0:
		field("value", "empty")
	default:
		field("value", "%d bytes", l.Size)
		b.WriteString("\n")
		writeValue(&b, l.Value)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// writeValue shows a value as what it is: JSON with indentation, text, or bytes.
func writeValue(b *strings.Builder, value []byte) {
	if !utf8.Valid(value) {
		b.WriteString(hex.Dump(value))
		return
	}
	text := string(value)
	var pretty bytes.Buffer
	// Deep nesting would make more spaces of it than text.
	if json.Indent(&pretty, value, "", "  ") == nil && pretty.Len() < 4*len(value)+1024 {
		text = pretty.String()
	}
	for line := range strings.SplitSeq(text, "\n") {
		b.WriteString(tui.Safe(line) + "\n")
	}
}

func outcomeLine(o deadletters.Outcome, dryRun bool) string {
	from := o.Letter.At.String()
	switch {
	case o.Err != nil:
		return fmt.Sprintf("%s passed over: it %s", from, tui.Safe(o.Err.Error()))
	case dryRun:
		return fmt.Sprintf("%s would go to %s, key %s, %d bytes (%s)", from, place(o.Letter.Source), short(keyText(o.Letter.Key), 40), o.Letter.Size, tui.Safe(o.Letter.Reason))
	}
	return fmt.Sprintf("%s is now %s", from, o.As)
}

// place names a partition.
func place(p deadletters.Place) string {
	return fmt.Sprintf("%s/%d", events.SourceOf(p.Topic), p.Partition)
}

func retrySum(done, passed int, dryRun bool) string {
	verb := "retried"
	if dryRun {
		verb = "would be retried"
	}
	text := fmt.Sprintf("%s %s", plural(done, "dead letter"), verb)
	if done == 0 {
		text = "Nothing to retry"
	}
	if passed > 0 {
		text += fmt.Sprintf(", %d passed over", passed)
	}
	return text + "."
}
