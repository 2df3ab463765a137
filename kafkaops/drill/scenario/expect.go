package scenario

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Expect is what must hold for a pass.
type Expect struct {
	Counts   []CountRule // in the order of the file
	WriteGap []GapRule
	FlowGap  []GapRule
	AckP99   time.Duration // 0: nothing is expected
	FlowP99  time.Duration
}

// Rule is what is expected of a count.
type Rule struct {
	Op string // "=", "<=", ">="; empty for any
	N  int64
}

// Holds says whether n is as expected.
func (r Rule) Holds(n int64) bool {
	switch r.Op {
	case "=":
		return n == r.N
	case "<=":
		return n <= r.N
	case ">=":
		return n >= r.N
	}
	return true
}

// String reads like a formula: "= 0", "≤ 3".
func (r Rule) String() string {
	op := map[string]string{"=": "=", "<=": "≤", ">=": "≥"}[r.Op]
	if op == "" {
		return "may be any"
	}
	return fmt.Sprintf("%s %d", op, r.N)
}

// CountRule is what is expected of one count.
type CountRule struct {
	Name string // as in a file: "lost", "in-flight"
	Rule
}

// Count names a count that can be expected, in the order in which checks are listed.
func countNames() []string {
	return []string{
		"lost", "duplicated", "repeated", "in-flight", "dead-letters", "without-cause", "changed-amount", "out-of-order",
		"accepted", "refused", "unknown", "indeterminate", "mailed-twice",
	}
}

// CountsFor is what is expected of counts when the file does not say otherwise: nothing lost, nothing doubled, nothing left over. Repeats are allowed
// at-least-once.
func (e Expect) CountsFor(delivery string) []CountRule {
	zero := []string{"lost", "duplicated", "without-cause", "changed-amount", "out-of-order", "in-flight", "dead-letters"}
	if delivery != "at-least-once" {
		zero = slices.Insert(zero, 2, "repeated")
	}
	var rules []CountRule
	for _, name := range countNames() {
		i := slices.IndexFunc(e.Counts, func(r CountRule) bool { return r.Name == name })
		switch {
		case i >= 0:
			rules = append(rules, e.Counts[i])
		case slices.Contains(zero, name):
			rules = append(rules, CountRule{name, Rule{"=", 0}})
		}
	}
	return rules
}

var ruleText = regexp.MustCompile(`^(?:(=|<=|>=|≤|≥) *)?([0-9]{1,15})$`)

// parseRule reads "any", 3, "<= 3", ">= 1".
func parseRule(text string) (Rule, error) {
	if text == "any" {
		return Rule{}, nil
	}
	m := ruleText.FindStringSubmatch(strings.TrimSpace(text))
	if m == nil {
		return Rule{}, fmt.Errorf(`a count is a number, "<= 3", ">= 1" or any, not %q`, brief(text))
	}
	n, _ := strconv.ParseInt(m[2], 10, 64) // 15 digits
	op := map[string]string{"": "=", "=": "=", "<=": "<=", "≤": "<=", ">=": ">=", "≥": ">="}[m[1]]
	return Rule{op, n}, nil
}

// GapRule is what is expected of the gaps of one kind of fault.
type GapRule struct {
	Kind   string        // the verb of the fault, or "any" for all together
	Median time.Duration // 0: nothing is expected of it
	Worst  time.Duration
}

// gapKinds are what a gap can be expected of.
func gapKinds() []string {
	return []string{"any", "kill", "stop", "pause", "restart", "cut", "crash", "start", "resume", "reconnect", "elect", "poison", "oversize", "delete-topic"}
}
