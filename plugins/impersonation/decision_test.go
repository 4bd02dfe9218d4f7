package main

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/understudy-crm/understudy/sdk"
	"github.com/understudy-crm/understudy/sdk/sdktest"
)

// clock is a clock that a test sets.
type clock struct{ now time.Time }

func (c *clock) at() time.Time { return c.now }

// newKitAt is a kit whose module lives by a clock.
func newKitAt(t *testing.T, c *clock, settings sdk.Settings) *sdktest.Kit {
	t.Helper()
	return sdktest.New(t, moduleAt(c.at), sdktest.Options{People: []sdk.Account{ann, abe, ben, cleo, dan, eve, jane, omar, rosa}, Settings: settings})
}

// abe is a second administrator, omar a contact of Acme without the right.
var (
	abe  = sdk.Account{Key: sdk.AccountKey{Kind: sdk.Staff, ID: 6}, Name: "Abe Stone", Email: "abe@example.com", Active: true, Administrator: true}
	omar = sdk.Account{Key: sdk.AccountKey{Kind: sdk.Contact, ID: 5}, Name: "Omar Haddad", Email: "omar@acme.example", Active: true, Company: "Acme Ltd", CustomerID: 1}
)

func ask1(t *testing.T, kit *sdktest.Kit, question sdk.SwitchQuestion) sdk.SwitchDecision {
	t.Helper()
	decision, err := kit.Ask(question)
	if err != nil {
		t.Fatal(err)
	}
	if !decision.Allowed && !kit.Words("en").Has(decision.RefusalKey) {
		t.Errorf("refused without a sentence: %q", decision.RefusalKey)
	}
	return decision
}

// running is a switch of ben as jane that began at noon.
func running(mode sdk.SwitchMode, minutes int) *sdk.SessionSwitch {
	return &sdk.SessionSwitch{
		ID: 1, Actor: ben.Key, Subject: jane.Key, StartedAt: noon, ExpiresAt: noon.Add(time.Duration(minutes) * time.Minute), Mode: mode, CustomerID: 1,
	}
}

func TestStartByEachSetting(t *testing.T) {
	for _, test := range []struct {
		name     string
		settings sdk.Settings
		question sdk.SwitchQuestion
		want     sdk.SwitchDecision
	}{
		{"as always", nil, sdk.SwitchQuestion{}, sdk.AllowSwitch(time.Hour, sdk.Full)},
		{"no reason where one may be given", sdk.Settings{askReason: optional}, sdk.SwitchQuestion{}, sdk.AllowSwitch(time.Hour, sdk.Full)},
		{"no reason where one must be", sdk.Settings{askReason: required}, sdk.SwitchQuestion{}, sdk.RefuseSwitch("refused_no_reason")},
		{"a blank reason", sdk.Settings{askReason: required}, sdk.SwitchQuestion{Reason: " \n\t"}, sdk.RefuseSwitch("refused_no_reason")},
		{"a reason", sdk.Settings{askReason: required}, sdk.SwitchQuestion{Reason: "because"}, sdk.AllowSwitch(time.Hour, sdk.Full)},
		{"no ticket", sdk.Settings{askTicket: required}, sdk.SwitchQuestion{Reason: "because"}, sdk.RefuseSwitch("refused_no_ticket")},
		{"a ticket", sdk.Settings{askTicket: required}, sdk.SwitchQuestion{Ticket: "7"}, sdk.AllowSwitch(time.Hour, sdk.Full)},
		{"a time limit", sdk.Settings{timeLimit: "5"}, sdk.SwitchQuestion{}, sdk.AllowSwitch(5*time.Minute, sdk.Full)},
		{"a cap below the limit", sdk.Settings{timeLimit: "90", hardCap: "30"}, sdk.SwitchQuestion{}, sdk.AllowSwitch(30*time.Minute, sdk.Full)},
		{"read-only", sdk.Settings{readOnly: "true"}, sdk.SwitchQuestion{}, sdk.AllowSwitch(time.Hour, sdk.ReadOnly)},
		{"own password", sdk.Settings{ownPassword: "true"}, sdk.SwitchQuestion{}, sdk.SwitchDecision{Allowed: true, Limit: time.Hour, Mode: sdk.Full, PasswordWithin: 15 * time.Minute}},
		{"told", sdk.Settings{tellSubject: tellPortal}, sdk.SwitchQuestion{}, sdk.SwitchDecision{
			Allowed: true, Limit: time.Hour, Mode: sdk.Full, Notices: []sdk.SwitchNotice{{AtEnd: true, TextKey: "notice_subject", Page: "/access"}},
		}},
		{"told by mail, with the reason", sdk.Settings{tellSubject: tellMail}, sdk.SwitchQuestion{Reason: "x"}, sdk.SwitchDecision{
			Allowed: true, Limit: time.Hour, Mode: sdk.Full, Notices: []sdk.SwitchNotice{{AtEnd: true, TextKey: "notice_subject_reason", Page: "/access", Mail: true}},
		}},
		{"ten users", nil, sdk.SwitchQuestion{RecentTargets: 9}, sdk.AllowSwitch(time.Hour, sdk.Full)},
		{"eleven users", sdk.Settings{ownPassword: "true"}, sdk.SwitchQuestion{RecentTargets: 10}, sdk.SwitchDecision{
			Allowed: true, Limit: time.Hour, Mode: sdk.Full, PasswordWithin: time.Minute,
			Notices: []sdk.SwitchNotice{{ToAdministrators: true, TextKey: "notice_many_targets", Page: "/active", Mail: true}},
		}},
		{"any number", sdk.Settings{targetsPerHour: "0"}, sdk.SwitchQuestion{RecentTargets: 5000}, sdk.AllowSwitch(time.Hour, sdk.Full)},
		{"a moment nobody knows", nil, sdk.SwitchQuestion{Moment: "later"}, sdk.RefuseSwitch("refused_moment")},
	} {
		kit := newKitAt(t, &clock{noon}, test.settings)
		test.question.Actor, test.question.Target = ben, jane
		if test.question.Moment == "" {
			test.question.Moment = sdk.SwitchStart
		}
		if got := ask1(t, kit, test.question); fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", test.want) {
			t.Errorf("%s: %+v", test.name, got)
		}
	}
	kit := newKitAt(t, &clock{noon}, sdk.Settings{tellSubject: tellPortal})
	got := ask1(t, kit, sdk.SwitchQuestion{Moment: sdk.SwitchStart, Actor: ben, Target: omar})
	if len(got.Notices) != 1 || got.Notices[0].Page != "" {
		t.Errorf("who hasn't the right is sent to a page that says no: %+v", got.Notices)
	}
	if got := ask1(t, kit, sdk.SwitchQuestion{Actor: ben, Target: jane}); got.Allowed {
		t.Error("a moment too new to know allows")
	}
}

// One alert an hour for one person, and none lost to a start that never took place.
func TestAdministratorsAreToldOfHasteOnceAnHour(t *testing.T) {
	c := &clock{noon}
	kit := newKitAt(t, c, sdk.Settings{tellSubject: tellPortal})
	tells := func(actor, target sdk.Account) bool {
		t.Helper()
		got := ask1(t, kit, sdk.SwitchQuestion{Moment: sdk.SwitchStart, Actor: actor, Target: target, RecentTargets: 10})
		if !got.Allowed || got.PasswordWithin != time.Minute {
			t.Errorf("%+v", got)
		}
		return len(got.Notices) == 2 && got.Notices[0].ToAdministrators // the other is the subject's
	}
	starts := func(actor, target sdk.Account) {
		kit.Host.Switches = append(kit.Host.Switches, sdk.SessionSwitch{ID: 1, Actor: actor.Key, Subject: target.Key, StartedAt: c.now.Add(-time.Second), EndedAt: c.now, End: sdk.EndStopped})
	}
	for range 2 {
		if !tells(ben, jane) {
			t.Error("not told while the own password is asked for")
		}
	}
	c.now = c.now.Add(time.Minute)
	starts(ben, omar) // which the alert was not about
	if !tells(ben, jane) {
		t.Error("another start has swallowed the alert")
	}
	starts(ben, jane)
	c.now = c.now.Add(59 * time.Minute)
	if tells(ben, omar) {
		t.Error("told twice within an hour")
	}
	if !tells(ann, omar) {
		t.Error("one person's haste has hidden another's")
	}
	if c.now = c.now.Add(time.Minute); !tells(ben, omar) {
		t.Error("not told in the next hour")
	}
	starts(ben, omar)
	kit.Host.Stored["alert/"+ben.Key.String()] = []byte("{")
	if !tells(ben, rosa) {
		t.Error("what can't be read tells nobody")
	}
}

// better-auth #1465: the limit counts to the second, and activity doesn't extend it.
func TestCapsToTheSecond(t *testing.T) {
	c := &clock{noon}
	kit := newKitAt(t, c, sdk.Settings{timeLimit: "60", hardCap: "100"})
	extend := func(reason string, minutes int) sdk.SwitchDecision {
		return ask1(t, kit, sdk.SwitchQuestion{Moment: sdk.SwitchExtend, Actor: ben, Target: jane, Reason: reason, Switch: running(sdk.Full, minutes)})
	}
	for _, test := range []struct {
		after time.Duration
		given int
		limit time.Duration
		why   string
	}{
		{30 * time.Minute, 60, 90 * time.Minute, ""},
		{40*time.Minute - time.Second, 60, 100*time.Minute - time.Second, ""},
		{40 * time.Minute, 60, 100 * time.Minute, ""},
		{40*time.Minute + time.Second, 60, 100 * time.Minute, ""},
		{59 * time.Minute, 99, 100 * time.Minute, ""},
		{59 * time.Minute, 100, 0, "refused_hard_cap"},
		{99 * time.Minute, 100, 0, "refused_hard_cap"},
		{0, 60, 0, "refused_time_left"},
		{time.Second, 60, time.Hour + time.Second, ""},
		{-time.Minute, 60, 0, "refused_time_left"},
	} {
		c.now = noon.Add(test.after)
		if got := extend("more", test.given); got.Limit != test.limit || got.RefusalKey != test.why || got.Allowed != (test.why == "") {
			t.Errorf("after %s of %d min: %+v", test.after, test.given, got)
		}
	}
	c.now = noon.Add(30 * time.Minute)
	if got := extend(" ", 60); got.RefusalKey != "refused_no_reason" {
		t.Errorf("extended without a reason: %+v", got)
	}
	c.now = noon.Add(59 * time.Minute)
	recheck := sdk.SwitchQuestion{Moment: sdk.SwitchRecheck, Actor: ben, Target: jane, Switch: running(sdk.Full, 60)}
	if got := ask1(t, kit, recheck); got.Limit != time.Hour {
		t.Errorf("a recheck gives %s", got.Limit)
	}
	kit.Host.Settings[timeLimit], kit.Host.Settings[hardCap] = "20", "20"
	if got := ask1(t, kit, recheck); got.Limit != 20*time.Minute {
		t.Errorf("a lowered cap leaves %s", got.Limit)
	}
	kit.Host.Settings[readOnly] = "true"
	for _, broken := range []*sdk.SessionSwitch{nil, {StartedAt: noon}, {StartedAt: noon, ExpiresAt: noon.Add(-time.Hour)}, {StartedAt: noon, ExpiresAt: noon.Add(time.Hour), EndedAt: noon}} {
		for _, moment := range []sdk.SwitchMoment{sdk.SwitchRecheck, sdk.SwitchExtend, sdk.SwitchElevate} {
			if got := ask1(t, kit, sdk.SwitchQuestion{Moment: moment, Actor: ben, Target: jane, Reason: "x", Switch: broken}); got.Allowed {
				t.Errorf("%s of %+v is allowed", moment, broken)
			}
		}
	}
}

func TestModeIsKeptAndRaisedOnlyByElevation(t *testing.T) {
	elevated := running(sdk.Full, 60)
	elevated.ElevatedAt = noon.Add(time.Minute)
	for _, test := range []struct {
		moment  sdk.SwitchMoment
		setting string
		running *sdk.SessionSwitch
		mode    sdk.SwitchMode
		why     string
	}{
		{sdk.SwitchRecheck, "false", running(sdk.Full, 60), sdk.Full, ""},
		{sdk.SwitchRecheck, "true", running(sdk.Full, 60), sdk.ReadOnly, ""},
		{sdk.SwitchRecheck, "true", elevated, sdk.Full, ""},
		{sdk.SwitchRecheck, "false", running(sdk.ReadOnly, 60), sdk.ReadOnly, ""},
		{sdk.SwitchExtend, "true", running(sdk.ReadOnly, 60), sdk.ReadOnly, ""},
		{sdk.SwitchExtend, "true", elevated, sdk.Full, ""},
		{sdk.SwitchElevate, "true", running(sdk.ReadOnly, 60), sdk.Full, ""},
		{sdk.SwitchElevate, "false", running(sdk.ReadOnly, 60), 0, "refused_not_read_only"},
		{sdk.SwitchElevate, "true", elevated, 0, "refused_elevated"},
	} {
		kit := newKitAt(t, &clock{noon.Add(10 * time.Minute)}, sdk.Settings{readOnly: test.setting})
		question := sdk.SwitchQuestion{Moment: test.moment, Actor: ben, Target: jane, Reason: "why", Switch: test.running}
		if got := ask1(t, kit, question); got.Mode != test.mode || got.RefusalKey != test.why {
			t.Errorf("%s, read-only %s, %+v: %+v", test.moment, test.setting, test.running, got)
		}
		if got := ask1(t, kit, question); got.Limit > time.Hour && test.moment != sdk.SwitchExtend {
			t.Errorf("more rights came with more time: %+v", got)
		}
		question.Reason = ""
		if got := ask1(t, kit, question); test.moment == sdk.SwitchElevate && got.Allowed {
			t.Error("elevated without a reason")
		}
		// trigger.dev #3078: who loses the permission meanwhile is not kept in by any moment.
		question.Reason, question.Actor.Capabilities = "why", nil
		if got := ask1(t, kit, question); got.RefusalKey != "refused_no_customers_permission" {
			t.Errorf("%s without the permission: %+v", test.moment, got)
		}
	}
}

func TestSettingsThatDontGoTogetherAreRefused(t *testing.T) {
	kit := newKitAt(t, &clock{noon}, nil)
	for _, test := range []struct {
		changed sdk.Settings
		field   string
	}{
		{sdk.Settings{timeLimit: "241"}, hardCap},
		{sdk.Settings{timeLimit: "30", hardCap: "29"}, hardCap},
		{sdk.Settings{timeLimit: "0"}, timeLimit},
		{sdk.Settings{timeLimit: "721", hardCap: "720"}, timeLimit},
		{sdk.Settings{hardCap: "721"}, hardCap},
		{sdk.Settings{targetsPerHour: "-1"}, targetsPerHour},
		{sdk.Settings{targetsPerHour: "x"}, targetsPerHour},
		{sdk.Settings{consentRequired: "true", customersDecide: "false"}, consentRequired},
		{sdk.Settings{timeLimit: "240"}, ""},
		{sdk.Settings{timeLimit: "720", hardCap: "720", consentRequired: "true", targetsPerHour: "0"}, ""},
	} {
		before := maps.Clone(kit.Host.Settings)
		refused, err := kit.SaveSettings(test.changed)
		if err != nil || len(refused) != min(len(test.field), 1) || test.field != "" && !kit.Words("en").Has(refused[test.field]) {
			t.Errorf("%v: %v %v", test.changed, refused, err)
		}
		kit.Host.Settings = before
	}
}

// Each setting alone, damaged, refuses everybody at every moment.
func TestEveryDamagedSettingFailsClosed(t *testing.T) {
	for _, field := range settingsPage().Fields[3:] {
		if field.Key == pulse {
			continue // it only says how a button looks
		}
		for _, damaged := range []string{"", "TRUE", "-1", "9999", "1.5", "null"} {
			kit := newKitAt(t, &clock{noon}, nil)
			kit.Host.Settings[field.Key] = damaged
			for _, moment := range []sdk.SwitchMoment{sdk.SwitchStart, sdk.SwitchRecheck, sdk.SwitchExtend, sdk.SwitchElevate} {
				got := ask1(t, kit, sdk.SwitchQuestion{Moment: moment, Actor: ann, Target: jane, Reason: "x", Ticket: "y", Switch: running(sdk.ReadOnly, 60)})
				if got.RefusalKey != "refused_settings" {
					t.Errorf("%s=%q at %s: %+v", field.Key, damaged, moment, got)
				}
			}
		}
	}
}

// A consent that is required and that nobody can give is no setting of this product's.
func TestConsentThatNobodyCanGiveRefuses(t *testing.T) {
	kit := newKitAt(t, &clock{noon}, nil)
	kit.Host.Settings[consentRequired], kit.Host.Settings[customersDecide] = "true", "false"
	if got := ask1(t, kit, sdk.SwitchQuestion{Moment: sdk.SwitchStart, Actor: ann, Target: jane}); got.RefusalKey != "refused_settings" {
		t.Errorf("%+v", got)
	}
}

// What explains is what decides: over anything that can be known, a start that is filled in is
// refused exactly when a line of the explanation says no.
func TestExplainingAndDecidingAgree(t *testing.T) {
	random := rand.New(rand.NewPCG(4, 2)) // the same every time
	oneOf := func(list ...string) string { return list[random.IntN(len(list))] }
	actors, targets := []sdk.Account{ann, ben, cleo, dan, eve, jane}, []sdk.Account{ann, abe, cleo, jane, omar, rosa}
	allowed := 0
	for range 20000 {
		settings := sdk.Settings{}
		for _, field := range settingsPage().Fields {
			settings[field.Key] = field.Default
			switch {
			case random.IntN(40) == 0:
				settings[field.Key] = "damaged"
			case field.Kind == sdk.BoolSetting && random.IntN(3) == 0:
				settings[field.Key] = oneOf("true", "false")
			case field.Kind == sdk.ChoiceSetting:
				settings[field.Key] = field.Choices[random.IntN(len(field.Choices))].Value
			}
		}
		target := targets[random.IntN(len(targets))]
		f := facts{
			moment: sdk.SwitchStart, settings: settings, actor: actors[random.IntN(len(actors))], kind: target.Key.Kind, target: &target,
			reason: "r", ticket: "t", now: noon, approval: approval(random.IntN(3)),
			consent: consent{Choice: oneOf("", choseAlways, choseAsk, choseNever, "strange"), Until: noon.Add(time.Duration(random.IntN(3)-1) * time.Hour)},
		}
		f.actor.Active = random.IntN(5) > 0
		decision, says := decide(f), true
		for _, rule := range explained(f) {
			says = says && rule.holds
		}
		kinds := f.actor.Key.Kind == sdk.Staff // a contact is no staff member, who alone is explained
		if decision.Allowed != (says && kinds) {
			t.Fatalf("decided %+v, explained %v: %+v", decision, says, f)
		}
		if decision.Allowed {
			allowed++
		}
		// Whoever may not become any of a kind may not become this one.
		if decision.Allowed && kindRefusal(settings, f.actor, f.kind) != "" {
			t.Fatalf("the kind is refused, the account isn't: %+v", f)
		}
	}
	if allowed < 500 {
		t.Errorf("only %d of all were allowed", allowed)
	}
}

// Every key a decision may refuse or tell with has its words.
func TestEveryRefusalSaysWhatToDo(t *testing.T) {
	for _, tag := range shippedLanguages(t) {
		for key, text := range readLanguage(t, tag) {
			if strings.HasPrefix(key, "refused_") && key != "refused_because" && strings.Count(text, ".")+strings.Count(text, "؛") < 1 {
				t.Errorf("%s %s: %q", tag, key, text)
			}
		}
	}
}

// What a customer allows for an hour doesn't last longer, whatever the time limit is.
func TestNothingLastsLongerThanTheCustomersWindow(t *testing.T) {
	c := &clock{noon}
	kit := newKitAt(t, c, nil)
	kit.Host.Stored[consentKey(jane.CustomerID)] = []byte(`{"choice":"ask","until":"` + noon.Add(40*time.Minute).Format(time.RFC3339) + `"}`)
	start := sdk.SwitchQuestion{Moment: sdk.SwitchStart, Actor: ben, Target: jane}
	if d := ask1(t, kit, start); !d.Allowed || d.Limit != 40*time.Minute {
		t.Errorf("a start is given %+v", d)
	}
	c.now = noon.Add(10 * time.Minute)
	during := sdk.SwitchQuestion{Moment: sdk.SwitchRecheck, Actor: ben, Target: jane, Reason: "x", Switch: running(sdk.Full, 60)}
	if d := ask1(t, kit, during); !d.Allowed || d.Limit != 40*time.Minute {
		t.Errorf("one that runs is left %+v", d)
	}
	during.Moment, during.Switch = sdk.SwitchExtend, running(sdk.Full, 20)
	if d := ask1(t, kit, during); !d.Allowed || d.Limit != 40*time.Minute {
		t.Errorf("more time is %+v", d)
	}
	c.now = noon.Add(40 * time.Minute)
	for _, moment := range []sdk.SwitchMoment{sdk.SwitchStart, sdk.SwitchRecheck, sdk.SwitchExtend, sdk.SwitchElevate} {
		during.Moment = moment
		if d := ask1(t, kit, during); d.Allowed {
			t.Errorf("%s after the window is given %+v", moment, d)
		}
	}
}
