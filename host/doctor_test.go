package main

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/understudy-crm/understudy/host/internal/e2e"
	"github.com/understudy-crm/understudy/host/internal/hosttest"
	"github.com/understudy-crm/understudy/host/internal/store"
)

// The doctor finds what has happened to an installation behind its back, and leaves it as it is.
func TestTheDoctorFindsWhatIsWrong(t *testing.T) {
	t.Parallel()
	d := e2e.RunDemo(t)
	database := filepath.Join(d.Data, "understudy.db")
	doctor := func(args ...string) string {
		t.Helper()
		before := contents(t, d.Data)
		out, _ := command(t, append([]string{"doctor", "--data", d.Data, "--modules", filepath.Join(d.Data, "modules")}, args...)...)
		if after := contents(t, d.Data); d.Address == "" && before != after {
			t.Errorf("the doctor changed something:\n%s\n%s", before, after)
		}
		return out
	}
	out := doctor()
	wantFinding(t, out, "ok +data .*a server runs on")
	if strings.Contains(out, "starts in a row") {
		t.Errorf("a start that went well is said to have died:\n%s", out)
	}
	endOf(t, d)
	d.Address = "" // from here on nobody else writes there
	if out := doctor(); strings.Contains(out, "failure") {
		t.Errorf("a sound installation is said to be ill:\n%s", out)
	}
	journal := filepath.Join(d.Data, "starting.json")
	if err := os.WriteFile(journal, []byte(`{"starts":2,"starting":["impersonation"]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	wantFinding(t, doctor(), "warning +modules +2 starts in a row died .*: impersonation")
	for _, of := range [][2]string{
		{`UPDATE module_packages SET package = X'504B'`, "failure +modules +impersonation .* can't run: "},
		{`UPDATE modules SET version = '9.9.9'`, "failure +modules +impersonation 9.9.9 can't run: "},
		{`UPDATE staff SET active = FALSE`, "warning +database .*no active administrator"},
		{`UPDATE audit_entries SET at = at + 86400000`, "failure +clock .*later than now"},
		{`INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)`, "warning +database .*version 9999, .*goes on working"},
		{`UPDATE schema_least SET least = 9998`, "failure +database .*asks to know 9998, this program knows only"},
		{`CREATE TABLE unfinished_copy (started_at BIGINT)`, "failure +database .*broken off"},
	} {
		change(t, database, of[0])
		wantFinding(t, doctor(), of[1])
	}
}

// The doctor looks at PostgreSQL, and finds a proxy nobody was told of by where everybody comes from.
func TestTheDoctorLooksAtPostgreSQL(t *testing.T) {
	t.Parallel()
	there := hosttest.PostgresURL(t)
	doctor := func(args ...string) string {
		t.Helper()
		out, _ := command(t, append([]string{"doctor", "--database", there}, args...)...)
		return out
	}
	wantFinding(t, doctor(), "ok +database .*it is empty")
	site := hosttest.OpenSite(t, there)
	if err := site.App.FillDemo(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		site.SignIn(t, e2e.Ann)
	}
	site.Exec(t, `DO $$ BEGIN EXECUTE 'ALTER DATABASE ' || current_database() || ' SET synchronous_commit = off'; END $$`)
	site.Exec(t, `UPDATE sessions SET ip = '10.1.2.3'`)
	out := doctor()
	wantFinding(t, out, "ok +database +PostgreSQL 1")
	wantFinding(t, out, "ok +database .*as this program's")
	wantFinding(t, out, "warning +database +synchronous_commit is off")
	wantFinding(t, out, "ok +clock +the database's is")
	wantFinding(t, out, "warning +web .*everybody is signed in from 10.1.2.3")
	if out := doctor("--trusted-proxies", "10.1.2.3"); strings.Contains(out, "everybody is signed in") {
		t.Errorf("the proxy is known:\n%s", out)
	}
	site.Exec(t, `UPDATE goose_db_version SET version_id = 1000 WHERE version_id = `+fmt.Sprint(store.Knows()))
	wantFinding(t, doctor(), "warning +database .*version 1000")
}

func wantFinding(t *testing.T, out, pattern string) {
	t.Helper()
	if !regexp.MustCompile(`(?m)^` + pattern).MatchString(out) {
		t.Errorf("there is no %q in\n%s", pattern, out)
	}
}

// contents sums up a folder with all below it.
func contents(t *testing.T, folder string) string {
	t.Helper()
	var lines []string
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !entry.Type().IsRegular() {
			lines = append(lines, path)
			return nil //nolint:nilerr // gone meanwhile
		}
		text, _ := os.ReadFile(path)
		lines = append(lines, fmt.Sprintf("%s %x", path, sha256.Sum256(text)))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(lines, "\n")
}
