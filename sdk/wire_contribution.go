package sdk

import (
	modulev1 "github.com/understudy-crm/understudy/proto/understudy/module/v1"
)

// Contributions.

func each[From, To any](list []From, convert func(From) To) []To {
	converted := make([]To, 0, len(list))
	for _, entry := range list {
		converted = append(converted, convert(entry))
	}
	return converted
}

func contributionsToWire(c Contributions) *modulev1.Contributions {
	return &modulev1.Contributions{
		FeatureLabelKey: c.FeatureLabelKey,
		NavbarItems:     each(c.Navbar, navbarItemToWire),
		SettingsPages:   each(c.SettingsPages, settingsPageToWire),
		Pages:           each(c.Pages, pageToWire),
		ActionLinks:     each(c.ActionLinks, actionLinkToWire),
		AccountActions:  each(c.AccountActions, accountActionToWire),
		Capabilities: each(c.Capabilities, func(capability Capability) *modulev1.Capability {
			return &modulev1.Capability{Key: capability.Key, LabelKey: capability.LabelKey, Kind: kindToWire[capability.Kind]}
		}),
	}
}

func areasToWire(areas []Area) []modulev1.Area {
	return each(areas, func(area Area) modulev1.Area { return areaToWire[area] })
}

func navbarItemToWire(item NavbarItem) *modulev1.NavbarItem {
	wire := &modulev1.NavbarItem{
		Id: item.ID, LabelKey: item.LabelKey, Icon: item.Icon, Areas: areasToWire(item.Areas),
		Style: modulev1.NavbarStyle_NAVBAR_STYLE_PLAIN, Visible: ruleToWire(item.Visible), Shortcut: item.Shortcut,
	}
	if item.Attention {
		wire.Style = modulev1.NavbarStyle_NAVBAR_STYLE_ATTENTION
	} else if item.Highlighted {
		wire.Style = modulev1.NavbarStyle_NAVBAR_STYLE_HIGHLIGHTED
	}
	switch {
	case item.Action.Restore:
		wire.Action = &modulev1.NavbarItem_Restore{Restore: &modulev1.Restore{}}
	case item.Action.Modal:
		wire.Action = &modulev1.NavbarItem_OpenModal{OpenModal: item.Action.Page}
	default:
		wire.Action = &modulev1.NavbarItem_GoToPage{GoToPage: item.Action.Page}
	}
	return wire
}

var settingKindToWire = map[SettingKind]modulev1.SettingKind{
	BoolSetting:   modulev1.SettingKind_SETTING_KIND_BOOL,
	TextSetting:   modulev1.SettingKind_SETTING_KIND_TEXT,
	NumberSetting: modulev1.SettingKind_SETTING_KIND_NUMBER,
	ChoiceSetting: modulev1.SettingKind_SETTING_KIND_CHOICE,
}

func settingsPageToWire(page SettingsPage) *modulev1.SettingsPage {
	return &modulev1.SettingsPage{
		TitleKey: page.TitleKey,
		Fields: each(page.Fields, func(field SettingField) *modulev1.SettingField {
			return &modulev1.SettingField{
				Key: field.Key, Kind: settingKindToWire[field.Kind], LabelKey: field.LabelKey,
				HelpKey: field.HelpKey, DefaultValue: field.Default, Min: field.Min, Max: field.Max,
				Choices: each(field.Choices, func(choice SettingChoice) *modulev1.SettingChoice {
					return &modulev1.SettingChoice{Value: choice.Value, LabelKey: choice.LabelKey}
				}),
			}
		}),
		Notes: each(page.Notes, func(note SettingNote) *modulev1.SettingNote {
			return &modulev1.SettingNote{TextKey: note.TextKey, When: ruleToWire(note.When)}
		}),
		Links: each(page.Links, actionLinkToWire),
	}
}

var unsafeClassToWire = map[UnsafeClass]modulev1.RouteClass{
	Sensitive: modulev1.RouteClass_ROUTE_CLASS_SENSITIVE,
	Write:     modulev1.RouteClass_ROUTE_CLASS_WRITE,
	Read:      modulev1.RouteClass_ROUTE_CLASS_READ,
}

var answerToWire = map[PageAnswer]modulev1.PageAnswer{
	AnswersFragment: modulev1.PageAnswer_PAGE_ANSWER_FRAGMENT,
	AnswersChoices:  modulev1.PageAnswer_PAGE_ANSWER_CHOICES,
	AnswersFile:     modulev1.PageAnswer_PAGE_ANSWER_FILE,
}

func pageToWire(page Page) *modulev1.Page {
	return &modulev1.Page{
		Path: page.Path, TitleKey: page.TitleKey, Areas: areasToWire(page.Areas),
		Visible: ruleToWire(page.Visible), UnsafeClass: unsafeClassToWire[page.UnsafeClass],
		Answers: answerToWire[page.Answers],
	}
}

func actionLinkToWire(link ActionLink) *modulev1.ActionLink {
	wire := &modulev1.ActionLink{LabelKey: link.LabelKey}
	if link.Page == "" {
		wire.Target = &modulev1.ActionLink_Settings{Settings: &modulev1.SettingsLink{}}
	} else {
		wire.Target = &modulev1.ActionLink_Page{Page: link.Page}
	}
	return wire
}

func accountActionToWire(action AccountAction) *modulev1.AccountAction {
	return &modulev1.AccountAction{
		LabelKey: action.LabelKey, Icon: action.Icon, Page: action.Page, Modal: action.Modal,
		Kinds:   each(action.Kinds, func(kind AccountKind) modulev1.AccountKind { return kindToWire[kind] }),
		Visible: ruleToWire(action.Visible),
	}
}

// ruleToWire returns nil for the unset rule.
func ruleToWire(rule VisibilityRule) *modulev1.VisibilityRule {
	rules := func() *modulev1.VisibilityRules {
		return &modulev1.VisibilityRules{Rules: each(rule.rules, ruleToWire)}
	}
	switch rule.op {
	case ruleAll:
		return &modulev1.VisibilityRule{Rule: &modulev1.VisibilityRule_All{All: rules()}}
	case ruleAny:
		return &modulev1.VisibilityRule{Rule: &modulev1.VisibilityRule_Any{Any: rules()}}
	case ruleNot:
		return &modulev1.VisibilityRule{Rule: &modulev1.VisibilityRule_Not{Not: ruleToWire(rule.rules[0])}}
	case ruleAdministrator:
		return &modulev1.VisibilityRule{Rule: &modulev1.VisibilityRule_Administrator{Administrator: true}}
	case ruleCapability:
		return &modulev1.VisibilityRule{Rule: &modulev1.VisibilityRule_Capability{Capability: rule.name}}
	case ruleSetting:
		equals := &modulev1.SettingEquals{Key: rule.name, Value: rule.value}
		return &modulev1.VisibilityRule{Rule: &modulev1.VisibilityRule_SettingEquals{SettingEquals: equals}}
	case ruleSwitched:
		return &modulev1.VisibilityRule{Rule: &modulev1.VisibilityRule_SessionSwitched{SessionSwitched: true}}
	case ruleArea:
		return &modulev1.VisibilityRule{Rule: &modulev1.VisibilityRule_Area{Area: areaToWire[Area(rule.name)]}}
	}
	return nil
}
