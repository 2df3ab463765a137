package main

import (
	"strings"
	"testing"

	"kassa/kafkaops/drill/scenario"
)

// What makes no sense is refused in a sentence, before anything is started.
func TestCompareRefuses(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"", "compare takes two settings and a drill"},
		{"acks=1 acks=all", "compare takes two settings and a drill"},
		{"acks=1 acks=all drill leader-kill", "compare takes two settings and a drill"}, // no --
		{"acks=1 -- drill leader-kill", "compare takes two settings and a drill"},
		{"acks=1 acks=all min-isr=1 -- drill leader-kill", "compare takes two settings and a drill"},
		{"acks=1 acks=all -- drill", "compare takes two settings and a drill"},
		{"acks=1 acks=all -- bench now", "compare takes two settings and a drill"},
		{"acks=1 acks=all -- drill leader-kill chaos", "compare takes two settings and a drill"},
		{"acks=1 acks=1 -- drill leader-kill", "are the same settings for this drill"},
		{"profile=fast-failover acks=all -- drill leader-kill", "are the same settings for this drill"},
		{"acks=1 min-isr=2 -- drill acks-one", "are the same settings for this drill"}, // it has acks=1 by itself
		{"acks=1 linger=5 -- drill leader-kill", `there is no setting "linger"`},
		{"stock acks=all -- drill leader-kill", "here profile=stock"},
		{"acks=3 acks=all -- drill leader-kill", "acks is all or 1 or 0"},
		{"acks=1 acks=all -- drill nothing-like-it", `there is no drill "nothing-like-it"`},
		{"acks=1 acks=all -- drill leader-kill --acks 1", "--acks is compared by acks=1 already"},
		{"acks=1 acks=all -- drill leader-kill --json", "--json is the comparison's"},
		{"acks=1 acks=all -- drill leader-kill --data-dir x", "--data-dir is for a drill of its own"},
		{"acks=1 acks=all -- drill leader-kill --rate 0", "--rate is 1 to"},
		{"acks=1 acks=all -- drill leader-kill --nope", "unknown flag: --nope"},
		{"acks=1 acks=all --runs 0 -- drill leader-kill", "--runs is 1 to 100"},
		{"acks=1 acks=all --report out.pdf -- drill leader-kill", "ends in .html, .json or .xml"},
		{"acks=1 acks=all --report none/at/all.html -- drill leader-kill", "cannot be written"},
	} {
		text, code := kassaSays(t, append([]string{"compare"}, strings.Fields(c.args)...)...)
		if code != exitCannot || !strings.Contains(text, c.want) || strings.Contains(strings.TrimSpace(text), "\n") {
			t.Errorf("%q: exit code %d, want %q in a sentence:\n%s", c.args, code, c.want, text)
		}
	}
}

// A side has its own settings and, where it says nothing, the drill's; both have the same seed.
func TestComparePlan(t *testing.T) {
	f := &compareFlags{runs: 2}
	c, err := f.plan(strings.Fields("acks=all,profile=stock min-isr=1 drill acks-one --rate 50 --delivery at-least-once"), 2)
	if err != nil {
		t.Fatal(err)
	}
	want := [2]scenario.Settings{
		{Profile: "stock", Acks: "all", MinISR: 2, Delivery: "at-least-once"},
		{Profile: "fast-failover", Acks: "1", MinISR: 1, Delivery: "at-least-once"}, // acks=1 is the drill's own
	}
	for i, p := range c.plans {
		if c.sides[i].Set != want[i] || inForce(p) != want[i] {
			t.Errorf("side %d: %+v", i, c.sides[i])
		}
		if p.scenario.Load.Rate != 50 || p.seed != c.plans[0].seed {
			t.Errorf("side %d: rate %d, seed %d", i, p.scenario.Load.Rate, p.seed)
		}
	}
	// acks-one expects a loss. Compared, a side is held to what its settings promise.
	lost := func(i int) (rule scenario.CountRule) {
		for _, r := range c.plans[i].scenario.Expect.CountsFor("at-least-once") {
			if r.Name == "lost" {
				rule = r
			}
		}
		return rule
	}
	if a := lost(0); a.Holds(1) || !a.Holds(0) {
		t.Errorf("acks=all may lose: %v", a)
	}
	if b := lost(1); !b.Holds(1) || !b.Holds(0) {
		t.Errorf("acks=1 may not lose: %v", b)
	}
	if again := c.again(); !strings.HasPrefix(again, "kassa compare acks=all,profile=stock min-isr=1 --runs 2 -- drill acks-one --rate 50 --delivery at-least-once --seed ") {
		t.Error(again)
	}
}
