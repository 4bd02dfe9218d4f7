// Package screen looks at what stands on the screen, for everybody, in each light and at each width.
package screen

import (
	"net/http"
	"slices"
	"testing"

	"github.com/understudy-crm/understudy/host/internal/e2e"
)

var adminPlaces = []e2e.Place{
	{Name: "dashboard", Path: "/admin"},
	{Name: "customers", Path: "/admin/customers", Says: "Acme Ltd"},
	{Name: "customers-none", Path: "/admin/customers?q=nobody+like+this"},
	{Name: "customer-new", Path: "/admin/customers/new"},
	{Name: "customer", Path: "/admin/customers/1", Says: "Jane Doe"},
	{Name: "customer-edit", Path: "/admin/customers/1/edit"},
	{Name: "customer-delete", Path: "/admin/customers/1/delete"},
	{Name: "contacts", Path: "/admin/contacts", Says: "Rosa Diaz"},
	{Name: "contact-new", Path: "/admin/customers/1/contacts/new"},
	{Name: "contact", Path: "/admin/contacts/1"},
	{Name: "contact-delete", Path: "/admin/contacts/1/delete"},
	{Name: "staff", Path: "/admin/staff", Says: "Dan Moss"},
	{Name: "staff-new", Path: "/admin/staff/new"},
	{Name: "staff-member", Path: "/admin/staff/2"},
	{Name: "roles", Path: "/admin/roles", Says: "Support"},
	{Name: "role-new", Path: "/admin/roles/new"},
	{Name: "role", Path: "/admin/roles/1"},
	{Name: "role-delete", Path: "/admin/roles/1/delete"},
	{Name: "modules", Path: "/admin/modules", Says: "1.0.0"},
	{Name: "module-grants", Path: "/admin/modules/impersonation/grants", Says: "To decide who may impersonate whom"},
	{Name: "module-keys", Path: "/admin/modules/keys", Says: "No key is trusted yet"},
	{Name: "module-log", Path: "/admin/modules/impersonation/log"},
	{Name: "module-versions", Path: "/admin/modules/impersonation/versions"},
	{Name: "module-uninstall", Path: "/admin/modules/impersonation/uninstall"},
	{Name: "settings-general", Path: "/admin/settings/general"},
	{Name: "settings-security", Path: "/admin/settings/security"},
	{Name: "settings-impersonate", Path: "/admin/settings/impersonation"},
	{Name: "activity", Path: "/admin/activity"},
	{Name: "activity-check", Path: "/admin/activity/check", Says: "main:"},
	{Name: "profile", Path: "/admin/profile"},
	{Name: "start", Path: "/admin/m/impersonation/start"},
	{Name: "log", Path: "/admin/m/impersonation/log", Says: "127.0.0.1"},
	{Name: "log-none", Path: "/admin/m/impersonation/log?actor=nobody"},
	{Name: "timeline", Path: "/admin/m/impersonation/log/entry?id=1", Says: "so that the log has a line"},
	{Name: "active", Path: "/admin/m/impersonation/active", Says: "Jane Doe"},
	{Name: "approvals", Path: "/admin/m/impersonation/approvals", Says: "Layla Nasser"},
	{Name: "languages", Path: "/admin/m/impersonation/languages", Says: "Español"},
	{Name: "who", Path: "/admin/m/impersonation/who?staff=staff:3", Says: "Cleo Park"},
	{Name: "who-target", Path: "/admin/m/impersonation/who?staff=staff:3&target=staff:1", Says: "Ann Lee"},
	{Name: "logout", Path: "/logout"},
	{Name: "session", Path: "/session"},
	{Name: "error-404", Path: "/admin/nowhere", Says: "404"},
	{Name: "error-405", Path: "/session/switch", Says: "405"},
	{Name: "modal", Path: "/admin", Open: func(p *e2e.Person) {
		p.Click("link", p.IconName())
		p.SeeRole("combobox", "User")
		p.Eval(`document.querySelector('#m-impersonation-kind').value`, nil)
	}},
	{Name: "account-menu", Path: "/admin", Open: func(p *e2e.Person) { p.Eval(`document.querySelector('.avatar-button').click()`, nil) }},
}

var portalPlaces = []e2e.Place{
	{Name: "portal", Path: "/"},
	{Name: "portal-profile", Path: "/profile"},
	{Name: "portal-company", Path: "/company"},
	{Name: "portal-access", Path: "/m/impersonation/access"},
	{Name: "portal-access-entry", Path: "/m/impersonation/access/entry?id=1"},
	{Name: "portal-404", Path: "/nowhere", Says: "404"},
	{Name: "portal-logout", Path: "/logout"},
	{Name: "portal-session", Path: "/session"},
}

var openPlaces = []e2e.Place{
	{Name: "login", Path: "/login"},
	{Name: "login-admin", Path: "/admin/login"},
	{Name: "login-wrong", Path: "/admin/login", Open: func(p *e2e.Person) {
		p.Fill("Email Address", "nobody@example.com")
		p.Press("Enter")
		p.SeeRole("alert", "")
	}},
	{Name: "password-link-old", Path: "/password/none", Says: "404"},
	{Name: "nobody-session", Path: "/session"},
	{Name: "nobody-404", Path: "/nowhere", Says: "404"},
}

// TestEveryPageIsAccessible opens every page as everybody who has it: axe finds nothing, in light
// and in dark; nothing is wider than a telephone, in either direction of writing; no script or
// style is stopped by the pages' policy.
func TestEveryPageIsAccessible(t *testing.T) {
	t.Parallel()
	d := e2e.RunDemo(t)
	admin := e2e.SignedInClient(t, d, e2e.Ann)
	admin.Want(admin.Post("/session/switch", "target", "contact:2", "reason", "so that the log has a line"), http.StatusSeeOther)
	admin.Want(admin.Post("/session/restore"), http.StatusSeeOther)
	link := e2e.PasswordLink.FindString(admin.Post("/admin/contacts/1/password-link").Body)
	nobody := append(slices.Clone(openPlaces), e2e.Place{Name: "password-link", Path: link, Says: "Jane Doe"})

	switched := func(target string) *e2e.Client {
		c := e2e.SignedInClient(t, d, e2e.Ann)
		c.Want(c.Post("/session/switch", "target", target), http.StatusSeeOther)
		return c
	}
	arabic := e2e.NewClient(t, d)
	arabic.SignIn(admin.Hire(t, "Layla Nasser", "layla@example.com", "ar"))
	admin.Want(admin.Post("/admin/settings/impersonation", "s_four_eyes", "true", "s_ticket", "optional"), http.StatusSeeOther)
	admin.Want(admin.Post("/session/switch", "target", "staff:5", "reason", "so that there is an ask"), http.StatusForbidden)
	rounds := []struct {
		who    string
		by     *e2e.Client
		places []e2e.Place
	}{
		{"Ann", e2e.SignedInClient(t, d, e2e.Ann), adminPlaces},
		{"Jane", e2e.SignedInClient(t, d, e2e.Jane), portalPlaces},
		{"nobody", nil, nobody},
		{"Ann as Ben", switched("staff:2"), []e2e.Place{
			{Name: "switched-dashboard", Path: "/admin"},
			{Name: "switched-profile", Path: "/admin/profile"},
			{Name: "switched-logout", Path: "/logout"},
			{Name: "switched-session", Path: "/session"},
			{Name: "switched-403", Path: "/admin/modules", Says: "403"},
			{Name: "switched-404", Path: "/admin/nowhere", Says: "404"},
			{Name: "switched-customer", Path: "/admin/customers/1"},
			{Name: "switched-contact", Path: "/admin/contacts/1"},
		}},
		{"Ann as Jane", switched("contact:1"), []e2e.Place{
			{Name: "switched-portal", Path: "/"},
			{Name: "switched-portal-profile", Path: "/profile"},
			{Name: "switched-portal-company", Path: "/company"},
			{Name: "switched-portal-access", Path: "/m/impersonation/access", Says: "Who signed in as your contacts"},
			{Name: "switched-portal-403", Path: "/admin/staff", Says: "403"},
		}},
		{"Ann as Omar", switched("contact:2"), []e2e.Place{{Name: "switched-arabic", Path: "/"}, {Name: "switched-arabic-profile", Path: "/profile"}}},
		{"Omar", e2e.SignedInClient(t, d, e2e.Omar), portalPlaces},
	}
	for _, round := range rounds {
		t.Run(round.who, func(t *testing.T) {
			t.Parallel()
			p := e2e.Visitor(t, d)
			if round.by != nil {
				round.by.Lend(p.Browser)
			}
			for _, place := range round.places {
				name := place.Name
				if round.who == "Omar" {
					name = "omar-" + name
				}
				p.Inspect(t, place, name)
			}
		})
	}
	t.Run("an administrator in Arabic", func(t *testing.T) {
		t.Parallel()
		p := e2e.Visitor(t, d)
		arabic.Lend(p.Browser)
		for _, place := range adminPlaces {
			p.Narrow(t, place, "arabic-"+place.Name, true)
		}
	})
}
