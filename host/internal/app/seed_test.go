package app_test

import (
	"testing"

	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/hosttest"
)

func TestSeededPeopleAreAsPeopleCouldBe(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
		wish := app.SeedWish{Customers: 300, Contacts: 1200, Staff: 60}
		if err := s.App.Seed(t.Context(), wish, func(int, int) {}); crm.KeyOf(err) != "seed_has_people" {
			t.Errorf("among people: %v", err)
		}
		wish.Among = true
		var last int
		must(t, s.App.Seed(t.Context(), wish, func(done, total int) {
			if last = done; total != 1560 {
				t.Errorf("%d in all", total)
			}
		}))
		if last != 1560 || len(s.Audit(t, "people_seeded")) != 1 {
			t.Errorf("%d told, entries %v", last, s.Audit(t, "people_seeded"))
		}
		for _, kind := range []crm.AccountKind{crm.Staff, crm.Contact} {
			seen := 0
			for after := ""; ; {
				page, err := s.App.SearchAccounts(t.Context(), app.AccountQuery{Kind: kind, Limit: 100, After: after})
				must(t, err)
				for _, m := range page.Rows {
					name, err := crm.CleanName(m.Name)
					email, err2 := crm.CleanEmail(m.Email)
					if name != m.Name || email != m.Email || err != nil || err2 != nil || (m.Administrator && m.Key.ID > 4) {
						t.Errorf("%+v: %v, %v", m.Account, err, err2)
					}
					for _, r := range m.Email {
						if r > 0x7f {
							t.Errorf("%s is no address that every server takes", m.Email)
							break
						}
					}
					seen++
				}
				if after = page.Next; after == "" {
					break
				}
			}
			if want := map[crm.AccountKind]int{crm.Staff: 64, crm.Contact: 1204}[kind]; seen != want {
				t.Errorf("%d of kind %s, want %d", seen, kind, want)
			}
		}
		if c, err := s.App.Customer(t.Context(), crm.Operator(), 5); err != nil || c.Contacts != 4 || c.Company == "" {
			t.Errorf("a seeded customer: %+v, %v", c, err)
		}
	})
}
