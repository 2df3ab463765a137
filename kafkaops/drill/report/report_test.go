package report

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"html"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/charmbracelet/x/exp/golden"

	"kassa/kafkaops"
	"kassa/kafkaops/drill"
	"kassa/kafkaops/drill/compare"
)

// samples is every sort of result, by name.
func samples() map[string][]*drill.Result {
	none := fixture("rolling-restart", 3, 20)
	none.Audited, none.Verdict, none.Reasons, none.Counts = false, drill.NoVerdict, []string{"The audit did not reach the end of order-successful/1."}, drill.Counts{}
	sim := fixture("controller-kill", 4, 12)
	sim.Simulated = true
	return map[string][]*drill.Result{
		"one": {fixture("leader-kill", 3, 15)}, "lossy": {lossy()}, "hostile": {hostile()}, "no verdict": {none}, "simulated": {sim},
		"several": {fixture("leader-kill", 3, 15), fixture("leader-kill", 3, 16), sim, none, lossy()},
		"chaos":   {fixture("chaos", 200, 18)}, "nothing": {}, "zero": {{}},
	}
}

// documents is every sort of document, by name.
func documents(t *testing.T) map[string]Document {
	out := map[string]Document{"compared": documentOf(comparison(t)), "compared, nothing": documentOf(&compare.Comparison{})}
	for name, results := range samples() {
		out[name] = Document{Results: results}
	}
	return out
}

func page4(t *testing.T, results ...*drill.Result) string {
	t.Helper()
	var b bytes.Buffer
	if err := HTML(&b, Document{Results: results}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// A parser that forgives nothing reads every page to its end: each element is closed where it belongs, and no text became markup.
func TestPagesAreWellFormed(t *testing.T) {
	for name, d := range documents(t) {
		var b strings.Builder
		if err := HTML(&b, d); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		page := b.String()
		ids := map[string]bool{}
		var refs []string
		dec := xml.NewDecoder(strings.NewReader(page))
		for {
			tok, err := dec.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			el, ok := tok.(xml.StartElement)
			if !ok {
				continue
			}
			if el.Name.Local == "script" || el.Name.Local == "iframe" || el.Name.Local == "link" || el.Name.Local == "img" {
				t.Errorf("%s has an element %s", name, el.Name.Local)
			}
			for _, a := range el.Attr {
				switch {
				case a.Name.Local == "id":
					if ids[a.Value] {
						t.Errorf("%s: two elements are called %s", name, a.Value)
					}
					ids[a.Value] = true
				case a.Name.Local == "href" && !strings.HasPrefix(a.Value, "#"), a.Name.Local == "src", strings.HasPrefix(a.Name.Local, "on"):
					t.Errorf("%s: <%s %s=%q>", name, el.Name.Local, a.Name.Local, a.Value)
				case a.Name.Local == "href":
					refs = append(refs, a.Value[1:])
				case a.Name.Local == "aria-labelledby":
					refs = append(refs, strings.Fields(a.Value)...)
				}
				if strings.Contains(a.Value, "ZgotmplZ") || strings.Contains(a.Value, "NaN") {
					t.Errorf("%s: <%s %s=%q>", name, el.Name.Local, a.Name.Local, a.Value)
				}
			}
		}
		for _, r := range refs {
			if !ids[r] {
				t.Errorf("%s: nothing is called %s", name, r)
			}
		}
		if m := regexp.MustCompile(`url\(|https?://|@import`).FindString(page); m != "" {
			t.Errorf("%s asks for something else: %s", name, m)
		}
	}
}

// What a record says is shown, and is text.
func TestHostileTextStaysText(t *testing.T) {
	page := page4(t, hostile())
	for _, bad := range []string{"<script", "\x1b", "\u202e", "\x00", "\xff", "onload=x \\x"} {
		if strings.Contains(page, bad) {
			t.Errorf("the page holds %q", bad)
		}
	}
	if !strings.Contains(page, `&lt;script&gt;alert(1)&lt;/script&gt;`) || !strings.Contains(page, `\u202egnp.exe`) {
		t.Error("the text is not shown")
	}
	if long := safe(strings.Repeat("ä", 1_000_000)); len(long) > 2000 || !strings.HasSuffix(long, "(2,000,000 bytes)") {
		t.Errorf("a long text is shown in %d bytes", len(long))
	}
}

// The style is left out: it changes often, and only eyes can judge it.
func TestGoldenPage(t *testing.T) {
	style := regexp.MustCompile(`(?s)<style>.*</style>`)
	golden.RequireEqual(t, style.ReplaceAll([]byte(page4(t, lossy())), []byte("<style/>")))
}

func TestGoldenJUnit(t *testing.T) {
	var b bytes.Buffer
	if err := JUnit(&b, Document{Results: []*drill.Result{lossy()}}); err != nil {
		t.Fatal(err)
	}
	golden.RequireEqual(t, b.Bytes())
}

// The verdict is the first thing in a page, and nothing that is not known is told as a zero.
func TestWhatIsNotKnownIsNotTold(t *testing.T) {
	r := fixture("leader-kill", 1, 15)
	f := &r.Faults[0]
	f.WriteGapMs, f.AllGapMs, f.Phases = nil, nil, nil
	r.Ack, r.Flow, r.Samples = drill.Percentiles{}, drill.Percentiles{}, nil
	page := page4(t, r)
	for _, bad := range []string{"0.0 ms", "longest write gap", "Over time", "Latency of the whole drill"} {
		if strings.Contains(page, bad) {
			t.Errorf("the page says %q of what was not measured", bad)
		}
	}
	r.Audited, r.Verdict, r.Counts = false, drill.NoVerdict, drill.Counts{}
	if page := page4(t, r); strings.Contains(page, "<h2>Checkouts") || strings.Contains(page, "<dt>lost</dt>") {
		t.Error("an audit that did not finish is told to have found nothing lost")
	}
	if page := page4(t, &drill.Result{}); !strings.Contains(page, "No verdict") || strings.Contains(page, "<dt>lost</dt>") {
		t.Error("a result without a verdict has one")
	}
}

func TestSimulatedIsSaid(t *testing.T) {
	r := fixture("leader-kill", 1, 15)
	if strings.Contains(page4(t, r), "SIMULATED") {
		t.Error("real brokers are told to be simulated")
	}
	r.Simulated = true
	if !strings.Contains(page4(t, r), "SIMULATED") || !strings.Contains(page4(t, r, fixture("other", 1, 15)), "SIMULATED") {
		t.Error("simulated brokers are not told")
	}
}

func TestJSONRoundtrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.json")
	want := []*drill.Result{lossy(), fixture("chaos", 12, 9)}
	if err := Write(path, want); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var got Document
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got.Results, want) {
		t.Error("what was read is not what was written")
	}
}

// Every check and every fault is a testcase, and the numbers that CI shows are those of its testcases.
func TestJUnitCounts(t *testing.T) {
	for name, results := range samples() {
		var b bytes.Buffer
		if err := JUnit(&b, Document{Results: results}); err != nil {
			t.Fatal(err)
		}
		var all junitSuites
		if err := xml.Unmarshal(b.Bytes(), &all); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if len(all.Suites) != len(results) {
			t.Fatalf("%s: %d suites of %d results", name, len(all.Suites), len(results))
		}
		tests, failures, errs := 0, 0, 0
		for i, s := range all.Suites {
			r := results[i]
			if want := 1 + len(r.Checks) + len(r.Faults); s.Tests != want || len(s.Cases) != want {
				t.Errorf("%s: %d tests, %d cases, want %d", name, s.Tests, len(s.Cases), want)
			}
			if bad := s.Failures+s.Errors > 0; bad == (r.Verdict == drill.Pass) {
				t.Errorf("%s: %s has %d failures and %d errors", name, r.Verdict, s.Failures, s.Errors)
			}
			for _, c := range s.Cases {
				tests++
				if c.Failure != nil {
					failures++
				}
				if c.Error != nil {
					errs++
				}
			}
		}
		if tests != all.Tests || failures != all.Failures || errs != all.Errors {
			t.Errorf("%s: %d tests, %d failures, %d errors in the cases; %d, %d, %d in the head", name, tests, failures, errs, all.Tests, all.Failures, all.Errors)
		}
	}
}

// Whoever reads JUnit's XML takes two of the same name for one.
func TestRunsOfOneDrillHaveNamesOfTheirOwn(t *testing.T) {
	second := fixture("leader-kill", 1, 10)
	second.Seed++
	var b bytes.Buffer
	if err := JUnit(&b, Document{Results: []*drill.Result{fixture("leader-kill", 1, 10), fixture("poison", 1, 10), second}}); err != nil {
		t.Fatal(err)
	}
	var all junitSuites
	if err := xml.Unmarshal(b.Bytes(), &all); err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"leader-kill, run 1, seed 8128", "poison", "leader-kill, run 2, seed 8129"} {
		if got := all.Suites[i].Name; got != want || all.Suites[i].Cases[0].Class != "kassa.drill."+want {
			t.Errorf("suite %d is %q of %q, want %q", i, got, all.Suites[i].Cases[0].Class, want)
		}
	}
}

// The gap that was not over is no figure of the runs together.
func TestRunsTogetherLeaveOutWhatWasNotOver(t *testing.T) {
	open := fixture("leader-kill", 1, 10)
	open.Faults[0].WriteGapMs, open.Faults[0].AtLeast = ptr(60_000), true
	row := newRepeat("leader-kill", []*drill.Result{fixture("leader-kill", 1, 10), open})
	if row.Gap.N != 1 || row.Gap.Worst == "60.0 s" || row.NotOver != "in 1 run the longest write gap was not over: at least 60.0 s" {
		t.Errorf("%+v", row)
	}
}

func TestWriteRefusesWhatItCannot(t *testing.T) {
	dir := t.TempDir()
	for _, path := range []string{filepath.Join(dir, "out.pdf"), filepath.Join(dir, "out"), filepath.Join(dir, "none", "out.html")} {
		for _, err := range []error{Write(path, nil), Check(path)} {
			if _, ok := errors.AsType[*kafkaops.UserError](err); !ok {
				t.Errorf("%s: %v", path, err)
			}
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "dir.html"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := Check(filepath.Join(dir, "dir.html")); err == nil {
		t.Error("a directory is taken for a file")
	}
}

// A report that is there stays until the new one is whole, and nothing else is left in its directory.
func TestWriteReplaces(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "OUT.HTML")
	if err := Check(path); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("the check left a file")
	}
	for _, r := range []*drill.Result{lossy(), fixture("leader-kill", 1, 9)} {
		if err := Write(path, []*drill.Result{r}); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(text), "Pass") {
		t.Errorf("the newer report is not there: %v", err)
	}
	all, err := os.ReadDir(dir)
	if err != nil || len(all) != 1 {
		t.Errorf("%d files: %v", len(all), err)
	}
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o644 {
		t.Errorf("mode %v: %v", st.Mode(), err)
	}
}

// Two settings side by side: what each lost, whether it may, and why.
func TestComparison(t *testing.T) {
	c := comparison(t)
	var b bytes.Buffer
	if err := HTML(&b, documentOf(c)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"Compared", "A (profile=stock,acks=1): of 22,280 accepted orders 6 were lost, which it allows.", "B (acks=all): of 25,060 accepted orders none was lost, as it promises.",
		"broker.session.timeout.ms is 9000 against 1000", "KIP-631", "7f3a1c0e-5b1d-4c55-9a53-3f0c2b7d11e0", "A, profile=stock,acks=1, run 2", "Loss allowed", "B, acks=all, run 1",
		"&#8800; acks",
	} {
		if !strings.Contains(b.String(), want) && !strings.Contains(b.String(), html.EscapeString(want)) {
			t.Errorf("the page does not say %q", want)
		}
	}
	b.Reset()
	if err := JUnit(&b, documentOf(c)); err != nil {
		t.Fatal(err)
	}
	var all junitSuites
	if err := xml.Unmarshal(b.Bytes(), &all); err != nil || len(all.Suites) != 5 || all.Failures != 0 || all.Suites[0].Tests != 1 {
		t.Errorf("%v %d suites, %d failures", err, len(all.Suites), all.Failures)
	}
	c.Verdict, c.Reasons = drill.Fail, []string{"B promises that nothing is lost"}
	b.Reset()
	if err := JUnit(&b, documentOf(c)); err != nil || !strings.Contains(b.String(), "promise broken") {
		t.Errorf("%v", err)
	}
	path := filepath.Join(t.TempDir(), "out.json")
	if err := WriteComparison(path, c); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var got Document
	if err := json.Unmarshal(text, &got); err != nil || len(got.Results) != 4 || got.Comparison == nil || got.Comparison.Sides[0].Name != "profile=stock,acks=1" || len(got.Comparison.Sides[0].Lost) != 6 {
		t.Errorf("%v %+v", err, got.Comparison)
	}
}

func TestFindingsStandWithTheirCheck(t *testing.T) {
	for _, c := range []struct {
		check, kind string
		want        bool
	}{
		{"lost = 0", "lost", true},
		{"without a cause = 0", "withoutCause", true},
		{"with a changed amount = 0", "changedAmount", true},
		{"in flight = 0", "inFlight", true},
		{"dead letters = 0", "deadLettered", true},
		{"out of order = 0", "outOfOrder", true},
		{"lost = 0", "duplicated", false},
		{"write gap of kill ≤ 20s", "lost", false},
		{"x", "", false},
	} {
		if got := isAbout(c.check, c.kind); got != c.want {
			t.Errorf("%q is about %q: %v", c.check, c.kind, got)
		}
	}
}
