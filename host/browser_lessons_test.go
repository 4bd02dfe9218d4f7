package main

import (
	"net/http"
	"net/url"
	"testing"
)

// What went wrong elsewhere with "log in as", told on this program's own screen. Each story names
// where it happened.

// The stories that leave nothing behind share a demo.
func TestWhatWentWrongElsewhere(t *testing.T) {
	t.Parallel()
	d := runDemo(t)
	for name, story := range map[string]func(*testing.T, demo){
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
func startAndStopWithoutAnyScript(t *testing.T, d demo) {
	p := visitor(t, d)
	p.JavaScript(false)
	p.signIn(ann, demoPassword)
	for kind, user := range map[string]string{"Staff": "Cleo Park", "Customer": "Jane Doe"} {
		p.bar().Click("link", "Impersonate")
		p.SeeRole("heading", "Impersonate")
		p.Click("button", "Show users: "+kind)
		p.Choose("User", user)
		p.In("main", "").Click("button", "Impersonate")
		p.See("You (Ann Lee) are signed in as " + user)
		p.is(user)
		p.stop()
		p.self("Ann Lee")
	}
}

// gitlabhq #10074, ServiceNow: the page is broken, and the way back with it.
func thePlainPageLeadsBack(t *testing.T, d demo) {
	p := signedIn(t, d, ann)
	p.open("/session")
	p.See("You are signed in as Ann Lee, admin@example.com.")
	p.open("/admin")
	p.impersonate("Customer", "Jane Doe (Acme Ltd)")
	p.JavaScript(false)
	p.open("/session")
	p.See("You (Ann Lee) are signed in as Jane Doe (Acme Ltd)")
	p.Click("button", "Return to your account")
	p.WaitURL("/admin")
	p.self("Ann Lee")
	visitor := visitor(t, d)
	visitor.open("/session")
	visitor.See("Nobody is signed in in this browser.")
}

// laravel #78, symfony #27348: a link, a prefetch or another site's form switches.
func onlyOwnFormsSwitchAndRestore(t *testing.T, d demo) {
	c := signedInClient(t, d, ann)
	for _, path := range []string{"/session/switch", "/session/restore"} {
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPut, http.MethodDelete} {
			if got := c.send(method, path+"?target=contact:1", nil, nil); got.Status != http.StatusMethodNotAllowed {
				t.Errorf("%s %s: %d", method, path, got.Status)
			}
		}
		form := url.Values{"target": {"contact:1"}, "form_token": {c.token()}}
		for name, value := range map[string]string{"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"} {
			c.want(c.send(http.MethodPost, path, form, http.Header{name: {value}}), http.StatusForbidden, "another site")
		}
		c.want(c.send(http.MethodPost, path, url.Values{"target": {"contact:1"}}, nil), http.StatusForbidden)
		stranger := signedInClient(t, d, ben).token()
		c.want(c.send(http.MethodPost, path, url.Values{"target": {"contact:1"}, "form_token": {stranger}}, nil), http.StatusForbidden)
	}
	c.want(c.get("/session"), http.StatusOK, "You are signed in as Ann Lee")
}

// laravel-impersonate #162, pretender #4: a page opened as one person acts as another.
func aFormOpenedAsOnePersonIsNotSentAsAnother(t *testing.T, d demo) {
	p := visitor(t, d)
	p.JavaScript(false) // with scripts the tab would know already
	p.signIn(ann, demoPassword)
	p.open("/admin/profile")
	p.Fill("Name", "Ann the Wrong")
	other := &person{p.NewTab(), t, p.site}
	other.open("/admin")
	other.impersonate("Staff", "Cleo Park")
	p.Press("Enter")
	p.See("Something has changed")
	p.See("You are now Cleo Park in this browser.")
	p.SeeRole("button", "Stop Impersonation")

	c := signedInClient(t, d, ann)
	before := c.token()
	c.want(c.post("/session/switch", "target", "contact:1"), http.StatusSeeOther)
	c.want(c.send(http.MethodPost, "/profile", url.Values{"form_token": {before}, "name": {"X"}}, nil), http.StatusConflict, "Jane Doe")
	c.want(c.get("/profile"), http.StatusOK, "Jane Doe")
}

// nextcloud #58515, filament PR #154: another tab goes on as somebody it no longer is.
func otherTabsLearnOfASwitch(t *testing.T, d demo) {
	p := signedIn(t, d, ann)
	other := &person{p.NewTab(), t, p.site}
	other.open("/admin/customers")
	p.impersonate("Staff", "Cleo Park")
	other.SeeRole("dialog", "This page is out of date")
	other.See("Another tab of this browser is now signed in as Cleo Park")
	other.Press("Escape")
	other.SeeRole("dialog", "This page is out of date")
	other.Click("button", "Reload")
	other.is("Cleo Park")
	other.stop()
	p.SeeRole("dialog", "This page is out of date")
	p.Click("button", "Reload")
	p.self("Ann Lee")
}

// redmine_impersonate #16, objectui #4304: something of the other person stays on the screen.
func backAfterStopShowsNothingOfTheOtherPerson(t *testing.T, d demo) {
	p := signedIn(t, d, ann)
	p.impersonate("Customer", "Jane Doe (Acme Ltd)")
	p.open("/session")
	p.See("You (Ann Lee) are signed in as Jane Doe")
	p.open("/nowhere")
	p.See("404")
	p.open("/company")
	p.See("Company details")
	p.stop()
	for i := range 5 {
		p.Back()
		if i == 2 { // the plain page, which has no menu
			p.See("You are signed in as Ann Lee")
		} else {
			p.is("Ann Lee")
		}
		p.DontSee("are signed in as Jane Doe")
		p.DontSee("Welcome, Jane Doe")
		if p.HasRole("button", "Stop Impersonation") {
			t.Fatal("the page before still offers Stop Impersonation")
		}
	}
	// A browser that keeps pages whole gets a blank one to keep, and asks anew when it comes back.
	p.open("/admin")
	var kept string
	p.Eval(`(dispatchEvent(new PageTransitionEvent("pagehide", {persisted: true})), getComputedStyle(document.body).visibility)`, &kept)
	if kept != "hidden" {
		t.Errorf("what is kept is %s", kept)
	}
	p.Eval(`void setTimeout(() => dispatchEvent(new PageTransitionEvent("pageshow", {persisted: true})))`, nil)
	p.SeeRole("heading", "Dashboard") // which nobody sees on the blank one
	p.self("Ann Lee")
}

// better-auth #2185, accounts-js #1096: the impersonated session stays good after the stop.
func oldSecretsAreDead(t *testing.T, d demo) {
	c := signedInClient(t, d, ann)
	own := c.secret()
	c.want(c.post("/session/switch", "target", "contact:1"), http.StatusSeeOther)
	borrowed := c.secret()
	c.want(c.post("/session/restore"), http.StatusSeeOther)
	if restored := c.secret(); restored == own || restored == borrowed || own == borrowed {
		t.Error("a secret outlived a change of the subject")
	}
	for _, secret := range []string{own, borrowed} {
		thief := newClient(t, d)
		got := thief.send(http.MethodGet, "/session", nil, http.Header{"Cookie": {"understudy=" + secret}})
		thief.want(got, http.StatusOK, "Nobody is signed in")
	}
}

// gitlab #196028, better-auth #6448: started again while switched, the first actor is lost.
// idenplane #344: the posted actor is not read.
func switchesNeverNest(t *testing.T, d demo) {
	c := signedInClient(t, d, ann)
	c.want(c.post("/session/switch", "target", "staff:2", "actor", "staff:3"), http.StatusSeeOther)
	for _, target := range []string{"staff:1", "staff:3", "contact:1", "staff:2"} {
		got := c.post("/session/switch", "target", target)
		if got.Status != http.StatusConflict && got.Status != http.StatusForbidden {
			t.Errorf("from Ben to %s: %d", target, got.Status)
		}
	}
	p := visitor(t, d)
	c.lend(p.Browser)
	p.open("/admin")
	p.See("You (Ann Lee) are signed in as Ben Ortiz")
	if p.bar().HasRole("link", "Impersonate") {
		t.Error("the icon is offered while switched")
	}
	p.stop()
	p.self("Ann Lee")
}

// calagopus #91, twenty #12891: from a member of staff to an administrator.
func nobodyBecomesMoreThanTheyAre(t *testing.T, d demo) {
	c := signedInClient(t, d, ben)
	for target, why := range map[string]string{
		"staff:1": "administrator", "staff:2": "This is you", "staff:4": "inactive", "contact:4": "inactive",
	} {
		c.want(c.post("/session/switch", "target", target), http.StatusForbidden, why)
	}
	c.want(c.post("/session/switch", "target", "contact:99"), http.StatusNotFound)
	if got := c.post("/session/switch", "target", "operator:1"); got.Status < 400 {
		t.Errorf("an unknown kind: %d", got.Status)
	}
	c.want(c.get("/session"), http.StatusOK, "You are signed in as Ben Ortiz")
	contact := signedInClient(t, d, jane)
	if got := contact.post("/session/switch", "target", "contact:2"); got.Status != http.StatusForbidden && got.Status != http.StatusNotFound {
		t.Errorf("a contact switches: %d", got.Status)
	}
}

// loginas, django-impersonate: redirects to wherever an address says.
func signInLeadsNowhereElse(t *testing.T, d demo) {
	for _, next := range []string{"//evil.example", "https://evil.example", `/\evil.example`, "/admin/%0d%0aLocation:%20//evil", "/profile", "/session/restore"} {
		c := newClient(t, d)
		got := c.send(http.MethodPost, "/admin/login", url.Values{"email": {ben}, "password": {demoPassword}, "next": {next}}, nil)
		if got.Status != http.StatusSeeOther || got.Header.Get("Location") != "/admin" {
			t.Errorf("next=%s leads to %d %q", next, got.Status, got.Header.Get("Location"))
		}
	}
	p := visitor(t, d)
	p.open("/admin/customers?q=glob")
	p.WaitURL("next=%2Fadmin%2Fcustomers%3Fq%3Dglob")
	p.Fill("Email Address", cleo)
	p.Fill("Password", demoPassword)
	p.Click("button", "Login")
	p.WaitURL("/admin/customers?q=glob")
	p.See("Globex")
}
