package mail

import (
	"cmp"
	"errors"
	"net/mail"
	"strings"

	gomail "github.com/wneessen/go-mail"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

// actorHeader names who wrote a mail under a borrowed name.
const actorHeader = "X-Understudy-Actor"

const (
	maxLine = 200 // characters of a name or a subject
	maxArg  = 512 // of what fills a sentence
)

// errNoWords is a module's that is gone, or that never had the sentence: it may come back.
var errNoWords = errors.New("its module has no such sentence")

// compose makes the message, in the recipient's language. What people typed stands on one line and
// is encoded, whatever it holds: no name begins a header, and none a paragraph.
func (s *Sender) compose(m crm.Mail, site string) (*gomail.Msg, error) {
	args := map[string]string{}
	for name, value := range m.Args {
		args[name] = line(value, maxArg)
	}
	body := s.text(m.Module, m.Language, m.TextKey, args)
	if body == m.TextKey {
		return nil, errNoWords
	}
	subject := s.text(m.Module, m.Language, m.TextKey+"_subject", args)
	if subject == m.TextKey+"_subject" {
		subject = s.text("", m.Language, "mail_subject", map[string]string{"Site": site})
	}
	if s.links != "" && m.Page != "" {
		body += "\n\n" + strings.TrimRight(s.links, "/") + m.Page
	}
	body += "\n\n-- \n" + s.text("", m.Language, "mail_footer", map[string]string{"Site": site}) + "\n"

	from := *s.server.From
	from.Name = cmp.Or(from.Name, line(site, maxLine))
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	msg.FromMailAddress(&from)
	msg.ToMailAddress(&mail.Address{Name: line(m.Name, maxLine), Address: m.Address})
	msg.Subject(line(subject, maxLine))
	msg.SetDateWithValue(m.At)
	msg.SetMessageIDWithValue(m.MessageID + "@" + from.Address[strings.LastIndexByte(from.Address, '@')+1:])
	msg.SetGenHeader(gomail.HeaderContentLang, m.Language)
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // nobody's absence shall answer it
	if m.Actor != "" {
		msg.SetGenHeader(actorHeader, line(m.Actor, maxLine))
	}
	msg.SetBodyString(gomail.TypeTextPlain, body)
	return msg, nil
}

// line is text on one line, without what could be taken for anything but text: what looks encoded
// already (RFC 2047) would go out as it is, and be decoded by who reads it.
func line(text string, most int) string {
	return crm.Cut(strings.ReplaceAll(strings.Join(strings.Fields(text), " "), "=?", "= ?"), most)
}
