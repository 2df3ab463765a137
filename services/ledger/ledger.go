// Package ledger holds what the shop promised its customers against what the log holds, and says of every checkout whether it is complete, in
// flight, lost, duplicated, repeated, indeterminate or dead-lettered. It shares no code with the services: it has a reader, a decoder and a
// derivation of ids of its own, so that a mistake of theirs is not one of its own. It never writes to a topic and joins no group.
//
// A Book notes what each customer was told. Audit reads the topics of the flow and those of its dead letters, read_committed, from
// every partition's beginning to where it ended when the audit began, and judges every checkout that a promise or a record names.
//
// # Memory
//
// An audit is bounded by Config.Memory and what the brokers send ahead, not by how much there is to audit: ten million checkouts took 115 MB of heap
// (TestScale). It is a Grace hash join: promises and records become entries of some 35 bytes, dealt out by a hash of the checkout id to 256 buckets
// in one temporary file; then one bucket after the other is read back and judged. All entries of a checkout are in one bucket, and what is kept of a
// checkout is of a fixed size however many records it has. A bucket of more checkouts than fit into Config.Memory is dealt out again, by other bits of
// the hash. Whether checkouts kept their order is judged in a second file, dealt out by ranges of offsets and read from the last range to the
// first. Both files are unlinked as soon as they are made, so nothing is left behind, not even after kill -9. What is small never reaches the disk.
package ledger

import (
	"errors"
	"time"
)

// Verdict is what an audit ends with.
type Verdict string

// Verdicts.
const (
	Pass Verdict = "pass"
	Fail Verdict = "fail" // something is lost, duplicated, without a cause, changed or out of order
	// None: the audit did not finish, or promises were made that the log may have forgotten by now. No verdict is better than a wrong one.
	None Verdict = "none"
)

// Counts are checkouts by what was found. Those that were accepted, and of those unknown the ones whose payment is in the log, are each either
// complete, in flight, lost, duplicated, dead-lettered or unjudged. Lost goes before duplicated, and both before the others.
type Counts struct {
	// Accepted were acknowledged to the customer. A checkout of which no Book knows, by design (see Config), is taken for accepted when it
	// is in the log.
	Accepted int64 `json:"accepted"`
	Refused  int64 `json:"refused"` // turned away; nothing may be in the log
	Unknown  int64 `json:"unknown"` // the customer was told that nobody knows, or was told nothing yet

	Complete      int64 `json:"complete"`
	InFlight      int64 `json:"inFlight"`
	Lost          int64 `json:"lost"`
	Duplicated    int64 `json:"duplicated"`
	Repeated      int64 `json:"repeated"`      // records with an id that was there before, outside of transactions: allowed at-least-once
	Indeterminate int64 `json:"indeterminate"` // of those unknown the ones whose payment is not in the log
	DeadLettered  int64 `json:"deadLettered"`

	WithoutCause  int64 `json:"withoutCause"`  // events whose cause is not in the log, or that nobody asked for
	ChangedAmount int64 `json:"changedAmount"` // checkouts whose amount in the log is not the one promised, or not what its cart adds up to
	OutOfOrder    int64 `json:"outOfOrder"`    // checkouts whose events come before their cause, or that one with a later payment overtook
	MailedTwice   int64 `json:"mailedTwice"`   // mails sent more than once; allowed, mail is at-least-once by nature

	// Unjudged may have been complete: what is missing is old enough to have been deleted by the topic's retention.
	Unjudged int64 `json:"unjudged"`
}

// Kinds of a Finding are the names of Counts in JSON.
const (
	KindLost          = "lost"
	KindDuplicated    = "duplicated"
	KindChangedAmount = "changedAmount"
	KindWithoutCause  = "withoutCause"
	KindOutOfOrder    = "outOfOrder"
	KindDeadLettered  = "deadLettered"
	KindIndeterminate = "indeterminate"
	KindUnjudged      = "unjudged"
	KindRepeated      = "repeated"
	KindMailedTwice   = "mailedTwice"
	KindInFlight      = "inFlight"
)

// Finding is one thing that is worth a look, with the places that prove it, so that another tool can look too.
type Finding struct {
	Kind     string   `json:"kind"`
	Checkout string   `json:"checkout"`
	Detail   string   `json:"detail"`          // one sentence
	Where    []string `json:"where,omitempty"` // "payment-successful/0@4711"
}

// Report is what an audit found.
type Report struct {
	Begun    time.Time     `json:"begun"`
	Took     time.Duration `json:"-"`
	Seconds  float64       `json:"seconds"`
	Promised bool          `json:"promised"` // judged against a Book; else what is in the log counts as acknowledged
	// Finished is false when the audit was ended or could not read all: then there is no verdict, Why says why, and the counts are zero.
	Finished bool   `json:"finished"`
	Why      string `json:"why,omitempty"`
	Counts
	Records   int64    `json:"records"`             // that were read, in all topics
	Aborted   int64    `json:"aborted"`             // records of aborted transactions, which count as never written
	Truncated []string `json:"truncated,omitempty"` // partitions that begin after offset 0: "order-successful/1 begins at offset 120"
	// Findings are the worst first, at most Config.MaxFindings of them.
	Findings []Finding `json:"findings,omitempty"`
	More     int64     `json:"moreFindings,omitempty"` // those that are counted and not listed
}

// Bad is how many things are wrong that never may be.
func (c Counts) Bad() int64 {
	return c.Lost + c.Duplicated + c.WithoutCause + c.ChangedAmount + c.OutOfOrder
}

// Verdict is Fail as soon as something is proven wrong, and Pass only if all promises could be judged.
func (r Report) Verdict() Verdict {
	switch {
	case !r.Finished:
		return None
	case r.Bad() > 0:
		return Fail
	case r.Promised && r.Unjudged > 0:
		return None
	}
	return Pass
}

// Errors of an audit that a caller may match.
var (
	// ErrUnfinished: the log could not be read to its end. The Report says why, too.
	ErrUnfinished = errors.New("the audit did not finish")
	// ErrNoTopics: none of the shop's topics is on this cluster.
	ErrNoTopics = errors.New("none of the shop's topics is there")
)
