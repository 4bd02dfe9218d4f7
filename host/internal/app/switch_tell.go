package app

import (
	"context"
	"strconv"
	"time"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/store"
)

// tellOfSwitch writes the notices a hook asked for, in the transaction of the start or the end they
// tell of: neither is without the other.
func (a *App) tellOfSwitch(ctx context.Context, tx store.Tx, who crm.Who, w crm.Switch, atEnd bool) error {
	for _, n := range w.Notices {
		if n.AtEnd != atEnd {
			continue
		}
		notice := crm.AccountNotice{Module: n.Module, TextKey: n.TextKey, Args: switchArgs(w), Mail: n.Mail}
		var err error
		if n.ToAdministrators {
			notice.Page = crm.ModulePage(crm.Admin, n.Module, n.Page)
			err = a.tellAdministrators(ctx, tx, who, notice, w.Actor)
		} else {
			notice.To, notice.Page = w.Subject, crm.ModulePage(w.Subject.Kind.Area(), n.Module, n.Page)
			err = a.tell(ctx, tx, who, notice)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// maxTold bounds what a notice repeats of somebody's own words, in characters: so many that they
// never take more than the bytes a notice may.
const maxTold = 120

// switchArgs are what a sentence about a switch may use.
func switchArgs(w crm.Switch) map[string]string {
	moment := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.UTC().Format("2006-01-02 15:04 UTC")
	}
	end := w.EndedAt
	if end.IsZero() {
		end = w.ExpiresAt
	}
	return map[string]string{
		"actor": crm.Cut(w.ActorName, maxTold), "subject": crm.Cut(w.SubjectName, maxTold), "reason": crm.Cut(w.Reason, maxTold), "ticket": crm.Cut(w.Ticket, maxTold),
		"start": moment(w.StartedAt), "end": moment(end), "minutes": strconv.Itoa(wholeMinutes(w.StartedAt, end)),
	}
}
