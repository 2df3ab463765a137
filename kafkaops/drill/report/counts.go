package report

import (
	"fmt"

	"kassa/kafkaops/drill"
)

// countGroup is counts that belong together.
type countGroup struct {
	Title string
	Rows  []countRow
}

type countRow struct {
	Name, N, Means string
	Class, Sign    string // of those that have to be zero: whether they are, also without colour
}

func countGroups(r *drill.Result) []countGroup {
	c := r.Counts
	row := func(name string, n int64, means string) countRow {
		return countRow{Name: name, N: count(n), Means: means}
	}
	zero := func(name string, n int64, means string) countRow {
		v := row(name, n, means)
		switch {
		case n != 0:
			v.Class, v.Sign = "bad", "✗"
		case r.Audited:
			v.Class, v.Sign = "good", "✓"
		}
		return v
	}
	return []countGroup{
		{"Promised to customers", []countRow{
			row("accepted", c.Accepted, "acknowledged to the customer"),
			row("refused", c.Refused, "turned away; nothing of them may be in the log"),
			row("unknown", c.Unknown, "the customer was told that nobody knows: either outcome is right, but not twice"),
		}},
		{"What became of them", []countRow{
			row("complete", c.Complete, "payment, order and email are in the log"),
			row("in flight", c.InFlight, "still on the way when the audit ended"),
			row("dead-lettered", c.DeadLettered, "could not be read or was refused for good; kept in TOPIC.dlq"),
			row("indeterminate", c.Indeterminate, "unknown, and not in the log"),
			row("repeated", c.Repeated, "records with an id that was there before; allowed at-least-once, where readers drop them by their id"),
			row("mailed twice", c.MailedTwice, "mails sent more than once; mail is at-least-once by nature"),
		}},
		{"Has to be zero", []countRow{
			zero("lost", c.Lost, "acknowledged, and not in the log"),
			zero("duplicated", c.Duplicated, "two different orders or emails for one checkout, or any repeat under exactly-once"),
			zero("without a cause", c.WithoutCause, "events whose cause is not in the log, or that nobody asked for"),
			zero("changed amount", c.ChangedAmount, "the amount in the log is not the one that was promised, or that the cart adds up to"),
			zero("out of order", c.OutOfOrder, "the events of a checkout are not in the order of the flow"),
		}},
	}
}

// adds shows that every checkout that is in the log, or has to be, is in exactly one of the outcomes; wrong says that it does not add up.
func adds(r *drill.Result) (text string, wrong bool) {
	c := r.Counts
	if !r.Audited {
		return "The log was not audited: these are what customers were told and what analytics saw, and of what is lost or duplicated nothing is known.", false
	}
	landed := c.Unknown - c.Indeterminate
	promised, found := c.Accepted+landed, c.Complete+c.InFlight+c.Lost+c.DeadLettered+c.Duplicated
	text = fmt.Sprintf("%s accepted + %s unknown that are in the log = %s; %s complete + %s in flight + %s lost + %s dead-lettered + %s duplicated = %s",
		count(c.Accepted), count(landed), count(promised),
		count(c.Complete), count(c.InFlight), count(c.Lost), count(c.DeadLettered), count(c.Duplicated), count(found))
	if promised != found {
		return "This does not add up: " + text + ".", true
	}
	return "It adds up: " + text + ".", false
}
