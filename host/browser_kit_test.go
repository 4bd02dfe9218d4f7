package main

import (
	"crypto/rand"
	"database/sql"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/hosttest"
)

// The example people.
const (
	ann  = "admin@example.com"
	ben  = "ben@example.com"
	cleo = "cleo@example.com"
	jane = "jane@acme.example"
	omar = "omar@acme.example"
	rosa = "rosa@globex.example"
)

const (
	shippedModule = "plugins/impersonation"
	demoPassword  = app.DemoPassword
)

// demo is a running demo and where it keeps its things.
type demo struct {
	*hosttest.Process
	data string
}

// runDemo runs a demo of its own until the test ends.
func runDemo(t *testing.T, args ...string) demo {
	t.Helper()
	data := filepath.Join(t.TempDir(), "data")
	packages := filepath.Dir(hosttest.Package(t, shippedModule))
	args = append([]string{"demo", "--listen", "127.0.0.1:0", "--packages", packages, "--data", data, "--log-level", "INFO"}, args...)
	return demo{hosttest.StartProgram(t, args...), data}
}

// exec changes the demo's database behind its back: what only time or an intruder would do.
func (d demo) exec(t *testing.T, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(d.data, "understudy.db")+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// query reads the demo's database behind its back, row by row.
func (d demo) query(t *testing.T, statement string, row func(scan func(...any))) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(d.data, "understudy.db")+"?mode=ro&_pragma=busy_timeout(5000)")
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

// rowOf is a whole row of a table.
func (d demo) rowOf(t *testing.T, table string, id int64) map[string]any {
	t.Helper()
	found := map[string]any{}
	var columns []string
	d.query(t, "SELECT name FROM pragma_table_info('"+table+"')", func(scan func(...any)) {
		var name string
		scan(&name)
		columns = append(columns, name)
	})
	d.query(t, fmt.Sprintf("SELECT %s FROM %s WHERE id = %d", strings.Join(columns, ", "), table, id), func(scan func(...any)) {
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

// person is somebody at a browser of their own.
type person struct {
	*hosttest.Browser
	t    *testing.T
	site string
}

// visitor opens a browser in which nobody is signed in.
func visitor(t *testing.T, d demo) *person {
	t.Helper()
	return &person{hosttest.NewBrowser(t), t, d.Address}
}

// signedIn opens a browser at the dashboard of somebody who has signed in.
func signedIn(t *testing.T, d demo, email string) *person {
	t.Helper()
	p := visitor(t, d)
	signedInClient(t, d, email).lend(p.Browser)
	p.open(home(email))
	return p
}

func (p *person) signIn(email, password string) {
	p.t.Helper()
	p.Open(p.site + login(email))
	p.Fill("Email Address", email)
	p.Fill("Password", password)
	p.Click("button", "Login")
	p.WaitURL(home(email))
}

// login is where the person signs in, home where they land.
func login(email string) string {
	if strings.HasSuffix(email, "@example.com") {
		return "/admin/login"
	}
	return "/login"
}

func home(email string) string {
	if login(email) == "/admin/login" {
		return "/admin"
	}
	return "/"
}

func (p *person) open(path string) {
	p.t.Helper()
	p.Open(p.site + path)
}

// part is the same browser for a subtest.
func (p *person) part(t *testing.T) *person { return &person{p.For(t), t, p.site} }

func (p *person) dialog() *hosttest.Browser { return p.In("dialog", "Impersonate") }

// bar is the navigation bar.
func (p *person) bar() *hosttest.Browser { return p.In("banner", "") }

// openModal opens the Impersonation modal from the navigation bar.
func (p *person) openModal() {
	p.t.Helper()
	p.bar().Click("link", "Impersonate")
	p.SeeRole("dialog", "Impersonate")
}

// impersonate becomes somebody by the navigation bar; kind is "" when there is nothing to choose.
func (p *person) impersonate(kind, user string) {
	p.t.Helper()
	p.openModal()
	if kind != "" {
		p.dialog().Choose("User Type", kind)
	}
	p.dialog().Choose("User", user)
	p.dialog().Click("button", "Impersonate")
	p.SeeRole("button", "Stop Impersonation")
}

func (p *person) stop() {
	p.t.Helper()
	p.Click("button", "Stop Impersonation")
	p.WaitURL("/admin")
	p.DontSeeRole("button", "Stop Impersonation")
}

// accountMenu is the name of the account menu's button, which says who one is.
func (p *person) accountMenu() string {
	p.t.Helper()
	for _, name := range p.bar().Names("button") {
		if strings.HasPrefix(name, "Account menu") {
			return name
		}
	}
	return ""
}

// is waits until the page is this person's: the account menu says so.
func (p *person) is(name string) {
	p.t.Helper()
	hosttest.Eventually(p.t, "the account menu names "+name, func() bool { return strings.Contains(p.accountMenu(), name) })
}

// self waits until the page is this person's own, and nothing is left of somebody else.
func (p *person) self(name string) {
	p.t.Helper()
	p.is(name)
	p.DontSeeRole("button", "Stop Impersonation")
	p.DontSee("are signed in as")
}

// saveSettings chooses the three settings of the module on its settings page.
func (p *person) saveSettings(disabled, customers, admins bool) {
	p.t.Helper()
	p.open("/admin/settings/impersonation")
	for name, yes := range map[string]bool{"Disable Impersonation": disabled, "Enable for Customers": customers, "Enable for Admins": admins} {
		choice := "No"
		if yes {
			choice = "Yes"
		}
		p.In("group", name).Click("radio", choice)
	}
	p.Click("button", "Save Settings")
	p.See("Settings saved.")
}

func (c *client) signIn(email, password string) {
	c.t.Helper()
	got := c.send(http.MethodPost, login(email), url.Values{"email": {email}, "password": {password}}, nil)
	if got.Status != http.StatusSeeOther {
		c.t.Fatalf("%s doesn't get in: %d %s", email, got.Status, got.text())
	}
}

var (
	tags   = regexp.MustCompile(`(?s)<(script|style|head)\b.*?</(script|style|head)>|<[^>]*>`)
	spaces = regexp.MustCompile(`\s+`)
)

// pictures saves what is on the screen when UNDERSTUDY_TEST_SCREENSHOTS names a folder.
func pictures(b *hosttest.Browser, name string) {
	if folder := os.Getenv("UNDERSTUDY_TEST_SCREENSHOTS"); folder != "" {
		b.Screenshot(filepath.Join(folder, name+".png"))
	}
}

func unguessable() string { return strings.ToLower(rand.Text()) }
