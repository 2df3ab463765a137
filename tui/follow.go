package tui

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"kassa/kafkaops/tail"
	"kassa/services"
	"kassa/services/deadletters"
	"kassa/services/email"
	"kassa/services/events"
)

// One checkout, followed through the shop: each of its events with where and when it was written, its mail, and a dead letter if it ended in one. What the
// tails hold is shown at once and as it comes; the rest is looked up in the log. How it is drawn is in followview.go.

// Log is what the screen asks of the cluster's records, beside those that come by themselves.
type Log interface {
	// Find looks for the records of a key, as far as the query lets it, and says how far it looked.
	Find(ctx context.Context, q tail.Query) (tail.Found, error)
	// Topics lists all topics of the cluster, Kafka's own last.
	Topics(ctx context.Context) ([]tail.Topic, error)
	// Open reads a topic from a place on: from its end as it grows, from elsewhere by pages. It does not wait for the cluster.
	Open(topic string, from tail.From) (Tail, error)
}

const (
	findPatience = 8 * time.Second
	findFirst    = time.Second // until the first look again for what was not there; each waits twice as long as the one before
	findLast     = 16 * time.Second
	deadLooked   = 100 // the newest dead letters
)

// follow is the checkout that is followed.
type follow struct {
	number  int      // of it: an answer about another one is dropped
	overlay *overlay // nil, or not the open one: it is closed
	record  *overlay // of one of its records, likewise
	id      string
	begun   time.Time
	hops    []hop // by time
	at      int   // the selected one
	line    int   // where that begins

	looking bool
	looks   int         // so far
	next    time.Time   // when to look again for what is missing
	looked  tail.Found  // the last look that found something to look at
	seen    tail.Record // whatever is known of it first: where and when to look
	err     string
	// upTo is, by topic, how far its log was looked at; nothing until then.
	upTo map[string]int64

	mail    *email.Envelope
	dead    []deadletters.Letter
	deadErr string
	counted int64 // dead letters, when they were last asked for; -1: not yet
}

// hop is one event of the checkout.
type hop struct {
	record tail.Record
	log    bool // it was looked up
}

type (
	foundMsg struct {
		number int
		found  tail.Found
		err    error
	}
	followDeadMsg struct {
		number  int
		letters []deadletters.Letter
		err     error
	}
)

// checkoutOf is the checkout that a record of the flow is about; empty for none.
func checkoutOf(r *tail.Record) string {
	if !slices.Contains(events.Topics(), r.Topic) {
		return ""
	}
	if len(r.Value) == r.Size {
		if ev, err := events.Decode(r.Topic, r.Key, r.Value, nil); err == nil {
			if id := ev.Payload.Checkout(); id != "" {
				return id
			}
			return services.CheckoutID(r.Topic, r.Partition, r.Offset)
		}
	}
	return string(r.Key)
}

// inFlow says that the focused tail has events of checkouts.
func inFlow(m *Model) bool {
	t := m.tail()
	return t != nil && slices.Contains(events.Topics(), t.topic)
}

// followSelected follows the checkout of the selected record. One that is about none is opened.
func (m *Model) followSelected() tea.Cmd {
	t := m.tail()
	if t == nil {
		return nil
	}
	r := t.selected()
	if r == nil {
		m.say(false, "there is no record to open")
		return nil
	}
	id := checkoutOf(&r.record)
	if id == "" {
		return m.inspect()
	}
	t.pause()
	t.cursor = r.seq
	return m.openFollow(id, &r.record)
}

func followWord(m *Model, rest string) (tea.Cmd, error) {
	if m.backend == nil {
		return nil, errNotReady
	}
	if rest == "" {
		return nil, fmt.Errorf("follow what? An id of a checkout, whole or its beginning; or enter on a record in a tail")
	}
	for _, t := range m.flow() { // a beginning will do for one that is held
		var newest *tail.Record
		for r := range t.held() {
			if r.mark == "" && bytes.HasPrefix(r.record.Key, []byte(rest)) && checkoutOf(&r.record) != "" {
				newest = &r.record
			}
		}
		if newest != nil {
			return m.openFollow(checkoutOf(newest), newest), nil
		}
	}
	return m.openFollow(rest, nil), nil
}

// flow is the tails of the flow's topics, in its order, also while their panes show something else.
func (m *Model) flow() []*tailPane {
	return append(make([]*tailPane, 0, len(m.flowing)), m.flowing[:]...)
}

// openFollow follows a checkout of which one record may be known.
func (m *Model) openFollow(id string, first *tail.Record) tea.Cmd {
	m.follow = follow{number: m.follow.number + 1, id: id, begun: m.now(), counted: -1, upTo: map[string]int64{}}
	f := &m.follow
	if first != nil {
		f.add(*first, false)
	}
	for _, t := range m.flow() {
		for r := range t.held() {
			if r.mark == "" && f.about(&r.record) {
				f.add(r.record, false)
			}
		}
	}
	m.showFollow()
	return m.followOn()
}

func (m *Model) showFollow() {
	m.follow.overlay = &overlay{title: "checkout " + m.follow.id, live: m.followLines, press: m.followKey, copy: m.follow.id}
	m.overlay = m.follow.overlay
}

// followOpen says that the checkout, or one of its records, is on the screen.
func (m *Model) followOpen() bool {
	return m.overlay != nil && (m.overlay == m.follow.overlay || m.overlay == m.follow.record)
}

// about says whether a record is of the followed checkout. Most are told by their key.
func (f *follow) about(r *tail.Record) bool {
	return string(r.Key) == f.id || r.Key == nil && checkoutOf(r) == f.id
}

// add takes an event that is not known yet.
func (f *follow) add(r tail.Record, log bool) {
	for i := range f.hops {
		if h := &f.hops[i].record; h.Topic == r.Topic && h.Partition == r.Partition && h.Offset == r.Offset {
			return
		}
	}
	if f.seen.Topic == "" {
		f.seen = r
	}
	f.hops = append(f.hops, hop{r, log})
	slices.SortStableFunc(f.hops, func(a, b hop) int {
		if a.record.Topic != b.record.Topic { // clocks differ, the order of the flow does not
			return slices.Index(events.Topics(), a.record.Topic) - slices.Index(events.Topics(), b.record.Topic)
		}
		return a.record.Time.Compare(b.record.Time)
	})
}

// of is the events of a topic.
func (f *follow) of(topic string) (list []hop) {
	for _, h := range f.hops {
		if h.record.Topic == topic {
			list = append(list, h)
		}
	}
	return list
}

// missing is the topics that have no event of it yet.
func (f *follow) missing() (topics []string) {
	for _, t := range events.Topics() {
		if len(f.of(t)) == 0 {
			topics = append(topics, t)
		}
	}
	return topics
}

// followBatch takes what has come of it.
func (m *Model) followBatch(records []tail.Record) {
	if !m.followOpen() {
		return
	}
	for i := range records {
		if r := &records[i]; slices.Contains(events.Topics(), r.Topic) && m.follow.about(r) {
			m.follow.add(*r, false)
		}
	}
}

// lookAgain looks up what is missing, unless that was done just now.
func (m *Model) lookAgain() tea.Cmd {
	f := &m.follow
	missing := f.missing()
	if m.backend.Log == nil || f.looking || len(missing) == 0 || m.now().Before(f.next) {
		return nil
	}
	q := tail.Query{Topics: missing, Key: f.id, Partition: -1}
	if f.seen.Topic != "" { // all events of a checkout keep the number of its partition
		q.Partition, q.Around, q.After = f.seen.Partition, f.seen.Time, f.upTo
	}
	f.looking, f.looks = true, f.looks+1
	number, backend, parent := f.number, m.backend.Log, m.ctx
	return func() tea.Msg {
		ctx, cancel := context.WithTimeout(parent, findPatience)
		defer cancel()
		found, err := backend.Find(ctx, q)
		return foundMsg{number, found, err}
	}
}

func (m *Model) readFollowedDead() tea.Cmd {
	f := &m.follow
	if m.backend.DeadLetters == nil || f.counted == m.deadLetters() {
		return nil
	}
	f.counted = m.deadLetters()
	number, backend, parent := f.number, m.backend.DeadLetters, m.ctx
	return func() tea.Msg {
		ctx, cancel := context.WithTimeout(parent, findPatience)
		defer cancel()
		letters, err := backend.Latest(ctx, deadLooked)
		return followDeadMsg{number, letters, err}
	}
}

// apply implements result.
func (msg foundMsg) apply(m *Model) tea.Cmd {
	f := &m.follow
	if msg.number != f.number {
		return nil
	}
	f.looking, f.err = false, ""
	f.next = m.now().Add(min(findFirst<<max(0, min(f.looks-1, 10)), findLast))
	if msg.err != nil {
		f.err = msg.err.Error()
		return nil
	}
	first := len(f.hops) == 0
	f.looked = msg.found
	for _, r := range msg.found.Records {
		if f.about(&r) {
			f.add(r, true)
		}
	}
	for _, l := range msg.found.Looked {
		if l.Partition == f.seen.Partition && l.Err == "" && f.seen.Topic != "" {
			f.upTo[l.Topic] = l.To
		}
	}
	if first && len(f.hops) > 0 { // now it is known where and when the others are
		clear(f.upTo)
		f.next = time.Time{}
		m.findMail()
		return m.lookAgain()
	}
	return nil
}

// followOn asks again for what is missing, at the pace of the screen's clock, while somebody looks.
func (m *Model) followOn() tea.Cmd {
	if !m.followOpen() {
		return nil
	}
	m.findMail()
	return tea.Batch(m.lookAgain(), m.readFollowedDead())
}

// apply implements result.
func (msg followDeadMsg) apply(m *Model) tea.Cmd {
	f := &m.follow
	if msg.number != f.number {
		return nil
	}
	f.deadErr = ""
	if msg.err != nil {
		f.deadErr = msg.err.Error()
		return nil
	}
	f.dead = nil
	for _, l := range msg.letters {
		if string(l.Key) == f.id {
			f.dead = append(f.dead, l)
		}
	}
	return nil
}

// findMail looks through the mails that are kept in this process.
func (m *Model) findMail() {
	f := &m.follow
	if f.mail != nil || !hasMail(m) || m.backend.Mail.Stats().Mode != email.Catch {
		return
	}
	id := services.EmailID(f.id)
	for _, e := range m.backend.Mail.Inbox(0, email.Kept) {
		if id == mailID(e.ID) {
			f.mail = &e
			return
		}
	}
}

// mailID is the part of a Message-ID that is the shop's: "<ID@domain>".
func mailID(id string) string {
	at := bytes.IndexByte([]byte(id), '@')
	if at < 1 || id[0] != '<' {
		return ""
	}
	return id[1:at]
}

// followKey has the keys while the overlay is open.
func (m *Model) followKey(k tea.KeyPressMsg) (tea.Cmd, bool) {
	f := &m.follow
	switch {
	case key.Matches(k, bind("enter i", "", "")):
		if f.at < len(f.hops) {
			m.openHop(f.hops[f.at].record)
		}
	case key.Matches(k, bind("j down", "", "")) && f.at < len(f.hops)-1: // behind the last one it scrolls
		f.at++
		m.showHop()
	case key.Matches(k, bind("k up", "", "")) && f.at > 0:
		f.at--
		m.showHop()
	default:
		return nil, false
	}
	return nil, true
}

// showHop scrolls to the selected hop, where the checkout is longer than the screen; to the first with what stands above it.
func (m *Model) showHop() {
	m.followLines() // finds its line
	f := &m.follow
	from := f.line
	if f.at == 0 {
		from = 0
	}
	f.overlay.top = max(min(f.overlay.top, from), f.line+hopLines-m.overlayRows())
}

// openHop opens a record; its end leads back.
func (m *Model) openHop(r tail.Record) {
	m.follow.record = recordOverlay(r, m.styles)
	m.overlay = m.follow.record
	m.overlay.press = func(k tea.KeyPressMsg) (tea.Cmd, bool) {
		if key.Matches(k, bind("esc q enter i", "", "")) {
			m.showFollow()
			return nil, true
		}
		return nil, false
	}
}
