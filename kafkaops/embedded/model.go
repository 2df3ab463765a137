package embedded

import (
	"math/rand/v2"
	"slices"
	"time"
)

// model is the replication of three brokers that there are not: a quorum with a leader and an epoch, sessions and fencing, and for every partition
// a leader, a leader epoch, an ISR and an ELR. It does no I/O and has no clock but the one that it is told of (advance), so that a test can
// drive it through an hour in no time. One goroutine at a time may use it.
//
// It follows Kafka's controller as far as a client can see it: KIP-631 (sessions, fencing, controlled shutdown), KIP-595 (the quorum), KIP-966 (ELR).
type model struct {
	timing
	rand *rand.Rand

	now   time.Time
	due   []event
	fresh bool // something has changed since the last image

	nodes  []*node // by id, from 1
	topics map[string]*topic

	// The quorum. leader is the last one known; it is active only while it and a majority can be reached.
	leader  int32 // -1: the voters have given up on the last one
	epoch   int32
	dead    bool      // the leader's process has ended: if it comes back, it does not lead
	since   time.Time // of the election, and so of what the active controller remembers
	records int64     // in the metadata log up to counted
	counted time.Time
}

// node is a broker and voter.
type node struct {
	id     int32
	up     bool // its process has booted
	paused bool
	cut    bool // its network is gone
	joined bool // this process has registered with the active controller
	ready  bool // this process has been let in once: a broker opens its doors only then
	fenced bool // the controller does not count on it
	going  bool // it has asked for a controlled shutdown

	unclean bool      // its last process said no goodbye: what it had in memory is not to be trusted
	heard   time.Time // its last heartbeat, once it is out of reach
	end     int64     // of its copy of the metadata log, once it is out of reach
	lostAt  time.Time
	catches time.Time // until then it answers from the past
}

// reachable says that it takes part in the quorum.
func (n *node) reachable() bool { return n.up && !n.paused && !n.cut }

// beats says that it sends heartbeats and replicates.
func (n *node) beats() bool { return n.reachable() && n.joined }

// topic is a topic's partitions, in order.
type topic struct {
	name     string
	id       [16]byte
	internal bool
	minISR   int
	parts    []*partition
}

// partition is what the controller keeps of one.
type partition struct {
	minISR   int
	replicas []int32 // the first one is the preferred leader
	leader   int32   // -1: none
	epoch    int32
	isr, elr []int32
	last     int32        // who led when the ISR ran empty, -1 for nobody: may lead again when all else is gone
	settles  time.Time    // when the followers have found the leader
	epochs   []epochStart // as far as the log knows them; the cluster keeps them in step
}

// epochStart is where in the log a leader epoch begins (KIP-101). Epochs in which there was no leader have none.
type epochStart struct {
	epoch  int32
	offset int64
}

// mostEpochs bounds what a partition remembers of its leaders.
const mostEpochs = 1000

// event is something that happens at its time, if it still makes sense then.
type event struct {
	at time.Time
	do func()
}

func newModel(t timing, nodes int, seed uint64, now time.Time) *model {
	m := &model{timing: t, rand: rand.New(rand.NewPCG(seed, 0)), now: now, topics: map[string]*topic{}, epoch: 1, since: now, counted: now, fresh: true}
	for i := range nodes {
		m.nodes = append(m.nodes, &node{id: int32(i + 1), up: true, joined: true, ready: true})
	}
	m.leader = m.nodes[m.rand.IntN(nodes)].id
	m.after(m.imbalance, m.balancer(m.epoch))
	return m
}

// ---- time

func (m *model) after(d time.Duration, do func()) {
	m.due = append(m.due, event{m.now.Add(d), do})
}

// advance lets all happen that is due until now, in order.
func (m *model) advance(now time.Time) {
	for {
		next := -1
		for i, e := range m.due {
			if !e.at.After(now) && (next < 0 || e.at.Before(m.due[next].at)) {
				next = i
			}
		}
		if next < 0 {
			break
		}
		e := m.due[next]
		m.due = slices.Delete(m.due, next, next+1)
		if e.at.After(m.now) {
			m.now = e.at
		}
		e.do()
	}
	if now.After(m.now) {
		m.now = now
	}
}

// next is when something is due; false if nothing is.
func (m *model) next() (at time.Time, ok bool) {
	for _, e := range m.due {
		if !ok || e.at.Before(at) {
			at, ok = e.at, true
		}
	}
	return at, ok
}

// upTo is a part of d by chance: things that repeat meet a fault anywhere in their turn.
func (m *model) upTo(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return time.Duration(m.rand.Int64N(int64(d)))
}

// ---- what happens to a broker

// killed ends its process without a goodbye.
func (m *model) killed(n *node) {
	n.unclean = true
	m.ended(n)
}

// ended takes a process that is gone out of everything that needs one.
func (m *model) ended(n *node) {
	was := n.reachable()
	if was {
		m.lost(n)
	}
	if m.leader == n.id {
		m.dead = true
	}
	n.up, n.paused, n.cut, n.joined, n.ready, n.going = false, false, false, false, false, false
	m.fresh = true
	if was {
		m.checkQuorum()
	}
}

// silence pauses its process or cuts its network, as flag says: it lives, and is not heard.
func (m *model) silence(n *node, flag *bool) {
	was := n.reachable()
	if was {
		m.lost(n)
	}
	*flag, m.fresh = true, true
	if was {
		m.checkQuorum()
	}
}

// heardAgain undoes silence.
func (m *model) heardAgain(n *node, flag *bool) {
	*flag, m.fresh = false, true
	if !n.reachable() {
		return
	}
	n.catches = m.now.Add(stale)
	m.after(stale, func() { m.fresh = true })
	m.came(n)
}

// booted is a new process that wants to be let in.
func (m *model) booted(n *node) {
	n.up, m.fresh = true, true
	m.came(n)
}

// leave is a controlled shutdown up to the point where the process may end: its leaderships are handed over first. Without an active controller
// nobody can take them, and it says no.
func (m *model) leave(n *node) bool {
	if !m.active() || !n.reachable() {
		return false
	}
	n.going, n.unclean = true, false
	m.fence(n)
	if m.leader == n.id { // it resigns, and nobody has to wait for a time-out
		m.count()
		m.dead = true
		m.after(m.election/4+m.upTo(m.election), m.elect)
	}
	return true
}

// lost notes what the others last had of a broker before it went.
func (m *model) lost(n *node) {
	m.count()
	n.lostAt, n.end = m.now, m.records
	n.heard = m.now.Add(-m.upTo(m.heartbeat))
	m.expireLater(n)
}

// came has a broker that can be reached again take part again.
func (m *model) came(n *node) {
	if !m.active() && m.majority() {
		m.after(m.election/2+m.upTo(m.election), m.elect)
	}
	if m.active() {
		m.rally()
	}
}

// ---- the quorum

func (m *model) node(id int32) *node {
	if id < 1 || int(id) > len(m.nodes) {
		return nil
	}
	return m.nodes[id-1]
}

// majority says whether enough voters can be reached to elect a leader or to commit a record.
func (m *model) majority() bool {
	up := 0
	for _, n := range m.nodes {
		if n.reachable() {
			up++
		}
	}
	return up > len(m.nodes)/2
}

// active says whether there is a controller that can change the metadata. Without one all of it is frozen.
func (m *model) active() bool {
	l := m.node(m.leader)
	return l != nil && !m.dead && l.reachable() && m.majority()
}

// end is where the metadata log ends. While a controller is active, it writes a record twice a second even if nothing happens.
func (m *model) end() int64 {
	if !m.active() {
		return m.records
	}
	return m.records + int64(m.now.Sub(m.counted)/noop)
}

// count makes the records that say nothing part of the sum, before a time in which there may be none.
func (m *model) count() { m.records, m.counted = m.end(), m.now }

// wrote is a record in the metadata log.
func (m *model) wrote() { m.records, m.fresh = m.records+1, true }

// checkQuorum is called when a voter is gone. Followers give up on a leader when they could not fetch for the time-out, counted from their last
// fetch; a leader resigns that hears of no majority for one and a half of it (KIP-595, KIP-835).
func (m *model) checkQuorum() {
	if m.active() {
		return
	}
	wait := m.fetch*3/2 - m.upTo(m.fetch/4)
	if l := m.node(m.leader); l == nil || m.dead || !l.reachable() {
		wait = m.fetch - m.upTo(min(noop, m.fetch))
	}
	m.after(wait, m.elect)
}

// elect chooses a new leader of the quorum if there is none, and if there is a majority to choose one.
func (m *model) elect() {
	if m.active() {
		return
	}
	m.fresh = true
	if !m.majority() {
		m.leader, m.dead = -1, false
		return
	}
	var candidates []int32
	for _, n := range m.nodes {
		if n.reachable() && !n.going {
			candidates = append(candidates, n.id)
		}
	}
	if len(candidates) == 0 {
		return
	}
	m.leader, m.dead = candidates[m.rand.IntN(len(candidates))], false
	m.epoch++
	m.since, m.counted = m.now, m.now
	m.wrote()
	m.after(m.imbalance, m.balancer(m.epoch))
	m.rally()
}

// rally has everybody try what could not be done while there was no active controller.
func (m *model) rally() {
	for _, n := range m.nodes {
		if n.beats() {
			m.after(m.backoff+m.fetchWait, func() { m.rejoin(n) })
		} else {
			m.expireLater(n) // a new controller begins to count anew
		}
		m.join(n)
	}
}

// ---- sessions

func (m *model) expireLater(n *node) {
	at := n.heard
	if m.since.After(at) {
		at = m.since
	}
	m.after(max(0, at.Add(m.session).Sub(m.now)), func() { m.expire(n) })
}

// expire fences a broker that has not been heard of for a session.
func (m *model) expire(n *node) {
	over := !m.now.Before(n.heard.Add(m.session)) && !m.now.Before(m.since.Add(m.session))
	if m.active() && !n.beats() && !n.fenced && over {
		m.fence(n)
		m.join(n)
	}
}

// fence takes a broker out of every ISR and gives its leaderships to others.
func (m *model) fence(n *node) {
	n.fenced = true
	m.wrote()
	for _, p := range m.every() {
		m.remove(p, n.id)
	}
}

// join lets a broker in that asks for it: at its next heartbeat. A new process has to register first, and must wait until the session of
// the one before it is over.
func (m *model) join(n *node) {
	if !m.active() || !n.reachable() || n.going || !n.fenced {
		return
	}
	if !n.joined {
		n.joined = true
		if n.unclean {
			n.unclean = false
			for _, p := range m.every() {
				p.elr = without(p.elr, n.id) // KIP-966: it may have lost what it had acknowledged
			}
		}
		m.wrote()
	}
	m.after(m.upTo(m.heartbeat), func() { m.unfence(n) })
}

func (m *model) unfence(n *node) {
	if !m.active() || !n.beats() || !n.fenced || n.going {
		return
	}
	n.fenced, n.ready = false, true
	m.wrote()
	for _, p := range m.every() {
		if p.leader < 0 {
			m.choose(p)
		}
	}
	m.after(m.backoff+m.fetchWait, func() { m.rejoin(n) })
}

// ---- partitions

func (m *model) every() []*partition {
	var all []*partition
	for _, t := range m.topics {
		all = append(all, t.parts...)
	}
	return all
}

// usable says whether the controller would let this broker lead.
func (m *model) usable(id int32) bool {
	n := m.node(id)
	return n != nil && !n.fenced && !n.going
}

// remove takes a broker out of the ISR. What was in sync when the ISR fell below the minimum stays eligible to lead (ELR, KIP-966).
func (m *model) remove(p *partition, id int32) {
	if !slices.Contains(p.isr, id) {
		return
	}
	isr := without(p.isr, id)
	p.elr = m.eligible(p, isr)
	p.isr = isr
	m.wrote()
	if p.leader == id {
		p.last = id
		m.choose(p)
	}
}

func (m *model) eligible(p *partition, isr []int32) []int32 {
	if len(isr) >= min(p.minISR, len(p.replicas)) {
		return nil
	}
	var elr []int32
	for _, r := range p.replicas {
		if (slices.Contains(p.isr, r) || slices.Contains(p.elr, r)) && !slices.Contains(isr, r) {
			elr = append(elr, r)
		}
	}
	return elr
}

// choose finds a leader: from the ISR, else the ELR, else whoever led last. It is the controller's order, and never costs an acknowledged
// record but in the last case.
func (m *model) choose(p *partition) {
	for _, r := range p.replicas {
		if slices.Contains(p.isr, r) && m.usable(r) {
			m.lead(p, r)
			return
		}
	}
	for _, r := range p.replicas {
		if slices.Contains(p.elr, r) && m.usable(r) {
			p.elr, p.isr = without(p.elr, r), append(p.isr, r)
			m.lead(p, r)
			return
		}
	}
	if len(p.isr)+len(p.elr) == 0 && p.last >= 0 && m.usable(p.last) {
		p.isr = []int32{p.last}
		m.lead(p, p.last)
		return
	}
	if p.leader >= 0 {
		m.lead(p, -1)
	}
}

// lead makes a broker the leader. Followers back off after their first fetch from a new one (replica.fetch.backoff.ms), and until
// they have found it nothing is acknowledged.
func (m *model) lead(p *partition, id int32) {
	p.leader = id
	p.epoch++
	if id >= 0 {
		p.last = -1
	}
	m.wrote()
	p.settles = m.now.Add(m.backoff)
	m.after(m.backoff, func() { m.fresh = true })
	for _, n := range m.nodes {
		if !slices.Contains(p.isr, n.id) && n.beats() && !n.fenced {
			m.after(m.backoff+m.fetchWait, func() { m.rejoin(n) })
		}
	}
}

// rejoin puts a broker that has caught up back into every ISR whose leader can see it.
func (m *model) rejoin(n *node) {
	if !m.active() || !n.beats() || n.fenced || n.going {
		return
	}
	waits := false
	for _, p := range m.every() {
		l := m.node(p.leader)
		if !slices.Contains(p.replicas, n.id) || slices.Contains(p.isr, n.id) || l == nil {
			continue // a leader that is chosen later calls it
		}
		if !l.beats() {
			waits = true
			continue
		}
		p.isr = append(slices.Clone(p.isr), n.id)
		p.elr = without(p.elr, n.id)
		if len(p.isr) >= min(p.minISR, len(p.replicas)) {
			p.elr = nil
		}
		m.wrote()
	}
	if waits {
		m.after(m.backoff+m.fetchWait, func() { m.rejoin(n) })
	}
}

// prefer gives a partition back to its preferred leader, if that is in sync.
func (m *model) prefer(p *partition) bool {
	first := p.replicas[0]
	if p.leader == first || !slices.Contains(p.isr, first) || !m.usable(first) {
		return false
	}
	m.lead(p, first)
	return true
}

// balancer is the active controller's own look at the preferred leaders, for as long as it is the active one.
func (m *model) balancer(epoch int32) func() {
	return func() {
		if m.epoch != epoch || m.dead || m.leader < 0 {
			return
		}
		if m.active() {
			for _, p := range m.every() {
				m.prefer(p)
			}
		}
		m.after(m.imbalance, m.balancer(epoch))
	}
}

// place adds what a topic lacks of this many partitions. Their leaders go round, as Kafka's do; fenced brokers get replicas, and no part in the ISR.
func (m *model) place(t *topic, count, factor int, assigned map[int32][]int32) {
	for i := len(t.parts); i < count; i++ {
		p := &partition{minISR: t.minISR, leader: -1, epoch: -1, last: -1, replicas: assigned[int32(i)]}
		for k := 0; len(p.replicas) < factor && assigned[int32(i)] == nil; k++ {
			p.replicas = append(p.replicas, m.nodes[(i+k)%len(m.nodes)].id)
		}
		for _, r := range p.replicas {
			if m.usable(r) {
				p.isr = append(p.isr, r)
			}
		}
		m.choose(p)
		p.epoch, p.settles = 0, m.now
		t.parts = append(t.parts, p)
	}
	m.wrote()
}

func without(ids []int32, id int32) []int32 {
	return slices.DeleteFunc(slices.Clone(ids), func(o int32) bool { return o == id })
}
