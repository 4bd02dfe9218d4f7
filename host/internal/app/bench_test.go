package app_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/hosttest"
	"github.com/understudy-crm/understudy/host/internal/store"
)

// What every request pays to know who makes it.
func BenchmarkResolve(b *testing.B) {
	s := hosttest.NewSite(b)
	v := s.SignIn(b, ben)
	v.Become(jane)
	for b.Loop() {
		if !v.Who().Switched() {
			b.Fatal("not switched")
		}
	}
}

// The same without a switch, when a request also learns whether there are notices to read.
func BenchmarkResolveAsOneself(b *testing.B) {
	s := hosttest.NewSite(b)
	v := s.SignIn(b, ben)
	for b.Loop() {
		if v.Who().Switched() {
			b.Fatal("switched")
		}
	}
}

// A switch and the way back: two new secrets, two records, two audit entries, two transactions.
func BenchmarkSwitchAndReturn(b *testing.B) {
	s := hosttest.NewSite(b)
	v := s.SignIn(b, ben)
	for b.Loop() {
		v.Become(jane)
		v.Return()
	}
}

// fifty is how many do the same at once.
const fifty = 50

// django-hijack #552, #613, #410: a start locked the whole table of people. Fifty start and stop at
// once among a hundred thousand; the slowest of twenty is told beside the mean.
func BenchmarkFiftyStartsAmongAHundredThousand(b *testing.B) {
	s := hosttest.NewSite(b)
	crowd(b, s)
	visitors := make([]*hosttest.Visitor, fifty)
	for i := range visitors {
		visitors[i] = s.SignIn(b, ann)
	}
	target := app.SwitchWish{Target: s.Key(b, jane), Reason: "to measure"}
	var mu sync.Mutex
	var took []time.Duration
	for b.Loop() {
		var wait sync.WaitGroup
		for _, v := range visitors {
			who := v.Who()
			wait.Go(func() {
				began := time.Now()
				secret, _, err := s.App.SwitchSession(b.Context(), who, target)
				mu.Lock()
				defer mu.Unlock()
				if v.Secret = secret; err != nil {
					b.Error(err)
				}
				took = append(took, time.Since(began))
			})
		}
		wait.Wait()
		for _, v := range visitors {
			v.Return()
		}
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*95/100].Microseconds())/1000, "p95-ms")
}

// nextcloud #188, Levelup #280: a list of everybody. Twenty are found among a hundred thousand, each
// with whether one may become them.
func BenchmarkSearchAmongAHundredThousand(b *testing.B) {
	s := hosttest.NewSite(b)
	crowd(b, s)
	by := s.Key(b, ben)
	for b.Loop() {
		page, err := s.App.SearchAccounts(b.Context(), app.AccountQuery{Kind: crm.Contact, Term: "er 99", Limit: 20, TargetOf: by})
		if err != nil || len(page.Rows) != 20 {
			b.Fatalf("found %d, %v", len(page.Rows), err)
		}
	}
}

// crowd adds a hundred thousand contacts.
func crowd(b *testing.B, s *hosttest.Site) {
	b.Helper()
	jane, err := s.App.Account(b.Context(), s.Key(b, jane))
	if err != nil {
		b.Fatal(err)
	}
	err = s.Store.Write(b.Context(), func(tx store.Tx) error {
		for i := range 100_000 {
			c := crm.ContactPerson{CustomerID: jane.CustomerID, Name: fmt.Sprint("Member ", i), Email: fmt.Sprintf("m%d@crowd.example", i), Active: true, CreatedAt: s.Clock.Now()}
			if _, err := tx.InsertContact(b.Context(), c); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
}
