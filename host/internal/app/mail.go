package app

import (
	"cmp"
	"context"
	"crypto/rand"
	mathrand "math/rand/v2"
	"strings"
	"time"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/store"
)

const (
	mailDelay   = 30 * time.Second // after the first failure, twice as long after each further one
	mailDelays  = time.Hour        // at most
	mailPatient = 3 * 24 * time.Hour
)

// MailLease is for how long a claimed mail is its claimer's: sending it must take less, for after it
// another may set out to.
const MailLease = 5 * time.Minute

// post puts a notice into the outbox, with the address and the language as they are now.
func (a *App) post(ctx context.Context, tx store.Tx, who crm.Who, account crm.Account, n crm.AccountNotice) error {
	m := crm.Mail{
		MessageID: strings.ToLower(rand.Text()), Name: account.Name, Address: account.Email, Language: account.Language,
		Module: n.Module, TextKey: n.TextKey, Args: n.Args, Page: n.Page, At: n.At,
	}
	if who.Actor.Key != who.Subject.Key {
		m.Actor = who.Actor.Name
	}
	if m.Language == "" {
		general, err := tx.Settings(ctx, "general")
		if err != nil {
			return err
		}
		m.Language = cmp.Or(general["language"], coreSettings()["general"]["language"])
	}
	return tx.InsertMail(ctx, m)
}

// DueMail gives the next mail to send, and keeps it from others for MailLease; NotFound when there is
// none. Whoever gets it says afterwards how it went: MailSent or MailFailed. Who dies before that
// leaves it to whoever asks after the lease, so a mail is sent at least once.
func (a *App) DueMail(ctx context.Context) (crm.Mail, error) {
	now := a.Now()
	list, err := a.store.Read().DueMail(ctx, now)
	if err != nil {
		return crm.Mail{}, err
	}
	for _, m := range list {
		claimed := false
		err := a.store.Write(ctx, func(tx store.Tx) (err error) {
			claimed, err = tx.ClaimMail(ctx, m, now.Add(MailLease))
			return err
		})
		if err != nil {
			return crm.Mail{}, err
		}
		if claimed {
			m.Attempts++
			return m, nil
		}
	}
	return crm.Mail{}, crm.Refuse(crm.NotFound, "not_found")
}

// MailSent takes a mail that was sent out of the outbox.
func (a *App) MailSent(ctx context.Context, m crm.Mail) error {
	return a.store.Write(ctx, func(tx store.Tx) error {
		_, err := tx.DeleteMail(ctx, m.ID)
		return err
	})
}

// MailFailed says why a mail could not be sent. It becomes due again later, each time after a longer
// while, unless the failure is final or it has been tried for three days: then it is given up, and
// the administrators are told.
func (a *App) MailFailed(ctx context.Context, m crm.Mail, why string, final bool) error {
	now := a.Now()
	if !final && now.Sub(m.At) < mailPatient {
		return a.store.Write(ctx, func(tx store.Tx) error {
			_, err := tx.DelayMail(ctx, m, now.Add(delayOf(m.Attempts)))
			return err
		})
	}
	a.log.ErrorContext(ctx, "a mail is given up", "mail", m.MessageID, "to", m.Address, "module", m.Module, "text", m.TextKey, "attempts", m.Attempts, "error", why)
	return a.store.Write(ctx, func(tx store.Tx) error {
		if gone, err := tx.DeleteMail(ctx, m.ID); err != nil || !gone {
			return err
		}
		return a.tellMailLost(ctx, tx, m, why)
	})
}

// tellMailLost tells the administrators; those who have yet to read of another such mail are told
// nothing new by one more.
func (a *App) tellMailLost(ctx context.Context, tx store.Tx, m crm.Mail, why string) error {
	n := crm.AccountNotice{TextKey: "notice_mail_lost", Args: map[string]string{"Address": m.Address, "Why": crm.Cut(why, 200)}}
	list, err := tx.Administrators(ctx)
	if err != nil {
		return err
	}
	for _, account := range list {
		if told, err := tx.HasUnreadNotice(ctx, account.Key, n.Module, n.TextKey); err != nil || told {
			if err != nil {
				return err
			}
			continue
		}
		if err := a.tellAccount(ctx, tx, crm.Who{}, account, n); err != nil {
			return err
		}
	}
	return nil
}

// delayOf is how long to wait after so many attempts, a fifth more or less: what failed together
// isn't tried again together.
func delayOf(attempts int64) time.Duration {
	d := mailDelays
	if attempts < 8 {
		d = min(d, mailDelay<<max(0, attempts-1))
	}
	return time.Duration(float64(d) * (0.8 + 0.4*mathrand.Float64())) //nolint:gosec // it hides nothing
}
