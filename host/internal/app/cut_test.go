package app_test

import (
	"sync"
	"testing"
	"time"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/hosttest"
	"github.com/understudy-crm/understudy/host/internal/store"
)

// cutOff is a replica whose way to the database can be cut, beside one whose can't.
func cutOff(t *testing.T) (*hosttest.Wire, *hosttest.Site, *hosttest.Site) {
	t.Helper()
	address := hosttest.PostgresURL(t)
	near := hosttest.OpenSite(t, address)
	must(t, near.App.FillDemo(t.Context(), hosttest.Support...))
	wire := hosttest.NewWire(t, address)
	return wire, hosttest.OpenSite(t, wire.URL(t, address)), near
}

// A cut network tells nobody that it is cut. Nobody is taken for signed out then, or for somebody else,
// and nobody waits for minutes.
func TestWhoIsCutOffFromTheDatabaseSaysSoInTime(t *testing.T) {
	t.Parallel()
	wire, a, _ := cutOff(t)
	ben := a.SignIn(t, "ben@example.com")
	ben.Become("jane@acme.example")
	wire.Cut()
	asks := func(people int) {
		var all sync.WaitGroup
		for range people {
			all.Go(func() {
				r, err := a.App.Resolve(t.Context(), ben.Secret, hosttest.Client)
				if crm.KindOf(err) != crm.Unavailable || r.Who.SignedIn() {
					t.Errorf("who is there: %+v, %v", r.Who, err)
				}
			})
		}
		told := make(chan struct{})
		go func() { defer close(told); all.Wait() }()
		select {
		case <-told:
		case <-time.After(hosttest.Patience):
			t.Fatalf("%d who ask aren't told", people)
		}
	}
	asks(1)
	asks(50) // more than there are connections, and by now it is known
	wire.Mend()
	hosttest.Eventually(t, "it answers again", func() bool {
		_, err := a.App.Revision(t.Context())
		return err == nil
	})
	if who := ben.Who(); who.Actor.Name != "Ben Ortiz" || who.Subject.Name != "Jane Doe" {
		t.Errorf("afterwards it is %s as %s", who.Actor.Name, who.Subject.Name)
	}
}

// Whoever is cut off in the midst of a change doesn't keep the others from theirs.
func TestWhatTheCutOffLockedIsFreeAgain(t *testing.T) {
	t.Parallel()
	wire, a, b := cutOff(t)
	err := a.Store.Write(t.Context(), func(tx store.Tx) error {
		if err := tx.LockRights(t.Context()); err != nil {
			return err
		}
		wire.Cut()
		return tx.RaiseRevision(t.Context())
	})
	if crm.KindOf(err) != crm.Unavailable {
		t.Fatalf("a change that was cut off: %v", err)
	}
	ann := b.SignIn(t, "admin@example.com")
	hosttest.Eventually(t, "another replica may change rights", func() bool {
		return b.App.SaveSettings(t.Context(), ann.Who(), "general", map[string]string{"site_name": "Free"}) == nil
	})
}
