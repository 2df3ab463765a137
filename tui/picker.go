package tui

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"kassa/kafkaops/tail"
)

// The topic picker: every topic of the cluster, one of them to be chosen by typing, and where to begin with it.

const (
	topicsPatience = 5 * time.Second
	topicsEvery    = 3 * time.Second // while the list is open
)

// picker is where a person is in it.
type picker struct {
	number  int      // of the list: an answer to one that was closed is dropped
	overlay *overlay // the list, or the menu of places; nil, or not the open one: it is closed
	topics  []tail.Topic
	err     string
	read    time.Time // when the list was last read; zero: not yet
	asking  bool
	filter  string
	at      int

	// Of the menu: where to begin with a topic, and in which pane.
	topic   string
	into    []paneID // panes to choose from with tab; 0 adds one
	instead string   // the topic of the pane that is no new one
	intoAt  int
	placeAt int
	typing  bool // of an offset or a time
	text    string
	wrong   string
}

// place is a row of the menu.
type place struct {
	name string
	does string
	ask  string // what is to be typed; empty: nothing
	from tail.From
}

func places() []place {
	return []place{
		{name: "latest", does: "what comes from now on", from: tail.End()},
		{name: "earliest", does: "from the beginning, page by page", from: tail.Beginning()},
		{name: "offset", does: "from an offset on, in every partition", ask: "offset"},
		{name: "time", does: "from a time on: 20:31, 20:31:08, 5m ago", ask: "time"},
	}
}

type topicsMsg struct {
	number int
	topics []tail.Topic
	err    error
}

func hasLog(m *Model) bool { return m.backend != nil && m.backend.Log != nil }

// errNoLog is why there are no topics to choose from.
var errNoLog = errors.New("the topics of this cluster cannot be asked for yet")

func (m *Model) openPicker() tea.Cmd {
	m.picker = picker{number: m.picker.number + 1, topics: m.picker.topics, read: m.picker.read}
	m.showPicker()
	return m.readTopics()
}

func (m *Model) showPicker() {
	m.picker.topic = ""
	m.picker.overlay = &overlay{title: "topics", live: m.pickerLines, press: m.pickerKey, paste: m.pickerPaste}
	m.overlay = m.picker.overlay
}

func (m *Model) pickerOpen() bool { return m.overlay != nil && m.overlay == m.picker.overlay }

func (m *Model) readTopics() tea.Cmd {
	if !hasLog(m) || m.picker.asking {
		return nil
	}
	m.picker.asking = true
	number, log, parent := m.picker.number, m.backend.Log, m.ctx
	return func() tea.Msg {
		ctx, cancel := context.WithTimeout(parent, topicsPatience)
		defer cancel()
		list, err := log.Topics(ctx)
		return topicsMsg{number, list, err}
	}
}

// apply implements result.
func (msg topicsMsg) apply(m *Model) tea.Cmd {
	p := &m.picker
	if msg.number != p.number {
		return nil
	}
	p.asking, p.err = false, ""
	if msg.err != nil {
		p.err = msg.err.Error()
		return nil
	}
	chosen := ""
	if list := m.pickable(); p.at < len(list) && p.at > 0 {
		chosen = list[p.at].Name
	}
	p.topics, p.read = msg.topics, m.now()
	if chosen != "" { // the selection stays with its topic
		if i := slices.IndexFunc(m.pickable(), func(t tail.Topic) bool { return t.Name == chosen }); i >= 0 {
			p.at = i
		}
	}
	if m.command != nil {
		m.suggest()
	}
	return nil
}

// pickOn reads the list again, at the pace of the screen's clock, while it is open.
func (m *Model) pickOn() tea.Cmd {
	if !m.pickerOpen() || m.picker.topic != "" || m.now().Sub(m.picker.read) < topicsEvery {
		return nil
	}
	return m.readTopics()
}

// pickable is the topics that pass what was typed.
func (m *Model) pickable() (list []tail.Topic) {
	needle := strings.ToLower(m.picker.filter)
	for _, t := range m.picker.topics {
		if strings.Contains(strings.ToLower(t.Name), needle) {
			list = append(list, t)
		}
	}
	return list
}

func (m *Model) pickerPaste(text string) {
	p := &m.picker
	text = safe(strings.Join(strings.Fields(text), " "))
	switch {
	case p.topic == "":
		p.filter, p.at = limited(p.filter+text), 0
	case p.typing:
		p.text, p.wrong = limited(p.text+text), ""
	}
}

func limited(text string) string {
	r := []rune(text)
	return string(r[:min(len(r), fieldLimit)])
}

func (m *Model) pickerKey(k tea.KeyPressMsg) (tea.Cmd, bool) {
	p := &m.picker
	if p.topic != "" {
		return m.placeKey(k)
	}
	list := m.pickable()
	p.at = max(0, min(p.at, len(list)-1))
	move := func(n int) { p.at = max(0, min(p.at+n, len(list)-1)) }
	page := max(m.pickerRows(), 1)
	switch {
	case key.Matches(k, bind("esc", "", "")):
		if p.filter == "" {
			return nil, false
		}
		p.filter, p.at = "", 0
	case key.Matches(k, bind("enter", "", "")):
		if p.at < len(list) {
			into := []paneID{0}
			if m.focus.isTail() {
				into = append(into, m.focus)
			}
			m.askPlace(list[p.at].Name, into)
		}
	case key.Matches(k, bind("down ctrl+n tab", "", "")):
		move(1)
	case key.Matches(k, bind("up ctrl+p shift+tab", "", "")):
		move(-1)
	case key.Matches(k, bind("pgdown", "", "")):
		move(page)
	case key.Matches(k, bind("pgup", "", "")):
		move(-page)
	case key.Matches(k, bind("home", "", "")):
		move(-len(list))
	case key.Matches(k, bind("end", "", "")):
		move(len(list))
	case key.Matches(k, bind("backspace", "", "")):
		p.filter, p.at = shorter(p.filter), 0
	case k.Text != "":
		p.filter, p.at = limited(p.filter+safe(k.Text)), 0
	default:
		return nil, !key.Matches(k, bind("ctrl+c", "", ""))
	}
	return nil, true
}

func shorter(text string) string {
	r := []rune(text)
	return string(r[:max(len(r)-1, 0)])
}

// askPlace opens the menu of places.
func (m *Model) askPlace(topic string, into []paneID) {
	p := &m.picker
	p.topic, p.into, p.intoAt, p.placeAt, p.typing, p.text, p.wrong, p.instead = topic, into, 0, 0, false, "", "", ""
	if t := m.tail(); t != nil {
		p.instead = safe(t.topic) // another pane may have the keys by the time that this is drawn
	}
	p.overlay = &overlay{title: safe(topic), live: m.placeLines, press: m.pickerKey, paste: m.pickerPaste}
	m.overlay = p.overlay
}

// seek asks where the focused tail goes on.
func (m *Model) seek() tea.Cmd {
	m.picker = picker{number: m.picker.number + 1, topics: m.picker.topics, read: m.picker.read}
	m.askPlace(m.tail().topic, []paneID{m.focus})
	return nil
}

func (m *Model) placeKey(k tea.KeyPressMsg) (tea.Cmd, bool) {
	p := &m.picker
	rows := places()
	switch s := k.String(); {
	case s == "ctrl+c":
		return nil, false
	case s == "esc" && p.typing:
		p.typing, p.wrong = false, ""
	case s == "esc":
		if len(p.into) == 1 && p.into[0] != 0 { // it was opened from a pane, not from the list
			return nil, false
		}
		m.showPicker()
	case s == "enter" && p.typing:
		return m.enterPlace(), true
	case p.typing && s == "backspace":
		p.text, p.wrong = shorter(p.text), ""
	case p.typing && k.Text != "":
		p.text, p.wrong = limited(p.text+safe(k.Text)), ""
	case s == "tab", s == "shift+tab":
		p.intoAt = (p.intoAt + 1) % len(p.into)
	case p.typing:
	case len(s) == 1 && s[0] >= '1' && int(s[0]-'0') <= len(rows):
		p.placeAt = int(s[0] - '1')
		return m.choosePlace(rows[p.placeAt]), true
	case s == "enter":
		return m.choosePlace(rows[p.placeAt]), true
	case s == "j", s == "down":
		p.placeAt = min(p.placeAt+1, len(rows)-1)
	case s == "k", s == "up":
		p.placeAt = max(p.placeAt-1, 0)
	}
	return nil, true
}

func (m *Model) choosePlace(row place) tea.Cmd {
	if row.ask != "" {
		m.picker.typing, m.picker.text, m.picker.wrong = true, "", ""
		return nil
	}
	return m.openChosen(row.from)
}

// enterPlace takes the offset or time that was typed.
func (m *Model) enterPlace() tea.Cmd {
	p := &m.picker
	row := places()[p.placeAt]
	text := strings.TrimSpace(p.text)
	switch n, isOffset := parseOffset(text); row.ask { // "0" is an offset and, as 0 s ago, a time: what was asked for decides
	case "offset":
		if isOffset {
			return m.openChosen(tail.Offset(n))
		}
		p.wrong = fmt.Sprintf("an offset is a number from 0 on, not %q", p.text)
	case "time":
		if at, isTime := parseTime(text, m.now()); isTime {
			return m.openChosen(tail.Since(at))
		}
		p.wrong = fmt.Sprintf("a time is 20:31, 20:31:08, 2026-11-23 20:31 or 5m, not %q", p.text)
	}
	return nil
}

func (m *Model) openChosen(from tail.From) tea.Cmd {
	p := &m.picker
	m.overlay = nil
	cmd, err := m.placeTopic(p.into[p.intoAt], p.topic, from)
	if err != nil {
		m.say(true, err.Error())
	}
	return cmd
}

// placeTopic opens a topic from a place on. The flow's own topics at their ends are what the panes of the flow show anyway.
func (m *Model) placeTopic(into paneID, topic string, from tail.From) (tea.Cmd, error) {
	if from.IsEnd() {
		if flowTopic(into) == topic {
			m.focusOn(into)
			m.flow()[into-panePayment].follow()
			if owns(m) {
				return m.closePane(), nil
			}
			return nil, nil
		}
		for _, p := range m.tailPanes() {
			if t := m.tails[p]; into == 0 && t.topic == topic && (t.own == nil || t.own.from.IsEnd()) {
				m.focusOn(p)
				t.follow()
				return nil, nil
			}
		}
	}
	return m.openTail(into, topic, from)
}

// ---- the same in words

func offerTopics(m *Model, before []string) (list []candidate) {
	switch len(before) {
	case 0:
		for _, t := range m.picker.topics {
			list = append(list, candidate{t.Name, plural(t.Partitions, "partition")})
		}
	case 1:
		return offerPlaces(m, nil)
	}
	return list
}

func offerPlaces(_ *Model, before []string) []candidate {
	if len(before) > 0 {
		return nil
	}
	return []candidate{{"latest", "what comes from now on"}, {"earliest", "from the beginning"}, {"1200", "an offset"}, {"20:31:08", "a time of today"}, {"5m", "so long ago"}}
}

// topicWord opens a topic. Of one that is not in the list it is asked first whether there is such a topic.
func topicWord(m *Model, rest string) (tea.Cmd, error) {
	name, place, _ := strings.Cut(rest, " ")
	switch {
	case !hasLog(m):
		return nil, errNoLog
	case name == "":
		return m.openPicker(), nil
	}
	from, err := parsePosition(place, m.now())
	if err != nil {
		return nil, err
	}
	known := func(list []tail.Topic) bool {
		return slices.ContainsFunc(list, func(t tail.Topic) bool { return t.Name == name })
	}
	if known(m.picker.topics) || slices.ContainsFunc(m.flow(), func(t *tailPane) bool { return t.topic == name }) {
		return m.placeTopic(0, name, from)
	}
	log, parent := m.backend.Log, m.ctx
	m.say(false, "asking for "+name)
	return func() tea.Msg {
		ctx, cancel := context.WithTimeout(parent, topicsPatience)
		defer cancel()
		list, err := log.Topics(ctx)
		switch {
		case err != nil:
			return topicKnownMsg{err: fmt.Sprintf("whether there is a topic %s is not known: %v", name, err)}
		case !known(list):
			return topicKnownMsg{err: fmt.Sprintf("there is no topic %s: t lists what there is", name)}
		}
		return topicKnownMsg{name: name, from: from}
	}, nil
}

// topicKnownMsg says that there is a topic, or what is wrong.
type topicKnownMsg struct {
	name string
	from tail.From
	err  string
}

// apply implements result.
func (msg topicKnownMsg) apply(m *Model) tea.Cmd {
	m.notice = notice{}
	if msg.err == "" {
		cmd, err := m.placeTopic(0, msg.name, msg.from)
		if err == nil {
			return cmd
		}
		msg.err = err.Error()
	}
	m.say(true, msg.err)
	return nil
}

func seekWord(m *Model, rest string) (tea.Cmd, error) {
	t := m.tail()
	switch {
	case t == nil:
		return nil, fmt.Errorf("seek works in %s", inTail.words())
	case !hasLog(m):
		return nil, errNoLog
	}
	from, err := parsePosition(rest, m.now())
	if err != nil {
		return nil, err
	}
	return m.placeTopic(m.focus, t.topic, from)
}
