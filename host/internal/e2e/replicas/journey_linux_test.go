package replicas

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/understudy-crm/understudy/host/internal/e2e"
	"github.com/understudy-crm/understudy/host/internal/hosttest"
)

// The documented journey, from an empty database that three replicas find at once, with every request
// on whichever replica nginx picks: the first administrator, people, install, activate, settings,
// become a customer, stop, log.
func TestTheJourneyOverThreeReplicas(t *testing.T) {
	r := startReplicas(t, hosttest.PostgresURL(t))
	asked := &tally{}
	c := r.client(asked)
	setUp(c, r)
	c.SignIn(e2e.Ann, e2e.DemoPassword)
	c.WantPage("/admin", "staff:1", "")

	c.Want(c.Post("/admin/customers/new", "company", "Acme Ltd", "active", "true"), http.StatusSeeOther)
	c.Want(c.Post("/admin/customers/1/contacts/new", "name", "Jane Doe", "email", e2e.Jane, "primary", "true", "active", "true"), http.StatusSeeOther)

	c.Install(hosttest.Package(t, e2e.ShippedModule))
	c.Want(c.Get("/admin/modules"), http.StatusOK, "Impersonation")
	c.Activate("impersonation")
	r.wantRunning(c, "1.0.0", r.List...)

	c.Settings(false, false, true)
	// What was saved on one counts on each with the next request, its module's process included.
	for range 2 * len(r.List) {
		c.Want(c.Post("/session/switch", "target", "contact:1"), http.StatusForbidden)
	}
	c.Settings(false, true, true)

	for range 2 * len(r.List) {
		if got := c.Get("/admin/m/impersonation/search?kind=contact&q=jane"); !strings.Contains(got.Body, "Jane Doe") {
			t.Errorf("the picker: %d %s", got.Status, got.Body)
		}
		c.Want(c.Post("/session/switch", "target", "contact:1"), http.StatusSeeOther)
		for _, page := range []string{"/", "/profile", "/company", "/profile"} {
			c.WantPage(page, "contact:1", "You (Ann Lee) are signed in as Jane Doe (Acme Ltd)")
		}
		c.Want(c.Get("/session"), http.StatusOK, "You (Ann Lee) are signed in as Jane Doe")
		c.Want(c.Post("/session/restore"), http.StatusSeeOther)
		c.WantPage("/admin", "staff:1", "")
	}
	c.Want(c.Get("/admin/m/impersonation/log"), http.StatusOK, "Ann Lee", "Jane Doe")
	c.Want(c.Get("/admin/m/impersonation/active"), http.StatusOK)
	c.WantPage("/admin/activity", "staff:1", "")

	r.wantAllAsked(asked)
	r.wantWhole()
	if n := count(t, r.db, "SELECT COUNT(*) FROM session_switches WHERE refusal = '' AND end_cause = 'stopped'"); n != 2*len(r.List) {
		t.Errorf("%d switches were stopped", n)
	}
}

// setUp makes the first administrator by an address that one of the replicas printed.
func setUp(c *e2e.Client, r replicas) {
	c.T.Helper()
	form := url.Values{"name": {"Ann Lee"}, "email": {e2e.Ann}, "password": {e2e.DemoPassword}, "repeat": {e2e.DemoPassword}}
	for _, one := range r.List {
		hosttest.Eventually(c.T, "the address is printed", func() bool { return one.Setup() != "" })
		link, err := url.Parse(one.Setup())
		if err != nil {
			c.T.Fatal(err)
		}
		if got := c.Send(http.MethodPost, link.Path, form, nil); got.Status == http.StatusSeeOther {
			return
		}
	}
	c.T.Fatal("no address that a replica printed makes the first administrator")
}
