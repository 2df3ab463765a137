//go:build e2e

package main

import (
	"io"
	"log/slog"
	"net"
	"net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"kassa/kafkaops/local"
	"kassa/kafkaops/watch"
	"kassa/services"
	"kassa/services/email"
	"kassa/services/events"
	"kassa/services/payment"
)

// postOffice is a mail server that counts the mails of each Message-ID.
type postOffice struct {
	mu  sync.Mutex
	ids map[string]int
}

func (p *postOffice) NewSession(*smtp.Conn) (smtp.Session, error) { return posting{p}, nil }

type posting struct{ *postOffice }

func (posting) Reset()                               {}
func (posting) Logout() error                        { return nil }
func (posting) Mail(string, *smtp.MailOptions) error { return nil }
func (posting) Rcpt(string, *smtp.RcptOptions) error { return nil }

func (p posting) Data(r io.Reader) error {
	m, err := mail.ReadMessage(r)
	if err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, m.Body); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ids[m.Header.Get("Message-ID")]++
	return nil
}

// A mail server that is away for longer than any timeout of Kafka's (6 s a session, 8 s a transaction, 10 s a rebalance) holds up mails alone:
// orders go on at their pace, the email service stays in its group without a rebalance, and when the server is back each order
// has its mail, and exactly one event.
func TestE2EMailServerAwayDelaysNoOrder(t *testing.T) {
	const (
		rate = 75
		away = 20 * time.Second
	)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	cluster := guarded(t, local.Config{})
	shop, err := openShop(t.Context(), cluster, slog.New(slog.DiscardHandler), shopConfig{
		Products: events.DefaultCart(), Mail: email.Config{Mode: email.SMTP, Server: addr},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer shop.close(time.Second)
	group := func() watch.Group {
		if st := shop.watcher.State(); st != nil {
			for _, g := range st.Groups {
				if g.Name == "email" {
					return g
				}
			}
		}
		return watch.Group{}
	}
	stats := func(name string) services.Stats {
		for _, s := range shop.Figures().Services {
			if s.Name == name {
				return s
			}
		}
		return services.Stats{}
	}
	defer func() {
		if t.Failed() {
			t.Logf("group %+v, service %+v, mails %+v", group(), stats("email"), shop.mailer.Stats())
		}
	}()
	until(t, "the email service is in its group", func() bool {
		g := group()
		return g.State == "Stable" && len(g.Members) == 1 && len(g.Members[0].Assigned[events.OrderSuccessful]) == 3
	})
	before := group()

	var (
		mu       sync.Mutex
		accepted = map[string]bool{}
		answers  int
	)
	offered, begun := 0, time.Now()
	for tick := time.NewTicker(time.Second / rate); time.Since(begun) < away; offered++ {
		<-tick.C
		shop.payment.Submit(payment.Request{Cart: events.DefaultCart()}, func(r payment.Receipt, err error) {
			mu.Lock()
			defer mu.Unlock()
			answers++
			if err != nil {
				t.Error(err)
				return
			}
			accepted[r.CheckoutID] = true
		})
	}
	until(t, "every payment is answered, and is an order", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return answers == offered && stats("order").Handled == int64(len(accepted))
	})
	late := time.Since(begun)
	if st := stats("email"); st.Status != services.Retrying || !strings.HasPrefix(st.Err, "mail server "+addr+" refuses connections") || st.Handled != 0 {
		t.Errorf("%+v", st)
	}
	if g := group(); g.State != "Stable" || g.Rebalances != before.Rebalances || len(g.Members) != 1 || g.Members[0].ID != before.Members[0].ID {
		t.Errorf("the group was %+v and is %+v", before, g)
	}
	t.Logf("%d orders while the mail server was away, the last %d ms after the load; %+v", offered, (late - away).Milliseconds(), shop.mailer.Stats())

	office := &postOffice{ids: map[string]int{}}
	srv := smtp.NewServer(office)
	if l, err = net.Listen("tcp", addr); err != nil {
		t.Fatal(err)
	}
	go func() { _ = srv.Serve(l) }()
	defer srv.Close()
	back := time.Now()
	until(t, "every checkout is complete", func() bool { return shop.analytics.Totals().Complete >= int64(len(accepted)) })
	t.Logf("all %d mails and events within %d ms of its return", offered, time.Since(back).Milliseconds())

	log := readCommitted(t, cluster.Bootstrap())
	for _, topic := range events.Topics() {
		for id := range accepted {
			if n := log[topic][id]; n != 1 {
				t.Errorf("%s has checkout %s %d times", topic, id, n)
			}
		}
		if len(log[topic]) != len(accepted) {
			t.Errorf("%s has %d checkouts of %d", topic, len(log[topic]), len(accepted))
		}
	}
	office.mu.Lock()
	defer office.mu.Unlock()
	mails := 0
	for id := range accepted {
		n := office.ids["<"+services.EmailID(id)+"@kassa.invalid>"]
		if n < 1 {
			t.Errorf("no mail for checkout %s", id)
		}
		mails += n
	}
	if st := stats("email"); st.DeadLetters != 0 || st.Rebuilds != 0 {
		t.Errorf("%+v", st)
	}
	if st := shop.mailer.Stats(); len(office.ids) != len(accepted) || st.Sent != int64(mails) || st.Repeated != int64(mails-len(accepted)) || st.Waiting != 0 {
		t.Errorf("%d mails arrived with %d Message-IDs: %+v", mails, len(office.ids), st)
	}
}
