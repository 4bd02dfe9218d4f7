package main

import (
	"bufio"
	"database/sql"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/understudy-crm/understudy/host/internal/e2e"
	"github.com/understudy-crm/understudy/host/internal/hosttest"
)

// An installation moves to PostgreSQL with all it has: people stay signed in, modules run from the
// packages in the database, the Activity Log is intact; and home again.
func TestAnInstallationMovesToPostgreSQLAndBack(t *testing.T) {
	t.Parallel()
	there := hosttest.PostgresURL(t)
	d := e2e.RunDemo(t)
	someone := e2e.SignedInClient(t, d, e2e.Ann)
	wantMoved := func(d e2e.Demo) {
		t.Helper()
		someone.Site = d.Address
		if a := someone.Get("/admin/modules"); !strings.Contains(a.Body, "Impersonation") || !strings.Contains(a.Body, ">Deactivate<") {
			t.Errorf("the module isn't active, or nobody is signed in: %d\n%s", a.Status, a.Body)
		}
	}
	source := filepath.Join(d.Data, "understudy.db")
	refuseCopy(t, source, there, "runs on the source")
	endOf(t, d)
	wantCopied(t, source, there)
	first := serveWith(t, t.TempDir(), "--database", there)
	wantMoved(first)
	refuseCopy(t, source, there, "not empty")
	home := t.TempDir()
	refuseCopy(t, there, filepath.Join(home, "understudy.db"), "runs on the source")
	endOf(t, first)
	wantCopied(t, there, filepath.Join(home, "understudy.db"))
	wantMoved(serveWith(t, home))
	out, err := command(t, "audit", "verify", "--data", home)
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// A copy killed in its midst leaves a target that nobody serves, and that a second try fills.
func TestAKilledCopyIsNeverServed(t *testing.T) {
	t.Parallel()
	home, source := t.TempDir(), t.TempDir()
	target := filepath.Join(home, "understudy.db")
	if out, err := commandWith(t, "a-long-password-of-Ann\n", "admin", "create", "--data", source, "--name", "Ann", "ann@example.com"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	source = filepath.Join(source, "understudy.db")
	change(t, source, `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000)
		INSERT INTO switch_pages (switch_id, at, method, path, title, status) SELECT i, i, 'GET', '/admin', 'Page', 200 FROM n`)
	copying := exec.Command(hosttest.Program(t), "db", "copy", "--from", source, "--to", target)
	said, err := copying.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := copying.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(said).ReadString('\n'); err != nil || !strings.Contains(line, " of 4") {
		t.Fatalf("it isn't under way: %q, %v", line, err)
	}
	if err := copying.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := copying.Wait(); err == nil {
		t.Fatal("it was through before it was killed")
	}
	if out, err := command(t, "serve", "--data", home, "--listen", "127.0.0.1:0"); err == nil || !strings.Contains(out, "incomplete") {
		t.Errorf("half a copy is served: %v\n%s", err, out)
	}
	wantCopied(t, source, target)
	if out, err := command(t, "audit", "verify", "--data", home); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// end stops the host in order.
func endOf(t *testing.T, d e2e.Demo) {
	t.Helper()
	if err := d.Stop(); err != nil {
		t.Fatal(err)
	}
}

// serveWith serves a data folder, with modules unpacked in it.
func serveWith(t *testing.T, data string, args ...string) e2e.Demo {
	t.Helper()
	args = append([]string{"serve", "--listen", "127.0.0.1:0", "--data", data, "--modules", filepath.Join(data, "modules")}, args...)
	return e2e.Demo{Process: hosttest.StartProgram(t, args...), Data: data}
}

func wantCopied(t *testing.T, from, to string) {
	t.Helper()
	if out, err := command(t, "db", "copy", "--from", from, "--to", to); err != nil {
		t.Fatalf("copy: %v\n%s", err, out)
	}
}

func refuseCopy(t *testing.T, from, to, why string) {
	t.Helper()
	if out, err := command(t, "db", "copy", "--from", from, "--to", to); err == nil || !strings.Contains(out, why) {
		t.Errorf("not refused because of %q: %v\n%s", why, err, out)
	}
}

// command runs the program to its end and gives what it said.
func command(t *testing.T, args ...string) (string, error) {
	t.Helper()
	return commandWith(t, "", args...)
}

func commandWith(t *testing.T, input string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), hosttest.Program(t), args...)
	cmd.Dir, cmd.Stdin = t.TempDir(), strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// change changes an SQLite database behind the program's back.
func change(t *testing.T, database, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+database)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}
