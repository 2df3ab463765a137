package email

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"kassa/services"
	"kassa/services/events"
)

func newMailer(t *testing.T, cfg Config) *Mailer {
	t.Helper()
	m, err := NewMailer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}

func order(user string) events.Order {
	return events.Order{UserID: user, OrderID: services.OrderID("c1"), CheckoutID: "c1"}
}

// A mail is what RFC 5322 and 2046 ask for, as read by the standard library, whoever the customer is.
func TestMailIsWellFormed(t *testing.T) {
	server := newMailServer(t).up()
	m := newMailer(t, Config{Mode: SMTP, Server: server.addr})
	long := strings.Repeat("x", events.MaxID)
	for i, c := range []struct {
		order events.Order
		to    string // empty: a derived one
		text  string
	}{
		{order: order("user-17"), to: "user-17@customers.kassa.invalid", text: "Hello user-17,"},
		{order: order("a.b_c"), to: "a.b_c@customers.kassa.invalid"},
		{order: order("real@example.com"), text: "Hello real@example.com,"},
		{order: order("x\r\nBcc: all@example.com\r\n\r\nboo"), text: "Hello x  Bcc: all@example.com"},
		{order: order("<script>alert(1)</script>"), text: "Hello <script>"},
		{order: order(".."), text: "Hello ..,"},
		{order: order("Zoë 漢字\u202e\x1b[2J\x00"), text: "Hello Zoë 漢字"},
		{order: order(long)},
		{order: events.Order{UserID: "\"> RCPT TO:<x>", OrderID: "\r\nSubject: owned\r\n" + strings.Repeat("é", 100), CheckoutID: ".\r\n.\r\nQUIT\r\n" + strings.Repeat("z", 200)}, text: "Subject: owned"},
	} {
		if err := m.Send(t.Context(), c.order); err != nil {
			t.Fatalf("%q: %v", c.order.UserID, err)
		}
		got := server.got()
		if len(got) != i+1 {
			t.Fatalf("%q: %d mails", c.order.UserID, len(got))
		}
		r := got[i]
		if r.from != "orders@kassa.invalid" || !strings.HasSuffix(r.to, "@customers.kassa.invalid") || c.to != "" && r.to != c.to {
			t.Errorf("%q: from %q to %q", c.order.UserID, r.from, r.to)
		}
		msg, err := mail.ReadMessage(strings.NewReader(string(r.data)))
		if err != nil {
			t.Fatal(err)
		}
		if id := msg.Header.Get("Message-ID"); id != "<"+services.EmailID(c.order.CheckoutID)+"@kassa.invalid>" {
			t.Errorf("Message-ID %q", id)
		}
		for _, name := range []string{"From", "To"} {
			list, err := msg.Header.AddressList(name)
			if err != nil || len(list) != 1 || name == "To" && list[0].Address != r.to {
				t.Errorf("%s is %q: %v", name, msg.Header[name], err)
			}
		}
		if at, err := msg.Header.Date(); err != nil || time.Since(at) > time.Minute {
			t.Errorf("Date %v: %v", at, err)
		}
		if len(msg.Header["Bcc"]) > 0 || len(msg.Header["Subject"]) != 1 {
			t.Errorf("headers of a stranger: %v", msg.Header)
		}
		subject, err := new(mime.WordDecoder).DecodeHeader(msg.Header.Get("Subject"))
		if err != nil || !strings.HasPrefix(subject, "Your order") || len([]rune(subject)) > len("Your order ")+8 || strings.ContainsAny(subject, "\r\n") {
			t.Errorf("Subject %q: %v", subject, err)
		}
		parts := partsOf(t, msg)
		if len(parts) != 2 || !strings.Contains(parts["text/plain"], c.text) || !strings.Contains(parts["text/html"], "<code>") {
			t.Errorf("%q: parts %q", c.order.UserID, parts)
		}
		if strings.Contains(parts["text/html"], "<script>") {
			t.Errorf("the HTML runs a stranger's script: %s", parts["text/html"])
		}
		for kind, text := range parts {
			if strings.ContainsAny(text, "\x1b\x00\u202e") {
				t.Errorf("%s has control characters: %q", kind, text)
			}
		}
		for _, line := range strings.Split(string(r.data), "\r\n") {
			if len(line) > 998 || strings.ContainsAny(line, "\r\n") {
				t.Errorf("a line of %d bytes: %q", len(line), line)
			}
		}
	}
}

func partsOf(t *testing.T, m *mail.Message) map[string]string {
	t.Helper()
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		t.Fatalf("%s: %v", kind, err)
	}
	parts := map[string]string{}
	for r := multipart.NewReader(m.Body, params["boundary"]); ; {
		p, err := r.NextRawPart()
		if errors.Is(err, io.EOF) {
			return parts
		}
		if err != nil {
			t.Fatal(err)
		}
		kind, _, err := mime.ParseMediaType(p.Header.Get("Content-Type"))
		if err != nil || p.Header.Get("Content-Transfer-Encoding") != "quoted-printable" {
			t.Fatalf("%v: %v", p.Header, err)
		}
		b, err := io.ReadAll(quotedprintable.NewReader(p))
		if err != nil {
			t.Fatal(err)
		}
		parts[kind] = string(b)
	}
}

// A server that is down fails a try with the reason, and has the mail once it is up.
func TestServerThatIsDownAtFirst(t *testing.T) {
	server := newMailServer(t)
	m := newMailer(t, Config{Mode: SMTP, Server: server.addr})
	for range 3 {
		err := m.Send(t.Context(), order("ann"))
		if err == nil || err.Error() != "mail server "+server.addr+" refuses connections" {
			t.Fatalf("got %v", err)
		}
	}
	st := m.Stats()
	if st.Waiting != 1 || st.Retried != 3 || st.Sent != 0 || !strings.Contains(st.Err, "refuses connections") || st.Since.IsZero() {
		t.Errorf("%+v", st)
	}
	server.up()
	if err := m.Send(t.Context(), order("ann")); err != nil {
		t.Fatal(err)
	}
	if st := m.Stats(); st.Waiting != 0 || st.Sent != 1 || st.Err != "" || !st.Since.IsZero() || len(server.got()) != 1 {
		t.Errorf("%+v, %d mails", st, len(server.got()))
	}
}

// Whatever step a server hangs at, the try ends in time and says where; the next one begins with a new connection.
func TestServerThatHangs(t *testing.T) {
	for _, at := range []step{connecting, from, recipient, end} {
		t.Run(string(at), func(t *testing.T) {
			t.Parallel()
			server := newMailServer(t).up()
			m := newMailer(t, Config{Mode: SMTP, Server: server.addr, Within: 500 * time.Millisecond})
			hang := make(chan struct{})
			server.behave(func(s step, _ string) error {
				if s == at {
					<-hang
				}
				return nil
			})
			err := m.Send(t.Context(), order("ann"))
			if err == nil || !strings.Contains(err.Error(), "gives no answer in time to "+(&failure{at: at}).what()) {
				t.Errorf("got %v", err)
			}
			server.behave(nil)
			close(hang)
			// The machine may be too busy for 50 ms.
			for err = m.Send(t.Context(), order("ann")); err != nil; err = m.Send(t.Context(), order("ann")) {
				t.Log(err)
			}
			if st := m.Stats(); st.Waiting != 0 || st.Sent != 1 {
				t.Errorf("%+v", st)
			}
		})
	}
	t.Run("greeting", func(t *testing.T) {
		t.Parallel()
		m := newMailer(t, Config{Mode: SMTP, Server: script(t, "", "never"), Within: 500 * time.Millisecond})
		if err := m.Send(t.Context(), order("ann")); err == nil || !strings.Contains(err.Error(), "gives no answer in time to a connection") {
			t.Errorf("got %v", err)
		}
	})
}

// What a server answers decides: about itself, for ever; about the mail, for a while. Never does a mail block those after it for good.
func TestServerThatRefuses(t *testing.T) {
	for _, c := range []struct {
		name    string
		at      step
		code    int
		after   time.Duration // that passes between the tries
		gone    int           // the try at which the mail is given up; 0: never
		reused  bool          // the session goes on
		because string
		taken   bool // the server has taken another mail before
	}{
		{"not at all today", connecting, 451, time.Hour, 0, false, "answers 451 4.0.0 go away [2J to a connection", false},
		{"sender for now", from, 451, time.Hour, 0, true, "answers 451", false},
		{"sender for good", from, 550, time.Hour, 0, true, "answers 550 5.0.0 go away", false},
		{"closing", from, 421, time.Hour, 0, false, "answers 421", false},
		{"recipient for now", recipient, 450, time.Second, 0, true, "answers 450", false},
		{"recipient for now, and for long", recipient, 450, 2 * time.Minute, 4, true, "answers 450", false},
		{"recipient for good", recipient, 550, time.Millisecond, 4, true, "answers 550 5.0.0 go away [2J to RCPT TO", true},
		{"all so far for good", recipient, 554, time.Second, 0, true, "answers 554", false},
		{"all so far for good, and for long", recipient, 554, 2 * time.Minute, 4, true, "answers 554", false},
		{"closing at the recipient", recipient, 421, time.Hour, 0, false, "answers 421", false},
		{"content for now", end, 452, time.Second, 0, true, "answers 452", false},
		{"content for good", end, 554, time.Millisecond, 4, true, "answers 554 5.0.0 go away [2J to the mail", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := newMailServer(t).up()
			m := newMailer(t, Config{Mode: SMTP, Server: server.addr})
			for range cap(m.sessions) - 1 {
				<-m.sessions // one session, so that it shows whether it is used again
			}
			defer func() {
				for range cap(m.sessions) - 1 {
					m.sessions <- &session{}
				}
			}()
			clock := time.Now()
			m.now = func() time.Time { return clock }
			var sent int64
			if c.taken {
				sent = 1
				if err := m.Send(t.Context(), someOrder(1)); err != nil {
					t.Fatal(err)
				}
			}
			server.behave(func(s step, _ string) error {
				if s == c.at {
					return reply(c.code)
				}
				return nil
			})
			const tries = 10
			gone := 0
			for n := 1; n <= tries && gone == 0; n++ {
				err := m.Send(t.Context(), order("ann"))
				switch {
				case err == nil:
					gone = n
				case !strings.Contains(err.Error(), c.because):
					t.Fatalf("got %v", err)
				}
				clock = clock.Add(c.after)
			}
			st := m.Stats()
			if gone != c.gone || (st.Undeliverable == 1) != (c.gone > 0) || (st.Waiting == 1) != (c.gone == 0) || st.Sent != sent {
				t.Errorf("given up at try %d, want %d: %+v", gone, c.gone, st)
			}
			server.mu.Lock()
			sessions := server.sessions
			server.mu.Unlock()
			if (sessions == 1) != c.reused {
				t.Errorf("%d sessions", sessions)
			}
			server.behave(nil)
			if err := m.Send(t.Context(), order("ann")); err != nil || m.Stats().Waiting != 0 {
				t.Errorf("it does not recover: %v, %+v", err, m.Stats())
			}
		})
	}
}

// One address that is refused for good costs its own mail only.
func TestPoisonAddressDoesNotBlockOthers(t *testing.T) {
	server := newMailServer(t).up()
	m := newMailer(t, Config{Mode: SMTP, Server: server.addr})
	server.behave(func(s step, to string) error {
		if s == recipient && strings.HasPrefix(to, "poison@") {
			return reply(550)
		}
		return nil
	})
	var poison error
	for n := 1; n <= triesFor5xx; n++ {
		poison = m.Send(t.Context(), order("poison"))
		o := someOrder(n)
		if err := m.Send(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	if st := m.Stats(); poison != nil || st.Undeliverable != 1 || st.Sent != triesFor5xx || st.Waiting != 0 {
		t.Errorf("%v, %+v", poison, st)
	}
}

// A server that turns down everything for good, as while it is set up wrongly, delays mails: it may lose the first few, of which nobody can tell that it is not
// their own fault, and no more.
func TestServerThatRefusesEverythingDelaysMails(t *testing.T) {
	for _, c := range []struct {
		name   string
		before int  // mails that it took before
		turns  bool // each mail is tried once before any is tried again; else one is tried until it is through or given up
		lost   int64
	}{
		{"in turns", 1, true, 0},
		{"one by one", 1, false, mostInARow},
		{"from the beginning", 0, false, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := newMailServer(t).up()
			m := newMailer(t, Config{Mode: SMTP, Server: server.addr})
			const mails, tries = 20, 10
			send := func(n int) error { return m.Send(t.Context(), someOrder(n)) }
			for n := range c.before {
				if err := send(1000 + n); err != nil {
					t.Fatal(err)
				}
			}
			server.behave(func(s step, _ string) error {
				if s == recipient {
					return reply(554)
				}
				return nil
			})
			gone := map[int]bool{}
			for i := range mails * tries {
				n := i / tries
				if c.turns {
					n = i % mails
				}
				if !gone[n] {
					gone[n] = send(n) == nil
				}
			}
			if st := m.Stats(); st.Undeliverable != c.lost || st.Sent != int64(c.before) {
				t.Fatalf("%d were lost, want %d: %+v", st.Undeliverable, c.lost, st)
			}
			server.behave(nil)
			for n := range mails {
				if err := send(n); err != nil {
					t.Error(err)
				}
			}
			if st := m.Stats(); st.Waiting != 0 || st.Sent != int64(c.before+mails) {
				t.Errorf("%+v", st)
			}
		})
	}
}

// A mailbox that is always full costs five minutes once, and each mail to it after that a single try; until it takes one. A server that takes nothing else
// meanwhile may be at fault itself, and each mail has the whole time.
func TestRecipientThatWasGivenUpCostsOneTry(t *testing.T) {
	server := newMailServer(t).up()
	m := newMailer(t, Config{Mode: SMTP, Server: server.addr})
	clock := time.Now()
	m.now = func() time.Time { return clock }
	full := true
	server.behave(func(s step, to string) error {
		if s == recipient && strings.HasPrefix(to, "full@") && full {
			return reply(452)
		}
		return nil
	})
	to := func(user string, n int) events.Order {
		o := someOrder(n)
		o.UserID = user
		return o
	}
	send := func(user string, n int, taken bool) {
		t.Helper()
		if err := m.Send(t.Context(), to(user, n)); (err == nil) != taken {
			t.Fatalf("mail %d to %s: %v", n, user, err)
		}
	}
	send("full", 1, false)
	clock = clock.Add(patience)
	send("full", 2, false) // nothing else was taken since
	send("ann", 3, true)
	send("full", 1, true) // given up
	send("full", 2, true)
	send("full", 4, true)
	if st := m.Stats(); st.Undeliverable != 3 || st.Sent != 1 || st.Waiting != 0 {
		t.Errorf("%+v", st)
	}
	full = false
	send("full", 5, true)
	full = true
	send("full", 6, false)
	if st := m.Stats(); st.Undeliverable != 3 || st.Sent != 2 || st.Waiting != 1 {
		t.Errorf("%+v", st)
	}
}

// A connection that ends in the middle of a mail is an error, and the mail may be tried again.
func TestConnectionLostInTheData(t *testing.T) {
	addr := script(t, "220 hi", "250 hello", "250 ok", "250 ok", "354 go on", "")
	m := newMailer(t, Config{Mode: SMTP, Server: addr})
	for range 2 {
		if err := m.Send(t.Context(), order("ann")); err == nil || !strings.Contains(err.Error(), "ended the connection at the mail") {
			t.Errorf("got %v", err)
		}
	}
	if st := m.Stats(); st.Sent != 0 || st.Retried != 2 || st.Waiting != 1 {
		t.Errorf("%+v", st)
	}
}

// Many mails share few sessions, and those that the server has closed meanwhile are begun anew without an error.
func TestSessionsAreReused(t *testing.T) {
	server := newMailServer(t).up()
	m := newMailer(t, Config{Mode: SMTP, Server: server.addr})
	send := func() {
		var wg sync.WaitGroup
		for worker := range 20 {
			wg.Go(func() {
				for n := range 10 {
					if err := m.Send(t.Context(), someOrder(worker*1000+n)); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
	}
	send()
	if n := server.sessions; n > sessionsAtOnce {
		t.Errorf("%d sessions for 200 mails", n)
	}
	server.down()
	server.up()
	send()
	if st := m.Stats(); st.Sent != 400 || st.Retried != 0 || st.Repeated != 200 || len(server.got()) != 400 {
		t.Errorf("%+v", st)
	}
}

// The end of a context ends a try at once, in any state of the server, and is not held against it.
func TestEndOfContextEndsATry(t *testing.T) {
	server := newMailServer(t).up()
	hang := make(chan struct{})
	defer close(hang)
	for _, at := range []step{connecting, from, end} {
		m := newMailer(t, Config{Mode: SMTP, Server: server.addr})
		ctx, cancel := context.WithCancel(t.Context())
		server.behave(func(s step, _ string) error {
			if s == at {
				cancel()
				<-hang
			}
			return nil
		})
		begun := time.Now()
		err := m.Send(ctx, order("ann"))
		if took := time.Since(begun); !errors.Is(err, context.Canceled) || took > 5*time.Second {
			t.Errorf("%s: %v after %s", at, err, took)
		}
		if st := m.Stats(); st.Retried != 0 || st.Waiting != 0 {
			t.Errorf("%s: %+v", at, st)
		}
		server.behave(nil)
		if err := m.Send(t.Context(), order("ann")); err != nil {
			t.Errorf("%s: it does not recover: %v", at, err)
		}
	}
}

// The catcher counts all, keeps the newest, knows repeats, and reads a mail as a person would.
func TestCatcher(t *testing.T) {
	m := newMailer(t, Config{})
	for n := range Kept + 20 {
		if err := m.Send(t.Context(), someOrder(n)); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Send(t.Context(), someOrder(0)); err != nil { // longer ago than is kept
		t.Fatal(err)
	}
	const total = Kept + 21
	if st := m.Stats(); st.Sent != total || st.Repeated != 1 || st.Mode != Catch {
		t.Errorf("%+v", st)
	}
	all := m.Inbox(0, 10_000)
	if len(all) != Kept || all[0].Number != total || all[Kept-1].Number != total-Kept+1 || !all[0].Again || all[1].Again {
		t.Errorf("%d mails from %+v", len(all), all[0])
	}
	if page := m.Inbox(all[7].Number, 3); len(page) != 3 || page[0] != all[7] {
		t.Errorf("%+v", page)
	}
	l, ok := m.Open(all[1].Number)
	if !ok || l.Err != "" || !strings.Contains(l.Text, "Hello user-519,\n") || l.HTML < 100 || l.To != "user-519@customers.kassa.invalid" || !strings.HasPrefix(l.Subject, "Your order ") {
		t.Errorf("%+v", l)
	}
	names := ""
	for _, f := range l.Header {
		names += f.Name + " "
	}
	for _, want := range []string{"From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type"} {
		if !strings.Contains(names, want+" ") {
			t.Errorf("no %s among %s", want, names)
		}
	}
	for _, n := range []int64{0, -3, 1, total + 1, total - Kept} {
		if _, ok := m.Open(n); ok {
			t.Errorf("mail %d is still there", n)
		}
	}
}

// Of mails that nobody kept apart a person still sees what can be read.
func TestLetterThatIsDamaged(t *testing.T) {
	for _, data := range []string{
		"", "\r\n\r\n", "no header at all", "Subject: =?utf-8?q?=1b[2J?=\r\n\r\ntext",
		"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: text/plain\r\n\r\nfirst\r\n--x\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!\r\n",
		"Content-Type: multipart/mixed\r\n\r\nwhat", "Content-Type: ;;;\r\n\r\nbody",
	} {
		l := open(Envelope{}, []byte(data))
		if strings.Contains(data, "first") && (!strings.Contains(l.Text, "first") || l.Err == "") {
			t.Errorf("%q is read as %+v", data, l)
		}
	}
}

// Only so many ids are remembered.
func TestSeenIsBounded(t *testing.T) {
	s := newSeen()
	for n := range 3 * remembered {
		if s.again(fmt.Sprint(n)) {
			t.Fatalf("%d was not there before", n)
		}
	}
	if len(s.ids) != remembered || len(s.ring) != remembered {
		t.Errorf("%d ids, %d in order", len(s.ids), len(s.ring))
	}
	for _, c := range []struct {
		n    int
		want bool
	}{{3*remembered - 1, true}, {2 * remembered, true}, {2*remembered - 1, false}, {2*remembered - 1, true}} {
		if got := s.again(fmt.Sprint(c.n)); got != c.want {
			t.Errorf("%d: %v", c.n, got)
		}
	}
}

func TestConfigThatCannotWork(t *testing.T) {
	for _, server := range []string{"", "mail.example.com", ":25", "host:", "host:0", "host:65536", "host:smtp", "a:b:c"} {
		if _, err := NewMailer(Config{Mode: SMTP, Server: server}); err == nil {
			t.Errorf("%q is taken", server)
		}
	}
	m := newMailer(t, Config{Mode: None})
	if svc := m.Service(); svc.Parallel != 0 || m.Stats().Mode != None || m.Inbox(0, 5) != nil {
		t.Error("none sends")
	}
}

// A host that nobody knows is said so; the look-up itself is not a matter of this test.
func TestFailureSentences(t *testing.T) {
	f := &failure{at: connecting, server: "mail.test:25", err: &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "mail.test"}}}
	if got := f.Error(); got != "mail server mail.test:25 is not known: lookup mail.test: no such host" {
		t.Error(got)
	}
}
