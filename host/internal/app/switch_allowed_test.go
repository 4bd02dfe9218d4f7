package app_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/hosttest"
)

// calagopus #91, Levelup #495, twenty #12891, ChurchCRM #9844: for every pair the ceiling holds.
// laravel-impersonate guards only in the controller, django-loginas PR #58 only in its README: this
// asks the app itself, which no caller gets round.
func TestCeilingForEveryPair(t *testing.T) {
	s := hosttest.NewSite(t)
	everyone := []string{ann, ben, cleo, dan, jane, omar, rosa, bill}
	want := map[string]string{ // actor→target: the rule that refuses
		"ben→ann": "switch_not_administrator", "cleo→ann": "switch_not_administrator", "cleo→ben": "switch_more_rights",
	}
	name := map[string]string{ann: "ann", ben: "ben", cleo: "cleo"}
	for _, actor := range []string{ann, ben, cleo} {
		for _, target := range everyone {
			rule := want[name[actor]+"→"+name[target]]
			switch {
			case actor == target:
				rule = "switch_self"
			case target == dan || target == bill:
				rule = "switch_inactive"
			}
			v := s.SignIn(t, actor)
			if got := crm.KeyOf(v.TryBecome(target)); got != rule {
				t.Errorf("%s → %s: %q, want %q", actor, target, got, rule)
			}
		}
	}
	contact := s.SignIn(t, jane)
	for _, target := range everyone {
		if err := contact.TryBecome(target); crm.KindOf(err) != crm.Denied {
			t.Errorf("a contact → %s: %v", target, err)
		}
	}
	for _, w := range s.Switches(t) {
		if w.Refusal == "" && (w.Subject == s.Key(t, dan) || w.Subject == s.Key(t, bill)) {
			t.Errorf("recorded as started: %+v", w)
		}
	}
}

// A contact edits its company: who may not edit customers would gain that by becoming one.
func TestWhoMayNotEditCustomersCantBecomeAContact(t *testing.T) {
	s := hosttest.NewSite(t)
	s.Exec(t, "UPDATE roles SET capabilities = 'customers.view sample/customers' WHERE name = 'Sales'")
	if err := s.SignIn(t, cleo).TryBecome(jane); crm.KeyOf(err) != "switch_more_rights" {
		t.Errorf("become a contact with customers.view alone: %v", err)
	}
}

// ezauth #199, Hephaestus #1885, trigger.dev #3078, huginn #3698, user-switching #11, filament #71:
// what changes meanwhile ends the switch with the next request, for the right cause.
func TestWhatChangesMeanwhileEndsTheSwitch(t *testing.T) {
	operator := crm.Operator()
	type story struct {
		actor, target string
		meanwhile     func(*testing.T, *hosttest.Site)
		cause         crm.EndCause
		signedOut     bool
	}
	role := func(name, caps string) func(*testing.T, *hosttest.Site) {
		return func(t *testing.T, s *hosttest.Site) {
			roles, err := s.App.Roles(t.Context(), operator)
			must(t, err)
			for _, r := range roles {
				if r.Name == name {
					_, err := s.App.SaveRole(t.Context(), operator, app.RoleForm{
						ID: r.ID, Name: name, Capabilities: crm.ParseCapabilities(caps),
						Shown: r.Capabilities.Union(crm.ParseCapabilities(caps)),
					})
					must(t, err)
				}
			}
		}
	}
	staff := func(email string, set func(*app.StaffForm)) func(*testing.T, *hosttest.Site) {
		return func(t *testing.T, s *hosttest.Site) {
			m, err := s.App.StaffMember(t.Context(), operator, s.Key(t, email).ID)
			must(t, err)
			f := app.StaffForm{ID: m.ID, Name: m.Name, Email: m.Email, Administrator: m.Administrator, Active: m.Active, RoleID: m.RoleID}
			set(&f)
			_, err = s.App.SaveStaff(t.Context(), operator, f)
			must(t, err)
		}
	}
	stories := map[string]story{
		"actor loses a right the target has": {ben, cleo, role("Support", "customers.view sample/staff"), crm.EndNotAllowed, false},
		"target gains a right":               {ben, cleo, role("Sales", "customers.view staff.view"), crm.EndNotAllowed, false},
		"target is promoted":                 {ben, cleo, staff(cleo, func(f *app.StaffForm) { f.Administrator = true }), crm.EndNotAllowed, false},
		"target is deactivated":              {ben, cleo, staff(cleo, func(f *app.StaffForm) { f.Active = false }), crm.EndTargetInactive, false},
		"actor is deactivated":               {ben, cleo, staff(ben, func(f *app.StaffForm) { f.Active = false }), crm.EndActorInactive, true},
		"contact is deactivated": {ben, jane, func(t *testing.T, s *hosttest.Site) {
			must(t, s.App.SetContactActive(t.Context(), operator, s.Key(t, jane).ID, false))
		}, crm.EndTargetInactive, false},
		"contact is deleted": {ben, jane, func(t *testing.T, s *hosttest.Site) {
			must(t, s.App.DeleteContact(t.Context(), operator, s.Key(t, jane).ID))
		}, crm.EndTargetInactive, false},
		"customer is deactivated": {ben, jane, func(t *testing.T, s *hosttest.Site) {
			a, err := s.App.Account(t.Context(), s.Key(t, jane))
			must(t, err)
			must(t, s.App.SetCustomerActive(t.Context(), operator, a.CustomerID, false))
		}, crm.EndTargetInactive, false},
		"actor's row is gone": {ben, jane, func(t *testing.T, s *hosttest.Site) {
			s.Exec(t, "DELETE FROM staff WHERE email = '"+ben+"'")
		}, crm.EndActorInactive, true},
		"the hook refuses now": {ben, jane, func(t *testing.T, s *hosttest.Site) {
			s.Policy.Refuse(&crm.Error{Kind: crm.Denied, Key: "off", Module: "sample"})
			must(t, s.App.SaveSettings(t.Context(), operator, "general", map[string]string{"site_name": "Other"}))
		}, crm.EndNotAllowed, false},
		"no module decides any more": {ben, jane, func(t *testing.T, s *hosttest.Site) {
			s.Policy.Refuse(crm.Refuse(crm.Unavailable, "switch_module_off"))
			must(t, s.App.SaveSettings(t.Context(), operator, "general", map[string]string{"site_name": "Other"}))
		}, crm.EndModuleOff, false},
		"the hook fails": {ben, jane, func(t *testing.T, s *hosttest.Site) {
			s.Policy.Refuse(errors.New("garbage"))
			must(t, s.App.SaveSettings(t.Context(), operator, "general", map[string]string{"site_name": "Other"}))
		}, crm.EndModuleOff, false},
	}
	for name, st := range stories {
		t.Run(name, func(t *testing.T) {
			hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
				v := s.SignIn(t, st.actor)
				v.Become(st.target)
				borrowed := v.Secret
				st.meanwhile(t, s)
				who := v.Who()
				if st.signedOut {
					if who.SignedIn() {
						t.Errorf("still signed in as %s", who.Subject.Name)
					}
				} else if who.Subject.Email != st.actor || who.Switched() {
					t.Errorf("goes on as %s", who.Subject.Email)
				} else if r, err := s.App.Resolve(t.Context(), v.Secret, hosttest.Client); err != nil || r.Notice.Key != "switch_ended_"+string(st.cause) {
					t.Errorf("says %q, %v", r.Notice.Key, err)
				}
				wantNobody(t, s, borrowed)
				wantOneEnd(t, s, st.cause)
			})
		})
	}
}

func TestTheHookIsAskedAgainOnlyWhenRightsChanged(t *testing.T) {
	s := hosttest.NewSite(t)
	v := s.SignIn(t, ben)
	v.Become(jane)
	for range 10 {
		v.Who()
	}
	if n := len(s.Policy.Asked()); n != 1 {
		t.Fatalf("asked %d times before anything changed", n)
	}
	must(t, s.App.SaveSettings(t.Context(), crm.Operator(), "general", map[string]string{"site_name": "Other"}))
	for range 10 {
		v.Who()
	}
	if asked := s.Policy.Asked(); len(asked) != 2 || asked[1].Moment != crm.SwitchRecheck || asked[1].Switch == nil || asked[1].Reason != "testing" {
		t.Fatalf("after a change: %+v", asked)
	}
	if !v.Who().Switched() {
		t.Error("an allowed switch did not go on")
	}
}

func TestNoHookLengthensASwitch(t *testing.T) {
	s := hosttest.NewSite(t)
	s.Policy.Allow(1000*time.Hour, crm.Full)
	v := s.SignIn(t, ben)
	v.Become(jane)
	w := v.Who().Switch
	if w.ExpiresAt.Sub(w.StartedAt) != app.MaxSwitch {
		t.Errorf("lasts %s", w.ExpiresAt.Sub(w.StartedAt))
	}
	s.Policy.Allow(time.Hour, crm.ReadOnly)
	must(t, s.App.SaveSettings(t.Context(), crm.Operator(), "general", map[string]string{"site_name": "Other"}))
	w = v.Who().Switch
	if w.ExpiresAt.Sub(w.StartedAt) != time.Hour || w.Mode != crm.ReadOnly {
		t.Errorf("after a narrower decision: %s, %s", w.ExpiresAt.Sub(w.StartedAt), w.Mode)
	}
	s.Policy.Allow(2*time.Hour, crm.ReadOnly)
	must(t, s.App.SaveSettings(t.Context(), crm.Operator(), "general", map[string]string{"site_name": "Another"}))
	if w := v.Who().Switch; w.ExpiresAt.Sub(w.StartedAt) != time.Hour {
		t.Errorf("a later decision lengthened it to %s", w.ExpiresAt.Sub(w.StartedAt))
	}
}

// devise_masquerade #63, laravel-impersonate take(): a failed start leaves the session as it was.
// gitlab #332667: trying changes no column of the target.
func TestAFailedStartChangesNothingAndIsRecorded(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
		s.Policy.Refuse(&crm.Error{Kind: crm.Denied, Key: "not_today", Module: "sample"})
		v := s.SignIn(t, ben)
		before := fmt.Sprintf("%+v", v.Who())
		target, err := s.App.Account(t.Context(), s.Key(t, jane))
		must(t, err)
		for _, email := range []string{jane, ann, ben, dan} {
			if v.TryBecome(email) == nil {
				t.Fatalf("became %s", email)
			}
		}
		if after := fmt.Sprintf("%+v", v.Who()); after != before {
			t.Errorf("the session is\n%s, was\n%s", after, before)
		}
		again, err := s.App.Account(t.Context(), target.Key)
		must(t, err)
		if fmt.Sprintf("%+v", again) != fmt.Sprintf("%+v", target) {
			t.Errorf("the target is %+v, was %+v", again, target)
		}
		rules := map[string]bool{}
		for _, w := range s.Switches(t) {
			rules[w.Refusal] = true
		}
		for _, rule := range []string{"not_today", "switch_not_administrator", "switch_self", "switch_inactive"} {
			if !rules[rule] {
				t.Errorf("no refusal by %s is recorded", rule)
			}
		}
		if n := len(s.Audit(t, "switch_refused")); n != 4 {
			t.Errorf("%d refusals in the audit", n)
		}
	})
}

// RISE "login as client": a wrong kind of id is nobody.
func TestNoSuchTarget(t *testing.T) {
	s := hosttest.NewSite(t)
	v := s.SignIn(t, ann)
	for _, key := range []crm.AccountKey{{Kind: crm.Contact, ID: 4711}, {Kind: crm.Staff, ID: -1}} {
		if _, _, err := s.App.SwitchSession(t.Context(), v.Who(), app.SwitchWish{Target: key}); crm.KindOf(err) != crm.NotFound {
			t.Errorf("become %s: %v", key, err)
		}
	}
}

// agenticos #1491, PostHog #59128: what would outlive the switch is refused under a borrowed name.
func TestSensitiveThingsAreRefusedWhileSwitched(t *testing.T) {
	s := hosttest.NewSite(t)
	v := s.SignIn(t, ann)
	s.Exec(t, "UPDATE staff SET administrator = TRUE WHERE email = '"+cleo+"'")
	v.Become(cleo)
	who := v.Who()
	ctx := t.Context()
	for name, try := range map[string]func() error{
		"own password":  func() error { return s.App.ChangeOwnPassword(ctx, who, app.DemoPassword, "another-password") },
		"password link": func() error { _, err := s.App.PasswordLink(ctx, who, s.Key(t, ben)); return err },
		"staff":         func() error { return s.App.SetStaffActive(ctx, who, s.Key(t, ben).ID, false) },
		"roles":         func() error { _, err := s.App.SaveRole(ctx, who, app.RoleForm{Name: "Boss"}); return err },
		"settings": func() error {
			return s.App.SaveSettings(ctx, who, "general", map[string]string{"site_name": "Mine"})
		},
		"modules":        func() error { return s.App.CheckModuleRights(who) },
		"other sessions": func() error { return s.App.RevokeOtherSessions(ctx, who) },
		"language file":  func() error { return s.App.PutModuleLanguage(ctx, who, "sample", "de", []byte("{}")) },
	} {
		if err := try(); crm.KeyOf(err) != "refused_while_switched" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestReadOnlySwitchReadsOnly(t *testing.T) {
	s := hosttest.NewSite(t)
	s.Policy.Allow(time.Hour, crm.ReadOnly)
	v := s.SignIn(t, ben)
	v.Become(jane)
	company, err := s.App.OwnCompany(t.Context(), v.Who())
	must(t, err)
	if err := s.App.SaveOwnCompany(t.Context(), v.Who(), company); crm.KeyOf(err) != "refused_read_only" {
		t.Errorf("saved: %v", err)
	}
}
