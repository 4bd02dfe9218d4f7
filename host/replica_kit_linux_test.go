package main

import (
	"bytes"
	"database/sql"
	"fmt"
	"html"
	"maps"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/hosttest"
)

// supportMay is what the example role Support may besides customers.
var supportMay = []crm.Capability{"impersonation/staff", "impersonation/customers", "impersonation/view_log"}

// replicas are three replicas of the demo's site behind nginx.
type replicas struct {
	*hosttest.Replicas
	t  *testing.T
	db *sql.DB // past every replica
}

// runReplicas starts three on a database of their own, with the example people.
func runReplicas(t *testing.T, database string) replicas {
	t.Helper()
	hosttest.FillDemo(t, database, 0, 0, supportMay...)
	return startReplicas(t, database)
}

func startReplicas(t *testing.T, database string) replicas {
	t.Helper()
	db, err := sql.Open("pgx", database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() }) // what was asked has been answered
	return replicas{hosttest.StartReplicas(t, database), t, db}
}

// client is a client whose every request goes where nginx sends it; asked counts which replicas
// answered.
func (r replicas) client(asked *tally) *client {
	r.t.Helper()
	c := newClient(r.t, demo{Process: &hosttest.Process{Address: r.Address}})
	c.Transport = counting{r.Transport(r.t, "127.0.0.1"), asked}
	return c
}

// signedIn is a client of the whole site.
func (r replicas) signedIn(email string) *client {
	r.t.Helper()
	c := r.client(&tally{})
	c.signIn(email, demoPassword)
	return c
}

// at is the same browser, asking one replica past nginx. It must not change the session: the browser
// would not learn of its new secret.
func (c *client) at(one *hosttest.Replica) *client {
	c.t.Helper()
	d := newClient(c.t, demo{Process: one.Process})
	d.cookie(c.secret())
	return d
}

// cookie makes a secret what the browser holds.
func (c *client) cookie(secret string) {
	c.t.Helper()
	site, err := url.Parse(c.site)
	if err != nil {
		c.t.Fatal(err)
	}
	c.Jar.SetCookies(site, []*http.Cookie{{Name: "understudy", Value: secret, Path: "/"}})
}

// tally counts answers by who gave them.
type tally struct {
	mu sync.Mutex
	by map[string]int
}

func (a *tally) add(who string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.by == nil {
		a.by = map[string]int{}
	}
	a.by[who]++
}

func (a *tally) all() map[string]int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return maps.Clone(a.by)
}

// counting notes which replica answered.
type counting struct {
	http.RoundTripper
	tally *tally
}

// RoundTrip asks and notes.
func (c counting) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := c.RoundTripper.RoundTrip(req)
	if err == nil {
		c.tally.add(res.Header.Get(hosttest.ReplicaHeader))
	}
	return res, err
}

// whose is what a page says about whose it is.
type whose struct {
	Subject string // such as contact:7; empty on a page of nobody's
	Session string
	Banner  string // names the actor when it is another
}

var (
	bodyTag    = regexp.MustCompile(`<body data-subject="([^"]*)" data-name="[^"]*" data-session="([^"]*)"`)
	bannerText = regexp.MustCompile(`(?s)<section class="switch-banner[^>]*aria-label="([^"]*)"`)
)

// whose reads it; false for an answer that isn't a page of the site.
func (a answer) whose() (whose, bool) {
	body := bodyTag.FindStringSubmatch(a.Body)
	if body == nil {
		return whose{}, false
	}
	w := whose{Subject: body[1], Session: body[2]}
	if banner := bannerText.FindStringSubmatch(a.Body); banner != nil {
		w.Banner = html.UnescapeString(banner[1])
	}
	return w, true
}

// wantPage is a page that must be there and be this account's; banner is what must stand above it,
// empty for none.
func (c *client) wantPage(path, subject, banner string) answer {
	c.t.Helper()
	got := c.get(path)
	w, page := got.whose()
	if got.Status != http.StatusOK || !page || w.Subject != subject || w.Banner != banner {
		c.t.Errorf("%s: %d, a page of %q under %q, want %q under %q: %s", path, got.Status, w.Subject, w.Banner, subject, banner, got.text())
	}
	return got
}

// upload sends a package and returns the address of its review.
func (c *client) upload(file string) string {
	c.t.Helper()
	body, kind := c.packageForm(file)
	got := c.sendBody(http.MethodPost, "/admin/modules/upload", body, kind, http.Header{"X-Form-Token": {c.token()}})
	if got.Status != http.StatusSeeOther {
		c.t.Fatalf("upload %s: %d %s", file, got.Status, got.text())
	}
	return got.Header.Get("Location")
}

func (c *client) packageForm(file string) (*bytes.Reader, string) {
	c.t.Helper()
	zip, err := os.ReadFile(file)
	if err != nil {
		c.t.Fatal(err)
	}
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile("package", filepath.Base(file))
	if err == nil {
		_, err = part.Write(zip)
	}
	if err == nil {
		err = form.Close()
	}
	if err != nil {
		c.t.Fatal(err)
	}
	return bytes.NewReader(body.Bytes()), form.FormDataContentType()
}

// install uploads, confirms and installs a package.
func (c *client) install(file string) {
	c.t.Helper()
	review := c.upload(file)
	over := overField.FindStringSubmatch(c.get(review).Body)
	if over == nil {
		c.t.Fatalf("%s is no review", review)
	}
	c.want(c.post(review+"/install", "over", over[1], "password", demoPassword), http.StatusSeeOther)
}

var overField = regexp.MustCompile(`name="over" value="([^"]*)"`)

func (c *client) activate(id string) {
	c.t.Helper()
	c.want(c.post("/admin/modules/"+id+"/activate"), http.StatusSeeOther)
}

// runs are the versions of a module whose processes a replica has.
func runs(t *testing.T, one *hosttest.Replica, id string) []string {
	t.Helper()
	var versions []string
	for _, pid := range hosttest.Children(t, one.PID()) {
		program, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
		if err != nil {
			continue // it has ended meanwhile
		}
		inside, found := strings.CutPrefix(program, filepath.Join(one.Data, "modules", id)+"/")
		if version, _, _ := strings.Cut(inside, "/"); found {
			versions = append(versions, version)
		}
	}
	return versions
}

// offers tells whether a replica draws what the module adds.
func (c *client) offers(one *hosttest.Replica) bool {
	c.t.Helper()
	return strings.Contains(c.at(one).get("/admin").Body, "/admin/m/impersonation/start")
}

// wantRunning waits until each of these replicas runs one process of the module, of this version, and
// draws what it adds.
func (r replicas) wantRunning(c *client, version string, list ...*hosttest.Replica) {
	r.t.Helper()
	for _, one := range list {
		hosttest.Eventually(r.t, fmt.Sprintf("%s runs %s", one.Name, version), func() bool {
			is := runs(r.t, one, "impersonation")
			return len(is) == 1 && strings.HasPrefix(is[0], version) && c.offers(one)
		})
	}
}

// command runs a command of the program on the replicas' database.
func (r replicas) command(args ...string) string {
	r.t.Helper()
	said, err := exec.CommandContext(r.t.Context(), hosttest.Program(r.t), append(args, r.Args(r.t)...)...).CombinedOutput()
	if err != nil {
		r.t.Errorf("%s: %v\n%s", strings.Join(args, " "), err, said)
	}
	return string(said)
}

func count(t *testing.T, db *sql.DB, query string, args ...any) (n int) {
	t.Helper()
	if err := db.QueryRowContext(t.Context(), query, args...).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

// wantWhole looks at what is in the database, as the last line of every story: nothing torn, nothing
// lost from the record, every chain intact.
func (r replicas) wantWhole() {
	r.t.Helper()
	hosttest.WantWhole(r.t, r.db)
	said := r.command("audit", "verify")
	for _, one := range r.List {
		if count(r.t, r.db, "SELECT COUNT(*) FROM audit_entries WHERE chain = $1", one.Name) > 0 && !strings.Contains(said, one.Name) {
			r.t.Errorf("no chain of %s: %s", one.Name, said)
		}
	}
}

// wantAllAsked checks that a story took place on every replica.
func (r replicas) wantAllAsked(asked *tally) {
	r.t.Helper()
	by := asked.all()
	for _, one := range r.List {
		if address := strings.TrimPrefix(one.Process.Address, "http://"); by[address] == 0 {
			r.t.Errorf("%s answered nothing: %v", one.Name, by)
		}
	}
	r.t.Logf("answers: %v", slices.Collect(maps.Values(by)))
}
