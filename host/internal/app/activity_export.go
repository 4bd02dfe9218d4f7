package app

import (
	"context"
	"maps"
	"strconv"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/store"
)

// MaxActivityExport is how many entries are exported at once.
const MaxActivityExport = 100_000

// ExportActivity gives the entries Activity would list to each, newest first and all of them, as
// they were when it began: TooLarge activity_export_too_much when they are more than
// MaxActivityExport, so that no part is taken for the whole. That somebody asked for it, in which
// format and how narrowed, is recorded before the first entry is given. Never under a borrowed name.
func (a *App) ExportActivity(ctx context.Context, who crm.Who, q crm.Query, format string, each func(crm.AuditEntry) error) error {
	if err := a.allow(who, crm.SensitiveRoute, crm.ActivityView); err != nil {
		return err
	}
	q.After = ""
	s, err := auditQuery(q)
	if err != nil {
		return err
	}
	var newest int64
	err = a.change(ctx, who, "activity_exported", func(tx store.Tx) (_ string, _ map[string]string, err error) {
		var count int64
		if count, newest, err = tx.CountAudits(ctx, s, MaxActivityExport+1); err != nil {
			return "", nil, err
		}
		if count > MaxActivityExport {
			return "", nil, crm.Refuse(crm.TooLarge, "activity_export_too_much", "Max", MaxActivityExport)
		}
		return "", exportDetail(q, format, count), nil
	})
	if err != nil {
		return err
	}
	s.Limit = 500
	for s.After = strconv.FormatInt(newest+1, 10); s.After != ""; {
		page, err := a.store.Read().AuditEntries(ctx, s)
		if err != nil {
			return err
		}
		for _, e := range page.Rows {
			if err := each(e); err != nil {
				return err
			}
		}
		s.After = page.Next
	}
	return nil
}

// exportDetail is what the entry says was exported.
func exportDetail(q crm.Query, format string, count int64) map[string]string {
	detail := map[string]string{}
	maps.Copy(detail, q.Filter)
	detail["search"], detail["format"], detail["entries"] = q.Term, crm.Cut(format, 10), strconv.FormatInt(count, 10)
	maps.DeleteFunc(detail, func(_, value string) bool { return value == "" })
	return detail
}
