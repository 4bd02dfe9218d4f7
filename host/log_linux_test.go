package main

import (
	"encoding/json"
	"html"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/understudy-crm/understudy/host/internal/e2e"
	"github.com/understudy-crm/understudy/host/internal/hosttest"
)

// logLine is one request's line in the log.
type logLine struct {
	Level, Msg, Method, Route, Request, Actor, Subject, Client, Module string
	Status                                                             int
	MS                                                                 float64
	Switch                                                             int64
}

// logged waits for the line of a request.
func logged(t *testing.T, p *hosttest.Process, request string) logLine {
	t.Helper()
	var found logLine
	hosttest.Eventually(t, "request "+request+" is logged", func() bool {
		for line := range strings.Lines(p.Output()) {
			var l logLine
			if json.Unmarshal([]byte(line), &l) == nil && l.Request == request && l.Msg == "request" {
				found = l
				return true
			}
		}
		return false
	})
	return found
}

// Each request is a line that says what was asked, what came of it and who stands behind it, by the
// number its answer carries. Nothing in it, or in any other line, opens a door.
func TestEachRequestIsALineWithoutSecrets(t *testing.T) {
	t.Parallel()
	d := e2e.RunDemo(t, "--log.format", "json", "--log-level", "DEBUG")
	c := e2e.NewClient(t, d)
	signIn := c.Send(http.MethodPost, "/admin/login", url.Values{"email": {e2e.Ann}, "password": {e2e.DemoPassword}}, nil)
	c.Want(signIn, http.StatusSeeOther)
	secrets := []string{e2e.DemoPassword, c.Secret(), c.Token()}

	line := logged(t, d.Process, signIn.Header.Get("X-Request-Id"))
	if line.Method != http.MethodPost || line.Route != "/admin/login" || line.Status != 303 || line.Actor != "staff:1" || line.Subject != "staff:1" || line.Switch != 0 || line.Client != "127.0.0.1" || line.MS <= 0 || line.Level != "INFO" {
		t.Errorf("the sign-in: %+v", line)
	}
	if line := logged(t, d.Process, c.Anybody().Get("/admin/staff?q=unsaid-term").Header.Get("X-Request-Id")); line.Route != "/admin/staff" || line.Status != 303 || line.Actor != "" {
		t.Errorf("a stranger: %+v", line)
	}
	if line := logged(t, d.Process, c.Get("/nowhere/unsaid-path").Header.Get("X-Request-Id")); line.Route != "none" || line.Status != 404 {
		t.Errorf("an unknown address: %+v", line)
	}
	if line := logged(t, d.Process, c.Get("/healthz").Header.Get("X-Request-Id")); line.Route != "/healthz" || line.Level != "DEBUG" {
		t.Errorf("a program's: %+v", line)
	}
	link := regexp.MustCompile(`/password/([A-Za-z0-9_-]+)`).FindStringSubmatch(c.Post("/admin/contacts/1/password-link").Body)
	if link == nil {
		t.Fatal("no link for a password")
	}
	secrets = append(secrets, link[1])
	if line := logged(t, d.Process, c.Anybody().Get(link[0]).Header.Get("X-Request-Id")); line.Route != "/password/{token}" || line.Status != 200 {
		t.Errorf("a link for a password: %+v", line)
	}
	c.Want(c.Post("/session/switch", "target", "contact:1", "reason", "unsaid-reason"), http.StatusSeeOther)
	secrets = append(secrets, c.Secret(), c.Token())
	if line := logged(t, d.Process, c.Get("/").Header.Get("X-Request-Id")); line.Route != "/{$}" || line.Actor != "staff:1" || line.Subject != "contact:1" || line.Switch == 0 {
		t.Errorf("under a borrowed name: %+v", line)
	}
	c.Want(c.Post("/session/restore"), http.StatusSeeOther)
	page := c.Get("/admin/m/impersonation/log?user=unsaid-term")
	if line := logged(t, d.Process, page.Header.Get("X-Request-Id")); line.Route != "/admin/m/{module}/{path...}" || line.Module != "impersonation" || line.Status != 200 {
		t.Errorf("a module's page: %+v", line)
	}
	if line := logged(t, d.Process, c.Get("/admin/m/"+strings.Repeat("long", 1000)+"/").Header.Get("X-Request-Id")); len(line.Module) > 32 {
		t.Errorf("a module nobody has: %+v", line)
	}
	all := d.Output()
	_, all, _ = strings.Cut(all, "Ctrl-C ends it.") // the demo's welcome tells the password
	for _, secret := range append(secrets, "unsaid-term", "unsaid-path", "unsaid-reason") {
		if secret == "" || strings.Contains(all, html.UnescapeString(secret)) {
			t.Errorf("the log has %q", secret)
		}
	}
}

// What people read by default is text, and a setting nobody knows is refused.
func TestTheLogIsTextForPeople(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := hosttest.StartProgram(t, "serve", "--listen", "127.0.0.1:0", "--data", dir, "--modules", filepath.Join(dir, "modules"))
	wantStatus(t, p.Address+"/admin/login", http.StatusOK)
	hosttest.Eventually(t, "a line of text", func() bool {
		return regexp.MustCompile(`level=INFO msg=request method=GET route=/admin/login status=200 ms=[0-9.]+ client=127\.0\.0\.1 request=[a-z0-9]{16}\n`).MatchString(p.Output())
	})
}

// The demo tells who may sign in: that stays on the screen, whatever is asked for meanwhile.
func TestTheDemoDoesntBuryItsAccounts(t *testing.T) {
	t.Parallel()
	p := hosttest.StartProgram(t, "demo", "--bare", "--listen", "127.0.0.1:0", "--data", filepath.Join(t.TempDir(), "data"))
	wantStatus(t, p.Address+"/admin/login", http.StatusOK)
	if err := p.Stop(); err != nil {
		t.Error(err)
	}
	if _, after, _ := strings.Cut(p.Output(), "Ctrl-C ends it."); strings.TrimSpace(after) != "" {
		t.Errorf("it goes on with\n%s", after)
	}
}
