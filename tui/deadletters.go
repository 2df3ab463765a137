package tui

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"kassa/kafkaops/tail"
	"kassa/services/deadletters"
)

// The dead letters: how many there are, the newest of them to be read, and to be written again.

// DeadLetters is what the screen asks of them.
type DeadLetters interface {
	// Latest are the newest n, newest first. It asks the brokers.
	Latest(ctx context.Context, n int) ([]deadletters.Letter, error)
	// Retry writes the record of one again, and says where it is now.
	Retry(ctx context.Context, at deadletters.Place) (deadletters.Place, error)
	// Poison writes a record that no service can read, and says what and where it is.
	Poison(ctx context.Context) (string, error)
}

const (
	deadShown = 100 // letters in the list, the newest
	// While the list is open it is read again when the services have counted more, and now and then: other programs may add to it.
	deadEvery    = time.Second
	deadAnyway   = 10 * time.Second
	deadPatience = 10 * time.Second
)

type (
	deadMsg struct {
		number  int // of the list that asked
		letters []deadletters.Letter
		err     error
		counted int64
	}
	deadTickMsg struct{ number int }
	deadDoneMsg struct{ text, err string }
)

// deadState is the list of dead letters, and where a person is in it.
type deadState struct {
	number  int      // of the list: an answer to one that was closed is dropped
	overlay *overlay // the list or a letter of it; another overlay, or nil: it is closed
	letters []deadletters.Letter
	err     error
	read    time.Time // when it was last read; zero: not yet
	counted int64     // what the services had counted by then
	at      int       // the selected letter
	reading bool
	asking  bool // whether to write the selected letter again
}

func hasDead(m *Model) bool { return m.backend != nil && m.backend.DeadLetters != nil }

// deadLetters is how many records the services could not read, since they started.
func (m *Model) deadLetters() (n int64) {
	for _, svc := range m.figures.Services {
		n += svc.DeadLetters
	}
	return n
}

func (m *Model) openDead() tea.Cmd {
	m.dead = deadState{number: m.dead.number + 1}
	m.showDead()
	return m.readDead()
}

func (m *Model) showDead() {
	m.dead.reading, m.dead.asking = false, false
	m.dead.overlay = &overlay{title: "dead letters", live: m.deadLines, press: m.deadKey}
	m.overlay = m.dead.overlay
}

func (m *Model) readDead() tea.Cmd {
	backend, number, counted := m.backend.DeadLetters, m.dead.number, m.deadLetters()
	return func() tea.Msg {
		ctx, cancel := context.WithTimeout(m.ctx, deadPatience)
		defer cancel()
		letters, err := backend.Latest(ctx, deadShown)
		return deadMsg{number: number, letters: letters, err: err, counted: counted}
	}
}

// observeDead takes what the list asked for, and has it ask again while it is open.
func (m *Model) observeDead(msg tea.Msg) tea.Cmd {
	d := &m.dead
	again := func(number int) tea.Cmd {
		return tea.Tick(deadEvery, func(time.Time) tea.Msg { return deadTickMsg{number} })
	}
	switch msg := msg.(type) {
	case deadMsg:
		if msg.number != d.number {
			return nil
		}
		d.read, d.counted, d.err = m.now(), msg.counted, msg.err
		if msg.err == nil {
			if l, ok := m.selectedDead(); ok && (d.at > 0 || d.reading || d.asking) { // the selection stays with its letter; at the top of the list it stays there
				at := slices.IndexFunc(msg.letters, func(one deadletters.Letter) bool { return one.At == l.At })
				if at >= 0 {
					d.at = at
				}
				d.asking = d.asking && at >= 0 // it was asked about this one
			}
			d.letters = msg.letters
			d.at = max(0, min(d.at, len(d.letters)-1))
		}
		return again(msg.number)
	case deadTickMsg:
		switch {
		case msg.number != d.number || d.overlay == nil || m.overlay != d.overlay:
			return nil
		case !d.asking && !d.reading && (m.deadLetters() != d.counted || m.now().Sub(d.read) > deadAnyway):
			return m.readDead()
		}
		return again(msg.number)
	case deadDoneMsg:
		m.say(msg.err != "", msg.text+msg.err)
		if m.overlay == d.overlay && d.overlay != nil {
			d.number++
			return m.readDead()
		}
	}
	return nil
}

func (m *Model) selectedDead() (deadletters.Letter, bool) {
	if d := m.dead; d.at < len(d.letters) {
		return d.letters[d.at], true
	}
	return deadletters.Letter{}, false
}

func (m *Model) deadKey(k tea.KeyPressMsg) (tea.Cmd, bool) {
	d := &m.dead
	if d.asking {
		switch {
		case key.Matches(k, bind("y Y enter", "", "")):
			d.asking = false
			return m.retryDead(), true
		case key.Matches(k, bind("n N esc q", "", "")):
			d.asking = false
			return nil, true
		}
		return nil, !key.Matches(k, bind("ctrl+c", "", ""))
	}
	page := max(m.deadRows(), 1)
	move := func(n int) { d.at = max(0, min(d.at+n, len(d.letters)-1)) }
	switch {
	case key.Matches(k, bind("r", "", "")):
		m.askRetry()
	case d.reading && key.Matches(k, bind("esc q enter", "", "")):
		m.showDead()
	case d.reading:
		return nil, false
	case key.Matches(k, bind("j down", "", "")):
		move(1)
	case key.Matches(k, bind("k up", "", "")):
		move(-1)
	case key.Matches(k, bind("pgdown space ctrl+f", "", "")):
		move(page)
	case key.Matches(k, bind("pgup ctrl+b", "", "")):
		move(-page)
	case key.Matches(k, bind("g home", "", "")):
		d.at = 0
	case key.Matches(k, bind("G end", "", "")):
		move(len(d.letters))
	case key.Matches(k, bind("enter", "", "")):
		m.openLetter()
	default:
		return nil, false
	}
	return nil, true
}

func (m *Model) openLetter() {
	l, ok := m.selectedDead()
	if !ok {
		return
	}
	m.dead.reading = true
	value := valueLines(tail.Record{Value: l.Value, Size: l.Size}, m.styles) // once: it may be long, and stays as it is
	lines := func() []string {
		if now, ok := m.selectedDead(); ok && now.At == l.At {
			l = now // it may have been retried
		}
		return append(append(deadLetterLines(l, m.styles), value...), "", m.deadHint(true))
	}
	m.dead.overlay = &overlay{title: "dead letter " + l.At.String(), live: lines, press: m.deadKey, copy: string(l.Value), copied: copiedText(tail.Record{Value: l.Value, Size: l.Size})}
	m.overlay = m.dead.overlay
}

// askRetry asks once, or says why not.
func (m *Model) askRetry() {
	l, ok := m.selectedDead()
	switch {
	case !ok:
	case !l.Retried.IsZero():
		m.say(false, "it was written again as "+l.RetriedAs+"; kassa dlq retry --again does it once more")
	case l.Cut:
		m.say(true, "it was too large to be kept whole, and cannot be written again")
	case l.Source.Topic == "":
		m.say(true, "it does not say where it came from")
	default:
		m.dead.asking = true
	}
}

func (m *Model) retryDead() tea.Cmd {
	l, ok := m.selectedDead()
	if !ok {
		return nil
	}
	backend := m.backend.DeadLetters
	m.say(false, "writing "+l.Source.String()+" again")
	return func() tea.Msg {
		ctx, cancel := context.WithTimeout(m.ctx, 2*deadPatience)
		defer cancel()
		as, err := backend.Retry(ctx, l.At)
		if err != nil {
			return deadDoneMsg{text: "not written again: ", err: err.Error()}
		}
		return deadDoneMsg{text: fmt.Sprintf("%s is written again, as %s", l.Source, as)}
	}
}

// poison writes one record that will die, for show.
func (m *Model) poison() tea.Cmd {
	backend := m.backend.DeadLetters
	return func() tea.Msg {
		ctx, cancel := context.WithTimeout(m.ctx, deadPatience)
		defer cancel()
		what, err := backend.Poison(ctx)
		if err != nil {
			return deadDoneMsg{text: "no poison was written: ", err: err.Error()}
		}
		return deadDoneMsg{text: "poison written: " + what + "; D shows what became of it"}
	}
}

// What the list takes of the screen besides its rows.
const (
	deadSides = 6
	deadWide  = 130
	deadHead  = 4
	deadFoot  = 2
)

func (m *Model) deadRows() int { return m.overlayRows() - deadHead - deadFoot }

// deadLines draws the list for the screen as it is.
func (m *Model) deadLines() []string {
	s, d := m.styles, &m.dead
	w := min(m.width-deadSides, deadWide)
	lines := []string{fit(s.Dim.Render("what no service could read, set aside so that the flow goes on; the newest first"), w)}
	switch {
	case d.err != nil:
		lines = append(lines, fit(s.Bad.Render("not read: ")+safe(d.err.Error()), w))
	case d.read.IsZero():
		lines = append(lines, fit(s.Dim.Render("reading …"), w))
	default:
		lines = append(lines, fit(s.Bad.Render(count(m.deadLetters()))+s.Dim.Render(" counted since the services started · read "+age(m.now().Sub(d.read))+" ago"), w))
	}
	if len(d.letters) == 0 {
		text := "none"
		if d.read.IsZero() {
			text = ""
		}
		return append(lines, "", fit(s.Dim.Render(text), w), "", fit(m.deadHint(false), w))
	}
	lines = append(lines, "", s.Dim.Render(deadRow(w, "died", "source", "key", "why")))
	rows := max(m.deadRows(), 1)
	from := max(0, min(d.at-rows/2, len(d.letters)-rows))
	for i, l := range d.letters[from:min(from+rows, len(d.letters))] {
		row := deadRow(w, l.Time.Format("15:04:05"), sourceText(l), keyOf(l), whyOf(l))
		switch {
		case from+i == d.at:
			row = s.Select.Render(row)
		case !l.Retried.IsZero():
			row = s.Dim.Render(row)
		}
		lines = append(lines, row)
	}
	return append(lines, "", fit(m.deadHint(false), w))
}

// deadHint is the question, or the keys.
func (m *Model) deadHint(reading bool) string {
	s := m.styles
	if l, ok := m.selectedDead(); ok && m.dead.asking {
		return s.Warn.Render("Write "+safe(l.Source.String())+" again, as it was?") + "  " + s.Key.Render("y") + s.Dim.Render(" yes  ") + s.Key.Render("n") + s.Dim.Render(" no")
	}
	if reading {
		return s.Key.Render("r") + s.Dim.Render(" write it again  ") + s.Key.Render("esc") + s.Dim.Render(" back to the list")
	}
	if len(m.dead.letters) == 0 {
		return s.Dim.Render("press esc, and P to write a record of poison")
	}
	return s.Key.Render("j k") + s.Dim.Render(" select  ") + s.Key.Render("enter") + s.Dim.Render(" read  ") + s.Key.Render("r") + s.Dim.Render(" write it again")
}

func deadRow(w int, died, source, key, why string) string {
	const stamp, keys = 9, 9
	sources := min(28, w/3)
	text := fit(died, stamp) + fit(source, sources) + " "
	if w >= 90 {
		text += fit(key, keys)
	}
	return text + fit(why, w-ansi.StringWidth(text))
}

func sourceText(l deadletters.Letter) string {
	if l.Source.Topic == "" {
		return "not known"
	}
	return safe(strings.Replace(l.Source.String(), "-successful/", "/", 1))
}

func keyOf(l deadletters.Letter) string {
	switch {
	case l.Key == nil:
		return "–"
	case !utf8.Valid(l.Key):
		return "0x" + hex.EncodeToString(l.Key[:min(len(l.Key), 8)])
	}
	return short(string(l.Key), 8)
}

// whyOf is the reason, after what sets the letter apart, in words.
func whyOf(l deadletters.Letter) string {
	text := safe(strings.TrimPrefix(l.Reason, "cannot be read: "))
	if l.Attempt > 1 {
		text = fmt.Sprintf("attempt %d: ", l.Attempt) + text
	}
	if !l.Retried.IsZero() {
		text = "RETRIED " + text
	}
	return text
}

// deadLetterLines are a letter up to its value.
func deadLetterLines(l deadletters.Letter, s Styles) []string {
	field := func(name, value string) string { return s.Dim.Render(fit(name, 12)) + value }
	lines := []string{field("why", s.Bad.Render(safe(l.Reason))), field("source", s.Dim.Render("not known"))}
	if l.Source.Topic != "" {
		lines[1] = field("source", safe(l.Source.String()))
	}
	if !l.SourceTime.IsZero() {
		lines = append(lines, field("written", l.SourceTime.Format("2006-01-02 15:04:05.000 MST")))
	}
	lines = append(lines, field("died", l.Time.Format("2006-01-02 15:04:05.000 MST")), field("service", safe(l.Service)))
	if l.Attempt > 1 {
		lines = append(lines, field("attempt", fmt.Sprintf("%d, a retry of %s", l.Attempt, safe(l.RetryOf))))
	}
	if !l.Retried.IsZero() {
		lines = append(lines, field("retried", l.Retried.Format("15:04:05.000")+" as "+safe(l.RetriedAs)))
	}
	lines = append(lines, field("key", keyOf(l)), field("size", count(l.Size)+" bytes"))
	for _, h := range l.Headers {
		lines = append(lines, headerLine(h.Key, h.Value, len(h.Value), s))
		if len(lines) > 200 {
			lines = append(lines, s.Dim.Render("… more headers"))
			break
		}
	}
	return append(lines, "", s.Strong.Render("value"))
}
