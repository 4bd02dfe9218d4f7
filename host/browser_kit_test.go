package main

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"html"
	"io"
	"io/fs"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
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
	args = append([]string{"demo", "--listen", "127.0.0.1:0", "--packages", packages, "--data", data}, args...)
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
	hosttest.Eventually(p.t, p.Patience, "the account menu names "+name, func() bool { return strings.Contains(p.accountMenu(), name) })
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

// client is a person without a browser, who sends what no page offers. Redirects aren't followed.
type client struct {
	http.Client
	t    *testing.T
	site string
	seen io.Writer // takes every answer, nil for none
}

// answer is a response that has been read.
type answer struct {
	Status int
	Header http.Header
	Body   string
}

func newClient(t *testing.T, d demo) *client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &client{Client: http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, t: t, site: d.Address}
}

func signedInClient(t *testing.T, d demo, email string) *client {
	t.Helper()
	c := newClient(t, d)
	c.signIn(email, demoPassword)
	return c
}

func (c *client) signIn(email, password string) {
	c.t.Helper()
	got := c.send(http.MethodPost, login(email), url.Values{"email": {email}, "password": {password}}, nil)
	if got.Status != http.StatusSeeOther {
		c.t.Fatalf("%s doesn't get in: %d %s", email, got.Status, got.text())
	}
}

// send sends a form as it is, with these headers beside.
func (c *client) send(method, path string, form url.Values, header http.Header) answer {
	c.t.Helper()
	return c.sendBody(method, path, strings.NewReader(form.Encode()), "application/x-www-form-urlencoded", header)
}

func (c *client) sendBody(method, path string, body io.Reader, kind string, header http.Header) answer {
	c.t.Helper()
	req, err := http.NewRequestWithContext(context.WithoutCancel(c.t.Context()), method, c.site+path, body)
	if err != nil {
		c.t.Fatal(err)
	}
	if method != http.MethodGet {
		req.Header.Set("Content-Type", kind)
	}
	for name, values := range header {
		req.Header[name] = values
	}
	if sized, ok := body.(interface{ Size() int64 }); ok {
		req.ContentLength = sized.Size() // as a browser says it
	}
	res, err := c.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	got := answer{res.StatusCode, res.Header, string(text)}
	if c.seen != nil {
		fmt.Fprintf(c.seen, "%s %s: %d\n%v\n%s\n", method, path, got.Status, got.Header, got.Body)
	}
	return got
}

func (c *client) get(path string) answer {
	c.t.Helper()
	return c.send(http.MethodGet, path, nil, nil)
}

// post sends a form with a token that is good now.
func (c *client) post(path string, pairs ...string) answer {
	c.t.Helper()
	form := url.Values{"form_token": {c.token()}}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	return c.send(http.MethodPost, path, form, nil)
}

// hire adds an administrator who reads this language, and returns what they sign in with.
func (c *client) hire(t *testing.T, name, email, language string) (string, string) {
	t.Helper()
	added := c.post("/admin/staff/new", "name", name, "email", email, "administrator", "true", "role", "0", "language", language)
	if added.Status != http.StatusSeeOther {
		t.Fatalf("add %s: %d %s", name, added.Status, added.text())
	}
	page := c.post(strings.TrimPrefix(added.Header.Get("Location"), c.site) + "/password-link")
	link := passwordLink.FindString(page.Body)
	password := "pass-" + unguessable()
	set := c.anybody().send(http.MethodPost, link, url.Values{"password": {password}, "repeat": {password}}, nil)
	if set.Status != http.StatusSeeOther {
		t.Fatalf("set the password of %s by %q: %d %s", name, link, set.Status, set.text())
	}
	return email, password
}

var passwordLink = regexp.MustCompile(`/password/[^"]+`)

// anybody is a client at the same site who isn't signed in.
func (c *client) anybody() *client {
	return newClient(c.t, demo{Process: &hosttest.Process{Address: c.site}})
}

// settings saves the module's three settings.
func (c *client) settings(disabled, customers, admins bool) {
	c.t.Helper()
	c.want(c.post("/admin/settings/impersonation", "s_disable_impersonation", fmt.Sprint(disabled),
		"s_enable_customers", fmt.Sprint(customers), "s_enable_admins", fmt.Sprint(admins)), http.StatusSeeOther)
}

var tokenField = regexp.MustCompile(`name="form_token" value="([^"]+)"`)

// token is what a form of this person's pages carries; the plain page has one for everybody.
func (c *client) token() string {
	c.t.Helper()
	page := c.get("/session")
	found := tokenField.FindStringSubmatch(page.Body)
	if found == nil {
		c.t.Fatalf("no token on /session: %d %s", page.Status, page.text())
	}
	return html.UnescapeString(found[1])
}

// secret is what the session cookie holds.
func (c *client) secret() string {
	c.t.Helper()
	site, err := url.Parse(c.site)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, cookie := range c.Jar.Cookies(site) {
		if cookie.Name == "understudy" {
			return cookie.Value
		}
	}
	return ""
}

// lend gives a browser this client's session, so that it needn't sign in again.
func (c *client) lend(b *hosttest.Browser) {
	c.t.Helper()
	b.SetCookie(c.site, &http.Cookie{Name: "understudy", Value: c.secret(), Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
}

var (
	tags   = regexp.MustCompile(`(?s)<(script|style|head)\b.*?</(script|style|head)>|<[^>]*>`)
	spaces = regexp.MustCompile(`\s+`)
)

// text is what the page says, without its markup.
func (a answer) text() string {
	return strings.TrimSpace(spaces.ReplaceAllString(html.UnescapeString(tags.ReplaceAllString(a.Body, " ")), " "))
}

func (c *client) want(got answer, status int, says ...string) {
	c.t.Helper()
	if got.Status != status {
		c.t.Errorf("status %d, want %d: %s", got.Status, status, got.text())
		return
	}
	for _, s := range says {
		if !strings.Contains(got.text(), s) {
			c.t.Errorf("lacks %q: %s", s, got.text())
		}
	}
}

// tempFile makes a file in a folder of the test's own.
func tempFile(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// truncate makes a file as long as this, without writing it.
func truncate(path string, size int64) error { return os.Truncate(path, size) }

// zipped is a zip of these files.
func zipped(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for name, content := range files {
		f, err := w.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// rezipped is the package as somebody's system packs it anew: below a folder, with what it adds by itself.
func rezipped(t *testing.T, pkg []byte) []byte {
	t.Helper()
	r, err := zip.NewReader(bytes.NewReader(pkg), int64(len(pkg)))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{"__MACOSX/impersonation/._module.json": "x", "impersonation/.DS_Store": "x"}
	for _, f := range r.File {
		content, err := fs.ReadFile(r, f.Name)
		if err != nil {
			t.Fatal(err)
		}
		files["impersonation/"+f.Name] = string(content)
	}
	return zipped(t, files)
}

// uploadTooBig sends that many bytes as a package, past the check in the browser.
func (c *client) uploadTooBig(size int64) {
	c.t.Helper()
	head := "--x\r\nContent-Disposition: form-data; name=\"form_token\"\r\n\r\n" + c.token() +
		"\r\n--x\r\nContent-Disposition: form-data; name=\"package\"; filename=\"big.zip\"\r\nContent-Type: application/zip\r\n\r\n"
	const foot = "\r\n--x--\r\n"
	body := sizedBody{io.MultiReader(strings.NewReader(head), io.LimitReader(zeros{}, size), strings.NewReader(foot)), int64(len(head)+len(foot)) + size}
	got := c.sendBody(http.MethodPost, "/admin/modules/upload", body, "multipart/form-data; boundary=x", http.Header{"X-Form-Token": {c.token()}})
	c.want(got, http.StatusRequestEntityTooLarge, "64.0 MiB", "65.0 MiB")
	namesASetting(c.t, got.text())
}

// namesASetting checks that the setting a sentence speaks of is one that --help lists.
func namesASetting(t *testing.T, sentence string) {
	t.Helper()
	help, err := exec.CommandContext(t.Context(), hosttest.Program(t), "serve", "--help").Output()
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile(`setting ([^\s,)]+)`).FindStringSubmatch(sentence)
	if named == nil || !strings.Contains(string(help), named[1]) {
		t.Errorf("no setting that --help knows is named: %s", sentence)
	}
}

// sizedBody is a body of a length that is known before.
type sizedBody struct {
	io.Reader
	size int64
}

func (b sizedBody) Size() int64 { return b.size }

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// pictures saves what is on the screen when UNDERSTUDY_TEST_SCREENSHOTS names a folder.
func pictures(b *hosttest.Browser, name string) {
	if folder := os.Getenv("UNDERSTUDY_TEST_SCREENSHOTS"); folder != "" {
		b.Screenshot(filepath.Join(folder, name+".png"))
	}
}

func unguessable() string { return strings.ToLower(rand.Text()) }
