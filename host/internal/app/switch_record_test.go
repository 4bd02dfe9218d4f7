package app_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/hosttest"
)

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
				secrets[i], _, _ = s.App.SwitchSession(t.Context(), who, app.SwitchWish{Target: target}) // all but one lose, by design
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

// meeting is a hook that allows one start an hour, and answers the first two at once.
type meeting struct{ both sync.WaitGroup }

func (m *meeting) DecideSwitch(_ context.Context, q crm.SwitchQuestion) (crm.SwitchDecision, error) {
	if q.RecentTargets > 0 {
		return crm.SwitchDecision{}, crm.Refuse(crm.Denied, "switch_no_more_time")
	}
	m.both.Done()
	m.both.Wait()
	return crm.SwitchDecision{Limit: time.Hour, Mode: crm.Full}, nil
}

// Two browsers of one person, each decided before the other's start: the later one is decided again.
func TestStartsInTwoBrowsersAreDecidedOneAfterTheOther(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
		var hook meeting
		hook.both.Add(2)
		s.App.SetSwitchPolicy(&hook)
		browsers := []*hosttest.Visitor{s.SignIn(t, ben), s.SignIn(t, ben)}
		errs := make([]error, 2)
		var wait sync.WaitGroup
		for i, target := range []string{jane, omar} {
			who, wish := browsers[i].Who(), app.SwitchWish{Target: s.Key(t, target)}
			wait.Go(func() { _, _, errs[i] = s.App.SwitchSession(t.Context(), who, wish) })
		}
		wait.Wait()
		if (errs[0] == nil) == (errs[1] == nil) {
			t.Fatalf("the one a hook allows: %v, %v", errs[0], errs[1])
		}
		if lost := errors.Join(errs...); crm.KindOf(lost) != crm.Denied {
			t.Errorf("the other is told %v", lost)
		}
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
