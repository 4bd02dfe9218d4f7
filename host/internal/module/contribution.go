package module

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/understudy-crm/understudy/host/internal/crm"
	modulev1 "github.com/understudy-crm/understudy/proto/understudy/module/v1"
	"github.com/understudy-crm/understudy/sdk/manifest"
)

// The bounds on what one module may add.
const (
	maxNavbarItems    = 8
	maxPages          = 64
	maxActionLinks    = 8
	maxAccountActions = 8
	maxFields         = 64
	maxChoices        = 64
	maxNotes          = 32
	maxLabel          = 80
	maxSettingValue   = 1000
)

var (
	itemPattern     = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,63}$`)
	keyPattern      = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)
	iconPattern     = regexp.MustCompile(`^[a-z0-9-]{1,64}$`)
	shortcutPattern = regexp.MustCompile(`^[a-z]?$`)
	pagePattern     = regexp.MustCompile(`^/[A-Za-z0-9._~/-]{0,199}$`)
)

// contributions is what a module adds, checked and compiled: nothing in it needs checking again.
type contributions struct {
	feature      string
	capabilities []crm.LabelledCapability
	navbar       []navbarItem
	settings     *settingsPage
	pages        []page
	links        []actionLink
	actions      []accountAction
}

type navbarItem struct {
	id, label, icon        string
	areas                  []crm.Area
	shortcut               string
	attention, highlighted bool
	modal, restore         bool
	page                   string
	visible                rule
}

type page struct {
	path, title string
	areas       []crm.Area
	visible     rule
	unsafe      crm.RouteClass
	answers     Answers
}

type actionLink struct{ label, page string } // page empty for the settings

type accountAction struct {
	label, icon, page string
	kinds             []crm.AccountKind
	modal             bool
	visible           rule
}

// compiler checks one module's contributions and keeps the first thing that is wrong.
type compiler struct {
	manifest manifest.Manifest
	texts    *texts
	icons    func(string) bool
	scope    scope
	out      contributions
	err      error
}

// compile checks contributions against manifest and texts. Its error is in an author's words.
func compile(m manifest.Manifest, t *texts, icons func(string) bool, c *modulev1.Contributions) (*contributions, error) {
	if icons == nil {
		icons = iconPattern.MatchString
	}
	x := &compiler{manifest: m, texts: t, icons: icons, scope: scope{map[string]crm.Capability{}, map[string]bool{}}}
	x.capabilities(c)
	x.settings(c.GetSettingsPages())
	x.pages(c.GetPages())
	if x.out.settings != nil { // after the pages, which its links lead to
		x.out.settings.links = x.links("settings link", c.GetSettingsPages()[0].GetLinks())
	}
	x.navbar(c.GetNavbarItems())
	x.out.links = x.links("action link", c.GetActionLinks())
	x.actions(c.GetAccountActions())
	if x.err != nil {
		return nil, x.err
	}
	return &x.out, nil
}

func (x *compiler) fail(where, format string, args ...any) {
	if x.err == nil {
		x.err = fmt.Errorf("%s: %w", printable(where), fmt.Errorf(format, args...))
	}
}

func (x *compiler) bound(what string, count, most int) bool {
	if count > most {
		x.fail(what, "there are %d; %d are allowed", count, most)
	}
	return count <= most
}

// label checks that a key has a text short enough for a label, in every language there is.
func (x *compiler) label(where, key string) {
	x.sentence(where, key)
	for tag, messages := range x.texts.byTag {
		if utf8.RuneCountInString(messages[key]) > maxLabel {
			x.fail(where, "the text of %q in %q is longer than %d characters", printable(key), tag, maxLabel)
		}
	}
}

func (x *compiler) sentence(where, key string) {
	if !x.texts.has(key) {
		x.fail(where, "languages/en.json has no text %q", printable(key))
	}
}

func (x *compiler) rule(where string, r *modulev1.VisibilityRule) rule {
	compiled, err := x.scope.compileRule(r, 1, false)
	if err != nil {
		x.fail(where, "%w", err)
	}
	return compiled
}

func (x *compiler) capabilities(c *modulev1.Contributions) {
	x.out.feature = c.GetFeatureLabelKey()
	if x.out.feature != "" {
		x.label("feature", x.out.feature)
	}
	for _, capability := range c.GetCapabilities() {
		key, where := capability.GetKey(), "capability "+capability.GetKey()
		if !slices.Contains(x.manifest.Capabilities, key) {
			x.fail(where, "module.json does not list it")
		}
		if x.scope.capabilities[key] != "" {
			x.fail(where, "it is declared twice")
		}
		x.label(where, capability.GetLabelKey())
		full := x.fullName(where, capability)
		x.scope.capabilities[key] = full
		x.out.capabilities = append(x.out.capabilities, crm.LabelledCapability{Capability: full, Label: capability.GetLabelKey()})
	}
}

// fullName is how the host calls a capability; it says who can hold it.
func (x *compiler) fullName(where string, capability *modulev1.Capability) crm.Capability {
	switch capability.GetKind() {
	case modulev1.AccountKind_ACCOUNT_KIND_UNSPECIFIED, modulev1.AccountKind_ACCOUNT_KIND_STAFF:
		return crm.ModuleCapability(x.manifest.ID, capability.GetKey())
	case modulev1.AccountKind_ACCOUNT_KIND_CONTACT:
		return crm.ContactCapability(x.manifest.ID, capability.GetKey())
	default:
		x.fail(where, "its kind must be staff or contact")
		return ""
	}
}

var classes = map[modulev1.RouteClass]crm.RouteClass{
	modulev1.RouteClass_ROUTE_CLASS_READ:  crm.ReadRoute,
	modulev1.RouteClass_ROUTE_CLASS_WRITE: crm.WriteRoute,
}

func (x *compiler) pages(pages []*modulev1.Page) {
	if !x.bound("pages", len(pages), maxPages) {
		return
	}
	for _, p := range pages {
		where := "page " + p.GetPath()
		if !cleanPath(p.GetPath()) || x.find(p.GetPath()) != nil {
			x.fail(where, "its path must begin with /, have no empty, . or .. part, and be declared once")
		}
		x.label(where, p.GetTitleKey())
		class, known := classes[p.GetUnsafeClass()]
		if !known {
			class = crm.SensitiveRoute
		}
		x.out.pages = append(x.out.pages, page{
			path: p.GetPath(), title: p.GetTitleKey(), areas: x.areas(where, p.GetAreas()),
			visible: x.rule(where, p.GetVisible()), unsafe: class, answers: answerKinds[p.GetAnswers()],
		})
	}
}

// answers of a kind this CRM doesn't know are fragments, which are always harmless.
var answerKinds = map[modulev1.PageAnswer]Answers{
	modulev1.PageAnswer_PAGE_ANSWER_CHOICES: Choices, modulev1.PageAnswer_PAGE_ANSWER_FILE: File,
}

func cleanPath(p string) bool {
	return pagePattern.MatchString(p) && (p == "/" || path.Clean(p) == strings.TrimSuffix(p, "/"))
}

func (x *compiler) find(path string) *page {
	for i := range x.out.pages {
		if x.out.pages[i].path == path {
			return &x.out.pages[i]
		}
	}
	return nil
}

func (x *compiler) areas(where string, list []modulev1.Area) []crm.Area {
	var out []crm.Area
	for _, a := range list {
		area, ok := areas[a]
		if !ok || slices.Contains(out, area) {
			x.fail(where, "its areas must be admin or portal, each once")
			return nil
		}
		out = append(out, area)
	}
	return out
}

// target checks that a page is declared, in each of the areas.
func (x *compiler) target(where, path string, in ...crm.Area) {
	p := x.find(path)
	if p == nil {
		x.fail(where, "there is no declared page %q", printable(path))
		return
	}
	for _, area := range in {
		if !slices.Contains(p.areas, area) {
			x.fail(where, "the page %s does not stand in the %s area", path, area)
		}
	}
}

func (x *compiler) navbar(items []*modulev1.NavbarItem) {
	if !x.bound("navbar items", len(items), maxNavbarItems) {
		return
	}
	for _, i := range items {
		where := "navbar item " + i.GetId()
		if !itemPattern.MatchString(i.GetId()) || slices.ContainsFunc(x.out.navbar, func(n navbarItem) bool { return n.id == i.GetId() }) {
			x.fail(where, "its id must be lower-case letters, digits and dashes, and used once")
		}
		x.label(where, i.GetLabelKey())
		item := navbarItem{
			id: i.GetId(), label: i.GetLabelKey(), icon: i.GetIcon(), areas: x.areas(where, i.GetAreas()), visible: x.rule(where, i.GetVisible()),
			attention: i.GetStyle() == modulev1.NavbarStyle_NAVBAR_STYLE_ATTENTION, highlighted: i.GetStyle() == modulev1.NavbarStyle_NAVBAR_STYLE_HIGHLIGHTED,
			shortcut: i.GetShortcut(),
		}
		if item.icon != "" || !(item.attention || item.highlighted) {
			x.icon(where, item.icon) // a labelled button may do without
		}
		if !shortcutPattern.MatchString(item.shortcut) {
			x.fail(where, "its shortcut must be one letter a to z")
		}
		switch action := i.GetAction().(type) {
		case *modulev1.NavbarItem_OpenModal:
			item.page, item.modal = action.OpenModal, true
			x.target(where, item.page, item.areas...)
		case *modulev1.NavbarItem_GoToPage:
			item.page = action.GoToPage
			x.target(where, item.page, item.areas...)
		case *modulev1.NavbarItem_Restore:
			item.restore = true
		default:
			x.fail(where, "it has no action this CRM knows")
		}
		x.out.navbar = append(x.out.navbar, item)
	}
}

func (x *compiler) icon(where, name string) {
	if name == "" || !x.icons(name) {
		x.fail(where, "there is no icon %q", printable(name))
	}
}

func (x *compiler) links(what string, links []*modulev1.ActionLink) (compiled []actionLink) {
	if !x.bound(what+"s", len(links), maxActionLinks) {
		return nil
	}
	for _, l := range links {
		where := what + " " + l.GetLabelKey()
		x.label(where, l.GetLabelKey())
		switch target := l.GetTarget().(type) {
		case *modulev1.ActionLink_Page:
			x.target(where, target.Page, crm.Admin)
		case *modulev1.ActionLink_Settings:
			if x.out.settings == nil {
				x.fail(where, "the module has no settings page")
			}
		default:
			x.fail(where, "it leads nowhere this CRM knows")
		}
		compiled = append(compiled, actionLink{l.GetLabelKey(), l.GetPage()})
	}
	return compiled
}

func (x *compiler) actions(actions []*modulev1.AccountAction) {
	if !x.bound("account actions", len(actions), maxAccountActions) {
		return
	}
	for _, a := range actions {
		where := "account action " + a.GetLabelKey()
		x.label(where, a.GetLabelKey())
		if a.GetIcon() != "" {
			x.icon(where, a.GetIcon())
		}
		x.target(where, a.GetPage(), crm.Admin)
		action := accountAction{label: a.GetLabelKey(), icon: a.GetIcon(), page: a.GetPage(), modal: a.GetModal(), visible: x.rule(where, a.GetVisible())}
		for _, k := range a.GetKinds() {
			kind, ok := accountKinds[k]
			if !ok {
				x.fail(where, "its kinds must be staff or contact")
			}
			action.kinds = append(action.kinds, kind)
		}
		x.out.actions = append(x.out.actions, action)
	}
}

// hasPage tells whether a page is declared by exactly this path, in any area. Empty is no page, and
// may always be named.
func (c *contributions) hasPage(path string) bool {
	return path == "" || slices.ContainsFunc(c.pages, func(p page) bool { return p.path == path })
}
