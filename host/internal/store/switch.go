package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

// InsertSwitch records a started switch, or with w.Refusal set a refused attempt.
func (t Tx) InsertSwitch(ctx context.Context, w crm.Switch) (int64, error) {
	notices, err := noticesText(w.Notices)
	if err != nil {
		return 0, err
	}
	return t.id(ctx, "insert switch", `INSERT INTO session_switches (session_id, actor_kind, actor_id, actor_name, actor_search, actor_role,
		subject_kind, subject_id, subject_name, subject_search, subject_detail, mode, reason, ip, browser, started_at, expires_at, ended_at, end_cause, refusal,
		ticket, customer_id, notices)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23) RETURNING id`,
		w.SessionID, w.Actor.Kind, w.Actor.ID, w.ActorName, searchText(w.ActorName), w.ActorRole,
		w.Subject.Kind, w.Subject.ID, w.SubjectName, searchText(w.SubjectName, w.SubjectDetail), w.SubjectDetail,
		w.Mode, w.Reason, w.IP, w.Browser, millis(w.StartedAt), millis(w.ExpiresAt), millis(w.EndedAt), w.End, w.Refusal,
		w.Ticket, w.CustomerID, notices)
}

// noticesText keeps of the notices those that are still due when the switch ends.
func noticesText(list []crm.SwitchNotice) (string, error) {
	var due []crm.SwitchNotice
	for _, n := range list {
		if n.AtEnd {
			due = append(due, n)
		}
	}
	if due == nil {
		return "", nil
	}
	text, err := json.Marshal(due)
	if err != nil {
		return "", fmt.Errorf("insert switch: write notices: %w", err)
	}
	return string(text), nil
}

// EndSwitch closes a switch and returns it as it ended; false when it is closed already, so that
// every start has exactly one end, or is of another session than the one that is named, if one is. by
// is who did it, when that wasn't the actor.
func (t Tx) EndSwitch(ctx context.Context, id, session int64, now time.Time, cause crm.EndCause, by string) (crm.Switch, bool, error) {
	w, err := one(ctx, t, "end switch", scanSwitch, `UPDATE session_switches SET ended_at = $1, end_cause = $2, ended_by = $3 WHERE id = $4 AND ended_at = 0 AND CAST($5 AS BIGINT) IN (0, session_id)
		RETURNING `+strings.ReplaceAll(switchColumns, "w.", ""), millis(now), cause, by, id, session)
	if crm.KindOf(err) == crm.NotFound {
		return w, false, nil
	}
	return w, err == nil, err
}

// ExtendSwitch gives an open switch more time; false when it has ended.
func (t Tx) ExtendSwitch(ctx context.Context, id int64, expires time.Time, mode crm.SwitchMode) (bool, error) {
	return t.changed(ctx, "extend switch", `UPDATE session_switches SET expires_at = $1, mode = $2, extensions = extensions + 1 WHERE id = $3 AND ended_at = 0`, millis(expires), mode, id)
}

// ElevateSwitch lets an open read-only switch do more than read; false when it has ended or may
// already.
func (t Tx) ElevateSwitch(ctx context.Context, id int64, now time.Time) (bool, error) {
	return t.changed(ctx, "elevate switch", `UPDATE session_switches SET mode = $1, elevated_at = $2 WHERE id = $3 AND ended_at = 0 AND mode = $4`, crm.Full, millis(now), id, crm.ReadOnly)
}

// RecentTargets counts the accounts other than one that an actor has become since a time.
func (t Tx) RecentTargets(ctx context.Context, actor, except crm.AccountKey, since time.Time) (int, error) {
	return one(ctx, t, "count recent targets", func(row scanner) (n int, err error) {
		err = row.Scan(&n)
		return n, err
	}, `SELECT COUNT(*) FROM (SELECT DISTINCT subject_kind, subject_id FROM session_switches WHERE actor_kind = $1 AND actor_id = $2 AND refusal = ''
		AND started_at > $3 AND NOT (subject_kind = $4 AND subject_id = $5)) AS recent`, actor.Kind, actor.ID, millis(since), except.Kind, except.ID)
}

// LastStart returns the newest switch an actor has started, 0 when there is none.
func (t Tx) LastStart(ctx context.Context, actor crm.AccountKey) (int64, error) {
	return t.id(ctx, "read last start", `SELECT COALESCE(MAX(id), 0) FROM session_switches WHERE actor_kind = $1 AND actor_id = $2 AND refusal = ''`, actor.Kind, actor.ID)
}

// LastStartAlone is LastStart, and keeps the actor from starting another until the transaction is over.
func (t Tx) LastStartAlone(ctx context.Context, actor crm.AccountKey) (int64, error) {
	if t.engine == PostgreSQL { // SQLite has one writer, and this is it
		if err := t.exec(ctx, "lock starts", `SELECT pg_advisory_xact_lock(hashtextextended($1, 0))`, "start of "+actor.String()); err != nil {
			return 0, err
		}
	}
	return t.LastStart(ctx, actor)
}

const switchColumns = `w.id, w.session_id, w.actor_kind, w.actor_id, w.actor_name, w.actor_role, w.subject_kind, w.subject_id, w.subject_name, w.subject_detail,
	w.mode, w.reason, w.ip, w.browser, w.started_at, w.expires_at, w.ended_at, w.end_cause, w.refusal, w.ticket, w.elevated_at, w.extensions, w.ended_by, w.customer_id, w.notices`

func scanSwitch(row scanner) (crm.Switch, error) {
	var (
		w                             crm.Switch
		start, expires, end, elevated int64
		notices                       string
	)
	err := row.Scan(&w.ID, &w.SessionID, &w.Actor.Kind, &w.Actor.ID, &w.ActorName, &w.ActorRole, &w.Subject.Kind, &w.Subject.ID, &w.SubjectName, &w.SubjectDetail,
		&w.Mode, &w.Reason, &w.IP, &w.Browser, &start, &expires, &end, &w.End, &w.Refusal, &w.Ticket, &elevated, &w.Extensions, &w.EndedBy, &w.CustomerID, &notices)
	w.StartedAt, w.ExpiresAt, w.EndedAt, w.ElevatedAt = at(start), at(expires), at(end), at(elevated)
	if notices != "" {
		// Notices that can't be read are not told; the switch itself is never lost for them.
		_ = json.Unmarshal([]byte(notices), &w.Notices)
	}
	return w, err
}

// LostSwitches lists open switches whose session is gone or is under another one.
func (t Tx) LostSwitches(ctx context.Context) ([]crm.Switch, error) {
	return all(ctx, t, "list lost switches", scanSwitch, `SELECT `+switchColumns+` FROM session_switches w
		LEFT JOIN sessions s ON s.id = w.session_id AND s.switch_id = w.id WHERE w.ended_at = 0 AND s.id IS NULL ORDER BY w.id LIMIT 200`)
}

// LastSwitch reads the switch of an actor that ended last, NotFound when none has. Somebody with several
// browsers may have begun others since, so the newest few are looked at.
func (t Tx) LastSwitch(ctx context.Context, actor crm.AccountKey) (crm.Switch, error) {
	return one(ctx, t, "read last switch", scanSwitch, `SELECT `+switchColumns+` FROM (SELECT * FROM session_switches
		WHERE actor_kind = $1 AND actor_id = $2 AND ended_at <> 0 AND refusal = '' ORDER BY id DESC LIMIT 50) w ORDER BY w.ended_at DESC, w.id DESC LIMIT 1`, actor.Kind, actor.ID)
}

// Switch reads one switch, NotFound when there is none.
func (t Tx) Switch(ctx context.Context, id int64) (crm.Switch, error) {
	return one(ctx, t, "read switch", scanSwitch, `SELECT `+switchColumns+` FROM session_switches w WHERE w.id = $1`, id)
}

// SwitchQuery narrows and pages the record of switches.
type SwitchQuery struct {
	From, Until time.Time // started at or after, before; zero for no bound
	ActorTerm   string
	SubjectTerm string
	SubjectKind crm.AccountKind // empty for both
	Actor       crm.AccountKey  // zero for all
	Subject     crm.AccountKey  // zero for all
	CustomerID  int64           // of subjects that are contacts, 0 for all
	Outcome     string          // "", "active", "ended" or "refused"
	Limit       int
	After       string
}

// Switches lists switches and refused attempts, newest first.
func (t Tx) Switches(ctx context.Context, q SwitchQuery) (crm.Page[crm.Switch], error) {
	var w where
	w.between("w.started_at", q.From, q.Until)
	w.words(q.ActorTerm, "w.actor_search")
	w.words(q.SubjectTerm, "w.subject_search")
	if q.SubjectKind != "" {
		w.and("w.subject_kind = ?", q.SubjectKind)
	}
	if q.Actor.ID != 0 {
		w.and("w.actor_kind = ? AND w.actor_id = ?", q.Actor.Kind, q.Actor.ID)
	}
	if q.Subject.ID != 0 {
		w.and("w.subject_kind = ? AND w.subject_id = ?", q.Subject.Kind, q.Subject.ID)
	}
	if q.CustomerID != 0 {
		w.and("w.customer_id = ?", q.CustomerID)
	}
	switch q.Outcome {
	case "active":
		w.and("w.ended_at = 0")
	case "ended":
		w.and("w.ended_at <> 0 AND w.refusal = ''")
	case "refused":
		w.and("w.refusal <> ''")
	}
	if err := w.beforeID("w.id", q.After); err != nil {
		return crm.Page[crm.Switch]{}, err
	}
	limit := bounded(q.Limit, 25, 500)
	list, err := all(ctx, t, "list switches", scanSwitch, `SELECT `+switchColumns+` FROM session_switches w `+w.text()+` ORDER BY w.id DESC LIMIT `+strconv.Itoa(limit+1), w.args...)
	return paged(list, limit, func(s crm.Switch) string { return strconv.FormatInt(s.ID, 10) }), err
}
