package store

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

// InsertAudit appends an entry.
func (t Tx) InsertAudit(ctx context.Context, e crm.AuditEntry) error {
	detail, err := json.Marshal(e.Detail)
	if err != nil {
		return failed("write audit detail", err)
	}
	values := make([]string, 0, len(e.Detail))
	for _, v := range e.Detail {
		values = append(values, v)
	}
	return t.exec(ctx, "insert audit entry", `INSERT INTO audit_entries (at, actor_kind, actor_id, actor_name, subject_kind, subject_id, subject_name, switch_id, action, object, detail, search, ip, request_id)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`,
		millis(e.At), e.Actor.Kind, e.Actor.ID, e.ActorName, e.Subject.Kind, e.Subject.ID, e.SubjectName, e.SwitchID, e.Action, e.Object, string(detail),
		searchText(e.ActorName, e.SubjectName, e.Action, e.Object, strings.Join(values, " ")), e.IP, e.RequestID)
}

func scanAudit(row scanner) (crm.AuditEntry, error) {
	var (
		e      crm.AuditEntry
		when   int64
		detail string
	)
	if err := row.Scan(&e.ID, &when, &e.Actor.Kind, &e.Actor.ID, &e.ActorName, &e.Subject.Kind, &e.Subject.ID, &e.SubjectName, &e.SwitchID, &e.Action, &e.Object, &detail, &e.IP, &e.RequestID); err != nil {
		return e, err
	}
	e.At = at(when)
	return e, json.Unmarshal([]byte(detail), &e.Detail)
}

// AuditQuery narrows and pages the Activity Log.
type AuditQuery struct {
	Term        string
	Action      string
	From, Until time.Time
	Limit       int
	After       string
}

// AuditEntries lists entries, newest first.
func (t Tx) AuditEntries(ctx context.Context, q AuditQuery) (crm.Page[crm.AuditEntry], error) {
	var w where
	w.words(q.Term, "e.search")
	if q.Action != "" {
		w.and("e.action = ?", q.Action)
	}
	w.between("e.at", q.From, q.Until)
	if err := w.beforeID("e.id", q.After); err != nil {
		return crm.Page[crm.AuditEntry]{}, err
	}
	limit := bounded(q.Limit, 25, 500)
	list, err := all(ctx, t, "list audit entries", scanAudit, `SELECT e.id, e.at, e.actor_kind, e.actor_id, e.actor_name, e.subject_kind, e.subject_id, e.subject_name, e.switch_id,
		e.action, e.object, e.detail, e.ip, e.request_id FROM audit_entries e `+w.text()+` ORDER BY e.id DESC LIMIT `+strconv.Itoa(limit+1), w.args...)
	return paged(list, limit, func(e crm.AuditEntry) string { return strconv.FormatInt(e.ID, 10) }), err
}
