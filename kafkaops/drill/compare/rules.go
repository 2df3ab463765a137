package compare

import (
	"fmt"
	"slices"
	"strings"

	"kassa/kafkaops"
	"kassa/kafkaops/drill"
)

// Difference is what a setting made of the drill.
type Difference struct {
	Setting string `json:"setting"` // "acks"
	Text    string `json:"text"`    // one sentence: what Kafka did, and why
	Source  string `json:"source"`  // where it says so
}

// rule explains what follows from a setting that differs. says is empty where it does not apply to what was seen.
type rule struct {
	setting string
	source  string
	says    func(c *Comparison) string
}

// rules are all that a comparison can explain, in the order in which it is told. What it says of Kafka is in the sources named; the figures are those of the
// runs, and the settings' values those of kafkaops.Profile.
func rules() []rule {
	return []rule{
		{"profile", "KIP-631 (brokers are fenced when their heartbeats stop); Kafka's documentation of broker.session.timeout.ms", fencing},
		{"profile", "KIP-595 (the quorum elects a leader after controller.quorum.fetch.timeout.ms without the old one)", election},
		{"profile", "Kafka's documentation of controlled.shutdown.enable and replica.fetch.backoff.ms", leaderMove},
		{"acks", "Kafka's documentation of the producer's acks; KIP-101 (a replica cuts off what the new leader does not have)", leaderLoss},
		{"acks", "Kafka's documentation of the producer's acks", noAckLoss},
		{"acks", "Kafka's documentation of the producer's acks", lossUnseen},
		{"acks", "Kafka's documentation of the producer's acks", ackLatency},
		{"acks", "Kafka's documentation of enable.idempotence, which needs acks=all; KIP-98", noIdempotence},
		{"min-isr", "Kafka's documentation of min.insync.replicas; KIP-966 (the last replica standing)", aloneISR},
		{"min-isr", "Kafka's documentation of min.insync.replicas (NOT_ENOUGH_REPLICAS)", fullISR},
		{"delivery", "KIP-98 (transactions), KIP-447 (offsets are committed in them)", repeats},
		{"delivery", "KIP-98 (read_committed ends at the last stable offset)", commitWait},
	}
}

// explain applies the rules of the settings that differ.
func explain(c *Comparison) []Difference {
	a, b := c.Sides[0].set, c.Sides[1].set
	differs := map[string]bool{"profile": a.Profile != b.Profile, "acks": a.Acks != b.Acks, "min-isr": a.MinISR != b.MinISR, "delivery": a.Delivery != b.Delivery}
	out := []Difference{}
	for _, r := range rules() {
		if !differs[r.setting] {
			continue
		}
		if text := r.says(c); text != "" {
			out = append(out, Difference{r.setting, text, r.source})
		}
	}
	return out
}

// value is a broker setting of a side's profile, or Kafka's own where the profile leaves it.
func value(c *Comparison, side int, key string) string {
	p, err := kafkaops.ProfileByName(c.Sides[side].set.Profile)
	if err != nil {
		return "?"
	}
	for _, s := range p.Settings {
		if s.Key == key {
			return s.Value
		}
	}
	for _, s := range kafkaops.FastFailover().Settings {
		if s.Key == key {
			return s.Default
		}
	}
	return "?"
}

// both is a setting's value on either side: "9000 against 1000".
func both(c *Comparison, key string) string {
	return fmt.Sprintf("%s is %s against %s", key, value(c, 0, key), value(c, 1, key))
}

// toService says that an act hit a service and no broker.
func toService(f drill.FaultResult) bool {
	return slices.Contains([]string{"payment", "order", "email", "analytics"}, f.Target)
}

// did says that an act of one of these kinds was done to brokers on both sides, and where only is given one that it says yes to.
func did(c *Comparison, only func(drill.FaultResult) bool, kinds ...string) bool {
	for side := range c.Sides {
		if !slices.ContainsFunc(c.acts(side), func(f drill.FaultResult) bool {
			return f.Err == "" && slices.Contains(kinds, f.Kind) && !toService(f) && (only == nil || only(f))
		}) {
			return false
		}
	}
	return true
}

// against tells a row in words: "write gap of kill 8,532 ms against 1,060 ms (8.0 times)". Empty if it cannot be compared.
func (c *Comparison) against(name string) string {
	i := slices.IndexFunc(c.Times, func(r TimeRow) bool { return r.Name == name })
	if i < 0 || c.Times[i].Ratio == nil {
		return ""
	}
	r := c.Times[i]
	return fmt.Sprintf("%s %s against %s%s", name, Millis(r.Sides[0].Median), Millis(r.Sides[1].Median), times(*r.Ratio))
}

// times is a ratio in words, whichever way it is larger than 1; empty where there is none worth telling.
func times(ratio float64) string {
	switch {
	case ratio >= 1.05:
		return fmt.Sprintf(" (%s times)", Ratio(ratio))
	case ratio > 0 && ratio <= 1/1.05:
		return fmt.Sprintf(" (1/%s)", Ratio(1/ratio))
	}
	return ""
}

// figures joins those rows that can be compared, as the end of a sentence.
func (c *Comparison) figures(names ...string) string {
	var out []string
	for _, n := range names {
		if t := c.against(n); t != "" {
			out = append(out, t)
		}
	}
	if len(out) == 0 {
		return "."
	}
	return ": " + strings.Join(out, ", ") + "."
}

func (c *Comparison) tally(name string) CountRow {
	if i := slices.IndexFunc(c.Counts, func(r CountRow) bool { return r.Name == name }); i >= 0 {
		return c.Counts[i]
	}
	return CountRow{Name: name}
}

// letter is the side's.
func letter(side int) string { return Turn{Side: side}.Letter() }

// orders is "1 order", "3 orders".
func orders(n int64) string {
	if n == 1 {
		return "1 order"
	}
	return Count(n) + " orders"
}

func be(n int64) string {
	if n == 1 {
		return "is"
	}
	return "are"
}
