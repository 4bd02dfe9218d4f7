package app_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/hosttest"
	"github.com/understudy-crm/understudy/host/internal/store"
)

func names(t *testing.T, s *hosttest.Site) (list []string) {
	t.Helper()
	replicas, err := s.App.Replicas(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range replicas {
		list = append(list, r.Name)
	}
	return list
}

func join(t *testing.T, s *hosttest.Site, name, home string) {
	t.Helper()
	if err := s.App.JoinReplicas(t.Context(), crm.Replica{Name: name, Home: home, Run: name + home}); err != nil {
		t.Fatalf("join as %s: %v", name, err)
	}
}

// silence lets a replica have been silent for longer than one may.
func silence(t *testing.T, s *hosttest.Site, name string) {
	t.Helper()
	s.Exec(t, "UPDATE replicas SET seen_at = seen_at - 31000 WHERE name = '"+name+"'")
}

func TestTwoLiveReplicasHaveTwoNames(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, a *hosttest.Site) {
		b := a.Beside(t)
		join(t, a, "web", "one")
		ctx, cancel := context.WithCancel(t.Context())
		signing := make(chan struct{})
		go func() {
			defer close(signing)
			for ctx.Err() == nil {
				_ = a.App.SignReplica(ctx)
				time.Sleep(50 * time.Millisecond)
			}
		}()
		err := b.App.JoinReplicas(t.Context(), crm.Replica{Name: "web", Home: "two", Run: "b"})
		cancel()
		<-signing
		if crm.KeyOf(err) != "replica_name_taken" {
			t.Errorf("the second of one name joins: %v", err)
		}
		join(t, b, "api", "two")
		if list := names(t, a); !slices.Equal(list, []string{"api", "web"}) {
			t.Errorf("replicas: %v", list)
		}
		if err := b.App.LeaveReplicas(t.Context()); err != nil {
			t.Error(err)
		}
		if list := names(t, a); !slices.Equal(list, []string{"web"}) {
			t.Errorf("replicas after one left: %v", list)
		}
	})
}

func TestAKilledReplicaTakesItsNameAgainAtOnce(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, a *hosttest.Site) {
		join(t, a, "web", "one")
		again := a.Beside(t)
		if err := again.App.JoinReplicas(t.Context(), crm.Replica{Name: "web", Home: "one", Run: "again"}); err != nil {
			t.Error(err)
		}
	})
}

// A copied data folder is the same home: the later one has the name, and the other doesn't take it back.
func TestALiveReplicaKeepsItsNameFromItsTwin(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, a *hosttest.Site) {
		join(t, a, "web", "one")
		twin := a.Beside(t)
		if err := twin.App.JoinReplicas(t.Context(), crm.Replica{Name: "web", Home: "one", Run: "twin"}); err != nil {
			t.Fatal(err)
		}
		if err := a.App.SignReplica(t.Context()); crm.KeyOf(err) != "replica_name_lost" {
			t.Errorf("whose name its twin has goes on: %v", err)
		}
		if err := twin.App.SignReplica(t.Context()); err != nil {
			t.Errorf("the one that has the name: %v", err)
		}
	})
}

func TestASilentReplicaIsGoneAndMayComeBack(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, a *hosttest.Site) {
		b := a.Beside(t)
		join(t, a, "web", "one")
		join(t, b, "api", "two")
		silence(t, a, "web")
		if list := names(t, b); !slices.Equal(list, []string{"api"}) {
			t.Errorf("replicas while one is silent: %v", list)
		}
		if err := b.App.SignReplica(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := a.App.SignReplica(t.Context()); err != nil {
			t.Errorf("it can't come back: %v", err)
		}
		if list := names(t, b); !slices.Equal(list, []string{"api", "web"}) {
			t.Errorf("replicas once it is back: %v", list)
		}
		silence(t, a, "web")
		other := a.Beside(t)
		join(t, other, "web", "three") // nobody is there any more
		if err := a.App.SignReplica(t.Context()); crm.KeyOf(err) != "replica_name_lost" {
			t.Errorf("whose name another has goes on: %v", err)
		}
		if err := other.App.SignReplica(t.Context()); err != nil {
			t.Errorf("the one that has the name: %v", err)
		}
	})
}

// Each replica tells of an address at its start that creates the first administrator; any of them does.
func TestTheFirstLinkOfEachReplicaIsGood(t *testing.T) {
	a := hosttest.OpenSite(t, t.TempDir()+"/empty.db")
	b := a.Beside(t)
	join(t, a, "a", "one")
	join(t, b, "b", "two")
	first, _, err := a.App.FirstLink(t.Context())
	must(t, err)
	second, _, err := b.App.FirstLink(t.Context())
	must(t, err)
	must(t, b.App.CheckFirstLink(t.Context(), first))
	must(t, a.App.CheckFirstLink(t.Context(), second))
	must(t, b.App.CreateFirstAdministrator(t.Context(), first, "Ann Lee", "ann@example.com", "a-good-long-password", hosttest.Client))
	if err := a.App.CheckFirstLink(t.Context(), second); crm.KeyOf(err) != "link_invalid" {
		t.Errorf("there is an administrator, and another may still be made: %v", err)
	}
}

func TestWhatAModuleTellsIsCountedOnAllReplicas(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, a *hosttest.Site) {
		installSample(t, a, "sample")
		b, told := a.Beside(t), 0
		n := crm.AccountNotice{To: a.Key(t, ben), TextKey: "hello"}
		for _, s := range []*hosttest.Site{a, b} {
			for range 70 {
				switch err := s.App.SendNotice(t.Context(), crm.Who{}, "sample", n, false); crm.KindOf(err) {
				case crm.TooMany:
				default:
					must(t, err)
					told++
				}
			}
		}
		if told != 100 {
			t.Errorf("%d were told within a minute", told)
		}
		a.Clock.Advance(time.Minute + time.Second)
		must(t, b.App.SendNotice(t.Context(), crm.Who{}, "sample", n, false))
	})
}

// A process of a version that was replaced, maybe on another replica, writes nothing the new one
// wouldn't understand.
func TestWhatWasReplacedElsewhereWritesNoMore(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
		installSample(t, s, "sample")
		s.Exec(t, "UPDATE modules SET sha256 = 'new'")
		must(t, s.App.PutModuleValue(t.Context(), "sample", "old", "k", []byte("v"))) // it would not start, so the old one goes on
		b := s.Beside(t)
		b.Store.NameChain("b")
		join(t, b, "b", "two")
		must(t, b.App.ReportModules(t.Context(), []crm.ModuleReport{{Module: "sample", Replica: "b", SHA256: "new", State: app.ModuleActive}}))
		if err := s.App.PutModuleValue(t.Context(), "sample", "old", "k", []byte("v")); crm.KeyOf(err) != "module_replaced" {
			t.Errorf("it writes: %v", err)
		}
		must(t, s.App.PutModuleValue(t.Context(), "sample", "new", "k", []byte("v")))
		if err := s.App.DeleteModuleValue(t.Context(), "sample", "old", "k"); crm.KeyOf(err) != "module_replaced" {
			t.Errorf("it deletes: %v", err)
		}
		must(t, s.App.DeleteModuleValue(t.Context(), "sample", "new", "k"))
	})
}

// Two that sweep at once would each drop the beginning of a chain, and the slower one would say it began
// earlier than it does.
func TestOneReplicaSweepsAtATime(t *testing.T) {
	a := hosttest.OpenSite(t, hosttest.PostgresURL(t))
	must(t, a.App.FillDemo(t.Context(), hosttest.Support...))
	b := a.Beside(t)
	sessions := func() int {
		list, err := a.Store.Read().SessionsOf(t.Context(), a.Key(t, ben))
		must(t, err)
		return len(list)
	}
	a.SignIn(t, ben)
	a.Clock.Advance(100 * 24 * time.Hour)
	must(t, b.Store.Write(t.Context(), func(tx store.Tx) error {
		mine, err := tx.LockSweep(t.Context())
		if err != nil || !mine {
			t.Errorf("nobody sweeps, and it may not: %v", err)
		}
		must(t, a.App.Sweep(t.Context()))
		if n := sessions(); n != 1 {
			t.Errorf("it swept beside another: %d sessions are left", n)
		}
		return err
	}))
	must(t, a.App.Sweep(t.Context()))
	if n := sessions(); n != 0 {
		t.Errorf("%d sessions are left", n)
	}
}
