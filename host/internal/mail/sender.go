// Package mail sends what waits in the outbox, by SMTP. A mail is sent at least once: whoever dies
// between the server's answer and the note of it leaves it to be sent again, under the same
// Message-ID.
package mail

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/crm"
)

const (
	lookEvery = 5 * time.Second
	sendTime  = time.Minute     // for one mail; well within app.MailLease
	graceTime = 2 * time.Second // for the mail under way when the program stops
)

// Options is what a Sender needs.
type Options struct {
	App    *app.App
	Server Server
	// Text is the sentence of a key in a language, of a module or, for the empty id, of the host. A key
	// nobody wrote comes back as it is.
	Text  func(module, language, key string, args map[string]string) string
	Links string // where the site is reached, put before the page a mail tells of; empty for no links
	Log   *slog.Logger
}

// Sender takes due mail out of the outbox and sends it.
type Sender struct {
	app    *app.App
	server Server
	text   func(module, language, key string, args map[string]string) string
	links  string
	log    *slog.Logger
}

// New makes a Sender. It sends nothing until Run or SendDue is called.
func New(o Options) *Sender {
	s := &Sender{app: o.App, server: o.Server, text: o.Text, links: o.Links, log: o.Log}
	if s.log == nil {
		s.log = slog.Default()
	}
	return s
}

// Run sends what is due, looking every few seconds, until the context ends. The mail under way then
// has a moment to go out; the rest waits in the outbox.
func (s *Sender) Run(ctx context.Context) {
	every := time.NewTicker(lookEvery)
	defer every.Stop()
	for {
		if err := s.SendDue(ctx); err != nil && ctx.Err() == nil {
			s.log.WarnContext(ctx, "send mail", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
	}
}

// SendDue sends what is due now. After a failure that isn't this one mail's it lets the others wait,
// unharmed, until it is called again.
func (s *Sender) SendDue(ctx context.Context) error {
	for ctx.Err() == nil {
		m, err := s.app.DueMail(ctx)
		if crm.KindOf(err) == crm.NotFound {
			return nil
		}
		if err != nil {
			return err
		}
		if err := s.send(ctx, m); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// send sends one mail and notes how it went, even when the program is stopping. Its error says that
// the next would fare no better.
func (s *Sender) send(ctx context.Context, m crm.Mail) error {
	noted := context.WithoutCancel(ctx)
	sending, cancel := context.WithTimeout(noted, sendTime)
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(graceTime, cancel) })()

	failure := s.deliver(sending, m)
	if failure == nil {
		s.log.InfoContext(ctx, "mail sent", "mail", m.MessageID, "module", m.Module, "text", m.TextKey, "attempt", m.Attempts)
		return s.app.MailSent(noted, m)
	}
	s.log.WarnContext(ctx, "a mail was not sent", "mail", m.MessageID, "attempt", m.Attempts, "error", failure)
	whose := blame(failure)
	err := s.app.MailFailed(noted, m, failure.Error(), whose == addressee)
	if whose == everybody {
		err = errors.Join(err, failure)
	}
	return err
}

func (s *Sender) deliver(ctx context.Context, m crm.Mail) error {
	site, err := s.siteName(ctx)
	if err != nil {
		return err
	}
	msg, err := s.compose(m, site)
	if err != nil {
		return err
	}
	return s.server.send(ctx, msg)
}

func (s *Sender) siteName(ctx context.Context) (string, error) {
	general, err := s.app.Settings(ctx, "general")
	return general["site_name"], err
}
