package main

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/understudy-crm/understudy/host/internal/hosttest"
)

// place is a page as somebody sees it.
type place struct {
	name string
	path string
	open func(p *person) // what to do there first, nil for nothing
	says string          // what must be on it, so that no error page is praised for its contrast
}

var adminPlaces = []place{
	{name: "dashboard", path: "/admin"},
	{name: "customers", path: "/admin/customers", says: "Acme Ltd"},
	{name: "customers-none", path: "/admin/customers?q=nobody+like+this"},
	{name: "customer-new", path: "/admin/customers/new"},
	{name: "customer", path: "/admin/customers/1", says: "Jane Doe"},
	{name: "customer-edit", path: "/admin/customers/1/edit"},
	{name: "customer-delete", path: "/admin/customers/1/delete"},
	{name: "contacts", path: "/admin/contacts", says: "Rosa Diaz"},
	{name: "contact-new", path: "/admin/customers/1/contacts/new"},
	{name: "contact", path: "/admin/contacts/1"},
	{name: "contact-delete", path: "/admin/contacts/1/delete"},
	{name: "staff", path: "/admin/staff", says: "Dan Moss"},
	{name: "staff-new", path: "/admin/staff/new"},
	{name: "staff-member", path: "/admin/staff/2"},
	{name: "roles", path: "/admin/roles", says: "Support"},
	{name: "role-new", path: "/admin/roles/new"},
	{name: "role", path: "/admin/roles/1"},
	{name: "role-delete", path: "/admin/roles/1/delete"},
	{name: "modules", path: "/admin/modules", says: "1.0.0"},
	{name: "module-grants", path: "/admin/modules/impersonation/grants", says: "To decide who may impersonate whom"},
	{name: "module-keys", path: "/admin/modules/keys", says: "No key is trusted yet"},
	{name: "module-log", path: "/admin/modules/impersonation/log"},
	{name: "module-versions", path: "/admin/modules/impersonation/versions"},
	{name: "module-uninstall", path: "/admin/modules/impersonation/uninstall"},
	{name: "settings-general", path: "/admin/settings/general"},
	{name: "settings-security", path: "/admin/settings/security"},
	{name: "settings-impersonate", path: "/admin/settings/impersonation"},
	{name: "activity", path: "/admin/activity"},
	{name: "activity-check", path: "/admin/activity/check", says: "main:"},
	{name: "profile", path: "/admin/profile"},
	{name: "start", path: "/admin/m/impersonation/start"},
	{name: "log", path: "/admin/m/impersonation/log", says: "127.0.0.1"},
	{name: "log-none", path: "/admin/m/impersonation/log?actor=nobody"},
	{name: "timeline", path: "/admin/m/impersonation/log/entry?id=1", says: "so that the log has a line"},
	{name: "active", path: "/admin/m/impersonation/active", says: "Jane Doe"},
	{name: "approvals", path: "/admin/m/impersonation/approvals", says: "Layla Nasser"},
	{name: "languages", path: "/admin/m/impersonation/languages", says: "Español"},
	{name: "who", path: "/admin/m/impersonation/who?staff=staff:3", says: "Cleo Park"},
	{name: "who-target", path: "/admin/m/impersonation/who?staff=staff:3&target=staff:1", says: "Ann Lee"},
	{name: "logout", path: "/logout"},
	{name: "session", path: "/session"},
	{name: "error-404", path: "/admin/nowhere", says: "404"},
	{name: "error-405", path: "/session/switch", says: "405"},
	{name: "modal", path: "/admin", open: func(p *person) {
		p.Click("link", p.iconName())
		p.SeeRole("combobox", "User")
		p.Eval(`document.querySelector('#m-impersonation-kind').value`, nil)
	}},
	{name: "account-menu", path: "/admin", open: func(p *person) { p.Eval(`document.querySelector('.avatar-button').click()`, nil) }},
}

var portalPlaces = []place{
	{name: "portal", path: "/"},
	{name: "portal-profile", path: "/profile"},
	{name: "portal-company", path: "/company"},
	{name: "portal-access", path: "/m/impersonation/access"},
	{name: "portal-access-entry", path: "/m/impersonation/access/entry?id=1"},
	{name: "portal-404", path: "/nowhere", says: "404"},
	{name: "portal-logout", path: "/logout"},
	{name: "portal-session", path: "/session"},
}

var openPlaces = []place{
	{name: "login", path: "/login"},
	{name: "login-admin", path: "/admin/login"},
	{name: "login-wrong", path: "/admin/login", open: func(p *person) {
		p.Fill("Email Address", "nobody@example.com")
		p.Press("Enter")
		p.SeeRole("alert", "")
	}},
	{name: "password-link-old", path: "/password/none", says: "404"},
	{name: "nobody-session", path: "/session"},
	{name: "nobody-404", path: "/nowhere", says: "404"},
}

// iconName is what the module's item on the navigation bar is called in the page's language.
func (p *person) iconName() string {
	p.t.Helper()
	var name string
	p.Eval(`document.querySelector('a[data-modal]').textContent.trim()`, &name)
	return name
}

// expected are the browser's own words about error pages: what was asked for wasn't there.
var expected = regexp.MustCompile(`Failed to load resource: the server responded with a status of (401|403|404|405|409|422)`)

// TestEveryPageIsAccessible opens every page as everybody who has it: axe finds nothing, in light
// and in dark; nothing is wider than a telephone, in either direction of writing; no script or
// style is stopped by the pages' policy.
func TestEveryPageIsAccessible(t *testing.T) {
	t.Parallel()
	d := runDemo(t)
	admin := signedInClient(t, d, ann)
	admin.want(admin.post("/session/switch", "target", "contact:2", "reason", "so that the log has a line"), http.StatusSeeOther)
	admin.want(admin.post("/session/restore"), http.StatusSeeOther)
	link := passwordLink.FindString(admin.post("/admin/contacts/1/password-link").Body)
	nobody := append(slices.Clone(openPlaces), place{name: "password-link", path: link, says: "Jane Doe"})

	switched := func(target string) *client {
		c := signedInClient(t, d, ann)
		c.want(c.post("/session/switch", "target", target), http.StatusSeeOther)
		return c
	}
	arabic := newClient(t, d)
	arabic.signIn(admin.hire(t, "Layla Nasser", "layla@example.com", "ar"))
	admin.want(admin.post("/admin/settings/impersonation", "s_four_eyes", "true", "s_ticket", "optional"), http.StatusSeeOther)
	admin.want(admin.post("/session/switch", "target", "staff:5", "reason", "so that there is an ask"), http.StatusForbidden)
	rounds := []struct {
		who    string
		by     *client
		places []place
	}{
		{"Ann", signedInClient(t, d, ann), adminPlaces},
		{"Jane", signedInClient(t, d, jane), portalPlaces},
		{"nobody", nil, nobody},
		{"Ann as Ben", switched("staff:2"), []place{
			{name: "switched-dashboard", path: "/admin"},
			{name: "switched-profile", path: "/admin/profile"},
			{name: "switched-logout", path: "/logout"},
			{name: "switched-session", path: "/session"},
			{name: "switched-403", path: "/admin/modules", says: "403"},
			{name: "switched-404", path: "/admin/nowhere", says: "404"},
			{name: "switched-customer", path: "/admin/customers/1"},
			{name: "switched-contact", path: "/admin/contacts/1"},
		}},
		{"Ann as Jane", switched("contact:1"), []place{
			{name: "switched-portal", path: "/"},
			{name: "switched-portal-profile", path: "/profile"},
			{name: "switched-portal-company", path: "/company"},
			{name: "switched-portal-access", path: "/m/impersonation/access", says: "Who signed in as your contacts"},
			{name: "switched-portal-403", path: "/admin/staff", says: "403"},
		}},
		{"Ann as Omar", switched("contact:2"), []place{{name: "switched-arabic", path: "/"}, {name: "switched-arabic-profile", path: "/profile"}}},
		{"Omar", signedInClient(t, d, omar), portalPlaces},
	}
	for _, round := range rounds {
		t.Run(round.who, func(t *testing.T) {
			t.Parallel()
			p := visitor(t, d)
			if round.by != nil {
				round.by.lend(p.Browser)
			}
			for _, place := range round.places {
				name := place.name
				if round.who == "Omar" {
					name = "omar-" + name
				}
				p.inspect(t, place, name)
			}
		})
	}
	t.Run("an administrator in Arabic", func(t *testing.T) {
		t.Parallel()
		p := visitor(t, d)
		arabic.lend(p.Browser)
		for _, place := range adminPlaces {
			p.narrow(t, place, "arabic-"+place.name, true)
		}
	})
}

// visit opens the page and does what it needs.
func (p *person) visit(t *testing.T, place place) {
	t.Helper()
	p.open(place.path)
	if place.open != nil {
		place.open(p)
	}
	if place.says != "" {
		p.See(place.says)
	}
}

// inspect looks at a page in every light and at every width.
func (p *person) inspect(t *testing.T, place place, name string) {
	t.Helper()
	p.ColorScheme("light")
	p.ReducedMotion(true)
	p.Viewport(1280, 800)
	before := len(p.ConsoleErrors())
	p.visit(t, place)
	pictures(p.Browser, name+"-light")
	p.report(t, name+", light", p.Axe())
	p.ColorScheme("dark")
	hosttest.Eventually(t, name+" follows the machine into the dark", func() bool {
		var dark bool
		p.Eval(`(!document.querySelector('link[href*=tabler]') || document.documentElement.dataset.bsTheme === 'dark') && document.getAnimations().length === 0`, &dark)
		return dark
	})
	pictures(p.Browser, name+"-dark")
	p.report(t, name+", dark", p.Axe("color-contrast", "link-in-text-block"))
	p.ColorScheme("light")
	p.Viewport(360, 740)
	if wide := p.Overflow(); wide != "" {
		t.Errorf("%s at 360 px: %s", name, wide)
	}
	if covered := p.coveredHeading(); covered != "" {
		t.Errorf("%s at 360 px: the heading is covered by %s", name, covered)
	}
	pictures(p.Browser, name+"-360")
	p.Viewport(1920, 1080)
	if wide := p.Overflow(); wide != "" {
		t.Errorf("%s at 1920 px: %s", name, wide)
	}
	p.report(t, name+", console", unexpected(p.ConsoleErrors()[before:]))
}

// narrow looks at a page on a telephone.
func (p *person) narrow(t *testing.T, place place, name string, rightToLeft bool) {
	t.Helper()
	p.ReducedMotion(true)
	p.Viewport(1280, 800)
	before := len(p.ConsoleErrors())
	place.says = ""
	if strings.HasPrefix(place.name, "modal") {
		place.open = func(p *person) {
			p.Click("link", p.iconName())
			p.Text("#modal h2")
		}
	}
	p.visit(t, place)
	if p.Text("html") == "" {
		t.Errorf("%s is empty", name)
	}
	var direction string
	p.Eval(`document.documentElement.dir`, &direction)
	if rightToLeft != (direction == "rtl") {
		t.Errorf("%s runs %s", name, direction)
	}
	if rightToLeft {
		p.report(t, name+", mirrored", p.mirrored())
	}
	pictures(p.Browser, name+"-rtl")
	p.Viewport(360, 740)
	if wide := p.Overflow(); wide != "" {
		t.Errorf("%s at 360 px: %s", name, wide)
	}
	pictures(p.Browser, name+"-rtl-360")
	p.report(t, name+", console", unexpected(p.ConsoleErrors()[before:]))
}

// coveredHeading is the text of a control that stands on the heading, "" when none does.
func (p *person) coveredHeading() string {
	p.t.Helper()
	var covered string
	p.Eval(`(() => {
		const heading = document.querySelector('main h1')
		if (!heading) return ''
		const words = document.createRange()
		words.selectNodeContents(heading)
		const a = words.getBoundingClientRect()
		const over = [...document.querySelectorAll('main a, main button')].find(e => {
			const b = e.getBoundingClientRect()
			return b.width && a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1
		})
		return over ? over.innerText : ''
	})()`, &covered)
	return covered
}

// mirrored are times and telephone numbers that a right-to-left page would turn around.
func (p *person) mirrored() []string {
	p.t.Helper()
	var wrong []string
	p.Eval(`[...document.querySelectorAll('main *')].filter(e => e.checkVisibility() && !e.children.length && (e.localName === 'time' || /^\+\d[\d ]+$/.test(e.innerText)))
		.filter(e => getComputedStyle(e).direction !== 'ltr').slice(0, 3).map(e => e.innerText)`, &wrong)
	return wrong
}

func (p *person) report(t *testing.T, where string, wrong []string) {
	t.Helper()
	for _, each := range wrong {
		t.Errorf("%s: %s", where, each)
	}
}

func unexpected(errors []string) []string {
	return slices.DeleteFunc(slices.Clone(errors), expected.MatchString)
}
