package email

import (
	"bytes"
	"encoding/base64"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"net/textproto"
	"strings"
)

// Letter is a mail as a person reads it.
type Letter struct {
	Envelope
	Header []Field // in the order of the mail
	Text   string  // the text part, decoded
	HTML   int     // bytes of the HTML part, decoded; 0 if there is none
	Err    string  // why the rest could not be read; empty when all could
}

// Field is one header field, unfolded, its encoded words decoded.
type Field struct{ Name, Value string }

// open reads the wire form of a mail. It is for mails that people look at: it reads what it can and says what it could not.
func open(e Envelope, data []byte) Letter {
	l := Letter{Envelope: e}
	head, _, _ := bytes.Cut(data, []byte("\r\n\r\n"))
	l.Header = fields(string(head))
	m, err := mail.ReadMessage(bytes.NewReader(data))
	if err != nil {
		l.Err = err.Error()
		return l
	}
	if err := l.part(textproto.MIMEHeader(m.Header), m.Body, 0); err != nil {
		l.Err = err.Error()
	}
	return l
}

func fields(head string) []Field {
	var list []Field
	words := new(mime.WordDecoder)
	for _, line := range strings.Split(head, "\r\n") {
		if n := len(list); n > 0 && (strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t")) {
			list[n-1].Value += " " + strings.TrimSpace(line)
			continue
		}
		name, value, _ := strings.Cut(line, ":")
		list = append(list, Field{name, strings.TrimSpace(value)})
	}
	for i := range list {
		if s, err := words.DecodeHeader(list[i].Value); err == nil {
			list[i].Value = s
		}
	}
	return list
}

// deepest is how far parts may lie within parts.
const deepest = 4

// part reads one part of a mail, and those within it.
func (l *Letter) part(h textproto.MIMEHeader, body io.Reader, depth int) error {
	kind, params, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil {
		kind = "text/plain" // RFC 2045, 5.2: what cannot be told is plain text
	}
	if strings.HasPrefix(kind, "multipart/") && depth < deepest {
		for parts := multipart.NewReader(body, params["boundary"]); ; {
			p, err := parts.NextRawPart()
			if err == io.EOF {
				return nil
			}
			if err != nil {
				return err
			}
			if err := l.part(p.Header, p, depth+1); err != nil {
				return err
			}
		}
	}
	switch strings.ToLower(h.Get("Content-Transfer-Encoding")) {
	case "quoted-printable":
		body = quotedprintable.NewReader(body)
	case "base64":
		body = base64.NewDecoder(base64.StdEncoding, body)
	}
	b, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	switch kind {
	case "text/plain":
		l.Text += strings.ReplaceAll(string(b), "\r\n", "\n")
	case "text/html":
		l.HTML += len(b)
	}
	return nil
}
