package main

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// effects are the words the settings page has for what the three settings do together.
var effects = map[[3]bool]string{
	{false, true, true}:   "administrators and staff with the permission may impersonate other staff members and customers' contacts.",
	{false, true, false}:  "administrators and staff with the permission may impersonate customers' contacts. Nobody may impersonate other staff members.",
	{false, false, true}:  "administrators and staff with the permission may impersonate other staff members. Nobody may impersonate customers' contacts.",
	{false, false, false}: "nobody may impersonate anybody",
	{true, true, true}:    "only administrators may impersonate, other staff members and customers' contacts.",
	{true, true, false}:   "only administrators may impersonate, and only customers' contacts. Nobody may impersonate other staff members.",
	{true, false, true}:   "only administrators may impersonate, and only other staff members. Nobody may impersonate customers' contacts.",
	{true, false, false}:  "nobody may impersonate anybody, not even administrators",
}

// kinds somebody may become.
type kinds struct{ staff, customers bool }

func (k kinds) any() bool { return k.staff || k.customers }

// somebody is a member of staff, at a browser where that is worth its time, and by hand.
type somebody struct {
	name      string
	by        *client
	at        *person
	may       func(disabled bool) bool
	colleague string // another member of staff, whom they could become
	offered   []string
}

// owncloud #32, nextcloud #41: nobody understood the settings; owncloud #37: checked on the screen only.
func TestTheThreeSettingsInEveryCombination(t *testing.T) {
	t.Parallel()
	d := runDemo(t)
	admin := signedIn(t, d, ann)
	everybody := []somebody{
		{
			name: "Ann", by: signedInClient(t, d, ann), at: admin, colleague: "staff:3", offered: []string{"Ben Ortiz", "Cleo Park"},
			may: func(bool) bool { return true },
		},
		{
			name: "Ben", by: signedInClient(t, d, ben), at: signedIn(t, d, ben), colleague: "staff:3",
			may: func(disabled bool) bool { return !disabled },
		},
		{
			name: "Cleo", by: signedInClient(t, d, cleo), colleague: "staff:2",
			may: func(bool) bool { return false },
		},
	}
	for combination, effect := range effects {
		disabled, customers, admins := combination[0], combination[1], combination[2]
		t.Run(fmt.Sprintf("disabled %t, customers %t, admins %t", disabled, customers, admins), func(t *testing.T) {
			a := admin.part(t)
			a.saveSettings(disabled, customers, admins)
			a.In("main", "").See("In effect now: " + effect)
			for _, who := range everybody {
				want := kinds{}
				if who.may(disabled) {
					want = kinds{staff: admins, customers: customers}
				}
				who.by.t = t
				who.sends(t, want)
				if who.at != nil {
					who.sees(t, want)
				}
			}
		})
	}
}

var iconOnBar = regexp.MustCompile(`<a [^>]*title="Impersonate[^>]*data-modal`)

// sends is what the server answers, whatever the pages offer.
func (s somebody) sends(t *testing.T, want kinds) {
	t.Helper()
	if got := iconOnBar.MatchString(s.by.get("/admin").Body); got != want.any() {
		t.Errorf("%s has the icon: %t", s.name, got)
	}
	if got := s.by.get("/admin/m/impersonation/start").Status == http.StatusOK; got != want.any() {
		t.Errorf("%s opens the form: %t", s.name, got)
	}
	for target, allowed := range map[string]bool{s.colleague: want.staff, "contact:1": want.customers} {
		got := s.by.post("/session/switch", "target", target)
		switch {
		case allowed && got.Status == http.StatusSeeOther:
			if restored := s.by.post("/session/restore"); restored.Status != http.StatusSeeOther {
				t.Errorf("%s doesn't get back from %s: %d", s.name, target, restored.Status)
			}
		case allowed:
			t.Errorf("%s can't become %s: %d %s", s.name, target, got.Status, got.text())
		case got.Status != http.StatusForbidden:
			t.Errorf("%s becomes %s, or isn't told why not: %d", s.name, target, got.Status)
		}
	}
}

// sees is what the screen offers.
func (s somebody) sees(t *testing.T, want kinds) {
	t.Helper()
	p := s.at.part(t)
	p.open("/admin")
	p.is(s.name)
	if got := p.bar().HasRole("link", "Impersonate"); got != want.any() {
		t.Errorf("%s sees the icon: %t", s.name, got)
	}
	if !want.any() {
		return
	}
	p.openModal()
	p.dialog().SeeRole("combobox", "User")
	if got := p.dialog().HasRole("combobox", "User Type"); got != (want.staff && want.customers) {
		t.Errorf("%s chooses the user type: %t", s.name, got)
	}
	contacts := []string{"Jane Doe (Acme Ltd)", "Omar Haddad (Acme Ltd)", "Rosa Diaz (Globex)"}
	switch {
	case !want.staff:
		p.dialog().SeeOptions("User", "", contacts...)
	case want.customers:
		p.dialog().Choose("User Type", "Customer")
		p.dialog().SeeOptions("User", "", contacts...)
	case s.offered != nil:
		p.dialog().SeeOptions("User", "", s.offered...)
	}
	if strings.Contains(p.Text("main"), "Error") {
		t.Errorf("%s: %s", s.name, p.Text("main"))
	}
}
