package email

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/mail"
	"sync"
	"time"

	"github.com/emersion/go-smtp"
)

// Bounds of what the catcher keeps for reading; it counts all.
const (
	Kept         = 500      // mails
	largestCatch = 64 << 10 // bytes of one mail; the shop's own have some 1,600
)

// catcher is an SMTP server that delivers nothing: it counts every mail and keeps the newest for a person to read.
type catcher struct {
	server *smtp.Server
	pipes  *pipes
	ended  chan struct{}

	mu       sync.Mutex
	kept     [Kept]caught // mail number n is at n % Kept
	total    int64
	repeated int64
	seen     *seen
}

type caught struct {
	Envelope
	data []byte
}

// Envelope is one line of the inbox.
type Envelope struct {
	Number  int64 // from 1, in the order in which they came
	At      time.Time
	From    string
	To      string // as in the mail's header; strangers may have written it, as all that follows
	Subject string
	ID      string // Message-ID
	Size    int    // bytes
	Again   bool   // a mail with this Message-ID came before
}

func newCatcher(log *slog.Logger) *catcher {
	c := &catcher{pipes: newPipes(), ended: make(chan struct{}), seen: newSeen()}
	c.server = smtp.NewServer(c)
	c.server.Domain = shopDomain
	c.server.MaxMessageBytes = largestCatch
	c.server.MaxRecipients = 1
	c.server.ErrorLog = slog.NewLogLogger(log.Handler(), slog.LevelDebug)
	go func() {
		defer close(c.ended)
		_ = c.server.Serve(c.pipes) // ends with close
	}()
	return c
}

// close waits for the sessions, which their clients have ended by now.
func (c *catcher) close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := c.server.Shutdown(ctx); err != nil {
		_ = c.server.Close()
	}
	<-c.ended
}

// NewSession implements smtp.Backend.
func (c *catcher) NewSession(*smtp.Conn) (smtp.Session, error) { return &catching{c: c}, nil }

// catching is one SMTP session.
type catching struct {
	c        *catcher
	from, to string
	buf      bytes.Buffer
}

// Reset implements smtp.Session.
func (s *catching) Reset() { s.from, s.to = "", "" }

// Logout implements smtp.Session.
func (s *catching) Logout() error { return nil }

// Mail implements smtp.Session.
func (s *catching) Mail(from string, _ *smtp.MailOptions) error {
	s.from = from
	return nil
}

// Rcpt implements smtp.Session.
func (s *catching) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.to = to
	return nil
}

// Data implements smtp.Session.
func (s *catching) Data(r io.Reader) error {
	s.buf.Reset()
	if _, err := s.buf.ReadFrom(r); err != nil {
		return err
	}
	m, err := mail.ReadMessage(bytes.NewReader(s.buf.Bytes()))
	if err != nil {
		return fmt.Errorf("not a mail: %w", err)
	}
	e := Envelope{At: time.Now(), From: s.from, To: s.to, ID: m.Header.Get("Message-ID"), Subject: m.Header.Get("Subject"), Size: s.buf.Len()}
	s.c.keep(e, bytes.Clone(s.buf.Bytes()))
	return nil
}

func (c *catcher) keep(e Envelope, data []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.total++
	e.Number = c.total
	if e.Again = e.ID != "" && c.seen.again(e.ID); e.Again {
		c.repeated++
	}
	c.kept[e.Number%Kept] = caught{e, data}
}

func (c *catcher) count() (total, repeated int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.total, c.repeated
}

// envelopes are up to n mails, newest first, from this number down; 0 is the newest.
func (c *catcher) envelopes(from int64, n int) []Envelope {
	c.mu.Lock()
	defer c.mu.Unlock()
	if from <= 0 || from > c.total {
		from = c.total
	}
	var list []Envelope
	for i := from; i > 0 && i > c.total-Kept && len(list) < n; i-- {
		list = append(list, c.kept[i%Kept].Envelope)
	}
	words := new(mime.WordDecoder)
	for i := range list {
		if s, err := words.DecodeHeader(list[i].Subject); err == nil {
			list[i].Subject = s
		}
	}
	return list
}

// read is the mail with this number; false once it is no longer kept.
func (c *catcher) read(number int64) (Envelope, []byte, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.kept[((number%Kept)+Kept)%Kept]
	return k.Envelope, k.data, number > 0 && k.Number == number
}
