package email

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"strings"
	"syscall"
	"time"

	"github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/smtp"
)

// How long a mail server may take for a step before the mail is tried again. RFC 5321 (4.5.3.2) would wait for 5 minutes, 10 at the end of the data;
// but a try holds others back here. The end of the data keeps four times a step: who gives up there may have the mail delivered twice.
const (
	dialWithin = 5 * time.Second
	stepWithin = 15 * time.Second
	// idleFor is how long a session without mails is used again. Servers end idle ones, after 30 s at the soonest in practice.
	idleFor = 20 * time.Second
)

// step is where in a mail's way a session was.
type step string

const (
	connecting step = "connecting" // until the server has greeted and been greeted, in TLS if it offers that
	from       step = "MAIL FROM"
	recipient  step = "RCPT TO"
	data       step = "DATA"
	end        step = "the mail"
)

// session is a connection to the mail server that many mails use, one after the other.
type session struct {
	dial   func(ctx context.Context) (net.Conn, error)
	host   string // for the certificate, in case of TLS
	within time.Duration

	conn   net.Conn // nil: not connected
	client *smtp.Client
	used   time.Time // last
}

// send hands one mail over. When it fails it may still have been delivered if the failure is at the end. A session that the server has ended
// since its last mail is begun anew once.
func (s *session) send(ctx context.Context, l letter) error {
	old := s.conn != nil && time.Since(s.used) < idleFor
	err := s.try(ctx, l)
	if f, ok := errors.AsType[*failure](err); ok && old && ctx.Err() == nil && f.at == from && (f.code == 0 || f.code == closing) {
		err = s.try(ctx, l)
	}
	return err
}

func (s *session) try(ctx context.Context, l letter) error {
	if s.conn != nil && time.Since(s.used) >= idleFor {
		s.quit()
	}
	at := connecting
	err := func() error {
		if s.conn == nil {
			if err := s.connect(ctx); err != nil {
				return err
			}
		}
		defer s.until(ctx)()
		at = from
		s.limit(1)
		if err := s.client.Mail("<" + sender + ">"); err != nil {
			return err
		}
		at = recipient
		s.limit(1)
		if err := s.client.Rcpt("<" + l.to + ">"); err != nil {
			return err
		}
		at = data
		s.limit(1)
		w, err := s.client.Data()
		if err != nil {
			return err
		}
		at = end
		s.limit(4)
		if _, err := w.Write(l.data); err != nil {
			return err
		}
		return w.Close()
	}()
	s.used = time.Now()
	if err == nil {
		return nil
	}
	f := &failure{at: at, err: err}
	if reply, ok := errors.AsType[*textproto.Error](err); ok {
		f.code, f.words = reply.Code, reply.Msg
	}
	if f.code == 0 || f.code == closing || at == connecting || s.rset(ctx) != nil {
		s.drop()
	}
	return f
}

// closing is the reply of a server that ends the session (RFC 5321, 3.8).
const closing = 421

// connect opens a session. TLS is used when the server offers it, without asking who it is: a stranger in between could as well take the
// offer away, so an unknown certificate is better than none (RFC 7435).
func (s *session) connect(ctx context.Context) error {
	stop := func() {}
	c, err := mail.NewClient(
		s.host, mail.WithHELO("localhost"), mail.WithTimeout(max(s.within, time.Millisecond)), mail.WithoutSMTPUTF8(), mail.WithTLSPolicy(mail.TLSOpportunistic),
		mail.WithTLSConfig(&tls.Config{ServerName: s.host, MinVersion: tls.VersionTLS12, InsecureSkipVerify: true}),
		mail.WithDialContextFunc(func(c context.Context, _, _ string) (net.Conn, error) {
			c, cancel := context.WithTimeout(c, min(dialWithin, s.within))
			defer cancel()
			conn, err := s.dial(c)
			if err == nil {
				// The library sees ctx while it dials only, and leaves a connection open that does not get beyond the greeting.
				s.conn = conn
				stop = s.until(ctx)
			}
			return conn, err
		}),
	)
	if err != nil {
		return err
	}
	s.client, err = c.DialToSMTPClientWithContext(ctx)
	stop()
	return err
}

// until cuts the connection short when ctx ends. The session is of no more use then.
func (s *session) until(ctx context.Context) (stop func()) {
	conn := s.conn
	end := context.AfterFunc(ctx, func() { _ = conn.Close() })
	return func() { end() }
}

// limit gives the server this many times a step from now on.
func (s *session) limit(times time.Duration) {
	_ = s.conn.SetDeadline(time.Now().Add(times * s.within))
}

// rset forgets a mail that was refused, so that the session can be used for the next.
func (s *session) rset(ctx context.Context) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	defer s.until(ctx)()
	s.limit(1)
	return s.client.Reset()
}

// quit ends the session as the protocol asks for, without waiting long.
func (s *session) quit() {
	if s.conn == nil {
		return
	}
	_ = s.conn.SetDeadline(time.Now().Add(min(s.within, 200*time.Millisecond)))
	_ = s.client.Quit()
	s.drop()
}

// drop ends the connection at once.
func (s *session) drop() {
	if s.conn != nil {
		_ = s.conn.Close()
	}
	s.conn, s.client = nil, nil
}

// failure is why a try did not succeed.
type failure struct {
	at     step
	code   int    // the server's reply; 0 if it gave none
	words  string // of the reply
	err    error
	server string
}

// aboutTheMail says that the server turned this mail down, and not everything: the reply is to the recipient or to the content.
func (f *failure) aboutTheMail() bool {
	return f.code >= 400 && f.code != closing && (f.at == recipient || f.at == data || f.at == end)
}

// Error is one sentence for people. The server's own words are in it as they came, on one line and not too many.
func (f *failure) Error() string {
	server := "mail server " + f.server
	var unknown *net.DNSError
	var netErr net.Error
	switch {
	case f.code > 0:
		return fmt.Sprintf("%s answers %d %s to %s", server, f.code, firstWords(f.words, 160), f.what())
	case errors.Is(f.err, syscall.ECONNREFUSED):
		return server + " refuses connections"
	case errors.As(f.err, &unknown):
		return server + " is not known: " + firstWords(unknown.Error(), 160)
	case errors.As(f.err, &netErr) && netErr.Timeout(), errors.Is(f.err, context.DeadlineExceeded):
		return fmt.Sprintf("%s gives no answer in time to %s", server, f.what())
	case f.at == connecting:
		return server + " cannot be used: " + firstWords(f.err.Error(), 160)
	}
	return fmt.Sprintf("%s ended the connection at %s (%s)", server, f.at, firstWords(f.err.Error(), 160))
}

func (f *failure) what() string {
	if f.at == connecting {
		return "a connection"
	}
	return string(f.at)
}

func (f *failure) Unwrap() error { return f.err }

// firstWords is s on one line of at most n characters.
func firstWords(s string, n int) string { return plain(strings.Join(strings.Fields(s), " "), n) }
