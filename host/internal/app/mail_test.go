package app_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/hosttest"
)

func due(t *testing.T, s *hosttest.Site) crm.Mail {
	t.Helper()
	m, err := s.App.DueMail(t.Context())
	must(t, err)
	return m
}

func wantNoMail(t *testing.T, s *hosttest.Site) {
	t.Helper()
	if m, err := s.App.DueMail(t.Context()); crm.KindOf(err) != crm.NotFound {
		t.Errorf("there is mail: %+v, %v", m, err)
	}
}

func TestMailKeepsWhatWasTrueWhenItWasTold(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
		tell(t, s, crm.Who{}, crm.AccountNotice{To: s.Key(t, jane), TextKey: "told", Mail: true})
		wantNoMail(t, s) // there is no mail set up
		s.App.UseMail()
		tell(t, s, crm.Who{}, crm.AccountNotice{To: s.Key(t, jane), TextKey: "told"})
		wantNoMail(t, s) // it was not asked for

		v := s.SignIn(t, ben)
		tell(t, s, v.Who(), crm.AccountNotice{To: s.Key(t, omar), Module: "sample", TextKey: "told", Args: map[string]string{"Who": "Ben"}, Page: "/m/sample/log", Mail: true})
		s.Exec(t, "UPDATE contacts SET email = 'new@acme.example', language = 'es' WHERE email = '"+omar+"'")
		m := due(t, s)
		if m.Address != omar || m.Name != "Omar Haddad" || m.Language != "ar" || m.Module != "sample" || m.TextKey != "told" || m.Args["Who"] != "Ben" ||
			m.Page != "/m/sample/log" || m.Actor != "" || m.Attempts != 1 || len(m.MessageID) < 20 || !m.At.Equal(s.Clock.Now()) {
			t.Errorf("it is %+v", m)
		}
		must(t, s.App.MailSent(t.Context(), m))
		s.Clock.Advance(time.Hour)
		wantNoMail(t, s)
	})
}

// Outgoing mail written while switched names the actor.
func TestMailWrittenUnderABorrowedNameNamesTheActor(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
		s.App.UseMail()
		v := s.SignIn(t, ben)
		v.Become(jane)
		tell(t, s, v.Who(), crm.AccountNotice{To: s.Key(t, ann), TextKey: "told", Mail: true})
		if m := due(t, s); m.Actor != "Ben Ortiz" || m.Language != "en" {
			t.Errorf("it is %+v", m)
		}
		v.Return()
		tell(t, s, v.Who(), crm.AccountNotice{To: s.Key(t, ann), TextKey: "told", Mail: true})
		if m := due(t, s); m.Actor != "" {
			t.Errorf("it names %s", m.Actor)
		}
	})
}

// Two replicas ask at once, again and again: each mail is given to one of them.
func TestDueMailIsGivenOnce(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
		s.App.UseMail()
		for range 12 {
			tell(t, s, crm.Who{}, crm.AccountNotice{To: s.Key(t, jane), TextKey: "told", Mail: true})
		}
		var (
			mu    sync.Mutex
			given = map[int64]int{}
			wg    sync.WaitGroup
		)
		for range 4 {
			wg.Go(func() {
				for {
					m, err := s.App.DueMail(t.Context())
					if err != nil {
						if crm.KindOf(err) != crm.NotFound {
							t.Error(err)
						}
						return
					}
					mu.Lock()
					given[m.ID]++
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		for id, n := range given {
			if n != 1 {
				t.Errorf("mail %d was given %d times", id, n)
			}
		}
		for len(given) < 12 { // a replica that lost every race left some to the next time it asks
			given[due(t, s).ID]++
		}
		wantNoMail(t, s)
	})
}

// Whoever claimed a mail and was killed leaves it to the next after the lease.
func TestAClaimedMailIsDueAgainAfterTheLease(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
		s.App.UseMail()
		tell(t, s, crm.Who{}, crm.AccountNotice{To: s.Key(t, jane), TextKey: "told", Mail: true})
		first := due(t, s)
		s.Clock.Advance(5*time.Minute - time.Second)
		wantNoMail(t, s)
		s.Clock.Advance(time.Second)
		second := due(t, s)
		if second.ID != first.ID || second.MessageID != first.MessageID || second.Attempts != 2 {
			t.Errorf("given again as %+v", second)
		}
		// The first wasn't dead after all; what it says of its own attempt doesn't set the other's aside.
		must(t, s.App.MailFailed(t.Context(), first, "too slow", false))
		s.Clock.Advance(time.Minute)
		wantNoMail(t, s)
		must(t, s.App.MailSent(t.Context(), second))
		must(t, s.App.MailFailed(t.Context(), first, "too slow", true))
		if got := notices(t, s, s.SignIn(t, ann).Who()); len(got) != 0 {
			t.Errorf("told of a mail that was sent: %+v", got)
		}
	})
}

func TestAFailedMailIsTriedLaterAndLaterForThreeDays(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
		s.App.UseMail()
		tell(t, s, crm.Who{}, crm.AccountNotice{To: s.Key(t, jane), TextKey: "told", Mail: true})
		start, tries := s.Clock.Now(), 0
		for given := true; given && tries < 200; tries++ {
			m := due(t, s)
			must(t, s.App.MailFailed(t.Context(), m, "421 later", false))
			// At most an hour and a fifth; the first few sooner.
			waited := time.Duration(0)
			for given = false; !given && waited < 75*time.Minute; waited += 12 * time.Second {
				s.Clock.Advance(12 * time.Second)
				list, err := s.Store.Read().DueMail(t.Context(), s.Clock.Now())
				must(t, err)
				given = len(list) > 0
			}
			if tries == 0 && waited > time.Minute {
				t.Errorf("the second attempt came after %s", waited)
			}
		}
		if took := s.Clock.Now().Sub(start); took < 72*time.Hour || took > 76*time.Hour || tries < 60 || tries > 120 {
			t.Errorf("given up after %d attempts in %s", tries, took)
		}
		got := notices(t, s, s.SignIn(t, ann).Who())
		if len(got) != 1 || got[0].TextKey != "notice_mail_lost" || got[0].Module != "" || got[0].Args["Address"] != jane || !strings.Contains(got[0].Args["Why"], "421") {
			t.Errorf("the administrator is told %+v", got)
		}
	})
}

// A server that refuses every address tells the administrators once, until they have read it.
func TestLostMailIsToldOnceUntilRead(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
		s.App.UseMail()
		v := s.SignIn(t, ann)
		lose := func() {
			tell(t, s, crm.Who{}, crm.AccountNotice{To: s.Key(t, jane), TextKey: "told", Mail: true})
			must(t, s.App.MailFailed(t.Context(), due(t, s), "550 no such user", true))
			wantNoMail(t, s)
		}
		lose()
		lose()
		got := notices(t, s, v.Who())
		if len(got) != 1 {
			t.Fatalf("told %d times", len(got))
		}
		must(t, s.App.DismissNotice(t.Context(), v.Who(), got[0].ID))
		lose()
		if got := notices(t, s, v.Who()); len(got) != 1 {
			t.Errorf("after reading told %d times", len(got))
		}
	})
}

// Mail about a switch is written under the borrowed name, however the switch ends.
func TestMailAboutASwitchNamesItsActor(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
		s.App.UseMail()
		s.Policy.Want(crm.SwitchDecision{Notices: []crm.SwitchNotice{{Module: "sample", TextKey: "begun", Mail: true}, {Module: "sample", TextKey: "over", Mail: true, AtEnd: true}}})
		v := s.SignIn(t, ben)
		want := func(key string) {
			t.Helper()
			m := due(t, s)
			if m.TextKey != key || m.Actor != "Ben Ortiz" || m.Address != jane {
				t.Errorf("the mail of %s is %+v", key, m)
			}
			must(t, s.App.MailSent(t.Context(), m))
			wantNoMail(t, s)
		}
		v.Become(jane)
		want("begun")
		v.Return()
		want("over")
		v.Become(jane)
		want("begun")
		s.Clock.Advance(61 * time.Minute) // nobody comes back: the sweep ends it
		must(t, s.App.Sweep(t.Context()))
		want("over")
		v.Who()
		if v.TryBecome(ann) == nil {
			t.Error("became an administrator")
		}
		wantNoMail(t, s)
	})
}

// What is written for more people at once than the database has connections waits for none of them.
func TestManyAreToldAtOnce(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
		s.App.UseMail()
		installSample(t, s, "sample")
		to := s.Key(t, jane)
		var wg sync.WaitGroup
		for range 60 {
			wg.Go(func() {
				if err := s.App.SendNotice(t.Context(), crm.Who{}, "sample", crm.AccountNotice{To: to, TextKey: "told", Mail: true}, false); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		list, err := s.Store.Read().UnreadNotices(t.Context(), to, 100)
		if err != nil || len(list) != 60 {
			t.Errorf("%d notices, %v", len(list), err)
		}
	})
}
