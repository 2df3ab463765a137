package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"kassa/kafkaops/compose"
	"kassa/kafkaops/drill"
	"kassa/kafkaops/drill/scenario"
	"kassa/kafkaops/embedded"
	"kassa/services"
	"kassa/services/payment"
)

// drillFile writes a scenario to a file.
func drillFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "mine.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// One broker is killed and a service crashes, on simulated brokers, and the log is audited: all of it in some seconds.
func TestAWholeDrillOnSimulatedBrokers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	promises, page := filepath.Join(dir, "promises.ndjson"), filepath.Join(dir, "out.json")
	file := drillFile(t, `
name: quick
load: {rate: 150, duration: 4s, warm-up: 1s}
steps:
- at: 200ms
  kill: leader of order-successful/1
- after: leaders moved
  back: same
- after: whole
  poison: not JSON
- crash: email
- after: settled
expect:
  dead-letters: 1
  write-gap: {kill: 10s}
`)
	out, code := kassaSays(t, "drill", file, "--cluster=embedded", "--json", "--seed=7",
		"--log-file="+filepath.Join(dir, "log"), "--promises="+promises, "--report="+page)
	var r drill.Result
	if err := json.Unmarshal([]byte(out), &r); err != nil || strings.Count(strings.TrimSpace(out), "\n") > 0 {
		t.Fatalf("it is to be one line of JSON: %v\n%s", err, out)
	}
	if code != exitOK || r.Verdict != drill.Pass || !r.Audited || !r.Simulated || r.Seed != 7 {
		t.Errorf("exit code %d: %s, %q", code, r.Verdict, r.Reasons)
	}
	if r.Accepted < 500 || r.Complete+r.DeadLettered < r.Accepted || r.Lost+r.Duplicated+r.Repeated+r.InFlight > 0 {
		t.Errorf("%+v", r.Counts)
	}
	if len(r.Faults) != 3 || len(r.Recoveries) != 1 || r.Faults[0].Node == 0 || r.Faults[0].WriteGapMs == nil || r.Faults[2].Target != "email" {
		t.Errorf("faults %+v\nrecoveries %+v", r.Faults, r.Recoveries)
	}
	if len(r.Samples) < 3 || r.Ack.N == 0 || r.Flow.N == 0 {
		t.Errorf("%d samples, %+v, %+v", len(r.Samples), r.Ack, r.Flow)
	}
	if want := "kassa drill " + file + " --cluster embedded --profile fast-failover --delivery exactly-once --acks all --rate 150 --seed 7"; r.Again != want {
		t.Errorf("it is run again with %q, want %q", r.Again, want)
	}
	if b, err := os.ReadFile(promises); err != nil || int64(bytes.Count(b, []byte("\n"))) < r.Accepted-r.DeadLettered {
		t.Errorf("%d promises, %v", bytes.Count(b, []byte("\n")), err)
	}
	if b, err := os.ReadFile(page); err != nil || !json.Valid(b) {
		t.Errorf("the report: %v", err)
	}
}

// Whoever presses ctrl+c gets what was seen so far, and no verdict.
func TestADrillThatIsInterruptedHasNoVerdict(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	var watching sync.WaitGroup
	defer watching.Wait()
	defer cancel()
	log := filepath.Join(t.TempDir(), "log")
	watching.Go(func() { // half a second after the kill, whenever that is
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for killed := (time.Time{}); ctx.Err() == nil; <-tick.C {
			if text, _ := os.ReadFile(log); killed.IsZero() && bytes.Contains(text, []byte("msg=fault")) {
				killed = time.Now()
			}
			if !killed.IsZero() && time.Since(killed) > 500*time.Millisecond {
				cancel()
			}
		}
	})
	var out bytes.Buffer
	root := newRoot()
	file := drillFile(t, "name: long\nload: {duration: 1h, warm-up: 0s}\nsteps:\n- kill: random\n- wait: 1h\n")
	root.SetArgs([]string{"drill", file, "--cluster=embedded", "--json", "--log-file=" + log})
	root.SetOut(&out)
	root.SetErr(&out)
	root.SilenceErrors, root.SilenceUsage = true, true
	err := root.ExecuteContext(ctx)
	var r drill.Result
	if jerr := json.Unmarshal(out.Bytes(), &r); jerr != nil {
		t.Fatalf("%v %v: %s", err, jerr, out.String())
	}
	if exitCode(err) != exitCannot || r.Verdict != drill.NoVerdict || r.Audited || len(r.Reasons) != 1 || !strings.Contains(r.Reasons[0], "interrupted") {
		t.Errorf("%v: %+v", err, r)
	}
	if len(r.Faults) != 1 || r.Accepted == 0 {
		t.Errorf("what was seen: %+v", r)
	}
}

// cancelAfterLine ends a context when a line was written.
type cancelAfterLine struct {
	bytes.Buffer
	cancel context.CancelFunc
}

func (w *cancelAfterLine) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte("\n")) {
		w.cancel()
	}
	return w.Buffer.Write(p)
}

// Of a thousand runs one passed, and then it was interrupted: that proves nothing about the others.
func TestRunsThatAreInterruptedHaveNoVerdict(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out := &cancelAfterLine{cancel: cancel}
	root := newRoot()
	file := drillFile(t, "name: short\nload: {duration: 1s, warm-up: 0s}\nsteps:\n- kill: follower\n")
	root.SetArgs([]string{"drill", file, "--cluster=embedded", "--json", "--runs=1000", "--log-file=" + filepath.Join(t.TempDir(), "log")})
	root.SetOut(out)
	root.SetErr(io.Discard)
	root.SilenceErrors, root.SilenceUsage = true, true
	err := root.ExecuteContext(ctx)
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	var sum drill.Aggregate
	if jerr := json.Unmarshal([]byte(lines[len(lines)-1]), &sum); jerr != nil {
		t.Fatalf("%v %v: %s", err, jerr, out.String())
	}
	if exitCode(err) != exitCannot || sum.Verdict != drill.NoVerdict || sum.Passed != 1 || sum.Runs != 1 || !strings.Contains(err.Error(), "after 1 of 1000 runs") {
		t.Errorf("%v: %s", err, out.String())
	}
}

// Containers that run already have the orders of others in their log, and are theirs.
func TestNoDrillOnContainersThatWereThere(t *testing.T) {
	if err := somebodys(&compose.Cluster{}); err == nil || !strings.Contains(err.Error(), "COMPOSE_PROJECT_NAME") || exitCode(err) != exitCannot {
		t.Errorf("on a project that was joined: %v", err)
	}
	if err := somebodys(&embedded.Cluster{}); err != nil {
		t.Errorf("on simulated brokers: %v", err)
	}
}

func TestDrillRefusesWhatItCannotDo(t *testing.T) {
	bad := drillFile(t, "name: bad\nsteps:\n- kill: nobody\n")
	poison := drillFile(t, "name: bad\nsteps:\n- poison: arsenic\n")
	used := t.TempDir()
	if err := os.WriteFile(filepath.Join(used, "log"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	idle := drillFile(t, "name: idle\nload: {duration: 5s}\n")
	for _, c := range []struct {
		want string
		args []string
	}{
		{`correct the drill ` + bad + `: line 3: "nobody" is nobody`, []string{bad}},
		{`line 3: there is no poison "arsenic": there are random, not JSON`, []string{poison}},
		{`there is no drill "slap": there are leader-kill, `, []string{"slap"}},
		{"cannot read the drill (open ./slap.yaml: no such file or directory)", []string{"./slap.yaml"}},
		{`drill takes one scenario, and was given "chaos" too`, []string{"poison", "chaos"}},
		{"--rate is 1 to 50000 checkouts a second, not 0", []string{"chaos", "--rate=0"}},
		{"--checkouts is 1 to", []string{"chaos", "--checkouts=0"}},
		{"--duration is 1s to 24h, not 1ms", []string{"chaos", "--duration=1ms"}},
		{"--checkouts and --duration both say when the load ends", []string{"chaos", "--checkouts=5", "--duration=5s"}},
		{"--faults is 1 to", []string{"chaos", "--faults=0"}},
		{"--faults is for a scenario with steps or chaos", []string{idle, "--faults=3"}},
		{"--runs is 1 to 1000, not 0", []string{"chaos", "--runs=0"}},
		{"--runs begins each run on a fresh cluster", []string{"chaos", "--runs=2", "--data-dir=x"}},
		{used + " holds data already: give --data-dir an empty or a new directory", []string{"chaos", "--cluster=local", "--data-dir=" + used}},
		{"--promises is of one run", []string{"chaos", "--runs=2", "--promises=x"}},
		{"cannot write the promises to nowhere/p (open nowhere/p: no such file or directory)", []string{"chaos", "--promises=nowhere/p"}},
		{"drill needs a name or a file", []string{"", "--runs=3"}},
		{"drill needs a name or a file", []string{"--json"}},
		{"--min-isr is 1 to 3, not 4", []string{"chaos", "--min-isr=4"}},
		{"there is no profile", []string{"chaos", "--profile=fast"}},
		{"a report is a file that ends in .html, .json or .xml", []string{"chaos", "--report=x.pdf"}},
		{"needs real brokers", []string{"acks-one", "--cluster=embedded"}},
		{`there is no drill "slap"`, []string{"show", "slap"}},
		{"drill show takes the name of a drill", []string{"show"}},
	} {
		args := append([]string{"drill"}, c.args...)
		if c.args[0] != "show" {
			args = append(args, "--log-file="+filepath.Join(t.TempDir(), "log"))
		}
		out, code := kassaSays(t, args...)
		lines := strings.Split(strings.TrimSpace(out), "\n")
		if code != exitCannot || !strings.Contains(lines[len(lines)-1], c.want) {
			t.Errorf("%q: exit code %d, want %d with %q:\n%s", c.args, code, exitCannot, c.want, out)
		}
	}
}

func TestDrillsAreListedAndShown(t *testing.T) {
	bare, code := kassaSays(t, "drill")
	list, _ := kassaSays(t, "drill", "list")
	if code != exitOK || bare != list || strings.Count(list, "\n") != len(scenario.Builtin()) || !strings.Contains(list, "pause-leader") {
		t.Errorf("exit code %d:\n%s", code, bare)
	}
	for _, s := range scenario.Builtin() {
		text, code := kassaSays(t, "drill", "show", s.Name)
		if again, err := scenario.Parse([]byte(text)); err != nil || code != exitOK || again.Name != s.Name {
			t.Errorf("%s cannot be read again: %v", s.Name, err)
		}
		if err := checkPoison(s); err != nil {
			t.Errorf("%s: %v", s.Name, err)
		}
	}
}

// What a person types goes over what the scenario says, and that over the defaults.
func TestFlagsGoOverTheScenario(t *testing.T) {
	file := drillFile(t, "name: a\nsettings: {delivery: at-least-once, acks: 1, profile: stock, min-isr: 1}\n"+
		"load: {customers: 5, think: 1s, duration: 9s}\nsteps:\n- kill: random\n")
	plan := func(args ...string) *drillPlan {
		t.Helper()
		f := &drillFlags{}
		cmd := newDrill()
		cmd.ResetFlags()
		f.register(cmd)
		if err := cmd.ParseFlags(args); err != nil {
			t.Fatal(err)
		}
		s, err := loadScenario(file)
		if err != nil {
			t.Fatal(err)
		}
		p, err := f.plan(cmd, file, s)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	p := plan()
	if p.shop.Delivery != services.AtLeastOnce || p.shop.Acks != payment.AcksLeader || p.src.local.Profile.Name != "stock" ||
		p.shop.Topics.MinISR != 1 || p.scenario.Load.Customers != 5 {
		t.Errorf("the scenario: %+v", p)
	}
	p = plan("--delivery=exactly-once", "--acks=all", "--profile=fast-failover", "--min-isr=2", "--rate=7", "--checkouts=70", "--faults=4", "--seed=9")
	if p.shop.Delivery != services.ExactlyOnce || p.shop.Acks != payment.AcksAll || p.src.local.Profile.Name != "fast-failover" ||
		p.shop.Topics.MinISR != 2 || p.seed != 9 {
		t.Errorf("the flags: %+v", p)
	}
	if l := p.scenario.Load; l.Rate != 7 || l.Customers != 0 || l.Checkouts != 70 || l.Duration != 0 || p.scenario.Rounds != 4 {
		t.Errorf("the load: %+v, %d rounds", l, p.scenario.Rounds)
	}
}
