package drill

import (
	"encoding/json"
	"fmt"
	"time"
)

// Verdict is what a drill ends with.
type Verdict string

// Verdicts.
const (
	Pass Verdict = "pass"
	Fail Verdict = "fail" // it ran to its end, and something that was expected does not hold
	// NoVerdict: the drill or the audit of the log could not finish. No verdict is better than a wrong one.
	NoVerdict Verdict = "none"
)

// Counts are checkouts by what an audit found. Those that were accepted, and of those unknown the ones that landed in the log, are each either
// complete, in flight, lost, dead-lettered or duplicated; one that is repeated is complete as well.
type Counts struct {
	Accepted int64 `json:"accepted"` // acknowledged to the customer
	Refused  int64 `json:"refused"`  // turned away; nothing may be in the log
	Unknown  int64 `json:"unknown"`  // the customer was told that nobody knows

	Complete      int64 `json:"complete"`
	InFlight      int64 `json:"inFlight"`
	Lost          int64 `json:"lost"`
	Duplicated    int64 `json:"duplicated"`
	Repeated      int64 `json:"repeated"`      // records with an id that was there before; allowed at-least-once
	Indeterminate int64 `json:"indeterminate"` // unknown, and not in the log
	DeadLettered  int64 `json:"deadLettered"`

	WithoutCause  int64 `json:"withoutCause"`  // events whose cause is not in the log, or that nobody asked for
	ChangedAmount int64 `json:"changedAmount"` // checkouts whose amount in the log is not the one that was promised or that its cart adds up to
	OutOfOrder    int64 `json:"outOfOrder"`    // checkouts whose events are not in the order of the flow
	MailedTwice   int64 `json:"mailedTwice"`   // mails sent more than once; allowed, mail is at-least-once by nature
}

// Finding is one checkout that an audit names, with the places that prove it, so that another tool can look.
type Finding struct {
	Kind     string   `json:"kind"` // "lost", "duplicated" …: the names of Counts in JSON
	Checkout string   `json:"checkout"`
	Detail   string   `json:"detail"`          // one sentence
	Where    []string `json:"where,omitempty"` // "payment-successful/0@4711"
}

// FaultResult is one fault of a drill and what followed.
type FaultResult struct {
	Kind   string `json:"kind"`           // the verb: "kill", "crash" …
	Target string `json:"target"`         // the role it was chosen by: "controller", "leader of order-successful/0", "random"; else "broker 2" or "order"
	Node   int32  `json:"node,omitempty"` // the broker; 0 for none
	// Controller says that the broker led the quorum, however it was chosen: its loss costs an election more.
	Controller bool      `json:"controller,omitempty"`
	At         time.Time `json:"at"`
	// WriteGapMs is nil where none was measured: nothing is told rather than a zero.
	WriteGapMs *float64 `json:"writeGapMs,omitempty"`
	AtLeast    bool     `json:"atLeast,omitempty"` // the gap was not over when measuring ended
	// Stalled says that writes were stalled already when it was done: the gap is that of the act before.
	Stalled bool `json:"stalled,omitempty"`
	// AllGapMs is the longest time in which no partition took a write.
	AllGapMs *float64 `json:"allGapMs,omitempty"`
	// FlowGapMs is the longest time without a checkout that became complete, as analytics sees it, until the next act; nil where none ever did.
	FlowGapMs   *float64           `json:"flowGapMs,omitempty"`
	FlowAtLeast bool               `json:"flowAtLeast,omitempty"` // it was not over then
	Phases      map[string]float64 `json:"phases"`                // ms from the fault by Mark; what was not seen is not there
	Err         string             `json:"error,omitempty"`
}

// Percentiles are latencies in ms; N is how many they are of, and 0 means that the others say nothing.
type Percentiles struct {
	N    int64   `json:"n"`
	P50  float64 `json:"p50"`
	P90  float64 `json:"p90"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p999"`
	Max  float64 `json:"max"`
}

// Sample is one second of a drill, or in one of more than half an hour the same number of seconds each. Latencies are nil where nothing was acknowledged or completed in that second.
type Sample struct {
	At       float64  `json:"at"` // seconds from the begin of the drill, where it ends
	Accepted int64    `json:"accepted"`
	Complete int64    `json:"complete"`
	AckP50   *float64 `json:"ackP50,omitempty"` // ms, from when a checkout was due to its acknowledgement
	AckP99   *float64 `json:"ackP99,omitempty"`
	FlowP50  *float64 `json:"flowP50,omitempty"` // ms, from the payment's timestamp to the email's
	FlowP99  *float64 `json:"flowP99,omitempty"`
	HeapMB   float64  `json:"heapMB"`
	RSSMB    float64  `json:"rssMB,omitempty"` // 0 where the system does not tell
}

// Check is one expectation and whether it holds.
type Check struct {
	What  string `json:"what"` // "lost = 0", "write gap of kill ≤ 1200 ms"
	OK    bool   `json:"ok"`
	Saw   string `json:"saw"` // "3 lost", "1,180 ms"
	Fault int    `json:"fault,omitempty"`
}

// NamedValue is a setting or a version, in the order in which it is to be read.
type NamedValue struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Result is all that a drill saw, from its settings to its verdict: what --json ends with and what a report is made of.
type Result struct {
	Drill   string   `json:"drill"`
	About   string   `json:"about,omitempty"` // one sentence of the scenario
	Verdict Verdict  `json:"verdict"`
	Reasons []string `json:"reasons,omitempty"` // why it is no pass, a sentence each
	// Audited says that the log was read to its end. Where it was not, the counts are what customers were told and what analytics saw, and nothing is known of
	// what is lost or duplicated.
	Audited bool `json:"audited"`
	Counts
	// NotOffered is how many checkouts were due and not begun, because the program that brings the load was too busy. They are in no other figure.
	NotOffered int64         `json:"notOffered,omitempty"`
	Findings   []Finding     `json:"findings,omitempty"`
	MoreOf     int64         `json:"moreFindings,omitempty"` // findings that are counted and not listed
	Checks     []Check       `json:"checks"`
	Faults     []FaultResult `json:"faults"` // that took something away
	// Recoveries are the acts that gave it back: start, resume, reconnect, elect, scale.
	Recoveries []FaultResult `json:"recoveries,omitempty"`
	Ack        Percentiles   `json:"ack"`
	Flow       Percentiles   `json:"flow"`
	Samples    []Sample      `json:"samples,omitempty"`
	Begun      time.Time     `json:"begun"`
	Seconds    float64       `json:"seconds"`
	Seed       uint64        `json:"seed"`
	// Simulated is true where replication, ISR and elections are a model.
	Simulated bool         `json:"simulated,omitempty"`
	Settings  []NamedValue `json:"settings"` // those that matter: cluster, profile, delivery, acks, min.insync.replicas, rate …
	Versions  []NamedValue `json:"versions"`
	Again     string       `json:"again"` // the command that runs it again
}

// Ms is a duration in ms, as results carry it.
func Ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// FaultResultOf is a timeline in a result's words.
func FaultResultOf(t Timeline) FaultResult {
	f := FaultResult{
		Kind: string(t.Fault.Verb), Target: string(t.Fault.Role), Node: t.Fault.Node, Controller: t.Controller,
		At: t.At, Phases: map[string]float64{}, Err: t.Err, AtLeast: t.AtLeast(), Stalled: t.Stalled,
	}
	if f.Target == "" {
		f.Target = fmt.Sprintf("broker %d", t.Fault.Node)
		if t.Fault.Node == 0 {
			f.Target = "cluster"
		}
	}
	if t.Probed {
		worst, all := Ms(t.Gap.Worst), Ms(t.Gap.All)
		f.WriteGapMs, f.AllGapMs = &worst, &all
	}
	for _, p := range t.Phases {
		f.Phases[string(p.Mark)] = Ms(p.After)
	}
	return f
}

// JSON is the result on one line.
func (r *Result) JSON() ([]byte, error) {
	out, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("writing the result: %w", err)
	}
	return out, nil
}
