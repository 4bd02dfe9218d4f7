package app

import (
	"context"
	"errors"
	"time"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/store"
)

// MaxSwitch is the longest a switch may last, whatever the hook allows.
const MaxSwitch = 12 * time.Hour

// MaxReason is the longest reason, in characters.
const MaxReason = 500

// MaxTicket is the longest number of a ticket, in characters.
const MaxTicket = 100

// SwitchWish is what somebody asks who wants to become another.
type SwitchWish struct {
	Target crm.AccountKey
	Reason string // may be empty: the hook says whether there must be one
	Ticket string // may be empty, as the reason
}

// SwitchSession makes the wished target the subject of who's session until the returned time, and
// returns the session's new secret: the old one is dead. The actor never changes. Denied if a rule
// or the hook refuses, NotFound if there is no such target, Conflict if the session is switched
// already (switches never nest) or another request changed it meanwhile. The change, its audit entry
// and what people are told of it commit together; a refusal is recorded, and leaves the session as
// it was. Denied password_confirmation_needed asks for the own password (ConfirmPassword) and is no
// refusal: the switch returned with it says who would have been whom.
func (a *App) SwitchSession(ctx context.Context, who crm.Who, wish SwitchWish) (string, crm.Switch, error) {
	if !who.SignedIn() || who.Session.ID == 0 {
		return "", crm.Switch{}, crm.Refuse(crm.SignedOut, "signed_out")
	}
	for range 3 {
		w, before, err := a.prepareSwitch(ctx, who, wish)
		if err != nil {
			return "", w, a.refuseSwitch(ctx, who, w, err)
		}
		secret, err := a.startSwitch(ctx, who, &w, before)
		if !errors.Is(err, errDecidedBefore) {
			if err != nil {
				w = crm.Switch{}
			}
			return secret, w, err
		}
	}
	return "", crm.Switch{}, crm.Refuse(crm.Conflict, "session_changed")
}

// errDecidedBefore says that the hook decided without knowing of another start of the actor.
var errDecidedBefore = errors.New("decided before another start")

// startSwitch makes w what the session is under, and returns the session's new secret. What the hook
// was told of the actor's starts must still be so: two at once in two browsers are decided one after
// the other, so that neither a limit on how many nor an approval for one is got round.
func (a *App) startSwitch(ctx context.Context, who crm.Who, w *crm.Switch, before int64) (string, error) {
	secret, hash := newSecret()
	err := a.store.Write(ctx, func(tx store.Tx) error {
		last, err := tx.LastStartAlone(ctx, w.Actor)
		if err == nil {
			err = a.stands(ctx, tx, who)
		}
		if err == nil && last != before {
			err = errDecidedBefore
		}
		if err != nil {
			return err
		}
		if w.ID, err = tx.InsertSwitch(ctx, *w); err != nil {
			return err
		}
		if err := a.recordStart(ctx, tx, who, *w); err != nil {
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
		return "", err
	}
	return secret, nil
}

// recordStart writes the entry of a start, in the name of actor and subject, and tells who must know.
func (a *App) recordStart(ctx context.Context, tx store.Tx, who crm.Who, w crm.Switch) error {
	who.Subject.Key, who.Subject.Name, who.Session.SwitchID, who.Switch = w.Subject, w.SubjectName, w.ID, &w
	detail := map[string]string{"reason": w.Reason, "until": w.ExpiresAt.Format(time.RFC3339), "mode": string(w.Mode)}
	if w.Ticket != "" {
		detail["ticket"] = w.Ticket
	}
	if err := a.audit(tx, who, "switch_started", w.Subject.String(), detail); err != nil {
		return err
	}
	return a.tellOfSwitch(ctx, tx, who, w, false)
}

// prepareSwitch asks every rule and the hook, and returns the switch as it would be recorded, and the
// actor's last start that the hook knew of.
func (a *App) prepareSwitch(ctx context.Context, who crm.Who, wish SwitchWish) (crm.Switch, int64, error) {
	now := a.Now()
	w := crm.Switch{
		SessionID: who.Session.ID, Actor: who.Actor.Key, ActorName: who.Actor.Name, ActorRole: who.Actor.Detail(), Subject: wish.Target, SubjectName: wish.Target.String(),
		Mode: crm.ReadOnly, IP: who.Client.IP, Browser: crm.Cut(who.Client.Browser, 300), StartedAt: now, ExpiresAt: now,
	}
	if who.Session.Switched() {
		return w, 0, crm.Refuse(crm.Conflict, "switch_nested", "Subject", who.Subject.Name)
	}
	var err error
	if w.Reason, err = crm.CleanText(wish.Reason, MaxReason); err != nil {
		return w, 0, err
	}
	if w.Ticket, err = crm.CleanText(wish.Ticket, MaxTicket); err != nil {
		return w, 0, err
	}
	account, err := a.store.Read().Account(ctx, wish.Target)
	if err != nil {
		return w, 0, found(err, "switch_no_target")
	}
	w.SubjectName, w.SubjectDetail, w.CustomerID = account.Name, account.Detail(), account.CustomerID
	before, err := a.store.Read().LastStart(ctx, w.Actor)
	if err != nil {
		return w, 0, err
	}
	d, err := a.decideStart(ctx, who, account, w)
	if err != nil {
		return w, 0, err
	}
	w.ExpiresAt, w.Mode, w.Notices = now.Add(min(d.Limit, MaxSwitch)), d.Mode, d.Notices
	return w, before, nil
}

// decideStart asks the ceiling, the hook, and whether the own password was given when the hook wants
// that.
func (a *App) decideStart(ctx context.Context, who crm.Who, target crm.Account, w crm.Switch) (crm.SwitchDecision, error) {
	recent, err := a.store.Read().RecentTargets(ctx, who.Actor.Key, target.Key, w.StartedAt.Add(-time.Hour))
	if err != nil {
		return crm.SwitchDecision{}, err
	}
	d, err := a.decide(ctx, crm.SwitchQuestion{
		Moment: crm.SwitchStart, Actor: who.Actor, Target: target, Reason: w.Reason, Ticket: w.Ticket, RecentTargets: recent, Revision: who.Revision,
	})
	if err == nil && d.PasswordWithin > 0 {
		err = a.confirmedWithin(ctx, who, min(d.PasswordWithin, confirmationLife))
	}
	return d, err
}

// decide asks the ceiling and then the hook. It is the only place that asks either for a session, at
// every moment.
func (a *App) decide(ctx context.Context, q crm.SwitchQuestion) (crm.SwitchDecision, error) {
	if err := crm.CheckCeiling(q.Actor, q.Target); err != nil {
		return crm.SwitchDecision{}, err
	}
	d, err := a.policy.DecideSwitch(ctx, q)
	if err == nil && (d.Limit <= 0 || (d.Mode != crm.Full && d.Mode != crm.ReadOnly)) {
		err = crm.Refuse(crm.Unavailable, "switch_module_off")
	}
	return d, err
}

// refuseSwitch records a refused attempt and returns why it was refused.
func (a *App) refuseSwitch(ctx context.Context, who crm.Who, w crm.Switch, why error) error {
	e := asError(why)
	if e == nil || e.Kind == crm.Invalid || e.Key == "database_unavailable" || e.Key == "password_confirmation_needed" {
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
