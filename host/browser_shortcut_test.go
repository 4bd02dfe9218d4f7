package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/understudy-crm/understudy/host/internal/hosttest"
)

// bothModules is a folder with the shipped module and the one of testdata/rights.
func bothModules(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, source := range []string{shippedModule, "host/internal/hosttest/testdata/rights"} {
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

// Alt, Shift and a letter press what names them on the bar: a modal, a page, the way back.
func TestShortcutsPressWhatNamesThem(t *testing.T) {
	t.Parallel()
	d := runDemo(t, "--packages", bothModules(t))
	p := signedIn(t, d, ann)
	p.Press("Alt+Shift+I")
	p.SeeRole("dialog", "Impersonate")
	p.dialog().See("User Type")
	p.Press("Alt+Shift+T") // the page behind a modal isn't there
	p.Press("Escape")
	p.DontSeeRole("dialog", "Impersonate")
	p.WaitURL("/admin")
	p.Press("Alt+Shift+T")
	p.WaitURL("/admin/m/rights/things")
	p.See("holds: do.")

	p.open("/admin/customers")
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
	p.dialog().Choose("User Type", "Customer")
	p.dialog().Choose("User", "Omar Haddad (Acme Ltd)")
	p.dialog().Click("button", "Impersonate")
	p.SeeRole("button", "Stop Impersonation")
	var arabic bool // a keyboard for another script names the key by its place
	p.Eval(`document.body.dispatchEvent(new KeyboardEvent("keydown", {key: "ء", code: "KeyX", altKey: true, shiftKey: true, bubbles: true, cancelable: true}))`, &arabic)
	p.WaitURL("/admin")
	p.self("Ann Lee")
	p.impersonate("Staff", "Ben Ortiz")
	var look [2]string // one asks for attention, one stands out like it but is still
	p.Eval(`[...document.querySelectorAll(".bar .highlighted")].map((item) => getComputedStyle(item).animationName + " " + getComputedStyle(item).fontWeight)`, &look)
	if look != [2]string{"attention 600", "none 600"} {
		t.Errorf("the buttons look %q", look)
	}
	pictures(p.Browser, "highlighted")
	p.Press("Alt+Shift+X")
	p.WaitURL("/admin")
	p.self("Ann Lee")
}
