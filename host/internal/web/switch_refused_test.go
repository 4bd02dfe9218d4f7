package web

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

// onetimesecret ADR-041: a GET that changes something. Every GET of the table, by an administrator
// as herself and as another, and every GET of the portal as a contact, leaves every table as it was.
func TestGettingChangesNothing(t *testing.T) {
	s := newSite(t)
	s.activate(t, 1)
	s.withEve()
	values := s.values(s.as(ann))
	own, asEve, asJane, contact := s.as(ann), s.as(ann), s.as(ann), s.as(jane)
	asEve.become(eve)
	asJane.become(jane)
	for who, b := range map[string]*browser{"Ann": own, "Ann as Eve": asEve, "Ann as Jane": asJane, "Jane": contact} {
		b.get("/session").wants(t, 200)
		for _, home := range []string{"/admin", "/"} {
			b.get(home) // shows the notice that is waiting, if any is
		}
		changes, answered := s.changes(), 0
		for _, r := range routes() {
			if r.method != get {
				continue
			}
			path := values.Replace(r.pattern)
			if strings.Contains(path, "{") {
				t.Fatalf("%s has a part this test has no value for", r.pattern)
			}
			for _, tail := range []string{"", "?_method=POST&form_token=" + url.QueryEscape(b.token) + "&active=no&name=x"} {
				a := b.do(get, path+tail, nil, "X-HTTP-Method-Override", "POST", "X-Method-Override", "DELETE")
				if a.StatusCode == http.StatusOK {
					answered++
				}
				names := changes()
				if a.StatusCode == http.StatusForbidden {
					names = slices.DeleteFunc(names, func(n string) bool { return strings.HasPrefix(n, "audit_") }) // that it was refused
				}
				if len(names) > 0 {
					t.Errorf("GET %s by %s (%d) changed %v", path+tail, who, a.StatusCode, names)
				}
			}
		}
		if least := map[string]int{"Ann": 60, "Ann as Eve": 60}[who]; answered < max(least, 10) {
			t.Errorf("%s was answered only %d pages", who, answered)
		}
	}
}

// Whatever way a sensitive thing is asked for under a borrowed name, it is refused, changes nothing,
// and is recorded once, with the rule.
func TestEverySensitiveRouteIsRefusedWhileSwitchedAndRecordedOnce(t *testing.T) {
	s := newSite(t)
	s.activate(t, 1)
	s.withEve()
	values := s.values(s.as(ann))
	asEve, asJane := s.as(ann), s.as(ann)
	asEve.become(eve)
	asEve.get("/admin").wants(t, 200)
	asJane.become(jane)
	asJane.get("/").wants(t, 200)
	may := []string{"audit_entries", "audit_chains"}
	changes, tried := s.changes(), 0
	for _, r := range routes() {
		if r.class != crm.SensitiveRoute && r.pattern != "/password/{token}" && r.pattern != "/setup/{token}" || r.method == get {
			continue
		}
		b, code := asEve, "refused_while_switched"
		if r.area == portal {
			b = asJane
		}
		path, token := values.Replace(r.pattern), url.QueryEscape(b.token)
		if r.need.perPage {
			path = strings.Replace(path, "/log", "/vault", 1)
		}
		for name, ask := range map[string]func() answer{
			"form":   func() answer { return b.do(r.method, path, url.Values{"form_token": {b.token}, "name": {"Mallory"}}) },
			"query":  func() answer { return b.do(r.method, path+"?form_token="+token+"&name=Mallory", nil) },
			"header": func() answer { return b.do(r.method, path, nil, "X-Form-Token", b.token) },
			"json":   func() answer { return b.sendJSON(r.method, path) },
			"override": func() answer {
				return b.do(r.method, path, url.Values{"form_token": {b.token}, "_method": {"GET"}}, "X-HTTP-Method-Override", "GET", "X-HTTP-Method", "GET")
			},
			"fragment": func() answer { return b.do(r.method, path, url.Values{"form_token": {b.token}}, "X-Modal", "1") },
		} {
			refusals := s.refusals()
			a := ask()
			if a.StatusCode != http.StatusForbidden {
				t.Errorf("%s %s (%s): %d", r.method, path, name, a.StatusCode)
			}
			for _, table := range changes() {
				if !slices.Contains(may, table) {
					t.Errorf("%s %s (%s) changed %s", r.method, path, name, table)
				}
			}
			now := s.refusals()
			if len(now) != len(refusals)+1 {
				t.Errorf("%s %s (%s) was recorded %d times", r.method, path, name, len(now)-len(refusals))
			} else if e := now[0]; e.Detail["rule"] != code || e.ActorName != "Ann Lee" || e.SwitchID == 0 || !strings.HasPrefix(e.Object, r.method+" /") || strings.Contains(e.Object, "token=") {
				t.Errorf("%s %s (%s) was recorded as %+v", r.method, path, name, e)
			}
			tried++
		}
		for _, method := range []string{"HEAD", "OPTIONS", "PUT", "PATCH", "DELETE", "TRACE", "LOCK"} {
			if r.need.perPage && method != "OPTIONS" && method != "TRACE" && method != "LOCK" {
				continue // routes of their own
			}
			b.do(method, path, nil, "X-Form-Token", b.token)
			if names := changes(); len(names) > 0 {
				t.Errorf("%s %s changed %v", method, path, names)
			}
		}
	}
	if tried < 200 {
		t.Errorf("only %d ways were tried", tried)
	}
	// A page a module may answer for her, but what it then asks of the host it may not.
	before := len(s.refusals())
	asEve.sendJSON(post, "/admin/m/sample-00/language?tag=es").wants(t, 403)
	if now := s.refusals(); len(now) != before+1 || now[0].Object != "POST /admin/m/sample-00/language" || now[0].Detail["rule"] != "refused_while_switched" {
		t.Errorf("%d refusals more, at last %+v", len(now)-before, now[0])
	}
	// In the other part of the site nothing is done either, and that it was tried is recorded.
	before = len(s.refusals())
	asJane.post("/admin/settings/general", "site_name", "Mallory").wants(t, 403)
	asJane.get("/admin/settings/general").wants(t, 403)
	if now := s.refusals(); len(now) != before+1 || now[0].Detail["rule"] != "area_while_switched" {
		t.Errorf("%d refusals more, at last %+v", len(now)-before, now[0])
	}
}

func (b *browser) sendJSON(method, path string) answer {
	b.t.Helper()
	return b.send(method, path, strings.NewReader(`{"name": "Mallory"}`), "Content-Type", "application/json", "X-Form-Token", b.token)
}

func (s *site) refusals() []crm.AuditEntry {
	s.t.Helper()
	found, err := s.app.Activity(context.Background(), crm.Operator(), crm.Query{Limit: 500, Filter: map[string]string{"action": "refused"}})
	if err != nil {
		s.t.Fatal(err)
	}
	for found.Next != "" {
		more, err := s.app.Activity(context.Background(), crm.Operator(), crm.Query{Limit: 500, After: found.Next, Filter: map[string]string{"action": "refused"}})
		if err != nil {
			s.t.Fatal(err)
		}
		found.Rows, found.Next = append(found.Rows, more.Rows...), more.Next
	}
	return found.Rows
}

// What a module answers and is sent under a borrowed name leaves a trace, whatever status it chooses.
func TestNothingOfAModuleIsWithoutATrace(t *testing.T) {
	s := newSite(t)
	s.activate(t, 1)
	s.withEve()
	b := s.as(ann)
	b.become(eve)
	for _, status := range []int{200, 203, 206, 300, 404, 503} {
		b.get(fmt.Sprintf("/admin/m/sample-00/log/of-%d?status=%[1]d", status))
	}
	b.do(http.MethodPut, "/admin/m/sample-00/log/kept", nil, "X-Form-Token", b.token).wants(t, 200)
	b.post("/admin/m/sample-00/log/kept", "name", "Mallory").wants(t, 200)
	b.get("/session").wants(t, 200)
	all := strings.Join(s.pagesSeen(), "\n")
	for _, status := range []string{"200", "203", "206", "300", "404", "503"} {
		if !strings.Contains(all, "/log/of-"+status) || !strings.Contains(all, " "+status) {
			t.Errorf("an answer of %s left no trace:\n%s", status, all)
		}
	}
	var sent []string
	for _, e := range s.events() {
		if e.Entry.Action == "module_form_sent" {
			sent = append(sent, e.Entry.ActorName+" as "+e.Entry.SubjectName+": "+e.Entry.Object+" "+e.Entry.Detail["module"])
		}
	}
	want := []string{"Ann Lee as Eve Stone: PUT /admin/m/sample-00/log/kept sample-00", "Ann Lee as Eve Stone: POST /admin/m/sample-00/log/kept sample-00"}
	if !slices.Equal(sent, want) {
		t.Errorf("what was sent: %q", sent)
	}
	own := s.as(ann)
	own.get("/admin").wants(t, 200)
	before := len(s.events())
	own.post("/admin/m/sample-00/log/kept", "name", "x").wants(t, 200)
	if len(s.events()) != before {
		t.Error("what one does as oneself stands among what was done under a borrowed name")
	}
}
