package doctor

import (
	"fmt"
	"slices"
	"strconv"
	"time"
)

// Settings that rules look at, as Kafka spells them.
const (
	keyAutoCreate = "auto.create.topics.enable"
	keyCopies     = "default.replication.factor"
	keyMinISR     = "min.insync.replicas"
	keyUnclean    = "unclean.leader.election.enable"
)

// enough is how many replicas survive the loss of one broker while another is being restarted.
const enough = 3

// The headings.
const (
	groupBrokers    = "Brokers"
	groupQuorum     = "Quorum"
	groupDefaults   = "What new topics get"
	groupTopics     = "Topics"
	groupPartitions = "Partitions now"
	groupWriters    = "Who writes"
	groupClocks     = "Clocks"
	groupUnseen     = "Not examined"
)

// examineCluster applies every rule. A rule says something in any case: a finding for each thing that is wrong, else one that all is well.
func examineCluster(c *Cluster) []Finding {
	var out []Finding
	for _, rule := range []func(*Cluster) []Finding{
		brokers, quorum, defaults, internals, replication, minISR, unclean, probeLeftovers, partitions, writers, clocks, unseen,
	} {
		out = append(out, rule(c)...)
	}
	return out
}

// target is how many replicas a topic of this cluster should have.
func (c *Cluster) target() int { return min(enough, max(1, len(c.Brokers))) }

func brokers(c *Cluster) []Finding {
	var out []Finding
	var up []int32
	for _, b := range c.Brokers {
		f := Finding{
			Level: Risk, Group: groupBrokers, Check: "broker-up", Subject: fmt.Sprintf("broker %d", b.ID),
			Risk: "Its replicas fall behind, and the next loss can stop writes or lose what only one broker has.",
			Fix:  "Start it again, and wait until nothing is under-replicated.",
		}
		switch {
		case b.Answers() && !b.Fenced:
			up = append(up, b.ID)
			continue
		case b.Answers():
			f.What = "answers, and is fenced: the controller does not hear from it"
			f.Fix = "Read its log: it cannot reach the controller, or is still starting."
		case b.Addr == "":
			f.What = b.Why + ", and replicas name it"
			f.Fix = "Start it again, or move its replicas to other brokers (kafka-reassign-partitions)."
		case b.Fenced:
			f.What = fmt.Sprintf("down: fenced, and %s gives no answer (%s)", b.Addr, b.Why)
		default:
			f.What = fmt.Sprintf("%s gives no answer (%s)", b.Addr, b.Why)
			f.Fix = "Start it again; if it runs, its advertised.listeners name an address that cannot be reached from here."
		}
		out = append(out, f)
	}
	for _, d := range c.Dead {
		out = append(out, Finding{
			Level: Note, Group: groupBrokers, Check: "bootstrap", Subject: d.Subject, What: "gives no answer (" + d.Why + ")",
			Risk: "A client that starts with this address alone finds no cluster.", Fix: "Correct the address, or start what should be there.",
		})
	}
	if n := len(c.Brokers); n < enough {
		out = append(out, Finding{
			Level: Risk, Group: groupBrokers, Check: "broker-count", Subject: "brokers", What: fmt.Sprintf("%d", n),
			Risk: "There is no room for three copies: one loss stops acks=all with two in sync, or leaves a single copy.",
			Fix:  "Add brokers until there are three.",
		})
	}
	if len(out) == 0 {
		out = append(out, Finding{Level: OK, Group: groupBrokers, Check: "broker-up", Subject: "brokers", What: ids(up) + " answer, none is fenced"})
	}
	return append(out, disagreements(c)...)
}

// disagreements finds settings that should be the same everywhere: the broker that happens to act decides.
func disagreements(c *Cluster) []Finding {
	var out []Finding
	for _, key := range brokerSettings {
		values := make(map[string]bool)
		var said []string
		for _, b := range c.Brokers {
			if s, ok := b.Settings[key]; ok {
				values[s.Value] = true
				said = append(said, fmt.Sprintf("%s on broker %d", s.Value, b.ID))
			}
		}
		if len(values) > 1 {
			out = append(out, Finding{
				Level: Note, Group: groupBrokers, Check: "same-settings", Subject: key, What: list(said),
				Risk: "What a topic gets depends on which broker or controller acts.", Fix: "Give every broker the same value.",
			})
		}
	}
	return out
}

// How long a voter may be silent, or behind, by the clock of the quorum's leader. Voters fetch every 500 ms when idle, and look for
// another leader after 2 s (controller.quorum.fetch.timeout.ms).
const (
	voterSilent = 3 * time.Second
	voterBehind = 10 * time.Second
)

func quorum(c *Cluster) []Finding {
	if c.QuorumLost {
		return []Finding{{
			Level: Risk, Group: groupQuorum, Check: "quorum-lost", Subject: "quorum", What: "no controller answers the brokers",
			Risk: "No leader moves and no topic changes; a partition whose leader is lost stays without one.",
			Fix:  "Start controllers until more than half of the voters run.",
		}}
	}
	q := c.Quorum
	if q == nil {
		return nil // told by unseen
	}
	var out []Finding
	var all []int32
	left := 0
	for _, v := range q.Voters {
		all = append(all, v.ID)
		what := ""
		switch {
		case c.down(v.ID):
			what = "its node is down"
		case v.FetchAgo < 0:
			what = fmt.Sprintf("has not fetched since broker %d leads", q.Leader)
		case ms(v.FetchAgo) > voterSilent:
			what = "last fetched " + ago(v.FetchAgo)
		case v.CaughtUpAgo < 0 || ms(v.CaughtUpAgo) > voterBehind:
			what = fmt.Sprintf("%d records behind", v.Lag)
		default:
			left++
			continue
		}
		out = append(out, Finding{
			Level: Risk, Group: groupQuorum, Check: "voter-lag", Subject: fmt.Sprintf("voter %d", v.ID), What: what,
			Risk: fmt.Sprintf("Of %d voters %d are needed; without them no leader moves and no topic changes.", len(q.Voters), len(q.Voters)/2+1),
			Fix:  "Start that controller again, or find out why it is slow.",
		})
	}
	n := len(q.Voters)
	count := Finding{Group: groupQuorum, Check: "voter-count", Subject: "voters", Level: Risk, What: fmt.Sprintf("%d (%s)", n, ids(all))}
	switch {
	case n < 3:
		count.Risk = "The loss of one stops the quorum: no leader moves and no topic changes until it is back."
		count.Fix = "Run three controllers."
	case n%2 == 0:
		count.Level = Note
		count.Risk = fmt.Sprintf("%d survive no more losses than %d would, and each write waits for one more.", n, n-1)
		count.Fix = "Run an odd number of controllers."
	default:
		count.Level = OK
		if left == n {
			count.What = fmt.Sprintf("%s, led by %d; none is behind", ids(all), q.Leader)
		}
	}
	return append(out, count)
}

// down says that neither the controller nor we hear from a node; one that we alone cannot reach is not down.
func (c *Cluster) down(id int32) bool {
	return slices.ContainsFunc(c.Brokers, func(b Broker) bool { return b.ID == id && b.Fenced && !b.Answers() })
}

func ms(n int64) time.Duration { return time.Duration(n) * time.Millisecond }

func ago(n int64) string { return fmt.Sprintf("%.1f s ago", ms(n).Seconds()) }

// defaults are what a topic gets that is made without saying more.
func defaults(c *Cluster) []Finding {
	s := c.settings()
	if s == nil {
		return nil
	}
	var out []Finding
	if n := number(s, keyCopies); n >= 0 && n < c.target() {
		f := Finding{
			Level: Note, Group: groupDefaults, Check: "default-replication", Subject: keyCopies, What: strconv.Itoa(n) + from(s[keyCopies]),
			Risk: "A topic that is made without a replication factor is lost or stopped with one broker.",
			Fix:  fmt.Sprintf("Set it to %d on every broker.", c.target()),
		}
		if s[keyAutoCreate].Value == "true" {
			f.Level = Risk
			f.Risk += " Topics make themselves here (" + keyAutoCreate + "): a wrong name is enough."
		}
		out = append(out, f)
	}
	if number(s, keyMinISR) == 1 && c.target() > 1 {
		out = append(out, Finding{
			Level: Note, Group: groupDefaults, Check: "default-min-isr", Subject: keyMinISR, What: "1" + from(s[keyMinISR]),
			Risk: "On a topic without a value of its own, acks=all can mean the leader alone.",
			Fix:  "Set it to 2 for the cluster (kafka-configs --entity-type brokers --entity-default).",
		})
	}
	if s[keyUnclean].Value == "true" {
		out = append(out, Finding{
			Level: Risk, Group: groupDefaults, Check: "default-unclean", Subject: keyUnclean, What: "true" + from(s[keyUnclean]),
			Risk: uncleanRisk, Fix: "Set it to false, and to true for a topic only where its records may be lost.",
		})
	}
	if len(out) == 0 {
		out = append(out, Finding{
			Level: OK, Group: groupDefaults, Check: "defaults", Subject: "defaults",
			What: fmt.Sprintf("%s replicas, %s %s, unclean election off", s[keyCopies].Value, keyMinISR, s[keyMinISR].Value),
		})
	}
	return out
}

// from says who set a value.
func from(s Setting) string {
	switch s.Source {
	case "topic":
		return " (set on the topic)"
	case "broker":
		return " (set on a broker)"
	case "cluster":
		return " (set for the cluster)"
	case "file":
		return " (in the brokers' files)"
	default:
		return " (Kafka's default)"
	}
}

// internal is a topic that Kafka makes for itself when it is first needed.
type internal struct{ name, copies, minISR, without string }

func internalTopics() []internal {
	return []internal{
		{"__consumer_offsets", "offsets.topic.replication.factor", keyMinISR, "every consumer group whose coordinator was there stops, or forgets its offsets"},
		{"__transaction_state", "transaction.state.log.replication.factor", "transaction.state.log.min.isr", "every transaction whose coordinator was there stops, or its outcome is lost"},
	}
}

// internals looks at the topics that Kafka keeps for itself, or at how it would make them. Their other settings are looked at like any topic's.
func internals(c *Cluster) []Finding {
	var out []Finding
	s := c.settings()
	for _, in := range internalTopics() {
		f := Finding{Level: OK, Group: groupTopics, Check: "internal-replication", Subject: in.name}
		risk := fmt.Sprintf("With the loss of one broker %s.", in.without)
		if t := c.topic(in.name); t != nil {
			f.What = replicas(t.copies())
			if t.copies() < c.target() {
				f.Level, f.Risk = Risk, risk
				f.Fix = fmt.Sprintf("Raise it to %d (kafka-reassign-partitions), and set %s for the next cluster.", c.target(), in.copies)
			}
			out = append(out, f)
			continue
		}
		copies, least := number(s, in.copies), number(s, in.minISR)
		if copies < 0 {
			continue
		}
		f.What = fmt.Sprintf("not there yet; will have %s, %s %d", replicas(copies), keyMinISR, least)
		switch {
		case copies > len(c.Brokers):
			f.Level = Risk
			f.Risk = fmt.Sprintf("It cannot be made on %s, and what needs it does not work.", count(len(c.Brokers), "broker"))
			f.Fix = fmt.Sprintf("Add brokers, or set %s=%d before its first use.", in.copies, c.target())
		case copies < c.target():
			f.Level, f.Risk = Risk, risk
			f.Fix = fmt.Sprintf("Set %s=%d before its first use.", in.copies, c.target())
		case least == 1 && copies > 1:
			f.Level = Risk
			f.Risk = "A commit counts when one broker has it, and is undone with that broker."
			f.Fix = fmt.Sprintf("Set %s=2 before its first use.", in.minISR)
		case least >= copies && copies > 1:
			f.Level = Risk
			f.Risk = fmt.Sprintf("With the loss of one broker no commit counts: it needs %d replicas.", copies)
			f.Fix = fmt.Sprintf("Set %s below %s before its first use.", in.minISR, in.copies)
		}
		out = append(out, f)
	}
	return out
}

func replicas(n int) string { return count(n, "replica") }

// count writes a number of things.
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// replication is about too few copies. Internal topics that internals knows are left to it.
func replication(c *Cluster) []Finding {
	var out []Finding
	seen := 0
	for _, t := range c.Topics {
		if leftOver(t.Name) || known(t.Name) || len(t.Partitions) == 0 {
			continue
		}
		seen++
		n := t.copies()
		if n >= c.target() {
			continue
		}
		f := Finding{
			Level: Risk, Group: groupTopics, Check: "replication", Subject: t.Name, What: fmt.Sprintf("replication factor %d", n),
			Fix: fmt.Sprintf("Raise it to %d (kafka-reassign-partitions).", c.target()),
		}
		f.Risk = "When its broker is lost it takes no writes and no reads, and with the disk the records are gone."
		if n > 1 {
			f.Risk = "After one loss there is a single copy: writes stop where two must be in sync, else the next loss is final."
		}
		out = append(out, f)
	}
	return append(out, fine(out, seen, "replication", fmt.Sprintf("%s or more", replicas(c.target())))...)
}

func known(topic string) bool {
	return slices.ContainsFunc(internalTopics(), func(in internal) bool { return in.name == topic })
}

// fine is what to say of topics of which a rule had nothing to say.
func fine(found []Finding, seen int, check, what string) []Finding {
	n := seen - len(found)
	if n <= 0 {
		return nil
	}
	subject := count(n, "topic")
	if len(found) > 0 {
		subject = count(n, "other topic")
	}
	return []Finding{{Level: OK, Group: groupTopics, Check: check, Subject: subject, What: what}}
}

// minISR is about how many copies an acknowledgement stands for, and how many losses it survives.
func minISR(c *Cluster) []Finding {
	var out []Finding
	seen := 0
	for _, t := range c.Topics {
		least, copies := number(t.Settings, keyMinISR), t.copies()
		if least < 0 || copies < 2 || leftOver(t.Name) {
			continue // with one copy it says nothing: replication does
		}
		seen++
		f := Finding{Level: Risk, Group: groupTopics, Check: "min-isr", Subject: t.Name, What: fmt.Sprintf("%s %d%s", keyMinISR, least, from(t.Settings[keyMinISR]))}
		switch {
		case least == 1:
			f.Risk = "acks=all can mean the leader alone: a record that was acknowledged is lost with it."
			f.Fix = "Set it to 2."
		case least > copies:
			f.What += fmt.Sprintf(", with %s", replicas(copies))
			f.Risk = fmt.Sprintf("Kafka 4 counts it as %d: one loss stops every acks=all write. Older brokers may refuse them all.", copies)
			f.Fix = fmt.Sprintf("Set it to %d.", copies-1)
		case least == copies:
			f.What += ", as many as replicas"
			f.Risk = "One loss, or one restart, stops every acks=all write."
			f.Fix = fmt.Sprintf("Set it to %d.", copies-1)
		default:
			continue
		}
		if copies < enough {
			f.Fix = "Raise the replication factor to 3, and set it to 2."
		}
		out = append(out, f)
	}
	return append(out, fine(out, seen, "min-isr", "an acknowledgement (acks=all) is on two brokers or more, and one loss stops no write")...)
}

const uncleanRisk = "A broker that was not in sync may become leader: what only the others had is cut off, acknowledged or not."

// unclean is about topics that say so themselves; what they inherit is said once, by defaults.
func unclean(c *Cluster) []Finding {
	var out []Finding
	seen := 0
	for _, t := range c.Topics {
		s, ok := t.Settings[keyUnclean]
		if !ok || leftOver(t.Name) {
			continue
		}
		switch {
		case s.Value != "true":
			seen++
		case s.Source == "topic":
			seen++
			out = append(out, Finding{
				Level: Risk, Group: groupTopics, Check: "unclean", Subject: t.Name, What: keyUnclean + " true" + from(s),
				Risk: uncleanRisk, Fix: "Remove it from the topic, unless its records may be lost.",
			})
		}
	}
	return append(out, fine(out, seen, "unclean", "unclean election off")...)
}

func probeLeftovers(c *Cluster) []Finding {
	var out []Finding
	for _, t := range c.Topics {
		if leftOver(t.Name) {
			out = append(out, Finding{
				Level: Note, Group: groupTopics, Check: "probe-leftover", Subject: t.Name, What: "left behind by a doctor that was killed, or still at work",
				Risk: "None: it holds a few empty records.", Fix: "Delete it.",
			})
		}
	}
	return out
}

// partitions is about what is missing at this moment.
func partitions(c *Cluster) []Finding {
	var out []Finding
	total := 0
	for _, t := range c.Topics {
		if leftOver(t.Name) {
			continue
		}
		least := number(t.Settings, keyMinISR)
		var offline, short, under int
		var missing []int32
		for _, p := range t.Partitions {
			total++
			switch gone := p.missing(); {
			case p.Leader < 0:
				offline++
			case least > 0 && len(p.ISR) < min(least, len(p.Replicas)):
				short++
			case len(gone) > 0:
				under++
				for _, id := range gone {
					if !slices.Contains(missing, id) {
						missing = append(missing, id)
					}
				}
			}
		}
		f := func(n int, check, what, risk, fix string) {
			if n > 0 {
				out = append(out, Finding{
					Level: Risk, Group: groupPartitions, Check: check, Subject: t.Name,
					What: fmt.Sprintf("%d of %s %s", n, count(len(t.Partitions), "partition"), what), Risk: risk, Fix: fix,
				})
			}
		}
		f(offline, "offline", "offline: no leader", "They take no writes and no reads.", "Start the brokers that hold them; the last one in sync first.")
		f(short, "under-min-isr", fmt.Sprintf("under %s %d", keyMinISR, least), "They refuse every acks=all write.", "Start the brokers that are missing.")
		f(under, "under-replicated", "under-replicated: not in sync on broker "+ids(missing), "The next loss can stop their writes.", "Start the broker, or wait until it has caught up.")
	}
	if len(out) == 0 && total > 0 {
		out = append(out, Finding{Level: OK, Group: groupPartitions, Check: "partitions", Subject: count(total, "partition"), What: "each has a leader and all its replicas in sync"})
	}
	return out
}

// writers is what the log and the leaders give away of producers. acks is in neither.
func writers(c *Cluster) []Finding {
	var out []Finding
	var active, recent, plain int
	for _, t := range c.Topics {
		w := t.writers()
		recent, plain = recent+w.Recent, plain+w.Plain
		for _, p := range t.Partitions {
			if p.Writers.Producers > 0 {
				active++
			}
		}
		if w.Plain > 0 {
			out = append(out, Finding{
				Level: Note, Group: groupWriters, Check: "idempotence", Subject: t.Name,
				What: fmt.Sprintf("%d of its last %d batches have no producer id (the youngest is of %s)", w.Plain, w.Recent, w.Last.UTC().Format("2006-01-02 15:04:05 UTC")),
				Risk: "Their producer is not idempotent: a retry can write a record twice or out of order, and its acks may be less than all.",
				Fix:  "Set enable.idempotence=true in it, which takes acks=all.",
			})
		}
	}
	f := Finding{Level: OK, Group: groupWriters, Check: "idempotence", Subject: "producers"}
	switch {
	case recent > 0 && plain == 0:
		f.What = fmt.Sprintf("idempotent: all the batches looked at (%d) have a producer id; leaders know such producers on %s", recent, count(active, "partition"))
		out = append(out, f)
	case active > 0:
		f.What = "idempotent ones wrote to " + count(active, "partition") + " within about a day"
		out = append(out, f)
	}
	return append(out, Finding{
		Level: Note, Group: groupWriters, Check: "acks", Subject: "acks", What: "not in the log, and no broker tells it: look in the producers' settings",
		Risk: "With acks=1 or 0 a producer takes for written what is lost with one broker.",
		Fix:  "Set acks=all. The Java client, librdkafka and franz-go insist on it for idempotent producers.",
	})
}

// writers sums up what its partitions know.
func (t Topic) writers() Writers {
	var sum Writers
	for _, p := range t.Partitions {
		sum.Producers += p.Writers.Producers
		sum.Recent += p.Writers.Recent
		sum.Plain += p.Writers.Plain
		if l := p.Writers.Last; l != nil && (sum.Last == nil || l.After(*sum.Last)) {
			sum.Last = l
		}
	}
	return sum
}

// From what difference of clocks on a finding is made, beyond the error of measurement. Kafka elects and replicates without clocks; retention,
// LogAppendTime, transaction timeouts and the reader of logs side by side lean on them.
const (
	skewNote = 500 * time.Millisecond
	skewRisk = 30 * time.Second
)

func clocks(c *Cluster) []Finding {
	var out []Finding
	for _, k := range c.Clocks {
		// Against this machine's clock, of which nobody knows whether it is right: never more than a note.
		f := Finding{
			Level: OK, Group: groupClocks, Check: "clock", Subject: fmt.Sprintf("broker %d", k.Node),
			What: fmt.Sprintf("%+d ms ± %d ms of this machine's clock", k.Ahead, k.Error),
		}
		if ms(abs(k.Ahead)-k.Error) > skewNote {
			f.Level = Note
			f.Risk = "Timestamps of records and in logs do not mean the same moment here and there."
			f.Fix = "See which of the two is wrong, and let NTP or chrony keep it."
		}
		out = append(out, f)
	}
	if len(c.Clocks) > 1 {
		out = append(out, skew(c.Clocks))
	}
	if !c.Probed {
		out = append(out, Finding{
			Level: Note, Group: groupClocks, Check: "clock-unseen", Subject: "the other clocks",
			What: "no broker but the leader of the quorum gives its time without a write",
			Risk: "A clock that is off shifts retention, append times and the order of logs.",
			Fix:  "Run it with --write-probe: a temporary topic with a partition on each broker, and a few empty records.",
		})
	}
	return out
}

func abs(n int64) int64 { return max(n, -n) }

// skew compares the brokers that are furthest apart.
func skew(clocks []Clock) Finding {
	byTime := func(a, b Clock) int { return int(a.Ahead - b.Ahead) }
	first, last := slices.MaxFunc(clocks, byTime), slices.MinFunc(clocks, byTime)
	apart, margin := first.Ahead-last.Ahead, first.Error+last.Error
	f := Finding{Level: OK, Group: groupClocks, Check: "skew", Subject: "between brokers", What: fmt.Sprintf("at most %d ms ± %d ms apart", apart, margin)}
	switch sure := ms(apart - margin); {
	case sure > skewRisk:
		f.Level = Risk
	case sure > skewNote:
		f.Level = Note
	default:
		return f
	}
	f.What = fmt.Sprintf("broker %d is %d ms ± %d ms ahead of broker %d", first.Node, apart, margin, last.Node)
	f.Risk = "A partition's append times jump when its leader moves; retention by time and logs side by side go wrong by as much."
	f.Fix = "Let NTP or chrony keep the brokers' clocks."
	return f
}

// unseen is what nobody may take for good because nothing is said of it.
func unseen(c *Cluster) []Finding {
	var out []Finding
	for _, s := range c.Unseen {
		out = append(out, Finding{
			Level: Note, Group: groupUnseen, Check: "unseen", Subject: s.Subject, What: s.Why,
			Risk: "Whatever is wrong there is not in this report.", Fix: "Mend what is named above and run it again; it may also be a permission.",
		})
	}
	return out
}
