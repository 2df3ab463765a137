package drill

import "testing"

// What was not audited is in no count: its figures are the load's own.
func TestRunsThatWereNotAuditedAreInNoCount(t *testing.T) {
	done := &Result{Verdict: Pass, Audited: true, Counts: Counts{Accepted: 100, Complete: 100}}
	cut := &Result{Verdict: NoVerdict, Counts: Counts{Accepted: 70, Complete: 60, InFlight: 10}}
	a := SumUp([]*Result{done, cut, done})
	if a.Runs != 3 || a.Audited != 2 || a.Accepted != 200 || a.Complete != 200 || a.InFlight != 0 || a.Verdict != NoVerdict {
		t.Errorf("%+v", a)
	}
}
