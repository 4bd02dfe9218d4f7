package main

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/understudy-crm/understudy/host/internal/hosttest"
)

// The documented journey, from an empty database that three replicas find at once, with every request
// on whichever replica nginx picks: the first administrator, people, install, activate, settings,
// become a customer, stop, log.
func TestTheJourneyOverThreeReplicas(t *testing.T) {
	r := startReplicas(t, hosttest.PostgresURL(t))
	asked := &tally{}
	c := r.client(asked)
	c.setUp(r)
	c.signIn(ann, demoPassword)
	c.wantPage("/admin", "staff:1", "")

	c.want(c.post("/admin/customers/new", "company", "Acme Ltd", "active", "true"), http.StatusSeeOther)
	c.want(c.post("/admin/customers/1/contacts/new", "name", "Jane Doe", "email", jane, "primary", "true", "active", "true"), http.StatusSeeOther)

	c.install(hosttest.Package(t, shippedModule))
	c.want(c.get("/admin/modules"), http.StatusOK, "Impersonation")
	c.activate("impersonation")
	r.wantRunning(c, "1.0.0", r.List...)

	c.settings(false, false, true)
	// What was saved on one counts on each with the next request, its module's process included.
	for range 2 * len(r.List) {
		c.want(c.post("/session/switch", "target", "contact:1"), http.StatusForbidden)
	}
	c.settings(false, true, true)

	for range 2 * len(r.List) {
		if got := c.get("/admin/m/impersonation/search?kind=contact&q=jane"); !strings.Contains(got.Body, "Jane Doe") {
			t.Errorf("the picker: %d %s", got.Status, got.Body)
		}
		c.want(c.post("/session/switch", "target", "contact:1"), http.StatusSeeOther)
		for _, page := range []string{"/", "/profile", "/company", "/profile"} {
			c.wantPage(page, "contact:1", "You (Ann Lee) are signed in as Jane Doe (Acme Ltd)")
		}
		c.want(c.get("/session"), http.StatusOK, "You (Ann Lee) are signed in as Jane Doe")
		c.want(c.post("/session/restore"), http.StatusSeeOther)
		c.wantPage("/admin", "staff:1", "")
	}
	c.want(c.get("/admin/m/impersonation/log"), http.StatusOK, "Ann Lee", "Jane Doe")
	c.want(c.get("/admin/m/impersonation/active"), http.StatusOK)
	c.wantPage("/admin/activity", "staff:1", "")

	r.wantAllAsked(asked)
	r.wantWhole()
	if n := count(t, r.db, "SELECT COUNT(*) FROM session_switches WHERE refusal = '' AND end_cause = 'stopped'"); n != 2*len(r.List) {
		t.Errorf("%d switches were stopped", n)
	}
}

// setUp makes the first administrator by an address that one of the replicas printed.
func (c *client) setUp(r replicas) {
	c.t.Helper()
	form := url.Values{"name": {"Ann Lee"}, "email": {ann}, "password": {demoPassword}, "repeat": {demoPassword}}
	for _, one := range r.List {
		hosttest.Eventually(c.t, "the address is printed", func() bool { return one.Setup() != "" })
		link, err := url.Parse(one.Setup())
		if err != nil {
			c.t.Fatal(err)
		}
		if got := c.send(http.MethodPost, link.Path, form, nil); got.Status == http.StatusSeeOther {
			return
		}
	}
	c.t.Fatal("no address that a replica printed makes the first administrator")
}
