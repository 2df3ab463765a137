package tui

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"kassa/kafkaops"
	"kassa/kafkaops/tail"
	"kassa/kafkaops/watch"
)

// overlay is a text on top of the screen that can be scrolled: help, a record, the log.
type overlay struct {
	title  string
	lines  []string
	top    int
	copy   string                                         // what y copies
	copied string                                         // what y says then; empty: that it is copied
	paste  func(text string)                              // takes what is pasted; nil: nobody does
	live   func() []string                                // makes lines anew each time that it is drawn; nil: they stay
	press  func(tea.KeyPressMsg) (cmd tea.Cmd, done bool) // has each key first; nil: there are only those of every overlay
	asks   bool                                           // it waits for yes or no
}

func (m *Model) openHelp() tea.Cmd {
	s := m.styles
	var lines []string
	for _, group := range []string{"Shop", "Services", "Brokers", "Tails", "Analytics", "Cluster views", "Move", "View"} {
		lines = append(lines, s.Strong.Render(group))
		for _, a := range m.keys {
			if h := a.Help(); a.group == group && (a.do != nil || h.Key == "0-9") && h.Key != "5" {
				lines = append(lines, "  "+s.Key.Render(fit(h.Key, 10))+" "+fit(h.Desc, 28)+s.Dim.Render(m.colon(a.word)))
			}
		}
		lines = append(lines, "")
	}
	lines = append(append(lines, m.wordsAlone()...), "")
	if m.backend != nil {
		lines = append(lines, s.Strong.Render("Cluster"), "  "+safe(m.backend.Info.Why))
		if d := m.backend.Info.DataDir; d != "" {
			lines = append(lines, "  data: "+safe(d))
		}
		if u := m.backend.URL; u != "" {
			lines = append(lines, "  POST "+safe(u)+`  {"cart":[{"id":1,"name":"T-Shirt","price":1999.9,"image":"","description":""}]}`)
		}
		lines = append(lines, "")
	}
	lines = append(lines, s.Strong.Render("Signs"),
		"  1→3   the leader moved from broker 1 to broker 3",
		"  ·2    replica 2 is missing from the ISR",
		"  3≠    the leader is not the preferred replica 3",
		"  2?    the metadata still names broker 2, which is down",
		"  NO LEADER       nobody can read or write the partition",
		"  below min ISR   writes with acks=all are refused",
		"  ELR 2           replica 2 has all that was committed and may lead (KIP-966)",
		"  –               not known",
		"  late         an order or an email that did not come within 10 s; it may yet",
		"  forgotten    no longer waited for, because too many checkouts were open",
		"  repeated     an event written again with the same id, as at-least-once may",
		"  read again   a record that analytics read twice; it counts once",
		"  controller?  led the quorum when that was last known",
		"  █ ⠒          in the charts: what is filled, and the line above it",
		"  ▼ ┊ ▲        when something was done; the p50 and p99 of a column are those of its worst second")
	m.overlay = &overlay{title: "help", lines: lines}
	return nil
}

// inspect opens the selected record.
func (m *Model) inspect() tea.Cmd {
	t := m.tail()
	if t == nil {
		return nil
	}
	r := t.selected()
	if r == nil {
		m.say(false, "there is no record to open")
		return nil
	}
	t.pause()
	t.cursor = r.seq
	m.overlay = recordOverlay(r.record, m.styles)
	return nil
}

func recordOverlay(r tail.Record, s Styles) *overlay {
	return &overlay{title: "record", lines: recordLines(r, s), copy: string(r.Value), copied: copiedText(r)}
}

// copiedText is what y says of a record's value: how much of it there is to be copied.
func copiedText(r tail.Record) string {
	switch {
	case r.Value == nil:
		return "a tombstone has no value: nothing is copied"
	case len(r.Value) == 0:
		return "the value is empty: nothing is copied"
	case r.Size > len(r.Value):
		return fmt.Sprintf("copied the first %s of %s bytes: the screen holds no more of it", count(len(r.Value)), count(r.Size))
	}
	return fmt.Sprintf("copied %s bytes", count(len(r.Value)))
}

func recordLines(r tail.Record, s Styles) []string {
	field := func(name, value string) string { return s.Dim.Render(fit(name, 12)) + value }
	lines := []string{
		field("topic", safe(r.Topic)),
		field("partition", fmt.Sprint(r.Partition)),
		field("offset", count(r.Offset)),
		field("timestamp", r.Time.Format("2006-01-02 15:04:05.000 MST")),
		field("epoch", fmt.Sprint(r.Epoch)),
		field("key", safeStart(r.Key, len(r.Key), s)),
		field("size", fmt.Sprintf("%s bytes", count(r.Size))),
		"", s.Strong.Render("headers"),
	}
	if r.Key == nil {
		lines[5] = field("key", s.Dim.Render("none"))
	}
	if len(r.Headers) == 0 {
		lines = append(lines, s.Dim.Render("none"))
	}
	for _, h := range r.Headers {
		lines = append(lines, headerLine(h.Key, h.Value, h.Size, s))
	}
	lines = append(lines, "", s.Strong.Render("value"))
	return append(lines, valueLines(r, s)...)
}

// startShown is how much of a key or of a header is shown: an overlay breaks its lines anew with every frame.
const startShown = 4 << 10

// safeStart is the beginning of what a stranger wrote, and how much there is of it in all; less may be kept.
func safeStart(text []byte, size int, s Styles) string {
	text = text[:min(len(text), startShown)]
	if size <= len(text) {
		return safe(string(text))
	}
	return safe(string(text)) + s.Warn.Render(fmt.Sprintf(" … the first %s of %s bytes", count(len(text)), count(size)))
}

func headerLine(key string, value []byte, size int, s Styles) string {
	return s.Dim.Render(fit(safe(key[:min(len(key), startShown)]), 16)) + " " + safeStart(value, size, s)
}

// valueLines shows a value as what it is: JSON with indentation, text, or bytes.
func valueLines(r tail.Record, s Styles) []string {
	var pretty bytes.Buffer
	switch {
	case r.Value == nil:
		return []string{s.Dim.Render("none: a tombstone")}
	case len(r.Value) == 0:
		return []string{s.Dim.Render("empty")}
	case r.Size == len(r.Value) && utf8.Valid(r.Value) && depth(r.Value)*len(r.Value) <= mostIndented && json.Indent(&pretty, r.Value, "", "  ") == nil:
		return firstLines(pretty.String(), s)
	}
	var lines []string
	if utf8.Valid(r.Value) || r.Size > len(r.Value) {
		lines = firstLines(string(r.Value), s)
	} else {
		const wide = 16
		for i := 0; i < min(len(r.Value), linesShown*wide); i += wide {
			chunk := r.Value[i:min(i+wide, len(r.Value))]
			lines = append(lines, s.Dim.Render(fmt.Sprintf("%06x  ", i))+fit(fmt.Sprintf("% x", chunk), 49)+safe(string(bytes.ToValidUTF8(chunk, []byte("·")))))
		}
		lines = append(lines, moreLines((len(r.Value)+wide-1)/wide-len(lines), s)...)
	}
	if r.Size > len(r.Value) {
		lines = append(lines, s.Warn.Render(fmt.Sprintf("… the first %s of %s bytes", count(len(r.Value)), count(r.Size))))
	}
	return lines
}

// How much of a value is shown: an overlay breaks its lines anew with every frame.
const (
	linesShown = 5000
	// mostIndented is how many bytes of JSON times levels that it is nested in are indented: 64 kB with 50, 1 MB with 3. A level is two cells more in every
	// line, and 64 kB with 5,000 of them made 50 MB.
	mostIndented = 50 * tail.MaxValue
)

// depth is how many brackets and braces of a JSON text are open at most. Of what is no JSON it says nothing.
func depth(text []byte) (most int) {
	open, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '[', c == '{':
			open++
			most = max(most, open)
		case c == ']', c == '}':
			open--
		}
	}
	return most
}

// firstLines are the lines of a text, as many as are shown, and how many there are more.
func firstLines(text string, s Styles) []string {
	all := strings.Split(text, "\n")
	lines := make([]string, 0, min(len(all), linesShown)+1)
	for _, l := range all[:min(len(all), linesShown)] {
		lines = append(lines, safe(l))
	}
	return append(lines, moreLines(len(all)-len(lines), s)...)
}

func moreLines(n int, s Styles) []string {
	if n <= 0 {
		return nil
	}
	return []string{s.Dim.Render("… " + plural(n, "more line"))}
}

func safeLines(text string) []string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = safe(lines[i])
	}
	return lines
}

// inspectNode opens what is known of the selected broker.
func (m *Model) inspectNode() tea.Cmd {
	n, ok := m.node()
	if !ok {
		return nil
	}
	s, now := m.styles, m.now()
	field := func(name, value string) string { return s.Dim.Render(fit(name, 20)) + value }
	seen := "never"
	if !n.Seen.IsZero() {
		seen = age(now.Sub(n.Seen)) + " ago"
	}
	pid := "none"
	if n.PID > 0 {
		pid = fmt.Sprint(n.PID)
	}
	lines := []string{
		field("address", safe(n.Addr)),
		field("state", n.Health.String()+", for "+age(now.Sub(n.Since))),
		field("process", n.Process.String()+", pid "+pid),
		field("last answer", seen),
		field("leads", plural(n.Leads, "watched partition")),
		field("metadata log end", count(n.LogEnd)),
		field("metadata lag", count(n.Lag)),
	}
	if n.Err != "" {
		lines = append(lines, field("last error", safe(n.Err)))
	}
	if n.Health != watch.Up && n.Led > 0 {
		lines = append(lines, field("led when last up", plural(n.Led, "partition")))
	}
	m.overlay = &overlay{title: fmt.Sprintf("broker %d", n.ID), lines: lines}
	return nil
}

// logTail is how much of the log file L shows, in bytes.
const logTail = 64 << 10

type logMsg struct {
	text string
	err  error
}

func (m *Model) openLog() tea.Cmd {
	path := m.logFile
	return func() tea.Msg {
		f, err := os.Open(path)
		if err != nil {
			return logMsg{err: err}
		}
		defer f.Close()
		if st, err := f.Stat(); err == nil && st.Size() > logTail {
			if _, err := f.Seek(-logTail, io.SeekEnd); err != nil {
				return logMsg{err: err}
			}
		}
		b, err := io.ReadAll(io.LimitReader(f, logTail))
		return logMsg{text: string(b), err: err}
	}
}

func (m *Model) showLog(msg logMsg) {
	if msg.err != nil {
		m.say(true, "cannot read the log: "+msg.err.Error())
		return
	}
	lines := safeLines(strings.TrimRight(msg.text, "\n"))
	m.overlay = &overlay{title: "log " + m.logFile, lines: lines, top: 1 << 30}
}

func (m *Model) copyRecord() tea.Cmd {
	t := m.tail()
	if t == nil {
		return nil
	}
	r := t.selected()
	if r == nil {
		return nil
	}
	m.say(false, copiedText(r.record))
	if len(r.record.Value) == 0 {
		return nil // what is in the clipboard stays there
	}
	return tea.SetClipboard(string(r.record.Value))
}

// overlayKey is the keyboard while an overlay is open.
func (m *Model) overlayKey(k tea.KeyPressMsg) tea.Cmd {
	o := m.overlay
	if o.press != nil {
		if cmd, done := o.press(k); done {
			return cmd
		}
	}
	page := max(m.overlayRows()-2, 1)
	switch {
	case key.Matches(k, bind("esc q enter ?", "", "")):
		m.overlay = nil
	case key.Matches(k, bind("ctrl+c", "", "")):
		return tea.Quit
	case key.Matches(k, bind("j down", "", "")):
		o.top++
	case key.Matches(k, bind("k up", "", "")):
		o.top--
	case key.Matches(k, bind("pgdown space", "", "")):
		o.top += page
	case key.Matches(k, bind("pgup", "", "")):
		o.top -= page
	case key.Matches(k, bind("g home", "", "")):
		o.top = 0
	case key.Matches(k, bind("G end", "", "")):
		o.top = len(o.lines)
	case key.Matches(k, bind("y", "", "")) && o.copy != "":
		m.say(false, cmp.Or(o.copied, "copied"))
		return tea.SetClipboard(o.copy)
	case key.Matches(k, bind("c", "", "")) && m.canBuyOnTop():
		return m.checkout()
	case key.Matches(k, bind("E", "", "")) && m.canExportOnTop():
		return exportPane(m)
	}
	return nil
}

// overlayRows is how many lines of an overlay are in view.
func (m *Model) overlayRows() int { return m.height - m.tourHeight() - 4 }

// render draws the overlay for a screen of w by h.
func (o *overlay) render(s Styles, w, h int) []string {
	inner := 0
	for _, l := range o.lines {
		inner = max(inner, ansi.StringWidth(l))
	}
	inner = max(min(inner, w-6), min(40, w-6))
	var lines []string
	for _, l := range o.lines {
		lines = append(lines, strings.Split(ansi.Hardwrap(l, inner, true), "\n")...)
	}
	room := min(len(lines), h-4)
	o.top = max(0, min(o.top, len(lines)-room))
	shown := make([]string, 0, room)
	for _, l := range lines[o.top : o.top+room] {
		shown = append(shown, " "+l)
	}
	more := "esc closes"
	if room < len(lines) {
		more = fmt.Sprintf("%d-%d of %d · j k · esc closes", o.top+1, o.top+room, len(lines))
	}
	return box(s.Overlay, s.Strong.Render(safe(o.title)), s.Dim.Render(more), shown, inner+4, room+2)
}

// renderQuestion asks once, with the price of the act.
func (m *Model) renderQuestion(f kafkaops.Fault, w int) []string {
	s := m.styles
	inner, act := min(66, w-6), safe(f.String())
	text := "What it costs is not known yet."
	if m.state != nil {
		text = watch.PriceOf(m.state, f).Sentence()
	}
	var lines []string
	for _, l := range strings.Split(ansi.Wordwrap(safe(text), inner, ""), "\n") {
		lines = append(lines, " "+l)
	}
	if text, bad := m.stakeText(f); bad {
		lines = append(lines, " "+s.Bad.Render(fit(text, inner)))
	} else if text != "" {
		lines = append(lines, " "+s.Good.Render(fit(text, inner)))
	}
	yes := " " + s.Key.Render("y") + " or " + s.Key.Render("enter") + " " + act
	no := " " + s.Key.Render("n") + " or " + s.Key.Render("esc") + " leave it"
	if ansi.StringWidth(yes+"  "+no) <= inner+1 {
		lines = append(lines, "", yes+"  "+no)
	} else { // a role takes room
		lines = append(lines, "", yes, no)
	}
	return box(s.Overlay, s.Strong.Render(strings.ToUpper(act[:1])+act[1:]+"?"), "", lines, inner+4, len(lines)+2)
}

func (m *Model) questionKey(k tea.KeyPressMsg) tea.Cmd {
	f := *m.question
	switch {
	case key.Matches(k, bind("y enter Y", "", "")):
		m.question = nil
		if m.state != nil {
			if now, err := m.state.Resolve(f); err == nil && now.Node != f.Node { // it was asked about another broker, at another price
				m.say(true, fmt.Sprintf("broker %d is the %s by now", now.Node, f.Role))
				return m.askAbout(f)
			}
		}
		return m.commit(f)
	case key.Matches(k, bind("n esc q N", "", "")):
		m.question = nil
	case key.Matches(k, bind("ctrl+c", "", "")):
		return tea.Quit
	}
	return nil
}
