package web

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/store"
)

// Every page of each area, with what it must say.
var (
	adminPages = []string{
		"/admin", "/admin/customers", "/admin/customers?q=acme&active=yes", "/admin/customers?q=nothing-matches-this", "/admin/customers/new", "/admin/customers/1", "/admin/customers/1/edit",
		"/admin/customers/1/delete", "/admin/contacts", "/admin/customers/1/contacts/new", "/admin/contacts/1", "/admin/contacts/1/delete",
		"/admin/staff", "/admin/staff/new", "/admin/staff/2", "/admin/roles", "/admin/roles/new", "/admin/roles/1", "/admin/roles/1/delete",
		"/admin/modules", "/admin/settings/general", "/admin/settings/security", "/admin/activity", "/admin/activity?action=signed_in&from=2026-01-01&until=2036-01-01",
		"/admin/activity/check", "/admin/profile", "/session", "/logout",
	}
	portalPages = []string{"/", "/profile", "/company", "/session", "/logout"}
	openPages   = []string{"/admin/login", "/login", "/session"}
)

func TestEveryPageRendersForEveryKindOfPerson(t *testing.T) {
	s := newSite(t)
	for _, page := range openPages {
		checkPage(t, s.browser().get(page).wants(t, 200))
	}
	for email, pages := range map[string][]string{ann: adminPages, jane: portalPages, omar: portalPages, rosa: portalPages} {
		b := s.as(email)
		for _, page := range pages {
			checkPage(t, b.get(page).wants(t, 200))
		}
	}
	for _, email := range []string{ben, cleo} {
		b := s.as(email)
		for _, page := range adminPages {
			if a := checkPage(t, b.get(page)); a.StatusCode != http.StatusOK && a.StatusCode != http.StatusForbidden {
				a.wants(t, 200)
			}
		}
	}
	b := s.as(ann)
	b.become(omar)
	for _, page := range portalPages {
		checkPage(t, b.get(page).wants(t, 200)).says(t, "You (Ann Lee) are signed in as")
	}
}

// mattermost #27103, #14412: a greyed button, and nobody knows why.
func TestWhatIsDisabledSaysWhy(t *testing.T) {
	s := newSite(t)
	if _, err := s.app.CreateAdministrator(t.Context(), crm.Operator(), "Eve Stone", "eve@example.com", demoPassword); err != nil {
		t.Fatal(err)
	}
	err := s.rows.Write(t.Context(), func(tx store.Tx) error {
		for id, activated := range map[string]bool{"one": true, "two": false} {
			row := crm.Module{ID: id, Version: "1.0.0", Manifest: []byte(`{"id":"` + id + `","name":"` + id + `","version":"1.0.0","requires":{"host":">=3.1.0","protocol":1},"executables":{"linux/amd64":"bin/x"}}`), Activated: activated}
			if err := tx.PutModule(t.Context(), row); err != nil {
				return err
			}
			if activated {
				if err := tx.PutCrashes(t.Context(), id, 5, s.app.Now(), "given up"); err != nil {
					return err
				}
			}
			before := crm.KeptVersion{ModuleID: id, Version: "0.9.0", SHA256: "09", Manifest: row.Manifest}
			if err := tx.KeepVersion(t.Context(), before, app.MaxKeptVersions); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	b, disabled := s.as(ann), 0
	b.become("eve@example.com")
	for _, page := range append(adminPages, "/admin/modules/two/uninstall", "/admin/modules/one/grants", "/admin/modules/one/versions", "/admin/modules/keys") {
		disabled += len(disabledPattern.FindAllString(checkPage(t, b.get(page).wants(t, 200)).body, -1))
	}
	if disabled < 30 {
		t.Errorf("only %d disabled things were seen", disabled)
	}
}

var (
	headingPattern   = regexp.MustCompile(`<h1[ >]`)
	disabledPattern  = regexp.MustCompile(`<[a-z]+[^>]*\sdisabled[^>]*>`)
	describedPattern = regexp.MustCompile(`aria-describedby="(?:[^"]* )?([^" ]+)"`)

	keyPattern = regexp.MustCompile(`>\s*[a-z]+(_[a-z0-9]+)+\s*<`)
)

// checkPage holds what is true of every page.
func checkPage(t *testing.T, a answer) answer {
	t.Helper()
	where := a.Request.URL.Path
	if n := len(headingPattern.FindAllString(a.body, -1)); n != 1 {
		t.Errorf("%s has %d h1", where, n)
	}
	if strings.Contains(a.body, "<no value>") || strings.Contains(a.body, "ZgotmplZ") || strings.Contains(a.body, "%!") {
		t.Errorf("%s has something unfilled:\n%s", where, a.body)
	}
	for _, key := range keyPattern.FindAllString(a.body, -1) {
		t.Errorf("%s shows a key: %s", where, key)
	}
	for _, inline := range inlinePatterns {
		if found := inline.FindString(a.body); found != "" {
			t.Errorf("%s has something inline: %s", where, found)
		}
	}
	for _, tag := range disabledPattern.FindAllString(a.body, -1) {
		if by := describedPattern.FindStringSubmatch(tag); by == nil || !strings.Contains(a.body, ` id="`+by[1]+`"`) {
			t.Errorf("%s has something disabled that doesn't say why: %s", where, tag)
		}
	}
	if a.Header.Get("Cache-Control") != "no-store" || !strings.Contains(a.Header.Get("Content-Security-Policy"), "default-src 'none'; script-src 'self'") || a.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%s: headers %v", where, a.Header)
	}
	return a
}
