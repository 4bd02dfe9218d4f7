package app_test

import (
	"strings"
	"testing"
	"time"

	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/hosttest"
)

func signIn(t *testing.T, s *hosttest.Site, area crm.Area, email, password string) error {
	t.Helper()
	_, _, err := s.App.SignIn(t.Context(), area, email, password, hosttest.Client)
	return err
}

func TestSignInIsForTheRightAreaOnly(t *testing.T) {
	s := hosttest.NewSite(t)
	for _, c := range []struct {
		area            crm.Area
		email, password string
		want            string
	}{
		{crm.Admin, ben, app.DemoPassword, ""},
		{crm.Admin, " BEN@example.com ", app.DemoPassword, ""},
		{crm.Portal, jane, app.DemoPassword, ""},
		{crm.Portal, ben, app.DemoPassword, "sign_in_wrong"},
		{crm.Admin, jane, app.DemoPassword, "sign_in_wrong"},
		{crm.Admin, ben, "wrong", "sign_in_wrong"},
		{crm.Admin, ben, "", "sign_in_wrong"},
		{crm.Admin, "nobody@example.com", app.DemoPassword, "sign_in_wrong"},
		{crm.Admin, dan, app.DemoPassword, "sign_in_inactive"},
		{crm.Portal, bill, app.DemoPassword, "sign_in_inactive"},
		{crm.Admin, dan, "wrong", "sign_in_wrong"},
	} {
		if got := crm.KeyOf(signIn(t, s, c.area, c.email, c.password)); got != c.want {
			t.Errorf("%s %q at %s: %q, want %q", c.email, c.password, c.area, got, c.want)
		}
	}
}

// The lock-out is in the database: a second App over it (a restart, another replica) keeps it.
func TestLockOutOutlivesTheProcess(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
		for range 5 {
			if err := signIn(t, s, crm.Admin, ben, "wrong"); crm.KeyOf(err) != "sign_in_wrong" {
				t.Fatal(err)
			}
		}
		s.App = app.New(app.Options{Store: s.Store, Now: s.Clock.Now})
		err := signIn(t, s, crm.Admin, ben, app.DemoPassword)
		if crm.KindOf(err) != crm.TooMany || !strings.Contains(err.Error(), "15") {
			t.Errorf("the right password after five wrong ones: %v", err)
		}
		if err := signIn(t, s, crm.Admin, cleo, app.DemoPassword); err != nil {
			t.Errorf("somebody else: %v", err)
		}
		s.Clock.Advance(15*time.Minute + time.Second)
		if err := signIn(t, s, crm.Admin, ben, app.DemoPassword); err != nil {
			t.Errorf("after the lock-out: %v", err)
		}
	})
}

func TestOneAddressCantTryEverybody(t *testing.T) {
	s := hosttest.NewSite(t)
	for i := range 50 {
		if err := signIn(t, s, crm.Portal, strings.Repeat("x", i+1)+"@acme.example", "wrong"); crm.KeyOf(err) != "sign_in_wrong" {
			t.Fatal(err)
		}
	}
	if err := signIn(t, s, crm.Portal, jane, app.DemoPassword); crm.KeyOf(err) != "sign_in_locked" {
		t.Errorf("the 51st try from one address: %v", err)
	}
}

func TestSessionEndsWhenUnusedAndAtTheLatest(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
		idle, busy := s.SignIn(t, ben), s.SignIn(t, ben)
		for range 6 {
			s.Clock.Advance(119 * time.Minute)
			if !busy.Who().SignedIn() {
				t.Fatal("a session in use ended")
			}
		}
		wantNobody(t, s, idle.Secret)
		s.Clock.Advance(7 * time.Minute) // 12 hours and a minute since sign-in
		wantNobody(t, s, busy.Secret)
	})
}

func TestPasswordLinkWorksOnceAndSignsOutEverywhere(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
		ctx := t.Context()
		v, admin := s.SignIn(t, cleo), s.SignIn(t, ann).Who()
		dead, err := s.App.PasswordLink(ctx, admin, s.Key(t, cleo))
		must(t, err)
		token, err := s.App.PasswordLink(ctx, admin, s.Key(t, cleo))
		must(t, err)
		if _, err := s.App.OpenPasswordLink(ctx, dead); crm.KeyOf(err) != "link_invalid" {
			t.Errorf("the link before: %v", err)
		}
		if err := s.App.SetPasswordByLink(ctx, token, "short", hosttest.Client); crm.KeyOf(err) != "password_short" {
			t.Errorf("a short password: %v", err)
		}
		must(t, s.App.SetPasswordByLink(ctx, token, "a-much-better-one", hosttest.Client))
		wantNobody(t, s, v.Secret)
		if err := s.App.SetPasswordByLink(ctx, token, "and-another-one", hosttest.Client); crm.KeyOf(err) != "link_invalid" {
			t.Errorf("the link a second time: %v", err)
		}
		if err := signIn(t, s, crm.Admin, cleo, "a-much-better-one"); err != nil {
			t.Error(err)
		}
		if err := signIn(t, s, crm.Admin, cleo, app.DemoPassword); err == nil {
			t.Error("the old password still works")
		}
		token, err = s.App.PasswordLink(ctx, admin, s.Key(t, jane))
		must(t, err)
		s.Clock.Advance(app.LinkLife)
		if _, err := s.App.OpenPasswordLink(ctx, token); crm.KeyOf(err) != "link_invalid" {
			t.Errorf("a link past its time: %v", err)
		}
	})
}

func TestOwnPasswordNeedsTheOldOne(t *testing.T) {
	s := hosttest.NewSite(t)
	v, other := s.SignIn(t, ben), s.SignIn(t, ben)
	if err := s.App.ChangeOwnPassword(t.Context(), v.Who(), "wrong", "a-much-better-one"); crm.KeyOf(err) != "password_wrong" {
		t.Errorf("with a wrong one: %v", err)
	}
	must(t, s.App.ChangeOwnPassword(t.Context(), v.Who(), app.DemoPassword, "a-much-better-one"))
	if !v.Who().SignedIn() {
		t.Error("signed out here")
	}
	wantNobody(t, s, other.Secret)
}

func TestFirstAdministratorIsCreatedOnce(t *testing.T) {
	s := hosttest.NewSite(t)
	if _, needed, err := s.App.FirstLink(t.Context()); needed || err != nil {
		t.Fatalf("a first link beside staff: %v %v", needed, err)
	}
	s.Exec(t, "DELETE FROM staff")
	token, needed, err := s.App.FirstLink(t.Context())
	if err != nil || !needed {
		t.Fatalf("no first link: %v", err)
	}
	must(t, s.App.CreateFirstAdministrator(t.Context(), token, "Eve Moon", "eve@example.com", "a-good-password", hosttest.Client))
	if err := s.App.CreateFirstAdministrator(t.Context(), token, "Mallory", "mal@example.com", "a-good-password", hosttest.Client); crm.KeyOf(err) != "link_invalid" {
		t.Errorf("a second time: %v", err)
	}
	if err := signIn(t, s, crm.Admin, "eve@example.com", "a-good-password"); err != nil {
		t.Error(err)
	}
}

func TestFormTokenIsOfOneSessionOnePersonAndOneScope(t *testing.T) {
	s := hosttest.NewSite(t)
	v, other := s.SignIn(t, ben), s.SignIn(t, cleo)
	own := s.App.FormToken(v.Who(), "")
	scoped := s.App.FormToken(v.Who(), "sample")
	if scope, err := s.App.CheckFormToken(v.Who(), own); err != nil || scope != "" {
		t.Errorf("own: %q %v", scope, err)
	}
	if scope, err := s.App.CheckFormToken(v.Who(), scoped); err != nil || scope != "sample" {
		t.Errorf("scoped: %q %v", scope, err)
	}
	for name, token := range map[string]string{
		"none": "", "another session's": s.App.FormToken(other.Who(), ""), "widened": strings.Replace(scoped, "sample", "", 1),
		"another subject": strings.Replace(own, "staff:2", "staff:1", 1), "cut": own[:len(own)-1], "no session": s.App.FormToken(crm.Who{}, ""),
	} {
		if _, err := s.App.CheckFormToken(v.Who(), token); crm.KindOf(err) != crm.Denied {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := s.App.CheckFormToken(crm.Who{}, s.App.FormToken(crm.Who{}, "")); err == nil {
		t.Error("a token of nobody's session is taken")
	}
	v.Become(jane)
	if _, err := s.App.CheckFormToken(v.Who(), own); crm.KeyOf(err) != "form_token_stale" {
		t.Errorf("a page of before the switch: %v", err)
	}
	switched := s.App.FormToken(v.Who(), "")
	v.Return()
	for name, token := range map[string]string{"before the switch": own, "during it": switched} {
		if _, err := s.App.CheckFormToken(v.Who(), token); crm.KindOf(err) != crm.Conflict {
			t.Errorf("a page of %s: %v", name, err)
		}
	}
}

func FuzzFormToken(f *testing.F) {
	a := app.New(app.Options{})
	who := crm.Who{Session: crm.Session{Subject: crm.AccountKey{Kind: crm.Staff, ID: 7}, Version: 3, FormKey: []byte("key of this session")}}
	right := map[string]bool{a.FormToken(who, ""): true, a.FormToken(who, "sample"): true}
	for token := range right {
		f.Add(token)
	}
	f.Add("..")
	f.Fuzz(func(t *testing.T, token string) {
		scope, err := a.CheckFormToken(who, token)
		if err == nil && token != a.FormToken(who, scope) {
			t.Errorf("%q was taken", token)
		}
	})
}
