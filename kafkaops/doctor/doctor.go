// Package doctor says what is at risk: on this machine, or on a cluster that it asks. Machine and Cluster describe what was seen, without a
// verdict; pure rules make Findings of them. It changes nothing, but for a temporary topic when it is told to measure clocks, and
// what cannot be seen from outside it says rather than guesses.
package doctor

import (
	"context"

	"kassa/kafkaops/local"
)

// Level is how much a finding matters.
type Level string

// The levels of a finding.
const (
	OK   Level = "ok"
	Note Level = "note" // worth knowing; nothing is lost by it alone
	Risk Level = "risk" // records, or the means to read and write them, can be lost by one more failure, or are now
)

// Finding is one thing that was looked at.
type Finding struct {
	Level   Level  `json:"level"`
	Group   string `json:"group"`   // the heading it stands under
	Check   string `json:"check"`   // the rule that found it, a name that does not change
	Subject string `json:"subject"` // what was looked at: a topic, a broker, a program
	What    string `json:"what"`    // what was found
	Risk    string `json:"risk,omitempty"`
	Fix     string `json:"fix,omitempty"`
}

// Report is all that was seen and what it means. The part that was not asked for is nil.
type Report struct {
	Machine  *Machine  `json:"machine,omitempty"`
	Cluster  *Cluster  `json:"cluster,omitempty"`
	Findings []Finding `json:"findings"`
}

// Count is how many findings have this level.
func (r Report) Count(l Level) int {
	n := 0
	for _, f := range r.Findings {
		if f.Level == l {
			n++
		}
	}
	return n
}

// ExamineMachine reports on this machine as a place for kassa's own brokers.
func ExamineMachine(ctx context.Context, cfg local.Config) (Report, error) {
	m, err := survey(ctx, cfg)
	if err != nil {
		return Report{}, err
	}
	return Report{Machine: m, Findings: examineMachine(m)}, nil
}

// ExamineCluster reports on the cluster at bootstrap (host:port). writeProbe has it write to a temporary topic, the only way to see every broker's clock.
// It takes seconds, however many brokers do not answer. If none does, the error is a *kafkaops.UserError.
func ExamineCluster(ctx context.Context, bootstrap []string, writeProbe bool) (Report, error) {
	c, err := gather(ctx, bootstrap, writeProbe)
	if err != nil {
		return Report{}, err
	}
	return Report{Cluster: c, Findings: examineCluster(c)}, nil
}
