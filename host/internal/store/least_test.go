package store_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/hosttest"
	"github.com/understudy-crm/understudy/host/internal/store"
)

func TestReplicasThatStartTogetherMigrateOnce(t *testing.T) {
	database := hosttest.PostgresURL(t)
	var group sync.WaitGroup
	for range 3 {
		group.Go(func() {
			s, err := store.Open(t.Context(), database, "")
			if err != nil {
				t.Error(err)
				return
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	s := hosttest.OpenSite(t, database)
	if version, err := s.Store.Read().Version(t.Context()); err != nil || version != store.Knows() {
		t.Errorf("the schema is at %d, %v; known are %d", version, err, store.Knows())
	}
}

// What a newer version only adds, an older one works beside.
func TestAnOlderHostGoesOnWhereItMay(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, old *hosttest.Site) {
		newer, err := store.OpenNewer(t.Context(), old.Database(), "9000_more.sql", `CREATE TABLE more_things (id BIGINT)`)
		if err != nil {
			t.Fatal(err)
		}
		defer newer.Close()
		if err := old.App.SignReplica(t.Context()); err != nil {
			t.Errorf("it may not go on: %v", err)
		}
		old.SignIn(t, "ben@example.com").Who()
		again := old.Beside(t) // an older one may be started, too
		again.SignIn(t, "ben@example.com").Who()
	})
}

// A migration an older host can't live with runs once those that are there have stopped by themselves,
// and none is let in any more.
func TestAnOlderHostStopsBeforeWhatItCantLiveWith(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, old *hosttest.Site) {
		if err := old.App.JoinReplicas(t.Context(), crm.Replica{Name: "old", Home: "h", Run: "r"}); err != nil {
			t.Fatal(err)
		}
		ben := old.SignIn(t, "ben@example.com")
		migrated := make(chan error, 1)
		go func() {
			newer, err := store.OpenNewer(t.Context(), old.Database(), "9000_apart.sql", "-- least: 9000\nALTER TABLE customers RENAME TO firms;\n")
			if err == nil {
				err = newer.Close()
			}
			migrated <- err
		}()
		for deadline := time.Now().Add(20 * time.Second); ; {
			ben.Who() // it works as long as it may
			err := old.App.SignReplica(t.Context())
			if crm.KeyOf(err) == "schema_too_new" {
				break
			}
			if err != nil || time.Now().After(deadline) {
				t.Fatalf("it is never told to stop: %v", err)
			}
			select {
			case err := <-migrated:
				t.Fatalf("it was migrated while the older host ran: %v", err)
			default:
			}
		}
		err := old.Store.Write(t.Context(), func(tx store.Tx) error { return tx.RaiseRevision(t.Context()) })
		if crm.KindOf(err) != crm.Unavailable {
			t.Errorf("it still writes: %v", err)
		}
		if _, err := old.App.Resolve(t.Context(), ben.Secret, hosttest.Client); crm.KindOf(err) != crm.Unavailable {
			t.Errorf("who is there is %v, not that nobody can say", err)
		}
		if err := <-migrated; err != nil {
			t.Fatal(err)
		}
		_, err = store.Open(t.Context(), old.Database(), "NORMAL")
		if crm.KeyOf(err) != "schema_too_new" {
			t.Errorf("an older one is let in: %v", err)
		}
	})
}

// Whoever doesn't stop holds the migration up, and it leaves things as they were.
func TestAMigrationThatFailsLetsOlderHostsIn(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, old *hosttest.Site) {
		newer, err := store.OpenNewer(t.Context(), old.Database(), "9000_apart.sql", "-- least: 9000\nDROP TABLE there_is_none;\n")
		if err == nil {
			t.Fatal(errors.Join(errors.New("it worked"), newer.Close()))
		}
		old.Beside(t).SignIn(t, "ben@example.com").Who()
	})
}
