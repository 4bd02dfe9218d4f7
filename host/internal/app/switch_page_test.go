package app_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/hosttest"
)

// timeline is what happened during the latest switch, a word or two of each.
func timeline(t *testing.T, s *hosttest.Site) []string {
	t.Helper()
	var list []string
	for after, id := "", s.Switches(t)[0].ID; ; {
		page, err := s.App.SwitchEvents(t.Context(), id, after, 3)
		must(t, err)
		for _, e := range page.Rows {
			word := string(e.Kind)
			switch {
			case e.More > 0:
				word += fmt.Sprint(" and ", e.More, " more")
			case e.Kind == crm.SwitchPage:
				word += fmt.Sprint(" ", e.Page.Path, " ", e.Page.Title, " ", e.Page.Status)
			case e.Kind == crm.SwitchRefusal:
				word += " " + e.Code + " " + e.Entry.Object
			case e.Kind == crm.SwitchChange:
				word += " " + e.Entry.Action
			}
			list = append(list, word)
		}
		if after = page.Next; after == "" {
			return list
		}
	}
}

func wantTimeline(t *testing.T, s *hosttest.Site, want ...string) {
	t.Helper()
	if got := timeline(t, s); !slices.Equal(got, want) {
		t.Errorf("the timeline is\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestTheTimelineTellsWhatHappenedInItsOrder(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
		v := s.SignIn(t, ben)
		s.App.NotePage(v.Who(), "/admin", "Dashboard", 200) // as himself: nobody's business
		v.Become(jane)
		s.App.NotePage(v.Who(), "/", "Dashboard", 200)
		s.Clock.Advance(time.Second)
		company, err := s.App.OwnCompany(t.Context(), v.Who())
		must(t, err)
		must(t, s.App.SaveOwnCompany(t.Context(), v.Who(), company))
		must(t, s.App.FlushPages(t.Context()))
		s.Clock.Advance(time.Second)
		s.App.NotePage(v.Who(), "/profile", "Profile", 200)
		who := v.Who()
		who.Client.Doing = "POST /profile/password"
		if err := s.App.ChangeOwnPassword(t.Context(), who, app.DemoPassword, "another-good-password"); crm.KeyOf(err) != "refused_while_switched" {
			t.Errorf("changes the password: %v", err)
		}
		s.App.NotePage(v.Who(), "/company", "Company", 200)
		v.Return()
		wantTimeline(t, s, "started", "page / Dashboard 200", "change company_changed", "page /profile Profile 200", "page /company Company 200",
			"refused refused_while_switched POST /profile/password", "ended")
		if _, err := s.App.SwitchEvents(t.Context(), 4711, "", 0); crm.KindOf(err) != crm.NotFound {
			t.Errorf("a switch there is none of: %v", err)
		}
		for _, after := range []string{"x", "1_2", "1_2_x", "1_999_1", "_"} {
			if _, err := s.App.SwitchEvents(t.Context(), s.Switches(t)[0].ID, after, 0); crm.KeyOf(err) != "page_token_invalid" {
				t.Errorf("after %q: %v", after, err)
			}
		}
	})
}

// What was seen is kept with the end, whichever end it is, and nothing of it is lost when the end
// fails.
func TestTheEndKeepsWhatWasSeen(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
		other := s.SignIn(t, ann)
		other.Become(omar)
		s.App.NotePage(other.Who(), "/others", "", 200)
		v := s.SignIn(t, ben)
		v.Become(jane)
		s.App.NotePage(v.Who(), "/\x00\xff\u202e", "Odd\x00", 404)
		s.Exec(t, "ALTER TABLE switch_pages RENAME TO lost")
		if _, _, err := s.App.RestoreSession(t.Context(), v.Who()); crm.KindOf(err) != crm.Unavailable {
			t.Errorf("returns without a record: %v", err)
		}
		if err := s.App.FlushPages(t.Context()); err == nil {
			t.Error("pages went nowhere, and nobody says so")
		}
		s.Exec(t, "ALTER TABLE lost RENAME TO switch_pages")
		s.Clock.Advance(2 * time.Hour)
		must(t, s.App.Sweep(t.Context()))
		wantTimeline(t, s, "started", "page / Odd 404", "ended")
		page, err := s.App.SwitchEvents(t.Context(), s.Switches(t)[1].ID, "", 0)
		if err != nil || len(page.Rows) != 3 || page.Rows[1].Page.Path != "/others" {
			t.Errorf("of the other switch: %+v, %v", page.Rows, err)
		}
	})
}

func TestWhatIsTooMuchIsCounted(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
		v := s.SignIn(t, ben)
		v.Become(jane)
		who := v.Who()
		for i := range app.MaxSwitchPages - 10 {
			s.App.NotePage(who, fmt.Sprint("/first/", i), "", 200)
		}
		must(t, s.App.FlushPages(t.Context()))
		for i := range app.MaxSwitchPages + 5 {
			s.App.NotePage(who, fmt.Sprint("/then/", i), "", 200)
		}
		must(t, s.App.FlushPages(t.Context()))
		s.App.NotePage(who, "/at-last", "", 200)
		v.Return()
		events := timeline(t, s)
		if n := len(events); n != app.MaxSwitchPages+3 || events[n-2] != fmt.Sprintf("page and %d more", app.MaxSwitchPages-10+5+1) {
			t.Errorf("%d events, at last %v", n, events[max(0, n-4):])
		}
	})
}

// A list somebody types a search into asks for itself with every letter.
func TestTheSamePageAgainCountsOnce(t *testing.T) {
	s := hosttest.NewSite(t)
	v := s.SignIn(t, ben)
	v.Become(jane)
	who := v.Who()
	for range 5 {
		s.App.NotePage(who, "/a", "A", 200)
		must(t, s.App.FlushPages(t.Context()))
		s.Clock.Advance(50 * time.Second)
	}
	s.App.NotePage(who, "/a", "A", 403)
	s.App.NotePage(who, "/a", "A", 200)
	s.Clock.Advance(time.Minute)
	must(t, s.App.FlushPages(t.Context()))
	s.App.NotePage(who, "/a", "A", 200)
	v.Return()
	wantTimeline(t, s, "started", "page /a A 200", "page /a A 403", "page /a A 200", "page /a A 200", "ended")
}

// Notes come from many requests while others flush: none is lost, none is written twice.
func TestManyRequestsNoteWhileOthersFlush(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
		v := s.SignIn(t, ben)
		v.Become(jane)
		who := v.Who()
		var wait sync.WaitGroup
		for i := range 8 {
			wait.Go(func() {
				for j := range 50 {
					s.App.NotePage(who, fmt.Sprintf("/%d/%d", i, j), "", 200)
					if j%10 == 0 {
						if err := s.App.FlushPages(t.Context()); err != nil {
							t.Error(err)
						}
					}
				}
			})
		}
		wait.Wait()
		v.Return()
		events := timeline(t, s)
		slices.Sort(events)
		if n := len(slices.Compact(events)); n != 402 {
			t.Errorf("%d different events", n)
		}
	})
}

func TestPagesAreForgottenWithTheActivityLog(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
		v := s.SignIn(t, ben)
		v.Become(jane)
		s.App.NotePage(v.Who(), "/", "", 200)
		v.Return()
		must(t, s.App.SaveSettings(t.Context(), crm.Operator(), "security", map[string]string{"audit_days": "7"}))
		s.Clock.Advance(6 * 24 * time.Hour)
		must(t, s.App.Sweep(t.Context()))
		wantTimeline(t, s, "started", "page /  200", "ended")
		s.Clock.Advance(2 * 24 * time.Hour)
		must(t, s.App.Sweep(t.Context()))
		wantTimeline(t, s)
	})
}

// told is an observer that remembers.
type told struct {
	mu   sync.Mutex
	list []string
}

func (o *told) add(what ...any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.list = append(o.list, strings.TrimSpace(fmt.Sprintln(what...)))
}

func (o *told) SwitchStarted()                                  { o.add("started") }
func (o *told) SwitchEnded(cause crm.EndCause, d time.Duration) { o.add("ended", cause, d) }
func (o *told) SwitchRefused(code string)                       { o.add("refused", code) }

// Told after the commit and only then, each once.
func TestWhatIsRecordedIsToldOnce(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
		o := &told{}
		s.App.SetSwitchObserver(o)
		v := s.SignIn(t, ben)
		if err := v.TryBecome(ann); err == nil {
			t.Error("became an administrator")
		}
		s.Policy.Refuse(&crm.Error{Kind: crm.Denied, Key: "not_on_a_sunday", Module: "sample"})
		if err := v.TryBecome(jane); err == nil {
			t.Error("became Jane")
		}
		s.Policy.Refuse(nil)
		s.Exec(t, "ALTER TABLE audit_entries RENAME TO lost")
		if err := v.TryBecome(jane); err == nil {
			t.Error("became Jane without a record")
		}
		s.Exec(t, "ALTER TABLE lost RENAME TO audit_entries")
		v.Become(jane)
		if _, err := s.App.Activity(t.Context(), v.Who(), crm.Query{}); err == nil { // refused as to Jane herself: not because of the switch
			t.Error("Jane reads the Activity Log")
		}
		if err := s.App.RevokeOtherSessions(t.Context(), v.Who()); err == nil {
			t.Error("ended Jane's sessions")
		}
		s.Clock.Advance(25 * time.Minute)
		who := v.Who()
		v.Return()
		if _, _, err := s.App.RestoreSession(t.Context(), who); err == nil {
			t.Error("returned twice")
		}
		want := []string{"refused switch_not_administrator", "refused module", "started", "refused refused_while_switched", "ended stopped 25m0s"}
		if !slices.Equal(o.list, want) {
			t.Errorf("told %q", o.list)
		}
	})
}

// checks are those that found something.
func checks(t *testing.T, s *hosttest.Site) string {
	t.Helper()
	var found []string
	for _, c := range s.App.CheckSwitching(t.Context()) {
		if c.OK != (c.Detail == "") {
			t.Errorf("%s: ok %v, %q", c.Name, c.OK, c.Detail)
		}
		if !c.OK {
			found = append(found, c.Name)
		}
	}
	return strings.Join(found, " ")
}

// pinged is a policy that can be asked for a sign of life.
type pinged struct {
	*hosttest.Policy
	err error
}

func (p *pinged) PingSwitch(context.Context) error { return p.err }

func TestTheSelfCheckFindsWhatIsWrong(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
		if got := checks(t, s); !strings.HasPrefix(got, "restore") || !strings.Contains(got, "hook") {
			t.Errorf("without pages and modules: %q", got)
		}
		policy, wayBack := &pinged{Policy: s.Policy}, error(nil)
		s.App.SetSwitchPolicy(policy)
		s.App.SetWayBack(func(context.Context) error { return wayBack })
		far := "" // the time of these stories stands still, that of a database server doesn't
		if s.Store.Engine() == "postgres" {
			far = "clock"
		}
		v := s.SignIn(t, ben)
		v.Become(jane)
		if got := checks(t, s); got != far {
			t.Errorf("all is well: %q", got)
		}
		policy.err, wayBack = errors.New("silent"), errors.New("404")
		if got := checks(t, s); strings.ReplaceAll(got, " clock", "") != "restore hook" {
			t.Errorf("no way back and no answer: %q", got)
		}
		policy.err, wayBack = nil, nil
		entries(t, s, 300)
		s.Exec(t, "UPDATE audit_entries SET actor_name = 'Mallory' WHERE id = (SELECT MAX(id) - 5 FROM audit_entries)")
		if got := checks(t, s); strings.TrimPrefix(got, far+" ") != "record" {
			t.Errorf("an altered entry: %q", got)
		}
	})
}

// Each way a crash or an accident can part a switch from its session: the check finds it, the next
// request is the actor's, and Sweep writes the one end.
func TestPartedPairsAreFoundAndClosed(t *testing.T) {
	for name, c := range map[string]struct {
		how   string
		found bool
		end   crm.EndCause
		back  string // who comes back
	}{
		"the session's row is gone":     {"DELETE FROM sessions", true, crm.EndSessionLost, ""},
		"the session lost its marker":   {"UPDATE sessions SET switch_id = 0", true, crm.EndSessionLost, ben},
		"the marker names no record":    {"UPDATE sessions SET switch_id = 4711", true, crm.EndSessionLost, ben},
		"the record is gone":            {"DELETE FROM session_switches", true, "", ben},
		"the record is closed already":  {"UPDATE session_switches SET ended_at = 5, end_cause = 'expired'", false, crm.EndExpired, ben},
		"the session is another switch": {"CREATE TABLE other AS SELECT * FROM session_switches; UPDATE other SET id = 77, ended_at = 6, end_cause = 'stopped'; INSERT INTO session_switches SELECT * FROM other; DROP TABLE other; UPDATE sessions SET switch_id = 77", true, crm.EndSessionLost, ben},
	} {
		t.Run(name, func(t *testing.T) {
			s := hosttest.NewSite(t)
			s.App.SetSwitchPolicy(&pinged{Policy: s.Policy})
			s.App.SetWayBack(func(context.Context) error { return nil })
			v := s.SignIn(t, ben)
			v.Become(jane)
			id := s.Switches(t)[0].ID
			s.Exec(t, c.how)
			if got := checks(t, s) == "pairs"; got != c.found {
				t.Errorf("found: %v", got)
			}
			must(t, s.App.Sweep(t.Context()))
			who := v.Who()
			if who.Switched() || who.Subject.Email != c.back {
				t.Errorf("comes back as %q", who.Subject.Email)
			}
			if got := checks(t, s); got != "" {
				t.Errorf("after that: %s", got)
			}
			for _, w := range s.Switches(t) {
				if w.ID == id && (w.End != c.end || w.EndedAt.IsZero()) {
					t.Errorf("ended %q at %s", w.End, w.EndedAt)
				}
			}
		})
	}
}

// A row that somebody changed by hand makes nobody another, and ends nobody else's switch.
func TestARowChangedByHandMakesNobodyAnother(t *testing.T) {
	for name, how := range map[string]string{
		"another subject":     "UPDATE sessions SET subject_kind = 'staff', subject_id = (SELECT id FROM staff WHERE email = '" + ann + "') WHERE id = %d",
		"another's switch":    "UPDATE sessions SET switch_id = %[2]d, subject_kind = 'contact', subject_id = (SELECT subject_id FROM session_switches WHERE id = %[2]d) WHERE id = %[1]d",
		"another's record":    "UPDATE session_switches SET subject_kind = 'staff', subject_id = (SELECT id FROM staff WHERE email = '" + ann + "') WHERE session_id = %d",
		"another's as actor":  "UPDATE session_switches SET actor_id = (SELECT id FROM staff WHERE email = '" + ann + "') WHERE session_id = %d",
		"another's in record": "UPDATE session_switches SET session_id = 4711 WHERE session_id = %d",
	} {
		t.Run(name, func(t *testing.T) {
			s := hosttest.NewSite(t)
			s.App.SetSwitchPolicy(&pinged{Policy: s.Policy})
			s.App.SetWayBack(func(context.Context) error { return nil })
			other, v := s.SignIn(t, ann), s.SignIn(t, ben)
			other.Become(omar)
			others := s.Switches(t)[0].ID
			v.Become(jane)
			s.Exec(t, strings.ReplaceAll(fmt.Sprintf(how+"-- %[2]d", v.Who().Session.ID, others), "%!", "-- "))
			if got := checks(t, s); got != "pairs" {
				t.Errorf("the self-check finds %q", got)
			}
			if who := v.Who(); who.Switched() || who.Subject.Email != ben {
				t.Errorf("comes back as %q", who.Subject.Name)
			}
			if !other.Who().Switched() {
				t.Error("another's switch has ended")
			}
			must(t, s.App.Sweep(t.Context()))
			if got := checks(t, s); got != "" || !other.Who().Switched() {
				t.Errorf("after that: %q", got)
			}
		})
	}
}

// A clock that is set back an hour: the start still comes first, and nothing lasts less than no time.
func TestAClockSetBackKeepsTheTimelineReadable(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
		o := &told{}
		s.App.SetSwitchObserver(o)
		v := s.SignIn(t, ben)
		v.Become(jane)
		s.Clock.Advance(-time.Hour)
		s.App.NotePage(v.Who(), "/", "Dashboard", 200)
		must(t, s.App.SaveOwnPreferences(t.Context(), v.Who(), "en", "dark"))
		_, ended, err := s.App.RestoreSession(t.Context(), v.Who())
		must(t, err)
		wantTimeline(t, s, "started", "page / Dashboard 200", "change preferences_changed", "ended")
		if last := o.list[len(o.list)-1]; last != "ended stopped 0s" {
			t.Errorf("told %q", last)
		}
		if ended.End != crm.EndStopped {
			t.Errorf("ended %+v", ended)
		}
	})
}
