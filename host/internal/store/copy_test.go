package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/hosttest"
	"github.com/understudy-crm/understudy/host/internal/store"
)

// A table that nobody has decided about would be missing from every copy and backup.
func TestTheListOfTablesIsTheSchema(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
		copies, others := store.Listed()
		listed := slices.Sorted(slices.Values(append(others, copies...)))
		there, err := store.TablesOf(t.Context(), s.Store)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range there {
			if !slices.Contains(listed, name) {
				t.Errorf("%s has no line in tables (copy_table.go): is it copied?", name)
			}
		}
		for _, name := range copies {
			if !slices.Contains(there, name) {
				t.Errorf("there is no table %s", name)
			}
			if names, err := store.ColumnsOf(t.Context(), s.Store, name); err != nil || len(names) == 0 {
				t.Errorf("%s: %v %v", name, names, err)
			}
		}
	})
}

// Each table stands after those it refers to.
func TestTablesAreCopiedInAnOrderTheyAllow(t *testing.T) {
	s := hosttest.NewSite(t)
	copies, _ := store.Listed()
	for i, name := range copies {
		s.Rows(t, `SELECT "table" FROM pragma_foreign_key_list('`+name+`')`, func(scan func(...any)) {
			var parent string
			scan(&parent)
			if at := slices.Index(copies, parent); at < 0 || at > i {
				t.Errorf("%s is copied before %s, which it refers to", name, parent)
			}
		})
	}
}

// From SQLite to PostgreSQL and back nothing changes: no row, no key given next, no seal.
func TestACopyHoldsEverything(t *testing.T) {
	s, there, back := hosttest.NewSite(t), hosttest.PostgresURL(t), filepath.Join(t.TempDir(), "back.db")
	fillEveryTable(t, s)
	last := s.Audit(t, "signed_in")[0].ID
	s.Exec(t, `DELETE FROM sessions`)
	var session int64
	s.Rows(t, `SELECT seq FROM sqlite_sequence WHERE name = 'sessions'`, func(scan func(...any)) { scan(&session) })
	want := dump(t, s)
	done := copyTo(t, s.Database(), there)
	on := hosttest.OpenSite(t, there)
	if got := dump(t, on); done.Mended != 0 || !slices.Equal(got, want) {
		t.Errorf("PostgreSQL holds other rows:\n%s", difference(want, got))
	}
	copyTo(t, there, back)
	again := hosttest.OpenSite(t, back)
	if got := dump(t, again); !slices.Equal(got, want) {
		t.Errorf("the copy's copy holds other rows:\n%s", difference(want, got))
	}
	for name, site := range map[string]*hosttest.Site{"PostgreSQL": on, "SQLite": again} {
		if id := site.SignIn(t, "admin@example.com").Who().Session.ID; id <= session {
			t.Errorf("%s gives key %d once more", name, id)
		}
		site.Key(t, "rosa@globex.example") // is found
		if now := site.Audit(t, "signed_in")[0].ID; now <= last {
			t.Errorf("%s writes entry %d after %d", name, now, last)
		}
		if report, err := site.App.CheckAudit(t.Context(), crm.Operator()); err != nil || !report.Intact() {
			t.Errorf("%s: the Activity Log is %+v, %v", name, report, err)
		}
	}
}

// What is written while it is copied is in the copy with all that belongs to it, or not at all.
func TestACopyIsOneMoment(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
		stop := wander(t, s)
		for i := range 4 {
			to := filepath.Join(t.TempDir(), fmt.Sprintf("%d.db", i))
			copyTo(t, s.Database(), to)
			wantWhole(t, to)
		}
		stop()
	})
}

// A backup, too, is of one moment, and a file that stands by itself: nothing in it says that a server
// runs.
func TestABackupIsOneMoment(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
		if err := s.App.JoinReplicas(t.Context(), crm.Replica{Name: "here", Home: "h", Run: "r"}); err != nil {
			t.Fatal(err)
		}
		stop := wander(t, s)
		for i := range 3 {
			out, looked := filepath.Join(t.TempDir(), fmt.Sprintf("%d.db", i)), false
			err := asIs(t, s.Database()).BackUp(t.Context(), out, nil, func(ctx context.Context, tx store.Tx) error {
				live, err := tx.Replicas(ctx)
				looked = err == nil && len(live) == 0
				return err
			})
			if err != nil || !looked {
				t.Fatalf("%v; looked into: %v", err, looked)
			}
			if beside, err := filepath.Glob(out + "-*"); err != nil || len(beside) > 0 {
				t.Errorf("beside it are %v, %v", beside, err)
			}
			wantWhole(t, out)
			if report, err := hosttest.OpenSite(t, out).App.CheckAudit(t.Context(), crm.Operator()); err != nil || !report.Intact() {
				t.Errorf("the Activity Log is %+v, %v", report, err)
			}
		}
		stop()
		refused := errors.New("not like this")
		if err := asIs(t, s.Database()).BackUp(t.Context(), filepath.Join(t.TempDir(), "refused.db"), nil, func(context.Context, store.Tx) error { return refused }); !errors.Is(err, refused) {
			t.Errorf("what was found wrong is %v", err)
		}
	})
}

// Before an upgrade the new program can keep what the old one wrote, and leaves that as it is.
func TestABackupMayBeOfAnOlderVersion(t *testing.T) {
	s, out := hosttest.NewSite(t), filepath.Join(t.TempDir(), "old.db")
	for _, table := range []string{"replicas", "module_replicas", "module_crashes"} {
		s.Exec(t, `DROP TABLE `+table)
	}
	for _, column := range []string{"crashes BIGINT NOT NULL DEFAULT 0", "crashed_at BIGINT NOT NULL DEFAULT 0", "failure TEXT NOT NULL DEFAULT ''"} {
		s.Exec(t, `ALTER TABLE modules ADD COLUMN `+column)
	}
	s.Exec(t, `DELETE FROM goose_db_version WHERE version_id > 10`)
	if err := asIs(t, s.Database()).BackUp(t.Context(), out, nil, nil); err != nil {
		t.Fatal(err)
	}
	if version, err := asIs(t, out).Read().Version(t.Context()); err != nil || version > 10 {
		t.Errorf("version %d, %v", version, err)
	}
}

// A copy that was broken off says so: nobody serves half an installation, and it can be begun anew.
func TestABrokenOffCopyIsRefusedAndBegunAnew(t *testing.T) {
	s := hosttest.NewSite(t)
	onEachTarget(t, func(t *testing.T, target string) {
		from := asIs(t, s.Database())
		broken := errors.New("the cable was cut")
		_, err := store.Copy(t.Context(), from, target, store.CopyOptions{Check: func(context.Context, store.Tx, store.Tx) error { return broken }})
		if !errors.Is(err, broken) {
			t.Fatalf("the copy says %v", err)
		}
		if db, err := store.Open(t.Context(), target, "FULL"); err == nil {
			t.Error("half an installation can be served")
			_ = db.Close()
		} else if !strings.Contains(err.Error(), "incomplete") {
			t.Errorf("it is refused by %v", err)
		}
		if _, err := store.Copy(t.Context(), asIs(t, target), filepath.Join(t.TempDir(), "x.db"), store.CopyOptions{}); err == nil || !strings.Contains(err.Error(), "incomplete") {
			t.Errorf("half an installation is copied: %v", err)
		}
		if _, err := store.Copy(t.Context(), from, target, store.CopyOptions{}); err != nil {
			t.Fatalf("begun anew: %v", err)
		}
		if got, want := dump(t, hosttest.OpenSite(t, target)), dump(t, s); !slices.Equal(got, want) {
			t.Errorf("it holds other rows:\n%s", difference(want, got))
		}
	})
}

func TestACopyWritesOverNothing(t *testing.T) {
	s := hosttest.NewSite(t)
	onEachTarget(t, func(t *testing.T, target string) {
		copyTo(t, s.Database(), target)
		before := dump(t, hosttest.OpenSite(t, target))
		wantRefused(t, s.Database(), target, "not empty")
		if after := dump(t, hosttest.OpenSite(t, target)); !slices.Equal(before, after) {
			t.Errorf("the target changed:\n%s", difference(before, after))
		}
	})
	onEachTarget(t, func(t *testing.T, target string) {
		behind(t, target, `CREATE TABLE somebody_elses (id BIGINT)`)
		wantRefused(t, s.Database(), target, "somebody_elses")
		behind(t, target, `DROP TABLE somebody_elses`)
		// What only a migration put there is nothing; one that serves is somebody.
		served := hosttest.OpenSite(t, target)
		if err := served.App.JoinReplicas(t.Context(), crm.Replica{Name: "there", Home: "h", Run: "r"}); err != nil {
			t.Fatal(err)
		}
		wantRefused(t, s.Database(), target, "there serves")
		served.Exec(t, `UPDATE replicas SET seen_at = 0`)
		copyTo(t, s.Database(), target)
	})
}

func TestACopyIsOfOneVersion(t *testing.T) {
	older, newer := hosttest.NewSite(t), hosttest.NewSite(t)
	older.Exec(t, `DELETE FROM goose_db_version WHERE version_id = (SELECT MAX(version_id) FROM goose_db_version)`)
	newer.Exec(t, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)`)
	wantRefused(t, older.Database(), filepath.Join(t.TempDir(), "a.db"), "start this program on the source once")
	wantRefused(t, newer.Database(), filepath.Join(t.TempDir(), "b.db"), "newer program")
	if v := older.HasColumn(t, "staff", "email"); !v {
		t.Error("the source was changed")
	}
	if _, err := store.OpenAsIs(t.Context(), filepath.Join(t.TempDir(), "none.db")); err == nil {
		t.Error("a database that isn't there was opened")
	}
}

// SQLite keeps any bytes as text, PostgreSQL doesn't: such texts are mended and counted, but none that
// is sealed.
func TestTextsThatPostgreSQLDoesNotTake(t *testing.T) {
	s, there := hosttest.NewSite(t), hosttest.PostgresURL(t)
	s.SignIn(t, "ben@example.com")
	s.Exec(t, `UPDATE sessions SET browser = CAST(X'41FF0042' AS TEXT)`)
	if done := copyTo(t, s.Database(), there); done.Mended != 1 {
		t.Errorf("%d were mended", done.Mended)
	}
	hosttest.OpenSite(t, there).Rows(t, `SELECT browser FROM sessions`, func(scan func(...any)) {
		var browser string
		if scan(&browser); browser != "A\uFFFD\uFFFDB" {
			t.Errorf("it is %q", browser)
		}
	})
	s.Exec(t, `UPDATE audit_entries SET object = CAST(X'41FF' AS TEXT)`)
	wantRefused(t, s.Database(), hosttest.PostgresURL(t), "object")
	copyTo(t, s.Database(), filepath.Join(t.TempDir(), "as-it-is.db"))
}

// wander has somebody become another and return, over and over, until it is stopped.
func wander(t *testing.T, s *hosttest.Site) (stop func()) {
	t.Helper()
	v := s.SignIn(t, "ben@example.com")
	ctx, cancel := context.WithCancel(t.Context())
	var busy sync.WaitGroup
	busy.Go(func() {
		for ctx.Err() == nil {
			v.Become("jane@acme.example")
			v.Return()
		}
	})
	return func() { cancel(); busy.Wait() }
}

func wantWhole(t *testing.T, database string) {
	t.Helper()
	db, err := sql.Open("sqlite", database)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	hosttest.WantWhole(t, db)
}

func onEachTarget(t *testing.T, story func(t *testing.T, target string)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { story(t, filepath.Join(t.TempDir(), "target.db")) })
	t.Run("postgres", func(t *testing.T) { story(t, hosttest.PostgresURL(t)) })
}

func asIs(t *testing.T, where string) *store.Store {
	t.Helper()
	s, err := store.OpenAsIs(t.Context(), where)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func copyTo(t *testing.T, from, to string) store.Copied {
	t.Helper()
	done, err := store.Copy(t.Context(), asIs(t, from), to, store.CopyOptions{})
	if err != nil {
		t.Fatalf("copy: %v", err)
	}
	return done
}

func wantRefused(t *testing.T, from, to, why string) {
	t.Helper()
	if _, err := store.Copy(t.Context(), asIs(t, from), to, store.CopyOptions{}); err == nil || !strings.Contains(err.Error(), why) {
		t.Errorf("the copy says %v, not %q", err, why)
	}
}

// fillEveryTable has the example people do some things, and puts a row of anything into each table that
// is empty even so.
func fillEveryTable(t *testing.T, s *hosttest.Site) {
	t.Helper()
	v := s.SignIn(t, "ben@example.com")
	v.Become("jane@acme.example")
	s.Clock.Advance(time.Minute)
	v.Return()
	copies, _ := store.Listed()
	for _, name := range copies {
		var rows int
		s.Rows(t, `SELECT COUNT(*) FROM `+name, func(scan func(...any)) { scan(&rows) })
		if rows > 0 {
			continue
		}
		names, err := store.ColumnsOf(t.Context(), s.Store, name)
		if err != nil {
			t.Fatal(err)
		}
		var values []string
		for i, column := range names {
			var kind string
			s.Rows(t, `SELECT type FROM pragma_table_info('`+name+`') WHERE name = '`+column+`'`, func(scan func(...any)) { scan(&kind) })
			switch kind {
			case "TEXT":
				values = append(values, fmt.Sprintf("'%s ''ä\"' || char(10) || 'عمر, %d'", column, i))
			case "BYTEA":
				values = append(values, "X'00FF5C6E'")
			case "BOOLEAN":
				values = append(values, "TRUE")
			default:
				values = append(values, fmt.Sprint(1<<40+i))
			}
		}
		s.Exec(t, `INSERT INTO `+name+` (`+strings.Join(names, ", ")+`) VALUES (`+strings.Join(values, ", ")+`)`)
	}
	s.Exec(t, `INSERT INTO module_values (module_id, name, value) VALUES ('m', 'empty', X'')`)
}

// dump lists what a database holds, row by row.
func dump(t *testing.T, s *hosttest.Site) []string {
	t.Helper()
	copies, _ := store.Listed()
	var lines []string
	for _, name := range copies {
		columns, err := store.ColumnsOf(t.Context(), s.Store, name)
		if err != nil {
			t.Fatal(err)
		}
		s.Rows(t, `SELECT `+strings.Join(columns, ", ")+` FROM `+name, func(scan func(...any)) {
			cells := make([]any, len(columns))
			for i := range cells {
				cells[i] = new(any)
			}
			scan(cells...)
			line := name + ":"
			for i, cell := range cells {
				value := *cell.(*any)
				if b, is := value.([]byte); is || (value == nil && columns[i] != "role_id") {
					value = fmt.Sprintf("%x", b)
				}
				if is, of := value.(bool); of { // SQLite counts
					value = map[bool]int{true: 1}[is]
				}
				line += fmt.Sprintf(" %s=%v", columns[i], value)
			}
			lines = append(lines, line)
		})
	}
	slices.Sort(lines)
	if len(lines) == 0 {
		t.Fatal("it is empty")
	}
	return lines
}

func difference(want, got []string) string {
	var text strings.Builder
	for _, line := range want {
		if !slices.Contains(got, line) {
			text.WriteString("- " + line + "\n")
		}
	}
	for _, line := range got {
		if !slices.Contains(want, line) {
			text.WriteString("+ " + line + "\n")
		}
	}
	return text.String()
}

// behind runs a statement on a database no Site has opened yet.
func behind(t *testing.T, where, statement string) {
	t.Helper()
	driver := "sqlite"
	if strings.Contains(where, "://") {
		driver = "pgx"
	}
	db, err := sql.Open(driver, where)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}
