package watch

import (
	"fmt"
	"slices"

	"kassa/kafkaops"
)

// Resolve finds the node that plays the fault's role now. A fault without a role is returned as it is; one whose role nobody plays, or of which it
// is not known who does, is a *kafkaops.RefusedError.
func (s *State) Resolve(f kafkaops.Fault) (kafkaops.Fault, error) {
	refuse := func(format string, args ...any) (kafkaops.Fault, error) {
		return f, &kafkaops.RefusedError{Fault: f, Reason: fmt.Sprintf(format, args...)}
	}
	switch f.Role {
	case "":
		return f, nil
	case kafkaops.Controller:
		if !s.Quorum.Known || s.Quorum.Leader < 0 {
			return refuse("nobody knows who leads the quorum")
		}
		f.Node = s.Quorum.Leader
		return f, nil
	}
	for _, p := range slices.Concat(s.Partitions, s.Others) {
		if kafkaops.LeaderOf(p.Topic, p.ID) != f.Role {
			continue
		}
		if p.Leader < 0 {
			return refuse("%s/%d has no leader", p.Topic, p.ID)
		}
		f.Node = p.Leader
		return f, nil
	}
	return refuse("there is no such partition")
}
