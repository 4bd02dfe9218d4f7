package store_test

import (
	"errors"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/hosttest"
	"github.com/understudy-crm/understudy/host/internal/store"
)

func TestWriteKeepsAllOrNothing(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
		failure := errors.New("changed my mind")
		err := s.Store.Write(t.Context(), func(tx store.Tx) error {
			if err := tx.SetSetting(t.Context(), "general", "site_name", "Half"); err != nil {
				return err
			}
			return failure
		})
		if !errors.Is(err, failure) {
			t.Errorf("Write gave %v", err)
		}
		if values, err := s.Store.Read().Settings(t.Context(), "general"); err != nil || len(values) != 0 {
			t.Errorf("what was undone stands: %v %v", values, err)
		}
	})
}

func TestSwapSubjectIsCompareAndSwap(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
		v := s.SignIn(t, "ben@example.com")
		session, target := v.Who().Session, s.Key(t, "jane@acme.example")
		swap := func(secret string) (swapped bool) {
			err := s.Store.Write(t.Context(), func(tx store.Tx) (err error) {
				swapped, err = tx.SwapSubject(t.Context(), session, target, 7, 1, []byte(secret), crm.Notice{})
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			return swapped
		}
		if !swap("one") || swap("two") {
			t.Error("a version was swapped twice, or not at all")
		}
		r, err := s.Store.Read().Resolve(t.Context(), []byte("one"))
		if err != nil || r.Session.Subject != target || r.Session.Version != session.Version+1 || r.Session.Actor != session.Actor {
			t.Errorf("the session is %+v, %v", r.Session, err)
		}
	})
}

func TestASwitchEndsOnce(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
		now := s.Clock.Now()
		err := s.Store.Write(t.Context(), func(tx store.Tx) error {
			id, err := tx.InsertSwitch(t.Context(), crm.Switch{StartedAt: now, ExpiresAt: now.Add(time.Hour)})
			if err != nil {
				return err
			}
			_, first, err := tx.EndSwitch(t.Context(), id, 0, now, crm.EndStopped, "")
			if err != nil {
				return err
			}
			_, second, err := tx.EndSwitch(t.Context(), id, 0, now, crm.EndExpired, "")
			if !first || second {
				t.Errorf("ended: %v, %v", first, second)
			}
			w, readErr := tx.Switch(t.Context(), id)
			if w.End != crm.EndStopped {
				t.Errorf("it ended by %s", w.End)
			}
			return errors.Join(err, readErr)
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// symfony #8321, #39991, #28306: a session holds ids, no credential and no copy of anybody.
func TestSessionRowsHoldIDsOnly(t *testing.T) {
	s := hosttest.NewSite(t)
	v := s.SignIn(t, "ben@example.com")
	if v.Secret == "" {
		t.Fatal("no secret")
	}
	for _, column := range []string{"password", "name", "email", "secret", "administrator", "capabilities"} {
		if s.HasColumn(t, "sessions", column) {
			t.Errorf("sessions has a column %s", column)
		}
	}
	if !s.HasColumn(t, "sessions", "secret_hash") {
		t.Error("the question about columns does not work")
	}
}

func TestAFolderNameMayHoldAnything(t *testing.T) {
	dir := t.TempDir() + "/a#b?c%20d e"
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(t.Context(), dir+"/x.db", "NORMAL")
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(dir + "/x.db"); err != nil {
		t.Errorf("the database is elsewhere: %v", err)
	}
}

// Writers side by side, whose statements are prepared for each other, neither wait in a circle nor take
// one's rows for another's.
func TestWritersSideBySideFinish(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
		now := s.Clock.Now()
		var group sync.WaitGroup
		for n := range 40 {
			group.Go(func() {
				actor := crm.AccountKey{Kind: crm.Staff, ID: int64(1000 + n)}
				err := s.Store.Write(t.Context(), func(tx store.Tx) error {
					id, err := tx.InsertSwitch(t.Context(), crm.Switch{Actor: actor, StartedAt: now, ExpiresAt: now.Add(time.Hour)})
					if err != nil {
						return err
					}
					if w, err := tx.Switch(t.Context(), id); err != nil || w.Actor != actor {
						t.Errorf("%s reads %s, %v", actor, w.Actor, err)
					}
					if n%4 == 0 {
						return crm.Refuse(crm.Conflict, "not_this_time")
					}
					_, _, err = tx.EndSwitch(t.Context(), id, 0, now, crm.EndStopped, "")
					return err
				})
				if err != nil && n%4 != 0 {
					t.Error(err)
				}
			})
		}
		group.Wait()
		page, err := s.Store.Read().Switches(t.Context(), store.SwitchQuery{Limit: 100})
		if err != nil || len(page.Rows) != 30 {
			t.Errorf("%d switches, %v", len(page.Rows), err)
		}
	})
}
