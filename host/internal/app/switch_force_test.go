package app_test

import (
	"testing"
	"time"

	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/hosttest"
)

// ezauth #149: nobody ends another's switch but by a right of one's own, and it says who did.
func TestWhoMayEndAnothersSwitch(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
		v := s.SignIn(t, ben)
		v.Become(jane)
		id := s.Switches(t)[0].ID
		refused := func(email, key string, anyOf ...crm.Capability) {
			t.Helper()
			if _, err := s.App.EndSwitchByForce(t.Context(), s.SignIn(t, email).Who(), id, anyOf...); crm.KeyOf(err) != key {
				t.Errorf("%s: %v, want %s", email, err, key)
			}
		}
		refused(cleo, "administrators_only", hosttest.Support...)
		refused(rosa, "switch_not_found") // of another customer: none of her business
		if _, err := s.App.EndSwitchByForce(t.Context(), v.Who(), id); crm.KeyOf(err) != "refused_while_switched" {
			t.Errorf("under a borrowed name: %v", err)
		}
		if _, err := s.App.EndSwitchByForce(t.Context(), s.SignIn(t, ann).Who(), id+1); crm.KeyOf(err) != "switch_not_found" {
			t.Errorf("one there isn't: %v", err)
		}
		if !v.Who().Switched() {
			t.Fatal("a refused end ended it")
		}
		w, err := s.App.EndSwitchByForce(t.Context(), s.SignIn(t, omar).Who(), id) // a colleague of Jane's
		if err != nil || w.End != crm.EndBySubject || w.EndedBy != "Omar Haddad" {
			t.Errorf("ended as %+v, %v", w, err)
		}
		if who := v.Who(); who.Switched() || who.Actor.Email != ben || who.Session.Notice.Key != "" {
			t.Errorf("its browser is %s's", who.Subject.Name)
		}
		wantOneEnd(t, s, crm.EndBySubject)
		refused(ann, "switch_has_ended")
	})
}

// Who has signed out, or lost the right, between the page and its saving ends nothing.
func TestNobodyEndsASwitchByAStaleRight(t *testing.T) {
	s := hosttest.NewSite(t)
	v := s.SignIn(t, ben)
	v.Become(jane)
	gone, id := s.SignIn(t, ann).Who(), s.Switches(t)[0].ID
	must(t, s.App.SignOut(t.Context(), gone))
	if _, err := s.App.EndSwitchByForce(t.Context(), gone, id); crm.KeyOf(err) != "session_changed" || !v.Who().Switched() {
		t.Errorf("ended by who is gone: %v", err)
	}
}

func TestAnAdministratorOrAHolderEndsASwitch(t *testing.T) {
	for _, by := range []string{ann, ben} {
		s := hosttest.NewSite(t)
		v := s.SignIn(t, ann)
		v.Become(jane)
		w, err := s.App.EndSwitchByForce(t.Context(), s.SignIn(t, by).Who(), s.Switches(t)[0].ID, hosttest.Support...)
		if err != nil || w.End != crm.EndByAdministrator {
			t.Errorf("%s: %+v, %v", by, w, err)
		}
		r, err := s.App.Resolve(t.Context(), v.Secret, hosttest.Client)
		if err != nil || r.Who.Switched() || r.Notice.Key != "switch_ended_by_administrator" {
			t.Errorf("its browser is told %+v, %v", r.Notice, err)
		}
		entries := s.Audit(t, "switch_forced")
		if len(entries) != 1 || entries[0].SwitchID != w.ID || entries[0].ActorName != w.EndedBy || s.Audit(t, "switch_ended")[0].Detail["by"] != w.EndedBy {
			t.Errorf("on record: %+v", entries)
		}
	}
}

// A request that was on its way when the switch was ended saves nothing.
func TestASlowRequestSavesNothingAfterAForcedEnd(t *testing.T) {
	s := hosttest.NewSite(t)
	v := s.SignIn(t, ben)
	v.Become(jane)
	slow := v.Who()
	_, err := s.App.EndSwitchByForce(t.Context(), s.SignIn(t, ann).Who(), slow.Switch.ID)
	must(t, err)
	for name, try := range map[string]func() error{
		"save":    func() error { return s.App.SaveOwnProfile(t.Context(), slow, app.ProfileForm{Name: "X"}) },
		"extend":  func() error { _, err := s.App.ExtendSwitch(t.Context(), slow, "more"); return err },
		"restore": func() error { _, _, err := s.App.RestoreSession(t.Context(), slow); return err },
	} {
		if err := try(); name != "restore" && crm.KeyOf(err) != "session_changed" && crm.KeyOf(err) != "switch_no_more_time" {
			t.Errorf("%s: %v", name, err)
		}
	}
	wantOneEnd(t, s, crm.EndByAdministrator)
}

func TestAStartMayNeedTheOwnPassword(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
		s.Policy.Want(crm.SwitchDecision{PasswordWithin: 5 * time.Minute})
		v := s.SignIn(t, ben)
		s.Clock.Advance(5 * time.Minute)
		if err := v.TryBecome(jane); crm.KeyOf(err) != "password_confirmation_needed" {
			t.Fatalf("without the password: %v", err)
		}
		if len(s.Switches(t)) != 0 || v.Who().Switched() {
			t.Error("the question was recorded as a refusal, or answered by itself")
		}
		must(t, s.App.ConfirmPassword(t.Context(), v.Who(), app.DemoPassword))
		s.Clock.Advance(5*time.Minute - time.Second)
		must(t, v.TryBecome(jane))
		v.Return()
		s.Clock.Advance(time.Second)
		if err := v.TryBecome(jane); crm.KeyOf(err) != "password_confirmation_needed" {
			t.Errorf("after its time: %v", err)
		}
	})
}

func TestTheHookHearsHowManyOthersTheActorBecame(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
		v := s.SignIn(t, ann)
		counts := []int{0, 1, 2, 2}
		for i, email := range []string{jane, omar, rosa, jane} { // the last one is no new one
			v.Become(email)
			if got := s.Policy.Asked()[i].RecentTargets; got != counts[i] {
				t.Errorf("before %s: %d others, want %d", email, got, counts[i])
			}
			v.Return()
		}
		s.Clock.Advance(time.Hour)
		v.Become(omar)
		if got := s.Policy.Asked()[4].RecentTargets; got != 0 {
			t.Errorf("an hour later: %d others", got)
		}
	})
}

// Whoever is to be told is told by the same transaction, once, however it ends.
func TestTheSubjectIsToldOfTheEndAndAdministratorsOfTheStart(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
		s.Policy.Want(crm.SwitchDecision{Notices: []crm.SwitchNotice{
			{Module: "sample", TextKey: "started", ToAdministrators: true, Page: "/log"},
			{Module: "sample", TextKey: "ended", AtEnd: true, Page: "/access"},
		}})
		v := s.SignIn(t, ben)
		v.Become(jane)
		told := func(email string) []crm.AccountNotice { return notices(t, s, s.SignIn(t, email).Who()) }
		if n := told(ann); len(n) != 1 || n[0].TextKey != "started" || n[0].Page != "/admin/m/sample/log" || n[0].Args["actor"] != "Ben Ortiz" || n[0].Args["subject"] != "Jane Doe" {
			t.Errorf("the administrator is told %+v", n)
		}
		if n := told(jane); len(n) != 0 {
			t.Errorf("the subject is told too early: %+v", n)
		}
		s.Clock.Advance(61 * time.Minute)
		must(t, s.App.Sweep(t.Context())) // nobody comes back
		must(t, s.App.Sweep(t.Context()))
		v.Who()
		if n := told(jane); len(n) != 1 || n[0].TextKey != "ended" || n[0].Page != "/m/sample/access" || n[0].Args["minutes"] != "61" || n[0].Args["reason"] != "testing" {
			t.Errorf("the subject is told %+v", n)
		}
		if n := told(rosa); len(n) != 0 {
			t.Errorf("somebody else is told %+v", n)
		}
	})
}
