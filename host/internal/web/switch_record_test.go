package web

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
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

// behind opens the database beside the store.
func (s *site) behind(do func(*sql.DB) error) error {
	db, err := sql.Open("sqlite", s.database)
	if err != nil {
		return err
	}
	defer db.Close()
	return do(db)
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

// values fill the patterns of the table of routes with things there are.
func (s *site) values(b *browser) *strings.Replacer {
	s.t.Helper()
	b.get("/admin/modules").wants(s.t, 200)
	staged := b.upload("other.zip", samplePackage(s.t, "other")).wants(s.t, 303).Header.Get("Location")
	b.post("/admin/modules/keys", "name", "Acme", "public_key", "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3").wants(s.t, 303)
	_, after, _ := strings.Cut(b.get("/admin/modules/keys").body, "/admin/modules/keys/")
	key, _, _ := strings.Cut(after, "/")
	link, err := s.app.PasswordLink(context.Background(), crm.Operator(), s.account(omar))
	if err != nil {
		s.t.Fatal(err)
	}
	return strings.NewReplacer("{id}", "1", "{customer}", "1", "{module}", "sample-00", "{path...}", "log", "{section}", "general", "{staged}", filepath.Base(staged),
		"{key}", key, "{token}", link, "{$}", "", "{version}", "x", "{file...}", "app.css")
}

// left are the tables that change by themselves.
var left = map[string]string{
	"module_log":       "modules write it, and it is flushed when it is read",
	"sqlite_sequence":  "of the engine",
	"goose_db_version": "of the migrations",
}

// packages hold megabytes; their sums stand for them.
var packages = map[string]string{
	"module_packages": "SELECT sha256, length(package) FROM module_packages",
	"staged_packages": "SELECT id, by_kind, by_id, filename, sha256, length(package), staged_at FROM staged_packages",
}

// changes tells, each time it is called, in which tables any row changed since the last time.
func (s *site) changes() func() []string {
	s.t.Helper()
	db, err := sql.Open("sqlite", s.database)
	if err != nil {
		s.t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	s.t.Cleanup(func() { _ = db.Close() })
	var version string
	known := map[string]string{}
	look := func() (changed []string) {
		now, err := column(db, "PRAGMA data_version") // goes up when somebody else has committed
		if err != nil {
			s.t.Fatal(err)
		}
		if now[0] == version {
			return nil
		}
		version = now[0]
		for name, rows := range s.tables(db) {
			if rows != known[name] {
				changed, known[name] = append(changed, name), rows
			}
		}
		return changed
	}
	look()
	return look
}

// tables is every row there is, by table.
func (s *site) tables(db *sql.DB) map[string]string {
	s.t.Helper()
	found := map[string]string{}
	names, err := column(db, "SELECT name FROM sqlite_master WHERE type = 'table'")
	if err != nil || len(names) < 20 {
		s.t.Fatal(err, names)
	}
	for _, name := range names {
		if left[name] != "" {
			continue
		}
		rows, err := column(db, cmp.Or(packages[name], "SELECT * FROM "+name))
		if err != nil {
			s.t.Fatal(err)
		}
		found[name] = strings.Join(rows, "\n")
	}
	return found
}

func column(db *sql.DB, query string) ([]string, error) {
	rows, err := db.Query(query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	var list []string
	for rows.Next() {
		cells := make([]any, len(columns))
		for i := range cells {
			cells[i] = new(any)
		}
		if err := rows.Scan(cells...); err != nil {
			return nil, err
		}
		var texts []string
		for i, c := range cells {
			value := *c.(*any)
			if columns[i] == "seen_at" || columns[i] == "ip" && columns[0] == "id" && slices.Contains(columns, "secret_hash") {
				continue // a session's use is noted now and then, whoever uses it
			}
			if data, is := value.([]byte); is {
				value = string(data)
			}
			texts = append(texts, fmt.Sprint(value))
		}
		list = append(list, strings.Join(texts, "|"))
	}
	return list, rows.Err()
}

// eve is an administrator Ann can become, so that every route of the admin area is within reach.
const eve = "eve@example.com"

func (s *site) withEve() {
	s.t.Helper()
	if _, err := s.app.CreateAdministrator(context.Background(), crm.Operator(), "Eve Stone", eve, demoPassword); err != nil {
		s.t.Fatal(err)
	}
}

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

func TestTheActivityLogIsExportedAsItIsNarrowed(t *testing.T) {
	s := newSite(t)
	b := s.as(ann)
	b.get("/admin/profile")
	for _, name := range []string{"=HYPERLINK(1)", "+1", "-1", "@SUM(1)", " =1+1", "＝1", `Quote " and, comma`} {
		b.post("/admin/customers/new", "company", name, "active", "true").wants(t, 303)
	}
	b.get("/admin/customers/1/edit")
	a := b.post("/admin/activity/export", "format", "csv", "action", "customer_created").wants(t, 200)
	if a.Header.Get("Content-Type") != "text/csv; charset=utf-8" || !strings.HasPrefix(a.Header.Get("Content-Disposition"), `attachment; filename="activity-2`) {
		t.Error(a.Header)
	}
	rows, err := csv.NewReader(strings.NewReader(a.body)).ReadAll()
	if err != nil || len(rows) != 8 || !slices.Equal(rows[0], activityColumns) {
		t.Fatal(err, rows)
	}
	for _, row := range rows[1:] {
		if row[1] != "Ann Lee" || row[6] != "customer_created" || row[7] != "Added a customer" && row[7] == "" {
			t.Errorf("row %q", row)
		}
		for _, cell := range row {
			if strings.ContainsAny(strings.TrimSpace(cell + "x")[:1], "=+-@") || strings.HasPrefix(strings.TrimSpace(cell), "＝") {
				t.Errorf("a formula: %q", cell)
			}
		}
	}
	a = b.post("/admin/activity/export", "format", "json", "action", "customer_created").wants(t, 200)
	var lines []activityLine
	if err := json.Unmarshal([]byte(a.body), &lines); err != nil || len(lines) != 7 || !strings.Contains(a.body, `"company":"=HYPERLINK(1)"`) {
		t.Error(err, a.body)
	}
	if a := b.post("/admin/activity/export", "format", "json", "q", "nothing-matches-this").wants(t, 200); strings.TrimSpace(a.body) != "[]" {
		t.Errorf("an empty list is %q", a.body)
	}
	if a := b.post("/admin/activity/export", "format", "csv", "q", "nothing-matches-that").wants(t, 200); strings.Count(a.body, "\n") != 1 {
		t.Errorf("an empty table is %q", a.body)
	}
	b.get("/admin/activity?action=activity_exported").wants(t, 200).says(t, "Exported the Activity Log", "Format: csv", "entries: 7", "action: customer_created", "search: nothing-matches-this")
	b.post("/admin/activity/export", "format", "xls").wants(t, 422).says(t, "There is no such format")
	b.post("/admin/activity/export", "format", "csv", "from", "yesterday").wants(t, 422)
	b.get("/admin/activity/export").wants(t, 405)
	s.as(cleo).post("/admin/activity/export", "format", "csv").wants(t, 403)
	s.withEve()
	b.become(eve)
	checkPage(t, b.get("/admin/activity").wants(t, 200)).says(t, "This is refused while you are signed in as Eve Stone")
	b.post("/admin/activity/export", "format", "csv").wants(t, 403)
}

func TestCellsAreHarmless(t *testing.T) {
	for cell, want := range map[string]string{
		"": "", "Acme": "Acme", "=1": "'=1", "+1": "'+1", "-1": "'-1", "@x": "'@x", "\t=1": "'\t=1", "\r1": "'\r1", "\n": "'\n", " =1": "' =1", "\u00a0+1": "'\u00a0+1",
		"＝1": "'＝1", "－1": "'－1", "a=1": "a=1", "'=1": "'=1", " a": " a",
	} {
		if got := harmless(cell); got != want {
			t.Errorf("%q became %q", cell, got)
		}
	}
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
