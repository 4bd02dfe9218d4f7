package switching

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/understudy-crm/understudy/host/internal/e2e"
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
	by        *e2e.Client
	at        *e2e.Person
	may       func(disabled bool) bool
	colleague string // another member of staff, whom they could become
	offered   []string
}

// owncloud #32, nextcloud #41: nobody understood the settings; owncloud #37: checked on the screen only.
func TestTheThreeSettingsInEveryCombination(t *testing.T) {
	t.Parallel()
	d := e2e.RunDemo(t)
	admin := e2e.SignedIn(t, d, e2e.Ann)
	everybody := []somebody{
		{
			name: "Ann", by: e2e.SignedInClient(t, d, e2e.Ann), at: admin, colleague: "staff:3", offered: []string{"Ben Ortiz", "Cleo Park"},
			may: func(bool) bool { return true },
		},
		{
			name: "Ben", by: e2e.SignedInClient(t, d, e2e.Ben), at: e2e.SignedIn(t, d, e2e.Ben), colleague: "staff:3",
			may: func(disabled bool) bool { return !disabled },
		},
		{
			name: "Cleo", by: e2e.SignedInClient(t, d, e2e.Cleo), colleague: "staff:2",
			may: func(bool) bool { return false },
		},
	}
	for combination, effect := range effects {
		disabled, customers, admins := combination[0], combination[1], combination[2]
		t.Run(fmt.Sprintf("disabled %t, customers %t, admins %t", disabled, customers, admins), func(t *testing.T) {
			a := admin.Part(t)
			a.SaveSettings(disabled, customers, admins)
			a.In("main", "").See("In effect now: " + effect)
			for _, who := range everybody {
				want := kinds{}
				if who.may(disabled) {
					want = kinds{staff: admins, customers: customers}
				}
				who.by.T = t
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
	if got := iconOnBar.MatchString(s.by.Get("/admin").Body); got != want.any() {
		t.Errorf("%s has the icon: %t", s.name, got)
	}
	if got := s.by.Get("/admin/m/impersonation/start").Status == http.StatusOK; got != want.any() {
		t.Errorf("%s opens the form: %t", s.name, got)
	}
	for target, allowed := range map[string]bool{s.colleague: want.staff, "contact:1": want.customers} {
		got := s.by.Post("/session/switch", "target", target)
		switch {
		case allowed && got.Status == http.StatusSeeOther:
			if restored := s.by.Post("/session/restore"); restored.Status != http.StatusSeeOther {
				t.Errorf("%s doesn't get back from %s: %d", s.name, target, restored.Status)
			}
		case allowed:
			t.Errorf("%s can't become %s: %d %s", s.name, target, got.Status, got.Text())
		case got.Status != http.StatusForbidden:
			t.Errorf("%s becomes %s, or isn't told why not: %d", s.name, target, got.Status)
		}
	}
}

// sees is what the screen offers.
func (s somebody) sees(t *testing.T, want kinds) {
	t.Helper()
	p := s.at.Part(t)
	p.Visit("/admin")
	p.Is(s.name)
	if got := p.Bar().HasRole("link", "Impersonate"); got != want.any() {
		t.Errorf("%s sees the icon: %t", s.name, got)
	}
	if !want.any() {
		return
	}
	p.OpenModal()
	p.Dialog().SeeRole("combobox", "User")
	if got := p.Dialog().HasRole("combobox", "User Type"); got != (want.staff && want.customers) {
		t.Errorf("%s chooses the user type: %t", s.name, got)
	}
	contacts := []string{"Jane Doe (Acme Ltd)", "Omar Haddad (Acme Ltd)", "Rosa Diaz (Globex)"}
	switch {
	case !want.staff:
		p.Dialog().SeeOptions("User", "", contacts...)
	case want.customers:
		p.Dialog().Choose("User Type", "Customer")
		p.Dialog().SeeOptions("User", "", contacts...)
	case s.offered != nil:
		p.Dialog().SeeOptions("User", "", s.offered...)
	}
	if strings.Contains(p.Text("main"), "Error") {
		t.Errorf("%s: %s", s.name, p.Text("main"))
	}
}
