package promises

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/understudy-crm/understudy/host/internal/e2e"
)

func row07(t *testing.T, d e2e.Demo, admin *e2e.Person) {
	colleague := e2e.SignedIn(t, d, e2e.Ben)
	colleague.Bar().SeeRole("link", "Impersonate")
	admin.SaveSettings(true, true, true)
	admin.See("only administrators may impersonate")
	admin.Bar().SeeRole("link", "Impersonate")
	colleague.Visit("/admin")
	if colleague.Bar().HasRole("link", "Impersonate") {
		t.Error("Ben still has the icon")
	}
	admin.Impersonate("Customer", "Jane Doe (Acme Ltd)")
	admin.Stop()
	admin.SaveSettings(false, true, true)
	admin.See("administrators and staff with the permission may impersonate")
	colleague.Visit("/admin")
	colleague.Bar().SeeRole("link", "Impersonate")
}

func row08(t *testing.T, d e2e.Demo, admin *e2e.Person) {
	admin.SaveSettings(false, false, true)
	admin.See("Nobody may impersonate customers' contacts.")
	admin.OpenModal()
	if admin.Dialog().HasRole("combobox", "User Type") {
		t.Error("there is a user type to choose")
	}
	admin.Dialog().SeeOptions("User", "", "Ben Ortiz", "Cleo Park")
	c := e2e.SignedInClient(t, d, e2e.Ann)
	c.Want(c.Post("/session/switch", "target", "contact:1"), http.StatusForbidden, "Impersonating customers' contacts is switched off.")
	c.Want(c.Get("/admin/m/impersonation/start?kind=contact"), http.StatusForbidden, "switched off")
}

func row09(t *testing.T, d e2e.Demo, admin *e2e.Person) {
	admin.SaveSettings(false, true, false)
	admin.See("Nobody may impersonate other staff members.")
	admin.OpenModal()
	if admin.Dialog().HasRole("combobox", "User Type") {
		t.Error("there is a user type to choose")
	}
	admin.Dialog().SeeOptions("User", "", "Jane Doe (Acme Ltd)", "Omar Haddad (Acme Ltd)", "Rosa Diaz (Globex)")
	c := e2e.SignedInClient(t, d, e2e.Ann)
	c.Want(c.Post("/session/switch", "target", "staff:3"), http.StatusForbidden, "Impersonating staff members is switched off.")
}

func row10(t *testing.T, d e2e.Demo, admin *e2e.Person) {
	for email, want := range map[string]bool{e2e.Ann: true, e2e.Ben: true, e2e.Cleo: false, e2e.Jane: false} {
		p := e2e.SignedIn(t, d, email)
		p.SeeRole("main", "")
		if got := p.Bar().HasRole("link", "Impersonate"); got != want {
			t.Errorf("%s has the icon: %t", email, got)
		}
	}
	sales := e2e.SignedIn(t, d, e2e.Cleo)
	grant := func(where, capability string, ticked bool) {
		t.Helper()
		admin.Visit(where)
		admin.In("row", "Impersonation").Check(capability, ticked)
		admin.Click("button", "Save")
		admin.See("was saved.")
	}
	admin.Visit("/admin/roles")
	admin.Click("link", "Sales")
	role := strings.TrimPrefix(admin.URL(), d.Address)
	for _, capability := range []string{"Impersonate staff", "Impersonate customers", "View log"} {
		admin.In("row", "Impersonation").SeeRole("checkbox", capability)
	}
	for _, where := range []string{role, "/admin/staff/3"} {
		grant(where, "Impersonate customers", true)
		sales.Visit("/admin")
		sales.Bar().SeeRole("link", "Impersonate")
		sales.Impersonate("", "Rosa Diaz (Globex)")
		sales.Stop()
		grant(where, "Impersonate customers", false)
		sales.Visit("/admin")
		if sales.Bar().HasRole("link", "Impersonate") {
			t.Errorf("with the permission of %s taken away, Cleo still has the icon", where)
		}
	}
}

func row11(t *testing.T, d e2e.Demo, admin *e2e.Person) {
	var title string
	admin.Eval(`document.querySelector('a[data-modal]').title`, &title)
	if title != "Impersonate (Alt+Shift+I)" {
		t.Errorf("the icon's tooltip is %q", title)
	}
	admin.OpenModal()
	admin.Dialog().SeeRole("heading", "Impersonate")
	admin.Dialog().SeeOptions("User Type", "", "Staff", "Customer", "Everyone")
	admin.Dialog().SeeRole("combobox", "User")
	admin.Dialog().SeeRole("textbox", "Reason")
	admin.Dialog().SeeRole("button", "Impersonate")
	admin.Dialog().See("60 minutes")
	e2e.Pictures(admin.Browser, "modal")
	admin.SaveSettings(false, true, false)
	admin.OpenModal()
	admin.Dialog().SeeRole("combobox", "User")
	if admin.Dialog().HasRole("combobox", "User Type") {
		t.Error("one kind is allowed, and the user type is still offered")
	}
	admin.Dialog().Choose("User", "Jane Doe (Acme Ltd)")
	admin.Dialog().Click("button", "Impersonate")
	admin.SeeRole("heading", "Welcome, Jane Doe")
	admin.Stop()
	admin.SaveSettings(false, true, true)
	admin.OpenModal()
	admin.Dialog().SeeRole("combobox", "User Type")
}

func row12(t *testing.T, d e2e.Demo, admin *e2e.Person) {
	admin.OpenModal()
	admin.Dialog().SeeOptions("User", "", "Ben Ortiz", "Cleo Park")
	admin.Dialog().Choose("User Type", "Customer")
	admin.Dialog().SeeOptions("User", "", "Jane Doe (Acme Ltd)", "Omar Haddad (Acme Ltd)", "Rosa Diaz (Globex)")
	for typed, want := range map[string]string{"glob": "Rosa Diaz (Globex)", "omar@acme": "Omar Haddad (Acme Ltd)", "JANE": "Jane Doe (Acme Ltd)"} {
		admin.Dialog().SeeOptions("User", typed, want)
	}
	admin.Dialog().SeeOptions("User", "nobody like this")
	var asked int
	admin.Eval(`performance.getEntriesByType('resource').filter(e => e.name.includes('/admin/m/impersonation/search?')).length`, &asked)
	if asked < 3 {
		t.Errorf("the server was asked %d times", asked)
	}
	// Ben doesn't find himself, nor the administrator, whose rights are more than his.
	colleague := e2e.SignedIn(t, d, e2e.Ben)
	colleague.OpenModal()
	colleague.Dialog().SeeRole("combobox", "User")
	c := e2e.SignedInClient(t, d, e2e.Ben)
	var found struct {
		Results []struct {
			Text     string
			Disabled bool
		}
	}
	if err := json.Unmarshal([]byte(c.Get("/admin/m/impersonation/search?kind=staff&q=").Body), &found); err != nil {
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
