package store

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

// Resolved is everything one request needs to know about who makes it, from one query.
type Resolved struct {
	Session crm.Session
	// Actor and Subject have id 0 when their row is gone.
	Actor    crm.Account
	Subject  crm.Account
	Switch   crm.Switch // id 0 when the session is under none
	Revision int64
	Unread   bool // the actor has notices to read, and is under no switch
}

// ownSwitch is the switch a session is under, if the record says the same of both people: a row that was
// changed by hand makes nobody another.
const ownSwitch = `w.id = s.switch_id AND w.session_id = s.id AND w.actor_kind = s.actor_kind AND w.actor_id = s.actor_id
	AND w.subject_kind = s.subject_kind AND w.subject_id = s.subject_id`

// resolveQuery joins the session with both people, wherever their rows are, and looks whether there is
// anything to tell them.
const resolveQuery = `SELECT au.revision,
	s.switch_id = 0 AND EXISTS (SELECT 1 FROM account_notices n WHERE n.account_kind = s.actor_kind AND n.account_id = s.actor_id AND n.read_at = 0),
	s.id, s.form_key, s.actor_kind, s.actor_id, s.subject_kind, s.subject_id, s.switch_id, s.version, s.decided,
	s.created_at, s.seen_at, s.expires_at, s.ip, s.browser, s.notice,
	COALESCE(a.id, 0), COALESCE(a.email, ''), COALESCE(a.name, ''), COALESCE(a.administrator, FALSE), COALESCE(a.active, FALSE),
	COALESCE(ar.name, ''), COALESCE(a.capabilities, ''), COALESCE(ar.capabilities, ''), COALESCE(a.language, ''), COALESCE(a.theme, ''), COALESCE(a.last_sign_in, 0),
	COALESCE(ac.id, 0), COALESCE(ac.email, ''), COALESCE(ac.name, ''), COALESCE(ac.active AND acu.active, FALSE), COALESCE(ac.is_primary, FALSE), COALESCE(ac.capabilities, ''),
	COALESCE(ac.customer_id, 0), COALESCE(acu.company, ''), COALESCE(ac.language, ''), COALESCE(acu.language, ''), COALESCE(ac.theme, ''), COALESCE(ac.last_sign_in, 0),
	COALESCE(t.id, 0), COALESCE(t.email, ''), COALESCE(t.name, ''), COALESCE(t.administrator, FALSE), COALESCE(t.active, FALSE),
	COALESCE(tr.name, ''), COALESCE(t.capabilities, ''), COALESCE(tr.capabilities, ''), COALESCE(t.language, ''), COALESCE(t.theme, ''), COALESCE(t.last_sign_in, 0),
	COALESCE(tc.id, 0), COALESCE(tc.email, ''), COALESCE(tc.name, ''), COALESCE(tc.active AND tcu.active, FALSE), COALESCE(tc.is_primary, FALSE), COALESCE(tc.capabilities, ''),
	COALESCE(tc.customer_id, 0), COALESCE(tcu.company, ''), COALESCE(tc.language, ''), COALESCE(tcu.language, ''), COALESCE(tc.theme, ''), COALESCE(tc.last_sign_in, 0),
	COALESCE(w.id, 0), COALESCE(w.actor_name, ''), COALESCE(w.actor_role, ''), COALESCE(w.subject_name, ''), COALESCE(w.subject_detail, ''),
	COALESCE(w.mode, ''), COALESCE(w.reason, ''), COALESCE(w.started_at, 0), COALESCE(w.expires_at, 0), COALESCE(w.ended_at, 0), COALESCE(w.end_cause, ''),
	COALESCE(w.ticket, ''), COALESCE(w.elevated_at, 0), COALESCE(w.extensions, 0), COALESCE(w.customer_id, 0)
FROM sessions s
JOIN authority au ON au.id = 1
LEFT JOIN staff a ON s.actor_kind = 'staff' AND a.id = s.actor_id
LEFT JOIN roles ar ON ar.id = a.role_id
LEFT JOIN contacts ac ON s.actor_kind = 'contact' AND ac.id = s.actor_id
LEFT JOIN customers acu ON acu.id = ac.customer_id
LEFT JOIN staff t ON s.switch_id <> 0 AND s.subject_kind = 'staff' AND t.id = s.subject_id
LEFT JOIN roles tr ON tr.id = t.role_id
LEFT JOIN contacts tc ON s.switch_id <> 0 AND s.subject_kind = 'contact' AND tc.id = s.subject_id
LEFT JOIN customers tcu ON tcu.id = tc.customer_id
LEFT JOIN session_switches w ON ` + ownSwitch + `
`

// Resolve reads the session with this secret's hash, NotFound when there is none.
func (t Tx) Resolve(ctx context.Context, secretHash []byte) (Resolved, error) {
	return one(ctx, t, "resolve session", scanResolved, resolveQuery+"WHERE s.secret_hash = $1", secretHash)
}

// ResolveAgain reads a session within a transaction that changes something on its behalf, and keeps
// others from changing the session until that has committed.
func (t Tx) ResolveAgain(ctx context.Context, id int64) (Resolved, error) {
	if err := t.lockSession(ctx, id); err != nil {
		return Resolved{}, err
	}
	return one(ctx, t, "resolve session again", scanResolved, resolveQuery+"WHERE s.id = $1", id)
}

// lockSession keeps a session for this transaction, NotFound when there is none. Whoever changes a
// session and its switch takes the session first, so that two who do wait for each other in turn.
func (t Tx) lockSession(ctx context.Context, id int64) error {
	if t.engine != PostgreSQL { // SQLite has one writer, and this is it
		return nil
	}
	_, err := t.count(ctx, `SELECT id FROM sessions WHERE id = $1 FOR NO KEY UPDATE`, id)
	return err
}

func scanResolved(row scanner) (Resolved, error) {
	var (
		r              Resolved
		actor, subject personColumns
		s              sessionColumns
		w              = &r.Switch
		start, exp, en int64
		elevated       int64
	)
	dest := append([]any{&r.Revision, &r.Unread}, s.dest(&r.Session)...)
	dest = append(append(dest, actor.dest()...), subject.dest()...)
	dest = append(dest, &w.ID, &w.ActorName, &w.ActorRole, &w.SubjectName, &w.SubjectDetail, &w.Mode, &w.Reason, &start, &exp, &en, &w.End, &w.Ticket, &elevated, &w.Extensions, &w.CustomerID)
	if err := row.Scan(dest...); err != nil {
		return r, err
	}
	s.fill(&r.Session)
	r.Actor, r.Subject = actor.account(), subject.account()
	if r.Session.SwitchID == 0 {
		r.Subject = r.Actor
	}
	w.SessionID, w.Actor, w.Subject = r.Session.ID, r.Session.Actor, r.Session.Subject
	w.StartedAt, w.ExpiresAt, w.EndedAt, w.ElevatedAt = at(start), at(exp), at(en), at(elevated)
	w.IP, w.Browser = r.Session.IP, r.Session.Browser
	return r, nil
}

// sessionColumns are the columns of a session that need converting.
type sessionColumns struct {
	created, seen, expires int64
	notice                 string
}

func (c *sessionColumns) dest(s *crm.Session) []any {
	return []any{
		&s.ID, &s.FormKey, &s.Actor.Kind, &s.Actor.ID, &s.Subject.Kind, &s.Subject.ID, &s.SwitchID, &s.Version, &s.Decided,
		&c.created, &c.seen, &c.expires, &s.IP, &s.Browser, &c.notice,
	}
}

func (c *sessionColumns) fill(s *crm.Session) {
	s.CreatedAt, s.SeenAt, s.ExpiresAt = at(c.created), at(c.seen), at(c.expires)
	if c.notice != "" {
		// A notice that can't be read is a sentence not shown, never a session not found.
		_ = json.Unmarshal([]byte(c.notice), &s.Notice)
	}
}

// NewSession is a session about to be written.
type NewSession struct {
	crm.Session
	SecretHash []byte
}

// InsertSession writes a session of its actor, under no switch.
func (t Tx) InsertSession(ctx context.Context, s NewSession) (int64, error) {
	return t.id(ctx, "insert session", `INSERT INTO sessions (secret_hash, form_key, actor_kind, actor_id, subject_kind, subject_id, switch_id, version, decided,
		created_at, seen_at, expires_at, ip, browser, notice) VALUES ($1, $2, $3, $4, $3, $4, 0, 1, 0, $5, $5, $6, $7, $8, $9) RETURNING id`,
		s.SecretHash, s.FormKey, s.Actor.Kind, s.Actor.ID, millis(s.CreatedAt), millis(s.ExpiresAt), s.IP, s.Browser, notice(s.Notice))
}

func notice(n crm.Notice) string {
	if n.Key == "" {
		return ""
	}
	text, err := json.Marshal(n)
	if err != nil {
		return "" // a map of strings always marshals
	}
	return string(text)
}

// SwapSubject sets the subject of the session by compare-and-swap on its version: false when
// somebody else was faster. The session gets a new secret and its version goes up by one.
func (t Tx) SwapSubject(ctx context.Context, s crm.Session, subject crm.AccountKey, switchID, decided int64, secretHash []byte, n crm.Notice) (bool, error) {
	return t.changed(ctx, "swap subject", `UPDATE sessions SET subject_kind = $1, subject_id = $2, switch_id = $3, decided = $4, secret_hash = $5, notice = $6,
		version = version + 1 WHERE id = $7 AND version = $8`,
		subject.Kind, subject.ID, switchID, decided, secretHash, notice(n), s.ID, s.Version)
}

// SetDecided remembers the authority revision at which the session's switch was allowed again, and
// until when and how far it may go on. It does nothing when the switch isn't any more as it was:
// then the next request asks again.
func (t Tx) SetDecided(ctx context.Context, s crm.Session, revision int64, was crm.Switch, expires time.Time, mode crm.SwitchMode) error {
	if err := t.lockSession(ctx, s.ID); crm.KindOf(err) == crm.NotFound {
		return nil
	} else if err != nil {
		return err
	}
	narrowed, err := t.changed(ctx, "narrow switch", `UPDATE session_switches SET expires_at = $1, mode = $2 WHERE id = $3 AND ended_at = 0 AND expires_at = $4 AND mode = $5`,
		millis(expires), mode, s.SwitchID, millis(was.ExpiresAt), was.Mode)
	if err != nil || !narrowed {
		return err
	}
	return t.exec(ctx, "remember decision", `UPDATE sessions SET decided = $1 WHERE id = $2 AND version = $3 AND decided < $1`, revision, s.ID, s.Version)
}

// TouchSession remembers when and from where the session was last used.
func (t Tx) TouchSession(ctx context.Context, id int64, now, expires time.Time, ip string) error {
	return t.exec(ctx, "touch session", `UPDATE sessions SET seen_at = $1, expires_at = $2, ip = $3 WHERE id = $4`, millis(now), millis(expires), ip, id)
}

// ClearNotice forgets the sentence for the next page; false when another request has shown it.
func (t Tx) ClearNotice(ctx context.Context, id int64) (bool, error) {
	return t.changed(ctx, "clear notice", `UPDATE sessions SET notice = '' WHERE id = $1 AND notice <> ''`, id)
}

// DeleteSession removes a session.
func (t Tx) DeleteSession(ctx context.Context, id int64) error {
	return t.exec(ctx, "delete session", `DELETE FROM sessions WHERE id = $1`, id)
}

const sessionColumnList = `id, form_key, actor_kind, actor_id, subject_kind, subject_id, switch_id, version, decided, created_at, seen_at, expires_at, ip, browser, notice`

func scanSession(row scanner) (crm.Session, error) {
	var (
		s crm.Session
		c sessionColumns
	)
	err := row.Scan(c.dest(&s)...)
	c.fill(&s)
	return s, err
}

// SessionsOf lists the sessions an account signed in to, newest first.
func (t Tx) SessionsOf(ctx context.Context, actor crm.AccountKey) ([]crm.Session, error) {
	return all(ctx, t, "list sessions", scanSession, `SELECT `+sessionColumnList+` FROM sessions WHERE actor_kind = $1 AND actor_id = $2 ORDER BY seen_at DESC, id DESC`, actor.Kind, actor.ID)
}

// ExpiredSessions lists some sessions whose time is up.
func (t Tx) ExpiredSessions(ctx context.Context, now time.Time) ([]crm.Session, error) {
	return all(ctx, t, "list expired sessions", scanSession, `SELECT `+sessionColumnList+` FROM sessions WHERE expires_at <= $1 ORDER BY expires_at LIMIT 200`, millis(now))
}

// OverdueSessions lists some sessions whose switch should have ended by now.
func (t Tx) OverdueSessions(ctx context.Context, now time.Time) ([]crm.Session, error) {
	return all(ctx, t, "list overdue sessions", scanSession, `SELECT `+prefixed("s.", sessionColumnList)+` FROM session_switches w
		JOIN sessions s ON s.switch_id = w.id WHERE w.ended_at = 0 AND w.expires_at <= $1 ORDER BY w.id LIMIT 200`, millis(now))
}

// prefixed names the table of each column of a list.
func prefixed(table, columns string) string {
	return table + strings.ReplaceAll(columns, ", ", ", "+table)
}
