package main

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/understudy-crm/understudy/sdk"
	"github.com/understudy-crm/understudy/sdk/sdktest"
)

func TestCustomersChoiceDecides(t *testing.T) {
	open, over := noon.Add(time.Second), noon.Add(-time.Second)
	for _, test := range []struct {
		stored            string
		decide, consented string
		why               string
	}{
		{"", "true", "false", ""},
		{"", "true", "true", "refused_customer_silent"},
		{`{"choice":"always"}`, "true", "true", ""},
		{`{"choice":"never"}`, "true", "false", "refused_customer_never"},
		{`{"choice":"never"}`, "false", "false", ""},
		{`{"choice":"ask"}`, "true", "false", "refused_customer_ask"},
		{`{"choice":"ask","until":"` + open.Format(time.RFC3339) + `"}`, "true", "true", ""},
		{`{"choice":"ask","until":"` + noon.Format(time.RFC3339) + `"}`, "true", "false", "refused_customer_ask"},
		{`{"choice":"ask","until":"` + over.Format(time.RFC3339) + `"}`, "true", "true", "refused_customer_ask"},
		{`{"choice":"something new"}`, "true", "false", "refused_customer_never"},
	} {
		kit := newKitAt(t, &clock{noon}, sdk.Settings{customersDecide: test.decide, consentRequired: test.consented})
		if test.stored != "" {
			kit.Host.Stored["customer/1"] = []byte(test.stored)
		}
		for _, moment := range []sdk.SwitchMoment{sdk.SwitchStart, sdk.SwitchRecheck} {
			got := ask1(t, kit, sdk.SwitchQuestion{Moment: moment, Actor: ann, Target: jane, Switch: running(sdk.Full, 60)})
			if got.RefusalKey != test.why {
				t.Errorf("%+v at %s: %+v", test, moment, got)
			}
		}
		// Another customer's contact is not touched by it, nor is staff.
		if got := ask1(t, kit, sdk.SwitchQuestion{Moment: sdk.SwitchStart, Actor: ann, Target: rosa}); got.Allowed == (test.consented == "true" && test.decide == "true") {
			t.Errorf("%+v: Globex %+v", test, got)
		}
		if got := ask1(t, kit, sdk.SwitchQuestion{Moment: sdk.SwitchStart, Actor: ann, Target: ben}); !got.Allowed {
			t.Errorf("%+v: staff %+v", test, got)
		}
	}
}

func TestCustomerChoosesOpensAndWithdraws(t *testing.T) {
	c := &clock{noon}
	kit := newKitAt(t, c, nil)
	viewer := kit.Viewer(jane)
	may := func() bool {
		return ask1(t, kit, sdk.SwitchQuestion{Moment: sdk.SwitchRecheck, Actor: ann, Target: omar, Switch: running(sdk.Full, 60)}).Allowed
	}
	choose := func(pairs ...string) {
		t.Helper()
		form := url.Values{}
		for i := 0; i < len(pairs); i += 2 {
			form.Set(pairs[i], pairs[i+1])
		}
		if page := kit.Post("/access/choice", form, viewer); page.Status != http.StatusSeeOther || page.Header.Get("Location") != "/m/impersonation/access?done=chosen" {
			t.Fatalf("%v: %d %s", pairs, page.Status, page.Body)
		}
	}
	mustHold(t, kit.Get("/access", viewer), "Support may sign in as your contacts.", `value="always" checked`)
	mustLack(t, kit.Get("/access", viewer), "1 hour")
	choose("choice", "never")
	if may() {
		t.Error("never, and it may")
	}
	mustHold(t, kit.Get("/access", viewer), "never sign in", "Chosen by Jane Doe, \u20662026-11-20 12:00", `value="never" checked`)
	choose("choice", "ask")
	mustHold(t, kit.Get("/access", viewer), "until you allow it", "1 hour", "1 day", "7 days")
	mustLack(t, kit.Get("/access", viewer), "Withdraw")
	for hours, last := range map[string]time.Duration{"1": time.Hour, "24": 24 * time.Hour, "168": 7 * 24 * time.Hour} {
		c.now = noon
		choose("choice", "ask", "hours", hours)
		mustHold(t, kit.Get("/access", viewer), "Withdraw", "until \u2066"+noon.Add(last).Format("2006-01-02 15:04"))
		c.now = noon.Add(last - time.Second)
		if !may() {
			t.Errorf("%s hours: closed too early", hours)
		}
		c.now = noon.Add(last + time.Second)
		if may() {
			t.Errorf("%s hours: open for too long", hours)
		}
	}
	c.now = noon
	choose("choice", "ask", "hours", "1")
	choose("choice", "ask")
	if !may() {
		t.Error("saving the same choice closed the window")
	}
	choose("choice", "ask", "withdraw", "yes")
	if may() {
		t.Error("withdrawn, and it may")
	}
	if kit.Host.Rechecks != len(kit.Host.Entries) || kit.Host.Rechecks != 8 {
		t.Errorf("%d rechecks, %d entries", kit.Host.Rechecks, len(kit.Host.Entries))
	}
	if entry := kit.Host.Entries[0]; entry.Action != "support access chosen" || entry.Actor != jane.Key || entry.Detail["customer"] != "1" || entry.Detail["choice"] != "never" {
		t.Errorf("%+v", entry)
	}
	kit.Host.Settings[customersDecide] = "false"
	if page := kit.Post("/access/choice", url.Values{"choice": {"never"}}, viewer); page.Status != http.StatusConflict {
		t.Errorf("not theirs to choose: %d", page.Status)
	}
	mustLack(t, kit.Get("/access", viewer), "<form")
}

// What isn't in the Activity Log doesn't count.
func TestChoiceThatCantBeRecordedDoesNotCount(t *testing.T) {
	kit := newKit(t, sdktest.Options{Denied: []string{"audit.write"}})
	if page := kit.Post("/access/choice", url.Values{"choice": {"always"}}, kit.Viewer(jane)); page.Status != http.StatusForbidden || len(kit.Host.Stored) != 0 {
		t.Errorf("%d %v", page.Status, kit.Host.Stored)
	}
}

func TestAttacksOnACustomersChoice(t *testing.T) {
	kit := newKitAt(t, &clock{noon}, nil)
	kit.Host.Switches = []sdk.SessionSwitch{*running(sdk.Full, 60)}
	other := rosa
	other.Primary, other.Capabilities = true, []string{mayAccess}
	ofNobody := other
	ofNobody.CustomerID = 0
	always := url.Values{"choice": {"never"}, "customer": {"1"}, "id": {"1"}}
	for _, viewer := range []sdk.Viewer{kit.Viewer(omar), kit.ViewerAs(ann, jane), kit.ViewerAs(ben, jane), kit.Viewer(ann), kit.Viewer(ben), kit.Viewer(ofNobody)} {
		for _, path := range []string{"/access/choice", "/access/end"} {
			if page := kit.Post(path, always, viewer); page.Status != http.StatusForbidden && page.Status != http.StatusNotFound {
				t.Errorf("%s by %s: %d %s", path, viewer.Actor.Name, page.Status, page.Body)
			}
		}
	}
	if len(kit.Host.Stored) != 0 || kit.Host.Switches[0].Outcome() != sdk.OutcomeActive {
		t.Fatal("something took effect")
	}
	// A contact of another customer only ever chooses for its own.
	kit.Post("/access/choice", always, kit.Viewer(other))
	if kit.Host.Stored["customer/1"] != nil || kit.Host.Stored["customer/2"] == nil {
		t.Errorf("stored %v", kit.Host.Stored)
	}
	if page := kit.Post("/access/end", url.Values{"id": {"1"}}, kit.Viewer(other)); page.Status != http.StatusNotFound {
		t.Errorf("another customer ends it: %d", page.Status)
	}
	for _, form := range []url.Values{
		{},
		{"choice": {"sometimes"}},
		{"choice": {"ask"}, "hours": {"100000"}},
		{"choice": {"ask"}, "hours": {"-1"}},
		{"choice": {"ask"}, "hours": {"x"}},
		{"choice": {"always"}, "hours": {"1"}},
	} {
		if page := kit.Post("/access/choice", form, kit.Viewer(jane)); page.Status != http.StatusUnprocessableEntity {
			t.Errorf("%v: %d", form, page.Status)
		}
	}
	for _, path := range []string{"/access/choice", "/access/end"} {
		if page := kit.Get(path, kit.Viewer(jane)); page.Status != http.StatusMethodNotAllowed {
			t.Errorf("GET %s: %d", path, page.Status)
		}
	}
}

func TestCustomerSeesItsOwnAndEndsIt(t *testing.T) {
	kit := newKitAt(t, &clock{noon.Add(10 * time.Minute)}, nil)
	kit.Host.Switches = []sdk.SessionSwitch{
		{ID: 1, Actor: ben.Key, ActorName: "Ben Ortiz", Subject: jane.Key, SubjectName: "Jane Doe", CustomerID: 1, StartedAt: noon, ExpiresAt: noon.Add(time.Hour), Reason: "the invoice", Ticket: "T-7", IP: "192.0.2.7", Mode: sdk.Full},
		{ID: 2, Actor: ben.Key, ActorName: "Ben Ortiz", Subject: rosa.Key, SubjectName: "Rosa Diaz", CustomerID: 2, StartedAt: noon, Reason: "secret of Globex"},
		{ID: 3, Actor: cleo.Key, ActorName: "Cleo Park", Subject: jane.Key, SubjectName: "Jane Doe", CustomerID: 1, StartedAt: noon, RefusalCode: "refused_disabled", Reason: "an attempt"},
		{ID: 4, Actor: ann.Key, ActorName: "Ann Lee", Subject: ben.Key, SubjectName: "Ben Ortiz", StartedAt: noon, Reason: "among staff"},
	}
	kit.Host.Events = map[int64][]sdk.SwitchEvent{1: {
		{At: noon, Kind: sdk.EventStarted, Text: "Started"},
		{At: noon, Kind: sdk.EventPage, Text: "Company details"},
		{At: noon, Kind: sdk.EventChange, Text: "Company saved", Object: "customer:1", Detail: map[string]string{"phone": "1 → 2"}},
		{At: noon, Kind: sdk.EventRefused, Text: "Change password"},
	}}
	page := kit.Get("/access", kit.Viewer(jane))
	mustHold(t, page, "Ben Ortiz", "the invoice", "T-7", "10 min", "Active now", "End now", "What was changed")
	mustLack(t, page, "Globex", "an attempt", "among staff", "192.0.2.7")
	page = kit.Get("/access/entry?id=1", kit.Viewer(jane))
	mustHold(t, page, "Company saved", "phone: 1 → 2", "Ben Ortiz as Jane Doe")
	mustLack(t, page, "Company details", "Change password")
	for _, id := range []string{"2", "3", "4", "5", "", "1'", "-1"} {
		if page := kit.Get("/access/entry?id="+url.QueryEscape(id), kit.Viewer(jane)); page.Status != http.StatusNotFound || strings.Contains(page.Body, "Globex") {
			t.Errorf("entry %q: %d", id, page.Status)
		}
		if page := kit.Post("/access/end", url.Values{"id": {id}}, kit.Viewer(jane)); page.Status != http.StatusNotFound {
			t.Errorf("end %q: %d", id, page.Status)
		}
	}
	// A borrowed name shows nobody what their own rights don't.
	for viewer, may := range map[*sdk.Account]bool{&ann: true, &eve: true, &ben: false, &cleo: false} {
		list, entry := kit.Get("/access", kit.ViewerAs(*viewer, jane)), kit.Get("/access/entry?id=1", kit.ViewerAs(*viewer, jane))
		if strings.Contains(list.Body, "the invoice") != may || (entry.Status == http.StatusOK) != may {
			t.Errorf("%s: %d, %d", viewer.Name, list.Status, entry.Status)
		}
		mustHold(t, list, "disabled", "borrowed name")
		mustLack(t, list, "End now")
	}
	if page := kit.Post("/access/end", url.Values{"id": {"1"}}, kit.Viewer(jane)); page.Status != http.StatusSeeOther || kit.Host.Switches[0].End != sdk.EndBySubject {
		t.Errorf("%d %+v", page.Status, kit.Host.Switches[0])
	}
	mustHold(t, kit.Get("/access?done=ended", kit.Viewer(jane)), "Ended by the customer", "out with their next click")
	if page := kit.Post("/access/end", url.Values{"id": {"1"}}, kit.Viewer(jane)); page.Status != http.StatusConflict {
		t.Errorf("ended twice: %d", page.Status)
	}
}

// Between two changes there may be thousands of pages.
func TestChangesAreFoundAmongManyPages(t *testing.T) {
	kit := newKitAt(t, &clock{noon}, nil)
	kit.Host.Switches = []sdk.SessionSwitch{*running(sdk.Full, 60)}
	var events []sdk.SwitchEvent
	for i := range 2500 {
		kind := sdk.EventPage
		if i%1200 == 1199 {
			kind = sdk.EventChange
		}
		events = append(events, sdk.SwitchEvent{At: noon, Kind: kind, Text: fmt.Sprintf("event %d", i)})
	}
	kit.Host.Events = map[int64][]sdk.SwitchEvent{1: events}
	page := kit.Get("/access/entry?id=1", kit.Viewer(jane))
	mustHold(t, page, "event 1199<", "event 2399<")
	mustLack(t, page, "event 1198<")
}
