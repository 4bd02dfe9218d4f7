// Package switching tells of people who act as others: what ends it, what it leaves, and who may.
package switching

import (
	"net/http"
	"strings"
	"testing"

	"github.com/understudy-crm/understudy/host/internal/e2e"
)

// MAIF/daikoku #1102: the person who was impersonated inherits it; galaxy #21813: their own sign-ins end.
func TestTheTargetsOwnSessionsAreTheirsAlone(t *testing.T) {
	t.Parallel()
	d := e2e.RunDemo(t)
	own := e2e.SignedInClient(t, d, e2e.Jane)
	admin := e2e.SignedInClient(t, d, e2e.Ann)
	seen := d.RowOf(t, "contacts", 1)
	admin.Want(admin.Post("/session/switch", "target", "contact:1"), http.StatusSeeOther)
	admin.Crawl("/")
	later := e2e.SignedInClient(t, d, e2e.Jane)
	for _, c := range []*e2e.Client{own, later} {
		page := c.Get("/")
		c.Want(page, http.StatusOK, "Welcome, Jane Doe")
		if strings.Contains(page.Text(), "Ann Lee") || strings.Contains(page.Text(), "Stop Impersonation") {
			t.Error("Jane's own page tells of Ann")
		}
		c.Want(c.Post("/session/restore"), http.StatusNotFound)
		c.Want(c.Get("/session"), http.StatusOK, "You are signed in as Jane Doe")
	}
	admin.Want(admin.Post("/logout"), http.StatusSeeOther)
	for _, c := range []*e2e.Client{own, later} {
		c.Want(c.Get("/"), http.StatusOK, "Welcome, Jane Doe")
	}
	// discourse #34872: looking around as Jane leaves no trace on her row; only her own sign-in does.
	now := d.RowOf(t, "contacts", 1)
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
	d := e2e.RunDemo(t)
	p := e2e.SignedIn(t, d, e2e.Ann)
	logout := func() {
		t.Helper()
		p.Impersonate("Customer", "Jane Doe (Acme Ltd)")
		p.Click("button", p.AccountMenu())
		p.Click("link", "Logout")
		p.See("You (Ann Lee) are signed in as Jane Doe (Acme Ltd).")
	}
	logout()
	p.In("main", "").Click("button", "Return to your account")
	p.WaitURL("/admin")
	p.Self("Ann Lee")
	logout()
	p.In("main", "").Click("button", "Sign out completely")
	p.WaitURL("/admin/login")
	p.SignIn(e2e.Ann, e2e.DemoPassword)
	p.Self("Ann Lee")
	p.See("Last time you were signed in as Jane Doe; it ended when you signed out.")
	p.Visit("/admin")
	p.DontSee("Last time you were signed in")
	p.Click("button", p.AccountMenu())
	p.Click("button", "Logout")
	p.WaitURL("/admin/login")
	p.Back()
	p.DontSee("Ann Lee")
}

// ezauth #199, trigger.dev #3078: rights change meanwhile, and the session lives on.
func TestWhatChangesMeanwhileEndsIt(t *testing.T) {
	t.Parallel()
	d := e2e.RunDemo(t)
	admin, colleague := e2e.SignedInClient(t, d, e2e.Ann), e2e.SignedIn(t, d, e2e.Ben)
	back := func(sentence string) {
		t.Helper()
		colleague.Visit("/")
		colleague.WaitURL("/admin")
		colleague.See(sentence)
		colleague.Self("Ben Ortiz")
	}
	begin := func() {
		t.Helper()
		colleague.Impersonate("Customer", "Jane Doe (Acme Ltd)")
	}
	begin()
	admin.Settings(false, false, true)
	back("You are no longer signed in as Jane Doe: it isn't allowed any more.")
	admin.Settings(false, true, true)
	colleague.Visit("/admin")
	begin()
	admin.Want(admin.Post("/admin/contacts/1/active", "active", "no"), http.StatusSeeOther)
	back("You are no longer signed in as Jane Doe: that account is inactive now.")
	admin.Want(admin.Post("/admin/contacts/1/active", "active", "yes"), http.StatusSeeOther)
	colleague.Visit("/admin")
	begin()
	admin.Want(admin.Post("/admin/modules/impersonation/deactivate"), http.StatusSeeOther)
	back("You are no longer signed in as Jane Doe: the module that allows it isn't running.")
	admin.Want(admin.Post("/admin/modules/impersonation/activate"), http.StatusSeeOther)
	colleague.Visit("/admin")
	begin()
	admin.Want(admin.Post("/admin/staff/2/active", "active", "no"), http.StatusSeeOther)
	colleague.Visit("/")
	colleague.SeeRole("button", "Login")
	colleague.DontSee("Jane Doe")
}

// gitlab's concern, filament #71: the module is taken away by another administrator at a browser of their own.
func TestModuleDeactivatedMeanwhileByAnother(t *testing.T) {
	t.Parallel()
	d := e2e.RunDemo(t)
	p, other := e2e.SignedIn(t, d, e2e.Ann), e2e.SignedIn(t, d, e2e.Ann)
	p.Impersonate("Customer", "Omar Haddad (Acme Ltd)")
	other.Visit("/admin/modules")
	other.ModuleRow().Click("button", "Deactivate")
	other.ModuleRow().SeeRole("button", "Activate")
	p.Click("link", p.In("navigation", "").Names("link")[1])
	p.WaitURL("/admin")
	p.See("You are no longer signed in as Omar Haddad: the module that allows it isn't running.")
	p.Self("Ann Lee")
}

// The same, with the button that is still on the screen: what was asked for has happened already.
func TestStopPressedAfterItEndedByItself(t *testing.T) {
	t.Parallel()
	d := e2e.RunDemo(t)
	p, other := e2e.SignedIn(t, d, e2e.Ann), e2e.SignedInClient(t, d, e2e.Ann)
	p.Impersonate("Customer", "Jane Doe (Acme Ltd)")
	other.Want(other.Post("/admin/modules/impersonation/deactivate"), http.StatusSeeOther)
	p.Click("button", "Stop Impersonation")
	p.WaitURL("/admin")
	p.Self("Ann Lee")
}

// agenticos #1491, superplane #4772: what was made while impersonating outlives it, or a button is shown that is refused.
func TestPasswordsAndRightsStayOutOfReachWhileSwitched(t *testing.T) {
	t.Parallel()
	d := e2e.RunDemo(t)
	p := e2e.SignedIn(t, d, e2e.Ann)
	p.Impersonate("Customer", "Jane Doe (Acme Ltd)")
	p.Visit("/profile")
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
	p.Stop()
	p.Visit("/admin/activity")
	p.In("row", "Changed the own profile").See("Ann Lee as Jane Doe")
	c := e2e.SignedInClient(t, d, e2e.Ann)
	c.Want(c.Post("/session/switch", "target", "staff:2"), http.StatusSeeOther)
	for _, path := range []string{"/admin/profile/password", "/admin/profile/sessions/revoke-others", "/admin/contacts/1/password-link"} {
		c.Want(c.Post(path), http.StatusForbidden, "while you are signed in as Ben Ortiz")
	}
	c.Want(c.Post("/session/restore"), http.StatusSeeOther)
	if got := c.Get("/admin/activity?action=refused").Text(); !strings.Contains(got, "Was refused something while acting as somebody else") {
		t.Errorf("the refusals aren't in the Activity Log: %s", got)
	}
}

// A sign-in that has ended keeps the form and goes on with it.
func TestExpiredSignInKeepsTheForm(t *testing.T) {
	t.Parallel()
	d := e2e.RunDemo(t)
	p := e2e.SignedIn(t, d, e2e.Jane)
	p.Visit("/company")
	p.Fill("City", "Leeds")
	p.SetCookie(d.Address, &http.Cookie{Name: "understudy", Value: "gone", Path: "/"})
	p.In("main", "").Click("button", "Save")
	p.See("The form you sent is kept")
	p.Fill("Email Address", e2e.Jane)
	p.Fill("Password", e2e.DemoPassword)
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
	d := e2e.RunDemo(t)
	admin, colleague := e2e.SignedInClient(t, d, e2e.Ann), e2e.SignedInClient(t, d, e2e.Ben)
	gone := func(how string) {
		t.Helper()
		if got := colleague.Get("/"); got.Status != http.StatusSeeOther || got.Header.Get("Location") != "/admin" {
			t.Errorf("%s: %d to %q", how, got.Status, got.Header.Get("Location"))
		}
		colleague.Want(colleague.Get("/admin"), http.StatusOK, "You are no longer signed in as Jane Doe", "Ben Ortiz")
		if got := colleague.Post("/session/switch", "target", "contact:1"); got.Status < 400 {
			t.Errorf("%s, and still one becomes somebody: %d", how, got.Status)
		}
	}
	begin := func() {
		t.Helper()
		colleague.Want(colleague.Post("/session/switch", "target", "contact:1"), http.StatusSeeOther)
		colleague.Want(colleague.Get("/"), http.StatusOK, "You (Ben Ortiz) are signed in as Jane Doe")
	}
	begin()
	admin.Settings(true, true, true)
	gone("the switch of the module itself")
	admin.Settings(false, true, true)
	begin()
	admin.Want(admin.Post("/admin/modules/impersonation/deactivate"), http.StatusSeeOther)
	gone("deactivated")
	admin.Want(admin.Post("/admin/modules/impersonation/activate"), http.StatusSeeOther)
	begin()
	admin.Want(admin.Post("/admin/modules/impersonation/deactivate"), http.StatusSeeOther)
	admin.Want(admin.Post("/admin/modules/impersonation/uninstall", "data", "keep"), http.StatusSeeOther)
	gone("uninstalled")
}
