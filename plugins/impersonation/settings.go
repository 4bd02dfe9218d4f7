package main

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/understudy-crm/understudy/sdk"
)

// The settings, as the host knows them. The first three are those every version has had.
const (
	disableImpersonation = "disable_impersonation"
	enableCustomers      = "enable_customers"
	enableAdmins         = "enable_admins"

	askReason       = "reason"
	askTicket       = "ticket"
	timeLimit       = "time_limit"
	hardCap         = "hard_cap"
	readOnly        = "read_only"
	ownPassword     = "own_password"
	tellSubject     = "tell_subject"
	customersDecide = "let_customers_decide"
	consentRequired = "consent_required"
	fourEyes        = "four_eyes"
	targetsPerHour  = "targets_per_hour"
	pulse           = "pulse"
)

// The values of the settings that are a choice.
const (
	off      = "off"
	optional = "optional"
	required = "required"

	tellNobody = "no"
	tellPortal = "portal"
	tellMail   = "mail"
)

// The bounds of the settings that are a number. The host ends a switch after maxMinutes, whatever
// is set here.
const (
	maxMinutes = 720
	maxTargets = 1000
)

// policy is the settings beyond the first three, read.
type policy struct {
	reason, ticket  string
	limit, cap      time.Duration
	readOnly        bool
	ownPassword     bool
	tell            string
	customersDecide bool
	consentRequired bool
	fourEyes        bool
	targets         int // different ones within an hour, 0 for any number
}

// policyOf reads the settings. With one that is not what it may be, none counts: readable is false.
func policyOf(settings sdk.Settings) (p policy, readable bool) {
	r := reader{settings: settings, readable: true}
	p = policy{
		reason: r.choice(askReason, off, optional, required), ticket: r.choice(askTicket, off, optional, required),
		limit: time.Duration(r.number(timeLimit, 1, maxMinutes)) * time.Minute,
		cap:   time.Duration(r.number(hardCap, 1, maxMinutes)) * time.Minute,
		tell:  r.choice(tellSubject, tellNobody, tellPortal, tellMail), readOnly: r.yes(readOnly), ownPassword: r.yes(ownPassword),
		customersDecide: r.yes(customersDecide), consentRequired: r.yes(consentRequired), fourEyes: r.yes(fourEyes),
		targets: r.number(targetsPerHour, 0, maxTargets),
	}
	p.limit = min(p.limit, p.cap)
	if p.consentRequired && !p.customersDecide {
		r.readable = false
	}
	return p, r.readable
}

// reader reads settings and remembers whether all of them could be read.
type reader struct {
	settings sdk.Settings
	readable bool
}

func (r *reader) yes(key string) bool {
	value, err := r.settings.Bool(key)
	r.readable = r.readable && err == nil
	return value
}

func (r *reader) choice(key string, allowed ...string) string {
	r.readable = r.readable && slices.Contains(allowed, r.settings[key])
	return r.settings[key]
}

func (r *reader) number(key string, least, most int64) int {
	n, err := r.settings.Number(key)
	r.readable = r.readable && err == nil && n >= least && n <= most
	return int(n)
}

// validate refuses values that each may be but that don't go together.
func validate(_ context.Context, settings sdk.Settings) (map[string]string, error) {
	refused := map[string]string{}
	for key, least := range map[string]int64{timeLimit: 1, hardCap: 1, targetsPerHour: 0} {
		most, why := int64(maxMinutes), "error_minutes"
		if key == targetsPerHour {
			most, why = maxTargets, "error_targets"
		}
		if n, err := settings.Number(key); err != nil || n < least || n > most {
			refused[key] = why
		}
	}
	limit, _ := settings.Number(timeLimit)
	longest, _ := settings.Number(hardCap)
	if len(refused) == 0 && longest < limit {
		refused[hardCap] = "error_hard_cap"
	}
	if settings[consentRequired] == "true" && settings[customersDecide] != "true" {
		refused[consentRequired] = "error_consent_required"
	}
	return refused, nil
}

func settingsPage() sdk.SettingsPage {
	page := sdk.SettingsPage{
		TitleKey: "impersonate",
		Fields: []sdk.SettingField{
			yesOrNo(disableImpersonation, "false"),
			yesOrNo(enableCustomers, "true"),
			yesOrNo(enableAdmins, "true"),
			oneOf(askReason, optional, off, optional, required),
			oneOf(askTicket, off, off, optional, required),
			number(timeLimit, 60, 1, maxMinutes),
			number(hardCap, 240, 1, maxMinutes),
			yesOrNo(readOnly, "false"),
			yesOrNo(ownPassword, "false"),
			oneOf(tellSubject, tellNobody, tellNobody, tellPortal, tellMail),
			yesOrNo(customersDecide, "true"),
			yesOrNo(consentRequired, "false"),
			yesOrNo(fourEyes, "false"),
			number(targetsPerHour, 10, 0, maxTargets),
			yesOrNo(pulse, "true"),
		},
		Notes: []sdk.SettingNote{
			note("false", "true", "true", "effect_all"),
			note("false", "true", "false", "effect_customers"),
			note("false", "false", "true", "effect_staff"),
			note("false", "false", "false", "effect_nobody"),
			note("true", "true", "true", "effect_administrators_all"),
			note("true", "true", "false", "effect_administrators_customers"),
			note("true", "false", "true", "effect_administrators_staff"),
			note("true", "false", "false", "effect_administrators_nobody"),
		},
		Links: []sdk.ActionLink{
			{LabelKey: "who_can_use", Page: "/who"},
			{LabelKey: "active_switches", Page: "/active"},
			{LabelKey: "approvals", Page: "/approvals"},
			{LabelKey: "languages", Page: "/languages"},
		},
	}
	for _, each := range [][3]string{
		{askReason, off, "effect_reason_off"},
		{askReason, required, "effect_reason_required"},
		{askTicket, optional, "effect_ticket_optional"},
		{askTicket, required, "effect_ticket_required"},
		{readOnly, "true", "effect_read_only"},
		{ownPassword, "true", "effect_own_password"},
		{tellSubject, tellPortal, "effect_tell_portal"},
		{tellSubject, tellMail, "effect_tell_mail"},
		{customersDecide, "false", "effect_customers_not_asked"},
		{consentRequired, "true", "effect_consent_required"},
		{fourEyes, "true", "effect_four_eyes"},
		{targetsPerHour, "0", "effect_targets_any"},
		{pulse, "false", "effect_no_pulse"},
	} {
		page.Notes = append(page.Notes, sdk.SettingNote{TextKey: each[2], When: sdk.SettingEquals(each[0], each[1])})
	}
	return page
}

func yesOrNo(key, byDefault string) sdk.SettingField {
	return sdk.SettingField{
		Key: key, Kind: sdk.BoolSetting, LabelKey: key, HelpKey: key + "_help", Default: byDefault,
	}
}

func number(key string, byDefault int, least, most int64) sdk.SettingField {
	return sdk.SettingField{
		Key: key, Kind: sdk.NumberSetting, LabelKey: key, HelpKey: key + "_help",
		Default: strconv.Itoa(byDefault), Min: least, Max: most,
	}
}

func oneOf(key, byDefault string, values ...string) sdk.SettingField {
	field := sdk.SettingField{
		Key: key, Kind: sdk.ChoiceSetting, LabelKey: key, HelpKey: key + "_help", Default: byDefault,
	}
	for _, value := range values {
		field.Choices = append(field.Choices, sdk.SettingChoice{Value: value, LabelKey: "choice_" + value})
	}
	return field
}

func note(disabled, customers, admins, text string) sdk.SettingNote {
	return sdk.SettingNote{TextKey: text, When: sdk.All(
		sdk.SettingEquals(disableImpersonation, disabled),
		sdk.SettingEquals(enableCustomers, customers),
		sdk.SettingEquals(enableAdmins, admins),
	)}
}
