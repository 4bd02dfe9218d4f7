package app_test

import (
	"testing"
	"time"

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

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
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

// With two browsers the switch that began last need not be the one that ended last.
func TestTheNextSignInTellsOfTheOneThatEndedLast(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
		first, second := s.SignIn(t, ben), s.SignIn(t, ben)
		first.Become(jane)
		id := s.Switches(t)[0].ID
		s.Clock.Advance(time.Minute)
		second.Become(omar)
		s.Clock.Advance(time.Minute)
		second.Return()
		s.Clock.Advance(time.Minute)
		if _, err := s.App.EndSwitchByForce(t.Context(), s.SignIn(t, jane).Who(), id); err != nil {
			t.Fatal(err)
		}
		r, err := s.App.Resolve(t.Context(), s.SignIn(t, ben).Secret, hosttest.Client)
		if err != nil || r.Notice.Key != "switch_last_ended_by_subject" || r.Notice.Args["Subject"] != "Jane Doe" {
			t.Errorf("the next sign-in says %+v, %v", r.Notice, err)
		}
	})
}
