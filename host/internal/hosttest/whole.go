package hosttest

import (
	"database/sql"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/stdlib"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

// torn are the things that must not be in a database, at no moment, each with a statement that counts
// them.
var torn = map[string]string{
	"a bare target, or a session whose switch isn't its own": `SELECT COUNT(*) FROM sessions s LEFT JOIN session_switches w ON w.id = s.switch_id
		WHERE (s.switch_id = 0 AND (s.subject_kind <> s.actor_kind OR s.subject_id <> s.actor_id)) OR (s.switch_id <> 0 AND (w.id IS NULL OR w.session_id <> s.id
			OR w.actor_kind <> s.actor_kind OR w.actor_id <> s.actor_id OR w.subject_kind <> s.subject_kind OR w.subject_id <> s.subject_id))`,
	"a start without an end or a session": `SELECT COUNT(*) FROM session_switches w LEFT JOIN sessions s ON s.switch_id = w.id WHERE w.ended_at = 0 AND s.id IS NULL`,
	"a start that isn't in the log once":  `SELECT COUNT(*) FROM session_switches w WHERE w.refusal = '' AND (SELECT COUNT(*) FROM audit_entries e WHERE e.switch_id = w.id AND e.action = 'switch_started') <> 1`,
	"an end that isn't in the log once, or one that wasn't": `SELECT COUNT(*) FROM session_switches w
		WHERE w.refusal = '' AND (SELECT COUNT(*) FROM audit_entries e WHERE e.switch_id = w.id AND e.action = 'switch_ended') <> CASE WHEN w.ended_at <> 0 THEN 1 ELSE 0 END`,
	"an extension that isn't in the log": `SELECT COUNT(*) FROM session_switches w WHERE w.extensions <> (SELECT COUNT(*) FROM audit_entries e WHERE e.switch_id = w.id AND e.action = 'switch_extended')`,
}

// WantWhole checks a database that a killed program may have left: SQLite's file itself, and that no
// session, record or entry of a switch is without the others.
func WantWhole(t testing.TB, db *sql.DB) {
	t.Helper()
	if _, postgres := db.Driver().(*stdlib.Driver); !postgres {
		var integrity string
		if err := db.QueryRowContext(t.Context(), "PRAGMA integrity_check").Scan(&integrity); err != nil || integrity != "ok" {
			t.Errorf("the file: %s, %v", integrity, err)
		}
	}
	for what, count := range torn {
		wantNone(t, db, what, count)
	}
	var causes []string
	for _, cause := range crm.EndCauses() {
		causes = append(causes, "'"+string(cause)+"'")
	}
	wantNone(t, db, "a cause that isn't on the list", `SELECT COUNT(*) FROM session_switches WHERE refusal = '' AND ended_at <> 0 AND end_cause NOT IN (`+strings.Join(causes, ", ")+`)`)
}

func wantNone(t testing.TB, db *sql.DB, what, count string) {
	t.Helper()
	var n int
	if err := db.QueryRowContext(t.Context(), count).Scan(&n); err != nil || n != 0 {
		t.Errorf("%s: %d, %v", what, n, err)
	}
}
