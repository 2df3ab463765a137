package email

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/emersion/go-smtp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// mailServer is a real SMTP server on a port of its own. A test may have it refuse or wait at a step.
type mailServer struct {
	t    *testing.T
	addr string

	mu       sync.Mutex
	srv      *smtp.Server
	at       func(s step, to string) error // what it answers at a step; nil: all is well
	sessions int
	mails    []received
}

type received struct {
	from, to string
	data     []byte
}

// newMailServer has a port, and does not listen before up.
func newMailServer(t *testing.T) *mailServer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s := &mailServer{t: t, addr: l.Addr().String()}
	t.Cleanup(s.down)
	return s
}

func (s *mailServer) up() *mailServer {
	s.t.Helper()
	l, err := net.Listen("tcp", s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	srv := smtp.NewServer(s)
	srv.Domain = "mail.test"
	s.mu.Lock()
	s.srv = srv
	s.mu.Unlock()
	go func() { _ = srv.Serve(l) }()
	return s
}

// down ends the server and its connections, as a crash would.
func (s *mailServer) down() {
	s.mu.Lock()
	srv := s.srv
	s.srv = nil
	s.mu.Unlock()
	if srv != nil {
		_ = srv.Close()
	}
}

func (s *mailServer) behave(at func(s step, to string) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at = at
}

func (s *mailServer) do(at step, to string) error {
	s.mu.Lock()
	f := s.at
	s.mu.Unlock()
	if f == nil {
		return nil
	}
	return f(at, to)
}

func (s *mailServer) got() []received {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]received(nil), s.mails...)
}

func (s *mailServer) NewSession(*smtp.Conn) (smtp.Session, error) {
	s.mu.Lock()
	s.sessions++
	s.mu.Unlock()
	return &receiving{s: s}, s.do(connecting, "")
}

type receiving struct {
	s *mailServer
	r received
}

func (r *receiving) Reset()        { r.r = received{} }
func (r *receiving) Logout() error { return nil }
func (r *receiving) Mail(a string, _ *smtp.MailOptions) error {
	r.r.from = a
	return r.s.do(from, "")
}

func (r *receiving) Rcpt(to string, _ *smtp.RcptOptions) error {
	r.r.to = to
	return r.s.do(recipient, to)
}

func (r *receiving) Data(in io.Reader) (err error) {
	if r.r.data, err = io.ReadAll(in); err != nil {
		return err
	}
	err = r.s.do(end, r.r.to)
	if err == nil {
		r.s.mu.Lock()
		r.s.mails = append(r.s.mails, r.r)
		r.s.mu.Unlock()
	}
	return err
}

// reply is a refusal in a server's words.
func reply(code int) error {
	return &smtp.SMTPError{Code: code, EnhancedCode: smtp.EnhancedCode{code / 100, 0, 0}, Message: "go away\x1b[2J"}
}

// script is a server that says these lines, each after a line that it was told, and then hangs up. An empty line says nothing.
func script(t *testing.T, lines ...string) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			in := bufio.NewReader(c)
			for i, line := range lines {
				if i > 0 {
					if _, err := in.ReadString('\n'); err != nil {
						break
					}
				}
				if line != "" {
					fmt.Fprint(c, strings.ReplaceAll(line, "\n", "\r\n")+"\r\n")
				}
			}
			_ = c.Close()
		}
	})
	t.Cleanup(func() { _ = l.Close(); wg.Wait() })
	return l.Addr().String()
}
