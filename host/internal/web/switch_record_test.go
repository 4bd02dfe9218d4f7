package web

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

// events are what the record tells of the latest switch, oldest first.
func (s *site) events() []crm.SwitchEvent {
	s.t.Helper()
	if err := s.app.FlushPages(context.Background()); err != nil {
		s.t.Fatal(err)
	}
	var id int64
	if err := s.behind(func(db *sql.DB) error {
		return db.QueryRow("SELECT MAX(id) FROM session_switches").Scan(&id)
	}); err != nil {
		s.t.Fatal(err)
	}
	page, err := s.app.SwitchEvents(context.Background(), id, "", 500)
	if err != nil || page.Next != "" {
		s.t.Fatal(err, page.Next)
	}
	return page.Rows
}

// pagesSeen are the pages among them.
func (s *site) pagesSeen() []string {
	var pages []string
	for _, e := range s.events() {
		if e.Kind == crm.SwitchPage {
			pages = append(pages, fmt.Sprint(e.Page.Path, " ", e.Page.Title, " ", e.Page.Status))
		}
	}
	return pages
}

func TestPagesSeenWhileSwitchedAreNoted(t *testing.T) {
	s := newSite(t)
	link, err := s.app.PasswordLink(t.Context(), crm.Operator(), s.account(omar))
	if err != nil {
		t.Fatal(err)
	}
	b := s.as(ann)
	b.get("/admin/customers")
	b.become(jane)
	b.get("/?secret=hidden").wants(t, 200)
	b.get("/?secret=other").wants(t, 200) // the same page again
	b.do("GET", "/company", nil, "X-Modal", "1", "HX-Request", "true", "Accept", "application/json", "Referer", b.http.URL+"/company", "Sec-Purpose", "prefetch").wants(t, 200)
	b.do("HEAD", "/profile", nil).wants(t, 200)
	b.get("/admin/staff").wants(t, 403)
	b.get("/nothing/"+link).wants(t, 404)
	b.get("/login").wants(t, 409)
	b.get("/password/"+link).wants(t, 200)
	b.get("/assets/x/app.css").wants(t, 200)
	b.get("/profile/").wants(t, 303)
	b.get("/session").wants(t, 200)
	b.get("/profile").wants(t, 200)
	b.post("/session/restore").wants(t, 303)
	b.get("/admin/activity").wants(t, 200)
	want := []string{"/ Dashboard 200", "/company Company 200", "/admin/staff Not allowed 403", "/login Sign-in 409", "/password/{token} Set a password 200", "/session Your session 200", "/profile Profile 200"}
	seen := s.pagesSeen()
	for i := range max(len(seen), len(want)) {
		got, expected := "", ""
		if i < len(seen) {
			got = seen[i]
		}
		if i < len(want) {
			expected = want[i]
		}
		path, _, _ := strings.Cut(expected, " ")
		if !strings.HasPrefix(got, path+" ") || got[len(got)-3:] != expected[len(expected)-3:] || len(strings.Fields(got)) < 3 {
			t.Errorf("page %d is %q, want %q", i, got, expected)
		}
	}
	if all := fmt.Sprint(s.events()); strings.Contains(all, "hidden") || strings.Contains(all, link) {
		t.Error("a secret of an address is in the record")
	}
}

func TestTheSelfCheckReachesTheWayBack(t *testing.T) {
	for _, base := range []string{"", "/crm"} {
		s := newSiteAt(t, base)
		if c := s.app.CheckSwitching(t.Context())[0]; c.Name != "restore" || !c.OK {
			t.Errorf("at %q: %+v", base, c)
		}
		s.server.templates.pages["session"] = nil
		if c := s.app.CheckSwitching(t.Context())[0]; c.OK || !strings.Contains(c.Detail, "/session answered 500") {
			t.Errorf("at %q, broken: %+v", base, c)
		}
	}
}

func TestTheActivityLogNamesBothAndFollowsASwitch(t *testing.T) {
	s := newSite(t)
	b := s.as(ann)
	b.become(omar)
	b.get("/profile")
	b.post("/profile", "name", "Omar Haddad", "phone", "1").wants(t, 303)
	b.get("/")
	b.post("/session/restore").wants(t, 303)
	for language, as := range map[string]string{"en": "<bdi>Ann Lee</bdi> as <bdi>Omar Haddad</bdi>", "es": "<bdi>Ann Lee</bdi> como <bdi>Omar Haddad</bdi>", "ar": "<bdi>Ann Lee</bdi> باسم <bdi>Omar Haddad</bdi>"} {
		b.get("/admin")
		b.post("/preferences", "language", language, "back", "/admin").wants(t, 303)
		b.get("/admin/activity").wants(t, 200).says(t, as)
		b.get("/admin").wants(t, 200).says(t, as)
	}
	b.post("/preferences", "language", "en", "back", "/admin").wants(t, 303)
	a := checkPage(t, b.get("/admin/activity?action=profile_changed").wants(t, 200)).says(t, "All of this account switch")
	_, after, _ := strings.Cut(a.body, `href="/admin/activity?switch=`)
	id, _, _ := strings.Cut(after, `"`)
	checkPage(t, b.get("/admin/activity?switch="+id).wants(t, 200)).says(t, "<td>Began to act as somebody else", "<td>Changed the own profile", "<td>Ceased to act as somebody else", ">Account switch</label>").silent(t, "<td>Signed in", "All of this account switch")
	b.get("/admin/activity?switch=x").wants(t, 422).says(t, "This is not the number of an account switch.")
	b.get("/admin/activity?switch=999999").wants(t, 200).silent(t, "<td>Began to act", "(CSV)")
}

// BenchmarkPageWhileSwitched is a page with and without the note that it was seen, in turn, and
// their medians; what was noted is written every second meanwhile.
func BenchmarkPageWhileSwitched(b *testing.B) {
	s := newSite(b)
	visitor := s.as(ann)
	visitor.become(jane)
	noted, cookie := s.server.seen, visitor.cookie()
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(time.Second):
				_ = s.app.FlushPages(context.Background()) // the next time tells
			}
		}
	}()
	took := map[bool][]time.Duration{}
	for i := 0; b.Loop(); i++ {
		for _, with := range []bool{i%2 == 0, i%2 != 0} {
			s.server.seen = func(crm.Who, string, string, int) {}
			if with {
				s.server.seen = noted
			}
			r := httptest.NewRequest(get, []string{"/", "/profile", "/company"}[i%3], nil)
			r.AddCookie(cookie)
			w, start := httptest.NewRecorder(), time.Now()
			s.server.ServeHTTP(w, r)
			took[with] = append(took[with], time.Since(start))
			if w.Code != http.StatusOK {
				b.Fatal(w.Code)
			}
		}
	}
	for with, unit := range map[bool]string{true: "µs/noted", false: "µs/not"} {
		sorted := slices.Sorted(slices.Values(took[with]))
		b.ReportMetric(float64(sorted[len(sorted)/2].Microseconds()), unit)
	}
}
