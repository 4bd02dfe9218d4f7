package app

import (
	"context"
	"time"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/store"
)

// ExtendSwitch gives who's switch more time, as much as the hook allows and never past MaxSwitch
// from its start, and returns it as it stands then. Invalid reason_missing without a reason,
// NotFound when the session isn't switched, Conflict when there is no more time to be had, Denied
// when a rule or the hook refuses; a refusal is recorded.
func (a *App) ExtendSwitch(ctx context.Context, who crm.Who, reason string) (crm.Switch, error) {
	w, d, err := a.decideWider(ctx, who, crm.SwitchExtend, reason)
	if err != nil {
		return w, a.refuseWider(ctx, who, "switch_extension_refused", err)
	}
	expires := w.StartedAt.Add(min(d.Limit, MaxSwitch))
	if !expires.After(w.ExpiresAt) {
		return w, a.refuseWider(ctx, who, "switch_extension_refused", crm.Refuse(crm.Conflict, "switch_no_more_time"))
	}
	w.ExpiresAt, w.Extensions = expires, w.Extensions+1
	if d.Mode == crm.ReadOnly {
		w.Mode = crm.ReadOnly // more time never means more rights
	}
	detail := map[string]string{"reason": w.Reason, "until": expires.Format(time.RFC3339)}
	return w, a.widen(ctx, who, "switch_extended", detail, func(tx store.Tx) (bool, error) {
		return tx.ExtendSwitch(ctx, w.ID, expires, w.Mode)
	})
}

// ElevateSwitch lets who, in a read-only switch, do what the subject may do, but for what is
// sensitive. It takes the actor's own password, given now. Invalid reason_missing or password_wrong,
// TooMany sign_in_locked, NotFound when the session isn't switched, Conflict when the switch isn't
// read-only, Denied when a rule or the hook refuses; a refusal is recorded.
func (a *App) ElevateSwitch(ctx context.Context, who crm.Who, reason, password string) (crm.Switch, error) {
	if who.Switch != nil && who.Switch.Mode == crm.Full {
		return *who.Switch, crm.Refuse(crm.Conflict, "switch_full_already", "Subject", who.Subject.Name)
	}
	w, d, err := a.decideWider(ctx, who, crm.SwitchElevate, reason)
	if err == nil && d.Mode != crm.Full {
		err = crm.Refuse(crm.Denied, "switch_stays_read_only")
	}
	if err != nil {
		return w, a.refuseWider(ctx, who, "switch_elevation_refused", err)
	}
	_, sources, err := a.checkOwnPassword(ctx, who, password)
	if err != nil {
		return w, err
	}
	w.Mode, w.ElevatedAt = crm.Full, a.Now()
	return w, a.widen(ctx, who, "switch_elevated", map[string]string{"reason": w.Reason}, func(tx store.Tx) (bool, error) {
		if err := forgive(ctx, tx, sources); err != nil {
			return false, err
		}
		return tx.ElevateSwitch(ctx, w.ID, w.ElevatedAt)
	})
}

// decideWider asks whether a running switch may be given more; the returned switch carries the
// reason of the wish.
func (a *App) decideWider(ctx context.Context, who crm.Who, moment crm.SwitchMoment, reason string) (crm.Switch, crm.SwitchDecision, error) {
	if !who.SignedIn() {
		return crm.Switch{}, crm.SwitchDecision{}, crm.Refuse(crm.SignedOut, "signed_out")
	}
	if who.Switch == nil {
		return crm.Switch{}, crm.SwitchDecision{}, crm.Refuse(crm.NotFound, "not_switched")
	}
	w := *who.Switch
	reason, err := crm.CleanText(reason, MaxReason)
	if err == nil && reason == "" {
		err = crm.Refuse(crm.Invalid, "reason_missing", "Field", "reason")
	}
	if err != nil {
		return w, crm.SwitchDecision{}, err
	}
	d, err := a.decide(ctx, crm.SwitchQuestion{Moment: moment, Actor: who.Actor, Target: who.Subject, Reason: reason, Ticket: w.Ticket, Switch: who.Switch, Revision: who.Revision})
	w.Reason = reason
	return w, d, err
}

// widen changes the running switch, unless it has ended or changed meanwhile.
func (a *App) widen(ctx context.Context, who crm.Who, action string, detail map[string]string, do func(store.Tx) (bool, error)) error {
	return a.change(ctx, who, action, func(tx store.Tx) (string, map[string]string, error) {
		done, err := do(tx)
		if err == nil && !done {
			err = crm.Refuse(crm.Conflict, "session_changed")
		}
		return who.Subject.Key.String(), detail, err
	})
}

// refuseWider records that a wish for more was refused, and returns why.
func (a *App) refuseWider(ctx context.Context, who crm.Who, action string, why error) error {
	e := asError(why)
	if e == nil || who.Switch == nil || e.Kind == crm.Invalid || e.Key == "database_unavailable" {
		return why
	}
	err := a.store.Write(ctx, func(tx store.Tx) error {
		return a.audit(tx, who, action, who.Subject.Key.String(), map[string]string{"rule": e.Key})
	})
	if err != nil {
		return err
	}
	return why
}
