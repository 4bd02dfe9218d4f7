package main

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/understudy-crm/understudy/host/internal/e2e"
	"github.com/understudy-crm/understudy/host/internal/hosttest"
)

// A backup made while the CRM runs is all it takes: put where the database would be, or copied, it
// serves, with everybody signed in and modules running from the packages it holds.
func TestABackupIsAllItTakes(t *testing.T) {
	t.Parallel()
	d := e2e.RunDemo(t)
	someone := e2e.SignedInClient(t, d, e2e.Ann)
	wantServed := func(d e2e.Demo) {
		t.Helper()
		someone.Site = d.Address
		if a := someone.Get("/admin/modules"); !strings.Contains(a.Body, ">Deactivate<") {
			t.Errorf("the module isn't active, or nobody is signed in: %d\n%s", a.Status, a.Body)
		}
		if a := someone.Get("/admin/activity?action=backup_made"); !strings.Contains(a.Body, "File: understudy-") {
			t.Errorf("it doesn't say that it is a backup:\n%s", a.Body)
		}
	}
	first := wantBackup(t, "--data", d.Data)
	put := t.TempDir()
	if err := os.WriteFile(filepath.Join(put, "understudy.db"), e2e.ReadFile(t, first), 0o600); err != nil {
		t.Fatal(err)
	}
	wantServed(serveWith(t, put))
	there := hosttest.PostgresURL(t)
	wantCopied(t, first, there)
	wantServed(serveWith(t, t.TempDir(), "--database", there))
	again, home := wantBackup(t, "--database", there), t.TempDir()
	wantCopied(t, again, filepath.Join(home, "understudy.db"))
	wantServed(serveWith(t, home))
}

func TestABackupWritesOverNothing(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	if out, err := commandWith(t, "a-long-password-of-Ann\n", "admin", "create", "--data", data, "--name", "Ann", "ann@example.com"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	there := e2e.TempFile(t, "precious.txt", []byte("precious"))
	out, err := command(t, "backup", "--data", data, "--out", there)
	if err == nil || !strings.Contains(out, "is there already") || string(e2e.ReadFile(t, there)) != "precious" {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err := command(t, "backup", "--data", t.TempDir(), "--out", filepath.Join(t.TempDir(), "b.db")); err == nil || !strings.Contains(out, "no database") {
		t.Errorf("of nothing: %v\n%s", err, out)
	}
	// A damaged database gives no backup that looks like one.
	damage(t, filepath.Join(data, "understudy.db"))
	folder := t.TempDir()
	if out, err := command(t, "backup", "--data", data, "--out", folder); err == nil {
		t.Errorf("of a damaged database:\n%s", out)
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
		t.Errorf("it left %v, %v", left, err)
	}
}

// wantBackup makes a backup in a folder of its own, and gives the file.
func wantBackup(t *testing.T, args ...string) string {
	t.Helper()
	folder := t.TempDir()
	if out, err := command(t, append([]string{"backup", "--out", folder}, args...)...); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	left, err := os.ReadDir(folder)
	if err != nil || len(left) != 1 {
		t.Fatalf("it wrote %v, %v", left, err)
	}
	info, err := left[0].Info()
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" && info.Mode() != 0o600 {
		t.Errorf("others may read it: %s", info.Mode())
	}
	return filepath.Join(folder, left[0].Name())
}

// damage overwrites pages in the midst of a database.
func damage(t *testing.T, database string) {
	t.Helper()
	f, err := os.OpenFile(database, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte(strings.Repeat("damage", 10_000)), 8192); err != nil {
		t.Fatal(err)
	}
}
