package main

import (
	"kassa/kafkaops/drill"
	"kassa/services/ledger"
)

// verdictOf is a ledger's report in the words of a drill. What could not be judged because the topics have forgotten it has no count there: then there
// is no verdict, and the reason says so.
func verdictOf(r ledger.Report) (v drill.Verdict, why string) {
	switch r.Verdict() {
	case ledger.Pass:
		return drill.Pass, ""
	case ledger.Fail:
		return drill.Fail, ""
	}
	if !r.Finished {
		return drill.NoVerdict, "the audit did not finish: " + r.Why
	}
	return drill.NoVerdict, "the topics no longer hold all that was promised: their retention is shorter than the time that is judged"
}

// countsOf is what a ledger counted.
func countsOf(r ledger.Report) drill.Counts {
	c := r.Counts
	return drill.Counts{
		Accepted: c.Accepted, Refused: c.Refused, Unknown: c.Unknown,
		Complete: c.Complete, InFlight: c.InFlight, Lost: c.Lost, Duplicated: c.Duplicated, Repeated: c.Repeated,
		Indeterminate: c.Indeterminate, DeadLettered: c.DeadLettered,
		WithoutCause: c.WithoutCause, ChangedAmount: c.ChangedAmount, OutOfOrder: c.OutOfOrder, MailedTwice: c.MailedTwice,
	}
}

// findingsOf is what a ledger names.
func findingsOf(r ledger.Report) []drill.Finding {
	all := make([]drill.Finding, len(r.Findings))
	for i, f := range r.Findings {
		all[i] = drill.Finding(f)
	}
	return all
}
