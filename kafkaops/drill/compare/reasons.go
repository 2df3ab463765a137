package compare

import (
	"fmt"
	"slices"

	"kassa/kafkaops/drill"
)

// Each of these is what one rule says, empty where it does not apply.

func fencing(c *Comparison) string {
	if !did(c, nil, "kill", "pause", "cut") {
		return ""
	}
	return "A broker that is killed, hangs or is cut off says no goodbye: until the controller fences it, acks=all waits for it on every " +
		"partition that it follows, not " +
		"only on those that it led, and " + both(c, "broker.session.timeout.ms") + c.figures("write gap of kill", "write gap of pause", "write gap of cut")
}

func election(c *Comparison) string {
	led := func(f drill.FaultResult) bool { return f.Controller }
	if !did(c, led, "kill", "pause", "cut") {
		return ""
	}
	var median [2]string
	for side := range c.Sides {
		var all []float64
		for _, d := range c.of(side) {
			for _, f := range d.Result.Faults {
				if ms, ok := f.Phases[string(drill.ControllerElected)]; ok && f.Controller {
					all = append(all, ms)
				}
			}
		}
		if len(all) > 0 {
			slices.Sort(all)
			median[side] = Millis(drill.Median(all))
		}
	}
	text := "Where the broker led the quorum, a new controller had to be elected before anybody could be fenced, " +
		"and " + both(c, "controller.quorum.fetch.timeout.ms")
	if median[0] != "" && median[1] != "" {
		text += fmt.Sprintf(": elected after %s against %s", median[0], median[1])
	}
	return text + "."
}

func leaderMove(c *Comparison) string {
	if !did(c, nil, "stop", "restart", "elect") {
		return ""
	}
	return "Where leaders move with everybody alive, as when a broker is told to stop or the preferred leaders are elected, nobody waits " +
		"for a session to end; what is felt is that " +
		"followers back off after their first fetch from a new leader, and " + both(c, "replica.fetch.backoff.ms") +
		c.figures("write gap of stop", "write gap of restart", "write gap of elect")
}

// lossy are the sides with these acks.
func lossy(c *Comparison, acks string) (side int, lost Tally, ok bool) {
	row := c.tally("lost")
	for i := range c.Sides {
		if c.Sides[i].set.Acks == acks {
			return i, row.Sides[i], true
		}
	}
	return 0, Tally{}, false
}

func leaderLoss(c *Comparison) string {
	side, lost, ok := lossy(c, "1")
	if !ok || lost.N == 0 || c.loses() {
		return ""
	}
	return fmt.Sprintf("With acks=1 (%s) %s that customers were told had been accepted %s lost, in %d of %d runs: the leader acknowledged "+
		"them when they were in its own log alone, "+
		"it died before a follower had fetched them, the follower that took over never had them, and the old leader cuts them off when it comes back.",
		letter(side), orders(lost.N), be(lost.N), lost.Runs, c.Sides[side].Audited)
}

func noAckLoss(c *Comparison) string {
	side, lost, ok := lossy(c, "0")
	if !ok || lost.N == 0 || c.loses() {
		return ""
	}
	return fmt.Sprintf("With acks=0 (%s) %s that customers were told had been accepted %s lost, in %d of %d runs: no broker is asked for an "+
		"answer, so a record counts as written when it is "+
		"handed to the network, and what was on its way to a broker that died is "+
		"gone.", letter(side), orders(lost.N), be(lost.N), lost.Runs, c.Sides[side].Audited)
}

func lossUnseen(c *Comparison) string {
	for _, acks := range []string{"1", "0"} {
		side, lost, ok := lossy(c, acks)
		if !ok || lost.N > 0 || c.Sides[side].Audited == 0 {
			continue
		}
		if c.Simulated {
			return fmt.Sprintf("acks=%s (%s) allows that an acknowledged order is lost, and that cannot be seen here: simulated brokers "+
				"never lose what they once had; real ones do (--cluster local or compose).", acks, letter(side))
		}
		hits := 0
		for _, d := range c.of(side) {
			for _, f := range d.Result.Faults {
				if f.Node != 0 && (f.Kind == "kill" || f.Kind == "cut") {
					hits++
				}
			}
		}
		return fmt.Sprintf("acks=%s (%s) allows that an acknowledged order is lost, and in %s with %s none was: followers mostly "+
			"have a record within milliseconds, so the leader has to die in just these; the drill acks-one holds the followers up first.",
			acks, letter(side), some(c.Sides[side].Audited, "run"), some(hits, "kill"))
	}
	return ""
}

// some is "1 kill", "2 kills".
func some(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return Count(int64(n)) + " " + what + "s"
}

func ackLatency(c *Comparison) string {
	figures := c.figures("acknowledged p50")
	if figures == "." {
		return ""
	}
	return "acks=all waits until every replica that is in sync has the record, acks=1 for the leader's own log, and acks=0 for nobody" + figures
}

func noIdempotence(c *Comparison) string {
	repeated, duplicated := c.tally("repeated"), c.tally("duplicated")
	for i := range c.Sides {
		if n := repeated.Sides[i].N + duplicated.Sides[i].N; c.Sides[i].set.Acks != "all" && n > 0 {
			return fmt.Sprintf("Anything but acks=all leaves the producer without idempotence, so a retry whose first try had been written "+
				"after all is written again: %s in the log more than once (%s).",
				Count(n), letter(i))
		}
	}
	return ""
}

func aloneISR(c *Comparison) string {
	for i := range c.Sides {
		if c.Sides[i].set.MinISR != 1 {
			continue
		}
		text := fmt.Sprintf("With min.insync.replicas=1 (%s) a leader whose followers have dropped out of the ISR goes on alone, so "+
			"acks=all can mean one copy: writes stop later, and what only one broker "+
			"has is gone with its disk", letter(i))
		if lost := c.tally("lost").Sides[i]; lost.N > 0 && !c.loses() {
			text += fmt.Sprintf("; %s %s lost, in %d of %d runs", orders(lost.N), be(lost.N), lost.Runs, c.Sides[i].Audited)
		}
		return text + c.figures("write gap of kill", "write gap of pause", "write gap of stop")
	}
	return ""
}

func fullISR(c *Comparison) string {
	for i := range c.Sides {
		if c.Sides[i].set.MinISR == 3 {
			return fmt.Sprintf("With min.insync.replicas=3 (%s) every replica has to have a record, so that one broker that is away stops "+
				"all writes until it is back and in sync%s",
				letter(i), c.figures("write gap of kill", "write gap of pause", "write gap of stop"))
		}
	}
	return ""
}

func repeats(c *Comparison) string {
	side := 0
	if c.Sides[1].set.Delivery == "at-least-once" {
		side = 1
	}
	r := c.tally("repeated")
	if !anyService(c) && r.Sides[0].N+r.Sides[1].N == 0 {
		return "" // nothing was interrupted
	}
	return fmt.Sprintf("A service that is interrupted after it has written and before it has committed its progress does its work again: "+
		"at-least-once (%s) writes the same ids a second time, %s repeated, while "+
		"exactly-once (%s) has both in one transaction that is aborted, %s "+
		"repeated.", letter(side), Count(r.Sides[side].N), letter(1-side), Count(r.Sides[1-side].N))
}

// anyService says that a service was crashed.
func anyService(c *Comparison) bool {
	return slices.ContainsFunc(c.Done, func(d Done) bool {
		return slices.ContainsFunc(d.Result.Faults, func(f drill.FaultResult) bool { return f.Kind == "crash" })
	})
}

func commitWait(c *Comparison) string {
	figures := c.figures("payment → email p50", "payment → email p99")
	if figures == "." {
		return ""
	}
	return "Under exactly-once nobody reads an event before its transaction is committed, twice on the way from payment to email, and under " +
		"at-least-once as soon as it is written" + figures
}
