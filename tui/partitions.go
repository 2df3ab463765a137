package tui

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"kassa/kafkaops/tail"
	"kassa/kafkaops/watch"
)

// The partition pane: leader, preferred leader, replicas, ISR and leader epoch of every partition of the flow.

// recently is how long a leader that moved is shown with where it came from.
const recently = 30 * time.Second

func (m *Model) renderPartitions(w, h int, focused bool) []string {
	s, l := m.styles, &m.parts
	if m.state == nil || l.sum.total == 0 {
		return []string{s.Dim.Render(" no topic yet")}
	}
	var lines []string
	if h >= 6 {
		lines = append(lines, m.partitionSummary(w))
	}
	if l.len() == 0 {
		return append(lines, s.Dim.Render(" none of "+plural(l.sum.total, "partition")+"; esc shows all"))
	}
	c := newColumns(w, l.widest)
	head := " " + fit("topic", c.name) + " " + right("#", c.id) + " " + fit("leader", c.leader) + fit("pref", c.preferred) +
		fit(c.heading, c.replicas) + fit("ISR", c.isr) + right("epoch", c.epoch)
	lines = append(lines, s.Dim.Render(fit(head, w)))
	from, to := window(l.len(), m.partAt, 0, h-len(lines))
	for i := from; i < to; i++ {
		first := i == from || l.at(i-1).Topic != l.at(i).Topic
		lines = append(lines, m.partitionLine(l.at(i), w, c, first, focused && i == m.partAt))
	}
	return lines
}

// partitionSummary is the partitions in a line: what is wrong, the worst first; and where in a long list one is.
func (m *Model) partitionSummary(w int) string {
	s, l := m.styles, &m.parts
	parts := []string{s.Dim.Render(plural(l.sum.total, "partition"))}
	if l.wanted && l.count > 1 {
		parts[0] += s.Dim.Render(" of " + plural(l.count, "topic"))
	}
	for _, c := range []struct {
		n     int
		words string
		style ink
	}{
		{l.sum.leaderless, "leaderless", s.Bad},
		{l.sum.below, "below min ISR", s.Bad},
		{l.sum.under, "under-replicated", s.Warn},
		{l.sum.moved, "moved", s.Accent},
	} {
		if c.n > 0 {
			parts = append(parts, c.style.Render(count(c.n)+" "+c.words))
		}
	}
	if l.sum.under+l.sum.leaderless+l.sum.below == 0 {
		parts = append(parts, s.Good.Render("all replicas in sync"))
	}
	place := ""
	if m.view == viewPartitions && l.len() > 0 && (l.filtered() || l.len() > manyPartitions) {
		place = fmt.Sprintf("  %s of %s ", count(m.partAt+1), count(l.len()))
	}
	room := w - len(place)
	line := func() string { return " " + strings.Join(parts, s.Dim.Render(" · ")) }
	if ansi.StringWidth(line()) > room { // how many there are matters least, and the header has what else does not fit
		parts = parts[1:]
	}
	for len(parts) > 1 && ansi.StringWidth(line()) > room {
		parts = parts[:len(parts)-1]
	}
	return fit(line(), room) + s.Dim.Render(place)
}

func (m *Model) partitionLine(p *watch.Partition, w int, c columns, first, selected bool) string {
	s := m.styles
	topic := ""
	if first || selected {
		topic = p.Topic
		if len(topic) > c.name {
			topic = strings.TrimSuffix(topic, "-successful")
		}
	}
	pref := fmt.Sprint(p.Preferred())
	prefStyle := s.Dim
	if p.Leader >= 0 && p.Leader != p.Preferred() {
		prefStyle = s.Warn
		pref += "≠"
	}
	leader, leaderStyle := m.leader(p)
	lead := leaderStyle.Render(fit(leader, c.leader)) + prefStyle.Render(fit(pref, c.preferred))
	isrStyle := s.Good
	if p.UnderReplicated() {
		isrStyle = s.Warn
	}
	if p.UnderMinISR() {
		isrStyle = s.Bad
	}
	lead += s.Dim.Render(fit(ids(p.Replicas), c.replicas)) + isrStyle.Render(fit(m.isr(p), c.isr))
	if p.Leader < 0 { // the words need the room of what says little without a leader
		lead = leaderStyle.Render(fit(leader+" "+ids(p.ISR), c.leader+c.preferred+c.replicas+c.isr))
	}
	line := " " + fit(safe(topic), c.name) + " " + s.Dim.Render(right(fmt.Sprint(p.ID), c.id)) + " " + lead + s.Dim.Render(right(fmt.Sprint(p.Epoch), c.epoch))
	if note := c.note(p); note != "" {
		line += s.Bad.Render(" " + note)
	}
	if selected {
		return s.Select.Render(fit(ansi.Strip(line), w))
	}
	return line
}

// leader is the leader in words that fit its column: none, dead, moved or just there.
func (m *Model) leader(p *watch.Partition) (string, ink) {
	s := m.styles
	moved := !p.Moved.IsZero() && m.now().Sub(p.Moved) < recently
	switch {
	case p.Leader < 0:
		return "NO LEADER", s.Bad
	case m.nodeGone(p.Leader): // before all else: what the metadata still says of a dead broker
		return fmt.Sprintf("%d?", p.Leader), s.Bad
	case moved && p.From >= 0:
		return fmt.Sprintf("%d→%d", p.From, p.Leader), s.Accent
	}
	return fmt.Sprint(p.Leader), s.Strong
}

// columns are the widths that depend on the pane and on what is in it, in cells; 0 leaves a column out. The ISR names missing
// replicas too, so a narrow pane loses nothing without the replicas.
type columns struct {
	name, id, leader, preferred, replicas, isr, epoch int

	heading string // of the replicas
	note    func(*watch.Partition) string
}

// notes say what is wrong with a partition beyond its ISR, the most telling first. The first that has room for every partition is shown.
var notes = [...]func(*watch.Partition) string{
	func(p *watch.Partition) string { return noteOf(p, "below min ISR", p.ELR) },
	func(p *watch.Partition) string { return noteOf(p, "< min ISR", p.ELR) },
	func(p *watch.Partition) string { return noteOf(p, "< min ISR", nil) },
}

func noteOf(p *watch.Partition, below string, elr []int32) string {
	var words []string
	if p.UnderMinISR() {
		words = append(words, below)
	}
	if len(elr) > 0 {
		words = append(words, "ELR "+ids(elr))
	}
	return strings.Join(words, " ")
}

func newColumns(w int, widest partWidths) columns {
	list := max(3, widest.replicas)*(widest.broker+1) - 1 // "1 2 3"
	c := columns{name: 7, id: max(1, widest.id), leader: max(7, 2*widest.broker+2), isr: list + 3}
	free := w - 1 - c.name - 1 - c.id - 1 - c.leader - c.isr
	if w >= 44 {
		free-- // nothing touches the frame
	}
	for i, note := range notes {
		if c.note = note; widest.notes[i] <= free {
			free -= widest.notes[i]
			break
		}
	}
	take := func(column *int, want int) bool {
		if free < want {
			return false
		}
		*column, free = want, free-want
		return true
	}
	take(&c.preferred, max(5, widest.broker+2))
	take(&c.epoch, max(5, widest.epoch+1))
	switch {
	case free >= 14 && take(&c.replicas, max(9, list+1)):
		c.heading = "replicas"
	case free >= 7 && take(&c.replicas, list+1):
		c.heading = "repl"
	}
	c.name = min(max(20, min(widest.name+1, 48)), c.name+free)
	return c
}

// isr lists the replicas in sync; those that are missing stay in their place with a mark: "1 3 ·2".
func (m *Model) isr(p *watch.Partition) string {
	text := ids(p.ISR)
	for _, r := range p.Replicas {
		if !slices.Contains(p.ISR, r) {
			text += fmt.Sprintf(" ·%d", r)
		}
	}
	return strings.TrimSpace(text)
}

func (m *Model) nodeGone(id int32) bool {
	n, ok := m.state.Node(id)
	return ok && n.Health == watch.Down
}

func ids(list []int32) string {
	sorted := slices.Clone(list)
	slices.Sort(sorted)
	text := make([]string, len(sorted))
	for i, id := range sorted {
		text[i] = fmt.Sprint(id)
	}
	return strings.Join(text, " ")
}

// offsetsEvery is how often it is asked where a log begins and ends, while its partition is open.
const offsetsEvery = 2 * time.Second

// offsets are where the log of the open partition begins and ends.
type offsets struct {
	number  int      // of the partition: an answer about another one is dropped
	overlay *overlay // another one, or nil: it is closed
	topic   string
	id      int32
	asking  bool
	asked   time.Time   // when that was last
	looked  tail.Looked // the last answer
	read    time.Time   // when that came; zero: not yet
	err     string      // why there was no answer since
}

type offsetsMsg struct {
	number int
	found  tail.Found
	err    error
}

// askOffsets asks for them by a look at the log that begins at its end, so that nothing is read.
func (m *Model) askOffsets() tea.Cmd {
	o := &m.offsets
	if !hasLog(m) || m.overlay == nil || m.overlay != o.overlay || o.asking || m.now().Sub(o.asked) < offsetsEvery {
		return nil
	}
	o.asking, o.asked = true, m.now()
	number, log, parent := o.number, m.backend.Log, m.ctx
	q := tail.Query{Topics: []string{o.topic}, Partition: o.id, After: map[string]int64{o.topic: math.MaxInt64}}
	return func() tea.Msg {
		ctx, cancel := context.WithTimeout(parent, findPatience)
		defer cancel()
		found, err := log.Find(ctx, q)
		return offsetsMsg{number, found, err}
	}
}

// apply implements result.
func (msg offsetsMsg) apply(m *Model) tea.Cmd {
	o := &m.offsets
	if msg.number != o.number {
		return nil
	}
	o.asking = false
	switch {
	case msg.err != nil:
		o.err = msg.err.Error()
	case len(msg.found.Looked) != 1:
		o.err = "no answer"
	default:
		if o.err = msg.found.Looked[0].Err; o.err == "" {
			o.looked, o.read = msg.found.Looked[0], m.now()
		}
	}
	return nil
}

// offsetLines are the offsets as far as they are known, and how old that is once it is worth knowing.
func (m *Model) offsetLines(field func(name, value string) string) []string {
	s, o := m.styles, &m.offsets
	start, end, note := "–", "–", s.Dim.Render("  asking …")
	if !hasLog(m) {
		note = s.Dim.Render("  cannot be asked for from here")
	}
	if !o.read.IsZero() {
		start, end, note = count(o.looked.Start), count(o.looked.End), s.Dim.Render("  without what open transactions hold back")
	}
	if o.err != "" {
		note = s.Warn.Render("  no answer: " + safe(o.err))
		if !o.read.IsZero() {
			note = s.Warn.Render("  " + age(m.now().Sub(o.read)) + " old: " + safe(o.err))
		}
	}
	return []string{field("log start offset", start), field("log end offset", end+note)}
}

// inspectPartition opens what is known of the selected partition.
func (m *Model) inspectPartition() tea.Cmd {
	p, ok := m.partition()
	if !ok {
		return nil
	}
	topic, id := p.Topic, p.ID
	m.offsets = offsets{number: m.offsets.number + 1, topic: topic, id: id}
	m.overlay = &overlay{title: fmt.Sprintf("%s/%d", safe(topic), id), live: func() []string {
		for _, list := range [][]watch.Partition{m.state.Partitions, m.state.Others} {
			for i := range list {
				if list[i].Topic == topic && list[i].ID == id {
					return m.partitionLines(&list[i])
				}
			}
		}
		return []string{m.styles.Warn.Render("the partition is gone")}
	}}
	m.offsets.overlay = m.overlay
	return m.askOffsets()
}

func (m *Model) partitionLines(p *watch.Partition) []string {
	s, now := m.styles, m.now()
	field := func(name, value string) string { return s.Dim.Render(fit(name, 20)) + value }
	leader, style := m.leader(p)
	minISR := "not known"
	if p.MinISR > 0 {
		minISR = fmt.Sprint(p.MinISR)
	}
	if p.UnderMinISR() {
		minISR += s.Bad.Render(", and fewer are in sync: writes with acks=all are refused")
	}
	moved := "not seen since kassa started"
	if !p.Moved.IsZero() {
		moved = age(now.Sub(p.Moved)) + " ago"
	}
	return append([]string{
		field("leader", style.Render(leader)),
		field("preferred leader", fmt.Sprint(p.Preferred())),
		field("leader epoch", fmt.Sprint(p.Epoch)),
		field("leader moved", moved),
		field("replicas", ids(p.Replicas)),
		field("in sync (ISR)", ids(p.ISR)),
		field("min ISR", minISR),
		field("eligible (ELR)", orNone(ids(p.ELR))),
		field("offline replicas", orNone(ids(p.Offline))),
		field("last confirmed", age(now.Sub(p.Seen))+" ago"),
	}, m.offsetLines(field)...)
}

func orNone(text string) string {
	if text == "" {
		return "none"
	}
	return text
}
