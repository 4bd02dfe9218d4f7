package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/understudy-crm/understudy/host/internal/hosttest"
)

// Person is somebody at a browser of their own.
type Person struct {
	*hosttest.Browser
	T    *testing.T
	Site string
}

// Visitor opens a browser in which nobody is signed in.
func Visitor(t *testing.T, d Demo) *Person {
	t.Helper()
	return &Person{hosttest.NewBrowser(t), t, d.Address}
}

// SignedIn opens a browser at the dashboard of somebody who has signed in.
func SignedIn(t *testing.T, d Demo, email string) *Person {
	t.Helper()
	p := Visitor(t, d)
	SignedInClient(t, d, email).Lend(p.Browser)
	p.Visit(Home(email))
	return p
}

// SignIn signs in at the door that is this person's.
func (p *Person) SignIn(email, password string) {
	p.T.Helper()
	p.Open(p.Site + Login(email))
	p.Fill("Email Address", email)
	p.Fill("Password", password)
	p.Click("button", "Login")
	p.WaitURL(Home(email))
}

// Login is where the person signs in.
func Login(email string) string {
	if strings.HasSuffix(email, "@example.com") {
		return "/admin/login"
	}
	return "/login"
}

// Home is where the person lands.
func Home(email string) string {
	if Login(email) == "/admin/login" {
		return "/admin"
	}
	return "/"
}

// Visit opens a page of the site.
func (p *Person) Visit(path string) {
	p.T.Helper()
	p.Open(p.Site + path)
}

// Part is the same browser for a subtest.
func (p *Person) Part(t *testing.T) *Person { return &Person{p.For(t), t, p.Site} }

// Tab opens another tab of the same browser.
func (p *Person) Tab() *Person { return &Person{p.NewTab(), p.T, p.Site} }

// ModuleRow is the shipped module's line in the list of modules.
func (p *Person) ModuleRow() *hosttest.Browser { return p.In("row", "Impersonation") }

// Dialog is the modal in which somebody is chosen.
func (p *Person) Dialog() *hosttest.Browser { return p.In("dialog", "Impersonate") }

// Bar is the navigation bar.
func (p *Person) Bar() *hosttest.Browser { return p.In("banner", "") }

// OpenModal opens the Impersonation modal from the navigation bar.
func (p *Person) OpenModal() {
	p.T.Helper()
	p.Bar().Click("link", "Impersonate")
	p.SeeRole("dialog", "Impersonate")
}

// Impersonate becomes somebody by the navigation bar; kind is "" when there is nothing to choose. As a
// person does, it tries again when the module took longer to decide than the host waits for it.
func (p *Person) Impersonate(kind, user string) {
	p.T.Helper()
	const enough = 10
	for range enough {
		p.OpenModal()
		if kind != "" {
			p.Dialog().Choose("User Type", kind)
		}
		p.Dialog().Choose("User", user)
		p.Dialog().Click("button", "Impersonate")
		hosttest.Eventually(p.T, "impersonating, or told to try again", func() bool {
			return p.HasRole("button", "Stop Impersonation") || p.HasRole("link", "Who am I in this browser?")
		})
		if p.HasRole("button", "Stop Impersonation") {
			break
		}
		p.See("Try again.")
		p.Press("Escape")
		p.DontSeeRole("link", "Who am I in this browser?")
	}
	p.SeeRole("button", "Stop Impersonation")
}

// Stop returns to the own account, and waits until it is theirs.
func (p *Person) Stop() {
	p.T.Helper()
	p.Click("button", "Stop Impersonation")
	p.WaitURL("/admin")
	p.DontSeeRole("button", "Stop Impersonation")
}

// AccountMenu is the name of the account menu's button, which says who one is.
func (p *Person) AccountMenu() string {
	p.T.Helper()
	for _, name := range p.Bar().Names("button") {
		if strings.HasPrefix(name, "Account menu") {
			return name
		}
	}
	return ""
}

// Is waits until the page is this person's: the account menu says so.
func (p *Person) Is(name string) {
	p.T.Helper()
	hosttest.Eventually(p.T, "the account menu names "+name, func() bool { return strings.Contains(p.AccountMenu(), name) })
}

// Self waits until the page is this person's own, and nothing is left of somebody else.
func (p *Person) Self(name string) {
	p.T.Helper()
	p.Is(name)
	p.DontSeeRole("button", "Stop Impersonation")
	p.DontSee("are signed in as")
}

// SaveSettings chooses the three settings of the module on its settings page.
func (p *Person) SaveSettings(disabled, customers, admins bool) {
	p.T.Helper()
	p.Visit("/admin/settings/impersonation")
	for name, yes := range map[string]bool{"Disable Impersonation": disabled, "Enable for Customers": customers, "Enable for Admins": admins} {
		choice := "No"
		if yes {
			choice = "Yes"
		}
		p.In("group", name).Click("radio", choice)
	}
	p.Click("button", "Save Settings")
	p.See("Settings saved.")
}

// Chosen is the option of a Yes/No setting that is on.
func (p *Person) Chosen(name string) string {
	p.T.Helper()
	var label string
	p.Eval(fmt.Sprintf(`[...document.querySelectorAll('fieldset')].find(f => f.querySelector('legend').innerText.trim() === %q)?.querySelector('input:checked')?.labels[0].innerText.trim() ?? ''`, name), &label)
	return label
}

// Offers are the names of every link and button within a part of the page.
func Offers(b *hosttest.Browser) []string {
	return append(b.Names("button"), b.Names("link")...)
}
