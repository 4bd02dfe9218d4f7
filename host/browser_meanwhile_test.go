package main

import (
	"net/http"
	"strings"
	"testing"
)

// MAIF/daikoku #1102: the person who was impersonated inherits it; galaxy #21813: their own sign-ins end.
func TestTheTargetsOwnSessionsAreTheirsAlone(t *testing.T) {
	t.Parallel()
	d := runDemo(t)
	own := signedInClient(t, d, jane)
	admin := signedInClient(t, d, ann)
	seen := d.rowOf(t, "contacts", 1)
	admin.want(admin.post("/session/switch", "target", "contact:1"), http.StatusSeeOther)
	admin.crawl("/")
	later := signedInClient(t, d, jane)
	for _, c := range []*client{own, later} {
		page := c.get("/")
		c.want(page, http.StatusOK, "Welcome, Jane Doe")
		if strings.Contains(page.text(), "Ann Lee") || strings.Contains(page.text(), "Stop Impersonation") {
			t.Error("Jane's own page tells of Ann")
		}
		c.want(c.post("/session/restore"), http.StatusNotFound)
		c.want(c.get("/session"), http.StatusOK, "You are signed in as Jane Doe")
	}
	admin.want(admin.post("/logout"), http.StatusSeeOther)
	for _, c := range []*client{own, later} {
		c.want(c.get("/"), http.StatusOK, "Welcome, Jane Doe")
	}
	// discourse #34872: looking around as Jane leaves no trace on her row; only her own sign-in does.
	now := d.rowOf(t, "contacts", 1)
	delete(seen, "last_sign_in")
	delete(now, "last_sign_in")
	for column, value := range seen {
		if now[column] != value {
			t.Errorf("contacts.%s is %v, was %v", column, now[column], value)
		}
	}
}

// decidim #9588, ractf #192: "Logout" ends the wrong thing, or nothing.
func TestLogoutWhileSwitchedAsksWhich(t *testing.T) {
	t.Parallel()
	d := runDemo(t)
	p := signedIn(t, d, ann)
	logout := func() {
		t.Helper()
		p.impersonate("Customer", "Jane Doe (Acme Ltd)")
		p.Click("button", p.accountMenu())
		p.Click("link", "Logout")
		p.See("You (Ann Lee) are signed in as Jane Doe (Acme Ltd).")
	}
	logout()
	p.In("main", "").Click("button", "Return to your account")
	p.WaitURL("/admin")
	p.self("Ann Lee")
	logout()
	p.In("main", "").Click("button", "Sign out completely")
	p.WaitURL("/admin/login")
	p.signIn(ann, demoPassword)
	p.self("Ann Lee")
	p.See("Last time you were signed in as Jane Doe; it ended when you signed out.")
	p.open("/admin")
	p.DontSee("Last time you were signed in")
	p.Click("button", p.accountMenu())
	p.Click("button", "Logout")
	p.WaitURL("/admin/login")
	p.Back()
	p.DontSee("Ann Lee")
}

// ezauth #199, trigger.dev #3078: rights change meanwhile, and the session lives on.
func TestWhatChangesMeanwhileEndsIt(t *testing.T) {
	t.Parallel()
	d := runDemo(t)
	admin, colleague := signedInClient(t, d, ann), signedIn(t, d, ben)
	back := func(sentence string) {
		t.Helper()
		colleague.open("/")
		colleague.WaitURL("/admin")
		colleague.See(sentence)
		colleague.self("Ben Ortiz")
	}
	begin := func() {
		t.Helper()
		colleague.impersonate("Customer", "Jane Doe (Acme Ltd)")
	}
	begin()
	admin.settings(false, false, true)
	back("You are no longer signed in as Jane Doe: it isn't allowed any more.")
	admin.settings(false, true, true)
	colleague.open("/admin")
	begin()
	admin.want(admin.post("/admin/contacts/1/active", "active", "no"), http.StatusSeeOther)
	back("You are no longer signed in as Jane Doe: that account is inactive now.")
	admin.want(admin.post("/admin/contacts/1/active", "active", "yes"), http.StatusSeeOther)
	colleague.open("/admin")
	begin()
	admin.want(admin.post("/admin/modules/impersonation/deactivate"), http.StatusSeeOther)
	back("You are no longer signed in as Jane Doe: the module that allows it isn't running.")
	admin.want(admin.post("/admin/modules/impersonation/activate"), http.StatusSeeOther)
	colleague.open("/admin")
	begin()
	admin.want(admin.post("/admin/staff/2/active", "active", "no"), http.StatusSeeOther)
	colleague.open("/")
	colleague.SeeRole("button", "Login")
	colleague.DontSee("Jane Doe")
}

// gitlab's concern, filament #71: the module is taken away by another administrator at a browser of their own.
func TestModuleDeactivatedMeanwhileByAnother(t *testing.T) {
	t.Parallel()
	d := runDemo(t)
	p, other := signedIn(t, d, ann), signedIn(t, d, ann)
	p.impersonate("Customer", "Omar Haddad (Acme Ltd)")
	other.open("/admin/modules")
	other.moduleRow().Click("button", "Deactivate")
	other.moduleRow().SeeRole("button", "Activate")
	p.Click("link", p.In("navigation", "").Names("link")[1])
	p.WaitURL("/admin")
	p.See("You are no longer signed in as Omar Haddad: the module that allows it isn't running.")
	p.self("Ann Lee")
}

// The same, with the button that is still on the screen: what was asked for has happened already.
func TestStopPressedAfterItEndedByItself(t *testing.T) {
	t.Parallel()
	d := runDemo(t)
	p, other := signedIn(t, d, ann), signedInClient(t, d, ann)
	p.impersonate("Customer", "Jane Doe (Acme Ltd)")
	other.want(other.post("/admin/modules/impersonation/deactivate"), http.StatusSeeOther)
	p.Click("button", "Stop Impersonation")
	p.WaitURL("/admin")
	p.self("Ann Lee")
}

// agenticos #1491, superplane #4772: what was made while impersonating outlives it, or a button is shown that is refused.
func TestPasswordsAndRightsStayOutOfReachWhileSwitched(t *testing.T) {
	t.Parallel()
	d := runDemo(t)
	p := signedIn(t, d, ann)
	p.impersonate("Customer", "Jane Doe (Acme Ltd)")
	p.open("/profile")
	p.See("This is refused while you are signed in as Jane Doe")
	var blocked bool
	p.Eval(`[...document.querySelectorAll('form[action$="/profile/password"] button')].every(b => b.disabled && document.getElementById(b.getAttribute('aria-describedby')))`, &blocked)
	if !blocked {
		t.Error("the button to change the password isn't disabled with its reason")
	}
	// The profile itself is Jane's to edit, and so Ann's now.
	p.Fill("Phone", "+44 1")
	p.Press("Enter")
	p.See("Your profile was saved.")
	p.stop()
	p.open("/admin/activity")
	p.In("row", "Changed the own profile").See("Ann Lee as Jane Doe")
	c := signedInClient(t, d, ann)
	c.want(c.post("/session/switch", "target", "staff:2"), http.StatusSeeOther)
	for _, path := range []string{"/admin/profile/password", "/admin/profile/sessions/revoke-others", "/admin/contacts/1/password-link"} {
		c.want(c.post(path), http.StatusForbidden, "while you are signed in as Ben Ortiz")
	}
	c.want(c.post("/session/restore"), http.StatusSeeOther)
	if got := c.get("/admin/activity?action=refused").text(); !strings.Contains(got, "Was refused something while acting as somebody else") {
		t.Errorf("the refusals aren't in the Activity Log: %s", got)
	}
}

// A sign-in that has ended keeps the form and goes on with it.
func TestExpiredSignInKeepsTheForm(t *testing.T) {
	t.Parallel()
	d := runDemo(t)
	p := signedIn(t, d, jane)
	p.open("/company")
	p.Fill("City", "Leeds")
	p.SetCookie(d.Address, &http.Cookie{Name: "understudy", Value: "gone", Path: "/"})
	p.In("main", "").Click("button", "Save")
	p.See("The form you sent is kept")
	p.Fill("Email Address", jane)
	p.Fill("Password", demoPassword)
	p.Click("button", "Login")
	p.See("Continue sends it now.")
	p.Click("button", "Continue")
	p.WaitURL("/company")
	if got := p.Value("City"); got != "Leeds" {
		t.Errorf("the city is %q", got)
	}
}

// gitlab's concern: what allows it is switched off meanwhile. By its own switch, by being deactivated
// and by being uninstalled: whoever is somebody else is themselves with the next request, and can't
// become anybody any more.
func TestWhateverTakesTheModuleAwayEndsTheSwitch(t *testing.T) {
	t.Parallel()
	d := runDemo(t)
	admin, colleague := signedInClient(t, d, ann), signedInClient(t, d, ben)
	gone := func(how string) {
		t.Helper()
		if got := colleague.get("/"); got.Status != http.StatusSeeOther || got.Header.Get("Location") != "/admin" {
			t.Errorf("%s: %d to %q", how, got.Status, got.Header.Get("Location"))
		}
		colleague.want(colleague.get("/admin"), http.StatusOK, "You are no longer signed in as Jane Doe", "Ben Ortiz")
		if got := colleague.post("/session/switch", "target", "contact:1"); got.Status < 400 {
			t.Errorf("%s, and still one becomes somebody: %d", how, got.Status)
		}
	}
	begin := func() {
		t.Helper()
		colleague.want(colleague.post("/session/switch", "target", "contact:1"), http.StatusSeeOther)
		colleague.want(colleague.get("/"), http.StatusOK, "You (Ben Ortiz) are signed in as Jane Doe")
	}
	begin()
	admin.settings(true, true, true)
	gone("the switch of the module itself")
	admin.settings(false, true, true)
	begin()
	admin.want(admin.post("/admin/modules/impersonation/deactivate"), http.StatusSeeOther)
	gone("deactivated")
	admin.want(admin.post("/admin/modules/impersonation/activate"), http.StatusSeeOther)
	begin()
	admin.want(admin.post("/admin/modules/impersonation/deactivate"), http.StatusSeeOther)
	admin.want(admin.post("/admin/modules/impersonation/uninstall", "data", "keep"), http.StatusSeeOther)
	gone("uninstalled")
}
