package tui

import (
	"fmt"
	"strings"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"kassa/services/email"
)

// The inbox: what became of the mails, and those that were caught in this process, to be read.

// Mail is what the screen asks of whoever sends the mails. Nothing in it waits.
type Mail interface {
	// Stats is a snapshot; it is cheap and asked for several times a second.
	Stats() email.Stats
	// Inbox is up to n of the mails that are kept, newest first, from this number down; 0 is the newest.
	Inbox(from int64, n int) []email.Envelope
	// Open reads one; false once it is no longer kept.
	Open(number int64) (email.Letter, bool)
}

// inbox is where a person is in it.
type inbox struct {
	at      int64 // number of the selected mail; 0 follows the newest
	reading bool
	overlay *overlay // the list; another overlay, or nil: it is closed
}

func hasMail(m *Model) bool { return m.backend != nil && m.backend.Mail != nil }

// noMail says that emails are events only here.
func (m *Model) noMail() bool { return hasMail(m) && m.backend.Mail.Stats().Mode == email.None }

func (m *Model) openInbox() tea.Cmd {
	m.inbox = inbox{}
	m.showInbox()
	return nil
}

func (m *Model) showInbox() {
	m.inbox.reading = false
	m.inbox.overlay = &overlay{title: "inbox", live: m.inboxLines, press: m.inboxKey}
	m.overlay = m.inbox.overlay
}

// inboxKey moves in the list, opens a mail and comes back from it.
func (m *Model) inboxKey(k tea.KeyPressMsg) (tea.Cmd, bool) {
	in := &m.inbox
	if in.reading {
		if key.Matches(k, bind("esc q enter", "", "")) {
			m.showInbox()
			return nil, true
		}
		return nil, false
	}
	page := int64(max(m.inboxRows(), 1))
	switch {
	case key.Matches(k, bind("j down", "", "")):
		m.olderMail(1)
	case key.Matches(k, bind("k up", "", "")):
		m.olderMail(-1)
	case key.Matches(k, bind("pgdown space ctrl+f", "", "")):
		m.olderMail(page)
	case key.Matches(k, bind("pgup ctrl+b", "", "")):
		m.olderMail(-page)
	case key.Matches(k, bind("g home", "", "")):
		in.at = 0
	case key.Matches(k, bind("G end", "", "")):
		m.olderMail(email.Kept)
	case key.Matches(k, bind("enter", "", "")):
		m.readMail()
	default:
		return nil, false
	}
	return nil, true
}

// olderMail moves the selection down by n mails. At the top it follows the newest again.
func (m *Model) olderMail(n int64) {
	newest := m.backend.Mail.Inbox(0, 1)
	if len(newest) == 0 {
		return
	}
	last := newest[0].Number
	at := m.selectedMail(last) - n
	if at = max(at, oldestMail(last)); at >= last {
		at = 0
	}
	m.inbox.at = at
}

// selectedMail is the number of the selected mail when last is the newest: the oldest when that which was selected is gone.
func (m *Model) selectedMail(last int64) int64 {
	if m.inbox.at == 0 {
		return last
	}
	return max(m.inbox.at, oldestMail(last))
}

func oldestMail(last int64) int64 { return max(1, last-email.Kept+1) }

func (m *Model) readMail() {
	newest := m.backend.Mail.Inbox(0, 1)
	if len(newest) == 0 {
		return
	}
	number := m.selectedMail(newest[0].Number)
	l, ok := m.backend.Mail.Open(number)
	if !ok {
		m.say(true, "this mail is no longer kept")
		return
	}
	m.inbox = inbox{at: number, reading: true}
	m.overlay = &overlay{title: "mail " + count(number), lines: letterLines(l, m.styles), press: m.inboxKey, copy: l.Text}
}

// What an overlay takes of the width, and what the list takes of its height besides the mails.
const (
	inboxSides = 6
	inboxWide  = 110
	inboxHead  = 4 // what became of all, where they go, an empty line, the headings
	inboxFoot  = 2
	// inboxTrouble is the room for why mails wait, in lines.
	inboxTrouble = 2
)

func (m *Model) inboxRows() int { return m.overlayRows() - inboxHead - inboxTrouble - inboxFoot }

// inboxLines draws the list for the screen as it is.
func (m *Model) inboxLines() []string {
	s, st := m.styles, m.backend.Mail.Stats()
	w := min(m.width-inboxSides, inboxWide)
	bad := func(n int64, text string) string {
		if n == 0 {
			return s.Dim.Render("0 " + text)
		}
		return s.Bad.Render(count(n) + " " + text)
	}
	counts := s.Good.Render(count(st.Sent)+" sent") + "  " + count(st.Repeated) + s.Dim.Render(" of them again  ") + count(st.Retried) + s.Dim.Render(" tries failed  ") + bad(st.Undeliverable, "undeliverable")
	lines := []string{fit(counts, w)}
	switch st.Mode {
	case email.None:
		return append(lines, "", fit("No mail is made (--mail none): an email is an event on its topic only.", w))
	case email.SMTP:
		lines = append(lines, fit(s.Dim.Render("sent to ")+safe(st.Server)+s.Dim.Render(" (--smtp), which has them: there is nothing to read here"), w))
	default:
		lines = append(lines, fit(s.Dim.Render(fmt.Sprintf("caught in this process and delivered to nobody; the newest %d are kept", email.Kept)), w))
	}
	if st.Waiting > 0 {
		text := s.Warn.Render(fmt.Sprintf("%s tried in vain for %s, later ones wait behind: ", plural(st.Waiting, "mail"), age(m.now().Sub(st.Since)))) + safe(st.Err)
		trouble := strings.Split(ansi.Wrap(text, w, ""), "\n")
		lines = append(lines, trouble[:min(len(trouble), inboxTrouble)]...)
	}
	if st.Mode == email.SMTP {
		return append(lines, "", fit(s.Dim.Render("A mail is sent before its event is committed. Orders never wait for it."), w))
	}
	newest := m.backend.Mail.Inbox(0, 1)
	if len(newest) == 0 {
		return append(lines, "", fit(s.Dim.Render("no mail yet: press esc and c"), w))
	}
	last := newest[0].Number
	at, rows := m.selectedMail(last), max(m.inboxRows(), 1)
	top := last
	if m.inbox.at != 0 {
		top = min(last, max(at+int64(rows)/2, oldestMail(last)+int64(rows)-1))
	}
	lines = append(lines, "", s.Dim.Render(m.mailRow(w, "time", "to", "subject", "bytes", "")))
	for _, e := range m.backend.Mail.Inbox(top, rows) {
		again := ""
		if e.Again {
			again = "again"
		}
		row := m.mailRow(w, e.At.Format("15:04:05.000"), safe(e.To), safe(e.Subject), count(e.Size), again)
		if e.Number == at {
			row = s.Select.Render(row)
		}
		lines = append(lines, row)
	}
	hint := s.Key.Render("j k") + s.Dim.Render(" select  ") + s.Key.Render("enter") + s.Dim.Render(" read  ") + s.Key.Render("g") + s.Dim.Render(" newest")
	return append(lines, "", fit(hint, w))
}

// mailRow puts the columns of a mail into w cells. The times lose their fractions on a narrow screen.
func (m *Model) mailRow(w int, at, to, subject, size, again string) string {
	stamp := 13
	if w < 70 {
		stamp = 9
	}
	at = at[:min(len(at), stamp-1)]
	const subjects, sizes, agains = 20, 7, 6
	right := fmt.Sprintf("%*s %s", sizes-1, size, fit(again, agains-1))
	return fit(at, stamp) + fit(to, w-stamp-subjects-sizes-agains) + fit(" "+subject, subjects) + fit(right, sizes+agains)
}

// letterLines is a mail as a person reads it.
func letterLines(l email.Letter, s Styles) []string {
	var lines []string
	for _, f := range l.Header {
		lines = append(lines, s.Dim.Render(fit(safe(f.Name), 16))+" "+safe(f.Value))
	}
	lines = append(lines, "")
	lines = append(lines, safeLines(strings.TrimRight(l.Text, "\n"))...)
	lines = append(lines, "")
	if l.HTML > 0 {
		lines = append(lines, s.Dim.Render(fmt.Sprintf("The same as HTML, %s bytes, is not shown.", count(l.HTML))))
	}
	if l.Again {
		lines = append(lines, s.Warn.Render("A mail with this Message-ID came before: mail is at-least-once."))
	}
	if l.Err != "" {
		lines = append(lines, s.Bad.Render("It cannot be read in full: "+safe(l.Err)))
	}
	return append(lines, s.Key.Render("esc")+s.Dim.Render(" back to the list  ")+s.Key.Render("y")+s.Dim.Render(" copies the text"))
}
