package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"kassa/kafkaops/drill"
)

// page is what the template draws: texts and places, nothing that has still to be worked out.
type page struct {
	Title    string
	CSS      any
	Overview *overview   // nil for one result
	Versus   *versusView // nil where nothing is compared
	Results  []*resultView
}

// resultView is one drill.
type resultView struct {
	ID        string // of its section, and the beginning of all ids in it
	Drill     string
	About     string
	Verdict   verdictView
	Headline  []string
	Reasons   []string
	Simulated bool
	Audited   bool
	Key       []keyFigure
	Again     []string // its arguments: a line is broken between them
	Begun     string   // "" where not known
	BegunISO  string
	Lasted    string
	Seed      string
	Settings  []drill.NamedValue
	Versions  []drill.NamedValue
	Counts    []countGroup
	Adds      string
	AddsNot   bool
	Checks    []checkView
	ChecksOK  int
	Findings  []findingGroup
	MoreOf    string
	Faults    *faultsView
	Charts    []*chart
	Shares    []shareRow
}

type verdictView struct {
	Word, Class, Sign string
}

// keyFigure is a large figure beside the verdict.
type keyFigure struct {
	Value, Name, Class string
}

type checkView struct {
	What, Saw, Fault string
	OK               bool
}

type findingGroup struct {
	Kind  string
	N     string
	Fold  bool
	Items []drill.Finding
}

// shareRow is a row of the table of percentiles.
type shareRow struct {
	Name, What                  string
	N, P50, P90, P99, P999, Max string
}

func verdictOf(v drill.Verdict) verdictView {
	switch v {
	case drill.Pass:
		return verdictView{"Pass", "pass", "✓"}
	case drill.Fail:
		return verdictView{"Fail", "fail", "✗"}
	}
	return verdictView{"No verdict", "none", "?"}
}

// counted says that there are counts, be they only what customers were told and what analytics saw.
func counted(r *drill.Result) bool { return r.Audited || r.Counts != (drill.Counts{}) }

func newResult(id string, r *drill.Result) *resultView {
	v := &resultView{
		ID: id, Drill: safe(r.Drill), About: safe(r.About), Verdict: verdictOf(r.Verdict), Simulated: r.Simulated, Audited: r.Audited,
		Again: strings.Fields(safe(r.Again)),
		Seed:  fmt.Sprint(r.Seed), Settings: safeValues(r.Settings), Versions: safeValues(r.Versions),
		Headline: headline(r), Key: keyFigures(r), Faults: newFaults(id, r), Charts: charts(id, r),
	}
	for _, reason := range r.Reasons {
		v.Reasons = append(v.Reasons, safe(reason))
	}
	if !r.Begun.IsZero() {
		v.Begun, v.BegunISO = r.Begun.Format("2 January 2006, 15:04:05 MST"), r.Begun.Format(time.RFC3339)
	}
	if r.Seconds > 0 {
		v.Lasted = clock(r.Seconds)
	}
	if counted(r) {
		v.Counts = countGroups(r)
		v.Adds, v.AddsNot = adds(r)
	}
	for _, c := range r.Checks {
		view := checkView{What: safe(c.What), Saw: safe(c.Saw), OK: c.OK}
		if c.Fault > 0 {
			view.Fault = fmt.Sprint(c.Fault)
		}
		if c.OK {
			v.ChecksOK++
		}
		v.Checks = append(v.Checks, view)
	}
	v.Findings = findingGroups(r.Findings)
	if r.MoreOf > 0 {
		v.MoreOf = count(r.MoreOf)
	}
	v.Shares = shares(r)
	return v
}

func safeValues(in []drill.NamedValue) []drill.NamedValue {
	var out []drill.NamedValue
	for _, n := range in {
		out = append(out, drill.NamedValue{Name: safe(n.Name), Value: safe(n.Value)})
	}
	return out
}

// headline says in a sentence or two what happened.
func headline(r *drill.Result) []string {
	if !r.Audited {
		return []string{"The log was not audited to its end. No verdict is better than a wrong one."}
	}
	c := r.Counts
	landed := c.Unknown - c.Indeterminate
	if c.Accepted > 0 && c.Lost+c.Duplicated+c.InFlight+c.DeadLettered == 0 && c.Complete == c.Accepted+landed {
		text := fmt.Sprintf("%s checkouts were accepted. Every one of them is in the log, complete and once", count(c.Accepted))
		if landed > 0 {
			text += fmt.Sprintf(", and so are %s whose answer was that nobody knows", count(landed))
		}
		return []string{text + "."}
	}
	text := count(c.Accepted) + " checkouts were accepted"
	if landed > 0 {
		text += fmt.Sprintf(", and %s more are in the log whose answer was that nobody knows", count(landed))
	}
	parts := []string{count(c.Complete) + " are complete", count(c.Lost) + " lost", count(c.Duplicated) + " duplicated"}
	if c.InFlight > 0 {
		parts = append(parts, count(c.InFlight)+" still in flight")
	}
	if c.DeadLettered > 0 {
		parts = append(parts, count(c.DeadLettered)+" dead-lettered")
	}
	last := len(parts) - 1
	return []string{fmt.Sprintf("%s: %s and %s.", text, strings.Join(parts[:last], ", "), parts[last])}
}

// worstGap is the longest write gap of a result and the fault that it followed; not ok where none was measured.
func worstGap(r *drill.Result) (ms float64, fault int, atLeast, ok bool) {
	for i := range r.Faults {
		if f := &r.Faults[i]; f.WriteGapMs != nil && (!ok || *f.WriteGapMs > ms) {
			ms, fault, atLeast, ok = *f.WriteGapMs, i+1, f.AtLeast, true
		}
	}
	return ms, fault, atLeast, ok
}

func keyFigures(r *drill.Result) []keyFigure {
	c := r.Counts
	var out []keyFigure
	add := func(value, name, class string) { out = append(out, keyFigure{value, name, class}) }
	zero := func(n int64, name string) {
		class := "good"
		if n != 0 {
			class = "bad"
		}
		add(count(n), name, class)
	}
	if counted(r) {
		add(count(c.Accepted), "accepted", "")
	}
	if r.Audited {
		add(count(c.Complete), "complete", "")
		zero(c.Lost, "lost")
		zero(c.Duplicated, "duplicated")
	}
	if n := len(r.Faults); n > 0 {
		name := "faults"
		if n == 1 {
			name = "fault"
		}
		add(count(int64(n)), name, "")
	}
	if ms, fault, atLeast, ok := worstGap(r); ok {
		value := millis(ms)
		if atLeast {
			value = "≥ " + value
		}
		name := "longest write gap"
		if len(r.Faults) > 1 {
			name += fmt.Sprintf(", fault %d", fault)
		}
		add(value, name, "")
	}
	return out
}

// findingGroups sorts findings by their kind, in the order in which the kinds first appear.
func findingGroups(all []drill.Finding) []findingGroup {
	var out []findingGroup
	for _, f := range all {
		f = drill.Finding{Kind: safe(f.Kind), Checkout: safe(f.Checkout), Detail: safe(f.Detail), Where: slices.Clone(f.Where)}
		for i, w := range f.Where {
			f.Where[i] = safe(w)
		}
		i := slices.IndexFunc(out, func(g findingGroup) bool { return g.Kind == f.Kind })
		if i < 0 {
			i = len(out)
			out = append(out, findingGroup{Kind: f.Kind})
		}
		out[i].Items = append(out[i].Items, f)
	}
	for i := range out {
		out[i].N = count(int64(len(out[i].Items)))
		out[i].Fold = len(out[i].Items) > 20
	}
	return out
}

func shares(r *drill.Result) []shareRow {
	var out []shareRow
	add := func(name, what string, p drill.Percentiles) {
		if p.N > 0 {
			out = append(out, shareRow{
				name, what, count(p.N), millis(p.P50), millis(p.P90), millis(p.P99), millis(p.P999), millis(p.Max),
			})
		}
	}
	add("write", "from when a checkout was due to its acknowledgement", r.Ack)
	add("end to end", "from the payment's timestamp to the email's", r.Flow)
	return out
}
