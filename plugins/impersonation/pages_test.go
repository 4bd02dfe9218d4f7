package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/understudy-crm/understudy/sdk"
	"github.com/understudy-crm/understudy/sdk/sdktest"
)

func TestPickerPutsPinnedAndRecentFirst(t *testing.T) {
	kit := newKitAt(t, &clock{noon}, sdk.Settings{fourEyes: "true"})
	viewer := kit.Viewer(ann)
	past := func(id int64, as sdk.Account, ago time.Duration) sdk.SessionSwitch {
		return sdk.SessionSwitch{ID: id, Actor: ann.Key, Subject: as.Key, StartedAt: noon.Add(-ago), EndedAt: noon.Add(-ago), End: sdk.EndStopped}
	}
	kit.Host.Switches = []sdk.SessionSwitch{
		past(1, rosa, time.Hour), past(2, omar, 2*time.Hour), past(3, rosa, 3*time.Hour), past(4, eve, 4*time.Hour),
		{ID: 5, Actor: ben.Key, Subject: jane.Key, StartedAt: noon, EndedAt: noon},
		{Actor: ann.Key, Subject: jane.Key, StartedAt: noon, RefusalCode: "refused_no_reason"},
	}
	kit.Host.Online = map[sdk.AccountKey]bool{rosa.Key: true}
	kit.Host.Acting = map[sdk.AccountKey][]string{omar.Key: {"Ben Ortiz"}}
	values := func(path string) (list []string, all []found) {
		all, _ = search(t, kit.Get(path, viewer))
		for _, each := range all {
			list = append(list, each.Value)
		}
		return list, all
	}
	list, all := values("/search?kind=all&q=")
	if want := []string{rosa.Key.String(), omar.Key.String(), eve.Key.String()}; !slices.Equal(list[:3], want) {
		t.Errorf("first %v", list)
	}
	if all[0].Detail != "rosa@globex.example · online now" || all[1].Detail != "omar@acme.example · Ben Ortiz is already acting as this person" {
		t.Errorf("%+v", all[:2])
	}
	if list, _ = values("/search?kind=staff&q="); list[0] != eve.Key.String() || slices.Contains(list, rosa.Key.String()) {
		t.Errorf("staff %v", list)
	}
	if page := kit.Post("/pin", url.Values{"target": {jane.Key.String()}}, viewer); page.Status != http.StatusSeeOther || page.Header.Get("Location") != "/admin/m/impersonation/start?kind=contact&id=1" {
		t.Errorf("%d %v", page.Status, page.Header)
	}
	if list, all = values("/search?kind=all&q="); list[0] != jane.Key.String() || all[0].Detail != "jane@acme.example · Pinned" || len(list) != len(slices.Compact(slices.Sorted(slices.Values(list)))) {
		t.Errorf("pinned %v", all)
	}
	// Another person's list is their own.
	if others, _ := search(t, kit.Get("/search?kind=contact&q=", kit.Viewer(ben))); strings.Contains(fmt.Sprint(others), "Pinned") {
		t.Errorf("%v", others)
	}
	mustHold(t, kit.Get("/start", viewer), "Pinned users", `>Unpin<span class="visually-hidden"> Jane Doe (Acme Ltd)</span>`)
	// In the modal the form is drawn again, where one is.
	modal := viewer
	modal.Modal = true
	page := kit.Post("/pin", url.Values{"target": {jane.Key.String()}, "pin": {"no"}, "kind": {"staff"}, "reason": {"half a <reason>"}}, modal)
	if !strings.Contains(page.Body, ">half a &lt;reason&gt;</textarea>") {
		t.Errorf("what was typed is lost: %s", page.Body)
	}
	if page.Status != http.StatusOK || !strings.Contains(page.Body, `<option value="contact:1" data-detail="jane@acme.example" selected>`) || strings.Contains(page.Body, "Pinned users") {
		t.Errorf("%d %s", page.Status, page.Body)
	}
	// Everyone together, by name, those who can't be become last with the reason.
	list, all = values("/search?kind=all&q=a")
	if len(list) < 6 || !slices.ContainsFunc(all, func(f found) bool {
		return f.Value == abe.Key.String() && strings.Contains(f.Detail, "needs another administrator")
	}) {
		t.Errorf("%+v", all)
	}
	kit.Host.Stored[consentKey(1)] = []byte(`{"choice":"never"}`)
	_, all = values("/search?kind=contact&q=jane")
	if len(all) != 1 || !all[0].Disabled || !strings.Contains(all[0].Reason, "doesn't allow support access") {
		t.Errorf("%+v", all)
	}
}

// Of a long history the list shows a few, and it never has more than a page.
func TestRecentOnesAreAFew(t *testing.T) {
	kit := newKitAt(t, &clock{noon}, nil)
	for id := range int64(30) {
		who := sdk.Account{Key: sdk.AccountKey{Kind: sdk.Contact, ID: 100 + id}, Name: fmt.Sprintf("Zed %02d", 29-id), Email: fmt.Sprintf("zed%d@acme.example", id), Active: true, Company: "Acme Ltd", CustomerID: 1}
		kit.Host.People = append(kit.Host.People, who)
		kit.Host.Switches = append(kit.Host.Switches, sdk.SessionSwitch{
			ID: id + 1, Actor: ann.Key, Subject: who.Key, StartedAt: noon.Add(time.Duration(id-30) * time.Minute), EndedAt: noon, End: sdk.EndStopped,
		})
	}
	list, _ := search(t, kit.Get("/search?kind=contact&q=", kit.Viewer(ann)))
	if len(list) != pickerRows || list[0].Text != "Zed 00 (Acme Ltd)" || list[4].Text != "Zed 04 (Acme Ltd)" || strings.HasPrefix(list[5].Text, "Zed") {
		t.Errorf("%+v", list)
	}
}

func TestPinsAreFewAndOfThoseOneMayBecome(t *testing.T) {
	kit := newKit(t, sdktest.Options{})
	onlyStaff := ben
	onlyStaff.Capabilities = []string{mayStaff}
	for _, test := range []struct {
		who    sdk.Viewer
		target string
		status int
	}{
		{kit.Viewer(onlyStaff), "contact:1", 403},
		{kit.Viewer(ann), "", 422},
		{kit.Viewer(ann), "staff:99", 404},
		{kit.Viewer(ann), "customer/1", 422},
		{kit.ViewerAs(ann, ben), "staff:3", 403},
		{kit.Viewer(cleo), "staff:2", 403},
	} {
		if page := kit.Post("/pin", url.Values{"target": {test.target}}, test.who); page.Status != test.status {
			t.Errorf("%s pins %q: %d", test.who.Subject.Name, test.target, page.Status)
		}
	}
	for i := range maxPins {
		kit.Host.Stored[pinPrefix(ann.Key)+fmt.Sprintf("staff:%d", 100+i)] = []byte(`{}`)
	}
	if page := kit.Post("/pin", url.Values{"target": {"staff:3"}}, kit.Viewer(ann)); page.Status != 409 || !strings.Contains(page.Body, "Unpin one first") {
		t.Errorf("one too many: %d", page.Status)
	}
	if page := kit.Get("/start", kit.Viewer(ann)); page.Status != 200 {
		t.Errorf("pinned accounts that are gone: %d", page.Status)
	}
}

func TestStartFormFollowsTheSettings(t *testing.T) {
	kit := newKit(t, sdktest.Options{Settings: sdk.Settings{
		askReason: required, askTicket: required, timeLimit: "15", readOnly: "true", tellSubject: tellMail, ownPassword: "true",
	}})
	page := kit.Get("/start", kit.Viewer(ann))
	mustHold(t, page, `aria-label="Reason" required`, `name="ticket" maxlength="100" aria-label="Ticket" required`, "at most 15 minutes",
		"only look at first", "by mail too", "asked for your own password first")
	mustLack(t, page, "optional", "You can do what they can do")
	kit.Host.Settings[askReason], kit.Host.Settings[askTicket] = off, optional
	page = kit.Get("/start", kit.Viewer(ann))
	mustHold(t, page, `name="ticket"`, "optional")
	mustLack(t, page, `name="reason"`)
}

func TestTimelineTellsAllThatHappened(t *testing.T) {
	kit := newKitAt(t, &clock{noon}, nil)
	record := *running(sdk.Full, 90)
	record.ActorName, record.SubjectName, record.Reason, record.Ticket = "Ben Ortiz", "Jane Doe", "the invoice", "T-7"
	record.ElevatedAt, record.Extensions, record.EndedAt, record.End, record.EndedBy = noon.Add(3*time.Minute), 2, noon.Add(80*time.Minute), sdk.EndByAdministrator, "Ann Lee"
	kit.Host.Switches = []sdk.SessionSwitch{record}
	kit.Host.Events = map[int64][]sdk.SwitchEvent{1: {
		{At: noon.Add(time.Second), Kind: sdk.EventPage, Text: "Company <b>", Object: "/company"},
		{At: noon, Kind: sdk.EventChange, Text: "Company saved", Detail: map[string]string{"b": "2", "a": "1", "c": " "}},
		{At: noon, Kind: sdk.EventRefused, Text: "Change password", RefusalCode: "session_switched"},
		{At: noon, Kind: "", Text: "something new"},
	}}
	for range 150 {
		kit.Host.Events[1] = append(kit.Host.Events[1], sdk.SwitchEvent{At: noon, Kind: sdk.EventPage, Text: "Dashboard"})
	}
	for _, viewer := range []sdk.Viewer{kit.Viewer(ann), kit.Viewer(eve)} {
		page := kit.Get("/log/entry?id=1", viewer)
		mustHold(t, page, "Ben Ortiz", "Jane Doe", "the invoice", "T-7", "Ended by an administrator", "Ann Lee", "Extended: 2",
			"Read-only, then full from \u20662026-11-20 12:03", "2026-11-20 12:00:01", "Company &lt;b&gt;", "/company", "a: 1", "b: 2", "(session_switched)", "something new",
			`href="/admin/m/impersonation/log/entry?id=1&amp;after=100" rel="next"`, `href="/admin/m/impersonation/log?actor_id=staff%3A2"`)
		mustLack(t, page, "c: ")
	}
	mustHold(t, kit.Get("/log/entry?id=1&after=100", kit.Viewer(ann)), "Dashboard", "From the start")
	if page := kit.Get("/log/entry?id=9", kit.Viewer(ann)); page.Status != http.StatusNotFound {
		t.Errorf("%d", page.Status)
	}
	page := kit.Get("/log", kit.Viewer(ann))
	mustHold(t, page, `href="/admin/m/impersonation/log/entry?id=1"`, "T-7", "Extended: 2", "Read-only, then full", ">Ticket</th>", ">Mode</th>", ">Ended by</th>")
}

func TestLogIsFilteredByTicketAndAccount(t *testing.T) {
	list := switches(120)
	list[3].Ticket, list[90].Ticket = "T-7", " t-7 "
	list[3].Actor = abe.Key
	kit := newKit(t, sdktest.Options{Switches: list})
	page := kit.Get("/log?ticket=T-7", kit.Viewer(ann))
	mustHold(t, page, "ticket 4<", "ticket 91<", `name="ticket" maxlength="100" value="T-7"`)
	mustLack(t, page, "ticket 5<", "Older")
	page = kit.Get("/log?actor_id=staff:6", kit.Viewer(ann))
	mustHold(t, page, "ticket 4<", "Who: only staff:6", `<input type="hidden" name="actor_id" value="staff:6">`)
	mustLack(t, page, "ticket 5<")
	if page = kit.Get("/log?target_id=robot:1", kit.Viewer(ann)); page.Status != http.StatusUnprocessableEntity {
		t.Errorf("%d", page.Status)
	}
}

func TestExportAsJSONIsRecordedAndComplete(t *testing.T) {
	list := switches(700)
	list[0].Reason, list[0].Ticket, list[0].Extensions, list[0].EndedBy = "=1+1", "T-7", 3, "Ann Lee"
	list[1].EndedAt, list[1].End = time.Time{}, ""
	kit := newKit(t, sdktest.Options{Switches: list})
	page := kit.Post("/log/export", url.Values{"format": {"json"}, "target": {"jane"}}, kit.Viewer(eve))
	var rows []map[string]any
	if err := json.Unmarshal([]byte(page.Body), &rows); err != nil || len(rows) != 700 || page.Header.Get("Content-Type") != "application/json" || !strings.HasSuffix(page.Header.Get("Content-Disposition"), `.json"`) {
		t.Fatalf("%v, %d rows, %v", err, len(rows), page.Header)
	}
	if rows[0]["ticket"] != "T-7" || rows[0]["extensions"] != 3.0 || rows[0]["ended_by"] != "Ann Lee" || rows[0]["actor"] != "staff:2" || rows[1]["ended_at"] != nil || rows[1]["outcome"] != "active" {
		t.Errorf("%v", rows[:2])
	}
	if len(kit.Host.Entries) != 1 || kit.Host.Entries[0].Detail["format"] != "json" || kit.Host.Entries[0].Detail["target"] != "jane" {
		t.Errorf("%+v", kit.Host.Entries)
	}
	one := kit.Post("/log/export", url.Values{"format": {"json"}, "ticket": {"t-7"}}, kit.Viewer(eve))
	if json.Unmarshal([]byte(one.Body), &rows) != nil || len(rows) != 1 {
		t.Errorf("of one ticket: %q", one.Body)
	}
	empty := kit.Post("/log/export", url.Values{"format": {"json"}, "actor": {"nobody"}}, kit.Viewer(eve))
	if json.Unmarshal([]byte(empty.Body), &rows) != nil || len(rows) != 0 {
		t.Errorf("%q", empty.Body)
	}
	for name, page := range map[string]sdktest.Response{
		"no format": kit.Post("/log/export", nil, kit.Viewer(ann)), "a wrong day": kit.Post("/log/export", url.Values{"format": {"csv"}, "from": {"x"}}, kit.Viewer(ann)),
		"under a borrowed name": kit.Post("/log/export", url.Values{"format": {"csv"}}, kit.ViewerAs(ben, eve)),
	} {
		if page.Status < 400 || strings.Contains(page.Body, "T-7") {
			t.Errorf("%s: %d", name, page.Status)
		}
	}
	if len(kit.Host.Entries) != 3 {
		t.Errorf("%d exports are recorded", len(kit.Host.Entries))
	}
}

func TestActiveSwitchesAreListedCheckedAndEnded(t *testing.T) {
	kit := newKitAt(t, &clock{noon.Add(5 * time.Minute)}, nil)
	record := *running(sdk.ReadOnly, 60)
	record.ActorName, record.SubjectName, record.Reason = "Ben Ortiz", "Jane Doe", "the invoice"
	kit.Host.Switches = append(switches(3), record)
	kit.Host.Switches[3].ID = 77
	kit.Host.Checks = []sdk.SwitchingCheck{{Code: "restore", OK: true}, {Code: "record", Detail: "row 12 was altered"}, {Code: "brand_new", OK: true}}
	page := kit.Get("/active", kit.Viewer(ann))
	mustHold(t, page, "Ben Ortiz", "Jane Doe", "the invoice", "Read-only", ">13:00</time>", "5 min", "End now", "The way back to oneself can be reached", "The record is whole", "row 12 was altered", "brand_new", "✓", "✗")
	mustLack(t, page, "ticket 1")
	mustLack(t, kit.Get("/active", kit.Viewer(eve)), "End now")
	for _, viewer := range []sdk.Viewer{kit.Viewer(eve), kit.Viewer(ben), kit.ViewerAs(ben, ann), kit.ViewerAs(ann, abe)} {
		if page := kit.Post("/active/end", url.Values{"id": {"77"}}, viewer); page.Status != http.StatusForbidden {
			t.Errorf("%s: %d", viewer.Actor.Name, page.Status)
		}
	}
	if page := kit.Post("/active/end", url.Values{"id": {"77"}}, kit.Viewer(ann)); page.Status != http.StatusSeeOther || kit.Host.Switches[3].End != sdk.EndByAdministrator {
		t.Errorf("%d %+v", page.Status, kit.Host.Switches[3])
	}
	if page := kit.Post("/active/end", url.Values{"id": {"77"}}, kit.Viewer(ann)); page.Status != http.StatusConflict || !strings.Contains(page.Body, "ended already") {
		t.Errorf("twice: %d", page.Status)
	}
	mustHold(t, kit.Get("/active?ended=1", kit.Viewer(ann)), "Nobody acts as anybody just now", "Ended.")
}

func TestWhoExplainsAPairAndARole(t *testing.T) {
	kit := newKitAt(t, &clock{noon}, sdk.Settings{fourEyes: "true", disableImpersonation: "true"})
	kit.Host.Roles = []sdk.Role{{ID: 1, Name: "Support", Capabilities: []string{mayStaff, mayViewLog}, Members: 4}, {ID: 2, Name: "Sales"}}
	kit.Host.Rules = map[sdk.AccountKey][]sdk.SwitchRule{
		jane.Key: {{Code: "switch_self", Holds: true}, {Code: "switch_more_rights", Missing: []string{"customers.edit", "roles.edit"}}, {Code: "switch_brand_new"}},
		abe.Key:  {{Code: "switch_self", Holds: true}},
	}
	kit.Host.Stored[consentKey(1)] = []byte(`{"choice":"never"}`)
	page := kit.Get("/who?staff=staff:2&target=contact:1", kit.Viewer(ann))
	mustHold(t, page, "Ben Ortiz may not become Jane Doe", "customers.edit, roles.edit", "switch_brand_new", "two different users",
		"only administrators may impersonate", `href="/admin/settings/impersonation"`, `href="/admin/staff/2"`, "The customer allows it", "doesn&#39;t allow support access")
	page = kit.Get("/who?staff=staff:1&target=staff:6", kit.Viewer(ann))
	mustHold(t, page, "Ann Lee may not become Abe Stone", "Another administrator has approved it", `href="/admin/m/impersonation/approvals"`)
	mustHold(t, page, "Support", "Active members: 4", "Administrators", "Without a role", "No: the settings don&#39;t allow it", "No: without the permission", "✓",
		"must also be allowed to view and edit customers")
	// Explaining asks nobody and stores nothing.
	if len(kit.Host.Sent) != 0 || len(kit.Host.Stored) != 1 {
		t.Errorf("%v %v", kit.Host.Sent, kit.Host.Stored)
	}
	for _, path := range []string{"/who?staff=contact:1", "/who?staff=x", "/who?staff=staff:1&target=staff:99"} {
		if page := kit.Get(path, kit.Viewer(ann)); page.Status != http.StatusNotFound {
			t.Errorf("%s: %d", path, page.Status)
		}
	}
	results, _ := search(t, kit.Get("/who/target?q=o", kit.Viewer(ann)))
	if len(results) < 4 || !slices.ContainsFunc(results, func(f found) bool { return f.Value == rosa.Key.String() }) || !slices.ContainsFunc(results, func(f found) bool { return f.Value == cleo.Key.String() }) {
		t.Errorf("%v", results)
	}
}

// The stop button stands there in one style, whatever the setting says.
func TestOneStopButton(t *testing.T) {
	for setting, pulsing := range map[string]bool{"true": true, "false": false, "": false, "damaged": false} {
		kit := newKit(t, sdktest.Options{})
		kit.Host.Settings[pulse] = setting
		for _, viewer := range []sdk.Viewer{kit.ViewerAs(ann, jane), kit.ViewerAs(ann, ben)} {
			var shown []sdk.NavbarItem
			for _, item := range navbar() {
				if item.Action.Restore && kit.Visible(item.Visible, viewer) && slices.Contains(item.Areas, viewer.Area) {
					shown = append(shown, item)
				}
			}
			if len(shown) != 1 || shown[0].Attention != pulsing || shown[0].Highlighted == pulsing {
				t.Errorf("pulse %q: %+v", setting, shown)
			}
		}
	}
}

// Every page in every language, without a key left untranslated.
func TestPagesSpeakEveryLanguage(t *testing.T) {
	kit := newKitAt(t, &clock{noon}, sdk.Settings{fourEyes: "true", askTicket: optional})
	kit.Host.Switches = []sdk.SessionSwitch{*running(sdk.Full, 60)}
	kit.Host.Checks = []sdk.SwitchingCheck{{Code: "restore", OK: true}, {Code: "clock"}, {Code: "record"}, {Code: "hook"}, {Code: "pairs"}}
	ask1(t, kit, sdk.SwitchQuestion{Moment: sdk.SwitchStart, Actor: ann, Target: abe})
	english := readLanguage(t, "en")
	for _, tag := range shippedLanguages(t) {
		for path, who := range map[string]sdk.Account{
			"/start?kind=all": ann, "/log": ann, "/log/entry?id=1": ann, "/active": ann, "/approvals": abe, "/who?staff=staff:2&target=contact:1": ann, "/who?staff=staff:3": ann,
			"/access": jane, "/access/entry?id=1": jane,
		} {
			viewer := kit.Viewer(who)
			viewer.Language = tag
			page := kit.Get(path, viewer)
			if page.Status != http.StatusOK {
				t.Errorf("%s %s: %d", tag, path, page.Status)
			}
			for key := range english {
				if strings.Count(key, "_") > 0 && (strings.Contains(page.Body, ">"+key+"<") || strings.Contains(page.Body, `"`+key+`"`)) {
					t.Errorf("%s %s shows the key %s", tag, path, key)
				}
			}
			if left := placeholder.FindString(page.Body); left != "" {
				t.Errorf("%s %s: %s is not filled in", tag, path, left)
			}
			mustLack(t, page, "style=", "<script", "onclick", "<no value>")
		}
	}
}
