package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"

	"kassa/kafkaops/doctor"
	"kassa/kafkaops/drill"
	"kassa/services/ledger"
	"kassa/tui"
)

// auditRow is one count and what it means for the verdict.
type auditRow struct {
	name  string
	n     int64
	level doctor.Level // when it is not 0
	means string
}

func auditRows(r ledger.Report) []auditRow {
	c := r.Counts
	accepted := "in the log, which is all that is known of what was promised"
	if r.Promised {
		accepted = "acknowledged to the customer"
	}
	rows := []auditRow{{"accepted", c.Accepted, doctor.OK, accepted}}
	if r.Promised {
		rows = append(
			rows,
			auditRow{"refused", c.Refused, doctor.OK, "turned away: nothing of it may be in the log"},
			auditRow{"unknown", c.Unknown, doctor.OK, "the customer was told that nobody knows, or nothing yet"},
			auditRow{"indeterminate", c.Indeterminate, doctor.OK, "of those unknown, not in the log"},
		)
	}
	return append(
		rows,
		auditRow{"complete", c.Complete, doctor.OK, "paid, ordered and mailed"},
		auditRow{"in flight", c.InFlight, doctor.OK, "on its way: its service has not come to it yet"},
		auditRow{"lost", c.Lost, doctor.Risk, "should be in the log, and is not"},
		auditRow{"duplicated", c.Duplicated, doctor.Risk, "two ids or effects for one checkout, or repeated in transactions"},
		auditRow{"dead-lettered", c.DeadLettered, doctor.Note, "could not be read: kassa dlq list says why"},
		auditRow{"unjudged", c.Unjudged, doctor.Note, "what is missing may have been deleted by retention"},
		auditRow{"without cause", c.WithoutCause, doctor.Risk, "its cause is not in the log, or nobody asked for it"},
		auditRow{"changed amount", c.ChangedAmount, doctor.Risk, "not what was promised, or what the cart adds up to"},
		auditRow{"out of order", c.OutOfOrder, doctor.Risk, "older than its cause, or overtaken by a later payment's"},
		auditRow{"repeated", c.Repeated, doctor.Note, "records once more under the same id: at-least-once allows it"},
	)
}

// writeAuditText is a report for people, width cells wide. Ids in it may have been written by a stranger.
func writeAuditText(w io.Writer, r ledger.Report, brokers string, width int) error {
	var b strings.Builder
	against := "judged by the log alone"
	if r.Promised {
		against = "judged against what was promised"
	}
	fmt.Fprintf(&b, "%s records of %s in %s, %s\n", thousands(r.Records), tui.Safe(brokers), r.Took.Round(time.Millisecond), against)
	if r.Aborted > 0 {
		fmt.Fprintf(&b, "%s more were in aborted transactions, and count as never written\n", thousands(r.Aborted))
	}
	b.WriteString("\n")
	rows := auditRows(r)
	if r.MailedTwice > 0 {
		rows = append(rows, auditRow{"mailed twice", r.MailedTwice, doctor.Note, "mail is at-least-once by nature"})
	}
	names, numbers := 0, 0
	for _, row := range rows {
		names, numbers = max(names, len(row.name)), max(numbers, len(thousands(row.n)))
	}
	for _, row := range rows {
		level := row.level
		if row.n == 0 {
			level = doctor.OK
		}
		number := strings.Repeat(" ", numbers-len(thousands(row.n))) + thousands(row.n)
		if row.level != doctor.OK {
			number = paint(level, number)
		}
		line := fmt.Sprintf("  %-*s  %s  %s", names, row.name, number, row.means)
		b.WriteString(ansi.Truncate(line, width, "…") + "\n")
	}
	for _, t := range r.Truncated {
		b.WriteString("\n" + ansi.Truncate("  not whole: "+t, width, "…"))
	}
	if len(r.Truncated) > 0 {
		b.WriteString("\n")
	}
	for _, f := range r.Findings {
		writeFinding(&b, f, width)
	}
	if r.More > 0 {
		fmt.Fprintf(&b, "\n%s more findings are not named (--findings)\n", thousands(r.More))
	}
	b.WriteString("\n" + verdictLine(r) + "\n")
	_, err := lipgloss.Fprint(w, b.String()) // takes colours away where there are none
	return err
}

// levels of the kinds of findings are those of their rows.
func findingLevel(kind string) doctor.Level {
	switch kind {
	case ledger.KindLost, ledger.KindDuplicated, ledger.KindChangedAmount, ledger.KindWithoutCause, ledger.KindOutOfOrder:
		return doctor.Risk
	}
	return doctor.Note
}

// kindNames are kinds as people read them.
var kindNames = map[string]string{
	ledger.KindChangedAmount: "changed amount", ledger.KindWithoutCause: "without cause", ledger.KindOutOfOrder: "out of order",
	ledger.KindDeadLettered: "dead-lettered", ledger.KindMailedTwice: "mailed twice", ledger.KindInFlight: "in flight",
}

func writeFinding(b *strings.Builder, f ledger.Finding, width int) {
	name := f.Kind
	if n, ok := kindNames[name]; ok {
		name = n
	}
	fmt.Fprintf(b, "\n%s %s\n", paint(findingLevel(f.Kind), name), ansi.Truncate(tui.Safe(f.Checkout), max(width-len(name)-1, 8), "…"))
	text := tui.Safe(f.Detail)
	if len(f.Where) > 0 {
		text += ": " + tui.Safe(strings.Join(f.Where, ", "))
	}
	for line := range strings.SplitSeq(ansi.Wordwrap(text, max(width-4, 20), ","), "\n") {
		b.WriteString("    " + line + "\n")
	}
}

// verdictLine says all in a line.
func verdictLine(r ledger.Report) string {
	verdict, why := verdictOf(r)
	switch verdict {
	case drill.Pass:
		text := fmt.Sprintf("nothing is lost, duplicated, changed, out of order or without a cause among %s checkouts", thousands(r.Complete+r.InFlight+r.DeadLettered))
		if r.Unjudged > 0 {
			text += fmt.Sprintf("; %s more could not be judged", thousands(r.Unjudged))
		}
		if r.InFlight > 0 {
			text += fmt.Sprintf("; %s are still in flight", thousands(r.InFlight))
		}
		return paint(doctor.OK, "pass") + ": " + text
	case drill.NoVerdict:
		return paint(doctor.Note, "no verdict") + ": " + why
	}
	var bad []string
	for _, row := range auditRows(r) {
		if row.level == doctor.Risk && row.n > 0 {
			bad = append(bad, thousands(row.n)+" "+row.name)
		}
	}
	return paint(doctor.Risk, "fail") + ": " + strings.Join(bad, ", ")
}

// thousands is a count with commas: 1,234,567.
func thousands(n int64) string {
	text := strconv.FormatInt(n, 10)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
