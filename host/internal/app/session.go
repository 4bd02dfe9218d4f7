package app

import (
	"context"
	"time"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/store"
)

// touchEvery is how often a session's last use is written at most.
const touchEvery = time.Minute

// maxSessionsShown bounds the list of one's own sessions; ending them knows no bound.
const maxSessionsShown = 200

// Resolution is the answer to "who is this?".
type Resolution struct {
	Who crm.Who // not SignedIn when nobody is
	// NewSecret is set when the session's switch has just ended: the browser must keep it instead of
	// the one it sent, which is dead.
	NewSecret string
	Notice    crm.Notice // a sentence for the next page
	Unread    bool       // App.Notices has something to tell
}

// Resolve says who makes a request that carries secret. It is the only place that does. A switch
// that may not go on (its time is up, somebody is gone or deactivated, the ceiling or the hook
// would refuse it now) is ended here, and the request goes on as the actor. Unavailable when the
// database doesn't answer: then nobody is anybody.
func (a *App) Resolve(ctx context.Context, secret string, client crm.Client) (Resolution, error) {
	if secret == "" {
		return Resolution{}, nil
	}
	r, err := a.store.Read().Resolve(ctx, hashSecret(secret))
	if crm.KindOf(err) == crm.NotFound {
		return Resolution{}, nil
	}
	if err != nil {
		return Resolution{}, err
	}
	who := whoOf(r, client)
	switch now := a.Now(); {
	case !now.Before(r.Session.ExpiresAt):
		return Resolution{}, a.endSession(ctx, who, crm.EndExpired)
	case !r.Actor.Active:
		return Resolution{}, a.endSession(ctx, who, crm.EndActorInactive)
	}
	resolution := Resolution{Who: who, Notice: r.Session.Notice, Unread: r.Unread}
	if who.Session.Switched() {
		if resolution, err = a.recheck(ctx, r, resolution); err != nil {
			return Resolution{}, err
		}
	}
	if err := a.touch(ctx, resolution.Who); err != nil {
		if resolution.NewSecret == "" {
			return Resolution{}, err
		}
		a.log.WarnContext(ctx, "a session's use was not noted", "error", err) // the new secret must reach the browser
	}
	return resolution, nil
}

// whoOf makes Who out of what one query found. Only an open switch makes the subject another.
func whoOf(r store.Resolved, client crm.Client) crm.Who {
	actor := named(r.Actor, r.Session.Actor, r.Switch.ActorName)
	who := crm.Who{Session: r.Session, Actor: actor, Subject: actor, Revision: r.Revision, Client: client}
	if r.Session.Switched() && r.Switch.ID == r.Session.SwitchID && r.Switch.EndedAt.IsZero() {
		w := r.Switch
		who.Switch, who.Subject = &w, named(r.Subject, r.Session.Subject, r.Switch.SubjectName)
	}
	return who
}

// named is the account, or where its row is gone its key and the name it had, so that the record of
// the end still says who it was. It is inactive and holds no right.
func named(a crm.Account, key crm.AccountKey, name string) crm.Account {
	if a.Key.ID == 0 {
		return crm.Account{Key: key, Name: name}
	}
	return a
}

// recheck ends the session's switch if it may not go on.
func (a *App) recheck(ctx context.Context, r store.Resolved, resolution Resolution) (Resolution, error) {
	cause, err := a.whyEnd(ctx, r, resolution.Who)
	if err != nil || cause == "" {
		return resolution, err
	}
	notice := crm.Notice{}
	if r.Switch.ID != 0 {
		notice = switchNotice("", r.Switch, cause, a.Now())
	}
	secret, err := a.endSwitch(ctx, resolution.Who, cause, notice)
	if crm.KindOf(err) == crm.Conflict {
		// Another request of this session was faster; its answer carries the new secret. This one is
		// nobody's until the browser has it.
		return Resolution{}, nil
	}
	if err != nil {
		return Resolution{}, err
	}
	who := backToActor(resolution.Who)
	return Resolution{Who: who, NewSecret: secret, Notice: notice}, nil
}

// whyEnd is the cause for which a switch must end now, empty when it may go on. The hook is asked
// only when rights have changed since it last allowed.
func (a *App) whyEnd(ctx context.Context, r store.Resolved, who crm.Who) (crm.EndCause, error) {
	switch {
	case who.Switch == nil && r.Switch.End != "":
		return r.Switch.End, nil // its record is closed already: overdue, and swept
	case who.Switch == nil:
		return crm.EndSessionLost, nil
	case !a.Now().Before(who.Switch.ExpiresAt):
		return crm.EndExpired, nil
	case r.Subject.Key.ID == 0 || !r.Subject.Active:
		return crm.EndTargetInactive, nil
	case r.Session.Decided >= r.Revision:
		return "", nil
	}
	d, err := a.decideAgain(ctx, r, who)
	switch {
	case ctx.Err() != nil:
		return "", &crm.Error{Kind: crm.Unavailable, Key: "request_cancelled", Err: ctx.Err()}
	case err == nil:
		return a.goOn(ctx, r, who, d)
	case crm.KindOf(err) == crm.Denied:
		return crm.EndNotAllowed, nil
	default:
		return crm.EndModuleOff, nil
	}
}

// decideAgain asks whether a running switch may go on.
func (a *App) decideAgain(ctx context.Context, r store.Resolved, who crm.Who) (crm.SwitchDecision, error) {
	return a.decide(ctx, crm.SwitchQuestion{
		Moment: crm.SwitchRecheck, Actor: r.Actor, Target: r.Subject, Reason: who.Switch.Reason, Ticket: who.Switch.Ticket, Switch: who.Switch, Revision: r.Revision,
	})
}

// goOn remembers that the switch was allowed again. Such a decision may shorten it, even so much that
// it is over, and take from what it may do; only ExtendSwitch and ElevateSwitch give.
func (a *App) goOn(ctx context.Context, r store.Resolved, who crm.Who, d crm.SwitchDecision) (crm.EndCause, error) {
	expires := who.Switch.StartedAt.Add(d.Limit)
	if expires.After(who.Switch.ExpiresAt) {
		expires = who.Switch.ExpiresAt
	}
	if who.Switch.Mode == crm.ReadOnly {
		d.Mode = crm.ReadOnly
	}
	was := *who.Switch
	who.Switch.ExpiresAt, who.Switch.Mode = expires, d.Mode
	err := a.store.Write(ctx, func(tx store.Tx) error {
		return tx.SetDecided(ctx, r.Session, r.Revision, was, expires, d.Mode)
	})
	if err == nil && !a.Now().Before(expires) {
		return crm.EndExpired, nil
	}
	return "", err
}

// backToActor is who without its switch.
func backToActor(who crm.Who) crm.Who {
	who.Subject, who.Switch = who.Actor, nil
	who.Session.Subject, who.Session.SwitchID = who.Actor.Key, 0
	who.Session.Version++
	return who
}

// touch remembers that the session is in use, and shows its notice once.
func (a *App) touch(ctx context.Context, who crm.Who) error {
	if !who.SignedIn() || a.Now().Sub(who.Session.SeenAt) < touchEvery {
		return nil
	}
	life, idle, err := a.sessionTimes(ctx)
	if err != nil {
		return err
	}
	now := a.Now()
	expires := now.Add(idle)
	if end := who.Session.CreatedAt.Add(life); end.Before(expires) {
		expires = end
	}
	return a.store.Write(ctx, func(tx store.Tx) error {
		return tx.TouchSession(ctx, who.Session.ID, now, expires, who.Client.IP)
	})
}

// NoticeShown forgets the session's sentence for the next page: it has been shown.
func (a *App) NoticeShown(ctx context.Context, who crm.Who) error {
	return a.store.Write(ctx, func(tx store.Tx) error {
		_, err := tx.ClearNotice(ctx, who.Session.ID)
		return err
	})
}

// SignOut ends the session and, if it is switched, the switch with it.
func (a *App) SignOut(ctx context.Context, who crm.Who) error {
	if !who.SignedIn() {
		return nil
	}
	return a.endSession(ctx, who, crm.EndSignedOut)
}

// endSession deletes the session; a switch it is under ends for cause. One transaction.
func (a *App) endSession(ctx context.Context, who crm.Who, cause crm.EndCause) error {
	return a.store.Write(ctx, func(tx store.Tx) error {
		r, err := tx.ResolveAgain(ctx, who.Session.ID) // it may have switched or returned since the request began
		if crm.KindOf(err) == crm.NotFound {
			return nil
		}
		if err != nil {
			return err
		}
		who := whoOf(r, who.Client)
		if err := a.closeSwitch(ctx, tx, who, cause); err != nil {
			return err
		}
		if cause == crm.EndSignedOut {
			if err := a.audit(tx, who, "signed_out", who.Actor.Key.String(), nil); err != nil {
				return err
			}
		}
		return tx.DeleteSession(ctx, who.Session.ID)
	})
}

// OwnSessions lists the sessions the actor signed in to.
func (a *App) OwnSessions(ctx context.Context, who crm.Who) ([]crm.Session, error) {
	if err := a.allow(who, crm.ReadRoute); err != nil {
		return nil, err
	}
	list, err := a.store.Read().SessionsOf(ctx, who.Subject.Key)
	return list[:min(len(list), maxSessionsShown)], err
}

// RevokeSession ends one of one's own sessions, NotFound when it isn't one.
func (a *App) RevokeSession(ctx context.Context, who crm.Who, id int64) error {
	return a.revoke(ctx, who, func(s crm.Session) bool { return s.ID == id }, true)
}

// RevokeOtherSessions ends all one's own sessions but this one.
func (a *App) RevokeOtherSessions(ctx context.Context, who crm.Who) error {
	return a.revoke(ctx, who, func(s crm.Session) bool { return s.ID != who.Session.ID }, false)
}

func (a *App) revoke(ctx context.Context, who crm.Who, which func(crm.Session) bool, must bool) error {
	if err := a.allow(who, crm.SensitiveRoute); err != nil {
		return err
	}
	return a.change(ctx, who, "sessions_revoked", func(tx store.Tx) (string, map[string]string, error) {
		n, err := a.dropSessions(ctx, tx, who.Actor.Key, which)
		if err == nil && n == 0 && must {
			err = crm.Refuse(crm.NotFound, "session_not_found")
		}
		return who.Actor.Key.String(), nil, err
	})
}

// dropSessions ends those sessions of an account that which names, their switches included.
func (a *App) dropSessions(ctx context.Context, tx store.Tx, account crm.AccountKey, which func(crm.Session) bool) (int, error) {
	list, err := tx.SessionsOf(ctx, account)
	if err != nil {
		return 0, err
	}
	n := 0
	for _, s := range list {
		if !which(s) {
			continue
		}
		n++
		if err := a.dropSession(ctx, tx, s, crm.EndSignedOut); err != nil {
			return n, err
		}
	}
	return n, nil
}

// dropSession deletes a session nobody is at, and with it the switch it is under. The session comes
// first, here and wherever both change: else two who end the same one would wait for each other.
func (a *App) dropSession(ctx context.Context, tx store.Tx, s crm.Session, cause crm.EndCause) error {
	if err := tx.DeleteSession(ctx, s.ID); err != nil {
		return err
	}
	return a.closeSwitchOf(ctx, tx, s, cause)
}
