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
	disabled, err := settings.Bool(disableImpersonation)
	if err != nil {
		return "refused_settings"
	}
	if actor.Key.Kind != sdk.Staff || (kind != sdk.Staff && kind != sdk.Contact) {
		return "refused_kind"
	}
	enabled, err := settings.Bool(enabledBy(kind))
	switch {
	case err != nil:
		return "refused_settings"
	case !enabled && kind == sdk.Contact:
		return "refused_customers_off"
	case !enabled:
		return "refused_staff_off"
	case actor.Administrator:
		return ""
	case disabled:
		return "refused_disabled"
	case !actor.Can(capabilityFor(kind)) && kind == sdk.Contact:
		return "refused_no_customers_permission"
	case !actor.Can(capabilityFor(kind)):
		return "refused_no_staff_permission"
	}
	return ""
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
