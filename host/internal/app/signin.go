package app

import (
	"context"
	"errors"
	"math"
	"strconv"
	"time"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/store"
)

// Lock-out: so many failures within the window, counted from the first, lock the account or the
// address out for as long.
const (
	lockWindow          = 15 * time.Minute
	lockAccountFailures = 5
	lockAddressFailures = 50
)

// SignIn opens a session for the account of this area with this address and password, and returns
// the secret the browser is to keep. Denied sign_in_wrong (which of the two was wrong isn't said),
// sign_in_inactive, or TooMany sign_in_locked with the minutes left.
func (a *App) SignIn(ctx context.Context, area crm.Area, email, password string, client crm.Client) (string, crm.Who, error) {
	kind := crm.Contact
	if area == crm.Admin {
		kind = crm.Staff
	}
	if clean, err := crm.CleanEmail(email); err == nil {
		email = clean
	}
	sources := lockSources(kind, email, client)
	if err := a.countAttempt(ctx, sources); err != nil {
		return "", crm.Who{}, err
	}
	account, err := a.store.Read().CredentialsByEmail(ctx, kind, email)
	if err != nil && crm.KindOf(err) != crm.NotFound {
		return "", crm.Who{}, err
	}
	right, err := a.passwords.check(ctx, account.PasswordHash, password)
	if err != nil {
		return "", crm.Who{}, err
	}
	if !right {
		return "", crm.Who{}, a.signInFailed(ctx, account.Account, email, client)
	}
	if !account.Active {
		return "", crm.Who{}, crm.Refuse(crm.Denied, "sign_in_inactive")
	}
	return a.openSession(ctx, account.Account, sources, client)
}

// lockSource is something failures are counted for.
type lockSource struct {
	name string
	most int64
}

func lockSources(kind crm.AccountKind, email string, client crm.Client) []lockSource {
	list := []lockSource{{string(kind) + ":" + email, lockAccountFailures}}
	if client.IP != "" {
		list = append(list, lockSource{"ip:" + client.IP, lockAddressFailures})
	}
	return list
}

// countAttempt counts an attempt before it is known whether it is right: guesses made side by side
// are counted like any others. TooMany when there were too many already; then it isn't counted.
func (a *App) countAttempt(ctx context.Context, sources []lockSource) error {
	now := a.Now()
	var refused error
	err := a.store.Write(ctx, func(tx store.Tx) error {
		for _, s := range sources {
			f, err := tx.CountAttempt(ctx, s.name, now, now.Add(-lockWindow))
			if err != nil {
				return err
			}
			left := f.LockedUntil.Sub(now)
			if left > 0 {
				return lockedFor(left)
			}
			if f.Count > s.most && refused == nil {
				f.LockedUntil = now.Add(lockWindow)
				refused = lockedFor(lockWindow)
				if err := tx.SetSignInFailures(ctx, s.name, f); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return errors.Join(err, refused)
}

func lockedFor(left time.Duration) error {
	return crm.Refuse(crm.TooMany, "sign_in_locked", "Minutes", int(math.Ceil(left.Minutes())))
}

// forgive takes back what a right attempt was counted for: its account starts anew, its address
// counts one less.
func forgive(ctx context.Context, tx store.Tx, sources []lockSource) error {
	if err := tx.ClearSignInFailures(ctx, sources[0].name); err != nil {
		return err
	}
	for _, s := range sources[1:] {
		if err := tx.ForgiveAttempt(ctx, s.name); err != nil {
			return err
		}
	}
	return nil
}

// signInFailed records the failure and returns what the person is told.
func (a *App) signInFailed(ctx context.Context, account crm.Account, email string, client crm.Client) error {
	err := a.store.Write(ctx, func(tx store.Tx) error {
		nobody := crm.Who{Client: client}
		object := ""
		if account.Key.ID != 0 {
			object = account.Key.String()
		}
		return a.audit(tx, nobody, "sign_in_failed", object, map[string]string{"email": email})
	})
	if err != nil {
		return err
	}
	return crm.Refuse(crm.Denied, "sign_in_wrong")
}

// openSession writes a new session, under no switch whatever the browser had before.
func (a *App) openSession(ctx context.Context, account crm.Account, sources []lockSource, client crm.Client) (string, crm.Who, error) {
	life, idle, err := a.sessionTimes(ctx)
	if err != nil {
		return "", crm.Who{}, err
	}
	now := a.Now()
	_, formKey := newSecret()
	secret, hash := newSecret()
	s := crm.Session{
		Actor: account.Key, Subject: account.Key, Version: 1, CreatedAt: now, SeenAt: now, ExpiresAt: now.Add(min(life, idle)),
		IP: client.IP, Browser: crm.Cut(client.Browser, 300), FormKey: formKey,
	}
	who := crm.Who{Session: s, Actor: account, Subject: account, Client: client}
	err = a.store.Write(ctx, func(tx store.Tx) error {
		if s.Notice, err = lastSwitchNotice(ctx, tx, account); err != nil {
			return err
		}
		if who.Session.ID, err = tx.InsertSession(ctx, store.NewSession{Session: s, SecretHash: hash}); err != nil {
			return err
		}
		if err := forgive(ctx, tx, sources); err != nil {
			return err
		}
		if err := tx.SetLastSignIn(ctx, account.Key, now); err != nil {
			return err
		}
		if who.Revision, err = tx.Revision(ctx); err != nil {
			return err
		}
		return a.audit(tx, who, "signed_in", account.Key.String(), nil)
	})
	return secret, who, err
}

// lastSwitchNotice says at sign-in how the last switch ended, when it ended without the person's
// own doing since they last signed in.
func lastSwitchNotice(ctx context.Context, tx store.Tx, account crm.Account) (crm.Notice, error) {
	w, err := tx.LastSwitch(ctx, account.Key)
	if crm.KindOf(err) == crm.NotFound {
		return crm.Notice{}, nil
	}
	if err != nil || w.End == crm.EndStopped || w.EndedAt.Before(account.LastSignIn) {
		return crm.Notice{}, err
	}
	return switchNotice("last_", w, w.End, w.EndedAt), nil
}

// sessionTimes reads how long a session may last at all and without use.
func (a *App) sessionTimes(ctx context.Context) (life, idle time.Duration, err error) {
	values, err := a.Settings(ctx, "security")
	if err != nil {
		return 0, 0, err
	}
	hours, err := strconv.Atoi(values["session_hours"])
	if err != nil {
		return 0, 0, err
	}
	minutes, err := strconv.Atoi(values["idle_minutes"])
	return time.Duration(hours) * time.Hour, time.Duration(minutes) * time.Minute, err
}
