package app

import (
	"context"
	"strconv"
	"time"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/store"
)

// Activity lists the Activity Log, newest first. Filter "action" is an action's name, "switch" the
// number of a session switch, "from" and "until" are dates (2006-01-02, both included, UTC).
func (a *App) Activity(ctx context.Context, who crm.Who, q crm.Query) (crm.Page[crm.AuditEntry], error) {
	if err := a.allow(who, crm.ReadRoute, crm.ActivityView); err != nil {
		return crm.Page[crm.AuditEntry]{}, err
	}
	s, err := auditQuery(q)
	if err != nil {
		return crm.Page[crm.AuditEntry]{}, err
	}
	return a.store.Read().AuditEntries(ctx, s)
}

func auditQuery(q crm.Query) (s store.AuditQuery, err error) {
	s = store.AuditQuery{Term: q.Term, Action: q.Filter["action"], Limit: q.Limit, After: q.After}
	if text := q.Filter["switch"]; text != "" {
		if s.SwitchID, err = strconv.ParseInt(text, 10, 64); err != nil || s.SwitchID <= 0 {
			return s, crm.Refuse(crm.Invalid, "switch_number_invalid")
		}
	}
	s.From, s.Until, err = days(q)
	return s, err
}

// days reads the filters "from" and "until", both days included.
func days(q crm.Query) (from, until time.Time, err error) {
	if from, err = date(q.Filter["from"]); err != nil {
		return from, until, err
	}
	if until, err = date(q.Filter["until"]); err == nil && !until.IsZero() {
		until = until.AddDate(0, 0, 1)
	}
	return from, until, err
}

func date(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return t, crm.Refuse(crm.Invalid, "date_invalid")
	}
	return t, nil
}

// Counts are the figures of the dashboard, each only for who may see what it counts.
type Counts struct {
	Customers, Contacts, Staff, ActiveStaff int64
	Recent                                  []crm.AuditEntry
}

// Counts reads the figures of the dashboard.
func (a *App) Counts(ctx context.Context, who crm.Who) (Counts, error) {
	if err := a.allow(who, crm.ReadRoute); err != nil || who.Area() != crm.Admin {
		return Counts{}, err
	}
	all, err := a.store.Read().Counts(ctx)
	if err != nil {
		return Counts{}, err
	}
	var c Counts
	if who.Can(crm.CustomersView) {
		c.Customers, c.Contacts = all.Customers, all.Contacts
	}
	if who.Can(crm.StaffView) {
		c.Staff, c.ActiveStaff = all.Staff, all.ActiveStaff
	}
	if who.Can(crm.ActivityView) {
		page, err := a.store.Read().AuditEntries(ctx, store.AuditQuery{Limit: 8})
		if err != nil {
			return Counts{}, err
		}
		c.Recent = page.Rows
	}
	return c, nil
}
