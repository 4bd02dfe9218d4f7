package app_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/hosttest"
)

const (
	ann  = "admin@example.com"
	ben  = "ben@example.com"
	cleo = "cleo@example.com"
	dan  = "dan@example.com"
	jane = "jane@acme.example"
	omar = "omar@acme.example"
	rosa = "rosa@globex.example"
	bill = "bill@initech.example"
)

// devise_masquerade CVE-2021-28680: the way back is kept with the session on the server and found by
// its secret; no id that a client holds names the actor.
func TestSwitchMakesTheTargetTheSubjectAndReturnTheActor(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
		v := s.SignIn(t, ben)
		before, own := v.Who(), v.Secret
		v.Become(jane)
		who := v.Who()
		if who.Actor.Email != ben || who.Subject.Email != jane || who.Area() != crm.Portal || who.Switch == nil {
			t.Fatalf("switched: actor %s, subject %s", who.Actor.Email, who.Subject.Email)
		}
		// better-auth #2185, accounts-js #1096: a cookie from before an edge is dead after it.
		borrowed := v.Secret
		wantNobody(t, s, own)
		v.Return()
		wantNobody(t, s, borrowed)
		wantNobody(t, s, own)
		after := v.Who()
		if after.Subject.Key != before.Actor.Key || after.Session.ID != before.Session.ID || !after.Session.ExpiresAt.Equal(before.Session.ExpiresAt) {
			t.Errorf("returned to %+v, want %+v", after.Session, before.Session)
		}
		wantOneEnd(t, s, crm.EndStopped)
	})
}

func wantNobody(t *testing.T, s *hosttest.Site, secret string) {
	t.Helper()
	r, err := s.App.Resolve(t.Context(), secret, hosttest.Client)
	if err != nil || r.Who.SignedIn() {
		t.Errorf("a dead secret is %s's: %v", r.Who.Actor.Name, err)
	}
}

// wantOneEnd checks that there was one start, and that it has one end with this cause, in the record
// and in the audit.
func wantOneEnd(t *testing.T, s *hosttest.Site, cause crm.EndCause) {
	t.Helper()
	list := s.Switches(t)
	if len(list) != 1 || list[0].End != cause || list[0].EndedAt.IsZero() {
		t.Errorf("record: %+v, want one that ended by %s", list, cause)
	}
	starts, ends := s.Audit(t, "switch_started"), s.Audit(t, "switch_ended")
	if len(starts) != 1 || len(ends) != 1 || ends[0].Detail["cause"] != string(cause) {
		t.Errorf("audit: %d starts, ends %+v, want one each, by %s", len(starts), ends, cause)
		return
	}
	if ends[0].SwitchID != starts[0].SwitchID || ends[0].Actor != starts[0].Actor || ends[0].Subject != starts[0].Subject {
		t.Errorf("the end %+v is not of the start %+v", ends[0], starts[0])
	}
}

// daikoku #1102, dub #4273: what is remembered hangs on the actor's session, never on the target or
// its address.
func TestTargetSigningInElsewhereInheritsNothing(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
		actor := s.SignIn(t, ann)
		actor.Become(cleo)
		target := s.SignIn(t, cleo)
		who := target.Who()
		if who.Switched() || who.Subject.Email != cleo || who.Actor.Email != cleo || who.Subject.Administrator {
			t.Fatalf("the target's own session: %+v", who)
		}
		if _, _, err := s.App.RestoreSession(t.Context(), who); crm.KindOf(err) != crm.NotFound {
			t.Errorf("restore in a session that isn't switched: %v", err)
		}
		if again := target.Who(); again.Subject.Email != cleo {
			t.Errorf("after it, the target is %s", again.Subject.Email)
		}
	})
}

// gitlab #196028, better-auth #6448, devise_masquerade #20: no nesting, not even back to oneself.
func TestSwitchesNeverNest(t *testing.T) {
	s := hosttest.NewSite(t)
	v := s.SignIn(t, ann)
	v.Become(ben)
	for _, target := range []string{jane, ann, ben, cleo} {
		if err := v.TryBecome(target); crm.KindOf(err) != crm.Conflict || crm.KeyOf(err) != "switch_nested" {
			t.Errorf("become %s while switched: %v", target, err)
		}
	}
	if who := v.Who(); who.Actor.Email != ann || who.Subject.Email != ben {
		t.Errorf("actor %s, subject %s", who.Actor.Email, who.Subject.Email)
	}
	v.Return()
	if who := v.Who(); who.Subject.Email != ann {
		t.Errorf("returned to %s", who.Subject.Email)
	}
}

// expertiza #981: another person's leftover. ezauth #149: each ends their own; nothing takes another's id.
func TestInterleavedActorsEachReturnToThemselves(t *testing.T) {
	s := hosttest.NewSite(t)
	one, two := s.SignIn(t, ann), s.SignIn(t, ben)
	one.Become(jane)
	two.Become(jane)
	one.Return()
	two.Return()
	if a, b := one.Who().Subject.Email, two.Who().Subject.Email; a != ann || b != ben {
		t.Errorf("returned to %s and %s", a, b)
	}
}

// galaxy #21813, Bike4Mind #788, synaplan #1657: the target's own sessions are the target's.
func TestTargetsOwnSessionsLiveOn(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
		first, second := s.SignIn(t, cleo), s.SignIn(t, cleo)
		v := s.SignIn(t, ann)
		v.Become(cleo)
		if err := s.App.RevokeOtherSessions(t.Context(), v.Who()); crm.KeyOf(err) != "refused_while_switched" {
			t.Errorf("sign out everywhere while switched: %v", err)
		}
		v.Return()
		v.Become(cleo)
		if err := s.App.SignOut(t.Context(), v.Who()); err != nil {
			t.Fatal(err)
		}
		wantNobody(t, s, v.Secret)
		if first.Who().Subject.Email != cleo || second.Who().Subject.Email != cleo {
			t.Error("the target's own sessions are gone")
		}
	})
}

// The other way round: what the target does to its own sessions doesn't touch the actor's.
func TestTargetSigningOutEverywhereLeavesTheActor(t *testing.T) {
	s := hosttest.NewSite(t)
	v, target := s.SignIn(t, ann), s.SignIn(t, cleo)
	v.Become(cleo)
	if err := s.App.RevokeOtherSessions(t.Context(), target.Who()); err != nil {
		t.Fatal(err)
	}
	if who := v.Who(); who.Actor.Email != ann || who.Subject.Email != cleo {
		t.Errorf("the actor's session is %s as %s", who.Actor.Email, who.Subject.Email)
	}
}

// devise_masquerade #65, pretender #5, owncloud: without its marker the session is the actor's,
// never a bare target's.
func TestLosingTheMarkerMakesTheActor(t *testing.T) {
	for name, statement := range map[string]string{
		"record gone":      "DELETE FROM session_switches",
		"record closed":    "UPDATE session_switches SET ended_at = 1, end_cause = 'expired'",
		"marker gone":      "UPDATE sessions SET switch_id = 0",
		"marker dangling":  "UPDATE sessions SET switch_id = 4711",
		"subject is wrong": "UPDATE sessions SET subject_id = 4711",
	} {
		t.Run(name, func(t *testing.T) {
			hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
				v := s.SignIn(t, ben)
				v.Become(jane)
				s.Exec(t, statement)
				if who := v.Who(); who.Actor.Email != ben || who.Subject.Email != ben || who.Switched() {
					t.Errorf("actor %s, subject %s", who.Actor.Email, who.Subject.Email)
				}
				must(t, s.App.Sweep(t.Context()))
				if err := v.TryBecome(jane); err != nil { // decidim #2101: a dangling one never blocks a new start
					t.Errorf("a new switch: %v", err)
				}
			})
		})
	}
}

// pretender #4, decidim #9588, ractf #192: signing out ends both, and the next sign-in inherits none.
func TestSignOutEndsTheSwitchAndNothingIsInherited(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
		v := s.SignIn(t, ben)
		v.Become(jane)
		if err := s.App.SignOut(t.Context(), v.Who()); err != nil {
			t.Fatal(err)
		}
		wantNobody(t, s, v.Secret)
		wantOneEnd(t, s, crm.EndSignedOut)
		s.Clock.Advance(time.Minute)
		again := s.SignIn(t, ben)
		r, err := s.App.Resolve(t.Context(), again.Secret, hosttest.Client)
		if err != nil || r.Who.Switched() || r.Who.Subject.Email != ben {
			t.Errorf("signed in again: %+v, %v", r.Who.Subject, err)
		}
		if r.Notice.Key != "switch_last_ended_signed_out" || r.Notice.Args["Subject"] != "Jane Doe" {
			t.Errorf("the next sign-in says %+v", r.Notice)
		}
	})
}

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

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
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
	if asked := s.Policy.Asked(); len(asked) != 2 || !asked[1].Recheck || asked[1].Reason != "testing" {
		t.Fatalf("after a change: %+v", asked)
	}
	if !v.Who().Switched() {
		t.Error("an allowed switch did not go on")
	}
}

// better-auth #1465: the limit holds to the second and activity does not extend it.
func TestSwitchEndsWhenItsTimeIsUp(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
		s.Policy.Allow(10*time.Minute, crm.Full)
		v := s.SignIn(t, ben)
		v.Become(jane)
		for range 9 {
			s.Clock.Advance(time.Minute)
			if !v.Who().Switched() {
				t.Fatal("ended early")
			}
		}
		s.Clock.Advance(59 * time.Second)
		if !v.Who().Switched() {
			t.Fatal("ended a second early")
		}
		s.Clock.Advance(time.Second)
		if who := v.Who(); who.Subject.Email != ben || who.Switched() {
			t.Fatalf("after the limit: %s", who.Subject.Email)
		}
		wantOneEnd(t, s, crm.EndExpired)
	})
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
		if _, _, err := s.App.SwitchSession(t.Context(), v.Who(), key, ""); crm.KindOf(err) != crm.NotFound {
			t.Errorf("become %s: %v", key, err)
		}
	}
}

// If the entry can't be written, nothing has changed; and a store that fails makes nobody anybody
// (xraph/authsome: fail-open).
func TestWithoutTheRecordThereIsNoSwitch(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
		v := s.SignIn(t, ben)
		s.Exec(t, "ALTER TABLE audit_entries RENAME TO lost")
		if err := v.TryBecome(jane); crm.KindOf(err) != crm.Unavailable {
			t.Errorf("become without an audit: %v", err)
		}
		if who := v.Who(); who.Switched() || who.Subject.Email != ben {
			t.Errorf("the session is %s's", who.Subject.Email)
		}
		s.Exec(t, "ALTER TABLE staff RENAME TO gone")
		r, err := s.App.Resolve(t.Context(), v.Secret, hosttest.Client)
		if crm.KindOf(err) != crm.Unavailable || r.Who.SignedIn() {
			t.Errorf("resolved %s, %v", r.Who.Subject.Name, err)
		}
	})
}

// django-hijack #552, #613, #410: parallel starts and stops leave one consistent state, and every
// start has one end.
func TestParallelStartsAndStopsEndInOneState(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
		v := s.SignIn(t, ann)
		who, target := v.Who(), s.Key(t, jane)
		secrets := make([]string, 50)
		var wait sync.WaitGroup
		for i := range secrets {
			wait.Go(func() {
				secrets[i], _, _ = s.App.SwitchSession(t.Context(), who, target, "") // all but one lose, by design
			})
		}
		wait.Wait()
		winners := 0
		for _, secret := range secrets {
			if secret != "" {
				winners++
				v.Secret = secret
			}
		}
		if winners != 1 || !v.Who().Switched() {
			t.Fatalf("%d of 50 starts won", winners)
		}
		who = v.Who()
		for i := range secrets {
			wait.Go(func() { secrets[i], _, _ = s.App.RestoreSession(t.Context(), who) })
		}
		wait.Wait()
		winners = 0
		for _, secret := range secrets {
			if secret != "" {
				winners++
				v.Secret = secret
			}
		}
		if winners != 1 || v.Who().Subject.Email != ann {
			t.Fatalf("%d of 50 stops won", winners)
		}
		wantOneEnd(t, s, crm.EndStopped)
	})
}

// A dangling marker holds nobody up: not the sweep, not signing out everywhere.
func TestADanglingMarkerHoldsNobodyUp(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
		first, second := s.SignIn(t, ben), s.SignIn(t, ben)
		first.Become(jane)
		s.Exec(t, "UPDATE sessions SET switch_id = 4711 WHERE switch_id <> 0")
		must(t, s.App.RevokeOtherSessions(t.Context(), second.Who()))
		wantNobody(t, s, first.Secret)
		second.Become(jane)
		s.Exec(t, "UPDATE sessions SET switch_id = 4711 WHERE switch_id <> 0")
		s.Clock.Advance(24 * time.Hour)
		must(t, s.App.Sweep(t.Context()))
		wantNobody(t, s, second.Secret)
	})
}

// "session lost": a reconciler closes what nothing else will.
func TestSweepClosesWhatNobodyCameBackFor(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
		lost := s.SignIn(t, ben)
		lost.Become(jane)
		s.Exec(t, "DELETE FROM sessions")
		must(t, s.App.Sweep(t.Context()))
		wantOneEnd(t, s, crm.EndSessionLost)
	})
	hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
		v := s.SignIn(t, ben)
		v.Become(jane)
		s.Clock.Advance(61 * time.Minute)
		must(t, s.App.Sweep(t.Context()))
		wantOneEnd(t, s, crm.EndExpired)
		if who := v.Who(); who.Subject.Email != ben {
			t.Errorf("comes back as %s", who.Subject.Email)
		}
		wantOneEnd(t, s, crm.EndExpired)
		s.Clock.Advance(24 * time.Hour)
		must(t, s.App.Sweep(t.Context()))
		wantNobody(t, s, v.Secret)
	})
}

// lightdash #22378: the record keeps the names and roles of the time.
func TestTheRecordKeepsTheNamesOfTheTime(t *testing.T) {
	s := hosttest.NewSite(t)
	v := s.SignIn(t, ben)
	v.Become(jane)
	v.Return()
	s.Exec(t, "UPDATE staff SET name = 'Benjamin Long', role_id = NULL WHERE email = '"+ben+"'")
	s.Exec(t, "DELETE FROM contacts WHERE email = '"+jane+"'")
	w := s.Switches(t)[0]
	if w.ActorName != "Ben Ortiz" || w.ActorRole != "Support" || w.SubjectName != "Jane Doe" || w.SubjectDetail != "Acme Ltd" {
		t.Errorf("the record says %+v", w)
	}
}

// nextcloud #131, zammad #2585, OCA #902: what is done meanwhile names both, and is allowed exactly
// as to the subject.
func TestWhatIsDoneMeanwhileNamesBoth(t *testing.T) {
	s := hosttest.NewSite(t)
	v := s.SignIn(t, ben)
	v.Become(jane)
	company, err := s.App.OwnCompany(t.Context(), v.Who())
	must(t, err)
	company.Phone = "+44 1"
	must(t, s.App.SaveOwnCompany(t.Context(), v.Who(), company))
	e := s.Audit(t, "company_changed")[0]
	if e.ActorName != "Ben Ortiz" || e.SubjectName != "Jane Doe" || e.SwitchID == 0 || e.Detail["phone"] != "+44 1" {
		t.Errorf("the entry says %+v", e)
	}
	if _, err := s.App.Customers(t.Context(), v.Who(), crm.Query{}); crm.KindOf(err) != crm.Denied {
		t.Errorf("a contact's eyes see the customers: %v", err)
	}
}

// discourse #34872, rainlab #560: no footprints on the target.
func TestATourLeavesNoFootprints(t *testing.T) {
	s := hosttest.NewSite(t)
	key := s.Key(t, jane)
	before, err := s.App.Account(t.Context(), key)
	must(t, err)
	v := s.SignIn(t, ben)
	s.Clock.Advance(time.Minute)
	v.Become(jane)
	for range 3 {
		s.Clock.Advance(2 * time.Minute)
		who := v.Who()
		if _, err := s.App.OwnContact(t.Context(), who); err != nil {
			t.Fatal(err)
		}
	}
	v.Return()
	after, err := s.App.Account(t.Context(), key)
	must(t, err)
	if fmt.Sprintf("%+v", after) != fmt.Sprintf("%+v", before) {
		t.Errorf("the target is %+v, was %+v", after, before)
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
