package app

import (
	"context"
	"strconv"
	"time"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/store"
)

// endSwitch sets the subject back to the actor, with a sentence for the next page, and closes the
// record, in one transaction. Conflict when another request changed the session meanwhile.
func (a *App) endSwitch(ctx context.Context, who crm.Who, cause crm.EndCause, notice crm.Notice) (string, error) {
	secret, hash := newSecret()
	err := a.store.Write(ctx, func(tx store.Tx) error {
		swapped, err := tx.SwapSubject(ctx, who.Session, who.Actor.Key, 0, 0, hash, notice)
		if err == nil && !swapped {
			err = crm.Refuse(crm.Conflict, "session_changed")
		}
		if err != nil {
			return err
		}
		return a.closeSwitch(ctx, tx, who, cause)
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
	w, ended, err := tx.EndSwitch(ctx, who.Session.SwitchID, who.Session.ID, a.Now(), cause, "")
	if err != nil || !ended {
		return err
	}
	return a.recordEnd(ctx, tx, who, w)
}

// recordEnd writes what was seen and the entry of an end, and tells who must know.
func (a *App) recordEnd(ctx context.Context, tx store.Tx, who crm.Who, w crm.Switch) error {
	if err := a.keepPages(ctx, tx, w.ID); err != nil {
		return err
	}
	if err := a.audit(tx, who, "switch_ended", w.Subject.String(), endDetail(w)); err != nil {
		return err
	}
	return a.tellOfSwitch(ctx, tx, who, w, true)
}

func endDetail(w crm.Switch) map[string]string {
	detail := map[string]string{"cause": string(w.End)}
	if w.EndedBy != "" {
		detail["by"] = w.EndedBy
	}
	return detail
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

// sessionRecorded is the session a switch was started in, as far as its record says.
func sessionRecorded(w crm.Switch) crm.Session {
	return crm.Session{ID: w.SessionID, Actor: w.Actor, Subject: w.Subject, SwitchID: w.ID}
}

// whoRecorded is who was under a switch, as it was recorded.
func whoRecorded(s crm.Session, w crm.Switch) crm.Who {
	return crm.Who{Session: s, Switch: &w, Actor: crm.Account{Key: w.Actor, Name: w.ActorName}, Subject: crm.Account{Key: w.Subject, Name: w.SubjectName}}
}

// switchNotice is the sentence that tells the actor how a switch ended.
func switchNotice(prefix string, w crm.Switch, cause crm.EndCause, now time.Time) crm.Notice {
	minutes := strconv.Itoa(wholeMinutes(w.StartedAt, now))
	return crm.Notice{Key: "switch_" + prefix + "ended_" + string(cause), Args: map[string]string{"Subject": w.SubjectName, "Minutes": minutes}}
}

// wholeMinutes is how long something took; none when the clock was set back meanwhile.
func wholeMinutes(start, end time.Time) int {
	return int(max(end.Sub(start), 0).Round(time.Minute).Minutes())
}

// EndSwitchByForce ends a switch that runs in another browser; that one learns of it with its next
// request. Staff may end any when they are administrators or hold one of these capabilities, and
// always their own; a contact ends what is done as a contact of its own customer. Denied for others
// and under a borrowed name, NotFound when there is none, Conflict when it has ended.
func (a *App) EndSwitchByForce(ctx context.Context, who crm.Who, id int64, anyOf ...crm.Capability) (crm.Switch, error) {
	if err := a.allow(who, crm.SensitiveRoute); err != nil {
		return crm.Switch{}, err
	}
	var w crm.Switch
	err := a.store.Write(ctx, func(tx store.Tx) error {
		if err := a.stands(ctx, tx, who); err != nil {
			return err
		}
		var err error
		if w, err = tx.Switch(ctx, id); err != nil {
			return found(err, "switch_not_found")
		}
		cause, err := endCauseFor(who.Subject, w, anyOf)
		if err != nil {
			return err
		}
		after, ended, err := tx.EndSwitch(ctx, id, 0, a.Now(), cause, who.Actor.Name)
		if err == nil && !ended {
			err = crm.Refuse(crm.Conflict, "switch_has_ended")
		}
		if err != nil {
			return err
		}
		w = after
		return a.recordForce(ctx, tx, who, w)
	})
	return w, err
}

// recordForce writes two entries: who ended it, and the end itself, which belongs to those whose start
// it pairs with.
func (a *App) recordForce(ctx context.Context, tx store.Tx, who crm.Who, w crm.Switch) error {
	who.Session.SwitchID = w.ID // so that it stands among what happened during the switch
	if err := a.audit(tx, who, "switch_forced", w.Subject.String(), map[string]string{"actor": w.ActorName, "subject": w.SubjectName}); err != nil {
		return err
	}
	return a.recordEnd(ctx, tx, whoRecorded(sessionRecorded(w), w), w)
}

// endCauseFor says by what right somebody ends another's switch.
func endCauseFor(by crm.Account, w crm.Switch, anyOf []crm.Capability) (crm.EndCause, error) {
	switch {
	case w.Refusal != "":
		return "", crm.Refuse(crm.NotFound, "switch_not_found")
	case by.Key.Kind == crm.Contact && (by.Key == w.Subject || (by.CustomerID != 0 && by.CustomerID == w.CustomerID)):
		return crm.EndBySubject, nil
	case by.Key.Kind == crm.Contact:
		return "", crm.Refuse(crm.NotFound, "switch_not_found") // others' are none of its business
	case by.Key == w.Actor, by.Administrator:
		return crm.EndByAdministrator, nil
	}
	for _, c := range anyOf {
		if by.Can(c) {
			return crm.EndByAdministrator, nil
		}
	}
	return "", crm.Refuse(crm.Denied, "administrators_only")
}
