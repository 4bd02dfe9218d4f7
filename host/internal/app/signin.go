package app

import (
	"context"
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
	if err := a.checkLocked(ctx, sources); err != nil {
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
		return "", crm.Who{}, a.signInFailed(ctx, account.Account, email, sources, client)
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

func (a *App) checkLocked(ctx context.Context, sources []lockSource) error {
	for _, s := range sources {
		f, err := a.store.Read().SignInFailures(ctx, s.name)
		if err != nil {
			return err
		}
		if left := f.LockedUntil.Sub(a.Now()); left > 0 {
			return crm.Refuse(crm.TooMany, "sign_in_locked", "Minutes", int(math.Ceil(left.Minutes())))
		}
	}
	return nil
}

// signInFailed counts the failure and returns what the person is told.
func (a *App) signInFailed(ctx context.Context, account crm.Account, email string, sources []lockSource, client crm.Client) error {
	now := a.Now()
	err := a.store.Write(ctx, func(tx store.Tx) error {
		for _, s := range sources {
			f, err := tx.SignInFailures(ctx, s.name)
			if err != nil {
				return err
			}
			if now.Sub(f.FirstAt) > lockWindow {
				f = store.Failures{FirstAt: now}
			}
			f.Count++
			if f.Count >= s.most {
				f.LockedUntil = now.Add(lockWindow)
			}
			if err := tx.SetSignInFailures(ctx, s.name, f); err != nil {
				return err
			}
		}
		nobody := crm.Who{Client: client}
		object := ""
		if account.Key.ID != 0 {
			object = account.Key.String()
		}
		return a.audit(ctx, tx, nobody, "sign_in_failed", object, map[string]string{"email": email})
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
		for _, source := range sources {
			if err := tx.ClearSignInFailures(ctx, source.name); err != nil {
				return err
			}
		}
		if err := tx.SetLastSignIn(ctx, account.Key, now); err != nil {
			return err
		}
		if who.Revision, err = tx.Revision(ctx); err != nil {
			return err
		}
		return a.audit(ctx, tx, who, "signed_in", account.Key.String(), nil)
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
