package web

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

// left are the tables that change by themselves.
var left = map[string]string{
	"module_log":       "modules write it, and it is flushed when it is read",
	"sqlite_sequence":  "of the engine",
	"goose_db_version": "of the migrations",
}

// packages hold megabytes; their sums stand for them.
var packages = map[string]string{
	"module_packages": "SELECT sha256, length(package) FROM module_packages",
	"staged_packages": "SELECT id, by_kind, by_id, filename, sha256, length(package), staged_at FROM staged_packages",
}

// eve is an administrator Ann can become, so that every route of the admin area is within reach.
const eve = "eve@example.com"

// behind opens the database beside the store.
func (s *site) behind(do func(*sql.DB) error) error {
	db, err := sql.Open("sqlite", s.database)
	if err != nil {
		return err
	}
	defer db.Close()
	return do(db)
}

// values fill the patterns of the table of routes with things there are.
func (s *site) values(b *browser) *strings.Replacer {
	s.t.Helper()
	b.get("/admin/modules").wants(s.t, 200)
	staged := b.upload("other.zip", samplePackage(s.t, "other")).wants(s.t, 303).Header.Get("Location")
	b.post("/admin/modules/keys", "name", "Acme", "public_key", "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3").wants(s.t, 303)
	_, after, _ := strings.Cut(b.get("/admin/modules/keys").body, "/admin/modules/keys/")
	key, _, _ := strings.Cut(after, "/")
	link, err := s.app.PasswordLink(context.Background(), crm.Operator(), s.account(omar))
	if err != nil {
		s.t.Fatal(err)
	}
	return strings.NewReplacer("{id}", "1", "{customer}", "1", "{module}", "sample-00", "{path...}", "log", "{section}", "general", "{staged}", filepath.Base(staged),
		"{key}", key, "{token}", link, "{$}", "", "{version}", "x", "{file...}", "app.css")
}

// changes tells, each time it is called, in which tables any row changed since the last time.
func (s *site) changes() func() []string {
	s.t.Helper()
	db, err := sql.Open("sqlite", s.database)
	if err != nil {
		s.t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	s.t.Cleanup(func() { _ = db.Close() })
	var version string
	known := map[string]string{}
	look := func() (changed []string) {
		now, err := column(db, "PRAGMA data_version") // goes up when somebody else has committed
		if err != nil {
			s.t.Fatal(err)
		}
		if now[0] == version {
			return nil
		}
		version = now[0]
		for name, rows := range s.tables(db) {
			if rows != known[name] {
				changed, known[name] = append(changed, name), rows
			}
		}
		return changed
	}
	look()
	return look
}

// tables is every row there is, by table.
func (s *site) tables(db *sql.DB) map[string]string {
	s.t.Helper()
	found := map[string]string{}
	names, err := column(db, "SELECT name FROM sqlite_master WHERE type = 'table'")
	if err != nil || len(names) < 20 {
		s.t.Fatal(err, names)
	}
	for _, name := range names {
		if left[name] != "" {
			continue
		}
		rows, err := column(db, cmp.Or(packages[name], "SELECT * FROM "+name))
		if err != nil {
			s.t.Fatal(err)
		}
		found[name] = strings.Join(rows, "\n")
	}
	return found
}

func column(db *sql.DB, query string) ([]string, error) {
	rows, err := db.Query(query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	var list []string
	for rows.Next() {
		cells := make([]any, len(columns))
		for i := range cells {
			cells[i] = new(any)
		}
		if err := rows.Scan(cells...); err != nil {
			return nil, err
		}
		var texts []string
		for i, c := range cells {
			value := *c.(*any)
			if columns[i] == "seen_at" || columns[i] == "ip" && columns[0] == "id" && slices.Contains(columns, "secret_hash") {
				continue // a session's use is noted now and then, whoever uses it
			}
			if data, is := value.([]byte); is {
				value = string(data)
			}
			texts = append(texts, fmt.Sprint(value))
		}
		list = append(list, strings.Join(texts, "|"))
	}
	return list, rows.Err()
}

func (s *site) withEve() {
	s.t.Helper()
	if _, err := s.app.CreateAdministrator(context.Background(), crm.Operator(), "Eve Stone", eve, demoPassword); err != nil {
		s.t.Fatal(err)
	}
}
