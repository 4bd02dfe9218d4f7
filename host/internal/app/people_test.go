package app_test

import (
	"testing"

	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/hosttest"
)

// withRight gives role Sales, which Cleo has, one more capability.
func withRight(t *testing.T, s *hosttest.Site, caps ...crm.Capability) {
	t.Helper()
	roles, err := s.App.Roles(t.Context(), crm.Operator())
	must(t, err)
	for _, r := range roles {
		if r.Name == "Sales" {
			set := r.Capabilities.Union(crm.NewCapabilities(caps...))
			_, err := s.App.SaveRole(t.Context(), crm.Operator(), app.RoleForm{ID: r.ID, Name: r.Name, Capabilities: set, Shown: set})
			must(t, err)
		}
	}
}

func TestNobodyGivesWhatTheyDontHold(t *testing.T) {
	s := hosttest.NewSite(t)
	withRight(t, s, crm.StaffEdit, crm.StaffCreate, crm.StaffView, crm.RolesEdit, crm.RolesView)
	c := s.SignIn(t, cleo).Who()
	ctx, all := t.Context(), crm.NewCapabilities(crm.ActivityView, "sample/staff")
	me, err := s.App.StaffMember(ctx, c, c.Actor.Key.ID)
	must(t, err)
	mine := app.StaffForm{ID: me.ID, Name: me.Name, Email: me.Email, Active: true, RoleID: me.RoleID}

	f := mine
	f.Capabilities, f.Shown = all, all
	if _, err := s.App.SaveStaff(ctx, c, f); crm.KeyOf(err) != "gives_more_rights" {
		t.Errorf("gives herself a right: %v", err)
	}
	f = mine
	f.Administrator = true
	if _, err := s.App.SaveStaff(ctx, c, f); crm.KeyOf(err) != "administrators_only" {
		t.Errorf("makes herself an administrator: %v", err)
	}
	f = mine
	f.RoleID = role(t, s, "Support").ID
	if _, err := s.App.SaveStaff(ctx, c, f); crm.KeyOf(err) != "gives_more_rights" {
		t.Errorf("takes a role that may more: %v", err)
	}
	sales := role(t, s, "Sales")
	if _, err := s.App.SaveRole(ctx, c, app.RoleForm{ID: sales.ID, Name: "Sales", Capabilities: all, Shown: all}); crm.KeyOf(err) != "gives_more_rights" {
		t.Errorf("gives her role a right: %v", err)
	}
	if err := s.App.SetStaffActive(ctx, c, s.Key(t, ann).ID, false); crm.KeyOf(err) != "account_has_more_rights" {
		t.Errorf("deactivates the administrator: %v", err)
	}
	for _, target := range []string{ann, ben} {
		if _, err := s.App.PasswordLink(ctx, c, s.Key(t, target)); crm.KeyOf(err) != "account_has_more_rights" {
			t.Errorf("makes a password link for %s: %v", target, err)
		}
	}
	if _, err := s.App.SaveStaff(ctx, c, app.StaffForm{Name: "Fay New", Email: "fay@example.com", Active: true, RoleID: sales.ID}); err != nil {
		t.Errorf("adds a colleague with her own role: %v", err)
	}
}

func role(t *testing.T, s *hosttest.Site, name string) crm.Role {
	t.Helper()
	roles, err := s.App.Roles(t.Context(), crm.Operator())
	must(t, err)
	for _, r := range roles {
		if r.Name == name {
			return r
		}
	}
	t.Fatalf("no role %s", name)
	return crm.Role{}
}

func TestRowsTheFormDidNotShowStayAsTheyAre(t *testing.T) {
	s := hosttest.NewSite(t)
	shown := crm.NewCapabilities(crm.CustomersView, crm.CustomersEdit)
	support := role(t, s, "Support")
	_, err := s.App.SaveRole(t.Context(), crm.Operator(), app.RoleForm{ID: support.ID, Name: "Support", Capabilities: crm.NewCapabilities(crm.CustomersView, crm.RolesEdit), Shown: shown})
	must(t, err)
	if got := role(t, s, "Support").Capabilities.String(); got != "customers.create customers.view sample/customers sample/staff" {
		t.Errorf("the role may %s", got)
	}
}

func TestTheLastAdministratorStays(t *testing.T) {
	s := hosttest.NewSite(t)
	for name, set := range map[string]func(*app.StaffForm){
		"demoted": func(f *app.StaffForm) { f.Administrator = false }, "deactivated": func(f *app.StaffForm) { f.Active = false },
	} {
		f := app.StaffForm{ID: s.Key(t, ann).ID, Name: "Ann Lee", Email: ann, Administrator: true, Active: true}
		set(&f)
		if _, err := s.App.SaveStaff(t.Context(), crm.Operator(), f); crm.KeyOf(err) != "last_administrator" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Every use case asks for the right it needs, whoever the asker is.
func TestEveryUseCaseAsksForItsRight(t *testing.T) {
	s := hosttest.NewSite(t)
	ctx := t.Context()
	nobody, contact, sales := crm.Who{}, s.SignIn(t, jane).Who(), s.SignIn(t, cleo).Who()
	id := s.Key(t, ben).ID
	for name, try := range map[string]func(crm.Who) error{
		"list staff":    func(w crm.Who) error { _, err := s.App.StaffList(ctx, w, crm.Query{}); return err },
		"read staff":    func(w crm.Who) error { _, err := s.App.StaffMember(ctx, w, id); return err },
		"add staff":     func(w crm.Who) error { _, err := s.App.SaveStaff(ctx, w, app.StaffForm{}); return err },
		"change staff":  func(w crm.Who) error { return s.App.SetStaffActive(ctx, w, id, false) },
		"password link": func(w crm.Who) error { _, err := s.App.PasswordLink(ctx, w, s.Key(t, ben)); return err },
		"set password":  func(w crm.Who) error { return s.App.SetPassword(ctx, w, crm.Staff, ben, "a-good-password") },
		"administrator": func(w crm.Who) error {
			_, err := s.App.CreateAdministrator(ctx, w, "X", "x@example.com", "a-good-password")
			return err
		},
		"list roles":      func(w crm.Who) error { _, err := s.App.Roles(ctx, w); return err },
		"read role":       func(w crm.Who) error { _, err := s.App.Role(ctx, w, 1); return err },
		"save role":       func(w crm.Who) error { _, err := s.App.SaveRole(ctx, w, app.RoleForm{Name: "X"}); return err },
		"delete role":     func(w crm.Who) error { return s.App.DeleteRole(ctx, w, 1) },
		"delete customer": func(w crm.Who) error { return s.App.DeleteCustomer(ctx, w, 1) },
		"delete contact":  func(w crm.Who) error { return s.App.DeleteContact(ctx, w, 1) },
		"settings":        func(w crm.Who) error { return s.App.SaveSettings(ctx, w, "general", nil) },
		"activity":        func(w crm.Who) error { _, err := s.App.Activity(ctx, w, crm.Query{}); return err },
		"modules":         s.App.CheckModuleRights,
		"stage":           func(w crm.Who) error { return s.App.StagePackage(ctx, w, crm.StagedPackage{ID: "x"}) },
		"staged":          func(w crm.Who) error { _, err := s.App.StagedPackage(ctx, w, "x"); return err },
		"install": func(w crm.Who) error {
			return s.App.InstallModule(ctx, w, crm.Module{ID: "xx"}, nil, crm.ModuleTrial{}, "")
		},
		"activate":        func(w crm.Who) error { return s.App.ActivateModule(ctx, w, "xx", "", nil, crm.ModuleTrial{}) },
		"deactivate":      func(w crm.Who) error { return s.App.DeactivateModule(ctx, w, "xx") },
		"uninstall":       func(w crm.Who) error { return s.App.UninstallModule(ctx, w, "xx", true) },
		"module settings": func(w crm.Who) error { return s.App.SaveModuleSettings(ctx, w, "xx", nil) },
		"module language": func(w crm.Who) error { return s.App.PutModuleLanguage(ctx, w, "xx", "de", []byte("{}")) },
		"no language":     func(w crm.Who) error { return s.App.DeleteModuleLanguage(ctx, w, "xx", "de") },
		"module log":      func(w crm.Who) error { _, err := s.App.ModuleLog(ctx, w, "xx", crm.Query{}); return err },
	} {
		if err := try(nobody); crm.KindOf(err) != crm.SignedOut {
			t.Errorf("%s by nobody: %v", name, err)
		}
		for _, w := range []crm.Who{contact, sales} {
			if err := try(w); crm.KindOf(err) != crm.Denied {
				t.Errorf("%s by %s: %v", name, w.Subject.Name, err)
			}
		}
	}
	for name, try := range map[string]func(crm.Who) error{
		"list customers": func(w crm.Who) error { _, err := s.App.Customers(ctx, w, crm.Query{}); return err },
		"read customer":  func(w crm.Who) error { _, err := s.App.Customer(ctx, w, 1); return err },
		"save customer":  func(w crm.Who) error { _, err := s.App.SaveCustomer(ctx, w, crm.Customer{Company: "X"}); return err },
		"list contacts":  func(w crm.Who) error { _, err := s.App.Contacts(ctx, w, 0, crm.Query{}); return err },
		"read contact":   func(w crm.Who) error { _, err := s.App.ContactPerson(ctx, w, 1); return err },
		"save contact":   func(w crm.Who) error { _, err := s.App.SaveContact(ctx, w, app.ContactForm{}); return err },
	} {
		if err := try(contact); crm.KindOf(err) != crm.Denied {
			t.Errorf("%s by a contact: %v", name, err)
		}
	}
}

func TestCustomersAndContacts(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
		ctx, who := t.Context(), s.SignIn(t, ann).Who()
		id, err := s.App.SaveCustomer(ctx, who, crm.Customer{Company: " Über  Maß GmbH ", Active: true, Website: "https://example.com"})
		must(t, err)
		if _, err := s.App.SaveCustomer(ctx, who, crm.Customer{Company: "X", Website: "javascript:alert(1)"}); crm.KeyOf(err) != "website_invalid" {
			t.Errorf("a website that isn't one: %v", err)
		}
		first, err := s.App.SaveContact(ctx, who, contactForm(crm.ContactPerson{CustomerID: id, Name: "Élan 100%", Email: "ELAN@über.example", Primary: true, Active: true}))
		if crm.KeyOf(err) != "" {
			t.Fatal(err)
		}
		second, err := s.App.SaveContact(ctx, who, contactForm(crm.ContactPerson{CustomerID: id, Name: "Zoe", Email: "zoe@x.example", Primary: true, Active: true}))
		must(t, err)
		if c, err := s.App.ContactPerson(ctx, who, first); err != nil || c.Primary || c.Email != "elan@über.example" {
			t.Errorf("the first is still primary: %+v %v", c, err)
		}
		if _, err := s.App.SaveContact(ctx, who, contactForm(crm.ContactPerson{CustomerID: id, Name: "Twin", Email: jane, Active: true})); crm.KeyOf(err) != "email_taken" {
			t.Errorf("an address twice: %v", err)
		}
		if err := s.App.DeleteCustomer(ctx, who, id); crm.KeyOf(err) != "customer_has_contacts" {
			t.Errorf("a customer with contacts: %v", err)
		}
		for term, want := range map[string]int{"ÜBER": 1, "über maß": 1, "100%": 0, "%": 0, "_": 0, "": 4, "glob": 1, "acme globex": 0} {
			page, err := s.App.Customers(ctx, who, crm.Query{Term: term})
			if err != nil || len(page.Rows) != want {
				t.Errorf("customers like %q: %d %v, want %d", term, len(page.Rows), err, want)
			}
		}
		for term, want := range map[string]int{"100%": 1, "élan über": 1, "doe acme": 1, "nobody": 0} {
			page, err := s.App.SearchAccounts(ctx, app.AccountQuery{Kind: crm.Contact, Term: term})
			if err != nil || len(page.Rows) != want {
				t.Errorf("contacts like %q: %d %v, want %d", term, len(page.Rows), err, want)
			}
		}
		must(t, s.App.DeleteContact(ctx, who, first))
		must(t, s.App.DeleteContact(ctx, who, second))
		must(t, s.App.DeleteCustomer(ctx, who, id))
	})
}

func TestCompaniesWithoutContact(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
		ctx, who := t.Context(), s.SignIn(t, ann).Who()
		for _, company := range []string{"Umbra A", "Umbra B", "Umbra C", "Umbra D", "Umbra E", "Umbra F"} {
			_, err := s.App.SaveCustomer(ctx, who, crm.Customer{Company: company, Active: true})
			must(t, err)
		}
		asleep, err := s.App.SaveCustomer(ctx, who, crm.Customer{Company: "Öl 100%", Active: true})
		must(t, err)
		_, err = s.App.SaveContact(ctx, who, contactForm(crm.ContactPerson{CustomerID: asleep, Name: "Sam", Email: "sam@oel.example"}))
		must(t, err)
		// Acme has active contacts; Initech is itself inactive.
		for term, want := range map[string]int{"": 0, "  ": 0, "umbra": 5, "umbra f": 1, "öl": 1, "100%": 1, "initech": 1, "acme": 0, "%": 1, "nobody": 0} {
			companies, err := s.App.CompaniesWithoutContact(ctx, term)
			if err != nil || len(companies) != want {
				t.Errorf("%q: %+v %v, want %d", term, companies, err, want)
			}
			for _, c := range companies {
				if c.Active != (c.Company != "Initech") || c.ID == 0 {
					t.Errorf("%q: %+v", term, c)
				}
			}
		}
		_, err = s.App.SaveContact(ctx, who, contactForm(crm.ContactPerson{CustomerID: asleep, Name: "Tim", Email: "tim@oel.example", Active: true}))
		must(t, err)
		if companies, err := s.App.CompaniesWithoutContact(ctx, "öl"); err != nil || len(companies) != 0 {
			t.Errorf("with an active contact: %+v %v", companies, err)
		}
	})
}

func TestListsPageWithoutGapOrRepeat(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
		ctx, who := t.Context(), crm.Operator()
		for range 30 {
			_, err := s.App.SaveCustomer(ctx, who, crm.Customer{Company: "Same Name", Active: true})
			must(t, err)
		}
		seen, after := map[int64]bool{}, ""
		for range 40 {
			page, err := s.App.Customers(ctx, who, crm.Query{Limit: 7, After: after})
			must(t, err)
			for _, c := range page.Rows {
				if seen[c.ID] {
					t.Errorf("%d stands twice", c.ID)
				}
				seen[c.ID] = true
			}
			if after = page.Next; after == "" {
				break
			}
		}
		if len(seen) != 33 {
			t.Errorf("%d of 33 rows", len(seen))
		}
		if _, err := s.App.Customers(ctx, who, crm.Query{After: "rubbish"}); crm.KindOf(err) != crm.Invalid {
			t.Errorf("a position that isn't one: %v", err)
		}
	})
}

func TestModuleRowsThroughALife(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
		ctx, who := t.Context(), crm.Operator()
		install := func(version, sum string) {
			must(t, s.App.InstallModule(ctx, who, crm.Module{ID: "sample", Version: version, Manifest: []byte("{}"), SHA256: sum}, []byte("zip "+version), crm.ModuleTrial{}, ""))
		}
		install("1.0.0", "aa")
		before, err := s.App.Revision(ctx)
		must(t, err)
		must(t, s.App.ActivateModule(ctx, who, "sample", "aa", []string{"session.switch"}, crm.ModuleTrial{}))
		if after, err := s.App.Revision(ctx); err != nil || after <= before {
			t.Errorf("activating left the revision at %d, %v", after, err)
		}
		must(t, s.App.SaveModuleSettings(ctx, who, "sample", map[string]string{"on": "true"}))
		must(t, s.App.PutModuleValue(ctx, "sample", "", "Key", []byte("v")))
		must(t, s.App.PutModuleLanguage(ctx, who, "sample", "pt-br", []byte(`{"a":"b"}`)))
		must(t, s.App.AppendModuleLog(ctx, "sample", []crm.ModuleLogLine{{At: s.Clock.Now(), Level: "warn", Text: "careful"}}))
		install("1.1.0", "bb") // promise 20: settings, log and permissions stay
		m, err := s.App.Module(ctx, "sample")
		if err != nil || !m.Activated || m.Version != "1.1.0" || len(m.Grants) != 1 {
			t.Errorf("upgraded: %+v %v", m, err)
		}
		if b, err := s.App.ModuleBelongings(ctx, "sample"); err != nil || b != (app.Belongings{Settings: 1, Values: 1, ValueBytes: 1, Languages: 1, LogLines: 1, Roles: 1, Versions: 1}) {
			t.Errorf("belongings %+v %v", b, err)
		}
		if keys, err := s.App.ModuleKeys(ctx, "sample", "k", "", 0); err != nil || len(keys) != 0 {
			t.Errorf("keys with another case: %v %v", keys, err)
		}
		if err := s.App.PutModuleValue(ctx, "sample", "", "big", make([]byte, app.MaxModuleValue+1)); crm.KindOf(err) != crm.TooLarge {
			t.Errorf("beyond the quota: %v", err)
		}
		if err := s.App.UninstallModule(ctx, who, "sample", true); crm.KeyOf(err) != "module_still_active" {
			t.Errorf("uninstall while active: %v", err)
		}
		must(t, s.App.DeactivateModule(ctx, who, "sample"))
		must(t, s.App.UninstallModule(ctx, who, "sample", true))
		if b, err := s.App.ModuleBelongings(ctx, "sample"); err != nil || b != (app.Belongings{}) {
			t.Errorf("after deleting its data: %+v %v", b, err)
		}
		if _, err := s.App.ModulePackage(ctx, "bb"); crm.KindOf(err) != crm.NotFound {
			t.Errorf("its package: %v", err)
		}
	})
}

func contactForm(c crm.ContactPerson) app.ContactForm { return app.ContactForm{ContactPerson: c} }
