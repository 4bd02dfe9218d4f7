// Package e2e is the kit of stories about the whole program, told by people at browsers and by clients
// who send what no page offers. The stories stand in the folders below, each about one thing.
package e2e

import (
	"crypto/rand"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/hosttest"
)

// The example people.
const (
	Ann  = "admin@example.com"
	Ben  = "ben@example.com"
	Cleo = "cleo@example.com"
	Jane = "jane@acme.example"
	Omar = "omar@acme.example"
	Rosa = "rosa@globex.example"
)

// What a demo holds.
const (
	ShippedModule = "plugins/impersonation"
	DemoPassword  = app.DemoPassword
)

// Demo is a running demo and where it keeps its things.
type Demo struct {
	*hosttest.Process
	Data string
}

// RunDemo runs a demo of its own until the test ends.
func RunDemo(t *testing.T, args ...string) Demo {
	t.Helper()
	data := filepath.Join(t.TempDir(), "data")
	packages := filepath.Dir(hosttest.Package(t, ShippedModule))
	args = append([]string{"demo", "--listen", "127.0.0.1:0", "--packages", packages, "--data", data, "--log-level", "INFO"}, args...)
	return Demo{hosttest.StartProgram(t, args...), data}
}

// Exec changes the demo's database behind its back: what only time or an intruder would do.
func (d Demo) Exec(t *testing.T, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(d.Data, "understudy.db")+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// Query reads the demo's database behind its back, row by row.
func (d Demo) Query(t *testing.T, statement string, row func(scan func(...any))) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(d.Data, "understudy.db")+"?mode=ro&_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.QueryContext(t.Context(), statement)
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	defer rows.Close()
	for rows.Next() {
		row(func(into ...any) {
			if err := rows.Scan(into...); err != nil {
				t.Fatalf("%s: %v", statement, err)
			}
		})
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
}

// RowOf is a whole row of a table.
func (d Demo) RowOf(t *testing.T, table string, id int64) map[string]any {
	t.Helper()
	found := map[string]any{}
	var columns []string
	d.Query(t, "SELECT name FROM pragma_table_info('"+table+"')", func(scan func(...any)) {
		var name string
		scan(&name)
		columns = append(columns, name)
	})
	d.Query(t, fmt.Sprintf("SELECT %s FROM %s WHERE id = %d", strings.Join(columns, ", "), table, id), func(scan func(...any)) {
		values := make([]any, len(columns))
		into := make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		scan(into...)
		for i, name := range columns {
			found[name] = values[i]
		}
	})
	if len(found) == 0 {
		t.Fatalf("no row %d in %s", id, table)
	}
	return found
}

// Pictures saves what is on the screen when UNDERSTUDY_TEST_SCREENSHOTS names a folder.
func Pictures(b *hosttest.Browser, name string) {
	if folder := os.Getenv("UNDERSTUDY_TEST_SCREENSHOTS"); folder != "" {
		b.Screenshot(filepath.Join(folder, name+".png"))
	}
}

// Unguessable is a text that nobody has used.
func Unguessable() string { return strings.ToLower(rand.Text()) }
