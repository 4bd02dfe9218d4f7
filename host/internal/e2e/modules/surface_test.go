package modules

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/understudy-crm/understudy/host/internal/e2e"
	"github.com/understudy-crm/understudy/host/internal/hosttest"
)

// bothModules is a folder with the shipped module and the one of testdata/rights.
func bothModules(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, source := range []string{e2e.ShippedModule, "host/internal/hosttest/testdata/rights"} {
		zip := hosttest.Package(t, source)
		content, err := os.ReadFile(zip)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(zip)), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// What modules add to the screen, as people meet it.
func TestTheSurfaceOfModules(t *testing.T) {
	t.Parallel()
	d := e2e.RunDemo(t, "--packages", bothModules(t))
	for name, story := range map[string]func(*testing.T, e2e.Demo){
		"shortcuts press what names them": shortcutsPressWhatNamesThem,
		"a contact is given a right":      aContactIsGivenARight,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			story(t, d)
		})
	}
}

// By keyboard alone: the box on the contact's form, and what it opens in the portal.
func aContactIsGivenARight(t *testing.T, d e2e.Demo) {
	p := e2e.SignedIn(t, d, e2e.Ann)
	p.Inspect(t, e2e.Place{Path: "/admin/customers/1", Says: "Meet: Jane Doe"}, "customer-link")
	p.Inspect(t, e2e.Place{Path: "/admin/contacts/1", Says: "The primary contact may do all of this"}, "contact-primary")
	p.Inspect(t, e2e.Place{Path: "/admin/contacts/2", Says: "See who came"}, "contact-rights")
	p.Viewport(1280, 800)
	p.Visit("/admin/contacts/2")
	p.Eval(`document.querySelector('[name=capability][value="rights@see"]').focus()`, nil)
	p.Press("Space")
	p.Press("Tab") // the box beside it
	p.Press("Tab")
	p.Press("Enter")
	p.WaitURL("/admin/customers/1")
	o := e2e.SignedIn(t, d, e2e.Omar)
	o.See("Visitors")
	o.Press("Alt+Shift+T")
	o.WaitURL("/m/rights/visitors")
	o.See("contact:2 holds: see.")
	o.Narrow(t, e2e.Place{Path: "/m/rights/visitors"}, "visitors", true)
}

// Alt, Shift and a letter press what names them on the bar: a modal, a page, the way back.
func shortcutsPressWhatNamesThem(t *testing.T, d e2e.Demo) {
	p := e2e.SignedIn(t, d, e2e.Ann)
	p.Press("Alt+Shift+I")
	p.SeeRole("dialog", "Impersonate")
	p.Dialog().See("User Type")
	p.Press("Alt+Shift+T") // the page behind a modal isn't there
	p.Press("Escape")
	p.DontSeeRole("dialog", "Impersonate")
	p.WaitURL("/admin")
	p.Press("Alt+Shift+T")
	p.WaitURL("/admin/m/rights/things")
	p.See("holds: do.")

	p.Visit("/admin/customers")
	p.Fill("Search customers", "glob")
	for what, event := range map[string]string{
		"AltGr":                        `{key: "I", code: "KeyI", altKey: true, shiftKey: true, modifierAltGraph: true}`,
		"AltGr as Windows says it":     `{key: "I", code: "KeyI", altKey: true, shiftKey: true, ctrlKey: true}`,
		"a layout that writes by Alt":  `{key: "ˆ", code: "KeyI", altKey: true, shiftKey: true}`,
		"Alt alone":                    `{key: "i", code: "KeyI", altKey: true}`,
		"a key held down":              `{key: "I", code: "KeyI", altKey: true, shiftKey: true, repeat: true}`,
		"a letter that nothing names":  `{key: "Q", code: "KeyQ", altKey: true, shiftKey: true}`,
		"something else than a letter": `{key: "Tab", code: "Tab", altKey: true, shiftKey: true}`,
		"a form being filled in":       `{altKey: true, shiftKey: true}`,
	} {
		var taken bool
		p.Eval(`!document.activeElement.dispatchEvent(new KeyboardEvent("keydown", Object.assign(`+event+`, {bubbles: true, cancelable: true})))`, &taken)
		if taken {
			t.Errorf("%s, in a field, pressed something", what)
		}
	}
	if p.HasRole("dialog", "Impersonate") || p.Value("Search customers") != "glob" {
		t.Error("something happened")
	}
	p.Press("Alt+Shift+I") // writes nothing, so a field is no reason
	p.SeeRole("dialog", "Impersonate")
	p.Dialog().Choose("User Type", "Customer")
	p.Dialog().Choose("User", "Omar Haddad (Acme Ltd)")
	p.Dialog().Click("button", "Impersonate")
	p.SeeRole("button", "Stop Impersonation")
	var arabic bool // a keyboard for another script names the key by its place
	p.Eval(`document.body.dispatchEvent(new KeyboardEvent("keydown", {key: "ء", code: "KeyX", altKey: true, shiftKey: true, bubbles: true, cancelable: true}))`, &arabic)
	p.WaitURL("/admin")
	p.Self("Ann Lee")
	p.Impersonate("Staff", "Ben Ortiz")
	var look [2]string // one asks for attention, one stands out like it but is still
	p.Eval(`[...document.querySelectorAll(".bar .highlighted")].map((item) => getComputedStyle(item).animationName + " " + getComputedStyle(item).fontWeight)`, &look)
	if look != [2]string{"attention 600", "none 600"} {
		t.Errorf("the buttons look %q", look)
	}
	e2e.Pictures(p.Browser, "highlighted")
	p.Press("Alt+Shift+X")
	p.WaitURL("/admin")
	p.Self("Ann Lee")
}
