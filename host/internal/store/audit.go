package store

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

// InsertAudit appends an entry to its chain, with whatever else the transaction does, at its end.
func (t Tx) InsertAudit(e crm.AuditEntry) error {
	if t.audits == nil {
		return failed("insert audit entry", errors.New("outside a transaction"))
	}
	*t.audits = append(*t.audits, e)
	return nil
}

// auditText is what words are looked for in.
func auditText(e crm.AuditEntry) string {
	return searchText(e.ActorName, e.SubjectName, e.Action, e.Object, strings.Join(slices.Collect(maps.Values(e.Detail)), " "))
}

const auditColumns = `e.id, e.at, e.actor_kind, e.actor_id, e.actor_name, e.subject_kind, e.subject_id, e.subject_name, e.switch_id,
	e.action, e.object, e.detail, e.ip, e.request_id`

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
	SwitchID    int64 // of one session switch only, when above zero
	From, Until time.Time
	Limit       int
	After       string
}

// AuditEntries lists entries, newest first.
func (t Tx) AuditEntries(ctx context.Context, q AuditQuery) (crm.Page[crm.AuditEntry], error) {
	limit := bounded(q.Limit, 25, 500)
	position := func(e crm.AuditEntry) string { return strconv.FormatInt(e.ID, 10) }
	w, err := q.where()
	if err != nil {
		return crm.Page[crm.AuditEntry]{}, err
	}
	if q.SwitchID <= 0 && (q.Action != "" || len(termWords(q.Term)) > 0 || !q.From.IsZero() || !q.Until.IsZero()) {
		list, err := t.searchAudits(ctx, q, limit+1)
		return paged(list, limit, position), err
	}
	list, err := all(ctx, t, "list audit entries", scanAudit, `SELECT `+auditColumns+` FROM audit_entries e `+w.text()+` ORDER BY e.id DESC LIMIT `+strconv.Itoa(limit+1), w.args...)
	return paged(list, limit, position), err
}

func (q AuditQuery) where() (*where, error) {
	w := &where{}
	w.words(q.Term, "e.search")
	if q.Action != "" {
		w.and("e.action = ?", q.Action)
	}
	if q.SwitchID > 0 {
		w.and("e.switch_id = ?", q.SwitchID)
	}
	w.between("e.at", q.From, q.Until)
	return w, w.beforeID("e.id", q.After)
}

// CountAudits counts entries, up to most of them, and says which is the newest there is.
func (t Tx) CountAudits(ctx context.Context, q AuditQuery, most int) (count, newest int64, err error) {
	w, err := q.where()
	if err != nil {
		return 0, 0, err
	}
	if count, err = t.count(ctx, `SELECT COUNT(*) FROM (SELECT 1 FROM audit_entries e `+w.text()+` LIMIT `+strconv.Itoa(most)+`) counted`, w.args...); err != nil {
		return 0, 0, err
	}
	newest, err = t.count(ctx, `SELECT COALESCE(MAX(id), 0) FROM audit_entries`)
	return count, newest, err
}
