package app_test

import (
	"crypto/sha256"
	"database/sql"
	"fmt"
	"testing"
	"time"

	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/hosttest"
	"github.com/understudy-crm/understudy/host/internal/store"
)

// holds opens what a killed program left: first as it is, then as the next program finds it, to which
// every browser comes back.
func (d *deathbed) holds(t *testing.T) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+d.path+"?_pragma=busy_timeout(5000)")
	must(t, err)
	defer func() { must(t, db.Close()) }()
	d.whole(t, db)
	s, err := store.Open(t.Context(), d.path, "NORMAL")
	must(t, err)
	defer func() { must(t, s.Close()) }()
	a := app.New(app.Options{Store: s, Now: func() time.Time { return d.now }, Version: "3.1.0"})
	a.SetSwitchPolicy(lenient{})
	d.everybodyComesBack(t, db, a)
	must(t, a.Sweep(t.Context()))
	d.whole(t, db)
	if report, err := a.CheckAudit(t.Context(), crm.Operator()); err != nil || !report.Intact() {
		t.Errorf("the Activity Log: %+v, %v", report.Faults, err)
	}
}

// over is a day later: everything has ended.
func (d *deathbed) over(t *testing.T) {
	t.Helper()
	d.now = d.now.Add(24 * time.Hour)
	d.holds(t)
	db, err := sql.Open("sqlite", "file:"+d.path)
	must(t, err)
	defer func() { must(t, db.Close()) }()
	var open, all int
	must(t, db.QueryRowContext(t.Context(), `SELECT COUNT(*) FILTER (WHERE ended_at = 0), COUNT(*) FROM session_switches WHERE refusal = ''`).Scan(&open, &all))
	if open != 0 {
		t.Errorf("%d of %d starts have no end", open, all)
	}
	starts += all
}

// whole also counts the notices: every end is told to the subject, in the same transaction.
func (d *deathbed) whole(t *testing.T, db *sql.DB) {
	t.Helper()
	hosttest.WantWhole(t, db)
	var told, ended int
	must(t, db.QueryRowContext(t.Context(), `SELECT (SELECT COUNT(*) FROM account_notices WHERE text_key = 'ended'),
		(SELECT COUNT(*) FROM session_switches WHERE refusal = '' AND ended_at <> 0)`).Scan(&told, &ended))
	if told != ended {
		t.Errorf("%d ends were told %d times", ended, told)
	}
}

// everybodyComesBack makes a request of each session there is. Its secret went with the program, so
// each gets one that is known.
func (d *deathbed) everybodyComesBack(t *testing.T, db *sql.DB, a *app.App) {
	t.Helper()
	sessions, err := ids(t, db, "SELECT id FROM sessions")
	must(t, err)
	for _, id := range sessions {
		secret := fmt.Sprintf("session %d of %s", id, d.now)
		hash := sha256.Sum256([]byte(secret))
		_, err := db.ExecContext(t.Context(), "UPDATE sessions SET secret_hash = $1 WHERE id = $2", hash[:], id)
		must(t, err)
		r, err := a.Resolve(t.Context(), secret, hosttest.Client)
		must(t, err)
		who := r.Who
		valid := !who.SignedIn() || (!who.Switched() && who.Subject.Key == who.Actor.Key) ||
			(who.Switched() && who.Subject.Key == who.Switch.Subject && who.Switch.EndedAt.IsZero() && d.now.Before(who.Switch.ExpiresAt))
		if !valid {
			t.Errorf("session %d came back as %s as %s under %+v", id, who.Actor.Name, who.Subject.Name, who.Switch)
		}
	}
}

func ids(t *testing.T, db *sql.DB, query string) (list []int64, err error) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // what it had to say is said by Err
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		list = append(list, id)
	}
	return list, rows.Err()
}
