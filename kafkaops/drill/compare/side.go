// Package compare runs the same drill with the same seed under two settings, in turn, and says what differed and why Kafka did so. It starts nothing and
// draws nothing: who calls it carries a run out, and report draws what came of it.
package compare

import (
	"fmt"
	"slices"
	"strings"

	"kassa/kafkaops"
	"kassa/kafkaops/drill/scenario"
)

// Side is one of the two settings that are compared.
type Side struct {
	Name string            // as it was given: "profile=stock,acks=1"
	Set  scenario.Settings // empty and 0: as the drill has it
	// Own is what the scenario itself expects of counts, under settings that promise safety: its dead letters, or what a topic that it deletes costs.
	Own []scenario.CountRule
}

// setting is one that can be compared.
type setting struct {
	name   string
	values []string
	put    func(*scenario.Settings, string)
}

func settings() []setting {
	return []setting{
		{"profile", []string{kafkaops.ProfileFastFailover, kafkaops.ProfileStock}, func(s *scenario.Settings, v string) { s.Profile = v }},
		{"acks", []string{"all", "1", "0"}, func(s *scenario.Settings, v string) { s.Acks = v }},
		{"min-isr", []string{"1", "2", "3"}, func(s *scenario.Settings, v string) { s.MinISR = int(v[0] - '0') }},
		{"delivery", []string{"exactly-once", "at-least-once"}, func(s *scenario.Settings, v string) { s.Delivery = v }},
	}
}

// Names are the settings that can be compared.
func Names() []string {
	var out []string
	for _, s := range settings() {
		out = append(out, s.name)
	}
	return out
}

// Completions are all settings with each of their values: "acks=1".
func Completions() []string {
	var out []string
	for _, s := range settings() {
		for _, v := range s.values {
			out = append(out, s.name+"="+v)
		}
	}
	return out
}

// ParseSide reads a side such as "profile=stock" or "acks=1,min-isr=1". Anything else is a *kafkaops.UserError.
func ParseSide(text string) (Side, error) {
	side := Side{}
	fail := func(format string, args ...any) (Side, error) {
		return Side{}, &kafkaops.UserError{Message: fmt.Sprintf(format, args...)}
	}
	var seen, names []string
	for part := range strings.SplitSeq(text, ",") {
		part = strings.TrimSpace(part)
		name, value, ok := strings.Cut(part, "=")
		if !ok {
			if full := meant(part); full != "" {
				return fail("%q is no setting: give NAME=VALUE, here %s", part, full)
			}
			return fail("%q is no setting to compare: give NAME=VALUE, such as acks=1, several joined by commas", part)
		}
		i := slices.IndexFunc(settings(), func(s setting) bool { return s.name == name })
		if i < 0 {
			return fail("there is no setting %q to compare: there are %s", name, strings.Join(Names(), ", "))
		}
		s := settings()[i]
		switch {
		case slices.Contains(seen, name):
			return fail("%s is there twice in %q", name, text)
		case !slices.Contains(s.values, value):
			return fail("%s is %s, not %q", name, strings.Join(s.values, " or "), value)
		}
		s.put(&side.Set, value)
		seen, names = append(seen, name), append(names, part)
	}
	side.Name = strings.Join(names, ",")
	return side, nil
}

// meant is the setting that has this word as its value, where there is only one.
func meant(word string) string {
	var full []string
	for _, c := range Completions() {
		if strings.HasSuffix(c, "="+word) {
			full = append(full, c)
		}
	}
	if len(full) != 1 {
		return ""
	}
	return full[0]
}

// Check refuses two sides between which there is nothing to compare. They are what is in force: the drill's own settings and defaults are filled in.
func Check(a, b Side) error {
	if a.Set == b.Set {
		text := fmt.Sprintf("%s and %s are the same settings for this drill (%s): there is nothing to compare", a.Name, b.Name, inForce(a.Set))
		return &kafkaops.UserError{Message: text}
	}
	return nil
}

// inForce names every setting: "profile=stock, acks=all …".
func inForce(s scenario.Settings) string {
	return fmt.Sprintf("profile=%s, acks=%s, min-isr=%d, delivery=%s", s.Profile, s.Acks, s.MinISR, s.Delivery)
}

// Safe says that a side promises to lose nothing and to do nothing twice: an acknowledged record is on two brokers or more.
func Safe(s scenario.Settings) bool { return s.Acks == "all" && s.MinISR >= 2 }

// Own is what a scenario expects of its counts, for a Side: nothing where its own settings are such that what is else never allowed may happen, for then that is
// what it expects.
func Own(s *scenario.Scenario) []scenario.CountRule {
	if set := s.Settings; set.Acks != "" && set.Acks != "all" || set.MinISR == 1 {
		return nil
	}
	return s.Expect.Counts
}

// Expectations are what a drill may expect of its counts under the settings of a side, where they allow what is else never allowed.
func Expectations(side Side) []scenario.CountRule {
	if Safe(side.Set) {
		return side.Own
	}
	// An order can outlive the payment that it followed from, and a retry without idempotence writes again.
	var rules []scenario.CountRule
	for _, name := range []string{"lost", "without-cause", "duplicated", "repeated", "out-of-order"} {
		rules = append(rules, scenario.CountRule{Name: name})
	}
	for _, own := range side.Own {
		if !slices.ContainsFunc(rules, func(r scenario.CountRule) bool { return r.Name == own.Name }) {
			rules = append(rules, own)
		}
	}
	return rules
}
