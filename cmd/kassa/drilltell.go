package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/term"

	"kassa/kafkaops"
	"kassa/kafkaops/drill"
	"kassa/kafkaops/drill/runner"
)

// tellEvery is how often a drill says how far it is where there is no terminal on which a line could be redrawn.
const tellEvery = 15 * time.Second

// drillTeller says what a drill does: nothing but results in JSON; else a line for each fault, and on a terminal a last line that is redrawn.
type drillTeller struct {
	out, errs io.Writer
	plan      *drillPlan
	live      bool // the last line can be redrawn

	mu     sync.Mutex
	bottom string // that line; empty for none
	stage  string
	told   time.Time
}

func newDrillTeller(p *drillPlan, out, errs io.Writer) *drillTeller {
	f, ok := out.(*os.File)
	return &drillTeller{out: out, errs: errs, plan: p, live: !p.asJSON && ok && term.IsTerminal(f.Fd()) && os.Getenv("TERM") != "dumb"}
}

// line writes a line above the one that is redrawn.
func (t *drillTeller) line(text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lineLocked(text)
}

func (t *drillTeller) lineLocked(text string) {
	if t.plan.asJSON {
		return
	}
	if t.bottom != "" {
		fmt.Fprint(t.out, "\r\x1b[K")
	}
	fmt.Fprintln(t.out, text)
	if t.bottom != "" {
		fmt.Fprint(t.out, t.bottom)
	}
}

// redrawLocked draws the last line anew.
func (t *drillTeller) redrawLocked(text string) {
	if !t.live {
		return
	}
	t.bottom = ansi.Truncate(text, max(outputWidth()-1, 20), "…")
	fmt.Fprint(t.out, "\r\x1b[K"+t.bottom)
}

// end takes the line away that is redrawn.
func (t *drillTeller) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.bottom != "" {
		fmt.Fprint(t.out, "\r\x1b[K")
		t.bottom = ""
	}
}

// run begins the n-th run.
func (t *drillTeller) run(n int) {
	s := t.plan.scenario
	if t.plan.runs > 1 {
		t.line(fmt.Sprintf("run %d of %d: %s, seed %d", n+1, t.plan.runs, s.Name, t.plan.seed+uint64(n)))
		return
	}
	t.line(fmt.Sprintf("drill %s, seed %d: %s", s.Name, t.plan.seed, s.About))
}

// starting is told while the cluster comes up.
func (t *drillTeller) starting(p kafkaops.Progress) {
	t.mu.Lock()
	defer t.mu.Unlock()
	text := p.Step
	if p.Total > 0 {
		text += fmt.Sprintf(", %d of %d", p.Done, p.Total)
	}
	t.redrawLocked(text)
	if !t.live && p.Step != t.stage {
		t.lineLocked(p.Step)
	}
	t.stage = p.Step
}

// cluster says what the drill is on.
func (t *drillTeller) cluster(info kafkaops.Info) {
	var b strings.Builder
	if info.Simulated {
		b.WriteString("SIMULATED: " + info.Why + "\n")
	}
	for i, v := range t.plan.settings(info) {
		if i > 0 {
			b.WriteString(" · ")
		}
		b.WriteString(v.Name + " " + v.Value)
	}
	t.line(b.String())
}

// progress is told by the runner.
func (t *drillTeller) progress(p runner.Progress) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if p.Over != nil {
		t.lineLocked(faultLine(*p.Over, p.Over.At.Sub(p.Begun)))
	}
	status := statusLine(p)
	switch {
	case t.live:
		t.redrawLocked(status)
	case p.Stage != t.stage:
		t.lineLocked(p.Stage)
		t.told = time.Now()
	case time.Since(t.told) > tellEvery:
		t.lineLocked(status)
		t.told = time.Now()
	}
	t.stage = p.Stage
}

// faultLine is an act and what followed: "01:12  kill broker 2 (controller)  write gap 1,502 ms  flow gap 2,010 ms".
func faultLine(f drill.FaultResult, at time.Duration) string {
	who := f.Target
	if broker := fmt.Sprintf("broker %d", f.Node); f.Node != 0 && f.Target != broker {
		who = fmt.Sprintf("%s (%s)", broker, f.Target)
	}
	what := f.Kind + " " + who
	if f.Kind == string(kafkaops.Elect) {
		what = kafkaops.Fault{Verb: kafkaops.Elect}.String()
	}
	text := fmt.Sprintf("%s  %s", clock(at), fitted(what, 52))
	if f.WriteGapMs != nil {
		text += "  write gap " + gapText(*f.WriteGapMs, f.AtLeast)
	}
	if f.Stalled {
		text += "  writes were stalled already"
	}
	if f.FlowGapMs != nil {
		text += "  flow gap " + gapText(*f.FlowGapMs, f.FlowAtLeast)
	}
	if f.Err != "" {
		text += "  " + f.Err
	}
	return ansi.Strip(text)
}

// fitted is a text of at least so many columns.
func fitted(text string, width int) string {
	return text + strings.Repeat(" ", max(width-ansi.StringWidth(text), 0))
}

func gapText(ms float64, atLeast bool) string {
	if atLeast {
		return fmt.Sprintf("at least %s ms", thousands(int64(ms)))
	}
	return fmt.Sprintf("%6s ms", thousands(int64(ms)))
}

// statusLine is how far the drill is.
func statusLine(p runner.Progress) string {
	if p.Stage != "running" {
		return strings.TrimSuffix(p.Stage+": "+p.Now, ": ")
	}
	text := clock(p.Elapsed)
	if p.Of > 0 {
		text += fmt.Sprintf("  fault %d of %d", p.Faults, p.Of)
	}
	text += fmt.Sprintf("  %.0f/s accepted  %.0f/s complete  %s in flight", p.AcceptRate, p.CompleteRate, thousands(p.InFlight))
	if p.Left > 0 {
		text += "  " + clock(p.Left) + " left"
	}
	if p.Now != "" {
		text += "  " + p.Now
	}
	return text
}

// clock is a duration as minutes and seconds, or with hours.
func clock(d time.Duration) string {
	s := int(d.Seconds())
	if s >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	}
	return fmt.Sprintf("%02d:%02d", s/60, s%60)
}
