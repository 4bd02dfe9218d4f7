package main

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/understudy-crm/understudy/sdk"
	"github.com/understudy-crm/understudy/sdk/sdktest"
)

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
		`action="/admin/m/impersonation/log/export"`, `value="csv">Export CSV</button>`, `value="json">Export JSON</button>`, `href="/admin/m/impersonation/languages"`)
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
		"ticket 1<", `<input type="hidden" name="actor" value="ben">`, `<input type="hidden" name="outcome" value="ended">`,
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
		mustLack(t, page, "ticket 1<", "Export CSV")
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
	for i, cell := range []string{"=1+1", "+1", "-1", "@x", "\t=1", "\r=1", "\n=1", `say "hi", all`, "José", "＝1", " =1", "\u00a0＠x", "a = b"} {
		list[i].Reason = cell
	}
	kit := newKit(t, sdktest.Options{Switches: list})
	page := kit.Post("/log/export", url.Values{"format": {"csv"}, "actor": {"ben"}}, kit.Viewer(eve))
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
	for i, want := range []string{"'=1+1", "'+1", "'-1", "'@x", "'\t=1", "'\r=1", "'\n=1", `say "hi", all`, "José", "'＝1", "' =1", "'\u00a0＠x", "a = b"} {
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
	want := sdktest.Entry{Action: "log exported", Detail: map[string]string{"actor": "ben", "format": "csv"}, Actor: eve.Key, Subject: eve.Key}
	if len(kit.Host.Entries) != 1 || fmt.Sprint(kit.Host.Entries[0]) != fmt.Sprint(want) {
		t.Errorf("recorded %+v", kit.Host.Entries)
	}
	kit.Get("/log", kit.Viewer(eve))
	if len(kit.Host.Entries) != 1 {
		t.Error("looking at the log was recorded as an export")
	}

	silent := newKit(t, sdktest.Options{Switches: list, Denied: []string{"audit.write"}})
	if page := silent.Post("/log/export", url.Values{"format": {"json"}}, silent.Viewer(ann)); page.Status != http.StatusForbidden || strings.Contains(page.Body, "ticket") {
		t.Errorf("exported without a record: %d", page.Status)
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
