package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/understudy-crm/understudy/sdk"
	"github.com/understudy-crm/understudy/sdk/sdktest"
)

var (
	ann  = sdk.Account{Key: sdk.AccountKey{Kind: sdk.Staff, ID: 1}, Name: "Ann Lee", Email: "ann@example.com", Active: true, Administrator: true}
	ben  = sdk.Account{Key: sdk.AccountKey{Kind: sdk.Staff, ID: 2}, Name: "Ben Ortiz", Email: "ben@example.com", Active: true, Role: "Support", Capabilities: []string{mayStaff, mayCustomers}}
	cleo = sdk.Account{Key: sdk.AccountKey{Kind: sdk.Staff, ID: 3}, Name: "Cleo Park", Email: "cleo@example.com", Active: true, Role: "Sales"}
	dan  = sdk.Account{Key: sdk.AccountKey{Kind: sdk.Staff, ID: 4}, Name: "Dan Moss", Email: "dan@example.com"}
	eve  = sdk.Account{Key: sdk.AccountKey{Kind: sdk.Staff, ID: 5}, Name: "Eve Auditor", Email: "eve@example.com", Active: true, Capabilities: []string{mayViewLog}}
	jane = sdk.Account{Key: sdk.AccountKey{Kind: sdk.Contact, ID: 1}, Name: "Jane Doe", Email: "jane@acme.example", Active: true, Company: "Acme Ltd", CustomerID: 1}
	rosa = sdk.Account{Key: sdk.AccountKey{Kind: sdk.Contact, ID: 2}, Name: "Rosa Diaz", Email: "rosa@globex.example", Active: true, Company: "Globex", CustomerID: 2, Language: "es"}
	bill = sdk.Account{Key: sdk.AccountKey{Kind: sdk.Contact, ID: 3}, Name: "Bill Lum", Email: "bill@initech.example", Company: "Initech", CustomerID: 3}
	evil = sdk.Account{Key: sdk.AccountKey{Kind: sdk.Contact, ID: 4}, Name: `<script>alert("x")</script>`, Email: "evil@acme.example", Active: true, Company: `"><img src=x>`, CustomerID: 1}

	noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
)

func newKit(t *testing.T, options sdktest.Options) *sdktest.Kit {
	t.Helper()
	if options.People == nil {
		options.People = []sdk.Account{ann, ben, cleo, dan, eve, jane, rosa, bill, evil}
	}
	return sdktest.New(t, impersonation(), options)
}

func mustHold(t *testing.T, page sdktest.Response, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(page.Body, part) {
			t.Errorf("lacks %q in\n%s", part, page.Body)
		}
	}
}

func mustLack(t *testing.T, page sdktest.Response, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if strings.Contains(page.Body, part) {
			t.Errorf("holds %q in\n%s", part, page.Body)
		}
	}
}

func TestWordsOnTheScreenAreTheDocumentedOnes(t *testing.T) {
	kit := newKit(t, sdktest.Options{})
	words := kit.Words("en")
	c := impersonation().Contributions
	got := map[string]string{
		"feature": words.T(c.FeatureLabelKey), "icon": words.T(c.Navbar[0].LabelKey), "stop": words.T(c.Navbar[1].LabelKey),
		"settings page": words.T(c.SettingsPages[0].TitleKey), "start page": words.T(c.Pages[0].TitleKey),
		"links": words.T(c.ActionLinks[0].LabelKey) + ", " + words.T(c.ActionLinks[1].LabelKey),
	}
	for _, field := range c.SettingsPages[0].Fields {
		got[field.Key] = words.T(field.LabelKey) + " " + field.Default
	}
	for _, capability := range c.Capabilities {
		got[capability.Key] = words.T(capability.LabelKey)
	}
	want := map[string]string{
		"feature": "Impersonation", "icon": "Impersonate", "stop": "Stop Impersonation", "settings page": "Impersonate",
		"start page": "Impersonate", "links": "Settings, View Log",
		"disable_impersonation": "Disable Impersonation false", "enable_customers": "Enable for Customers true",
		"enable_admins": "Enable for Admins true",
		"staff":         "Impersonate staff", "customers": "Impersonate customers", "view_log": "View log",
	}
	if !maps.Equal(got, want) {
		t.Errorf("got %v", got)
	}
	if !strings.Contains(words.T("enable_admins_help"), "other staff members") {
		t.Error("the help of Enable for Admins does not say other staff members")
	}
	if len(c.ActionLinks) != 2 || c.ActionLinks[0].Page != "" || c.ActionLinks[1].Page != "/log" {
		t.Errorf("action links %+v", c.ActionLinks)
	}
	if m := kit.Manifest(); m.ID != "impersonation" || m.Version != "1.0.0" || m.Requires.Host != ">=3.1.0" || m.CheckHost("3.0.9") == nil || m.CheckHost("5.0.0") != nil {
		t.Errorf("manifest %+v", m)
	}
}

func TestStopStandsInBothAreasWhileSwitched(t *testing.T) {
	kit := newKit(t, sdktest.Options{})
	stop, icon := impersonation().Contributions.Navbar[1], impersonation().Contributions.Navbar[0]
	if !stop.Attention || !stop.Action.Restore || len(stop.Areas) != 2 {
		t.Errorf("%+v", stop)
	}
	for _, viewer := range []sdk.Viewer{kit.ViewerAs(ann, jane), kit.ViewerAs(ben, cleo), kit.ViewerAs(ann, ben)} {
		if !kit.Visible(stop.Visible, viewer) || kit.Visible(icon.Visible, viewer) {
			t.Errorf("as %s", viewer.Subject.Name)
		}
	}
	for who, want := range map[*sdk.Account]bool{&ann: true, &ben: true, &cleo: false, &eve: false} {
		if kit.Visible(icon.Visible, kit.Viewer(*who)) != want || kit.Visible(stop.Visible, kit.Viewer(*who)) {
			t.Errorf("%s", who.Name)
		}
	}
}

// Every page for every kind of viewer.
func TestWhoMayOpenWhat(t *testing.T) {
	kit := newKit(t, sdktest.Options{})
	viewers := map[string]sdk.Viewer{
		"administrator": kit.Viewer(ann), "starter": kit.Viewer(ben), "nobody": kit.Viewer(cleo), "auditor": kit.Viewer(eve),
		"contact": kit.Viewer(jane), "switched to staff": kit.ViewerAs(ann, ben), "switched to contact": kit.ViewerAs(ann, jane),
	}
	for path, want := range map[string]map[string]int{
		"/start":                     {"administrator": 200, "starter": 200, "nobody": 403, "auditor": 403, "switched to staff": 409},
		"/search":                    {"administrator": 200, "starter": 200, "nobody": 403, "auditor": 403, "switched to staff": 409},
		"/log":                       {"administrator": 200, "starter": 403, "nobody": 403, "auditor": 200, "switched to staff": 403},
		"/log.csv":                   {"administrator": 200, "starter": 403, "nobody": 403, "auditor": 200, "switched to staff": 403},
		"/languages":                 {"administrator": 200, "starter": 403, "nobody": 403, "auditor": 403, "switched to staff": 403},
		"/languages/download?tag=en": {"administrator": 200, "starter": 403, "nobody": 403, "auditor": 403, "switched to staff": 403},
		"/other":                     {"administrator": 404, "starter": 404, "nobody": 404, "auditor": 404, "switched to staff": 404},
	} {
		for who, viewer := range viewers {
			status := want[who]
			if viewer.Area == sdk.PortalArea {
				status = http.StatusNotFound
			}
			if page := kit.Get(path, viewer); page.Status != status {
				t.Errorf("%s for %s: %d, wanted %d: %s", path, who, page.Status, status, page.Body)
			}
		}
	}
	for _, path := range []string{"/start", "/search", "/log", "/log.csv", "/languages/download"} {
		if page := kit.Post(path, nil, kit.Viewer(ann)); page.Status != http.StatusMethodNotAllowed || page.Header.Get("Allow") != "GET, HEAD" {
			t.Errorf("POST %s: %d", path, page.Status)
		}
	}
	if page := kit.Get("/languages/delete", kit.Viewer(ann)); page.Status != http.StatusMethodNotAllowed {
		t.Errorf("GET /languages/delete: %d", page.Status)
	}
}

func TestStartFormIsTheDocumentedOne(t *testing.T) {
	kit := newKit(t, sdktest.Options{})
	viewer := kit.Viewer(ann)
	viewer.SitePath = "/crm"
	page := kit.Get("/start", viewer)
	mustHold(t, page,
		`method="post" action="/crm/session/switch"`, `name="form_token" value="`+sdktest.FormToken+`"`,
		`<label class="form-label" for="impersonation-kind">User Type</label>`, `<option value="staff" selected>Staff</option>`, `<option value="contact">Customer</option>`,
		`<label class="form-label" for="impersonation-target">User</label>`, `data-search-url="/admin/m/impersonation/search" data-search-with="kind"`,
		`<option value="staff:2">Ben Ortiz</option>`, `name="reason" rows="2" maxlength="500"`, `at most 60 minutes`,
		`<button class="btn btn-primary" type="submit">Impersonate</button>`, `<noscript>`)
	mustLack(t, page, "Ann Lee", "Dan Moss", "Jane Doe", "<script", "style=", "onclick", "<h1")

	page = kit.Get("/start?kind=contact", viewer)
	mustHold(t, page, `<option value="contact" selected>`, `<option value="contact:1">Jane Doe (Acme Ltd)</option>`)
	mustLack(t, page, "Bill Lum", "Cleo Park")
	if search := kit.Host.Searches[len(kit.Host.Searches)-1]; !search.ActiveOnly || search.AsTargetOf != ann.Key || search.Limit != 20 {
		t.Errorf("asked %+v", search)
	}
}

func TestUserTypeIsHiddenWhenOneKindIsAllowed(t *testing.T) {
	kit := newKit(t, sdktest.Options{Settings: sdk.Settings{enableAdmins: "false"}})
	page := kit.Get("/start", kit.Viewer(ann))
	mustHold(t, page, `<input type="hidden" name="kind" value="contact">`, "Jane Doe (Acme Ltd)")
	mustLack(t, page, "User Type", "Ben Ortiz")

	onlyStaff := ben
	onlyStaff.Capabilities = []string{mayStaff}
	page = newKit(t, sdktest.Options{}).Get("/start", kit.Viewer(onlyStaff))
	mustHold(t, page, `<input type="hidden" name="kind" value="staff">`, "Cleo Park")
	mustLack(t, page, "User Type", "Jane Doe")
}

func TestStartSaysWhyNot(t *testing.T) {
	for _, test := range []struct {
		who      sdk.Account
		settings sdk.Settings
		path     string
		status   int
		says     string
	}{
		{ben, sdk.Settings{disableImpersonation: "true"}, "/start", 403, "only administrators may impersonate"},
		{ann, sdk.Settings{enableAdmins: "false", enableCustomers: "false"}, "/start", 403, "switched off for customers and for staff"},
		{ann, sdk.Settings{enableAdmins: "false"}, "/start?kind=staff", 403, "Impersonating staff members is switched off"},
		{ann, sdk.Settings{enableCustomers: "false"}, "/start?kind=contact&id=1", 403, "customers&#39; contacts is switched off"},
		{ann, sdk.Settings{disableImpersonation: "?"}, "/start", 403, "can&#39;t be read"},
		{ann, nil, "/start?kind=robot", 404, "no such user type"},
		{ann, nil, "/start?kind=contact&id=99", 404, "no such user any more"},
		{ann, nil, "/start?kind=contact&id=1'", 404, "no such user any more"},
	} {
		kit := newKit(t, sdktest.Options{Settings: test.settings})
		page := kit.Get(test.path, kit.Viewer(test.who))
		if page.Status != test.status || !strings.Contains(page.Body, test.says) || strings.Contains(page.Body, "<form") {
			t.Errorf("%s %v: %d %s", test.path, test.settings, page.Status, page.Body)
		}
	}
}

func TestStartFromARowChoosesThePerson(t *testing.T) {
	kit := newKit(t, sdktest.Options{Refusals: map[sdk.AccountKey]string{cleo.Key: "more_rights"}})
	page := kit.Get("/start?kind=contact&id=1", kit.Viewer(ben))
	mustHold(t, page, `<option value="contact:1" selected>Jane Doe (Acme Ltd)</option>`)
	if strings.Count(page.Body, "contact:1\"") != 1 {
		t.Error("the chosen person stands there twice")
	}
	page = kit.Get("/start?kind=contact&id=3", kit.Viewer(ben))
	mustHold(t, page, "This user or their company is not active.")
	mustLack(t, page, "selected>Bill")
	page = kit.Get("/start?kind=staff&id=1", kit.Viewer(ben))
	mustHold(t, page, "Only an administrator may become an administrator.")
	page = kit.Get("/start?kind=staff&id=3", kit.Viewer(ben))
	mustHold(t, page, "may do things that you may not", `<option value="staff:3" disabled>Cleo Park – This user may do things`)
	page = kit.Get("/start?kind=staff&id=2", kit.Viewer(ben))
	mustHold(t, page, "This is you.")
	mustLack(t, page, `value="staff:2"`)
}

func search(t *testing.T, page sdktest.Response) (results []found, problem string) {
	t.Helper()
	var said struct {
		Results []found
		Error   string
	}
	if err := json.Unmarshal([]byte(page.Body), &said); err != nil || page.Header.Get("Content-Type") != "application/json" || said.Results == nil {
		t.Fatalf("%v in %q", err, page.Body)
	}
	return said.Results, said.Error
}

func TestSearchFindsWhomYouMayBecome(t *testing.T) {
	kit := newKit(t, sdktest.Options{Refusals: map[sdk.AccountKey]string{cleo.Key: "something_new"}})
	results, _ := search(t, kit.Get("/search?kind=contact&q=acme+jane", kit.Viewer(ben)))
	if len(results) != 1 || results[0] != (found{Value: "contact:1", Text: "Jane Doe (Acme Ltd)", Detail: "jane@acme.example"}) {
		t.Errorf("%+v", results)
	}
	results, _ = search(t, kit.Get("/search?kind=staff&q=", kit.Viewer(ben)))
	want := []found{
		{Value: "staff:1", Text: "Ann Lee", Detail: "ann@example.com", Disabled: true, Reason: "Only an administrator may become an administrator."},
		{Value: "staff:3", Text: "Cleo Park", Detail: "cleo@example.com · Sales", Disabled: true, Reason: "This user can't be impersonated."},
		{Value: "staff:5", Text: "Eve Auditor", Detail: "eve@example.com"},
	}
	if !slices.Equal(results, want) {
		t.Errorf("%+v", results)
	}
	if results, _ = search(t, kit.Get("/search?q=nobody", kit.Viewer(ben))); len(results) != 0 {
		t.Errorf("%+v", results)
	}
	long := strings.Repeat("é", 5000)
	search(t, kit.Get("/search?q="+url.QueryEscape(long), kit.Viewer(ben)))
	if asked := kit.Host.Searches[len(kit.Host.Searches)-1].Term; len([]rune(asked)) != maxTerm {
		t.Errorf("asked for %d characters", len([]rune(asked)))
	}
}

// Who looks for a customer nobody can be chosen of learns why.
func TestSearchNamesCompaniesWithoutContact(t *testing.T) {
	kit := newKit(t, sdktest.Options{Companies: []sdk.CompanyWithoutContact{
		{CustomerID: 12, Company: "Umbrella", Active: true}, {CustomerID: 13, Company: "Umbra <b>", Active: false},
	}})
	results, _ := search(t, kit.Get("/search?kind=contact&q=umbr", kit.Viewer(ben)))
	want := []found{
		{Value: "customer:12", Text: "Umbrella", Disabled: true, Reason: "has no active contact. Add one under Customers."},
		{Value: "customer:13", Text: "Umbra <b>", Disabled: true, Reason: "is inactive. Make it active under Customers."},
	}
	if !slices.Equal(results, want) {
		t.Errorf("%+v", results)
	}
	for _, path := range []string{"/search?kind=contact&q=", "/search?kind=staff&q=umbr"} {
		results, _ = search(t, kit.Get(path, kit.Viewer(ben)))
		if slices.ContainsFunc(results, func(f found) bool { return strings.HasPrefix(f.Value, "customer:") }) {
			t.Errorf("%s: %+v", path, results)
		}
	}
}

func TestWhoSpeaksAboutThePersonNotToTheReader(t *testing.T) {
	kit := newKit(t, sdktest.Options{})
	page := kit.Get("/who?staff=staff:3", kit.Viewer(ann))
	mustHold(t, page, "have the permission “Impersonate customers”: give it to them or to their role.", "have the permission “Impersonate staff”: give it to them")
	mustLack(t, page, "give it to you")
}

func TestSearchKeepsToTheAllowedKinds(t *testing.T) {
	kit := newKit(t, sdktest.Options{Settings: sdk.Settings{enableCustomers: "false"}})
	onlyCustomers := ben
	onlyCustomers.Capabilities = []string{mayCustomers}
	for path, who := range map[string]sdk.Account{
		"/search?kind=contact&q=": ann, "/search?kind=staff&q=": onlyCustomers, "/search?q=x": onlyCustomers, "/search?kind=robot": ann,
	} {
		page := kit.Get(path, kit.Viewer(who))
		results, problem := search(t, page)
		if page.Status < 400 || len(results) > 0 || problem == "" {
			t.Errorf("%s: %d %s", path, page.Status, page.Body)
		}
	}
	if len(kit.Host.Searches) != 0 {
		t.Error("the directory was searched all the same")
	}
}

func TestPageSpeaksTheViewersLanguage(t *testing.T) {
	kit := newKit(t, sdktest.Options{})
	viewer := kit.Viewer(ann)
	viewer.Language = "es-MX"
	mustHold(t, kit.Get("/start", viewer), "Tipo de usuario", "Suplantar")
	mustHold(t, kit.Get("/log", viewer), "Quién", "Nadie ha suplantado")
}

func TestHostThatFailsIsASentence(t *testing.T) {
	kit := newKit(t, sdktest.Options{})
	for fault, status := range map[error]int{
		sdk.Errorf(sdk.Unavailable, "secret detail"): 503, sdk.Errorf(sdk.Denied, "secret detail"): 403, fmt.Errorf("secret detail"): 500,
	} {
		kit.Host.Fault = fault
		for _, path := range []string{"/start", "/search", "/log", "/log.csv", "/languages"} {
			page := kit.Get(path, kit.Viewer(ann))
			if page.Status != status || strings.Contains(page.Body, "secret") || page.Body == "" {
				t.Errorf("%s: %d %s", path, page.Status, page.Body)
			}
		}
	}
	denied := newKit(t, sdktest.Options{Denied: []string{"directory.read"}})
	mustHold(t, denied.Get("/start", denied.Viewer(ann)), "An administrator can check its grants")
}

func switches(n int) []sdk.SessionSwitch {
	list := make([]sdk.SessionSwitch, n)
	for i := range list {
		list[i] = sdk.SessionSwitch{
			ID: int64(i + 1), Actor: ben.Key, ActorName: "Ben Ortiz", ActorRole: "Support",
			Subject: jane.Key, SubjectName: "Jane Doe", SubjectDetail: "Acme Ltd",
			StartedAt: noon.Add(-time.Duration(i) * time.Hour), EndedAt: noon.Add(-time.Duration(i)*time.Hour + 5*time.Minute),
			End: sdk.EndStopped, Reason: fmt.Sprintf("ticket %d", i+1), IP: "192.0.2.7",
			Browser: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
		}
	}
	return list
}

func TestLogSaysWhoWasWhomAndHowItEnded(t *testing.T) {
	list := switches(3)
	list[1].End, list[1].EndedAt = "", time.Time{}
	list[1].StartedAt = time.Now().Add(-90 * time.Minute)
	list[2] = sdk.SessionSwitch{
		Actor: cleo.Key, ActorName: "Cleo Park", Subject: ann.Key, SubjectName: "Ann Lee",
		StartedAt: noon.Add(-3 * time.Hour), RefusalCode: "not_administrator", IP: "2001:db8::1", Browser: "curl/8.0",
	}
	kit := newKit(t, sdktest.Options{Switches: list})
	viewer := kit.Viewer(ann)
	viewer.TimeZone = "America/New_York"
	page := kit.Get("/log", viewer)
	mustHold(t, page,
		">Who</th>", ">As whom</th>", ">User Type</th>", ">Start</th>", ">End</th>", ">Duration</th>", ">How it ended</th>", ">Reason</th>", ">IP</th>", ">Browser</th>",
		"Ben Ortiz", "Jane Doe", "Acme Ltd", "Customer", `<time class="text-nowrap" dir="ltr" datetime="2026-11-20T07:00:00-05:00">2026-11-20 07:00</time> – <time class="text-nowrap" dir="ltr" datetime="2026-11-20T07:05:00-05:00">07:05</time>`,
		"5 min", "Stopped", "ticket 1", "192.0.2.7", "Firefox · Linux", "Active now", "1 h 30 min",
		"Refused: Only an administrator may become an administrator.", "2001:<wbr>db8:<wbr>:<wbr>1<", "curl",
		`href="/admin/m/impersonation/log.csv"`, `href="/admin/m/impersonation/languages"`)
	mustLack(t, page, "Clear filters", "Older")
	mustLack(t, kit.Get("/log", kit.Viewer(eve)), "/languages")
}

// The end names its day only when that is another one than the start's, for the viewer.
func TestLogNamesTheDayOnce(t *testing.T) {
	list := switches(1)
	list[0].EndedAt = list[0].StartedAt.Add(90 * time.Minute)
	kit := newKit(t, sdktest.Options{Switches: list})
	for zone, end := range map[string]string{"UTC": ">13:30</time>", "Pacific/Noumea": ">2026-11-21 00:30</time>"} {
		viewer := kit.Viewer(ann)
		viewer.TimeZone = zone
		mustHold(t, kit.Get("/log", viewer), end)
	}
}

func TestEveryEndAndCodeHasAWord(t *testing.T) {
	for _, language := range shippedLanguages(t) {
		words := newKit(t, sdktest.Options{}).Words(language)
		seen := map[string]bool{}
		for _, end := range sdk.SwitchEnds() {
			word := howEnded(words, sdk.SessionSwitch{EndedAt: noon, End: end})
			if word == words.T("outcome_ended") || seen[word] {
				t.Errorf("%s %s: %q", language, end, word)
			}
			seen[word] = true
		}
		if got := howEnded(words, sdk.SessionSwitch{EndedAt: noon, End: "new_end"}); got != words.T("outcome_ended") {
			t.Errorf("an unknown end: %q", got)
		}
		for _, code := range []string{
			"inactive", "self", "not_administrator", "more_rights", "refused_disabled", "impersonation:refused_disabled",
			"switch_self", "switch_inactive", "switch_not_administrator", "switch_more_rights", "switch_nested", "switch_no_target",
			"switch_not_staff", "switch_module_off", "switch_module_silent", "module_not_running",
		} {
			if refusalWord(words, code) == words.T("code_other") {
				t.Errorf("%s has no word", code)
			}
		}
		// A code must not pull any other text of the file onto the screen.
		for _, code := range []string{"view_log", "", "x:view_log", "new"} {
			if refusalWord(words, code) != words.T("code_other") {
				t.Errorf("%q: %q", code, refusalWord(words, code))
			}
		}
	}
}

func TestLogFiltersStayInTheAddress(t *testing.T) {
	list := switches(60)
	list[5].ActorName, list[5].Subject, list[5].SubjectName = "Ann Lee", cleo.Key, "Cleo Park"
	kit := newKit(t, sdktest.Options{Switches: list})
	viewer := kit.Viewer(ann)

	page := kit.Get("/log?actor=ben&kind=contact&outcome=ended&until=2026-11-20", viewer)
	mustHold(t, page, `value="ben"`, `<option value="contact" selected>`, `<option value="ended" selected>`, `value="2026-11-20"`,
		"ticket 1<", `href="/admin/m/impersonation/log.csv?actor=ben&amp;kind=contact&amp;outcome=ended&amp;until=2026-11-20"`,
		`href="/admin/m/impersonation/log?actor=ben&amp;after=25&amp;kind=contact&amp;outcome=ended&amp;until=2026-11-20"`, "Clear filters")
	mustLack(t, page, "ticket 6<", "ticket 30<", "Newest")
	page = kit.Get("/log?actor=ben&kind=contact&after=25", viewer)
	mustHold(t, page, "ticket 30<", "Newest", `href="/admin/m/impersonation/log?actor=ben&amp;kind=contact"`)
	mustLack(t, page, "ticket 1<")

	page = kit.Get("/log?from=2026-11-20&until=2026-11-20&target=acme", viewer)
	if rows := strings.Count(page.Body, "<tr>") - 1; rows != 13 {
		t.Errorf("%d rows of that day", rows)
	}
	page = kit.Get("/log?target=nobody", viewer)
	mustHold(t, page, "No entry matches these filters", "Clear filters")
	for _, wrong := range []string{"from=yesterday", "until=2026-13-01", "kind=robot", "outcome=lost"} {
		page = kit.Get("/log?"+wrong, viewer)
		if page.Status != http.StatusUnprocessableEntity || !strings.Contains(page.Body, `role="alert"`) {
			t.Errorf("%s: %d", wrong, page.Status)
		}
		mustLack(t, page, "ticket")
	}
	if page = kit.Get("/log?after=never", viewer); page.Status != http.StatusUnprocessableEntity {
		t.Errorf("a wrong page: %d", page.Status)
	}
}

func TestHostileNamesAreText(t *testing.T) {
	hostile := sdk.SessionSwitch{
		Actor: ben.Key, ActorName: evil.Name, Subject: evil.Key, SubjectName: evil.Name, SubjectDetail: evil.Company,
		StartedAt: noon, EndedAt: noon, End: sdk.EndStopped, Reason: `"><script>alert(1)</script>`, Browser: `"onload="alert(1)`, IP: "<b>",
	}
	kit := newKit(t, sdktest.Options{Switches: []sdk.SessionSwitch{hostile}})
	for _, path := range []string{
		"/start?kind=contact", "/start?kind=contact&id=4", "/log", "/log?actor=%22%3E%3Cscript%3E", "/start?kind=%3Cscript%3E",
		"/languages?saved=%3Cscript%3E", "/languages?tag=%22%3E%3Cscript%3E",
	} {
		page := kit.Get(path, kit.Viewer(ann))
		mustLack(t, page, "<script", "<img", `"onload="alert`, "<b>")
	}
	page := kit.Get("/search?kind=contact&q=evil", kit.Viewer(ann))
	mustLack(t, page, "<script", "<img")
}

func TestExportIsHarmlessCompleteAndRecorded(t *testing.T) {
	list := switches(1100)
	for i, cell := range []string{"=1+1", "+1", "-1", "@x", "\t=1", "\r=1", "\n=1", `say "hi", all`, "José"} {
		list[i].Reason = cell
	}
	kit := newKit(t, sdktest.Options{Switches: list})
	page := kit.Get("/log.csv?actor=ben", kit.Viewer(eve))
	if page.Status != 200 || page.Header.Get("Content-Type") != "text/csv; charset=utf-8" ||
		!regexp.MustCompile(`^attachment; filename="impersonation-log-\d{4}-\d\d-\d\d\.csv"$`).MatchString(page.Header.Get("Content-Disposition")) {
		t.Errorf("%d %v", page.Status, page.Header)
	}
	text, marked := strings.CutPrefix(page.Body, "\xef\xbb\xbf")
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || !marked || len(rows) != 1101 {
		t.Fatalf("%v, %d rows", err, len(rows))
	}
	reason := slices.Index(rows[0], "Reason")
	for i, want := range []string{"'=1+1", "'+1", "'-1", "'@x", "'\t=1", "'\r=1", "'\n=1", `say "hi", all`, "José"} {
		if rows[i+1][reason] != want {
			t.Errorf("row %d: %q", i, rows[i+1][reason])
		}
	}
	for _, row := range rows {
		for _, cell := range row {
			if cell != "" && strings.ContainsRune("=+-@\t\r\n", rune(cell[0])) {
				t.Errorf("a cell begins with %q", cell)
			}
		}
	}
	want := sdktest.Entry{Action: "log exported", Detail: map[string]string{"actor": "ben"}, Actor: eve.Key, Subject: eve.Key}
	if len(kit.Host.Entries) != 1 || fmt.Sprint(kit.Host.Entries[0]) != fmt.Sprint(want) {
		t.Errorf("recorded %+v", kit.Host.Entries)
	}
	kit.Get("/log", kit.Viewer(eve))
	if len(kit.Host.Entries) != 1 {
		t.Error("looking at the log was recorded as an export")
	}

	silent := newKit(t, sdktest.Options{Switches: list, Denied: []string{"audit.write"}})
	if page := silent.Get("/log.csv", silent.Viewer(ann)); page.Status != http.StatusForbidden || strings.Contains(page.Body, "ticket") {
		t.Errorf("exported without a record: %d", page.Status)
	}
}

func TestLanguageIsUploadedListedAndDeleted(t *testing.T) {
	kit := newKit(t, sdktest.Options{})
	viewer := kit.Viewer(ann)
	french := []byte(`{"user_type": "Type d’utilisateur", "unheard_of": "x"}`)
	page := kit.Upload("/languages", nil, "file", `C:\Users\Ann\fr.json`, french, viewer)
	if page.Status != http.StatusSeeOther || !strings.HasPrefix(page.Header.Get("Location"), "/admin/m/impersonation/languages?") || !strings.Contains(page.Header.Get("Location"), "saved=fr") {
		t.Fatalf("%d %v %s", page.Status, page.Header, page.Body)
	}
	back := strings.TrimPrefix(page.Header.Get("Location"), "/admin/m/impersonation")
	mustHold(t, kit.Get(back, viewer), "Saved fr", "left out: 1", "1 of 1", `aria-label="Delete upload of fr"`, "Choose File", "Español")

	speaksFrench := viewer
	speaksFrench.Language = "fr"
	mustHold(t, kit.Get("/start", speaksFrench), "Type d’utilisateur", ">Impersonate</button>")

	page = kit.Get("/languages/download?tag=fr", viewer)
	if page.Header.Get("Content-Disposition") != `attachment; filename="fr.json"` || !json.Valid([]byte(page.Body)) {
		t.Errorf("%v %s", page.Header, page.Body)
	}
	if page = kit.Post("/languages/delete", url.Values{"tag": {"fr"}}, viewer); page.Status != http.StatusSeeOther {
		t.Errorf("%d %s", page.Status, page.Body)
	}
	mustLack(t, kit.Get("/start", speaksFrench), "Type d’utilisateur")

	page = kit.Upload("/languages", url.Values{"tag": {"pt-BR"}}, "file", "x.json", []byte(`{"user": "Usuário"}`), viewer)
	if !strings.Contains(page.Header.Get("Location"), "saved=pt-BR") {
		t.Errorf("%d %v", page.Status, page.Header)
	}
	if page = kit.Get("/languages/download?tag=xx", viewer); page.Status != http.StatusNotFound {
		t.Errorf("an unknown language: %d", page.Status)
	}
}

func TestLanguageThatIsNoneIsRefusedInWords(t *testing.T) {
	kit := newKit(t, sdktest.Options{})
	for _, test := range []struct{ file, content, says string }{
		{"fr.json", "not json", "not a language file"},
		{"fr.json", `{"a": {"b": "c"}}`, "not a language file"},
		{"fr.json", `["a"]`, "not a language file"},
		{"fr.json", `null`, "not a language file"},
		{"translation.json", `{}`, "not a language tag"},
		{"../../x.json", `{"a": "b"}`, "not a language tag"},
		{"fr.json", `{"a": "` + strings.Repeat("x", maxLanguageFile) + `"}`, "larger than 256 KB"},
	} {
		page := kit.Upload("/languages", nil, "file", test.file, []byte(test.content), kit.Viewer(ann))
		if page.Status != http.StatusUnprocessableEntity || !strings.Contains(page.Body, test.says) {
			t.Errorf("%s %.20s: %d", test.file, test.content, page.Status)
		}
	}
	if page := kit.Post("/languages", nil, kit.Viewer(ann)); page.Status != http.StatusUnprocessableEntity {
		t.Errorf("no file: %d", page.Status)
	}
	switched := kit.ViewerAs(ann, ann)
	if page := kit.Upload("/languages", nil, "file", "fr.json", []byte(`{}`), switched); page.Status != http.StatusForbidden {
		t.Errorf("while switched: %d", page.Status)
	}
}

func readLanguage(t *testing.T, tag string) map[string]string {
	t.Helper()
	file, err := os.ReadFile("languages/" + tag + ".json")
	if err != nil {
		t.Fatal(err)
	}
	messages, err := sdk.ReadLanguage(file)
	if err != nil {
		t.Fatal(err)
	}
	return messages
}

var placeholder = regexp.MustCompile(`\{[a-z]+\}`)

// shippedLanguages returns the tags of languages/, English among them.
func shippedLanguages(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("languages/*.json")
	if err != nil {
		t.Fatal(err)
	}
	tags := make([]string, len(files))
	for i, file := range files {
		tags[i] = strings.TrimSuffix(filepath.Base(file), ".json")
	}
	for _, tag := range []string{"ar", "en", "es"} {
		if !slices.Contains(tags, tag) {
			t.Errorf("languages/%s.json is missing", tag)
		}
	}
	return tags
}

func TestLanguagesAreComplete(t *testing.T) {
	en := readLanguage(t, "en")
	for _, tag := range shippedLanguages(t) {
		messages := readLanguage(t, tag)
		for key, text := range en {
			if messages[key] == "" {
				t.Errorf("%s lacks %s", tag, key)
			}
			want, got := placeholder.FindAllString(text, -1), placeholder.FindAllString(messages[key], -1)
			slices.Sort(want)
			slices.Sort(got)
			if !slices.Equal(want, got) {
				t.Errorf("%s: placeholders %v in en, %v in %s", key, want, got, tag)
			}
		}
		for key := range messages {
			if en[key] == "" {
				t.Errorf("%s has %s, which en lacks", tag, key)
			}
		}
	}
}

// What a sentence quotes must be what stands on the screen.
func TestSentencesNameSettingsAndButtonsAsTheScreenDoes(t *testing.T) {
	for _, tag := range shippedLanguages(t) {
		messages := readLanguage(t, tag)
		for sentence, names := range map[string][]string{
			"rule_staff_on":                   {"enable_admins"},
			"rule_customers_on":               {"enable_customers"},
			"rule_not_disabled":               {"disable_impersonation"},
			"rule_staff_permission":           {"capability_staff"},
			"rule_customers_permission":       {"capability_customers"},
			"refused_no_staff_permission":     {"capability_staff"},
			"refused_no_customers_permission": {"capability_customers"},
			"refused_switched":                {"stop_impersonation"},
			"what_happens":                    {"stop_impersonation"},
			"refused_settings":                {"impersonate"},
			"refused_customers_off":           {"impersonate"},
			"refused_staff_off":               {"impersonate"},
			"refused_both_off":                {"impersonate"},
			"log_empty_next":                  {"impersonate"},
			"error_kind":                      {"kind_staff", "kind_contact"},
			"error_from":                      {"from"},
			"error_until":                     {"until"},
		} {
			for _, name := range names {
				if !strings.Contains(messages[sentence], messages[name]) {
					t.Errorf("%s: %s doesn't say %q", tag, sentence, messages[name])
				}
			}
		}
	}
}

func TestEveryKeyIsUsedAndEveryUsedKeyExists(t *testing.T) {
	en := readLanguage(t, "en")
	var all bytes.Buffer
	for _, pattern := range []string{"*.go", "templates/*.html"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			file, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			all.Write(file)
			for _, used := range regexp.MustCompile(`\.?T\((?:r, )?"([a-z_]+)"[,)]|\.T "([a-z_]+)"`).FindAllStringSubmatch(string(file), -1) {
				if key := used[1] + used[2]; en[key] == "" {
					t.Errorf("%s uses %q, which en.json lacks", name, key)
				}
			}
		}
	}
	made := regexp.MustCompile(`^(end|code|outcome)_|_help$`)
	for key := range en {
		if !made.MatchString(key) && !bytes.Contains(all.Bytes(), []byte(`"`+key+`"`)) {
			t.Errorf("nothing uses %q", key)
		}
	}
}

func TestBrowserNames(t *testing.T) {
	for agent, want := range map[string]string{
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0 Safari/537.36 Edg/141.0":     "Edge · Windows",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/604.1": "Safari · iOS",
		"Mozilla/5.0 (Linux; Android 16) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0 Mobile Safari/537.36":                  "Chrome · Android",
		"curl/8.0":               "curl",
		"":                       "",
		strings.Repeat("é", 100): strings.Repeat("é", 40),
	} {
		if got := browserName(agent); got != want {
			t.Errorf("%q: %q", agent, got)
		}
	}
}

func TestDocumentationIsOfflineAndOfThisVersion(t *testing.T) {
	file, err := os.ReadFile("docs/index.html")
	if err != nil {
		t.Fatal(err)
	}
	text := string(file)
	version := newKit(t, sdktest.Options{}).Manifest().Version
	for _, part := range []string{"impersonation-" + version + ".zip", "Impersonation " + version, "impersonation.zip", "version 3.1.0"} {
		if !strings.Contains(text, part) {
			t.Errorf("lacks %q", part)
		}
	}
	for _, part := range []string{"http:", "https:", "<script", " style=", "<style", "src="} {
		if strings.Contains(text, part) {
			t.Errorf("holds %q", part)
		}
	}
	en := readLanguage(t, "en")
	for _, key := range []string{
		"impersonate", "stop_impersonation", "settings", "view_log", "feature", "languages", "user_type", "kind_staff", "kind_contact",
		"user", "reason", "disable_impersonation", "enable_customers", "enable_admins", "capability_staff", "capability_customers",
		"capability_view_log", "choose_file", "upload", "export_csv",
	} {
		if !strings.Contains(text, en[key]) {
			t.Errorf("does not name %q", en[key])
		}
	}
	ids := regexp.MustCompile(` id="([a-z]+)"`).FindAllStringSubmatch(text, -1)
	for _, link := range regexp.MustCompile(`href="#([a-z]+)"`).FindAllStringSubmatch(text, -1) {
		if !slices.ContainsFunc(ids, func(id []string) bool { return id[1] == link[1] }) {
			t.Errorf("a link to #%s leads nowhere", link[1])
		}
	}
}
