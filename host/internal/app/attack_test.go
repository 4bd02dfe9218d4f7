package app_test

import (
	"sync"
	"testing"
	"time"

	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/hosttest"
)

// A slow request that began before something changed does nothing after it.
func TestASlowRequestActsForNobodyElse(t *testing.T) {
	operator := crm.Operator()
	for name, meanwhile := range map[string]func(*testing.T, *hosttest.Site, *hosttest.Visitor){
		"returned": func(_ *testing.T, _ *hosttest.Site, v *hosttest.Visitor) { v.Return() },
		"signed out": func(t *testing.T, s *hosttest.Site, v *hosttest.Visitor) {
			must(t, s.App.SignOut(t.Context(), v.Who()))
		},
		"time is up": func(_ *testing.T, s *hosttest.Site, _ *hosttest.Visitor) { s.Clock.Advance(time.Hour) },
		"actor deactivated": func(t *testing.T, s *hosttest.Site, _ *hosttest.Visitor) {
			must(t, s.App.SetStaffActive(t.Context(), operator, s.Key(t, ben).ID, false))
		},
		"target deactivated": func(t *testing.T, s *hosttest.Site, _ *hosttest.Visitor) {
			must(t, s.App.SetContactActive(t.Context(), operator, s.Key(t, jane).ID, false))
		},
		"settings changed": func(t *testing.T, s *hosttest.Site, _ *hosttest.Visitor) {
			must(t, s.App.SaveSettings(t.Context(), operator, "general", map[string]string{"site_name": "Other"}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
				v := s.SignIn(t, ben)
				v.Become(jane)
				slow := v.Who()
				meanwhile(t, s, v)
				if err := s.App.SaveOwnProfile(t.Context(), slow, app.ProfileForm{Name: "Mallory"}); crm.KeyOf(err) != "session_changed" {
					t.Errorf("saved after it: %v", err)
				}
				if a, err := s.App.Account(t.Context(), s.Key(t, jane)); err != nil || a.Name != "Jane Doe" {
					t.Errorf("the target is called %q, %v", a.Name, err)
				}
			})
		})
	}
	t.Run("begun as oneself, landing in a switch", func(t *testing.T) {
		s := hosttest.NewSite(t)
		v := s.SignIn(t, ann)
		slow := v.Who()
		v.Become(cleo)
		if err := s.App.SaveSettings(t.Context(), slow, "general", map[string]string{"site_name": "Mine"}); crm.KeyOf(err) != "session_changed" {
			t.Errorf("a sensitive change: %v", err)
		}
		if err := s.App.SignOut(t.Context(), slow); err != nil {
			t.Error(err)
		}
		wantOneEnd(t, s, crm.EndSignedOut)
	})
	t.Run("rights taken", func(t *testing.T) {
		s := hosttest.NewSite(t)
		slow := s.SignIn(t, ben).Who()
		s.Exec(t, "UPDATE roles SET capabilities = '' WHERE name = 'Support'")
		s.Exec(t, "UPDATE authority SET revision = revision + 1")
		if _, err := s.App.SaveCustomer(t.Context(), slow, crm.Customer{Company: "X"}); crm.KeyOf(err) != "session_changed" {
			t.Errorf("without the right: %v", err)
		}
	})
}

func TestGuessesSideBySideAreCounted(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
		var wait sync.WaitGroup
		keys := make([]string, 40)
		for i := range keys {
			wait.Go(func() { keys[i] = crm.KeyOf(signIn(t, s, crm.Admin, cleo, "wrong")) })
		}
		wait.Wait()
		count := map[string]int{}
		for _, key := range keys {
			count[key]++
		}
		if count["sign_in_wrong"] != 5 || count["sign_in_locked"] != 35 {
			t.Errorf("of 40 guesses at once: %v", count)
		}
	})
}

func TestAnOwnSignInBuysNoGuesses(t *testing.T) {
	s := hosttest.NewSite(t)
	for i := range 50 {
		if i%10 == 0 {
			must(t, signIn(t, s, crm.Admin, ben, app.DemoPassword))
		}
		if key := crm.KeyOf(signIn(t, s, crm.Portal, string(rune('a'+i%26))+string(rune('a'+i/26))+"@acme.example", "wrong")); key != "sign_in_wrong" {
			t.Fatalf("guess %d: %s", i, key)
		}
	}
	if err := signIn(t, s, crm.Admin, cleo, app.DemoPassword); crm.KeyOf(err) != "sign_in_locked" {
		t.Errorf("after 50 wrong ones from one address: %v", err)
	}
}

func TestChangesSideBySideDontUndoEachOther(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
		v := s.SignIn(t, ben).Who()
		stop := make(chan struct{})
		var wait sync.WaitGroup
		for range 3 {
			wait.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
						_ = s.App.SaveOwnProfile(t.Context(), v, app.ProfileForm{Name: "Ben Ortiz"}) // refused once he is deactivated
					}
				}
			})
		}
		for range 20 {
			must(t, s.App.SetStaffActive(t.Context(), crm.Operator(), v.Actor.Key.ID, false))
			if a, err := s.App.Account(t.Context(), v.Actor.Key); err != nil || a.Active {
				t.Errorf("his own edit undid the deactivation: %v", err)
			}
			must(t, s.App.SetStaffActive(t.Context(), crm.Operator(), v.Actor.Key.ID, true))
		}
		close(stop)
		wait.Wait()
	})
}

func TestTwoAdministratorsDemotedAtOnceLeaveOne(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
		for range 10 {
			s.Exec(t, "UPDATE staff SET administrator = TRUE, active = TRUE WHERE email IN ('"+ann+"', '"+ben+"')")
			s.Exec(t, "UPDATE search_state SET version = 0") // as whoever does so must
			var wait sync.WaitGroup
			for _, email := range []string{ann, ben} {
				id := s.Key(t, email).ID
				wait.Go(func() { _ = s.App.SetStaffActive(t.Context(), crm.Operator(), id, false) }) // one of the two must be refused
			}
			wait.Wait()
			page, err := s.App.StaffList(t.Context(), crm.Operator(), crm.Query{Filter: map[string]string{"active": "yes"}})
			must(t, err)
			administrators := 0
			for _, m := range page.Rows {
				if m.Administrator {
					administrators++
				}
			}
			if administrators != 1 {
				t.Fatalf("%d administrators left", administrators)
			}
		}
	})
}

func TestAPasswordLinkDoesNotOutliveItsMakersRights(t *testing.T) {
	for name, meanwhile := range map[string]func(*testing.T, *hosttest.Site){
		"the account was promoted": func(t *testing.T, s *hosttest.Site) {
			s.Exec(t, "UPDATE staff SET administrator = TRUE WHERE email = '"+dan+"'")
		},
		"the maker was dismissed": func(t *testing.T, s *hosttest.Site) {
			must(t, s.App.SetStaffActive(t.Context(), crm.Operator(), s.Key(t, cleo).ID, false))
		},
		"the maker lost the right": func(t *testing.T, s *hosttest.Site) {
			s.Exec(t, "UPDATE roles SET capabilities = 'customers.view' WHERE name = 'Sales'")
		},
		"the account's address moved": func(t *testing.T, s *hosttest.Site) {
			_, err := s.App.SaveStaff(t.Context(), crm.Operator(), app.StaffForm{ID: s.Key(t, dan).ID, Name: "Dan Moss", Email: "moss@example.com", Active: true})
			must(t, err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := hosttest.NewSite(t)
			withRight(t, s, crm.StaffEdit)
			token, err := s.App.PasswordLink(t.Context(), s.SignIn(t, cleo).Who(), s.Key(t, dan))
			must(t, err)
			meanwhile(t, s)
			if err := s.App.SetPasswordByLink(t.Context(), token, "a-good-password", hosttest.Client); crm.KeyOf(err) != "link_invalid" {
				t.Errorf("it opened: %v", err)
			}
		})
	}
}

func TestChangingThePasswordEndsEverySession(t *testing.T) {
	s := hosttest.NewSite(t)
	oldest := s.SignIn(t, ben)
	key := s.Key(t, ben)
	for i := range 250 {
		s.Exec(t, "INSERT INTO sessions (secret_hash, form_key, actor_kind, actor_id, subject_kind, subject_id, switch_id, version, decided, created_at, seen_at, expires_at, ip, browser, notice) VALUES ($1, $1, 'staff', $2, 'staff', $2, 0, 1, 0, $3, $3, $3, '', '', '')",
			[]byte{byte(i), byte(i >> 8)}, key.ID, s.Clock.Now().Add(time.Hour).UnixMilli())
	}
	must(t, s.App.SetPassword(t.Context(), crm.Operator(), crm.Staff, ben, "a-much-better-one"))
	wantNobody(t, s, oldest.Secret)
}

func TestNobodyWeakensAStrongerRole(t *testing.T) {
	s := hosttest.NewSite(t)
	withRight(t, s, crm.StaffEdit, crm.StaffView, crm.RolesEdit, crm.RolesView)
	c, support := s.SignIn(t, cleo).Who(), role(t, s, "Support")
	if _, err := s.App.SaveRole(t.Context(), c, app.RoleForm{ID: support.ID, Name: "Support", Shown: support.Capabilities}); crm.KeyOf(err) != "account_has_more_rights" {
		t.Errorf("stripped: %v", err)
	}
	if err := s.App.DeleteRole(t.Context(), c, support.ID); crm.KeyOf(err) != "account_has_more_rights" {
		t.Errorf("deleted: %v", err)
	}
}

// A record says "Administrator" of those who were one, and of nobody whose role is called so.
func TestNoRoleIsCalledAdministrator(t *testing.T) {
	s := hosttest.NewSite(t)
	for _, name := range []string{"Administrator", " administrator "} {
		if _, err := s.App.SaveRole(t.Context(), crm.Operator(), app.RoleForm{Name: name}); crm.KeyOf(err) != "role_name_taken" {
			t.Errorf("%q: %v", name, err)
		}
	}
}
