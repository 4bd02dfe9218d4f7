package main

import (
	"context"
	"embed"
	"net/http"
	"time"

	"github.com/understudy-crm/understudy/sdk"
)

//go:embed module.json
var manifest []byte

//go:embed languages/*.json
var languages embed.FS

// The settings and capabilities, as module.json and the host know them.
const (
	disableImpersonation = "disable_impersonation"
	enableCustomers      = "enable_customers"
	enableAdmins         = "enable_admins"

	mayStaff     = "staff"
	mayCustomers = "customers"
	mayViewLog   = "view_log"
)

// impersonation is the module: what it adds to the CRM and what it answers.
func impersonation() sdk.Module {
	p := &pages{now: time.Now}
	return sdk.Module{
		Manifest:  manifest,
		Languages: languages,
		Contributions: sdk.Contributions{
			FeatureLabelKey: "feature",
			Navbar:          navbar(),
			SettingsPages:   []sdk.SettingsPage{settingsPage()},
			Pages:           p.all(),
			ActionLinks: []sdk.ActionLink{
				{LabelKey: "settings"},
				{LabelKey: "view_log", Page: "/log"},
			},
			AccountActions: []sdk.AccountAction{
				accountAction(sdk.Staff),
				accountAction(sdk.Contact),
			},
			Capabilities: []sdk.Capability{
				{Key: mayStaff, LabelKey: "capability_staff"},
				{Key: mayCustomers, LabelKey: "capability_customers"},
				{Key: mayViewLog, LabelKey: "capability_view_log"},
			},
		},
		DecideSwitch: func(_ context.Context, question sdk.SwitchQuestion) (sdk.SwitchDecision, error) {
			return decide(question.Settings, question.Actor, question.Target.Key.Kind), nil
		},
	}
}

func navbar() []sdk.NavbarItem {
	return []sdk.NavbarItem{
		{
			ID: "impersonate", LabelKey: "impersonate", Icon: "masks-theater",
			Areas:  []sdk.Area{sdk.AdminArea},
			Action: sdk.OpenModal("/start"), Shortcut: "i",
			Visible: sdk.All(sdk.Not(sdk.SessionSwitched()), sdk.Any(mayBecome(sdk.Staff), mayBecome(sdk.Contact))),
		},
		{
			ID: "stop", LabelKey: "stop_impersonation", Icon: "masks-theater",
			Areas:     []sdk.Area{sdk.AdminArea, sdk.PortalArea},
			Attention: true, Shortcut: "x",
			Action:  sdk.RestoreSession(),
			Visible: sdk.SessionSwitched(),
		},
	}
}

func accountAction(kind sdk.AccountKind) sdk.AccountAction {
	return sdk.AccountAction{
		LabelKey: "impersonate", Icon: "masks-theater", Page: "/start", Modal: true,
		Kinds:   []sdk.AccountKind{kind},
		Visible: sdk.All(sdk.Not(sdk.SessionSwitched()), mayBecome(kind)),
	}
}

// mayBecome says as a rule what decide says as code; a test holds the two together.
func mayBecome(kind sdk.AccountKind) sdk.VisibilityRule {
	return sdk.All(
		sdk.SettingEquals(enabledBy(kind), "true"),
		sdk.Any(
			sdk.All(sdk.Administrator(), sdk.Any(
				sdk.SettingEquals(disableImpersonation, "true"),
				sdk.SettingEquals(disableImpersonation, "false"))),
			sdk.All(sdk.HasCapability(capabilityFor(kind)), sdk.SettingEquals(disableImpersonation, "false")),
		),
	)
}

func settingsPage() sdk.SettingsPage {
	return sdk.SettingsPage{
		TitleKey: "impersonate",
		Fields: []sdk.SettingField{
			yesOrNo(disableImpersonation, "false"),
			yesOrNo(enableCustomers, "true"),
			yesOrNo(enableAdmins, "true"),
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
		Links: []sdk.ActionLink{{LabelKey: "who_can_use", Page: "/who"}, {LabelKey: "languages", Page: "/languages"}},
	}
}

func yesOrNo(key, byDefault string) sdk.SettingField {
	return sdk.SettingField{
		Key: key, Kind: sdk.BoolSetting, LabelKey: key, HelpKey: key + "_help", Default: byDefault,
	}
}

func note(disabled, customers, admins, text string) sdk.SettingNote {
	return sdk.SettingNote{TextKey: text, When: sdk.All(
		sdk.SettingEquals(disableImpersonation, disabled),
		sdk.SettingEquals(enableCustomers, customers),
		sdk.SettingEquals(enableAdmins, admins),
	)}
}

// all is every address of the module.
func (p *pages) all() []sdk.Page {
	admin := []sdk.Area{sdk.AdminArea}
	starters := sdk.Any(sdk.Administrator(), sdk.HasCapability(mayStaff), sdk.HasCapability(mayCustomers))
	readers := sdk.Any(sdk.Administrator(), sdk.HasCapability(mayViewLog))
	page := func(path, title string, visible sdk.VisibilityRule, handler http.HandlerFunc) sdk.Page {
		return sdk.Page{Path: path, TitleKey: title, Areas: admin, Visible: visible, UnsafeClass: sdk.Sensitive, Handler: handler}
	}
	return []sdk.Page{
		page("/start", "impersonate", starters, get(p.start)),
		page("/search", "impersonate", starters, get(p.search)),
		page("/who", "who_can_use", sdk.Administrator(), get(p.who)),
		page("/who/search", "who_can_use", sdk.Administrator(), get(p.whoSearch)),
		page("/log", "view_log", readers, get(p.log)),
		page("/log.csv", "view_log", readers, get(p.exportLog)),
		page("/languages", "languages", sdk.Administrator(), p.languages),
		page("/languages/delete", "languages", sdk.Administrator(), p.deleteLanguage),
		page("/languages/download", "languages", sdk.Administrator(), get(p.downloadLanguage)),
	}
}
