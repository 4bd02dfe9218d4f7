package app

import (
	"context"
	"strconv"
	"time"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/store"
)

// MaxSwitch is the longest a switch may last, whatever the hook allows.
const MaxSwitch = 12 * time.Hour

// MaxReason is the longest reason, in characters.
const MaxReason = 500

// SwitchSession makes target the subject of who's session until the returned time, and returns the
// session's new secret: the old one is dead. The actor never changes. Denied if a rule or the hook
// refuses, NotFound if there is no such target, Conflict if the session is switched already
// (switches never nest) or another request changed it meanwhile. The change and its audit entry
// commit together; a refusal is recorded, and leaves the session as it was.
func (a *App) SwitchSession(ctx context.Context, who crm.Who, target crm.AccountKey, reason string) (string, crm.Switch, error) {
	if !who.SignedIn() || who.Session.ID == 0 {
		return "", crm.Switch{}, crm.Refuse(crm.SignedOut, "signed_out")
	}
	w, err := a.prepareSwitch(ctx, who, target, reason)
	if err != nil {
		return "", crm.Switch{}, a.refuseSwitch(ctx, who, w, err)
	}
	secret, hash := newSecret()
	err = a.store.Write(ctx, func(tx store.Tx) error {
		if err := a.stands(ctx, tx, who); err != nil {
			return err
		}
		if w.ID, err = tx.InsertSwitch(ctx, w); err != nil {
			return err
		}
		switched := who
		switched.Subject.Key, switched.Subject.Name, switched.Session.SwitchID = w.Subject, w.SubjectName, w.ID
		detail := map[string]string{"reason": w.Reason, "until": w.ExpiresAt.Format(time.RFC3339), "mode": string(w.Mode)}
		if err := a.audit(tx, switched, "switch_started", w.Subject.String(), detail); err != nil {
			return err
		}
		// The revision is the one the rights were read at: what changed since asks again on the next request.
		swapped, err := tx.SwapSubject(ctx, who.Session, w.Subject, w.ID, who.Revision, hash, crm.Notice{})
		if err == nil && !swapped {
			err = crm.Refuse(crm.Conflict, "session_changed")
		}
		return err
	})
	if err != nil {
		return "", crm.Switch{}, err
	}
	return secret, w, nil
}

// prepareSwitch asks every rule and the hook, and returns the switch as it would be recorded.
func (a *App) prepareSwitch(ctx context.Context, who crm.Who, target crm.AccountKey, reason string) (crm.Switch, error) {
	now := a.Now()
	w := crm.Switch{
		SessionID: who.Session.ID, Actor: who.Actor.Key, ActorName: who.Actor.Name, ActorRole: who.Actor.Detail(), Subject: target, SubjectName: target.String(),
		Mode: crm.ReadOnly, IP: who.Client.IP, Browser: crm.Cut(who.Client.Browser, 300), StartedAt: now, ExpiresAt: now,
	}
	if who.Session.Switched() {
		return w, crm.Refuse(crm.Conflict, "switch_nested", "Subject", who.Subject.Name)
	}
	var err error
	if w.Reason, err = crm.CleanText(reason, MaxReason); err != nil {
		return w, err
	}
	account, err := a.store.Read().Account(ctx, target)
	if err != nil {
		return w, found(err, "switch_no_target")
	}
	w.SubjectName, w.SubjectDetail = account.Name, account.Detail()
	if err := crm.CheckCeiling(who.Actor, account); err != nil {
		return w, err
	}
	d, err := a.policy.DecideSwitch(ctx, crm.SwitchQuestion{Actor: who.Actor, Target: account, Reason: w.Reason})
	if err != nil {
		return w, err
	}
	if d.Limit <= 0 || (d.Mode != crm.Full && d.Mode != crm.ReadOnly) {
		return w, crm.Refuse(crm.Unavailable, "switch_module_off")
	}
	w.ExpiresAt, w.Mode = now.Add(min(d.Limit, MaxSwitch)), d.Mode
	return w, nil
}

// refuseSwitch records a refused attempt and returns why it was refused.
func (a *App) refuseSwitch(ctx context.Context, who crm.Who, w crm.Switch, why error) error {
	e := asError(why)
	if e == nil || e.Kind == crm.Invalid || e.Key == "database_unavailable" {
		return why
	}
	w.Refusal, w.EndedAt = e.Key, w.StartedAt
	err := a.store.Write(ctx, func(tx store.Tx) error {
		if _, err := tx.InsertSwitch(ctx, w); err != nil {
			return err
		}
		return a.audit(tx, who, "switch_refused", w.Subject.String(), map[string]string{"rule": e.Key, "target": w.SubjectName})
	})
	if err != nil {
		return err
	}
	return why
}

// RestoreSession makes the actor the subject again and returns the session's new secret: the old
// one is dead. It needs no right, no hook and no module. NotFound when the session isn't switched.
func (a *App) RestoreSession(ctx context.Context, who crm.Who) (string, crm.Switch, error) {
	if !who.SignedIn() {
		return "", crm.Switch{}, crm.Refuse(crm.SignedOut, "signed_out")
	}
	if who.Switch == nil {
		return "", crm.Switch{}, crm.Refuse(crm.NotFound, "not_switched")
	}
	ended := *who.Switch
	ended.EndedAt, ended.End = a.Now(), crm.EndStopped
	secret, err := a.endSwitch(ctx, who, crm.EndStopped, switchNotice("", ended, crm.EndStopped, ended.EndedAt))
	return secret, ended, err
}

// endSwitch sets the subject back to the actor, with a sentence for the next page, and closes the
// record, in one transaction. Conflict when another request changed the session meanwhile.
func (a *App) endSwitch(ctx context.Context, who crm.Who, cause crm.EndCause, notice crm.Notice) (string, error) {
	secret, hash := newSecret()
	err := a.store.Write(ctx, func(tx store.Tx) error {
		if err := a.closeSwitch(ctx, tx, who, cause); err != nil {
			return err
		}
		swapped, err := tx.SwapSubject(ctx, who.Session, who.Actor.Key, 0, 0, hash, notice)
		if err == nil && !swapped {
			err = crm.Refuse(crm.Conflict, "session_changed")
		}
		return err
	})
	if err != nil {
		return "", err
	}
	return secret, nil
}

// closeSwitch writes the one end of the switch the session is under, if it has none yet.
func (a *App) closeSwitch(ctx context.Context, tx store.Tx, who crm.Who, cause crm.EndCause) error {
	if !who.Session.Switched() {
		return nil
	}
	ended, err := tx.EndSwitch(ctx, who.Session.SwitchID, a.Now(), cause)
	if err != nil || !ended {
		return err
	}
	return a.audit(tx, who, "switch_ended", who.Session.Subject.String(), map[string]string{"cause": string(cause)})
}

// closeSwitchOf is closeSwitch for a session nobody is at: names come from the record.
func (a *App) closeSwitchOf(ctx context.Context, tx store.Tx, s crm.Session, cause crm.EndCause) error {
	if !s.Switched() {
		return nil
	}
	w, err := tx.Switch(ctx, s.SwitchID)
	if crm.KindOf(err) == crm.NotFound {
		return nil // there is no record to close
	}
	if err != nil {
		return err
	}
	return a.closeSwitch(ctx, tx, whoRecorded(s, w), cause)
}

// whoRecorded is who was under a switch, as it was recorded.
func whoRecorded(s crm.Session, w crm.Switch) crm.Who {
	return crm.Who{Session: s, Switch: &w, Actor: crm.Account{Key: w.Actor, Name: w.ActorName}, Subject: crm.Account{Key: w.Subject, Name: w.SubjectName}}
}

// switchNotice is the sentence that tells the actor how a switch ended.
func switchNotice(prefix string, w crm.Switch, cause crm.EndCause, now time.Time) crm.Notice {
	minutes := strconv.Itoa(int(now.Sub(w.StartedAt).Round(time.Minute).Minutes()))
	return crm.Notice{Key: "switch_" + prefix + "ended_" + string(cause), Args: map[string]string{"Subject": w.SubjectName, "Minutes": minutes}}
}

// RecordRefusal notes that something was refused because of a switch.
func (a *App) RecordRefusal(ctx context.Context, who crm.Who, what string) error {
	return a.store.Write(ctx, func(tx store.Tx) error {
		return a.audit(tx, who, "refused", crm.Cut(what, 200), nil)
	})
}

// SwitchQuery narrows and pages the record of switches.
type SwitchQuery = store.SwitchQuery

// Switches lists switches and refused attempts, newest first. For modules: who may see it is the
// module's to say, and its grant the host's to check.
func (a *App) Switches(ctx context.Context, q SwitchQuery) (crm.Page[crm.Switch], error) {
	return a.store.Read().Switches(ctx, q)
}

// Sweep closes what nobody came back for: sessions past their time, switches past theirs, and
// switches whose session is gone. It is called now and then; no answer depends on it.
func (a *App) Sweep(ctx context.Context) error {
	now := a.Now()
	for _, sweep := range []func(context.Context, store.Tx, time.Time) error{a.sweepSessions, a.sweepOverdue, a.sweepLost, a.sweepRest, a.sweepModuleLogs, a.sweepAudit, a.sweepNotices} {
		if err := a.store.Write(ctx, func(tx store.Tx) error { return sweep(ctx, tx, now) }); err != nil {
			return err
		}
	}
	return nil
}

func (a *App) sweepSessions(ctx context.Context, tx store.Tx, now time.Time) error {
	list, err := tx.ExpiredSessions(ctx, now)
	if err != nil {
		return err
	}
	for _, s := range list {
		if err := a.closeSwitchOf(ctx, tx, s, crm.EndExpired); err != nil {
			return err
		}
		if err := tx.DeleteSession(ctx, s.ID); err != nil {
			return err
		}
	}
	return nil
}

// sweepOverdue closes the record; the session itself is set back when it is next used, since only
// then is there a browser to take the new secret.
func (a *App) sweepOverdue(ctx context.Context, tx store.Tx, now time.Time) error {
	list, err := tx.OverdueSessions(ctx, now)
	if err != nil {
		return err
	}
	for _, s := range list {
		if err := a.closeSwitchOf(ctx, tx, s, crm.EndExpired); err != nil {
			return err
		}
	}
	return nil
}

func (a *App) sweepLost(ctx context.Context, tx store.Tx, _ time.Time) error {
	list, err := tx.LostSwitches(ctx)
	if err != nil {
		return err
	}
	for _, w := range list {
		s := crm.Session{ID: w.SessionID, Actor: w.Actor, Subject: w.Subject, SwitchID: w.ID}
		if err := a.closeSwitch(ctx, tx, whoRecorded(s, w), crm.EndSessionLost); err != nil {
			return err
		}
	}
	return nil
}

func (a *App) sweepRest(ctx context.Context, tx store.Tx, now time.Time) error {
	if err := tx.SweepStaged(ctx, now.Add(-24*time.Hour)); err != nil {
		return err
	}
	if err := tx.SweepConfirmations(ctx, now.Add(-confirmationLife)); err != nil {
		return err
	}
	return tx.SweepSignInFailures(ctx, now.Add(-lockWindow))
}
