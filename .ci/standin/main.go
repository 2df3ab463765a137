// Command standin takes the place of images that cannot be fetched where CI runs: a mail catcher, and a page. It is no part of kassa.
package main

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/emersion/go-smtp"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("standin mail|ui")
	}
	switch os.Args[1] {
	case "mail":
		var mails atomic.Int64
		server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return session{&mails}, nil }))
		server.Addr, server.Domain = ":1025", "mail"
		server.ReadTimeout, server.WriteTimeout, server.MaxMessageBytes = time.Minute, time.Minute, 1<<20
		go func() { log.Fatal(server.ListenAndServe()) }()
		// As Mailpit tells it.
		http.HandleFunc("GET /api/v1/info", func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, `{"Version":"stand-in","Messages":%d}`, mails.Load())
		})
		log.Fatal(http.ListenAndServe(":8025", nil))
	case "ui":
		http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "a stand-in for Kafka UI") })
		log.Fatal(http.ListenAndServe(":8080", nil))
	default:
		log.Fatal(errors.New("no such stand-in"))
	}
}

// session takes any mail and forgets it.
type session struct{ mails *atomic.Int64 }

func (session) Reset()                               {}
func (session) Logout() error                        { return nil }
func (session) Mail(string, *smtp.MailOptions) error { return nil }
func (session) Rcpt(string, *smtp.RcptOptions) error { return nil }
func (s session) Data(r io.Reader) error {
	if _, err := io.Copy(io.Discard, r); err != nil {
		return err
	}
	s.mails.Add(1)
	return nil
}
