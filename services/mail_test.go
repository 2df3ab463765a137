package services_test

import (
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/emersion/go-smtp"
	"github.com/twmb/franz-go/pkg/kgo"

	"kassa/services"
	"kassa/services/email"
	"kassa/services/events"
	"kassa/services/order"
)

// postOffice is a mail server that counts mails by Message-ID.
type postOffice struct {
	mu   sync.Mutex
	ids  map[string]int
	deny string // recipients that begin so are refused for good
	late string // recipients that begin so are refused for now, until there are so many mails
	many int
}

func (p *postOffice) NewSession(*smtp.Conn) (smtp.Session, error) { return counter{p}, nil }

type counter struct{ p *postOffice }

func (counter) Reset()                               {}
func (counter) Logout() error                        { return nil }
func (counter) Mail(string, *smtp.MailOptions) error { return nil }
func (c counter) Rcpt(to string, _ *smtp.RcptOptions) error {
	if strings.HasPrefix(to, c.p.deny) {
		return &smtp.SMTPError{Code: 550, Message: "no such customer"}
	}
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	if strings.HasPrefix(to, c.p.late) && len(c.p.ids) < c.p.many {
		return &smtp.SMTPError{Code: 450, Message: "come again"}
	}
	return nil
}

func (c counter) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	_, id, _ := strings.Cut(string(b), "Message-ID: <")
	id, _, _ = strings.Cut(id, "@")
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	c.p.ids[id]++
	return nil
}

// A mail server that is down holds up mails, and says why on the way; orders go on, none goes to the dead letters, and once it is there each
// order has its mail before its event. A customer whom it never takes costs that one mail.
func TestMailServerThatIsDownDelaysMailsOnly(t *testing.T) {
	s := newShop(t).topics()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	m, err := email.NewMailer(email.Config{Mode: email.SMTP, Server: addr})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	orders, _ := s.run(order.Service())
	emails, _ := s.run(m.Service())
	const n = 60
	ids := s.checkouts(s.payment(), n)
	s.eventually(func() string {
		o, e := orders.Stats(), emails.Stats()
		if o.Handled == n && e.Handled == 0 && e.Status == services.Retrying && strings.HasPrefix(e.Err, "mail server "+addr+" refuses connections") {
			return ""
		}
		return fmt.Sprintf("%+v %+v", o, e)
	})
	// Its batch comes after others: a server that has taken no mail yet is not believed.
	poison := s.write(events.OrderSuccessful, []byte(`{"userId":"poison","orderId":"o"}`))

	office := &postOffice{ids: map[string]int{}, deny: "poison@"}
	srv := smtp.NewServer(office)
	if l, err = net.Listen("tcp", addr); err != nil {
		t.Fatal(err)
	}
	go func() { _ = srv.Serve(l) }()
	t.Cleanup(func() { _ = srv.Close() })
	all := append(ids, services.CheckoutID(poison.Topic, poison.Partition, poison.Offset))
	if err := once(s.read(events.EmailSuccessful, n+1), all, checkoutOf); err != nil {
		t.Error(err)
	}
	s.eventually(func() string {
		if e := emails.Stats(); e.Handled != n+1 || e.DeadLetters != 0 || e.Err != "" {
			return fmt.Sprintf("%+v", e)
		}
		return ""
	})
	office.mu.Lock()
	defer office.mu.Unlock()
	total := 0
	for _, id := range ids {
		if office.ids[services.EmailID(id)] < 1 {
			t.Errorf("no mail for checkout %s", id)
		}
		total += office.ids[services.EmailID(id)]
	}
	// A batch that was done again, as on a busy machine, has sent its mails again: that is counted.
	if st := m.Stats(); len(office.ids) != n || st.Sent != int64(total) || st.Repeated != int64(total-n) || st.Undeliverable != 1 || st.Waiting != 0 {
		t.Errorf("%d mails arrived, %+v", total, st)
	}
}

// A mail that is turned down for now waits by itself: the others of its batch are sent meanwhile, whatever is put off before them.
func TestMailThatIsPutOffHoldsNoOther(t *testing.T) {
	s := newShop(t).topics()
	const n, late = 60, 20
	var records []*kgo.Record
	for i := range n {
		user := "ann"
		if i < late { // more than are sent at once
			user = "late"
		}
		records = append(records, &kgo.Record{
			Topic: events.OrderSuccessful, Key: fmt.Append(nil, i), Value: fmt.Appendf(nil, `{"userId":"%s","orderId":"o","checkoutId":"c%d"}`, user, i),
		})
	}
	s.together(records)
	office := &postOffice{ids: map[string]int{}, deny: "nobody@", late: "late@", many: n - late}
	srv := smtp.NewServer(office)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = srv.Serve(l) }()
	t.Cleanup(func() { _ = srv.Close() })
	m, err := email.NewMailer(email.Config{Mode: email.SMTP, Server: l.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	emails, _ := s.run(m.Service())
	s.read(events.EmailSuccessful, n)
	s.eventually(func() string {
		if e := emails.Stats(); e.Handled != n || e.DeadLetters != 0 || e.Err != "" {
			return fmt.Sprintf("%+v", e)
		}
		return ""
	})
	if st := m.Stats(); st.Undeliverable != 0 || st.Waiting != 0 || st.Retried < late {
		t.Errorf("%+v", st)
	}
}
