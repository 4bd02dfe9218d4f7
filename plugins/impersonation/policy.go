package main

import (
	"time"

	"github.com/understudy-crm/understudy/sdk"
)

// timeLimit is how long one impersonation may last.
const timeLimit = 60 * time.Minute

// decide says whether actor may become an account of a kind. Each setting only ever takes away:
// "Disable Impersonation" from all but administrators, "Enable for …" from everybody. A setting
// that is neither true nor false takes away from everybody.
func decide(settings sdk.Settings, actor sdk.Account, kind sdk.AccountKind) sdk.SwitchDecision {
	if why := refusal(settings, actor, kind); why != "" {
		return sdk.RefuseSwitch(why)
	}
	return sdk.AllowSwitch(timeLimit, sdk.Full)
}

// refusal returns the message key of the first rule that refuses, empty when none does.
func refusal(settings sdk.Settings, actor sdk.Account, kind sdk.AccountKind) string {
	if actor.Key.Kind != sdk.Staff || (kind != sdk.Staff && kind != sdk.Contact) {
		return "refused_kind"
	}
	for _, r := range rules(settings, actor, kind) {
		if !r.holds {
			return r.refusal
		}
	}
	return ""
}

// rule is one condition of impersonating: what it asks, whether it holds, and the sentence when it
// does not.
type rule struct {
	text    string // message key
	holds   bool
	refusal string // message key
}

// rules are all conditions under which actor may become an account of a kind; every one must hold.
// Deciding and explaining read this one list.
func rules(settings sdk.Settings, actor sdk.Account, kind sdk.AccountKind) []rule {
	disabled, disabledErr := settings.Bool(disableImpersonation)
	enabled, enabledErr := settings.Bool(enabledBy(kind))
	switchedOn, off, permission, missing := "rule_staff_on", "refused_staff_off", "rule_staff_permission", "refused_no_staff_permission"
	if kind == sdk.Contact {
		switchedOn, off, permission, missing = "rule_customers_on", "refused_customers_off", "rule_customers_permission", "refused_no_customers_permission"
	}
	return []rule{
		{"rule_settings", disabledErr == nil && enabledErr == nil, "refused_settings"},
		{"rule_active", actor.Active, "refused_inactive"},
		{switchedOn, enabled, off},
		{"rule_not_disabled", !disabled || actor.Administrator, "refused_disabled"},
		{permission, actor.Administrator || actor.Can(capabilityFor(kind)), missing},
	}
}

// allowedKinds returns the kinds of account actor may become, staff first.
func allowedKinds(settings sdk.Settings, actor sdk.Account) []sdk.AccountKind {
	var kinds []sdk.AccountKind
	for _, kind := range []sdk.AccountKind{sdk.Staff, sdk.Contact} {
		if refusal(settings, actor, kind) == "" {
			kinds = append(kinds, kind)
		}
	}
	return kinds
}

// whyNone returns the message key that says why actor may become nobody at all.
func whyNone(settings sdk.Settings, actor sdk.Account) string {
	staff, contact := refusal(settings, actor, sdk.Staff), refusal(settings, actor, sdk.Contact)
	switch {
	case staff == contact:
		return staff
	case staff == "refused_staff_off" && contact == "refused_customers_off":
		return "refused_both_off"
	}
	return "refused_none_left"
}

func enabledBy(kind sdk.AccountKind) string {
	if kind == sdk.Contact {
		return enableCustomers
	}
	return enableAdmins
}

func capabilityFor(kind sdk.AccountKind) string {
	if kind == sdk.Contact {
		return mayCustomers
	}
	return mayStaff
}
