package module

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/crm"
)

// HostPages makes the host's own pages; hostile_web_linux_test.go, which may import them, sets it.
var HostPages func(*app.App, *Manager) (http.Handler, error)

// siege is a host with a good module on it, its pages served as in earnest, and room for a bad one.
type siege struct {
	*stage
	http    *httptest.Server
	browser *http.Client
}

// besiege starts it. What never answers is made [siege.hasty] first, and all else has its time.
func besiege(t *testing.T) *siege {
	t.Helper()
	needSandbox(t)
	s := &siege{stage: newStage(t, func(q *timing) {
		q.deactivate, q.grace, q.backoff, q.flush, q.load = 20*time.Second, 500*time.Millisecond, time.Hour, 200*time.Millisecond, 100*time.Millisecond
	})}
	s.m.requireSandbox = RequireFull
	s.active(kit{id: "good"})
	pages, err := HostPages(s.site.App, s.m)
	if err != nil {
		t.Fatal(err)
	}
	s.http = httptest.NewServer(pages)
	t.Cleanup(s.http.Close)
	s.signIn()
	return s
}

// signIn takes Ann through the door that people use.
func (s *siege) signIn() {
	s.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	s.browser = &http.Client{Jar: jar}
	form := url.Values{"email": {"admin@example.com"}, "password": {app.DemoPassword}}
	answer, err := s.browser.PostForm(s.http.URL+"/admin/login", form)
	if err != nil {
		s.t.Fatal(err)
	}
	answer.Body.Close()
}

// fetch is a look at a page of the host, as a browser has it.
func (s *siege) fetch(path string) (*http.Response, string) {
	s.t.Helper()
	answer, err := s.browser.Get(s.http.URL + path)
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return answer, string(text)
}

// unhurt looks whether the good module and the host's own pages are as they were.
func (s *siege) unhurt() {
	s.t.Helper()
	for path, want := range map[string]string{
		"/admin": "Ann Lee", "/admin/modules": "good", "/admin/m/good/pick": "Sample for Ann Lee",
	} {
		if answer, page := s.fetch(path); answer.StatusCode != http.StatusOK || !strings.Contains(page, want) {
			s.t.Errorf("%s beside it: %d, no %q", path, answer.StatusCode, want)
		}
	}
	if row := s.row("good"); row.State != Active || row.Crashes != 0 {
		s.t.Errorf("the good module beside it is %s, crashes %d", row.State, row.Crashes)
	}
}

// rogue is a package that speaks the contract by hand, and makes the attack.
func (s *siege) rogue(attack, grants string) kit {
	s.t.Helper()
	return kit{id: "rogue", mode: "rogue " + attack, grants: or(grants, "[]"), program: the(s.t, hostile)}
}

// enter installs and activates a rogue.
func (s *siege) enter(attack, grants string) error {
	s.t.Helper()
	return s.letIn(s.rogue(attack, grants))
}

func (s *siege) letIn(k kit) error {
	s.t.Helper()
	s.install(k)
	return s.m.Activate(s.t.Context(), s.ann.Who(), k.id)
}

// hasty has the host wait half a second for whatever the rogue is asked, until it is given its time
// back. It is for what never answers: the deadline is all that can end it.
func (s *siege) hasty() (giveBack func()) {
	s.t.Helper()
	r, err := s.m.active("rogue")
	if err != nil {
		s.t.Fatal(err)
	}
	const soon = time.Second / 2
	q, usual := &r.timing, r.timing
	q.lifecycle, q.deactivate, q.page, q.idle, q.hook, q.healthLimit = soon, soon, soon, soon, soon, soon
	return func() { *q = usual }
}

// leave takes it away, with all it kept, however far it got.
func (s *siege) leave() {
	s.t.Helper()
	rows, err := s.m.Modules(s.t.Context(), s.ann.Who())
	if err != nil {
		s.t.Errorf("leave: %v", err)
	}
	if !slices.ContainsFunc(rows, func(r Row) bool { return r.ID == "rogue" }) {
		return
	}
	if s.row("rogue").Activated {
		if err := s.m.Deactivate(s.t.Context(), s.ann.Who(), "rogue"); err != nil {
			s.t.Errorf("deactivate: %v", err)
		}
	}
	if err := s.m.Uninstall(s.t.Context(), s.ann.Who(), "rogue", true, "Sample rogue"); err != nil {
		s.t.Errorf("uninstall: %v", err)
	}
}

// page asks for a page of the rogue's to its end.
func (s *siege) page(path string) (pageResponse, string, error) {
	s.t.Helper()
	path, query, _ := strings.Cut(path, "?")
	answer, err := s.m.servePage(s.t.Context(), PageRequest{Module: "rogue", Method: "GET", Path: path, RawQuery: query, Viewer: s.viewer()})
	if err != nil {
		return answer, "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	return answer, string(text), err
}

// said waits for words in the module's log, as an administrator reads it.
func (s *siege) said(words string) {
	s.t.Helper()
	defer func() {
		if s.t.Failed() {
			s.t.Logf("its log, the latest first:\n%.4000s", s.log("rogue"))
		}
	}()
	eventually(s.t, "its log says "+words, func() bool { return strings.Contains(s.log("rogue"), words) })
	if strings.ContainsAny(s.log("rogue"), "\x1b\r\u202e") {
		s.t.Error("its log holds what a terminal or a screen obeys")
	}
}

// recorded looks for a failed step of the rogue's in the Activity Log.
func (s *siege) recorded(step, result string) {
	s.t.Helper()
	for _, entry := range s.site.Audit(s.t, "module_step_failed") {
		if entry.Object == "module:rogue" && entry.Detail["step"] == step && entry.Detail["result"] == result {
			return
		}
	}
	s.t.Errorf("the Activity Log has no failed %s by %s", step, result)
}

// question is one that any decider may be asked.
func (s *siege) question() crm.SwitchQuestion {
	who := s.ann.Who()
	return crm.SwitchQuestion{Actor: who.Actor, Target: who.Actor, Reason: "testing"}
}
