package watch

import (
	"cmp"
	"maps"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"kassa/kafkaops"
)

// model is all that the watcher remembers. One goroutine owns it; it does no I/O and reads no clock, so that every
// situation can be put before it in a test.
type model struct {
	topics []string // the watched ones in order; empty means all

	nodes  []kafkaops.Node // as the provider tells, with brokers that only the cluster knew appended
	views  map[int32]*view
	quorum Quorum
	groups []Group
	minISR map[string]int
	voters map[int32]string // addresses of the voters' controller listeners, by node id
	// changed says that somebody has to be asked elsewhere than before.
	changed bool

	majoritySince time.Time // zero while fewer than a majority of the voters are up

	others others
	learnt bool // something has been told of partitions since the last merge

	source int32 // the node that was believed last, -1 for none
	before State // the last result of merge
	memory map[int32]*memory
}

// view is what one broker last said, and how the last attempt to ask it went.
type view struct {
	md      *kadm.Metadata // nil until it has answered once
	more    details
	seen    time.Time // when md came in
	ok      bool      // the last query was answered
	refused bool      // the last query met a closed port
	fails   int       // queries that failed in a row
	err     string
	// answered says that the present process has answered once: a closed port then means that it is leaving, not coming.
	answered bool
	voted    time.Time // when its controller last answered for itself, leading or not
}

// memory is what outlives a broker's answers.
type memory struct {
	health  Health
	since   time.Time
	led     int
	ledSeen time.Time // when it last led any
}

func newModel(topics []string) *model {
	return &model{
		topics: topics, views: map[int32]*view{}, memory: map[int32]*memory{}, minISR: map[string]int{},
		source: -1, learnt: true, quorum: Quorum{Leader: -1}, before: State{Quorum: Quorum{Leader: -1}},
	}
}

func (m *model) view(id int32) *view {
	v := m.views[id]
	if v == nil {
		v = &view{}
		m.views[id] = v
	}
	return v
}

// setNodes takes the provider's list. It reports whether anything is new, there or in what the quorum told, that changes who is to be asked.
func (m *model) setNodes(nodes []kafkaops.Node) bool {
	nodes = m.withDiscovered(nodes)
	changed := m.changed
	m.changed = false
	if slices.EqualFunc(m.nodes, nodes, sameNode) {
		return changed
	}
	for _, n := range nodes {
		i := slices.IndexFunc(m.nodes, func(o kafkaops.Node) bool { return o.ID == n.ID })
		v := m.view(n.ID)
		switch {
		case n.Process == kafkaops.ProcessExited || n.Process == kafkaops.ProcessStarting || i >= 0 && m.nodes[i].PID != n.PID:
			v.ok, v.answered = false, false // what it said, another process said
		case n.Process == kafkaops.ProcessPaused, n.Process == kafkaops.ProcessCut, i >= 0 && m.nodes[i].Process == kafkaops.ProcessCut:
			v.ok, v.refused, v.fails = false, false, 0 // once it can be heard again it deserves as much patience as any
		}
	}
	m.nodes = nodes
	return true
}

func sameNode(a, b kafkaops.Node) bool {
	return a.ID == b.ID && a.Addr == b.Addr && a.Process == b.Process && a.PID == b.PID && a.Exit == b.Exit
}

// withDiscovered adds the brokers that the cluster told of and the provider does not know, as with a remote cluster of which
// only some addresses are given. Once seen they stay: a broker must not vanish from the picture by dying.
func (m *model) withDiscovered(nodes []kafkaops.Node) []kafkaops.Node {
	out := slices.Clone(nodes)
	has := func(id int32) bool {
		return slices.ContainsFunc(out, func(n kafkaops.Node) bool { return n.ID == id })
	}
	for _, v := range m.views {
		if v.md == nil {
			continue
		}
		for _, b := range v.md.Brokers {
			if !has(b.NodeID) {
				out = append(out, kafkaops.Node{ID: b.NodeID, Addr: net.JoinHostPort(b.Host, strconv.Itoa(int(b.Port)))})
			}
		}
	}
	for _, n := range m.nodes {
		if !has(n.ID) {
			out = append(out, n)
		}
	}
	slices.SortFunc(out, func(a, b kafkaops.Node) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

// answered files a broker's answer. It reports whether this ended a silence.
func (m *model) answered(id int32, md kadm.Metadata, at time.Time) bool {
	v := m.view(id)
	news := !v.ok
	m.learnt = true
	v.md, v.seen, v.ok, v.answered = &md, at, true, true
	v.refused, v.fails, v.err = false, 0, ""
	return news
}

// failed files an attempt without an answer. It reports whether it was the first after an answer.
func (m *model) failed(id int32, err error) bool {
	v := m.view(id)
	news := v.ok
	v.ok, v.refused, v.err = false, refused(err), reason(err)
	v.fails++
	return news
}

func (m *model) detailed(id int32, d details) {
	v := m.view(id)
	m.learnt = true
	if d.fenced != nil {
		v.more.fenced = d.fenced
	}
	if d.elr != nil {
		v.more.elr = d.elr
	}
}

// voted files what a node said about the quorum: the highest epoch wins, and within one epoch the newest.
func (m *model) voted(id int32, b ballot) bool {
	if b.direct {
		m.view(id).voted = b.quorum.Seen
	}
	q := b.quorum
	if !b.told || q.Epoch < m.quorum.Epoch || q.Epoch == m.quorum.Epoch && q.Seen.Before(m.quorum.Seen) {
		return false
	}
	news := q.Leader != m.quorum.Leader || q.Epoch != m.quorum.Epoch
	m.quorum = q
	if !maps.Equal(m.voters, b.voters) {
		m.voters, m.changed = b.voters, true
	}
	return news
}

// logEnd is where a node's copy of the metadata log ends, as the quorum's leader last saw it; -1 if unknown.
func (m *model) logEnd(id int32) (end, lag int64, voter bool) {
	for _, r := range m.quorum.Voters {
		if r.ID == id {
			return r.LogEnd, r.Lag, true
		}
	}
	for _, r := range m.quorum.Observers {
		if r.ID == id {
			return r.LogEnd, r.Lag, false
		}
	}
	return -1, -1, false
}
