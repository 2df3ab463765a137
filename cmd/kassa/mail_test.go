package main

import (
	"errors"
	"testing"

	"kassa/services/email"
)

// Where mails go is clear before anything is started, or it is one sentence and exit code 2.
func TestMailFlags(t *testing.T) {
	for _, c := range []struct {
		flags mailFlags
		want  email.Config
		wrong bool
	}{
		{flags: mailFlags{mail: "catch"}, want: email.Config{Mode: email.Catch}},
		{flags: mailFlags{mail: "none"}, want: email.Config{Mode: email.None}},
		{flags: mailFlags{mail: "catch", server: "127.0.0.1:1025"}, want: email.Config{Mode: email.SMTP, Server: "127.0.0.1:1025"}},
		{flags: mailFlags{mail: "catch", server: "[::1]:25"}, want: email.Config{Mode: email.SMTP, Server: "[::1]:25"}},
		{flags: mailFlags{mail: "none", server: "127.0.0.1:1025"}, wrong: true},
		{flags: mailFlags{mail: "some"}, wrong: true},
		{flags: mailFlags{mail: "catch", server: "mail.test"}, wrong: true},
		{flags: mailFlags{mail: "catch", server: "mail.test:smtp"}, wrong: true},
	} {
		got, err := c.flags.config()
		if c.wrong {
			if _, usage := errors.AsType[usageError](err); !usage {
				t.Errorf("%+v: %v", c.flags, err)
			}
			continue
		}
		if err != nil || got != c.want {
			t.Errorf("%+v: %+v, %v", c.flags, got, err)
		}
	}
}
