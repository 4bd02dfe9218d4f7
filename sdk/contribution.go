package sdk

import "net/http"

// Contributions is what a module adds to the host's surface. The host checks it once and draws it
// without asking again; every …Key names a message of the language files.
type Contributions struct {
	// FeatureLabelKey names the module's feature above its capabilities; empty for the module's name.
	FeatureLabelKey string
	Navbar          []NavbarItem
	SettingsPages   []SettingsPage
	Pages           []Page
	ActionLinks     []ActionLink
	AccountActions  []AccountAction
	Capabilities    []Capability
}

// NavbarItem is an icon or button on the navigation bar.
type NavbarItem struct {
	// ID is unique within the module: lower-case letters, digits and dashes.
	ID string
	// LabelKey is its label, accessible name and tooltip.
	LabelKey string
	// Icon is a name of the host's set:
	// activity address-book adjustments alert-circle alert-triangle arrow-back-up arrow-left ban bell
	// briefcase building calendar chart-bar check chevron-down chevron-left chevron-right circle-check
	// clock copy credit-card device-desktop device-floppy dots-vertical download edit external-link eye
	// eye-off file file-text filter folder heart help-circle history home id-badge info-circle key
	// language layout-dashboard link list list-details lock login logout mail map-pin mask mask-off
	// masks-theater menu-2 message mood-smile moon package phone photo player-play player-stop plug plus
	// puzzle receipt refresh search settings shield shield-lock spy star sun tag target ticket tools trash
	// truck upload user user-check user-circle user-cog user-off user-share users world x
	Icon string
	// Areas says where it stands; empty means nowhere.
	Areas []Area
	// Attention makes it a labelled button that pulses shortly and stays highlighted.
	Attention bool
	// Highlighted is the same without the pulse.
	Highlighted bool
	// Shortcut is one letter a to z: with Alt and Shift it does what a click does. Empty for none.
	Shortcut string
	// Action is what a click does: OpenModal, GoToPage or RestoreSession.
	Action NavbarAction
	// Visible says who sees it; unset means everyone in its areas.
	Visible VisibilityRule
}

// NavbarAction is what a click on a navbar item does.
type NavbarAction struct {
	// Page is the declared page it opens, empty for a restore.
	Page string
	// Modal opens the page in a modal.
	Modal bool
	// Restore ends a session switch; the host does it without the module.
	Restore bool
}

// OpenModal opens a declared page in a modal, or as a full page where there is no script.
func OpenModal(page string) NavbarAction { return NavbarAction{Page: page, Modal: true} }

// GoToPage goes to a declared page.
func GoToPage(page string) NavbarAction { return NavbarAction{Page: page} }

// RestoreSession ends a session switch.
func RestoreSession() NavbarAction { return NavbarAction{Restore: true} }

// SettingsPage is a section of Setup, Settings that the host draws, checks and stores.
type SettingsPage struct {
	TitleKey string
	Fields   []SettingField
	// Notes say the effective result in words.
	Notes []SettingNote
	// Links lead from the settings to declared pages.
	Links []ActionLink
}

// SettingKind is the type of a setting.
type SettingKind int

// The types of settings.
const (
	// BoolSetting is yes or no, kept as "true" or "false".
	BoolSetting SettingKind = iota + 1
	// TextSetting is one line of text.
	TextSetting
	// NumberSetting is a whole number, kept in decimal.
	NumberSetting
	// ChoiceSetting is one of Choices.
	ChoiceSetting
)

// SettingField is one setting.
type SettingField struct {
	// Key is unique within the module: lower-case letters, digits and underscores.
	Key      string
	Kind     SettingKind
	LabelKey string
	// HelpKey is the sentence below it; empty for none.
	HelpKey string
	// Default is the value while nobody has saved another.
	Default string
	// Choices are the allowed values of a ChoiceSetting.
	Choices []SettingChoice
	// Min and Max bound a NumberSetting; a Max of zero is no bound.
	Min, Max int64
}

// SettingChoice is one allowed value.
type SettingChoice struct{ Value, LabelKey string }

// SettingNote is a sentence shown while its rule, which may ask settings only, holds.
type SettingNote struct {
	TextKey string
	When    VisibilityRule
}

// UnsafeClass says what a POST, PUT, PATCH or DELETE to a page does. GET and HEAD must change
// nothing.
type UnsafeClass int

// The classes; the zero value is the strictest.
const (
	// Sensitive changes rights, credentials or settings; refused in every switched session.
	Sensitive UnsafeClass = iota
	// Write changes ordinary data; refused in read-only sessions.
	Write
	// Read changes nothing.
	Read
)

// PageAnswer is what a page answers with. The host goes by it, never by the answer's Content-Type.
type PageAnswer int

const (
	// AnswersFragment is HTML for the host's layout or a dialog, and the zero value. The host rebuilds
	// it from the lists of package markup: what isn't on them is left out, and said in the module's
	// log and by `understudy module verify`. text/plain is shown as text; another type is an error.
	AnswersFragment PageAnswer = iota
	// AnswersChoices is JSON for a select with data-search-url, which the host writes anew:
	// {"results": [{"value": "", "text": "", "detail": "", "reason": "", "disabled": false}]}.
	AnswersChoices
	// AnswersFile is a file, which a browser saves and never shows; Content-Type and the file name
	// of Content-Disposition are the handler's. With a status of 400 and above it is a fragment.
	AnswersFile
)

// Page is an address the module answers, below /admin/m/{module} or /m/{module}.
type Page struct {
	// Path starts with "/" and is relative to the module's root; one that ends in "/" also takes
	// what lies below it.
	Path string
	// TitleKey is the page's title, which the host draws; the handler writes only the body.
	TitleKey string
	Areas    []Area
	// Visible says who may open it; unset means administrators only.
	Visible VisibilityRule
	// UnsafeClass says what a POST to it does.
	UnsafeClass UnsafeClass
	// Answers says what it answers with; unset means a fragment.
	Answers PageAnswer
	// Handler answers it. r.URL.Path is relative to the module's root.
	Handler http.Handler
}

// ActionLink stands on the module's row while the module is active.
type ActionLink struct {
	LabelKey string
	// Page is the declared page it leads to; empty for the module's settings.
	Page string
}

// AccountAction is a link on rows of staff or contacts. It leads to its page with
// ?kind=staff|contact&id=N.
type AccountAction struct {
	LabelKey string
	Icon     string
	Page     string
	Modal    bool
	Kinds    []AccountKind
	// Visible says who sees it; unset means administrators only.
	Visible VisibilityRule
}

// Capability is a right that the module brings; the manifest lists its key too.
type Capability struct {
	Key, LabelKey string
	// Kind is who can hold it; empty is Staff. Contacts hold theirs one by one, primary contacts all.
	Kind AccountKind
}
