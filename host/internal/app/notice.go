package app

import (
	"context"
	"sync"
	"time"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/store"
)

const (
	maxNoticesShown   = 5
	noticeLife        = 90 * 24 * time.Hour
	noticesEachMinute = 100 // of a module's asking
)

// tell writes a notice for its account, in the transaction of what it tells of, and where it asks for
// mail and there is any, the mail: as from who, whose borrowed name it will say. An account that is
// gone is told nothing, and that is no error: what it would have been told of goes on.
func (a *App) tell(ctx context.Context, tx store.Tx, who crm.Who, n crm.AccountNotice) error {
	account, err := tx.Account(ctx, n.To)
	if crm.KindOf(err) == crm.NotFound {
		return nil
	}
	if err != nil {
		return err
	}
	return a.tellAccount(ctx, tx, who, account, n)
}

// tellAdministrators tells every active administrator but one, whom it is about.
func (a *App) tellAdministrators(ctx context.Context, tx store.Tx, who crm.Who, n crm.AccountNotice, except crm.AccountKey) error {
	list, err := tx.Administrators(ctx)
	if err != nil {
		return err
	}
	for _, account := range list {
		if account.Key == except {
			continue
		}
		if err := a.tellAccount(ctx, tx, who, account, n); err != nil {
			return err
		}
	}
	return nil
}

func (a *App) tellAccount(ctx context.Context, tx store.Tx, who crm.Who, account crm.Account, n crm.AccountNotice) error {
	n.To, n.At = account.Key, a.Now()
	if _, err := tx.InsertNotice(ctx, n); err != nil {
		return err
	}
	if !n.Mail || !a.mail || account.Email == "" {
		return nil
	}
	return a.post(ctx, tx, who, account, n)
}

// Notices lists what the account at the screen has not dismissed, newest first and a few of them. To
// who acts as somebody else it lists nothing: a notice is its account's to read.
func (a *App) Notices(ctx context.Context, who crm.Who) ([]crm.AccountNotice, error) {
	if err := a.allow(who, crm.ReadRoute); err != nil || who.Switched() {
		return nil, err
	}
	return a.store.Read().UnreadNotices(ctx, who.Subject.Key, maxNoticesShown)
}

// DismissNotice marks one of one's own notices as read; NotFound when it is another's or read already.
// Nobody does so under a borrowed name.
func (a *App) DismissNotice(ctx context.Context, who crm.Who, id int64) error {
	return a.dismiss(ctx, who, func(tx store.Tx) error {
		read, err := tx.ReadNotice(ctx, who.Subject.Key, id, a.Now())
		if err == nil && !read {
			err = crm.Refuse(crm.NotFound, "account_notice_not_found")
		}
		return err
	})
}

// DismissNotices marks one's own notices as read, up to the newest one that was shown: what came
// since stays.
func (a *App) DismissNotices(ctx context.Context, who crm.Who, newest int64) error {
	return a.dismiss(ctx, who, func(tx store.Tx) error { return tx.ReadNotices(ctx, who.Subject.Key, newest, a.Now()) })
}

// dismiss leaves no entry in the Activity Log: a person's reading is no change anybody accounts for.
func (a *App) dismiss(ctx context.Context, who crm.Who, do func(store.Tx) error) error {
	if err := a.allow(who, crm.SensitiveRoute); err != nil {
		return err
	}
	return a.store.Write(ctx, func(tx store.Tx) error {
		if err := a.stands(ctx, tx, who); err != nil {
			return err
		}
		return do(tx)
	})
}

// SendNotice tells an account, or all active administrators but that account, something in an installed
// module's words.
// Whether the module may is its grant's to say. Invalid when the notice breaks a bound
// (crm.AccountNotice.Check), NotFound when there is no such account or module, TooMany beyond a
// hundred a minute.
func (a *App) SendNotice(ctx context.Context, who crm.Who, module string, n crm.AccountNotice, administrators bool) error {
	n.Module = module
	except := n.To
	if administrators {
		n.To = crm.AccountKey{Kind: crm.Staff}
	}
	if err := n.Check(); err != nil {
		return err
	}
	if !a.sent.take(module, a.Now()) {
		return crm.Refuse(crm.TooMany, "account_notice_too_many", "Max", noticesEachMinute)
	}
	return a.store.Write(ctx, func(tx store.Tx) error {
		if installed, err := tx.ModuleInstalled(ctx, module); err != nil {
			return err
		} else if !installed {
			return crm.Refuse(crm.NotFound, "module_not_found")
		}
		if err := countNotice(ctx, tx, module, a.Now()); err != nil {
			return err
		}
		if administrators {
			return a.tellAdministrators(ctx, tx, who, n, except)
		}
		account, err := tx.Account(ctx, n.To)
		if err != nil {
			return found(err, "account_not_found")
		}
		return a.tellAccount(ctx, tx, who, account, n)
	})
}

// countNotice counts what a module's processes on all replicas have told since a minute began for it.
func countNotice(ctx context.Context, tx store.Tx, module string, now time.Time) error {
	whole := now.Add(time.Millisecond - time.Minute) // a minute that began a whole one ago is over
	told, err := tx.CountAttempt(ctx, "notices:"+module, now, whole)
	if err == nil && told.Count > noticesEachMinute {
		err = crm.Refuse(crm.TooMany, "account_notice_too_many", "Max", noticesEachMinute)
	}
	return err
}

// sentNotices are the times of what modules tried to send from here in the last minute: who tries too
// often isn't even let to the database.
type sentNotices struct {
	mu sync.Mutex
	by map[string][]time.Time
}

// take counts one more of a module, false when it has sent too many.
func (s *sentNotices) take(module string, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	times := s.by[module]
	for len(times) > 0 && now.Sub(times[0]) >= time.Minute {
		times = times[1:]
	}
	if len(times) >= noticesEachMinute {
		return false
	}
	if s.by == nil {
		s.by = map[string][]time.Time{}
	}
	s.by[module] = append(times, now)
	return true
}

// sweepNotices drops what is too old to be news, and mail that nobody sent for as long.
func (a *App) sweepNotices(ctx context.Context, tx store.Tx, now time.Time) error {
	if err := tx.SweepNotices(ctx, now.Add(-noticeLife)); err != nil {
		return err
	}
	return tx.SweepMail(ctx, now.Add(-noticeLife))
}
