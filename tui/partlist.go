package tui

import (
	"fmt"
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"kassa/kafkaops/watch"
)

// What the partition and topic views show. It is worked out when the picture or the question changes; drawing then touches only what is in view,
// so a frame costs the same with nine partitions and with ten thousand.

// partFilter leaves out the partitions that are of no interest now.
type partFilter int

const (
	filterNone partFilter = iota
	filterUnder
	filterLeaderless
	filterBelow
	filterMoved
	filters // how many there are
)

func (f partFilter) String() string {
	return [...]string{"all", "under-replicated", "leaderless", "below min ISR", "moved"}[f]
}

// partSum counts partitions.
type partSum struct{ total, under, leaderless, below, moved int }

func (s *partSum) add(o partSum) {
	s.total += o.total
	s.under += o.under
	s.leaderless += o.leaderless
	s.below += o.below
	s.moved += o.moved
}

// has is how many the filter lets through.
func (s partSum) has(f partFilter) int {
	return [...]int{s.total, s.under, s.leaderless, s.below, s.moved}[f]
}

// topicSum counts the partitions of a topic.
type topicSum struct {
	name string
	partSum
}

// partList is the partitions that there are, and those that are asked for.
type partList struct {
	filter partFilter
	text   string // topics whose name contains it, without regard to case; one of that name alone if exact
	exact  bool
	wanted bool // all topics of the cluster, not ours alone
	waits  bool // they have not come yet

	ours, others []watch.Partition
	rows         []int // those that pass, as places in ours and then in others
	sum          partSum
	topics       []topicSum // of the topics that pass, those in trouble first
	count        int        // topics that there are
	widest       partWidths
}

// partWidths are what the widest value of each column takes, in cells.
type partWidths struct {
	name, id, broker, replicas, epoch int
	notes                             [len(notes)]int
}

// partsBindings are the keys of the partition and topic views.
func partsBindings() []action {
	parts := showing(viewPartitions, viewTopics)
	return []action{
		{Binding: bind("f", "f", "filter: in trouble"), in: inViews, word: "trouble", group: "Cluster views", hint: true, when: parts, do: (*Model).nextFilter},
		{Binding: bind("/", "/", "topics by name"), in: inViews, word: "filter", group: "Cluster views", hint: true, when: parts, do: (*Model).askTopic},
		{Binding: bind("A", "A", "all topics or ours"), in: inViews, word: "all", group: "Cluster views", hint: true, when: canSeeOthers, do: (*Model).toggleOthers},
	}
}

// len is the number of partitions that pass.
func (l *partList) len() int { return len(l.rows) }

// at is one of those that pass.
func (l *partList) at(i int) *watch.Partition {
	if n := l.rows[i]; n < len(l.ours) {
		return &l.ours[n]
	}
	return &l.others[l.rows[i]-len(l.ours)]
}

// filtered says that not all are shown.
func (l *partList) filtered() bool { return l.filter != filterNone || l.text != "" }

// refresh works the list out anew.
func (l *partList) refresh(st *watch.State, now time.Time) {
	l.ours, l.others = st.Partitions, st.Others
	l.rows, l.topics, l.sum, l.count, l.widest = l.rows[:0], l.topics[:0], partSum{}, 0, partWidths{}
	down := map[int32]bool{}
	broker := int32(0)
	for _, n := range st.Nodes {
		down[n.ID] = n.Health == watch.Down
		broker = max(broker, n.ID)
	}
	l.widest.broker = len(fmt.Sprint(broker))
	needle, topic, passes := strings.ToLower(l.text), topicSum{}, false
	finish := func() {
		if l.sum.add(topic.partSum); passes && topic.has(l.filter) > 0 {
			l.topics = append(l.topics, topic)
		}
	}
	for i := range len(l.ours) + len(l.others) {
		p := l.partitionAt(i)
		if i == 0 || topic.name != p.Topic {
			finish()
			topic = topicSum{name: p.Topic}
			passes = !l.exact && strings.Contains(strings.ToLower(p.Topic), needle) || p.Topic == l.text
			l.count++
		}
		one := partSum{total: 1}
		if p.UnderReplicated() {
			one.under = 1
		}
		if p.Leader < 0 || down[p.Leader] {
			one.leaderless = 1
		}
		if p.UnderMinISR() {
			one.below = 1
		}
		if p.Leader >= 0 && (p.Leader != p.Preferred() || !p.Moved.IsZero() && now.Sub(p.Moved) < recently) { // with no leader it moved nowhere
			one.moved = 1
		}
		topic.add(one)
		if passes && one.has(l.filter) > 0 {
			l.rows = append(l.rows, i)
			l.widest.fit(p)
		}
	}
	finish()
	slices.SortStableFunc(l.topics, func(a, b topicSum) int {
		return slices.Compare([]int{b.leaderless, b.below, b.under, b.moved}, []int{a.leaderless, a.below, a.under, a.moved})
	})
}

func (l *partList) partitionAt(i int) *watch.Partition {
	if i < len(l.ours) {
		return &l.ours[i]
	}
	return &l.others[i-len(l.ours)]
}

func (w *partWidths) fit(p *watch.Partition) {
	w.name = max(w.name, len(p.Topic))
	w.id = max(w.id, digits(int64(p.ID)))
	w.replicas = max(w.replicas, len(p.Replicas))
	w.epoch = max(w.epoch, digits(int64(p.Epoch)))
	if p.UnderMinISR() || len(p.ELR) > 0 {
		for i, note := range notes {
			w.notes[i] = max(w.notes[i], len(note(p))+1)
		}
	}
}

func digits(n int64) int {
	d := 1
	if n < 0 {
		d, n = 2, -n
	}
	for ; n >= 10; n /= 10 {
		d++
	}
	return d
}

// refreshParts takes over a new picture or question. The partition and the topic that were selected stay so, wherever they are now.
func (m *Model) refreshParts() {
	if m.state == nil {
		return
	}
	topic, id, sum := "", int32(-1), ""
	if p, ok := m.partition(); ok {
		topic, id = p.Topic, p.ID
	}
	l := &m.parts
	if m.topicAt < len(l.topics) {
		sum = l.topics[m.topicAt].name
	}
	l.refresh(m.state, m.now())
	selected := func(i int) bool { p := l.partitionAt(i); return p.Topic == topic && p.ID == id }
	if m.partAt >= l.len() || !selected(l.rows[m.partAt]) {
		if i := slices.IndexFunc(l.rows, selected); i >= 0 {
			m.partAt = i
		}
	}
	if i := slices.IndexFunc(l.topics, func(t topicSum) bool { return t.name == sum }); i >= 0 {
		m.topicAt = i
	}
	m.partAt = max(0, min(m.partAt, l.len()-1))
	m.topicAt = max(0, min(m.topicAt, len(l.topics)-1))
	if l.waits && len(m.state.Others) > 0 {
		l.waits = false
		if l.sum.total > manyPartitions { // first what there is, then each of it
			m.view, m.topicAt = viewTopics, 0
		}
	}
}

// manyPartitions is from when on a list of them says less than their topics do.
const manyPartitions = 100

// nextFilter goes through the filters that let anything through, and back to none.
func (m *Model) nextFilter() tea.Cmd {
	l := &m.parts
	before := l.filter
	for range filters {
		if l.filter = (l.filter + 1) % filters; l.filter == filterNone || l.sum.has(l.filter) > 0 {
			break
		}
	}
	if before == filterNone && l.filter == filterNone {
		m.say(false, "none is under-replicated, leaderless, below min ISR or moved")
	}
	m.partAt, m.topicAt = 0, 0
	m.refreshParts()
	return nil
}

// askTopic asks which topics are of interest. The view follows while one types.
func (m *Model) askTopic() tea.Cmd {
	before, exact := m.parts.text, m.parts.exact
	set := func(text string, exact bool) {
		m.parts.text, m.parts.exact = text, exact
		m.refreshParts()
		m.dirty(panePartitions)
	}
	cmd := m.ask("topics that contain", before, func(text string) { set(text, false) })
	m.field.typed = func(text string) { set(text, false) }
	m.field.left = func() { set(before, exact) }
	return cmd
}

// unfilter shows all again.
func (m *Model) unfilter() {
	m.parts.filter, m.parts.text, m.parts.exact = filterNone, "", false
	m.refreshParts()
}

// toggleOthers has all topics of the cluster shown, or only ours again.
func (m *Model) toggleOthers() tea.Cmd {
	l := &m.parts
	l.wanted = !l.wanted
	l.waits = l.wanted
	if m.backend.Others(l.wanted); l.wanted {
		m.say(false, "all topics of the cluster: they are asked for at a slower pace, and the frame says how old they are")
		return nil
	}
	if m.view == viewTopics {
		m.view = viewPartitions
	}
	m.say(false, "the shop's topics only")
	return nil
}

func canSeeOthers(m *Model) bool { return m.backend != nil && m.backend.Others != nil }

// partsStatus is what is shown, and how old the topics are that are not ours.
func (m *Model) partsStatus() string {
	s, l := m.styles, &m.parts
	var parts []string
	if l.filter != filterNone {
		parts = append(parts, s.Accent.Render(l.filter.String()))
	}
	if l.text != "" {
		parts = append(parts, s.Accent.Render("/"+safe(l.text)))
	}
	if l.wanted {
		parts = append(parts, m.othersAge())
	}
	return strings.Join(parts, " ")
}

// othersAge says how old what is not ours is: it always is, a little.
func (m *Model) othersAge() string {
	s, st := m.styles, m.state
	switch {
	case st == nil || st.OthersEvery == 0 || st.OthersSeen.IsZero():
		return s.Warn.Render("asking for all topics …")
	case m.now().Sub(st.OthersSeen) > 2*st.OthersEvery+pictureOld:
		return s.Warn.Render("all topics, " + age(m.now().Sub(st.OthersSeen)) + " old")
	}
	return s.Dim.Render("all topics, every " + age(st.OthersEvery))
}
