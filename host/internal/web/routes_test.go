package web

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

func TestEveryRouteHasAClassAndANeed(t *testing.T) {
	s := newSite(t)
	for _, r := range routes() {
		where := r.method + " " + r.pattern
		if r.class < crm.Open || r.class > crm.SensitiveRoute {
			t.Errorf("%s has no class", where)
		}
		if r.method != get && r.class == crm.ReadRoute {
			t.Errorf("%s is unsafe and counts as a read", where)
		}
		if r.method == get && r.class != crm.ReadRoute && r.class != crm.Open {
			t.Errorf("%s is a GET that counts as more than a read", where)
		}
		if strings.HasPrefix(r.pattern, "/admin/") && r.area != admin && !r.need.public {
			t.Errorf("%s isn't in the admin area", where)
		}
		if r.area == both && r.class != crm.Open && r.pattern != "/preferences" && !strings.HasPrefix(r.pattern, "/notices/") {
			t.Errorf("%s stands in both areas without being open", where)
		}
	}
	if _, err := s.server.router([]route{{method: get, pattern: "/new", area: admin, handle: (*visit).dashboard}}); err == nil {
		t.Error("a route without a class was taken")
	}
	if _, err := s.server.router([]route{{get, "/new", admin, read, signedIn, (*visit).dashboard}, {get, "/new", admin, read, signedIn, (*visit).dashboard}}); err == nil {
		t.Error("a route that stands twice was taken")
	}
}

func TestNobodyGetsInWithoutASignIn(t *testing.T) {
	s := newSite(t)
	for _, r := range routes() {
		if r.need.public || r.need.static {
			continue
		}
		path := strings.NewReplacer("{id}", "1", "{customer}", "1", "{module}", "x", "{path...}", "y", "{section}", "general", "{staged}", "z", "{$}", "").Replace(r.pattern)
		a := s.browser().do(r.method, path, nil)
		switch {
		case r.method == get && a.StatusCode != http.StatusSeeOther:
			t.Errorf("%s %s: %d", r.method, path, a.StatusCode)
		case r.method == get && r.area == admin && !strings.HasPrefix(a.Header.Get("Location"), "/admin/login"):
			t.Errorf("%s %s leads to %s", r.method, path, a.Header.Get("Location"))
		case r.method != get && a.StatusCode != http.StatusUnauthorized:
			t.Errorf("%s %s: %d", r.method, path, a.StatusCode)
		}
	}
}

func TestWrongMethodsAre405(t *testing.T) {
	b := newSite(t).as(ann)
	for _, path := range []string{"/session/switch", "/session/restore", "/preferences", "/admin/modules/x/activate"} {
		a := b.get(path).wants(t, 405)
		if a.Header.Get("Allow") != "POST" {
			t.Errorf("%s allows %q", path, a.Header.Get("Allow"))
		}
	}
	b.do("DELETE", "/admin/customers", nil).wants(t, 405)
	b.do("HEAD", "/admin/customers", nil).wants(t, 200)
	b.get("/admin/nothing").wants(t, 404).says(t, "There is no such page", "Ann Lee")
	b.get("/admin/customers/").wants(t, 303).leadsTo(t, "/admin/customers")
	b.get("/admin/customers/abc").wants(t, 404)
}

// polovnjak-mcp #23: SameSite alone kept other sites out. Here the origin is asked for too, and then the token.
func TestOtherSitesFormsAreRefused(t *testing.T) {
	b := newSite(t).as(ann)
	form := url.Values{"form_token": {b.token}}
	b.do("POST", "/logout", form, "Origin", "https://evil.example").wants(t, 403)
	b.do("POST", "/logout", form, "Sec-Fetch-Site", "cross-site").wants(t, 403)
	b.browser().do("POST", "/admin/login", url.Values{}, "Origin", "https://evil.example").wants(t, 403)
	b.get("/admin").wants(t, 200)
}

func TestFormsNeedTheTokenOfTheSessionAndSubject(t *testing.T) {
	s := newSite(t)
	b := s.as(ann)
	b.do("POST", "/admin/profile", url.Values{"name": {"Ann Lee"}}).wants(t, 403).says(t, "doesn&#39;t come from a page of your session")
	b.do("POST", "/admin/profile", url.Values{"name": {"Ann Lee"}, "form_token": {s.as(ben).token}}).wants(t, 403)
	b.do("POST", "/admin/profile", url.Values{"name": {"Ann Lee"}}, "X-Form-Token", b.token).wants(t, 303)
	old := b.token
	b.become(jane)
	b.do("POST", "/profile", url.Values{"name": {"Jane"}, "form_token": {old}}).wants(t, 409).says(t, "You are now Jane Doe (Acme Ltd) in this browser.")
	b.post("/profile", "name", "Jane Doe").wants(t, 303)
}

func TestAModulesTokenOpensOnlyItsOwnAddressesAndTheSwitch(t *testing.T) {
	s := newSite(t)
	b := s.as(ann)
	cookie := b.cookie()
	resolution, err := s.app.Resolve(t.Context(), cookie.Value, crm.Client{})
	if err != nil {
		t.Fatal(err)
	}
	scoped := s.app.FormToken(resolution.Who, "example")
	b.do("POST", "/admin/profile", url.Values{"name": {"Mallory"}, "form_token": {scoped}}).wants(t, 403)
	b.do("POST", "/session/restore", url.Values{"form_token": {scoped}}).wants(t, 403)
	toJane := url.Values{"form_token": {scoped}, "target": {s.account(jane).String()}}
	b.do("POST", "/session/switch", toJane).wants(t, 403).says(t, "a module that is not running, or that may not switch sessions")

	s.activate(t, 2)
	b = s.as(ann)
	if resolution, err = s.app.Resolve(t.Context(), b.cookie().Value, crm.Client{}); err != nil {
		t.Fatal(err)
	}
	form := url.Values{"form_token": {s.app.FormToken(resolution.Who, "sample-00")}}
	b.do("POST", "/admin/m/sample-00/log/", form).wants(t, 200)
	b.do("POST", "/admin/m/sample-01/log/", form).wants(t, 403).says(t, "doesn&#39;t come from a page of your session")
	b.do("POST", "/admin/m/sample-01/log/", url.Values{}, "X-Form-Token", form.Get("form_token")).wants(t, 403)
	toJane.Set("form_token", form.Get("form_token"))
	b.do("POST", "/session/switch", toJane).wants(t, 303)
}

func (b *browser) cookie() *http.Cookie {
	b.t.Helper()
	u, err := url.Parse(b.http.URL + b.server.base + "/")
	if err != nil {
		b.t.Fatal(err)
	}
	for _, c := range b.client.Jar.Cookies(u) {
		if c.Name == sessionCookie {
			return c
		}
	}
	b.t.Fatal("no session cookie")
	return nil
}

func TestRightsAreAskedOnEveryAddress(t *testing.T) {
	s := newSite(t)
	b := s.as(cleo)
	b.get("/admin/modules").wants(t, 403).says(t, "Only administrators may do this.", "Go to the dashboard")
	b.get("/admin/roles/new").wants(t, 403).says(t, "Roles: Edit")
	b.post("/admin/staff/1/active", "active", "no").wants(t, 403)
	c := s.as(jane)
	c.get("/admin").wants(t, 303).leadsTo(t, "/")
	c.get("/admin/customers").wants(t, 404)
	s.as(ann).get("/company").wants(t, 303).leadsTo(t, "/admin")
	s.as(ann).get("/").wants(t, 303).leadsTo(t, "/admin")
}

func TestLargeBodiesAreRefused(t *testing.T) {
	b := newSite(t).as(ann)
	b.post("/admin/profile", "name", strings.Repeat("x", maxForm+1)).wants(t, 413).says(t, "1.0 MiB")
}

func TestASiteBelowAPath(t *testing.T) {
	s := newSiteAt(t, "/crm")
	b := s.browser()
	b.get("/admin").wants(t, 303).leadsTo(t, "/crm/admin/login")
	b.post("/admin/login", "email", ann, "password", demoPassword).wants(t, 303).leadsTo(t, "/crm/admin")
	a := b.get("/admin/customers").wants(t, 200)
	for _, part := range strings.Split(strings.ReplaceAll(a.body, `name="back" value="/`, ""), `="/`)[1:] {
		if !strings.HasPrefix(part, "crm/") && !strings.HasPrefix(part, `crm"`) {
			t.Errorf("an address without the base: /%.60s", part)
		}
	}
	if c := b.cookie(); c == nil {
		t.Error("no cookie below the base")
	}
}

func TestAssetsAreKeptForeverUnderTheirVersion(t *testing.T) {
	s := newSite(t)
	b := s.browser()
	a := b.get(s.server.assets.url("app.css")).wants(t, 200)
	if !strings.Contains(a.Header.Get("Cache-Control"), "immutable") || a.Header.Get("Content-Type") != "text/css; charset=utf-8" {
		t.Error(a.Header)
	}
	if a := b.get("/assets/older/app.js").wants(t, 200); a.Header.Get("Cache-Control") != "no-cache" || !strings.HasPrefix(a.Header.Get("Content-Type"), "text/javascript") {
		t.Error(a.Header)
	}
	b.get("/assets/x/none.js").wants(t, 404)
	b.get("/healthz").wants(t, 200)
	b.get("/readyz").wants(t, 200)
}
