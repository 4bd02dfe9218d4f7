package lessons

import (
	"regexp"
	"strings"
	"testing"

	"github.com/understudy-crm/understudy/host/internal/e2e"
	"github.com/understudy-crm/understudy/host/internal/hosttest"
)

// lfx #1044, gather #715: the banner is missing on some layouts.
func bannerStandsOnEveryPage(t *testing.T, d e2e.Demo) {
	p := e2e.SignedIn(t, d, e2e.Ann)
	p.Impersonate("Staff", "Cleo Park")
	for _, path := range []string{"/admin", "/admin/customers", "/admin/customers/1", "/admin/contacts/1", "/admin/profile", "/admin/nowhere", "/admin/staff", "/admin/modules", "/logout"} {
		p.Visit(path)
		p.See("You (Ann Lee) are signed in as Cleo Park")
		p.See("min left")
		p.SeeRole("button", "Stop Impersonation")
		var title, icon string
		p.Eval("document.title", &title)
		p.Eval("document.querySelector('link[rel=icon]').href", &icon)
		if !strings.Contains(title, "Cleo Park") || !strings.Contains(icon, "switched") {
			t.Errorf("%s: title %q, icon %s", path, title, icon)
		}
	}
	p.Visit("/")
	p.See("You (Ann Lee) are signed in as Cleo Park")
	p.Stop()
	var title string
	p.Eval("document.title", &title)
	if strings.Contains(title, "Cleo") {
		t.Errorf("after the stop the title is %q", title)
	}
}

// filament #61, #62, #142, #151: a banner that floats covers menus, dialogs and messages, or is wider
// than the screen. This one takes its own room, on paper too, and in both directions of writing.
func bannerCoversNothing(t *testing.T, d e2e.Demo) {
	p := e2e.SignedIn(t, d, e2e.Ann)
	for _, target := range []string{"Jane Doe (Acme Ltd)", "Omar Haddad (Acme Ltd)", "Cleo Park"} {
		kind := "Customer"
		if target == "Cleo Park" {
			kind = "Staff"
		}
		p.Viewport(1440, 900)
		p.Impersonate(kind, target)
		for _, width := range []int64{320, 768, 1440} {
			p.Viewport(width, 800)
			for _, paper := range []bool{false, true} {
				p.Print(paper)
				if over := p.Overflow(); over != "" {
					t.Errorf("as %s at %d px, printed %t: %s", target, width, paper, over)
				}
				var hurt string
				p.Eval(`(() => {
					const banner = document.querySelector('.switch-banner')
					if (!banner.checkVisibility() || banner.offsetHeight < 10 || !banner.innerText.includes('Ann Lee')) return 'it is not to be seen'
					const others = [...document.querySelectorAll('aside, header, main, .navbar')].filter(e => e.checkVisibility())
					for (const part of [...banner.children].filter(e => !e.matches('.visually-hidden'))) {
						const at = part.getBoundingClientRect()
						const over = others.find(e => {
							const r = e.getBoundingClientRect()
							return r.width * r.height > 0 && Math.min(r.right, at.right) - Math.max(r.left, at.left) > 1 && Math.min(r.bottom, at.bottom) - Math.max(r.top, at.top) > 1
						})
						if (over) return part.innerText + ' and ' + over.outerHTML.slice(0, 100)
					}
					return ''
				})()`, &hurt)
				if hurt != "" {
					t.Errorf("as %s at %d px, printed %t: %s", target, width, paper, hurt)
				}
			}
			p.Print(false)
		}
		p.Viewport(1440, 900)
		p.Stop()
	}
}

// The banner talks to the person at the screen, the page to the person they are.
func bannerSpeaksTheActorsLanguage(t *testing.T, d e2e.Demo) {
	p := e2e.SignedIn(t, d, e2e.Ann)
	p.Impersonate("Customer", "Omar Haddad (Acme Ltd)")
	var page, banner, stop [2]string
	said := func(selector string, into *[2]string) {
		t.Helper()
		p.Eval(`(() => { const e = document.querySelector(`+"`"+selector+"`"+`).closest('[dir]'); return [e.lang, e.dir] })()`, into)
	}
	said("main h1", &page) // dir=auto of the heading itself is skipped below
	p.Eval(`[document.documentElement.lang, document.documentElement.dir]`, &page)
	said(".switch-banner p", &banner)
	said(".attention", &stop)
	if page != [2]string{"ar", "rtl"} {
		t.Errorf("Omar's page is in %q", page)
	}
	for what, got := range map[string][2]string{"banner": banner, "button": stop} {
		if got != [2]string{"en", "ltr"} {
			t.Errorf("Ann's %s is in %q", what, got)
		}
	}
	p.See("You (Ann Lee) are signed in as Omar Haddad (Acme Ltd)")
	if !regexp.MustCompile(`\p{Arabic}`).MatchString(p.Text("main")) {
		t.Errorf("no Arabic on Omar's page: %s", p.Text("main"))
	}
	e2e.Pictures(p.Browser, "switched-arabic")
	p.Stop()
	p.Impersonate("Customer", "Rosa Diaz (Globex)")
	p.Eval(`[document.documentElement.lang, document.documentElement.dir]`, &page)
	if page != [2]string{"es", "ltr"} {
		t.Errorf("Rosa's page is in %q", page)
	}
	p.See("You (Ann Lee) are signed in as Rosa Diaz (Globex)")
	p.Stop()
	p.See("You were signed in as Rosa Diaz")
}

// The focus goes into the modal, stays there, and comes back.
func focusGoesIntoTheModalAndBack(t *testing.T, d e2e.Demo) {
	p := e2e.SignedIn(t, d, e2e.Ann)
	p.OpenModal()
	hosttest.Eventually(t, "the focus is on the first field", func() bool { return p.Focused() == "User Type" })
	for range 12 {
		p.Press("Tab")
		var inside bool
		p.Eval(`document.activeElement === document.body || document.activeElement.closest('#modal') !== null`, &inside)
		if !inside {
			t.Fatalf("the focus left the modal to %q", p.Focused())
		}
	}
	// Once a round the browser's own bar has the focus: Escape is pressed on the page.
	if p.Focused() == "" {
		p.Press("Tab")
	}
	p.Press("Escape")
	p.DontSeeRole("dialog", "Impersonate")
	hosttest.Eventually(t, "the focus is back", func() bool { return p.Focused() == "Impersonate" })
}

// tabTo presses Tab until the element of that name has the focus.
func tabTo(p *e2e.Person, name string) {
	p.T.Helper()
	var passed []string
	for range 40 {
		p.Press("Tab")
		focused := p.Focused()
		if focused == name {
			return
		}
		passed = append(passed, focused)
	}
	p.T.Fatalf("Tab doesn't reach %q, only %q", name, passed)
}

func theWholeJourneyByKeyboardAlone(t *testing.T, d e2e.Demo) {
	p := e2e.Visitor(t, d)
	p.Visit("/admin/login")
	tabTo(p, "Email Address")
	typedIn(p, e2e.Ann)
	tabTo(p, "Password")
	typedIn(p, e2e.DemoPassword)
	p.Press("Enter")
	p.WaitURL("/admin")
	p.Press("Tab")
	if got := p.Focused(); got != "Skip to content" {
		t.Errorf("the first stop is %q", got)
	}
	tabTo(p, "Impersonate")
	p.Press("Enter")
	p.SeeRole("dialog", "Impersonate")
	hosttest.Eventually(t, "the focus is on the first field", func() bool { return p.Focused() == "User Type" })
	p.Press("ArrowDown")
	if got := p.Dialog().Value("User Type"); got != "contact" {
		t.Errorf("ArrowDown chose %q", got)
	}
	tabTo(p, "User")
	typedIn(p, "omar")
	p.Dialog().SeeOptions("User", "", "Omar Haddad (Acme Ltd)")
	p.Press("Enter")
	p.SeeRole("dialog", "Impersonate") // GardenTwin #102: chosen isn't begun
	tabTo(p, "Reason")
	typedIn(p, "by keyboard")
	p.Press("Tab")
	if got := p.Focused(); got != "Impersonate" {
		t.Errorf("after the reason comes %q", got)
	}
	p.Press("Enter")
	p.See("You (Ann Lee) are signed in as Omar Haddad")
	tabTo(p, "Stop Impersonation")
	p.Press("Enter")
	p.WaitURL("/admin")
	p.Self("Ann Lee")
}

// typed strikes the keys of a text, wherever the focus is.
func typedIn(p *e2e.Person, text string) {
	p.T.Helper()
	for _, key := range text {
		p.Press(string(key))
	}
}

// "I don't see the icon": the settings page says rule by rule why.
func iDontSeeTheIcon(t *testing.T, d e2e.Demo) {
	p := e2e.SignedIn(t, d, e2e.Ann)
	p.Visit("/admin/settings/impersonation")
	p.Click("link", "Who can use this?")
	for name, may := range map[string]string{"Cleo Park": "may not impersonate", "Ben Ortiz": "may impersonate"} {
		p.In("main", "").Choose("Staff member", name)
		p.Click("button", "Check")
		p.SeeRole("heading", name+" "+may+": Staff")
		p.SeeRole("heading", name+" "+may+": Customer")
	}
	p.In("main", "").Choose("Staff member", "Cleo Park")
	p.Click("button", "Check")
	p.See("✗ No: The person is an administrator or has the permission “Impersonate customers”")
	p.See("✓ Yes: “Enable for Customers” is on")
	p.See("This person doesn't have the permission “Impersonate customers”: give it to them or to their role.")
}

// "The customer isn't in the list": who is searched for and can't be chosen is shown with the reason.
func thePersonIsntInTheList(t *testing.T, d e2e.Demo) {
	p := e2e.SignedIn(t, d, e2e.Ann)
	p.OpenModal()
	p.Dialog().SeeOptions("User", "dan", "Dan Moss")
	p.Dialog().SeeRole("option", "Dan Moss dan@example.com · Sales · This user or their company is not active.")
	p.Dialog().Choose("User Type", "Customer")
	p.Dialog().SeeOptions("User", "bill", "Bill Lum (Initech)")
	p.See("This user or their company is not active.")
	var disabled bool
	p.Eval(`document.querySelector('[role=option]').getAttribute('aria-disabled') === 'true'`, &disabled)
	if !disabled {
		t.Error("Bill can be chosen")
	}
}
