package main

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/understudy-crm/understudy/sdk"
	"github.com/understudy-crm/understudy/sdk/sdktest"
)

// fourEyed is a kit in which ann wants to become abe.
func fourEyed(t *testing.T) (*sdktest.Kit, *clock, func() sdk.SwitchDecision) {
	t.Helper()
	c := &clock{noon}
	kit := newKitAt(t, c, sdk.Settings{fourEyes: "true"})
	kit.Host.People = append(kit.Host.People, zoe)
	return kit, c, func() sdk.SwitchDecision {
		return ask1(t, kit, sdk.SwitchQuestion{Moment: sdk.SwitchStart, Actor: ann, Target: abe, Reason: "the invoice"})
	}
}

// zoe is a third administrator.
var zoe = sdk.Account{Key: sdk.AccountKey{Kind: sdk.Staff, ID: 7}, Name: "Zoe Quinn", Email: "zoe@example.com", Active: true, Administrator: true}

// answerAs answers the ask of ann for abe as it stands there now.
func answerAs(kit *sdktest.Kit, viewer sdk.Viewer, answer string) sdktest.Response {
	version := ""
	if _, after, found := strings.Cut(kit.Get("/approvals", kit.Viewer(zoe)).Body, `name="version" value="`); found {
		version, _, _ = strings.Cut(after, `"`)
	}
	return kit.Post("/approvals/answer", url.Values{
		"actor": {ann.Key.String()}, "target": {abe.Key.String()}, "version": {version}, "answer": {answer},
	}, viewer)
}

func TestAdministratorNeedsAnotherAdministratorsApproval(t *testing.T) {
	kit, c, start := fourEyed(t)
	if got := start(); got.RefusalKey != "refused_approval_asked" {
		t.Fatalf("%+v", got)
	}
	if len(kit.Host.Sent) != 1 || !kit.Host.Sent[0].ToAdministrators || kit.Host.Sent[0].To != ann.Key || kit.Host.Sent[0].Page != "/approvals" {
		t.Fatalf("told %+v", kit.Host.Sent)
	}
	c.now = c.now.Add(9 * time.Minute)
	if start(); len(kit.Host.Sent) != 1 {
		t.Error("administrators were told twice within 10 minutes")
	}
	mustHold(t, kit.Get("/approvals", kit.Viewer(zoe)), "Ann Lee wants to become Abe Stone", "the invoice", ">Approve<", ">Refuse<")

	if page := answerAs(kit, kit.Viewer(zoe), "yes"); page.Status != http.StatusSeeOther {
		t.Fatalf("%d %s", page.Status, page.Body)
	}
	last := kit.Host.Sent[len(kit.Host.Sent)-1]
	if last.To != ann.Key || last.ToAdministrators || last.TextKey != "notice_approval_given" || last.Args["by"] != "Zoe Quinn" {
		t.Errorf("the asker was told %+v", last)
	}
	if entry := kit.Host.Entries[0]; entry.Action != "impersonation approved" || entry.Actor != zoe.Key || entry.Detail["actor"] != "staff:1" || entry.Detail["target"] != "staff:6" || entry.Detail["reason"] != "the invoice" {
		t.Errorf("recorded %+v", entry)
	}
	// Asked again before it takes place, as when the own password is asked for between.
	for range 2 {
		if got := start(); !got.Allowed {
			t.Fatalf("approved, and %+v", got)
		}
	}
	// It is of this pair alone.
	for _, pair := range [][2]sdk.Account{{abe, ann}, {ann, zoe}, {zoe, abe}} {
		if got := ask1(t, kit, sdk.SwitchQuestion{Moment: sdk.SwitchStart, Actor: pair[0], Target: pair[1]}); got.Allowed {
			t.Errorf("%s as %s needs no approval", pair[0].Name, pair[1].Name)
		}
	}
	// While it runs nobody is asked again.
	c.now = c.now.Add(30 * time.Minute)
	switched := &sdk.SessionSwitch{Actor: ann.Key, Subject: abe.Key, StartedAt: c.now.Add(-29 * time.Minute), ExpiresAt: c.now.Add(31 * time.Minute), Mode: sdk.Full, SubjectDetail: "Administrator"}
	for _, moment := range []sdk.SwitchMoment{sdk.SwitchRecheck, sdk.SwitchExtend} {
		if got := ask1(t, kit, sdk.SwitchQuestion{Moment: moment, Actor: ann, Target: abe, Reason: "x", Switch: switched}); !got.Allowed {
			t.Errorf("%s: %+v", moment, got)
		}
	}
}

func TestApprovalLastsTenMinutesAndOneStart(t *testing.T) {
	for _, test := range []struct {
		name   string
		after  time.Duration
		before func(kit *sdktest.Kit)
		may    bool
	}{
		{"at once", 0, nil, true},
		{"a second before its end", 10*time.Minute - time.Second, nil, true},
		{"a second after it", 10*time.Minute + time.Second, nil, false},
		{"a start has used it, which runs", time.Minute, func(kit *sdktest.Kit) {
			kit.Host.Switches = []sdk.SessionSwitch{{ID: 1, Actor: ann.Key, Subject: abe.Key, StartedAt: noon.Add(2 * time.Second)}}
		}, false},
		{"a start has used it, hidden behind refused attempts", time.Minute, func(kit *sdktest.Kit) {
			kit.Host.Switches = []sdk.SessionSwitch{{ID: 1, Actor: ann.Key, Subject: abe.Key, StartedAt: noon.Add(2 * time.Second), EndedAt: noon.Add(3 * time.Second), End: sdk.EndStopped}}
			for range 600 {
				kit.Host.Switches = append(kit.Host.Switches, sdk.SessionSwitch{Actor: ann.Key, Subject: abe.Key, StartedAt: noon.Add(4 * time.Second), RefusalCode: "refused_no_reason"})
			}
		}, false},
		{"a start kept in whole seconds has used it", time.Minute, func(kit *sdktest.Kit) {
			kit.Host.Switches = []sdk.SessionSwitch{{ID: 1, Actor: ann.Key, Subject: abe.Key, StartedAt: noon}}
		}, false},
		{"refused attempts alone", time.Minute, func(kit *sdktest.Kit) {
			kit.Host.Switches = []sdk.SessionSwitch{{Actor: ann.Key, Subject: abe.Key, StartedAt: noon.Add(2 * time.Second), RefusalCode: "refused_no_reason"}}
		}, true},
		{"a start of before, and of others", time.Minute, func(kit *sdktest.Kit) {
			kit.Host.Switches = []sdk.SessionSwitch{
				{ID: 1, Actor: ann.Key, Subject: abe.Key, StartedAt: noon.Add(-time.Minute), EndedAt: noon},
				{ID: 2, Actor: zoe.Key, Subject: abe.Key, StartedAt: noon.Add(time.Second)},
				{ID: 3, Actor: ann.Key, Subject: ben.Key, StartedAt: noon.Add(time.Second)},
			}
		}, true},
		{"who approved is no administrator any more", time.Minute, func(kit *sdktest.Kit) { kit.Host.People[len(kit.Host.People)-1].Administrator = false }, false},
		{"who approved is not active any more", time.Minute, func(kit *sdktest.Kit) { kit.Host.People[len(kit.Host.People)-1].Active = false }, false},
		{"who approved is gone", time.Minute, func(kit *sdktest.Kit) { kit.Host.People = kit.Host.People[:len(kit.Host.People)-1] }, false},
	} {
		kit, c, start := fourEyed(t)
		start()
		c.now = noon.Add(100 * time.Millisecond)
		if page := answerAs(kit, kit.Viewer(zoe), "yes"); page.Status != http.StatusSeeOther {
			t.Fatalf("%d %s", page.Status, page.Body)
		}
		c.now = c.now.Add(test.after)
		if test.before != nil {
			test.before(kit)
		}
		if got := start(); got.Allowed != test.may {
			t.Errorf("%s: %+v", test.name, got)
		}
	}
}

func TestNobodyApprovesWhatTheyMayNot(t *testing.T) {
	kit, c, start := fourEyed(t)
	start()
	for name, viewer := range map[string]sdk.Viewer{
		"the asker": kit.Viewer(ann), "no administrator": kit.Viewer(ben), "a reader of the log": kit.Viewer(eve),
		"the asker as another administrator": kit.ViewerAs(ann, zoe), "another administrator as the asker": kit.ViewerAs(zoe, ann), "a contact": kit.Viewer(jane),
	} {
		if page := answerAs(kit, viewer, "yes"); page.Status != http.StatusForbidden && page.Status != http.StatusNotFound {
			t.Errorf("%s: %d", name, page.Status)
		}
		if start().Allowed {
			t.Fatalf("approved by %s", name)
		}
	}
	mustHold(t, kit.Get("/approvals", kit.Viewer(ann)), "another administrator must answer it")
	mustLack(t, kit.Get("/approvals", kit.Viewer(ann)), ">Approve<")
	mustLack(t, kit.Get("/approvals", kit.ViewerAs(zoe, abe)), ">Approve<")

	// What was seen is what is approved: an ask made anew with another reason is another one.
	version := ask{At: noon}.version()
	c.now = noon.Add(time.Minute)
	start()
	form := url.Values{"actor": {"staff:1"}, "target": {"staff:6"}, "version": {version}, "answer": {"yes"}}
	if page := kit.Post("/approvals/answer", form, kit.Viewer(zoe)); page.Status != http.StatusConflict {
		t.Errorf("an older ask: %d", page.Status)
	}
	c.now = c.now.Add(10*time.Minute + time.Second)
	mustHold(t, kit.Get("/approvals", kit.Viewer(zoe)), "Nobody asks for an approval")
	form.Set("version", ask{At: noon.Add(time.Minute)}.version())
	for _, wrong := range []url.Values{
		form,
		{"actor": {"staff:1"}, "target": {"staff:7"}, "answer": {"yes"}},
		{"actor": {"x"}, "target": {"staff:6"}, "answer": {"yes"}},
		{"actor": {"staff:1"}, "target": {"staff:6"}, "answer": {"maybe"}},
	} {
		if page := kit.Post("/approvals/answer", wrong, kit.Viewer(zoe)); page.Status < 400 {
			t.Errorf("%v: %d", wrong, page.Status)
		}
	}
	if start().Allowed || len(kit.Host.Entries) != 0 {
		t.Errorf("approved all the same: %+v", kit.Host.Entries)
	}
}

func TestRefusedAskIsTold(t *testing.T) {
	kit, c, start := fourEyed(t)
	start()
	answerAs(kit, kit.Viewer(zoe), "no")
	if got := start(); got.RefusalKey != "refused_approval_refused" {
		t.Errorf("%+v", got)
	}
	if last := kit.Host.Sent[len(kit.Host.Sent)-1]; last.TextKey != "notice_approval_refused" || last.To != ann.Key {
		t.Errorf("%+v", last)
	}
	if page := answerAs(kit, kit.Viewer(zoe), "yes"); page.Status != http.StatusConflict {
		t.Errorf("answered twice: %d", page.Status)
	}
	c.now = c.now.Add(10*time.Minute + time.Second)
	if got := start(); got.RefusalKey != "refused_approval_asked" || kit.Host.Sent[len(kit.Host.Sent)-1].TextKey != "notice_approval_reason" {
		t.Errorf("%+v", got)
	}
}

// Who takes an administrator's rights away, becomes them and gives the rights back needs the approval
// all the same.
func TestPromotingWhomOneIsNeedsAnApproval(t *testing.T) {
	kit, _, _ := fourEyed(t)
	for setting, why := range map[string]string{"true": "refused_promoted", "false": ""} {
		kit.Host.Settings[fourEyes] = setting
		for _, moment := range []sdk.SwitchMoment{sdk.SwitchRecheck, sdk.SwitchExtend} {
			now := &sdk.SessionSwitch{ID: 1, Actor: ann.Key, Subject: abe.Key, SubjectDetail: "Sales", StartedAt: noon.Add(-time.Minute), ExpiresAt: noon.Add(59 * time.Minute), Mode: sdk.Full}
			if got := ask1(t, kit, sdk.SwitchQuestion{Moment: moment, Actor: ann, Target: abe, Reason: "x", Switch: now}); got.RefusalKey != why {
				t.Errorf("%s, four eyes %s: %+v", moment, setting, got)
			}
		}
	}
	if len(kit.Host.Sent) != 0 {
		t.Errorf("told %+v", kit.Host.Sent)
	}
}

// Nobody is told "administrators have been asked" who can't be asked for, and nobody's own answer
// counts, however it got there.
func TestAnAskThatCantBeKeptIsNoAsk(t *testing.T) {
	kit, _, start := fourEyed(t)
	kit.Host.Stored["full"] = make([]byte, 16<<20-10)
	if got := start(); got.RefusalKey != "refused_storage" || len(kit.Host.Sent) != 0 {
		t.Errorf("%+v, told %+v", got, kit.Host.Sent)
	}
	own, err := json.Marshal(ask{By: ann.Key.String(), At: noon, AnsweredAt: noon, Approved: true})
	if err != nil {
		t.Fatal(err)
	}
	kit.Host.Stored = map[string][]byte{askKey(ann.Key, abe.Key): own}
	if got := start(); got.Allowed {
		t.Errorf("approved by herself: %+v", got)
	}
}

func TestWhatCantBeReadRefuses(t *testing.T) {
	kit, _, start := fourEyed(t)
	start()
	answerAs(kit, kit.Viewer(zoe), "yes")
	kit.Host.Stored[askKey(ann.Key, abe.Key)] = []byte(`{"approved": tru`)
	if got := start(); got.RefusalKey != "refused_storage" {
		t.Errorf("a broken approval: %+v", got)
	}
	kit.Host.Stored[consentKey(1)] = []byte(`[]`)
	for _, moment := range []sdk.SwitchMoment{sdk.SwitchStart, sdk.SwitchRecheck} {
		if got := ask1(t, kit, sdk.SwitchQuestion{Moment: moment, Actor: ben, Target: jane, Switch: running(sdk.Full, 60)}); got.RefusalKey != "refused_storage" {
			t.Errorf("a broken choice at %s: %+v", moment, got)
		}
	}
	kit.Host.Fault = sdk.Errorf(sdk.Unavailable, "gone")
	if got := start(); got.RefusalKey != "refused_storage" {
		t.Errorf("no storage: %+v", got)
	}
	if got := ask1(t, kit, sdk.SwitchQuestion{Moment: sdk.SwitchStart, Actor: ben, Target: rosa}); got.RefusalKey != "refused_storage" {
		t.Errorf("no storage: %+v", got)
	}
	silent := sdktest.New(t, moduleAt((&clock{noon}).at), sdktest.Options{People: []sdk.Account{ann, abe}, Settings: sdk.Settings{fourEyes: "true"}, Denied: []string{"notice.send"}})
	for range 2 {
		if got := ask1(t, silent, sdk.SwitchQuestion{Moment: sdk.SwitchStart, Actor: ann, Target: abe}); got.RefusalKey != "refused_approval_asked" {
			t.Errorf("nobody can be told: %+v", got)
		}
	}
	mustHold(t, silent.Get("/approvals", silent.Viewer(abe)), "Ann Lee wants to become Abe Stone")
	if page := answerAs(silent, silent.Viewer(abe), "perhaps"); page.Status != http.StatusUnprocessableEntity {
		t.Errorf("an answer that is none: %d", page.Status)
	}
	var asked ask
	if err := json.Unmarshal(silent.Host.Stored[askKey(ann.Key, abe.Key)], &asked); err != nil || !asked.ToldAt.IsZero() {
		t.Errorf("nobody was told, and the next attempt tells nobody either: %+v, %v", asked, err)
	}
}
