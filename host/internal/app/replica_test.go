package app_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/hosttest"
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
