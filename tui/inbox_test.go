package tui

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/exp/golden"

	"kassa/services/email"
)

// mailbox is what a Mailer would have caught.
type mailbox struct {
	stats email.Stats
	mails []email.Envelope // oldest first
	text  string
}

func (b *mailbox) Stats() email.Stats { return b.stats }

func (b *mailbox) Inbox(from int64, n int) []email.Envelope {
	if from <= 0 || from > int64(len(b.mails)) {
		from = int64(len(b.mails))
	}
	var list []email.Envelope
	for i := from; i > 0 && i > int64(len(b.mails)-email.Kept) && len(list) < n; i-- {
		list = append(list, b.mails[i-1])
	}
	return list
}

func (b *mailbox) Open(number int64) (email.Letter, bool) {
	if number < 1 || number > int64(len(b.mails)) || number <= int64(len(b.mails)-email.Kept) {
		return email.Letter{}, false
	}
	e := b.mails[number-1]
	return email.Letter{Envelope: e, HTML: 512, Text: b.text + "\n", Header: []email.Field{{Name: "From", Value: `"kassa" <orders@kassa.invalid>`}, {Name: "To", Value: e.To}, {Name: "Subject", Value: e.Subject}, {Name: "Message-ID", Value: e.ID}}}, true
}

func (b *mailbox) add(n int) {
	for range n {
		i := int64(len(b.mails) + 1)
		b.mails = append(b.mails, email.Envelope{
			Number: i, At: noon.Add(time.Duration(i) * 50 * time.Millisecond), From: "orders@kassa.invalid", To: fmt.Sprintf("user-%d@customers.kassa.invalid", i),
			Subject: fmt.Sprintf("Your order %08x", 0x19c20000+i), ID: fmt.Sprintf("<%d@kassa.invalid>", i), Size: 1600 + int(i)%7, Again: i%10 == 0,
		})
		b.stats.Sent++
	}
}

// withMail gives the story's shop a mailbox.
func withMail(s *stage, n int) *mailbox {
	b := &mailbox{text: "Hello,\n\nthank you."}
	b.add(n)
	s.backend.Mail = b
	return b
}

// The list follows the newest until a mail is selected, then stays with that one; enter reads it and esc comes back to where it was.
func TestInbox(t *testing.T) {
	s := newStage(t, 100, 30).story()
	b := withMail(s, 100)
	s.press("m")
	s.has("100 sent")
	s.has("user-100@customers.kassa.invalid")
	b.add(1)
	s.has("user-101@")
	s.press("j", "j")
	b.add(3)
	s.press("enter")
	s.has("mail 99")
	s.has("thank you.")
	s.has("<99@kassa.invalid>")
	s.has("512 bytes")
	s.press("esc")
	s.has("select")
	s.press("j", "enter")
	s.has("mail 98")
	s.press("q", "G", "enter")
	s.has("mail 1 ")
	s.press("esc", "g", "enter")
	s.has("mail 104")
	s.press("esc", "esc")
	if s.overlay != nil {
		t.Error("the second esc does not close the inbox")
	}
}

// A mail that falls out of what is kept takes the selection along to the oldest that is there.
func TestInboxWhoseMailIsGone(t *testing.T) {
	s := newStage(t, 100, 30).story()
	b := withMail(s, email.Kept)
	s.press("m", "G")
	b.add(10)
	s.press("enter")
	s.has("mail 11 ")
	s.press("esc", "k", "enter")
	s.has("mail 12 ")
}

// Wherever the mails go it is said, and what is wrong with them.
func TestInboxSaysWhereMailsGo(t *testing.T) {
	s := newStage(t, 120, 40).story()
	b := withMail(s, 0)
	s.hasNot("no mail")
	s.press("m")
	s.has("no mail yet")
	s.has("caught in this process")
	b.stats = email.Stats{Mode: email.SMTP, Server: "mail.test:25", Sent: 5, Retried: 41, Repeated: 2, Undeliverable: 3, Waiting: 8, Since: s.clock.Add(-12 * time.Second), Err: "mail server mail.test:25 refuses connections"}
	s.has("sent to mail.test:25")
	s.has("3 undeliverable")
	s.has("8 mails tried in vain for 12.0 s, later ones wait behind: mail server mail.test:25 refuses connections")
	s.press("j", "enter", "G", "k") // there is nothing to select
	s.has("Orders never wait")
	b.stats = email.Stats{Mode: email.None}
	s.has("No mail is made (--mail none)")
	s.press("esc")
	s.has("email no mail")
}

// Without anything known of mails the key does nothing.
func TestInboxWithoutMail(t *testing.T) {
	s := newStage(t, 120, 40).story()
	if s.press("m"); s.overlay != nil {
		t.Error("there is an inbox")
	}
}

// What strangers had written into a mail reaches the terminal as text.
func TestHostileMails(t *testing.T) {
	for _, bad := range []string{"\x1b[2J\x1b]0;owned\x07", "a\u202eb", "\xff\xfe", strings.Repeat("x", 5000), "\u009b31m", "漢字\r\n\t\x00"} {
		s := newStage(t, 80, 24).story()
		b := withMail(s, 3)
		b.text = bad
		for i := range b.mails {
			b.mails[i].To, b.mails[i].Subject, b.mails[i].ID = bad, bad, bad
		}
		b.stats.Waiting, b.stats.Err, b.stats.Server = 1, bad, bad
		for _, key := range []string{"m", "enter"} {
			s.press(key)
			frame := s.View().Content
			for _, never := range []string{"\x1b[2J", "\x1b]", "\u202e", "\u009b", "\x00", "\r", "\a"} {
				if strings.Contains(frame, never) {
					t.Errorf("%q puts %q on the screen", bad, never)
				}
			}
			for _, l := range strings.Split(frame, "\n") {
				if w := ansi.StringWidth(l); w > 80 {
					t.Errorf("%q makes a line %d wide", bad, w)
				}
			}
		}
	}
}

func TestGoldenInbox(t *testing.T) {
	for name, size := range map[string][2]int{"60x18": {60, 18}, "80x24": {80, 24}, "120x40": {120, 40}} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, size[0], size[1]).story()
			b := withMail(s, 60)
			b.stats.Repeated, b.stats.Retried, b.stats.Waiting, b.stats.Since = 6, 12, 1, s.clock.Add(-2500*time.Millisecond)
			b.stats.Err = "mail server in this process gives no answer in time to the mail"
			s.press("m", "j", "j", "j")
			goldenOverlay(t, s)
		})
	}
	t.Run("mail-80x24", func(t *testing.T) {
		s := newStage(t, 80, 24).story()
		withMail(s, 60)
		s.press("m", "enter")
		goldenOverlay(t, s)
	})
}

// goldenOverlay compares what lies on top of the screen; the panes below have goldens of their own.
func goldenOverlay(t *testing.T, s *stage) {
	t.Helper()
	s.View() // makes what lives anew
	golden.RequireEqual(t, strings.Join(s.overlay.render(s.styles, s.width, s.height), "\n"))
}

// Beside the tour the selected mail and the keys are in view too.
func TestInboxBesideTheTour(t *testing.T) {
	for _, size := range [][2]int{{80, 24}, {60, 18}} {
		s := newStage(t, size[0], size[1]).open()
		s.send(stateMsg{s.cluster()})
		withMail(s, 50)
		s.press("T", "m")
		for range 30 {
			s.press("j")
			s.has("j k select")
			s.hasNot("j k · esc closes") // nothing is out of view
			s.has(fmt.Sprintf("user-%d@", s.selectedMail(50)))
		}
	}
}
