package main

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/understudy-crm/understudy/sdk"
	"github.com/understudy-crm/understudy/sdk/sdktest"
)

func TestStartFormIsTheDocumentedOne(t *testing.T) {
	kit := newKit(t, sdktest.Options{})
	viewer := kit.Viewer(ann)
	viewer.SitePath = "/crm"
	page := kit.Get("/start", viewer)
	mustHold(t, page,
		`method="post" action="/crm/session/switch"`, `name="form_token" value="`+sdktest.FormToken+`"`,
		`<label class="form-label" for="kind">User Type</label>`, `<option value="staff" selected>Staff</option>`, `<option value="contact">Customer</option>`,
		`<label class="form-label" for="target">User</label>`, `data-search-url="/admin/m/impersonation/search" data-search-with="kind"`,
		`<option value="all">Everyone</option>`, `<option value="staff:2" data-detail="ben@example.com · Support">Ben Ortiz</option>`, `name="reason" rows="2" maxlength="500"`, `at most 60 minutes`,
		`<button class="btn btn-primary" type="submit">Impersonate</button>`, `<div class="no-script">`)
	mustLack(t, page, "Ann Lee", "Dan Moss", "Jane Doe", "<script", "style=", "onclick", "<h1")

	page = kit.Get("/start?kind=contact", viewer)
	mustHold(t, page, `<option value="contact" selected>`, `<option value="contact:1" data-detail="jane@acme.example">Jane Doe (Acme Ltd)</option>`)
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
	mustHold(t, page, `<option value="contact:1" data-detail="jane@acme.example" selected>Jane Doe (Acme Ltd)</option>`)
	if strings.Count(page.Body, "contact:1\"") != 1 {
		t.Error("the chosen person stands there twice")
	}
	page = kit.Get("/start?kind=contact&id=3", kit.Viewer(ben))
	mustHold(t, page, "This user or their company is not active.")
	mustLack(t, page, "selected>Bill")
	page = kit.Get("/start?kind=staff&id=1", kit.Viewer(ben))
	mustHold(t, page, "Only an administrator may become an administrator.")
	page = kit.Get("/start?kind=staff&id=3", kit.Viewer(ben))
	mustHold(t, page, "may do things that you may not", `<option value="staff:3" data-detail="cleo@example.com · Sales" disabled>Cleo Park – This user may do things`)
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
