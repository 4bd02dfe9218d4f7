package main

import (
	"fmt"
	"maps"
	"net/http"
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
	jane = sdk.Account{Key: sdk.AccountKey{Kind: sdk.Contact, ID: 1}, Name: "Jane Doe", Email: "jane@acme.example", Active: true, Company: "Acme Ltd", CustomerID: 1, Primary: true, Capabilities: []string{mayAccess}}
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
		"feature": words.T(c.FeatureLabelKey), "icon": words.T(c.Navbar[0].LabelKey), "stop": words.T(c.Navbar[1].LabelKey), "steady": words.T(c.Navbar[2].LabelKey), "portal": words.T(c.Navbar[3].LabelKey),
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
		"reason":        "Reason optional", "ticket": "Ticket off", "time_limit": "Time limit in minutes 60", "hard_cap": "Longest time in minutes 240",
		"read_only": "Read-only by default false", "own_password": "Ask for the own password first false", "tell_subject": "Tell the person afterwards no",
		"let_customers_decide": "Let customers decide true", "consent_required": "Customers must consent first false",
		"four_eyes": "Four eyes for administrators false", "targets_per_hour": "Different users per hour 10", "pulse": "Let the stop button pulse true",
		"staff": "Impersonate staff", "customers": "Impersonate customers", "view_log": "View log", "access": "Support access",
		"steady": "Stop Impersonation", "portal": "Support access",
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
		"/log/entry?id=1":            {"administrator": 404, "starter": 403, "nobody": 403, "auditor": 404, "switched to staff": 403},
		"/log/export":                {"administrator": 405, "starter": 403, "nobody": 403, "auditor": 405, "switched to staff": 403},
		"/active":                    {"administrator": 200, "starter": 403, "nobody": 403, "auditor": 200, "switched to staff": 403},
		"/active/end":                {"administrator": 405, "starter": 403, "nobody": 403, "auditor": 403, "switched to staff": 403},
		"/approvals":                 {"administrator": 200, "starter": 403, "nobody": 403, "auditor": 403, "switched to staff": 403},
		"/approvals/answer":          {"administrator": 405, "starter": 403, "nobody": 403, "auditor": 403, "switched to staff": 403},
		"/pin":                       {"administrator": 405, "starter": 405, "nobody": 403, "auditor": 403, "switched to staff": 405},
		"/access":                    {"administrator": 404, "starter": 404, "nobody": 404, "auditor": 404, "switched to staff": 404},
		"/languages":                 {"administrator": 200, "starter": 403, "nobody": 403, "auditor": 403, "switched to staff": 403},
		"/languages/download?tag=en": {"administrator": 200, "starter": 403, "nobody": 403, "auditor": 403, "switched to staff": 403},
		"/other":                     {"administrator": 404, "starter": 404, "nobody": 404, "auditor": 404, "switched to staff": 404},
	} {
		for who, viewer := range viewers {
			status := want[who]
			if viewer.Area == sdk.PortalArea {
				status = http.StatusNotFound
			}
			if viewer.Area == sdk.PortalArea && path == "/access" {
				status = http.StatusOK
			}
			if page := kit.Get(path, viewer); page.Status != status {
				t.Errorf("%s for %s: %d, wanted %d: %s", path, who, page.Status, status, page.Body)
			}
		}
	}
	for _, path := range []string{"/start", "/search", "/log", "/log/entry", "/active", "/approvals", "/who", "/languages/download"} {
		if page := kit.Post(path, nil, kit.Viewer(ann)); page.Status != http.StatusMethodNotAllowed || page.Header.Get("Allow") != "GET, HEAD" {
			t.Errorf("POST %s: %d", path, page.Status)
		}
	}
	if page := kit.Get("/languages/delete", kit.Viewer(ann)); page.Status != http.StatusMethodNotAllowed {
		t.Errorf("GET /languages/delete: %d", page.Status)
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
		for _, path := range []string{"/start", "/search", "/log", "/log/entry?id=1", "/active", "/approvals", "/who", "/languages"} {
			page := kit.Get(path, kit.Viewer(ann))
			if page.Status != status || strings.Contains(page.Body, "secret") || page.Body == "" {
				t.Errorf("%s: %d %s", path, page.Status, page.Body)
			}
		}
	}
	denied := newKit(t, sdktest.Options{Denied: []string{"directory.read"}})
	mustHold(t, denied.Get("/start", denied.Viewer(ann)), "An administrator can check its grants")
}
