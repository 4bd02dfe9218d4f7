package main

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/understudy-crm/understudy/sdk"
	"github.com/understudy-crm/understudy/sdk/sdktest"
)

// The five people who may ask, by what they hold.
var askers = map[string]sdk.Account{
	"administrator":  {Key: sdk.AccountKey{Kind: sdk.Staff, ID: 1}, Administrator: true, Active: true},
	"both":           {Key: sdk.AccountKey{Kind: sdk.Staff, ID: 2}, Active: true, Capabilities: []string{mayStaff, mayCustomers}},
	"only staff":     {Key: sdk.AccountKey{Kind: sdk.Staff, ID: 3}, Active: true, Capabilities: []string{mayStaff}},
	"only customers": {Key: sdk.AccountKey{Kind: sdk.Staff, ID: 4}, Active: true, Capabilities: []string{mayCustomers}},
	"none":           {Key: sdk.AccountKey{Kind: sdk.Staff, ID: 5}, Active: true, Capabilities: []string{mayViewLog}},
}

// Every combination of the three settings, and who may then become what.
var combinations = []struct {
	disable, customers, admins string
	staff, contacts            []string
	why                        map[string]string
}{
	{"false", "true", "true", []string{"administrator", "both", "only staff"}, []string{"administrator", "both", "only customers"}, nil},
	{"false", "true", "false", nil, []string{"administrator", "both", "only customers"}, nil},
	{"false", "false", "true", []string{"administrator", "both", "only staff"}, nil, nil},
	{"false", "false", "false", nil, nil, nil},
	{"true", "true", "true", []string{"administrator"}, []string{"administrator"}, nil},
	{"true", "true", "false", nil, []string{"administrator"}, nil},
	{"true", "false", "true", []string{"administrator"}, nil, nil},
	{"true", "false", "false", nil, nil, nil},
}

// withDefaults is settings over the declared defaults, as the host hands them over.
func withDefaults(settings sdk.Settings) sdk.Settings {
	all := sdk.Settings{}
	for _, field := range settingsPage().Fields {
		all[field.Key] = field.Default
	}
	maps.Copy(all, settings)
	return all
}

// startOf is what is decided of a start as an account of a kind.
func startOf(settings sdk.Settings, actor sdk.Account, kind sdk.AccountKind) sdk.SwitchDecision {
	return decide(facts{moment: sdk.SwitchStart, settings: withDefaults(settings), actor: actor, kind: kind})
}

func TestDecideFollowsTheMatrix(t *testing.T) {
	english := sdktest.New(t, impersonation(), sdktest.Options{}).Words("en")
	for _, row := range combinations {
		settings := sdk.Settings{disableImpersonation: row.disable, enableCustomers: row.customers, enableAdmins: row.admins}
		for who, actor := range askers {
			for kind, allowed := range map[sdk.AccountKind][]string{sdk.Staff: row.staff, sdk.Contact: row.contacts} {
				name := fmt.Sprintf("disable=%s customers=%s admins=%s %s becomes %s", row.disable, row.customers, row.admins, who, kind)
				decision := startOf(settings, actor, kind)
				want := contains(allowed, who)
				if decision.Allowed != want {
					t.Errorf("%s: %+v", name, decision)
				}
				if want && (decision.Limit != time.Hour || decision.Mode != sdk.Full || decision.RefusalKey != "") {
					t.Errorf("%s: %+v", name, decision)
				}
				if !want && (!english.Has(decision.RefusalKey) || decision.Limit != 0) {
					t.Errorf("%s: refused without a sentence: %+v", name, decision)
				}
			}
		}
	}
}

// What the host draws by rules must be what the hook decides: nobody sees an icon that refuses,
// and nobody who may lacks it.
func TestRulesSayWhatDecideSays(t *testing.T) {
	values := []string{"true", "false", "", "TRUE", "1", "yes"}
	for _, disable := range values {
		for _, customers := range values {
			for _, admins := range values {
				settings := withDefaults(sdk.Settings{disableImpersonation: disable, enableCustomers: customers, enableAdmins: admins})
				for who, actor := range askers {
					facts := sdk.Facts{Subject: actor, Settings: settings, Area: sdk.AdminArea}
					for _, kind := range []sdk.AccountKind{sdk.Staff, sdk.Contact} {
						rule, decision := mayBecome(kind).Holds(facts), startOf(settings, actor, kind)
						if rule != decision.Allowed {
							t.Errorf("%v %s %s: rule %v, decision %+v", settings, who, kind, rule, decision)
						}
					}
					icon := navbar()[0].Visible.Holds(facts)
					if want := len(allowedKinds(settings, actor)) > 0; icon != want {
						t.Errorf("%v %s: icon %v, wanted %v", settings, who, icon, want)
					}
					if why := whyNone(settings, actor); len(allowedKinds(settings, actor)) == 0 && why == "" {
						t.Errorf("%v %s: no reason why not", settings, who)
					}
				}
			}
		}
	}
}

func TestDamagedSettingsFailClosed(t *testing.T) {
	good := sdk.Settings{disableImpersonation: "false", enableCustomers: "true", enableAdmins: "true"}
	for _, damaged := range []string{"", "TRUE", "True", "yes", "1", " true", "true ", "null"} {
		for key, refused := range map[string][]sdk.AccountKind{
			disableImpersonation: {sdk.Staff, sdk.Contact}, enableCustomers: {sdk.Contact}, enableAdmins: {sdk.Staff},
		} {
			settings := sdk.Settings{}
			for k, v := range good {
				settings[k] = v
			}
			settings[key] = damaged
			for _, kind := range refused {
				if decision := startOf(settings, askers["administrator"], kind); decision.Allowed || decision.RefusalKey != "refused_settings" {
					t.Errorf("%s=%q %s: %+v", key, damaged, kind, decision)
				}
			}
		}
	}
	if decide(facts{moment: sdk.SwitchStart, actor: askers["administrator"], kind: sdk.Staff}).Allowed {
		t.Error("no settings at all allow")
	}
}

func TestOnlyStaffBecomeAnybody(t *testing.T) {
	good := sdk.Settings{disableImpersonation: "false", enableCustomers: "true", enableAdmins: "true"}
	contact := sdk.Account{Key: sdk.AccountKey{Kind: sdk.Contact, ID: 1}, Administrator: true, Capabilities: []string{mayStaff, mayCustomers}}
	if startOf(good, contact, sdk.Staff).Allowed || startOf(good, contact, sdk.Contact).Allowed {
		t.Error("a contact may")
	}
	if startOf(good, askers["administrator"], "").Allowed || startOf(good, askers["administrator"], "robot").Allowed {
		t.Error("an unknown kind may be become")
	}
	if startOf(good, sdk.Account{}, sdk.Staff).Allowed {
		t.Error("nobody may")
	}
}

func TestOneNoteSaysTheEffect(t *testing.T) {
	notes := settingsPage().Notes
	seen := map[string]bool{}
	for _, row := range combinations {
		facts := sdk.Facts{Settings: sdk.Settings{disableImpersonation: row.disable, enableCustomers: row.customers, enableAdmins: row.admins}}
		var shown []string
		for _, note := range notes {
			if note.When.Holds(facts) {
				shown = append(shown, note.TextKey)
			}
		}
		if len(shown) != 1 || seen[shown[0]] {
			t.Errorf("%+v shows %v", facts.Settings, shown)
		}
		seen[shown[0]] = true
	}
	if len(seen) != 8 {
		t.Errorf("%d notes", len(seen))
	}
}

func contains(list []string, text string) bool {
	for _, each := range list {
		if each == text {
			return true
		}
	}
	return false
}
