package watch

import (
	"time"

	"kassa/kafkaops"
)

// evidence is all that bears on the health of one broker.
type evidence struct {
	process  kafkaops.Process
	ok       bool // the last query was answered
	answered bool // its present process has answered once
	refused  bool // the last query met a closed port
	fails    int  // queries that failed in a row
	// quorum says that somebody can fence and unfence brokers. Without a quorum the flags below are frozen and say nothing.
	quorum bool
	listed bool // the cluster counts it as alive
	fenced bool // the cluster says that it is registered and fenced
	before Health
}

// patience is how many queries in a row may time out before a broker that was well is called Unknown. One slow answer
// (a collection in its JVM, a busy machine) is no news.
const patience = 2

// health weighs the evidence: the process first, then the dial, then what the cluster says, time-outs last.
func health(e evidence) Health {
	switch {
	case e.process == kafkaops.ProcessExited:
		return Down
	case e.process == kafkaops.ProcessPaused:
		return Paused
	case e.process == kafkaops.ProcessCut:
		return Cut
	case e.ok && e.quorum && !e.listed:
		return Fenced
	case e.ok:
		return Up
	case !e.answered && (e.process == kafkaops.ProcessStarting || e.process == kafkaops.ProcessRunning):
		return Starting
	case e.refused:
		return Down
	case e.quorum && e.fenced:
		return Fenced
	case e.fails < patience && (e.before == Up || e.before == Fenced || e.before == Paused || e.before == Cut):
		return e.before
	default:
		return Unknown
	}
}

// quorumKnown says whether the quorum's leader is known rather than remembered: a majority of the voters is up, and somebody has told of
// the leader since it is.
func (m *model) quorumKnown(now time.Time) bool {
	if !m.majority(now) {
		m.majoritySince = time.Time{}
		return false
	}
	if m.majoritySince.IsZero() {
		m.majoritySince = now
	}
	return m.before.Quorum.Known || !m.quorum.Seen.Before(m.majoritySince)
}

// majority says whether enough voters answer to elect a leader.
func (m *model) majority(now time.Time) bool {
	up, _ := m.voting(now)
	return up > len(m.quorum.Voters)/2
}

// quorumLost says that there is no quorum, as far as that is known: once it is, until somebody tells of a leader.
func (m *model) quorumLost(now time.Time) bool {
	up, silent := m.voting(now)
	return m.before.Quorum.Lost || len(m.quorum.Voters) > 0 && up+silent <= len(m.quorum.Voters)/2
}

// voting counts the voters that are up, and those of which nothing is known: they may be. Voters that are no node of ours, as dedicated controllers are,
// count as up: nothing is known against them. A voter whose broker is not there yet counts as soon as it answers for itself.
func (m *model) voting(now time.Time) (up, silent int) {
	for _, r := range m.quorum.Voters {
		n, ours := m.node(r.ID)
		if !ours {
			up++
			continue
		}
		v := m.view(r.ID)
		h := health(evidence{
			process: n.Process, ok: v.ok, answered: v.answered, refused: v.refused, fails: v.fails,
			before: m.before.healthOf(r.ID),
		})
		switch {
		case h == Up, h == Fenced, h == Starting && now.Sub(v.voted) < time.Second:
			up++
		case h == Unknown:
			silent++
		}
	}
	return up, silent
}

func (m *model) node(id int32) (kafkaops.Node, bool) {
	for _, n := range m.nodes {
		if n.ID == id {
			return n, true
		}
	}
	return kafkaops.Node{}, false
}

func (s *State) healthOf(id int32) Health {
	n, _ := s.Node(id)
	return n.Health
}
