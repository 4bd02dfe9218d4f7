package web

import (
	"cmp"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/module"
	"github.com/understudy-crm/understudy/host/internal/store"
)

// The people of the demo data.
const (
	ann  = "admin@example.com"
	ben  = "ben@example.com"
	cleo = "cleo@example.com"
	jane = "jane@acme.example"
	omar = "omar@acme.example"
	rosa = "rosa@globex.example"

	demoPassword = "understudy-demo"
)

// site is a running host with the demo data, a clock that can be moved, and a policy that allows
// every switch the ceiling allows.
type site struct {
	t      testing.TB
	app    *app.App
	rows   *store.Store
	server *server
	http   *httptest.Server
	ahead  atomic.Int64 // how far the clock is ahead, in nanoseconds
	mode   crm.SwitchMode
	limit  time.Duration // zero for an hour
	within time.Duration // how fresh the own password must be to start
	refuse error

	database string
}

func (s *site) now() time.Time { return time.Now().Add(time.Duration(s.ahead.Load())) }

// DecideSwitch makes the site its own policy.
func (s *site) DecideSwitch(context.Context, crm.SwitchQuestion) (crm.SwitchDecision, error) {
	return crm.SwitchDecision{Limit: cmp.Or(s.limit, time.Hour), Mode: s.mode, PasswordWithin: s.within}, s.refuse
}

func newSite(t testing.TB) *site { return newSiteAt(t, "") }

func newSiteAt(t testing.TB, base string) *site {
	t.Helper()
	ctx, dir := context.Background(), t.TempDir()
	rows, err := store.Open(ctx, filepath.Join(dir, "crm.db"), "NORMAL")
	if err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, rows: rows, mode: crm.Full, database: filepath.Join(dir, "crm.db")}
	log := slog.New(slog.NewTextHandler(testLog{t}, &slog.HandlerOptions{Level: slog.LevelWarn}))
	s.app = app.New(app.Options{Store: rows, Now: s.now, Version: "3.1.0", Log: log})
	s.app.SetSwitchPolicy(s)
	if err := s.app.FillDemo(ctx); err != nil {
		t.Fatal(err)
	}
	modules := module.New(module.Options{App: s.app, Dir: filepath.Join(dir, "m"), RunDir: runDir(t), HostVersion: "3.1.0", Log: log, AllowUpload: true})
	handler, err := New(Options{App: s.app, Modules: modules, Log: log, BasePath: base, Version: "3.1.0"})
	if err != nil {
		t.Fatal(err)
	}
	s.server, _ = handler.(*server)
	s.http = httptest.NewServer(handler)
	t.Cleanup(func() { s.http.Close(); _ = rows.Close() })
	return s
}

// runDir is a folder for sockets, whose path must stay short however long the name of the test is.
func runDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "us-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return filepath.Join(dir, "r")
}

type testLog struct{ t testing.TB }

func (l testLog) Write(p []byte) (int, error) {
	l.t.Log(strings.TrimSpace(string(p)))
	return len(p), nil
}

// browser keeps cookies, follows no redirect, and remembers the form token of the last page.
type browser struct {
	*site
	client *http.Client
	token  string
	header http.Header
}

// answer is a response whose body has been read.
type answer struct {
	*http.Response
	body string
}

func (s *site) browser() *browser {
	jar, _ := cookiejar.New(nil)
	return &browser{site: s, header: http.Header{"Accept-Language": {"en"}}, client: &http.Client{
		Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

var tokenPattern = regexp.MustCompile(`name="form_token" value="([^"]+)"`)

func (b *browser) do(method, path string, form url.Values, headers ...string) answer {
	b.t.Helper()
	if form == nil {
		return b.send(method, path, nil, headers...)
	}
	return b.send(method, path, strings.NewReader(form.Encode()), append([]string{"Content-Type", "application/x-www-form-urlencoded"}, headers...)...)
}

func (b *browser) send(method, path string, body io.Reader, headers ...string) answer {
	b.t.Helper()
	r, err := http.NewRequest(method, b.http.URL+b.server.base+path, body)
	if err != nil {
		b.t.Fatal(err)
	}
	for name, values := range b.header {
		r.Header[name] = values
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return b.sent(r)
}

func (b *browser) sent(r *http.Request) answer {
	b.t.Helper()
	response, err := b.client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	if match := tokenPattern.FindSubmatch(text); match != nil {
		b.token = string(match[1])
	}
	return answer{response, string(text)}
}

func (b *browser) get(path string) answer { b.t.Helper(); return b.do("GET", path, nil) }

// post sends a form with the token of the last page; pairs are its fields.
func (b *browser) post(path string, pairs ...string) answer {
	b.t.Helper()
	form := url.Values{"form_token": {b.token}}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	return b.do("POST", path, form)
}

// as is a browser signed in as one of the people of the demo data.
func (s *site) as(email string) *browser {
	s.t.Helper()
	b, login, home := s.browser(), "/login", "/"
	if strings.HasSuffix(email, "@example.com") {
		login, home = "/admin/login", "/admin"
	}
	b.post(login, "email", email, "password", demoPassword).wants(s.t, 303).leadsTo(s.t, s.server.base+home)
	b.get(home).wants(s.t, 200)
	return b
}

// main is the page without its layout, short enough for a failure's message.
func (a answer) main() string {
	text := a.body
	if _, after, ok := strings.Cut(text, "<main"); ok {
		text = after
	}
	return clip(text, 3000)
}

func (a answer) wants(t testing.TB, status int) answer {
	t.Helper()
	if a.StatusCode != status {
		t.Fatalf("%s %s: status %d, want %d\n%s", a.Request.Method, a.Request.URL, a.StatusCode, status, a.main())
	}
	return a
}

func (a answer) leadsTo(t testing.TB, path string) answer {
	t.Helper()
	if got := a.Header.Get("Location"); got != path {
		t.Fatalf("%s %s leads to %q, want %q", a.Request.Method, a.Request.URL, got, path)
	}
	return a
}

func (a answer) says(t testing.TB, texts ...string) answer {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(a.body, text) {
			t.Fatalf("%s %s: no %q in\n%s", a.Request.Method, a.Request.URL, text, a.main())
		}
	}
	return a
}

func (a answer) silent(t testing.TB, texts ...string) answer {
	t.Helper()
	for _, text := range texts {
		if strings.Contains(a.body, text) {
			t.Fatalf("%s %s: %q in\n%s", a.Request.Method, a.Request.URL, text, a.main())
		}
	}
	return a
}

// account finds a person of the demo data.
func (s *site) account(email string) crm.AccountKey {
	s.t.Helper()
	kind := crm.Contact
	if strings.HasSuffix(email, "@example.com") {
		kind = crm.Staff
	}
	found, err := s.app.SearchAccounts(context.Background(), app.AccountQuery{Kind: kind, Term: email, Limit: 1})
	if err != nil || len(found.Rows) != 1 {
		s.t.Fatalf("search %s: %d found, %v", email, len(found.Rows), err)
	}
	return found.Rows[0].Key
}

// become switches to one of the people of the demo data.
func (b *browser) become(email string) answer {
	b.t.Helper()
	key := b.account(email)
	a := b.post("/session/switch", "target", key.String(), "reason", "to help").wants(b.t, 303).leadsTo(b.t, b.server.base+key.Kind.Area().Home())
	b.get(key.Kind.Area().Home()).wants(b.t, 200)
	return a
}
