package app_test

import (
	"testing"
	"time"

	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/hosttest"
)

const see, grant crm.Capability = "sample@see", "sample@grant"

// give sets the rights of a contact that a form showed.
func give(t *testing.T, s *hosttest.Site, who crm.Who, email string, shown, ticked crm.Capabilities) error {
	t.Helper()
	c, err := s.App.ContactPerson(t.Context(), crm.Operator(), s.Key(t, email).ID)
	must(t, err)
	c.Capabilities = ticked
	_, err = s.App.SaveContact(t.Context(), who, app.ContactForm{ContactPerson: c, Shown: shown})
	return err
}

func TestRightsOfContacts(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
		ctx, who := t.Context(), s.SignIn(t, ann).Who()
		account := func(email string) crm.Account {
			a, err := s.App.Account(ctx, s.Key(t, email))
			must(t, err)
			return a
		}
		if !account(jane).Can(see) || account(omar).Can(see) || account(ann).Can(see) {
			t.Error("the primary contact holds all rights of contacts, nobody else any")
		}
		visitor := s.SignIn(t, omar)
		before := visitor.Who().Revision
		must(t, give(t, s, who, omar, crm.NewCapabilities(see, grant), crm.NewCapabilities(see)))
		if is := visitor.Who(); !is.Can(see) || is.Can(grant) || is.Revision <= before {
			t.Errorf("given one of two, with the next request: %+v", is.Subject)
		}
		// What the form didn't show stays, and no form gives a right of staff.
		must(t, give(t, s, who, omar, crm.NewCapabilities(grant, "sample/staff", crm.StaffEdit), crm.NewCapabilities(grant, "sample/staff", crm.StaffEdit, "other@x")))
		if got := account(omar).Capabilities.String(); got != "sample@grant sample@see" {
			t.Errorf("Omar holds %q", got)
		}
		must(t, give(t, s, who, omar, crm.NewCapabilities(see), nil))
		if got := account(omar).Capabilities.String(); got != "sample@grant" {
			t.Errorf("one taken: %q", got)
		}
		entries := s.Audit(t, "contact_changed")
		if len(entries) != 3 || entries[0].Detail["capabilities"] != "sample@grant" || entries[2].Detail["capabilities"] != "sample@see" {
			t.Errorf("audit: %+v", entries)
		}
		must(t, s.App.SetContactActive(ctx, who, s.Key(t, omar).ID, false))
		if account(omar).Can(grant) {
			t.Error("an inactive contact holds a right")
		}
	})
}

func TestWhoGivesContactsTheirRights(t *testing.T) {
	s := hosttest.NewSite(t)
	all := crm.NewCapabilities(see)
	for name, who := range map[string]crm.Who{"a contact": s.SignIn(t, jane).Who(), "nobody": {}} {
		if err := give(t, s, who, omar, all, all); err == nil {
			t.Errorf("given by %s", name)
		}
	}
	b := s.SignIn(t, ben)
	must(t, give(t, s, b.Who(), omar, all, all)) // Ben may edit customers
	b.Become(jane)
	if err := give(t, s, b.Who(), omar, all, nil); err == nil {
		t.Error("taken under a borrowed name")
	}
	if a, err := s.App.Account(t.Context(), s.Key(t, omar)); err != nil || !a.Can(see) {
		t.Errorf("%+v %v", a, err)
	}
	// A right of contacts on a member of staff or a role means nothing, and no form puts it there.
	roles := role(t, s, "Sales")
	_, err := s.App.SaveRole(t.Context(), crm.Operator(), app.RoleForm{ID: roles.ID, Name: roles.Name, Capabilities: all, Shown: all})
	must(t, err)
	if role(t, s, "Sales").Capabilities.Has(see) {
		t.Error("a role gives a right of contacts")
	}
}

// Becoming the primary contact gives all and takes all from the one before, with the next request.
func TestThePrimaryContactChanges(t *testing.T) {
	s := hosttest.NewSite(t)
	j, o := s.SignIn(t, jane), s.SignIn(t, omar)
	before := j.Who().Revision
	c, err := s.App.ContactPerson(t.Context(), crm.Operator(), s.Key(t, omar).ID)
	must(t, err)
	c.Primary = true
	_, err = s.App.SaveContact(t.Context(), crm.Operator(), app.ContactForm{ContactPerson: c})
	must(t, err)
	if is := j.Who(); is.Can(see) || is.Revision <= before || !o.Who().Can(see) {
		t.Errorf("Jane %+v, Omar %+v", is.Subject, o.Who().Subject)
	}
}

func TestAModulesDataIncludesTheRightsOfContacts(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
		ctx := t.Context()
		keeps(t, s, "sample")
		both := crm.NewCapabilities(see, "sample-2@see")
		must(t, give(t, s, crm.Operator(), omar, both, both))
		if b, err := s.App.ModuleBelongings(ctx, "sample"); err != nil || b.Contacts != 1 || b.Roles != 1 {
			t.Errorf("%+v %v", b, err)
		}
		must(t, s.App.DeleteModuleData(ctx, crm.Operator(), "sample"))
		if a, err := s.App.Account(ctx, s.Key(t, omar)); err != nil || a.Capabilities.String() != "sample-2@see" {
			t.Errorf("left: %q %v", a.Capabilities, err)
		}
	})
}

// Whoever chooses sees who is there: by a session of one's own, not by one that acts as somebody.
func TestWhoIsThereIsSaid(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
		ctx := t.Context()
		found := func(kind crm.AccountKind) map[string]app.AccountMatch {
			page, err := s.App.SearchAccounts(ctx, app.AccountQuery{Kind: kind, TargetOf: s.Key(t, ann)})
			must(t, err)
			people := map[string]app.AccountMatch{}
			for _, m := range page.Rows {
				people[m.Email] = m
			}
			return people
		}
		o, b, other := s.SignIn(t, omar), s.SignIn(t, ben), s.SignIn(t, ann)
		b.Become(jane)
		other.Become(jane)
		contacts, staff := found(crm.Contact), found(crm.Staff)
		if !contacts[omar].Online || contacts[jane].Online || staff[cleo].Online {
			t.Errorf("online: %+v %+v", contacts, staff)
		}
		if staff[ben].Online {
			t.Error("Ben is online while his only session is Jane's")
		}
		if got := contacts[jane].Acting; len(got) != 2 || got[0] != "Ben Ortiz" || got[1] != "Ann Lee" || len(contacts[omar].Acting) != 0 {
			t.Errorf("acting: %v", got)
		}
		other.Return()
		if got := found(crm.Contact)[jane].Acting; len(got) != 1 {
			t.Errorf("one has returned: %v", got)
		}
		s.Clock.Advance(6 * time.Minute)
		if found(crm.Contact)[omar].Online {
			t.Error("online after six minutes of silence")
		}
		o.Who()
		if !found(crm.Contact)[omar].Online {
			t.Error("not online after a request")
		}
		s.Exec(t, "DELETE FROM sessions WHERE actor_id = $1 AND actor_kind = 'staff'", s.Key(t, ben).ID)
		if got := found(crm.Contact)[jane].Acting; len(got) != 0 {
			t.Errorf("the session is lost, and still: %v", got)
		}
		plain, err := s.App.SearchAccounts(ctx, app.AccountQuery{Kind: crm.Contact})
		must(t, err)
		for _, m := range plain.Rows {
			if m.Online || m.Acting != nil || m.Refusal != "" {
				t.Errorf("said without being asked: %+v", m)
			}
		}
	})
}

func TestASwitchIsExplained(t *testing.T) {
	s := hosttest.NewSite(t)
	rules, err := s.App.ExplainSwitch(t.Context(), s.Key(t, cleo), s.Key(t, ben))
	must(t, err)
	last := rules[len(rules)-1]
	if last.Code != "switch_more_rights" || last.Holds || len(last.Missing) == 0 {
		t.Errorf("%+v", rules)
	}
	if _, err := s.App.ExplainSwitch(t.Context(), s.Key(t, cleo), crm.AccountKey{Kind: crm.Contact, ID: 999}); crm.KeyOf(err) != "account_not_found" {
		t.Errorf("nobody: %v", err)
	}
}
