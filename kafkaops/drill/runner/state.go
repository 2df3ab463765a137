package runner

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"kassa/kafkaops"
	"kassa/kafkaops/drill"
	"kassa/kafkaops/drill/scenario"
	"kassa/kafkaops/watch"
)

// ready says that a drill may begin.
func (r *run) ready() bool { return r.unready() == "" }

// unready says why not yet; empty if it may.
func (r *run) unready() string {
	if why := unwhole(r.cfg.Cluster.State()); why != "" {
		return why
	}
	return r.idleService()
}

// unwhole says what is missing from the cluster; empty if nothing is.
func unwhole(s *watch.State) string {
	switch up := s.Count(watch.Up); {
	case !s.Quorum.Known:
		return "nobody knows who leads the quorum"
	case up < len(s.Nodes):
		return fmt.Sprintf("%d of %d brokers are up", up, len(s.Nodes))
	case len(s.Partitions) == 0:
		return "the topics are not known"
	case s.UnderReplicated() > 0:
		return fmt.Sprintf("%d partitions lack a replica", s.UnderReplicated())
	case s.Offline() > 0:
		return fmt.Sprintf("%d partitions have no leader", s.Offline())
	}
	return ""
}

// idleService says which service does not run, though nobody stopped it; empty if all do.
func (r *run) idleService() string {
	for _, name := range r.cfg.Shop.Services() {
		st := r.cfg.Shop.Service(name).State()
		switch {
		case st.Stopped:
		case !st.Running:
			return strings.TrimSuffix(fmt.Sprintf("%s is not running: %s", name, st.Why), ": ")
		case st.Restarts < r.restarts(name):
			return name + " has not noticed its crash"
		}
	}
	return ""
}

// has says whether an event has come.
func (r *run) has(e scenario.Event) bool { return r.whyNot(e) == "" }

// whyNot says what is missing for an event; empty if it has come.
func (r *run) whyNot(e scenario.Event) string {
	switch e {
	case scenario.Whole, scenario.ISRFull:
		return unwhole(r.cfg.Cluster.State())
	case scenario.WritesGoOn:
		return r.noWrites(time.Now())
	case scenario.FlowGoesOn:
		return r.noFlow()
	case scenario.ServicesUp:
		return r.idleService()
	case scenario.Settled:
		for _, part := range []scenario.Event{scenario.Whole, scenario.ServicesUp, scenario.WritesGoOn, scenario.FlowGoesOn} {
			if why := r.whyNot(part); why != "" {
				return why
			}
		}
		return ""
	}
	for _, t := range r.cfg.Cluster.Timelines() {
		if _, ok := t.Phase(drill.Mark(e)); ok && !t.At.Before(r.last.at) {
			return ""
		}
	}
	return fmt.Sprintf("%q was not seen", e)
}

// noWrites says why it cannot be said that writes go on; empty if they do. A stall is not felt in the moment of a fault, so it must be quiet for a while.
func (r *run) noWrites(now time.Time) string {
	if r.last.at.IsZero() {
		return ""
	}
	if now.Sub(r.last.at) < 2*stillFor {
		return "the act is too new to tell"
	}
	lines := r.cfg.Cluster.Timelines()
	if n := len(lines); n > 0 && !lines[n-1].At.Before(r.last.at) {
		t := lines[n-1]
		resumed, _ := t.Phase(drill.AcksResumed)
		switch {
		case t.Stalled && r.stalled():
			return "writes have been stalled since the act before"
		case !t.Probed && !t.Stalled:
		case t.Gap.Open:
			return fmt.Sprintf("a partition has taken no write for %.1f s", t.Gap.Worst.Seconds())
		case now.Sub(t.At.Add(resumed.After)) < stillFor:
			return "writes have just gone on"
		}
	}
	if !r.cfg.Meter.AckedSince(r.last.at) {
		return "no order that came after it is acknowledged"
	}
	return ""
}

// stalled says that a write gap is being measured that is not over.
func (r *run) stalled() bool {
	return slices.ContainsFunc(r.cfg.Cluster.Timelines(), func(t drill.Timeline) bool { return t.Outlasts || t.Open && t.Gap.Open })
}

func (r *run) noFlow() string {
	if r.last.at.IsZero() || r.cfg.Meter.FlowedSince(r.last.at) {
		return ""
	}
	return "no order that was paid after it is complete"
}

// away are brokers that do not take part, and what brings each back.
func away(nodes []kafkaops.Node) map[int32]kafkaops.Verb {
	out := map[int32]kafkaops.Verb{}
	for _, n := range nodes {
		switch n.Process {
		case kafkaops.ProcessExited:
			out[n.ID] = kafkaops.Start
		case kafkaops.ProcessPaused:
			out[n.ID] = kafkaops.Resume
		case kafkaops.ProcessCut:
			out[n.ID] = kafkaops.Reconnect
		}
	}
	return out
}
