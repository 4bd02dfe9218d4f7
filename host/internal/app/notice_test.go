package app_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/hosttest"
	"github.com/understudy-crm/understudy/host/internal/store"
)

// tell writes a notice as a use case would, within its transaction.
func tell(t *testing.T, s *hosttest.Site, who crm.Who, n crm.AccountNotice) {
	t.Helper()
	must(t, s.Store.Write(t.Context(), func(tx store.Tx) error { return app.Tell(s.App, t.Context(), tx, who, n) }))
}

func notices(t *testing.T, s *hosttest.Site, who crm.Who) []crm.AccountNotice {
	t.Helper()
	list, err := s.App.Notices(t.Context(), who)
	must(t, err)
	return list
}

// unread is what a request of the visitor learns without asking.
func unread(t *testing.T, s *hosttest.Site, v *hosttest.Visitor) bool {
	t.Helper()
	r, err := s.App.Resolve(t.Context(), v.Secret, hosttest.Client)
	must(t, err)
	return r.Unread
}

func TestANoticeIsShownUntilItsAccountDismissesIt(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
		v, other := s.SignIn(t, jane), s.SignIn(t, omar)
		if unread(t, s, v) {
			t.Error("there is something to read before anything was told")
		}
		n := crm.AccountNotice{To: s.Key(t, jane), Module: "sample", TextKey: "told", Args: map[string]string{"Who": "Ben"}, Page: "/m/sample/log"}
		tell(t, s, v.Who(), n)
		got := notices(t, s, v.Who())
		if len(got) != 1 || got[0].TextKey != "told" || !maps.Equal(got[0].Args, n.Args) || got[0].Page != n.Page || !got[0].At.Equal(s.Clock.Now()) || !unread(t, s, v) {
			t.Fatalf("told: %+v", got)
		}
		if len(notices(t, s, other.Who())) != 0 || unread(t, s, other) {
			t.Error("another reads it")
		}
		if err := s.App.DismissNotice(t.Context(), other.Who(), got[0].ID); crm.KindOf(err) != crm.NotFound {
			t.Errorf("another dismisses it: %v", err)
		}
		if err := s.App.DismissNotice(t.Context(), s.SignIn(t, ann).Who(), got[0].ID); crm.KindOf(err) != crm.NotFound {
			t.Errorf("an administrator dismisses it: %v", err)
		}
		must(t, s.App.DismissNotice(t.Context(), v.Who(), got[0].ID))
		if len(notices(t, s, v.Who())) != 0 || unread(t, s, v) {
			t.Error("it is shown again")
		}
		if err := s.App.DismissNotice(t.Context(), v.Who(), got[0].ID); crm.KindOf(err) != crm.NotFound {
			t.Errorf("dismissed twice: %v", err)
		}
	})
}

// nextcloud/server #58515, nextcloud/impersonate #92, #127; discourse #34872: notices and read marks
// are the account's own.
func TestABorrowedNameNeitherSeesNorDismissesNotices(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
		v, target := s.SignIn(t, ben), s.SignIn(t, jane)
		tell(t, s, crm.Who{}, crm.AccountNotice{To: s.Key(t, jane), TextKey: "told"})
		tell(t, s, crm.Who{}, crm.AccountNotice{To: s.Key(t, ben), TextKey: "own"})
		id := notices(t, s, target.Who())[0].ID
		v.Become(jane)
		if got := notices(t, s, v.Who()); len(got) != 0 || unread(t, s, v) {
			t.Errorf("while switched one reads %+v", got)
		}
		if err := s.App.DismissNotice(t.Context(), v.Who(), id); crm.KeyOf(err) != "refused_while_switched" {
			t.Errorf("while switched one dismisses: %v", err)
		}
		if err := s.App.DismissNotices(t.Context(), v.Who(), id); crm.KeyOf(err) != "refused_while_switched" {
			t.Errorf("while switched one dismisses all: %v", err)
		}
		v.Return()
		if got := notices(t, s, v.Who()); len(got) != 1 || got[0].TextKey != "own" || !unread(t, s, v) {
			t.Errorf("back, one reads %+v", got)
		}
		if got := notices(t, s, target.Who()); len(got) != 1 {
			t.Errorf("the target reads %+v", got)
		}
		// A request that began before the switch changes nothing after it.
		before := v.Who()
		v.Become(jane)
		if err := s.App.DismissNotices(t.Context(), before, id+10); crm.KeyOf(err) != "session_changed" {
			t.Errorf("a request from before the switch: %v", err)
		}
	})
}

func TestNoticesAreAFewAndTheNewestFirst(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
		v := s.SignIn(t, jane)
		for i := range 7 {
			tell(t, s, crm.Who{}, crm.AccountNotice{To: s.Key(t, jane), TextKey: fmt.Sprint("told_", i)})
		}
		got := notices(t, s, v.Who())
		if len(got) != 5 || got[0].TextKey != "told_6" || got[4].TextKey != "told_2" {
			t.Fatalf("shown: %+v", got)
		}
		tell(t, s, crm.Who{}, crm.AccountNotice{To: s.Key(t, jane), TextKey: "later"})
		must(t, s.App.DismissNotices(t.Context(), v.Who(), got[0].ID))
		if got := notices(t, s, v.Who()); len(got) != 1 || got[0].TextKey != "later" {
			t.Errorf("what nobody had seen is dismissed: %+v", got)
		}
	})
}

func TestEveryActiveAdministratorIsTold(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
		s.Exec(t, "UPDATE staff SET administrator = TRUE WHERE email = '"+ben+"' OR email = '"+dan+"'")
		must(t, s.Store.Write(t.Context(), func(tx store.Tx) error {
			return app.TellAdministrators(s.App, t.Context(), tx, crm.Who{}, crm.AccountNotice{TextKey: "told"}, crm.AccountKey{})
		}))
		for _, email := range []string{ann, ben} {
			if got := notices(t, s, s.SignIn(t, email).Who()); len(got) != 1 {
				t.Errorf("%s is told %+v", email, got)
			}
		}
		if got := notices(t, s, s.SignIn(t, cleo).Who()); len(got) != 0 {
			t.Errorf("one who is none is told %+v", got)
		}
		s.Exec(t, "UPDATE staff SET active = TRUE WHERE email = '"+dan+"'")
		if got := notices(t, s, s.SignIn(t, dan).Who()); len(got) != 0 {
			t.Errorf("an inactive one was told %+v", got)
		}
	})
}

// What is told goes with the change it tells of, or not at all; and an account that is gone stops nothing.
func TestANoticeCommitsWithItsChange(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
		undone := errors.New("undone")
		err := s.Store.Write(t.Context(), func(tx store.Tx) error {
			return errors.Join(app.Tell(s.App, t.Context(), tx, crm.Who{}, crm.AccountNotice{To: s.Key(t, jane), TextKey: "told"}), undone)
		})
		if !errors.Is(err, undone) {
			t.Fatal(err)
		}
		if got := notices(t, s, s.SignIn(t, jane).Who()); len(got) != 0 {
			t.Errorf("told of what never was: %+v", got)
		}
		tell(t, s, crm.Who{}, crm.AccountNotice{To: crm.AccountKey{Kind: crm.Contact, ID: 4711}, TextKey: "told", Mail: true})
	})
}

func TestNoticesGoWithTheirTimeAndTheirAccount(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
		s.App.UseMail()
		tell(t, s, crm.Who{}, crm.AccountNotice{To: s.Key(t, jane), TextKey: "old", Mail: true})
		s.Clock.Advance(89 * 24 * time.Hour)
		tell(t, s, crm.Who{}, crm.AccountNotice{To: s.Key(t, jane), TextKey: "new"})
		tell(t, s, crm.Who{}, crm.AccountNotice{To: s.Key(t, omar), TextKey: "new"})
		must(t, s.App.Sweep(t.Context()))
		v := s.SignIn(t, jane)
		if got := notices(t, s, v.Who()); len(got) != 2 {
			t.Errorf("after 89 days: %+v", got)
		}
		s.Clock.Advance(25 * time.Hour)
		must(t, s.App.Sweep(t.Context()))
		v = s.SignIn(t, jane)
		if got := notices(t, s, v.Who()); len(got) != 1 || got[0].TextKey != "new" {
			t.Errorf("after 90 days: %+v", got)
		}
		if _, err := s.App.DueMail(t.Context()); crm.KindOf(err) != crm.NotFound {
			t.Errorf("mail of 90 days ago is still to be sent: %v", err)
		}
		to := s.Key(t, omar)
		must(t, s.App.DeleteContact(t.Context(), s.SignIn(t, ann).Who(), to.ID))
		if got, err := s.Store.Read().UnreadNotices(t.Context(), to, 5); err != nil || len(got) != 0 {
			t.Errorf("of a deleted contact there is %+v, %v", got, err)
		}
	})
}

// installSample has the store believe a module is installed.
func installSample(t *testing.T, s *hosttest.Site, id string) {
	t.Helper()
	s.Exec(t, `INSERT INTO modules (id, version, manifest, sha256, activated, grants, installed_at)
		VALUES ('`+id+`', '1.0.0', '', '', TRUE, '', 0)`)
}

func TestAModuleTellsInBoundsOnly(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
		installSample(t, s, "sample")
		contact, staff := s.Key(t, jane), s.Key(t, ben)
		many := map[string]string{}
		for i := range 17 {
			many[fmt.Sprint(i)] = ""
		}
		for why, n := range map[string]crm.AccountNotice{
			"no key":          {To: contact},
			"a long key":      {To: contact, TextKey: strings.Repeat("k", 65)},
			"a sentence":      {To: contact, TextKey: "Click here"},
			"many args":       {To: contact, TextKey: "k", Args: many},
			"a long arg":      {To: contact, TextKey: "k", Args: map[string]string{"a": strings.Repeat("x", 513)}},
			"another's page":  {To: contact, TextKey: "k", Page: "/m/other/"},
			"a longer name":   {To: contact, TextKey: "k", Page: "/m/sample-2"},
			"the host's page": {To: contact, TextKey: "k", Page: "/profile"},
			"the other area":  {To: contact, TextKey: "k", Page: "/admin/m/sample/"},
			"the portal":      {To: staff, TextKey: "k", Page: "/m/sample/"},
			"another site":    {To: contact, TextKey: "k", Page: "//evil.example/m/sample/"},
			"a way up":        {To: contact, TextKey: "k", Page: "/m/sample/../../company"},
			"a script":        {To: contact, TextKey: "k", Page: "javascript:alert(1)"},
		} {
			if err := s.App.SendNotice(t.Context(), crm.Who{}, "sample", n, false); crm.KindOf(err) != crm.Invalid {
				t.Errorf("%s: %v", why, err)
			}
		}
		if err := s.App.SendNotice(t.Context(), crm.Who{}, "gone", crm.AccountNotice{To: contact, TextKey: "k"}, false); crm.KeyOf(err) != "module_not_found" {
			t.Errorf("a module that isn't installed: %v", err)
		}
		if err := s.App.SendNotice(t.Context(), crm.Who{}, "sample", crm.AccountNotice{To: crm.AccountKey{Kind: crm.Staff, ID: 99}, TextKey: "k"}, false); crm.KeyOf(err) != "account_not_found" {
			t.Errorf("nobody: %v", err)
		}
		must(t, s.App.SendNotice(t.Context(), crm.Who{}, "sample", crm.AccountNotice{To: contact, TextKey: "k", Module: "other", Page: "/m/sample/log?id=3"}, false))
		must(t, s.App.SendNotice(t.Context(), crm.Who{}, "sample", crm.AccountNotice{To: contact, TextKey: "k", Page: "/admin/m/sample"}, true))
		if got := notices(t, s, s.SignIn(t, jane).Who()); len(got) != 1 || got[0].Module != "sample" {
			t.Errorf("the contact is told %+v", got)
		}
		if got := notices(t, s, s.SignIn(t, ann).Who()); len(got) != 1 || got[0].Page != "/admin/m/sample" {
			t.Errorf("the administrator is told %+v", got)
		}
	})
}

func TestAModuleTellsAHundredTimesAMinute(t *testing.T) {
	s := hosttest.NewSite(t)
	installSample(t, s, "sample")
	installSample(t, s, "other")
	send := func(module string) error {
		return s.App.SendNotice(context.Background(), crm.Who{}, module, crm.AccountNotice{To: s.Key(t, jane), TextKey: "k"}, false)
	}
	for range 100 {
		must(t, send("sample"))
	}
	if err := send("sample"); crm.KindOf(err) != crm.TooMany {
		t.Errorf("the hundred and first: %v", err)
	}
	must(t, send("other"))
	s.Clock.Advance(59 * time.Second)
	if err := send("sample"); crm.KindOf(err) != crm.TooMany {
		t.Errorf("within the minute: %v", err)
	}
	s.Clock.Advance(time.Second)
	must(t, send("sample"))
}
