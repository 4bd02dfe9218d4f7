package web

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/crm"
)

// What went wrong elsewhere with "log in as", tried over HTTP. Each test names where it happened.

// filament PR #154: a sign-in on the other side dropped the banner and kept the other name. Here it
// neither drops the switch nor inherits it: it is refused, and the switch goes on.
func TestASignInWhileSwitchedIsRefusedAndTheSwitchGoesOn(t *testing.T) {
	b := newSite(t).as(ann)
	b.become(jane)
	for _, login := range []string{"/login", "/admin/login"} {
		for _, email := range []string{jane, rosa, ben} {
			before := b.cookie().Value
			a := b.post(login, "email", email, "password", demoPassword).wants(t, 409)
			if len(a.Cookies()) != 0 || b.cookie().Value != before {
				t.Errorf("%s as %s gave %v", login, email, a.Cookies())
			}
			b.get("/").wants(t, 200).says(t, "You (Ann Lee) are signed in as Jane Doe")
		}
	}
	b.post("/session/restore").wants(t, 303).leadsTo(t, "/admin")
}

// idenplane #344: the actor was read from the request, and the record blamed somebody else.
func TestPostedActorsAreIgnored(t *testing.T) {
	s := newSite(t)
	b := s.as(ben)
	b.post("/session/switch", "target", s.account(jane).String(), "actor", s.account(ann).String(), "actor_id", "1", "impersonator", "1",
		"adminUserId", "1", "subject", s.account(rosa).String()).wants(t, 303).leadsTo(t, "/")
	b.get("/").wants(t, 200).says(t, "You (Ben Ortiz) are signed in as Jane Doe")
	b.post("/session/restore", "actor", s.account(ann).String(), "target", s.account(ann).String(), "id", "1").wants(t, 303).leadsTo(t, "/admin")
	b.get("/admin").wants(t, 200).says(t, "Ben Ortiz").silent(t, `href="/admin/modules"`)
	s.as(ann).get("/admin/activity?action=switch_started").wants(t, 200).says(t, "Ben Ortiz", "Jane Doe").silent(t, "Rosa Diaz")
}

// agenticos #943, #1044: starting gave a script an hour's credential to copy. Here what starts is
// the cookie alone, which no script reads. workos/authkit-js #116: there is no link that signs
// anybody in, so none can be sent to somebody else.
func TestStartingGivesNoSecretToAScript(t *testing.T) {
	s := newSite(t)
	for _, headers := range [][]string{nil, {"Accept", "application/json"}, {"X-Modal", "1"}} {
		b := s.as(ann)
		form := url.Values{"form_token": {b.token}, "target": {s.account(jane).String()}}
		a := b.do("POST", "/session/switch", form, headers...)
		if a.StatusCode != http.StatusSeeOther && a.StatusCode != http.StatusNoContent {
			t.Fatalf("%v: %d", headers, a.StatusCode)
		}
		secret := b.cookie().Value
		for _, c := range a.Cookies() {
			if !c.HttpOnly {
				t.Errorf("%v: a script reads the cookie %s", headers, c.Name)
			}
		}
		a.Header.Del("Set-Cookie")
		for name, values := range a.Header {
			if strings.Contains(strings.Join(values, " "), secret) {
				t.Errorf("%v: %s holds the secret", headers, name)
			}
		}
		if a.body != "" {
			t.Errorf("%v: a body of %q", headers, a.body)
		}
		b.get("/").wants(t, 200).silent(t, secret)
		b.get("/session").wants(t, 200).silent(t, secret)
	}
}

// RISE "login as client": whoever knew the way back became the administrator. ezauth #149: anybody
// could end another's. A form sent again from another session changes neither session.
func TestTheWayBackOfAnotherSessionLeadsNowhere(t *testing.T) {
	s := newSite(t)
	b := s.as(ann)
	b.become(jane)
	own := b.token
	for _, email := range []string{jane, ben} {
		thief := s.as(email)
		thief.do("POST", "/session/restore", url.Values{"form_token": {own}}).wants(t, 403)
		thief.post("/session/restore", "actor", s.account(ann).String()).wants(t, 404)
		thief.get("/session").wants(t, 200).silent(t, "Ann Lee")
	}
	other := s.as(ben) // switched too, to the same person
	other.become(jane)
	other.do("POST", "/session/restore", url.Values{"form_token": {own}}).wants(t, 403)
	other.get("/").wants(t, 200).says(t, "You (Ben Ortiz) are signed in as Jane Doe")
	b.get("/").wants(t, 200).says(t, "You (Ann Lee) are signed in as Jane Doe")
	b.post("/session/restore").wants(t, 303).leadsTo(t, "/admin")
}

// better-auth #10819: a client with a bearer token was told 200 and went on as the administrator.
// There are no such tokens here: the cookie alone counts.
func TestABearerTokenIsNobody(t *testing.T) {
	s := newSite(t)
	b := s.as(ann)
	secret := b.cookie().Value
	form := url.Values{"form_token": {b.token}, "target": {s.account(jane).String()}}
	for _, path := range []string{"/session/switch", "/session/restore"} {
		s.browser().do("POST", path, form, "Authorization", "Bearer "+secret).wants(t, 401).silent(t, "Ann Lee")
	}
	b.get("/admin").wants(t, 200).says(t, "Ann Lee").silent(t, "are signed in as")
}

// magento #159, #186, magefan #5: a second customer in the same browser got the first one's cart.
// There is one cookie for both areas, so a customer's own sign-in has to end before staff sign in.
func TestASecondContactSeesNothingOfTheFirst(t *testing.T) {
	s := newSite(t)
	b := s.as(ann)
	b.become(jane)
	first := b.token
	b.post("/profile", "name", "Jane Doe", "phone", "+44 161 4960").wants(t, 303).leadsTo(t, "/profile")
	b.post("/session/restore").wants(t, 303)
	b.get("/admin").wants(t, 200)
	b.become(rosa)
	for _, path := range []string{"/", "/profile", "/company"} {
		b.get(path).wants(t, 200).silent(t, "Jane Doe", "Acme", "+44 161 4960", jane)
	}
	b.do("POST", "/profile", url.Values{"form_token": {first}, "name": {"Jane Doe"}}).wants(t, 409)
	b.get("/profile").wants(t, 200).says(t, "Rosa Diaz").silent(t, "Jane Doe")
	b.post("/session/restore").wants(t, 303)

	own := s.as(rosa)
	own.post("/admin/login", "email", ann, "password", demoPassword).wants(t, 409)
	own.get("/").wants(t, 200).says(t, "Rosa Diaz").silent(t, "Ann Lee")
}

// devise_masquerade #53, #102, metasmoke #1020: when the time was up one stood before a page one
// can't open, or had to sign in again. From wherever, the way leads home, as the actor.
func TestWhenTimeIsUpEveryPortalAddressLeadsHome(t *testing.T) {
	for _, path := range []string{"/", "/profile", "/company"} {
		s := newSite(t)
		b := s.as(ann)
		b.become(jane)
		s.ahead.Store(int64(61 * time.Minute))
		b.get(path).wants(t, 303).leadsTo(t, "/admin")
		b.get("/admin").wants(t, 200).says(t, "Ann Lee", "Your time as Jane Doe was up.")
	}
}

// dub #4273: what was remembered hung on the address, and whoever signed in by it took it. Here
// it hangs on the session: two people as the same contact, and the contact, are three sessions.
func TestASwitchHangsOnItsSessionNotOnAnAddress(t *testing.T) {
	s := newSite(t)
	one, two := s.as(ann), s.as(ben)
	one.become(jane)
	two.become(jane)
	s.as(jane).get("/").wants(t, 200).says(t, "Welcome, Jane Doe").silent(t, "are signed in as", "Ann Lee", "Ben Ortiz")
	one.get("/").wants(t, 200).says(t, "You (Ann Lee) are signed in as")
	two.get("/").wants(t, 200).says(t, "You (Ben Ortiz) are signed in as")
}

// archestra #7043: two systems of roles disagreed, and who was promoted couldn't. Here there is one:
// what a role is given counts with the next request.
func TestARightGivenCountsWithTheNextRequest(t *testing.T) {
	s := newSite(t)
	b := s.as(cleo)
	b.get("/admin/staff").wants(t, 403)
	roles, err := s.app.Roles(t.Context(), crm.Operator())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range roles {
		if r.Name == "Sales" {
			set := r.Capabilities.Union(crm.NewCapabilities(crm.StaffView))
			if _, err := s.app.SaveRole(t.Context(), crm.Operator(), app.RoleForm{ID: r.ID, Name: r.Name, Capabilities: set, Shown: set}); err != nil {
				t.Fatal(err)
			}
		}
	}
	b.get("/admin/staff").wants(t, 200)
}

// gitlabhq #10074, discourse #43137, pretender #50: a right, a second factor or some other wall stood
// between oneself and the way back. Here it is behind none, whoever one is and whatever is off.
func TestTheWayBackIsBehindNoWall(t *testing.T) {
	s := newSite(t)
	_, err := s.app.SaveStaff(t.Context(), crm.Operator(), app.StaffForm{Name: "Eve Without", Email: "eve.without@example.com", Active: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, target := range []string{"eve.without@example.com", jane} {
		for name, wall := range map[string]func(){
			"none":                  func() {},
			"read-only":             func() { s.mode = crm.ReadOnly },
			"no module that allows": func() { s.refuse = crm.Refuse(crm.Unavailable, "switch_module_off") },
			"a broken page":         func() { delete(s.server.templates.pages, "dashboard") },
		} {
			t.Run(target+", "+name, func(t *testing.T) {
				kept := s.server.templates.pages["dashboard"]
				defer func() { s.mode, s.refuse, s.server.templates.pages["dashboard"] = crm.Full, nil, kept }()
				b := s.as(ann)
				if name == "read-only" {
					wall()
				}
				b.become(target)
				wall()
				b.get("/session").wants(t, 200).says(t, "Return to your account")
				b.post("/session/restore").wants(t, 303).leadsTo(t, "/admin")
				b.get("/session").wants(t, 200).says(t, "You are signed in as Ann Lee")
			})
		}
	}
}

// onetimesecret ADR-041: the guard looked at the method or at the form, and another method or a body
// of another kind went past it.
func TestNoOtherMethodOrBodyGetsPastAReadOnlySwitch(t *testing.T) {
	s := newSite(t)
	s.mode = crm.ReadOnly
	b := s.as(ann)
	b.become(jane)
	b.get("/profile").wants(t, 200)
	form := url.Values{"form_token": {b.token}, "name": {"Somebody Else"}, "_method": {"GET"}}
	b.do("POST", "/profile", form).wants(t, 403)
	for _, header := range []string{"X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"} {
		b.do("POST", "/profile", form, header, "GET").wants(t, 403)
		b.do("GET", "/profile?"+form.Encode(), nil, header, "POST").wants(t, 200)
	}
	b.send("POST", "/profile", strings.NewReader(`{"name":"Somebody Else"}`), "Content-Type", "application/json", "X-Form-Token", form.Get("form_token")).wants(t, 403)
	b.send("POST", "/profile?"+form.Encode(), nil, "X-Form-Token", form.Get("form_token")).wants(t, 403)
	b.do("HEAD", "/profile?"+form.Encode(), nil).wants(t, 200)
	for _, method := range []string{"OPTIONS", "PUT", "PATCH", "DELETE", "TRACE"} {
		b.do(method, "/profile?"+form.Encode(), nil, "X-Form-Token", form.Get("form_token")).wants(t, 405)
	}
	s.as(jane).get("/profile").wants(t, 200).says(t, "Jane Doe").silent(t, "Somebody Else")
}

// nextcloud #58515, nextcloud/impersonate #92, #127: what pages ask for again by themselves was answered
// to the one at the screen. Here the pieces of a page are its subject's, like the page; and there is
// nothing a browser could be registered for that would be sent to it later.
func TestPiecesOfAPageAreItsSubjects(t *testing.T) {
	s := newSite(t)
	s.activate(t, 1)
	b := s.as(ann)
	b.do("GET", "/admin/modules/sample-00/log", nil, "X-Modal", "1").wants(t, 200)
	b.become(cleo)
	b.do("GET", "/admin/modules/sample-00/log", nil, "X-Modal", "1").wants(t, 403).silent(t, "<html")
	b.post("/session/restore").wants(t, 303)
	b.get("/admin")
	b.become(jane)
	if a := b.do("GET", "/admin/modules/sample-00/log", nil, "X-Modal", "1"); a.StatusCode < 400 || strings.Contains(a.body, "<tr") {
		t.Errorf("a contact is answered %d", a.StatusCode)
	}
}

// xraph/authsome: an error on the way to the switch let the request through as if there were none.
func TestADatabaseThatFailsMakesNobodyAnybody(t *testing.T) {
	s := newSite(t)
	switched, own := s.as(ann), s.as(ann)
	switched.become(jane)
	if err := s.rows.Close(); err != nil {
		t.Fatal(err)
	}
	for _, b := range []*browser{switched, own} {
		for _, path := range []string{"/", "/admin", "/admin/staff", "/session"} {
			b.get(path).wants(t, 503).silent(t, "Ann Lee", "Jane Doe")
		}
		for _, path := range []string{"/profile", "/admin/profile", "/session/switch", "/session/restore"} {
			b.post(path, "name", "X", "target", "contact:2").wants(t, 503)
		}
	}
}
