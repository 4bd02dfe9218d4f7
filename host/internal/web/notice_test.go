package web

import (
	"fmt"
	"net/http"
	"regexp"
	"testing"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

// sendNotice has a module tell somebody something; without one it is a module that is gone.
func (s *site) sendNotice(t *testing.T, email, key, page string, args map[string]string) {
	t.Helper()
	n := crm.AccountNotice{To: s.account(email), TextKey: key, Args: args, Page: page}
	if err := s.app.SendNotice(t.Context(), crm.Who{}, "sample-00", n, false); err != nil {
		t.Fatal(err)
	}
}

var dismissForm = regexp.MustCompile(`action="(/notices/\d+/dismiss)"`)

func TestANoticeStandsOnEveryPageUntilItIsDismissed(t *testing.T) {
	s := newSite(t)
	s.activate(t, 1)
	a, c := s.as(ann), s.as(jane)
	c.get("/").silent(t, "Notices for you")
	s.sendNotice(t, jane, "note_open", "/m/sample-00/log/", map[string]string{"Who": "Ben <b>Ortiz</b>"})
	s.sendNotice(t, ann, "note_closed", "/admin/m/sample-00/log/", nil)
	c.get("/company").says(t, "Notices for you", "In effect now: Ben &lt;b&gt;Ortiz&lt;/b&gt; may.", `href="/m/sample-00/log/"`, "Dismiss").silent(t, "Dismiss all")
	c.do("GET", "/company", nil, "X-Modal", "1").wants(t, 200).silent(t, "Notices for you")
	c.get("/nothing").wants(t, 404).says(t, "Notices for you")
	a.get("/admin/customers").says(t, "In effect now: nobody may.", `href="/admin/m/sample-00/log/"`).silent(t, "Ortiz</b>")

	form := dismissForm.FindStringSubmatch(c.get("/company").body)
	if form == nil {
		t.Fatal("no form to dismiss it")
	}
	a.get("/admin")
	a.post(form[1]).wants(t, http.StatusNotFound).says(t, "There is no such notice for you")
	c.do("POST", form[1], nil).wants(t, 403) // no token
	c.post(form[1], "back", "/company").wants(t, 303).leadsTo(t, "/company")
	c.get("/company").silent(t, "Notices for you")
	a.post(form[1]).wants(t, http.StatusNotFound)
}

// Who acts as somebody sees none of their notices and leaves no mark on them; the attempt is recorded.
func TestANoticeIsNotForABorrowedName(t *testing.T) {
	s := newSite(t)
	s.activate(t, 1)
	c := s.as(jane)
	s.sendNotice(t, jane, "note_closed", "", nil)
	s.sendNotice(t, ann, "note_closed", "", nil)
	form := dismissForm.FindStringSubmatch(c.get("/").body)
	b := s.as(ann)
	b.become(jane)
	b.get("/").silent(t, "Notices for you", "nobody may")
	b.post(form[1]).wants(t, 403).says(t, "This is refused while you are signed in as Jane Doe")
	b.post("/notices/dismiss", "newest", "99").wants(t, 403)
	c.get("/").says(t, "nobody may")
	b.post("/session/restore").wants(t, 303)
	b.get("/admin").says(t, "nobody may")
	b.get("/admin/activity?action=refused").says(t, "POST "+form[1], "POST /notices/dismiss")
}

func TestAllNoticesShownAreDismissedAtOnce(t *testing.T) {
	s := newSite(t)
	s.activate(t, 1)
	c := s.as(jane)
	for i := range 6 {
		s.sendNotice(t, jane, "note_open", "", map[string]string{"Who": fmt.Sprint("No ", i)})
	}
	a := c.get("/").says(t, "No 5", "No 1", "Dismiss all of them").silent(t, "No 0")
	s.sendNotice(t, jane, "note_open", "", map[string]string{"Who": "Later"})
	c.post("/notices/dismiss", "newest", hidden(t, a.body, "newest"), "back", "https://evil.example").wants(t, 303).leadsTo(t, "/")
	c.get("/").says(t, "Later").silent(t, "No 5", "No 0", "Dismiss all")
	c.post("/notices/dismiss", "newest", "x").wants(t, 422)
}

func TestANoticeSpeaksItsReadersLanguageAndOutlivesItsModulesWords(t *testing.T) {
	s := newSite(t)
	s.activate(t, 1)
	s.sendNotice(t, omar, "note_open", "", map[string]string{"Who": "Ben"})
	s.sendNotice(t, omar, "words_it_lost", "", nil)
	s.as(omar).get("/").says(t, "إشعارات لك", "\u2068Ben\u2069", "كان لدى الوحدة \u2068Sample\u2069 ما تخبرك به").silent(t, "words_it_lost")
}

// The host's own notices need no module: mail that was given up is one.
func TestAdministratorsReadThatMailIsLost(t *testing.T) {
	s := newSite(t)
	s.activate(t, 1)
	s.app.UseMail()
	n := crm.AccountNotice{To: s.account(jane), TextKey: "note_closed", Mail: true}
	if err := s.app.SendNotice(t.Context(), crm.Who{}, "sample-00", n, false); err != nil {
		t.Fatal(err)
	}
	m, err := s.app.DueMail(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.app.MailFailed(t.Context(), m, "550 no such <user>", true); err != nil {
		t.Fatal(err)
	}
	s.as(ann).get("/admin").says(t, "Mail to jane@acme.example could not be delivered", "550 no such &lt;user&gt;")
	s.as(ben).get("/admin").silent(t, "Notices for you")
}
