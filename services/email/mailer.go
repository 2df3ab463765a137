package email

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"time"

	"kassa/services/events"
)

// Mode is where mails go.
type Mode uint8

// The modes of a Mailer.
const (
	Catch Mode = iota // to a mail server in this process, which delivers nothing and keeps the newest to be read
	SMTP              // to the mail server that was named
	None              // nowhere: no mail is made
)

// Config says where mails go.
type Config struct {
	Mode   Mode
	Server string        // host:port, for SMTP
	Within time.Duration // how long the server may take for one step; 0 means 15 s
	Log    *slog.Logger  // nil means none
}

// Check says what is wrong with the Config, in words for people; nil when it can work. Whether the server is there is not asked.
func (c Config) Check() error {
	if c.Mode != SMTP {
		return nil
	}
	host, port, err := net.SplitHostPort(c.Server)
	if n, bad := strconv.Atoi(port); err != nil || host == "" || bad != nil || n < 1 || n > 65535 {
		return fmt.Errorf("a mail server is host:port, such as 127.0.0.1:1025, not %q", c.Server)
	}
	return nil
}

const (
	// sessionsAtOnce bounds the connections to a mail server, and the mails that wait for one at a time. A server that takes 15 ms for a mail
	// then keeps up with 500 orders a second.
	sessionsAtOnce = 8
	// A mail that is turned down for good (5xx) is given up at this try: RFC 5321 (4.2.1) asks not to repeat it at all, but servers that are
	// being set up say so too.
	triesFor5xx = 4
	// A server that is set up wrongly turns down everything, as with 554 (relay access denied). When it has turned down more different mails than this for good
	// and taken none in between, that is not about them.
	mostInARow = 3
	// patience is how long a mail is tried that is turned down for now (4xx) while others may pass, or by a server that turns down everything. A mailbox that
	// is always full would hold its partition back for ever.
	patience = 5 * time.Minute
	// mostTroubled bounds the memory for mails that were turned down, and for their recipients.
	mostTroubled = 10_000
)

// Mailer sends mails. All instances of the email service share one. Use NewMailer; Close ends it.
type Mailer struct {
	mode     Mode
	server   string
	log      *slog.Logger
	sessions chan *session // those that nobody uses now
	catcher  *catcher      // nil unless Catch
	now      func() time.Time

	mu         sync.Mutex
	stats      Stats
	sent       *seen                // by Message-ID; nil for Catch, where the catcher counts what did arrive
	troubled   map[string]*refusals // mails whose last try failed, by Message-ID
	recipients map[string]*refusals // whose last mail was turned down; what is known of one outlasts the mail
	inARow     int                  // mails that were turned down for good since one was taken
}

// refusals are what the server has said against a mail, or against a recipient.
type refusals struct {
	since time.Time // the first; zero while the server itself is the trouble
	sent  int64     // mails that the server had taken by then
	times int       // for good (5xx), in a row
	gone  bool      // a mail was given up
}

// Stats is a snapshot; counts are since NewMailer.
type Stats struct {
	Mode          Mode
	Server        string    // host:port, for SMTP
	Sent          int64     // mails that the server took, repeats included
	Repeated      int64     // of those, mails with a Message-ID that one of the last 65,536 had
	Retried       int64     // tries that failed and were, or will be, done again
	Undeliverable int64     // mails given up because the server turned them down, and them alone; their orders stand
	Waiting       int       // mails whose last try failed
	Err           string    // why the newest failed try failed; empty while nothing waits
	Since         time.Time // when the first of those that wait failed; zero while nothing waits
}

// NewMailer is a Mailer that has not connected yet: a mail server that is down is no error. A Config that cannot work is.
func NewMailer(cfg Config) (*Mailer, error) {
	m := &Mailer{mode: cfg.Mode, server: cfg.Server, log: cfg.Log, troubled: map[string]*refusals{}, recipients: map[string]*refusals{}, now: time.Now}
	if m.log == nil {
		m.log = slog.New(slog.DiscardHandler)
	}
	if cfg.Within <= 0 {
		cfg.Within = stepWithin
	}
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	var dial func(context.Context) (net.Conn, error)
	host, many := "localhost", 1
	switch cfg.Mode {
	case SMTP:
		host, _, _ = net.SplitHostPort(cfg.Server)
		dial = func(ctx context.Context) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", cfg.Server)
		}
		m.sent, many = newSeen(), sessionsAtOnce
	case Catch:
		// One session: it takes some 20,000 mails a second, and what it waits for is this very process.
		m.catcher, m.server = newCatcher(m.log), "in this process"
		dial = m.catcher.pipes.dial
	case None:
		return m, nil
	}
	m.sessions = make(chan *session, many)
	for range many {
		m.sessions <- &session{dial: dial, host: host, within: cfg.Within}
	}
	return m, nil
}

// Send mails the customer of an order, in one try. Nil means that the server took the mail, or that this mail is given up, which is counted
// and logged. Any other outcome is an error and may be tried again; the mail may have been delivered all the same.
func (m *Mailer) Send(ctx context.Context, order events.Order) error {
	l, err := compose(order, m.now())
	if err != nil {
		return err
	}
	var s *session
	select {
	case s = <-m.sessions:
	case <-ctx.Done():
		return ctx.Err()
	}
	err = s.send(ctx, l)
	m.sessions <- s
	if err != nil && ctx.Err() != nil {
		return ctx.Err() // what the end of ctx does to a connection says nothing about the server
	}
	return m.note(l, err)
}

// note counts how a try went, and says whether there is to be another.
func (m *Mailer) note(l letter, err error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	f, failed := errors.AsType[*failure](err)
	if !failed {
		m.stats.Sent++
		m.inARow = 0
		delete(m.recipients, l.to)
		if m.sent != nil && m.sent.again(l.id) {
			m.stats.Repeated++
		}
		m.settle(l.id)
		return nil
	}
	f.server = m.server
	if m.givenUp(l, f) {
		m.stats.Undeliverable++
		m.settle(l.id)
		m.log.Warn("mail given up: it is undeliverable", "message-id", l.id, "to", l.to, "err", f)
		return nil
	}
	m.stats.Retried++
	m.stats.Err = f.Error()
	return f
}

// givenUp remembers that a try failed, and says whether it was the last.
func (m *Mailer) givenUp(l letter, f *failure) bool {
	mail, to := m.troubled[l.id], m.recipients[l.to]
	if mail == nil {
		if len(m.troubled) >= mostTroubled {
			clear(m.troubled) // of mails that others send by now
		}
		if len(m.troubled) == 0 {
			m.stats.Since = m.now()
		}
		mail = &refusals{}
		m.troubled[l.id] = mail
	}
	if to == nil {
		if len(m.recipients) >= mostTroubled {
			clear(m.recipients)
		}
		to = &refusals{}
		m.recipients[l.to] = to
	}
	if !f.aboutTheMail() {
		*mail, *to = refusals{}, refusals{} // the server has a trouble of its own: what it said before may be part of that
		return false
	}
	now := m.now()
	for _, r := range []*refusals{mail, to} {
		if r.since.IsZero() {
			r.since, r.sent = now, m.stats.Sent
		}
	}
	if f.code < 500 {
		mail.times = 0
	} else if mail.times++; mail.times == 1 {
		m.inARow++
	}
	if !m.hopeless(mail, to, f.code, now) {
		return false
	}
	to.gone = true
	return true
}

// hopeless says that a mail that was turned down with this code need not be tried again. A recipient to whom a mail was given up costs the next one a single try,
// as long as the server takes those to others.
func (m *Mailer) hopeless(mail, to *refusals, code int, now time.Time) bool {
	takesOthers := m.stats.Sent > to.sent
	if code < 500 {
		if takesOthers {
			return now.Sub(to.since) >= patience
		}
		return now.Sub(mail.since) >= patience
	}
	if takesOthers || m.stats.Sent > 0 && m.inARow <= mostInARow {
		return mail.times >= triesFor5xx || to.gone
	}
	return now.Sub(mail.since) >= patience
}

// settle forgets the trouble that a mail had.
func (m *Mailer) settle(id string) {
	if _, ok := m.troubled[id]; !ok {
		return
	}
	if delete(m.troubled, id); len(m.troubled) == 0 {
		m.stats.Err, m.stats.Since = "", time.Time{}
	}
}

// Stats is what the Mailer has done. It costs a lock and may be called at any time.
func (m *Mailer) Stats() Stats {
	m.mu.Lock()
	s := m.stats
	s.Waiting = len(m.troubled)
	m.mu.Unlock()
	s.Mode, s.Server = m.mode, m.server
	if m.catcher != nil {
		_, s.Repeated = m.catcher.count()
	}
	return s
}

// Inbox is up to n of the mails that were caught, newest first, from this number down; 0 is the newest. It keeps 500.
func (m *Mailer) Inbox(from int64, n int) []Envelope {
	if m.catcher == nil {
		return nil
	}
	return m.catcher.envelopes(from, n)
}

// Open reads a mail that was caught; false once it is no longer kept.
func (m *Mailer) Open(number int64) (Letter, bool) {
	if m.catcher == nil {
		return Letter{}, false
	}
	e, data, ok := m.catcher.read(number)
	if !ok {
		return Letter{}, false
	}
	return open(e, data), true
}

// Close ends the connections. Nobody may send any more.
func (m *Mailer) Close() {
	for range cap(m.sessions) {
		s := <-m.sessions
		s.quit()
	}
	if m.catcher != nil {
		m.catcher.close()
	}
}
