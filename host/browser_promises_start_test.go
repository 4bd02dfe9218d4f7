package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// chosen is the option of a Yes/No setting that is on.
func (p *person) chosen(name string) string {
	p.t.Helper()
	var label string
	p.Eval(fmt.Sprintf(`[...document.querySelectorAll('fieldset')].find(f => f.querySelector('legend').innerText.trim() === %q)?.querySelector('input:checked')?.labels[0].innerText.trim() ?? ''`, name), &label)
	return label
}

func row07(t *testing.T, d demo, admin *person) {
	colleague := signedIn(t, d, ben)
	colleague.bar().SeeRole("link", "Impersonate")
	admin.saveSettings(true, true, true)
	admin.See("only administrators may impersonate")
	admin.bar().SeeRole("link", "Impersonate")
	colleague.open("/admin")
	if colleague.bar().HasRole("link", "Impersonate") {
		t.Error("Ben still has the icon")
	}
	admin.impersonate("Customer", "Jane Doe (Acme Ltd)")
	admin.stop()
	admin.saveSettings(false, true, true)
	admin.See("administrators and staff with the permission may impersonate")
	colleague.open("/admin")
	colleague.bar().SeeRole("link", "Impersonate")
}

func row08(t *testing.T, d demo, admin *person) {
	admin.saveSettings(false, false, true)
	admin.See("Nobody may impersonate customers' contacts.")
	admin.openModal()
	if admin.dialog().HasRole("combobox", "User Type") {
		t.Error("there is a user type to choose")
	}
	admin.dialog().SeeOptions("User", "", "Ben Ortiz", "Cleo Park")
	c := signedInClient(t, d, ann)
	c.want(c.post("/session/switch", "target", "contact:1"), http.StatusForbidden, "Impersonating customers' contacts is switched off.")
	c.want(c.get("/admin/m/impersonation/start?kind=contact"), http.StatusForbidden, "switched off")
}

func row09(t *testing.T, d demo, admin *person) {
	admin.saveSettings(false, true, false)
	admin.See("Nobody may impersonate other staff members.")
	admin.openModal()
	if admin.dialog().HasRole("combobox", "User Type") {
		t.Error("there is a user type to choose")
	}
	admin.dialog().SeeOptions("User", "", "Jane Doe (Acme Ltd)", "Omar Haddad (Acme Ltd)", "Rosa Diaz (Globex)")
	c := signedInClient(t, d, ann)
	c.want(c.post("/session/switch", "target", "staff:3"), http.StatusForbidden, "Impersonating staff members is switched off.")
}

func row10(t *testing.T, d demo, admin *person) {
	for email, want := range map[string]bool{ann: true, ben: true, cleo: false, jane: false} {
		p := signedIn(t, d, email)
		p.SeeRole("main", "")
		if got := p.bar().HasRole("link", "Impersonate"); got != want {
			t.Errorf("%s has the icon: %t", email, got)
		}
	}
	sales := signedIn(t, d, cleo)
	grant := func(where, capability string, ticked bool) {
		t.Helper()
		admin.open(where)
		admin.In("row", "Impersonation").Check(capability, ticked)
		admin.Click("button", "Save")
		admin.See("was saved.")
	}
	admin.open("/admin/roles")
	admin.Click("link", "Sales")
	role := strings.TrimPrefix(admin.URL(), d.Address)
	for _, capability := range []string{"Impersonate staff", "Impersonate customers", "View log"} {
		admin.In("row", "Impersonation").SeeRole("checkbox", capability)
	}
	for _, where := range []string{role, "/admin/staff/3"} {
		grant(where, "Impersonate customers", true)
		sales.open("/admin")
		sales.bar().SeeRole("link", "Impersonate")
		sales.impersonate("", "Rosa Diaz (Globex)")
		sales.stop()
		grant(where, "Impersonate customers", false)
		sales.open("/admin")
		if sales.bar().HasRole("link", "Impersonate") {
			t.Errorf("with the permission of %s taken away, Cleo still has the icon", where)
		}
	}
}

func row11(t *testing.T, d demo, admin *person) {
	var title string
	admin.Eval(`document.querySelector('a[data-modal]').title`, &title)
	if title != "Impersonate (Alt+Shift+I)" {
		t.Errorf("the icon's tooltip is %q", title)
	}
	admin.openModal()
	admin.dialog().SeeRole("heading", "Impersonate")
	admin.dialog().SeeOptions("User Type", "", "Staff", "Customer", "Everyone")
	admin.dialog().SeeRole("combobox", "User")
	admin.dialog().SeeRole("textbox", "Reason")
	admin.dialog().SeeRole("button", "Impersonate")
	admin.dialog().See("60 minutes")
	pictures(admin.Browser, "modal")
	admin.saveSettings(false, true, false)
	admin.openModal()
	admin.dialog().SeeRole("combobox", "User")
	if admin.dialog().HasRole("combobox", "User Type") {
		t.Error("one kind is allowed, and the user type is still offered")
	}
	admin.dialog().Choose("User", "Jane Doe (Acme Ltd)")
	admin.dialog().Click("button", "Impersonate")
	admin.SeeRole("heading", "Welcome, Jane Doe")
	admin.stop()
	admin.saveSettings(false, true, true)
	admin.openModal()
	admin.dialog().SeeRole("combobox", "User Type")
}

func row12(t *testing.T, d demo, admin *person) {
	admin.openModal()
	admin.dialog().SeeOptions("User", "", "Ben Ortiz", "Cleo Park")
	admin.dialog().Choose("User Type", "Customer")
	admin.dialog().SeeOptions("User", "", "Jane Doe (Acme Ltd)", "Omar Haddad (Acme Ltd)", "Rosa Diaz (Globex)")
	for typed, want := range map[string]string{"glob": "Rosa Diaz (Globex)", "omar@acme": "Omar Haddad (Acme Ltd)", "JANE": "Jane Doe (Acme Ltd)"} {
		admin.dialog().SeeOptions("User", typed, want)
	}
	admin.dialog().SeeOptions("User", "nobody like this")
	var asked int
	admin.Eval(`performance.getEntriesByType('resource').filter(e => e.name.includes('/admin/m/impersonation/search?')).length`, &asked)
	if asked < 3 {
		t.Errorf("the server was asked %d times", asked)
	}
	// Ben doesn't find himself, nor the administrator, whose rights are more than his.
	colleague := signedIn(t, d, ben)
	colleague.openModal()
	colleague.dialog().SeeRole("combobox", "User")
	c := signedInClient(t, d, ben)
	var found struct {
		Results []struct {
			Text     string
			Disabled bool
		}
	}
	if err := json.Unmarshal([]byte(c.get("/admin/m/impersonation/search?kind=staff&q=").Body), &found); err != nil {
		t.Fatal(err)
	}
	var open []string
	for _, r := range found.Results {
		if !r.Disabled {
			open = append(open, r.Text)
		}
	}
	if !slices.Equal(open, []string{"Cleo Park"}) {
		t.Errorf("Ben may choose %q", open)
	}
}
