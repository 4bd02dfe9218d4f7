package app_test

import (
	"context"
	"testing"
	"time"

	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/hosttest"
)

func TestMoreTimeNeedsAReasonAndIsOnRecord(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
		v := s.SignIn(t, ben)
		if _, err := s.App.ExtendSwitch(t.Context(), v.Who(), "why not"); crm.KeyOf(err) != "not_switched" {
			t.Errorf("extended without a switch: %v", err)
		}
		v.Become(jane)
		start := s.Clock.Now()
		s.Clock.Advance(30 * time.Minute)
		s.Policy.Allow(90*time.Minute, crm.Full)
		if _, err := s.App.ExtendSwitch(t.Context(), v.Who(), " \n"); crm.KeyOf(err) != "reason_missing" {
			t.Errorf("extended without a reason: %v", err)
		}
		_, err := s.App.ExtendSwitch(t.Context(), v.Who(), "still looking")
		must(t, err)
		if q := s.Policy.Asked()[1]; q.Moment != crm.SwitchExtend || q.Reason != "still looking" || q.Switch == nil || q.Switch.Reason != "testing" {
			t.Errorf("the hook was asked %+v", q)
		}
		w := s.Switches(t)[0]
		if !w.ExpiresAt.Equal(start.Add(90*time.Minute)) || w.Extensions != 1 || w.Reason != "testing" {
			t.Errorf("extended it is %+v", w)
		}
		if e := s.Audit(t, "switch_extended"); len(e) != 1 || e[0].Detail["reason"] != "still looking" || e[0].ActorName != "Ben Ortiz" || e[0].SubjectName != "Jane Doe" || e[0].SwitchID != w.ID {
			t.Errorf("on record: %+v", e)
		}
		if _, err := s.App.ExtendSwitch(t.Context(), v.Who(), "once more"); crm.KeyOf(err) != "switch_no_more_time" {
			t.Errorf("extended to the same time: %v", err)
		}
		s.Clock.Advance(60*time.Minute - time.Second)
		if !v.Who().Switched() {
			t.Error("it ended a second early")
		}
		s.Clock.Advance(time.Second)
		if v.Who().Switched() {
			t.Error("it went on past its time")
		}
		wantOneEnd(t, s, crm.EndExpired)
	})
}

func TestNoExtensionGoesPastTheCap(t *testing.T) {
	s := hosttest.NewSite(t)
	v := s.SignIn(t, ben)
	s.Exec(t, "UPDATE sessions SET expires_at = expires_at + 864000000")
	v.Become(jane)
	s.Policy.Allow(1000*time.Hour, crm.Full)
	w, err := s.App.ExtendSwitch(t.Context(), v.Who(), "for ever")
	if err != nil || !w.ExpiresAt.Equal(w.StartedAt.Add(app.MaxSwitch)) {
		t.Errorf("extended to %s, %v", w.ExpiresAt, err)
	}
}

// A decision gives what it says and no more: more time may take rights away, and an elevation that
// allows reading only raises nothing.
func TestWideningNeverGivesMoreThanWasDecided(t *testing.T) {
	s := hosttest.NewSite(t)
	v := s.SignIn(t, ben)
	v.Become(jane)
	s.Policy.Allow(2*time.Hour, crm.ReadOnly)
	_, err := s.App.ExtendSwitch(t.Context(), v.Who(), "more")
	must(t, err)
	if w := s.Switches(t)[0]; w.Mode != crm.ReadOnly || w.Extensions != 1 {
		t.Errorf("extended to %+v", w)
	}
	if _, err := s.App.ElevateSwitch(t.Context(), v.Who(), "more", "bens-own-password"); crm.KeyOf(err) != "switch_stays_read_only" {
		t.Errorf("elevated: %v", err)
	}
	if w := s.Switches(t)[0]; w.Mode != crm.ReadOnly || !w.ElevatedAt.IsZero() {
		t.Errorf("elevated to %+v", w)
	}
}

func TestARefusedExtensionChangesNothingAndIsOnRecord(t *testing.T) {
	s := hosttest.NewSite(t)
	v := s.SignIn(t, ben)
	v.Become(jane)
	before := s.Switches(t)[0]
	s.Policy.Refuse(crm.Refuse(crm.Denied, "no_more"))
	if _, err := s.App.ExtendSwitch(t.Context(), v.Who(), "please"); crm.KeyOf(err) != "no_more" {
		t.Errorf("not refused: %v", err)
	}
	s.Policy.Refuse(nil)
	if after := s.Switches(t)[0]; !after.ExpiresAt.Equal(before.ExpiresAt) || after.Extensions != 0 {
		t.Errorf("refused, and still changed: %+v", after)
	}
	if e := s.Audit(t, "switch_extension_refused"); len(e) != 1 || e[0].Detail["rule"] != "no_more" {
		t.Errorf("on record: %+v", e)
	}
}

// The own password is the actor's: that of the person one acts as opens nothing (nextcloud #230, #17).
func TestElevationTakesTheActorsOwnPassword(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
		s.Policy.Allow(time.Hour, crm.ReadOnly)
		must(t, s.App.SetPassword(t.Context(), crm.Operator(), crm.Staff, ben, "bens-own-password"))
		secret, _, err := s.App.SignIn(t.Context(), crm.Admin, ben, "bens-own-password", hosttest.Client)
		must(t, err)
		v := s.SignIn(t, ann)
		v.Secret = secret
		v.Become(jane)
		save := func() error { return s.App.SaveOwnProfile(t.Context(), v.Who(), app.ProfileForm{Name: "Jane D."}) }
		if err := save(); crm.KeyOf(err) != "refused_read_only" {
			t.Fatalf("saved in a read-only switch: %v", err)
		}
		elevate := func(reason, password string) error {
			_, err := s.App.ElevateSwitch(t.Context(), v.Who(), reason, password)
			return err
		}
		if err := elevate("to mend it", "bens-own-password"); crm.KeyOf(err) != "switch_stays_read_only" {
			t.Errorf("elevated against the hook: %v", err)
		}
		s.Policy.Allow(time.Hour, crm.Full)
		for password, key := range map[string]string{"": "password_wrong", app.DemoPassword: "password_wrong"} { // the latter is Jane's
			if err := elevate("to mend it", password); crm.KeyOf(err) != key {
				t.Errorf("elevated by %q: %v", password, err)
			}
		}
		if err := elevate("", "bens-own-password"); crm.KeyOf(err) != "reason_missing" {
			t.Errorf("elevated without a reason: %v", err)
		}
		if err := save(); crm.KeyOf(err) != "refused_read_only" {
			t.Errorf("saved after refused elevations: %v", err)
		}
		must(t, elevate("to mend it", "bens-own-password"))
		must(t, save())
		if err := elevate("again", "bens-own-password"); crm.KeyOf(err) != "switch_full_already" {
			t.Errorf("elevated twice: %v", err)
		}
		if e := s.Audit(t, "switch_elevated"); len(e) != 1 || e[0].Detail["reason"] != "to mend it" || e[0].ActorName != "Ben Ortiz" {
			t.Errorf("on record: %+v", e)
		}
		if w := s.Switches(t)[0]; w.ElevatedAt.IsZero() || w.Mode != crm.Full {
			t.Errorf("recorded as %+v", w)
		}
	})
}

func TestWrongPasswordsAtElevationLockTheActorOutOfIt(t *testing.T) {
	s := hosttest.NewSite(t)
	s.Policy.Allow(time.Hour, crm.ReadOnly)
	v := s.SignIn(t, ben)
	v.Become(jane)
	s.Policy.Allow(time.Hour, crm.Full)
	var err error
	for range 6 {
		_, err = s.App.ElevateSwitch(t.Context(), v.Who(), "guessing", "not the password")
	}
	if crm.KeyOf(err) != "sign_in_locked" {
		t.Errorf("the sixth guess: %v", err)
	}
	if _, err := s.App.ElevateSwitch(t.Context(), v.Who(), "knowing", app.DemoPassword); crm.KeyOf(err) != "sign_in_locked" {
		t.Errorf("while locked out: %v", err)
	}
}

// A decision made again takes, it never gives.
func TestARecheckOnlyEverNarrows(t *testing.T) {
	s := hosttest.NewSite(t)
	s.Policy.Allow(time.Hour, crm.ReadOnly)
	v := s.SignIn(t, ben)
	v.Become(jane)
	s.Policy.Allow(2*time.Hour, crm.Full)
	must(t, s.App.RecheckSwitches(t.Context()))
	if w := v.Who().Switch; w.Mode != crm.ReadOnly || w.ExpiresAt.Sub(w.StartedAt) != time.Hour {
		t.Errorf("decided again it is %+v", w)
	}
	if n := len(s.Policy.Asked()); n != 2 {
		t.Errorf("asked %d times", n)
	}
	s.Policy.Allow(time.Minute, crm.ReadOnly)
	must(t, s.App.RecheckSwitches(t.Context()))
	if w := v.Who().Switch; w.ExpiresAt.Sub(w.StartedAt) != time.Minute {
		t.Errorf("narrowed it is %+v", w)
	}
}

// A slow request that rechecks by what it read before an extension doesn't undo it.
func TestAStaleRecheckUndoesNoExtension(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
		v := s.SignIn(t, ben)
		v.Become(jane)
		must(t, s.App.RecheckSwitches(t.Context()))
		slow := &slowPolicy{Policy: s.Policy}
		slow.meanwhile = func() {
			slow.meanwhile = nil
			who := v.Who()
			s.Policy.Allow(2*time.Hour, crm.Full)
			_, err := s.App.ExtendSwitch(t.Context(), who, "meanwhile")
			must(t, err)
		}
		s.App.SetSwitchPolicy(slow)
		v.Who()
		if w := s.Switches(t)[0]; w.ExpiresAt.Sub(w.StartedAt) != 2*time.Hour || w.Extensions != 1 {
			t.Errorf("after a stale recheck it is %+v", w)
		}
	})
}

// slowPolicy has something happen while the hook is being asked again.
type slowPolicy struct {
	*hosttest.Policy
	meanwhile func()
}

func (p *slowPolicy) DecideSwitch(ctx context.Context, q crm.SwitchQuestion) (crm.SwitchDecision, error) {
	d, err := p.Policy.DecideSwitch(ctx, q)
	if q.Moment == crm.SwitchRecheck && p.meanwhile != nil {
		p.meanwhile()
	}
	return d, err
}

// A decision that allows less time than has passed ends the switch at once, not with the page after.
func TestADecisionForLessTimeThanHasPassedEndsTheSwitch(t *testing.T) {
	s := hosttest.NewSite(t)
	v := s.SignIn(t, ben)
	v.Become(jane)
	s.Clock.Advance(20 * time.Minute)
	s.Policy.Allow(10*time.Minute, crm.Full)
	must(t, s.App.RecheckSwitches(t.Context()))
	if who := v.Who(); who.Switched() || who.Subject.Email != ben {
		t.Errorf("goes on as %s", who.Subject.Email)
	}
	wantOneEnd(t, s, crm.EndExpired)
}

// A request that was on its way when an extension took the right to write saves nothing.
func TestASlowRequestSavesNothingAfterItsSwitchWasNarrowed(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
		s.Policy.Allow(time.Hour, crm.Full)
		v := s.SignIn(t, ben)
		v.Become(jane)
		slow := v.Who()
		s.Policy.Allow(2*time.Hour, crm.ReadOnly)
		if w, err := s.App.ExtendSwitch(t.Context(), v.Who(), "more to read"); err != nil || w.Mode != crm.ReadOnly {
			t.Fatalf("%+v %v", w, err)
		}
		if err := s.App.SaveOwnPreferences(t.Context(), slow, "en", "dark"); crm.KeyOf(err) != "session_changed" {
			t.Errorf("saved: %v", err)
		}
	})
}
