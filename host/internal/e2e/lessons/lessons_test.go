// Package lessons holds what went wrong in products like ours: none of it does here.
package lessons

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/understudy-crm/understudy/host/internal/e2e"
)

// What went wrong elsewhere with "log in as", told on this program's own screen. Each story names
// where it happened.

// The stories that leave nothing behind share a demo.
func TestWhatWentWrongElsewhere(t *testing.T) {
	t.Parallel()
	d := e2e.RunDemo(t)
	for name, story := range map[string]func(*testing.T, e2e.Demo){
		"start and stop without any script":                  startAndStopWithoutAnyScript,
		"the plain page leads back":                          thePlainPageLeadsBack,
		"only own forms switch and restore":                  onlyOwnFormsSwitchAndRestore,
		"a form opened as one person is not sent as another": aFormOpenedAsOnePersonIsNotSentAsAnother,
		"other tabs learn of a switch":                       otherTabsLearnOfASwitch,
		"back after stop shows nothing of the other person":  backAfterStopShowsNothingOfTheOtherPerson,
		"old secrets are dead":                               oldSecretsAreDead,
		"switches never nest":                                switchesNeverNest,
		"nobody becomes more than they are":                  nobodyBecomesMoreThanTheyAre,
		"banner stands on every page":                        bannerStandsOnEveryPage,
		"banner covers nothing":                              bannerCoversNothing,
		"sign in leads nowhere else":                         signInLeadsNowhereElse,
		"banner speaks the actor's language":                 bannerSpeaksTheActorsLanguage,
		"focus goes into the modal and back":                 focusGoesIntoTheModalAndBack,
		"the whole journey by keyboard alone":                theWholeJourneyByKeyboardAlone,
		"i don't see the icon":                               iDontSeeTheIcon,
		"the person isn't in the list":                       thePersonIsntInTheList,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			story(t, d)
		})
	}
}

// loginas #110, hcb #4676: neither a script nor a link of one's own is needed, and no GET changes anything.
func startAndStopWithoutAnyScript(t *testing.T, d e2e.Demo) {
	p := e2e.Visitor(t, d)
	p.JavaScript(false)
	p.SignIn(e2e.Ann, e2e.DemoPassword)
	for kind, user := range map[string]string{"Staff": "Cleo Park", "Customer": "Jane Doe"} {
		p.Bar().Click("link", "Impersonate")
		p.SeeRole("heading", "Impersonate")
		p.Click("button", "Show users: "+kind)
		p.Choose("User", user)
		p.In("main", "").Click("button", "Impersonate")
		p.See("You (Ann Lee) are signed in as " + user)
		p.Is(user)
		p.Stop()
		p.Self("Ann Lee")
	}
}

// gitlabhq #10074, ServiceNow: the page is broken, and the way back with it.
func thePlainPageLeadsBack(t *testing.T, d e2e.Demo) {
	p := e2e.SignedIn(t, d, e2e.Ann)
	p.Visit("/session")
	p.See("You are signed in as Ann Lee, admin@example.com.")
	p.Visit("/admin")
	p.Impersonate("Customer", "Jane Doe (Acme Ltd)")
	p.JavaScript(false)
	p.Visit("/session")
	p.See("You (Ann Lee) are signed in as Jane Doe (Acme Ltd)")
	p.Click("button", "Return to your account")
	p.WaitURL("/admin")
	p.Self("Ann Lee")
	visitor := e2e.Visitor(t, d)
	visitor.Visit("/session")
	visitor.See("Nobody is signed in in this browser.")
}

// laravel #78, symfony #27348: a link, a prefetch or another site's form switches.
func onlyOwnFormsSwitchAndRestore(t *testing.T, d e2e.Demo) {
	c := e2e.SignedInClient(t, d, e2e.Ann)
	for _, path := range []string{"/session/switch", "/session/restore"} {
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPut, http.MethodDelete} {
			if got := c.Send(method, path+"?target=contact:1", nil, nil); got.Status != http.StatusMethodNotAllowed {
				t.Errorf("%s %s: %d", method, path, got.Status)
			}
		}
		form := url.Values{"target": {"contact:1"}, "form_token": {c.Token()}}
		for name, value := range map[string]string{"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"} {
			c.Want(c.Send(http.MethodPost, path, form, http.Header{name: {value}}), http.StatusForbidden, "another site")
		}
		c.Want(c.Send(http.MethodPost, path, url.Values{"target": {"contact:1"}}, nil), http.StatusForbidden)
		stranger := e2e.SignedInClient(t, d, e2e.Ben).Token()
		c.Want(c.Send(http.MethodPost, path, url.Values{"target": {"contact:1"}, "form_token": {stranger}}, nil), http.StatusForbidden)
	}
	c.Want(c.Get("/session"), http.StatusOK, "You are signed in as Ann Lee")
}

// laravel-impersonate #162, pretender #4: a page opened as one person acts as another.
func aFormOpenedAsOnePersonIsNotSentAsAnother(t *testing.T, d e2e.Demo) {
	p := e2e.Visitor(t, d)
	p.JavaScript(false) // with scripts the tab would know already
	p.SignIn(e2e.Ann, e2e.DemoPassword)
	p.Visit("/admin/profile")
	p.Fill("Name", "Ann the Wrong")
	other := p.Tab()
	other.Visit("/admin")
	other.Impersonate("Staff", "Cleo Park")
	p.Press("Enter")
	p.See("Something has changed")
	p.See("You are now Cleo Park in this browser.")
	p.SeeRole("button", "Stop Impersonation")

	c := e2e.SignedInClient(t, d, e2e.Ann)
	before := c.Token()
	c.Want(c.Post("/session/switch", "target", "contact:1"), http.StatusSeeOther)
	c.Want(c.Send(http.MethodPost, "/profile", url.Values{"form_token": {before}, "name": {"X"}}, nil), http.StatusConflict, "Jane Doe")
	c.Want(c.Get("/profile"), http.StatusOK, "Jane Doe")
}

// nextcloud #58515, filament PR #154: another tab goes on as somebody it no longer is.
func otherTabsLearnOfASwitch(t *testing.T, d e2e.Demo) {
	p := e2e.SignedIn(t, d, e2e.Ann)
	other := p.Tab()
	other.Visit("/admin/customers")
	p.Impersonate("Staff", "Cleo Park")
	other.SeeRole("dialog", "This page is out of date")
	other.See("Another tab of this browser is now signed in as Cleo Park")
	other.Press("Escape")
	other.SeeRole("dialog", "This page is out of date")
	other.Click("button", "Reload")
	other.Is("Cleo Park")
	other.Stop()
	p.SeeRole("dialog", "This page is out of date")
	p.Click("button", "Reload")
	p.Self("Ann Lee")
}

// redmine_impersonate #16, objectui #4304: something of the other person stays on the screen.
func backAfterStopShowsNothingOfTheOtherPerson(t *testing.T, d e2e.Demo) {
	p := e2e.SignedIn(t, d, e2e.Ann)
	p.Impersonate("Customer", "Jane Doe (Acme Ltd)")
	p.Visit("/session")
	p.See("You (Ann Lee) are signed in as Jane Doe")
	p.Visit("/nowhere")
	p.See("404")
	p.Visit("/company")
	p.See("Company details")
	p.Stop()
	for i := range 5 {
		p.Back()
		if i == 2 { // the plain page, which has no menu
			p.See("You are signed in as Ann Lee")
		} else {
			p.Is("Ann Lee")
		}
		p.DontSee("are signed in as Jane Doe")
		p.DontSee("Welcome, Jane Doe")
		if p.HasRole("button", "Stop Impersonation") {
			t.Fatal("the page before still offers Stop Impersonation")
		}
	}
	// A browser that keeps pages whole gets a blank one to keep, and asks anew when it comes back.
	p.Visit("/admin")
	var kept string
	p.Eval(`(dispatchEvent(new PageTransitionEvent("pagehide", {persisted: true})), getComputedStyle(document.body).visibility)`, &kept)
	if kept != "hidden" {
		t.Errorf("what is kept is %s", kept)
	}
	p.Eval(`void setTimeout(() => dispatchEvent(new PageTransitionEvent("pageshow", {persisted: true})))`, nil)
	p.SeeRole("heading", "Dashboard") // which nobody sees on the blank one
	p.Self("Ann Lee")
}

// better-auth #2185, accounts-js #1096: the impersonated session stays good after the stop.
func oldSecretsAreDead(t *testing.T, d e2e.Demo) {
	c := e2e.SignedInClient(t, d, e2e.Ann)
	own := c.Secret()
	c.Want(c.Post("/session/switch", "target", "contact:1"), http.StatusSeeOther)
	borrowed := c.Secret()
	c.Want(c.Post("/session/restore"), http.StatusSeeOther)
	if restored := c.Secret(); restored == own || restored == borrowed || own == borrowed {
		t.Error("a secret outlived a change of the subject")
	}
	for _, secret := range []string{own, borrowed} {
		thief := e2e.NewClient(t, d)
		got := thief.Send(http.MethodGet, "/session", nil, http.Header{"Cookie": {"understudy=" + secret}})
		thief.Want(got, http.StatusOK, "Nobody is signed in")
	}
}

// gitlab #196028, better-auth #6448: started again while switched, the first actor is lost.
// idenplane #344: the posted actor is not read.
func switchesNeverNest(t *testing.T, d e2e.Demo) {
	c := e2e.SignedInClient(t, d, e2e.Ann)
	c.Want(c.Post("/session/switch", "target", "staff:2", "actor", "staff:3"), http.StatusSeeOther)
	for _, target := range []string{"staff:1", "staff:3", "contact:1", "staff:2"} {
		got := c.Post("/session/switch", "target", target)
		if got.Status != http.StatusConflict && got.Status != http.StatusForbidden {
			t.Errorf("from Ben to %s: %d", target, got.Status)
		}
	}
	p := e2e.Visitor(t, d)
	c.Lend(p.Browser)
	p.Visit("/admin")
	p.See("You (Ann Lee) are signed in as Ben Ortiz")
	if p.Bar().HasRole("link", "Impersonate") {
		t.Error("the icon is offered while switched")
	}
	p.Stop()
	p.Self("Ann Lee")
}

// calagopus #91, twenty #12891: from a member of staff to an administrator.
func nobodyBecomesMoreThanTheyAre(t *testing.T, d e2e.Demo) {
	c := e2e.SignedInClient(t, d, e2e.Ben)
	for target, why := range map[string]string{
		"staff:1": "administrator", "staff:2": "This is you", "staff:4": "inactive", "contact:4": "inactive",
	} {
		c.Want(c.Post("/session/switch", "target", target), http.StatusForbidden, why)
	}
	c.Want(c.Post("/session/switch", "target", "contact:99"), http.StatusNotFound)
	if got := c.Post("/session/switch", "target", "operator:1"); got.Status < 400 {
		t.Errorf("an unknown kind: %d", got.Status)
	}
	c.Want(c.Get("/session"), http.StatusOK, "You are signed in as Ben Ortiz")
	contact := e2e.SignedInClient(t, d, e2e.Jane)
	if got := contact.Post("/session/switch", "target", "contact:2"); got.Status != http.StatusForbidden && got.Status != http.StatusNotFound {
		t.Errorf("a contact switches: %d", got.Status)
	}
}

// loginas, django-impersonate: redirects to wherever an address says.
func signInLeadsNowhereElse(t *testing.T, d e2e.Demo) {
	for _, next := range []string{"//evil.example", "https://evil.example", `/\evil.example`, "/admin/%0d%0aLocation:%20//evil", "/profile", "/session/restore"} {
		c := e2e.NewClient(t, d)
		got := c.Send(http.MethodPost, "/admin/login", url.Values{"email": {e2e.Ben}, "password": {e2e.DemoPassword}, "next": {next}}, nil)
		if got.Status != http.StatusSeeOther || got.Header.Get("Location") != "/admin" {
			t.Errorf("next=%s leads to %d %q", next, got.Status, got.Header.Get("Location"))
		}
	}
	p := e2e.Visitor(t, d)
	p.Visit("/admin/customers?q=glob")
	p.WaitURL("next=%2Fadmin%2Fcustomers%3Fq%3Dglob")
	p.Fill("Email Address", e2e.Cleo)
	p.Fill("Password", e2e.DemoPassword)
	p.Click("button", "Login")
	p.WaitURL("/admin/customers?q=glob")
	p.See("Globex")
}
