package main

import (
	"embed"
	"net/http"
	"time"

	"github.com/understudy-crm/understudy/sdk"
)

//go:embed module.json
var manifest []byte

//go:embed languages/*.json
var languages embed.FS

// The capabilities, as module.json and the host know them. The last one is a contact's.
const (
	mayStaff     = "staff"
	mayCustomers = "customers"
	mayViewLog   = "view_log"
	mayAccess    = "access"
)

// impersonation is the module: what it adds to the CRM and what it answers.
func impersonation() sdk.Module {
	return moduleAt(time.Now)
}

// moduleAt is the module by a clock.
func moduleAt(now func() time.Time) sdk.Module {
	p := &pages{now: now}
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
				{Key: mayAccess, LabelKey: "capability_access", Kind: sdk.Contact},
			},
		},
		DecideSwitch:     p.decideSwitch,
		ValidateSettings: validate,
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
			Visible: sdk.All(sdk.SessionSwitched(), sdk.SettingEquals(pulse, "true")),
		},
		{
			ID: "stop-steady", LabelKey: "stop_impersonation", Icon: "masks-theater",
			Areas:       []sdk.Area{sdk.AdminArea, sdk.PortalArea},
			Highlighted: true, Shortcut: "x",
			Action:  sdk.RestoreSession(),
			Visible: sdk.All(sdk.SessionSwitched(), sdk.Not(sdk.SettingEquals(pulse, "true"))),
		},
		{
			ID: "access", LabelKey: "support_access", Icon: "shield-lock",
			Areas:   []sdk.Area{sdk.PortalArea},
			Action:  sdk.GoToPage("/access"),
			Visible: sdk.HasCapability(mayAccess),
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

// all is every address of the module. A POST to any of them is refused under a borrowed name.
func (p *pages) all() []sdk.Page {
	starters := sdk.Any(sdk.Administrator(), sdk.HasCapability(mayStaff), sdk.HasCapability(mayCustomers))
	readers := sdk.Any(sdk.Administrator(), sdk.HasCapability(mayViewLog))
	customers := sdk.HasCapability(mayAccess)
	page := func(area sdk.Area, path, title string, visible sdk.VisibilityRule, handler http.HandlerFunc) sdk.Page {
		return sdk.Page{Path: path, TitleKey: title, Areas: []sdk.Area{area}, Visible: visible, UnsafeClass: sdk.Sensitive, Handler: handler}
	}
	as := func(answers sdk.PageAnswer, p sdk.Page) sdk.Page {
		p.Answers = answers
		return p
	}
	return []sdk.Page{
		page(sdk.AdminArea, "/start", "impersonate", starters, get(p.start)),
		as(sdk.AnswersChoices, page(sdk.AdminArea, "/search", "impersonate", starters, get(p.search))),
		page(sdk.AdminArea, "/pin", "impersonate", starters, post(p.pin)),
		page(sdk.AdminArea, "/who", "who_can_use", sdk.Administrator(), get(p.who)),
		as(sdk.AnswersChoices, page(sdk.AdminArea, "/who/search", "who_can_use", sdk.Administrator(), get(p.whoSearch))),
		as(sdk.AnswersChoices, page(sdk.AdminArea, "/who/target", "who_can_use", sdk.Administrator(), get(p.whoTarget))),
		page(sdk.AdminArea, "/log", "view_log", readers, get(p.log)),
		page(sdk.AdminArea, "/log/entry", "timeline", readers, get(p.timeline)),
		as(sdk.AnswersFile, page(sdk.AdminArea, "/log/export", "view_log", readers, post(p.exportLog))),
		page(sdk.AdminArea, "/active", "active_switches", readers, get(p.active)),
		page(sdk.AdminArea, "/active/end", "active_switches", sdk.Administrator(), post(p.endActive)),
		page(sdk.AdminArea, "/approvals", "approvals", sdk.Administrator(), get(p.approvals)),
		page(sdk.AdminArea, "/approvals/answer", "approvals", sdk.Administrator(), post(p.answerApproval)),
		page(sdk.AdminArea, "/languages", "languages", sdk.Administrator(), p.languages),
		page(sdk.AdminArea, "/languages/delete", "languages", sdk.Administrator(), p.deleteLanguage),
		as(sdk.AnswersFile, page(sdk.AdminArea, "/languages/download", "languages", sdk.Administrator(), get(p.downloadLanguage))),
		page(sdk.PortalArea, "/access", "support_access", customers, get(p.access)),
		page(sdk.PortalArea, "/access/entry", "support_access", customers, get(p.accessEntry)),
		page(sdk.PortalArea, "/access/choice", "support_access", customers, post(p.chooseAccess)),
		page(sdk.PortalArea, "/access/end", "support_access", customers, post(p.endAccess)),
	}
}
