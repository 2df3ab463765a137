package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"kassa/kafkaops/drill"
)

// The elements of JUnit's XML as CI systems take it. There is no standard; this is what Jenkins' schema has in common with what Maven Surefire, GitLab and
// GitHub's actions read.
type (
	junitSuites struct {
		XMLName  xml.Name     `xml:"testsuites"`
		Name     string       `xml:"name,attr"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Errors   int          `xml:"errors,attr"`
		Time     string       `xml:"time,attr"`
		Suites   []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		XMLName    xml.Name        `xml:"testsuite"`
		Name       string          `xml:"name,attr"`
		Tests      int             `xml:"tests,attr"`
		Failures   int             `xml:"failures,attr"`
		Errors     int             `xml:"errors,attr"`
		Skipped    int             `xml:"skipped,attr"`
		Time       string          `xml:"time,attr"`
		Timestamp  string          `xml:"timestamp,attr,omitempty"`
		Properties []junitProperty `xml:"properties>property"`
		Cases      []junitCase     `xml:"testcase"`
		Out        string          `xml:"system-out,omitempty"`
	}
	junitProperty struct {
		Name  string `xml:"name,attr"`
		Value string `xml:"value,attr"`
	}
	junitCase struct {
		XMLName xml.Name      `xml:"testcase"`
		Class   string        `xml:"classname,attr"`
		Name    string        `xml:"name,attr"`
		Time    string        `xml:"time,attr,omitempty"`
		Failure *junitFailure `xml:"failure"`
		Error   *junitFailure `xml:"error"`
		Out     string        `xml:"system-out,omitempty"`
	}
	junitFailure struct {
		Type    string `xml:"type,attr"`
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

// JUnit writes a testsuite for every drill: a testcase for its verdict, for each check and for each fault.
func JUnit(w io.Writer, d Document) error {
	all := junitSuites{Name: "kassa"}
	seconds := 0.0
	if d.Comparison != nil {
		all.Suites = append(all.Suites, versusSuite(d.Comparison))
	}
	for i, r := range d.Results {
		seconds += r.Seconds
		s := suiteOf(d.name(i), r)
		if d.Comparison != nil {
			s.forgive() // what did not hold is what is compared; whether it may is the comparison's own case
		}
		all.Suites = append(all.Suites, s)
	}
	for _, s := range all.Suites {
		all.Tests, all.Failures, all.Errors = all.Tests+s.Tests, all.Failures+s.Failures, all.Errors+s.Errors
	}
	all.Time = decimal(seconds)
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(all); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func suiteOf(name string, r *drill.Result) junitSuite {
	s := junitSuite{Name: name, Time: decimal(r.Seconds), Out: "run it again: " + safe(r.Again)}
	if !r.Begun.IsZero() {
		s.Timestamp = r.Begun.UTC().Format("2006-01-02T15:04:05") // a zone is not allowed there
	}
	s.Properties = append(s.Properties, junitProperty{"seed", fmt.Sprint(r.Seed)}, junitProperty{"simulated", strconv.FormatBool(r.Simulated)})
	for _, n := range r.Settings {
		s.Properties = append(s.Properties, junitProperty{safe(n.Name), safe(n.Value)})
	}
	for _, n := range r.Versions {
		s.Properties = append(s.Properties, junitProperty{"version " + safe(n.Name), safe(n.Value)})
	}
	s.add(verdictCase(r))
	for _, c := range r.Checks {
		s.add(checkCase(r, c))
	}
	for i := range r.Faults {
		s.add(faultCase(i, &r.Faults[i]))
	}
	return s
}

// add puts a case in and counts it.
func (s *junitSuite) add(c junitCase) {
	c.Class = "kassa.drill." + s.Name
	s.Cases = append(s.Cases, c)
	s.Tests++
	if c.Failure != nil {
		s.Failures++
	}
	if c.Error != nil {
		s.Errors++
	}
}

// forgive turns failures into text.
func (s *junitSuite) forgive() {
	for i := range s.Cases {
		if f := s.Cases[i].Failure; f != nil {
			s.Cases[i].Failure = nil
			s.Cases[i].Out = strings.TrimSpace(strings.Join([]string{s.Cases[i].Out, f.Message, f.Text}, "\n"))
		}
	}
	s.Failures = 0
}

func verdictCase(r *drill.Result) junitCase {
	c := junitCase{Name: "verdict", Time: decimal(r.Seconds)}
	why := make([]string, 0, len(r.Reasons))
	for _, reason := range r.Reasons {
		why = append(why, safe(reason))
	}
	message := strings.Join(why, " ")
	text := strings.Join(append(why, findingLines(r, "")...), "\n")
	switch r.Verdict {
	case drill.Pass:
	case drill.Fail:
		c.Failure = &junitFailure{Type: "verdict", Message: message, Text: text}
	default:
		c.Error = &junitFailure{Type: "no verdict", Message: message, Text: text}
	}
	return c
}

func checkCase(r *drill.Result, check drill.Check) junitCase {
	c := junitCase{Name: safe(check.What)}
	if check.Fault > 0 {
		c.Name += fmt.Sprintf(" (fault %d)", check.Fault)
	}
	if !check.OK {
		text := strings.Join(append([]string{"expected: " + safe(check.What), "saw: " + safe(check.Saw)}, findingLines(r, check.What)...), "\n")
		c.Failure = &junitFailure{Type: "check", Message: safe(check.What) + ": saw " + safe(check.Saw), Text: text}
	}
	return c
}

func faultCase(i int, f *drill.FaultResult) junitCase {
	c := junitCase{Name: fmt.Sprintf("fault %d: %s", i+1, faultText(f))}
	var out []string
	if f.WriteGapMs != nil {
		c.Time = decimal(*f.WriteGapMs / 1000)
		least := ""
		if f.AtLeast {
			least = "at least "
		}
		out = append(out, "write gap "+least+millis(*f.WriteGapMs))
	}
	for _, name := range sortedPhases(f) {
		out = append(out, safe(name)+" +"+millis(f.Phases[name]))
	}
	c.Out = strings.Join(out, "\n")
	if f.Err != "" {
		c.Error = &junitFailure{Type: "fault", Message: safe(f.Err)}
	}
	return c
}

// findingLines are the findings that a check is about, or all of them.
func findingLines(r *drill.Result, about string) []string {
	var out []string
	for _, f := range r.Findings {
		if about != "" && !isAbout(about, f.Kind) {
			continue
		}
		line := fmt.Sprintf("%s %s: %s", safe(f.Kind), safe(f.Checkout), safe(f.Detail))
		if len(f.Where) > 0 {
			line += " (" + safe(strings.Join(f.Where, ", ")) + ")"
		}
		out = append(out, line)
	}
	if r.MoreOf > 0 {
		out = append(out, fmt.Sprintf("and %s more findings, of which only the number was kept", count(r.MoreOf)))
	}
	return out
}

func decimal(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return ""
	}
	return strconv.FormatFloat(v, 'f', 3, 64)
}

// isAbout says that a check such as "without a cause = 0" is about findings such as "withoutCause": it has the beginning of each of their words.
func isAbout(check, kind string) bool {
	var spaced strings.Builder
	for _, r := range kind {
		if unicode.IsUpper(r) {
			spaced.WriteByte(' ')
		}
		spaced.WriteRune(unicode.ToLower(r))
	}
	words := strings.FieldsFunc(strings.ToLower(check), func(r rune) bool { return !unicode.IsLetter(r) })
	for word := range strings.FieldsSeq(spaced.String()) {
		stem := word[:min(len(word), 4)]
		if !slices.ContainsFunc(words, func(w string) bool { return strings.HasPrefix(w, stem) }) {
			return false
		}
	}
	return kind != ""
}
